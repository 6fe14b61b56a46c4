//! Node pressure and graceful shutdown.

use serde_json::{Map, Value, json};

use super::{amount, answer};
use crate::api::qos::QosClass;
use crate::engine::{Span, Time};
use crate::kubelet::eviction::{Ranked, Threshold, admits, condition_holds, rank};
use crate::kubelet::shutdown::{ShutdownGroup, group_of, shutdown_grace, two_groups};

pub(super) fn shutdown(row: &Value) -> Option<Value> {
    if let (Some(groups), Some(priority)) = (row["byPriority"].as_object(), row["prio"].as_i64()) {
        let mut groups: Vec<ShutdownGroup> = groups
            .iter()
            .map(|(priority, seconds)| {
                let seconds = u32::try_from(seconds.as_u64()?).ok()?;
                Some(ShutdownGroup { priority: priority.parse().ok()?, seconds })
            })
            .collect::<Option<_>>()?;
        groups.sort_by_key(|group| group.priority);
        let idx = group_of(&groups, i32::try_from(priority).ok()?)?;
        return answer("expect_group", groups[idx].priority);
    }
    let number = |key: &str| row[key].as_u64().map(|n| n as u32);
    let groups = two_groups(number("S")?, number("C")?);
    let mut out = Map::new();
    for pod in row["pods"].as_array()? {
        let priority = i32::try_from(pod["prio"].as_i64()?).ok()?;
        let idx = group_of(&groups, priority)?;
        let grace = shutdown_grace(groups[idx], u32::try_from(pod["grace"].as_u64()?).ok()?);
        let name = if idx == 0 { "grace_normal" } else { "grace_critical" };
        out.insert(name.to_owned(), grace.into());
        if idx == 0 {
            out.insert("grace".to_owned(), grace.into());
            out.insert("done_by".to_owned(), grace.into());
            out.insert("critical_starts_by".to_owned(), groups[0].seconds.into());
        }
    }
    let asked = row["expect"].as_object()?;
    out.retain(|key, _| asked.contains_key(key));
    answer("expect", Value::Object(out))
}

pub(super) fn pressure(row: &Value) -> Option<Value> {
    if row["expect_order"].is_array() {
        return order(row);
    }
    if row["node_condition"].is_array() {
        return admission(row);
    }
    if let (Some(observed), Some(now), Some(transition)) =
        (row["condition_last_observed"].as_u64(), row["now"].as_u64(), row["transition"].as_u64())
    {
        let holds = condition_holds(Time::from_secs(observed), Time::from_secs(now), Span::from_secs(transition));
        return answer("expect", if holds { "MemoryPressure still True" } else { "MemoryPressure False" });
    }
    threshold(row)
}

/// `memory.available<100Mi`, `nodefs.available<10%`, `200Mi minReclaim: 100Mi`.
fn threshold(row: &Value) -> Option<Value> {
    let (available, text) = (amount(&row["avail"])?, row["threshold"].as_str()?);
    let (text, min_reclaim) = match text.split_once(" minReclaim: ") {
        Some((text, reclaim)) => (text, amount(&reclaim.into())?),
        None => (text, 0),
    };
    let value = text.split_once('<').map_or(text, |(_, value)| value);
    let value = match value.strip_suffix('%') {
        Some(percent) => {
            let share = percent.parse::<f64>().ok()? / 100.0;
            (amount(&row["capacity"])? as f64 * share) as i64
        }
        None => amount(&value.into())?,
    };
    let threshold = Threshold { value, min_reclaim };
    let before = row["previously_met"].as_bool().unwrap_or(false);
    let met = threshold.still_met(available, before);
    let words = match (met, before) {
        (true, _) => "met",
        (false, true) => "resolved",
        (false, false) => "not met",
    };
    answer("expect", words)
}

fn order(row: &Value) -> Option<Value> {
    let mut pods: Vec<Ranked<&str>> = row["pods"]
        .as_array()?
        .iter()
        .map(|pod| {
            let whole = |key: &str| if pod[key].is_null() { Some(None) } else { pod[key].as_i64().map(Some) };
            let priority = i32::try_from(whole("prio")?.unwrap_or(0)).ok()?;
            let (request, usage) = (whole("req")?.unwrap_or(0), whole("use")?);
            Some(Ranked { pod: pod["n"].as_str()?, priority, request, usage })
        })
        .collect::<Option<_>>()?;
    rank(&mut pods);
    answer("expect_order", pods.iter().map(|pod| json!(pod.pod)).collect::<Vec<Value>>())
}

/// A new pod, named by its class or its priority.
fn admission(row: &Value) -> Option<Value> {
    let known =
        |condition: &Value| ["MemoryPressure", "DiskPressure", "PIDPressure"].iter().any(|kind| condition == kind);
    row["node_condition"].as_array()?.iter().all(known).then_some(())?;
    let only_memory = row["node_condition"].as_array()?.iter().all(|condition| condition == "MemoryPressure");
    let (class, priority) = match row["new_pod"].as_str()? {
        "BestEffort" => (QosClass::BestEffort, 0),
        "Burstable" => (QosClass::Burstable, 0),
        "Guaranteed" => (QosClass::Guaranteed, 0),
        text => (QosClass::BestEffort, text.strip_prefix("priority ")?.parse().ok()?),
    };
    answer("expect", if admits(only_memory, class, priority, false) { "admitted" } else { "rejected reason Evicted" })
}
