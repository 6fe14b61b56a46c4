//! Kubernetes `Event`s: recorded, counted up and aggregated as client-go's event correlator does
//! (client-go, `tools/record/events_cache.go`).

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::change::{Change, What};
use super::ids::{EventId, NodeId, ObjectRef, Sym};
use super::store::Cluster;
use crate::engine::{Id, IdVec, Span, Time};

/// `type` of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// `Normal`.
    Normal,
    /// `Warning`.
    Warning,
}

/// The message of an event; frequent shapes are kept without their text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventMessage {
    /// As it stands.
    Text(Sym),
    /// `Successfully assigned <namespace>/<pod> to <node>`.
    Assigned(NodeId),
}

/// A recorded event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// The object it is about.
    pub object: ObjectRef,
    /// `type`.
    pub event_type: EventType,
    /// `reason`.
    pub reason: Sym,
    /// `message`.
    pub message: EventMessage,
    /// Whether the message stands for several similar ones: it is shown with the prefix `(combined from similar events): `.
    pub combined: bool,
    /// `source.component`.
    pub source: Sym,
    /// The container concerned (`involvedObject.fieldPath`), empty for none.
    pub container: Sym,
    /// `firstTimestamp`.
    pub first: Time,
    /// `lastTimestamp`.
    pub last: Time,
    /// `count`.
    pub count: u32,
}

type Similar = (ObjectRef, Sym, EventType, Sym, Sym);

/// All events of a run, with the correlator's caches.
#[derive(Clone, Debug, Default)]
pub struct EventRecorder {
    records: IdVec<EventId, EventRecord>,
    same: FxHashMap<(Similar, EventMessage), EventId>,
    similar: FxHashMap<Similar, SimilarEvents>,
    spam: FxHashMap<(Sym, ObjectRef), Bucket>,
}

#[derive(Clone, Debug, Default)]
struct SimilarEvents {
    last: Time,
    messages: BTreeSet<EventMessage>,
    combined: Option<EventId>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Time,
}

/// Similar events above which one is kept for all (client-go, `defaultAggregateMaxEvents`).
const MAX_SIMILAR: usize = 10;
/// How long an interval without similar events must be for counting to start again (`defaultAggregateIntervalInSeconds`).
const SIMILAR_INTERVAL: Span = Span::from_secs(600);
/// Events per source and object that may come at once (`defaultSpamBurst`).
const SPAM_BURST: f64 = 25.0;
/// Then one per this time (`defaultSpamQPS` of 1/300).
const SPAM_REFILL: Span = Span::from_secs(300);
/// How long etcd keeps an event (kube-apiserver, `--event-ttl`).
pub const EVENT_TTL: Span = Span::from_secs(3600);

impl EventRecorder {
    /// The event of that id.
    pub fn get(&self, id: EventId) -> &EventRecord {
        &self.records[id]
    }

    /// All events ever recorded, in order of first occurrence.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (EventId, &EventRecord)> {
        self.records.iter()
    }

    /// The events that are still kept at `now`.
    pub fn kept_at(&self, now: Time) -> impl DoubleEndedIterator<Item = (EventId, &EventRecord)> {
        self.records.iter().filter(move |(_, record)| now.since(record.last) < EVENT_TTL)
    }

    /// Number of events ever recorded.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether none was recorded.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Records an event; `None` if the spam filter drops it.
    fn record(&mut self, new: EventRecord) -> Option<EventId> {
        let key = (new.object, new.reason, new.event_type, new.source, new.container);
        let similar = self.similar.entry(key).or_default();
        if new.first.since(similar.last) > SIMILAR_INTERVAL {
            *similar = SimilarEvents::default();
        }
        similar.last = new.first;
        // The scheduler uses the newer events API, which neither aggregates nor drops.
        if similar.messages.len() < MAX_SIMILAR || similar.messages.contains(&new.message) {
            similar.messages.insert(new.message);
        }
        let combine = similar.messages.len() >= MAX_SIMILAR && !self.same.contains_key(&(key, new.message));
        let known = if combine { similar.combined } else { self.same.get(&(key, new.message)).copied() };
        if !self.spam_allows(&new) {
            return None;
        }
        let id = match known {
            Some(id) => {
                let record = &mut self.records[id];
                record.count += 1;
                (record.last, record.message) = (new.last, new.message);
                id
            }
            None => self.records.push(EventRecord { combined: combine, ..new }),
        };
        match combine {
            true => self.similar.entry(key).or_default().combined = Some(id),
            false => _ = self.same.insert((key, new.message), id),
        }
        Some(id)
    }

    fn spam_allows(&mut self, new: &EventRecord) -> bool {
        let bucket = self.spam.entry((new.source, new.object)).or_insert(Bucket { tokens: SPAM_BURST, at: new.first });
        let refill = new.first.since(bucket.at).as_secs_f64() / SPAM_REFILL.as_secs_f64();
        *bucket = Bucket { tokens: (bucket.tokens + refill).min(SPAM_BURST), at: new.first };
        let allowed = bucket.tokens >= 1.0;
        if allowed {
            bucket.tokens -= 1.0;
        }
        allowed
    }
}

impl Cluster {
    /// Records an event about `object` with its message as text.
    pub fn record_event(
        &mut self,
        object: impl Into<ObjectRef>,
        event_type: EventType,
        reason: &str,
        message: &str,
        source: Sym,
    ) {
        let (reason, message) = (self.interner.sym(reason), EventMessage::Text(self.interner.sym(message)));
        self.record(object.into(), event_type, reason, message, source, Sym::EMPTY);
    }

    /// Records an event about a container of a pod.
    pub fn record_container_event(
        &mut self,
        pod: super::ids::PodId,
        container: Sym,
        event_type: EventType,
        reason: &str,
        message: &str,
    ) {
        let (reason, message) = (self.interner.sym(reason), EventMessage::Text(self.interner.sym(message)));
        let source = self.words.kubelet;
        self.record(pod.into(), event_type, reason, message, source, container);
    }

    /// Records an event from interned parts.
    pub fn record(
        &mut self,
        object: ObjectRef,
        event_type: EventType,
        reason: Sym,
        message: EventMessage,
        source: Sym,
        container: Sym,
    ) {
        let (first, last) = (self.now, self.now);
        let new = EventRecord {
            object,
            event_type,
            reason,
            message,
            combined: false,
            source,
            container,
            first,
            last,
            count: 1,
        };
        if let Some(id) = self.events.record(new) {
            self.changes.push(Change { object, what: What::Event(id) });
        }
    }

    /// The message of an event as `kubectl` shows it.
    pub fn event_message(&self, record: &EventRecord) -> String {
        let text = match record.message {
            EventMessage::Text(text) => self.interner.text(text).to_owned(),
            EventMessage::Assigned(node) => {
                let (namespace, name) = (self.namespace(record.object), self.name(record.object));
                format!("Successfully assigned {namespace}/{name} to {}", self.name(node))
            }
        };
        if record.combined { format!("(combined from similar events): {text}") } else { text }
    }

    /// The name of the `Event` object: the object's name and a number in hexadecimal, as client-go makes it.
    pub fn event_name(&self, id: EventId) -> String {
        format!("{}.{:016x}", self.name(self.events.get(id).object), 0x1800_0000_0000_0000u64 + id.index() as u64)
    }
}
