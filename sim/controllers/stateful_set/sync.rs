//! One sync of a StatefulSet (`stateful_set_control.go`).

use super::pods::{self, is_ready, ordinal_of, revision_of, until_available};
use crate::api::int_or_percent::{IntOrPercent, Round};
use crate::cluster::objects::{StatefulSet, StatefulSetStatus};
use crate::cluster::{Cluster, ObjId, PodId, PodPhase};
use crate::controllers::history::{revisions_of, sync_revision, truncate_history};
use crate::controllers::{Action, Context};
use crate::engine::{Span, Time};

/// One sync of one StatefulSet.
pub(super) struct Sync {
    id: ObjId,
    set: StatefulSet,
    /// The pod of every ordinal in range, lowest first.
    replicas: Vec<Option<PodId>>,
    /// Pods outside the range, highest first.
    condemned: Vec<PodId>,
    current: ObjId,
    update: ObjId,
    status: StatefulSetStatus,
    now: Time,
}

/// Whether a sync goes on to the next pod.
#[derive(PartialEq, Eq)]
enum Step {
    Next,
    Stop,
}

/// How many pods of a StatefulSet may be missing during an update: at least one (`getStatefulSetMaxUnavailable`).
pub fn max_unavailable(limit: IntOrPercent, replicas: i32) -> usize {
    usize::try_from(limit.scaled(replicas, Round::Down)).unwrap_or(0).max(1)
}

impl Sync {
    pub(super) fn new(id: ObjId, cluster: &mut Cluster, cx: &mut Context<'_>) -> Sync {
        let set: StatefulSet = cluster.get::<StatefulSet>(id).clone();
        let update = sync_revision(cluster, id, set.template, "controller.kubernetes.io/hash", cx);
        let named = |name| revisions_of(cluster, id).into_iter().find(|&r| cluster.meta(r.into()).name == name);
        let current = named(set.status.current_revision).unwrap_or(update);
        let (first, n) = (set.start, set.replicas.max(0));
        let mut replicas = vec![None; n as usize];
        let mut condemned = Vec::new();
        for pod in cluster.pods_of(id) {
            let Some(ordinal) = ordinal_of(cluster.name(id), cluster.name(pod)) else { continue };
            match usize::try_from(i64::from(ordinal) - i64::from(first)).ok().filter(|&idx| idx < n as usize) {
                Some(idx) => replicas[idx] = Some(pod),
                None => condemned.push((ordinal, pod)),
            }
        }
        condemned.sort_by_key(|&(ordinal, _)| -ordinal);
        let mut sync = Sync {
            id,
            replicas,
            condemned: condemned.into_iter().map(|(_, pod)| pod).collect(),
            current,
            update,
            status: StatefulSetStatus::default(),
            now: cx.now(),
            set,
        };
        sync.count(cluster);
        sync
    }

    fn count(&mut self, cluster: &Cluster) {
        let pods = self.replicas.iter().flatten().chain(&self.condemned).copied();
        let mut status = StatefulSetStatus {
            observed_generation: cluster.meta(self.id.into()).generation,
            current_revision: cluster.meta(self.current.into()).name,
            update_revision: cluster.meta(self.update.into()).name,
            collision_count: self.set.status.collision_count,
            conditions: self.set.status.conditions.clone(),
            ..StatefulSetStatus::default()
        };
        for pod in pods {
            status.replicas += 1;
            status.ready += i32::from(is_ready(cluster, pod));
            status.available += i32::from(self.is_available(cluster, pod));
            if !cluster.pod(pod).meta.is_deleting() {
                status.current += i32::from(self.is_of(self.current, pod, cluster));
                status.updated += i32::from(self.is_of(self.update, pod, cluster));
            }
        }
        self.status = status;
    }

