//! The ReplicaSet controller, which is also the ReplicationController's (kube-controller-manager v1.36, `replicaset`).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rustc_hash::FxBuildHasher;

use super::deletion_index::DeletionIndex;
use super::deletion_rank::{
    DeletionFacts, DeletionPhase, POD_DELETION_COST, deletion_cost, leading_key, replica_set_deletion_order,
};
use super::owned_pods::{Tally, matters, ready_since};
use super::pod_control::PodRequest;
use super::{Action, Context, Controller, Keys};
use crate::cluster::objects::{ReplicaSet, ReplicaSetStatus};
use crate::cluster::{
    Change, Cluster, Condition, ConditionStatus, ControllerKind, NodeId, ObjId, ObjectRef, PodId, Sym, What, uid_order,
};
use crate::engine::Time;

/// Most pods created or deleted in one sync (`BurstReplicas`).
pub const BURST_REPLICAS: usize = 500;

/// Keeps as many pods as wanted.
#[derive(Debug)]
pub struct ReplicaSetController {
    kind: ControllerKind,
    /// Those whose pods may have to be adopted or released: nothing else makes a sync look at pods it does not own.
    claims: BTreeSet<ObjId>,
    /// Syncs in the middle of a slow start.
    starting: BTreeMap<ObjId, SlowStart>,
}

/// A sync that creates pods batch by batch, each when the one before has been answered.
#[derive(Clone, Debug)]
struct SlowStart {
    /// The pods as the sync found them.
    tally: Tally,
    n_left: usize,
    next_batch: usize,
}

/// What managing the pods came to.
enum Managed {
    /// Another batch is to be created.
    Continue(SlowStart),
    /// Done, or failed with an error of the API server.
    Ended(Result<(), String>),
}

impl ReplicaSetController {
    /// The controller of ReplicaSets.
    pub fn replica_sets() -> ReplicaSetController {
        ReplicaSetController::of(ControllerKind::ReplicaSet)
    }

    /// The controller of ReplicationControllers.
    pub fn replication_controllers() -> ReplicaSetController {
        ReplicaSetController::of(ControllerKind::ReplicationController)
    }

    fn of(kind: ControllerKind) -> ReplicaSetController {
        ReplicaSetController { kind, claims: BTreeSet::new(), starting: BTreeMap::new() }
    }

