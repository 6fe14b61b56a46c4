//! Facts about what kubectl shows: rollout states, drains, the STATUS of pods and single cells. Rows in words are read phrase by
//! phrase into objects, which are shown by the commands themselves; a row with a phrase that means nothing here is not answered.

use serde_json::{Value, json};

use super::facts::only;
use crate::kubectl::command::{Command, DryRun, parse};
use crate::kubectl::messages::{drain_plan, drained};
use crate::kubectl::{View, rollout_status, show};

/// Now, in microseconds since 1970.
const NOW: i64 = 1_700_000_000_000_000;
/// The same instant as objects carry it.
const NOW_TEXT: &str = "2023-11-14T22:13:20Z";

/// Our answer to one case, in the words of its result where it agrees; `None` if the group or the row is not understood.
pub fn case(group: &str, input: &Value, expected: &Value) -> Option<Value> {
    match group {
        "kubectl.rollout_status_deployment" => deployment(input),
        "kubectl.rollout_status_other" => Some(status(&other_workload(input.as_str()?)?)),
        "kubectl.drain" => drain(input, expected.as_str()?),
        "kubectl.pod_status" => pod_status(input.as_str()?, expected),
        "kubectl.cells" => cells(input.as_str()?, expected.as_str()?),
        _ => None,
    }
}

fn status(object: &Value) -> Value {
    json!(match rollout_status(object, 0) {
        Ok(state) => state.message,
        Err(error) => format!("error: {error}"),
    })
}

fn deployment(input: &Value) -> Option<Value> {
    let numbers: Vec<i64> = input.as_array()?.iter().map(Value::as_i64).collect::<Option<_>>()?;
    let [generation, observed, spec, replicas, updated, available] = numbers.as_slice() else { return None };
    Some(status(&json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "foo", "generation": generation},
        "spec": {"replicas": spec},
        "status": {"observedGeneration": observed, "replicas": replicas, "updatedReplicas": updated,
            "availableReplicas": available},
    })))
}

/// The number after a word.
fn number_after(text: &str, word: &str) -> Option<i64> {
    let (_, rest) = text.split_once(word)?;
    rest.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
}

/// `daemonset updated 2, desired 2, available 1`, `statefulset 3, partition 2, updated 1`, with `generation 2 observed 1`.
fn other_workload(text: &str) -> Option<Value> {
    let (kind, facts) = text.split_once(' ')?;
    only(
        facts,
        "updated desired available ready replicas partition generation observed not ondelete rollingupdate update spec and",
    )?;
    let number = |word: &str| number_after(facts, word);
    let is_behind = facts.contains("not observed") || number("generation") > number("observed");
    let observed = if is_behind { 1 } else { 2 };
    let strategy = if facts.contains("OnDelete") { "OnDelete" } else { "RollingUpdate" };
    let mut object = json!({"apiVersion": "apps/v1", "metadata": {"name": "foo", "generation": 2},
        "spec": {"updateStrategy": {"type": strategy}}, "status": {"observedGeneration": observed}});
    let status = &mut object["status"];
    match kind {
        "daemonset" => {
            let desired = number("desired").or_else(|| (is_behind || strategy == "OnDelete").then_some(1))?;
            status["desiredNumberScheduled"] = json!(desired);
            status["updatedNumberScheduled"] = json!(number("updated").unwrap_or(desired));
            status["numberAvailable"] = json!(number("available").unwrap_or(desired));
            object["kind"] = json!("DaemonSet");
        }
        "statefulset" => {
            let replicas = facts.split(',').next().and_then(|first| first.trim().parse::<i64>().ok());
            let replicas = replicas.or_else(|| number("replicas")).unwrap_or(1);
            if !is_behind && strategy == "RollingUpdate" && number("updated").or(number("ready")).is_none() {
                return None;
            }
            status["readyReplicas"] = json!(number("ready").unwrap_or(replicas));
            status["updatedReplicas"] = json!(number("updated").unwrap_or(replicas));
            status["currentReplicas"] = json!(replicas);
            object["spec"]["replicas"] = json!(replicas);
            if let Some(partition) = number("partition") {
                object["spec"]["updateStrategy"]["rollingUpdate"] = json!({"partition": partition});
            }
            object["kind"] = json!("StatefulSet");
        }
        _ => return None,
    }
    Some(object)
}

