//! How pods end: deletions, hooks, deadlines, memory.

use serde_json::{Map, Value, json};

use super::trial::{Trial, one};
use super::{answer, at, numbers, said, seconds};
use crate::engine::{Span, Time};
use crate::kubelet::KubeletOptions;

/// A spec of one container with this grace.
fn with_grace(grace: f64) -> Value {
    one(json!({}), json!({"terminationGracePeriodSeconds": grace as u32}))
}

fn stubborn() -> Value {
    json!([{"stop": {"after": "never"}}])
}

pub(super) fn case(row: &Value) -> Option<Value> {
    if row["activeDeadlineSeconds"].is_number() {
        return deadline(row);
    }
    if row["lifecycle"]["sleep"].is_number() {
        let (sleep, grace) = (row["lifecycle"]["sleep"].as_i64()?, row["grace"].as_i64()?);
        return sleeps(sleep, grace);
    }
    if row["postStart"] == "fails" {
        return failing_post_start();
    }
    match row["event"].as_str() {
        Some("container crashes by itself") if row["preStop"] == "defined" => return crash_with_hook(),
        Some(event) if event.starts_with("deletion while probeGrace ") => {
            let [probe, pod] = numbers(event)[..] else { return None };
            return deleted_with_probe_grace(probe, pod);
        }
        _ => {}
    }
    let given = row["given"].as_str()?;
    if let Some(rest) = given.strip_prefix("at ").and_then(|rest| rest.split_once(" a second DELETE with grace ")) {
        // `at 10 a second DELETE with grace 5, app ignores TERM`
        let killed = twice(row["grace"].as_f64()?, rest.0.parse().ok()?, *numbers(rest.1).first()?)?;
        return answer("expect", json!({"SIGKILL": at(killed)}));
    }
    if let Some(second) = given.strip_prefix("second DELETE with grace ") {
        let grace = row["grace"].as_f64()?;
        let killed = twice(grace, 1.0, second.parse().ok()?)?;
        return answer("expect", format!("grace stays {}", killed.as_secs()));
    }
    if given.starts_with("containers stopped at ") && given.contains("volume unmount takes") {
        let [stopped, unmount] = numbers(given)[..] else { return None };
        return unmounting(stopped, unmount);
    }
    match given {
        "Deployment pod deleted, readinessProbe keeps succeeding until exit at 20" => ready_while_terminating(),
        _ if given.starts_with("pending unscheduled pod deleted") => unscheduled(),
        _ => None,
    }
}

/// When a container that ignores the stop signal is killed, of which the deletion is asked for twice.
fn twice(grace: f64, later: f64, other: f64) -> Option<Time> {
    let mut trial = Trial::new(stubborn())?;
    let pod = trial.pod("p", with_grace(grace))?;
    trial.run_to(0.0);
    trial.cluster.delete_pod(pod, None);
    trial.run_to(later);
    trial.cluster.delete_pod(pod, Some(other as u32));
    trial.run_to(10_000.0);
    Some(trial.exit(pod, 0)?.0)
}

fn deadline(row: &Value) -> Option<Value> {
    let deadline = row["activeDeadlineSeconds"].as_i64()?;
    let start = super::said_number(&row["container_start"])?.unwrap_or(0.0);
    super::said_number(&row["startTime"])?.is_none_or(|start| start == 0.0).then_some(())?;
    let models = json!([{"startup": format!("{start}s")}]);
    let mut trial = Trial::new(models)?;
    let pod = trial.pod("p", one(json!({}), json!({"activeDeadlineSeconds": deadline})))?;
    trial.run_to(deadline as f64 * 2.0);
    let failed = trial.exit(pod, 0)?.0;
    let mut out = Map::new();
    out.insert(format!("{}_at", trial.phase(pod).as_str()), at(failed));
    out.insert("reason".to_owned(), trial.reason(pod).into());
    answer("expect", Value::Object(out))
}

