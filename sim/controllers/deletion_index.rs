//! The pods of large ReplicaSets in the order in which they would go, kept current change by change: a scale-down by one does not look
//! at all of them. Agrees with [`super::replica_set::candidates`], which does.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::deletion_rank::{DeletionPhase, age_rank};
use super::owned_pods::matters;
use super::replica_set::{FEW, PerNode, facts_of};
use crate::cluster::objects::ReplicaSet;
use crate::cluster::{Change, Cluster, NodeId, ObjId, ObjectRef, PodId, What, uid_order};
use crate::engine::Time;

/// ReplicaSets of one controller, whose pods count together on each node; a ReplicaSet without one is alone and counts nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Family {
    Of(ObjectRef),
    Alone(ObjId),
}

/// What a pod is ordered by, but for its uid; the later it became ready, the sooner it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    scheduled: bool,
    phase: DeletionPhase,
    ready: bool,
    cost: i32,
    rank: Reverse<i64>,
    since_us: Reverse<Option<i64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    family: Family,
    set: ObjId,
    node: Option<NodeId>,
    place: Place,
}

/// Pods of equal place, by uid.
type Equals = BTreeSet<((u64, u64), PodId)>;

/// The pods of those families of which a large ReplicaSet was scaled down.
#[derive(Clone, Debug, Default)]
pub struct DeletionIndex {
    /// Families that are followed, with their ReplicaSets.
    families: FxHashMap<Family, BTreeSet<ObjId>>,
    rows: FxHashMap<PodId, Row>,
    on_node: FxHashMap<(Family, NodeId), SmallVec<[PodId; 8]>>,
    sets: FxHashMap<ObjId, BTreeMap<Place, Equals>>,
}

impl DeletionIndex {
    /// Of the active pods of a ReplicaSet, of which there are more than [`FEW`], those that may be among the first `count` to go, in
    /// order of creation.
    pub fn candidates(&mut self, cluster: &Cluster, set: ObjId, count: usize, now: Time) -> Vec<PodId> {
        let family = family_of(cluster, set);
        if self.families.get(&family).is_none_or(|sets| !sets.contains(&set)) {
            self.follow(family, set, cluster);
        }
        let mut taken = Vec::new();
        let mut places = self.sets.get(&set).into_iter().flatten().peekable();
        while let Some((place, equals)) = places.next() {
            let key = leading(place, now);
            let mut run: SmallVec<[&Equals; 8]> = SmallVec::from_slice(&[equals]);
            while let Some((_, more)) = places.next_if(|(next, _)| leading(next, now) == key) {
                run.push(more);
            }
            let n_equal: usize = run.iter().map(|equals| equals.len()).sum();
            let missing = count - taken.len();
            if n_equal > FEW && missing < n_equal {
                take_first(&run, missing, &mut taken);
            } else {
                taken.extend(run.into_iter().flatten().map(|&(_, pod)| pod));
            }
            if n_equal >= missing {
                break;
            }
        }
        taken.sort_unstable();
        taken
    }

    /// How many active pods of their family are on the nodes of some pods that [`DeletionIndex::candidates`] has named.
    pub fn on_nodes_of(&self, pods: &[PodId]) -> PerNode {
        let of_family = |row: &&Row| matches!(row.family, Family::Of(_));
        let rows = pods.iter().filter_map(|pod| self.rows.get(pod)).filter(of_family);
        rows.filter_map(|row| Some((row.node?, row.place.rank.0))).collect()
    }

    /// Takes note of a change.
    pub fn observe(&mut self, change: Change, cluster: &Cluster) {
        if self.families.is_empty() {
            return;
        }
        match change.object {
            ObjectRef::Pod(pod) if matters(change.what, cluster) || matches!(change.what, What::Bound(_)) => {
                self.refresh(pod, cluster);
            }
            ObjectRef::Object(id) if matches!(change.what, What::Meta | What::Removed) => self.forget(id, cluster),
            _ => {}
        }
    }

