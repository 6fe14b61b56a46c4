//! What a kubelet says of its node: registration, conditions, and what follows a silence (kubelet, `kubelet_node_status.go`).

use super::images::ImageRow;
use super::kubelets::{Cx, Kubelets};
use super::options::KubeletKind;
use super::worker::{Busy, Row, Stage, Worker};
use crate::cluster::{ConditionStatus, EventType, KubeletHealth, NodeId, RestartPolicy, Sym};
use crate::engine::{Span, Time};

/// Conditions of a healthy node: type, status, reason, message, and the event of its first report.
pub(super) const HEALTHY: [(&str, bool, &str, &str, &str); 4] = [
    (
        "MemoryPressure",
        false,
        "KubeletHasSufficientMemory",
        "kubelet has sufficient memory available",
        "NodeHasSufficientMemory",
    ),
    ("DiskPressure", false, "KubeletHasNoDiskPressure", "kubelet has no disk pressure", "NodeHasNoDiskPressure"),
    ("PIDPressure", false, "KubeletHasSufficientPID", "kubelet has sufficient PID available", "NodeHasSufficientPID"),
    ("Ready", true, "KubeletReady", "kubelet is posting ready status", "NodeReady"),
];

impl Kubelets {
    /// A node that is there when the simulation begins: its kubelet has been running, unless the node says otherwise.
    pub(super) fn register_at_start(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        if self.node(node).registered {
            return;
        }
        self.node(node).registered = true;
        if let Some(created) = self.node(node).created {
            cx.agenda.because(created, cx.cluster);
        }
        self.load_images(node, cx);
        let ready = cx.cluster.node(node).conditions.get(cx.cluster.words.ready).map(|condition| condition.status);
        match ready {
            Some(ConditionStatus::Unknown) => {
                cx.cluster.set_kubelet_health(node, KubeletHealth::Down { since: Time::ZERO });
            }
            Some(_) => {}
            None => self.report_conditions(node, cx),
        }
        self.node(node).health = cx.cluster.node(node).kubelet;
        self.start_static_pods(node, cx);
    }

    /// A node has come, or its kubelet has fallen silent or come back.
    pub(super) fn node_changed(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        if cx.cluster.node(node).meta.removed {
            return;
        }
        if !self.node(node).registered {
            self.node(node).registered = true;
            self.node(node).kubelet_started = Some(cx.now());
            self.load_images(node, cx);
            self.note_node(node, "Starting", "Starting kubelet.", cx);
            self.report_conditions(node, cx);
            let name = cx.cluster.name(node).to_owned();
            for (_, _, _, _, reason) in HEALTHY {
                self.note_node(node, reason, &format!("Node {name} status is now: {reason}"), cx);
            }
            self.start_static_pods(node, cx);
        }
        let Some(health) = self.health_as_noticed(node, cx.cluster) else { return };
        let before = std::mem::replace(&mut self.node(node).health, health);
        match health {
            _ if before == health => {}
            KubeletHealth::Running if matches!(before, KubeletHealth::Stopped { .. }) => {
                self.come_back(node, before, cx);
                self.kubelet_restarted(node, cx);
            }
            KubeletHealth::Running => self.come_back(node, before, cx),
            KubeletHealth::ShuttingDown { .. } => self.begin_shutdown(node, cx),
            KubeletHealth::Down { .. } | KubeletHealth::Stopped { .. } | KubeletHealth::Partitioned { .. } => {
                // No event of it is written from now on.
                for &pod in &self.node(node).pods {
                    cx.cluster.end_event_repeats(pod, 0, u32::MAX);
                }
            }
        }
    }

    /// The kubelet is heard again: it says how its node and its pods are, and hears what it has missed.
    fn come_back(&mut self, node: NodeId, before: KubeletHealth, cx: &mut Cx<'_>) {
        cx.cluster.heartbeat(node);
        let rebooted = matches!(before, KubeletHealth::Down { .. }) && self.options.kind == KubeletKind::Real;
        let name = cx.cluster.name(node).to_owned();
        if rebooted {
            self.node(node).kubelet_started = Some(cx.now());
            self.note_node(node, "Starting", "Starting kubelet.", cx);
            let text = format!("Node {name} has been rebooted, boot id: {}", cx.cluster.revision());
            if self.options.events {
                let source = cx.cluster.words.kubelet;
                cx.cluster.record_event(node, EventType::Warning, "Rebooted", &text, source);
            }
        }
        self.note_conditions(node, rebooted, cx);
        self.report_conditions(node, cx);
        let pods: Vec<_> = self.node(node).pods.iter().copied().collect();
        let frozen = std::mem::take(&mut self.node(node).frozen);
        for pod in pods {
            let Some(mut w) = self.take_worker(pod) else { continue };
            if rebooted {
                self.reboot(&mut w, cx);
            }
            self.report(&mut w, cx);
            self.tell_failures_anew(&mut w, cx);
            if w.stage == Stage::Ended && cx.cluster.pod(pod).meta.is_deleting() {
                cx.step(cx.now(), pod, crate::cluster::PodStep::Terminated, 0, w.turn);
            }
            self.put_worker(w);
        }
        if rebooted {
            self.start_static_pods(node, cx);
        }
        for event in frozen {
            cx.agenda.at(cx.now(), crate::cluster::Event::Kubelet(event));
        }
    }