/// `lifecycle.preStop.sleep` longer than the grace is refused by the API server.
fn sleeps(sleep: i64, grace: i64) -> Option<Value> {
    let container = json!({"name": "c", "image": "a", "lifecycle": {"preStop": {"sleep": {"seconds": sleep}}}});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": grace}});
    verdict(pod)
}

/// What the API server says of a pod.
pub(super) fn verdict(mut pod: Value) -> Option<Value> {
    pod["metadata"]["namespace"] = "default".into();
    let accepted = crate::api::accept::accept(&pod, &crate::api::accept::AcceptContext::default());
    answer("expect", if accepted.is_ok() { "accepted" } else { "rejected by validation" })
}

fn crash_with_hook() -> Option<Value> {
    // A hook of 10 s would show: the container that crashes at 5 would start again at 15.
    let mut trial = Trial::new(json!([{"run": "5s", "exit": {"code": 1}, "hooks": {"preStop": "10s"}}]))?;
    let hook = json!({"lifecycle": {"preStop": {"exec": {"command": ["x"]}}}});
    let pod = trial.pod("p", one(hook, json!({})))?;
    trial.run_to(6.0);
    let starts = trial.starts(pod, 0);
    said(starts == [json!(0), json!(5)], "preStop not executed", &format!("{starts:?}"))
}

fn deleted_with_probe_grace(probe: f64, grace: f64) -> Option<Value> {
    let mut trial = Trial::new(stubborn())?;
    let probe = json!({"exec": {"command": ["x"]}, "terminationGracePeriodSeconds": probe as u32});
    let spec = one(json!({"livenessProbe": probe}), json!({"terminationGracePeriodSeconds": grace as u32}));
    let pod = trial.pod("p", spec)?;
    trial.run_to(1.0);
    trial.cluster.delete_pod(pod, None);
    trial.run_to(1000.0);
    let took = trial.exit(pod, 0)?.0.since(Time::from_secs(1));
    answer("expect", json!({"grace": seconds(took)}))
}

fn failing_post_start() -> Option<Value> {
    let mut trial = Trial::new(json!([{"hooks": {"postStartFails": true}}]))?;
    let hook = json!({"lifecycle": {"postStart": {"exec": {"command": ["x"]}}}});
    let pod = trial.pod("p", one(hook, json!({})))?;
    trial.run_to(60.0);
    let states = trial.states(pod, 0);
    let shown = states.iter().any(|state| state == "PostStartHookError")
        && states.iter().any(|state| state == "CrashLoopBackOff")
        && trial.has_event(pod, "FailedPostStartHook");
    said(shown, "container killed, waiting PostStartHookError then back-off", &states.join(", "))
}

fn unscheduled() -> Option<Value> {
    let mut trial = Trial::new(json!([]))?;
    let pod = json!({"kind": "Pod", "metadata": {"name": "p", "namespace": "default"}, "spec": with_grace(30.0)});
    trial.cluster.create_from(&pod).ok()?;
    let pod = trial.cluster.find_pod("default", "p")?;
    trial.cluster.delete_pod(pod, None);
    said(trial.cluster.pod(pod).meta.removed, "object removed immediately", "it is still there")
}

/// A readiness probe that succeeds goes on while the pod is stopped: the `Ready` condition stays until the containers are gone, so
/// that its endpoint serves while it terminates.
fn ready_while_terminating() -> Option<Value> {
    let mut trial = Trial::new(json!([{"stop": {"after": "20s"}}]))?;
    let pod = trial.pod("p", one(json!({"readinessProbe": {"exec": {"command": ["x"]}}}), json!({})))?;
    trial.run_to(0.0);
    trial.cluster.delete_pod(pod, None);
    let endpoint = |trial: &Trial| {
        let ready = trial.condition(pod, "Ready").is_some_and(|(status, _)| status == "True");
        (trial.cluster.pod(pod).meta.is_deleting(), ready)
    };
    trial.run_to(0.0);
    let first = endpoint(&trial);
    trial.run_to(19.0);
    let last = endpoint(&trial);
    trial.run_to(21.0);
    let gone = trial.cluster.pod(pod).meta.removed;
    let shown = first == (true, true) && last == (true, true) && gone;
    let text = "endpoint terminating=true serving=true ready=false from 0 to 20";
    said(shown, text, &format!("{first:?}, {last:?}, gone: {gone}"))
}

