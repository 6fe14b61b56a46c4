//! The timeline: every change with its time, its cause and what became true, kept compactly and rendered on demand.

use serde_json::Value;

use super::Digest;
use super::shown::{Part, Shown, spec_text, status_text};
use crate::cluster::{
    Change, Cluster, ConditionStatus, ContainerState, EventId, EventMessage, EventType, KubeletHealth, NO_CAUSE,
    NodeId, Note, ObjectRef, PodPhase, REMARK, Sym, What, WorldChange,
};
use crate::engine::Time;

/// How the message of an event begins that stands for several (client-go, `EventAggregator`).
const COMBINED: &str = "(combined from similar events)";
/// Messages of conditions are shown up to this length; longer ones stand in an event as well.
const MAX_MESSAGE: usize = 80;

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
    /// Labels changed; the text is the index of a rendering.
    Labels(u32),
    /// Other metadata changed; the text is the index of a rendering.
    Meta(u32),
    /// Its status changed; the text is the index of a rendering.
    Status(u32),
    /// A condition has this status, reason and message, or is gone.
    Condition(Sym, Option<ConditionStatus>, Sym, Sym),
    /// A pod's phase.
    Phase(PodPhase, Sym),
    /// A container waits for this reason.
    Waiting(u16, Sym),
    /// A container runs, may be ready, and has been restarted so often.
    Running(u16, bool, u32),
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
    /// The node's machine and kubelet.
    Kubelet(KubeletHealth),
    /// Something happened in the world; the text is the index of a rendering.
    World(u32),
    /// Deletion was asked for, with this grace in seconds.
    Deleting(u32),
    /// Gone.
    Removed,
    /// An event was recorded, and has this count now; the text, if it has one, is the index of a message that may change later.
    Event(EventId, u32, u32),
}