    /// The machine has been down: nothing of the pod runs any more; sandbox and containers are made anew, init containers first.
    fn reboot(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        let now = cx.now();
        let words = cx.cluster.words;
        w.new_turn();
        // What is started in a new sandbox takes the modelled startup again.
        w.sandbox = false;
        w.started_up = false;
        w.busy = Busy::Idle;
        for idx in 0..w.rows.len() {
            if w.rows[idx].running_since().is_some() {
                let exit = super::worker::Exit { at: now, code: 255, oom: false };
                super::run::end_instance(w, idx, exit, cx);
                if let crate::cluster::ContainerState::Terminated(ended) = &mut w.rows[idx].status.state {
                    ended.reason = cx.cluster.interner.sym("Unknown");
                }
            }
        }
        if w.stage == Stage::Terminating {
            return self.containers_stopped(w, cx);
        }
        if w.stage == Stage::Ended {
            return;
        }
        // One whose deletion the kubelet finds when it lists its pods is not started anew.
        if cx.cluster.pod(w.pod).meta.is_deleting() || !makes_new_sandbox(w) {
            let grace = Span::from_secs(u64::from(w.shape.grace_seconds));
            return self.terminate(w, super::worker::End::default(), grace, cx);
        }
        let text = "Pod sandbox changed, it will be killed and re-created.";
        self.note_pod(w.pod, EventType::Normal, "SandboxChanged", text, cx);
        // A new sandbox starts up anew.
        (w.initialized, w.started_up) = (false, false);
        for (idx, row) in w.rows.iter_mut().enumerate() {
            // Init containers run again from the first, those too that had succeeded.
            row.anew = idx < w.shape.n_init && row.n_starts > 0;
            row.status.ready = false;
            forget_instance(row, words.container_creating);
        }
        self.report(w, cx);
        self.sync(w, cx);
    }

    /// Says which conditions of the node are well again (kubelet, `nodestatus/setters.go`: one event for each that changes). A kubelet
    /// that has just `started` sets out from a node without conditions (`initialNode`), and says of all but Ready that they are well.
    fn note_conditions(&mut self, node: NodeId, started: bool, cx: &mut Cx<'_>) {
        let name = cx.cluster.name(node).to_owned();
        for (kind, status, _, _, event) in HEALTHY {
            let says_anyway = started && kind != "Ready";
            let kind = cx.cluster.interner.sym(kind);
            let before = cx.cluster.node(node).conditions.get(kind).map(|condition| condition.status);
            if says_anyway || before != Some(ConditionStatus::from(status)) {
                self.note_node(node, event, &format!("Node {name} status is now: {event}"), cx);
            }
        }
    }

    /// Reports the four conditions of a healthy node.
    fn report_conditions(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        for (kind, status, reason, message, _) in HEALTHY {
            let [kind, reason, message] = [kind, reason, message].map(|text| cx.cluster.interner.sym(text));
            cx.cluster.set_node_condition(node, kind, ConditionStatus::from(status), reason, message);
        }
    }

    /// The images that the node has from the start.
    fn load_images(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        let images = cx.cluster.node(node).images.clone();
        for image in images {
            let Some(&primary) = image.names.first() else { continue };
            for name in image.names {
                let key = super::images::normalized(cx.cluster.interner.text(name));
                let keys: [Sym; 2] = [name, cx.cluster.interner.sym(&key)];
                for key in keys {
                    let (size_bytes, last_used, since) = (image.size_bytes, Time::ZERO, cx.now());
                    self.node(node).images.present.insert(key, ImageRow { size_bytes, last_used, since, primary });
                }
            }
        }
    }

    pub(super) fn note_node(&self, node: NodeId, reason: &str, text: &str, cx: &mut Cx<'_>) {
        if self.options.events && !self.is_cut_off(node, cx.cluster) {
            let source = cx.cluster.words.kubelet;
            cx.cluster.record_event(node, EventType::Normal, reason, text, source);
        }
    }
}

/// Whether a pod whose sandbox is gone gets a new one: not if its containers have run and are never to be restarted, nor if all of
/// them have succeeded (kubelet, `kuberuntime_manager.go` `computePodActions`).
fn makes_new_sandbox(w: &Worker) -> bool {
    let mut regular = w.rows[w.shape.n_init..].iter();
    match w.shape.restart_policy {
        RestartPolicy::Always => true,
        RestartPolicy::OnFailure => !regular.all(|row| row.ended().is_some_and(|ended| ended.exit_code == 0)),
        RestartPolicy::Never => w.rows.iter().all(|row| row.n_starts == 0),
    }
}

/// A container of a sandbox that is gone: its last instance is shown, and it starts again without back-off.
fn forget_instance(row: &mut Row, waiting: Sym) {
    if let Some(ended) = row.ended() {
        row.status.last = Some(ended);
    }
    row.status.state = crate::cluster::ContainerState::Waiting { reason: waiting, message: Sym::EMPTY };
    (row.crash, row.snapshot, row.retry_at) = (None, None, Time::ZERO);
    row.new_turn();
}
