//! Failures by index (`backoffLimitPerIndex`): counted in annotations, which each pod of an index hands to the next. A failed pod
//! is kept until it has done so (`job/indexed_job_utils.go`).

use std::collections::{BTreeMap, BTreeSet};

use super::backoff::{self, finish_time};
use super::sync::{failure_verdict, index_of};
use super::{INDEX_FAILURES, INDEX_IGNORED_FAILURES};
use crate::cluster::objects::Job;
use crate::cluster::{Cluster, PodId};
use crate::engine::{Span, Time};

/// Failures of an index up to a pod: those that count, and those that a policy ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct IndexFailures {
    pub(super) counted: u32,
    pub(super) ignored: u32,
}

/// The failures before a pod, as its annotations say.
pub(super) fn before(cluster: &Cluster, pod: PodId) -> IndexFailures {
    let annotations = cluster.pod(pod).meta.annotations;
    let read = |key| cluster.interner.value_text(annotations, key).and_then(|text| text.parse().ok()).unwrap_or(0);
    IndexFailures { counted: read(INDEX_FAILURES), ignored: read(INDEX_IGNORED_FAILURES) }
}

/// The failures before the pod that replaces `failed` (`getNewIndexFailureCounts`).
pub(super) fn after(cluster: &Cluster, job: &Job, failed: Option<PodId>) -> IndexFailures {
    let Some(pod) = failed else { return IndexFailures::default() };
    let mut failures = before(cluster, pod);
    let counts = failure_verdict(cluster, job, pod).is_none_or(|verdict| verdict.counts);
    let count = if counts { &mut failures.counted } else { &mut failures.ignored };
    *count = count.saturating_add(1);
    failures
}

/// Whether a failed pod ends its index (`isIndexFailed`).
pub(super) fn fails_index(cluster: &Cluster, job: &Job, limit: i32, pod: PodId) -> bool {
    let verdict = failure_verdict(cluster, job, pod);
    let (counts, fails) = verdict.map_or((true, false), |verdict| (verdict.counts, verdict.action == "FailIndex"));
    fails || counts && i64::from(before(cluster, pod).counted) >= i64::from(limit)
}

/// The failed pods that have still to hand their count on: the last of each index that is neither over nor active
/// (`getPodsWithDelayedDeletionPerIndex`).
pub(super) fn awaiting_replacement(
    cluster: &Cluster,
    failed: &[PodId],
    completions: i32,
    over: [&BTreeSet<i32>; 3],
) -> BTreeMap<i32, PodId> {
    let mut last: BTreeMap<i32, PodId> = BTreeMap::new();
    for &pod in failed {
        let Some(index) = index_of(cluster, pod).filter(|&index| index < completions) else { continue };
        if over.iter().any(|indexes| indexes.contains(&index)) {
            continue;
        }
        let order = |pod: PodId| {
            let failures = before(cluster, pod);
            (failures.counted.saturating_add(failures.ignored), finish_time(cluster, cluster.pod(pod)))
        };
        let kept = last.entry(index).or_insert(pod);
        let ((count, end), (kept_count, kept_end)) = (order(pod), order(*kept));
        if kept_count <= count && kept_end <= end {
            *kept = pod;
        }
    }
    last
}

/// How long the index of a failed pod must still wait for the next (`getRemainingTimePerIndex`).
pub(super) fn remaining(cluster: &Cluster, failed: PodId, now: Time) -> Span {
    let failures = before(cluster, failed);
    let count = failures.counted.saturating_add(failures.ignored).saturating_add(1);
    let end = finish_time(cluster, cluster.pod(failed));
    backoff::remaining(count, now.since(end), backoff::BASE, backoff::MAX)
}
