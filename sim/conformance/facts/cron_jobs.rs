//! `cronjob.*`: single syncs of the real controller at the instants of the table, and the search for missed times.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::lab::{EPOCH, Lab, template};
use super::{Answer, count, flag, members, only, stated};
use crate::cluster::objects::{ActiveJob, CronJob};
use crate::cluster::{EventType, ObjId, ObjectRef, What};
use crate::controllers::cron_job::schedule::Schedule;
use crate::controllers::cron_job::{CronJobController, missed};
use crate::engine::{Span, Time};

/// 10:00 on the first day of a lab.
const HOUR: Time = Time::from_secs(10 * 3600);

pub(super) fn case(rule: &str, case: &Value) -> Answer {
    let (input, out) = (&case["in"], &case["out"]);
    match rule {
        "sync" => {
            sync(input, case["name"].as_str().unwrap_or_default(), case["note"].as_str().unwrap_or_default(), out)
        }
        "missed_times" => missed_times(input, out),
        "misc" => {
            if let Some(text) = input.as_str() {
                changed(text, out)
            } else if input["timeZone"].is_string() {
                faulty_zone(input, out)
            } else if input["tick"].is_string() {
                late(input, out)
            } else {
                history(input, out)
            }
        }
        _ => None,
    }
}

/// `just before hour`, `just after hour + 11 min`, `week after`, `just after the prior hour`, ...
fn instant(text: &str) -> Option<Time> {
    let (words, more) = text.split_once('+').map_or((text, None), |(words, more)| (words, Some(more)));
    let base = match words.trim() {
        "week after" | "week after the hour" => HOUR + Span::from_secs(7 * 86_400),
        "just before the prior hour" => HOUR - Span::from_secs(3_660),
        "just after the prior hour" => HOUR - Span::from_secs(3_540),
        "just before hour" | "just before the hour" => HOUR - Span::from_secs(60),
        // With a fraction of a second the minute is not meant.
        "just after hour" | "just after the hour" if text.contains("ms") => HOUR,
        "just after hour" | "just after the hour" => HOUR + Span::from_secs(60),
        "top of hour" | "top of the hour" | "hour" => HOUR,
        _ => return None,
    };
    let Some(more) = more else { return Some(base) };
    let more = {
        let more = more.trim();
        let number: f64 = more.trim_end_matches(|c: char| c.is_alphabetic() || c == ' ').parse().ok()?;
        let unit = more.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ' ');
        let factor = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "min" | "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        Span::from_secs_f64(number * factor)
    };
    Some(base + more)
}

/// A CronJob that was created at one time and is first seen by its controller at another.
struct Bench {
    lab: Lab,
    cron_job: ObjId,
}

impl Bench {
    fn new(spec: Value, created: Time, now: Time) -> Option<Bench> {
        let mut lab = Lab::new(vec![Box::new(CronJobController::default())]);
        lab.agenda.advance_to(now);
        let mut spec = spec;
        spec["jobTemplate"] = json!({ "spec": { "template": template("job", "v1") } });
        spec["jobTemplate"]["spec"]["template"]["spec"]["restartPolicy"] = "Never".into();
        let manifest = json!({ "kind": "CronJob", "metadata": { "name": "cron" }, "spec": spec });
        lab.cluster.set_now(created);
        let ObjectRef::Object(cron_job) = lab.cluster.create_from(&manifest).ok()? else { return None };
        Some(Bench { lab, cron_job })
    }

    /// A Job of the CronJob: its time names it; it runs, or has the condition.
    fn job(&mut self, at: Time, finished: Option<&str>) -> Option<ObjId> {
        let name = format!("cron-{}", (EPOCH + at.as_secs() as i64) / 60);
        let conditions: Vec<Value> = finished.iter().map(|kind| json!({ "type": kind, "status": "True" })).collect();
        let start = Timestamp::from_second(EPOCH + at.as_secs() as i64).ok()?.to_string();
        let manifest = json!({
            "kind": "Job", "metadata": { "name": name }, "spec": { "template": template("job", "v1") },
            "status": { "startTime": start, "conditions": conditions },
        });
        let cluster = &mut self.lab.cluster;
        let ObjectRef::Object(job) = cluster.create_from(&manifest).ok()? else { return None };
        let reference = cluster.owner_reference(self.cron_job);
        cluster.set_owners(job, [reference]);
        if finished.is_none() {
            let (uid, resource_version) = (cluster.meta(job.into()).uid, cluster.meta(job.into()).resource_version);
            let active = ActiveJob { job, name, namespace: "default".to_owned(), uid, resource_version };
            cluster.update_status::<CronJob>(self.cron_job, |this| this.status.active.push(active));
        }
        Some(job)
    }

