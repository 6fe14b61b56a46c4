//! Events that come again at every tick of a clock, such as those of a probe that goes on failing. They are no events of the
//! simulation: whoever reads the record sees count and last occurrence as the correlator has them by then.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::correlator::Correlator;
use super::ids::{EventId, ObjectRef};
use super::recorder::EventRecord;
use crate::engine::{Span, Time};

/// When an event comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRepeat {
    /// Names it among the repeated events of its object.
    pub key: u32,
    /// When it comes next.
    pub next: Time,
    /// From one time to the next; not zero.
    pub period: Span,
    /// Before when it comes for the last time.
    pub until: Time,
}

/// A repeated event that has been recorded once.
#[derive(Clone, Copy, Debug)]
struct Repeated {
    event: EventRecord,
    repeat: EventRepeat,
}

/// Gaps above this begin the aggregator's interval anew, so that such ticks are looked at one by one.
const LONG_PERIOD: Span = Span::from_secs(600);

/// The repeated events of all objects.
#[derive(Clone, Debug, Default)]
pub(super) struct Repeats {
    by_object: FxHashMap<ObjectRef, SmallVec<[Repeated; 1]>>,
}

/// What the correlator writes of an event: its record, count, and last occurrence.
type Written = (EventId, u32, Time);

impl Repeats {
    /// From now on `event`, which has just been recorded, comes again.
    pub(super) fn begin(&mut self, event: EventRecord, repeat: EventRepeat) {
        debug_assert!(!repeat.period.is_zero(), "a repeated event needs a period");
        if repeat.next < repeat.until && !repeat.period.is_zero() {
            self.by_object.entry(event.object).or_default().push(Repeated { event, repeat });
        }
    }

    /// Lets all ticks up to `now` happen. Returns what is written, in order.
    pub(super) fn settle(&mut self, object: ObjectRef, now: Time, correlator: &mut Correlator) -> Vec<Written> {
        let mut written = Vec::new();
        if let Some(repeated) = self.by_object.get_mut(&object) {
            replay(correlator, repeated, now, |record| written.push(record));
            repeated.retain(|one| one.repeat.next < one.repeat.until);
        }
        written
    }

    /// Events with keys from `first` up to `last` come no more.
    pub(super) fn end(&mut self, object: ObjectRef, (first, last): (u32, u32)) {
        if let Some(repeated) = self.by_object.get_mut(&object) {
            repeated.retain(|one| one.repeat.key < first || last < one.repeat.key);
            if repeated.is_empty() {
                self.by_object.remove(&object);
            }
        }
    }

    /// Whether anything about an object is repeated.
    pub(super) fn any(&self, object: ObjectRef) -> bool {
        self.by_object.contains_key(&object)
    }

    /// Count and last occurrence of a record at `now`, if it is one that is repeated.
    pub(super) fn seen(
        &self,
        id: EventId,
        record: &EventRecord,
        now: Time,
        correlator: Option<&Correlator>,
    ) -> Option<(u32, Time)> {
        let repeated = self.by_object.get(&record.object)?;
        let alike = |one: &&Repeated| one.event.kind() == record.kind();
        let mut repeated: SmallVec<[Repeated; 1]> = repeated.iter().filter(alike).copied().collect();
        if record.is_series || repeated.is_empty() {
            return None;
        }
        let (mut correlator, mut found) = (correlator?.clone(), None);
        replay(&mut correlator, &mut repeated, now, |(of, count, last)| {
            if of == id {
                found = Some((count, last));
            }
        });
        found
    }
}

