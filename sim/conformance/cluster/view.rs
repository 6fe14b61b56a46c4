//! The compact view of a recording: sequences of states, sets of pods, last states, instants.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::record::{Entry, Op, Recording};
use crate::cluster::{Cluster, EventType};

/// What held for so long is settled, in seconds.
const SETTLED: f64 = 0.4;
/// What held for so long is calm, in seconds.
const CALM: f64 = 0.9;

/// A compact view.
#[derive(Default)]
pub(super) struct CompactView {
    /// Values one after another, by name of the sequence.
    pub(super) sequences: BTreeMap<String, Vec<Value>>,
    /// The last state of each object that is still there.
    pub(super) last: BTreeMap<String, Value>,
    /// Instants in seconds.
    pub(super) times: BTreeMap<String, f64>,
    /// Events with their counts: `[kind, object, type, reason, message]`.
    pub(super) events: BTreeMap<Vec<String>, u64>,
}

/// Values with the times from which they held.
type Track = Vec<(f64, Value)>;

#[derive(Default)]
struct Tracks {
    of: BTreeMap<String, Track>,
    /// When the objects of finished tracks were deleted.
    ended: BTreeMap<String, f64>,
}

impl Tracks {
    fn note(&mut self, name: String, t: f64, value: Value) {
        self.ended.remove(&name);
        let track = self.of.entry(name).or_default();
        if track.last().is_none_or(|(_, last)| *last != value) {
            track.push((t, value));
        }
    }

    fn list(&mut self, name: &str, t: f64, value: Value) {
        self.of.entry(name.to_owned()).or_default().push((t, value));
    }
}

/// The compact view of a recording that ended at `end` seconds.
pub(super) fn view(recording: &Recording, end: f64) -> CompactView {
    let mut tracks = Tracks::default();
    let mut view = CompactView::default();
    let mut rollouts: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    let mut marked: BTreeMap<String, bool> = BTreeMap::new();
    for entry in recording.entries.iter().filter(|entry| entry.t <= end) {
        let key = format!("{}/{}", entry.kind, entry.name);
        if entry.op == Op::Delete {
            view.last.remove(&key);
        } else {
            let mut shown = entry.value.clone();
            if let Some(fields) = shown.as_object_mut() {
                fields.remove("node");
            }
            view.last.insert(key.clone(), shown);
        }
        objects(entry, &key, &mut tracks);
        states(entry, &key, &mut tracks, &mut view);
        if entry.kind == "Pod" {
            pods(entry, &mut tracks, &mut view, &mut marked);
        }
        if entry.kind == "ReplicaSet" {
            rollout(entry, &mut rollouts, &mut tracks);
        }
    }
    finish(tracks, end, &mut view);
    view
}

fn objects(entry: &Entry, key: &str, tracks: &mut Tracks) {
    let counted = !matches!(entry.kind, "Pod" | "ResourceQuota") && (entry.kind != "Node" || entry.op == Op::Delete);
    let op = match entry.op {
        Op::Create => "create",
        Op::Delete => "delete",
        Op::Update => return,
    };
    if counted {
        tracks.list("objects/order", entry.t, json!([op, key]));
    }
}

