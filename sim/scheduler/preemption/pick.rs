//! Which candidate is preempted on (kube-scheduler v1.36, `pickOneNodeForPreemption`).

use std::cmp::{Ordering, Reverse};

use super::{Candidate, NOT_STARTED};
use crate::cluster::{Cluster, PodId};
use crate::engine::Time;

/// When a pod started; a pod that has not, starts now (`GetPodStartTime`).
pub fn start_time(cluster: &Cluster, pod: PodId) -> Time {
    cluster.pod(pod).start_time.unwrap_or(NOT_STARTED)
}

/// The more important pod first: higher priority, then the earlier start (`MoreImportantPod`).
pub fn more_important(cluster: &Cluster, a: PodId, b: PodId) -> Ordering {
    let key = |pod| (Reverse(cluster.spec_of(pod).priority), start_time(cluster, pod));
    key(a).cmp(&key(b))
}

/// The indices of the candidates that are equally good by all criteria, the first of which we take (kube-scheduler takes any):
/// fewest budget violations, least important of the most important victims, smallest sum of priorities, fewest victims, latest
/// start of the earliest among the most important victims.
pub fn best_candidates(cluster: &Cluster, candidates: &[Candidate]) -> Vec<usize> {
    let keys: Vec<_> = candidates.iter().map(|candidate| key(cluster, candidate)).collect();
    let Some(best) = keys.iter().min() else { return Vec::new() };
    (0..keys.len()).filter(|&idx| keys[idx] == *best).collect()
}

fn key(cluster: &Cluster, candidate: &Candidate) -> (usize, i32, i64, usize, Reverse<Time>) {
    let priority = |pod: PodId| cluster.spec_of(pod).priority;
    let victims = &candidate.victims;
    let highest = victims.first().map_or(i32::MIN, |&pod| priority(pod));
    // So that few victims of low priority do not weigh more than many of negative priority.
    let sum = victims.iter().map(|&pod| i64::from(priority(pod)) + i64::from(i32::MAX) + 1).sum();
    let top = victims.iter().copied().map(priority).max().unwrap_or(i32::MIN);
    let starts = victims.iter().filter(|&&pod| priority(pod) == top).map(|&pod| start_time(cluster, pod));
    (candidate.n_violations, highest, sum, victims.len(), Reverse(starts.min().unwrap_or(NOT_STARTED)))
}
