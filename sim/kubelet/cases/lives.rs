//! Conditions of pods, and the order in which init containers, sidecars and regular containers live.

use serde_json::{Map, Value, json};

use super::trial::Trial;
use super::{answer, numbers, said, seconds};
use crate::cluster::{ConditionStatus, KubeletHealth, PodId, ResourceId};
use crate::engine::{Distribution, Span, Time};
use crate::kubelet::KubeletOptions;
use crate::kubelet::shape::ContainerKind;
use crate::kubelet::termination::{EXIT_SIGTERM, Stopping, stop_all};

fn sidecar(name: &str, more: Value) -> Value {
    let mut sidecar = json!({"name": name, "image": "s:v1", "restartPolicy": "Always"});
    for (key, value) in more.as_object().into_iter().flatten() {
        sidecar[key] = value.clone();
    }
    sidecar
}

fn container(name: &str) -> Value {
    json!({"name": name, "image": "app:v1"})
}

fn probe(period: u32) -> Value {
    json!({"exec": {"command": ["true"]}, "periodSeconds": period, "failureThreshold": 1000})
}

fn never_ready(name: &str) -> Value {
    json!({"match": {"container": name}, "probes": {"readiness": {"passAfter": "never"}}})
}

pub(super) fn conditions(row: &Value) -> Option<Value> {
    let given = row["given"].as_str()?;
    let gated = |gate: Option<ConditionStatus>| {
        let mut trial = Trial::new(json!([]))?;
        let spec = json!({"containers": [container("c")], "readinessGates": [{"conditionType": "g"}]});
        let pod = trial.pod("p", spec)?;
        if let Some(status) = gate {
            let (kind, none) = (trial.cluster.interner.sym("g"), crate::cluster::Sym::EMPTY);
            trial.cluster.set_pod_condition(pod, kind, status, none, none);
        }
        trial.run_to(5.0);
        Some((trial, pod))
    };
    let (trial, pod) = match given {
        "init i1 done, i2 running" => {
            let mut trial = Trial::new(json!([
                {"match": {"container": "i1"}, "run": "1s"}, {"match": {"container": "i2"}, "run": "1h"}]))?;
            let init = [container("i1"), container("i2")];
            let pod = trial.pod("p", json!({"initContainers": init, "containers": [container("main")]}))?;
            trial.run_to(5.0);
            (trial, pod)
        }
        "sidecar running & started, not ready; main running & ready" => {
            let mut trial = Trial::new(json!([never_ready("s")]))?;
            let init = [sidecar("s", json!({"readinessProbe": probe(1)}))];
            let pod = trial.pod("p", json!({"initContainers": init, "containers": [container("main")]}))?;
            trial.run_to(5.0);
            (trial, pod)
        }
        "two containers, one ready" => {
            let mut trial = Trial::new(json!([never_ready("b")]))?;
            let mut second = container("b");
            second["readinessProbe"] = probe(1);
            let pod = trial.pod("p", json!({"containers": [container("a"), second]}))?;
            trial.run_to(5.0);
            (trial, pod)
        }
        "all ready; readinessGate g condition absent" => gated(None)?,
        "all ready; readinessGate g False" => gated(Some(ConditionStatus::False))?,
        "all ready; readinessGate g True" => gated(Some(ConditionStatus::True))?,
        "regular container already started once; sidecar restarting" => {
            let crash = json!([{"match": {"container": "s"}, "run": "1s", "exit": {"code": 1}}]);
            let mut trial = Trial::new(crash)?;
            let init = [sidecar("s", json!({}))];
            let pod = trial.pod("p", json!({"initContainers": init, "containers": [container("main")]}))?;
            // Its second crash, at 2, is followed by a back-off of 10 s.
            trial.run_to(5.0);
            (trial, pod)
        }
        "sandbox created, image still pulling" => {
            let options = KubeletOptions { pull_bandwidth: 1e6, ..KubeletOptions::ideal() };
            let mut trial = Trial::with(options, json!([]), json!({"cpu": "1", "memory": "1Gi", "pods": "9"}))?;
            let pod = trial.pod("p", json!({"containers": [container("c")]}))?;
            trial.run_to(5.0);
            (trial, pod)
        }
        "sandbox dead, must be recreated" => {
            let sandbox = Distribution::constant(Span::from_secs(5));
            let options = KubeletOptions { sandbox, ..KubeletOptions::ideal() };
            let mut trial = Trial::with(options, json!([]), json!({"cpu": "1", "memory": "1Gi", "pods": "9"}))?;
            let pod = trial.pod("p", json!({"containers": [container("c")]}))?;
            reboot(&mut trial, 10.0, 20.0)?;
            trial.run_to(22.0);
            (trial, pod)
        }
        _ => return None,
    };
    asked_conditions(&trial, pod, row)
}