    fn api_kind(&self) -> &'static str {
        if self.kind == ControllerKind::ReplicaSet { "ReplicaSet" } else { "ReplicationController" }
    }

    fn source(&self, cluster: &Cluster) -> Sym {
        match self.kind {
            ControllerKind::ReplicaSet => cluster.words.replicaset_controller,
            _ => cluster.words.replication_controller,
        }
    }

    fn is_mine(&self, cluster: &Cluster, id: ObjId) -> bool {
        cluster.object(id).info.kind == self.api_kind()
    }

    fn observe_pod(&mut self, pod: PodId, what: What, cluster: &Cluster, keys: &mut Keys<'_>) {
        let may_move = matches!(what, What::Created | What::Labels | What::Meta);
        match cluster.controller_of(pod) {
            Some(ObjectRef::Object(owner)) if self.is_mine(cluster, owner) => {
                if may_move && what != What::Created && !selects(cluster, cluster.get(owner), pod) {
                    self.claims.insert(owner);
                }
                keys.add(owner);
            }
            Some(_) => {}
            None if may_move && cluster.pod(pod).is_active() => {
                let row = cluster.pod(pod);
                for id in cluster.of_kind_in(self.api_kind(), row.meta.namespace) {
                    if selects(cluster, cluster.get(id), pod) {
                        self.claims.insert(id);
                        keys.add(id);
                    }
                }
            }
            None => {}
        }
    }

    /// Adopts orphans and releases strays. Returns whether it did anything.
    fn claim(&mut self, id: ObjId, cluster: &mut Cluster, cx: &mut Context<'_>) -> bool {
        if !self.claims.remove(&id) {
            return false;
        }
        let (adopted, released) = {
            let this: &ReplicaSet = cluster.get(id);
            let pods = cluster.pods_in(cluster.meta(id.into()).namespace).filter(|&pod| cluster.pod(pod).is_active());
            let claims = pods.filter_map(|pod| match cluster.pod(pod).meta.controller() {
                None => selects(cluster, this, pod).then_some((pod, true)),
                Some(owner) if owner.object == Some(id.into()) => {
                    (!selects(cluster, this, pod)).then_some((pod, false))
                }
                Some(_) => None,
            });
            claims.partition::<Vec<_>, _>(|&(_, adopt)| adopt)
        };
        if adopted.is_empty() && released.is_empty() || cluster.meta(id.into()).is_deleting() {
            return false;
        }
        let reference = cluster.owner_reference(id);
        for (pod, adopt) in adopted.into_iter().chain(released) {
            let mut owners = cluster.pod(pod).meta.owners.clone();
            match adopt {
                true => owners.push(reference),
                false => owners.retain(|owner| owner.object != Some(id.into())),
            }
            cluster.set_owners(pod, owners);
            cx.pods.deletion.refresh(pod, cluster);
            cx.wrote();
        }
        true
    }

    /// Begins to create or delete what is missing or too much.
    fn manage(&self, id: ObjId, tally: &Tally, cluster: &mut Cluster, cx: &mut Context<'_>) -> Managed {
        let wanted = cluster.get::<ReplicaSet>(id).replicas.max(0);
        let missing = usize::try_from(wanted - tally.active).unwrap_or(0).min(BURST_REPLICAS);
        let excess = usize::try_from(tally.active - wanted).unwrap_or(0).min(BURST_REPLICAS);
        if missing > 0 {
            let start = SlowStart { tally: tally.clone(), n_left: missing, next_batch: 1 };
            return self.create_batch(id, start, cluster, cx);
        }
        if excess > 0 {
            let (source, now) = (self.source(cluster), cx.now());
            let going = pods_to_delete(&mut cx.pods.deletion, cluster, id, tally.active, excess, now);
            for pod in going {
                if cx.may_write() {
                    cx.pods.delete_with_event(cluster, id, pod, source);
                }
            }
        }
        Managed::Ended(Ok(()))
    }

    fn create_batch(&self, id: ObjId, start: SlowStart, cluster: &mut Cluster, cx: &mut Context<'_>) -> Managed {
        let template = cluster.get::<ReplicaSet>(id).template;
        let source = self.source(cluster);
        let mut failure = None;
        let batch = start.next_batch.min(start.n_left);
        for _ in 0..batch {
            if !cx.may_write() {
                return Managed::Ended(Ok(()));
            }
            match cx.pods.create_with_event(cluster, id, PodRequest::of_template(template), source) {
                Err(error) if !error.terminating => _ = failure.get_or_insert(error.text),
                _ => {}
            }
        }
        match failure {
            Some(error) => Managed::Ended(Err(error)),
            None if batch == start.n_left => Managed::Ended(Ok(())),
            None => {
                Managed::Continue(SlowStart { n_left: start.n_left - batch, next_batch: 2 * start.next_batch, ..start })
            }
        }
    }
}

