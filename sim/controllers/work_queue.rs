//! The work queue of a controller, by client-go's rules (`util/workqueue`), in virtual time.
//!
//! A key waits at most once. A key that is added while it is being worked on runs again afterwards. A delayed key whose delay ends
//! later than one already pending is dropped, one that ends sooner replaces it. A key that failed waits 5 ms, 10 ms, ... up to
//! 1000 s, and all failed keys of a queue together go no faster than 10 per second after a burst of 100.

use rustc_hash::FxHashMap;

use super::token_bucket::TokenBucket;
use crate::cluster::ObjectRef;
use crate::engine::{Span, Time};

/// The first delay after a failure (client-go, `DefaultControllerRateLimiter`).
pub(super) const BASE_DELAY: Span = Span::from_millis(5);
/// The longest delay after a failure (client-go, `DefaultControllerRateLimiter`).
pub(super) const MAX_DELAY: Span = Span::from_secs(1000);

/// How long failed keys wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// After the first failure.
    pub base: Span,
    /// At most; each failure doubles the delay.
    pub max: Span,
    /// Whether all failed keys together go no faster than 10 per second after a burst of 100.
    pub is_bucketed: bool,
}

impl Retries {
    /// client-go, `DefaultTypedControllerRateLimiter`.
    pub const USUAL: Retries = Retries { base: BASE_DELAY, max: MAX_DELAY, is_bucketed: true };

    fn delay(&self, earlier_failures: u32) -> Span {
        match self.base.as_micros().checked_shl(earlier_failures) {
            Some(us) if earlier_failures < 32 => Span::from_micros(us).min(self.max),
            _ => self.max,
        }
    }
}

/// The keys that wait for one controller. Every method that may need an event returns the instant for which to schedule it.
#[derive(Clone, Debug)]
pub struct WorkQueue {
    entries: FxHashMap<ObjectRef, Entry>,
    delays: Retries,
    retries: TokenBucket,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// When it is taken from the queue proper.
    ready: Option<Time>,
    /// When its delay ends.
    waiting: Option<Time>,
    /// Until when it is being worked on.
    busy_until: Time,
    /// Failures since the last success.
    failures: u32,
    /// Whether a client token has been set aside for it.
    prepaid: bool,
}

impl Default for WorkQueue {
    fn default() -> Self {
        WorkQueue::new(Retries::USUAL)
    }
}

impl WorkQueue {
    /// An empty queue whose failed keys wait as `delays` say.
    pub fn new(delays: Retries) -> WorkQueue {
        WorkQueue { entries: FxHashMap::default(), delays, retries: TokenBucket::new(10.0, 100) }
    }

    /// Adds a key that becomes visible at `at`. Nothing happens if it waits already and will be taken no later.
    pub fn add(&mut self, key: ObjectRef, at: Time) -> Option<Time> {
        let entry = self.entries.entry(key).or_default();
        let at = at.max(entry.busy_until);
        if entry.prepaid || entry.ready.is_some_and(|ready| ready <= at) {
            return None;
        }
        entry.ready = Some(at);
        Some(at)
    }

    /// Adds a key whose delay ends at `at` (`AddAfter`).
    pub fn add_after(&mut self, key: ObjectRef, at: Time) -> Option<Time> {
        let entry = self.entries.entry(key).or_default();
        if entry.waiting.is_some_and(|waiting| waiting <= at) {
            return None;
        }
        entry.waiting = Some(at);
        Some(at)
    }

    /// Takes a key whose time has come. `None` if it was taken before; else whether a client token was set aside for it.
    pub fn take(&mut self, key: ObjectRef, now: Time) -> Option<bool> {
        let entry = self.entries.get_mut(&key)?;
        let due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        if now < entry.busy_until || !(due(entry.ready) || due(entry.waiting) && !entry.prepaid) {
            return None;
        }
        if due(entry.ready) {
            entry.ready = None;
        }
        if due(entry.waiting) {
            entry.waiting = None;
        }
        Some(std::mem::take(&mut entry.prepaid))
    }

    /// For a key whose time came while it was being worked on: the instant at which to look again.
    pub fn look_again(&mut self, key: ObjectRef, now: Time) -> Option<Time> {
        let entry = self.entries.get(&key)?;
        let due = [entry.ready, entry.waiting].into_iter().flatten().any(|at| at <= now);
        (now < entry.busy_until && due).then_some(entry.busy_until)
    }

    /// Puts a key that was taken back, to be worked on at `at` with a client token already set aside.
    pub fn postpone(&mut self, key: ObjectRef, at: Time) -> Option<Time> {
        let entry = self.entries.entry(key).or_default();
        entry.prepaid = true;
        // Also when it was added again meanwhile: it must not run before its token is there.
        entry.ready = Some(at);
        Some(at)
    }

    /// The key is being worked on until `until`: what is added before runs then.
    pub fn busy(&mut self, key: ObjectRef, until: Time) {
        self.entries.entry(key).or_default().busy_until = until;
    }

