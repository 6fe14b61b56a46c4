//! The event queue: a monotone radix heap, ordered by (time, phase, order of pushing).
//!
//! An event moves at most once per digit of its distance (base 64), so the cost per event does not grow with the number pending. `std::collections::BinaryHeap` is its oracle in the tests and its peer in the benchmark.

use std::collections::VecDeque;

use super::Time;

/// When several events fall on one instant, those of an earlier phase run first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Phase {
    /// Failures and repairs of the world.
    Fault,
    /// Arrivals and the scenario's steps.
    Workload,
    /// Nodes and containers.
    Kubelet,
    /// Endpoints, proxies, requests.
    Network,
    /// Reconciliation.
    Controller,
    /// Scheduling cycles.
    Scheduler,
    /// Observation only.
    Sample,
}

impl Phase {
    /// Number of phases.
    pub const COUNT: usize = 7;
}

/// What a queue holds.
pub trait Event: Copy {
    /// The phase of this kind of event.
    fn phase(&self) -> Phase;
}

/// Bits of a digit: fewer moves per event against more buckets to touch.
const DIGIT_BITS: u32 = 6;
/// Buckets of one level.
const DIGITS: usize = 1 << DIGIT_BITS;
/// Digits of a time.
const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;
/// A bucket that once held more events gives its memory back when it is emptied.
const KEPT_CAPACITY: usize = 1024;

/// A monotone priority queue: nothing may be pushed before the last time popped.
#[derive(Clone, Debug)]
pub struct EventQueue<E> {
    /// The time of the events in `ready`, and the radix base of `later`.
    last: u64,
    ready: [VecDeque<E>; Phase::COUNT],
    /// Bit `p` is set when `ready[p]` is not empty.
    ready_phases: u8,
    /// Bucket `level * DIGITS + digit` holds the events whose time first differs from `last` in digit number `level`, where it is `digit`.
    later: Vec<Vec<(u64, E)>>,
    /// Bit `digit` of entry `level` is set when that bucket is not empty.
    digits: [u64; LEVELS],
    /// Bit `level` is set when that level is not empty.
    levels: u16,
    len: usize,
}

impl<E: Event> Default for EventQueue<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Event> EventQueue<E> {
    /// An empty queue at time zero.
    pub fn new() -> EventQueue<E> {
        EventQueue {
            last: 0,
            ready: Default::default(),
            ready_phases: 0,
            later: std::iter::repeat_with(Vec::new).take(LEVELS * DIGITS).collect(),
            digits: [0; LEVELS],
            levels: 0,
            len: 0,
        }
    }

    /// Number of pending events.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Schedules `event` for `at`.
    ///
    /// # Panics
    ///
    /// If `at` is before the last time popped.
    pub fn push(&mut self, at: Time, event: E) {
        assert!(self.last <= at.as_micros(), "event scheduled in the past: {at} < {}", Time::from_micros(self.last));
        self.len += 1;
        self.place(at.as_micros(), event);
    }

    /// Removes the first event not later than `until`.
    pub fn pop(&mut self, until: Time) -> Option<(Time, E)> {
        if self.ready_phases == 0 {
            self.advance(until)?;
        }
        if self.last > until.as_micros() {
            return None;
        }
        let phase = self.ready_phases.trailing_zeros() as usize;
        let lane = &mut self.ready[phase];
        let event = lane.pop_front()?;
        if lane.is_empty() {
            self.ready_phases &= !(1 << phase);
        }
        self.len -= 1;
        Some((Time::from_micros(self.last), event))
    }

    /// The time of the first pending event.
    pub fn peek_time(&self) -> Option<Time> {
        if self.ready_phases != 0 {
            return Some(Time::from_micros(self.last));
        }
        let bucket = &self.later[self.first_bucket()?];
        bucket.iter().map(|&(at, _)| Time::from_micros(at)).min()
    }

