//! What the kubelet tells the API server of a pod (kubelet, `status_manager.go`).

use super::conditions::{ConditionInput, conditions};
use super::kubelets::{Cx, Kubelets};
use super::options::KubeletKind;
use super::phase::{PhaseFlags, phase};
use super::worker::{Stage, Worker};
use crate::cluster::{ConditionStatus, PodPhase, PodReport, Sym};
use crate::engine::Time;

impl Kubelets {
    /// Writes the pod's status, or remembers to do so when the node can be heard again.
    pub(super) fn report(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        if self.is_cut_off(w.node, cx.cluster) {
            w.unreported = true;
            return;
        }
        w.unreported = false;
        let statuses = w.statuses();
        let flags =
            PhaseFlags { terminal: w.stage == Stage::Ended, initialized: w.initialized, is_static: w.is_static };
        let computed = phase(&w.shape, &statuses, flags);
        let end = w.end.filter(|_| w.stage == Stage::Ended).unwrap_or_default();
        // A terminal phase is not told while something may still run.
        let phase = match (w.stage, end.phase) {
            (Stage::Ended, Some(phase)) => phase,
            (Stage::Ended, None) => computed,
            _ if computed.is_terminal() => cx.cluster.pod(w.pod).phase,
            _ => computed,
        };
        let input = ConditionInput {
            shape: &w.shape,
            statuses: &statuses,
            phase,
            sandbox_ready: w.sandbox && w.stage != Stage::Ended,
            present: &cx.cluster.pod(w.pod).conditions.clone(),
        };
        let words = cx.cluster.words;
        let mut reported = conditions(input, &words, &mut cx.cluster.interner);
        if self.options.kind == KubeletKind::Real {
            // Also of a pod that nobody has scheduled (kubelet, `kubelet_pods.go` `generateAPIPodStatus`).
            reported.push((words.pod_scheduled, ConditionStatus::True, Sym::EMPTY, Sym::EMPTY));
        }
        if end.disruption {
            reported.push((words.disruption_target, ConditionStatus::True, words.termination_by_kubelet, end.message));
        }
        let (resize, absent) = self.resize_conditions(w, cx);
        reported.extend(resize);
        let report = PodReport {
            absent: absent.into(),
            phase,
            reason: end.reason,
            message: end.message,
            conditions: reported,
            containers: w.rows.iter().map(|row| row.status).collect(),
            start_time: Some(w.since),
            ip: w.ip,
        };
        cx.cluster.report_pod_status(w.pod, report);
    }

    /// Reports a pod that the kubelet does not run.
    pub(super) fn report_rejected(&mut self, pod: crate::cluster::PodId, reason: &str, message: &str, cx: &mut Cx<'_>) {
        let interner = &mut cx.cluster.interner;
        let (reason, message) = (interner.sym(reason), interner.sym(message));
        let start_time: Option<Time> = Some(cx.now());
        let report = PodReport { phase: PodPhase::Failed, reason, message, start_time, ip: 0, ..PodReport::default() };
        cx.cluster.report_pod_status(pod, report);
    }

    /// The reason of containers that wait for their first start.
    pub(super) fn waiting_reason(&self, has_init: bool, cx: &Cx<'_>) -> Sym {
        if has_init { cx.cluster.words.pod_initializing } else { cx.cluster.words.container_creating }
    }
}
