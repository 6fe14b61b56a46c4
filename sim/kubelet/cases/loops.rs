//! Restarts and crash loops of whole pods.

use serde_json::{Value, json};

use super::trial::{Trial, one};
use super::{answer, numbers, said};
use crate::cluster::ControlPlane;
use crate::engine::{Span, Time};
use crate::kubelet::backoff::{BackOff, BackOffLimits, crash_loop_until, next};

fn crashing(run: f64) -> Value {
    json!([{"run": format!("{run}s"), "exit": {"code": 1}}])
}

pub(super) fn case(row: &Value) -> Option<Value> {
    if row["event"] == "liveness failure" {
        return liveness_failure(row);
    }
    if row["mode"] == "realistic" {
        return realistic(row);
    }
    let given = row["given"].as_str()?;
    match given {
        "in back-off 160 remaining 100; image field patched" => {
            let mut trial = Trial::new(crashing(1.0))?;
            let pod = trial.pod("p", one(json!({}), json!({})))?;
            // Starts 0, 1, 12, 33, 74, 155; then 160 s of back-off from 156 on.
            trial.run_to(216.0);
            trial.update(pod, &one(json!({"image": "app:v2"}), json!({})))?;
            trial.run_to(217.0);
            let starts = trial.starts(pod, 0);
            said(starts.last() == Some(&json!(216)), "immediate start (new key)", &format!("{starts:?}"))
        }
        "in back-off; kubelet restarts" => {
            let mut trial = Trial::new(crashing(1.0))?;
            let pod = trial.pod("p", one(json!({}), json!({})))?;
            trial.run_to(80.0);
            let node = trial.node()?;
            trial.cluster.restart_kubelet(node);
            trial.run_to(115.0);
            let starts = trial.starts(pod, 0);
            let shown = starts[5..] == [json!(80), json!(91), json!(112)];
            said(shown, "immediate start; delays restart at 10 afterwards", &format!("{starts:?}"))
        }
        "backoff reached 300, then container runs 601 and crashes" => {
            let (limits, at) = (BackOffLimits::default(), Time::from_secs(10_000));
            let entry = Some(BackOff { delay: limits.max, last_update: at });
            let finished = at + Span::from_secs(601);
            let restart = crash_loop_until(entry, finished).unwrap_or(finished);
            let delay = next(entry, finished, restart, limits).delay;
            let shown = restart == finished && delay == limits.initial;
            said(shown, "immediate restart and next delay 10", &format!("restart at {restart}, delay {delay}"))
        }
        "crash at 5 of first-ever run" => {
            let mut trial = Trial::new(crashing(5.0))?;
            let pod = trial.pod("p", one(json!({}), json!({})))?;
            trial.run_to(5.0);
            let states = trial.states(pod, 0);
            let waiting = states.iter().skip_while(|state| *state != "running").any(|state| state.contains("BackOff"));
            let from = states.iter().position(|state| state == "running")? + 1;
            answer("expect", json!({"state_sequence": states[from..], "waiting_shown": waiting}))
        }
        "two containers A(backoff 40) B(backoff 10)" => earlier_first(),
        "liveness kill completes 30 s after every start" => {
            let starts = killed_every_30_seconds(row)?;
            answer("expect_starts", starts)
        }
        "RestartAllContainers rule matches 5 s after every start" => restart_all(),
        _ if given.starts_with("first start 0; run ") => {
            // `first start 0; run 600 every time`
            let run = *numbers(given).get(1)?;
            let n = row["expect_starts"].as_array()?.len();
            let until = row["expect_starts"].as_array()?.last()?.as_f64()?;
            let mut trial = Trial::new(crashing(run))?;
            let pod = trial.pod("p", one(json!({}), json!({})))?;
            trial.run_to(until.min(1e6));
            answer("expect_starts", trial.starts(pod, 0).into_iter().take(n).collect::<Vec<_>>())
        }
        _ => None,
    }
}

