//! Graceful node shutdown: groups of pods by priority, one after the other (kubelet, `nodeshutdown/nodeshutdown_manager.go`).

use super::eviction::CRITICAL_PRIORITY;
use super::kubelets::{Cx, Kubelets};
use super::worker::{End, Stage};
use crate::cluster::{ConditionStatus, KubeletHealth, NodeId, NodeStep, PodId, PodPhase};
use crate::engine::Span;

/// A priority from which on pods belong to a group, and how long the group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShutdownGroup {
    /// The least priority, but for the first group, which also has all below.
    pub priority: i32,
    /// How long its pods have.
    pub seconds: u32,
}

/// The two groups of `shutdownGracePeriod` and `shutdownGracePeriodCriticalPods`.
pub fn two_groups(total_seconds: u32, critical_seconds: u32) -> Vec<ShutdownGroup> {
    if total_seconds == 0 {
        return Vec::new();
    }
    let critical = critical_seconds.min(total_seconds);
    vec![
        ShutdownGroup { priority: 0, seconds: total_seconds - critical },
        ShutdownGroup { priority: CRITICAL_PRIORITY, seconds: critical },
    ]
}

/// The group of a pod among groups in rising order of priority: the last one whose priority it reaches, else the first.
pub fn group_of(groups: &[ShutdownGroup], priority: i32) -> Option<usize> {
    let reached = groups.partition_point(|group| group.priority <= priority);
    (!groups.is_empty()).then(|| reached.saturating_sub(1))
}

/// The grace of a pod in its group.
pub fn shutdown_grace(group: ShutdownGroup, pod_grace_seconds: u32) -> u32 {
    group.seconds.min(pod_grace_seconds)
}

impl Kubelets {
    pub(super) fn shutdown_groups(&self) -> Vec<ShutdownGroup> {
        let seconds = |span: Span| u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
        if !self.options.shutdown_groups.is_empty() {
            return self.options.shutdown_groups.clone();
        }
        two_groups(seconds(self.options.shutdown_grace), seconds(self.options.shutdown_grace_critical))
    }

    /// The machine is being shut down: the node says so at once, then its pods are stopped group by group.
    pub(super) fn begin_shutdown(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        if self.shutdown_groups().is_empty() {
            return self.power_off(node, cx);
        }
        let ready = cx.cluster.words.ready;
        let [reason, message] = ["KubeletNotReady", "node is shutting down"].map(|text| cx.cluster.interner.sym(text));
        let text = format!("Node {} status is now: NodeNotReady", cx.cluster.name(node));
        self.note_node(node, "NodeNotReady", &text, cx);
        cx.cluster.set_node_condition(node, ready, ConditionStatus::False, reason, message);
        self.node(node).shutdown_group = 0;
        self.shutdown_step(node, 0, cx);
    }

    /// Stops the pods of group `group`, or goes on to the next one that has any.
    pub(super) fn shutdown_step(&mut self, node: NodeId, group: u16, cx: &mut Cx<'_>) {
        let shutting_down = matches!(cx.cluster.node(node).kubelet, KubeletHealth::ShuttingDown { .. });
        if !shutting_down || self.node(node).shutdown_group != group {
            return;
        }
        let groups = self.shutdown_groups();
        let idx = usize::from(group);
        let Some(&this) = groups.get(idx) else { return self.power_off(node, cx) };
        let pods: Vec<PodId> = self.node(node).pods.iter().copied().collect();
        let mut n_stopping = 0;
        for pod in pods {
            if group_of(&groups, cx.cluster.spec_of(pod).priority) != Some(idx) {
                continue;
            }
            let Some(mut w) = self.take_worker(pod) else { continue };
            if w.stage == Stage::Active {
                let text = "Pod was terminated in response to imminent node shutdown.";
                let [reason, message] = ["Terminated", text].map(|text| cx.cluster.interner.sym(text));
                let end = End { phase: Some(PodPhase::Failed), reason, message, disruption: true };
                let grace = shutdown_grace(this, w.shape.grace_seconds);
                self.terminate(&mut w, end, Span::from_secs(u64::from(grace)), cx);
            }
            n_stopping += usize::from(w.stage == Stage::Terminating);
            self.put_worker(w);
        }
        if n_stopping == 0 {
            return self.next_shutdown_group(node, Span::ZERO, cx);
        }
        let at = cx.now() + Span::from_secs(u64::from(this.seconds));
        cx.node_step_of(at, node, NodeStep::Shutdown, group + 1);
    }

    /// A pod of a node that is shutting down has stopped: when it was the last of its group, the next group's turn comes.
    pub(super) fn pod_shut_down(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        if !matches!(cx.cluster.node(node).kubelet, KubeletHealth::ShuttingDown { .. }) {
            return;
        }
        let pods = &self.nodes[crate::engine::Id::index(node)].pods;
        if !pods.iter().any(|&pod| self.worker(pod).is_some_and(|w| w.stage == Stage::Terminating)) {
            self.next_shutdown_group(node, self.options.teardown, cx);
        }
    }

    /// The next group's turn comes, once what the pods of this one had on the node is cleaned up.
    fn next_shutdown_group(&mut self, node: NodeId, after: Span, cx: &mut Cx<'_>) {
        let next = self.node(node).shutdown_group + 1;
        cx.node_step_of(cx.now() + after, node, NodeStep::Shutdown, next);
    }

    /// The turn of group `group` has come, because the one before it is done or because its time is over.
    pub(super) fn shutdown_group_due(&mut self, node: NodeId, group: u16, cx: &mut Cx<'_>) {
        if self.node(node).shutdown_group + 1 == group {
            self.node(node).shutdown_group = group;
            self.shutdown_step(node, group, cx);
        }
    }

    fn power_off(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        cx.cluster.set_kubelet_health(node, KubeletHealth::Down { since: cx.now() });
    }
}
