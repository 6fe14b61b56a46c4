//! Rows of the tables of facts about nodes, budgets, endpoints and autoscaling, answered by the functions that decide.

use serde_json::{Value, json};

use super::disruption::{demand, disruptions_allowed};
use super::endpoint_slice::{PodFacts, endpoint_conditions};
use super::horizontal_pod_autoscaler::behavior::{self, Record};
use super::horizontal_pod_autoscaler::replicas::{
    PodSample, PodState, Target, Tolerances, by_average, by_value, per_pod,
};
use super::node_lifecycle::{ZoneState, eviction_period, found_silent, zone_state};
use super::ttl_after_finished::{expiry_of, time_left};
use crate::api::int_or_percent::IntOrPercent;
use crate::api::toleration::{EvictionVerdict, Taint, TaintEffect, Toleration, TolerationOperator, taint_eviction};
use crate::cluster::objects::{DisruptionBound, ScalingPolicy, ScalingRules, SelectPolicy};
use crate::cluster::{BudgetState, ControlPlane, Eviction, PodPhase, ask_budget, ignores_budget};
use crate::engine::{Span, Time};

/// An instant late enough for everything that lies before it.
const NOW: Time = Time::from_secs(100_000);

/// Our answer to one row, in the form of its result; `None` if the group is not known or the row is free text.
pub fn case(group: &str, input: &Value) -> Option<Value> {
    match group {
        "hpa.resource_metric" => resource_metric(input),
        "hpa.pods_metric" => pods_metric(input),
        "hpa.object_external_metric" => one_value(input),
        "hpa.no_behavior_limits" => {
            let (replicas, limit) =
                behavior::bound(int(input, "cur")?, int(input, "desired")?, int(input, "min")?, int(input, "max")?);
            Some(json!([replicas, limit.texts().0]))
        }
        "hpa.stabilize_no_behavior" => {
            let mut records = records(&input["recs"])?;
            let result = behavior::stabilize(&mut records, int(input, "desired")?, NOW);
            Some(json!({ "result": result, "log": records.len() }))
        }
        "hpa.behavior_rate" => behavior_rate(input),
        "hpa.behavior_select" => behavior_select(input),
        "hpa.behavior_stabilize" => {
            let window = |key: &str| {
                if input[key].is_null() { Some(Span::ZERO) } else { input[key].as_u64().map(Span::from_secs) }
            };
            let mut records = records(&input["recommendations"])?;
            let (up, down) = (window("upWindow")?, window("downWindow")?);
            Some(json!(behavior::stabilize_with(
                &mut records,
                int(input, "cur")?,
                int(input, "desired")?,
                up,
                down,
                NOW
            )))
        }
        "pdb.status" => budget_status(input),
        "zone_eviction" => zone(input),
        "taint_eviction" => taints(input),
        "node_heartbeat" => heartbeat(input),
        "drain_and_eviction_api" => eviction(input),
        "gc.owner_refs" => ttl(input),
        "endpointslice_membership" => endpoint(input),
        _ => None,
    }
}

fn int(input: &Value, key: &str) -> Option<i32> {
    input[key].as_i64().and_then(|number| i32::try_from(number).ok())
}

/// `[value, seconds ago]` each; none if nothing is said, `None` if what is said is of another form.
fn records(list: &Value) -> Option<Vec<Record>> {
    let list = if list.is_null() { &[][..] } else { list.as_array()? };
    list.iter()
        .map(|entry| {
            let replicas = i32::try_from(entry[0].as_i64()?).ok()?;
            Some(Record { replicas, at: NOW - Span::from_secs(entry[1].as_u64()?) })
        })
        .collect()
}

fn resource_metric(input: &Value) -> Option<Value> {
    let number = |value: &Value| if value.is_null() { Some(None) } else { value.as_i64().map(Some) };
    let state = |value: &Value| match value {
        Value::Null => Some(PodState::Ready),
        Value::String(text) if text == "ready" => Some(PodState::Ready),
        Value::String(text) if text == "unready" => Some(PodState::Unready),
        Value::String(text) if text == "ignored" => Some(PodState::Ignored),
        _ => None,
    };
    let sample = |state: Option<PodState>, usage: &Value, request: &Value| {
        Some(PodSample { state: state?, usage_milli: number(usage)?, request_milli: number(request)?.unwrap_or(0) })
    };
    let pods: Option<Vec<PodSample>> = match input["pods"].as_array() {
        Some(pods) => pods.iter().map(|pod| sample(state(&pod["state"]), &pod["usage_m"], &pod["request_m"])).collect(),
        None => {
            let requests = input["request_m"].as_array()?;
            requests
                .iter()
                .enumerate()
                .map(|(idx, request)| sample(state(&input["states"][idx]), &input["usage_m"][idx], request))
                .collect()
        }
    };
    let pods = pods?;
    let superfluous = input["usage_m"].as_array().into_iter().flatten().skip(pods.len());
    if !superfluous.into_iter().all(Value::is_i64) {
        return None;
    }
    if pods.is_empty() {
        return None;
    }
    let target = Target::Utilization(input["targetUtilization"].as_i64()?);
    let (replicas, utilization) = per_pod(int(input, "currentReplicas")?, &pods, target, Tolerances::default())?;
    Some(json!({ "replicas": replicas, "utilization": utilization }))
}

