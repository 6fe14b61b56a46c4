//! The kubelet of recordings: the small program that stood in for the kubelet when a real control plane was recorded.
//!
//! All containers of a pod do the same at the same time; init containers are done when the pod starts. What annotations say of the
//! first regular container holds for all.

use super::backoff;
use super::kubelets::{Cx, Kubelets};
use super::model::{PassAfter, StopAfter};
use super::run::end_instance;
use super::shape::ContainerKind;
use super::start::{draw, draw_turn, natural_exit, startup};
use super::stop::settle;
use super::termination::EXIT_SIGTERM;
use super::worker::{End, Exit, Stage, Worker};
use crate::cluster::{ContainerState, ContainerStatus, EventType, PodPhase, PodStep, RestartPolicy, Sym, Terminated};
use crate::engine::{Purpose, Span};

/// From the binding to running, where no annotation says otherwise.
const STARTUP: Span = Span::from_secs(1);

impl Kubelets {
    /// The pod is acknowledged, and starts or waits for its image for good.
    pub(super) fn fake_begin(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        let words = cx.cluster.words;
        for idx in 0..w.shape.n_init {
            fake_init(w, idx, cx);
        }
        if w.model(w.shape.n_init).image_error {
            w.sandbox = true;
            for idx in w.shape.n_init..w.rows.len() {
                w.wait_for(idx, words.image_pull_back_off, Sym::EMPTY);
            }
            return self.report(w, cx);
        }
        self.report(w, cx);
        let delay = startup(w, cx).unwrap_or(STARTUP);
        let turn = w.new_turn();
        cx.step(cx.now() + delay, w.pod, PodStep::ContainerStarted, 0, turn);
    }

    pub(super) fn fake_step(&mut self, w: &mut Worker, step: PodStep, turn: u16, cx: &mut Cx<'_>) {
        let current = turn == w.turn;
        match step {
            PodStep::ContainerStarted | PodStep::Restart if current => self.fake_run(w, cx),
            PodStep::Readiness if current => {
                fake_set_ready(w);
                self.report(w, cx);
            }
            PodStep::ContainerExits if current => self.fake_exits(w, cx),
            PodStep::ContainerStopped if current => self.fake_ended(w, cx),
            PodStep::DeadlineExceeded if w.stage == Stage::Active => {
                let text = "Pod was active on the node longer than the specified deadline";
                self.note_pod(w.pod, EventType::Normal, "DeadlineExceeded", text, cx);
                let (reason, message) = (cx.cluster.words.deadline_exceeded, cx.cluster.interner.sym(text));
                w.end = Some(End { phase: Some(PodPhase::Failed), reason, message, ..End::default() });
                plan_stop(w, self.fake_exit_code(w, cx), cx);
                self.fake_ended(w, cx);
            }
            PodStep::Resync if w.stage != Stage::Ended => self.report(w, cx),
            _ => {}
        }
    }

    /// All containers run.
    fn fake_run(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        let now = cx.now();
        let first = w.shape.n_init;
        (w.sandbox, w.initialized) = (true, true);
        if w.ip == 0 {
            w.ip = self.next_address();
        }
        for idx in 0..w.rows.len() {
            if w.kind(idx) == ContainerKind::Init {
                continue;
            }
            let row = &mut w.rows[idx];
            row.status = ContainerStatus {
                state: ContainerState::Running { started: now },
                last: row.ended().or(row.status.last),
                ready: false,
                started: true,
                restarts: row.status.restarts + u32::from(row.n_starts > 0),
            };
            row.n_starts += 1;
        }
        let turn = w.new_turn();
        if let Some(exit) = natural_exit(w, first, now, cx) {
            w.rows[first].exit = Some(exit);
            cx.step(exit.at, w.pod, PodStep::ContainerExits, 0, turn);
        }
        let number = draw_turn(first, w.rows[first].status.restarts);
        match &w.model(first).readiness.pass_after {
            None => fake_set_ready(w),
            Some(PassAfter::Never) => {}
            Some(PassAfter::After(after)) => {
                let after = draw(after, Purpose::ProbeFailure, number, w, cx);
                if after.is_zero() {
                    fake_set_ready(w);
                } else {
                    cx.step(now + after, w.pod, PodStep::Readiness, 0, turn);
                }
            }
        }
        self.report(w, cx);
    }

