//! How fast the replicas may follow: stabilization windows and rates (kube-controller-manager, `horizontal.go`).

use crate::cluster::objects::{ScalingRules, SelectPolicy};
use crate::engine::{Span, Time};

/// The window without `behavior` (`--horizontal-pod-autoscaler-downscale-stabilization`).
pub const DOWNSCALE_WINDOW: Span = Span::from_secs(300);

/// A number at an instant: a recommendation, or a change that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The replicas recommended, or the size of the change.
    pub replicas: i32,
    /// When.
    pub at: Time,
}

/// What bounds the replicas, for the condition `ScalingLimited`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the reason of its name")]
pub enum Limit {
    DesiredWithinRange,
    TooFewReplicas,
    TooManyReplicas,
    ScaleUpLimit,
    ScaleDownLimit,
}

impl Limit {
    /// `reason` and `message` of the condition.
    pub fn texts(self) -> (&'static str, &'static str) {
        match self {
            Limit::DesiredWithinRange => ("DesiredWithinRange", "the desired count is within the acceptable range"),
            Limit::TooFewReplicas => {
                ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
            }
            Limit::TooManyReplicas => {
                ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
            }
            Limit::ScaleUpLimit => {
                ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
            }
            Limit::ScaleDownLimit => {
                ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
            }
        }
    }
}

fn newer(record: &Record, window: Span, now: Time) -> bool {
    now.since(record.at) < window
}

/// Keeps a record, in the place of one that is too old for `window` if there is one.
fn keep(records: &mut Vec<Record>, replicas: i32, window: Span, now: Time) {
    let record = Record { replicas, at: now };
    match records.iter_mut().rev().find(|old| !newer(old, window, now)) {
        Some(old) => *old = record,
        None => records.push(record),
    }
}

/// The highest recommendation of the last five minutes (`stabilizeRecommendation`).
pub fn stabilize(records: &mut Vec<Record>, desired: i32, now: Time) -> i32 {
    let recent = records.iter().filter(|record| newer(record, DOWNSCALE_WINDOW, now));
    let highest = recent.map(|record| record.replicas).fold(desired, i32::max);
    keep(records, desired, DOWNSCALE_WINDOW, now);
    highest
}

/// Recommendations held against the windows of both directions (`stabilizeRecommendationWithBehaviors`).
pub fn stabilize_with(records: &mut Vec<Record>, current: i32, desired: i32, up: Span, down: Span, now: Time) -> i32 {
    let (mut lowest, mut highest) = (desired, desired);
    for record in records.iter() {
        if newer(record, up, now) {
            lowest = lowest.min(record.replicas);
        }
        if newer(record, down, now) {
            highest = highest.max(record.replicas);
        }
    }
    keep(records, desired, up.max(down), now);
    current.max(lowest).min(highest)
}

/// Bounds without `behavior`: twice the replicas, or four (`convertDesiredReplicasWithRules`).
pub fn bound(current: i32, desired: i32, min: i32, max: i32) -> (i32, Limit) {
    let rate = current.saturating_mul(2).max(4);
    let (most, limit) = if max > rate { (rate, Limit::ScaleUpLimit) } else { (max, Limit::TooManyReplicas) };
    if desired < min {
        (min, Limit::TooFewReplicas)
    } else if desired > most {
        (most, limit)
    } else {
        (desired, Limit::DesiredWithinRange)
    }
}

/// The sum of the changes within a period.
pub fn changed(records: &[Record], period: Span, now: Time) -> i32 {
    records.iter().filter(|record| newer(record, period, now)).map(|record| record.replicas).sum()
}

/// How far the replicas may rise (`calculateScaleUpLimitWithScalingRules`).
pub fn up_limit(current: i32, rules: &ScalingRules, ups: &[Record], downs: &[Record], now: Time) -> i32 {
    let limits = rules.policies.iter().map(|policy| {
        let start = current - changed(ups, policy.period, now) + changed(downs, policy.period, now);
        match policy.percent {
            false => start.saturating_add(policy.value),
            true => {
                let scaled = i64::from(start) * (100 + i64::from(policy.value));
                i32::try_from(scaled.div_euclid(100) + i64::from(scaled.rem_euclid(100) > 0)).unwrap_or(i32::MAX)
            }
        }
    });
    match rules.select {
        SelectPolicy::Disabled => current,
        SelectPolicy::Min => limits.min().unwrap_or(current),
        SelectPolicy::Max => limits.max().unwrap_or(current),
    }
}

/// How far the replicas may fall (`calculateScaleDownLimitWithBehaviors`).
pub fn down_limit(current: i32, rules: &ScalingRules, ups: &[Record], downs: &[Record], now: Time) -> i32 {
    let limits = rules.policies.iter().map(|policy| {
        let start = current - changed(ups, policy.period, now) + changed(downs, policy.period, now);
        match policy.percent {
            false => start.saturating_sub(policy.value),
            true => i32::try_from(i64::from(start) * (100 - i64::from(policy.value)) / 100).unwrap_or(i32::MIN),
        }
    });
    match rules.select {
        SelectPolicy::Disabled => current,
        SelectPolicy::Min => limits.max().unwrap_or(current),
        SelectPolicy::Max => limits.min().unwrap_or(current),
    }
}

/// Bounds with `behavior` (`convertDesiredReplicasWithBehaviorRate`); the rules are for scaling up and down.
pub fn bound_with(
    (current, desired): (i32, i32),
    (min, max): (i32, i32),
    rules: &(ScalingRules, ScalingRules),
    (ups, downs): (&[Record], &[Record]),
    now: Time,
) -> (i32, Limit) {
    if desired > current {
        let rate = up_limit(current, &rules.0, ups, downs, now).max(current);
        let (most, limit) = if max > rate { (rate, Limit::ScaleUpLimit) } else { (max, Limit::TooManyReplicas) };
        if desired > most {
            return (most, limit);
        }
    } else if desired < current {
        let rate = down_limit(current, &rules.1, ups, downs, now).min(current);
        let (least, limit) = if min < rate { (rate, Limit::ScaleDownLimit) } else { (min, Limit::TooFewReplicas) };
        if desired < least {
            return (least, limit);
        }
    }
    (desired, Limit::DesiredWithinRange)
}

/// Keeps a change that was made, for the longest period of the rules (`storeScaleEvent`).
pub fn store_change(records: &mut Vec<Record>, change: i32, rules: &ScalingRules, now: Time) {
    let longest = rules.policies.iter().map(|policy| policy.period).max().unwrap_or(Span::ZERO);
    keep(records, change, longest, now);
}
