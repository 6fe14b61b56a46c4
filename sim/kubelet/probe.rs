//! Probes without polling: the first tick at which a probe's stored result changes, found by arithmetic
//! (kubelet, `prober/worker.go`).
//!
//! A probe ticks at `anchor + k * period`. Between the instants at which the container's behaviour changes, all ticks have the same
//! outcome, so they are counted rather than simulated: a container that stays healthy for a day costs nothing.

use super::shape::ProbeShape;
use crate::engine::{Span, Time};

/// When a container answers a probe well: not before `passes_from`, and not inside any window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// From when on it answers well; [`Time::NEVER`] if it never does.
    pub passes_from: Time,
    /// Times in which it answers badly, each from its begin up to but not including its end, sorted and disjoint.
    pub failing: Vec<(Time, Time)>,
    /// How long an answer takes; longer than the timeout is a failure at the timeout.
    pub latency: Span,
}

/// The state of a probe worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// The stored result: what the rest of the kubelet acts on. `None` before the first one of a startup probe.
    pub stored: Option<bool>,
    /// The outcome of the last tick, if there was one.
    pub last: Option<bool>,
    /// How many ticks in a row had that outcome.
    pub run: u32,
}

/// A change of the stored result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// When the result is stored: the tick and the time its answer takes.
    pub at: Time,
    /// The tick itself.
    pub tick: Time,
    /// The new result.
    pub passes: bool,
}

/// Ticks with one outcome in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The first of them.
    pub first: Time,
    /// How many they are; [`u64::MAX`] if they go on for ever.
    pub n_ticks: u64,
    /// Their outcome.
    pub passes: bool,
}

/// The ticks of a probe of one container instance, by their outcomes.
#[derive(Clone, Copy, Debug)]
pub struct Ticks<'a> {
    /// The probe.
    pub probe: &'a ProbeShape,
    /// How the container answers.
    pub answers: &'a Answers,
    /// What ticks are counted from.
    pub anchor: Time,
    /// When the container was started, as the kubelet reads it: in whole seconds.
    pub started: Time,
}

impl Answers {
    /// Whether a probe at `at` is answered well.
    pub fn passes_at(&self, at: Time) -> bool {
        self.passes_from <= at && !self.failing.iter().any(|&(begin, end)| begin <= at && at < end)
    }

    /// The next instant after `at` at which the answer may change.
    fn next_change(&self, at: Time) -> Time {
        let ends = self.failing.iter().flat_map(|&(begin, end)| [begin, end]);
        ends.chain([self.passes_from]).filter(|&change| at < change).min().unwrap_or(Time::NEVER)
    }
}

impl Counter {
    /// A counter before the first tick: readiness begins as failed, liveness as passed.
    pub fn new(stored: bool) -> Counter {
        Counter { stored: Some(stored), ..Counter::default() }
    }

    /// The container has got a new id: its result is the initial one, and the run of equal outcomes goes on.
    pub fn renew(&mut self, stored: Option<bool>) {
        self.stored = stored;
    }

    /// Nothing is counted until the container has a new id, and then from the beginning.
    pub fn hold(&mut self) {
        self.run = 0;
    }

    /// Counts `n` equal outcomes, up to the one that changes the stored result. Returns how many those are, if there is one.
    pub fn count(&mut self, passes: bool, n: u64, probe: &ProbeShape) -> Option<u64> {
        let run = if self.last == Some(passes) { self.run } else { 0 };
        let threshold = if passes { probe.success_threshold } else { probe.failure_threshold };
        let needed = u64::from(threshold.saturating_sub(run)).max(1);
        let changes = self.stored != Some(passes) && needed <= n;
        let counted = if changes { needed } else { n };
        if counted > 0 {
            let run = u64::from(run).saturating_add(counted).min(u64::from(u32::MAX)) as u32;
            *self = Counter { stored: if changes { Some(passes) } else { self.stored }, last: Some(passes), run };
        }
        changes.then_some(needed)
    }
}

/// The first tick that counts for a container started at `started`: at or after `from`, and with the initial delay over, in whole
/// seconds (`floor(tick - started) >= initialDelaySeconds`).
pub fn first_tick(probe: &ProbeShape, anchor: Time, started: Time, from: Time) -> Time {
    from.max(started + probe.initial_delay).next_tick(anchor, probe.period)
}

