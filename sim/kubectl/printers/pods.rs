//! The table of pods, whose STATUS is computed from phase, containers and conditions.

use serde_json::Value;

use super::{Table, name, table};
use crate::kubectl::age;
use crate::kubectl::look::{at, condition, flag, has, int, list, or_none, text};

pub(super) const POD: Table = table(
    &["NAME", "READY", "STATUS", "RESTARTS", "AGE", "+IP", "+NODE", "+NOMINATED NODE", "+READINESS GATES"],
    |pod, scene| {
        let summary = summarize(pod);
        let restarts = match summary.last_restart {
            Some(last) if summary.restarts != 0 => {
                format!("{} ({} ago)", summary.restarts, age::human_duration(scene.now.saturating_sub(last)))
            }
            _ => summary.restarts.to_string(),
        };
        let ip = list(pod, "status.podIPs").first().map_or("", |ip| text(ip, "ip"));
        vec![
            name(pod),
            format!("{}/{}", summary.ready, summary.total),
            status(pod, summary.reason),
            restarts,
            scene.age(pod),
            or_none(ip).to_owned(),
            or_none(text(pod, "spec.nodeName")).to_owned(),
            or_none(text(pod, "status.nominatedNodeName")).to_owned(),
            readiness_gates(pod),
        ]
    },
);

/// What the containers of a pod say together.
#[derive(Default)]
struct Summary {
    reason: String,
    ready: usize,
    total: usize,
    restarts: i64,
    /// When a container terminated last before a restart, in microseconds.
    last_restart: Option<i64>,
}

impl Summary {
    fn count_restarts(&mut self, container: &Value) {
        self.restarts += int(container, "restartCount");
        let finished = age::instant(at(container, "lastState.terminated.finishedAt"));
        self.last_restart = self.last_restart.max(finished);
    }
}

fn summarize(pod: &Value) -> Summary {
    let mut reason = text(pod, "status.phase").to_owned();
    if !text(pod, "status.reason").is_empty() {
        reason = text(pod, "status.reason").to_owned();
    }
    if condition(pod, "PodScheduled").is_some_and(|condition| text(condition, "reason") == "SchedulingGated") {
        reason = "SchedulingGated".to_owned();
    }
    let sidecars = list(pod, "spec.initContainers").iter().filter(|container| is_sidecar(container)).count();
    let total = list(pod, "spec.containers").len() + sidecars;
    let mut init = Summary { reason, total, ..Summary::default() };
    let mut sidecars_only = Summary::default();
    let is_initializing = init_containers(pod, &mut init, &mut sidecars_only);
    let is_initialized = condition(pod, "Initialized").is_some_and(|condition| text(condition, "status") == "True");
    if is_initializing && !is_initialized {
        return init;
    }
    let mut summary = Summary { restarts: sidecars_only.restarts, last_restart: sidecars_only.last_restart, ..init };
    main_containers(pod, &mut summary);
    summary
}

fn is_sidecar(container: &Value) -> bool {
    text(container, "restartPolicy") == "Always"
}

/// Looks at the init containers up to the first that is not done; says whether there is such a one.
fn init_containers(pod: &Value, all: &mut Summary, sidecars: &mut Summary) -> bool {
    let specs = list(pod, "spec.initContainers");
    for (index, container) in list(pod, "status.initContainerStatuses").iter().enumerate() {
        all.count_restarts(container);
        let is_sidecar = specs.iter().any(|spec| text(spec, "name") == text(container, "name") && is_sidecar(spec));
        if is_sidecar {
            sidecars.count_restarts(container);
        }
        let terminated = at(container, "state.terminated");
        let waiting = text(container, "state.waiting.reason");
        if !terminated.is_null() && int(terminated, "exitCode") == 0 {
            continue;
        }
        if is_sidecar && flag(container, "started") {
            all.ready += usize::from(flag(container, "ready"));
            continue;
        }
        all.reason = if !terminated.is_null() {
            format!("Init:{}", termination(terminated))
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{index}/{}", specs.len())
        };
        return true;
    }
    false
}

/// Looks at the regular containers from the last to the first: the first one that waits or has ended gives the reason.
fn main_containers(pod: &Value, summary: &mut Summary) {
    let mut is_running = false;
    let mut failure = None;
    for container in list(pod, "status.containerStatuses").iter().rev() {
        summary.count_restarts(container);
        let terminated = at(container, "state.terminated");
        let waiting = text(container, "state.waiting.reason");
        if !waiting.is_empty() {
            summary.reason = waiting.to_owned();
        } else if !terminated.is_null() {
            summary.reason = termination(terminated);
            if int(terminated, "exitCode") != 0 {
                failure = Some(summary.reason.clone());
            }
        } else if flag(container, "ready") && has(container, "state.running") {
            is_running = true;
            summary.ready += 1;
        }
    }
    if summary.reason == "Completed" {
        let is_ready = condition(pod, "Ready").is_some_and(|condition| text(condition, "status") == "True");
        if is_running && is_ready {
            summary.reason = "Running".to_owned();
        } else if let Some(failure) = failure {
            summary.reason = failure;
        } else if is_running {
            summary.reason = "NotReady".to_owned();
        }
    }
}

fn termination(terminated: &Value) -> String {
    match (text(terminated, "reason"), int(terminated, "signal")) {
        ("", 0) => format!("ExitCode:{}", int(terminated, "exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn status(pod: &Value, reason: String) -> String {
    if !has(pod, "metadata.deletionTimestamp") {
        return reason;
    }
    match (text(pod, "status.reason"), text(pod, "status.phase")) {
        ("NodeLost", _) => "Unknown".to_owned(),
        (_, "Succeeded" | "Failed") => reason,
        _ => "Terminating".to_owned(),
    }
}

fn readiness_gates(pod: &Value) -> String {
    let gates = list(pod, "spec.readinessGates");
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let is_true = |gate: &&Value| {
        condition(pod, text(gate, "conditionType")).is_some_and(|condition| text(condition, "status") == "True")
    };
    format!("{}/{}", gates.iter().filter(is_true).count(), gates.len())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::Scene;
    use super::*;

    fn status_of(pod: Value) -> String {
        (POD.row)(&pod, Scene { now: 0 })[2].clone()
    }

    #[test]
    fn the_status_column_follows_the_containers() {
        let pod = |statuses: Value, conditions: Value| {
            json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}]},
                "status": {"phase": "Running", "containerStatuses": statuses, "conditions": conditions}})
        };
        let done = json!({"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}});
        let failed = json!({"state": {"terminated": {"exitCode": 3, "reason": ""}}});
        let running = json!({"ready": true, "state": {"running": {}}});
        let ready = json!([{"type": "Ready", "status": "True"}]);
        assert_eq!(status_of(pod(json!([done, running]), ready)), "Running");
        assert_eq!(status_of(pod(json!([done, running]), json!([]))), "NotReady");
        assert_eq!(status_of(pod(json!([done, failed]), json!([]))), "ExitCode:3");
        assert_eq!(status_of(pod(json!([failed, done]), json!([]))), "ExitCode:3");
        assert_eq!(status_of(pod(json!([running, running]), json!([]))), "Running");
    }
}
