//! What a pod worker does next (kubelet, `kuberuntime_manager.go` `computePodActions` and `SyncPod`).

use super::backoff::{self, BACKOFF_RESET};
use super::kubelets::{Cx, Kubelets};
use super::probing::Which;
use super::restart::{Decision, decide};
use super::shape::ContainerKind;
use super::worker::{Busy, End, Row, Stage, Worker};
use crate::cluster::{ContainerState, KubeletTiming, PodPhase, PodStep};
use crate::engine::{Purpose, Span, Time};
use rand_chacha::rand_core::Rng;

/// The next thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    /// Make the sandbox.
    MakeSandbox,
    /// Stop a container of which a probe has failed for good.
    Kill(usize, Which),
    /// Start a container; the instance of which back-off counts, if any, finished then.
    Start(usize, Option<Time>),
    /// Stop everything and start from the first init container.
    RestartAll(usize),
    /// Nothing is left to run: stop the sidecars, the pod has ended.
    End(Option<PodPhase>),
    /// Wait for something to happen, or for one of these instants.
    Wait(Wake),
}

/// When to look again: at the end of a crash-loop back-off, which the kubelet meets with delay, or exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wake {
    back_off: Time,
    exact: Time,
}

impl Wake {
    pub(super) const NEVER: Wake = Wake { back_off: Time::NEVER, exact: Time::NEVER };

    /// Takes what a container waits for into account. Returns whether it waits.
    fn note(&mut self, need: Need) -> bool {
        match need {
            Need::BackOff(until) => self.back_off = self.back_off.min(until),
            Need::Retry(until) => self.exact = self.exact.min(until),
            _ => return false,
        }
        true
    }
}

/// What has to be done about one container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// It runs.
    Runs,
    /// It has to be started now; the instance of which back-off counts finished then.
    Start(Option<Time>),
    /// It has to be started when its crash-loop back-off is over.
    BackOff(Time),
    /// Its start has failed: to be tried again, or looked at, then.
    Retry(Time),
    /// Its exit restarts all containers.
    RestartAll,
    /// It is done, with this exit code.
    Done(i32),
}

impl Kubelets {
    /// One sync after the other until there is nothing to do or something takes time.
    pub(super) fn sync(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        let mut changed = false;
        while w.stage == Stage::Active && w.busy == Busy::Idle {
            changed |= self.notice_exits(w, cx);
            match self.next_action(w, cx) {
                Action::Kill(idx, which) => self.kill_unhealthy(w, idx, which, cx),
                Action::MakeSandbox => self.make_sandbox(w, cx),
                Action::Start(idx, finished) => self.start_container(w, idx, finished, cx),
                Action::RestartAll(idx) => self.restart_all(w, idx, cx),
                Action::End(phase) => {
                    let grace = Span::from_secs(u64::from(w.shape.grace_seconds));
                    self.terminate(w, End { phase, ..End::default() }, grace, cx);
                }
                Action::Wait(until) => {
                    changed |= self.settle_fresh(w, cx);
                    self.show_back_offs(w, cx);
                    if changed {
                        self.nudge(w, cx);
                    }
                    self.wake_at(w, until, cx);
                    return;
                }
            }
        }
    }

    fn next_action(&self, w: &Worker, cx: &Cx<'_>) -> Action {
        if !w.sandbox {
            return Action::MakeSandbox;
        }
        let unhealthy = |row: &Row| row.unhealthy.filter(|_| row.running_since().is_some());
        if let Some((idx, which)) = w.rows.iter().enumerate().find_map(|(idx, row)| Some((idx, unhealthy(row)?))) {
            return Action::Kill(idx, which);
        }
        let (now, mut wake) = (cx.now(), Wake::NEVER);
        if !w.initialized
            && let Some(action) = init_action(w, now, &mut wake)
        {
            return action;
        }
        let mut running = false;
        let mut first_start = None;
        for idx in w.shape.n_init..w.rows.len() {
            match need(w, idx, now) {
                Need::RestartAll => return Action::RestartAll(idx),
                Need::Runs => running = true,
                Need::Start(finished) => first_start = first_start.or(Some(Action::Start(idx, finished))),
                waits => _ = wake.note(waits),
            }
        }
        if !running && first_start.is_none() && wake == Wake::NEVER {
            return Action::End(None);
        }
        // Sidecars that have crashed come first, as init containers come before regular ones.
        for idx in (0..w.shape.n_init).filter(|&idx| w.kind(idx) == ContainerKind::Sidecar) {
            match need(w, idx, now) {
                Need::Start(finished) => return Action::Start(idx, finished),
                waits => _ = wake.note(waits),
            }
        }
        first_start.unwrap_or(Action::Wait(wake))
    }

    /// Lets containers in back-off show it: `CrashLoopBackOff`, with an event.
    fn show_back_offs(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        let now = cx.now();
        for idx in 0..w.rows.len() {
            let row = &w.rows[idx];
            match (need(w, idx, now), row.ended()) {
                (Need::BackOff(_), Some(ended)) => self.show_crash_loop(w, idx, ended, cx),
                (Need::Retry(_), _) if row.show_at <= now => self.show_pull_back_off(w, idx, cx),
                _ => {}
            }
        }
        self.report(w, cx);
    }

