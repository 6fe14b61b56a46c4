//! Starting: sandbox, image, container (kubelet, `kuberuntime_manager.go` `SyncPod`, `kuberuntime_container.go` `startContainer`).

use super::kubelets::{Cx, Kubelets};
use super::shape::{ContainerKind, Hook};
use super::termination::EXIT_SIGKILL;
use super::worker::{Busy, Exit, Worker};
use super::world::scaled;
use crate::cluster::{ContainerState, ContainerStatus, EventType, PodStep, Sym, Terminated};
use crate::engine::{Distribution, Purpose, Span, Time};
use rand_chacha::rand_core::Rng;

/// The pod network: addresses in the order in which sandboxes are made.
const FIRST_ADDRESS: u32 = u32::from_be_bytes([10, 244, 0, 2]);
/// Behind the addresses of 10.244/16 to 10.255/16.
const MORE_ADDRESSES: u32 = u32::from_be_bytes([100, 64, 0, 0]);

impl Kubelets {
    pub(super) fn make_sandbox(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        let latency = self.sandbox_latency(w, cx);
        let turn = w.new_turn();
        w.busy = Busy::Sandbox;
        if latency.is_zero() {
            return self.sandbox_ready(w, cx);
        }
        cx.step(cx.now() + latency, w.pod, PodStep::SandboxReady, 0, turn);
    }

    pub(super) fn sandbox_ready(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        w.busy = Busy::Idle;
        w.sandbox = true;
        w.ip = if w.shape.host_network { 0x0a80_0000 + w.node.0 } else { self.next_address() };
        self.report(w, cx);
    }

    pub(super) fn next_address(&mut self) -> u32 {
        let n = self.n_addresses;
        self.n_addresses += 1;
        let in_first = u32::from_be_bytes([10, 255, 255, 255]) - FIRST_ADDRESS;
        if n <= in_first { FIRST_ADDRESS + n } else { MORE_ADDRESSES.wrapping_add(n - in_first) }
    }

    /// Begins a start; back-off counts the instance that finished then.
    pub(super) fn start_container(&mut self, w: &mut Worker, idx: usize, finished: Option<Time>, cx: &mut Cx<'_>) {
        let now = cx.now();
        let mut row = w.rows[idx].clone();
        self.count_restart(&mut row, finished, now);
        row.retry_at = Time::ZERO;
        w.rows[idx] = row;
        self.ensure_image(w, idx, cx);
    }

    /// The image is there: the container is created and started.
    pub(super) fn image_ready(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        if !self.finish_pull(w, idx, cx) {
            return;
        }
        let latency = self.start_latency(w, idx, cx);
        let turn = w.new_turn();
        w.busy = Busy::Starting(idx as u8);
        if latency.is_zero() {
            return self.container_started(w, idx, cx);
        }
        cx.step(cx.now() + latency, w.pod, PodStep::ContainerStarted, idx, turn);
    }

    pub(super) fn container_started(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        let now = cx.now();
        w.busy = Busy::Idle;
        w.initialized |= w.kind(idx) == ContainerKind::Regular;
        let (has_startup, first) = (w.container(idx).startup_probe.is_some(), w.rows[idx].n_starts == 0);
        let row = &mut w.rows[idx];
        row.new_turn();
        row.n_starts += 1;
        row.anew = false;
        row.status = ContainerStatus {
            state: ContainerState::Running { started: now },
            last: row.ended().or(row.status.last),
            ready: false,
            started: !has_startup,
            restarts: row.status.restarts + u32::from(!first),
        };
        row.fresh = true;
        self.note(w, idx, EventType::Normal, "Created", "Container created", cx);
        self.note(w, idx, EventType::Normal, "Started", "Container started", cx);
        self.plan_exit(w, idx, cx);
        self.watch_pressure(w, idx, cx);
        if let Some(hook) = w.container(idx).post_start {
            self.run_post_start(w, idx, hook, cx);
        }
    }

    /// The sync that has started containers is over: their status is told from now on, and their probes begin.
    pub(super) fn settle_fresh(&mut self, w: &mut Worker, cx: &mut Cx<'_>) -> bool {
        let mut any = false;
        for idx in 0..w.rows.len() {
            if std::mem::take(&mut w.rows[idx].fresh) && w.kind(idx) != ContainerKind::Init {
                self.begin_probes(w, idx, cx);
                any = true;
            }
        }
        any
    }

