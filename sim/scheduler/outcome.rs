//! What becomes of an attempt: the binding cycle of a pod that fits, the failure of one that does not (kube-scheduler v1.36,
//! `schedule_one.go`, `bindingCycle` and `handleSchedulingFailure`).

use super::cycle::{Binding, Outcome, Scheduler};
use super::framework::names::PluginSet;
use super::policy::{Nomination, Rejection};
use super::queue::{Actions, ClusterEvent, EventResource};
use crate::cluster::{Agenda, Cluster, ConditionStatus, EventMessage, EventType, NodeId, PodId, Sym};
use crate::engine::Span;

impl Scheduler {
    /// Ends the binding cycle of a pod. The API server refuses a pod that is gone, is being deleted, or is bound already; it does not
    /// ask whether the node is still there.
    pub(super) fn bind(&mut self, pod: PodId, binding: Binding, cluster: &mut Cluster, agenda: &mut Agenda) {
        if let Some(refusal) = refusal(pod, cluster) {
            return self.binding_failed(pod, binding, &refusal, cluster, agenda);
        }
        cluster.bind(pod, binding.node);
        let message = EventMessage::Assigned(binding.node);
        cluster.record_series(pod.into(), EventType::Normal, self.words.scheduled, message, binding.source);
    }

    /// The binding was refused: gives the assumed resources back, tells the queue, and tries the pod again after the back-off for
    /// errors.
    fn binding_failed(
        &mut self,
        pod: PodId,
        binding: Binding,
        refusal: &str,
        cluster: &mut Cluster,
        agenda: &mut Agenda,
    ) {
        cluster.forget(pod);
        let freed = ClusterEvent::new(EventResource::AssignedPod, Actions::DELETE, pod);
        self.with_queue(cluster, agenda.now(), |queue, cx| queue.move_all(&freed, None, cx));
        let message = format!("running Bind plugin \"DefaultBinder\": {refusal}");
        if !is_waiting(pod, cluster) {
            self.warn(pod, &message, binding.source, cluster);
            return;
        }
        self.queue.restore(binding.row);
        self.fail(pod, Outcome::Error(message), cluster, agenda);
    }

    /// Ends a failed attempt: back to the queue, event, condition, nomination, preemption. Returns how much longer the cycle takes
    /// for its API calls.
    pub(super) fn fail(&mut self, pod: PodId, outcome: Outcome, cluster: &mut Cluster, agenda: &mut Agenda) -> Span {
        if !is_waiting(pod, cluster) {
            self.queue.done(pod);
            return Span::ZERO;
        }
        let source = cluster.spec_of(pod).scheduler_name;
        let (rejection, reason) = match outcome {
            Outcome::Rejected(rejection) => (*rejection, cluster.words.unschedulable),
            Outcome::Error(message) => (
                Rejection { message, nomination: Nomination::Clear, ..Rejection::default() },
                cluster.words.scheduler_error,
            ),
        };
        let node = match rejection.nomination {
            Nomination::Set(node) => Some(node),
            Nomination::Keep | Nomination::Clear => None,
        };
        let preempts = node.filter(|_| !rejection.victims.is_empty());
        if let Some(node) = preempts {
            self.evictions.begin(pod, node, rejection.victims, source);
        }
        let (rejected_by, pending): (PluginSet, PluginSet) = (rejection.rejected_by, rejection.pending);
        self.with_queue(cluster, agenda.now(), |queue, cx| queue.add_unschedulable(pod, rejected_by, pending, cx));
        self.warn(pod, &rejection.message, source, cluster);
        let patched = self.patch_status(pod, rejection.nomination, reason, &rejection.message, cluster);
        let spent = if patched {
            let begun = self.client.take(agenda.now());
            begun.since(agenda.now()) + agenda.control_plane.write_latency
        } else {
            Span::ZERO
        };
        if let Some(node) = preempts {
            self.clear_lower_nominations(pod, node, cluster);
            self.evictions.schedule(pod, &mut self.client, agenda);
        }
        spent
    }

    /// Writes condition and nomination in one patch. Returns whether there was anything to write.
    fn patch_status(
        &mut self,
        pod: PodId,
        nomination: Nomination,
        reason: Sym,
        message: &str,
        cluster: &mut Cluster,
    ) -> bool {
        let before = cluster.revision();
        match nomination {
            Nomination::Keep => {}
            Nomination::Clear => cluster.nominate(pod, None),
            Nomination::Set(node) => cluster.nominate(pod, Some(node)),
        }
        let (kind, message) = (cluster.words.pod_scheduled, cluster.interner.sym(message));
        cluster.set_pod_condition(pod, kind, ConditionStatus::False, reason, message);
        cluster.revision() != before
    }

    /// Pods of lower priority that were nominated to the node may no longer fit there: they lose their nomination.
    fn clear_lower_nominations(&self, pod: PodId, node: NodeId, cluster: &mut Cluster) {
        let priority = cluster.spec_of(pod).priority;
        let others = self.nominator.on_node(node);
        let lower: Vec<PodId> = others.filter(|&other| cluster.spec_of(other).priority < priority).collect();
        for other in lower {
            cluster.nominate(other, None);
        }
    }
}

/// Whether a pod is still there to be scheduled.
fn is_waiting(pod: PodId, cluster: &Cluster) -> bool {
    let row = cluster.pod(pod);
    !row.meta.removed && !row.phase.is_terminal() && row.placed().is_none() && row.missing_node.is_none()
}

/// Why the API server does not bind a pod (kube-apiserver, `registry/core/pod/storage`, `assignPod`).
fn refusal(pod: PodId, cluster: &Cluster) -> Option<String> {
    let (row, name) = (cluster.pod(pod), cluster.name(pod));
    let conflict =
        |what: String| Some(format!("Operation cannot be fulfilled on pods/binding \"{name}\": pod {name} {what}"));
    if row.meta.removed {
        return Some(format!("pods \"{name}\" not found"));
    }
    if row.meta.is_deleting() {
        return conflict("is being deleted, cannot be assigned to a host".to_owned());
    }
    match (row.node, row.missing_node) {
        (Some(node), _) => conflict(format!("is already assigned to node \"{}\"", cluster.name(node))),
        (None, Some(node)) => conflict(format!("is already assigned to node \"{}\"", cluster.interner.text(node))),
        (None, None) => None,
    }
}