    /// All containers exit: the pod ends, or they start again, the first time at once.
    pub(super) fn fake_exits(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(exit) = w.rows[w.shape.n_init].exit else { return };
        fake_end_all(w, exit, cx);
        let restarts = match w.shape.restart_policy {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure => exit.code != 0,
            RestartPolicy::Never => false,
        };
        if !restarts {
            w.end = Some(End::default());
            return self.fake_ended(w, cx);
        }
        let until = backoff::crash_loop_until(w.rows[w.shape.n_init].crash, now).unwrap_or(now);
        let limits = self.options.crash_loop;
        for row in &mut w.rows {
            row.crash = Some(backoff::next(row.crash, now, until, limits));
        }
        if until <= now {
            return self.fake_run(w, cx);
        }
        let reason = cx.cluster.words.crash_loop_back_off;
        for idx in 0..w.rows.len() {
            if w.kind(idx) != ContainerKind::Init {
                w.wait_for(idx, reason, Sym::EMPTY);
            }
        }
        self.report(w, cx);
        let turn = w.new_turn();
        cx.step(until, w.pod, PodStep::Restart, 0, turn);
    }

    /// The pod is to go: it stops after its `stop`, at most its grace; one that has never run is gone at once.
    pub(super) fn fake_stop(&mut self, w: &mut Worker, grace: Span, cx: &mut Cx<'_>) {
        let first = w.shape.n_init;
        w.stage = Stage::Terminating;
        w.end = Some(End::default());
        let running = w.rows.iter().any(|row| row.running_since().is_some());
        let number = draw_turn(first, w.rows[first].status.restarts);
        let after = match &w.model(first).stop.after {
            _ if !running => Span::ZERO,
            None => draw(&self.options.stop, Purpose::Stop, number, w, cx),
            Some(StopAfter::Never) => grace,
            Some(StopAfter::After(after)) => draw(after, Purpose::Stop, number, w, cx),
        };
        // An exit of its own that comes first still counts as the stop.
        let at = cx.now() + after.min(grace);
        let exit = Exit { at, code: self.fake_exit_code(w, cx), oom: false };
        for row in &mut w.rows {
            row.exit = Some(exit);
        }
        let turn = w.new_turn();
        // The end is known when the status has been written.
        let known = at + cx.agenda.control_plane.write_latency;
        cx.step(known, w.pod, PodStep::ContainerStopped, 0, turn);
    }

    fn fake_exit_code(&self, w: &Worker, _: &Cx<'_>) -> i32 {
        let given = w.model(w.shape.n_init).stop.exit_code;
        let default = if w.shape.restart_policy == RestartPolicy::Always { 0 } else { EXIT_SIGTERM };
        given.unwrap_or(default)
    }

    /// Nothing runs any more: the final status, then the end of the object if it was deleted.
    fn fake_ended(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        if let Some(exit) = w.rows[w.shape.n_init].exit {
            fake_end_all(w, exit, cx);
        }
        w.stage = Stage::Ended;
        w.new_turn();
        for idx in 0..w.rows.len() {
            settle(w, idx, cx);
        }
        self.report(w, cx);
        if cx.cluster.pod(w.pod).meta.is_deleting() {
            cx.step(cx.now() + self.options.teardown, w.pod, PodStep::Terminated, 0, w.turn);
        }
    }
}

fn plan_stop(w: &mut Worker, code: i32, cx: &Cx<'_>) {
    let exit = Exit { at: cx.now(), code, oom: false };
    for row in &mut w.rows {
        row.exit = Some(exit);
    }
}

fn fake_set_ready(w: &mut Worker) {
    for row in w.rows.iter_mut().filter(|row| row.running_since().is_some()) {
        row.status.ready = true;
    }
}

fn fake_end_all(w: &mut Worker, exit: Exit, cx: &mut Cx<'_>) {
    for idx in 0..w.rows.len() {
        end_instance(w, idx, exit, cx);
    }
}

/// An init container is done as soon as the pod is seen.
fn fake_init(w: &mut Worker, idx: usize, cx: &Cx<'_>) {
    if w.kind(idx) != ContainerKind::Init {
        return;
    }
    let (started, finished, reason) = (cx.now(), cx.now(), cx.cluster.words.completed);
    let ended = Terminated { exit_code: 0, reason, message: Sym::EMPTY, started, finished };
    let row = &mut w.rows[idx];
    row.status = ContainerStatus { state: ContainerState::Terminated(ended), ready: true, ..row.status };
}
