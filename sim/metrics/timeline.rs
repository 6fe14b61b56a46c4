//! The timeline: every change with its time, its cause and what became true, kept compactly and rendered on demand.

use std::fmt::Write as _;

use super::Digest;
use crate::cluster::{
    Change, Cluster, ConditionStatus, ContainerState, EventId, NO_CAUSE, NodeId, ObjectRef, PodPhase, Sym, What,
    WorldChange,
};
use crate::engine::Time;

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Time,
    /// The change in reaction to which this one was made; [`NO_CAUSE`] if the scenario itself made it.
    pub cause: u32,
    /// What was changed.
    pub object: ObjectRef,
    /// What became true of it.
    pub detail: Detail,
}

/// What became true, with the values at that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// It exists.
    Created,
    /// Its desired state changed; the text is the index of a rendering.
    Spec(u32),
    /// Labels changed.
    Labels,
    /// Other metadata changed.
    Meta,
    /// Its status changed; the text is the index of a rendering.
    Status(u32),
    /// A condition has this status and reason.
    Condition(Sym, ConditionStatus, Sym),
    /// A pod's phase.
    Phase(PodPhase, Sym),
    /// A container waits for this reason.
    Waiting(u16, Sym),
    /// A container runs.
    Running(u16, bool),
    /// A container ended with this code and reason.
    Ended(u16, i32, Sym),
    /// Assumed on a node.
    Assumed(NodeId),
    /// Given up on a node.
    Forgotten(NodeId),
    /// Bound to a node.
    Bound(NodeId),
    /// Nominated to a node.
    Nominated(Option<NodeId>),
    /// Taints; the text is the index of a rendering.
    Taints(u32),
    /// Cordoned or uncordoned.
    Unschedulable(bool),
    /// Allocatable resources changed.
    Allocatable,
    /// The node's kubelet is heard of (true) or not.
    Kubelet(bool),
    /// Something happened in the world; the text is the index of a rendering.
    World(u32),
    /// Deletion was asked for, with this grace in seconds.
    Deleting(u32),
    /// Gone.
    Removed,
    /// An event was recorded, and has this count now.
    Event(EventId, u32),
}

/// All changes of a run in order, with the digest of them.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    entries: Vec<Entry>,
    texts: Vec<Box<str>>,
    n_changes: u32,
    digest: Digest,
    keep: bool,
}

impl Timeline {
    /// An empty timeline; with `keep` false only the digest is made.
    pub fn new(keep: bool) -> Timeline {
        Timeline { keep, ..Timeline::default() }
    }

    /// Notes one change and returns its number.
    pub fn push(&mut self, at: Time, cause: u32, change: Change, cluster: &Cluster) -> u32 {
        let detail = self.detail(change, cluster);
        let entry = Entry { at, cause, object: change.object, detail };
        self.mix(&entry, cluster);
        if self.keep {
            self.entries.push(entry);
        }
        let number = self.n_changes;
        self.n_changes += 1;
        number
    }

    /// The changes kept, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Number of changes, kept or not.
    pub fn n_changes(&self) -> u32 {
        self.n_changes
    }

    /// The digest of all changes so far.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What became true, as text: `Bound general-3`, `phase Running`.
    pub fn describe(&self, entry: &Entry, cluster: &Cluster) -> String {
        let word = |sym: Sym| cluster.interner.text(sym);
        let with = |text: String, reason: Sym| match word(reason) {
            "" => text,
            reason => format!("{text} ({reason})"),
        };
        let text = |idx: u32| self.texts.get(idx as usize).map_or("", |text| text);
        let container = |idx: u16| match entry.object {
            ObjectRef::Pod(pod) => {
                cluster.spec_of(pod).container_names.get(usize::from(idx)).map_or("?", |&name| word(name))
            }
            _ => "?",
        };
        match entry.detail {
            Detail::Created => "created".to_owned(),
            Detail::Spec(idx) => format!("spec {}", text(idx)).trim_end().to_owned(),
            Detail::Labels => "labels changed".to_owned(),
            Detail::Meta => "metadata changed".to_owned(),
            Detail::Status(idx) => format!("status {}", text(idx)).trim_end().to_owned(),
            Detail::Condition(kind, status, reason) => with(format!("{}={}", word(kind), status.as_str()), reason),
            Detail::Phase(phase, reason) => with(format!("phase {}", phase.as_str()), reason),
            Detail::Waiting(idx, reason) => with(format!("container {} waiting", container(idx)), reason),
            Detail::Running(idx, ready) => {
                format!("container {} running{}", container(idx), if ready { ", ready" } else { "" })
            }
            Detail::Ended(idx, code, reason) => with(format!("container {} exited {code}", container(idx)), reason),
            Detail::Assumed(node) => format!("assumed on {}", cluster.name(node)),
            Detail::Forgotten(node) => format!("given up on {}", cluster.name(node)),
            Detail::Bound(node) => format!("bound to {}", cluster.name(node)),
            Detail::Nominated(None) => "nomination cleared".to_owned(),
            Detail::Nominated(Some(node)) => format!("nominated to {}", cluster.name(node)),
            Detail::Taints(idx) => format!("taints [{}]", text(idx)),
            Detail::Unschedulable(true) => "cordoned".to_owned(),
            Detail::Unschedulable(false) => "uncordoned".to_owned(),
            Detail::Allocatable => "allocatable changed".to_owned(),
            Detail::Kubelet(true) => "kubelet back".to_owned(),
            Detail::Kubelet(false) => "kubelet lost".to_owned(),
            Detail::World(idx) => text(idx).to_owned(),
            Detail::Deleting(grace) => format!("deletion requested, grace {grace}s"),
            Detail::Removed => "removed".to_owned(),
            Detail::Event(id, count) => {
                let record = cluster.events.get(id);
                let times = if count > 1 { format!(" (x{count})") } else { String::new() };
                format!("event {}: {}{times}", word(record.reason), cluster.event_message(record))
            }
        }
    }