/// All changes of a run in order, with the digest of them.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    entries: Vec<Entry>,
    texts: Vec<Box<str>>,
    n_changes: u32,
    digest: Digest,
    keep: bool,
    /// Objects as they were shown last, for what has changed since.
    shown: Shown,
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
            Detail::Labels(idx) => format!("labels {}", text(idx)).trim_end().to_owned(),
            Detail::Meta(idx) => format!("metadata {}", text(idx)).trim_end().to_owned(),
            Detail::Status(idx) => format!("status {}", text(idx)).trim_end().to_owned(),
            Detail::Condition(kind, None, ..) => format!("{} removed", word(kind)),
            Detail::Condition(kind, Some(status), reason, message) => {
                // Of what is well, and of nodes, the reason says enough.
                let tells = status != ConditionStatus::True && matches!(entry.object, ObjectRef::Pod(_));
                match word(message) {
                    message if tells && !message.is_empty() && message.len() <= MAX_MESSAGE => {
                        format!("{}={} ({}: {message})", word(kind), status.as_str(), word(reason))
                    }
                    _ => with(format!("{}={}", word(kind), status.as_str()), reason),
                }
            }
            Detail::Phase(phase, reason) => with(format!("phase {}", phase.as_str()), reason),
            Detail::Waiting(idx, reason) => with(format!("container {} waiting", container(idx)), reason),
            Detail::Running(idx, ready, restarts) => {
                let (ready, name) = (if ready { ", ready" } else { ", not ready" }, container(idx));
                let restarts = if restarts > 0 { format!(", restarts {restarts}") } else { String::new() };
                format!("container {name} running{ready}{restarts}")
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
            Detail::Kubelet(health) => health_text(health).to_owned(),
            Detail::World(idx) => text(idx).to_owned(),
            Detail::Deleting(grace) => format!("deletion requested, grace {grace}s"),
            Detail::Removed => "removed".to_owned(),
            Detail::Event(id, count, idx) => self.event_text(id, count, idx, cluster),
        }
    }

    fn event_text(&self, id: EventId, count: u32, idx: u32, cluster: &Cluster) -> String {
        let record = cluster.events.get(id);
        let times = if count > 1 { format!(" (x{count})") } else { String::new() };
        let kind = if record.event_type == EventType::Warning { "warning" } else { "event" };
        let message = match self.texts.get(idx as usize) {
            Some(message) => message.to_string(),
            None => cluster.event_message(record),
        };
        format!("{kind} {}: {message}{times}", cluster.interner.text(record.reason))
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
            What::Created => {
                if self.keep {
                    self.shown.created(change.object, cluster);
                }
                Detail::Created
            }
            What::Spec => Detail::Spec(self.changed(change.object, Part::Spec, cluster)),
            What::Labels => Detail::Labels(self.changed(change.object, Part::Labels, cluster)),
            What::Meta => Detail::Meta(self.changed(change.object, Part::Meta, cluster)),
            What::Status => Detail::Status(self.changed(change.object, Part::Status, cluster)),
            What::Condition(condition) => {
                Detail::Condition(condition.kind, condition.status, condition.reason, condition.message)
            }
            What::Phase => match change.object {
                ObjectRef::Pod(pod) => Detail::Phase(cluster.pod(pod).phase, cluster.pod(pod).reason),
                _ => Detail::Status(self.changed(change.object, Part::Status, cluster)),
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
            What::Kubelet => {
                Detail::Kubelet(change.node().map_or(KubeletHealth::Running, |node| cluster.node(node).kubelet))
            }
            What::World(world) => Detail::World(self.text(world_text(change.object, world, cluster))),
            What::Deleting => Detail::Deleting(cluster.meta(change.object).deletion.map_or(0, |d| d.grace_seconds)),
            What::Removed => {
                self.shown.removed(change.object);
                Detail::Removed
            }
            What::Event(id) => self.event(id, cluster),
        }
    }

    /// Renders what has changed of a part of an object. The digest is made of a shorter text, which needs nothing remembered.
    fn changed(&mut self, object: ObjectRef, part: Part, cluster: &Cluster) -> u32 {
        let is_object = matches!(object, ObjectRef::Object(_));
        let needed = is_object && (self.keep || matches!(part, Part::Spec | Part::Status));
        let exported = match object {
            _ if !needed => Value::Null,
            ObjectRef::Object(id) if !self.keep => cluster.export_outline(id),
            _ => cluster.export(object),
        };
        match part {
            Part::Spec => self.digest.add_text(&spec_text(&exported)),
            Part::Status => self.digest.add_text(&status_text(&exported)),
            Part::Labels | Part::Meta => {}
        }
        if !self.keep {
            return u32::MAX;
        }
        let text = self.shown.changed(object, part, &exported, cluster);
        self.put(text)
    }

    fn text(&mut self, text: String) -> u32 {
        self.digest.add_text(&text);
        self.put(text)
    }

    /// An event: the message of one that stands for several changes with the next of them, all others are as they will be.
    fn event(&mut self, id: EventId, cluster: &Cluster) -> Detail {
        let record = cluster.events.get(id);
        let text = if self.keep && matches!(record.message, EventMessage::Text(_)) {
            Some(cluster.event_message(record)).filter(|text| text.starts_with(COMBINED))
        } else {
            None
        };
        let idx = text.map_or(u32::MAX, |text| self.put(text));
        Detail::Event(id, record.count, idx)
    }

    fn put(&mut self, text: String) -> u32 {
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
            Detail::Labels(_) => (3, 0),
            Detail::Meta(_) => (4, 0),
            Detail::Status(_) => (5, 0),
            Detail::Condition(kind, status, reason, _) => {
                self.digest.add_text(cluster.interner.text(kind));
                self.digest.add_text(cluster.interner.text(reason));
                (6, status.unwrap_or(ConditionStatus::Unknown) as u64)
            }
            Detail::Phase(phase, _) => (7, phase as u64),
            Detail::Waiting(idx, reason) => {
                self.digest.add_text(cluster.interner.text(reason));
                (8, u64::from(idx))
            }
            Detail::Running(idx, ready, _) => (9, u64::from(idx) << 1 | u64::from(ready)),
            Detail::Ended(idx, code, _) => (10, u64::from(idx) << 32 | u64::from(code as u32)),
            Detail::Assumed(node) => (11, u64::from(node.0)),
            Detail::Forgotten(node) => (12, u64::from(node.0)),
            Detail::Bound(node) => (13, u64::from(node.0)),
            Detail::Nominated(node) => (14, node.map_or(u64::MAX, |node| u64::from(node.0))),
            Detail::Taints(_) => (15, 0),
            Detail::Unschedulable(cordoned) => (16, u64::from(cordoned)),
            Detail::Allocatable => (17, 0),
            Detail::Kubelet(health) => (21, u64::from(health == KubeletHealth::Running)),
            Detail::World(_) => (22, 0),
            Detail::Deleting(grace) => (18, u64::from(grace)),
            Detail::Removed => (19, 0),
            Detail::Event(id, count, _) => (20, u64::from(id.0) << 32 | u64::from(count)),
        };
        self.digest.add(code << 56 ^ value);
    }
}

