//! A token bucket as `golang.org/x/time/rate` has it: the client limit of a controller and the overall limit of a work queue.

use crate::engine::{Span, Time};

/// Tokens that come at a fixed rate, up to a burst. A reservation may take tokens that are still to come.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    at: Time,
}

impl TokenBucket {
    /// A full bucket of `burst` tokens that refills at `rate` tokens per second; an infinite rate never runs out.
    pub fn new(rate: f64, burst: u32) -> TokenBucket {
        TokenBucket { rate, burst: f64::from(burst), tokens: f64::from(burst), at: Time::ZERO }
    }

    /// Takes a token if there is one.
    pub fn try_take(&mut self, now: Time) -> bool {
        self.refill(now);
        let there = self.tokens >= 1.0 || self.rate == f64::INFINITY;
        if there {
            self.take();
        }
        there
    }

    /// Whether a token is there.
    pub fn has_token(&mut self, now: Time) -> bool {
        self.refill(now);
        self.tokens >= 1.0 || self.rate == f64::INFINITY
    }

    /// Takes a token, one that is still to come if need be, and says how long until it is there.
    pub fn reserve(&mut self, now: Time) -> Span {
        self.refill(now);
        self.take();
        if self.tokens >= 0.0 { Span::ZERO } else { Span::from_secs_f64(-self.tokens / self.rate) }
    }

    /// Gives back a token that was not used.
    pub fn give_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(self.burst);
    }

    fn take(&mut self) {
        if self.rate < f64::INFINITY {
            self.tokens -= 1.0;
        }
    }

    fn refill(&mut self, now: Time) {
        if self.rate < f64::INFINITY {
            // A rounding error below a millionth of a token must not delay a reserved one.
            let refilled = self.tokens + now.since(self.at).as_secs_f64() * self.rate + 1e-9;
            self.tokens = refilled.min(self.burst);
        }
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let mut bucket = TokenBucket::new(10.0, 3);
        let delays: Vec<u64> = (0..5).map(|_| bucket.reserve(Time::ZERO).as_micros().div_ceil(1000)).collect();
        assert_eq!(delays, [0, 0, 0, 100, 200]);
        assert!(!bucket.try_take(Time::from_micros(250_000)), "two were promised");
        assert!(bucket.try_take(Time::from_micros(300_001)));
    }

    #[test]
    fn an_infinite_rate_never_runs_out() {
        let mut bucket = TokenBucket::new(f64::INFINITY, u32::MAX);
        assert!((0..1000).all(|_| bucket.reserve(Time::ZERO).is_zero() && bucket.try_take(Time::ZERO)));
    }
}
