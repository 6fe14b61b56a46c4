//! Stopping: one container that is to start again, all containers of a pod, and the end of the pod
//! (kubelet, `pod_workers.go`, `kubelet.go` `SyncTerminatingPod`).

use super::kubelets::{Cx, Kubelets};
use super::model::StopAfter;
use super::probing::Which;
use super::run::end_instance;
use super::shape::Hook;
use super::start::{draw, draw_turn};
use super::sync::restarts_after_kill;
use super::termination::{self, EXIT_SIGKILL, Stopping};
use super::worker::{Busy, End, Exit, Row, Stage, Worker};
use crate::cluster::{ContainerState, ContainerStatus, EventType, PodId, PodPhase, PodStep, Sym, Terminated};
use crate::engine::{Purpose, Span, Time};

impl Kubelets {
    /// Stops one container that the kubelet itself wants to be gone; the sync after it decides about a restart.
    pub(super) fn kill_container(
        &mut self,
        w: &mut Worker,
        idx: usize,
        grace_seconds: Option<u32>,
        text: &str,
        cx: &mut Cx<'_>,
    ) {
        self.note(w, idx, EventType::Normal, "Killing", text, cx);
        let grace = Span::from_secs(u64::from(grace_seconds.unwrap_or(w.shape.grace_seconds)));
        let Some(stopping) = self.stopping(w, idx, cx) else { return };
        let stopped = termination::stop(&stopping, cx.now(), grace);
        self.foresee_pre_stop_failure(w, idx, grace, cx);
        let previous = w.rows[idx].status.last.map(|last| last.finished);
        // Until it is gone it is as ready as its probe says: the worker tells nothing before it is done.
        let row = &mut w.rows[idx];
        row.unhealthy = None;
        row.exit = Some(Exit { at: stopped.exit, code: stopped.exit_code, oom: false });
        row.snapshot = Some(previous);
        w.busy = Busy::Killing(idx as u8);
        let turn = w.new_turn();
        cx.step(stopped.exit, w.pod, PodStep::ContainerStopped, idx, turn);
    }

    /// A probe of a container has failed for good: it is stopped and, if it may be, started again.
    pub(super) fn kill_unhealthy(&mut self, w: &mut Worker, idx: usize, which: Which, cx: &mut Cx<'_>) {
        let container = w.container(idx);
        let probe = match which {
            Which::Startup => container.startup_probe,
            Which::Readiness | Which::Liveness => container.liveness_probe,
        };
        let text = self.kill_text(w, idx, which, restarts_after_kill(w, idx), cx);
        self.kill_container(w, idx, probe.and_then(|probe| probe.grace_seconds), &text, cx);
    }

    /// A rule wants all containers to start again in place: all are killed without grace, and forgotten.
    pub(super) fn restart_all(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        let name = cx.cluster.interner.shared_text(w.container(idx).name);
        let text = format!("Container {name} exited, all containers will be restarted");
        self.note_pod(w.pod, EventType::Normal, "Killing", &text, cx);
        let mut until = self.plan_stops(w, Span::ZERO, cx);
        if w.rows[idx].ended().is_some_and(|ended| ended.started == cx.now()) {
            // One that exits as it starts is noticed by the next look at the runtime: time goes on, however fast it fails.
            until = until.max(cx.now() + Span::from_secs(1));
        }
        w.busy = Busy::KillingAll;
        let turn = w.new_turn();
        cx.step(until, w.pod, PodStep::ContainerStopped, 0, turn);
    }

    /// Stops all containers of a pod that is to end, and remembers how it ends.
    pub(super) fn terminate(&mut self, w: &mut Worker, end: End, grace: Span, cx: &mut Cx<'_>) {
        w.stage = Stage::Terminating;
        w.end = Some(end);
        w.wake_turn = w.wake_turn.wrapping_add(1);
        w.busy = Busy::Idle;
        self.settle_fresh(w, cx);
        self.stop_liveness_and_startup(w, cx);
        for idx in 0..w.rows.len() {
            if w.rows[idx].running_since().is_some() {
                let name = cx.cluster.interner.shared_text(w.container(idx).name);
                self.note(w, idx, EventType::Normal, "Killing", &format!("Stopping container {name}"), cx);
                self.foresee_pre_stop_failure(w, idx, grace, cx);
            }
        }
        let until = self.plan_stops(w, grace, cx);
        let turn = w.new_turn();
        if until <= cx.now() {
            return self.containers_stopped(w, cx);
        }
        cx.step(until, w.pod, PodStep::ContainerStopped, 0, turn);
    }

