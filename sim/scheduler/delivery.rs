//! A change reaches the scheduler: what the informers' handlers do with it (kube-scheduler v1.36, `eventhandlers.go`).

use super::cycle::Scheduler;
use super::queue::{Actions, ClusterEvent, EventResource, Old};
use super::watch::PodState;
use crate::cluster::{Change, Cluster, ConditionStatus, NodeId, ObjId, ObjectRef, PodId, What};
use crate::engine::Time;

impl Scheduler {
    /// Handles one change that the scheduler sees now.
    pub(super) fn deliver(&mut self, change: Change, cluster: &mut Cluster, now: Time) {
        match change.object {
            ObjectRef::Pod(pod) => self.deliver_pod(pod, change.what, cluster, now),
            ObjectRef::Node(node) => self.deliver_node(node, change.what, cluster, now),
            ObjectRef::Object(object) => self.deliver_object(object, change.what, cluster, now),
        }
    }

    fn move_all(&mut self, event: &ClusterEvent, max_priority: Option<i32>, cluster: &Cluster, now: Time) {
        self.with_queue(cluster, now, |queue, cx| queue.move_all(event, max_priority, cx));
    }

    fn deliver_pod(&mut self, pod: PodId, what: What, cluster: &mut Cluster, now: Time) {
        let row = cluster.pod(pod);
        let state = self.seen.pod(pod).state;
        let has_node = row.node.is_some() || row.missing_node.is_some();
        // The scheduler's informer leaves out pods that have ended: their end is a deletion to it.
        let is_gone = row.meta.removed || row.phase.is_terminal();
        match (state, what) {
            (PodState::Unknown, What::Created) if !is_gone && has_node => self.pod_assigned(pod, cluster, now),
            (PodState::Unknown, What::Created) if !is_gone => self.pod_appeared(pod, cluster, now),
            (PodState::Unknown, _) => {}
            (_, What::Removed | What::Phase) if is_gone => self.pod_gone(pod, state, cluster, now),
            (PodState::Waiting, What::Bound(_)) => self.pod_assigned(pod, cluster, now),
            (PodState::Waiting, _) if is_gone || has_node => {}
            (PodState::Waiting, What::Deleting) if row.assumed.is_some() => self.assumed_pod_deleted(pod, cluster, now),
            (PodState::Waiting, _) => self.waiting_pod_updated(pod, what, cluster, now),
            (PodState::Assigned, _) => self.assigned_pod_updated(pod, cluster, now),
        }
    }

    /// A new pod without a node: queued if one of the profiles is responsible for it.
    fn pod_appeared(&mut self, pod: PodId, cluster: &mut Cluster, now: Time) {
        self.seen.see_pod(pod, PodState::Waiting, cluster);
        if cluster.spec_of(pod).gated {
            // The API server writes this condition with the pod itself.
            let message = cluster.interner.sym(super::policy::SCHEDULING_GATES_MESSAGE);
            let (kind, reason) = (cluster.words.pod_scheduled, cluster.words.scheduling_gated);
            cluster.set_pod_condition(pod, kind, ConditionStatus::False, reason, message);
        }
        if self.profile_of(pod, cluster).is_some() {
            self.with_queue(cluster, now, |queue, cx| queue.add(pod, cx));
        }
    }

    fn pod_assigned(&mut self, pod: PodId, cluster: &Cluster, now: Time) {
        self.seen.see_pod(pod, PodState::Assigned, cluster);
        self.queue.delete(pod);
        let event = ClusterEvent::new(EventResource::AssignedPod, Actions::ADD, pod);
        self.move_all(&event, None, cluster, now);
    }

    fn pod_gone(&mut self, pod: PodId, state: PodState, cluster: &Cluster, now: Time) {
        let before = self.seen.see_pod(pod, PodState::Unknown, cluster);
        let event = ClusterEvent::new(EventResource::AssignedPod, Actions::DELETE, pod);
        match state {
            PodState::Assigned => self.move_all(&event, None, cluster, now),
            PodState::Waiting => {
                self.queue.delete(pod);
                if cluster.pod(pod).assumed.is_some() {
                    self.move_all(&event, None, cluster, now);
                } else if before.nominated.is_some() {
                    // Pods of lower or equal priority were kept off the node as if it were there.
                    self.move_all(&event, Some(cluster.spec_of(pod).priority), cluster, now);
                }
            }
            PodState::Unknown => {}
        }
    }

    /// A pod is deleted between its assumption and its binding: what it holds is given back at once.
    fn assumed_pod_deleted(&mut self, pod: PodId, cluster: &mut Cluster, now: Time) {
        cluster.forget(pod);
        let event = ClusterEvent::new(EventResource::AssignedPod, Actions::DELETE, pod);
        self.move_all(&event, None, cluster, now);
    }

