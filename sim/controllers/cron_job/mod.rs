//! The CronJob controller (kube-controller-manager v1.36, `cronjob`, version 2).

mod run;
pub mod schedule;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use rustc_hash::FxHashMap;

use super::{Action, Context, Controller, Keys};
use crate::cluster::objects::{ConcurrencyPolicy, CronJob, Job};
use crate::cluster::{Change, Cluster, ControllerKind, EventType, ObjId, ObjectRef, What};
use crate::engine::{Span, Time};
use schedule::Schedule;

/// How long after a scheduled time the controller looks (`nextScheduleDelta`).
const DELTA: Span = Span::from_millis(100);
/// Missed times above which the controller warns.
const TOO_MANY: i64 = 100;

/// Starts Jobs on a schedule.
#[derive(Debug, Default)]
pub struct CronJobController {
    /// Schedule and time zone of each CronJob as they were last seen.
    seen: FxHashMap<ObjId, (String, Option<String>)>,
}

impl Controller for CronJobController {
    fn kind(&self) -> ControllerKind {
        ControllerKind::CronJob
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, keys: &mut Keys<'_>) {
        let ObjectRef::Object(id) = change.object else { return };
        if matches!(change.what, What::Event(_)) {
            return;
        }
        if let Some(this) = cluster.try_get::<CronJob>(id) {
            let known = (this.schedule.clone(), this.time_zone.clone());
            let before = self.seen.insert(id, known.clone());
            match before.filter(|before| *before != known && change.what != What::Removed) {
                // Another schedule is looked at when it comes true next, not now (`updateCronJob`).
                Some(_) => {
                    if let Some(wait) = until_next(id, this, cluster, keys.now()) {
                        keys.add_after(id, wait);
                    }
                }
                None => keys.add(id),
            }
        } else if cluster.try_get::<Job>(id).is_some()
            && let Some(ObjectRef::Object(owner)) = cluster.controller_of(id)
            && cluster.try_get::<CronJob>(owner).is_some()
        {
            match change.what {
                What::Created => keys.add(owner),
                // Also if the key waits already: a change of a new Job is looked at on its own, and told of again.
                _ => keys.add_after(owner, Span::ZERO),
            }
        }
    }

    fn reconcile(&mut self, key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let ObjectRef::Object(id) = key else { return Action::Done };
        if cluster.meta(key).removed {
            self.seen.remove(&id);
            return Action::Done;
        }
        let mut this: CronJob = cluster.get::<CronJob>(id).clone();
        let jobs = run::children(cluster, id);
        run::clean_up(id, &mut this, &jobs, cluster, cx);
        run::reconcile_children(id, &mut this, &jobs, cluster);
        let action = sync(id, &mut this, cluster, cx);
        let status = this.status;
        if cluster.get::<CronJob>(id).status != status {
            cluster.update_status::<CronJob>(id, |this| this.status = status);
            cx.wrote();
        }
        action
    }
}

/// How long it is until the schedule of a CronJob comes true next after what it has missed; none if it never does
/// (`nextScheduleTimeDuration`).
fn until_next(id: ObjId, this: &CronJob, cluster: &Cluster, now: Time) -> Option<Span> {
    let zone = this.time_zone.as_deref().map_or(Ok(TimeZone::UTC), TimeZone::get).ok()?;
    let schedule = Schedule::parse(&this.schedule).ok()?;
    let epoch = cluster.epoch_seconds;
    let now = timestamp(epoch, now);
    let created = timestamp(epoch, cluster.meta(id.into()).created.truncated_to_seconds());
    let last = this.status.last_schedule.map(|at| timestamp(epoch, at));
    let found = missed(&schedule, &zone, created, last, None, now);
    let from = match found.most_recent {
        Some(at) => at,
        None if found.has_missed => now,
        None => found.earliest,
    };
    let us = schedule.next(from, &zone)?.as_microsecond() - now.as_microsecond();
    Some(Span::from_micros(u64::try_from(us).unwrap_or(0)) + DELTA)
}

/// What missed times there are (`mostRecentScheduleTime`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// From when times count.
    pub earliest: Timestamp,
    /// The latest time that has come.
    pub most_recent: Option<Timestamp>,
    /// Whether at least two times have come.
    pub has_missed: bool,
    /// Whether there are suspiciously many.
    pub too_many: bool,
    /// Whether the schedule never comes true.
    pub never: bool,
}

/// The latest time of a schedule between the last run (or the creation) and now; not before the starting deadline.
pub fn missed(
    schedule: &Schedule,
    zone: &TimeZone,
    created: Timestamp,
    last: Option<Timestamp>,
    deadline_seconds: Option<i64>,
    now: Timestamp,
) -> Missed {
    let mut earliest = last.unwrap_or(created);
    if let Some(seconds) = deadline_seconds
        && let Ok(bound) = Timestamp::from_second(now.as_second().saturating_sub(seconds))
    {
        earliest = earliest.max(bound);
    }
    let none = Missed { earliest, most_recent: None, has_missed: false, too_many: false, never: false };
    let Some(first) = schedule.next(earliest, zone) else { return Missed { never: true, ..none } };
    if first > now {
        return none;
    }
    let Some(second) = schedule.next(first, zone).filter(|&second| second <= now) else {
        return Missed { most_recent: Some(first), ..none };
    };
    let period = (second.as_second() - first.as_second()).max(1);
    let n_missed = (now.as_second() - first.as_second()) / period + 1;
    // Walk from the time before the last one by that period, whatever the schedule: so `@every` keeps its rhythm, and a schedule
    // without a rhythm may be found to have missed nothing.
    let near = Timestamp::from_second(first.as_second() + (n_missed - 2) * period).unwrap_or(first);
    let (mut most_recent, mut at) = (None, near);
    while let Some(next) = schedule.next(at, zone).filter(|&next| next <= now) {
        (most_recent, at) = (Some(next), next);
    }
    Missed { most_recent, has_missed: true, too_many: n_missed > TOO_MANY, ..none }
}

