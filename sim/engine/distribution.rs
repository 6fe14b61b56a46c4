//! Distributions of times and sizes.

/// A distribution.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {}

/// Why a distribution is refused.
#[derive(Clone, Debug, PartialEq)]
pub enum DistributionError {}