    fn waiting_pod_updated(&mut self, pod: PodId, what: What, cluster: &Cluster, now: Time) {
        let before = self.seen.see_pod(pod, PodState::Waiting, cluster);
        if cluster.pod(pod).assumed.is_some() || self.profile_of(pod, cluster).is_none() {
            return;
        }
        let own = |action| ClusterEvent::new(EventResource::UnscheduledPod, action, pod);
        let row = cluster.pod(pod);
        let mut events = Vec::new();
        if before.labels != row.meta.labels {
            events.push(own(Actions::UPDATE_POD_LABEL).with_old(Old::PodLabels(before.labels)));
        }
        if before.spec != row.spec {
            let (old, new) = (cluster.specs.get(before.spec), cluster.specs.get(row.spec));
            if old.gated && !new.gated {
                events.push(own(Actions::UPDATE_POD_GATES_ELIMINATED));
            }
            let n_tolerations = |spec: &crate::cluster::PodSpec| spec.typed.tolerations.as_ref().map_or(0, Vec::len);
            if n_tolerations(old) != n_tolerations(new) {
                events.push(own(Actions::UPDATE_POD_TOLERATION));
            }
            if old.resources.requests.iter().any(|&(id, amount)| new.resources.request(id) < amount) {
                events.push(own(Actions::UPDATE_POD_SCALE_DOWN));
            }
        }
        if events.is_empty() {
            events.push(own(Actions::UPDATE_OTHER));
        }
        self.with_queue(cluster, now, |queue, cx| queue.update(pod, &events, cx));
        if matches!(what, What::Nominated(_)) {
            self.nomination_changed(pod, before.nominated, cluster, now);
        }
    }

    /// A nominated pod counts as if it were on its node for pods of lower or equal priority: to them its leave is that of an assigned
    /// pod (`hasNominatedNodeNameChanged`).
    fn nomination_changed(&mut self, pod: PodId, before: Option<NodeId>, cluster: &Cluster, now: Time) {
        if before.is_some() && before != cluster.pod(pod).nominated {
            let event = ClusterEvent::new(EventResource::AssignedPod, Actions::DELETE, pod);
            self.move_all(&event, Some(cluster.spec_of(pod).priority), cluster, now);
        }
    }

    fn assigned_pod_updated(&mut self, pod: PodId, cluster: &Cluster, now: Time) {
        let before = self.seen.see_pod(pod, PodState::Assigned, cluster);
        let row = cluster.pod(pod);
        if before.labels != row.meta.labels {
            let event = ClusterEvent::new(EventResource::AssignedPod, Actions::UPDATE_POD_LABEL, pod);
            self.move_all(&event.with_old(Old::PodLabels(before.labels)), None, cluster, now);
        }
        let old = self.seen.see_resources(pod, before.spec, cluster);
        let new = cluster.resources_of(pod);
        if old.requests.iter().any(|&(id, amount)| new.request(id) < amount) {
            let event = ClusterEvent::new(EventResource::AssignedPod, Actions::UPDATE_POD_SCALE_DOWN, pod);
            self.move_all(&event.with_old(Old::PodResources(old)), None, cluster, now);
        }
    }

    /// A node as it is now against what was last seen of it: one event per kind of difference, as the real handler derives them.
    fn deliver_node(&mut self, node: NodeId, what: What, cluster: &Cluster, now: Time) {
        let before = self.seen.see_node(node, cluster);
        let row = cluster.node(node);
        let actions: &[(Actions, bool)] = match &before {
            None => &[(Actions::ADD, what == What::Created && !row.meta.removed)],
            Some(_) if row.meta.removed => &[(Actions::DELETE, true)],
            Some(before) => &[
                // Cordoning helps nobody.
                (
                    Actions::UPDATE_NODE_TAINT,
                    before.taints != row.taints || (before.unschedulable && !row.unschedulable),
                ),
                (Actions::UPDATE_NODE_ALLOCATABLE, before.allocatable != row.allocatable),
                (Actions::UPDATE_NODE_LABEL, before.labels != row.meta.labels),
            ],
        };
        for &(action, _) in actions.iter().filter(|&&(_, happened)| happened) {
            let mut event = ClusterEvent::new(EventResource::Node, action, node);
            event.old = before.clone().map(Old::Node);
            self.move_all(&event, None, cluster, now);
        }
    }

    fn deliver_object(&mut self, object: ObjId, what: What, cluster: &Cluster, now: Time) {
        let Some(resource) = EventResource::of_kind(cluster.object(object).info.kind) else { return };
        let action = match what {
            What::Created => Actions::ADD,
            What::Removed => Actions::DELETE,
            _ => Actions::UPDATE_OTHER,
        };
        self.move_all(&ClusterEvent::new(resource, action, object), None, cluster, now);
    }
}