    /// A container that runs already when the simulation begins.
    pub(super) fn run_now(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        let words = cx.cluster.words;
        let was_ready = cx.cluster.pod(w.pod).conditions.is_true(words.ready);
        let row = &mut w.rows[idx];
        row.n_starts = 1;
        row.new_turn();
        if w.shape.containers[idx].kind == ContainerKind::Init {
            let (started, finished) = (w.since, w.since);
            let ended = Terminated { exit_code: 0, reason: words.completed, message: Sym::EMPTY, started, finished };
            row.status = ContainerStatus { state: ContainerState::Terminated(ended), ready: true, ..row.status };
            return;
        }
        let state = ContainerState::Running { started: w.since };
        row.status = ContainerStatus { state, started: true, ..row.status };
        self.plan_exit(w, idx, cx);
        self.begin_steady_probes(w, idx, cx);
        w.rows[idx].status.ready |= was_ready;
    }

    /// The worker waits for the hook; the container runs beside it, of which nobody is told before.
    fn run_post_start(&mut self, w: &mut Worker, idx: usize, hook: Hook, cx: &mut Cx<'_>) {
        let takes = match hook {
            Hook::Sleep(span) => span,
            Hook::Run => {
                let turn = draw_turn(idx, w.rows[idx].status.restarts);
                let model = w.model(idx).hooks.post_start.as_ref();
                model.map_or(Span::ZERO, |takes| draw(takes, Purpose::StartupDelay, turn | 1 << 30, w, cx))
            }
        };
        w.busy = Busy::PostStart(idx as u8);
        let turn = w.new_turn();
        cx.step(cx.now() + takes, w.pod, PodStep::ContainerStarted, idx, turn);
    }

    pub(super) fn post_start_done(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        w.busy = Busy::Idle;
        if w.rows[idx].running_since().is_some() && w.model(idx).hooks.post_start_fails {
            self.note(w, idx, EventType::Warning, "FailedPostStartHook", "PostStartHook failed", cx);
            self.kill_container(w, idx, None, "FailedPostStartHook", cx);
        }
    }

    /// When and how the instance just started will exit by itself.
    fn plan_exit(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        let started = w.rows[idx].running_since().unwrap_or(cx.now());
        w.rows[idx].exit = natural_exit(w, idx, started, cx);
        self.schedule_exit(w, idx, cx);
    }

    /// Schedules the exit that is planned for a container; earlier plans are void, as [`Kubelets::container_exits`] compares.
    pub(super) fn schedule_exit(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        if let Some(exit) = w.rows[idx].exit {
            let at = self.noticed(w, exit.at);
            cx.step(at, w.pod, PodStep::ContainerExits, idx, w.rows[idx].turn);
        }
    }

    /// The resources of a running container have changed: work that is under way takes longer or shorter from now on, and memory
    /// runs out at another time.
    pub(super) fn replan_exit(&mut self, w: &mut Worker, idx: usize, cpu_before: Option<i64>, cx: &mut Cx<'_>) {
        let (Some(started), now) = (w.rows[idx].running_since(), cx.now()) else { return };
        let planned = match w.rows[idx].exit {
            Some(exit) if exit.oom => work_exit(w, idx, started, cx).filter(|exit| now < exit.at),
            planned => planned,
        };
        let wants = w.model(idx).usage.cpu.as_ref().and_then(|usage| usage.constant());
        let slower = |limit: Option<i64>| match (wants, limit) {
            (Some(wants), Some(limit)) if (limit as f64) < wants => wants / limit as f64,
            _ => 1.0,
        };
        let factor = slower(w.container(idx).cpu_limit) / slower(cpu_before);
        let planned = planned.map(|exit| match now < exit.at {
            true => Exit { at: now + scaled(exit.at.since(now), factor), ..exit },
            false => exit,
        });
        let limit = w.container(idx).memory_limit.map(|bytes| bytes as f64);
        let oom = limit.and_then(|limit| w.model(idx).usage.memory.as_ref()?.first_above_from(limit, started, now));
        w.rows[idx].exit = match oom {
            Some(at) if planned.is_none_or(|exit| at < exit.at) => Some(Exit { at, code: EXIT_SIGKILL, oom: true }),
            _ => planned,
        };
        self.schedule_exit(w, idx, cx);
    }

    /// How long a container takes from its image to its process.
    fn start_latency(&self, w: &mut Worker, idx: usize, cx: &Cx<'_>) -> Span {
        if !w.started_up && w.kind(idx) == ContainerKind::Regular {
            w.started_up = true;
            if let Some(startup) = startup(w, cx) {
                return startup.saturating_sub(self.sandbox_latency(w, cx));
            }
        }
        let turn = draw_turn(idx, w.rows[idx].status.restarts);
        draw(&self.options.container_start, Purpose::StartupDelay, turn | 1 << 31, w, cx)
    }

