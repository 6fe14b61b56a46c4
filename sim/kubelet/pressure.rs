//! The eviction loop of a node: what is left of memory, disk and processes, and who goes when it is too little
//! (kubelet, `eviction/eviction_manager.go`).
//!
//! A node of which the pods cannot use more than it can spare is never looked at.

use super::eviction::{self, CRITICAL_PRIORITY, MONITORING_PERIOD, Ranked};
use super::kubelets::{Cx, Kubelets};
use super::thresholds::{Amount, Observation, PRESSURES, Pressure, Signal, SignalThreshold};
use super::usage::{container_usage, pod_disk, pod_inodes, pod_usage};
use super::worker::{End, Stage, Worker};
use crate::api::quantity::{Format, Quantity};
use crate::cluster::{
    ConditionStatus, EventType, KubeletHealth, NodeId, NodeStep, PodId, PodPhase, ResourceId, quantity_text,
};
use crate::engine::{Id, Span, Time};

/// Grace of a pod evicted at a hard threshold or for its own limits, in seconds (`immediateEvictionGracePeriodSeconds`).
const IMMEDIATELY: u32 = 1;

impl Kubelets {
    /// A container has started: from now on the node may run short.
    pub(super) fn watch_pressure(&mut self, w: &Worker, idx: usize, cx: &mut Cx<'_>) {
        let usage = &w.model(idx).usage;
        let counts = [&usage.memory, &usage.disk, &usage.pids, &usage.inodes].into_iter().any(Option::is_some);
        if counts || w.behaviour.volumes.iter().chain(&w.behaviour.volume_inodes).any(Option::is_some) {
            self.plan_pressure_check(w.node, cx.now(), cx);
        }
    }

    /// An image has come: the disk may run short.
    pub(super) fn watch_disk(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        let seen = self.worst_case(node, cx);
        if self
            .options
            .eviction
            .iter()
            .any(|threshold| threshold.signal.pressure() == Pressure::Disk && meets(threshold, &seen))
        {
            self.plan_pressure_check(node, cx.now(), cx);
        }
    }

    /// Schedules the next look at a node, at a tick of its eviction loop, unless one is pending.
    pub(super) fn plan_pressure_check(&mut self, node: NodeId, from: Time, cx: &mut Cx<'_>) {
        if !std::mem::replace(&mut self.node(node).pressure_check_pending, true) {
            let anchor = cx.cluster.node(node).meta.created;
            cx.node_step(from.next_tick(anchor, MONITORING_PERIOD), node, NodeStep::PressureCheck);
        }
    }

    /// One look: what is left, the conditions, and at most one pod to go.
    pub(super) fn pressure_check(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        self.node(node).pressure_check_pending = false;
        let row = cx.cluster.node(node);
        let asleep = matches!(row.kubelet, KubeletHealth::Down { .. } | KubeletHealth::Stopped { .. });
        if row.meta.removed || asleep {
            return;
        }
        let now = cx.now();
        let seen = self.observe_node(node, now, cx);
        let thresholds = std::mem::take(&mut self.options.eviction);
        let transition = self.options.eviction_transition;
        let verdict = self.node(node).monitor.turn(&thresholds, &seen, now, transition);
        for pressure in PRESSURES {
            self.report_pressure(node, pressure, verdict.pressures[pressure as usize], cx);
        }
        if !self.evict_over_limits(node, cx)
            && let Some(&first) = verdict.act.first()
        {
            self.reclaim(node, &thresholds, first, &seen, cx);
        }
        let worst = self.worst_case(node, cx);
        let may_come = self.usage_varies(node) && thresholds.iter().any(|threshold| meets(threshold, &worst));
        self.options.eviction = thresholds;
        if verdict.any_met || verdict.pressures.contains(&true) || may_come || self.may_exceed_limits(node) {
            self.plan_pressure_check(node, now + Span::from_micros(1), cx);
        }
    }

