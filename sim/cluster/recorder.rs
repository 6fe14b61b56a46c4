//! Kubernetes `Event`s: recorded, counted up and aggregated as client-go's event correlator does
//! (client-go, `tools/record/events_cache.go`); those of events.k8s.io go their own way ([`super::event_series`]).

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::change::{Change, What};
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
    correlators: FxHashMap<ObjectRef, Box<Correlator>>,
    series: SeriesCache,
}

/// The correlator's caches for one object: few entries, searched in order.
#[derive(Clone, Debug, Default)]
struct Correlator {
    similar: SmallVec<[SimilarEvents; 4]>,
    buckets: SmallVec<[Bucket; 2]>,
}

/// Events that differ in their message alone (client-go, `EventAggregatorByReasonFunc`).
#[derive(Clone, Debug)]
struct SimilarEvents {
    source: Sym,
    event_type: EventType,
    reason: Sym,
    last: Time,
    /// The messages seen since the last long interval, at most [`MAX_SIMILAR`] of them.
    messages: SmallVec<[EventMessage; 1]>,
    /// The events recorded one by one: an equal one is counted up however long ago the last was.
    single: SmallVec<[Observed; 1]>,
    /// The event that stands for all further ones.
    combined: Option<Observed>,
}

/// An event as the correlator counts it: also what the spam filter keeps from being written.
#[derive(Clone, Copy, Debug)]
struct Observed {
    message: EventMessage,
    container: Sym,
    first: Time,
    count: u32,
    /// The event as written; none if the filter has let none through yet.
    id: Option<EventId>,
}

/// What one source may still say of an object: for one reason, as the recordings of v1.36 show (`quota-rollout-stuck`: 25 times
/// FailedCreate and still SuccessfulCreate).
#[derive(Clone, Copy, Debug)]
struct Bucket {
    source: Sym,
    event_type: EventType,
    reason: Sym,
    tokens: f64,
    at: Time,
}

/// Similar events above which one is kept for all (client-go, `defaultAggregateMaxEvents`).
const MAX_SIMILAR: usize = 10;
/// How long an interval without similar events must be for counting to start again (`defaultAggregateIntervalInSeconds`).
const SIMILAR_INTERVAL: Span = Span::from_secs(600);
/// Events per source, object and reason that may come at once (`defaultSpamBurst`).
const SPAM_BURST: f64 = 25.0;
/// Then one per this time (`defaultSpamQPS` of 1/300).
const SPAM_REFILL: Span = Span::from_secs(300);
/// Single events remembered per object and reason: client-go's cache is bounded too, at 4,096 of a whole component.
const MAX_SINGLE: usize = 64;
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
        self.records.iter().filter(move |&(id, record)| now.since(self.series.written(id, record, now)) < EVENT_TTL)
    }

    /// The event of that id as it is stored at `now`: a series is written down from time to time only.
    pub fn stored_at(&self, id: EventId, now: Time) -> EventRecord {
        let (count, last) = self.series.stored(id, &self.records[id], now);
        EventRecord { count, last, ..self.records[id] }
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
    pub(super) fn forget(&mut self, object: ObjectRef) {
        self.correlators.remove(&object);
        self.series.forget(object);
    }

    /// Records an event; `None` if the spam filter drops it. What is dropped is counted all the same: the next one that passes shows it.
    fn record(&mut self, new: EventRecord) -> Option<EventId> {
        let correlator = self.correlators.entry(new.object).or_default();
        let allowed = correlator.allows(&new);
        let (observed, combined) = correlator.similar_to(&new).observe(&new);
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

impl SimilarEvents {
    /// Counts an event: by itself, or, once there are too many messages, with all further ones. Says which.
    fn observe(&mut self, new: &EventRecord) -> (&mut Observed, bool) {
        let is_known = self.messages.contains(&new.message);
        let combine = !is_known && self.messages.len() + 1 >= MAX_SIMILAR;
        let begun = Observed { message: new.message, container: new.container, first: new.first, count: 0, id: None };
        let observed = if combine {
            self.combined.get_or_insert(begun)
        } else {
            if !is_known {
                self.messages.push(new.message);
            }
            let same = |known: &Observed| (known.message, known.container) == (new.message, new.container);
            let place = self.single.iter().position(same).unwrap_or_else(|| {
                if self.single.len() >= MAX_SINGLE {
                    self.single.remove(0);
                }
                self.single.push(begun);
                self.single.len() - 1
            });
            &mut self.single[place]
        };
        observed.count = observed.count.saturating_add(1);
        (observed, combine)
    }
}

impl Correlator {
    /// The similar events of `new`, begun anew after a long interval.
    fn similar_to(&mut self, new: &EventRecord) -> &mut SimilarEvents {
        let key = (new.source, new.event_type, new.reason);
        let place = self.similar.iter().position(|known| (known.source, known.event_type, known.reason) == key);
        let place = place.unwrap_or_else(|| {
            let (source, event_type, reason) = key;
            self.similar.push(SimilarEvents {
                source,
                event_type,
                reason,
                last: new.first,
                messages: SmallVec::new(),
                single: SmallVec::new(),
                combined: None,
            });
            self.similar.len() - 1
        });
        let similar = &mut self.similar[place];
        if new.first.since(similar.last) > SIMILAR_INTERVAL {
            similar.messages.clear();
        }
        similar.last = new.first;
        similar
    }

    /// Takes a token of the source (client-go, `EventSourceObjectSpamFilter`).
    fn allows(&mut self, new: &EventRecord) -> bool {
        let (source, event_type, reason) = (new.source, new.event_type, new.reason);
        let key = (source, event_type, reason);
        let known = self.buckets.iter().position(|known| (known.source, known.event_type, known.reason) == key);
        let place = known.unwrap_or_else(|| {
            self.buckets.push(Bucket { source, event_type, reason, tokens: SPAM_BURST, at: new.first });
            self.buckets.len() - 1
        });
        let bucket = &mut self.buckets[place];
        let refill = new.first.since(bucket.at).as_secs_f64() / SPAM_REFILL.as_secs_f64();
        (bucket.tokens, bucket.at) = ((bucket.tokens + refill).min(SPAM_BURST), new.first);
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
        let new = EventRecord::new(object, event_type, reason, message, source, container, self.now);
        if let Some(id) = self.events.record(new) {
            self.changes.push(Change { object, what: What::Event(id) });
        }
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
