//! The Deployment controller (kube-controller-manager v1.36, `deployment`).

pub mod math;
mod revisions;
mod rollout;
mod status;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use revisions::{
    DESIRED_REPLICAS, MAX_REPLICAS, REVISION, REVISION_HISTORY, TEMPLATE_HASH, fnv1a, replica_set_of_revision,
    replica_sets_of, revision_of, safe_encode,
};
pub use status::{availability_texts, has_timed_out, is_complete, is_progressing};

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
    /// Syncs that have more ReplicaSets to scale: one write after another.
    unfinished: BTreeMap<ObjId, Sync>,
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
#[derive(Debug)]
struct Sync {
    id: ObjId,
    /// All ReplicaSets, oldest first; the new one among them.
    sets: Vec<SetView>,
    new: Option<ObjId>,
    /// Whether the Deployment itself was written in this sync. The sync goes on with the object as it read it, so a second write is
    /// refused as a conflict.
    has_written: bool,
    /// Scalings still to be written.
    scalings: VecDeque<Scaling>,
    ending: Ending,
}

/// A ReplicaSet to be given a size.
#[derive(Clone, Copy, Debug)]
struct Scaling {
    set: ObjId,
    from: i32,
    to: i32,
}

/// How a sync ends once its scalings are written.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// Counters and availability.
    Status,
    /// The history is cleaned up first.
    CleanUpAndStatus,
    /// Progress too; the history is cleaned up if the rollout is over.
    Rollout,
    /// Progress too, after something was scaled.
    RolloutUnderWay,
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
        let sync = match self.unfinished.remove(&id) {
            Some(sync) => sync,
            None if cluster.get::<Deployment>(id).selector.is_empty() => {
                refuse_empty_selector(id, cluster, cx);
                return Ok(Action::Done);
            }
            None => {
                self.claim(id, cluster, cx);
                let mut sync = Sync::new(id, cluster);
                sync.decide(cluster, cx)?;
                sync
            }
        };
        self.go_on(sync, cluster, cx)
    }

    /// Writes the next scaling of a sync, or ends it.
    fn go_on(&mut self, mut sync: Sync, cluster: &mut Cluster, cx: &mut Context<'_>) -> Result<Action, Failure> {
        if cx.n_writes() == 0 {
            let Some(scaling) = sync.scalings.pop_front() else { return sync.end(cluster, cx) };
            sync.write_scaling(scaling, cluster, cx);
        } else if sync.scalings.is_empty() {
            return sync.end(cluster, cx);
        }
        self.unfinished.insert(sync.id, sync);
        Ok(Action::Continue)
    }
}

/// A Deployment that would own every pod does nothing.
fn refuse_empty_selector(id: ObjId, cluster: &mut Cluster, cx: &mut Context<'_>) {
    let source = cluster.words.deployment_controller;
    let message = "This deployment is selecting all pods. A non-empty selector is required.";
    cluster.record_event(id, EventType::Warning, "SelectingAll", message, source);
    let generation = cluster.meta(id.into()).generation;
    if cluster.update_status::<Deployment>(id, |this| this.status.observed_generation = generation) {
        cx.wrote();
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
            self.unfinished.remove(&id);
            return Action::Done;
        }
        self.sync(id, cluster, cx).unwrap_or_else(|Failure(error)| Action::Failed(error))
    }

    /// The progress deadline of a rollout that is over, or known to have missed it, matters no more.
    fn is_settled(&self, key: ObjectRef, cluster: &Cluster) -> bool {
        let ObjectRef::Object(id) = key else { return true };
        let Some(this) = cluster.try_get::<Deployment>(id) else { return true };
        let progressing = this.status.conditions.get(cluster.words.progressing);
        let reason = progressing.map(|condition| cluster.interner.text(condition.reason));
        let seen = this.status.observed_generation >= cluster.meta(key).generation;
        let over = is_complete(this.replicas, &this.status) || reason == Some("ProgressDeadlineExceeded");
        seen && !self.unfinished.contains_key(&id) && (over || this.progress_deadline_seconds.is_none())
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
        Sync { id, sets, new, has_written: false, scalings: VecDeque::new(), ending: Ending::Status }
    }

    /// What is to be done (`syncDeployment`).
    fn decide(&mut self, cluster: &mut Cluster, cx: &mut Context<'_>) -> Result<(), Failure> {
        if cluster.meta(self.id.into()).is_deleting() {
            return self.sync_revision(false, cluster, cx);
        }
        self.check_paused(cluster, cx)?;
        if cluster.get::<Deployment>(self.id).paused {
            return self.rescale(cluster, cx);
        }
        self.sync_revision(false, cluster, cx)?;
        if self.is_scaling_event(cluster) {
            return self.rescale(cluster, cx);
        }
        match cluster.get::<Deployment>(self.id).strategy {
            DeploymentStrategy::Recreate => self.recreate(cluster, cx),
            DeploymentStrategy::RollingUpdate { .. } => self.roll(cluster, cx),
        }
    }

    fn end(&mut self, cluster: &mut Cluster, cx: &mut Context<'_>) -> Result<Action, Failure> {
        match self.ending {
            Ending::Status => self.sync_status(cluster, cx).map(|()| Action::Done),
            Ending::CleanUpAndStatus => {
                self.clean_up(cluster, cx);
                self.sync_status(cluster, cx).map(|()| Action::Done)
            }
            Ending::Rollout => {
                self.clean_up_if_complete(cluster, cx);
                self.sync_rollout_status(cluster, cx)
            }
            Ending::RolloutUnderWay => self.sync_rollout_status(cluster, cx),
        }
    }

    /// Claims the right to write the Deployment itself, once in a sync.
    fn write_self(&mut self, cluster: &Cluster, cx: &mut Context<'_>) -> Result<(), Failure> {
        if self.has_written {
            return Err(Failure(format!(
                "Operation cannot be fulfilled on deployments.apps {:?}: the object has been modified; please apply your changes to \
                 the latest version and try again",
                cluster.name(self.id)
            )));
        }
        self.has_written = true;
        cx.wrote();
        Ok(())
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
    fn check_paused(&mut self, cluster: &mut Cluster, cx: &mut Context<'_>) -> Result<(), Failure> {
        let this: &Deployment = cluster.get(self.id);
        if this.progress_deadline_seconds.is_none() {
            return Ok(());
        }
        let condition = this.status.conditions.get(cluster.words.progressing);
        let reason = condition.map(|condition| cluster.interner.text(condition.reason));
        let (reason, message) = match (this.paused, reason) {
            (_, Some("ProgressDeadlineExceeded")) | (true, Some("DeploymentPaused")) => return Ok(()),
            (true, _) => ("DeploymentPaused", "Deployment is paused"),
            (false, Some("DeploymentPaused")) => ("DeploymentResumed", "Deployment is resumed"),
            (false, _) => return Ok(()),
        };
        self.write_self(cluster, cx)?;
        self.write_progressing(ConditionStatus::Unknown, reason, message, cluster);
        Ok(())
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
