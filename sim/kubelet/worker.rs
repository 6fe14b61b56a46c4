//! The pod worker: what a kubelet knows of one pod. Its steps stand in the files beside this one.

use std::sync::Arc;

use smallvec::SmallVec;

use super::backoff::BackOff;
use super::model::{Behaviour, ContainerModel};
use super::probe::{Counter, Observed, Stretch};
use super::probing::Which;
use super::resize::Resize;
use super::shape::{ContainerKind, ContainerShape, PodShape};
use crate::cluster::{ContainerState, ContainerStatus, NodeId, PodId, PodPhase, Sym, Terminated};
use crate::engine::{Span, Time};

/// What the kubelet knows of one pod. One worker does one thing at a time: while it pulls, starts or kills, the pod's other
/// containers wait (kubelet, `pod_workers.go`).
#[derive(Clone, Debug)]
pub(super) struct Worker {
    pub pod: PodId,
    pub node: NodeId,
    pub shape: Arc<PodShape>,
    pub behaviour: Arc<Behaviour>,
    pub stage: Stage,
    pub busy: Busy,
    /// Names the operation under way: events of earlier ones are dropped.
    pub turn: u16,
    /// Names the last wake-up call: earlier ones are dropped.
    pub wake_turn: u16,
    /// Whether the kubelet runs it from a file of its own.
    pub is_static: bool,
    /// Whether the sandbox with its network exists.
    pub sandbox: bool,
    /// Whether a regular container has been started in this sandbox.
    pub initialized: bool,
    /// Whether the modelled startup has been spent.
    pub started_up: bool,
    /// Whether the store lacks what has happened since it could last be written to.
    pub unreported: bool,
    pub ip: u32,
    /// When the kubelet first saw the pod: `startTime`.
    pub since: Time,
    /// When its probe workers were made, from which their ticks are counted: when the kubelet first saw it, or saw it anew.
    pub probes_since: Time,
    pub rows: SmallVec<[Row; 1]>,
    /// The resize under way.
    pub resize: Option<Resize>,
    /// How it ends, once it is told to.
    pub end: Option<End>,
}

/// How far a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its containers are started and restarted.
    Active,
    /// Its containers are being stopped.
    Terminating,
    /// Nothing of it runs any more.
    Ended,
}

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Busy {
    Idle,
    Sandbox,
    Pulling(u8),
    Starting(u8),
    PostStart(u8),
    /// Stopping one container that is to start again.
    Killing(u8),
    /// A postStart hook has failed and its container is gone: the next look at the runtime goes on.
    HookFailed,
    /// Stopping all containers, which are to start again.
    KillingAll,
}

/// How a pod ends that is told to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    /// The phase, where it does not follow from the exit codes.
    pub phase: Option<PodPhase>,
    /// `status.reason`.
    pub reason: Sym,
    /// `status.message`.
    pub message: Sym,
    /// Whether condition `DisruptionTarget` says that the kubelet ended it.
    pub disruption: bool,
}

/// What the kubelet knows of one container.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub status: ContainerStatus,
    /// Names the present instance: events of earlier ones are dropped.
    pub turn: u16,
    /// How often it has been started.
    pub n_starts: u32,
    /// An init container whose last instance belongs to a sandbox that is gone: it is shown, and does not count.
    pub anew: bool,
    /// When and how the present instance will exit by itself.
    pub exit: Option<Exit>,
    /// Crash-loop back-off.
    pub crash: Option<BackOff>,
    /// Back-off of failing pulls.
    pub pull: Option<BackOff>,
    /// Since when it waits for the pull under way.
    pub pulled_for: Option<Time>,
    /// How long the pull under way takes once it has its turn.
    pub pull_takes: Span,
    /// Its start has failed and is not tried again before.
    pub retry_at: Time,
    /// When the failure of its image is first looked at again, and shown as back-off.
    pub show_at: Time,
    /// Set by a kill of the kubelet until the sync that follows it: when the instance before the killed one finished, if there
    /// was one. That sync still compares back-off with it.
    pub snapshot: Option<Option<Time>>,
    /// Started by the sync under way: its status is told and its probes begin when that sync is over.
    pub fresh: bool,
    /// The probe that has failed for good: the next sync kills the container.
    pub unhealthy: Option<Which>,
    /// Its probes; `None` while nothing is known of any.
    probes: Option<Box<Probes>>,
}

