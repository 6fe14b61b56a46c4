//! The Deployment controller (kube-controller-manager v1.36, `deployment`).

pub mod math;
mod revisions;
mod rollout;
mod status;

use std::collections::BTreeSet;

pub use revisions::{
    DESIRED_REPLICAS, MAX_REPLICAS, REVISION, REVISION_HISTORY, TEMPLATE_HASH, fnv1a, replica_set_of_revision,
    replica_sets_of, revision_of, safe_encode,
};
pub use status::{is_complete, is_progressing};

use super::{Action, Context, Controller, Keys};
use crate::cluster::objects::{Deployment, DeploymentStrategy, Kind, ReplicaSet, ReplicaSetStatus};
use crate::cluster::{Change, Cluster, ConditionStatus, ControllerKind, EventType, ObjId, ObjectRef, What};

/// Failures in a row after which a Deployment waits for its next change (`maxRetries`).
const MAX_RETRIES: u32 = 15;

/// Rolls ReplicaSets out and back.
#[derive(Debug, Default)]
pub struct DeploymentController {
    /// Those whose ReplicaSets may have to be adopted or released.
    claims: BTreeSet<ObjId>,
}

/// An error of the API server that ends a sync.
pub(super) struct Failure(String);

/// A ReplicaSet as it was when the sync began.
#[derive(Clone, Debug)]
struct SetView {
    id: ObjId,
    /// `spec.replicas`.
    replicas: i32,
    status: ReplicaSetStatus,
}

/// One sync of one Deployment.
struct Sync {
    id: ObjId,
    /// All ReplicaSets, oldest first; the new one among them.
    sets: Vec<SetView>,
    new: Option<ObjId>,
}

impl DeploymentController {
    fn observe_set(&mut self, id: ObjId, what: What, cluster: &Cluster, keys: &mut Keys<'_>) {
        let may_move = matches!(what, What::Created | What::Labels | What::Meta);
        match cluster.controller_of(id) {
            Some(ObjectRef::Object(owner)) if cluster.try_get::<Deployment>(owner).is_some() => {
                if may_move && what != What::Created {
                    self.claims.insert(owner);
                }
                keys.add(owner);
            }
            Some(_) => {}
            None if may_move => {
                let namespace = cluster.meta(id.into()).namespace;
                for deployment in cluster.of_kind_in(Deployment::KIND, namespace) {
                    if selects(cluster, deployment, id) {
                        self.claims.insert(deployment);
                        keys.add(deployment);
                    }
                }
            }
            None => {}
        }
    }

    /// Adopts orphans and releases strays.
    fn claim(&mut self, id: ObjId, cluster: &mut Cluster, cx: &mut Context<'_>) {
        if !self.claims.remove(&id) || cluster.meta(id.into()).is_deleting() {
            return;
        }
        let namespace = cluster.meta(id.into()).namespace;
        let sets: Vec<ObjId> = cluster.of_kind_in(ReplicaSet::KIND, namespace).collect();
        let reference = cluster.owner_reference(id);
        for set in sets {
            let mut owners = cluster.meta(set.into()).owners.clone();
            match cluster.meta(set.into()).controller().map(|owner| owner.object) {
                None if selects(cluster, id, set) && !cluster.meta(set.into()).is_deleting() => owners.push(reference),
                Some(Some(owner)) if owner == id.into() && !selects(cluster, id, set) => {
                    owners.retain(|owner| owner.object != Some(id.into()));
                }
                _ => continue,
            }
            cluster.set_owners(set, owners);
            cx.wrote();
        }
    }

    fn sync(&mut self, id: ObjId, cluster: &mut Cluster, cx: &mut Context<'_>) -> Result<Action, Failure> {
        if cluster.get::<Deployment>(id).selector.is_empty() {
            let source = cluster.words.deployment_controller;
            let message = "This deployment is selecting all pods. A non-empty selector is required.";
            cluster.record_event(id, EventType::Warning, "SelectingAll", message, source);
            let generation = cluster.meta(id.into()).generation;
            cluster.update_status::<Deployment>(id, |this| this.status.observed_generation = generation);
            return Ok(Action::Done);
        }
        self.claim(id, cluster, cx);
        let mut sync = Sync::new(id, cluster);
        if cluster.meta(id.into()).is_deleting() {
            sync.sync_revision(false, cluster, cx)?;
            sync.sync_status(cluster, cx);
            return Ok(Action::Done);
        }
        sync.check_paused(cluster, cx);
        if cluster.get::<Deployment>(id).paused {
            return sync.rescale(cluster, cx);
        }
        sync.sync_revision(false, cluster, cx)?;
        if sync.is_scaling_event(cluster) {
            return sync.rescale(cluster, cx);
        }
        match cluster.get::<Deployment>(id).strategy {
            DeploymentStrategy::Recreate => sync.recreate(cluster, cx),
            DeploymentStrategy::RollingUpdate { .. } => sync.roll(cluster, cx),
        }
    }
}