    pub(super) fn run(mut self, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let mut failure = None;
        if !cluster.meta(self.id.into()).is_deleting()
            && let Err(error) = self.act(cluster, cx)
        {
            failure = Some(error);
        }
        if !self.set.on_delete
            && self.status.updated == self.status.replicas
            && self.status.ready == self.status.replicas
        {
            self.status.current = self.status.updated;
            self.status.current_revision = self.status.update_revision;
        }
        self.truncate(cluster, cx);
        let wait = self.next_available(cluster);
        if cluster.get::<StatefulSet>(self.id).status != self.status {
            let status = self.status;
            cluster.update_status::<StatefulSet>(self.id, |set| set.status = status);
            cx.wrote();
        }
        match (failure, wait) {
            (Some(error), _) => Action::Failed(error),
            (None, Some(wait)) => Action::RequeueAfter(wait),
            (None, None) => Action::Done,
        }
    }

    fn act(&mut self, cluster: &mut Cluster, cx: &mut Context<'_>) -> Result<(), String> {
        if !self.set.claims.is_empty() {
            let (kept, condemned) = (self.replicas.iter().flatten(), self.condemned.iter());
            let pods = kept.map(|&pod| (pod, false)).chain(condemned.map(|&pod| (pod, true)));
            for (pod, condemned) in pods.collect::<Vec<_>>() {
                pods::own_claims(self.id, pod, condemned, cluster, cx);
            }
        }
        for idx in 0..self.replicas.len() {
            if self.replica(idx, cluster, cx)? == Step::Stop {
                return Ok(());
            }
        }
        let first_unhealthy = self.first_unhealthy(cluster);
        for pod in self.condemned.clone() {
            if self.condemn(pod, first_unhealthy, cluster, cx) == Step::Stop {
                return Ok(());
            }
        }
        if !self.set.on_delete {
            self.roll(cluster, cx);
        }
        Ok(())
    }

    /// One ordinal in range (`processReplica`).
    fn replica(&mut self, idx: usize, cluster: &mut Cluster, cx: &mut Context<'_>) -> Result<Step, String> {
        let stop = if self.set.parallel { Step::Next } else { Step::Stop };
        let Some(pod) = self.replicas[idx] else {
            let ordinal = self.set.start + idx as i32;
            let old = !self.set.on_delete && (idx as i32) < self.set.partition;
            let revision = if old { self.current } else { self.update };
            pods::create(self.id, ordinal, revision, cluster, cx)?;
            self.status.replicas += 1;
            self.status.current += i32::from(revision == self.current);
            self.status.updated += i32::from(revision == self.update);
            return Ok(stop);
        };
        let row = cluster.pod(pod);
        let deleting = row.meta.is_deleting();
        if matches!(row.phase, PodPhase::Failed | PodPhase::Succeeded) {
            if !deleting {
                self.recreate(pod, cluster, cx);
            }
            return Ok(stop);
        }
        if deleting || !is_ready(cluster, pod) || !self.is_available(cluster, pod) {
            return Ok(stop);
        }
        Ok(Step::Next)
    }

    /// A pod that has ended makes way for a new one of its name.
    fn recreate(&mut self, pod: PodId, cluster: &mut Cluster, cx: &mut Context<'_>) {
        let failed = cluster.pod(pod).phase == PodPhase::Failed;
        let word = if failed { "failed" } else { "terminated" };
        let message = format!(
            "StatefulSet {}/{} is recreating {word} Pod {}",
            cluster.namespace(self.id),
            cluster.name(self.id),
            cluster.name(pod)
        );
        let (event_type, reason) = match failed {
            true => (crate::cluster::EventType::Warning, "RecreatingFailedPod"),
            false => (crate::cluster::EventType::Normal, "RecreatingTerminatedPod"),
        };
        let source = cluster.words.statefulset_controller;
        cluster.record_event(self.id, event_type, reason, &message, source);
        pods::delete(self.id, pod, cluster, cx);
    }