    /// An object has another controller, or is gone: what was known of its family is found out anew when it is needed.
    fn forget(&mut self, id: ObjId, cluster: &Cluster) {
        let mut stale: Vec<Family> = vec![Family::Of(id.into()), family_of(cluster, id)];
        stale.extend(self.families.iter().filter(|(_, sets)| sets.contains(&id)).map(|(&family, _)| family));
        for family in stale {
            for set in self.families.remove(&family).into_iter().flatten() {
                for pod in self.sets.remove(&set).into_iter().flat_map(BTreeMap::into_values).flatten() {
                    self.rows.remove(&pod.1);
                }
            }
            self.on_node.retain(|(other, _), _| *other != family);
        }
    }

    fn follow(&mut self, family: Family, set: ObjId, cluster: &Cluster) {
        let sets: BTreeSet<ObjId> = match family {
            Family::Alone(set) => BTreeSet::from([set]),
            Family::Of(controller) => {
                let members = cluster.dependents(controller).filter_map(|dependent| match dependent {
                    ObjectRef::Object(set) => (family_of(cluster, set) == family).then_some(set),
                    _ => None,
                });
                members.chain([set]).collect()
            }
        };
        for &set in &sets {
            for pod in cluster.pods_of(set) {
                if let Some(row) = row_of(cluster, pod) {
                    self.insert(pod, row, cluster);
                }
            }
        }
        self.families.insert(family, sets);
    }

    /// Takes a pod up as it is now.
    pub fn refresh(&mut self, pod: PodId, cluster: &Cluster) {
        let new = row_of(cluster, pod).filter(|row| self.families.contains_key(&row.family));
        let old = self.rows.get(&pod).copied();
        let unranked = |row: Option<Row>| row.map(|row| Row { place: Place { rank: Reverse(0), ..row.place }, ..row });
        if unranked(old) == new {
            return;
        }
        if let Some(old) = old {
            self.remove(pod, old, cluster);
        }
        if let Some(row) = new {
            self.families.entry(row.family).or_default().insert(row.set);
            self.insert(pod, row, cluster);
        }
    }

    fn insert(&mut self, pod: PodId, row: Row, cluster: &Cluster) {
        self.rows.insert(pod, row);
        self.sets.entry(row.set).or_default().entry(row.place).or_default().insert(member(cluster, pod));
        if let (Some(node), Family::Of(_)) = (row.node, row.family) {
            self.on_node.entry((row.family, node)).or_default().push(pod);
            self.rank(row.family, node, cluster);
        }
    }

    fn remove(&mut self, pod: PodId, row: Row, cluster: &Cluster) {
        self.rows.remove(&pod);
        self.leave(pod, row, cluster);
        if let (Some(node), Family::Of(_)) = (row.node, row.family) {
            if let Some(pods) = self.on_node.get_mut(&(row.family, node)) {
                pods.retain(|other| *other != pod);
            }
            self.rank(row.family, node, cluster);
        }
    }

    fn leave(&mut self, pod: PodId, row: Row, cluster: &Cluster) {
        if let Some(places) = self.sets.get_mut(&row.set)
            && let Some(equals) = places.get_mut(&row.place)
        {
            equals.remove(&member(cluster, pod));
            if equals.is_empty() {
                places.remove(&row.place);
            }
        }
    }

    /// Gives every pod of a family on a node its rank: how many they are.
    fn rank(&mut self, family: Family, node: NodeId, cluster: &Cluster) {
        let pods = self.on_node.get(&(family, node)).cloned().unwrap_or_default();
        let rank = Reverse(pods.len() as i64);
        for pod in pods {
            let old = self.rows[&pod];
            if old.place.rank != rank {
                let row = Row { place: Place { rank, ..old.place }, ..old };
                self.leave(pod, old, cluster);
                self.rows.insert(pod, row);
                self.sets.entry(row.set).or_default().entry(row.place).or_default().insert(member(cluster, pod));
            }
        }
    }
}

