//! Phases, conditions, restarts, images, out-of-memory scores.

use serde_json::{Value, json};
use smallvec::SmallVec;

use super::endings::verdict;
use super::trial::{Trial, one};
use super::{amount, answer, said_flag};
use crate::api::qos::QosClass;
use crate::cluster::{
    Conditions, ContainerState, ContainerStatus, Interner, PodPhase, RestartPolicy, Sym, Terminated, Words,
};
use crate::engine::Time;
use crate::kubelet::conditions::{ConditionInput, conditions as compute};
use crate::kubelet::eviction::oom_score_adj;
use crate::kubelet::phase::{PhaseFlags, phase as compute_phase};
use crate::kubelet::restart::{Decision, decide};
use crate::kubelet::shape::{ContainerKind, ContainerShape, PodShape, PullPolicy, RestartRule, read_restart_policy};

/// A container of which only the kind matters.
fn container(kind: ContainerKind) -> ContainerShape {
    let restart_policy = (kind == ContainerKind::Sidecar).then_some(RestartPolicy::Always);
    ContainerShape {
        name: Sym::EMPTY,
        image: Sym::EMPTY,
        kind,
        pull_policy: PullPolicy::IfNotPresent,
        restart_policy,
        restart_rules: Vec::new(),
        startup_probe: None,
        readiness_probe: None,
        liveness_probe: None,
        post_start: None,
        pre_stop: None,
        cpu_limit: None,
        memory_limit: None,
        memory_request: 0,
        disk_limit: None,
        disk_request: 0,
        cpu_request: 0,
        restarts_for_cpu: false,
        restarts_for_memory: false,
        resources: String::new(),
    }
}

fn pod(restart_policy: RestartPolicy) -> PodShape {
    PodShape {
        disk_limit: None,
        containers: Vec::new(),
        n_init: 0,
        restart_policy,
        grace_seconds: 30,
        active_deadline: None,
        readiness_gates: Vec::new(),
        host_network: false,
        empty_dirs: Vec::new(),
    }
}

/// `R`, `T<code>`, `W`, `WL<code>`, `N`, and after a state `with container policy <policy>`.
fn status(text: &str) -> Option<(Option<ContainerStatus>, Option<RestartPolicy>)> {
    let (state, policy) = match text.split_once(" with container policy ") {
        Some((state, policy)) => (state, Some(read_restart_policy(policy)?)),
        None => (text, None),
    };
    let ended = |code: &str| {
        let (reason, message) = (Sym::EMPTY, Sym::EMPTY);
        Some(Terminated { exit_code: code.parse().ok()?, reason, message, started: Time::ZERO, finished: Time::ZERO })
    };
    let waiting = ContainerState::default();
    let status = ContainerStatus::default();
    let status = match state {
        "N" => None,
        "W" => Some(status),
        "R" => {
            let state = ContainerState::Running { started: Time::ZERO };
            Some(ContainerStatus { state, ready: true, started: true, ..status })
        }
        _ => Some(match (state.strip_prefix("WL"), state.strip_prefix('T')) {
            (Some(code), _) => ContainerStatus { state: waiting, last: Some(ended(code)?), ..status },
            (None, Some(code)) => {
                let ended = ended(code)?;
                ContainerStatus { state: ContainerState::Terminated(ended), ready: ended.exit_code == 0, ..status }
            }
            _ => return None,
        }),
    };
    Some((status, policy))
}

pub(super) fn phase(row: &Value) -> Option<Value> {
    let mut shape = pod(read_restart_policy(row["restartPolicy"].as_str()?)?);
    let mut statuses = Vec::new();
    for (key, kind) in [("i", ContainerKind::Init), ("sc", ContainerKind::Sidecar), ("c", ContainerKind::Regular)] {
        for text in row[key].as_array().into_iter().flatten() {
            let (status, policy) = status(text.as_str()?)?;
            let mut shape_of = container(kind);
            shape_of.restart_policy = policy.or(shape_of.restart_policy);
            shape.containers.push(shape_of);
            statuses.push(status);
        }
    }
    shape.n_init = shape.containers.iter().filter(|container| container.kind != ContainerKind::Regular).count();
    let flag = |key: &str| said_flag(&row[key]);
    let flags =
        PhaseFlags { terminal: flag("terminal")?, initialized: flag("initialized")?, is_static: flag("static")? };
    let computed = compute_phase(&shape, &statuses, flags);
    let shown = row["apiPhase"].as_str().and_then(PodPhase::parse).filter(|phase| phase.is_terminal());
    answer("expect", shown.unwrap_or(computed).as_str())
}

