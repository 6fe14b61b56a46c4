//! The two strategies, and scaling (`deployment/{rolling,recreate,sync}.go`).

use super::math::{OldSet, Share, cleanup_unhealthy, max_scaled_down, proportional_sizes, scale_down_old};
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
        match this.strategy {
            DeploymentStrategy::Recreate => this.replicas,
            DeploymentStrategy::RollingUpdate { max_surge, .. } => {
                rollout_math::new_rs_new_replicas(this.replicas, max_surge, own, self.total())
            }
        }
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
        let replicas = cluster.get::<Deployment>(self.id).replicas;
        let size = if new.replicas > replicas { replicas } else { self.new_replicas(new.replicas, cluster) };
        self.scale_set(&new, size)
    }

    fn scale_down_olds(&mut self, cluster: &Cluster) -> bool {
        let views: Vec<SetView> = self.old_views().filter(|set| set.replicas > 0).cloned().collect();
        let Some(new) = self.new_view().filter(|_| !views.is_empty()) else { return false };
        let replicas = cluster.get::<Deployment>(self.id).replicas;
        let max_unavailable = self.max_unavailable(cluster);
        let new_set = OldSet { replicas: new.replicas, available: new.status.available };
        let max_cleanup = max_scaled_down(self.total(), replicas, max_unavailable, new_set);
        if max_cleanup <= 0 {
            return false;
        }
        let mut olds: Vec<OldSet> =
            views.iter().map(|set| OldSet { replicas: set.replicas, available: set.status.available }).collect();
        let cleaned = cleanup_unhealthy(&mut olds, max_cleanup);
        for (view, old) in views.iter().zip(&olds) {
            self.scale_set(view, old.replicas);
        }
        let Some(cleaned) = cleaned else { return false };
        let views: Vec<SetView> =
            views.into_iter().zip(&olds).map(|(view, old)| SetView { replicas: old.replicas, ..view }).collect();
        let available = new_set.available + olds.iter().map(|old| old.available).sum::<i32>();
        let scaled = scale_down_old(&mut olds, available, replicas - max_unavailable);
        for (view, old) in views.iter().zip(&olds) {
            self.scale_set(view, old.replicas);
        }
        cleaned + scaled > 0
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
        let (replicas, status_replicas) = (this.replicas, this.status.replicas);
        let rolling = matches!(this.strategy, DeploymentStrategy::RollingUpdate { .. });
        if let Some(only) = self.active_or_latest() {
            if only.replicas != replicas {
                self.scale_set(&only, replicas);
            }
        } else if self.is_saturated(cluster) {
            let olds: Vec<SetView> = self.old_views().filter(|set| set.replicas > 0).cloned().collect();
            for old in olds {
                self.scale_set(&old, 0);
            }
        } else if rolling {
            let active: Vec<&SetView> = self.sets.iter().filter(|set| set.replicas > 0).collect();
            let shares: Vec<Share> = active
                .iter()
                .enumerate()
                .map(|(age_order, set)| Share {
                    size: set.replicas,
                    age_order,
                    max_replicas_before: annotation(cluster, set.id, MAX_REPLICAS).and_then(|text| text.parse().ok()),
                })
                .collect();
            let sizes = proportional_sizes(&shares, replicas, self.max_surge(cluster), status_replicas);
            let scalings: Vec<Scaling> = active
                .into_iter()
                .zip(sizes)
                .map(|(set, to)| Scaling { set: set.id, from: set.replicas, to })
                .collect();
            self.scalings.extend(scalings);
        }
    }

    /// The only ReplicaSet with pods; without any, the new one or the newest (`FindActiveOrLatest`).
    fn active_or_latest(&self) -> Option<SetView> {
        let mut active = self.sets.iter().filter(|set| set.replicas > 0);
        match (active.next(), active.next()) {
            (None, _) => self.new_view().or(self.sets.last()).cloned(),
            (Some(only), None) => Some(only.clone()),
            _ => None,
        }
    }

    fn is_saturated(&self, cluster: &Cluster) -> bool {
        let replicas = cluster.get::<Deployment>(self.id).replicas;
        self.new_view().is_some_and(|new| {
            let desired = annotation(cluster, new.id, DESIRED_REPLICAS).and_then(|text| text.parse::<i32>().ok());
            new.replicas == replicas && desired == Some(replicas) && new.status.available == replicas
        })
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
        let mut olds: Vec<ObjId> = self.olds().filter(|&id| !cluster.meta(id.into()).is_deleting()).collect();
        olds.sort_by_key(|&id| revision_of(cluster, id));
        let excess = olds.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        for id in olds.into_iter().take(excess) {
            let set: &ReplicaSet = cluster.get(id);
            let observed = set.status.observed_generation >= cluster.meta(id.into()).generation;
            if set.status.replicas == 0 && set.replicas == 0 && observed {
                cluster.delete(id, Propagation::Background);
                cx.wrote();
            }
        }
    }
}
