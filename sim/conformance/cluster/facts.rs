//! Facts that are told in words: each is a small scenario that runs, and a look at what it did.

mod garbage;
mod nodes;
mod pods;

use serde_json::{Value, json};

use super::record::{Op, Recording};
use super::world::{self, Phases};
use crate::client::Answer;
use crate::engine::Span;

/// A fact told in words: the id of its row, and the small run that answers it.
type Fact = (&'static str, fn() -> Outcome);

/// What a fact came to: nothing to say, or what is otherwise.
pub type Outcome = Result<(), String>;

/// The test of a fact, by the identifier of its row; `None` if no test bears it.
pub fn check(id: &str) -> Option<Outcome> {
    let tables: [&[Fact]; 3] = [nodes::FACTS, pods::FACTS, garbage::FACTS];
    tables.into_iter().flatten().find(|(known, _)| *known == id).map(|(_, test)| test())
}

/// A scenario that has run.
struct Run {
    recording: Recording,
    /// Each event about an object: its name, reason and message.
    events: Vec<(String, String, String)>,
    /// The answers to the steps, in order.
    answers: Vec<Answer>,
}

/// Runs nodes, objects and steps for so many seconds, with the loops of the controller manager at the beginning of their periods.
fn run(nodes: Vec<Value>, objects: Vec<Value>, steps: Vec<Value>, seconds: u64) -> Result<Run, String> {
    let phases = Phases { node_monitor: Span::ZERO, pod_gc: Span::ZERO };
    let scenario = json!({ "id": "fact", "nodes": nodes, "objects": objects, "steps": steps });
    let mut world = world::build(&scenario, phases)?;
    let mut recording = Recording::new(&world.namespace, world.zero);
    let until = world.zero + Span::from_secs(seconds);
    world.simulation.run(until, false, &mut [&mut recording]).map_err(|stuck| stuck.to_string())?;
    let cluster = &world.simulation.cluster;
    let text = |sym| cluster.interner.text(sym).to_owned();
    let events = cluster
        .events
        .iter()
        .map(|(_, event)| (cluster.name(event.object).to_owned(), text(event.reason), cluster.event_message(event)));
    let events = events.collect();
    let answers = world.simulation.client.answers().skip(world.n_nodes).map(|(_, answer)| answer.clone()).collect();
    Ok(Run { recording, events, answers })
}

impl Run {
    /// When an object was first as `is` says, not before `after` seconds.
    fn when(&self, kind: &str, name: &str, after: f64, is: impl Fn(&Value) -> bool) -> Option<f64> {
        let entries = self.recording.entries.iter().filter(|entry| entry.kind == kind && entry.name == name);
        entries.filter(|entry| entry.op != Op::Delete && entry.t >= after).find(|entry| is(&entry.value)).map(|e| e.t)
    }

    /// When an object went.
    fn gone(&self, kind: &str, name: &str) -> Option<f64> {
        let entries = self.recording.entries.iter().filter(|entry| entry.kind == kind && entry.name == name);
        entries.filter(|entry| entry.op == Op::Delete).map(|entry| entry.t).next_back()
    }

    /// When the deletion of a pod was asked for.
    fn marked(&self, pod: &str) -> Option<f64> {
        self.when("Pod", pod, f64::MIN, |value| value["deleting"] == true)
    }

    /// When a node first had a taint, given as `key:effect`.
    fn tainted(&self, node: &str, taint: &str) -> Option<f64> {
        self.when("Node", node, 0.0, |value| has_taint(value, taint))
    }

    /// An object as it was last seen.
    fn last(&self, kind: &str, name: &str) -> Option<&Value> {
        let mut entries = self.recording.entries.iter().filter(|entry| entry.kind == kind && entry.name == name);
        entries.next_back().map(|entry| &entry.value)
    }

    /// The names of all objects of a kind that were ever there.
    fn names(&self, kind: &str) -> Vec<&str> {
        let created = self.recording.entries.iter().filter(|entry| entry.kind == kind && entry.op == Op::Create);
        created.map(|entry| entry.name.as_str()).collect()
    }

    fn has_event(&self, object: &str, reason: &str, part: &str) -> bool {
        self.events.iter().any(|(name, is, message)| name == object && is == reason && message.contains(part))
    }
}

fn has_taint(node: &Value, taint: &str) -> bool {
    let (key, effect) = taint.rsplit_once(':').unwrap_or((taint, ""));
    let taints = node["taints"].as_array().into_iter().flatten().filter_map(Value::as_str);
    taints.into_iter().any(|text| text.starts_with(&format!("{key}=")) && text.ends_with(&format!(":{effect}")))
}

fn node(name: &str, zone: &str) -> Value {
    let labels = if zone.is_empty() { json!({}) } else { json!({ "topology.kubernetes.io/zone": zone }) };
    json!({ "name": name, "cpu": "8", "memory": "32Gi", "pods": "110", "labels": labels })
}

/// `n` nodes of a zone: `PREFIX1`, `PREFIX2`, ...
fn zone(prefix: &str, n: usize, zone: &str) -> Vec<Value> {
    (1..=n).map(|idx| node(&format!("{prefix}{idx}"), zone)).collect()
}

/// A pod that runs for ever on a node, with more of a spec.
fn pod(name: &str, node: &str, more: Value) -> Value {
    let mut spec = json!({ "nodeName": node, "containers": [{ "name": "c", "image": "app:v1" }] });
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "labels": { "app": name } }, "spec": spec })
}

/// A toleration of a taint with effect NoExecute, for so many seconds.
fn tolerates(key: &str, seconds: i64) -> Value {
    json!({ "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds })
}

fn kubectl(at: u64, line: &str) -> Value {
    json!({ "at": at, "kubectl": line })
}

/// Fails with what was seen unless it holds.
fn hold(holds: bool, what: &str, seen: impl std::fmt::Debug) -> Outcome {
    if holds { Ok(()) } else { Err(format!("{what}: {seen:?}")) }
}

/// Holds if an instant is within a fifth of a second of the one wanted.
fn at(seen: Option<f64>, wanted: f64, what: &str) -> Outcome {
    hold(seen.is_some_and(|seen| (seen - wanted).abs() < 0.2), &format!("{what} at {wanted:.2}"), seen)
}