    /// Wakes the worker: exactly, or, as the kubelet meets the end of a back-off, after at most a minute with half of the wait as
    /// jitter and at the next tick of its work queue (kubelet, `pod_workers.go` `completeWork`).
    pub(super) fn wake_at(&mut self, w: &mut Worker, wake: Wake, cx: &mut Cx<'_>) {
        w.wake_turn = w.wake_turn.wrapping_add(1);
        let mut at = wake.back_off;
        if self.options.timing == KubeletTiming::Realistic && at < Time::NEVER {
            let wait = at.since(cx.now()).min(Span::from_secs(60));
            let late = self.jitter(w, wait, u32::from(w.wake_turn), cx);
            at = (cx.now() + wait + late).next_tick(self.phase_of(w.node), Span::from_secs(1));
        }
        let at = at.min(wake.exact);
        if at < Time::NEVER {
            cx.step(at, w.pod, PodStep::Restart, 0, w.wake_turn);
        }
    }

    /// Up to half of `wait`: how late the kubelet's work queue is on purpose.
    pub(super) fn jitter(&self, w: &Worker, wait: Span, turn: u32, cx: &Cx<'_>) -> Span {
        if self.options.timing == KubeletTiming::Ideal {
            return Span::ZERO;
        }
        let entity = cx.cluster.pod(w.pod).ordinal;
        let mut stream = cx.agenda.stream(Purpose::Jitter, entity, turn);
        Span::from_micros(stream.next_u64() % (wait.as_micros() / 2).max(1))
    }

    /// The offset of a node's one-second loops within the second, so that nodes are not in step.
    pub(super) fn phase_of(&self, node: crate::cluster::NodeId) -> Time {
        Time::from_micros(u64::from(node.0).wrapping_mul(0x9e37_79b9_7f4a_7c15) % 1_000_000)
    }
}

/// What initialization asks for; `None` once it is over. `wake` is when a sidecar that has crashed meanwhile may start again.
fn init_action(w: &Worker, now: Time, wake: &mut Wake) -> Option<Action> {
    let begun = (0..w.shape.n_init).rev().find(|&idx| w.rows[idx].n_starts > 0 && !w.rows[idx].anew).unwrap_or(0);
    for idx in (0..begun).filter(|&idx| w.kind(idx) == ContainerKind::Sidecar) {
        match need(w, idx, now) {
            Need::Start(finished) => return Some(Action::Start(idx, finished)),
            waits => _ = wake.note(waits),
        }
    }
    for idx in begun..w.shape.n_init {
        let sidecar = w.kind(idx) == ContainerKind::Sidecar;
        return Some(match need(w, idx, now) {
            Need::Runs if sidecar && w.rows[idx].status.started => continue,
            Need::Done(0) => continue,
            Need::Runs => Action::Wait(*wake),
            Need::Start(finished) => Action::Start(idx, finished),
            Need::RestartAll => Action::RestartAll(idx),
            Need::Done(_) => Action::End(Some(PodPhase::Failed)),
            waits => {
                wake.note(waits);
                Action::Wait(*wake)
            }
        });
    }
    None
}

/// What has to be done about container `idx` at `now`.
fn need(w: &Worker, idx: usize, now: Time) -> Need {
    let row = &w.rows[idx];
    if row.running_since().is_some() {
        return Need::Runs;
    }
    if now < row.retry_at {
        return Need::Retry(if now < row.show_at { row.show_at.min(row.retry_at) } else { row.retry_at });
    }
    let Some(ended) = row.ended().filter(|_| !row.anew) else { return Need::Start(None) };
    let killed = row.snapshot.is_some() && restarts_after_kill(w, idx);
    match decide(&w.shape, idx, ended.exit_code) {
        Decision::RestartAll => return Need::RestartAll,
        Decision::Stop if !killed => return Need::Done(ended.exit_code),
        _ => {}
    }
    let (until, finished) = back_off_until(row, ended.finished, now);
    if until <= now { Need::Start(finished) } else { Need::BackOff(until) }
}

/// Whether a container that the kubelet itself has killed starts again: always, unless it is never to be restarted.
pub(super) fn restarts_after_kill(w: &Worker, idx: usize) -> bool {
    w.container(idx).restart_policy.unwrap_or(w.shape.restart_policy) != crate::cluster::RestartPolicy::Never
}

/// Until when the crash-loop back-off holds a container whose last instance finished at `finished`, and of which instance the
/// restart will be counted. The sync in which the kubelet has killed an instance still sees the one before it.
fn back_off_until(row: &Row, finished: Time, now: Time) -> (Time, Option<Time>) {
    if let Some(before) = row.snapshot {
        let Some(before) = before else { return (now, None) };
        let until = backoff::crash_loop_until(row.crash, before).unwrap_or(now);
        if until <= now {
            return (now, Some(before));
        }
    }
    (backoff::crash_loop_until(row.crash, finished).unwrap_or(now), Some(finished))
}

impl Kubelets {
    /// Counts a restart: the next delay of the crash-loop back-off.
    pub(super) fn count_restart(&self, row: &mut Row, finished: Option<Time>, now: Time) {
        if let Some(finished) = finished {
            row.crash = Some(backoff::next(row.crash, finished, now, self.options.crash_loop));
        }
        row.snapshot = None;
    }

    /// The delay shown in the message of a container in back-off.
    pub(super) fn shown_delay(&self, row: &Row, finished: Time) -> Span {
        let expired = |last: Time| finished.since(last) > BACKOFF_RESET;
        row.crash
            .filter(|entry| !expired(entry.last_update))
            .map_or(self.options.crash_loop.initial, |entry| entry.delay)
    }
}

impl Row {
    /// Whether it shows that it is in back-off.
    pub(super) fn shows(&self, reason: crate::cluster::Sym) -> bool {
        matches!(self.status.state, ContainerState::Waiting { reason: shown, .. } if shown == reason)
    }
}
