//! What client-go's event correlator remembers of one object: events that it counts up, those it aggregates, and how many it lets
//! through (client-go, `tools/record/events_cache.go`).

use smallvec::SmallVec;

use super::ids::{EventId, Sym};
use super::recorder::{EventMessage, EventRecord, EventType};
use crate::engine::{IdVec, Span, Time};

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
pub(super) struct Observed {
    message: EventMessage,
    container: Sym,
    pub(super) first: Time,
    pub(super) count: u32,
    /// The event as written; none if the filter has let none through yet.
    pub(super) id: Option<EventId>,
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

impl Correlator {
    /// Takes note of the first event of its kind.
    pub(super) fn note_first(&mut self, id: EventId) {
        self.once.push(id);
    }

    /// Counts an event that is being recorded: whether the spam filter lets it through, how it is counted, and whether with others.
    pub(super) fn count(&mut self, new: &EventRecord) -> (bool, &mut Observed, bool) {
        let allowed = self.allows(new);
        let (observed, combined) = self.similar_to(new).observe(new);
        (allowed, observed, combined)
    }

    /// Fills the caches with the one event of this kind that has come before. Returns whether any has.
    pub(super) fn begin(&mut self, new: &EventRecord, records: &IdVec<EventId, EventRecord>) -> bool {
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
