//! One sync of a StatefulSet (`stateful_set_control.go`).

use std::collections::BTreeSet;

use super::claims;
use super::pods::{self, is_ready, ordinal_of, revision_of, until_available};
use crate::api::int_or_percent::{IntOrPercent, Round};
use crate::cluster::objects::{StatefulSet, StatefulSetStatus};
use crate::cluster::{Cluster, ObjId, PodId, PodPhase};
use crate::controllers::history::{revisions_of, sync_revision, truncate_history};
use crate::controllers::{Action, Context};
use crate::engine::{Span, Time};

/// Most pods created at once by a parallel set (`MaxBatchSize`).
const MAX_BATCH: usize = 500;

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

/// Ends an update: once all pods wanted are there, new and ready, their revision is the current one (`completeRollingUpdate`).
fn complete_rolling_update(status: &mut StatefulSetStatus, replicas: i32) {
    if [status.updated, status.ready, status.replicas] == [replicas; 3] {
        status.current = status.updated;
        status.current_revision = status.update_revision;
    }
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
        if !self.set.on_delete {
            complete_rolling_update(&mut self.status, self.set.replicas);
        }
        if cluster.get::<StatefulSet>(self.id).status != self.status {
            match self.status.current >= 0 {
                true => {
                    let status = self.status.clone();
                    cluster.update_status::<StatefulSet>(self.id, |set| set.status = status);
                }
                // The API server refuses such a status, and the next sync counts anew.
                false => _ = failure.get_or_insert_with(|| self.refused_status(cluster)),
            }
            cx.wrote();
        }
        self.truncate(cluster, cx);
        match (failure, self.next_available(cluster)) {
            (Some(error), _) => Action::Failed(error),
            (None, Some(wait)) => Action::RequeueAfter(wait),
            (None, None) => Action::Done,
        }
    }

    fn refused_status(&self, cluster: &Cluster) -> String {
        let (name, count) = (cluster.name(self.id), self.status.current);
        format!(
            "StatefulSet.apps {name:?} is invalid: status.currentReplicas: Invalid value: {count}: must be greater than or equal to 0"
        )
    }

    /// What this sync writes besides the status. The status counts the pods as they were found: neither one that was just created nor
    /// one that was just deleted changes it (`updateStatefulSet`).
    fn act(&mut self, cluster: &mut Cluster, cx: &mut Context<'_>) -> Result<(), String> {
        if self.replicas(cluster, cx)? == Step::Stop {
            return Ok(());
        }
        if !self.set.claims.is_empty() {
            for &pod in &self.condemned {
                claims::own(self.id, pod, true, cluster, cx);
            }
        }
        let first_unavailable = self.first_unavailable(cluster);
        for pod in self.condemned.clone() {
            if self.condemn(pod, first_unavailable, cluster, cx) == Step::Stop {
                return Ok(());
            }
        }
        if !self.set.on_delete {
            self.roll(cluster, cx);
        }
        Ok(())
    }

    /// The ordinals in range, one after another; all of them in batches that double if the set is parallel, until one fails
    /// (`runForAll`).
    fn replicas(&mut self, cluster: &mut Cluster, cx: &mut Context<'_>) -> Result<Step, String> {
        let (mut batch, mut errors) = (1, Vec::new());
        let mut left_in_batch = batch;
        for idx in 0..self.replicas.len() {
            match self.replica(idx, cluster, cx) {
                Ok(Step::Stop) if !self.set.parallel => return Ok(Step::Stop),
                Ok(_) => {}
                Err(error) => errors.push(error),
            }
            left_in_batch -= 1;
            if !errors.is_empty() && (left_in_batch == 0 || !self.set.parallel) {
                break;
            }
            if left_in_batch == 0 {
                batch = (2 * batch).min(MAX_BATCH);
                left_in_batch = batch;
            }
        }
        match errors.len() {
            0 => Ok(Step::Next),
            1 => Err(errors.remove(0)),
            _ => {
                errors.dedup();
                Err(format!("[{}]", errors.join(", ")))
            }
        }
    }

    /// One ordinal in range (`processReplica`).
    fn replica(&mut self, idx: usize, cluster: &mut Cluster, cx: &mut Context<'_>) -> Result<Step, String> {
        let ordinal = self.set.start.saturating_add(idx as i32);
        let Some(pod) = self.replicas[idx] else {
            let old = !self.set.on_delete && (idx as i32) < self.set.partition;
            let revision = if old { self.current } else { self.update };
            pods::create(self.id, ordinal, revision, cluster, cx)?;
            return Ok(Step::Stop);
        };
        let row = cluster.pod(pod);
        let (phase, deleting) = (row.phase, row.meta.is_deleting());
        if matches!(phase, PodPhase::Failed | PodPhase::Succeeded) {
            // A new pod of the name is made when this one is gone.
            if !deleting {
                pods::delete(self.id, pod, cluster, cx);
            }
            return Ok(Step::Stop);
        }
        if phase == PodPhase::Pending {
            let name = cluster.name(pod).to_owned();
            claims::create(self.id, &name, ordinal, cluster, cx)?;
        }
        if !self.set.parallel && self.is_unavailable(cluster, pod) {
            return Ok(Step::Stop);
        }
        if !self.set.claims.is_empty() {
            claims::own(self.id, pod, false, cluster, cx);
        }
        pods::identify(self.id, pod, ordinal, cluster, cx);
        Ok(Step::Next)
    }

    /// One pod outside the range (`processCondemned`).
    fn condemn(
        &mut self,
        pod: PodId,
        first_unavailable: Option<PodId>,
        cluster: &mut Cluster,
        cx: &mut Context<'_>,
    ) -> Step {
        let stop = if self.set.parallel { Step::Next } else { Step::Stop };
        if cluster.pod(pod).meta.is_deleting() {
            return stop;
        }
        if !self.set.parallel && !self.is_available(cluster, pod) && first_unavailable != Some(pod) {
            return Step::Stop;
        }
        pods::delete(self.id, pod, cluster, cx);
        stop
    }

    /// Replaces the highest pod that is not of the update revision, once all above it are healthy. With `maxUnavailable` (feature
    /// gate `MaxUnavailableStatefulSet`, off: the API server drops the field) as many as may be missing.
    fn roll(&mut self, cluster: &mut Cluster, cx: &mut Context<'_>) {
        let lowest = usize::try_from(self.set.partition).unwrap_or(0);
        if let Some(limit) = self.set.max_unavailable {
            let is_missing = |pod: &&Option<PodId>| pod.is_none_or(|pod| self.is_unavailable(cluster, pod));
            let n_missing = self.replicas.iter().filter(is_missing).count();
            let mut room = max_unavailable(limit, self.set.replicas).saturating_sub(n_missing);
            for idx in (lowest..self.replicas.len()).rev() {
                let Some(pod) = self.replicas[idx].filter(|_| room > 0) else { continue };
                if !self.is_of(self.update, pod, cluster) && !cluster.pod(pod).meta.is_deleting() {
                    self.status.current -= 1;
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
                // Of whichever revision it was.
                self.status.current -= 1;
                pods::delete(self.id, pod, cluster, cx);
                return;
            }
            if self.is_unavailable(cluster, pod) {
                return;
            }
        }
    }

    /// Deletes the oldest revisions that neither the set nor a pod uses, beyond the limit; without one if that is negative
    /// (`truncateHistory`).
    fn truncate(&self, cluster: &mut Cluster, cx: &mut Context<'_>) {
        let Ok(limit) = usize::try_from(self.set.revision_history_limit) else { return };
        let revisions = revisions_of(cluster, self.id);
        if revisions.len() <= limit {
            return;
        }
        let pods = self.replicas.iter().flatten().chain(&self.condemned);
        let used: BTreeSet<String> = pods.map(|&pod| revision_of(cluster, pod).to_owned()).collect();
        let (current, update) = (self.current, self.update);
        let is_live = |cluster: &Cluster, revision: ObjId| {
            revision == current || revision == update || used.contains(cluster.name(revision))
        };
        let n_unused = revisions.into_iter().filter(|&id| !is_live(cluster, id)).count();
        truncate_history(cluster, self.id, n_unused.saturating_sub(limit), is_live, cx);
    }

    /// The unavailable pod that comes first: of the lowest ordinal in range, else of the lowest outside it.
    fn first_unavailable(&self, cluster: &Cluster) -> Option<PodId> {
        let pods = self.replicas.iter().flatten().chain(self.condemned.iter().rev()).copied();
        pods.into_iter().find(|&pod| self.is_unavailable(cluster, pod))
    }

    fn is_unavailable(&self, cluster: &Cluster, pod: PodId) -> bool {
        cluster.pod(pod).meta.is_deleting() || !self.is_available(cluster, pod)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Sym;

    #[test]
    fn an_update_is_over_when_all_wanted_pods_are_new_and_ready() {
        for ([updated, ready, replicas], wanted, over, why) in [
            ([3, 3, 3], 3, true, "all there"),
            ([1, 1, 1], 3, false, "the only pod is new and ready, but others are wanted"),
            ([3, 2, 3], 3, false, "one is not ready"),
            ([2, 3, 3], 3, false, "one is old"),
            ([2, 2, 3], 2, false, "one is still to go"),
            ([0, 0, 0], 0, true, "of nothing"),
        ] {
            let (old, new) = (Sym(1), Sym(2));
            let mut status = StatefulSetStatus {
                updated,
                ready,
                replicas,
                current_revision: old,
                update_revision: new,
                ..StatefulSetStatus::default()
            };
            complete_rolling_update(&mut status, wanted);
            assert_eq!(status.current_revision == new, over, "{why}");
        }
    }
}
