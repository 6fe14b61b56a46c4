//! Which pods go first when a controller has too many (kube-controller-manager v1.36, `controller_utils.go`).
//!
//! A ReplicaSet orders its pods by [`compare_replica_set_pods`], a Job by [`compare_active_pods`]; the first are deleted.

use std::cmp::{Ordering, Reverse};

/// The annotation that names what deleting a pod costs.
pub const POD_DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// What matters about a pod that may be deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeletionFacts<U> {
    /// Whether it is on a node.
    pub scheduled: bool,
    /// Its phase.
    pub phase: DeletionPhase,
    /// Whether it is ready.
    pub ready: bool,
    /// When it became ready, in microseconds of any clock; none if unknown. Of no account unless it is ready.
    pub ready_since_us: Option<i64>,
    /// [`deletion_cost`] of its annotation.
    pub deletion_cost: i32,
    /// Active pods on its node that belong to ReplicaSets of the same owner.
    pub rank: i64,
    /// Restarts of the container that restarted most.
    pub restarts: i32,
    /// Restarts of the sidecar that restarted most.
    pub sidecar_restarts: i32,
    /// When it was created, in microseconds of the same clock; none if unknown.
    pub created_us: Option<i64>,
    /// Its uid, or what orders as uids do.
    pub uid: U,
}

/// Phases as far as they matter: the first go first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeletionPhase {
    /// Pending, and every phase not named here.
    #[default]
    Pending,
    /// Unknown.
    Unknown,
    /// Running.
    Running,
}

impl DeletionPhase {
    /// The phase of this name.
    pub fn parse(phase: &str) -> DeletionPhase {
        match phase {
            "Unknown" => DeletionPhase::Unknown,
            "Running" => DeletionPhase::Running,
            _ => DeletionPhase::Pending,
        }
    }
}

/// The order in which a ReplicaSet deletes these pods, as indexes into `pods`. Pods that differ in nothing keep their order.
pub fn replica_set_deletion_order<U: Ord>(pods: &[DeletionFacts<U>], now_us: i64) -> Vec<usize> {
    let ages: Vec<Ages> = pods.iter().map(|pod| Ages::of(pod, now_us)).collect();
    deletion_order(pods.len(), |a, b| compare_with_ages((&pods[a], ages[a]), (&pods[b], ages[b])))
}

/// The leading part of the order of [`compare_replica_set_pods`]: pods that differ in it are ordered by it alone.
pub fn leading_key<U>(pod: &DeletionFacts<U>, now_us: i64) -> (bool, DeletionPhase, bool, i32, Reverse<i64>, i64) {
    let since = pod.ready_since_us.filter(|_| pod.ready);
    let age = since.map_or(i64::MIN, |since| age_rank(now_us.saturating_sub(since)));
    (pod.scheduled, pod.phase, pod.ready, pod.deletion_cost, Reverse(pod.rank), age)
}

/// The order in which a Job deletes these pods, as indexes into `pods`. Pods that differ in nothing keep their order.
pub fn active_pods_deletion_order<U>(pods: &[DeletionFacts<U>]) -> Vec<usize> {
    deletion_order(pods.len(), |a, b| compare_active_pods(&pods[a], &pods[b]))
}

/// `Less` if `a` goes before `b` (`ActivePodsWithRanks`). Times count by powers of two of the age, so that pods of about the same
/// age go in the random order of their uids: a scale-down does not empty one failure domain.
pub fn compare_replica_set_pods<U: Ord>(a: &DeletionFacts<U>, b: &DeletionFacts<U>, now_us: i64) -> Ordering {
    compare_with_ages((a, Ages::of(a, now_us)), (b, Ages::of(b, now_us)))
}

/// How long a pod has been ready and has existed, as powers of two.
#[derive(Clone, Copy, Debug)]
struct Ages {
    ready: i64,
    created: i64,
}