/// Rows that give no more than a phase, or nothing at all.
pub(super) fn conditions(row: &Value) -> Option<Value> {
    let (phase, statuses) = match row["given"].as_str()? {
        "phase Succeeded" => (PodPhase::Succeeded, vec![status("T0")?.0]),
        "phase Failed" => (PodPhase::Failed, vec![status("T1")?.0]),
        "no container statuses at all" => (PodPhase::Pending, vec![None]),
        "no init containers" => (PodPhase::Running, vec![status("R")?.0]),
        _ => return None,
    };
    let mut shape = pod(RestartPolicy::Never);
    shape.containers.push(container(ContainerKind::Regular));
    let mut interner = Interner::default();
    let words = Words::new(&mut interner);
    let present = Conditions::default();
    let input = ConditionInput { shape: &shape, statuses: &statuses, phase, sandbox_ready: true, present: &present };
    let computed: SmallVec<[_; 5]> = compute(input, &words, &mut interner);
    let mut out = serde_json::Map::new();
    for (kind, status, reason, _) in computed {
        let kind = interner.text(kind).to_owned();
        let text = match (interner.text(reason), kind.as_str()) {
            ("", _) => status.as_str().to_owned(),
            (reason, "Initialized") => format!("{} ({reason})", status.as_str()),
            (reason, _) => {
                out.insert("reason".to_owned(), reason.into());
                status.as_str().to_owned()
            }
        };
        out.insert(kind, text.into());
    }
    // Only what the row asks for.
    let asked = row["expect"].as_object()?;
    out.retain(|key, _| asked.contains_key(key));
    answer("expect", Value::Object(out))
}

pub(super) fn restart(row: &Value) -> Option<Value> {
    let exit_code = i32::try_from(row["exit"].as_i64()?).ok()?;
    let mut shape = pod(read_restart_policy(row["pod"].as_str()?)?);
    let mut regular = container(ContainerKind::Regular);
    if !row["container"].is_null() {
        regular.restart_policy = Some(read_restart_policy(row["container"].as_str()?)?);
    }
    for rule in row["rules"].as_array().into_iter().flatten() {
        let values = rule["values"].as_array()?.iter().map(Value::as_i64).collect::<Option<Vec<_>>>()?;
        let known = |key: &str, words: &[&str]| rule[key].as_str().filter(|word| words.contains(word));
        known("action", &["Restart", "RestartAllContainers"]).and(known("op", &["In", "NotIn"]))?;
        regular.restart_rules.push(RestartRule {
            all_containers: rule["action"] == "RestartAllContainers",
            not_in: rule["op"] == "NotIn",
            values: values.into_iter().filter_map(|value| i32::try_from(value).ok()).collect(),
        });
    }
    if regular.restart_policy.is_none() && !regular.restart_rules.is_empty() {
        let rules: Vec<Value> = row["rules"].as_array()?.iter().map(api_rule).collect();
        let container = json!({"name": "c", "image": "a", "restartPolicyRules": rules});
        let spec = json!({"restartPolicy": row["pod"], "containers": [container]});
        return verdict(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}));
    }
    shape.containers.push(regular);
    answer(
        "expect",
        match decide(&shape, 0, exit_code) {
            Decision::Restart => "restart",
            Decision::Stop => "stop",
            Decision::RestartAll => "all containers restarted in place (same sandbox/IP, init rerun)",
        },
    )
}

/// `{action, op, values}` as the API has it.
fn api_rule(rule: &Value) -> Value {
    json!({"action": rule["action"], "exitCodes": {"operator": rule["op"], "values": rule["values"]}})
}

pub(super) fn image(row: &Value) -> Option<Value> {
    if let (Some("Never"), Some(false)) = (row["policy"].as_str(), row["present"].as_bool()) {
        let mut trial = Trial::new(json!([]))?;
        let pod = trial.pod("p", one(json!({"imagePullPolicy": "Never"}), json!({})))?;
        trial.run_to(30.0);
        return answer("expect", json!({"waiting": trial.states(pod, 0).last()?, "phase": trial.phase(pod).as_str()}));
    }
    let image = row["image"].as_str()?;
    let policy = match &row["policy"] {
        Value::Null => None,
        policy => Some(policy.as_str()?).filter(|policy| *policy != "unset"),
    };
    answer("expect", PullPolicy::of(policy, image).as_str())
}

pub(super) fn oom(row: &Value) -> Option<Value> {
    let oom = row.get("oom")?;
    let capacity = amount(&oom["capacity"])?;
    if let (Some(sidecar), Some(main)) = (amount(&oom["sidecar_memRequest"]), amount(&oom["main_memRequest"])) {
        // A sidecar is not sacrificed before the containers that it serves.
        let scores = [sidecar, main].map(|request| oom_score_adj(QosClass::Burstable, false, request, capacity));
        return answer("expect_sidecar", scores[0].min(scores[1]));
    }
    let class = match oom["class"].as_str()? {
        "BestEffort" => QosClass::BestEffort,
        "Burstable" => QosClass::Burstable,
        "Guaranteed" => QosClass::Guaranteed,
        _ => return None,
    };
    let critical = oom["critical"].as_bool().unwrap_or(false);
    let request = if oom["memRequest"].is_null() { 0 } else { amount(&oom["memRequest"])? };
    answer("expect", oom_score_adj(class, critical, request, capacity))
}
