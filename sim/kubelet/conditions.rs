//! The conditions that the kubelet computes (kubelet, `status/generate.go`).

use smallvec::SmallVec;

use super::shape::{ContainerKind, PodShape};
use crate::cluster::{ConditionStatus, Conditions, ContainerState, ContainerStatus, Interner, PodPhase, Sym, Words};

/// A condition without its times: type, status, reason, message.
pub type Computed = (Sym, ConditionStatus, Sym, Sym);

/// What the conditions of a pod depend on.
#[derive(Clone, Copy)]
pub struct ConditionInput<'a> {
    /// The spec.
    pub shape: &'a PodShape,
    /// Statuses of all containers, `None` where none was reported yet.
    pub statuses: &'a [Option<ContainerStatus>],
    /// The phase just computed.
    pub phase: PodPhase,
    /// The sandbox exists, with networking, and need not be made anew.
    pub sandbox_ready: bool,
    /// The conditions in the store, among them those of readiness gates.
    pub present: &'a Conditions,
}

/// All conditions in the kubelet's order: `PodReadyToStartContainers`, `Initialized`, `Ready`, `ContainersReady`.
pub fn conditions(input: ConditionInput<'_>, words: &Words, interner: &mut Interner) -> SmallVec<[Computed; 5]> {
    let containers_ready = containers_ready(input, words, interner);
    let sandbox = ConditionStatus::from(input.sandbox_ready);
    let mut out = SmallVec::new();
    out.push((words.pod_ready_to_start_containers, sandbox, Sym::EMPTY, Sym::EMPTY));
    out.push(initialized(input, words, interner));
    out.push(ready(input, containers_ready, words, interner));
    out.push(containers_ready);
    out
}

fn containers_ready(input: ConditionInput<'_>, words: &Words, interner: &mut Interner) -> Computed {
    let kind = words.containers_ready;
    if input.statuses.iter().skip(input.shape.n_init).all(Option::is_none) {
        let reason = interner.sym("UnknownContainerStatuses");
        return (kind, ConditionStatus::False, reason, Sym::EMPTY);
    }
    let counts = |idx: &usize| input.shape.containers[*idx].kind != ContainerKind::Init;
    let (unknown, unready) = sort_out(input, counts, |_, status| status.ready);
    match input.phase {
        PodPhase::Succeeded if unknown.is_empty() => (kind, ConditionStatus::False, words.pod_completed, Sym::EMPTY),
        PodPhase::Failed => (kind, ConditionStatus::False, words.pod_failed, Sym::EMPTY),
        _ => match message(&unknown, &unready, "unready", input.shape, interner) {
            None => (kind, ConditionStatus::True, Sym::EMPTY, Sym::EMPTY),
            Some(message) => (kind, ConditionStatus::False, words.containers_not_ready, message),
        },
    }
}

fn ready(input: ConditionInput<'_>, containers_ready: Computed, words: &Words, interner: &mut Interner) -> Computed {
    let (_, status, reason, message) = containers_ready;
    if status != ConditionStatus::True {
        return (words.ready, status, reason, message);
    }
    let mut messages = Vec::new();
    for &gate in &input.shape.readiness_gates {
        let name = interner.text(gate);
        match input.present.get(gate) {
            None => {
                messages.push(format!("corresponding condition of pod readiness gate \"{name}\" does not exist."));
            }
            Some(condition) if condition.status != ConditionStatus::True => messages.push(format!(
                "the status of pod readiness gate \"{name}\" is not \"True\", but {}",
                condition.status.as_str()
            )),
            Some(_) => {}
        }
    }
    if messages.is_empty() {
        return (words.ready, ConditionStatus::True, Sym::EMPTY, Sym::EMPTY);
    }
    (words.ready, ConditionStatus::False, words.readiness_gates_not_ready, interner.sym(&messages.join(", ")))
}

fn initialized(input: ConditionInput<'_>, words: &Words, interner: &mut Interner) -> Computed {
    let (kind, shape) = (words.initialized, input.shape);
    let is_init = |idx: &usize| *idx < shape.n_init;
    let (unknown, incomplete) = sort_out(input, is_init, |idx, status| match shape.containers[idx].kind {
        ContainerKind::Sidecar => status.started,
        _ => matches!(status.state, ContainerState::Terminated(ended) if ended.exit_code == 0),
    });
    if input.phase == PodPhase::Succeeded && unknown.is_empty() {
        return (kind, ConditionStatus::True, words.pod_completed, Sym::EMPTY);
    }
    let started = input.statuses.iter().skip(shape.n_init).flatten().any(has_started);
    match message(&unknown, &incomplete, "incomplete", shape, interner) {
        Some(message) if !started => (kind, ConditionStatus::False, words.containers_not_initialized, message),
        _ => (kind, ConditionStatus::True, Sym::EMPTY, Sym::EMPTY),
    }
}

/// Whether a container has ever been started.
fn has_started(status: &ContainerStatus) -> bool {
    status.last.is_some() || !matches!(status.state, ContainerState::Waiting { .. })
}

/// The containers that count: those without a status, and those of which `holds` is false.
fn sort_out(
    input: ConditionInput<'_>,
    counts: impl Fn(&usize) -> bool,
    holds: impl Fn(usize, &ContainerStatus) -> bool,
) -> (Vec<usize>, Vec<usize>) {
    let (mut unknown, mut failing) = (Vec::new(), Vec::new());
    for idx in (0..input.shape.containers.len()).filter(counts) {
        match input.statuses.get(idx).copied().flatten() {
            None => unknown.push(idx),
            Some(status) if !holds(idx, &status) => failing.push(idx),
            Some(_) => {}
        }
    }
    (unknown, failing)
}

/// `containers with unknown status: [a], containers with unready status: [b c]`; `None` if both lists are empty. Sidecars
/// come first, as init containers do in the kubelet's loops.
fn message(unknown: &[usize], failing: &[usize], word: &str, shape: &PodShape, interner: &mut Interner) -> Option<Sym> {
    if unknown.is_empty() && failing.is_empty() {
        return None;
    }
    let mut parts = Vec::new();
    for (list, word) in [(unknown, "unknown"), (failing, word)] {
        if !list.is_empty() {
            let names: Vec<&str> = list.iter().map(|&idx| interner.text(shape.containers[idx].name)).collect();
            parts.push(format!("containers with {word} status: [{}]", names.join(" ")));
        }
    }
    Some(interner.sym(&parts.join(", ")))
}