impl Ages {
    fn of<U>(pod: &DeletionFacts<U>, now_us: i64) -> Ages {
        let age = |since: Option<i64>| since.map_or(0, |since| age_rank(now_us.saturating_sub(since)));
        Ages { ready: age(pod.ready_since_us.filter(|_| pod.ready)), created: age(pod.created_us) }
    }
}

fn compare_with_ages<U: Ord>(
    (a, ages_a): (&DeletionFacts<U>, Ages),
    (b, ages_b): (&DeletionFacts<U>, Ages),
) -> Ordering {
    let by_age = |x: (Option<i64>, i64), y: (Option<i64>, i64)| match (x.0, y.0) {
        (since, other) if since == other => Ordering::Equal,
        (Some(_), Some(_)) => x.1.cmp(&y.1).then_with(|| a.uid.cmp(&b.uid)),
        (since, other) => newer_first(since, other),
    };
    let ready = || by_age((a.ready_since_us, ages_a.ready), (b.ready_since_us, ages_b.ready));
    compare_readiness(a, b)
        .then_with(|| a.deletion_cost.cmp(&b.deletion_cost))
        .then_with(|| b.rank.cmp(&a.rank))
        .then_with(|| if a.ready { ready() } else { Ordering::Equal })
        .then_with(|| compare_restarts(a, b))
        .then_with(|| by_age((a.created_us, ages_a.created), (b.created_us, ages_b.created)))
}

/// `Less` if `a` goes before `b` (`ActivePods`).
pub fn compare_active_pods<U>(a: &DeletionFacts<U>, b: &DeletionFacts<U>) -> Ordering {
    compare_readiness(a, b)
        .then_with(|| if a.ready { newer_first(a.ready_since_us, b.ready_since_us) } else { Ordering::Equal })
        .then_with(|| compare_restarts(a, b))
        .then_with(|| newer_first(a.created_us, b.created_us))
}

/// The cost that an annotation names. What is not a plain 32-bit integer counts as 0.
pub fn deletion_cost(annotation: Option<&str>) -> i32 {
    let text = annotation.unwrap_or_default();
    let plain = text == "0" || text.starts_with(|c: char| c == '-' || ('1'..='9').contains(&c));
    if plain { text.parse().unwrap_or(0) } else { 0 }
}

/// Insertion sort, as Go sorts up to twelve elements. Equal times are compared by restarts and different ones by uid, so the
/// order is not quite transitive and a sort that relies on that must not be used.
fn deletion_order(n_pods: usize, compare: impl Fn(usize, usize) -> Ordering) -> Vec<usize> {
    const LINEAR_MAX: usize = 12;
    let mut order: Vec<usize> = Vec::with_capacity(n_pods);
    for idx in 0..n_pods {
        let is_before = |&other: &usize| compare(other, idx).is_le();
        let place = if n_pods <= LINEAR_MAX {
            order.iter().rposition(is_before).map_or(0, |last| last + 1)
        } else {
            order.partition_point(is_before)
        };
        order.insert(place, idx);
    }
    order
}

fn compare_readiness<U>(a: &DeletionFacts<U>, b: &DeletionFacts<U>) -> Ordering {
    (a.scheduled, a.phase, a.ready).cmp(&(b.scheduled, b.phase, b.ready))
}

fn compare_restarts<U>(a: &DeletionFacts<U>, b: &DeletionFacts<U>) -> Ordering {
    (b.restarts, b.sidecar_restarts).cmp(&(a.restarts, a.sidecar_restarts))
}

/// The later time first, an unknown one before all.
fn newer_first(x: Option<i64>, y: Option<i64>) -> Ordering {
    match (x, y) {
        (Some(x), Some(y)) => y.cmp(&x),
        (x, y) => x.is_some().cmp(&y.is_some()),
    }
}