/// The machine goes down and comes back.
fn reboot(trial: &mut Trial, down: f64, up: f64) -> Option<()> {
    trial.run_to(down);
    let node = trial.node()?;
    let since = trial.cluster.now();
    trial.cluster.set_kubelet_health(node, KubeletHealth::Down { since });
    trial.run_to(up);
    trial.cluster.set_kubelet_health(node, KubeletHealth::Running);
    trial.run_to(up);
    Some(())
}

/// The conditions that a row asks for, `phase`, and `reason`: that of the first condition asked for which is not `True`.
fn asked_conditions(trial: &Trial, pod: PodId, row: &Value) -> Option<Value> {
    let (mut out, mut why) = (Map::new(), None);
    for key in row["expect"].as_object()?.keys() {
        if key == "phase" {
            out.insert(key.clone(), trial.phase(pod).as_str().into());
        } else if key != "reason" {
            let (status, reason) = trial.condition(pod, key)?;
            out.insert(key.clone(), status.into());
            why = why.or((status != "True").then_some(reason));
        }
    }
    if row["expect"]["reason"].is_string() {
        out.insert("reason".to_owned(), why.unwrap_or_default().into());
    }
    answer("expect", Value::Object(out))
}

pub(super) fn init_and_sidecar(row: &Value) -> Option<Value> {
    let given = row["given"].as_str()?;
    let expect = &row["expect"];
    if expect.get("podRequest_m").is_some() {
        return requests(given);
    }
    if expect.get("wait_floor").is_some() || expect.get("sidecar_wait").is_some() {
        return waits(row);
    }
    match given {
        "sidecar s with readinessProbe never ready, main ready" => {
            let mut trial = Trial::new(json!([never_ready("s")]))?;
            let init = [sidecar("s", json!({"readinessProbe": probe(1)}))];
            let pod = trial.pod("p", json!({"initContainers": init, "containers": [container("main")]}))?;
            trial.run_to(60.0);
            let ready = trial.condition(pod, "Ready")?.0 == "True";
            answer("expect", json!({"main_started": !trial.starts(pod, 1).is_empty(), "podReady": ready}))
        }
        "sidecar crashes at 10 while main runs, pod restartPolicy Never" => {
            let mut trial = Trial::new(json!([{"match": {"container": "s"}, "run": "10s", "exit": {"code": 1}}]))?;
            let init = [sidecar("s", json!({}))];
            let spec = json!({"restartPolicy": "Never", "initContainers": init, "containers": [container("main")]});
            let pod = trial.pod("p", spec)?;
            trial.run_to(15.0);
            said(trial.restarts(pod, 0) == 1, "sidecar restarted", &trial.states(pod, 0).join(", "))
        }
        "sandbox lost after init done, restartPolicy Always" => {
            let mut trial = Trial::new(
                json!([{"match": {"container": "i1"}, "run": "1s"}, {"match": {"container": "i2"}, "run": "1s"}]),
            )?;
            let init = [container("i1"), container("i2")];
            let pod = trial.pod("p", json!({"initContainers": init, "containers": [container("main")]}))?;
            reboot(&mut trial, 10.0, 20.0)?;
            trial.run_to(40.0);
            let starts = [0, 1, 2].map(|idx| trial.starts(pod, idx));
            let again = [0, 1, 2].map(|idx| starts[idx].get(1).cloned());
            let shown = again == [Some(json!(20)), Some(json!(21)), Some(json!(22))];
            said(shown, "all init containers rerun from the first", &format!("{starts:?}"))
        }
        "sandbox lost, restartPolicy Never, containers had run" => {
            let mut trial = Trial::new(json!([]))?;
            let pod = trial.pod("p", json!({"restartPolicy": "Never", "containers": [container("main")]}))?;
            reboot(&mut trial, 10.0, 20.0)?;
            trial.run_to(40.0);
            let shown = trial.starts(pod, 0).len() == 1 && trial.phase(pod).is_terminal();
            said(shown, "sandbox not recreated; pod terminal", trial.phase(pod).as_str())
        }
        _ if given.starts_with("Job pod restartPolicy Never") => job_with_sidecar(given),
        _ if given.contains(" exits ") => failing_init(row, given),
        _ => in_order(row, given),
    }
}

