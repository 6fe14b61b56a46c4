//! A recorded scenario as an ordinary simulation.

use serde_json::{Map, Value, json};

use crate::client::{Action, Client, Eviction, Step};
use crate::cluster::{Agenda, Cluster, ControlPlane};
use crate::controllers::Controllers;
use crate::engine::{Draws, Span, Time};
use crate::kubectl::command::parse;
use crate::kubelet::{KubeletOptions, Kubelets};
use crate::scheduler::{Scheduler, SchedulerConfig};
use crate::simulation::{Parts, Simulation};

/// When the scenario begins: 50 ms after a full second, so long after the start of the run that its nodes are ready.
const ZERO: Time = Time::from_micros(2_050_000);
/// When the nodes register: about 1.6 s earlier.
const REGISTER: Time = Time::from_micros(450_000);
/// From a write until its watchers act on it, and how long one of several manifests takes to be applied. In the recordings some
/// milliseconds lie between two objects of a step: what a controller makes of the first (a ReplicaSet, an EndpointSlice) is there before
/// the second, the pods come after it.
const WATCH_DELAY: Span = Span::from_millis(1);
const APPLY_TIME: Span = Span::from_micros(1_100);
/// A second of a minute of 2026 (2026-01-01T00:10:00Z).
const MINUTE: i64 = 1_767_226_200;

/// Where the loops of the controller manager stand when the scenario begins. A recording was made at some moment of a control plane
/// that had been running, so that nothing determines it (the recordings' README).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Phases {
    /// From the beginning of the scenario to the first turn of the node monitor, which comes every 5 s.
    pub(super) node_monitor: Span,
    /// The same for pod garbage collection, every 20 s.
    pub(super) pod_gc: Span,
}

impl Phases {
    /// Those with which a scenario is tried first.
    pub(super) const USUAL: Phases =
        Phases { node_monitor: Span::from_millis(1_500), pod_gc: Span::from_millis(8_500) };

    /// All that are tried where a scenario depends on them: nothing that happens is further than a second from one of them.
    pub(super) fn all() -> impl Iterator<Item = Phases> {
        let pairs = (0..10).flat_map(|gc| (0..5).map(move |monitor| (monitor, gc)));
        pairs.map(|(monitor, gc)| Phases {
            node_monitor: Span::from_millis(500 + 1000 * monitor),
            pod_gc: Span::from_millis(500 + 2000 * gc),
        })
    }

    /// Whether a scenario shows where the loops stand: nodes that fall silent, come back or go, or pods that only pod garbage
    /// collection ends.
    pub(super) fn matter(scenario: &Value) -> bool {
        scenario["steps"].as_array().into_iter().flatten().any(|step| {
            let silent = ["failNode", "recoverNode", "deleteNode"].iter().any(|key| step[*key].is_string());
            silent
                || step["kubectl"]
                    .as_str()
                    .is_some_and(|line| line.starts_with("delete node") || line.contains("out-of-service"))
        })
    }
}

/// A run of a scenario.
pub(super) struct World {
    pub(super) simulation: Simulation,
    pub(super) namespace: String,
    /// When the scenario begins.
    pub(super) zero: Time,
    /// Steps before those of the scenario.
    pub(super) n_nodes: usize,
}

/// Builds the run.
pub(super) fn build(scenario: &Value, phases: Phases) -> Result<World, String> {
    let id = scenario["id"].as_str().ok_or("a scenario without id")?;
    let namespace = format!("s-{id}");
    let second = scenario["startSecond"].as_i64().unwrap_or(30);
    let mut cluster = Cluster::new(MINUTE + second - 2);
    for name in ["default", "kube-system", "kube-node-lease", namespace.as_str()] {
        let labels = json!({ "kubernetes.io/metadata.name": name });
        let manifest =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels } });
        cluster.create_from(&manifest)?;
    }
    let control_plane = ControlPlane {
        controller_qps: 300.0,
        controller_burst: 450,
        scheduler_qps: 200.0,
        scheduler_burst: 300,
        watch_delay: WATCH_DELAY,
        node_monitor_phase: absolute(phases.node_monitor, 5),
        pod_gc_phase: absolute(phases.pod_gc, 20),
        ..ControlPlane::realistic()
    };
    let nodes = scenario["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut steps: Vec<Step> =
        nodes.iter().map(|node| step(REGISTER, Action::AddNode(node_manifest(node, id)))).collect();
    if let Some(objects) = scenario["objects"].as_array().filter(|objects| !objects.is_empty()) {
        steps.push(step(ZERO, Action::Apply(objects.clone())));
    }
    for value in scenario["steps"].as_array().into_iter().flatten() {
        let at = ZERO + Span::from_secs_f64(value["at"].as_f64().unwrap_or(0.0));
        steps.push(step(at, action(value, id, &namespace)?));
    }
    let scheduler = SchedulerConfig::default().build().map_err(|error| format!("{error:?}"))?;
    let parts = Parts {
        controllers: Controllers::new(&control_plane),
        kubelets: Kubelets::new(KubeletOptions::fake(), Default::default()),
        client: Client::new(steps, Vec::new()).in_namespace(&namespace).applying_each_in(APPLY_TIME),
        agenda: Agenda::new(Draws::new(1), control_plane),
        scheduler: Scheduler::new(scheduler),
        faults: Default::default(),
        cluster,
    };
    Ok(World { simulation: Simulation::new(parts), namespace, zero: ZERO, n_nodes: nodes.len() })
}

/// A phase that is relative to the beginning of the scenario as one that is relative to that of the run.
fn absolute(phase: Span, period_seconds: u64) -> Span {
    Span::from_micros((ZERO.as_micros() + phase.as_micros()) % (period_seconds * 1_000_000))
}

fn step(at: Time, action: Action) -> Step {
    Step { at, action, text: String::new() }
}

fn action(value: &Value, id: &str, namespace: &str) -> Result<Action, String> {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    if let Some(line) = text("kubectl") {
        return parse(&line).map(|command| Action::Kubectl(Box::new(command))).map_err(|error| error.to_string());
    }
    if let Some(objects) = value["apply"].as_array() {
        return Ok(Action::Apply(objects.clone()));
    }
    if let Some(pods) = text("evict") {
        return Ok(Action::Evict(Eviction { namespace: namespace.to_owned(), pods }));
    }
    if value["addNode"].is_object() {
        return Ok(Action::AddNode(node_manifest(&value["addNode"], id)));
    }
    let named = [
        ("failNode", Action::FailNode as fn(String) -> Action),
        ("recoverNode", Action::RecoverNode),
        ("deleteNode", Action::DeleteNode),
    ];
    let found = named.into_iter().find_map(|(key, action)| text(key).map(action));
    found.ok_or_else(|| format!("a step that is not known: {value}"))
}

fn node_manifest(node: &Value, id: &str) -> Value {
    let name = node["name"].as_str().unwrap_or_default();
    let mut labels = Map::new();
    for (key, value) in [
        ("kubernetes.io/hostname", name),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", "amd64"),
        ("topology.kubernetes.io/region", id),
    ] {
        labels.insert(key.to_owned(), json!(value));
    }
    labels.extend(node["labels"].as_object().cloned().unwrap_or_default());
    let mut amounts = json!({ "cpu": node["cpu"], "memory": node["memory"], "pods": node["pods"] });
    for (resource, amount) in node["resources"].as_object().into_iter().flatten() {
        amounts[resource] = amount.clone();
    }
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": { "name": name, "labels": labels },
        "spec": { "taints": node["taints"] },
        "status": { "capacity": amounts, "allocatable": amounts },
    })
}