fn drain(input: &Value, expected: &str) -> Option<Value> {
    let (pod, flags) = (input["pod"].as_str()?, input["flags"].as_str()?);
    only(
        pod,
        "rc ds job rs ss statefulset managed pod whose daemonset is gone orphaned orphan missing and plus with emptydir local storage naked terminated empty node",
    )?;
    // What kubectl says stands in quotes.
    only(
        &expected.split('"').step_by(2).collect::<String>(),
        "drained evicted error deleted with warning pod left node",
    )?;
    let Ok(Command::Drain(command)) = parse(&format!("drain node {flags}")) else { return None };
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node"}});
    let done = || drained(&node, DryRun::None).trim_end().to_owned();
    if pod.contains("empty node") {
        return Some(json!(if pod == "empty node" { done() } else { "nothing to drain".to_owned() }));
    }
    let owners = [
        ("RC-managed", "ReplicationController"),
        ("DS-managed", "DaemonSet"),
        ("Job-managed", "Job"),
        ("RS-managed", "ReplicaSet"),
        ("SS-managed", "StatefulSet"),
        ("StatefulSet-managed", "StatefulSet"),
    ];
    // kubectl's own test calls a pod without an owner the orphan of a DaemonSet.
    let is_orphan = ["is gone", "orphaned"].iter().any(|word| pod.contains(word));
    let owner = owners.iter().find(|(word, _)| pod.contains(word)).map(|(_, kind)| *kind);
    let is_known = owner.is_some() || ["naked", "emptyDir", "local storage"].iter().any(|word| pod.contains(word));
    if !is_known {
        return None;
    }
    // The pod of the rows about storage alone has an owner: only its storage is in question.
    let owner = owner.or_else(|| (!pod.contains("naked")).then_some("ReplicaSet")).filter(|_| !is_orphan);
    let mut object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bar", "namespace": "default"},
        "spec": {}, "status": {"phase": "Running"}});
    if let Some(kind) = owner {
        object["metadata"]["ownerReferences"] = json!([{"kind": kind, "name": "owner", "controller": true}]);
    }
    if pod.contains("emptyDir") || pod.contains("local storage") {
        object["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
    }
    if pod.contains("terminated") {
        object["status"]["phase"] = json!("Succeeded");
    }
    let owner_object =
        json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "owner", "namespace": "default"}});
    let objects = if pod.contains("missing") { Vec::new() } else { vec![owner_object] };
    let view = View { objects: &objects, now: NOW, namespace: "default" };
    let plan = drain_plan(&[&object], &command, &view);
    let warning = plan.warning.as_deref().unwrap_or_default();
    let wants_warning = expected.split_once("warning \"").and_then(|(_, rest)| rest.split('"').next());
    let wants_left = expected.contains("pod left");
    let agrees = match plan.refusals.is_empty() {
        false => expected == "error",
        true => {
            expected != "error"
                && wants_warning.is_none_or(|text| {
                    warning.trim_start_matches("Warning: ").split("; ").any(|one| one == text) && !text.is_empty()
                })
                && (!expected.contains("evicted") || !plan.evict.is_empty())
                && !expected.contains("node/")
                && (!expected.contains("deleted") || !plan.evict.is_empty())
                && (!wants_left || plan.evict.is_empty())
        }
    };
    if agrees {
        return Some(json!(expected));
    }
    Some(json!({"evicted": plan.evict.len(), "warning": warning, "refusals": plan.refusals}))
}

/// The cells of the one row of a table, by header.
fn table(object: &Value, command: &str) -> Option<Vec<(String, String)>> {
    let objects = [object.clone()];
    let view = View { objects: &objects, now: NOW, namespace: "default" };
    let output = show(&parse(command).ok()?, &view, None)?;
    let mut lines = output.stdout.lines();
    let (header, row) = (lines.next()?, lines.next()?);
    let mut cells = Vec::new();
    let mut begins: Vec<usize> = Vec::new();
    for (at, _) in header.char_indices() {
        if at == 0 || (header[..at].ends_with("  ") && !header[at..].starts_with(' ')) {
            begins.push(at);
        }
    }
    for (index, &begin) in begins.iter().enumerate() {
        let end = begins.get(index + 1).copied();
        let cut = |text: &str| match end {
            Some(end) => text.get(begin..end.min(text.len())).unwrap_or_default().trim().to_owned(),
            None => text.get(begin..).unwrap_or_default().trim().to_owned(),
        };
        cells.push((cut(header), cut(row)));
    }
    Some(cells)
}

fn cell(object: &Value, command: &str, column: &str) -> Option<String> {
    table(object, command)?.into_iter().find(|(name, _)| name == column).map(|(_, cell)| cell)
}