fn pods_metric(input: &Value) -> Option<Value> {
    let values = input["per_pod_milli"].as_array()?.iter();
    let pods: Option<Vec<PodSample>> = values
        .map(|value| Some(PodSample { state: PodState::Ready, usage_milli: Some(value.as_i64()?), request_milli: 0 }))
        .collect();
    let pods = pods?;
    let target = Target::AverageValue(input["targetAverage_milli"].as_i64()?);
    let (replicas, usage) = per_pod(int(input, "currentReplicas")?, &pods, target, Tolerances::default())?;
    Some(json!({ "replicas": replicas, "usage_milli": usage }))
}

fn one_value(input: &Value) -> Option<Value> {
    let (current, value) = (int(input, "cur")?, input["value"].as_i64()?);
    let kind = input["kind"].as_str()?;
    let per_pod = match kind {
        "Object.AverageValue" | "External.AverageValue" => Some(input["targetPerPod"].as_i64()?),
        "Object.Value" | "External.Value" => None,
        _ => return None,
    };
    Some(match per_pod {
        Some(target) => {
            let (replicas, per_pod) = by_average(current, value, target, Tolerances::default());
            json!({ "replicas": replicas, "perPod": per_pod })
        }
        None => {
            let ready = if input["readyPods"].is_null() { current } else { int(input, "readyPods")? };
            json!(by_value(current, ready, value, input["target"].as_i64()?, Tolerances::default()))
        }
    })
}

/// `[type, value, periodSeconds]` each; the defaults if there are none.
fn rules(policies: &Value, select: &Value, up: bool) -> Option<ScalingRules> {
    let mut rules = ScalingRules::lower(&Value::Null, up);
    if !policies.is_null() {
        let policy = |entry: &Value| {
            let percent = match entry[0].as_str()? {
                "Percent" => true,
                "Pods" => false,
                _ => return None,
            };
            let value = i32::try_from(entry[1].as_i64()?).ok()?;
            Some(ScalingPolicy { percent, value, period: Span::from_secs(entry[2].as_u64()?) })
        };
        rules.policies = policies.as_array()?.iter().map(policy).collect::<Option<_>>()?;
    }
    rules.select = match select {
        Value::Null => SelectPolicy::Max,
        Value::String(text) if text == "Max" => SelectPolicy::Max,
        Value::String(text) if text == "Min" => SelectPolicy::Min,
        Value::String(text) if text == "Disabled" => SelectPolicy::Disabled,
        _ => return None,
    };
    Some(rules)
}

fn behavior_rate(input: &Value) -> Option<Value> {
    let select = |key: &str| &input[key];
    let up = rules(&input["scaleUp"], select("scaleUpSelectPolicy"), true)?;
    let rules = (up, rules(&input["scaleDown"], select("scaleDownSelectPolicy"), false)?);
    let (ups, downs) = (records(&input["scaleUpEvents"])?, records(&input["scaleDownEvents"])?);
    let replicas = (int(input, "cur")?, int(input, "desired")?);
    let (replicas, limit) =
        behavior::bound_with(replicas, (int(input, "min")?, int(input, "max")?), &rules, (&ups, &downs), NOW);
    Some(json!([replicas, limit.texts().0]))
}

fn behavior_select(input: &Value) -> Option<Value> {
    let up = match input["direction"].as_str()? {
        "up" => true,
        "down" => false,
        "any" => return either_way(input),
        _ => return None,
    };
    let (current, rules) = (int(input, "cur")?, rules(&input["policies"], &input["selectPolicy"], up)?);
    let limit = if up { behavior::up_limit } else { behavior::down_limit };
    Some(json!(limit(current, &rules, &[], &[], NOW)))
}

/// The limit in both directions, if it is one and the same.
fn either_way(input: &Value) -> Option<Value> {
    let limit = |direction: &str| {
        let mut input = input.clone();
        input["direction"] = direction.into();
        behavior_select(&input)
    };
    limit("up").filter(|up| Some(up) == limit("down").as_ref())
}