    /// The object of an entry as `pod default/web-1`, `node general-3`.
    pub fn object_text(object: ObjectRef, cluster: &Cluster) -> String {
        let kind = cluster.kind(object).to_lowercase();
        match (cluster.namespace(object), cluster.name(object)) {
            ("", name) => format!("{kind} {name}"),
            (namespace, name) => format!("{kind} {namespace}/{name}"),
        }
    }

    fn detail(&mut self, change: Change, cluster: &Cluster) -> Detail {
        match change.what {
            What::Created => Detail::Created,
            What::Spec => Detail::Spec(self.text(spec_text(change.object, cluster))),
            What::Labels => Detail::Labels,
            What::Meta => Detail::Meta,
            What::Status => Detail::Status(self.text(status_text(change.object, cluster))),
            What::Condition(condition) => condition_detail(change.object, condition.kind, cluster),
            What::Phase => match change.object {
                ObjectRef::Pod(pod) => Detail::Phase(cluster.pod(pod).phase, cluster.pod(pod).reason),
                _ => Detail::Status(self.text(status_text(change.object, cluster))),
            },
            What::Container(idx) => container_detail(change.object, idx, cluster),
            What::Assumed(node) => Detail::Assumed(node),
            What::Forgotten(node) => Detail::Forgotten(node),
            What::Bound(node) => Detail::Bound(node),
            What::Nominated(node) => Detail::Nominated(node),
            What::Taints => Detail::Taints(self.text(taints_text(change.object, cluster))),
            What::Unschedulable => {
                Detail::Unschedulable(change.node().is_some_and(|node| cluster.node(node).unschedulable))
            }
            What::Allocatable => Detail::Allocatable,
            What::Kubelet => Detail::Kubelet(
                change
                    .node()
                    .is_some_and(|node| matches!(cluster.node(node).kubelet, crate::cluster::KubeletHealth::Running)),
            ),
            What::World(world) => Detail::World(self.text(world_text(change.object, world, cluster))),
            What::Deleting => Detail::Deleting(cluster.meta(change.object).deletion.map_or(0, |d| d.grace_seconds)),
            What::Removed => Detail::Removed,
            What::Event(id) => Detail::Event(id, cluster.events.get(id).count),
        }
    }

    fn text(&mut self, text: String) -> u32 {
        self.digest.add_text(&text);
        if !self.keep || text.is_empty() {
            return u32::MAX;
        }
        self.texts.push(text.into());
        (self.texts.len() - 1) as u32
    }

    fn mix(&mut self, entry: &Entry, cluster: &Cluster) {
        let (kind, id) = match entry.object {
            ObjectRef::Pod(id) => (0u64, id.0),
            ObjectRef::Node(id) => (1, id.0),
            ObjectRef::Object(id) => (2, id.0),
        };
        self.digest.add(entry.at.as_micros());
        self.digest.add(kind << 32 | u64::from(id));
        let (code, value) = match entry.detail {
            Detail::Created => {
                self.digest.add_text(cluster.name(entry.object));
                (1, 0)
            }
            // Texts have been mixed in when they were made.
            Detail::Spec(_) => (2, 0),
            Detail::Labels => (3, 0),
            Detail::Meta => (4, 0),
            Detail::Status(_) => (5, 0),
            Detail::Condition(kind, status, reason) => {
                self.digest.add_text(cluster.interner.text(kind));
                self.digest.add_text(cluster.interner.text(reason));
                (6, status as u64)
            }
            Detail::Phase(phase, _) => (7, phase as u64),
            Detail::Waiting(idx, reason) => {
                self.digest.add_text(cluster.interner.text(reason));
                (8, u64::from(idx))
            }
            Detail::Running(idx, ready) => (9, u64::from(idx) << 1 | u64::from(ready)),
            Detail::Ended(idx, code, _) => (10, u64::from(idx) << 32 | u64::from(code as u32)),
            Detail::Assumed(node) => (11, u64::from(node.0)),
            Detail::Forgotten(node) => (12, u64::from(node.0)),
            Detail::Bound(node) => (13, u64::from(node.0)),
            Detail::Nominated(node) => (14, node.map_or(u64::MAX, |node| u64::from(node.0))),
            Detail::Taints(_) => (15, 0),
            Detail::Unschedulable(cordoned) => (16, u64::from(cordoned)),
            Detail::Allocatable => (17, 0),
            Detail::Kubelet(heard) => (21, u64::from(heard)),
            Detail::World(_) => (22, 0),
            Detail::Deleting(grace) => (18, u64::from(grace)),
            Detail::Removed => (19, 0),
            Detail::Event(id, count) => (20, u64::from(id.0) << 32 | u64::from(count)),
        };
        self.digest.add(code << 56 ^ value);
    }
}

