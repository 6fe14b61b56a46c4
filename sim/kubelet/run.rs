//! Running: exits of containers, and what probes find (kubelet, `pleg/generic.go`, `prober/worker.go`).

use super::kubelets::{Cx, Kubelets};
use super::model::{PassAfter, ProbeModel, WindowBegin};
use super::probe::{self, Answers, Counter, Observed};
use super::shape::{ContainerKind, ProbeShape};
use super::start::{draw, draw_turn};
use super::worker::{Exit, Probing, Row, Stage, Worker};
use crate::cluster::{ContainerState, KubeletTiming, NodeId, PodStep, Sym, Terminated};
use crate::engine::{Id, Purpose, Span, Time};
use rand_chacha::rand_core::Rng;

/// Which probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Startup,
    Readiness,
    Liveness,
}

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

    /// A container has exited by itself.
    pub(super) fn container_exits(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        if w.stage != Stage::Active {
            return;
        }
        if let Some(exit) = w.rows[idx].exit.filter(|exit| self.noticed(w, exit.at) <= cx.now()) {
            end_instance(w, idx, exit, cx);
            self.report(w, cx);
        }
    }

    /// The probes of a container that has just started.
    pub(super) fn begin_probes(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        w.rows[idx].forget_probes();
        match w.container(idx).startup_probe {
            Some(shape) => self.look_ahead(w, idx, Which::Startup, shape, cx),
            None => self.begin_steady_probes(w, idx, cx),
        }
    }

    /// Readiness and liveness begin when the container counts as started.
    pub(super) fn begin_steady_probes(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        if let Some(shape) = w.container(idx).liveness_probe {
            self.look_ahead(w, idx, Which::Liveness, shape, cx);
        }
        match w.container(idx).readiness_probe {
            Some(shape) => self.look_ahead(w, idx, Which::Readiness, shape, cx),
            None => self.ready_without_probe(w, idx, cx),
        }
    }

    /// Without a readiness probe a container is ready as soon as it runs, or, where the model says so, some time later.
    fn ready_without_probe(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        let turn = draw_turn(idx, w.rows[idx].status.restarts);
        let delay = match &w.model(idx).readiness.pass_after {
            None => Span::ZERO,
            Some(PassAfter::Never) => return,
            Some(PassAfter::After(delay)) => draw(delay, Purpose::ProbeFailure, turn, w, cx),
        };
        let at = w.rows[idx].running_since().unwrap_or(cx.now()) + delay;
        if at <= cx.now() {
            w.rows[idx].status.ready = true;
            return;
        }
        let row = &mut w.rows[idx];
        row.probes().readiness.next = Some(Observed { at, tick: at, passes: true });
        cx.step(at, w.pod, PodStep::Readiness, idx, row.turn);
    }

    /// Schedules the first change of a probe's stored result after now.
    fn look_ahead(&mut self, w: &mut Worker, idx: usize, which: Which, shape: ProbeShape, cx: &mut Cx<'_>) {
        let (now, turn) = (cx.now(), w.rows[idx].turn);
        let started = w.rows[idx].running_since().unwrap_or(now);
        let answers = answers(w, idx, which, started, cx);
        // Ticks are anchored where the worker began; while a container is not ready every new status of its pod makes a readiness
        // probe look at once, and tick from then on.
        let (anchor, from) = match which {
            Which::Readiness => (now, now),
            Which::Startup | Which::Liveness => {
                (self.probe_anchor(w, idx, which, shape, cx), now + Span::from_micros(1))
            }
        };
        let stored = which == Which::Liveness || which == Which::Readiness && w.rows[idx].status.ready;
        let mut probing = Probing { counter: Counter::new(stored), ..Probing::IDLE };
        if which == Which::Startup {
            self.look_at_startup(w, idx, &shape, &answers, (anchor, from), cx);
            return;
        }
        let seen = started.truncated_to_seconds();
        let first = probe::first_tick(&shape, anchor, seen, from);
        if which == Which::Readiness && !answers.passes_at(first) {
            probing.warn_at = first;
            cx.step(first, w.pod, PodStep::Readiness, idx, turn);
        }
        probing.next = probe::next_observation(&shape, &answers, &mut probing.counter, anchor, seen, from);
        let step = if which == Which::Readiness { PodStep::Readiness } else { PodStep::Liveness };
        if let Some(next) = probing.next {
            cx.step(next.at, w.pod, step, idx, turn);
        }
        *probing_mut(&mut w.rows[idx], which) = Probing { anchor, ..probing };
    }

    /// What the ticks of a probe are counted from: when its worker was made; soon after the start of a kubelet, that and a random
    /// part of the period (kubelet, `prober/worker.go` `run`).
    fn probe_anchor(&self, w: &Worker, idx: usize, which: Which, shape: ProbeShape, cx: &Cx<'_>) -> Time {
        let started = self.nodes.get(w.node.index()).and_then(|node| node.kubelet_started);
        let young = started.is_some_and(|started| w.probes_since.since(started) < shape.period);
        if !young || self.options.timing == KubeletTiming::Ideal {
            return w.probes_since;
        }
        let turn = (idx as u32) << 2 | which as u32 | 1 << 28;
        let mut stream = cx.agenda.stream(Purpose::Jitter, cx.cluster.pod(w.pod).ordinal, turn);
        w.probes_since + Span::from_micros(stream.next_u64() % shape.period.as_micros())
    }

    /// The probes of a container that runs begin again after a restart of the kubelet: what was ready stays so until they say
    /// otherwise, what was alive is alive.
    pub(super) fn probe_anew(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        // A new turn voids what the probes had seen coming; the exit is planned again as it was.
        w.rows[idx].new_turn();
        w.rows[idx].forget_probes();
        self.schedule_exit(w, idx, cx);
        match w.container(idx).startup_probe.filter(|_| !w.rows[idx].status.started) {
            Some(shape) => self.look_ahead(w, idx, Which::Startup, shape, cx),
            None => self.begin_steady_probes(w, idx, cx),
        }
    }

    /// A startup probe begins without a result: the first threshold reached, of either outcome, decides.
    fn look_at_startup(
        &mut self,
        w: &mut Worker,
        idx: usize,
        shape: &ProbeShape,
        answers: &Answers,
        (anchor, from): (Time, Time),
        cx: &mut Cx<'_>,
    ) {
        let started = w.rows[idx].running_since().unwrap_or(from).truncated_to_seconds();
        let outcomes = [true, false].map(|stored| {
            let mut counter = Counter::new(stored);
            probe::next_observation(shape, answers, &mut counter, anchor, started, from)
        });
        let next = outcomes.into_iter().flatten().min_by_key(|observed| observed.at);
        let row = &mut w.rows[idx];
        row.probes().startup.next = next;
        if let Some(next) = next {
            cx.step(next.at, w.pod, PodStep::Started, idx, row.turn);
        }
    }

    pub(super) fn startup_probed(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        let Some(observed) = w.rows[idx].probes().startup.next.take() else { return };
        let Some(shape) = w.container(idx).startup_probe else { return };
        if !observed.passes {
            self.note_unhealthy(w, idx, "Startup", shape.handler, cx);
            return self.probe_kills(w, idx, "startup", shape.grace_seconds, cx);
        }
        w.rows[idx].status.started = true;
        self.begin_steady_probes(w, idx, cx);
        self.report(w, cx);
    }

    pub(super) fn readiness_probed(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        let now = cx.now();
        if w.rows[idx].probes().readiness.warn_at == now
            && let Some(shape) = w.container(idx).readiness_probe
        {
            w.rows[idx].probes().readiness.warn_at = Time::NEVER;
            self.note_unhealthy(w, idx, "Readiness", shape.handler, cx);
        }
        let Some(observed) = w.rows[idx].probes().readiness.next.filter(|next| next.at <= now) else { return };
        let row = &mut w.rows[idx];
        row.probes().readiness.next = None;
        row.status.ready = observed.passes;
        if let Some(shape) = w.container(idx).readiness_probe {
            if !observed.passes {
                self.note_unhealthy(w, idx, "Readiness", shape.handler, cx);
            }
            let started = w.rows[idx].running_since().unwrap_or(now);
            let answers = answers(w, idx, Which::Readiness, started, cx);
            let row = &mut w.rows[idx];
            let Probing { anchor, counter, .. } = &mut row.probes().readiness;
            let from = observed.tick + Span::from_micros(1);
            let seen = started.truncated_to_seconds();
            let next = probe::next_observation(&shape, &answers, counter, *anchor, seen, from);
            row.probes().readiness.next = next;
            if let Some(next) = next {
                cx.step(next.at, w.pod, PodStep::Readiness, idx, row.turn);
            }
        }
        self.report(w, cx);
    }

    pub(super) fn liveness_probed(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        if w.rows[idx].probes().liveness.next.take().is_none() || w.stage != Stage::Active {
            return;
        }
        let Some(shape) = w.container(idx).liveness_probe else { return };
        self.note_unhealthy(w, idx, "Liveness", shape.handler, cx);
        self.probe_kills(w, idx, "liveness", shape.grace_seconds, cx);
    }

    /// A liveness or startup probe has failed for good: the container is stopped and, if it may be, started again.
    fn probe_kills(&mut self, w: &mut Worker, idx: usize, probe: &str, grace_seconds: Option<u32>, cx: &mut Cx<'_>) {
        if w.stage != Stage::Active {
            return;
        }
        let name = cx.cluster.interner.shared_text(w.container(idx).name);
        let text = format!("Container {name} failed {probe} probe, will be restarted");
        self.kill_container(w, idx, grace_seconds, &text, cx);
    }
}

