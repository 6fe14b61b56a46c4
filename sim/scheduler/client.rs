//! The scheduler's API client: a token bucket that every write takes from (client-go, `flowcontrol.NewTokenBucketRateLimiter`).

use crate::cluster::ControlPlane;
use crate::engine::{Span, Time};

/// A client with a limit of calls per second and a burst. Calls are served in the order in which they ask.
#[derive(Clone, Debug)]
pub struct Client {
    qps: f64,
    burst: f64,
    /// May be negative: calls that wait have reserved their tokens.
    tokens: f64,
    at: Time,
}

impl Client {
    /// A client with these limits; its bucket is full.
    pub fn new(qps: f64, burst: u32) -> Client {
        Client { qps, burst: f64::from(burst), tokens: f64::from(burst), at: Time::ZERO }
    }

    /// A client with the limits of the control plane.
    pub fn of(control_plane: &ControlPlane) -> Client {
        Client::new(control_plane.scheduler_qps, control_plane.scheduler_burst)
    }

    /// Takes a token at `now` and returns when the call may begin.
    pub fn take(&mut self, now: Time) -> Time {
        if !self.qps.is_finite() || self.qps <= 0.0 {
            return now;
        }
        let refilled = self.tokens + now.since(self.at).as_secs_f64() * self.qps;
        self.at = self.at.max(now);
        self.tokens = refilled.min(self.burst) - 1.0;
        if self.tokens >= 0.0 { now } else { now + Span::from_secs_f64(-self.tokens / self.qps) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_then_calls_wait_their_turn() {
        let mut client = Client::new(50.0, 100);
        let now = Time::from_secs(1);
        assert!((0..100).all(|_| client.take(now) == now));
        assert_eq!(client.take(now), now + Span::from_millis(20));
        assert_eq!(client.take(now), now + Span::from_millis(40));
        let later = Time::from_secs(2);
        assert_eq!(client.take(later), later);
    }

    #[test]
    fn no_limit_is_no_wait() {
        let mut client = Client::of(&ControlPlane::ideal());
        assert!((0..1000).all(|_| client.take(Time::ZERO) == Time::ZERO));
    }
}
