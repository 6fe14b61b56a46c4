//! Probes of whole pods.

use serde_json::{Value, json};

use super::endings::verdict;
use super::trial::{Trial, one};
use super::{answer, numbers, said};
use crate::cluster::ControlPlane;
use crate::engine::{Span, Time};
use crate::kubelet::KubeletOptions;
use crate::kubelet::probe::Counter;
use crate::kubelet::shape::ProbeShape;

fn probe(period: u32) -> Value {
    json!({"exec": {"command": ["x"]}, "periodSeconds": period})
}

pub(super) fn case(row: &Value) -> Option<Value> {
    let kind = row["type"].as_str().unwrap_or_default();
    if row["sequence"].is_array() && kind == "liveness" {
        return on_hold(row);
    }
    if row["expect_container_starts"].is_array() {
        return killed_again_and_again(row);
    }
    match kind {
        "liveness, before first probe" => {
            let mut trial = Trial::new(json!([{"probes": {"liveness": {"passAfter": "never"}}}]))?;
            let mut probe = probe(10);
            probe["initialDelaySeconds"] = 3600.into();
            let pod = trial.pod("p", one(json!({"livenessProbe": probe}), json!({})))?;
            trial.run_to(3000.0);
            return said(trial.starts(pod, 0).len() == 1, "alive", "killed");
        }
        "none" => {
            let mut trial = Trial::new(json!([{"startup": "7s"}]))?;
            let pod = trial.pod("p", one(json!({}), json!({})))?;
            trial.run_to(6.0);
            let before = ready(&trial, pod);
            trial.run_to(7.0);
            let shown = !before && ready(&trial, pod) && trial.starts(pod, 0) == [json!(7)];
            return said(shown, "ready as soon as running", "not");
        }
        _ => {}
    }
    let given = row["given"].as_str()?;
    match (kind, given) {
        ("startup", "success once") => {
            // After its success a failing startup probe would kill the container; it is not asked again before a restart.
            let fails = json!({"startup": {"failAt": [{"at": "20s"}]}});
            let mut trial = Trial::new(json!([{"probes": fails, "run": "500s", "exit": {"code": 1}}]))?;
            let pod = trial.pod("p", one(json!({"startupProbe": probe(10)}), json!({})))?;
            trial.run_to(499.0);
            let kept = trial.starts(pod, 0).len() == 1;
            trial.run_to(505.0);
            let anew = trial.cluster.pod(pod).containers.first()?;
            said(kept && !anew.started, "startup not probed again until container restarts", "probed again")
        }
        ("readiness", _) if given.starts_with("pod deleted at ") => while_terminating(*numbers(given).first()?),
        ("any", "container waiting (image pull)") => while_waiting(),
        (_, "liveness successThreshold 2") => {
            let mut probe = probe(10);
            probe["successThreshold"] = 2.into();
            refused("livenessProbe", probe)
        }
        (_, "readinessProbe.terminationGracePeriodSeconds set") => {
            let mut probe = probe(10);
            probe["terminationGracePeriodSeconds"] = 5.into();
            refused("readinessProbe", probe)
        }
        (_, "kubelet up for hours, new pod, period 60") => {
            let first = first_probes(None, 60)?;
            said(first.iter().all(|&at| at <= 2.0), "no random delay", &format!("{first:?}"))
        }
        _ if given.starts_with("kubelet restarted at ") && given.contains("worker created at ") => {
            // `kubelet restarted at 1000, worker created at 1005, period 60`
            let [restart, worker, period] = numbers(given)[..] else { return None };
            let first = first_probes(Some(worker - restart), period as u32)?;
            let spread = first.iter().all(|&at| at < period + 2.0);
            let (least, most) =
                (first.iter().fold(f64::MAX, |a, &b| a.min(b)), first.iter().fold(0.0, |a: f64, &b| a.max(b)));
            let shown = spread && least < period / 3.0 && period * 2.0 / 3.0 < most;
            said(shown, &format!("first probe at {worker}+U(0 to {period})"), &format!("{first:?}"))
        }
        _ if given.starts_with("kubelet restart, container Ready started 1 h ago") => {
            let mut trial = Trial::new(json!([{"probes": {"readiness": {"passAfter": "4s"}}}]))?;
            let pod = trial.pod("p", one(json!({"readinessProbe": probe(10)}), json!({})))?;
            trial.run_to(3600.0);
            let node = trial.node()?;
            trial.cluster.restart_kubelet(node);
            let mut stays = true;
            for second in 0..60 {
                trial.run_to(3600.0 + f64::from(second));
                stays &= ready(&trial, pod);
            }
            let text = "stays Ready (1.35+ default); ≤1.34 flips False until first success";
            said(stays, text, "it was not ready for a while")
        }
        _ => None,
    }
}

fn ready(trial: &Trial, pod: crate::cluster::PodId) -> bool {
    trial.condition(pod, "Ready").is_some_and(|(status, _)| status == "True")
}