    /// How long the sandbox takes: a part of the startup where that is modelled.
    fn sandbox_latency(&self, w: &Worker, cx: &Cx<'_>) -> Span {
        let latency = draw(&self.options.sandbox, Purpose::StartupDelay, u32::MAX, w, cx);
        startup(w, cx).map_or(latency, |startup| latency.min(startup))
    }
}

/// The modelled startup of a pod: that of its first regular container that has one.
pub(super) fn startup(w: &Worker, cx: &Cx<'_>) -> Option<Span> {
    let mut models = w.behaviour.containers.iter().skip(w.shape.n_init);
    let startup = models.find_map(|model| model.startup.as_ref())?;
    Some(draw(startup, Purpose::StartupDelay, 0, w, cx))
}

/// The number of a draw: by container and start.
pub(super) fn draw_turn(idx: usize, n_starts: u32) -> u32 {
    (idx as u32 & 0x3f) << 24 | n_starts & 0xff_ffff
}

/// One value of a distribution for a pod, as long as its machine takes for it; constants cost nothing.
pub(super) fn draw(from: &Distribution, purpose: Purpose, turn: u32, w: &Worker, cx: &Cx<'_>) -> Span {
    let span = match from.as_constant() {
        Some(us) => Span::from_micros((us + 0.5) as u64),
        None => from.sample_span(&mut cx.agenda.stream(purpose, cx.cluster.pod(w.pod).ordinal, turn)),
    };
    scaled(span, cx.cluster.node(w.node).slowdown)
}

/// When and how container `idx`, started at `started`, exits by itself, or for want of memory.
pub(super) fn natural_exit(w: &Worker, idx: usize, started: Time, cx: &Cx<'_>) -> Option<Exit> {
    let exit = work_exit(w, idx, started, cx);
    let limit = w.container(idx).memory_limit.map(|bytes| bytes as f64);
    let oom = limit.and_then(|limit| w.model(idx).usage.memory.as_ref()?.first_above(limit, started));
    match oom {
        Some(at) if exit.is_none_or(|exit| at < exit.at) => Some(Exit { at, code: EXIT_SIGKILL, oom: true }),
        _ => exit,
    }
}

/// When and how the work of container `idx`, started at `started`, ends.
fn work_exit(w: &Worker, idx: usize, started: Time, cx: &Cx<'_>) -> Option<Exit> {
    let model = w.model(idx);
    let n_run = w.rows[idx].status.restarts;
    let turn = draw_turn(idx, n_run);
    let fails = model.exits.failure.as_ref().filter(|(_, share)| {
        let entity = cx.cluster.pod(w.pod).ordinal;
        *share >= 1.0
            || *share > 0.0 && {
                let draw = cx.agenda.stream(Purpose::Exit, entity, turn).next_u64();
                ((draw >> 11) as f64) < share * (1u64 << 53) as f64
            }
    });
    let ends = match (fails, &model.exits.run) {
        (Some((after, _)), _) => Some((draw(after, Purpose::Lifetime, turn, w, cx), model.exits.code(n_run))),
        (None, Some(run)) => {
            let code = if model.exits.failure.is_some() { 0 } else { model.exits.code(n_run) };
            Some((throttled(draw(run, Purpose::Lifetime, turn, w, cx), w, idx), code))
        }
        (None, None) => None,
    };
    ends.map(|(run, code)| Exit { at: started + run, code, oom: false })
}

/// Work that wants more cpu than its limit takes longer by that ratio.
fn throttled(run: Span, w: &Worker, idx: usize) -> Span {
    let wants = w.model(idx).usage.cpu.as_ref().and_then(|usage| usage.constant());
    match (wants, w.container(idx).cpu_limit) {
        (Some(wants), Some(limit)) if limit as f64 <= wants => {
            Span::from_micros((run.as_micros() as f64 * (wants / limit as f64) + 0.5) as u64)
        }
        _ => run,
    }
}

impl Worker {
    /// Lets a container that has never run, or does not run, wait for this reason.
    pub(super) fn wait_for(&mut self, idx: usize, reason: Sym, message: Sym) {
        let status = &mut self.rows[idx].status;
        if let ContainerState::Terminated(ended) = status.state {
            status.last = Some(ended);
        }
        status.state = ContainerState::Waiting { reason, message };
    }
}
