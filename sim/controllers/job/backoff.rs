//! How long a Job waits before it replaces a failed pod (`job/backoff_utils.go`).

use crate::api::resources::is_restartable_init_container;
use crate::cluster::{Cluster, ConditionStatus, ContainerState, Pod};
use crate::engine::{Span, Time};

/// The delay after the first failure (`DefaultJobPodFailureBackOff`).
pub const BASE: Span = Span::from_secs(10);
/// The longest delay (`MaxJobPodFailureBackOff`).
pub const MAX: Span = Span::from_secs(600);

/// Failures since the last success, and when the last of them was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackoffRecord {
    /// Failures after the last success.
    pub failures: u32,
    /// When the last of them ended.
    pub last: Option<Time>,
}

impl BackoffRecord {
    /// The record after more pods have ended at these times.
    pub fn after(self, succeeded: &[Time], failed: &[Time]) -> BackoffRecord {
        let last_success = succeeded.iter().max();
        let counted = failed.iter().filter(|&at| last_success.is_none_or(|success| at > success));
        let before = if last_success.is_some() { BackoffRecord::default() } else { self };
        let n = counted.clone().count() as u32;
        BackoffRecord { failures: before.failures.saturating_add(n), last: counted.max().copied().or(before.last) }
    }

    /// How long the next pod must still wait.
    pub fn remaining(self, now: Time) -> Span {
        self.last.map_or(Span::ZERO, |last| remaining(self.failures, now.since(last), BASE, MAX))
    }
}

/// The rest of the delay after so many failures, the last of which was `elapsed` ago (`getRemainingTimeForFailuresCount`).
pub fn remaining(failures: u32, elapsed: Span, base: Span, max: Span) -> Span {
    if failures == 0 {
        return Span::ZERO;
    }
    let delay = match base.as_micros().checked_mul(1u64.checked_shl(failures - 1).unwrap_or(u64::MAX)) {
        Some(us) => Span::from_micros(us).min(max),
        None => max,
    };
    delay.saturating_sub(elapsed)
}

/// When a pod ended: the end of its last container, sidecars included; else the loss of its readiness, its deletion, its creation
/// (`getFinishedTime`). Instants read back from the API have whole seconds.
pub fn finish_time(cluster: &Cluster, pod: &Pod) -> Time {
    let spec = cluster.specs.get(pod.spec);
    let n_init = spec.n_init_containers.min(pod.containers.len());
    let inits = spec.typed.init_containers.as_deref().unwrap_or_default();
    let counts = |idx: usize| idx >= n_init || inits.get(idx).is_some_and(is_restartable_init_container);
    let ends: Option<Vec<Time>> = pod
        .containers
        .iter()
        .enumerate()
        .filter(|&(idx, _)| counts(idx))
        .map(|(_, container)| match container.state {
            ContainerState::Terminated(end) => Some(end.finished),
            _ => None,
        })
        .collect();
    let of_containers = ends.and_then(|ends| ends.into_iter().max());
    let not_ready = pod.conditions.get(cluster.words.ready).filter(|ready| ready.status == ConditionStatus::False);
    let requested = pod.meta.deletion.map(|deletion| deletion.requested);
    of_containers
        .or(not_ready.map(|condition| condition.transition))
        .or(requested)
        .unwrap_or(pod.meta.created)
        .truncated_to_seconds()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_ten_minutes() {
        let seconds = |failures| remaining(failures, Span::ZERO, BASE, MAX).as_secs();
        assert_eq!([0, 1, 2, 3, 6, 7, 60].map(seconds), [0, 10, 20, 40, 320, 600, 600]);
    }

    #[test]
    fn a_success_forgets_earlier_failures() {
        let at = Time::from_secs;
        let record = BackoffRecord::default().after(&[], &[at(1), at(3)]);
        assert_eq!(record, BackoffRecord { failures: 2, last: Some(at(3)) });
        assert_eq!(record.after(&[at(5)], &[at(5)]), BackoffRecord::default());
        assert_eq!(record.after(&[at(5)], &[at(6)]).failures, 1);
    }
}
