//! Taint-based eviction: deletes pods that do not bear a `NoExecute` taint of their node, or not for longer
//! (kube-controller-manager, `tainteviction`).

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Context, Controller, Keys};
use crate::api::toleration::{EvictionVerdict, Taint, TaintEffect, Toleration, taint_eviction};
use crate::cluster::{
    Change, Cluster, ConditionStatus, ControllerKind, EventType, NodeId, ObjectRef, PodId, SpecId, What,
};
use crate::engine::{Span, Time};

/// Evicts pods by taints.
#[derive(Default)]
pub struct TaintEvictionController {
    /// The instants at which pods are deleted. A pod whose deletion has been asked for is forgotten here: the next change of its
    /// node's taints asks for it again.
    timers: BTreeMap<PodId, Time>,
    /// Pods that have come to a node, or whose tolerations may have changed, since they were last looked at.
    updated: BTreeSet<PodId>,
    /// Nodes with `NoExecute` taints.
    tainted: BTreeMap<NodeId, Vec<Taint>>,
    /// Pods that have ended and are still there: they are evicted like any other.
    ended: BTreeMap<NodeId, BTreeSet<PodId>>,
    tolerations: BTreeMap<SpecId, Vec<Toleration>>,
}

impl Controller for TaintEvictionController {
    fn kind(&self) -> ControllerKind {
        ControllerKind::TaintEviction
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, keys: &mut Keys<'_>) {
        if let ObjectRef::Pod(pod) = change.object {
            self.note_end(pod, change.what, cluster);
        }
        match (change.object, change.what) {
            (ObjectRef::Node(node), What::Created | What::Taints | What::Removed)
                if !no_execute(node, cluster).is_empty() || self.tainted.contains_key(&node) =>
            {
                keys.add(node);
            }
            (ObjectRef::Pod(pod), What::Created | What::Bound(_) | What::Spec) => {
                let Some(node) = cluster.pod(pod).node else { return };
                if !no_execute(node, cluster).is_empty() || self.timers.contains_key(&pod) {
                    self.updated.insert(pod);
                    keys.add(pod);
                }
            }
            (ObjectRef::Pod(pod), What::Removed) if self.timers.contains_key(&pod) => keys.add(pod),
            _ => {}
        }
    }

    fn reconcile(&mut self, key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        match key {
            ObjectRef::Node(node) => self.node_changed(node, cluster, cx),
            ObjectRef::Pod(pod) => return self.look_at_pod(pod, cluster, cx),
            ObjectRef::Object(_) => {}
        }
        Action::Done
    }
}

impl TaintEvictionController {
    /// Keeps the list of pods that have ended: their node does not count them any more.
    fn note_end(&mut self, pod: PodId, what: What, cluster: &Cluster) {
        let row = cluster.pod(pod);
        let Some(node) = row.node else { return };
        match what {
            What::Removed => {
                if let Some(ended) = self.ended.get_mut(&node) {
                    ended.remove(&pod);
                    if ended.is_empty() {
                        self.ended.remove(&node);
                    }
                }
            }
            What::Created | What::Phase if row.phase.is_terminal() && !row.meta.removed => {
                self.ended.entry(node).or_default().insert(pod);
            }
            _ => {}
        }
    }

    /// The taints of a node have changed (`handleNodeUpdate`).
    fn node_changed(&mut self, node: NodeId, cluster: &mut Cluster, cx: &mut Context<'_>) {
        let taints = if cluster.node(node).meta.removed { Vec::new() } else { no_execute(node, cluster) };
        let before = match taints.is_empty() {
            true => self.tainted.remove(&node),
            false => self.tainted.insert(node, taints.clone()),
        };
        if before.as_ref() == Some(&taints) || before.is_none() && taints.is_empty() || cluster.node(node).meta.removed
        {
            return;
        }
        let ended = self.ended.get(&node).into_iter().flatten().copied();
        let pods: Vec<PodId> = ended.chain(cluster.node(node).pods.iter().copied()).collect();
        for pod in pods {
            if cluster.pod(pod).node == Some(node) {
                self.process(pod, &taints, cluster, cx);
            }
        }
    }