/// `Job pod restartPolicy Never: main exits 0 at 20, sidecar runs forever, grace 30, sidecar exits 1 s after SIGTERM`.
fn job_with_sidecar(given: &str) -> Option<Value> {
    let [_, at, grace, reaction] = numbers(given)[..] else { return None };
    let mut trial = Trial::new(json!([
        {"match": {"container": "main"}, "run": format!("{at}s")},
        {"match": {"container": "s"}, "stop": {"after": format!("{reaction}s")}}]))?;
    let init = [sidecar("s", json!({}))];
    let spec = json!({"restartPolicy": "Never", "terminationGracePeriodSeconds": grace as u32,
        "initContainers": init, "containers": [container("main")]});
    let pod = trial.pod("p", spec)?;
    trial.run_to(1000.0);
    let (ended, _) = trial.exit(pod, 0)?;
    let term = ended.since(Time::ZERO).saturating_sub(Span::from_secs_f64(reaction));
    let phase = trial.phase(pod).as_str();
    answer("expect", json!({"sidecar_term": seconds(term), "phase": phase, "at": super::at(ended)}))
}

/// `i1 exits 1 after 2 each time, restartPolicy OnFailure`, followed by a container `main`.
fn failing_init(row: &Value, given: &str) -> Option<Value> {
    let (name, rest) = given.split_once(" exits ")?;
    let policy = given.rsplit_once("restartPolicy ")?.1;
    let found = numbers(rest);
    let (code, run) = (*found.first()? as i64, found.get(1).copied().unwrap_or(0.0));
    let model = json!({"match": {"container": name}, "run": format!("{run}s"), "exit": {"code": code}});
    let mut trial = Trial::new(json!([model]))?;
    let spec = json!({"restartPolicy": policy, "initContainers": [container(name)], "containers": [container("main")]});
    let pod = trial.pod("p", spec)?;
    let key = format!("{name}_starts");
    let until = row["expect"][&key].as_array().and_then(|starts| starts.last()?.as_f64()).unwrap_or(100.0);
    trial.run_to(until.min(1e6));
    let mut out = Map::new();
    out.insert(key, trial.starts(pod, 0).into());
    out.insert(format!("{name}_restarts"), trial.restarts(pod, 0).into());
    out.insert("phase".to_owned(), trial.phase(pod).as_str().into());
    out.insert("main_started".to_owned(), (!trial.starts(pod, 1).is_empty()).into());
    let asked = row["expect"].as_object()?;
    out.retain(|key, _| asked.contains_key(key));
    answer("expect", Value::Object(out))
}