/// Status tuple, conditions, revision, taints, endpoints.
fn states(entry: &Entry, key: &str, tracks: &mut Tracks, view: &mut CompactView) {
    let deleted = entry.op == Op::Delete;
    if let Some(tuple) = tuple(entry.kind, &entry.value) {
        let name = format!("status/{key}");
        if deleted {
            tracks.ended.insert(name, entry.t);
        } else {
            let before = tracks.of.get(&name).map_or(0, Vec::len);
            tracks.note(name.clone(), entry.t, tuple);
            if tracks.of.get(&name).map_or(0, Vec::len) != before {
                view.times.insert(format!("lastStatus {key}"), entry.t);
            }
        }
    }
    if deleted {
        if entry.kind == "EndpointSlice" {
            tracks.ended.insert(format!("endpoints/{}", entry.name), entry.t);
        }
        return;
    }
    for (kind, condition) in entry.value["conditions"].as_object().into_iter().flatten() {
        if entry.kind != "Pod" || matches!(kind.as_str(), "PodScheduled" | "DisruptionTarget") {
            tracks.note(format!("condition/{key}/{kind}"), entry.t, json!([condition["status"], condition["reason"]]));
        }
    }
    let revision = &entry.value["annotations"]["deployment.kubernetes.io/revision"];
    match entry.kind {
        "Deployment" => tracks.note(format!("revision/{}", entry.name), entry.t, revision.clone()),
        "ReplicaSet" if !revision.is_null() => {
            tracks.note(format!("revision/{}", entry.name), entry.t, revision.clone())
        }
        "Node" => tracks.note(format!("taints/{}", entry.name), entry.t, entry.value["taints"].clone()),
        "EndpointSlice" => {
            let endpoints = entry.value["endpoints"].as_array().into_iter().flatten();
            let tuples = endpoints.map(|e| json!([e["pod"], e["ready"], e["serving"], e["terminating"]]));
            tracks.note(format!("endpoints/{}", entry.name), entry.t, Value::Array(tuples.collect()));
        }
        _ => {}
    }
}

fn tuple(kind: &str, value: &Value) -> Option<Value> {
    let fields: &[&str] = match kind {
        "Deployment" => &["spec.replicas", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas"],
        "ReplicaSet" => &["spec.replicas", "replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"],
        "StatefulSet" => {
            &["spec.replicas", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "currentReplicas"]
        }
        "DaemonSet" => &[
            "desiredNumberScheduled",
            "currentNumberScheduled",
            "updatedNumberScheduled",
            "numberReady",
            "numberAvailable",
            "numberMisscheduled",
        ],
        "Job" => &["spec.parallelism", "active", "ready", "succeeded", "failed", "terminating"],
        "PodDisruptionBudget" => &["expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed"],
        "HorizontalPodAutoscaler" | "CronJob" => return Some(value["status"].clone()),
        "ResourceQuota" => return Some(json!({ "hard": value["status"]["hard"], "used": value["status"]["used"] })),
        _ => return None,
    };
    let numbers = fields.iter().map(|field| match field.strip_prefix("spec.") {
        Some(field) => value["spec"][field].as_i64().unwrap_or(0),
        None => value["status"][*field].as_i64().unwrap_or(0),
    });
    Some(json!(numbers.collect::<Vec<_>>()))
}

fn pods(entry: &Entry, tracks: &mut Tracks, view: &mut CompactView, marked: &mut BTreeMap<String, bool>) {
    let name = &entry.name;
    let owner = name.rsplit_once('~').map_or(name.as_str(), |(owner, _)| owner);
    let mut note = |what: &str| {
        tracks.list(&format!("pods/{what}"), entry.t, json!(name));
        tracks.list(&format!("podOwners/{what}"), entry.t, json!(owner));
        view.times.entry(format!("{what} {name}")).or_insert(entry.t);
    };
    let deleting = entry.value["deleting"] == true;
    match entry.op {
        Op::Create => note("created"),
        Op::Delete => note("removed"),
        Op::Update => {}
    }
    if entry.op == Op::Delete {
        marked.remove(name);
        return;
    }
    if deleting && marked.insert(name.clone(), true).is_none() {
        note("deletionMarked");
    }
    let restarts = entry.value["containers"][0]["restartCount"].as_i64().unwrap_or(0);
    let phase = json!([entry.value["phase"], entry.value["ready"], deleting, restarts]);
    tracks.note(format!("phase/{name}"), entry.t, phase);
}

fn rollout(entry: &Entry, rollouts: &mut BTreeMap<String, BTreeMap<String, Value>>, tracks: &mut Tracks) {
    let Some((deployment, revision)) = entry.name.split_once('#') else { return };
    let sizes = rollouts.entry(deployment.to_owned()).or_default();
    match entry.op {
        Op::Delete => _ = sizes.remove(revision),
        _ => _ = sizes.insert(revision.to_owned(), entry.value["spec"]["replicas"].clone()),
    }
    let sizes: Map<String, Value> = sizes.iter().map(|(revision, size)| (revision.clone(), size.clone())).collect();
    tracks.note(format!("rollout/{deployment}"), entry.t, Value::Object(sizes));
}

fn finish(tracks: Tracks, end: f64, view: &mut CompactView) {
    for (name, track) in &tracks.of {
        let until = tracks.ended.get(name).copied().unwrap_or(end);
        if ["status/", "rollout/", "endpoints/"].iter().any(|prefix| name.starts_with(prefix)) {
            let track = if name.starts_with("endpoints/") { by_owner(track) } else { track.clone() };
            for (prefix, least) in [("settled", SETTLED), ("calm", CALM)] {
                view.sequences.insert(format!("{prefix}/{name}"), held(&track, until, least));
            }
        }
        if let Some(what) = name.strip_prefix("pods/") {
            let mut sorted: Vec<String> =
                track.iter().filter_map(|(_, name)| name.as_str().map(str::to_owned)).collect();
            sorted.sort();
            view.sequences.insert(format!("podSet/{what}"), sorted.into_iter().map(Value::String).collect());
        }
        view.sequences.insert(name.clone(), track.iter().map(|(_, value)| value.clone()).collect());
    }
}

fn by_owner(track: &Track) -> Track {
    let mut out = Track::new();
    for (t, value) in track {
        let mut tuples: Vec<Value> = value.as_array().cloned().unwrap_or_default();
        for tuple in &mut tuples {
            let owner = tuple[0].as_str().map(|name| name.rsplit_once('~').map_or(name, |(owner, _)| owner).to_owned());
            tuple[0] = json!(owner);
        }
        tuples.sort_by_key(Value::to_string);
        let value = Value::Array(tuples);
        if out.last().is_none_or(|(_, last)| *last != value) {
            out.push((*t, value));
        }
    }
    out
}

/// The values that held for at least `least` seconds, equal neighbours merged.
fn held(track: &Track, until: f64, least: f64) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    for (idx, (t, value)) in track.iter().enumerate() {
        let next = track.get(idx + 1).map_or(until, |(next, _)| *next);
        if next - t >= least && out.last() != Some(value) {
            out.push(value.clone());
        }
    }
    out
}

