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
            let mut records = records(&input["recs"]);
            let result = behavior::stabilize(&mut records, int(input, "desired")?, NOW);
            Some(json!({ "result": result, "log": records.len() }))
        }
        "hpa.behavior_rate" => behavior_rate(input),
        "hpa.behavior_select" => behavior_select(input),
        "hpa.behavior_stabilize" => {
            let window = |key: &str| Span::from_secs(input[key].as_u64().unwrap_or(0));
            let mut records = records(&input["recommendations"]);
            let (up, down) = (window("upWindow"), window("downWindow"));
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

/// `[value, seconds ago]` each.
fn records(list: &Value) -> Vec<Record> {
    let list = list.as_array().into_iter().flatten();
    list.map(|entry| Record {
        replicas: entry[0].as_i64().unwrap_or(0) as i32,
        at: NOW - Span::from_secs(entry[1].as_u64().unwrap_or(0)),
    })
    .collect()
}

fn resource_metric(input: &Value) -> Option<Value> {
    let number = |value: &Value| value.as_i64();
    let state = |value: &Value| match value.as_str() {
        Some("unready") => PodState::Unready,
        Some("ignored") => PodState::Ignored,
        _ => PodState::Ready,
    };
    let pods: Vec<PodSample> = match input["pods"].as_array() {
        Some(pods) => pods
            .iter()
            .map(|pod| PodSample {
                state: state(&pod["state"]),
                usage_milli: number(&pod["usage_m"]),
                request_milli: number(&pod["request_m"]).unwrap_or(0),
            })
            .collect(),
        None => {
            let requests = input["request_m"].as_array()?;
            requests
                .iter()
                .enumerate()
                .map(|(idx, request)| PodSample {
                    state: state(&input["states"][idx]),
                    usage_milli: number(&input["usage_m"][idx]),
                    request_milli: number(request).unwrap_or(0),
                })
                .collect()
        }
    };
    if pods.is_empty() {
        return None;
    }
    let target = Target::Utilization(input["targetUtilization"].as_i64()?);
    let (replicas, utilization) = per_pod(int(input, "currentReplicas")?, &pods, target, Tolerances::default())?;
    Some(json!({ "replicas": replicas, "utilization": utilization }))
}

fn pods_metric(input: &Value) -> Option<Value> {
    let values = input["per_pod_milli"].as_array()?.iter();
    let pods: Vec<PodSample> = values
        .map(|value| PodSample { state: PodState::Ready, usage_milli: value.as_i64(), request_milli: 0 })
        .collect();
    let target = Target::AverageValue(input["targetAverage_milli"].as_i64()?);
    let (replicas, usage) = per_pod(int(input, "currentReplicas")?, &pods, target, Tolerances::default())?;
    Some(json!({ "replicas": replicas, "usage_milli": usage }))
}

fn one_value(input: &Value) -> Option<Value> {
    let (current, value) = (int(input, "cur")?, input["value"].as_i64()?);
    Some(match input["targetPerPod"].as_i64() {
        Some(target) => {
            let (replicas, per_pod) = by_average(current, value, target, Tolerances::default());
            json!({ "replicas": replicas, "perPod": per_pod })
        }
        None => {
            let ready = int(input, "readyPods").unwrap_or(current);
            json!(by_value(current, ready, value, input["target"].as_i64()?, Tolerances::default()))
        }
    })
}

/// `[type, value, periodSeconds]` each; the defaults if there are none.
fn rules(policies: &Value, select: &Value, up: bool) -> ScalingRules {
    let mut rules = ScalingRules::lower(&Value::Null, up);
    if let Some(list) = policies.as_array() {
        let policy = |entry: &Value| ScalingPolicy {
            percent: entry[0] == "Percent",
            value: entry[1].as_i64().unwrap_or(0) as i32,
            period: Span::from_secs(entry[2].as_u64().unwrap_or(0)),
        };
        rules.policies = list.iter().map(policy).collect();
    }
    rules.select = match select.as_str() {
        Some("Min") => SelectPolicy::Min,
        Some("Disabled") => SelectPolicy::Disabled,
        _ => SelectPolicy::Max,
    };
    rules
}

fn behavior_rate(input: &Value) -> Option<Value> {
    let rules = (rules(&input["scaleUp"], &Value::Null, true), rules(&input["scaleDown"], &Value::Null, false));
    let (ups, downs) = (records(&input["scaleUpEvents"]), records(&input["scaleDownEvents"]));
    let replicas = (int(input, "cur")?, int(input, "desired")?);
    let (replicas, limit) =
        behavior::bound_with(replicas, (int(input, "min")?, int(input, "max")?), &rules, (&ups, &downs), NOW);
    Some(json!([replicas, limit.texts().0]))
}

fn behavior_select(input: &Value) -> Option<Value> {
    let (current, up) = (int(input, "cur")?, input["direction"] != "down");
    let rules = rules(&input["policies"], &input["selectPolicy"], up);
    let limit = if up { behavior::up_limit } else { behavior::down_limit };
    Some(json!(limit(current, &rules, &[], &[], NOW)))
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
    let keys = input["node_taints"].as_array()?.iter().filter_map(Value::as_str);
    let taints: Vec<Taint> =
        keys.map(|key| Taint { key: key.to_owned(), value: String::new(), effect: TaintEffect::NoExecute }).collect();
    let texts = input["tolerations"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let tolerations: Vec<Toleration> = texts
        .filter_map(|text| text.split_once(':'))
        .map(|(key, seconds)| Toleration {
            key: key.to_owned(),
            operator: TolerationOperator::Exists,
            value: String::new(),
            effect: Some(TaintEffect::NoExecute),
            seconds: seconds.parse().ok(),
        })
        .collect();
    Some(match taint_eviction(&taints, &tolerations) {
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
    let says = |key: &str| matches!(pod.get(key), Some(Value::Bool(true))) || pod.get(key).is_some_and(|v| v == "yes");
    let phase = pod.get("phase").and_then(Value::as_str).unwrap_or_default();
    let facts = PodFacts {
        has_ip: says("ip"),
        ended: matches!(phase, "Succeeded" | "Failed"),
        ready: says("Ready"),
        deleting: says("deleting"),
    };
    let publish = input["publishNotReadyAddresses"].as_bool().unwrap_or(false);
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
