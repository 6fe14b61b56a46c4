//! What fails when: the steps `fail:` of a scenario, as read.

use crate::engine::{Distribution, Span, Time};

/// One step of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// When it begins and how long it lasts.
    pub when: When,
    /// What fails, and how.
    pub failure: Failure,
}

/// When a failure begins, and how long it lasts.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// Once.
    Once {
        /// When.
        at: Time,
        /// How long; for good if none.
        lasts: Option<Span>,
    },
    /// Again and again, drawn.
    Drawn {
        /// From the end of a repair to the next failure.
        up: Lasting,
        /// From a failure to the end of its repair.
        down: Lasting,
        /// Failures begin at multiples of this only (a failure drawn in between begins at the next one).
        every: Option<Span>,
    },
}

/// A drawn length of time.
#[derive(Clone, Debug, PartialEq)]
pub enum Lasting {
    /// Exponential with this mean: what "mean time between failures" alone says.
    Exponential(Span),
    /// As given.
    Given(Distribution),
}

/// What fails, and how.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// Nodes.
    Nodes(Target, NodeFailure),
    /// Processes of containers end.
    Containers(Containers),
    /// The API server is down.
    ApiServer,
    /// The API server is slow: latencies are `factor` times as long (0 for as they are) and longer by `latency`.
    SlowApiServer {
        /// How many times as long.
        factor: f64,
        /// How much longer.
        latency: Option<Distribution>,
    },
    /// etcd has no leader.
    Etcd,
    /// A replica of kube-scheduler is down: the leader, if there is one.
    Scheduler,
    /// A replica of kube-controller-manager is down: the leader, if there is one.
    ControllerManager,
    /// The image registry does not answer.
    ImageRegistry,
}

/// Which nodes fail together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The node of this name.
    Node(String),
    /// Every node by itself; for drawn failures only.
    EachNode,
    /// All nodes with this label: a zone, a rack.
    Label(String, String),
    /// All nodes of one value of this label, every value by itself; for drawn failures only.
    EachValue(String),
}

/// How nodes fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NodeFailure {
    /// The machine is down.
    Crash,
    /// The node runs on, but nothing gets through between it and the control plane.
    Partition,
    /// The kubelet's process is down, and is started anew at the end; without a length of time it is back at once.
    Kubelet,
    /// The machine is shut down in order: its kubelet stops the pods, then it is down.
    Shutdown,
    /// Everything on it takes so many times as long.
    Slow(f64),
}

/// Which containers fail, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Containers {
    /// The namespace of their pods.
    pub namespace: String,
    /// Their pods.
    pub pods: Pods,
    /// Their name; the first regular container of each pod if none.
    pub container: Option<String>,
    /// The exit code.
    pub exit_code: u8,
    /// Whether the kernel kills them for want of memory.
    pub oom: bool,
    /// Whether one pod fails that is drawn from those that match, or all do.
    pub one: bool,
}

/// Pods of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pods {
    /// The pod of this name.
    Named(String),
    /// Those with all of these labels.
    Labels(Vec<(String, String)>),
}

impl Fault {
    /// What fails, in a few words: `crash of node general-3`.
    pub fn text(&self) -> String {
        match &self.failure {
            Failure::Nodes(target, failure) => format!("{} of {}", failure.text(), target.text()),
            Failure::Containers(containers) => containers.text(),
            Failure::ApiServer => "API server down".to_owned(),
            Failure::SlowApiServer { .. } => "API server slow".to_owned(),
            Failure::Etcd => "etcd without leader".to_owned(),
            Failure::Scheduler => "kube-scheduler down".to_owned(),
            Failure::ControllerManager => "kube-controller-manager down".to_owned(),
            Failure::ImageRegistry => "image registry down".to_owned(),
        }
    }

    /// Whether it is over as soon as it has begun.
    pub fn is_instant(&self) -> bool {
        let unending = matches!(&self.when, When::Once { lasts: None, .. });
        match self.failure {
            Failure::Containers(_) => true,
            Failure::Nodes(_, NodeFailure::Kubelet) => unending,
            _ => false,
        }
    }
}

impl Failure {
    /// Whether another replica of kube-controller-manager or kube-scheduler may lead because of it.
    pub fn concerns_leaders(&self) -> bool {
        matches!(self, Failure::ApiServer | Failure::Etcd | Failure::Scheduler | Failure::ControllerManager)
    }
}

impl NodeFailure {
    fn text(self) -> String {
        match self {
            NodeFailure::Crash => "crash".to_owned(),
            NodeFailure::Partition => "partition".to_owned(),
            NodeFailure::Kubelet => "kubelet restart".to_owned(),
            NodeFailure::Shutdown => "shutdown".to_owned(),
            NodeFailure::Slow(factor) => format!("slowdown by {factor}"),
        }
    }
}

impl Target {
    fn text(&self) -> String {
        match self {
            Target::Node(name) => format!("node {name}"),
            Target::EachNode => "a node".to_owned(),
            Target::Label(key, value) => format!("nodes with {key}={value}"),
            Target::EachValue(key) => format!("nodes of one {key}"),
        }
    }
}

impl Containers {
    fn text(&self) -> String {
        let pods = match &self.pods {
            Pods::Named(name) => format!("pod {}/{name}", self.namespace),
            Pods::Labels(labels) => {
                let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("pods of {} with {}", self.namespace, labels.join(","))
            }
        };
        let container = self.container.as_deref().map_or_else(String::new, |name| format!(" {name}"));
        let how = if self.oom { "out of memory".to_owned() } else { format!("exit code {}", self.exit_code) };
        format!("crash of container{container} in {pods}, {how}")
    }
}