/// The leading part of the order at an instant, in which ages count by powers of two.
fn leading(place: &Place, now: Time) -> (Place, i64) {
    let now_us = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
    let age = place.since_us.0.map_or(i64::MIN, |since| age_rank(now_us.saturating_sub(since)));
    (Place { since_us: Reverse(None), ..*place }, age)
}

/// The first `count` by uid of several ordered sets.
fn take_first(run: &[&Equals], count: usize, taken: &mut Vec<PodId>) {
    let mut heads: Vec<_> = run.iter().map(|equals| equals.iter()).collect();
    let mut heap: BinaryHeap<_> =
        heads.iter_mut().enumerate().filter_map(|(idx, head)| head.next().map(|&next| Reverse((next, idx)))).collect();
    for _ in 0..count {
        let Some(Reverse(((_, pod), idx))) = heap.pop() else { return };
        taken.push(pod);
        heap.extend(heads[idx].next().map(|&next| Reverse((next, idx))));
    }
}

fn member(cluster: &Cluster, pod: PodId) -> ((u64, u64), PodId) {
    (uid_order(cluster.pod(pod).meta.uid), pod)
}

fn family_of(cluster: &Cluster, set: ObjId) -> Family {
    cluster.controller_of(set).map_or(Family::Alone(set), Family::Of)
}

/// An active pod of a ReplicaSet, with no rank yet.
fn row_of(cluster: &Cluster, pod: PodId) -> Option<Row> {
    let row = cluster.pod(pod);
    let Some(ObjectRef::Object(set)) = cluster.controller_of(pod) else { return None };
    if !row.is_active() || cluster.meta(set.into()).removed || cluster.try_get::<ReplicaSet>(set).is_none() {
        return None;
    }
    let facts = facts_of(cluster, pod, &PerNode::default());
    let place = Place {
        scheduled: facts.scheduled,
        phase: facts.phase,
        ready: facts.ready,
        cost: facts.deletion_cost,
        rank: Reverse(0),
        since_us: Reverse(facts.ready_since_us.filter(|_| facts.ready)),
    };
    Some(Row { family: family_of(cluster, set), set, node: row.node, place })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::ControlPlane;
    use crate::cluster::objects::Deployment;
    use crate::controllers::testing::{EPOCH, World};

    /// Every scale-down of more than [`FEW`] pods is compared with the plain way by an assertion of the controller itself.
    #[test]
    fn many_scale_downs_agree_with_the_plain_way() {
        let mut world = World::at(EPOCH, ControlPlane::ideal());
        world.checked = false;
        for idx in 0..5 {
            let name = format!("node-{idx}");
            world.create(&json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name },
                "status": { "capacity": { "cpu": "64", "memory": "64Gi", "pods": "110" } } }));
        }
        world.create(&json!({ "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "namespace": "default" },
            "spec": { "replicas": 40, "selector": { "matchLabels": { "app": "web" } },
                "template": { "metadata": { "labels": { "app": "web" } },
                    "spec": { "containers": [{ "name": "web", "image": "web:1" }] } } } }));
        let Some(id) = world.cluster.find("Deployment", "default", "web") else { panic!("the Deployment exists") };
        let (mut random, mut at) = (5u64, 0);
        for _ in 1..60 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let replicas = 10 + (random >> 33) % 60;
            world.cluster.update_spec::<Deployment>(id, |this| this.replicas = replicas as i32);
            world.settle();
            at += 1 + (random >> 40) % 100;
            world.run_until(Time::from_secs(at));
        }
        let wanted = world.cluster.get::<Deployment>(id).replicas as usize;
        world.run_until(Time::from_secs(20_000));
        let of_set = |set| match set {
            ObjectRef::Object(set) => world.cluster.pods_of(set).count(),
            _ => 0,
        };
        assert_eq!(world.cluster.dependents(id).map(of_set).sum::<usize>(), wanted);
    }
}