    /// One pod outside the range (`processCondemned`).
    fn condemn(
        &mut self,
        pod: PodId,
        first_unhealthy: Option<PodId>,
        cluster: &mut Cluster,
        cx: &mut Context<'_>,
    ) -> Step {
        let stop = if self.set.parallel { Step::Next } else { Step::Stop };
        if cluster.pod(pod).meta.is_deleting() {
            return stop;
        }
        let healthy = is_ready(cluster, pod) && self.is_available(cluster, pod);
        if !self.set.parallel && !healthy && first_unhealthy != Some(pod) {
            return Step::Stop;
        }
        self.status.current -= i32::from(self.is_of(self.current, pod, cluster));
        self.status.updated -= i32::from(self.is_of(self.update, pod, cluster));
        pods::delete(self.id, pod, cluster, cx);
        stop
    }

    /// Replaces the highest pod that is not of the update revision, once all above it are healthy. With `maxUnavailable` (feature
    /// gate `MaxUnavailableStatefulSet`, off: the API server drops the field) as many as may be missing.
    fn roll(&mut self, cluster: &mut Cluster, cx: &mut Context<'_>) {
        let lowest = usize::try_from(self.set.partition).unwrap_or(0);
        if let Some(limit) = self.set.max_unavailable {
            let is_missing = |pod: &Option<PodId>| {
                pod.is_none_or(|pod| cluster.pod(pod).meta.is_deleting() || !self.is_available(cluster, pod))
            };
            let n_missing = self.replicas.iter().filter(|pod| is_missing(pod)).count();
            let mut room = max_unavailable(limit, self.set.replicas).saturating_sub(n_missing);
            for idx in (lowest..self.replicas.len()).rev() {
                let Some(pod) = self.replicas[idx].filter(|_| room > 0) else { continue };
                if !self.is_of(self.update, pod, cluster) && !cluster.pod(pod).meta.is_deleting() {
                    self.status.current -= i32::from(self.is_of(self.current, pod, cluster));
                    pods::delete(self.id, pod, cluster, cx);
                    room -= 1;
                }
            }
            return;
        }
        for idx in (lowest..self.replicas.len()).rev() {
            let Some(pod) = self.replicas[idx] else { return };
            let deleting = cluster.pod(pod).meta.is_deleting();
            if !self.is_of(self.update, pod, cluster) && !deleting {
                self.status.current -= i32::from(self.is_of(self.current, pod, cluster));
                pods::delete(self.id, pod, cluster, cx);
                return;
            }
            if deleting || !is_ready(cluster, pod) || !self.is_available(cluster, pod) {
                return;
            }
        }
    }

    fn truncate(&self, cluster: &mut Cluster, cx: &mut Context<'_>) {
        let used: Vec<String> = self
            .replicas
            .iter()
            .flatten()
            .chain(&self.condemned)
            .map(|&pod| revision_of(cluster, pod).to_owned())
            .collect();
        let (current, update) = (self.current, self.update);
        let is_live = |cluster: &Cluster, revision: ObjId| {
            revision == current || revision == update || used.iter().any(|name| name == cluster.name(revision))
        };
        truncate_history(cluster, self.id, self.set.revision_history_limit, is_live, cx);
    }

    /// The unhealthy pod of the lowest ordinal, in range or not.
    fn first_unhealthy(&self, cluster: &Cluster) -> Option<PodId> {
        let pods = self.replicas.iter().flatten().chain(self.condemned.iter().rev()).copied();
        pods.into_iter().find(|&pod| !is_ready(cluster, pod) || cluster.pod(pod).meta.is_deleting())
    }

    fn is_of(&self, revision: ObjId, pod: PodId, cluster: &Cluster) -> bool {
        revision_of(cluster, pod) == cluster.name(revision)
    }

    fn is_available(&self, cluster: &Cluster, pod: PodId) -> bool {
        is_ready(cluster, pod) && until_available(cluster, pod, self.set.min_ready_seconds, self.now).is_none()
    }

    fn next_available(&self, cluster: &Cluster) -> Option<Span> {
        let pods = self.replicas.iter().flatten().chain(&self.condemned);
        pods.filter_map(|&pod| until_available(cluster, pod, self.set.min_ready_seconds, self.now)).min()
    }
}
