//! What a plugin answers: codes, reasons as data, and rejections (kube-scheduler v1.36, `framework.Status`).

use smallvec::SmallVec;

use super::names::PluginName;
use super::reason::Reason;

/// The outcome of an extension point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// Nothing stands against it.
    Success,
    /// Not here and now; removing pods may help.
    Unschedulable,
    /// Not here and now, and removing pods does not help.
    UnschedulableAndUnresolvable,
    /// The plugin has nothing to do for this pod.
    Skip,
    /// Waiting for something the plugin itself has started.
    Pending,
    /// The plugin failed.
    Error,
    /// The pod waits before it is bound (Permit).
    Wait,
}

impl Code {
    /// The name in the framework.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Success => "Success",
            Code::Unschedulable => "Unschedulable",
            Code::UnschedulableAndUnresolvable => "UnschedulableAndUnresolvable",
            Code::Skip => "Skip",
            Code::Pending => "Pending",
            Code::Error => "Error",
            Code::Wait => "Wait",
        }
    }
}

/// Why a plugin says no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// `Unschedulable` or `UnschedulableAndUnresolvable`.
    pub code: Code,
    /// In the plugin's order.
    pub reasons: SmallVec<[Reason; 1]>,
}

impl Rejection {
    /// Removing pods may help.
    pub fn unschedulable(reason: Reason) -> Rejection {
        Rejection { code: Code::Unschedulable, reasons: SmallVec::from_iter([reason]) }
    }

    /// Removing pods does not help.
    pub fn unresolvable(reason: Reason) -> Rejection {
        Rejection { code: Code::UnschedulableAndUnresolvable, reasons: SmallVec::from_iter([reason]) }
    }

    /// A rejection in words that only this pod has.
    pub fn unresolvable_text(text: impl Into<String>) -> Rejection {
        Rejection::unresolvable(Reason::Text(text.into().into()))
    }
}

/// What a plugin says of one node.
pub type Verdict = Result<(), Rejection>;

/// A rejection with the plugin that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// `Success`, or why not.
    pub code: Code,
    /// The plugin that decided; none for nodes that PreFilter has ruled out.
    pub plugin: Option<PluginName>,
    /// Why.
    pub reasons: SmallVec<[Reason; 1]>,
}

impl Status {
    /// Nothing stands against it.
    pub fn success() -> Status {
        Status { code: Code::Success, plugin: None, reasons: SmallVec::new() }
    }

    /// A rejection by `plugin`.
    pub fn rejected(plugin: PluginName, rejection: Rejection) -> Status {
        Status { code: rejection.code, plugin: Some(plugin), reasons: rejection.reasons }
    }

    /// Whether nothing stands against it.
    pub fn is_success(&self) -> bool {
        self.code == Code::Success
    }
}

/// What PreFilter answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreFilter {
    /// Filter is to run on all nodes.
    Run,
    /// Filter has nothing to do.
    Skip,
    /// Filter is to run on the nodes of these names alone.
    Narrow(Vec<String>),
    /// No node will do.
    Reject(Rejection),
    /// The plugin failed.
    Error(String),
}
