//! The two strategies, and scaling (`deployment/{rolling,recreate,sync}.go`).

use super::math::{self, OldSet, Revision, Scaled, ScaledSet};
use super::revisions::{DESIRED_REPLICAS, MAX_REPLICAS, annotation, revision_of};
use super::{Ending, Failure, Scaling, SetView, Sync};
use crate::cluster::objects::{Deployment, DeploymentStrategy, ReplicaSet};
use crate::cluster::{Cluster, EventType, ObjId, PodPhase, Propagation};
use crate::controllers::Context;
use crate::controllers::rollout_math;

impl Sync {
    /// One step of a rolling update.
    pub(super) fn roll(&mut self, cluster: &mut Cluster, cx: &mut Context<'_>) -> Result<(), Failure> {
        self.sync_revision(true, cluster, cx)?;
        let moved = self.scale_up_new(cluster) || self.scale_down_olds(cluster);
        self.ending = if moved { Ending::RolloutUnderWay } else { Ending::Rollout };
        Ok(())
    }

    /// One step of replacing all pods at once.
    pub(super) fn recreate(&mut self, cluster: &mut Cluster, cx: &mut Context<'_>) -> Result<(), Failure> {
        self.ending = Ending::RolloutUnderWay;
        let active: Vec<SetView> = self.old_views().filter(|set| set.replicas > 0).cloned().collect();
        if !active.is_empty() {
            for set in &active {
                self.scale_set(set, 0);
            }
        } else if !self.has_old_pods(cluster) {
            self.sync_revision(true, cluster, cx)?;
            self.scale_new_to_full(cluster);
            self.ending = Ending::Rollout;
        }
        Ok(())
    }

    /// Sizes of the ReplicaSets after the Deployment was scaled or while it is paused (`sync`).
    pub(super) fn rescale(&mut self, cluster: &mut Cluster, cx: &mut Context<'_>) -> Result<(), Failure> {
        self.sync_revision(false, cluster, cx)?;
        self.scale(cluster);
        let paused = cluster.get::<Deployment>(self.id).paused;
        self.ending = if paused { Ending::CleanUpAndStatus } else { Ending::Status };
        Ok(())
    }

    /// Whether an active ReplicaSet was last scaled for another size of the Deployment (`isScalingEvent`).
    pub(super) fn is_scaling_event(&self, cluster: &Cluster) -> bool {
        let replicas = cluster.get::<Deployment>(self.id).replicas;
        self.sets.iter().filter(|set| set.replicas > 0).any(|set| {
            let desired = annotation(cluster, set.id, DESIRED_REPLICAS).and_then(|text| text.parse::<i32>().ok());
            desired.is_some_and(|desired| desired != replicas)
        })
    }

    /// The size that the new ReplicaSet, now of `own` replicas, may take next (`NewRSNewReplicas`).
    pub(super) fn new_replicas(&self, own: i32, cluster: &Cluster) -> i32 {
        let this: &Deployment = cluster.get(self.id);
        rollout_math::new_replicas(this.strategy, this.replicas, own, self.total())
    }

    pub(super) fn max_surge(&self, cluster: &Cluster) -> i32 {
        let this: &Deployment = cluster.get(self.id);
        match this.strategy {
            DeploymentStrategy::Recreate => 0,
            DeploymentStrategy::RollingUpdate { max_surge, max_unavailable } => {
                rollout_math::max_surge(max_surge, max_unavailable, this.replicas)
            }
        }
    }

    pub(super) fn max_unavailable(&self, cluster: &Cluster) -> i32 {
        let this: &Deployment = cluster.get(self.id);
        match this.strategy {
            DeploymentStrategy::Recreate => 0,
            DeploymentStrategy::RollingUpdate { max_surge, max_unavailable } => {
                rollout_math::max_unavailable(max_surge, max_unavailable, this.replicas)
            }
        }
    }

    fn scale_up_new(&mut self, cluster: &Cluster) -> bool {
        let Some(new) = self.new_view().cloned() else { return false };
        let this: &Deployment = cluster.get(self.id);
        let DeploymentStrategy::RollingUpdate { max_surge, .. } = this.strategy else { return false };
        let size = math::next_new_size(this.replicas, max_surge, new.replicas, self.total());
        self.scale_set(&new, size)
    }

    fn scale_down_olds(&mut self, cluster: &Cluster) -> bool {
        let views: Vec<SetView> = self.old_views().filter(|set| set.replicas > 0).cloned().collect();
        let Some(new) = self.new_view() else { return false };
        let old_set = |set: &SetView| OldSet { replicas: set.replicas, available: set.status.available };
        let olds: Vec<OldSet> = views.iter().map(old_set).collect();
        let replicas = cluster.get::<Deployment>(self.id).replicas;
        let Some(sizes) = math::reconcile_olds(&olds, old_set(new), replicas, self.max_unavailable(cluster)) else {
            return false;
        };
        for (view, (cleaned, scaled)) in views.into_iter().zip(sizes.cleaned.into_iter().zip(sizes.scaled)) {
            self.scale_set(&view, cleaned);
            self.scale_set(&SetView { replicas: cleaned, ..view }, scaled);
        }
        sizes.n_gone > 0
    }

