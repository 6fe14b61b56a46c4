//! The phase of a pod, from its spec and the states of its containers (kubelet, `kubelet_pods.go` `getPhase`).

use super::restart::{Decision, decide};
use super::shape::{ContainerKind, PodShape};
use crate::cluster::{ContainerState, ContainerStatus, PodPhase};

/// What the phase depends on besides the containers.
#[derive(Clone, Copy, Debug, Default)]
pub struct PhaseFlags {
    /// All containers were stopped by a terminating sync.
    pub terminal: bool,
    /// A regular container has been started in the active sandbox.
    pub initialized: bool,
    /// The pod comes from a file of the node.
    pub is_static: bool,
}

#[derive(Default)]
struct Counts {
    pending_init: u32,
    pending_sidecar: u32,
    failed_init_for_good: u32,
    unknown: u32,
    waiting: u32,
    running: u32,
    stopped: u32,
    stopped_for_good: u32,
    succeeded: u32,
}

/// The phase that the states of the containers make; `statuses` has `None` for a container that none was reported of yet.
/// A terminal phase that the API already shows is kept by the store.
pub fn phase(shape: &PodShape, statuses: &[Option<ContainerStatus>], flags: PhaseFlags) -> PodPhase {
    let mut counts = Counts::default();
    for (idx, container) in shape.containers.iter().enumerate() {
        let status = statuses.get(idx).copied().flatten();
        match container.kind {
            ContainerKind::Init => count_init(&mut counts, shape, idx, status),
            ContainerKind::Sidecar => count_sidecar(&mut counts, status),
            ContainerKind::Regular => count_regular(&mut counts, shape, idx, status),
        }
    }
    of_counts(&counts, flags)
}

fn count_init(counts: &mut Counts, shape: &PodShape, idx: usize, status: Option<ContainerStatus>) {
    let mut failed = |exit_code: i32| {
        if decide(shape, idx, exit_code) == Decision::Stop {
            counts.failed_init_for_good += 1;
        }
    };
    match status.map(|status| (status.state, status.last)) {
        Some((ContainerState::Terminated(ended), _)) if ended.exit_code != 0 => failed(ended.exit_code),
        Some((ContainerState::Terminated(_), _)) => {}
        Some((ContainerState::Waiting { .. }, Some(last))) => {
            if last.exit_code != 0 {
                failed(last.exit_code);
            }
        }
        None | Some((ContainerState::Running { .. } | ContainerState::Waiting { .. }, _)) => counts.pending_init += 1,
    }
}

fn count_sidecar(counts: &mut Counts, status: Option<ContainerStatus>) {
    match status.map(|status| (status.state, status.last, status.started)) {
        Some((ContainerState::Running { .. }, _, started)) => {
            counts.running += 1;
            counts.pending_sidecar += u32::from(!started);
        }
        Some((ContainerState::Waiting { .. }, None, _)) => {
            counts.pending_sidecar += 1;
            counts.waiting += 1;
        }
        Some((ContainerState::Waiting { .. } | ContainerState::Terminated(_), ..)) => {}
        None => counts.unknown += 1,
    }
}

fn count_regular(counts: &mut Counts, shape: &PodShape, idx: usize, status: Option<ContainerStatus>) {
    match status.map(|status| (status.state, status.last)) {
        Some((ContainerState::Running { .. }, _)) => counts.running += 1,
        Some((ContainerState::Terminated(ended), _)) => {
            counts.stopped += 1;
            counts.succeeded += u32::from(ended.exit_code == 0);
            counts.stopped_for_good += u32::from(decide(shape, idx, ended.exit_code) == Decision::Stop);
        }
        Some((ContainerState::Waiting { .. }, Some(last))) => {
            counts.stopped += 1;
            counts.stopped_for_good += u32::from(decide(shape, idx, last.exit_code) == Decision::Stop);
        }
        Some((ContainerState::Waiting { .. }, None)) => counts.waiting += 1,
        None => counts.unknown += 1,
    }
}

fn of_counts(counts: &Counts, flags: PhaseFlags) -> PodPhase {
    let ended = || if counts.stopped == counts.succeeded { PodPhase::Succeeded } else { PodPhase::Failed };
    let pending_sidecar = counts.pending_sidecar > 0 && !flags.initialized;
    if counts.failed_init_for_good > 0 {
        PodPhase::Failed
    } else if counts.pending_init > 0 || pending_sidecar || counts.waiting > 0 {
        PodPhase::Pending
    } else if counts.running > 0 && counts.unknown == 0 {
        // A sidecar that runs on is stopped before the pod ends, so it does not hide the end here.
        PodPhase::Running
    } else if counts.stopped > 0 && counts.unknown == 0 {
        let restarts = counts.stopped > counts.stopped_for_good;
        match flags.terminal && !flags.is_static {
            true => ended(),
            false if restarts => PodPhase::Running,
            false => ended(),
        }
    } else {
        PodPhase::Pending
    }
}
