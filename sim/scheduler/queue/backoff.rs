//! How long a failed pod waits, and in which window of time (kube-scheduler, `backend/queue/backoff_queue.go`).

use crate::engine::{Span, Time};

/// Pods that may be tried again in the same window are ordered by priority (kube-scheduler, `backoffQOrderingWindowDuration`).
pub const ORDERING_WINDOW: Span = Span::from_secs(1);

/// The back-off of a scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure (kube-scheduler, `DefaultPodInitialBackoffDuration`: 1 s).
    pub initial: Span,
    /// At most (kube-scheduler, `DefaultPodMaxBackoffDuration`: 10 s). Zero: no back-off at all.
    pub max: Span,
    /// Whether the scheduler takes pods out of back-off when it has nothing else to do (feature gate `SchedulerPopFromBackoffQ`,
    /// on): the ends of back-offs are then cut to whole windows.
    pub pop_early: bool,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { initial: Span::from_secs(1), max: Span::from_secs(10), pop_early: true }
    }
}

impl Backoff {
    /// The wait after `count` failures in a row: doubling from the initial to the maximal one.
    pub fn duration(&self, count: u32) -> Span {
        if count == 0 {
            return Span::ZERO;
        }
        let shift = count - 1;
        let (initial, max) = (self.initial.as_micros(), self.max.as_micros());
        match max.checked_shr(shift) {
            Some(room) if initial <= room => Span::from_micros(initial << shift),
            _ => self.max,
        }
    }

    /// When the back-off of a pod ends that failed at `failed` for the `count`-th time; `None` if it has none.
    pub fn expiry(&self, failed: Time, count: u32) -> Option<Time> {
        (count > 0 && !self.max.is_zero()).then(|| self.window(failed + self.duration(count)))
    }

    /// Whether a back-off that ends at `expiry` goes on: through the whole of its last window.
    pub fn is_waiting(&self, expiry: Option<Time>, now: Time) -> bool {
        expiry.is_some_and(|expiry| self.window(now) <= expiry)
    }

    /// The first flush at which a back-off that ends at `expiry` is over. The flush runs at whole seconds.
    pub fn flush_time(&self, expiry: Time) -> Time {
        (expiry + Span::from_micros(1)).next_tick(Time::ZERO, ORDERING_WINDOW)
    }

    fn window(&self, at: Time) -> Time {
        if self.pop_early { at.truncated_to_seconds() } else { at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_from_one_second_to_ten() {
        let backoff = Backoff::default();
        let seconds: Vec<u64> = (0..8).map(|count| backoff.duration(count).as_secs()).collect();
        assert_eq!(seconds, [0, 1, 2, 4, 8, 10, 10, 10]);
        assert_eq!(backoff.duration(u32::MAX), Span::from_secs(10));
        let wide = Backoff { initial: Span::from_micros(1), max: Span::MAX, pop_early: true };
        assert_eq!(wide.duration(64), Span::from_micros(1 << 63));
        assert_eq!(wide.duration(65), Span::MAX);
        let narrow = Backoff { initial: Span::from_micros(1), max: Span::from_micros(32), pop_early: true };
        assert_eq!(narrow.duration(16), Span::from_micros(32));
    }

    #[test]
    fn lasts_through_its_whole_window() {
        let backoff = Backoff::default();
        let expiry = backoff.expiry(Time::from_micros(5_030_000), 1);
        assert_eq!(expiry, Some(Time::from_secs(6)));
        assert!(backoff.is_waiting(expiry, Time::from_micros(6_999_999)));
        assert!(!backoff.is_waiting(expiry, Time::from_secs(7)));
        assert_eq!(backoff.flush_time(Time::from_secs(6)), Time::from_secs(7));
        assert_eq!(backoff.expiry(Time::from_secs(5), 0), None);
        assert!(!backoff.is_waiting(None, Time::ZERO));
    }

    #[test]
    fn a_maximum_of_zero_disables_it() {
        let backoff = Backoff { max: Span::ZERO, ..Backoff::default() };
        assert_eq!(backoff.expiry(Time::from_secs(5), 3), None);
    }
}