    fn report_pressure(&mut self, node: NodeId, pressure: Pressure, holds: bool, cx: &mut Cx<'_>) {
        let words = cx.cluster.words;
        let (kind, reason, message) = match (pressure, holds) {
            (Pressure::Memory, true) => {
                (words.memory_pressure, "KubeletHasInsufficientMemory", "kubelet has insufficient memory available")
            }
            (Pressure::Memory, false) => {
                (words.memory_pressure, "KubeletHasSufficientMemory", "kubelet has sufficient memory available")
            }
            (Pressure::Disk, true) => (words.disk_pressure, "KubeletHasDiskPressure", "kubelet has disk pressure"),
            (Pressure::Disk, false) => {
                (words.disk_pressure, "KubeletHasNoDiskPressure", "kubelet has no disk pressure")
            }
            (Pressure::Pid, true) => {
                (words.pid_pressure, "KubeletHasInsufficientPID", "kubelet has insufficient PID available")
            }
            (Pressure::Pid, false) => {
                (words.pid_pressure, "KubeletHasSufficientPID", "kubelet has sufficient PID available")
            }
        };
        let [reason_sym, message] = [reason, message].map(|text| cx.cluster.interner.sym(text));
        if !self.is_cut_off(node, cx.cluster)
            && cx.cluster.set_node_condition(node, kind, ConditionStatus::from(holds), reason_sym, message)
        {
            let event = reason.replacen("Kubelet", "Node", 1);
            let text = format!("Node {} status is now: {event}", cx.cluster.name(node));
            self.note_node(node, &event, &text, cx);
        }
    }

    /// Evicts every pod that is over a limit of its own. Returns whether there was any.
    fn evict_over_limits(&mut self, node: NodeId, cx: &mut Cx<'_>) -> bool {
        let over = self.over_limits(node, cx.now(), cx);
        let any = !over.is_empty();
        for (pod, text) in over {
            self.evict_pod(pod, &text, IMMEDIATELY, cx);
        }
        any
    }

    /// Acts on a threshold: first the node's own means, then one pod.
    fn reclaim(
        &mut self,
        node: NodeId,
        thresholds: &[SignalThreshold],
        first: usize,
        seen: &[Observation],
        cx: &mut Cx<'_>,
    ) {
        let threshold = thresholds[first];
        if self.options.events && !self.is_cut_off(node, cx.cluster) {
            let source = cx.cluster.words.kubelet;
            let text = format!("Attempting to reclaim {}", threshold.signal.resource());
            cx.cluster.record_event(node, EventType::Warning, "EvictionThresholdMet", &text, source);
        }
        if threshold.signal.pressure() == Pressure::Disk && self.delete_unused_images(node, cx) {
            let after = self.observe_node(node, cx.now(), cx);
            if self.nodes[node.index()].monitor.is_resolved(thresholds, &after) {
                return;
            }
        }
        let Some(seen) = seen.iter().find(|seen| seen.signal == threshold.signal) else { return };
        self.evict_one(node, &threshold, seen, cx);
    }

    /// Evicts the pod that ranks first; critical ones are passed over.
    fn evict_one(&mut self, node: NodeId, threshold: &SignalThreshold, seen: &Observation, cx: &mut Cx<'_>) {
        let now = cx.now();
        let signal = threshold.signal;
        let pods = self.nodes[node.index()].pods.iter();
        let workers = pods.filter_map(|&pod| self.worker(pod));
        let mut ranked: Vec<Ranked<PodId>> = workers
            .filter(|w| w.stage == Stage::Active && !self.is_critical(w, cx))
            .map(|w| Ranked {
                pod: w.pod,
                priority: cx.cluster.spec_of(w.pod).priority,
                request: request_of(w, signal, cx),
                usage: used_by(w, signal, now),
            })
            .collect();
        match signal {
            Signal::Pid => eviction::rank_processes(&mut ranked),
            _ => eviction::rank(&mut ranked),
        }
        // What has no model uses nothing that could be reclaimed.
        let Some(first) = ranked.iter().find(|pod| pod.usage.is_some_and(|amount| amount > 0)) else { return };
        let pod = first.pod;
        let Some(w) = self.worker(pod) else { return };
        let text = self.eviction_message(w, threshold, seen, cx);
        let grace = match threshold.grace {
            None => IMMEDIATELY,
            Some(_) => eviction::eviction_grace(Some(self.options.eviction_max_pod_grace), w.shape.grace_seconds),
        };
        self.node(node).evicting = Some(pod);
        self.evict_pod(pod, &text, grace, cx);
        self.evicted(node, pod, cx);
    }

