//! The probe workers of a kubelet: when a probe's stored result changes, what that leads to, and which events tell of failures
//! (kubelet, `prober/worker.go`, `prober_manager.go`).
//!
//! Nothing happens at a tick that has the outcome of the one before it. What is scheduled are the next change of the stored result
//! and the first of the next failing ticks; the events of the failing ticks after it are counted when somebody looks.

use super::kubelets::{Cx, Kubelets};
use super::model::{PassAfter, ProbeModel, WindowBegin};
use super::probe::{Answers, Observed, Stretch, Ticks};
use super::shape::{ContainerKind, ProbeShape};
use super::start::{draw, draw_turn};
use super::worker::{Busy, Row, Stage, Worker};
use crate::cluster::{EventRepeat, KubeletTiming, PodStep};
use crate::engine::{Id, Purpose, Span, Time};
use rand_chacha::rand_core::Rng;

/// Which probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Startup,
    Readiness,
    Liveness,
}

/// The least there is between two instants.
const MICRO: Span = Span::from_micros(1);

impl Which {
    pub(super) const ALL: [Which; 3] = [Which::Startup, Which::Readiness, Which::Liveness];

    fn step(self) -> PodStep {
        match self {
            Which::Startup => PodStep::Started,
            Which::Readiness => PodStep::Readiness,
            Which::Liveness => PodStep::Liveness,
        }
    }

    /// The word in events.
    fn name(self) -> &'static str {
        match self {
            Which::Startup => "Startup",
            Which::Readiness => "Readiness",
            Which::Liveness => "Liveness",
        }
    }

    /// The word in messages.
    pub(super) fn word(self) -> &'static str {
        match self {
            Which::Startup => "startup",
            Which::Readiness => "readiness",
            Which::Liveness => "liveness",
        }
    }
}

impl Kubelets {
    /// The probes of a container that has just started.
    pub(super) fn begin_probes(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        match w.container(idx).startup_probe {
            Some(shape) => self.begin_probe(w, idx, Which::Startup, &shape, cx),
            None => self.begin_steady_probes(w, idx, cx),
        }
    }

