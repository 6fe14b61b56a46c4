//! In-place resizes of whole pods.

use serde_json::{Value, json};

use super::trial::{Trial, one};
use super::{answer, numbers, said};
use crate::api::qos::{QosClass, qos_class};
use crate::cluster::PodId;
use crate::engine::{Span, Time};
use crate::kubelet::KubeletOptions;
use crate::kubelet::resize::{Waiting, order};

fn spec(requests: Value, limits: Value, policy: Value) -> Value {
    let resources = json!({"requests": requests, "limits": limits});
    one(json!({"resources": resources, "resizePolicy": policy}), json!({}))
}

fn cpu(amount: &str) -> Value {
    spec(json!({"cpu": amount}), json!({}), json!([]))
}

fn trial(models: Value, cpu: &str) -> Option<Trial> {
    Trial::with(KubeletOptions::ideal(), models, json!({"cpu": cpu, "memory": "16Gi", "pods": "110"}))
}

fn pending(trial: &Trial, pod: PodId) -> String {
    match (trial.condition(pod, "PodResizePending"), trial.condition(pod, "PodResizeInProgress")) {
        (Some((_, reason)), _) => format!("PodResizePending {reason}"),
        (None, Some((_, reason))) => format!("PodResizeInProgress {reason}").trim_end().to_owned(),
        (None, None) => "no resize".to_owned(),
    }
}

pub(super) fn case(row: &Value) -> Option<Value> {
    if row["pending"].is_array() {
        return sequence(row);
    }
    let given = row["given"].as_str()?;
    if given == "resize that would change QoS class" {
        return changes_class();
    }
    if given.starts_with("cpu ") && given.contains(" -> ") {
        return other_cpu(given);
    }
    match given {
        "memory limit change with resizePolicy memory RestartContainer" => {
            let policy = json!([{"resourceName": "memory", "restartPolicy": "RestartContainer"}]);
            let memory = |amount: &str| spec(json!({"memory": "100Mi"}), json!({"memory": amount}), policy.clone());
            let mut trial = trial(json!([]), "2")?;
            let pod = trial.pod("p", memory("1Gi"))?;
            trial.run_to(10.0);
            trial.resize(pod, memory("2Gi"))?;
            trial.run_to(20.0);
            said(trial.restarts(pod, 0) == 1, "container restarted, restartCount+1", &pending(&trial, pod))
        }
        "memory limit 1Gi -> 200Mi, usage 500Mi" => {
            let usage = json!({"memory": {"steps": [{"at": "0s", "value": "500Mi"}, {"at": "60s", "value": "100Mi"}]}});
            let memory = |amount: &str| spec(json!({"memory": "100Mi"}), json!({"memory": amount}), json!([]));
            let mut trial = trial(json!([{"usage": usage}]), "2")?;
            let pod = trial.pod("p", memory("1Gi"))?;
            trial.run_to(10.0);
            trial.resize(pod, memory("200Mi"))?;
            trial.run_to(20.0);
            let (refused, kept) = (pending(&trial, pod), trial.cluster.pod(pod).resized.is_some());
            trial.run_to(100.0);
            let retried = trial.cluster.pod(pod).resized.is_none() && trial.restarts(pod, 0) == 0;
            let shown = refused == "PodResizeInProgress Error" && kept && retried;
            said(shown, "error condition, limit unchanged, retried", &refused)
        }
        "Guaranteed pod, static CPU manager policy, cpu resize" => {
            let options = KubeletOptions { static_cpus: true, ..KubeletOptions::ideal() };
            let all = |cpu: &str| {
                let amounts = json!({"cpu": cpu, "memory": "1Gi"});
                spec(amounts.clone(), amounts, json!([]))
            };
            let mut trial = Trial::with(options, json!([]), json!({"cpu": "8", "memory": "16Gi", "pods": "110"}))?;
            let pod = trial.pod("p", all("1"))?;
            trial.run_to(10.0);
            trial.resize(pod, all("2"))?;
            trial.run_to(20.0);
            let state = pending(&trial, pod);
            answer("expect", state.strip_prefix("PodResizePending ").unwrap_or(&state))
        }
        _ => None,
    }
}

