//! The eviction loop of a node: memory that containers use, as models say it.
//!
//! A node of which the containers cannot use more than it can spare is never looked at.

use super::eviction::{self, CRITICAL_PRIORITY, MONITORING_PERIOD, Ranked, Threshold};
use super::kubelets::{Cx, Kubelets};
use super::model::Usage;
use super::worker::{End, Stage, Worker};
use crate::cluster::{
    Cluster, ConditionStatus, EventType, NodeId, NodeStep, PodId, PodPhase, ResourceId, quantity_text,
};
use crate::engine::{Span, Time};

impl Kubelets {
    /// What the running containers of a pod use at `at`: thousandths of a core, and bytes. `None` if no model says so.
    pub fn usage(&self, pod: PodId, at: Time) -> Option<(i64, i64)> {
        let w = self.worker(pod)?;
        let (cpu, memory) = (used(w, at, |w, idx| w.model(idx).usage.cpu.as_ref()), memory_used(w, at));
        (cpu.is_some() || memory.is_some()).then(|| (cpu.unwrap_or(0), memory.unwrap_or(0)))
    }

    /// The same by container, as the metrics server shows it: its name, thousandths of a core, bytes. A container without a model
    /// is not there.
    pub fn container_usage(&self, pod: PodId, at: Time, cluster: &Cluster) -> Vec<(String, i64, i64)> {
        let Some(w) = self.worker(pod) else { return Vec::new() };
        let one = |idx: usize| {
            let started = w.rows[idx].running_since()?;
            let usage = &w.model(idx).usage;
            let amount = |usage: Option<&Usage>| usage.map(|usage| usage.at(at, started) as i64);
            let (cpu, memory) = (amount(usage.cpu.as_ref()), amount(usage.memory.as_ref()));
            let name = cluster.interner.text(w.shape.containers[idx].name).to_owned();
            (cpu.is_some() || memory.is_some()).then(|| (name, cpu.unwrap_or(0), memory.unwrap_or(0)))
        };
        (0..w.rows.len()).filter_map(one).collect()
    }

    /// A container has started: from now on the node may run short.
    pub(super) fn watch_pressure(&mut self, w: &Worker, idx: usize, cx: &mut Cx<'_>) {
        if w.model(idx).usage.memory.is_some() {
            self.plan_pressure_check(w.node, cx.now(), cx);
        }
    }

    /// Schedules the next look at a node, at a tick of its eviction loop, unless one is pending.
    fn plan_pressure_check(&mut self, node: NodeId, from: Time, cx: &mut Cx<'_>) {
        if !std::mem::replace(&mut self.node(node).pressure_check_pending, true) {
            let anchor = cx.cluster.node(node).meta.created;
            cx.node_step(from.next_tick(anchor, MONITORING_PERIOD), node, NodeStep::PressureCheck);
        }
    }

    /// One look: memory that is left, the condition, and at most one pod to go.
    pub(super) fn pressure_check(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        self.node(node).pressure_check_pending = false;
        let row = cx.cluster.node(node);
        if row.meta.removed || matches!(row.kubelet, crate::cluster::KubeletHealth::Down { .. }) {
            return;
        }
        let now = cx.now();
        let capacity = row.capacity.iter().find(|(id, _)| *id == ResourceId::MEMORY).map_or(0, |&(_, bytes)| bytes);
        let threshold = Threshold { value: self.options.eviction_hard_memory, min_reclaim: 0 };
        let (mut most, mut left) = (0, capacity);
        for &pod in &self.nodes[crate::engine::Id::index(node)].pods {
            let Some(w) = self.worker(pod) else { continue };
            left -= memory_used(w, now).unwrap_or(0);
            most += most_memory(w);
        }
        let met = threshold.is_met(left);
        if met {
            self.node(node).pressure_observed = Some(now);
        }
        let holds = self.node(node).pressure_observed;
        let holds = holds.is_some_and(|at| met || eviction::condition_holds(at, now, self.options.eviction_transition));
        self.report_pressure(node, holds, cx);
        if met {
            self.evict_one(node, left, cx);
        }
        if holds || capacity - most < threshold.value {
            self.plan_pressure_check(node, now + Span::from_micros(1), cx);
        }
    }