    fn last_schedule(&mut self, at: Time) {
        self.lab.cluster.update_status::<CronJob>(self.cron_job, |this| this.status.last_schedule = Some(at));
    }

    /// The controller begins to watch, and does what is to be done at this instant. Returns where in the log that begins.
    fn sync(&mut self) -> usize {
        let now = self.lab.agenda.now();
        self.lab.cluster.set_now(now);
        self.lab.write(|_| ());
        let begin = self.lab.log.len();
        self.lab.drain();
        begin
    }

    fn jobs_with(&self, what: What, from: usize) -> usize {
        let is_job = |object| matches!(object, ObjectRef::Object(id) if self.lab.cluster.object(id).info.kind == "Job");
        self.lab.log[from..].iter().filter(|change| change.what == what && is_job(change.object)).count()
    }

    fn n_warnings(&self) -> usize {
        self.lab.cluster.events.iter().filter(|(_, event)| event.event_type == EventType::Warning).count()
    }
}

fn policy(letter: &Value) -> Option<&'static str> {
    Some(match letter.as_str()? {
        "F" | "Forbid" => "Forbid",
        "R" | "Replace" => "Replace",
        "A" | "Allow" => "Allow",
        _ => return None,
    })
}

/// A member that is a count, or says nothing.
fn counted<'a>(input: &'a Value, key: &str) -> Option<&'a Value> {
    Some(&input[key]).filter(|value| value.is_null() || value.is_u64())
}

/// A member that is a text, or the text that is meant where nothing is said.
fn text_or<'a>(input: &'a Value, key: &str, default: &'a str) -> Option<&'a str> {
    if input[key].is_null() { Some(default) } else { input[key].as_str() }
}

fn sync(input: &Value, name: &str, note: &str, out: &Value) -> Answer {
    let now = instant(input["now"].as_str()?)?;
    const CREATED: &str = "active, created at 10:00, not in job cache";
    let previous = text_or(input, "previous", "none")?;
    if !["none", "finished", "active", CREATED].contains(&previous) {
        return None;
    }
    let deadline = match &input["deadline"] {
        Value::Null => Value::Null,
        Value::String(text) => match text.as_str() {
            "short" => 10.into(),
            "medium" => 7_200.into(),
            "long" => 1_000_000.into(),
            _ => return None,
        },
        seconds => seconds.as_i64()?.into(),
    };
    let spec = json!({
        "schedule": text_or(input, "schedule", "0 * * * ?")?, "timeZone": input["timeZone"],
        "concurrencyPolicy": policy(&input["policy"])?, "startingDeadlineSeconds": deadline,
        "suspend": flag(input, "suspend")?,
    });
    let before = |span| HOUR - Span::from_secs(span);
    let ran = previous != "none";
    let mut bench = Bench::new(spec, before(if ran { 3_660 } else { 60 }), now)?;
    if previous == CREATED {
        bench.job(HOUR, None)?;
        bench.last_schedule(HOUR);
    } else if ran {
        let ended = (previous == "finished").then_some("Complete");
        // Of a clock that was set back the job bears the name of the time to come.
        let drifted = name.contains("drifted") || note.contains("AlreadyExists");
        bench.job(if drifted { HOUR } else { before(3_600) }, ended)?;
        bench.last_schedule(before(3_540));
    }
    let begin = bench.sync();
    let this: &CronJob = bench.lab.cluster.get(bench.cron_job);
    let got = json!({
        "create": bench.jobs_with(What::Created, begin) > 0,
        "delete": bench.jobs_with(What::Removed, begin) + bench.jobs_with(What::Deleting, begin) > 0,
        "active": this.status.active.len(),
        "requeue": bench.lab.agenda.n_pending() > 0,
        "warnings": bench.n_warnings(),
    });
    members(out, &got)
}

