//! What a kubelet learns of its pods: that they are there, that they change, that they are to go.

use std::sync::Arc;

use super::admission::Admission;
use super::kubelets::{Cx, Kubelets};
use super::options::KubeletKind;
use super::statics;
use super::worker::{Busy, End, Row, Stage, Worker};
use crate::cluster::{ContainerState, PodId, PodPhase, PodStep};
use crate::engine::Span;

impl Kubelets {
    /// The kubelet sees a pod of its node for the first time.
    pub(super) fn pod_observed(&mut self, pod: PodId, cx: &mut Cx<'_>) {
        let row = cx.cluster.pod(pod);
        let Some(node) = row.node else { return };
        if self.worker(pod).is_some() || row.phase.is_terminal() || cx.cluster.node(node).meta.removed {
            return;
        }
        let adopted = row.phase == PodPhase::Running;
        let since = row.start_time.unwrap_or(cx.now());
        if self.options.kind == KubeletKind::Real && !adopted {
            match self.admit(pod, node, cx) {
                Admission::Admitted => {}
                Admission::Waits => return,
                Admission::Refused(reason, message) => return self.report_rejection(pod, &reason, &message, cx),
            }
        }
        let shape = self.shape_in_effect(pod, cx);
        let behaviour = self.catalog.behaviour(pod, &shape, cx.cluster);
        let waiting = self.waiting_reason(shape.n_init > 0, cx);
        let rows = shape.containers.iter().map(|_| Row::new(waiting)).collect();
        let mut w = Box::new(Worker {
            pod,
            node,
            shape,
            behaviour,
            stage: Stage::Active,
            busy: Busy::Idle,
            turn: 0,
            wake_turn: 0,
            is_static: statics::is_static(pod, cx.cluster),
            sandbox: false,
            initialized: false,
            started_up: false,
            unreported: false,
            ip: 0,
            since,
            probes_since: since,
            rows,
            resize: None,
            end: None,
        });
        self.watch_services(&w, cx.cluster);
        if let Some(deadline) = w.shape.active_deadline {
            cx.step(w.since + deadline, pod, PodStep::DeadlineExceeded, 0, 0);
        }
        match self.options.kind {
            _ if cx.cluster.pod(pod).meta.is_deleting() => {
                self.put_worker(w);
                return self.deletion_observed(pod, cx);
            }
            KubeletKind::Fake => self.fake_begin(&mut w, cx),
            KubeletKind::Real if adopted => self.adopt(&mut w, cx),
            KubeletKind::Real => {
                self.report(&mut w, cx);
                self.sync(&mut w, cx);
            }
        }
        self.put_worker(w);
    }

    /// A pod that runs already when the simulation begins: its containers run since then.
    fn adopt(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        w.sandbox = true;
        w.initialized = true;
        w.started_up = true;
        w.ip = match cx.cluster.pod(w.pod).ip {
            0 => self.next_address(),
            ip => ip,
        };
        for idx in 0..w.rows.len() {
            self.run_now(w, idx, cx);
        }
        self.report(w, cx);
        self.try_resize(w, cx);
        self.sync(w, cx);
    }

    /// The kubelet sees that a pod of its node is to go.
    pub(super) fn deletion_observed(&mut self, pod: PodId, cx: &mut Cx<'_>) {
        let row = cx.cluster.pod(pod);
        let Some(deletion) = row.meta.deletion else { return };
        if row.node.is_none_or(|node| cx.cluster.node(node).meta.removed) {
            return;
        }
        if self.worker(pod).is_some_and(|w| w.is_static) {
            return self.renew_mirror(pod, cx);
        }
        let Some(mut w) = self.take_worker(pod) else {
            if row.phase.is_terminal() {
                cx.cluster.confirm_pod_stopped(pod);
            }
            return;
        };
        match (self.options.kind, w.stage) {
            (_, Stage::Active) => {
                // The worker never gives less than a second.
                let grace = Span::from_secs(u64::from(deletion.grace_seconds.max(1)));
                match self.options.kind {
                    KubeletKind::Real => self.terminate(&mut w, End::default(), grace, cx),
                    KubeletKind::Fake => self.fake_stop(&mut w, grace, cx),
                }
            }
            // A stop under way keeps its grace; the end of the pod sees the deletion.
            (_, Stage::Terminating) => {}
            (_, Stage::Ended) => cx.step(cx.now(), pod, PodStep::Terminated, 0, w.turn),
        }
        self.put_worker(w);
    }

    /// The pod has changed: a new spec, or a condition that a readiness gate asks for.
    pub(super) fn resync(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        let shape = self.shape_in_effect(w.pod, cx);
        if !Arc::ptr_eq(&shape, &w.shape) && shape.containers.len() == w.shape.containers.len() {
            self.spec_changed(w, shape, cx);
        }
        if cx.cluster.pod(w.pod).resized.is_some() || w.resize.is_some() {
            self.try_resize(w, cx);
        }
        if w.stage != Stage::Ended {
            self.report(w, cx);
        }
    }

    /// Containers with a new image are started again; a new image or new resources begin a new back-off.
    fn spec_changed(&mut self, w: &mut Worker, shape: Arc<super::shape::PodShape>, cx: &mut Cx<'_>) {
        let old = std::mem::replace(&mut w.shape, shape);
        w.behaviour = self.catalog.behaviour(w.pod, &w.shape, cx.cluster);
        self.watch_services(w, cx.cluster);
        if w.shape.active_deadline != old.active_deadline
            && let Some(deadline) = w.shape.active_deadline
        {
            cx.step(w.since + deadline, w.pod, PodStep::DeadlineExceeded, 0, 0);
        }
        for (idx, before) in old.containers.iter().enumerate() {
            let now = &w.shape.containers[idx];
            let same_image = before.image == now.image;
            if !same_image || before.resources != now.resources {
                w.rows[idx].crash = None;
            }
            if same_image {
                continue;
            }
            let row = &mut w.rows[idx];
            (row.pull, row.retry_at) = (None, crate::engine::Time::ZERO);
            let running = matches!(row.status.state, ContainerState::Running { .. });
            if running && w.stage == Stage::Active && w.busy == Busy::Idle {
                let name = cx.cluster.interner.shared_text(w.container(idx).name);
                let text = format!("Container {name} definition changed, will be restarted");
                self.kill_container(w, idx, None, &text, cx);
            }
        }
    }
}