/// The probes of a container.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Probes {
    pub startup: Probing,
    pub readiness: Probing,
    pub liveness: Probing,
}

/// An exit to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exit {
    pub at: Time,
    pub code: i32,
    /// Out of memory.
    pub oom: bool,
}

/// The state of one probe of a container.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Probing {
    /// Whether it ticks: not on hold, and not waiting for the startup probe.
    pub active: bool,
    /// What its ticks are counted from.
    pub anchor: Time,
    /// What the ticks before `from` have come to.
    pub counter: Counter,
    /// The ticks at or after this are not counted yet.
    pub from: Time,
    /// The next change of the stored result.
    pub next: Option<Observed>,
    /// What the counter is after that change.
    pub after: Counter,
    /// The next failing ticks in a row, and when the first of them is noticed: an event tells of it.
    pub failures: Option<(Time, Stretch)>,
    /// Whether an event has told of the last failing ticks.
    pub told: bool,
    /// Whether a service that it depends on has no endpoint that is ready.
    pub lacks: bool,
}

impl Probing {
    pub(super) fn stop(&mut self) {
        (self.active, self.next, self.failures, self.told) = (false, None, None, false);
    }
}

impl Row {
    pub(super) fn new(waiting: Sym) -> Row {
        let state = ContainerState::Waiting { reason: waiting, message: Sym::EMPTY };
        Row {
            status: ContainerStatus { state, ..ContainerStatus::default() },
            turn: 0,
            n_starts: 0,
            anew: false,
            exit: None,
            crash: None,
            pull: None,
            pulled_for: None,
            pull_takes: Span::ZERO,
            retry_at: Time::ZERO,
            show_at: Time::ZERO,
            snapshot: None,
            fresh: false,
            unhealthy: None,
            probes: None,
        }
    }

    pub(super) fn probes(&mut self) -> &mut Probes {
        self.probes.get_or_insert_default()
    }

    /// One of its probes.
    pub(super) fn probing(&mut self, which: Which) -> &mut Probing {
        match which {
            Which::Startup => &mut self.probes().startup,
            Which::Readiness => &mut self.probes().readiness,
            Which::Liveness => &mut self.probes().liveness,
        }
    }

    /// A probe, if anything is known of any.
    pub(super) fn known_probe(&self, which: Which) -> Option<&Probing> {
        let probes = self.probes.as_deref()?;
        Some(match which {
            Which::Startup => &probes.startup,
            Which::Readiness => &probes.readiness,
            Which::Liveness => &probes.liveness,
        })
    }

    /// No probe ticks any more; what has been counted stays.
    pub(super) fn stop_probes(&mut self) {
        if let Some(probes) = self.probes.as_deref_mut() {
            for probing in [&mut probes.startup, &mut probes.readiness, &mut probes.liveness] {
                probing.stop();
            }
        }
    }

    pub(super) fn forget_probes(&mut self) {
        self.probes = None;
    }

    pub(super) fn running_since(&self) -> Option<Time> {
        match self.status.state {
            ContainerState::Running { started } => Some(started),
            _ => None,
        }
    }

    /// The last instance that has ended, while none runs.
    pub(super) fn ended(&self) -> Option<Terminated> {
        match self.status.state {
            ContainerState::Terminated(ended) => Some(ended),
            ContainerState::Waiting { .. } => self.status.last,
            ContainerState::Running { .. } => None,
        }
    }

    /// Ends the present instance: its events are void from now on.
    pub(super) fn new_turn(&mut self) -> u16 {
        self.turn = self.turn.wrapping_add(1);
        self.turn
    }
}

impl Worker {
    pub(super) fn container(&self, idx: usize) -> &ContainerShape {
        &self.shape.containers[idx]
    }

    pub(super) fn kind(&self, idx: usize) -> ContainerKind {
        self.shape.containers[idx].kind
    }

    pub(super) fn model(&self, idx: usize) -> &ContainerModel {
        &self.behaviour.containers[idx]
    }

    /// Begins an operation, or gives the one under way up.
    pub(super) fn new_turn(&mut self) -> u16 {
        self.turn = self.turn.wrapping_add(1);
        self.turn
    }

    pub(super) fn statuses(&self) -> SmallVec<[Option<ContainerStatus>; 4]> {
        self.rows.iter().map(|row| Some(row.status)).collect()
    }
}
