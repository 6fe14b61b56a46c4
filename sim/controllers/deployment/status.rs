//! The status of a Deployment: counters, conditions, the progress deadline (`deployment/{sync,progress}.go`).

use super::{Failure, SetView, Sync};
use crate::cluster::objects::{Deployment, DeploymentStatus, ReplicaSet};
use crate::cluster::{Cluster, Condition, ConditionStatus, Conditions, ObjId};
use crate::controllers::{Action, Context};
use crate::engine::{Span, Time};

impl Sync {
    /// Writes counters and availability, without a look at progress (`syncDeploymentStatus`).
    pub(super) fn sync_status(&mut self, cluster: &mut Cluster, cx: &mut Context<'_>) -> Result<(), Failure> {
        let status = self.status(cluster, cx.now());
        self.write_status(status, cluster, cx)?;
        Ok(())
    }

    /// Writes counters, availability and progress (`syncRolloutStatus`). Returns when to look at the deadline.
    pub(super) fn sync_rollout_status(
        &mut self,
        cluster: &mut Cluster,
        cx: &mut Context<'_>,
    ) -> Result<Action, Failure> {
        let now = cx.now();
        let mut status = self.status(cluster, now);
        let this: &Deployment = cluster.get(self.id);
        let (progressing, failure) = (cluster.words.progressing, cluster.words.replica_failure);
        if this.progress_deadline_seconds.is_none() {
            status.conditions.remove(progressing);
        }
        let old = this.status.clone();
        let reason = old.conditions.get(progressing).map(|condition| cluster.interner.text(condition.reason));
        let settled = status.replicas == status.updated && reason == Some("NewReplicaSetAvailable");
        if this.progress_deadline_seconds.is_some() && !settled {
            self.judge_progress(&old, &mut status, cluster, now);
        }
        match self.replica_failure(cluster) {
            Some(condition) => set_condition(&mut status.conditions, condition),
            None => _ = status.conditions.remove(failure),
        }
        let written = self.write_status(status, cluster, cx)?;
        Ok(if written { Action::Done } else { self.until_deadline(cluster, now) })
    }

    /// Sets one `Progressing` condition at once.
    pub(super) fn write_progressing(
        &self,
        status: ConditionStatus,
        reason: &str,
        message: &str,
        cluster: &mut Cluster,
    ) {
        let condition = self.progressing(status, reason, message, cluster);
        cluster.update_status::<Deployment>(self.id, |this| set_condition(&mut this.status.conditions, condition));
    }

    /// Whether the rollout described by `status` is over (`DeploymentComplete`).
    pub(super) fn is_complete(&self, status: &DeploymentStatus, cluster: &Cluster) -> bool {
        let replicas = cluster.get::<Deployment>(self.id).replicas;
        let generation = cluster.meta(self.id.into()).generation;
        is_complete(replicas, status) && status.observed_generation >= generation
    }

    fn status(&self, cluster: &mut Cluster, now: Time) -> DeploymentStatus {
        let sum = |of: fn(&SetView) -> i32| self.sets.iter().map(of).sum::<i32>();
        let available = sum(|set| set.status.available);
        let this: &Deployment = cluster.get(self.id);
        let enough = super::math::is_available(available, this.replicas, self.max_unavailable(cluster));
        let mut conditions = this.status.conditions.clone();
        let collision_count = this.status.collision_count;
        let (reason, message) = availability_texts(enough);
        set_condition(
            &mut conditions,
            Condition {
                kind: cluster.words.available,
                status: enough.into(),
                reason: cluster.interner.sym(reason),
                message: cluster.interner.sym(message),
                transition: now,
                update: now,
            },
        );
        let new = self.sets.iter().find(|set| Some(set.id) == self.new);
        DeploymentStatus {
            observed_generation: cluster.meta(self.id.into()).generation,
            replicas: sum(|set| set.status.replicas),
            updated: new.map_or(0, |set| set.status.replicas),
            ready: sum(|set| set.status.ready),
            available,
            unavailable: (sum(|set| set.replicas) - available).max(0),
            terminating: Some(sum(|set| set.status.terminating.unwrap_or(0))),
            collision_count,
            conditions,
        }
    }

    fn judge_progress(&self, old: &DeploymentStatus, status: &mut DeploymentStatus, cluster: &mut Cluster, now: Time) {
        let what = match self.new {
            Some(new) => format!("ReplicaSet {:?}", cluster.name(new)),
            None => format!("Deployment {:?}", cluster.name(self.id)),
        };
        let progressing = cluster.words.progressing;
        if self.is_complete(status, cluster) {
            let message = format!("{what} has successfully progressed.");
            let condition = self.progressing(ConditionStatus::True, "NewReplicaSetAvailable", &message, cluster);
            set_condition(&mut status.conditions, condition);
        } else if is_progressing(old, status) {
            let message = format!("{what} is progressing.");
            let mut condition = self.progressing(ConditionStatus::True, "ReplicaSetUpdated", &message, cluster);
            // Progress renews the condition even when its reason stays the same.
            if let Some(current) = old.conditions.get(progressing) {
                if current.status == ConditionStatus::True {
                    condition.transition = current.transition;
                }
                status.conditions.remove(progressing);
            }
            set_condition(&mut status.conditions, condition);
        } else if self.is_timed_out(status, cluster, now) {
            let message = format!("{what} has timed out progressing.");
            let condition = self.progressing(ConditionStatus::False, "ProgressDeadlineExceeded", &message, cluster);
            set_condition(&mut status.conditions, condition);
        }
    }

