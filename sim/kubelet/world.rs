//! What happens to a node or a container from outside: the kubelet restarts, the machine becomes slow, a process dies.

use super::admission::Admission;
use super::kubelets::{Cx, Kubelets};
use super::node::HEALTHY;
use super::options::KubeletKind;
use super::worker::{Busy, End, Exit, Stage, Worker};
use crate::cluster::{ContainerState, NodeId, PodPhase, PodStep};
use crate::engine::{Span, Time};

/// Containers that had been running for longer when the kubelet started keep their readiness (kubelet, `prober_manager.go`).
const KEEPS_READY_AFTER: Span = Span::from_secs(10);

impl Kubelets {
    /// The kubelet of a node starts anew while its containers run on: back-off is forgotten, pods are admitted again, probes begin
    /// again (kubelet, `kubelet.go` `HandlePodAdditions`, `prober/worker.go`).
    pub(super) fn kubelet_restarted(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        if cx.cluster.node(node).meta.removed || self.options.kind == KubeletKind::Fake {
            return;
        }
        self.node(node).kubelet_started = Some(cx.now());
        self.note_node(node, "Starting", "Starting kubelet.", cx);
        let name = cx.cluster.name(node).to_owned();
        for (_, _, _, _, reason) in &HEALTHY[..3] {
            self.note_node(node, reason, &format!("Node {name} status is now: {reason}"), cx);
        }
        let pods: Vec<_> = self.node(node).pods.iter().copied().collect();
        for pod in pods {
            let Some(mut w) = self.take_worker(pod) else { continue };
            if w.stage == Stage::Active {
                self.seen_anew(&mut w, cx);
            }
            self.put_worker(w);
        }
    }

    /// A pod that the kubelet meets after its restart.
    fn seen_anew(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        let now = cx.now();
        if let Admission::Refused(reason, message) = self.admit(w.pod, w.node, cx) {
            let [reason, message] = [reason, message].map(|text| cx.cluster.interner.sym(&text));
            let end = End { phase: Some(PodPhase::Failed), reason, message, ..End::default() };
            return self.terminate(w, end, Span::from_secs(u64::from(w.shape.grace_seconds)), cx);
        }
        w.probes_since = now;
        for idx in 0..w.rows.len() {
            let row = &mut w.rows[idx];
            (row.crash, row.pull, row.snapshot) = (None, None, None);
            (row.retry_at, row.show_at) = (Time::ZERO, Time::ZERO);
            let Some(started) = row.running_since().filter(|_| w.busy == Busy::Idle) else { continue };
            if now <= started + KEEPS_READY_AFTER {
                row.status.ready = false;
                row.status.started = w.shape.containers[idx].startup_probe.is_none();
            }
            self.probe_anew(w, idx, cx);
        }
        self.report(w, cx);
        self.sync(w, cx);
    }

    /// The process of a container has died.
    pub(super) fn container_crashed(&mut self, w: &mut Worker, idx: usize, code: u8, oom: bool, cx: &mut Cx<'_>) {
        let Some(row) = w.rows.get_mut(idx).filter(|row| row.running_since().is_some()) else { return };
        let exit = Exit { at: cx.now(), code: i32::from(code), oom };
        match (self.options.kind, w.stage) {
            (KubeletKind::Real, Stage::Active) => {
                row.exit = Some(exit);
                let turn = row.turn;
                let at = self.noticed(w, exit.at);
                cx.step(at, w.pod, PodStep::ContainerExits, idx, turn);
            }
            // What is being stopped is gone a little earlier than planned, which no one sees before the end of the pod.
            (KubeletKind::Real, _) => {
                row.exit = row.exit.map(|planned| if exit.at < planned.at { exit } else { planned })
            }
            // Its containers live and die together.
            (KubeletKind::Fake, Stage::Active) => {
                w.rows[w.shape.n_init].exit = Some(exit);
                self.fake_exits(w, cx);
            }
            (KubeletKind::Fake, _) => {}
        }
    }

    /// The machine has become slower or faster: work that is under way takes longer or shorter from now on.
    pub(super) fn speed_changed(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        let now = cx.now();
        let factor = cx.cluster.node(node).slowdown;
        let before = self.node(node).slowdown.replace(factor).unwrap_or(1.0);
        let pods: Vec<_> = self.node(node).pods.iter().copied().collect();
        for pod in pods {
            let Some(mut w) = self.take_worker(pod) else { continue };
            for idx in 0..w.rows.len() {
                let row = &mut w.rows[idx];
                let runs = matches!(row.status.state, ContainerState::Running { .. }) && w.stage == Stage::Active;
                let Some(exit) = row.exit.filter(|exit| runs && now < exit.at && !exit.oom) else { continue };
                let left = exit.at.since(now);
                row.exit = Some(Exit { at: now + scaled(left, factor / before), ..exit });
                self.schedule_exit(&mut w, idx, cx);
            }
            self.put_worker(w);
        }
    }
}

/// A length of time on a machine that takes `factor` times as long.
pub(super) fn scaled(span: Span, factor: f64) -> Span {
    if factor == 1.0 || span == Span::MAX {
        span
    } else {
        Span::from_micros((span.as_micros() as f64 * factor + 0.5) as u64)
    }
}
