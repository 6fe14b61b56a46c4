//! A pod as the store keeps it: an interned spec and a little state.

use smallvec::SmallVec;

use super::condition::Conditions;
use super::ids::{NodeId, SpecId, Sym};
use super::meta::Meta;
use super::verbs::PodResize;
use crate::engine::Time;

/// `status.phase` of a pod. `Unknown` is legacy: node loss changes conditions, never the phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PodPhase {
    /// Accepted, but not all containers have been started.
    #[default]
    Pending,
    /// Bound, and at least one container is running or restarting.
    Running,
    /// All containers have ended well and will not be restarted.
    Succeeded,
    /// All containers have ended, at least one of them badly.
    Failed,
    /// The state could not be obtained.
    Unknown,
}

impl PodPhase {
    /// The word the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            PodPhase::Pending => "Pending",
            PodPhase::Running => "Running",
            PodPhase::Succeeded => "Succeeded",
            PodPhase::Failed => "Failed",
            PodPhase::Unknown => "Unknown",
        }
    }

    /// Reads the word the API uses.
    pub fn parse(text: &str) -> Option<PodPhase> {
        [PodPhase::Pending, PodPhase::Running, PodPhase::Succeeded, PodPhase::Failed, PodPhase::Unknown]
            .into_iter()
            .find(|phase| phase.as_str() == text)
    }

    /// `Succeeded` or `Failed`: nothing runs any more and nothing will.
    pub fn is_terminal(self) -> bool {
        matches!(self, PodPhase::Succeeded | PodPhase::Failed)
    }
}

/// A pod.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Its metadata.
    pub meta: Meta,
    /// Its spec without `nodeName`.
    pub spec: SpecId,
    /// `spec.nodeName`, once it is bound to a node that exists (or existed) in the run.
    pub node: Option<NodeId>,
    /// `spec.nodeName` naming a node that never existed.
    pub missing_node: Option<Sym>,
    /// The node on which the scheduler has assumed it, until the binding is written.
    pub assumed: Option<NodeId>,
    /// `status.nominatedNodeName`.
    pub nominated: Option<NodeId>,
    /// `status.phase`.
    pub phase: PodPhase,
    /// `status.reason`, may be empty.
    pub reason: Sym,
    /// `status.message`, may be empty.
    pub message: Sym,
    /// `status.conditions`.
    pub conditions: Conditions,
    /// Init containers, then regular containers, in the order of the spec. Empty until the kubelet reports them.
    pub containers: SmallVec<[ContainerStatus; 1]>,
    /// `status.startTime`: when the kubelet acknowledged the pod.
    pub start_time: Option<Time>,
    /// `status.podIP` as a number inside the pod network, or 0.
    pub ip: u32,
    /// Rises whenever events already scheduled for the pod must be dropped.
    pub epoch: u32,
    /// Its place in the input, which names its random streams: two policies see the same lifetime.
    pub ordinal: u64,
    /// The resize in progress: its containers do not yet have what its spec wants.
    pub resized: Option<Box<PodResize>>,
}

/// The state of one container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContainerStatus {
    /// `state`.
    pub state: ContainerState,
    /// `lastState.terminated`.
    pub last: Option<Terminated>,
    /// `ready`.
    pub ready: bool,
    /// `started`: the startup probe has succeeded, or there is none and the container runs.
    pub started: bool,
    /// `restartCount`.
    pub restarts: u32,
}

impl ContainerStatus {
    /// Whether it has never been started.
    pub fn never_ran(&self) -> bool {
        matches!(self.state, ContainerState::Waiting { .. }) && self.last.is_none()
    }
}

/// `state` of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// Not started, or between two runs.
    Waiting {
        /// `ContainerCreating`, `CrashLoopBackOff`, ...
        reason: Sym,
        /// May be empty.
        message: Sym,
    },
    /// Running.
    Running {
        /// `startedAt`.
        started: Time,
    },
    /// Ended.
    Terminated(Terminated),
}

impl Default for ContainerState {
    fn default() -> Self {
        ContainerState::Waiting { reason: Sym::EMPTY, message: Sym::EMPTY }
    }
}

/// How a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminated {
    /// `exitCode`.
    pub exit_code: i32,
    /// `Completed`, `Error`, `OOMKilled`, ...
    pub reason: Sym,
    /// May be empty.
    pub message: Sym,
    /// `startedAt`.
    pub started: Time,
    /// `finishedAt`.
    pub finished: Time,
}

impl Pod {
    /// The node whose resources it occupies: bound, or assumed by the scheduler.
    pub fn placed(&self) -> Option<NodeId> {
        self.node.or(self.assumed)
    }

    /// Whether it counts against its node: placed, in the store, and not in a terminal phase.
    pub fn occupies(&self) -> Option<NodeId> {
        if self.meta.removed || self.phase.is_terminal() { None } else { self.placed() }
    }

    /// Active in the sense of the workload controllers: neither ended nor asked to end.
    pub fn is_active(&self) -> bool {
        !self.phase.is_terminal() && !self.meta.is_deleting() && !self.meta.removed
    }
}