    /// Readiness and liveness begin when the container counts as started.
    pub(super) fn begin_steady_probes(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        if let Some(shape) = w.container(idx).liveness_probe {
            self.begin_probe(w, idx, Which::Liveness, &shape, cx);
        }
        match w.container(idx).readiness_probe {
            Some(shape) => self.begin_probe(w, idx, Which::Readiness, &shape, cx),
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
        row.probing(Which::Readiness).next = Some(Observed { at, tick: at, passes: true });
        cx.step(at, w.pod, PodStep::Readiness, idx, row.turn);
    }

    /// A probe begins to look at a new instance, or at one that the kubelet meets anew.
    fn begin_probe(&mut self, w: &mut Worker, idx: usize, which: Which, shape: &ProbeShape, cx: &mut Cx<'_>) {
        let now = cx.now();
        // Ticks are anchored where the worker began; while a container is not ready every new status of its pod makes a readiness
        // probe look at once, and tick from then on.
        let (anchor, from) = match which {
            Which::Readiness => (now, now),
            Which::Startup | Which::Liveness => (self.probe_anchor(w, idx, which, shape, cx), now + MICRO),
        };
        let initial = match which {
            Which::Startup => None,
            Which::Readiness => Some(w.rows[idx].status.ready),
            Which::Liveness => Some(true),
        };
        let probing = w.rows[idx].probing(which);
        probing.counter.renew(initial);
        (probing.anchor, probing.from, probing.told) = (anchor, from, false);
        self.plan(w, idx, which, shape, cx);
    }

    /// What the ticks of a probe are counted from: when its worker was made; soon after the start of a kubelet, that and a random
    /// part of the period (kubelet, `prober/worker.go` `run`).
    fn probe_anchor(&self, w: &Worker, idx: usize, which: Which, shape: &ProbeShape, cx: &Cx<'_>) -> Time {
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
        cx.cluster.end_event_repeats(w.pod, repeat_key(idx, Which::Startup), repeat_key(idx, Which::Liveness));
        self.schedule_exit(w, idx, cx);
        match w.container(idx).startup_probe.filter(|_| !w.rows[idx].status.started) {
            Some(shape) => self.begin_probe(w, idx, Which::Startup, &shape, cx),
            None => self.begin_steady_probes(w, idx, cx),
        }
    }

    /// Schedules what comes next of a probe, for its ticks that are not counted yet.
    fn plan(&mut self, w: &mut Worker, idx: usize, which: Which, shape: &ProbeShape, cx: &mut Cx<'_>) {
        let lacks = self.lacks_service(w, idx, which, cx.cluster);
        let answers = answers(w, idx, which, lacks, cx);
        let probing = w.rows[idx].probing(which);
        (probing.active, probing.lacks) = (true, lacks);
        let (from, told) = (probing.from, probing.told);
        self.plan_observation(w, idx, which, shape, &answers, cx);
        if !self.options.events {
            return;
        }
        let ticks = ticks(w, idx, which, shape, &answers);
        let mut failures = ticks.next_failures(from);
        let leading = ticks.from(from).next().map(|stretch| stretch.first);
        let failed_before = w.rows[idx].probing(which).counter.last == Some(false);
        if let Some(run) = failures.filter(|run| told && failed_before && leading == Some(run.first)) {
            // They go on: an event has told of them.
            self.repeat_unhealthy(w, idx, which, shape, run, &answers, cx);
            failures = after_run(ticks, run);
        }
        self.await_failures(w, idx, which, failures, ticks.takes(), cx);
    }

    /// Schedules the next change of the stored result.
    fn plan_observation(
        &mut self,
        w: &mut Worker,
        idx: usize,
        which: Which,
        shape: &ProbeShape,
        answers: &Answers,
        cx: &mut Cx<'_>,
    ) {
        let ticks = ticks(w, idx, which, shape, answers);
        let row = &mut w.rows[idx];
        let turn = row.turn;
        let probing = row.probing(which);
        probing.after = probing.counter;
        probing.next = ticks.next_observation(&mut probing.after, probing.from);
        if let Some(next) = probing.next {
            cx.step(next.at, w.pod, which.step(), idx, turn);
        }
    }

    /// Schedules the event that tells of the next failing ticks.
    fn await_failures(
        &mut self,
        w: &mut Worker,
        idx: usize,
        which: Which,
        failures: Option<Stretch>,
        takes: Span,
        cx: &mut Cx<'_>,
    ) {
        let row = &mut w.rows[idx];
        let failures = failures.map(|run| (run.first + takes, run));
        row.probing(which).failures = failures;
        if let Some((at, _)) = failures {
            cx.step(at, w.pod, which.step(), idx, row.turn);
        }
    }

    /// The first of some failing ticks is there: an event tells of it, and is counted at those that follow.
    fn tell_failure(&mut self, w: &mut Worker, idx: usize, which: Which, shape: &ProbeShape, cx: &mut Cx<'_>) {
        let probing = w.rows[idx].probing(which);
        let lacks = probing.lacks;
        let Some((_, run)) = probing.failures.filter(|&(at, _)| at == cx.now()) else { return };
        let answers = answers(w, idx, which, lacks, cx);
        let ticks = ticks(w, idx, which, shape, &answers);
        let text = self.unhealthy_text(w, which.name(), shape, &answers, cx);
        let written = self.note_unhealthy(w, idx, &text, cx);
        let left = if run.n_ticks == u64::MAX { u64::MAX } else { run.n_ticks - 1 };
        let rest = Stretch { first: run.first + ticks.period(), n_ticks: left, passes: false };
        let dropped = !written && !self.is_cut_off(w.node, cx.cluster);
        w.rows[idx].probing(which).told = written;
        if written && left > 0 {
            self.repeat_unhealthy(w, idx, which, shape, rest, &answers, cx);
        }
        // One that the spam filter has dropped has no record yet that could be counted up.
        let next = if dropped && left > 0 { Some(rest) } else { after_run(ticks, run) };
        self.await_failures(w, idx, which, next, ticks.takes(), cx);
    }

    #[allow(clippy::too_many_arguments, reason = "a probe of a container, and what is known of it")]
    fn repeat_unhealthy(
        &mut self,
        w: &Worker,
        idx: usize,
        which: Which,
        shape: &ProbeShape,
        run: Stretch,
        answers: &Answers,
        cx: &mut Cx<'_>,
    ) {
        let ticks = ticks(w, idx, which, shape, answers);
        let (period, next) = (ticks.period(), run.first + ticks.takes());
        let until = if run.n_ticks == u64::MAX { Time::NEVER } else { next + period * run.n_ticks };
        let text = self.unhealthy_text(w, which.name(), shape, answers, cx);
        self.repeat_unhealthy_event(
            w,
            idx,
            &text,
            EventRepeat { key: repeat_key(idx, which), next, period, until },
            cx,
        );
    }

    /// A probe has something to tell: a first failure, a change of its stored result, or both.
    pub(super) fn probed(&mut self, w: &mut Worker, idx: usize, which: Which, cx: &mut Cx<'_>) {
        let shape = shape_of(w, idx, which);
        if let Some(shape) = &shape {
            self.tell_failure(w, idx, which, shape, cx);
        }
        let probing = w.rows[idx].probing(which);
        let lacks = probing.lacks;
        let Some(observed) = probing.next.filter(|next| next.at == cx.now()) else { return };
        (probing.next, probing.counter, probing.from) = (None, probing.after, observed.tick + MICRO);
        match which {
            Which::Readiness => {
                w.rows[idx].status.ready = observed.passes;
                if let Some(shape) = &shape {
                    let answers = answers(w, idx, which, lacks, cx);
                    self.plan_observation(w, idx, which, shape, &answers, cx);
                }
                self.report(w, cx);
                self.nudge(w, cx);
            }
            Which::Startup if observed.passes => {
                w.rows[idx].probing(which).counter.hold();
                self.stop_probe(w, idx, which, cx);
                w.rows[idx].status.started = true;
                self.begin_steady_probes(w, idx, cx);
                self.report(w, cx);
                self.nudge(w, cx);
            }
            Which::Startup | Which::Liveness if w.stage == Stage::Active => {
                w.rows[idx].probing(which).counter.hold();
                self.stop_probe(w, idx, which, cx);
                w.rows[idx].unhealthy = Some(which);
            }
            Which::Startup | Which::Liveness => {}
        }
    }

    /// A probe ticks no more.
    fn stop_probe(&mut self, w: &mut Worker, idx: usize, which: Which, cx: &mut Cx<'_>) {
        w.rows[idx].probing(which).stop();
        cx.cluster.end_event_repeats(w.pod, repeat_key(idx, which), repeat_key(idx, which));
    }

    /// A pod is to end: startup and liveness of its regular containers are not looked at any more (kubelet,
    /// `prober_manager.go` `StopLivenessAndStartup`).
    pub(super) fn stop_liveness_and_startup(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        for idx in w.shape.n_init..w.rows.len() {
            for which in [Which::Startup, Which::Liveness] {
                if w.rows[idx].known_probe(which).is_some_and(|probing| probing.active) {
                    self.stop_probe(w, idx, which, cx);
                }
            }
        }
    }

    /// The status of a pod is told anew: readiness probes of containers that are not ready look at once, and tick from then on
    /// (kubelet, `prober_manager.go` `UpdatePodStatus`).
    pub(super) fn nudge(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        let now = cx.now();
        if w.busy != Busy::Idle || w.stage != Stage::Active {
            return;
        }
        for idx in 0..w.rows.len() {
            let row = &w.rows[idx];
            let waits = row.running_since().is_some() && row.status.started && !row.status.ready && !row.fresh;
            let known = row.known_probe(Which::Readiness).copied().filter(|probing| waits && probing.active);
            let (Some(probing), Some(shape)) = (known, w.container(idx).readiness_probe) else { continue };
            if is_under_way(&probing, now).is_some() {
                continue;
            }
            let answers = answers(w, idx, Which::Readiness, probing.lacks, cx);
            let ticks = ticks(w, idx, Which::Readiness, &shape, &answers);
            // A tick at this very instant, done or to be done, is the look that is asked for.
            if now.next_tick(probing.anchor, ticks.period()) == now {
                continue;
            }
            let mut counter = probing.counter;
            ticks.count(&mut counter, probing.from, now);
            let kept = w.rows[idx].probing(Which::Readiness);
            (kept.counter, kept.anchor, kept.from) = (counter, now, now);
            self.plan_anew(w, idx, Which::Readiness, &shape, cx);
        }
    }

    /// Services that the pod's probes depend on have got their first ready endpoint, or lost their last one.
    pub(super) fn services_changed(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        let now = cx.now();
        for idx in 0..w.rows.len() {
            for which in Which::ALL {
                let known = w.rows[idx].known_probe(which).copied().filter(|probing| probing.active);
                let (Some(probing), Some(shape)) = (known, shape_of(w, idx, which)) else { continue };
                if self.lacks_service(w, idx, which, cx.cluster) == probing.lacks {
                    continue;
                }
                if let Some(until) = is_under_way(&probing, now) {
                    // Its question has been asked before: the answer to the next one differs.
                    cx.step(until, w.pod, PodStep::ServicesChanged, 0, 0);
                    continue;
                }
                let answers = answers(w, idx, which, probing.lacks, cx);
                let mut counter = probing.counter;
                ticks(w, idx, which, &shape, &answers).count(&mut counter, probing.from, now);
                let kept = w.rows[idx].probing(which);
                (kept.counter, kept.from) = (counter, kept.from.max(now + MICRO));
                self.plan_anew(w, idx, which, &shape, cx);
            }
        }
    }

    /// The kubelet can write events again: what has failed meanwhile is told of.
    pub(super) fn tell_failures_anew(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        for idx in 0..w.rows.len() {
            for which in Which::ALL {
                let known = w.rows[idx].known_probe(which).copied().filter(|probing| probing.active);
                let (Some(probing), Some(shape)) = (known, shape_of(w, idx, which)) else { continue };
                let answers = answers(w, idx, which, probing.lacks, cx);
                let ticks = ticks(w, idx, which, &shape, &answers);
                let (next, takes) = (ticks.next_failures(cx.now() + MICRO), ticks.takes());
                w.rows[idx].probing(which).told = false;
                self.await_failures(w, idx, which, next.filter(|_| self.options.events), takes, cx);
            }
        }
    }

    fn plan_anew(&mut self, w: &mut Worker, idx: usize, which: Which, shape: &ProbeShape, cx: &mut Cx<'_>) {
        cx.cluster.end_event_repeats(w.pod, repeat_key(idx, which), repeat_key(idx, which));
        self.plan(w, idx, which, shape, cx);
    }

    /// The text of the event about the kill of a container that fails a probe (kubelet, `kuberuntime_manager.go`
    /// `computePodActions`, `kuberuntime_container.go` `computeInitContainerActions`).
    pub(super) fn kill_text(&self, w: &Worker, idx: usize, which: Which, restarts: bool, cx: &Cx<'_>) -> String {
        let (name, word) = (cx.cluster.interner.text(w.container(idx).name), which.word());
        match w.kind(idx) {
            ContainerKind::Regular if restarts => format!("Container {name} failed {word} probe, will be restarted"),
            ContainerKind::Regular => format!("Container {name} failed {word} probe"),
            ContainerKind::Init | ContainerKind::Sidecar => format!("Init container {name} failed {word} probe"),
        }
    }
}

/// Counts the ticks of the probes of a container up to now: it ends, and what they have seen in a row goes on in the next instance.
pub(super) fn count_ticks(w: &mut Worker, idx: usize, cx: &Cx<'_>) {
    for which in Which::ALL {
        let known = w.rows[idx].known_probe(which).copied().filter(|probing| probing.active);
        let (Some(probing), Some(shape)) = (known, shape_of(w, idx, which)) else { continue };
        let answers = answers(w, idx, which, probing.lacks, cx);
        let mut counter = probing.counter;
        ticks(w, idx, which, &shape, &answers).count(&mut counter, probing.from, cx.now());
        w.rows[idx].probing(which).counter = counter;
    }
}

/// Names the repeated events of a probe among those of its pod.
pub(super) fn repeat_key(idx: usize, which: Which) -> u32 {
    (idx as u32) << 2 | which as u32
}

/// Until when a tick is being answered whose outcome matters, if there is one.
fn is_under_way(probing: &super::worker::Probing, now: Time) -> Option<Time> {
    let observed = probing.next.filter(|next| next.tick <= now && now < next.at).map(|next| next.at);
    let failing = probing.failures.filter(|(at, run)| run.first <= now && now < *at).map(|(at, _)| at);
    observed.max(failing)
}

fn shape_of(w: &Worker, idx: usize, which: Which) -> Option<ProbeShape> {
    let container = w.container(idx);
    match which {
        Which::Startup => container.startup_probe,
        Which::Readiness => container.readiness_probe,
        Which::Liveness => container.liveness_probe,
    }
}

/// The failing ticks after `run`.
fn after_run(ticks: Ticks<'_>, run: Stretch) -> Option<Stretch> {
    (run.n_ticks < u64::MAX).then(|| ticks.next_failures(run.first + ticks.period() * run.n_ticks))?
}

fn ticks<'a>(w: &Worker, idx: usize, which: Which, shape: &'a ProbeShape, answers: &'a Answers) -> Ticks<'a> {
    let row: &Row = &w.rows[idx];
    let anchor = row.known_probe(which).map_or(w.probes_since, |probing| probing.anchor);
    let started = row.running_since().unwrap_or(anchor).truncated_to_seconds();
    Ticks { probe: shape, answers, anchor, started }
}

/// How the probes of a container that runs are answered; badly while it lacks a service that they depend on.
fn answers(w: &Worker, idx: usize, which: Which, lacks: bool, cx: &Cx<'_>) -> Answers {
    let started = w.rows[idx].running_since().unwrap_or(cx.now());
    let (model, which_turn): (&ProbeModel, u32) = match which {
        Which::Startup => (&w.model(idx).startup_probe, 1 << 30),
        Which::Readiness => (&w.model(idx).readiness, 0),
        Which::Liveness => (&w.model(idx).liveness, 1 << 31),
    };
    let turn = draw_turn(idx, w.rows[idx].status.restarts) | which_turn;
    let passes_from = match &model.pass_after {
        _ if lacks => Time::NEVER,
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