    /// Plans how every running container stops. Returns when the last one has.
    fn plan_stops(&mut self, w: &mut Worker, grace: Span, cx: &mut Cx<'_>) -> Time {
        let now = cx.now();
        let containers: Vec<Option<Stopping>> = (0..w.rows.len()).map(|idx| self.stopping(w, idx, cx)).collect();
        let stopped = termination::stop_all(&containers, now, grace);
        let mut last = now;
        for (row, stopped) in w.rows.iter_mut().zip(stopped) {
            let Some(stopped) = stopped else { continue };
            let oom = row.exit.is_some_and(|exit| exit.oom && exit.at == stopped.exit);
            row.exit = Some(Exit { at: stopped.exit, code: stopped.exit_code, oom });
            last = last.max(stopped.exit);
        }
        last
    }

    /// A preStop hook that fails says so when it does; the stop goes on (kubelet, `kuberuntime_container.go`
    /// `executePreStopHook`).
    fn foresee_pre_stop_failure(&self, w: &Worker, idx: usize, grace: Span, cx: &mut Cx<'_>) {
        let fails = w.model(idx).hooks.pre_stop_fails && w.container(idx).pre_stop == Some(Hook::Run);
        let (takes, row) = (pre_stop_takes(w, idx, cx), &w.rows[idx]);
        if !fails || grace.is_zero() || row.running_since().is_none() || grace < takes {
            return;
        }
        match takes.is_zero() {
            true => self.pre_stop_failed(w, idx, cx),
            false => cx.step(cx.now() + takes, w.pod, PodStep::PreStopFailed, idx, row.turn),
        }
    }

    pub(super) fn pre_stop_failed(&self, w: &Worker, idx: usize, cx: &mut Cx<'_>) {
        if w.rows[idx].running_since().is_some() {
            self.note(w, idx, EventType::Warning, "FailedPreStopHook", "PreStopHook failed", cx);
        }
    }

    /// How a container would stop, if it runs.
    fn stopping(&self, w: &Worker, idx: usize, cx: &Cx<'_>) -> Option<Stopping> {
        let (row, model, container) = (&w.rows[idx], w.model(idx), w.container(idx));
        row.running_since()?;
        let turn = draw_turn(idx, row.status.restarts);
        let pre_stop = pre_stop_takes(w, idx, cx);
        let reaction = match &model.stop.after {
            None => draw(&self.options.stop, Purpose::Stop, turn, w, cx),
            Some(StopAfter::Never) => Span::MAX,
            Some(StopAfter::After(after)) => draw(after, Purpose::Stop, turn, w, cx),
        };
        let exit_code = model.stop.exit_code.unwrap_or(self.options.stop_exit_code);
        let natural = row.exit.map(|exit| (exit.at, exit.code));
        Some(Stopping { kind: container.kind, pre_stop, reaction, exit_code, natural })
    }

    /// What the kubelet was stopping has stopped.
    pub(super) fn containers_stopped(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        match (w.stage, w.busy) {
            (Stage::Terminating, _) => self.finish(w, cx),
            (Stage::Active, Busy::Killing(idx)) => {
                w.busy = Busy::Idle;
                self.killed(w, usize::from(idx), cx);
            }
            (Stage::Active, Busy::KillingAll) => self.forget_all(w, cx),
            _ => {}
        }
    }

    fn killed(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        if let Some(exit) = w.rows[idx].exit {
            end_instance(w, idx, exit, cx);
        }
        if w.model(idx).hooks.post_start_fails && w.container(idx).post_start.is_some() {
            let reason = cx.cluster.interner.sym("PostStartHookError");
            w.wait_for(idx, reason, Sym::EMPTY);
            // It is not the sync that killed it that starts it again: the next one sees how it ended.
            w.rows[idx].snapshot = None;
            w.busy = Busy::HookFailed;
            w.wake_turn = w.wake_turn.wrapping_add(1);
            cx.step(self.noticed(w, cx.now()), w.pod, PodStep::Restart, 0, w.wake_turn);
            self.report(w, cx);
        }
    }