/// A failure that is stored stays until the container has a new id.
fn on_hold(row: &Value) -> Option<Value> {
    (row["sequence"] == json!(["F", "then S"])).then_some(())?;
    let threshold = row["failureThreshold"].as_u64()? as u32;
    let shape = ProbeShape { failure_threshold: threshold, ..ProbeShape::DEFAULT };
    let mut counter = Counter::new(true);
    counter.count(false, u64::from(threshold), &shape);
    let failed = counter.stored == Some(false);
    // On hold nothing is counted; the instance that follows begins as alive.
    let mut trial = Trial::new(json!([{"probes": {"liveness": {"failAt": [{"at": "5s"}]}}}]))?;
    let mut probe = probe(10);
    probe["failureThreshold"] = threshold.into();
    let pod = trial.pod("p", one(json!({"livenessProbe": probe}), json!({})))?;
    trial.run_to(600.0);
    let starts = trial.starts(pod, 0);
    let shown = failed && starts == [json!(0), json!(10)];
    let text = "stays Failure and on hold until a new container ID; then S -> Success";
    said(shown, text, &format!("{starts:?}"))
}

fn killed_again_and_again(row: &Value) -> Option<Value> {
    let given = row["given"].as_str()?;
    if !given.starts_with("liveness always fails, period ") {
        return None;
    }
    let found = numbers(given);
    let (period, threshold) = (*found.first()?, *found.get(1)?);
    let wanted = row["expect_container_starts"].as_array()?;
    let mut trial = Trial::new(json!([{"probes": {"liveness": {"passAfter": "never"}}}]))?;
    let mut probe = probe(period as u32);
    probe["failureThreshold"] = (threshold as u32).into();
    let pod = trial.pod("p", one(json!({"livenessProbe": probe}), json!({})))?;
    trial.run_to(wanted.last()?.as_f64()?.min(1e6));
    answer("expect_container_starts", trial.starts(pod, 0))
}

/// A pod that is deleted while its readiness is about to fail and its liveness is failing already.
fn while_terminating(deleted: f64) -> Option<Value> {
    let soon = format!("{}s", deleted + 5.0);
    let models = json!([{"stop": {"after": "never"}, "probes": {
        "readiness": {"failAt": [{"at": soon}]}, "liveness": {"failAt": [{"at": soon}]}}}]);
    let mut trial = Trial::new(models)?;
    let mut quick = probe(1);
    quick["failureThreshold"] = 1.into();
    let container = json!({"readinessProbe": quick, "livenessProbe": quick});
    let pod = trial.pod("p", one(container, json!({"terminationGracePeriodSeconds": 60})))?;
    trial.run_to(deleted);
    trial.cluster.delete_pod(pod, None);
    trial.run_to(deleted + 3.0);
    let before = ready(&trial, pod);
    trial.run_to(deleted + 10.0);
    let after = ready(&trial, pod);
    trial.run_to(deleted + 100.0);
    let killed = trial.exit(pod, 0)?.0;
    let shown = before
        && !after
        && killed == Time::ZERO + Span::from_secs_f64(deleted + 60.0)
        && trial.starts(pod, 0).len() == 1;
    let text = format!("readiness continues until containers stop; liveness/startup stop at {deleted}");
    said(shown, &text, &format!("ready {before} then {after}, killed at {killed}"))
}

/// A container that waits for its image has no id, and no result is stored for it.
fn while_waiting() -> Option<Value> {
    let options = KubeletOptions { pull_bandwidth: 1e6, ..KubeletOptions::ideal() };
    let capacity = json!({"cpu": "8", "memory": "16Gi", "pods": "110"});
    let mut trial = Trial::with(options, json!([]), capacity)?;
    let container = json!({"readinessProbe": probe(1), "livenessProbe": probe(1)});
    let pod = trial.pod("p", one(container, json!({})))?;
    trial.run_to(50.0);
    let quiet = !trial.has_event(pod, "Unhealthy") && !ready(&trial, pod) && trial.starts(pod, 0).is_empty();
    trial.run_to(200.0);
    let text = "stored Failure only if a containerID was known; worker continues";
    said(quiet && ready(&trial, pod), text, "probed while waiting")
}

fn refused(field: &str, probe: Value) -> Option<Value> {
    let mut container = json!({"name": "c", "image": "a"});
    container[field] = probe;
    verdict(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container]}}))
}

/// When startup probes are first seen to pass, from the making of their workers on, on a kubelet that was restarted so long before.
fn first_probes(after_restart: Option<f64>, period: u32) -> Option<Vec<f64>> {
    let options = KubeletOptions::of(&ControlPlane::realistic());
    let capacity = json!({"cpu": "8", "memory": "16Gi", "pods": "110"});
    let mut trial = Trial::with(options, json!([{"startup": "0s"}]), capacity)?;
    trial.run_to(1000.0);
    if let Some(later) = after_restart {
        let node = trial.node()?;
        trial.cluster.restart_kubelet(node);
        trial.run_to(1000.0 + later);
    }
    let begun = trial.cluster.now();
    let spec = one(json!({"startupProbe": probe(period), "image": "app:v1"}), json!({}));
    let pods = (0..30).map(|n| trial.pod(&format!("p{n}"), spec.clone()));
    let pods: Vec<_> = pods.collect::<Option<_>>()?;
    let (mut first, base) = (vec![None; pods.len()], begun.as_secs_f64());
    for tenth in 0..(f64::from(period) * 40.0) as u32 {
        let now = f64::from(tenth) / 10.0;
        trial.run_to(base + now);
        for (slot, &pod) in first.iter_mut().zip(&pods) {
            let started = trial.cluster.pod(pod).containers.first().is_some_and(|status| status.started);
            if started && slot.is_none() {
                *slot = Some(now);
            }
        }
    }
    // Pods that were started after their first tick are probed a period later.
    let first: Vec<f64> = first.into_iter().collect::<Option<_>>()?;
    Some(first.into_iter().map(|at| at % f64::from(period)).collect())
}
