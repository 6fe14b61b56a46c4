//! `Curve`: an amount as a function of time.

use super::clock::{Span, Time};

/// An amount over time.
#[derive(Clone, Debug, PartialEq)]
pub enum Curve {
    /// Always the same.
    Constant(f64),
    /// Up and down between two values, beginning in the middle.
    Sine {
        /// The least.
        low: f64,
        /// The most.
        high: f64,
        /// From one peak to the next; not zero.
        period: Span,
    },
    /// Each value holds from its time on, in order of time. Before the first one: nothing.
    Steps(Vec<(Span, f64)>),
}

impl Curve {
    /// The amount that long after the beginning.
    pub fn at(&self, after: Span) -> f64 {
        match self {
            Curve::Constant(value) => *value,
            Curve::Sine { low, high, period } => {
                let turn = after.as_micros() % period.as_micros().max(1);
                let angle = turn as f64 / period.as_micros().max(1) as f64 * std::f64::consts::TAU;
                (low + high) / 2.0 + (high - low) / 2.0 * libm::sin(angle)
            }
            Curve::Steps(steps) => steps.iter().rev().find(|(from, _)| *from <= after).map_or(0.0, |&(_, value)| value),
        }
    }

    /// The mean between two times; the amount itself if they are the same.
    pub fn mean(&self, from: Span, to: Span) -> f64 {
        if to <= from {
            return self.at(to);
        }
        let length = to.saturating_sub(from).as_micros() as f64;
        match self {
            Curve::Constant(value) => *value,
            Curve::Sine { low, high, period } => {
                let angle = |after: Span| {
                    let turn = after.as_micros() % period.as_micros().max(1);
                    turn as f64 / period.as_micros().max(1) as f64 * std::f64::consts::TAU
                };
                // Whole turns add nothing to the integral of a sine.
                let wave = libm::cos(angle(from)) - libm::cos(angle(to));
                let per_turn = period.as_micros() as f64 / std::f64::consts::TAU;
                (low + high) / 2.0 + (high - low) / 2.0 * wave * per_turn / length
            }
            Curve::Steps(steps) => {
                let ends = steps.iter().skip(1).map(|&(at, _)| at).chain([Span::MAX]);
                let parts = steps.iter().zip(ends).map(|(&(begin, value), end)| {
                    let (begin, end) = (begin.max(from), end.min(to));
                    if begin < end { value * end.saturating_sub(begin).as_micros() as f64 } else { 0.0 }
                });
                parts.sum::<f64>() / length
            }
        }
    }

    /// The amount at an instant of the run.
    pub fn at_time(&self, at: Time) -> f64 {
        self.at(at.since(Time::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_integrals() {
        let seconds = Span::from_secs;
        let steps = Curve::Steps(vec![(seconds(10), 5.0), (seconds(20), 50.0)]);
        assert_eq!(steps.mean(seconds(0), seconds(20)), 2.5);
        assert_eq!(steps.mean(seconds(15), seconds(30)), (5.0 * 5.0 + 10.0 * 50.0) / 15.0);
        assert_eq!(steps.mean(seconds(25), seconds(25)), 50.0);
        let sine = Curve::Sine { low: 0.0, high: 2.0, period: seconds(40) };
        assert!((sine.mean(seconds(0), seconds(80)) - 1.0).abs() < 1e-12, "over whole turns the middle");
        // Over the first half turn the mean of a sine of height 1 is 2/π.
        assert!((sine.mean(seconds(0), seconds(20)) - 1.0 - std::f64::consts::FRAC_2_PI).abs() < 1e-12);
    }
}