    fn is_timed_out(&self, status: &DeploymentStatus, cluster: &Cluster, now: Time) -> bool {
        let Some(condition) = status.conditions.get(cluster.words.progressing) else { return false };
        let deadline = cluster.get::<Deployment>(self.id).progress_deadline_seconds;
        let reason = cluster.interner.text(condition.reason);
        deadline.is_some_and(|seconds| has_timed_out(reason, condition.update, seconds, now))
    }

    /// How long until the progress deadline must be looked at (`requeueStuckDeployment`).
    fn until_deadline(&self, cluster: &Cluster, now: Time) -> Action {
        let this: &Deployment = cluster.get(self.id);
        let current = this.status.conditions.get(cluster.words.progressing);
        let (Some(seconds), Some(current)) = (this.progress_deadline_seconds, current) else { return Action::Done };
        let reason = cluster.interner.text(current.reason);
        if self.is_complete(&this.status, cluster) || reason == "ProgressDeadlineExceeded" {
            return Action::Done;
        }
        let left = deadline_instant(current.update, seconds).since(now);
        // Within the last second the real controller polls with its queue's back-off; the outcome is first seen just after it.
        Action::RequeueAfter(left + if left < Span::from_secs(1) { Span::from_millis(5) } else { Span::from_secs(1) })
    }

    fn progressing(&self, status: ConditionStatus, reason: &str, message: &str, cluster: &mut Cluster) -> Condition {
        let now = cluster.now();
        Condition {
            kind: cluster.words.progressing,
            status,
            reason: cluster.interner.sym(reason),
            message: cluster.interner.sym(message),
            transition: now,
            update: now,
        }
    }

    /// The failure of a ReplicaSet, the new one's before the others' (`getReplicaFailures`).
    fn replica_failure(&self, cluster: &Cluster) -> Option<Condition> {
        let of =
            |id: ObjId| cluster.get::<ReplicaSet>(id).status.conditions.get(cluster.words.replica_failure).copied();
        let new = self.new.and_then(of);
        let failure = new.or_else(|| self.sets.iter().find_map(|set| of(set.id)))?;
        Some(Condition { update: failure.transition, ..failure })
    }

    fn write_status(
        &mut self,
        status: DeploymentStatus,
        cluster: &mut Cluster,
        cx: &mut Context<'_>,
    ) -> Result<bool, Failure> {
        let changed = cluster.get::<Deployment>(self.id).status != status;
        if changed {
            self.write_self(cluster, cx)?;
            cluster.update_status::<Deployment>(self.id, |this| this.status = status);
        }
        Ok(changed)
    }
}

/// Whether all pods are new and available (`DeploymentComplete`, without the generation).
pub fn is_complete(replicas: i32, status: &DeploymentStatus) -> bool {
    status.updated == replicas && status.replicas == replicas && status.available == replicas
}

/// Whether the rollout has moved (`DeploymentProgressing`).
pub fn is_progressing(old: &DeploymentStatus, new: &DeploymentStatus) -> bool {
    new.updated > old.updated
        || new.replicas - new.updated < old.replicas - old.updated
        || new.ready > old.ready
        || new.available > old.available
}

/// Reason and message of the condition `Available`.
pub fn availability_texts(enough: bool) -> (&'static str, &'static str) {
    match enough {
        true => ("MinimumReplicasAvailable", "Deployment has minimum availability."),
        false => ("MinimumReplicasUnavailable", "Deployment does not have minimum availability."),
    }
}

/// Whether a rollout whose condition `Progressing` has this reason since `update` is past its deadline (`DeploymentTimedOut`).
pub fn has_timed_out(reason: &str, update: Time, deadline_seconds: i32, now: Time) -> bool {
    match reason {
        "NewReplicaSetAvailable" => false,
        "ProgressDeadlineExceeded" => true,
        _ => deadline_instant(update, deadline_seconds) < now,
    }
}

/// Instants read back from the API have whole seconds.
fn deadline_instant(update: Time, seconds: i32) -> Time {
    update.truncated_to_seconds() + Span::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// Sets a condition as the Deployment controller does: an unchanged status and reason keep the old one altogether, a changed one
/// moves to the end of the list (`SetDeploymentCondition`).
pub(super) fn set_condition(conditions: &mut Conditions, new: Condition) {
    let mut new = new;
    if let Some(old) = conditions.get(new.kind) {
        if (old.status, old.reason) == (new.status, new.reason) {
            return;
        }
        if old.status == new.status {
            new.transition = old.transition;
        }
    }
    conditions.remove(new.kind);
    conditions.set(new);
}