/// `, ` outside brackets.
fn phrases(text: &str) -> Vec<String> {
    let (mut depth, mut found) = (0, vec![String::new()]);
    for c in text.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            ',' if depth == 0 => {
                found.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = found.last_mut() {
            last.push(c);
        }
    }
    found.into_iter().map(|phrase| phrase.trim().to_owned()).collect()
}

/// The status of a container: `running ready`, `waiting REASON`, `terminated REASON exit 1`, `terminated signal 9 no reason`.
fn container(name: &str, words: &str) -> Option<Value> {
    let mut parts = words.split_whitespace();
    let mut status = json!({"name": name, "ready": false, "restartCount": 0, "started": false});
    match parts.next()? {
        "running" => {
            let is_ready = words.contains("ready") && !words.contains("not ready");
            status["ready"] = json!(is_ready);
            status["started"] = json!(true);
            status["state"] = json!({"running": {"startedAt": NOW_TEXT}});
        }
        "waiting" => status["state"] = json!({"waiting": {"reason": parts.next().unwrap_or_default()}}),
        "terminated" | "Completed" => {
            let reason = parts.next().filter(|word| !matches!(*word, "exit" | "signal" | "no")).unwrap_or_default();
            let reason = if words.starts_with("Completed") { "Completed" } else { reason };
            let fallback = i64::from(!matches!(reason, "Completed"));
            let code = number_after(words, "exit").unwrap_or(fallback);
            let mut ended = json!({"exitCode": code, "reason": reason});
            if let Some(signal) = number_after(words, "signal") {
                ended["signal"] = json!(signal);
            }
            status["state"] = json!({"terminated": ended});
        }
        _ => return None,
    }
    Some(status)
}

#[derive(Default)]
struct PodFacts {
    status: serde_json::Map<String, Value>,
    conditions: Vec<Value>,
    init_specs: Vec<Value>,
    init: Vec<Value>,
    main: Vec<Value>,
    is_deleted: bool,
    n_main: usize,
}

fn pod_status(text: &str, expected: &Value) -> Option<Value> {
    let mut facts = PodFacts::default();
    for phrase in phrases(text.trim_start_matches("after init: ")) {
        pod_phrase(&phrase, &mut facts)?;
    }
    let is_running = facts.status.get("phase").is_none_or(|phase| phase == "Running");
    if facts.main.is_empty() && facts.init_specs.is_empty() && facts.conditions.is_empty() && is_running {
        facts.main.push(container("c0", "running ready")?);
    }
    let n_main = facts.main.len().max(facts.n_main).max(1);
    let mut status = Value::Object(facts.status);
    if status["phase"].is_null() {
        status["phase"] = json!(if facts.main.is_empty() { "Pending" } else { "Running" });
    }
    status["conditions"] = json!(facts.conditions);
    status["containerStatuses"] = json!(facts.main);
    status["initContainerStatuses"] = json!(facts.init);
    let names: Vec<Value> = (0..n_main).map(|i| json!({"name": format!("c{i}"), "image": "i"})).collect();
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": names, "initContainers": facts.init_specs}, "status": status});
    if facts.is_deleted {
        pod["metadata"]["deletionTimestamp"] = json!(NOW_TEXT);
    }
    let cells = table(&pod, "get pods")?;
    let got: Vec<&str> = ["READY", "STATUS", "RESTARTS"]
        .iter()
        .map(|column| cells.iter().find(|(name, _)| name == column).map_or("", |(_, cell)| cell.as_str()))
        .collect();
    let wanted: Vec<&str> = expected.as_array()?.iter().filter_map(Value::as_str).collect();
    let agrees = |(want, got): (&&str, &&str)| {
        *want == ".." || want == got || (!want.contains(" ago)") && want.split(" (").next() == Some(*got))
    };
    let agree = wanted.len() == got.len() && wanted.iter().zip(&got).all(agrees);
    Some(if agree { expected.clone() } else { json!(got) })
}

