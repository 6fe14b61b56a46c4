//! Back-off of crashing containers and of failing image pulls (client-go, `flowcontrol/backoff.go`, as the kubelet sets it up).

use crate::engine::{Span, Time};

/// First delay of a crash loop and of image pulls (kubelet, `backOffPeriod`, `initialImagePullBackoff`).
pub const INITIAL_BACKOFF: Span = Span::from_secs(10);
/// Longest delay (kubelet, `MaxCrashLoopBackOff`, `imageBackOffPeriod`).
pub const MAX_BACKOFF: Span = Span::from_secs(300);
/// A container that ran longer than this since its last restart starts afresh; for pulls, an interval without failures.
pub const BACKOFF_RESET: Span = Span::from_secs(600);

/// The delays of one kind of back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackOffLimits {
    /// The first delay.
    pub initial: Span,
    /// The longest delay.
    pub max: Span,
}

impl Default for BackOffLimits {
    fn default() -> Self {
        BackOffLimits { initial: INITIAL_BACKOFF, max: MAX_BACKOFF }
    }
}

impl BackOffLimits {
    /// The limits under `crashLoopBackOff.maxContainerRestartPeriod`: the first delay is not above the longest.
    pub fn with_max(max: Span) -> BackOffLimits {
        BackOffLimits { initial: INITIAL_BACKOFF.min(max), max }
    }
}

/// The entry of one container, or of one image of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackOff {
    /// The present delay.
    pub delay: Span,
    /// When it was last raised.
    pub last_update: Time,
}

/// Until when a container whose last instance finished at `finished` must wait; `None` if it may start as soon as it likes.
/// An entry is forgotten once the instance has run for more than [`BACKOFF_RESET`] since the last restart was decided.
pub fn crash_loop_until(entry: Option<BackOff>, finished: Time) -> Option<Time> {
    let entry = entry.filter(|entry| !is_expired(entry, finished))?;
    Some(finished + entry.delay)
}

/// The entry after a restart was decided at `now` for an instance that finished at `finished`.
pub fn next(entry: Option<BackOff>, finished: Time, now: Time, limits: BackOffLimits) -> BackOff {
    let delay = match entry.filter(|entry| !is_expired(entry, finished)) {
        None => limits.initial,
        Some(entry) => (entry.delay * 2).min(limits.max),
    };
    BackOff { delay, last_update: now }
}

fn is_expired(entry: &BackOff, at: Time) -> bool {
    at.since(entry.last_update) > BACKOFF_RESET
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts of a container whose every run lasts `run` seconds, with exact expiry.
    fn starts(run: u64, limits: BackOffLimits, n: usize) -> Vec<u64> {
        let (mut entry, mut at, mut out) = (None, Time::ZERO, vec![0]);
        while out.len() < n {
            let finished = at + Span::from_secs(run);
            at = crash_loop_until(entry, finished).unwrap_or(finished).max(finished);
            entry = Some(next(entry, finished, at, limits));
            out.push(at.as_secs());
        }
        out
    }

    #[test]
    fn the_first_restart_is_immediate_and_delays_double() {
        let limits = BackOffLimits::default();
        assert_eq!(starts(1, limits, 9), [0, 1, 12, 33, 74, 155, 316, 617, 918]);
        assert_eq!(starts(0, limits, 9), [0, 0, 10, 30, 70, 150, 310, 610, 910]);
        assert_eq!(starts(601, limits, 4), [0, 601, 1202, 1803]);
        assert_eq!(starts(600, limits, 4), [0, 600, 1210, 1830]);
    }

    #[test]
    fn a_low_maximum_lowers_the_first_delay() {
        assert_eq!(starts(1, BackOffLimits::with_max(Span::from_secs(2)), 5), [0, 1, 4, 7, 10]);
    }
}