    /// A pod has changed, or its time has come.
    fn look_at_pod(&mut self, pod: PodId, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let now = cx.now();
        if cluster.pod(pod).meta.removed {
            self.updated.remove(&pod);
            self.cancel(pod, cluster);
            return Action::Done;
        }
        if self.updated.remove(&pod)
            && let Some(node) = cluster.pod(pod).node
            && let Some(taints) = self.tainted.get(&node).cloned()
        {
            self.process(pod, &taints, cluster, cx);
        }
        match self.timers.get(&pod) {
            Some(&at) if at <= now => {
                self.evict(pod, cluster, cx);
                Action::Done
            }
            Some(&at) => Action::RequeueAfter(at.since(now)),
            None => Action::Done,
        }
    }

    /// Sets, keeps or cancels the timer of a pod on a node with these taints (`processPodOnNode`).
    fn process(&mut self, pod: PodId, taints: &[Taint], cluster: &mut Cluster, cx: &mut Context<'_>) {
        let spec = cluster.pod(pod).spec;
        let tolerations = self.tolerations.entry(spec).or_insert_with(|| {
            let list = &cluster.specs.get(spec).typed.tolerations;
            list.iter().flatten().filter_map(Toleration::from_api).collect()
        });
        match taint_eviction(taints, tolerations) {
            EvictionVerdict::None | EvictionVerdict::StayForever => self.cancel(pod, cluster),
            EvictionVerdict::EvictNow => {
                self.cancel(pod, cluster);
                self.evict(pod, cluster, cx);
            }
            // A timer that runs is neither shortened nor prolonged: the real controller compares the wanted time of a timer that
            // had begun with the running one with that of one that begins now, which is always later.
            EvictionVerdict::EvictAfter(_) if self.timers.contains_key(&pod) => {}
            EvictionVerdict::EvictAfter(seconds) if seconds <= 0 => self.evict(pod, cluster, cx),
            EvictionVerdict::EvictAfter(seconds) => {
                let delay = Span::from_secs(seconds.unsigned_abs());
                self.timers.insert(pod, cx.now() + delay);
                cx.enqueue_after(pod, delay);
            }
        }
    }

    /// Cancels the timer of a pod, with an event if it was running (`cancelWorkWithEvent`).
    fn cancel(&mut self, pod: PodId, cluster: &mut Cluster) {
        if self.timers.remove(&pod).is_some() {
            let text = format!("Cancelling deletion of Pod {}/{}", cluster.namespace(pod), cluster.name(pod));
            record(pod, &text, cluster);
        }
    }

    /// Deletes a pod (`deletePodHandler`).
    fn evict(&mut self, pod: PodId, cluster: &mut Cluster, cx: &mut Context<'_>) {
        self.timers.remove(&pod);
        let text = format!("Marking for deletion Pod {}/{}", cluster.namespace(pod), cluster.name(pod));
        record(pod, &text, cluster);
        let message = cluster.interner.sym("Taint manager: deleting due to NoExecute taint");
        let words = cluster.words;
        cluster.set_pod_condition(
            pod,
            words.disruption_target,
            ConditionStatus::True,
            words.deletion_by_taint_manager,
            message,
        );
        cluster.delete_pod(pod, None);
        cx.wrote();
        cx.wrote();
    }
}

fn record(pod: PodId, text: &str, cluster: &mut Cluster) {
    let source = cluster.words.taint_eviction_controller;
    cluster.record_event(pod, EventType::Normal, "TaintManagerEviction", text, source);
}

