//! Expectations: one sentence each, checked while the run goes on and at its end.
//!
//! ```text
//! deployment/web complete by 8m              reached at some time not later than 8m
//! always deployment/web availableReplicas >= 9   (from 1m) (until 9m)
//! never pod phase Failed                     no pod of any namespace
//! eventually job/import succeeded = 3        the same as `by` the end of the run
//! service/web spec.type = ClusterIP          at the end of the run
//! p99(pending) < 5s                          quantiles p0 to p100, mean, max of pending (creation to binding) or startup (to Ready)
//! count(failed) = 0                          pods by outcome: pending, starting, running, succeeded, failed, deleted
//! utilisation(cpu) >= 60%                    mean share requested after the warm-up
//! ```
//!
//! A field is looked for in `status`, then in `spec`, then from the root; `metadata.labels.app` and
//! `containerStatuses[0].restartCount` work as written; a count that is not there is 0. Kinds are what
//! kubectl understands; a namespace other than `default` is written `deployment/shop/web`.

mod check;
mod parse;

pub use check::{ExpectationChecker, Verdict};

use crate::api::kinds::KindInfo;
use crate::engine::Time;

/// One expectation.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// The sentence as written.
    pub text: String,
    /// What it demands.
    pub demand: Demand,
}

/// What an expectation demands.
#[derive(Clone, Debug, PartialEq)]
pub enum Demand {
    /// Something about objects, at certain times.
    Objects {
        /// When it must hold.
        when: When,
        /// Which objects.
        target: Target,
        /// What of them.
        predicate: Predicate,
    },
    /// Something about the whole run.
    Run {
        /// Which figure.
        figure: Figure,
        /// Compared how.
        operator: Operator,
        /// With what: seconds, a count, a share from 0 to 1.
        value: f64,
    },
}

/// When a predicate must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At every instant of the interval at which the object exists.
    Always(Time, Time),
    /// At no instant of the interval.
    Never(Time, Time),
    /// At some instant not later than this.
    By(Time),
    /// At the end of the run.
    AtEnd,
}

/// Which objects an expectation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The kind.
    pub info: &'static KindInfo,
    /// Namespace and name; `None` for every object of the kind.
    pub name: Option<(String, String)>,
}

/// What must be true of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Predicate {
    /// The rollout or the job is complete, the pod Ready or Succeeded.
    Complete,
    /// The object exists.
    Exists,
    /// A condition of this type is `True`.
    Condition(String),
    /// A field compares so.
    Field {
        /// Dotted path.
        path: String,
        /// How it is compared.
        operator: Operator,
        /// With what.
        value: String,
    },
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `=` or `==`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
}

/// A figure of the whole run.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// A quantile, 0 to 1, of a latency in seconds.
    Quantile(f64, Latency),
    /// The mean of a latency in seconds.
    Mean(Latency),
    /// Number of pods with this outcome.
    Count(String),
    /// Mean share of this resource that was requested.
    Utilisation(String),
}

/// A latency of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latency {
    /// From creation to binding.
    Pending,
    /// From binding to Ready.
    Startup,
}

impl Operator {
    /// Whether `left` compares so with `right`; NaN never does.
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Operator::Equal => left == right,
            Operator::NotEqual => left != right,
            Operator::Less => left < right,
            Operator::LessOrEqual => left <= right,
            Operator::Greater => left > right,
            Operator::GreaterOrEqual => left >= right,
        }
    }
}