/// The number of a cause as shown to users, from 1; `-` for the scenario itself.
pub(crate) fn cause_text(cause: u32) -> String {
    if cause == NO_CAUSE { "-".to_owned() } else { format!("#{}", u64::from(cause) + 1) }
}

fn condition_detail(object: ObjectRef, kind: Sym, cluster: &Cluster) -> Detail {
    let condition = match object {
        ObjectRef::Pod(pod) => cluster.pod(pod).conditions.get(kind),
        ObjectRef::Node(node) => cluster.node(node).conditions.get(kind),
        ObjectRef::Object(_) => None,
    };
    condition.map_or(Detail::Condition(kind, ConditionStatus::Unknown, Sym::EMPTY), |condition| {
        Detail::Condition(kind, condition.status, condition.reason)
    })
}

fn container_detail(object: ObjectRef, idx: u16, cluster: &Cluster) -> Detail {
    let ObjectRef::Pod(pod) = object else { return Detail::Meta };
    let Some(status) = cluster.pod(pod).containers.get(usize::from(idx)) else { return Detail::Meta };
    match status.state {
        ContainerState::Waiting { reason, .. } => Detail::Waiting(idx, reason),
        ContainerState::Running { .. } => Detail::Running(idx, status.ready),
        ContainerState::Terminated(ended) => Detail::Ended(idx, ended.exit_code, ended.reason),
    }
}

/// What happened in the world: `kubelet restarted`, `slowdown 3`, `container app crashed with exit code 1`.
fn world_text(object: ObjectRef, world: WorldChange, cluster: &Cluster) -> String {
    match (world, object) {
        (WorldChange::KubeletRestarted, _) => "kubelet restarted".to_owned(),
        (WorldChange::Slowdown, ObjectRef::Node(node)) => format!("slowdown {}", cluster.node(node).slowdown),
        (WorldChange::ContainerCrashed { container, exit_code, oom }, ObjectRef::Pod(pod)) => {
            let name = cluster.spec_of(pod).container_names.get(usize::from(container));
            let name = name.map_or("?", |&name| cluster.interner.text(name));
            let cause = if oom { " (out of memory)" } else { "" };
            format!("container {name} crashed with exit code {exit_code}{cause}")
        }
        _ => String::new(),
    }
}

/// The numbers of a status: `replicas=3 readyReplicas=2`. Pods and nodes have none of their own.
fn status_text(object: ObjectRef, cluster: &Cluster) -> String {
    let ObjectRef::Object(_) = object else { return String::new() };
    let exported = cluster.export(object);
    scalars(&exported["status"])
}

/// What most often changes in a desired state.
fn spec_text(object: ObjectRef, cluster: &Cluster) -> String {
    let ObjectRef::Object(_) = object else { return String::new() };
    let exported = cluster.export(object);
    let spec = &exported["spec"];
    let mut out = String::new();
    for key in ["replicas", "paused", "suspend", "parallelism", "completions"] {
        if let Some(value) = spec.get(key) {
            let _ = write!(out, "{key}={value} ");
        }
    }
    out.trim_end().to_owned()
}

fn taints_text(object: ObjectRef, cluster: &Cluster) -> String {
    let ObjectRef::Node(node) = object else { return String::new() };
    let taints = cluster.node(node).taints.iter().map(|taint| &taint.taint);
    let texts: Vec<String> = taints
        .map(|taint| match taint.value.as_str() {
            "" => format!("{}:{}", taint.key, taint.effect.as_str()),
            value => format!("{}={value}:{}", taint.key, taint.effect.as_str()),
        })
        .collect();
    texts.join(", ")
}

fn scalars(status: &serde_json::Value) -> String {
    let mut out = String::new();
    for (key, value) in status.as_object().into_iter().flatten() {
        if (value.is_number() || value.is_string()) && key != "observedGeneration" {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = write!(out, "{key}={value} ");
        }
    }
    for condition in status["conditions"].as_array().into_iter().flatten() {
        let text = |key: &str| condition[key].as_str().unwrap_or("");
        let _ = write!(out, "{}={}", text("type"), text("status"));
        if !text("reason").is_empty() {
            let _ = write!(out, "({})", text("reason"));
        }
        out.push(' ');
    }
    out.trim_end().to_owned()
}
