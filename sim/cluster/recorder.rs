//! Kubernetes `Event`s: recorded, counted up and aggregated as client-go's event correlator does
//! (client-go, `tools/record/events_cache.go`); those of events.k8s.io go their own way ([`super::event_series`]).

use rustc_hash::FxHashMap;

use super::change::{Change, What};
use super::correlator::Correlator;
use super::event_repeats::{EventRepeat, Repeats};
use super::event_series::SeriesCache;
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
    /// `source.component`, or `reportingController`.
    pub source: Sym,
    /// Whether it was recorded through events.k8s.io: it has a series in place of a count.
    pub is_series: bool,
    /// The container concerned (`involvedObject.fieldPath`), empty for none.
    pub container: Sym,
    /// `firstTimestamp`.
    pub first: Time,
    /// `lastTimestamp`.
    pub last: Time,
    /// `count`.
    pub count: u32,
}

/// All events of a run, with the correlator's caches.
#[derive(Clone, Debug, Default)]
pub struct EventRecorder {
    records: IdVec<EventId, EventRecord>,
    /// What the correlator remembers, by the object that events are about; forgotten with the object.
    correlators: FxHashMap<ObjectRef, Correlator>,
    series: SeriesCache,
    repeats: Repeats,
}

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
        let written = move |id: EventId, record: &EventRecord| match self.repeated_at(id, now) {
            Some((_, last)) => last,
            None => self.series.written(id, record, now),
        };
        self.records.iter().filter(move |&(id, record)| now.since(written(id, record)) < EVENT_TTL)
    }

    /// The event of that id as it is stored at `now`: a series is written down from time to time only, and what is repeated is
    /// counted.
    pub fn stored_at(&self, id: EventId, now: Time) -> EventRecord {
        let (count, last) = self.repeated_at(id, now).unwrap_or_else(|| self.series.stored(id, &self.records[id], now));
        EventRecord { count, last, ..self.records[id] }
    }

    fn repeated_at(&self, id: EventId, now: Time) -> Option<(u32, Time)> {
        let record = &self.records[id];
        self.repeats.seen(id, record, now, self.correlators.get(&record.object))
    }

    /// Number of events ever recorded.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether none was recorded.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Forgets what the correlator remembers of an object that is gone. Its events stay.
    pub(super) fn forget(&mut self, object: ObjectRef, now: Time) {
        self.end_repeats(object, (0, u32::MAX), now);
        self.correlators.remove(&object);
        self.series.forget(object);
    }

    /// From now on an event that has just been recorded comes again.
    pub(super) fn repeat(&mut self, event: EventRecord, repeat: EventRepeat) {
        self.correlators.entry(event.object).or_default().begin(&event, &self.records);
        self.repeats.begin(event, repeat);
    }

    /// Repeated events of an object with these keys come no more after `now`.
    pub(super) fn end_repeats(&mut self, object: ObjectRef, keys: (u32, u32), now: Time) {
        self.settle_repeats(object, now);
        self.repeats.end(object, keys);
    }

    fn settle_repeats(&mut self, object: ObjectRef, now: Time) {
        if self.repeats.any(object) {
            let correlator = self.correlators.entry(object).or_default();
            for (id, count, last) in self.repeats.settle(object, now, correlator) {
                (self.records[id].count, self.records[id].last) = (count, last);
            }
        }
    }

    /// Records an event; `None` if the spam filter drops it. What is dropped is counted all the same: the next one that passes shows it.
    pub(super) fn record(&mut self, new: EventRecord) -> Option<EventId> {
        self.settle_repeats(new.object, new.first);
        let correlator = self.correlators.entry(new.object).or_default();
        if !correlator.begin(&new, &self.records) {
            let id = self.records.push(new);
            correlator.note_first(id);
            return Some(id);
        }
        let (allowed, observed, combined) = correlator.count(&new);
        if !allowed {
            return None;
        }
        match observed.id {
            Some(id) => {
                let record = &mut self.records[id];
                (record.count, record.last, record.message) = (observed.count, new.last, new.message);
                Some(id)
            }
            None => {
                let (count, first) = (observed.count, observed.first);
                let id = self.records.push(EventRecord { combined, count, first, ..new });
                observed.id = Some(id);
                Some(id)
            }
        }
    }

    /// Records an event of events.k8s.io about an object of that version; `None` if nothing is written now.
    fn record_series(&mut self, new: EventRecord, version: u64) -> Option<EventId> {
        self.series.record(new, version, &mut self.records)
    }
}

impl EventRecord {
    /// What the correlator tells similar events by.
    pub(super) fn kind(&self) -> (Sym, EventType, Sym) {
        (self.source, self.event_type, self.reason)
    }

    fn new(
        object: ObjectRef,
        event_type: EventType,
        reason: Sym,
        message: EventMessage,
        source: Sym,
        container: Sym,
        now: Time,
    ) -> EventRecord {
        let (combined, is_series, count) = (false, false, 1);
        EventRecord {
            object,
            event_type,
            reason,
            message,
            combined,
            source,
            is_series,
            container,
            first: now,
            last: now,
            count,
        }
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

    /// Records an event about a container of a pod; whether it has been written.
    pub fn record_container_event(
        &mut self,
        pod: super::ids::PodId,
        container: Sym,
        event_type: EventType,
        reason: &str,
        message: &str,
    ) -> bool {
        let (reason, message) = (self.interner.sym(reason), EventMessage::Text(self.interner.sym(message)));
        let source = self.words.kubelet;
        self.record(pod.into(), event_type, reason, message, source, container)
    }

    /// The event about a container that has just been recorded comes again: each time is counted when somebody looks.
    pub fn repeat_container_event(
        &mut self,
        pod: super::ids::PodId,
        container: Sym,
        event_type: EventType,
        reason: &str,
        message: &str,
        repeat: EventRepeat,
    ) {
        let (reason, message) = (self.interner.sym(reason), EventMessage::Text(self.interner.sym(message)));
        let source = self.words.kubelet;
        let event = EventRecord::new(pod.into(), event_type, reason, message, source, container, self.now);
        self.events.repeat(event, repeat);
    }

    /// The repeated events of an object whose keys lie from `first` to `last` come no more after now.
    pub fn end_event_repeats(&mut self, object: impl Into<ObjectRef>, first: u32, last: u32) {
        self.events.end_repeats(object.into(), (first, last), self.now);
    }

    /// Records an event from interned parts; whether it has been written.
    pub fn record(
        &mut self,
        object: ObjectRef,
        event_type: EventType,
        reason: Sym,
        message: EventMessage,
        source: Sym,
        container: Sym,
    ) -> bool {
        let new = EventRecord::new(object, event_type, reason, message, source, container, self.now);
        let written = self.events.record(new);
        if let Some(id) = written {
            self.changes.push(Change { object, what: What::Event(id) });
        }
        written.is_some()
    }

    /// Records an event through events.k8s.io, as kube-scheduler does (client-go, `tools/events`): neither aggregated nor dropped,
    /// counted up while the object has the same resource version.
    pub fn record_series(
        &mut self,
        object: ObjectRef,
        event_type: EventType,
        reason: Sym,
        message: EventMessage,
        reporting_controller: Sym,
    ) {
        let version = self.meta(object).resource_version;
        let new = EventRecord {
            is_series: true,
            ..EventRecord::new(object, event_type, reason, message, reporting_controller, Sym::EMPTY, self.now)
        };
        if let Some(id) = self.events.record_series(new, version) {
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