/// Starts what is due (`syncCronJob`), and says when to look again.
fn sync(id: ObjId, this: &mut CronJob, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
    if cluster.meta(id.into()).is_deleting() {
        return Action::Done;
    }
    let Some((schedule, zone)) = read(id, this, cluster) else { return Action::Done };
    let epoch = cluster.epoch_seconds;
    let now = timestamp(epoch, cx.now());
    let created = timestamp(epoch, cluster.meta(id.into()).created.truncated_to_seconds());
    let last = this.status.last_schedule.map(|at| timestamp(epoch, at));
    let found = missed(&schedule, &zone, created, last, this.starting_deadline_seconds, now);
    if found.never {
        let why = "time difference between two schedules is less than 1 second";
        return warn(id, "InvalidSchedule", &format!("invalid schedule: {} : {why}", this.schedule), cluster);
    }
    let Some(scheduled) = found.most_recent else { return again(id, this, cluster, cx) };
    if found.too_many {
        let message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
        warn(id, "TooManyMissedTimes", message, cluster);
    }
    let name = format!("{}-{}", cluster.name(id), scheduled.as_second() / 60);
    let known = this.status.active.iter().any(|job| job.name == name);
    if known || last == Some(scheduled) {
        return again(id, this, cluster, cx);
    }
    match this.concurrency {
        ConcurrencyPolicy::Forbid if !this.status.active.is_empty() => {
            let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
            let source = cluster.words.cronjob_controller;
            cluster.record_event(id, EventType::Normal, "JobAlreadyActive", message, source);
            return again(id, this, cluster, cx);
        }
        ConcurrencyPolicy::Replace => {
            for job in this.status.active.clone() {
                run::delete_job(id, job.job, this, cluster, cx);
            }
        }
        _ => {}
    }
    match run::start_job(id, this, &name, scheduled, &zone, cluster, cx) {
        Ok(true) => again(id, this, cluster, cx),
        Ok(false) => Action::Done,
        Err(error) => Action::Failed(error),
    }
}

/// The schedule and its time zone; none if the CronJob is suspended, or with an event if one of them cannot be read.
fn read(id: ObjId, this: &CronJob, cluster: &mut Cluster) -> Option<(Schedule, TimeZone)> {
    let Ok(zone) = this.time_zone.as_deref().map_or(Ok(TimeZone::UTC), TimeZone::get) else {
        let name = this.time_zone.as_deref().unwrap_or_default();
        warn(id, "UnknownTimeZone", &format!("invalid timeZone: {name:?}: unknown time zone {name}"), cluster);
        return None;
    };
    if this.suspend {
        return None;
    }
    match Schedule::parse(&this.schedule) {
        Ok(schedule) => Some((schedule, zone)),
        Err(error) => {
            let message = format!("unparseable schedule: {:?} : {error}", this.schedule);
            warn(id, "UnparseableSchedule", &message, cluster);
            None
        }
    }
}

/// Looks again when the schedule comes true next.
fn again(id: ObjId, this: &CronJob, cluster: &Cluster, cx: &Context<'_>) -> Action {
    until_next(id, this, cluster, cx.now()).map_or(Action::Done, Action::RequeueAfter)
}

fn warn(id: ObjId, reason: &str, message: &str, cluster: &mut Cluster) -> Action {
    let source = cluster.words.cronjob_controller;
    cluster.record_event(id, EventType::Warning, reason, message, source);
    Action::Done
}

/// An instant of the run as a date.
fn timestamp(epoch_seconds: i64, at: Time) -> Timestamp {
    let us = epoch_seconds.saturating_mul(1_000_000).saturating_add(i64::try_from(at.as_micros()).unwrap_or(i64::MAX));
    Timestamp::from_microsecond(us).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_missed_time_is_found() {
        let at = |text: &str| -> Timestamp { format!("2026-01-05T{text}Z").parse().expect("an instant") };
        for (schedule, last, now, expected, too_many, why) in [
            ("*/5 * * * *", "10:00:00", "10:04:59", None, false, "not yet"),
            ("*/5 * * * *", "10:00:00", "10:05:00", Some("10:05:00"), false, "just now"),
            ("*/5 * * * *", "10:00:00", "10:23:00", Some("10:20:00"), false, "the latest of four"),
            ("@every 7m", "10:00:00", "10:23:00", Some("10:21:00"), false, "in the rhythm of the first"),
            ("0 6,7,22 * * *", "00:00:00", "23:00:00", None, false, "missed, and not found: without a rhythm"),
            ("* * * * *", "10:00:00", "11:40:30", Some("11:40:00"), false, "a hundred"),
            ("* * * * *", "10:00:00", "11:41:30", Some("11:41:00"), true, "a hundred and one"),
        ] {
            let parsed = Schedule::parse(schedule).expect("a schedule");
            let found = missed(&parsed, &TimeZone::UTC, at("00:00:00"), Some(at(last)), None, at(now));
            assert_eq!((found.most_recent, found.too_many), (expected.map(at), too_many), "{why}");
        }
        let never = Schedule::parse("0 0 31 2 *").expect("a schedule");
        assert!(missed(&never, &TimeZone::UTC, at("00:00:00"), None, None, at("10:00:00")).never);
    }
}
