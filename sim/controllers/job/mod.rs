//! The Job controller (kube-controller-manager v1.36, `job`).

pub mod backoff;
mod index_failures;
pub mod indexes;
pub mod manage;
pub mod policies;
mod sync;

use rustc_hash::FxHashMap;

use super::{Action, Context, Controller, Keys, Retries};
use crate::cluster::objects::Job;
use crate::cluster::{Change, Cluster, ControllerKind, ObjId, ObjectRef, PodId, What};
use crate::engine::Span;
use backoff::BackoffRecord;
use sync::Sync;

/// The finalizer by which every pod of a Job is counted exactly once.
pub const TRACKING_FINALIZER: &str = "batch.kubernetes.io/job-tracking";
/// The annotation and label of a pod that name its completion index.
pub const COMPLETION_INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// The annotation of a pod that counts the failures of its index before it (`backoffLimitPerIndex`).
pub const INDEX_FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
/// The annotation of a pod that counts the failures of its index that a policy ignored.
pub const INDEX_IGNORED_FAILURES: &str = "batch.kubernetes.io/job-index-ignored-failure-count";
/// How long changes of pods are gathered before a sync (`syncJobBatchPeriod`).
const BATCH_PERIOD: Span = Span::from_secs(1);
/// How long a Job waits whose sync failed (`DefaultJobApiBackOff`, `MaxJobApiBackOff`).
const RETRIES: Retries = Retries { base: Span::from_secs(1), max: Span::from_secs(60), is_bucketed: false };

/// Runs pods until enough of them have succeeded.
#[derive(Debug, Default)]
pub struct JobController {
    memory: FxHashMap<ObjId, Memory>,
}

/// What the controller remembers of a Job between its syncs.
#[derive(Debug, Default)]
struct Memory {
    backoff: BackoffRecord,
    /// A sync whose status has been written and whose finalizers have still to be removed.
    unfinished: Option<Sync>,
}

impl Controller for JobController {
    fn kind(&self) -> ControllerKind {
        ControllerKind::Job
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, keys: &mut Keys<'_>) {
        if matches!(change.what, What::Event(_) | What::Assumed(_) | What::Forgotten(_)) {
            return;
        }
        match change.object {
            ObjectRef::Object(id) if cluster.try_get::<Job>(id).is_some() => match change.what {
                // What raises the generation, the mark of deletion included, and the removal are not gathered.
                What::Created | What::Spec | What::Deleting | What::Removed => keys.add(id),
                _ => keys.add_after(id, BATCH_PERIOD),
            },
            ObjectRef::Pod(pod) => {
                if is_orphan(pod, cluster) {
                    keys.add(pod);
                } else if let Some(ObjectRef::Object(owner)) = cluster.controller_of(pod)
                    && cluster.try_get::<Job>(owner).is_some()
                    && !cluster.meta(owner.into()).removed
                {
                    keys.add_after(owner, BATCH_PERIOD);
                }
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let id = match key {
            ObjectRef::Object(id) => id,
            ObjectRef::Pod(pod) => {
                if is_orphan(pod, cluster) {
                    sync::release(pod, cluster, cx);
                }
                return Action::Done;
            }
            ObjectRef::Node(_) => return Action::Done,
        };
        if cluster.meta(key).removed {
            self.memory.remove(&id);
            let pods: Vec<PodId> = cluster.pods_of(id).collect();
            pods.into_iter().for_each(|pod| sync::release(pod, cluster, cx));
            return Action::Done;
        }
        let memory = self.memory.entry(id).or_default();
        if let Some(unfinished) = memory.unfinished.take() {
            return unfinished.finish(cluster, cx);
        }
        let job: &Job = cluster.get(id);
        if job.foreign || sync::is_finished(cluster, job) {
            return Action::Done;
        }
        let mut sync = Sync::new(id, memory, cluster);
        let action = sync.run(memory, cluster, cx);
        if sync.has_rest() {
            memory.unfinished = Some(sync);
            return Action::Continue;
        }
        action
    }

    fn retries(&self) -> Retries {
        RETRIES
    }
}

/// Whether a pod has the finalizer and no Job that will take it off: none at all, or one that is over while the pod is leaving
/// (`enqueueOrphanPod`, `syncOrphanPod`).
fn is_orphan(pod: PodId, cluster: &Cluster) -> bool {
    let meta = &cluster.pod(pod).meta;
    if meta.removed || meta.finalizers.is_empty() {
        return false;
    }
    let finalizer = cluster.interner.find(TRACKING_FINALIZER);
    if !finalizer.is_some_and(|finalizer| meta.finalizers.contains(&finalizer)) {
        return false;
    }
    match cluster.controller_of(pod) {
        None => meta.controller().is_none_or(|owner| meta.is_deleting() && cluster.interner.text(owner.kind) == "Job"),
        Some(ObjectRef::Object(owner)) => cluster.try_get::<Job>(owner).is_some_and(|job| {
            meta.is_deleting() && !job.foreign && !cluster.meta(owner.into()).removed && sync::is_finished(cluster, job)
        }),
        Some(_) => false,
    }
}
