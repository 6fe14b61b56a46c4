//! The TTL-after-finished controller: Jobs that are over go after a time of their own choice (kube-controller-manager v1.36,
//! `ttlafterfinished`).

use super::{Action, Context, Controller, Keys};
use crate::cluster::objects::Job;
use crate::cluster::{Change, Cluster, ControllerKind, ObjectRef, Propagation, What};
use crate::engine::{Span, Time};

/// Deletes finished Jobs.
#[derive(Debug, Default)]
pub struct TtlAfterFinishedController;

impl Controller for TtlAfterFinishedController {
    fn kind(&self) -> ControllerKind {
        ControllerKind::TtlAfterFinished
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, keys: &mut Keys<'_>) {
        if let ObjectRef::Object(id) = change.object
            && !matches!(change.what, What::Event(_) | What::Removed)
            && cluster.try_get::<Job>(id).is_some_and(|job| expiry(cluster, job).is_some())
        {
            keys.add(id);
        }
    }

    fn reconcile(&mut self, key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let ObjectRef::Object(id) = key else { return Action::Done };
        if cluster.meta(key).removed || cluster.meta(key).is_deleting() {
            return Action::Done;
        }
        let Some(at) = expiry(cluster, cluster.get::<Job>(id)) else { return Action::Done };
        if let Some(left) = time_left(at, cx.now()) {
            return Action::RequeueAfter(left);
        }
        cluster.delete(id, Propagation::Foreground);
        cx.wrote();
        Action::Done
    }
}

/// When a Job may go: its time after the condition `Complete` or `Failed` became true.
fn expiry(cluster: &Cluster, job: &Job) -> Option<Time> {
    let ttl = u64::try_from(job.ttl_seconds?).ok()?;
    let finished = ["Complete", "Failed"].iter().find_map(|kind| {
        let kind = cluster.interner.find(kind)?;
        job.status.conditions.get(kind).filter(|_| job.status.conditions.is_true(kind))
    })?;
    Some(expiry_of(finished.transition, ttl))
}

/// When a Job that finished then may go; instants read back from the API have whole seconds.
pub(super) fn expiry_of(finished: Time, ttl_seconds: u64) -> Time {
    finished.truncated_to_seconds() + Span::from_secs(ttl_seconds)
}

/// How long a Job is still kept; nothing if its time has come.
pub(super) fn time_left(expiry: Time, now: Time) -> Option<Span> {
    (expiry > now).then(|| expiry.since(now))
}