/// `T1`, `T1-10m`, `T2+10d`: T1 is 10:00, T2 an hour later.
fn relative(value: &Value) -> Option<Timestamp> {
    let text = value.as_str()?;
    let (base, offset) = text.split_at_checked(2)?;
    let base = match base {
        "T1" => EPOCH + 36_000,
        "T2" => EPOCH + 39_600,
        _ => return None,
    };
    let mut seconds = 0;
    if !offset.is_empty() {
        let number: i64 = offset.trim_end_matches(char::is_alphabetic).parse().ok()?;
        seconds = number.checked_mul(match offset.chars().last()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        })?;
    }
    Timestamp::from_second(base + seconds).ok()
}

fn missed_times(input: &Value, out: &Value) -> Answer {
    let schedule = Schedule::parse(text_or(input, "schedule", "0 * * * *")?).ok()?;
    let (created, now) = (relative(&input["created"])?, relative(&input["now"])?);
    let last = if input["last"].is_null() { None } else { Some(relative(&input["last"])?) };
    let got = missed(&schedule, &TimeZone::UTC, created, last, counted(input, "deadline")?.as_i64(), now);
    let text = out.as_str()?;
    only(
        text,
        "none most recent t m h d s with and start starts no warning warnings too many missed toomanymissedtimes",
    )?;
    let agrees = match text {
        "none" => got.most_recent.is_none(),
        text if text.starts_with("most recent") => {
            let latest =
                got.most_recent.is_some_and(|at| schedule.next(at, &TimeZone::UTC).is_some_and(|next| now < next));
            latest && got.too_many != text.contains("no warning")
        }
        text => got.most_recent == relative(&text.split([' ', ';', ',']).next()?.into()),
    };
    stated(out, agrees, got)
}

/// `one second before the tick`; a second if nothing is said.
fn before_tick(text: &str) -> Option<Span> {
    const COUNTS: [(&str, u64); 5] = [("one", 1), ("two", 2), ("three", 3), ("five", 5), ("ten", 10)];
    let Some((before, _)) = text.split_once(" before the tick") else { return Some(Span::from_secs(1)) };
    let words: Vec<&str> = before.split_whitespace().collect();
    let [.., count, unit] = words.as_slice() else { return None };
    let counted = COUNTS.iter().find(|(word, _)| word == count).map(|(_, count)| *count);
    let count = counted.or(count.parse().ok()).filter(|&count| count <= 600)?;
    Some(Span::from_secs(if unit.starts_with("minute") { count * 60 } else { count }))
}

/// `schedule changed "X" -> "Y" one second before the tick`, or a change that does not concern the schedule.
fn changed(text: &str, out: &Value) -> Answer {
    let quoted: Vec<&str> = text.split('"').skip(1).step_by(2).collect();
    let plain: String = text.split('"').step_by(2).collect();
    only(
        &plain,
        "schedule changed only jobtemplate template one two three five ten second seconds minute minutes before the tick",
    )?;
    let from = quoted.first().copied().unwrap_or("30 * * * *");
    let now = HOUR - before_tick(&plain)?;
    let mut bench = Bench::new(json!({ "schedule": from }), HOUR - Span::from_secs(300), now)?;
    bench.sync();
    let patch = match quoted.get(1) {
        Some(to) => json!({ "spec": { "schedule": to } }),
        None if text.contains("emplate") => {
            json!({ "spec": { "jobTemplate": { "metadata": { "labels": { "a": "b" } } } } })
        }
        None => return None,
    };
    bench.lab.patch(bench.cron_job, &patch)?;
    let soonest = bench.lab.agenda.next_time()?;
    only(out.as_str()?, "enqueue immediately no delay requeue s ms m after in")?;
    if out.as_str()?.starts_with("enqueue immediately") {
        return stated(out, soonest == now, soonest.since(now));
    }
    bench.lab.drain();
    let delay = bench.lab.agenda.next_time()?.since(now);
    // `requeue delay 1s + 100ms`.
    let wanted: f64 = out
        .as_str()?
        .split([' ', '+'])
        .filter_map(|word| {
            let millis = word.strip_suffix("ms").and_then(|number| number.parse::<f64>().ok()).map(|ms| ms / 1_000.0);
            millis.or_else(|| word.strip_suffix('s')?.parse().ok())
        })
        .sum();
    stated(out, (delay.as_secs_f64() - wanted).abs() < 1e-9, delay)
}

