//! Quantiles of spans, exact: nearest rank over all values.

use crate::engine::Span;

/// A set of spans, sorted, that answers for its quantiles.
#[derive(Clone, Debug, Default)]
pub struct Quantiles {
    sorted: Vec<Span>,
}

impl Quantiles {
    /// The quantiles of `spans`.
    pub fn new(mut spans: Vec<Span>) -> Quantiles {
        spans.sort_unstable();
        Quantiles { sorted: spans }
    }

    /// Number of values.
    pub fn n(&self) -> usize {
        self.sorted.len()
    }

    /// The smallest value that at least the share `q` (0 to 1) of all values does not exceed; `None` without values.
    pub fn at(&self, q: f64) -> Option<Span> {
        let rank = (q.clamp(0.0, 1.0) * self.sorted.len() as f64).ceil() as usize;
        self.sorted.get(rank.saturating_sub(1)).copied()
    }

    /// The arithmetic mean, rounded down to a microsecond; `None` without values.
    pub fn mean(&self) -> Option<Span> {
        let sum: u128 = self.sorted.iter().map(|span| u128::from(span.as_micros())).sum();
        let mean = sum.checked_div(self.sorted.len() as u128)?;
        Some(Span::from_micros(mean as u64))
    }

    /// The largest value.
    pub fn max(&self) -> Option<Span> {
        self.sorted.last().copied()
    }

    /// All values in ascending order.
    pub fn sorted(&self) -> &[Span] {
        &self.sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_rank() {
        let quantiles = Quantiles::new((1..=10).rev().map(Span::from_secs).collect());
        assert_eq!(quantiles.at(0.5), Some(Span::from_secs(5)));
        assert_eq!(quantiles.at(0.99), Some(Span::from_secs(10)));
        assert_eq!(quantiles.at(0.0), Some(Span::from_secs(1)));
        assert_eq!(quantiles.mean(), Some(Span::from_micros(5_500_000)));
        assert_eq!(Quantiles::default().at(0.5), None);
    }
}
