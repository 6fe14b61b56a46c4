//! Kubernetes `Event`s: recorded, counted up and aggregated as client-go's event correlator does
//! (client-go, `tools/record/events_cache.go`); those of events.k8s.io go their own way ([`super::event_series`]).

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::change::{Change, What};
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

/// What the correlator remembers of one object.
#[derive(Clone, Debug, Default)]
pub(super) struct Correlator {
    /// Events of kinds that have come once: the record says all there is to know, and most pods have no others.
    once: SmallVec<[EventId; 4]>,
    caches: Option<Box<Caches>>,
}

/// The correlator's caches for one object: few entries, searched in order.
#[derive(Clone, Debug, Default)]
struct Caches {
    similar: Vec<SimilarEvents>,
    buckets: Vec<Bucket>,
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
/// Then so many per second (`defaultSpamQPS` of 1/300, which client-go keeps as a `float32`).
const SPAM_QPS: f64 = (1.0 / 300.0) as f32 as f64;
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
            correlator.once.push(id);
            return Some(id);
        }
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

impl SimilarEvents {
    fn kind(&self) -> (Sym, EventType, Sym) {
        (self.source, self.event_type, self.reason)
    }

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
    /// Fills the caches with the one event of this kind that has come before. Returns whether any has.
    fn begin(&mut self, new: &EventRecord, records: &IdVec<EventId, EventRecord>) -> bool {
        match self.once.iter().position(|&id| records[id].kind() == new.kind()) {
            Some(place) => {
                let id = self.once.remove(place);
                self.allows(&records[id]);
                self.similar_to(&records[id]).observe(&records[id]).0.id = Some(id);
                true
            }
            None => self.similar(new.kind()).is_some(),
        }
    }

    fn similar(&self, kind: (Sym, EventType, Sym)) -> Option<usize> {
        self.caches.as_ref()?.similar.iter().position(|known| known.kind() == kind)
    }

    /// Counts an event that has been written before: whether it is written again, to which record, and with which count.
    pub(super) fn note(&mut self, new: &EventRecord) -> (bool, Option<EventId>, u32) {
        let allowed = self.allows(new);
        let (observed, _) = self.similar_to(new).observe(new);
        (allowed, observed.id, observed.count)
    }

    /// Counts `n` events like `new`, the last of them, none of which is written. Returns whether it could: it must be one that is
    /// known and counted by itself.
    pub(super) fn count_unseen(&mut self, new: &EventRecord, n: u64) -> bool {
        let (Some(place), Some(caches)) = (self.similar(new.kind()), &mut self.caches) else { return false };
        let similar = &mut caches.similar[place];
        let same = |known: &&mut Observed| (known.message, known.container) == (new.message, new.container);
        let known = similar.messages.contains(&new.message);
        let Some(observed) = similar.single.iter_mut().find(same).filter(|_| known) else { return false };
        observed.count = u32::try_from(n).map_or(u32::MAX, |n| observed.count.saturating_add(n));
        similar.last = similar.last.max(new.first);
        true
    }

    /// Before when the spam filter lets no event like `new` through; a little earlier than it does, so that nothing is missed.
    pub(super) fn closed_until(&self, new: &EventRecord) -> Time {
        let mut buckets = self.caches.iter().flat_map(|caches| &caches.buckets);
        let bucket = buckets.find(|known| (known.source, known.event_type, known.reason) == new.kind());
        let Some(bucket) = bucket.filter(|bucket| bucket.tokens < 1.0) else { return Time::ZERO };
        let seconds = ((1.0 - bucket.tokens) / SPAM_QPS - 1.0).max(0.0);
        bucket.at + Span::from_secs_f64(seconds)
    }

    /// The similar events of `new`, begun anew after a long interval.
    fn similar_to(&mut self, new: &EventRecord) -> &mut SimilarEvents {
        let key = new.kind();
        let place = self.similar(key);
        let all = &mut self.caches.get_or_insert_default().similar;
        let place = place.unwrap_or_else(|| {
            let (source, event_type, reason) = key;
            all.push(SimilarEvents {
                source,
                event_type,
                reason,
                last: new.first,
                messages: SmallVec::new(),
                single: SmallVec::new(),
                combined: None,
            });
            all.len() - 1
        });
        let similar = &mut all[place];
        if new.first.since(similar.last) > SIMILAR_INTERVAL {
            similar.messages.clear();
        }
        similar.last = new.first;
        similar
    }

    /// Takes a token of the source (client-go, `EventSourceObjectSpamFilter`; golang.org/x/time/rate, `reserveN`: a try that
    /// fails leaves the bucket as it is, and what is missing for less than a nanosecond is there).
    fn allows(&mut self, new: &EventRecord) -> bool {
        let (source, event_type, reason) = (new.source, new.event_type, new.reason);
        let key = (source, event_type, reason);
        let buckets = &mut self.caches.get_or_insert_default().buckets;
        let known = buckets.iter().position(|known| (known.source, known.event_type, known.reason) == key);
        let place = known.unwrap_or_else(|| {
            buckets.push(Bucket { source, event_type, reason, tokens: SPAM_BURST, at: new.first });
            buckets.len() - 1
        });
        let bucket = &mut buckets[place];
        let refill = new.first.since(bucket.at).as_secs_f64() * SPAM_QPS;
        let left = (bucket.tokens + refill).min(SPAM_BURST) - 1.0;
        let allowed = left >= 0.0 || -left / SPAM_QPS * 1e9 < 1.0;
        if allowed {
            (bucket.tokens, bucket.at) = (left, new.first);
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