fn pod_phrase(phrase: &str, facts: &mut PodFacts) -> Option<()> {
    let words: Vec<&str> = phrase.split_whitespace().collect();
    let last = facts.main.len();
    match words.as_slice() {
        ["phase", phase] => _ = facts.status.insert("phase".to_owned(), json!(phase)),
        ["status.reason", reason] => _ = facts.status.insert("reason".to_owned(), json!(reason)),
        ["deletionTimestamp", "set"] => facts.is_deleted = true,
        [count, "containers" | "container", rest @ ..] if count.parse::<usize>().is_ok() => {
            for i in 0..count.parse::<usize>().ok()?.min(100) {
                facts.main.push(container(&format!("c{i}"), &rest.join(" "))?);
            }
        }
        ["containers", ..] => {
            let inside = phrase.split_once('[')?.1.strip_suffix(']')?;
            for (i, one) in inside.split(',').enumerate() {
                facts.main.push(container(&format!("c{i}"), one.trim())?);
            }
        }
        ["container" | "main", rest @ ..] if rest.first() != Some(&"restarts") => {
            facts.main.push(container(&format!("c{last}"), &rest.join(" "))?);
        }
        ["waiting" | "running" | "terminated", ..] => facts.main.push(container(&format!("c{last}"), phrase)?),
        ["restarts", count] => {
            facts.main.last_mut()?["restartCount"] = json!(count.parse::<i64>().ok()?);
        }
        ["last", "terminated", ago, "ago"] => {
            let seconds: i64 = ago.strip_suffix('s')?.parse().ok()?;
            let at = jiff::Timestamp::from_microsecond(NOW - seconds.checked_mul(1_000_000)?).ok()?;
            facts.main.last_mut()?["lastState"] = json!({"terminated": {"exitCode": 1, "finishedAt": at.to_string()}});
        }
        ["pod", "Ready"] => facts.conditions.push(json!({"type": "Ready", "status": "True"})),
        ["pod", "condition", kind, value] => facts.conditions.push(json!({"type": kind, "status": value})),
        ["PodScheduled", value, reason] => {
            facts.conditions.push(json!({"type": "PodScheduled", "status": value, "reason": reason}));
        }
        ["init", done, "of", all, "done"] => {
            let (done, all): (usize, usize) = (done.parse().ok()?, all.parse().ok()?);
            for i in 0..all.min(100) {
                facts.init_specs.push(json!({"name": format!("i{i}")}));
            }
            for i in 0..done.min(all) {
                facts.init.push(container(&format!("i{i}"), "terminated Completed exit 0")?);
            }
        }
        ["second" | "third" | "next" | "first", rest @ ..] => {
            let i = facts.init.len();
            facts.init.push(container(&format!("i{i}"), &rest.join(" "))?);
        }
        ["init", "restarts", count] => {
            facts.init_specs.push(json!({"name": "i0"}));
            let mut status = container("i0", "terminated Completed exit 0")?;
            status["restartCount"] = json!(count.parse::<i64>().ok()?);
            facts.init.push(status);
        }
        ["init", rest @ ..] => {
            facts.init_specs.push(json!({"name": "i0"}));
            facts.init.push(container("i0", &rest.join(" "))?);
        }
        ["sidecar", rest @ ..] => {
            let words = rest.join(" ");
            facts.init_specs.push(json!({"name": "sidecar", "restartPolicy": "Always"}));
            let is_ready = words.contains("ready") && !words.contains("not ready");
            let mut status = container("sidecar", if is_ready { "running ready" } else { "running not ready" })?;
            status["started"] = json!(!words.contains("not started"));
            if let ["restarts", count] = rest {
                status["restartCount"] = json!(count.parse::<i64>().ok()?);
            }
            facts.init.push(status);
        }
        ["main", "restarts", count] => {
            let mut status = container("c0", "running ready")?;
            status["restartCount"] = json!(count.parse::<i64>().ok()?);
            facts.main.push(status);
        }
        _ => return None,
    }
    Some(())
}

fn cells(text: &str, expected: &str) -> Option<Value> {
    let (kind, facts) = text.split_once(' ')?;
    let (object, command, column) = cell_object(kind, facts)?;
    let (column, wanted) = match expected.split_once(" N/A") {
        Some((column, "")) => (column, "N/A"),
        _ => (column, expected),
    };
    let got = cell(&object, command, column)?;
    let more =
        wanted.split_once("then \" + ").map(|(first, rest)| (first, format!(" + {}", rest.trim_end_matches('"'))));
    let agrees = match more {
        // `3 addresses then " + 2 more..."`, `first two joined by ", " then " + 2 more..."`
        Some((first, end)) => {
            let n_shown = first.split_whitespace().find_map(|word| match word {
                "one" => Some(1),
                "two" => Some(2),
                "three" => Some(3),
                word => word.parse::<usize>().ok(),
            })?;
            let plain: String = first.split('"').step_by(2).collect();
            only(&plain, "addresses endpoints first one two three joined by then metrics")?;
            let separator = first.split('"').nth(1).unwrap_or(",");
            let shown = got.strip_suffix(end.as_str());
            shown.is_some_and(|shown| shown.split(separator).count() == n_shown)
        }
        None => got == wanted,
    };
    Some(if agrees { json!(expected) } else { json!(got) })
}