impl Controller for ReplicaSetController {
    fn kind(&self) -> ControllerKind {
        self.kind
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, keys: &mut Keys<'_>) {
        match change.object {
            ObjectRef::Pod(pod) if matters(change.what, cluster) => {
                self.observe_pod(pod, change.what, cluster, keys);
            }
            ObjectRef::Object(id) if self.is_mine(cluster, id) && !matches!(change.what, What::Event(_)) => {
                // The selector of a ReplicaSet never changes, that of a ReplicationController may.
                let reselects = change.what == What::Spec && self.kind == ControllerKind::ReplicationController;
                if change.what == What::Created || reselects {
                    self.claims.insert(id);
                }
                keys.add(id);
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let ObjectRef::Object(id) = key else { return Action::Done };
        if cluster.meta(key).removed {
            self.claims.remove(&id);
            self.starting.remove(&id);
            return Action::Done;
        }
        let (tally, managed) = match self.starting.remove(&id) {
            Some(start) => (start.tally.clone(), self.create_batch(id, start, cluster, cx)),
            None => {
                let claimed = self.claim(id, cluster, cx);
                let tally = if claimed { Tally::scan(cluster, id) } else { cx.pods.owned.tally(id) };
                let managed = match cluster.meta(key).is_deleting() {
                    true => Managed::Ended(Ok(())),
                    false => self.manage(id, &tally, cluster, cx),
                };
                (tally, managed)
            }
        };
        let managed = match managed {
            Managed::Ended(result) => result,
            Managed::Continue(start) => {
                self.starting.insert(id, start);
                return Action::Continue;
            }
        };
        let min_ready = cluster.get::<ReplicaSet>(id).min_ready_seconds;
        write_status(id, &tally, &managed, cluster, cx);
        match managed {
            Err(error) => Action::Failed(error),
            Ok(()) => tally.next_available(min_ready, cx.now()).map_or(Action::Done, Action::RequeueAfter),
        }
    }
}

/// Whether the selector of a ReplicaSet matches a pod.
fn selects(cluster: &Cluster, replica_set: &ReplicaSet, pod: PodId) -> bool {
    let labels = cluster.pod(pod).meta.labels;
    replica_set.selector.matches(|key| cluster.interner.value_text(labels, key))
}

/// Writes the status as it was before this sync created or deleted anything; the pods' own changes lead to the next.
fn write_status(id: ObjId, tally: &Tally, managed: &Result<(), String>, cluster: &mut Cluster, cx: &mut Context<'_>) {
    let (now, failure) = (cx.now(), cluster.words.replica_failure);
    let generation = cluster.meta(id.into()).generation;
    let this: &ReplicaSet = cluster.get(id);
    let mut conditions = this.status.conditions.clone();
    match managed {
        Err(error) if conditions.get(failure).is_none() => {
            let reason = if tally.active < this.replicas { "FailedCreate" } else { "FailedDelete" };
            let (reason, message) = (cluster.interner.sym(reason), cluster.interner.sym(error));
            let status = ConditionStatus::True;
            conditions.set(Condition { kind: failure, status, reason, message, transition: now, update: now });
        }
        Err(_) => {}
        Ok(()) => _ = conditions.remove(failure),
    }
    let this: &ReplicaSet = cluster.get(id);
    let status = ReplicaSetStatus {
        observed_generation: generation,
        replicas: tally.active,
        fully_labeled: tally.fully_labeled,
        ready: tally.ready,
        available: tally.available(this.min_ready_seconds, now),
        terminating: (!this.is_controller).then_some(tally.terminating),
        conditions,
    };
    if status != this.status {
        cluster.update_status::<ReplicaSet>(id, |this| this.status = status);
        cx.wrote();
    }
}

/// ReplicaSets of up to so many pods are ordered whole.
pub(super) const FEW: usize = if cfg!(test) { 8 } else { 256 };

/// The pods that go when `count` of the `n_active` are too many, first one first.
fn pods_to_delete(
    index: &mut DeletionIndex,
    cluster: &Cluster,
    id: ObjId,
    n_active: i32,
    count: usize,
    now: Time,
) -> Vec<PodId> {
    let active = || cluster.pods_of(id).filter(|&pod| cluster.pod(pod).is_active()).collect::<Vec<PodId>>();
    let n_active = usize::try_from(n_active).unwrap_or(0);
    if count >= n_active {
        return active();
    }
    let candidates = if n_active > FEW { index.candidates(cluster, id, count, now) } else { active() };
    // Only the counts on the nodes of these matter.
    let plainly = || related_pods_per_node(cluster, id, &candidates);
    let on_node = if n_active > FEW { index.on_nodes_of(&candidates) } else { plainly() };
    debug_assert_eq!(on_node, plainly());
    debug_assert_eq!(candidates, self::candidates(cluster, active(), count, &on_all_nodes(cluster, id), now));
    let facts: Vec<_> = candidates.iter().map(|&pod| facts_of(cluster, pod, &on_node)).collect();
    let order = replica_set_deletion_order(&facts, micros(now));
    order.into_iter().take(count).map(|idx| candidates[idx]).collect()
}

/// Of many pods those that may be among the first `count` to go, in the same order: the leading key decides about most. Of those that
/// it leaves equal, if they are very many, the first by uid are taken, which is what the full order goes by next.
pub(super) fn candidates(
    cluster: &Cluster,
    pods: Vec<PodId>,
    count: usize,
    on_node: &PerNode,
    now: Time,
) -> Vec<PodId> {
    if pods.len() <= FEW {
        return pods;
    }
    let key = |pod: PodId| leading_key(&facts_of(cluster, pod, on_node), micros(now));
    let keys: Vec<_> = pods.iter().map(|&pod| key(pod)).collect();
    let mut ordered = keys.clone();
    let (_, &mut last, _) = ordered.select_nth_unstable(count - 1);
    let n_sure = keys.iter().filter(|&&key| key < last).count();
    let mut equal: Vec<PodId> = pods.iter().zip(&keys).filter(|(_, key)| **key == last).map(|(&pod, _)| pod).collect();
    let missing = count - n_sure;
    if equal.len() > FEW && missing < equal.len() {
        equal.select_nth_unstable_by_key(missing, |&pod| uid_order(cluster.pod(pod).meta.uid));
        equal.truncate(missing);
    }
    let taken: BTreeSet<PodId> = equal.into_iter().collect();
    let is_candidate = |(pod, key): &(&PodId, &_)| **key < last || taken.contains(*pod);
    pods.iter().zip(&keys).filter(is_candidate).map(|(&pod, _)| pod).collect()
}

pub(super) type PerNode = HashMap<NodeId, i64, FxBuildHasher>;

/// Active pods of all ReplicaSets with the same controller, on each of the nodes of `pods`; nothing for a ReplicaSet without one.
fn related_pods_per_node(cluster: &Cluster, id: ObjId, pods: &[PodId]) -> PerNode {
    let mut per_node = PerNode::default();
    let Some(controller) = cluster.controller_of(id) else { return per_node };
    let is_related = |set: ObjId| cluster.controller_of(set) == Some(controller) && !cluster.meta(set.into()).removed;
    for node in pods.iter().filter_map(|&pod| cluster.pod(pod).node) {
        per_node.entry(node).or_insert_with(|| {
            let related = cluster.node(node).pods.iter().filter(|&&pod| {
                let row = cluster.pod(pod);
                let of_related = matches!(cluster.controller_of(pod), Some(ObjectRef::Object(set)) if is_related(set));
                of_related && row.is_active() && row.node == Some(node)
            });
            related.count() as i64
        });
    }
    per_node
}

/// As [`related_pods_per_node`] for all nodes.
fn on_all_nodes(cluster: &Cluster, id: ObjId) -> PerNode {
    related_pods_per_node(cluster, id, &cluster.pods_of(id).collect::<Vec<_>>())
}

pub(super) fn facts_of(cluster: &Cluster, pod: PodId, on_node: &PerNode) -> DeletionFacts<(u64, u64)> {
    let row = cluster.pod(pod);
    let ready = ready_since(cluster, row);
    let n_init = cluster.spec_of(pod).n_init_containers.min(row.containers.len());
    let restarts = |containers: &[crate::cluster::ContainerStatus]| {
        containers.iter().map(|container| container.restarts as i32).max().unwrap_or(0)
    };
    let cost = cluster.interner.value_text(row.meta.annotations, POD_DELETION_COST);
    DeletionFacts {
        scheduled: row.node.is_some() || row.missing_node.is_some(),
        phase: DeletionPhase::parse(row.phase.as_str()),
        ready: ready.is_some(),
        ready_since_us: ready.map(|at| micros(at.truncated_to_seconds())),
        deletion_cost: deletion_cost(cost),
        rank: row.node.and_then(|node| on_node.get(&node).copied()).unwrap_or(0),
        restarts: restarts(&row.containers[n_init..]),
        sidecar_restarts: restarts(&row.containers[..n_init]),
        created_us: Some(micros(row.meta.created.truncated_to_seconds())),
        uid: uid_order(row.meta.uid),
    }
}

fn micros(at: Time) -> i64 {
    i64::try_from(at.as_micros()).unwrap_or(i64::MAX)
}