fn budget_status(input: &Value) -> Option<Value> {
    let bound = |value: &Value| match value {
        Value::Number(_) => value.as_i64().map(|count| IntOrPercent::Int(count as i32)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let bound = match bound(&input["minAvailable"]) {
        Some(bound) => DisruptionBound::MinAvailable(bound),
        None => DisruptionBound::MaxUnavailable(bound(&input["maxUnavailable"])?),
    };
    let expected = int(input, "expectedPods")?;
    let demand = demand(bound, expected, expected);
    Some(json!({
        "disruptionsAllowed": disruptions_allowed(demand, int(input, "healthy")?),
        "desiredHealthy": demand.desired_healthy,
    }))
}

fn zone(input: &Value) -> Option<Value> {
    let count = |key: &str| input["zone"][key].as_u64().map(|number| number as usize);
    let (total, lost) = (count("total")?, count("notReady")?);
    let state = zone_state(total.checked_sub(lost)?, lost);
    let rate = eviction_period(state, total).map_or(0.0, |period| 1.0 / period.as_secs_f64());
    let state = match state {
        ZoneState::PartialDisruption => "Partial",
        ZoneState::FullDisruption => "Full",
        _ => "Normal",
    };
    Some(json!({ "state": state, "rate": if rate == 0.0 { json!(0) } else { json!(rate) } }))
}

/// Taints by key, tolerations as `key:seconds` or `key:forever`.
fn taints(input: &Value) -> Option<Value> {
    if let Some(seconds) = input["tolerationSeconds"].as_i64() {
        return taints(&json!({ "node_taints": ["t"], "tolerations": [format!("t:{seconds}")] }));
    }
    let keys = input["node_taints"].as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?.into_iter();
    let taints: Vec<Taint> =
        keys.map(|key| Taint { key: key.to_owned(), value: String::new(), effect: TaintEffect::NoExecute }).collect();
    let texts = if input["tolerations"].is_null() { &[][..] } else { input["tolerations"].as_array()? };
    let tolerations: Option<Vec<Toleration>> = texts
        .iter()
        .map(|text| {
            let (key, seconds) = text.as_str()?.split_once(':')?;
            let seconds = if seconds == "forever" { None } else { Some(seconds.parse().ok()?) };
            let (key, value) = (key.to_owned(), String::new());
            let (operator, effect) = (TolerationOperator::Exists, Some(TaintEffect::NoExecute));
            Some(Toleration { key, operator, value, effect, seconds })
        })
        .collect();
    Some(match taint_eviction(&taints, &tolerations?) {
        EvictionVerdict::None => json!("nothing"),
        EvictionVerdict::EvictNow => json!("delete now"),
        EvictionVerdict::StayForever => json!("never"),
        EvictionVerdict::EvictAfter(seconds) if seconds <= 0 => json!("delete now"),
        EvictionVerdict::EvictAfter(seconds) => json!(format!("delete at +{seconds}")),
    })
}

/// `last lease renew observed at R, grace G`, or another row's with a grace of its own.
fn heartbeat(input: &Value) -> Option<Value> {
    let given = input["given"].as_str()?;
    input["expect"]["Unknown_written_at"].as_u64()?;
    // The version says why the grace is what it is.
    (input["version"].is_null() || input["version"].is_string()).then_some(())?;
    let number_after = |words: &str| -> Option<u64> {
        let rest = given.split_once(words)?.1.trim_start();
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    let renewed = number_after("renew observed at").unwrap_or(100);
    let grace = number_after("grace").unwrap_or(50);
    let found = found_silent(Time::from_secs(renewed), Span::from_secs(grace), &ControlPlane::ideal());
    Some(json!({ "Unknown_written_at": found.as_secs() }))
}

/// What the eviction API answers about one pod and the budget that guards it.
fn eviction(input: &Value) -> Option<Value> {
    let (pod, budget) = (input["pod"].as_object()?, input["pdb"].as_object()?);
    let phase = match pod.get("phase")?.as_str()? {
        "Pending" => PodPhase::Pending,
        "Running" => PodPhase::Running,
        "Succeeded" => PodPhase::Succeeded,
        "Failed" => PodPhase::Failed,
        _ => return None,
    };
    let flags = ["ready", "deleting"].iter().all(|key| pod.get(*key).is_none_or(Value::is_boolean));
    let counts = ["disruptionsAllowed", "currentHealthy", "desiredHealthy"];
    let policies = ["AlwaysAllow", "IfHealthyBudget"];
    let known =
        budget.get("policy").is_none_or(|policy| policy.as_str().is_some_and(|policy| policies.contains(&policy)));
    if !flags || !known || !counts.iter().all(|key| budget.get(*key).is_none_or(Value::is_i64)) {
        return None;
    }
    let says = |key: &str| pod.get(key).and_then(Value::as_bool);
    let count = |key: &str| budget.get(key).and_then(Value::as_i64).map_or(0, |count| count as i32);
    if ignores_budget(phase, says("deleting").unwrap_or(false)) {
        return Some(json!("evicted"));
    }
    let policy = budget.get("policy").and_then(Value::as_str);
    let (healthy, desired) = (count("currentHealthy"), count("desiredHealthy"));
    let state = BudgetState {
        disruptions_allowed: budget
            .get("disruptionsAllowed")
            .map_or((healthy - desired).max(0), |_| count("disruptionsAllowed")),
        current_healthy: healthy,
        desired_healthy: desired,
        unhealthy_always_allowed: policy == Some("AlwaysAllow"),
    };
    Some(json!(match ask_budget(says("ready").unwrap_or(true), state) {
        Eviction::Unguarded | Eviction::Spends => "evicted",
        Eviction::Unhealthy if policy == Some("AlwaysAllow") => "evicted",
        Eviction::Unhealthy => "evicted without decrement",
        Eviction::Refused => "429",
    }))
}

/// A Job that finished a while ago.
fn ttl(input: &Value) -> Option<Value> {
    let (ttl, ago) = (input["ttlSecondsAfterFinished"].as_u64()?, input["finished_ago"].as_u64()?);
    Some(match time_left(expiry_of(NOW - Span::from_secs(ago), ttl), NOW) {
        Some(left) => json!(format!("kept, requeue {}s", left.as_secs())),
        None => json!("deleted"),
    })
}

fn endpoint(input: &Value) -> Option<Value> {
    let pod = input["pod"].as_object()?;
    // YAML's `yes` is a text to some readers.
    let says = |key: &str| match pod.get(key) {
        None => Some(false),
        Some(Value::Bool(said)) => Some(*said),
        Some(Value::String(text)) if text == "yes" || text == "no" => Some(text == "yes"),
        Some(_) => None,
    };
    let phase = match pod.get("phase") {
        None => "",
        Some(phase) => PodPhase::parse(phase.as_str()?)?.as_str(),
    };
    let facts = PodFacts {
        has_ip: says("ip")?,
        ended: matches!(phase, "Succeeded" | "Failed"),
        ready: says("Ready")?,
        deleting: says("deleting")?,
    };
    let publish = &input["publishNotReadyAddresses"];
    let publish = if publish.is_null() { false } else { publish.as_bool()? };
    Some(match endpoint_conditions(facts, publish) {
        Some((ready, serving, terminating)) => {
            json!({ "ready": ready, "serving": serving, "terminating": terminating })
        }
        None => json!("not in slice"),
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn file(name: &str) -> Option<Value> {
        let shared = std::env::var_os("WAVETANK_SHARED")
            .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
        let text = std::fs::read_to_string(shared.join("cases").join(name)).ok();
        if text.is_none() {
            eprintln!("skipped: no cases/{name}");
        }
        text.map(|text| serde_yaml::from_str(&text).expect("the tables are YAML"))
    }

    #[test]
    fn the_tables_of_the_control_plane_agree() {
        let Some(file) = file("control-plane.yaml") else { return };
        let list = file.as_array().or_else(|| file["groups"].as_array()).cloned().unwrap_or_default();
        let (mut n, mut wrong) = (0, Vec::new());
        for group in &list {
            let name = group["group"].as_str().unwrap_or_default();
            for row in group["cases"].as_array().into_iter().flatten() {
                let Some(answer) = case(name, &row["in"]) else { continue };
                n += 1;
                if answer != row["out"] {
                    wrong.push(format!("{}: {answer} is not {}", row["id"], row["out"]));
                }
            }
        }
        assert!(wrong.is_empty() && n >= 60, "{n} rows; {wrong:#?}");
    }

    #[test]
    fn the_tables_of_nodes_and_networks_agree() {
        let Some(file) = file("node-network.yaml") else { return };
        let (mut n, mut wrong) = (0, Vec::new());
        for name in ["zone_eviction", "taint_eviction", "endpointslice_membership"] {
            for row in file[name].as_array().into_iter().flatten() {
                let Some(answer) = case(name, row).filter(|_| !row["expect"].is_null()) else { continue };
                n += 1;
                if answer != row["expect"] {
                    wrong.push(format!("{}: {answer} is not {}", row["id"], row["expect"]));
                }
            }
        }
        assert!(wrong.is_empty() && n >= 15, "{n} rows; {wrong:#?}");
    }
}
