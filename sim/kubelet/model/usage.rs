//! What a container uses of a resource over time.

use crate::engine::{Curve, Span, Time};

/// Usage over time: thousandths of a core, or bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Usage {
    /// Always the same.
    Constant(f64),
    /// Up and down between two values, beginning in the middle, by the time of the run: all replicas follow the same day.
    Sine {
        /// The least.
        low: f64,
        /// The most.
        high: f64,
        /// From one peak to the next.
        period: Span,
    },
    /// Steps by time since the container's start: each value holds from its time on. Before the first one: nothing.
    Steps(Vec<(Span, f64)>),
    /// A load by the time of the run that the ready pods of an entry of `models:` share evenly.
    Shared {
        /// All of it.
        load: Curve,
        /// The place of the entry: whose pods share.
        group: u32,
    },
}

impl Usage {
    /// The usage at `at` of a container started at `started`.
    pub fn at(&self, at: Time, started: Time) -> f64 {
        match self {
            Usage::Constant(value) => *value,
            Usage::Sine { low, high, period } => {
                let turn = at.as_micros() % period.as_micros().max(1);
                let angle = turn as f64 / period.as_micros().max(1) as f64 * std::f64::consts::TAU;
                (low + high) / 2.0 + (high - low) / 2.0 * libm::sin(angle)
            }
            Usage::Steps(steps) => {
                let age = at.since(started);
                steps.iter().rev().find(|(from, _)| *from <= age).map_or(0.0, |&(_, value)| value)
            }
            Usage::Shared { load, .. } => load.at_time(at),
        }
    }

    /// The mean usage from `from` to `to` of a container started at `started`; of a shared load, all of it.
    pub fn mean(&self, from: Time, to: Time, started: Time) -> f64 {
        let by_run = |curve: &Curve| curve.mean(from.since(Time::ZERO), to.since(Time::ZERO));
        match self {
            Usage::Constant(value) => *value,
            Usage::Sine { low, high, period } => by_run(&Curve::Sine { low: *low, high: *high, period: *period }),
            Usage::Steps(steps) => Curve::Steps(steps.clone()).mean(from.since(started), to.since(started)),
            Usage::Shared { load, .. } => by_run(load),
        }
    }

    /// The first instant at or after `started` at which more than `limit` is used; `None` if that never happens.
    pub fn first_above(&self, limit: f64, started: Time) -> Option<Time> {
        match self {
            Usage::Constant(value) => (limit < *value).then_some(started),
            Usage::Steps(steps) => steps.iter().find(|(_, value)| limit < *value).map(|&(from, _)| started + from),
            Usage::Sine { low, high, period } => {
                if *high <= limit {
                    return None;
                }
                if limit < self.at(started, started) {
                    return Some(started);
                }
                // The sine passes the limit on its way up, at this share of its period.
                let height = ((limit - (low + high) / 2.0) / ((high - low) / 2.0)).clamp(-1.0, 1.0);
                let share = libm::asin(height) / std::f64::consts::TAU;
                let offset = ((share + if share < 0.0 { 1.0 } else { 0.0 }) * period.as_micros() as f64) as u64 + 1;
                Some(started.next_tick(Time::from_micros(offset), *period))
            }
            // Of memory nothing is shared: the format refuses it.
            Usage::Shared { .. } => None,
        }
    }

    /// The first instant at or after `from` at which more than `limit` is used by a container started at `started`.
    pub fn first_above_from(&self, limit: f64, started: Time, from: Time) -> Option<Time> {
        if limit < self.at(from, started) {
            return Some(from);
        }
        match self {
            Usage::Steps(steps) => {
                let mut above = steps.iter().filter(|(_, value)| limit < *value).map(|&(after, _)| started + after);
                above.find(|&at| from <= at)
            }
            Usage::Constant(_) | Usage::Sine { .. } | Usage::Shared { .. } => self.first_above(limit, from),
        }
    }

    /// The most that is ever used.
    pub fn most(&self) -> f64 {
        match self {
            Usage::Constant(value) => *value,
            Usage::Sine { high, .. } => *high,
            Usage::Steps(steps) => steps.iter().fold(0.0, |most, &(_, value)| most.max(value)),
            Usage::Shared { load, .. } => match load {
                Curve::Constant(value) | Curve::Sine { high: value, .. } => *value,
                Curve::Steps(steps) => steps.iter().fold(0.0, |most, &(_, value)| most.max(value)),
            },
        }
    }

    /// Whether it changes with time.
    pub fn varies(&self) -> bool {
        !matches!(self, Usage::Constant(_))
    }

    /// The value if it never changes.
    pub fn constant(&self) -> Option<f64> {
        match self {
            Usage::Constant(value) => Some(*value),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_crosses_its_limit_on_the_way_up() {
        let usage = Usage::Sine { low: 0.0, high: 100.0, period: Span::from_secs(3600) };
        assert_eq!(usage.at(Time::from_secs(900), Time::ZERO), 100.0);
        let above = usage.first_above(75.0, Time::ZERO).expect("crosses");
        assert_eq!(above.as_secs(), 300, "sin(30 degrees) is one half");
        assert!(usage.at(above, Time::ZERO) > 75.0);
        let later = usage.first_above(75.0, Time::from_secs(1800)).expect("crosses again");
        assert_eq!(later.as_secs(), 3900);
        assert_eq!(usage.first_above(100.0, Time::ZERO), None);
    }

    #[test]
    fn steps_hold_from_their_time_on() {
        let usage = Usage::Steps(vec![(Span::from_secs(10), 5.0), (Span::from_secs(20), 50.0)]);
        let started = Time::from_secs(100);
        assert_eq!(usage.at(Time::from_secs(105), started), 0.0);
        assert_eq!(usage.at(Time::from_secs(125), started), 50.0);
        assert_eq!(usage.first_above(40.0, started), Some(Time::from_secs(120)));
    }
}
