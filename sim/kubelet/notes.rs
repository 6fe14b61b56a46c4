//! The texts of the kubelet's events in 1.36 (kubelet, `events/event.go` and where they are recorded).

use super::kubelets::{Cx, Kubelets};
use super::probe::Answers;
use super::shape::{ProbeHandler, ProbeShape};
use super::worker::Worker;
use crate::cluster::{ContainerState, EventRepeat, EventType, PodId, Terminated, uid_text};
use crate::engine::Span;

impl Kubelets {
    /// Records an event about a container, if events are recorded; whether it has been written.
    pub(super) fn note(
        &self,
        w: &Worker,
        idx: usize,
        event_type: EventType,
        reason: &str,
        text: &str,
        cx: &mut Cx<'_>,
    ) -> bool {
        let container = w.container(idx).name;
        self.options.events
            && !self.is_cut_off(w.node, cx.cluster)
            && cx.cluster.record_container_event(w.pod, container, event_type, reason, text)
    }

    /// Records an event about a pod as a whole, if events are recorded.
    pub(super) fn note_pod(&self, pod: PodId, event_type: EventType, reason: &str, text: &str, cx: &mut Cx<'_>) {
        let cut_off = cx.cluster.pod(pod).node.is_some_and(|node| self.is_cut_off(node, cx.cluster));
        if self.options.events && !cut_off {
            let source = cx.cluster.words.kubelet;
            cx.cluster.record_event(pod, event_type, reason, text, source);
        }
    }

    /// A container is held back by its crash-loop back-off.
    pub(super) fn show_crash_loop(&mut self, w: &mut Worker, idx: usize, ended: Terminated, cx: &mut Cx<'_>) {
        let delay = self.shown_delay(&w.rows[idx], ended.finished);
        let name = cx.cluster.interner.shared_text(w.container(idx).name);
        let pod = pod_text(w.pod, cx);
        let message = format!("back-off {delay} restarting failed container={name} pod={pod}");
        let reason = cx.cluster.words.crash_loop_back_off;
        let row = &mut w.rows[idx];
        row.snapshot = None;
        row.status.last = Some(ended);
        row.status.state = ContainerState::Waiting { reason, message: cx.cluster.interner.sym(&message) };
        let text = format!("Back-off restarting failed container {name} in pod {pod}");
        self.note(w, idx, EventType::Warning, "BackOff", &text, cx);
    }

    /// What the event about a failing probe says (kubelet, `prober/prober.go`, `pkg/probe`).
    pub(super) fn unhealthy_text(
        &self,
        w: &Worker,
        probe: &str,
        shape: &ProbeShape,
        answers: &Answers,
        cx: &Cx<'_>,
    ) -> String {
        let (ip, timeout) = (std::net::Ipv4Addr::from(w.ip), shape.timeout);
        let target = cx.cluster.interner.text(shape.target);
        let output = match (shape.handler, timeout < answers.latency) {
            (ProbeHandler::Http(_), false) => "HTTP probe failed with statuscode: 503".to_owned(),
            (ProbeHandler::Http(_), true) => {
                let url = target.replacen("{ip}", &ip.to_string(), 1);
                format!("Get {url:?}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)")
            }
            (ProbeHandler::Tcp(port), false) => format!("dial tcp {ip}:{port}: connect: connection refused"),
            (ProbeHandler::Tcp(port), true) => format!("dial tcp {ip}:{port}: i/o timeout"),
            (ProbeHandler::Grpc(_), false) => "service unhealthy (responded with \"NOT_SERVING\")".to_owned(),
            (ProbeHandler::Grpc(_), true) => format!("timeout: health rpc did not complete within {timeout}"),
            (ProbeHandler::Exec, false) => String::new(),
            (ProbeHandler::Exec, true) => format!("command timed out: {target:?} timed out after {timeout}"),
        };
        format!("{probe} probe failed: {output}")
    }

    /// A probe has failed; whether the event has been written.
    pub(super) fn note_unhealthy(&self, w: &Worker, idx: usize, text: &str, cx: &mut Cx<'_>) -> bool {
        self.note(w, idx, EventType::Warning, "Unhealthy", text, cx)
    }

    /// The event about a failing probe that has been written comes again.
    pub(super) fn repeat_unhealthy_event(
        &self,
        w: &Worker,
        idx: usize,
        text: &str,
        repeat: EventRepeat,
        cx: &mut Cx<'_>,
    ) {
        let container = w.container(idx).name;
        cx.cluster.repeat_container_event(w.pod, container, EventType::Warning, "Unhealthy", text, repeat);
    }

    /// An image has been pulled.
    pub(super) fn note_pulled(&self, w: &Worker, idx: usize, took: Span, with_wait: Span, size: i64, cx: &mut Cx<'_>) {
        if !self.options.events {
            return;
        }
        let image = cx.cluster.interner.shared_text(w.container(idx).image);
        let (took, with_wait) = (to_millis(took), to_millis(with_wait));
        let text = format!(
            "Successfully pulled image \"{image}\" in {took} ({with_wait} including waiting). Image size: {size} bytes."
        );
        self.note(w, idx, EventType::Normal, "Pulled", &text, cx);
    }
}

/// `name_namespace(uid)`, as the kubelet writes pods.
pub(super) fn pod_text(pod: PodId, cx: &Cx<'_>) -> String {
    let uid = uid_text(cx.cluster.pod(pod).meta.uid);
    format!("{}_{}({uid})", cx.cluster.name(pod), cx.cluster.namespace(pod))
}

fn to_millis(span: Span) -> Span {
    Span::from_millis((span.as_micros() + 500) / 1000)
}