fn health_text(health: KubeletHealth) -> &'static str {
    match health {
        KubeletHealth::Running => "kubelet is in touch again",
        KubeletHealth::Down { .. } => "machine is down",
        KubeletHealth::ShuttingDown { .. } => "machine is shutting down",
        KubeletHealth::Stopped { .. } => "kubelet is down",
        KubeletHealth::Partitioned { .. } => "cut off from the control plane",
    }
}

/// The number of a cause as shown to users, from 1: `#12` for a change, `!3` for a mark; `-` for the scenario itself.
pub(crate) fn cause_text(cause: u32) -> String {
    match cause {
        NO_CAUSE => "-".to_owned(),
        REMARK.. => format!("!{}", u64::from(cause & !REMARK) + 1),
        change => format!("#{}", u64::from(change) + 1),
    }
}

fn container_detail(object: ObjectRef, idx: u16, cluster: &Cluster) -> Detail {
    let ObjectRef::Pod(pod) = object else { return Detail::Meta(u32::MAX) };
    let status = match cluster.note() {
        Some(Note::Container(status)) => Some(status),
        _ => cluster.pod(pod).containers.get(usize::from(idx)).copied(),
    };
    let Some(status) = status else { return Detail::Meta(u32::MAX) };
    match status.state {
        ContainerState::Waiting { reason, .. } => Detail::Waiting(idx, reason),
        ContainerState::Running { .. } => Detail::Running(idx, status.ready, status.restarts),
        ContainerState::Terminated(ended) => Detail::Ended(idx, ended.exit_code, ended.reason),
    }
}

/// What happened in the world: `kubelet restarted`, `slowdown 3`, `container app crashed with exit code 1`.
fn world_text(object: ObjectRef, world: WorldChange, cluster: &Cluster) -> String {
    match (world, object) {
        (WorldChange::KubeletRestarted, _) => "kubelet restarted".to_owned(),
        (WorldChange::Slowdown, ObjectRef::Node(node)) => {
            format!("everything takes {} times as long as usual", cluster.node(node).slowdown)
        }
        (WorldChange::ContainerCrashed { container, exit_code, oom }, ObjectRef::Pod(pod)) => {
            let name = cluster.spec_of(pod).container_names.get(usize::from(container));
            let name = name.map_or("?", |&name| cluster.interner.text(name));
            let cause = if oom { " (out of memory)" } else { "" };
            format!("container {name} crashed with exit code {exit_code}{cause}")
        }
        _ => String::new(),
    }
}

fn taints_text(object: ObjectRef, cluster: &Cluster) -> String {
    match cluster.note() {
        Some(Note::Taints(text)) => cluster.interner.text(text).to_owned(),
        _ => format!("of {}", cluster.name(object)),
    }
}