    /// The work on a key failed (`AddRateLimited`). Returns the instant of the next try.
    pub fn failed(&mut self, key: ObjectRef, now: Time) -> Option<Time> {
        let limited = if self.delays.is_bucketed { self.retries.reserve(now) } else { Span::ZERO };
        let entry = self.entries.entry(key).or_default();
        let delay = self.delays.delay(entry.failures).max(limited);
        entry.failures = entry.failures.saturating_add(1);
        self.add_after(key, now + delay)
    }

    /// Whether a key waits for nothing but the end of a delay that its last, successful, work asked for.
    pub fn is_timer(&self, key: ObjectRef) -> bool {
        self.entries.get(&key).is_none_or(|entry| entry.ready.is_none() && entry.failures == 0)
    }

    /// Failures of a key since its last success (`NumRequeues`).
    pub fn n_failures(&self, key: ObjectRef) -> u32 {
        self.entries.get(&key).map_or(0, |entry| entry.failures)
    }

    /// The work on a key succeeded (`Forget`).
    pub fn forget(&mut self, key: ObjectRef) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.failures = 0;
            if entry.ready.is_none() && entry.waiting.is_none() && entry.busy_until == Time::ZERO {
                self.entries.remove(&key);
            }
        }
    }
}

/// The usual delay after as many earlier failures.
pub fn backoff(earlier_failures: u32) -> Span {
    Retries::USUAL.delay(earlier_failures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ObjId;

    const KEY: ObjectRef = ObjectRef::Object(ObjId(1));

    fn ms(ms: u64) -> Time {
        Time::from_micros(ms * 1000)
    }

    #[test]
    fn a_key_waits_once() {
        let mut queue = WorkQueue::default();
        assert_eq!(queue.add(KEY, ms(5)), Some(ms(5)));
        assert_eq!(queue.add(KEY, ms(7)), None);
        assert_eq!(queue.take(KEY, ms(5)), Some(false));
        assert_eq!(queue.take(KEY, ms(7)), None);
    }

    #[test]
    fn a_key_added_while_worked_on_runs_afterwards() {
        let mut queue = WorkQueue::default();
        queue.add(KEY, ms(5));
        queue.take(KEY, ms(5));
        queue.busy(KEY, ms(20));
        assert_eq!(queue.add(KEY, ms(10)), Some(ms(20)));
    }

    #[test]
    fn a_key_due_while_worked_on_is_not_lost() {
        let mut queue = WorkQueue::default();
        queue.add(KEY, ms(10));
        queue.add_after(KEY, ms(5));
        assert_eq!(queue.take(KEY, ms(5)), Some(false));
        queue.busy(KEY, ms(20));
        assert_eq!(queue.take(KEY, ms(10)), None);
        assert_eq!(queue.look_again(KEY, ms(10)), Some(ms(20)));
        assert_eq!(queue.take(KEY, ms(20)), Some(false));
    }

    #[test]
    fn the_sooner_delay_counts() {
        let mut queue = WorkQueue::default();
        assert_eq!(queue.add_after(KEY, ms(100)), Some(ms(100)));
        assert_eq!(queue.add_after(KEY, ms(200)), None);
        assert_eq!(queue.add_after(KEY, ms(50)), Some(ms(50)));
        assert_eq!(queue.take(KEY, ms(50)), Some(false));
        assert_eq!(queue.take(KEY, ms(100)), None, "replaced");
    }

    #[test]
    fn a_postponed_key_waits_for_its_token() {
        let mut queue = WorkQueue::default();
        assert_eq!(queue.postpone(KEY, ms(50)), Some(ms(50)));
        assert_eq!(queue.add(KEY, ms(10)), None);
        queue.add_after(KEY, ms(20));
        assert_eq!(queue.take(KEY, ms(20)), None);
        assert_eq!(queue.take(KEY, ms(50)), Some(true));
    }

    #[test]
    fn failures_wait_twice_as_long_each_time() {
        let delays: Vec<u64> = [0, 1, 2, 16, 17, 18, 40].map(|n| backoff(n).as_micros() / 1000).into();
        assert_eq!(delays, [5, 10, 20, 327_680, 655_360, 1_000_000, 1_000_000]);
        let mut queue = WorkQueue::default();
        assert_eq!(queue.failed(KEY, ms(0)), Some(ms(5)));
        queue.take(KEY, ms(5));
        assert_eq!(queue.failed(KEY, ms(5)), Some(ms(15)));
        queue.forget(KEY);
        assert_eq!(queue.n_failures(KEY), 0);
    }

    #[test]
    fn a_queue_may_have_delays_of_its_own() {
        let of_jobs = Retries { base: Span::from_secs(1), max: Span::from_secs(60), is_bucketed: false };
        let delays: Vec<u64> = [0, 1, 2, 5, 6, 40].map(|n| of_jobs.delay(n).as_secs()).into();
        assert_eq!(delays, [1, 2, 4, 32, 60, 60]);
        let mut queue = WorkQueue::new(of_jobs);
        assert_eq!(queue.failed(KEY, ms(0)), Some(ms(1000)));
    }
}