/// Lets the ticks of repeated events of one object happen in their order, up to `now`.
fn replay(correlator: &mut Correlator, repeated: &mut [Repeated], now: Time, mut write: impl FnMut(Written)) {
    let due = |one: &Repeated| one.repeat.next <= now && one.repeat.next < one.repeat.until;
    while let Some(one) = repeated.iter_mut().filter(|one| due(one)).min_by_key(|one| one.repeat.next) {
        let EventRepeat { next, period, until, .. } = one.repeat;
        let event = EventRecord { first: next, last: next, ..one.event };
        // While the spam filter lets nothing through ticks only count.
        let closed = correlator.closed_until(&event).min(until).min(now);
        if next < closed && period <= LONG_PERIOD {
            let n_ticks = closed.since(next).as_micros().div_ceil(period.as_micros());
            let last = next + period * (n_ticks - 1);
            if correlator.count_unseen(&EventRecord { first: last, last, ..event }, n_ticks) {
                one.repeat.next = last + period;
                continue;
            }
        }
        one.repeat.next = next + period;
        if let (true, Some(id), count) = correlator.note(&event) {
            write((id, count, next));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorder::{EventMessage, EventRecorder, EventType};
    use super::*;
    use crate::cluster::ids::{PodId, Sym};

    fn event(at: u64, message: u32) -> EventRecord {
        EventRecord {
            object: ObjectRef::Pod(PodId(0)),
            event_type: EventType::Warning,
            reason: Sym::EMPTY,
            message: EventMessage::Text(Sym(message)),
            combined: false,
            source: Sym::EMPTY,
            is_series: false,
            container: Sym::EMPTY,
            first: Time::from_secs(at),
            last: Time::from_secs(at),
            count: 1,
        }
    }

    /// The same, one by one.
    fn one_by_one(series: &[(u64, u64, u64)], now: u64) -> Vec<(u32, u64)> {
        let mut recorder = EventRecorder::default();
        let ticks = |&(first, period, until): &(u64, u64, u64)| (first..until).step_by(period as usize);
        let mut all: Vec<(u64, usize)> =
            series.iter().enumerate().flat_map(|(idx, one)| ticks(one).map(move |at| (at, idx))).collect();
        all.sort_unstable();
        for (at, idx) in all.into_iter().filter(|&(at, _)| at <= now) {
            recorder.record(event(at, idx as u32));
        }
        recorder.iter().map(|(_, record)| (record.count, record.last.as_secs())).collect()
    }

    fn repeated(series: &[(u64, u64, u64)], looks: &[u64]) -> Vec<(u32, u64)> {
        let mut recorder = EventRecorder::default();
        let mut order: Vec<(usize, &(u64, u64, u64))> = series.iter().enumerate().collect();
        order.sort_by_key(|(idx, one)| (one.0, *idx));
        for (idx, &(first, period, until)) in order {
            let new = event(first, idx as u32);
            recorder.record(new).expect("the first is written");
            let next = Time::from_secs(first + period);
            let period = Span::from_secs(period);
            recorder.repeat(new, EventRepeat { key: idx as u32, next, period, until: Time::from_secs(until) });
        }
        let mut out = Vec::new();
        for &now in looks {
            let ids: Vec<EventId> = recorder.iter().map(|(id, _)| id).collect();
            let at = Time::from_secs(now);
            out = ids.into_iter().map(|id| recorder.stored_at(id, at)).map(|r| (r.count, r.last.as_secs())).collect();
        }
        out
    }

    #[test]
    fn looking_sees_what_recording_one_by_one_writes() {
        type Row<'a> = (&'a [(u64, u64, u64)], u64);
        let rows: [Row<'_>; 7] = [
            (&[(0, 10, 10_000)], 95),
            (&[(0, 10, 10_000)], 9_999),
            (&[(0, 1, 100_000)], 86_400),
            (&[(0, 10, 100)], 5_000),
            (&[(0, 10, 10_000), (3, 7, 10_000)], 3_333),
            (&[(0, 5, 500), (1, 5, 9_000), (2, 60, 9_000)], 8_000),
            (&[(0, 700, 100_000)], 50_000),
        ];
        for (series, now) in rows {
            assert_eq!(repeated(series, &[now]), one_by_one(series, now), "{series:?} at {now}");
            assert_eq!(repeated(series, &[now / 2, now]), one_by_one(series, now), "looking changes nothing");
        }
    }

    #[test]
    fn after_a_burst_one_event_in_five_minutes_is_written() {
        // 25 at once and what has come meanwhile: ticks 0 to 240 take 25 of 25.8 tokens, the next whole one is there at 300.
        let rows = [(0, 1, 0), (100, 11, 100), (240, 25, 240), (299, 25, 240), (300, 31, 300), (599, 31, 300)];
        for (now, count, last) in rows {
            assert_eq!(repeated(&[(0, 10, 1_000_000)], &[now]), [(count, last)], "at {now}");
        }
        assert_eq!(repeated(&[(0, 10, 1_000_000)], &[600]), [(61, 600)]);
    }

    #[test]
    fn what_ends_comes_no_more() {
        let mut recorder = EventRecorder::default();
        let new = event(0, 1);
        let id = recorder.record(new).expect("written");
        let repeat = EventRepeat { key: 4, next: Time::from_secs(10), period: Span::from_secs(10), until: Time::NEVER };
        recorder.repeat(new, repeat);
        recorder.end_repeats(new.object, (4, 4), Time::from_secs(50));
        assert_eq!(recorder.stored_at(id, Time::from_secs(500)).count, 6);
        recorder.record(event(60, 1));
        assert_eq!(recorder.stored_at(id, Time::from_secs(500)).count, 7);
    }
}