    /// All pending events, in no order of meaning.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        let later = self.later.iter().flatten().map(|(_, event)| event);
        self.ready.iter().flatten().chain(later)
    }

    /// The bucket with the earliest events that are not ready.
    fn first_bucket(&self) -> Option<usize> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        Some(level * DIGITS + self.digits[level].trailing_zeros() as usize)
    }

    /// Moves `last` to the earliest time and spreads its bucket over the smaller ones.
    fn advance(&mut self, until: Time) -> Option<()> {
        let bucket_idx = self.first_bucket()?;
        let first = self.later[bucket_idx].iter().map(|&(at, _)| at).min()?;
        if until.as_micros() < first {
            return None;
        }
        let mut spread = std::mem::take(&mut self.later[bucket_idx]);
        let level = bucket_idx / DIGITS;
        self.digits[level] &= !(1 << (bucket_idx % DIGITS));
        if self.digits[level] == 0 {
            self.levels &= !(1 << level);
        }
        self.last = first;
        for &(at, event) in &spread {
            self.place(at, event);
        }
        if spread.capacity() <= KEPT_CAPACITY {
            // Nothing was placed into the bucket itself: its events agree with `last` in this digit now.
            spread.clear();
            self.later[bucket_idx] = spread;
        }
        Some(())
    }

    fn place(&mut self, at: u64, event: E) {
        match at ^ self.last {
            0 => {
                let phase = event.phase() as usize;
                self.ready[phase].push_back(event);
                self.ready_phases |= 1 << phase;
            }
            diff => {
                let level = diff.ilog2() / DIGIT_BITS;
                let digit = (at >> (level * DIGIT_BITS)) as usize % DIGITS;
                let level = level as usize;
                self.later[level * DIGITS + digit].push((at, event));
                self.digits[level] |= 1 << digit;
                self.levels |= 1 << level;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cmp::Reverse, collections::BinaryHeap};

    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    struct Numbered(Phase, u32);

    impl Event for Numbered {
        fn phase(&self) -> Phase {
            self.0
        }
    }

    const PHASES: [Phase; Phase::COUNT] = [
        Phase::Fault,
        Phase::Workload,
        Phase::Kubelet,
        Phase::Network,
        Phase::Controller,
        Phase::Scheduler,
        Phase::Sample,
    ];

    fn mix(mut x: u64) -> u64 {
        x ^= x >> 30;
        x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x ^= x >> 27;
        x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    #[test]
    fn agrees_with_a_binary_heap() {
        for seed in 0..300u64 {
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                mix(state)
            };
            let mut queue = EventQueue::new();
            let mut heap = BinaryHeap::new();
            let (mut now, mut until, mut n) = (0u64, 0u64, 0u32);
            let spread = [1u64, 3, 50, 1_000_000, 1 << 36, 1 << 50][(seed % 6) as usize];
            for _ in 0..2000 {
                if next() % 5 < 3 {
                    let at = now.max(until) + next() % spread;
                    let event = Numbered(PHASES[(next() % 7) as usize], n);
                    n += 1;
                    queue.push(Time::from_micros(at), event);
                    heap.push(Reverse((at, event.0, event.1)));
                    continue;
                }
                until = until.max(now) + next() % spread;
                let want = match heap.peek() {
                    Some(Reverse((at, ..))) if *at <= until => {
                        heap.pop().map(|Reverse((at, phase, n))| (at, Numbered(phase, n)))
                    }
                    _ => None,
                };
                assert_eq!(queue.peek_time().map(Time::as_micros) <= Some(until), want.is_some() || queue.is_empty());
                let got = queue.pop(Time::from_micros(until)).map(|(at, event)| (at.as_micros(), event));
                assert_eq!(got, want, "seed {seed}");
                assert_eq!(queue.len(), heap.len());
                if let Some((at, _)) = got {
                    now = at;
                    until = at;
                }
            }
        }
    }
}