impl<'a> Ticks<'a> {
    /// How long a tick takes until its outcome is known.
    pub fn takes(&self) -> Span {
        self.answers.latency.min(self.probe.timeout)
    }

    /// From tick to tick: ticks that come while a probe runs are dropped to one, so a slow probe stretches its period.
    pub fn period(&self) -> Span {
        self.probe.period.max(self.takes())
    }

    /// All ticks at or after `from`.
    pub fn from(self, from: Time) -> impl Iterator<Item = Stretch> + 'a {
        let slow = self.probe.timeout < self.answers.latency;
        let stretched = ProbeShape { period: self.period(), ..*self.probe };
        let first = first_tick(&stretched, self.anchor, self.started, from);
        let (answers, period) = (self.answers, stretched.period);
        let mut next = Some(first).filter(|&first| first < Time::NEVER);
        std::iter::from_fn(move || {
            let first = next?;
            let passes = !slow && answers.passes_at(first);
            let until = if slow { Time::NEVER } else { answers.next_change(first) };
            let n_ticks = match until {
                Time::NEVER => u64::MAX,
                until => until.since(first).as_micros().div_ceil(period.as_micros()),
            };
            next = (until < Time::NEVER).then(|| first + period * n_ticks).filter(|&next| next < Time::NEVER);
            Some(Stretch { first, n_ticks, passes })
        })
    }

    /// The next change of the stored result, for ticks at or after `from`. `counter` is left as it is after that change.
    pub fn next_observation(self, counter: &mut Counter, from: Time) -> Option<Observed> {
        self.from(from).find_map(|stretch| {
            let nth = counter.count(stretch.passes, stretch.n_ticks, self.probe)?;
            let tick = stretch.first + self.period() * (nth - 1);
            Some(Observed { at: tick + self.takes(), tick, passes: stretch.passes })
        })
    }

    /// Counts all ticks at or after `from` and not after `to`.
    pub fn count(self, counter: &mut Counter, from: Time, to: Time) {
        for stretch in self.from(from).take_while(|stretch| stretch.first <= to) {
            let mut left = (to.since(stretch.first).as_micros() / self.period().as_micros() + 1).min(stretch.n_ticks);
            // A change of the stored result stops the counting once.
            while let Some(counted) = counter.count(stretch.passes, left, self.probe) {
                left -= counted;
            }
        }
    }

    /// The next failing ticks in a row at or after `from`.
    pub fn next_failures(self, from: Time) -> Option<Stretch> {
        let mut failing = None;
        for stretch in self.from(from) {
            match (&mut failing, stretch.passes) {
                (None, true) => {}
                (None, false) => failing = Some(stretch),
                (Some(_), true) => break,
                (Some(found), false) => found.n_ticks = found.n_ticks.saturating_add(stretch.n_ticks),
            }
        }
        failing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Time = Time::from_secs;

    fn ticks<'a>(probe: &'a ProbeShape, answers: &'a Answers) -> Ticks<'a> {
        Ticks { probe, answers, anchor: Time::ZERO, started: Time::ZERO }
    }

    fn observed(probe: ProbeShape, answers: &Answers, stored: bool) -> Option<(u64, bool)> {
        let found = ticks(&probe, answers).next_observation(&mut Counter::new(stored), Time::ZERO)?;
        Some((found.at.as_secs(), found.passes))
    }

    #[test]
    fn a_dead_container_is_found_after_the_failure_threshold() {
        let dead = Answers { passes_from: Time::NEVER, ..Answers::default() };
        assert_eq!(observed(ProbeShape::DEFAULT, &dead, true), Some((20, false)));
        let hangs = Answers { latency: Span::from_secs(60), ..Answers::default() };
        assert_eq!(observed(ProbeShape::DEFAULT, &hangs, true), Some((21, false)));
        let startup = ProbeShape { failure_threshold: 30, ..ProbeShape::DEFAULT };
        assert_eq!(observed(startup, &dead, true), Some((290, false)));
    }

    #[test]
    fn a_healthy_container_is_never_looked_at() {
        assert_eq!(observed(ProbeShape::DEFAULT, &Answers::default(), true), None);
        let blip = Answers { failing: vec![(S(95), S(115))], ..Answers::default() };
        assert_eq!(observed(ProbeShape::DEFAULT, &blip, true), None, "two failures of three needed");
        let outage = Answers { failing: vec![(S(95), S(125))], ..Answers::default() };
        assert_eq!(observed(ProbeShape::DEFAULT, &outage, true), Some((120, false)));
    }

    #[test]
    fn ticks_are_anchored_and_the_initial_delay_only_gates() {
        let probe =
            ProbeShape { initial_delay: Span::from_secs(12), period: Span::from_secs(5), ..ProbeShape::DEFAULT };
        assert_eq!(first_tick(&probe, S(0), S(0), S(0)), S(15));
        let probe = ProbeShape { initial_delay: Span::from_secs(5), ..probe };
        assert_eq!(first_tick(&probe, S(0), Time::from_micros(2_400_000), S(0)), S(10));
    }

    #[test]
    fn runs_of_outcomes_are_compared_with_their_thresholds() {
        let probe = ProbeShape { success_threshold: 3, failure_threshold: 1, ..ProbeShape::DEFAULT };
        let mut counter = Counter::new(false);
        let stored: Vec<bool> = [true, true, true, true, true, false, true, true, true]
            .into_iter()
            .map(|passes| {
                counter.count(passes, 1, &probe);
                counter.stored == Some(true)
            })
            .collect();
        assert_eq!(stored, [false, false, true, true, true, false, false, false, true]);
    }

    #[test]
    fn a_run_of_outcomes_goes_on_in_a_new_container_unless_the_probe_was_on_hold() {
        let probe = ProbeShape { success_threshold: 3, failure_threshold: 3, ..ProbeShape::DEFAULT };
        let mut readiness = Counter::new(false);
        assert_eq!(readiness.count(true, 9, &probe), Some(3));
        readiness.renew(Some(false));
        assert_eq!(readiness.count(true, 9, &probe), Some(1), "three successes in a row were seen before the restart");
        let mut liveness = Counter::new(true);
        assert_eq!(liveness.count(false, 2, &probe), None);
        liveness.renew(Some(true));
        assert_eq!(liveness.count(false, 9, &probe), Some(1), "two failures before an exit of its own, one after it");
        liveness.hold();
        liveness.renew(Some(true));
        assert_eq!(liveness.count(false, 9, &probe), Some(3));
    }

    #[test]
    fn counting_in_parts_is_counting_at_once() {
        let probe = ProbeShape { failure_threshold: 4, success_threshold: 2, ..ProbeShape::DEFAULT };
        let answers = Answers { failing: vec![(S(35), S(95)), (S(200), S(1000))], ..Answers::default() };
        let ticks = ticks(&probe, &answers);
        for cut in [0, 15, 40, 60, 69, 70, 100, 115, 230, 235] {
            let (mut at_once, mut in_parts) = (Counter::new(true), Counter::new(true));
            ticks.count(&mut at_once, S(0), S(240));
            ticks.count(&mut in_parts, S(0), S(cut));
            ticks.count(&mut in_parts, S(cut) + Span::from_micros(1), S(240));
            assert_eq!(in_parts, at_once, "cut at {cut}");
        }
        let mut counter = Counter::new(true);
        ticks.count(&mut counter, S(0), S(60));
        assert_eq!((counter.stored, counter.last, counter.run), (Some(true), Some(false), 3));
        let next = ticks.next_observation(&mut counter, S(61)).expect("the fourth failure");
        assert_eq!((next.tick, next.passes), (S(70), false));
    }

    #[test]
    fn failures_in_a_row_are_one_run() {
        let answers =
            Answers { failing: vec![(S(15), S(35)), (S(35), S(45)), (S(95), Time::NEVER)], ..Answers::default() };
        let ticks = ticks(&ProbeShape::DEFAULT, &answers);
        let run = |from: u64| ticks.next_failures(S(from)).map(|run| (run.first.as_secs(), run.n_ticks));
        assert_eq!((run(0), run(41), run(120)), (Some((20, 3)), Some((100, u64::MAX)), Some((120, u64::MAX))));
    }
}
