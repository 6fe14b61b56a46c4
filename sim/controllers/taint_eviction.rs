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
    /// Pods whose deletion is set for an instant, or has been asked for.
    timers: BTreeMap<PodId, Timer>,
    /// Pods that have come to a node, or whose tolerations may have changed, since they were last looked at.
    updated: BTreeSet<PodId>,
    /// Nodes with `NoExecute` taints.
    tainted: BTreeMap<NodeId, Vec<Taint>>,
    tolerations: BTreeMap<SpecId, Vec<Toleration>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// The pod goes at this instant.
    Set(Time),
    /// The pod's deletion has been asked for: not again, until the timer is cancelled.
    Done,
}

impl Controller for TaintEvictionController {
    fn kind(&self) -> ControllerKind {
        ControllerKind::TaintEviction
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, keys: &mut Keys<'_>) {
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
        let pods: Vec<PodId> = cluster.node(node).pods.clone();
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
            Some(&Timer::Set(at)) if at <= now => {
                self.evict(pod, cluster, cx);
                Action::Done
            }
            Some(&Timer::Set(at)) => Action::RequeueAfter(at.since(now)),
            _ => Action::Done,
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
            // A timer that runs is neither shortened nor prolonged.
            EvictionVerdict::EvictAfter(_) if self.timers.contains_key(&pod) => {}
            EvictionVerdict::EvictAfter(seconds) if seconds <= 0 => self.evict(pod, cluster, cx),
            EvictionVerdict::EvictAfter(seconds) => {
                let delay = Span::from_secs(seconds.unsigned_abs());
                self.timers.insert(pod, Timer::Set(cx.now() + delay));
                cx.enqueue_after(pod, delay);
            }
        }
    }

    /// Cancels the timer of a pod, with an event if it was running (`cancelWorkWithEvent`).
    fn cancel(&mut self, pod: PodId, cluster: &mut Cluster) {
        if let Some(Timer::Set(_)) = self.timers.remove(&pod) {
            let text = format!("Cancelling deletion of Pod {}/{}", cluster.namespace(pod), cluster.name(pod));
            record(pod, &text, cluster);
        }
    }

    /// Deletes a pod (`deletePodHandler`).
    fn evict(&mut self, pod: PodId, cluster: &mut Cluster, cx: &mut Context<'_>) {
        self.timers.insert(pod, Timer::Done);
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
