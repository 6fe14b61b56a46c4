//! Running: exits of containers, and when they are noticed (kubelet, `pleg/generic.go`).

use super::kubelets::{Cx, Kubelets};
use super::probing::{Which, count_ticks, repeat_key};
use super::shape::ContainerKind;
use super::worker::{Busy, Exit, Stage, Worker};
use crate::cluster::{ContainerState, KubeletTiming, NodeId, Sym, Terminated};
use crate::engine::{Span, Time};

impl Kubelets {
    /// When the kubelet notices that a container has exited: at its next look at the runtime, every second
    /// (kubelet, `genericPlegRelistPeriod`).
    pub(super) fn noticed(&self, w: &Worker, at: Time) -> Time {
        self.noticed_on(w.node, at)
    }

    /// The next look of a node's kubelet, which comes every second.
    pub(super) fn noticed_on(&self, node: NodeId, at: Time) -> Time {
        match self.options.timing {
            KubeletTiming::Ideal => at,
            KubeletTiming::Realistic => at.next_tick(self.phase_of(node), Span::from_secs(1)),
        }
    }

    /// Containers have exited by themselves. A worker that does something else sees it when that is done.
    /// Returns whether there were any.
    pub(super) fn notice_exits(&mut self, w: &mut Worker, cx: &mut Cx<'_>) -> bool {
        if w.stage != Stage::Active || w.busy != Busy::Idle {
            return false;
        }
        let mut any = false;
        for idx in 0..w.rows.len() {
            let running = w.rows[idx].running_since().is_some();
            let exit = w.rows[idx].exit.filter(|exit| running && self.noticed(w, exit.at) <= cx.now());
            if let Some(exit) = exit {
                end_instance(w, idx, exit, cx);
                any = true;
            }
        }
        if any {
            self.report(w, cx);
        }
        any
    }
}

/// The present instance of a container has ended so.
pub(super) fn end_instance(w: &mut Worker, idx: usize, exit: Exit, cx: &mut Cx<'_>) {
    let words = cx.cluster.words;
    let kind = w.kind(idx);
    let Some(started) = w.rows[idx].running_since() else { return };
    count_ticks(w, idx, cx);
    let row = &mut w.rows[idx];
    row.new_turn();
    row.exit = None;
    row.fresh = false;
    row.unhealthy = None;
    row.stop_probes();
    cx.cluster.end_event_repeats(w.pod, repeat_key(idx, Which::Startup), repeat_key(idx, Which::Liveness));
    let reason = match exit.code {
        _ if exit.oom => words.oom_killed,
        0 => words.completed,
        _ => words.error,
    };
    let ended =
        Terminated { exit_code: exit.code, reason, message: Sym::EMPTY, started, finished: exit.at.max(started) };
    row.status.state = ContainerState::Terminated(ended);
    row.status.ready = kind == ContainerKind::Init && exit.code == 0;
    row.status.started = false;
}