fn faulty_zone(input: &Value, out: &Value) -> Answer {
    let spec = json!({ "schedule": "0 * * * *", "timeZone": input["timeZone"] });
    let mut bench = Bench::new(spec, HOUR - Span::from_secs(7_200), HOUR)?;
    let begin = bench.sync();
    let (reasons, created) = (bench.lab.reasons(), bench.jobs_with(What::Created, begin));
    let text = out.as_str()?;
    let warned = reasons.iter().any(|reason| text.contains(reason.as_str()));
    only(text, &format!("warning event nothing scheduled {}", reasons.join(" ").to_lowercase()))?;
    stated(out, warned && created == 0 && bench.lab.agenda.n_pending() == 0, (reasons, created))
}

/// `10:20` of the first day.
fn clock(input: &Value, key: &str) -> Option<Time> {
    let (hour, minute) = input[key].as_str()?.split_once(':')?;
    Some(Time::from_secs(u64::from(hour.parse::<u8>().ok()?) * 3_600 + u64::from(minute.parse::<u8>().ok()?) * 60))
}

/// A run that is still active at its tick ends later than the deadline of the next one.
fn late(input: &Value, out: &Value) -> Answer {
    let (tick, ends) = (clock(input, "tick")?, clock(input, "previous_finishes")?);
    let spec = json!({
        "schedule": "0 * * * *", "startingDeadlineSeconds": counted(input, "deadline")?,
        "concurrencyPolicy": policy(&input["policy"])?,
    });
    count(input, "active", 1).filter(|&active| active == 1)?;
    let mut bench = Bench::new(spec, tick - Span::from_secs(7_200), tick - Span::from_secs(60))?;
    let job = bench.job(tick - Span::from_secs(3_600), None)?;
    bench.last_schedule(tick - Span::from_secs(3_600));
    let begin = bench.sync();
    bench.lab.run_to(ends);
    bench.lab.write(|cluster| {
        let (kind, now) = (cluster.interner.sym("Complete"), cluster.now());
        let (reason, message) = (crate::cluster::Sym::EMPTY, crate::cluster::Sym::EMPTY);
        let status = crate::cluster::ConditionStatus::True;
        let condition = crate::cluster::Condition { kind, status, reason, message, transition: now, update: now };
        cluster.update_status::<crate::cluster::objects::Job>(job, |job| _ = job.status.conditions.set(condition));
    });
    bench.lab.run_to(tick + Span::from_secs(3_599));
    let (early, n_warnings) = (bench.jobs_with(What::Created, begin), bench.n_warnings());
    bench.lab.run_to(tick + Span::from_secs(3_601));
    let later = bench.jobs_with(What::Created, begin);
    let text = out.as_str()?;
    only(text, "skipped silently next run started starts late at when the previous ends one finishes")?;
    let skipped = text.starts_with("skipped");
    // `next run 11:00`: the tick after this one.
    let said = text.split_once("next run ").map(|(_, at)| clock(&json!({ "at": at }), "at"));
    let next = said.is_none_or(|at| at == Some(tick + Span::from_secs(3_600)));
    stated(out, early == usize::from(!skipped) && n_warnings == 0 && later == early + 1 && next, (early, later))
}

fn history(input: &Value, out: &Value) -> Answer {
    let spec = json!({
        "schedule": "0 0 1 1 *", "successfulJobsHistoryLimit": counted(input, "successfulJobsHistoryLimit")?,
        "failedJobsHistoryLimit": counted(input, "failedJobsHistoryLimit")?,
    });
    let mut bench = Bench::new(spec, Time::ZERO, HOUR)?;
    let mut sorts: [Vec<ObjId>; 2] = [Vec::new(), Vec::new()];
    // The newest first, so that the order of creation is not that of the start times.
    for (sort, (key, condition)) in sorts.iter_mut().zip([("finished_ok", "Complete"), ("failed", "Failed")]) {
        for nth in (0..count(input, key, 1_000)?).rev() {
            let offset = nth * 120 + if condition == "Failed" { 60 } else { 0 };
            sort.push(bench.job(Time::from_secs(600 + offset), Some(condition))?);
        }
    }
    bench.sync();
    let is_gone = |job: &&ObjId| bench.lab.cluster.meta((**job).into()).removed;
    let counts = sorts.each_ref().map(|jobs| jobs.iter().filter(is_gone).count());
    let oldest = sorts.iter().zip(counts).all(|(jobs, gone)| jobs.iter().rev().take(gone).all(|job| is_gone(&job)));
    let oldest = if oldest { "oldest startTime first" } else { "another order" };
    members(out, &json!({ "deleted_ok": counts[0], "deleted_failed": counts[1], "order": oldest }))
}