    /// All containers are gone without a trace: initialization begins again in the same sandbox, and no back-off counts.
    fn forget_all(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        w.busy = Busy::Idle;
        w.initialized = false;
        let reason = cx.cluster.interner.sym("RestartingAllContainers");
        for idx in 0..w.rows.len() {
            if let Some(exit) = w.rows[idx].exit {
                end_instance(w, idx, exit, cx);
            }
            let row = &mut w.rows[idx];
            row.new_turn();
            row.crash = None;
            row.snapshot = None;
            // Restarts are counted on; the instances before are not seen any more.
            row.status.restarts += u32::from(row.n_starts > 0);
            row.n_starts = 0;
            row.status = ContainerStatus {
                state: ContainerState::Waiting { reason, message: Sym::EMPTY },
                last: None,
                ready: false,
                started: false,
                restarts: row.status.restarts,
            };
        }
        self.report(w, cx);
    }

    /// Nothing of the pod runs any more: its final status, and then, if it was deleted, the end of the object.
    fn finish(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        w.stage = Stage::Ended;
        for idx in 0..w.rows.len() {
            if let Some(exit) = w.rows[idx].exit.filter(|_| w.rows[idx].running_since().is_some()) {
                end_instance(w, idx, exit, cx);
            }
            settle(w, idx, cx);
        }
        self.report(w, cx);
        self.images_released(w, cx);
        if cx.cluster.pod(w.pod).meta.is_deleting() {
            cx.step(cx.now() + self.options.teardown, w.pod, PodStep::Terminated, 0, w.turn);
        }
    }

    /// The kubelet has cleaned up after a deleted pod.
    pub(super) fn confirm(&mut self, pod: PodId, cx: &mut Cx<'_>) {
        if self.worker(pod).is_none_or(|w| w.stage == Stage::Ended) && cx.cluster.pod(pod).meta.is_deleting() {
            cx.cluster.confirm_pod_stopped(pod);
        }
    }

    /// `activeDeadlineSeconds` is over.
    pub(super) fn deadline_exceeded(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        if w.stage != Stage::Active {
            return;
        }
        let text = "Pod was active on the node longer than the specified deadline";
        self.note_pod(w.pod, EventType::Normal, "DeadlineExceeded", text, cx);
        let words = cx.cluster.words;
        let message = cx.cluster.interner.sym(text);
        let end = End { phase: Some(PodPhase::Failed), reason: words.deadline_exceeded, message, ..End::default() };
        let grace = Span::from_secs(u64::from(w.shape.grace_seconds));
        self.terminate(w, end, grace, cx);
    }
}

/// How long the preStop hook of a container takes.
fn pre_stop_takes(w: &Worker, idx: usize, cx: &Cx<'_>) -> Span {
    let turn = draw_turn(idx, w.rows[idx].status.restarts);
    match w.container(idx).pre_stop {
        None => Span::ZERO,
        Some(Hook::Sleep(span)) => span,
        Some(Hook::Run) => match &w.model(idx).hooks.pre_stop {
            None => Span::ZERO,
            Some(takes) => draw(takes, Purpose::Stop, turn | 1 << 30, w, cx),
        },
    }
}

/// The last state of a container of a pod that has ended: that of its last instance, or, if it never had one although its turn had
/// come, the loss of it (kubelet, `status_manager.go` `TerminatePod`).
pub(super) fn settle(w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
    let words = cx.cluster.words;
    let ContainerState::Waiting { .. } = w.rows[idx].status.state else { return };
    let init = &w.rows[..w.shape.n_init];
    let waits = |row: &Row| matches!(row.status.state, ContainerState::Waiting { .. }) && row.status.last.is_none();
    let its_turn = match idx < w.shape.n_init {
        // All init containers but the last ones that wait; the first one in any case.
        true => idx == 0 || init[idx..].iter().any(|row| !waits(row)),
        false => w.initialized || init.iter().all(|row| !waits(row) && row.ended().is_none_or(|e| e.exit_code == 0)),
    };
    if !its_turn {
        return;
    }
    let lost = Terminated {
        exit_code: EXIT_SIGKILL,
        reason: words.container_status_unknown,
        message: cx.cluster.interner.sym("The container could not be located when the pod was terminated"),
        started: Time::ZERO,
        finished: Time::ZERO,
    };
    let row = &mut w.rows[idx];
    row.status.state = ContainerState::Terminated(row.status.last.unwrap_or(lost));
    (row.status.ready, row.status.started) = (false, false);
}
