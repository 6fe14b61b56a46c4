//! The CronJob controller (kube-controller-manager v1.36, `cronjob`, version 2).

mod run;
pub mod schedule;

use jiff::Timestamp;
use jiff::tz::TimeZone;

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
pub struct CronJobController;

impl Controller for CronJobController {
    fn kind(&self) -> ControllerKind {
        ControllerKind::CronJob
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, keys: &mut Keys<'_>) {
        let ObjectRef::Object(id) = change.object else { return };
        if matches!(change.what, What::Event(_)) {
            return;
        }
        if cluster.try_get::<CronJob>(id).is_some() {
            keys.add(id);
        } else if cluster.try_get::<Job>(id).is_some()
            && let Some(ObjectRef::Object(owner)) = cluster.controller_of(id)
            && cluster.try_get::<CronJob>(owner).is_some()
        {
            keys.add(owner);
        }
    }

    fn reconcile(&mut self, key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let ObjectRef::Object(id) = key else { return Action::Done };
        if cluster.meta(key).removed {
            return Action::Done;
        }
        let mut this: CronJob = cluster.get::<CronJob>(id).clone();
        run::reconcile_children(id, &mut this, cluster);
        let wait = sync(id, &mut this, cluster, cx);
        run::clean_up(id, &mut this, cluster, cx);
        let status = this.status;
        if cluster.get::<CronJob>(id).status != status {
            cluster.update_status::<CronJob>(id, |this| this.status = status);
            cx.wrote();
        }
        wait.map_or(Action::Done, Action::RequeueAfter)
    }
}

/// What missed times there are (`mostRecentScheduleTime`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// From when times count.
    pub earliest: Timestamp,
    /// The latest time that has come.
    pub most_recent: Option<Timestamp>,
    /// Whether there are suspiciously many.
    pub too_many: bool,
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
    let none = Missed { earliest, most_recent: None, too_many: false };
    let Some(first) = schedule.next(earliest, zone).filter(|&first| first <= now) else { return none };
    let Some(second) = schedule.next(first, zone).filter(|&second| second <= now) else {
        return Missed { most_recent: Some(first), ..none };
    };
    let period = second.as_second() - first.as_second();
    let n_missed = (now.as_second() - earliest.as_second()) / period.max(1) + 1;
    // Walk from two periods before now rather than over all of them; a schedule without such a time is walked in full.
    let near = Timestamp::from_second((now.as_second() - 2 * period).max(first.as_second())).unwrap_or(first);
    let mut at = schedule.next(near, zone).filter(|&at| at <= now).unwrap_or(first);
    while let Some(next) = schedule.next(at, zone).filter(|&next| next <= now) {
        at = next;
    }
    Missed { most_recent: Some(at), too_many: n_missed > TOO_MANY, ..none }
}

/// Starts what is due (`syncCronJob`). Returns when to look again.
fn sync(id: ObjId, this: &mut CronJob, cluster: &mut Cluster, cx: &mut Context<'_>) -> Option<Span> {
    if cluster.meta(id.into()).is_deleting() || this.suspend {
        return None;
    }
    let zone = match this.time_zone.as_deref().map_or(Ok(TimeZone::UTC), TimeZone::get) {
        Ok(zone) => zone,
        Err(_) => {
            let message = format!("invalid timeZone: {:?}", this.time_zone.as_deref().unwrap_or_default());
            return warn(id, "UnknownTimeZone", &message, cluster);
        }
    };
    let schedule = match Schedule::parse(&this.schedule) {
        Ok(schedule) => schedule,
        Err(error) => {
            let message = format!("unparseable schedule: {:?} : {error}", this.schedule);
            return warn(id, "UnparseableSchedule", &message, cluster);
        }
    };
    let epoch = cluster.epoch_seconds;
    let now = timestamp(epoch, cx.now());
    let created = timestamp(epoch, cluster.meta(id.into()).created.truncated_to_seconds());
    let last = this.status.last_schedule.map(|at| timestamp(epoch, at));
    let found = missed(&schedule, &zone, created, last, this.starting_deadline_seconds, now);
    if found.too_many {
        let message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
        warn(id, "TooManyMissedTimes", message, cluster);
    }
    let until = |from: Timestamp| -> Option<Span> {
        let next = schedule.next(from, &zone)?;
        let us = next.as_microsecond() - now.as_microsecond();
        Some(Span::from_micros(u64::try_from(us).unwrap_or(0)) + DELTA)
    };
    let Some(scheduled) = found.most_recent else { return until(found.earliest) };
    let wait = until(scheduled);
    let name = format!("{}-{}", cluster.name(id), scheduled.as_second() / 60);
    let known = this.status.active.iter().any(|job| job.name == name);
    if known || last == Some(scheduled) {
        return wait;
    }
    match this.concurrency {
        ConcurrencyPolicy::Forbid if !this.status.active.is_empty() => {
            let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
            let source = cluster.words.cronjob_controller;
            cluster.record_event(id, EventType::Normal, "JobAlreadyActive", message, source);
            return wait;
        }
        ConcurrencyPolicy::Replace => {
            for job in this.status.active.clone() {
                run::delete_job(id, job.job, this, cluster, cx);
            }
        }
        _ => {}
    }
    run::start_job(id, this, &name, scheduled, &zone, cluster, cx);
    wait
}

fn warn(id: ObjId, reason: &str, message: &str, cluster: &mut Cluster) -> Option<Span> {
    let source = cluster.words.cronjob_controller;
    cluster.record_event(id, EventType::Warning, reason, message, source);
    None
}

/// An instant of the run as a date.
fn timestamp(epoch_seconds: i64, at: Time) -> Timestamp {
    let us = epoch_seconds.saturating_mul(1_000_000).saturating_add(i64::try_from(at.as_micros()).unwrap_or(i64::MAX));
    Timestamp::from_microsecond(us).unwrap_or(Timestamp::MAX)
}