    fn scale_new_to_full(&mut self, cluster: &Cluster) {
        let replicas = cluster.get::<Deployment>(self.id).replicas;
        if let Some(new) = self.new_view().cloned() {
            self.scale_set(&new, replicas);
        }
    }

    /// Whether pods of old ReplicaSets are still there (`oldPodsRunning`).
    fn has_old_pods(&self, cluster: &Cluster) -> bool {
        self.old_views().any(|set| set.status.replicas > 0)
            || self.olds().any(|id| {
                let mut pods = cluster.pods_of(id).map(|pod| cluster.pod(pod).phase);
                pods.any(|phase| !matches!(phase, PodPhase::Succeeded | PodPhase::Failed))
            })
    }

    fn scale(&mut self, cluster: &Cluster) {
        let this: &Deployment = cluster.get(self.id);
        let number = |set: &SetView, key| annotation(cluster, set.id, key).and_then(|text| text.parse::<i32>().ok());
        let seen = |set: &SetView| ScaledSet {
            size: set.replicas,
            available: set.status.available,
            is_new: Some(set.id) == self.new,
            desired: number(set, DESIRED_REPLICAS),
            max_replicas: number(set, MAX_REPLICAS),
        };
        let sets: Vec<ScaledSet> = self.sets.iter().map(seen).collect();
        let rolling = matches!(this.strategy, DeploymentStrategy::RollingUpdate { .. });
        match math::scale(&sets, this.replicas, self.max_surge(cluster), this.status.replicas, rolling) {
            Scaled::Some(sizes) => {
                for (idx, size) in sizes {
                    let set = self.sets[idx].clone();
                    self.scale_set(&set, size);
                }
            }
            Scaled::Proportional(sizes) => {
                for (idx, to) in sizes {
                    self.scalings.push_back(Scaling { set: self.sets[idx].id, from: self.sets[idx].replicas, to });
                }
            }
        }
    }

    /// Scales a ReplicaSet unless it has that size (`scaleReplicaSetAndRecordEvent`). Returns whether it will be scaled.
    fn scale_set(&mut self, set: &SetView, size: i32) -> bool {
        if set.replicas != size {
            self.scalings.push_back(Scaling { set: set.id, from: set.replicas, to: size });
        }
        set.replicas != size
    }

    /// Gives a ReplicaSet its size and the annotations that go with it (`scaleReplicaSet`).
    pub(super) fn write_scaling(&self, scaling: Scaling, cluster: &mut Cluster, cx: &mut Context<'_>) {
        let Scaling { set, from, to } = scaling;
        let before = cluster.meta(set.into()).annotations;
        let annotations = self.with_sizes(before, cluster);
        if from == to && annotations == before || cluster.meta(set.into()).removed {
            return;
        }
        cluster.set_annotations(set, annotations);
        cluster.update_spec::<ReplicaSet>(set, |set| set.replicas = to);
        cx.wrote();
        if from != to {
            let direction = if from < to { "up" } else { "down" };
            let message = format!("Scaled {direction} replica set {} from {from} to {to}", cluster.name(set));
            let source = cluster.words.deployment_controller;
            cluster.record_event(self.id, EventType::Normal, "ScalingReplicaSet", &message, source);
        }
    }

    pub(super) fn clean_up_if_complete(&self, cluster: &mut Cluster, cx: &mut Context<'_>) {
        let status = cluster.get::<Deployment>(self.id).status.clone();
        if self.is_complete(&status, cluster) {
            self.clean_up(cluster, cx);
        }
    }

    /// Deletes the oldest revisions beyond the history limit (`cleanupDeployment`).
    pub(super) fn clean_up(&self, cluster: &mut Cluster, cx: &mut Context<'_>) {
        let Some(limit) = cluster.get::<Deployment>(self.id).revision_history_limit else { return };
        let olds: Vec<ObjId> = self.olds().collect();
        let revision = |&id: &ObjId| {
            let (set, meta): (&ReplicaSet, _) = (cluster.get(id), cluster.meta(id.into()));
            Revision {
                number: revision_of(cluster, id),
                replicas: set.replicas,
                status_replicas: set.status.replicas,
                observed: set.status.observed_generation >= meta.generation,
                deleting: meta.is_deleting(),
            }
        };
        let revisions: Vec<Revision> = olds.iter().map(revision).collect();
        for idx in math::history_to_delete(&revisions, limit) {
            cluster.delete(olds[idx], Propagation::Background);
            cx.wrote();
        }
    }
}