    fn report_pressure(&mut self, node: NodeId, holds: bool, cx: &mut Cx<'_>) {
        let kind = cx.cluster.words.memory_pressure;
        let (reason, message) = match holds {
            true => ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
            false => ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        };
        let [reason_sym, message] = [reason, message].map(|text| cx.cluster.interner.sym(text));
        if cx.cluster.node(node).kubelet.silent_since().is_none()
            && cx.cluster.set_node_condition(node, kind, ConditionStatus::from(holds), reason_sym, message)
            && self.options.events
        {
            let event = if holds { "NodeHasInsufficientMemory" } else { "NodeHasSufficientMemory" };
            let text = format!("Node {} status is now: {event}", cx.cluster.name(node));
            let source = cx.cluster.words.kubelet;
            cx.cluster.record_event(node, EventType::Normal, event, &text, source);
        }
    }

    /// Evicts the pod that ranks first; critical ones are passed over.
    fn evict_one(&mut self, node: NodeId, left: i64, cx: &mut Cx<'_>) {
        let now = cx.now();
        if self.options.events {
            let source = cx.cluster.words.kubelet;
            cx.cluster.record_event(
                node,
                EventType::Warning,
                "EvictionThresholdMet",
                "Attempting to reclaim memory",
                source,
            );
        }
        let pods = self.nodes[crate::engine::Id::index(node)].pods.iter();
        let workers = pods.filter_map(|&pod| self.worker(pod));
        let mut ranked: Vec<Ranked<PodId>> = workers
            .filter(|w| w.stage == Stage::Active)
            .map(|w| Ranked {
                pod: w.pod,
                priority: cx.cluster.spec_of(w.pod).priority,
                request: cx.cluster.resources_of(w.pod).request(ResourceId::MEMORY),
                usage: memory_used(w, now),
            })
            .filter(|pod| pod.priority < CRITICAL_PRIORITY)
            .collect();
        eviction::rank(&mut ranked);
        // What has no model uses nothing that could be reclaimed.
        let Some(first) = ranked.iter().find(|pod| pod.usage.is_some_and(|bytes| bytes > 0)) else { return };
        let Some(mut w) = self.take_worker(first.pod) else { return };
        let bytes = |amount: i64| quantity_text("memory", ResourceId::MEMORY, amount);
        let mut text = format!(
            "The node was low on resource: memory. Threshold quantity: {}, available: {}. ",
            bytes(self.options.eviction_hard_memory),
            bytes(left.max(0))
        );
        for idx in 0..w.rows.len() {
            let request = w.container(idx).memory_request;
            let Some(usage) = container_memory(&w, idx, now).filter(|&usage| request < usage) else { continue };
            let name = cx.cluster.interner.text(w.container(idx).name);
            text.push_str(&format!(
                "Container {name} was using {}, request is {}, has larger consumption of memory. ",
                bytes(usage),
                bytes(request)
            ));
        }
        self.note_pod(w.pod, EventType::Warning, "Evicted", &text, cx);
        let (reason, message) = (cx.cluster.interner.sym("Evicted"), cx.cluster.interner.sym(&text));
        let end = End { phase: Some(PodPhase::Failed), reason, message, disruption: true };
        let grace = Span::from_secs(u64::from(eviction::eviction_grace(None, w.shape.grace_seconds)));
        self.node(node).evicting = Some(w.pod);
        self.terminate(&mut w, end, grace, cx);
        self.put_worker(w);
        self.evicted(node, first.pod, cx);
    }

    /// Once an evicted pod is gone the loop looks again at once, without waiting for its period.
    pub(super) fn evicted(&mut self, node: NodeId, pod: PodId, cx: &mut Cx<'_>) {
        let ended = self.worker(pod).is_none_or(|w| w.stage == Stage::Ended);
        if ended && self.node(node).evicting == Some(pod) {
            self.node(node).evicting = None;
            cx.node_step(cx.now(), node, NodeStep::PressureCheck);
        }
    }
}

fn container_memory(w: &Worker, idx: usize, at: Time) -> Option<i64> {
    let started = w.rows[idx].running_since()?;
    Some(w.model(idx).usage.memory.as_ref()?.at(at, started) as i64)
}

fn memory_used(w: &Worker, at: Time) -> Option<i64> {
    used(w, at, |w, idx| w.model(idx).usage.memory.as_ref())
}

fn used<'a>(w: &'a Worker, at: Time, usage: impl Fn(&'a Worker, usize) -> Option<&'a Usage>) -> Option<i64> {
    let amounts = (0..w.rows.len()).filter_map(|idx| {
        let started = w.rows[idx].running_since()?;
        Some(usage(w, idx)?.at(at, started) as i64)
    });
    amounts.reduce(|sum, amount| sum.saturating_add(amount))
}

/// The most memory that the containers of a pod will ever use.
fn most_memory(w: &Worker) -> i64 {
    let models = w.behaviour.containers.iter().filter_map(|model| model.usage.memory.as_ref());
    models.map(|usage| usage.most() as i64).fold(0, i64::saturating_add)
}
