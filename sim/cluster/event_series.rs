//! Events of events.k8s.io as client-go's broadcaster writes them (client-go, `tools/events/event_broadcaster.go`): an equal event
//! about the same version of an object makes a series, whose count is written at two, then every half hour and at its end.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::ids::{EventId, ObjectRef, Sym};
use super::recorder::{EventMessage, EventRecord, EventType};
use crate::engine::{IdVec, Span, Time};

/// How often ended series are looked for, and how long ago the last event of an ended one is (`finishTime`).
const FINISH: Span = Span::from_secs(6 * 60);
/// How often the counts of series are written (`refreshTime`).
const REFRESH: Span = Span::from_secs(30 * 60);

/// What the broadcaster remembers.
#[derive(Clone, Debug, Default)]
pub(super) struct SeriesCache {
    /// Events that may become a series or are one, by the object that they are about.
    open: FxHashMap<ObjectRef, SmallVec<[Open; 2]>>,
    /// Count and last occurrence as the broadcaster knows them, where they are not written yet.
    unwritten: FxHashMap<EventId, (u32, Time)>,
}

/// An event by what makes another equal to it: its note is not part of that, the version of the object is.
#[derive(Clone, Copy, Debug)]
struct Open {
    event_type: EventType,
    reason: Sym,
    version: u64,
    id: EventId,
}

/// The first tick of the loop that ends series at which one that was last seen at `last` is over.
fn finish_of(last: Time) -> Time {
    (last + FINISH + Span::from_micros(1)).next_tick(Time::ZERO, FINISH)
}

/// The last tick of the loop that writes counts, up to `now`.
fn refresh_before(now: Time) -> Time {
    let period = REFRESH.as_micros();
    Time::from_micros(now.as_micros() / period * period)
}

impl SeriesCache {
    /// Records an event; `None` if it only counts up a series that is written later.
    pub(super) fn record(
        &mut self,
        new: EventRecord,
        version: u64,
        records: &mut IdVec<EventId, EventRecord>,
    ) -> Option<EventId> {
        // A pod is assigned once: nothing can equal that event.
        if matches!(new.message, EventMessage::Assigned(_)) {
            return Some(records.push(new));
        }
        let (now, key) = (new.first, (new.event_type, new.reason, version));
        let mut open = self.open.remove(&new.object).unwrap_or_default();
        open.retain(|open| now < finish_of(self.observed(open.id, &records[open.id])));
        let same = open.iter().find(|open| (open.event_type, open.reason, open.version) == key).map(|open| open.id);
        let written = match same {
            None => {
                let id = records.push(new);
                open.push(Open { event_type: new.event_type, reason: new.reason, version, id });
                Some(id)
            }
            Some(id) if records[id].count == 1 => {
                (records[id].count, records[id].last) = (2, now);
                Some(id)
            }
            Some(id) => {
                let (count, _) = self.unwritten.get(&id).copied().unwrap_or((records[id].count, now));
                (records[id].count, records[id].last) = self.stored(id, &records[id], now);
                self.unwritten.insert(id, (count.saturating_add(1), now));
                None
            }
        };
        self.open.insert(new.object, open);
        written
    }

    /// Forgets that a further event about an object may equal an earlier one: the object is gone.
    pub(super) fn forget(&mut self, object: ObjectRef) {
        self.open.remove(&object);
    }

    /// Count and last occurrence of an event as they are stored at `now`.
    pub(super) fn stored(&self, id: EventId, record: &EventRecord, now: Time) -> (u32, Time) {
        match self.unwritten.get(&id) {
            Some(&(count, last)) if refresh_before(now) >= last || finish_of(last) <= now => (count, last),
            _ => (record.count, record.last),
        }
    }

    /// When an event was last written before `now`.
    pub(super) fn written(&self, id: EventId, record: &EventRecord, now: Time) -> Time {
        if !record.is_series || record.count == 1 {
            return record.last;
        }
        let end = finish_of(self.observed(id, record));
        if end <= now { end } else { refresh_before(now).max(record.last) }
    }

    /// When the broadcaster saw an event last.
    fn observed(&self, id: EventId, record: &EventRecord) -> Time {
        self.unwritten.get(&id).map_or(record.last, |&(_, last)| last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ids::PodId;

    fn at(seconds: u64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    fn event(seconds: u64) -> EventRecord {
        EventRecord {
            object: ObjectRef::Pod(PodId(0)),
            event_type: EventType::Warning,
            reason: Sym::EMPTY,
            message: EventMessage::Text(Sym::EMPTY),
            combined: false,
            source: Sym::EMPTY,
            is_series: true,
            container: Sym::EMPTY,
            first: at(seconds),
            last: at(seconds),
            count: 1,
        }
    }

    #[test]
    fn a_series_is_written_at_two_then_every_half_hour_and_at_its_end() {
        let (mut cache, mut records) = (SeriesCache::default(), IdVec::default());
        let first = cache.record(event(10), 1, &mut records).unwrap();
        assert_eq!(cache.record(event(20), 1, &mut records), Some(first));
        for seconds in [40, 300, 600, 900] {
            assert_eq!(cache.record(event(seconds), 1, &mut records), None, "at {seconds}");
        }
        // (now, count, last occurrence): 900 + 360 < 1440, the tick at which the series is found to have ended.
        for (now, count, last) in [(950, 2, 20), (1439, 2, 20), (1440, 6, 900)] {
            assert_eq!(cache.stored(first, &records[first], at(now)), (count, at(last)), "at {now}");
        }
        assert_ne!(cache.record(event(1500), 1, &mut records), Some(first), "the series has ended");
    }

    #[test]
    fn another_version_of_the_object_is_another_event() {
        let (mut cache, mut records) = (SeriesCache::default(), IdVec::default());
        let first = cache.record(event(10), 1, &mut records);
        assert_ne!(cache.record(event(11), 2, &mut records), first);
        assert_eq!(cache.record(event(12), 1, &mut records), first);
    }

    #[test]
    fn a_long_series_is_refreshed() {
        let (mut cache, mut records) = (SeriesCache::default(), IdVec::default());
        let first = cache.record(event(0), 1, &mut records).unwrap();
        for minute in (5..30).step_by(5) {
            cache.record(event(minute * 60 + 1), 1, &mut records);
        }
        assert_eq!(cache.stored(first, &records[first], at(1790)), (2, at(301)));
        assert_eq!(cache.record(event(1801), 1, &mut records), None);
        // The occurrence at 1801 s is after the tick at 1800 s: it is not part of what that wrote.
        assert_eq!(cache.stored(first, &records[first], at(1810)), (6, at(1501)));
    }
}