/// Adds the events of a run.
pub(super) fn add_events(view: &mut CompactView, recording: &Recording, cluster: &Cluster, namespace: &str) {
    for (id, _) in cluster.events.iter() {
        let record = &cluster.events.stored_at(id, cluster.now());
        let kind = cluster.kind(record.object);
        let reason = cluster.interner.text(record.reason).to_owned();
        let inside = kind == "Node" || cluster.namespace(record.object) == namespace;
        if !inside || reason == "RegisteredNode" {
            continue;
        }
        let name = recording.names.translate(cluster.name(record.object));
        let message = plain(&recording.names.translate(&cluster.event_message(record)), &reason);
        let kind_of = match record.event_type {
            EventType::Normal => "Normal",
            EventType::Warning => "Warning",
        };
        let key = vec![kind.to_owned(), star(&name), kind_of.to_owned(), reason, message];
        *view.events.entry(key).or_default() += u64::from(record.count);
    }
}

/// Numbers of pods as `*`.
fn star(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        if c == '~' && chars.peek().is_some_and(char::is_ascii_digit) {
            while chars.next_if(char::is_ascii_digit).is_some() {}
            out.push('*');
        }
    }
    out
}

fn plain(message: &str, reason: &str) -> String {
    let text = star(message);
    match reason {
        "Scheduled" => text.rsplit_once(" to ").map_or(text.clone(), |(front, _)| format!("{front} to <node>")),
        "Preempted" => match (text.find("by pod "), text.find(" on node ")) {
            (Some(from), Some(to)) => format!("{}<uid>{}", &text[..from + 7], &text[to..]),
            _ => text,
        },
        _ => text,
    }
}