/// The object that a row about a cell describes, the command that shows it, and the column.
fn cell_object(kind: &str, facts: &str) -> Option<(Value, &'static str, &'static str)> {
    let number = |word: &str| number_after(facts, word);
    let mut object =
        json!({"apiVersion": "v1", "metadata": {"name": "x", "namespace": "default"}, "spec": {}, "status": {}});
    if facts.contains("deleting") {
        object["metadata"]["deletionTimestamp"] = json!(NOW_TEXT);
    }
    let words: Vec<&str> = facts.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let (kind, version, command, column) = match kind {
        "node" => {
            if let ["Ready", value, ..] = words.as_slice() {
                object["status"]["conditions"] = json!([{"type": "Ready", "status": value}]);
            }
            object["spec"]["unschedulable"] = json!(facts.contains("unschedulable"));
            ("Node", "v1", "get nodes", "STATUS")
        }
        "job" => {
            object["spec"]["parallelism"] = json!(number("parallelism").unwrap_or(1));
            let is_count = facts.contains("completions") || facts.contains("parallelism");
            if let Some(completions) = number("completions").filter(|_| !facts.contains("completions nil")) {
                object["spec"]["completions"] = json!(completions);
            }
            object["status"]["succeeded"] = json!(number("succeeded").unwrap_or(0));
            if let [
                condition @ ("Suspended" | "Complete" | "Failed" | "FailureTarget" | "SuccessCriteriaMet"),
                value,
                ..,
            ] = words.as_slice()
            {
                object["status"]["conditions"] = json!([{"type": condition, "status": value}]);
            }
            ("Job", "batch/v1", "get jobs", if is_count { "COMPLETIONS" } else { "STATUS" })
        }
        "service" => {
            let column = match words.as_slice() {
                ["LB" | "LoadBalancer", ..] => {
                    object["spec"]["type"] = json!("LoadBalancer");
                    "EXTERNAL-IP"
                }
                ["ExternalName", name, ..] => {
                    object["spec"] = json!({"type": "ExternalName", "externalName": name});
                    "EXTERNAL-IP"
                }
                ["NodePort" | "ClusterIP", ports, ..] => {
                    let (port, node_port) = ports.split_once("->").unwrap_or((ports, "0"));
                    let [port, node_port]: [i64; 2] = [port.parse().ok()?, node_port.parse().ok()?];
                    object["spec"] = json!({"type": words[0],
                        "ports": [{"port": port, "nodePort": node_port, "protocol": "TCP"}]});
                    "PORT(S)"
                }
                ["headless", ..] => {
                    object["spec"] = json!({"type": "ClusterIP", "clusterIPs": ["None"]});
                    "CLUSTER-IP"
                }
                _ => return None,
            };
            ("Service", "v1", "get services", column)
        }
        "endpoints" => {
            if let [count, "addresses", ..] = words.as_slice() {
                let ips = (1..=count.parse::<u8>().ok()?).map(|i| json!({"ip": format!("10.0.0.{i}")}));
                let port = number("port").unwrap_or(80);
                object["subsets"] = json!([{"addresses": ips.collect::<Vec<_>>(), "ports": [{"port": port}]}]);
            }
            ("Endpoints", "v1", "get endpoints", "ENDPOINTS")
        }
        "hpa" => {
            let percent = number("target").unwrap_or(80);
            let metric = json!({"type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}});
            let count = words.first().and_then(|count| count.parse::<usize>().ok()).unwrap_or(1).min(100);
            object["spec"] = json!({"metrics": vec![metric; count], "maxReplicas": 3});
            ("HorizontalPodAutoscaler", "autoscaling/v2", "get hpa", "TARGETS")
        }
        "pdb" => {
            let field = if facts.contains("maxUnavailable") { "maxUnavailable" } else { "minAvailable" };
            object["spec"][field] = json!(number(field).unwrap_or(1));
            ("PodDisruptionBudget", "policy/v1", "get pdb", "MAX UNAVAILABLE")
        }
        "pvc" | "pv" => {
            let column = "STATUS";
            object["status"]["phase"] = json!("Bound");
            match kind {
                "pvc" => ("PersistentVolumeClaim", "v1", "get pvc", column),
                _ => ("PersistentVolume", "v1", "get pv", column),
            }
        }
        _ => return None,
    };
    object["kind"] = json!(kind);
    object["apiVersion"] = json!(version);
    if matches!(kind, "Node" | "PersistentVolume")
        && let Some(metadata) = object["metadata"].as_object_mut()
    {
        metadata.remove("namespace");
    }
    Some((object, command, column))
}