/// `cpu 500m -> 1500m, node allocatable 2, other pods use 1000m`, `cpu 500m -> 700m, node has 1000m free`.
fn other_cpu(given: &str) -> Option<Value> {
    let mut parts = given.split(", ");
    let (from, to) = parts.next()?.strip_prefix("cpu ")?.split_once(" -> ")?;
    let (mut allocatable, mut others) = ("2".to_owned(), None);
    for part in parts {
        if let Some(amount) = part.strip_prefix("node allocatable ") {
            allocatable = amount.to_owned();
        } else if let Some(amount) = part.strip_prefix("other pods use ") {
            others = Some(amount.to_owned());
        } else if let Some(free) = part.strip_prefix("node has ").and_then(|rest| rest.strip_suffix("m free")) {
            let before = numbers(from).first()?.round() as i64;
            allocatable = format!("{}m", before + free.parse::<i64>().ok()?);
        } else {
            return None;
        }
    }
    let mut trial = trial(json!([]), &allocatable)?;
    let pod = trial.pod("p", cpu(from))?;
    let other = match &others {
        Some(amount) => Some(trial.pod("other", cpu(amount))?),
        None => None,
    };
    trial.run_to(10.0);
    trial.resize(pod, cpu(to))?;
    trial.run_to(20.0);
    let state = pending(&trial, pod);
    if state == "no resize" {
        let shown = trial.has_event(pod, "ResizeStarted") && trial.has_event(pod, "ResizeCompleted");
        return said(shown && trial.restarts(pod, 0) == 0, "PodResizeInProgress then done; no restart", "restarted");
    }
    let Some(other) = other.filter(|_| state == "PodResizePending Deferred") else { return answer("expect", state) };
    trial.cluster.delete_pod(other, None);
    trial.run_to(200.0);
    let retried = pending(&trial, pod) == "no resize" && trial.cluster.pod(pod).resized.is_none();
    said(retried, &format!("{state}; retried on pod removal or every 3 min"), &pending(&trial, pod))
}

/// The class of a pod cannot change: the API server compares them.
fn changes_class() -> Option<Value> {
    let class = |spec: Value| {
        let spec = serde_json::from_value(spec).ok()?;
        Some(qos_class(&k8s_openapi::api::core::v1::Pod { spec: Some(spec), ..Default::default() }))
    };
    let amounts = json!({"cpu": "1", "memory": "1Gi"});
    let before = class(spec(amounts.clone(), amounts.clone(), json!([])))?;
    let after = class(spec(json!({"cpu": "500m", "memory": "1Gi"}), amounts, json!([])))?;
    said((before, after) == (QosClass::Guaranteed, QosClass::Burstable), "API rejects", after.as_str())
}

/// `[P1 increase prio 0 deferred 10 min, P2 decrease, P3 increase prio 100]`.
fn sequence(row: &Value) -> Option<Value> {
    let now = Time::from_secs(100_000);
    let mut waiting = Vec::new();
    for entry in row["pending"].as_array()? {
        let words: Vec<&str> = entry.as_str()?.split_whitespace().collect();
        let after = |word: &str| words.iter().position(|one| *one == word).and_then(|idx| words.get(idx + 1).copied());
        let priority = after("prio").map_or(Some(0), |text| text.parse().ok())?;
        let minutes: u64 = after("deferred").map_or(Some(0), |text| text.parse().ok())?;
        let qos = match words.iter().find(|word| ["Guaranteed", "Burstable", "BestEffort"].contains(word)) {
            Some(&"Guaranteed") => QosClass::Guaranteed,
            Some(&"BestEffort") => QosClass::BestEffort,
            _ => QosClass::Burstable,
        };
        let since = Time::ZERO + now.since(Time::ZERO + Span::from_secs(minutes * 60));
        waiting.push(Waiting { pod: *words.first()?, increases: words.contains(&"increase"), priority, qos, since });
    }
    order(&mut waiting);
    answer("expect_order", waiting.iter().map(|one| json!(one.pod)).collect::<Vec<_>>())
}