fn no_execute(node: NodeId, cluster: &Cluster) -> Vec<Taint> {
    let taints = cluster.node(node).taints.iter().map(|taint| &taint.taint);
    taints.filter(|taint| taint.effect == TaintEffect::NoExecute).cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::{ControlPlane, NodeTaint, PodPhase, Sym};
    use crate::controllers::testing::{EPOCH, World};

    /// Puts `key=value:NoExecute` in place of all taints of the node.
    fn taint(world: &mut World, at: u64, taints: &[(&str, &str)]) {
        world.run_until(Time::from_secs(at));
        let node = world.cluster.find_node("n1").expect("made");
        let taints = taints.iter().map(|&(key, value)| NodeTaint {
            taint: Taint { key: key.to_owned(), value: value.to_owned(), effect: TaintEffect::NoExecute },
            added: None,
        });
        world.cluster.set_taints(node, taints.collect());
        world.settle();
    }

    /// A pod on the node, which a finalizer holds after its deletion.
    fn pod(world: &mut World, name: &str, tolerations: &serde_json::Value) -> PodId {
        world.create(&json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": name, "namespace": "default", "finalizers": ["example.com/held"] },
            "spec": { "nodeName": "n1", "tolerations": tolerations, "containers": [{ "name": "c", "image": "app:v1" }] },
        }));
        world.cluster.find_pod("default", name).expect("just made")
    }

    fn world() -> World {
        let mut world = World::at(EPOCH, ControlPlane::ideal());
        world.create(&json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n1" } }));
        world
    }

    /// How often each of the two things was said of a pod.
    fn said(world: &World, pod: PodId) -> (u32, u32) {
        let count = |what: &str| {
            let records = world.cluster.events.iter().map(|(_, record)| record);
            let of_pod = records.filter(|record| record.object == ObjectRef::Pod(pod));
            of_pod.filter(|record| world.cluster.event_message(record).starts_with(what)).map(|r| r.count).sum()
        };
        (count("Marking for deletion"), count("Cancelling deletion"))
    }

    #[test]
    fn a_pod_that_is_going_is_asked_to_go_again() {
        let tolerates = |seconds| json!([{ "key": "a", "operator": "Exists", "tolerationSeconds": seconds }]);
        for (tolerations, marked, cancelled, why) in [
            (json!([]), 3, 0, "by every change of the taints, once its deletion has been asked for"),
            (tolerates(5), 3, 0, "after its time each time; the last timer is still there"),
            (tolerates(15), 1, 1, "a running timer is kept by the second taint, and cancelled when all are gone"),
            (tolerates(600), 0, 1, "never"),
            (json!([{ "operator": "Exists" }]), 0, 0, "it tolerates everything for ever"),
        ] {
            let mut world = world();
            let pod = pod(&mut world, "p", &tolerations);
            taint(&mut world, 10, &[("a", "1")]);
            taint(&mut world, 20, &[("a", "2")]);
            taint(&mut world, 30, &[("a", "3")]);
            world.run_until(Time::from_secs(36));
            let before = said(&world, pod).0;
            taint(&mut world, 36, &[]);
            world.run_until(Time::from_secs(700));
            assert_eq!(said(&world, pod).0, before, "{why}: nothing goes on without taints");
            assert_eq!(said(&world, pod), (marked, cancelled), "{why}");
        }
    }

    #[test]
    fn pods_that_have_ended_go_too() {
        let mut world = world();
        let pod = pod(&mut world, "p", &json!([]));
        world.cluster.set_pod_phase(pod, PodPhase::Succeeded, Sym::EMPTY, Sym::EMPTY);
        world.settle();
        taint(&mut world, 10, &[("a", "1")]);
        world.run_until(Time::from_secs(11));
        assert!(world.cluster.pod(pod).meta.is_deleting());
        assert_eq!(said(&world, pod), (1, 0));
    }

    #[test]
    fn the_timer_of_a_pod_survives_its_node() {
        let mut world = world();
        let pod = pod(&mut world, "p", &json!([{ "operator": "Exists", "tolerationSeconds": 12 }]));
        taint(&mut world, 10, &[("a", "1")]);
        world.run_until(Time::from_secs(15));
        let node = world.cluster.find_node("n1").expect("made");
        world.cluster.delete(node, crate::cluster::Propagation::Background);
        world.settle();
        world.run_until(Time::from_secs(21));
        assert!(!world.cluster.pod(pod).meta.is_deleting());
        world.run_until(Time::from_secs(22));
        assert!(world.cluster.pod(pod).meta.is_deleting());
    }
}