impl Controller for DeploymentController {
    fn kind(&self) -> ControllerKind {
        ControllerKind::Deployment
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, keys: &mut Keys<'_>) {
        if matches!(change.what, What::Event(_)) {
            return;
        }
        match change.object {
            ObjectRef::Object(id) if cluster.try_get::<Deployment>(id).is_some() => {
                if matches!(change.what, What::Created | What::Spec) {
                    self.claims.insert(id);
                }
                keys.add(id);
            }
            ObjectRef::Object(id) if cluster.object(id).info.kind == ReplicaSet::KIND => {
                self.observe_set(id, change.what, cluster, keys);
            }
            // Recreating waits for the last old pod to go.
            ObjectRef::Pod(pod) if change.what == What::Removed => {
                let owner = cluster.controller_of(pod).and_then(|set| cluster.controller_of(set));
                if let Some(ObjectRef::Object(id)) = owner
                    && let Some(this) = cluster.try_get::<Deployment>(id)
                    && this.strategy == DeploymentStrategy::Recreate
                {
                    keys.add(id);
                }
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let ObjectRef::Object(id) = key else { return Action::Done };
        if cluster.meta(key).removed {
            self.claims.remove(&id);
            return Action::Done;
        }
        self.sync(id, cluster, cx).unwrap_or_else(|Failure(error)| Action::Failed(error))
    }

    fn max_retries(&self) -> Option<u32> {
        Some(MAX_RETRIES)
    }
}

impl Sync {
    fn new(id: ObjId, cluster: &mut Cluster) -> Self {
        let ids = replica_sets_of(cluster, id);
        let new = revisions::new_replica_set(cluster, id, &ids);
        let sets = ids.into_iter().map(|id| SetView::of(id, cluster)).collect();
        Sync { id, sets, new }
    }

    fn add_new(&mut self, id: ObjId, cluster: &Cluster) {
        self.sets.push(SetView::of(id, cluster));
        self.new = Some(id);
    }

    fn old_views(&self) -> impl Iterator<Item = &SetView> {
        self.sets.iter().filter(|set| Some(set.id) != self.new)
    }

    fn olds(&self) -> impl Iterator<Item = ObjId> + '_ {
        self.old_views().map(|set| set.id)
    }

    fn new_view(&self) -> Option<&SetView> {
        self.sets.iter().find(|set| Some(set.id) == self.new)
    }

    /// `spec.replicas` of all ReplicaSets.
    fn total(&self) -> i32 {
        self.sets.iter().map(|set| set.replicas).sum()
    }

    fn has_deadline(&self, cluster: &Cluster) -> bool {
        cluster.get::<Deployment>(self.id).progress_deadline_seconds.is_some()
    }

    /// Says in the condition `Progressing` that the Deployment was paused or resumed (`checkPausedConditions`).
    fn check_paused(&self, cluster: &mut Cluster, cx: &mut Context<'_>) {
        let this: &Deployment = cluster.get(self.id);
        if this.progress_deadline_seconds.is_none() {
            return;
        }
        let condition = this.status.conditions.get(cluster.words.progressing);
        let reason = condition.map(|condition| cluster.interner.text(condition.reason));
        let (reason, message) = match (this.paused, reason) {
            (_, Some("ProgressDeadlineExceeded")) | (true, Some("DeploymentPaused")) => return,
            (true, _) => ("DeploymentPaused", "Deployment is paused"),
            (false, Some("DeploymentPaused")) => ("DeploymentResumed", "Deployment is resumed"),
            (false, _) => return,
        };
        self.write_progressing(ConditionStatus::Unknown, reason, message, cluster);
        cx.wrote();
    }
}

impl SetView {
    fn of(id: ObjId, cluster: &Cluster) -> SetView {
        let set: &ReplicaSet = cluster.get(id);
        SetView { id, replicas: set.replicas, status: set.status.clone() }
    }
}

/// Whether the selector of a Deployment matches a ReplicaSet.
fn selects(cluster: &Cluster, deployment: ObjId, set: ObjId) -> bool {
    let labels = cluster.meta(set.into()).labels;
    cluster.get::<Deployment>(deployment).selector.matches(|key| cluster.interner.value_text(labels, key))
}