/// `i1 runs 3, i2 runs 4, main`, `sidecar s with startupProbe succeeding at 8, main`: the first start of each container.
fn in_order(row: &Value, given: &str) -> Option<Value> {
    let (mut init, mut regular, mut models, mut names) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for part in given.split(", ") {
        let words: Vec<&str> = part.split_whitespace().collect();
        match words[..] {
            ["main"] => regular.push(container("main")),
            [name, "runs", takes] => {
                init.push(container(name));
                models.push(json!({"match": {"container": name}, "run": format!("{}s", takes.parse::<f64>().ok()?)}));
            }
            ["sidecar", name, "(no", "startupProbe)"] => init.push(sidecar(name, json!({}))),
            ["sidecar", name, "with", "startupProbe", "succeeding", "at", when] => {
                init.push(sidecar(name, json!({"startupProbe": probe(1)})));
                let passes = json!({"startup": {"passAfter": format!("{}s", when.parse::<f64>().ok()?)}});
                models.push(json!({"match": {"container": name}, "probes": passes}));
            }
            _ => return None,
        }
    }
    names
        .extend(init.iter().chain(&regular).map(|container| container["name"].as_str().unwrap_or_default().to_owned()));
    let mut trial = Trial::new(models.into())?;
    let pod = trial.pod("p", json!({"initContainers": init, "containers": regular}))?;
    trial.run_to(3600.0);
    let firsts = names
        .iter()
        .enumerate()
        .filter_map(|(idx, name)| Some((name.clone(), trial.starts(pod, idx).into_iter().next()?)));
    let asked = row["expect"].as_object()?;
    answer("expect", Value::Object(firsts.filter(|(name, _)| asked.contains_key(name)).collect()))
}

/// Whole seconds that sidecars wait for others: `each take 1.25 to exit, grace 30`.
fn waits(row: &Value) -> Option<Value> {
    let given = row["given"].as_str()?;
    let found = numbers(given);
    let (takes, grace) = (found.get(found.len().checked_sub(2)?)?, found.last()?);
    let single = row["expect"].get("sidecar_wait").is_some();
    let kinds: &[ContainerKind] = match single {
        true => &[ContainerKind::Sidecar, ContainerKind::Regular],
        false => &[ContainerKind::Sidecar, ContainerKind::Sidecar, ContainerKind::Sidecar, ContainerKind::Regular],
    };
    let (reaction, exit_code) = (Span::from_secs_f64(*takes), EXIT_SIGTERM);
    let stopping = |kind| Some(Stopping { kind, pre_stop: Span::ZERO, reaction, exit_code, natural: None });
    let containers: Vec<Option<Stopping>> = kinds.iter().map(|&kind| stopping(kind)).collect();
    let stopped = stop_all(&containers, Time::ZERO, Span::from_secs_f64(*grace));
    let waited: Vec<u64> = stopped.iter().flatten().map(|stopped| stopped.waited.as_secs()).collect();
    match waited[..] {
        [sidecar, main] => answer("expect", json!({"sidecar_wait": sidecar, "main_wait": main})),
        [sc1, sc2, sc3, main] => {
            answer("expect", json!({"wait_floor": {"main": main, "sc3": sc3, "sc2": sc2, "sc1": sc1}}))
        }
        _ => None,
    }
}

/// `requests cpu: init i1 1000m, sidecar s 200m (declared before i2), i2 500m, mains 300m+300m`.
fn requests(given: &str) -> Option<Value> {
    let clean = given.replace([',', '(', ')', ':'], " ");
    let words: Vec<&str> = clean.split_whitespace().collect();
    let (mut init, mut regular) = (Vec::new(), Vec::new());
    let amount = |text: &str| json!({"requests": {"cpu": text}});
    let is_amount = |text: &str| text.strip_suffix('m').is_some_and(|digits| digits.parse::<u32>().is_ok());
    for (idx, word) in words.iter().enumerate() {
        let Some(next) = words.get(idx + 1) else { break };
        if *word == "mains" || *word == "main" {
            for (nth, cpu) in next.split('+').enumerate() {
                regular.push(json!({"name": format!("main{nth}"), "image": "a", "resources": amount(cpu)}));
            }
        } else if is_amount(next) {
            let mut container = json!({"name": word, "image": "a", "resources": amount(next)});
            if idx > 0 && words[idx - 1] == "sidecar" {
                container["restartPolicy"] = "Always".into();
            }
            init.push(container);
        }
    }
    let mut trial = Trial::new(json!([]))?;
    let pod = trial.pod("p", json!({"initContainers": init, "containers": regular}))?;
    answer("expect", json!({"podRequest_m": trial.cluster.resources_of(pod).request(ResourceId::CPU)}))
}