/// A liveness probe that fails for good under `restartPolicy: Never`.
fn liveness_failure(row: &Value) -> Option<Value> {
    let mut trial = Trial::new(json!([{"probes": {"liveness": {"passAfter": "never"}}}]))?;
    let probe = json!({"exec": {"command": ["x"]}});
    let pod = trial.pod("p", one(json!({"livenessProbe": probe}), json!({"restartPolicy": row["pod"]})))?;
    trial.run_to(300.0);
    let text = match (trial.starts(pod, 0).len(), trial.phase(pod).as_str()) {
        (1, phase) => format!("container killed and not restarted; phase {phase}"),
        (n, phase) => format!("{n} starts; phase {phase}"),
    };
    answer("expect", text)
}

/// The first restart that back-off holds, with the jitter of the kubelet's work queue and its tick: `start in [10, 16) after
/// FinishedAt`.
fn realistic(row: &Value) -> Option<Value> {
    let back_off = row["backoff"].as_f64()?;
    let expected = row["expect"].as_str()?;
    let [low, high] = numbers(expected)[..] else { return None };
    let options = crate::kubelet::KubeletOptions::of(&ControlPlane::realistic());
    let mut trial = Trial::with(options, crashing(1.0), json!({"cpu": "9", "memory": "9Gi", "pods": "110"}))?;
    let pods: Vec<_> =
        (0..20).map(|n| trial.pod(&format!("p{n}"), one(json!({}), json!({})))).collect::<Option<_>>()?;
    trial.run_to(2000.0);
    let nth = (back_off / 10.0).log2().round() as usize;
    for pod in pods {
        let (ends, starts) = (trial.times(pod, 0, "terminated"), trial.times(pod, 0, "running"));
        // The exit after the start of this number is the one that this back-off follows; starting takes 0.3 s more (image, container).
        let (end, start) = (starts.get(nth + 1)? + 1.0, starts.get(nth + 2)?);
        let late = start - end;
        if ends.is_empty() || late < low || high + 0.5 <= late {
            return answer("expect", format!("a start {late} after FinishedAt"));
        }
    }
    answer("expect", expected)
}

/// The pod is looked at again when the first of two back-offs is over.
fn earlier_first() -> Option<Value> {
    let mut trial = Trial::new(json!([
        {"match": {"container": "a"}, "run": "1s", "exit": {"code": 1}},
        {"match": {"container": "b"}, "run": "33s", "exit": {"code": 1}}]))?;
    let container = |name: &str| json!({"name": name, "image": name});
    let pod = trial.pod("p", json!({"containers": [container("a"), container("b")]}))?;
    trial.run_to(200.0);
    // A: starts 0, 1, 12, 33, back-off of 40 s from 34 on. B: starts 0, 33, back-off of 10 s from 66 on, so it is due at 76 and A at 74.
    let (a, b) = (trial.starts(pod, 0), trial.starts(pod, 1));
    let shown = a.contains(&json!(74)) && b.contains(&json!(76));
    said(shown, "pod requeued for B's expiry first", &format!("A starts at {a:?}, B at {b:?}"))
}

/// Kills of the kubelet itself, each complete 30 s after the start: three failures of a probe every 10 s.
fn killed_every_30_seconds(row: &Value) -> Option<Vec<Value>> {
    let until = row["expect_starts"].as_array()?.last()?.as_f64()?;
    let mut trial = Trial::new(json!([{"probes": {"liveness": {"passAfter": "never"}}}]))?;
    let probe = json!({"exec": {"command": ["x"]}, "periodSeconds": 10, "failureThreshold": 3});
    let pod = trial.pod("p", one(json!({"livenessProbe": probe}), json!({})))?;
    trial.run_to(until.min(1e6));
    Some(trial.starts(pod, 0))
}

fn restart_all() -> Option<Value> {
    let mut trial = Trial::new(json!([{"match": {"container": "c"}, "run": "5s", "exit": {"code": 88}}]))?;
    let rule = json!({"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [88]}});
    let container = json!({"restartPolicy": "Never", "restartPolicyRules": [rule]});
    let pod = trial.pod("p", one(container, json!({"restartPolicy": "Never"})))?;
    trial.run_to(50.0);
    let starts = trial.starts(pod, 0);
    let every: Vec<Value> = (0..=10).map(|n| json!(n * 5)).collect();
    let text = "restarts immediately every cycle (no exited instance left), plus kill time";
    said(starts == every, text, &format!("{starts:?}"))
}
