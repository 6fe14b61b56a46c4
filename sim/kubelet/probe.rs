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

/// The state of a probe worker between two stored results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// The stored result: what the rest of the kubelet acts on.
    pub stored: bool,
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
    /// The counter of a container that has just got a new id: readiness begins as failed, liveness as passed. The run of equal
    /// outcomes goes on over restarts.
    pub fn new(stored: bool) -> Counter {
        Counter { stored, last: None, run: 0 }
    }

    /// Counts `n` equal outcomes. Returns after how many of them the stored result changes, if it does.
    pub fn count(&mut self, passes: bool, n: u64, probe: &ProbeShape) -> Option<u64> {
        let run = if self.last == Some(passes) { self.run } else { 0 };
        let threshold = if passes { probe.success_threshold } else { probe.failure_threshold };
        let needed = u64::from(threshold.saturating_sub(run)).max(1);
        if self.stored != passes && needed <= n {
            *self = Counter { stored: passes, last: Some(passes), run: run.max(threshold.max(1)) };
            return Some(needed);
        }
        if n > 0 {
            let grown = u64::from(run).saturating_add(n).min(u64::from(u32::MAX));
            *self = Counter { last: Some(passes), run: grown as u32, ..*self };
        }
        None
    }
}

/// The first tick that counts for a container started at `started`: at or after `from`, and with the initial delay over, in whole
/// seconds (`floor(tick - started) >= initialDelaySeconds`).
pub fn first_tick(probe: &ProbeShape, anchor: Time, started: Time, from: Time) -> Time {
    from.max(started + probe.initial_delay).next_tick(anchor, probe.period)
}

/// The next change of the stored result, for ticks at or after `from`. `counter` is left as it is after that change.
pub fn next_observation(
    probe: &ProbeShape,
    answers: &Answers,
    counter: &mut Counter,
    anchor: Time,
    started: Time,
    from: Time,
) -> Option<Observed> {
    let slow = probe.timeout < answers.latency;
    let took = answers.latency.min(probe.timeout);
    // Ticks that come while a probe runs are dropped to one, so a slow probe stretches its period.
    let probe = ProbeShape { period: probe.period.max(took), ..*probe };
    let mut tick = first_tick(&probe, anchor, started, from);
    loop {
        let passes = !slow && answers.passes_at(tick);
        let until = if slow { Time::NEVER } else { answers.next_change(tick) };
        let n_ticks = match until {
            Time::NEVER => u64::MAX,
            until => until.since(tick).as_micros().div_ceil(probe.period.as_micros()),
        };
        if let Some(nth) = counter.count(passes, n_ticks, &probe) {
            let tick = tick + probe.period * (nth - 1);
            return Some(Observed { at: tick + took, tick, passes });
        }
        if until == Time::NEVER {
            return None;
        }
        tick += probe.period * n_ticks;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Time = Time::from_secs;

    fn observed(probe: ProbeShape, answers: &Answers, stored: bool) -> Option<(u64, bool)> {
        let mut counter = Counter::new(stored);
        let found = next_observation(&probe, answers, &mut counter, Time::ZERO, Time::ZERO, Time::ZERO)?;
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
                counter.stored
            })
            .collect();
        assert_eq!(stored, [false, false, true, true, true, false, false, false, true]);
    }
}