/// The power of two of an age in nanoseconds, in floating point as in `logarithmicRankDiff`; -1 for what is yet to come.
pub(super) fn age_rank(age_us: i64) -> i64 {
    if age_us <= 0 {
        return -1;
    }
    let (fraction, exponent) = libm::frexp(age_us as f64 * 1e3);
    // The sum below is rounded up to the next power only just below it.
    if fraction < 0.999_999 {
        return i64::from(exponent) - 1;
    }
    (libm::log(fraction) * std::f64::consts::LOG2_E + f64::from(exponent)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(uid: &str) -> DeletionFacts<&str> {
        DeletionFacts {
            scheduled: true,
            phase: DeletionPhase::Running,
            ready: true,
            ready_since_us: Some(0),
            created_us: Some(0),
            uid,
            ..DeletionFacts::default()
        }
    }

    #[test]
    fn what_is_lost_least_goes_first() {
        let hour = 3_600_000_000;
        let now = 100 * hour;
        let keep = running("m");
        for (first, why) in [
            (DeletionFacts { scheduled: false, ..keep.clone() }, "not on a node"),
            (DeletionFacts { phase: DeletionPhase::Pending, ..keep.clone() }, "pending"),
            (DeletionFacts { phase: DeletionPhase::Unknown, ..keep.clone() }, "unknown"),
            (DeletionFacts { ready: false, deletion_cost: 9, ..keep.clone() }, "not ready, before any cost"),
            (DeletionFacts { deletion_cost: -1, ..keep.clone() }, "cheaper"),
            (DeletionFacts { rank: 2, ..keep.clone() }, "doubled up on its node"),
            (
                DeletionFacts { ready_since_us: Some(90 * hour), uid: "z", ..keep.clone() },
                "ready for a much shorter time",
            ),
            (DeletionFacts { ready_since_us: Some(hour), uid: "a", ..keep.clone() }, "ready for about as long: by uid"),
            (DeletionFacts { ready_since_us: None, ..keep.clone() }, "ready since nobody knows when"),
            (DeletionFacts { restarts: 1, ..keep.clone() }, "restarted more often"),
            (DeletionFacts { sidecar_restarts: 1, ..keep.clone() }, "its sidecar restarted more often"),
            (DeletionFacts { created_us: Some(90 * hour), ..keep.clone() }, "much newer"),
        ] {
            let pods = [keep.clone(), first];
            assert_eq!(replica_set_deletion_order(&pods, now), [1, 0], "{why}");
        }
        assert_eq!(replica_set_deletion_order(&[keep.clone(), keep], now), [0, 1], "equal pods keep their order");
    }

    #[test]
    fn jobs_compare_times_exactly() {
        let pods = [running("a"), DeletionFacts { ready_since_us: Some(1), deletion_cost: 9, ..running("b") }];
        assert_eq!(active_pods_deletion_order(&pods), [1, 0]);
    }

    #[test]
    fn costs_are_plain_integers() {
        for (text, cost) in [("5", 5), ("-5", -5), ("0", 0), ("+5", 0), ("05", 0), ("x", 0), ("", 0), ("2147483648", 0)]
        {
            assert_eq!(deletion_cost(Some(text)), cost, "{text}");
        }
        assert_eq!(deletion_cost(None), 0);
    }

    #[test]
    fn ages_count_by_powers_of_two() {
        for (age_us, rank) in [(-1, -1), (0, -1), (1, 9), (2, 10), (1_000_000, 29), (1_073_742, 30)] {
            assert_eq!(age_rank(age_us), rank, "{age_us}");
        }
    }

    #[test]
    fn many_pods_are_ordered_too() {
        let uids: Vec<String> = (0..100).map(|n| format!("{:02}", n * 37 % 100)).collect();
        let pods: Vec<_> = uids
            .iter()
            .enumerate()
            .map(|(idx, uid)| DeletionFacts { ready_since_us: Some(idx as i64), ..running(uid) })
            .collect();
        let order = replica_set_deletion_order(&pods, 3_600_000_000);
        assert!(order.is_sorted_by_key(|&idx| &uids[idx]));
    }
}