fn unmounting(stopped: f64, unmount: f64) -> Option<Value> {
    let options = KubeletOptions { teardown: Span::from_secs_f64(unmount), ..KubeletOptions::ideal() };
    let models = json!([{"stop": {"after": format!("{stopped}s")}}]);
    let mut trial = Trial::with(options, models, json!({"cpu": "8", "memory": "16Gi", "pods": "110"}))?;
    let pod = trial.pod("p", with_grace(stopped + 20.0))?;
    trial.run_to(0.0);
    trial.cluster.delete_pod(pod, None);
    let mut gone = None;
    for second in 0..1000 {
        trial.run_to(f64::from(second));
        if trial.cluster.pod(pod).meta.removed {
            gone = Some(second);
            break;
        }
    }
    answer("expect", format!("API object removed at >= {}", gone?))
}

pub(super) fn out_of_memory(row: &Value) -> Option<Value> {
    if let Some(containers) = row["containers"].as_array() {
        return class(containers);
    }
    if row["event"] != "container usage exceeds memory limit" {
        return None;
    }
    let models = json!([{"usage": {"memory": {"steps": [{"at": "30s", "value": "2Gi"}]}}}]);
    let mut trial = Trial::new(models)?;
    let pod = trial.pod("p", one(json!({"resources": {"limits": {"memory": "1Gi"}}}), json!({})))?;
    trial.run_to(75.0);
    let ended = trial.cluster.pod(pod).containers.first()?.last?;
    let starts = trial.starts(pod, 0);
    let back_off = starts == [json!(0), json!(30), json!(70)];
    let restart = if back_off { "per policy with back-off".to_owned() } else { format!("{starts:?}") };
    let reason = trial.cluster.interner.text(ended.reason);
    answer("expect", json!({"reason": reason, "exit": ended.exit_code, "restart": restart}))
}

/// `{r: {cpu: 100m, mem: 1Gi}, l: {...}}` for each container, `i: true` or `init: true` for an init container.
fn class(containers: &[Value]) -> Option<Value> {
    let (mut init, mut regular) = (Vec::new(), Vec::new());
    let plain =
        |list: &Value| list.as_object().is_none_or(|list| list.values().all(|one| super::amount(one).is_some()));
    let known = |container: &Value| {
        let members = container.as_object()?;
        let keys = members.keys().all(|key| ["r", "l", "i", "init"].contains(&key.as_str()));
        let lists = ["r", "l"].iter().all(|key| plain(&container[*key]) && !container[*key].is_string());
        (keys && lists).then_some(())
    };
    containers.iter().try_for_each(known)?;
    for (nth, container) in containers.iter().enumerate() {
        let list = |key: &str| -> Map<String, Value> {
            let entries = container[key].as_object().into_iter().flatten();
            entries
                .map(|(name, amount)| {
                    let name = if name == "mem" { "memory" } else { name };
                    let text = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
                    (name.to_owned(), text.into())
                })
                .collect()
        };
        let mut requests = list("r");
        let limits = list("l");
        for (name, amount) in &limits {
            requests.entry(name.clone()).or_insert_with(|| amount.clone());
        }
        let resources = json!({"requests": requests, "limits": limits});
        let one = json!({"name": format!("c{nth}"), "image": "a", "resources": resources});
        let is_init = container["init"].as_bool().or(container["i"].as_bool()).unwrap_or(false);
        if is_init { init.push(one) } else { regular.push(one) }
    }
    let spec = json!({"initContainers": init, "containers": regular});
    let pod = k8s_openapi::api::core::v1::Pod {
        spec: Some(serde_json::from_value(spec).ok()?),
        ..k8s_openapi::api::core::v1::Pod::default()
    };
    answer("expect", crate::api::qos::qos_class(&pod).as_str())
}