fn probing_mut(row: &mut Row, which: Which) -> &mut Probing {
    match which {
        Which::Startup => &mut row.probes().startup,
        Which::Readiness => &mut row.probes().readiness,
        Which::Liveness => &mut row.probes().liveness,
    }
}

/// How the probes of a container that started at `started` are answered.
fn answers(w: &Worker, idx: usize, which: Which, started: Time, cx: &Cx<'_>) -> Answers {
    let model = w.model(idx);
    let (model, which_turn): (&ProbeModel, u32) = match which {
        Which::Startup => (&model.startup_probe, 1 << 30),
        Which::Readiness => (&model.readiness, 0),
        Which::Liveness => (&model.liveness, 1 << 31),
    };
    let turn = draw_turn(idx, w.rows[idx].status.restarts) | which_turn;
    let passes_from = match &model.pass_after {
        None => started,
        Some(PassAfter::Never) => Time::NEVER,
        Some(PassAfter::After(delay)) => started + draw(delay, Purpose::ProbeFailure, turn, w, cx),
    };
    let windows = model.fail_at.iter().map(|window| {
        let begin = match window.begin {
            WindowBegin::At(at) => at,
            WindowBegin::After(after) => started + after,
        };
        (begin, window.length.map_or(Time::NEVER, |length| begin + length))
    });
    // A failure of unknown length that began before this start was cured by it.
    let mut failing: Vec<(Time, Time)> =
        windows.filter(|&(begin, end)| end != Time::NEVER || started <= begin).collect();
    failing.sort_unstable();
    let latency = model.latency.as_ref();
    let latency = latency.map_or(Span::ZERO, |latency| draw(latency, Purpose::ProbeFailure, turn | 1 << 29, w, cx));
    Answers { passes_from, failing, latency }
}

/// The present instance of a container has ended so.
pub(super) fn end_instance(w: &mut Worker, idx: usize, exit: Exit, cx: &mut Cx<'_>) {
    let words = cx.cluster.words;
    let kind = w.kind(idx);
    let row = &mut w.rows[idx];
    let Some(started) = row.running_since() else { return };
    row.new_turn();
    row.exit = None;
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
