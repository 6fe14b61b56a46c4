//! Crash loops: containers that run equally long every time.

use serde_json::Value;

use super::{answer, seconds};
use crate::engine::{Span, Time};
use crate::kubelet::backoff::{BackOffLimits, INITIAL_BACKOFF, MAX_BACKOFF, crash_loop_until, next};

/// Most starts that a row may ask for.
const MAX_STARTS: usize = 10_000;

pub(super) fn starts(row: &Value) -> Option<Value> {
    if !(row["config"].is_null()
        || row["config"] == "default"
        || row["config"]["maxContainerRestartPeriod"].is_number())
    {
        return None;
    }
    let limits = limits(row);
    if let Some(delays) = row["expect_delays"].as_array() {
        return answer("expect_delays", delays_of(limits, delays.len().min(MAX_STARTS)));
    }
    let run = Span::from_secs_f64(row["run"].as_f64()?);
    super::said_number(&row["exit"])?;
    let wanted = row["expect_starts"].as_array()?.len().min(MAX_STARTS);
    let (mut entry, mut at, mut starts) = (None, Time::ZERO, Vec::new());
    for _ in 0..wanted {
        starts.push(seconds(at.since(Time::ZERO)));
        let finished = at + run;
        at = crash_loop_until(entry, finished).unwrap_or(finished);
        entry = Some(next(entry, finished, at, limits));
    }
    answer("expect_starts", starts)
}

/// The delays of a container that exits as soon as it starts.
fn delays_of(limits: BackOffLimits, n: usize) -> Vec<Value> {
    let (mut entry, mut now, mut delays) = (None, Time::ZERO, Vec::new());
    for _ in 0..n {
        let until = crash_loop_until(entry, now).unwrap_or(now);
        delays.push(seconds(until.since(now)));
        entry = Some(next(entry, now, until, limits));
        now = until;
    }
    delays
}

/// `maxContainerRestartPeriod` and the feature gates (kubelet, `newCrashLoopBackOff`).
fn limits(row: &Value) -> BackOffLimits {
    let gate = |name: &str, default: bool| row["gates"][name].as_bool().unwrap_or(default);
    let reduced = gate("ReduceDefaultCrashLoopBackOffDecay", false);
    let (mut initial, mut max) = match reduced {
        true => (Span::from_secs(1), Span::from_secs(60)),
        false => (INITIAL_BACKOFF, MAX_BACKOFF),
    };
    if gate("KubeletCrashLoopBackOffMax", true) {
        let configured = row["config"]["maxContainerRestartPeriod"].as_f64();
        max = configured.map_or(MAX_BACKOFF, Span::from_secs_f64);
        initial = initial.min(max);
    }
    BackOffLimits { initial, max }
}
