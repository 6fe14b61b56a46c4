//! CronJob.

use crate::api::causes::{Causes, Path};
use crate::api::names;
use crate::api::view::{ensure, fill, fill_text, flag, get, has, maybe_int, text};
use serde_json::Value;

use super::job::{default_batch_template, job_spec, non_negative};
use super::metadata::NON_NEGATIVE;
use super::schedule;

/// Fills in a CronJob.
pub(super) fn default(object: &mut Value) {
    let spec = ensure(object, "spec");
    fill_text(spec, "concurrencyPolicy", "Allow");
    fill(spec, "suspend", false);
    fill(spec, "successfulJobsHistoryLimit", 3);
    fill(spec, "failedJobsHistoryLimit", 1);
    default_batch_template(ensure(ensure(spec, "jobTemplate"), "spec"));
}

/// Checks a CronJob.
pub(super) fn validate(object: &Value, old: Option<&Value>, causes: &mut Causes) {
    let path = Path::ROOT.child("spec");
    let spec = get(object, "spec");
    let schedule = text(spec, "schedule");
    if schedule.is_empty() {
        causes.required(&path.child("schedule"), "");
    } else {
        let had_prefix = old.is_some_and(|old| text(get(old, "spec"), "schedule").contains("TZ"));
        cron_schedule(schedule, had_prefix, has(spec, "timeZone"), &path.child("schedule"), causes);
    }
    if let Some(seconds) = maybe_int(spec, "startingDeadlineSeconds")
        && seconds < 0
    {
        causes.invalid(&path.child("startingDeadlineSeconds"), seconds, NON_NEGATIVE);
    }
    if has(spec, "timeZone") {
        let was = old.map(|old| get(get(old, "spec"), "timeZone"));
        if was != Some(get(spec, "timeZone")) {
            time_zone(text(spec, "timeZone"), &path.child("timeZone"), causes);
        }
    }
    match text(spec, "concurrencyPolicy") {
        "" => causes.required(&path.child("concurrencyPolicy"), ""),
        "Allow" | "Forbid" | "Replace" => {}
        other => causes.not_supported(&path.child("concurrencyPolicy"), other, &["Allow", "Forbid", "Replace"]),
    }
    let template = get(spec, "jobTemplate");
    let template_path = path.child("jobTemplate");
    let job = get(template, "spec");
    let job_path = template_path.child("spec");
    if has(job, "selector") {
        causes.invalid(&job_path.child("selector"), get(job, "selector"), "`selector` will be auto-generated");
    }
    if flag(job, "manualSelector") {
        causes.not_supported(&job_path.child("manualSelector"), get(job, "manualSelector"), &["nil", "false"]);
    }
    job_spec(job, &job_path, causes);
    for field in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        non_negative(spec, field, &path, causes);
    }
    let name = text(get(object, "metadata"), "name");
    if old.is_none() && name.len() > 52 {
        causes.invalid(&Path::ROOT.child("metadata.name"), name, names::max_length(52));
    }
}

fn cron_schedule(text: &str, had_prefix: bool, has_zone: bool, path: &Path<'_>, causes: &mut Causes) {
    if let Err(error) = schedule::check(text) {
        causes.invalid(path, text, error);
    }
    if text.contains("TZ") {
        if has_zone {
            causes.invalid(path, text, "cannot use both timeZone field and TZ or CRON_TZ in schedule");
        } else if !had_prefix {
            causes.invalid(path, text, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
        }
    }
}

fn time_zone(zone: &str, path: &Path<'_>, causes: &mut Causes) {
    if zone.is_empty() {
        causes.invalid(path, zone, "timeZone must be nil or non-empty string");
        return;
    }
    if zone.eq_ignore_ascii_case("local") {
        let what = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        causes.invalid(path, zone, what);
    }
    if !schedule::zone_exists(zone) {
        causes.invalid(path, zone, format!("unknown time zone {zone}"));
    }
}