    /// `The node was low on resource: memory. Threshold quantity: 100Mi, available: 0. Container c was using 6Gi, ...`
    fn eviction_message(&self, w: &Worker, threshold: &SignalThreshold, seen: &Observation, cx: &Cx<'_>) -> String {
        let (signal, resource) = (threshold.signal, threshold.signal.resource());
        let mut text = format!(
            "The node was low on resource: {resource}. Threshold quantity: {}, available: {}. ",
            threshold_text(threshold, seen.capacity),
            text_of(signal, seen.available),
        );
        for idx in 0..w.rows.len() {
            let container = w.container(idx);
            let request = match signal {
                Signal::Memory => container.memory_request,
                Signal::NodeFs | Signal::ImageFs => container.disk_request,
                Signal::NodeFsInodes | Signal::ImageFsInodes | Signal::Pid => continue,
            };
            let used = container_usage(w, idx, signal, cx.now());
            let Some(used) = used.filter(|&used| request < used) else { continue };
            let name = cx.cluster.interner.text(container.name);
            text.push_str(&format!(
                "Container {name} was using {}, request is {}, has larger consumption of {resource}. ",
                text_of(signal, used),
                text_of(signal, request)
            ));
        }
        text
    }

    /// Ends a pod: it has failed, `Evicted`.
    fn evict_pod(&mut self, pod: PodId, text: &str, grace_seconds: u32, cx: &mut Cx<'_>) {
        let Some(mut w) = self.take_worker(pod) else { return };
        self.note_pod(pod, EventType::Warning, "Evicted", text, cx);
        let (reason, message) = (cx.cluster.interner.sym("Evicted"), cx.cluster.interner.sym(text));
        let end = End { phase: Some(PodPhase::Failed), reason, message, disruption: true };
        self.terminate(&mut w, end, Span::from_secs(u64::from(grace_seconds)), cx);
        self.put_worker(w);
    }

    /// Once an evicted pod is cleaned up the loop looks again, without waiting for its period.
    pub(super) fn evicted(&mut self, node: NodeId, pod: PodId, cx: &mut Cx<'_>) {
        let ended = self.worker(pod).is_none_or(|w| w.stage == Stage::Ended);
        if ended && self.node(node).evicting == Some(pod) {
            self.node(node).evicting = None;
            let cleaned_up = cx.now() + self.options.teardown;
            cx.node_step(self.noticed_on(node, cleaned_up), node, NodeStep::PressureCheck);
        }
    }

    /// Whether a pod is never evicted by its kubelet: a static one, or one of critical priority (kubelet, `IsCriticalPod`).
    pub(super) fn is_critical(&self, w: &Worker, cx: &Cx<'_>) -> bool {
        w.is_static || CRITICAL_PRIORITY <= cx.cluster.spec_of(w.pod).priority
    }
}

fn meets(threshold: &SignalThreshold, seen: &[Observation]) -> bool {
    seen.iter().any(|seen| seen.signal == threshold.signal && threshold.is_met(seen))
}

/// Disk pressure counts all that a pod has on disk, wherever it lies.
fn used_by(w: &Worker, signal: Signal, at: Time) -> Option<i64> {
    match signal {
        Signal::NodeFs | Signal::ImageFs => pod_disk(w, at),
        Signal::NodeFsInodes | Signal::ImageFsInodes => pod_inodes(w, at),
        Signal::Memory | Signal::Pid => pod_usage(w, signal, at),
    }
}

fn request_of(w: &Worker, signal: Signal, cx: &Cx<'_>) -> i64 {
    let requests = cx.cluster.resources_of(w.pod);
    match signal {
        Signal::Memory => requests.request(ResourceId::MEMORY),
        Signal::NodeFs | Signal::ImageFs => requests.request(ResourceId::EPHEMERAL_STORAGE),
        // Nobody can ask for inodes or processes.
        Signal::NodeFsInodes | Signal::ImageFsInodes | Signal::Pid => 0,
    }
}

/// What must be left; a share of the capacity counts in powers of two, whatever it is a share of (kubelet,
/// `GetThresholdQuantity`).
fn threshold_text(threshold: &SignalThreshold, capacity: i64) -> String {
    let amount = threshold.value.of(capacity);
    match threshold.value {
        Amount::Share(_) => Quantity::from_value(amount, Format::BinarySI).to_string(),
        Amount::Absolute(_) => text_of(threshold.signal, amount),
    }
}

fn text_of(signal: Signal, amount: i64) -> String {
    match signal {
        Signal::Memory => quantity_text("memory", ResourceId::MEMORY, amount),
        Signal::NodeFs | Signal::ImageFs => super::local_storage::bytes(amount),
        Signal::NodeFsInodes | Signal::ImageFsInodes | Signal::Pid => {
            Quantity::from_value(amount, Format::DecimalSI).to_string()
        }
    }
}
