//! The descriptions of jobs and cron jobs.

use serde_json::Value;

use super::common::{controlled_by, labels_and_annotations, name_and_namespace};
use super::events::events;
use super::template::template;
use super::writer::Writer;
use crate::kubectl::age;
use crate::kubectl::labels::selector_text;
use crate::kubectl::look::{at, bool_or_unset, has, int, list, or_none, scalar_or, text};
use crate::kubectl::view::View;

pub(super) fn job(w: &mut Writer, job: &Value, view: &View<'_>) {
    name_and_namespace(w, job);
    w.field(0, "Selector", selector_text(at(job, "spec.selector")).unwrap_or_default());
    labels_and_annotations(w, job);
    controlled_by(w, job);
    let optional = |w: &mut Writer, title: &str, path: &str, unit: &str| {
        if has(job, path) {
            w.field(0, title, format!("{}{unit}", scalar_or(job, path, "")));
        }
    };
    optional(w, "Parallelism", "spec.parallelism", "");
    w.field(0, "Completions", scalar_or(job, "spec.completions", "<unset>"));
    optional(w, "Completion Mode", "spec.completionMode", "");
    optional(w, "Suspend", "spec.suspend", "");
    optional(w, "Backoff Limit", "spec.backoffLimit", "");
    optional(w, "TTL Seconds After Finished", "spec.ttlSecondsAfterFinished", "");
    times(w, job);
    optional(w, "Active Deadline Seconds", "spec.activeDeadlineSeconds", "s");
    let [active, succeeded, failed] = ["active", "succeeded", "failed"].map(|field| int(at(job, "status"), field));
    let ready = match at(job, "status.ready") {
        Value::Null => String::new(),
        ready => format!(" ({ready} Ready)"),
    };
    w.field(0, "Pods Statuses", format!("{active} Active{ready} / {succeeded} Succeeded / {failed} Failed"));
    if text(job, "spec.completionMode") == "Indexed" {
        w.field(0, "Completed Indexes", or_none(&some_indexes(text(job, "status.completedIndexes"))));
    }
    template(w, at(job, "spec.template"));
    events(w, job, view);
}

fn times(w: &mut Writer, job: &Value) {
    let (start, end) = (at(job, "status.startTime"), at(job, "status.completionTime"));
    if !start.is_null() {
        w.field(0, "Start Time", age::date(start));
    }
    if !end.is_null() {
        w.field(0, "Completed At", age::date(end));
    }
    if let (Some(start), Some(end)) = (age::instant(start), age::instant(end)) {
        w.field(0, "Duration", age::human_duration(end.saturating_sub(start)));
    }
}

/// Completed indexes up to the first comma after 50 characters.
fn some_indexes(indexes: &str) -> String {
    match indexes.bytes().skip(50).position(|byte| byte == b',') {
        Some(comma) => format!("{}...", &indexes[..=comma + 50]),
        None => indexes.to_owned(),
    }
}

pub(super) fn cron_job(w: &mut Writer, object: &Value, view: &View<'_>) {
    name_and_namespace(w, object);
    labels_and_annotations(w, object);
    w.field(0, "Schedule", text(object, "spec.schedule"));
    w.field(0, "Concurrency Policy", text(object, "spec.concurrencyPolicy"));
    w.field(0, "Suspend", bool_or_unset(at(object, "spec.suspend")));
    w.field(0, "Time Zone", scalar_or(object, "spec.timeZone", "<unset>"));
    for (title, path) in [
        ("Successful Job History Limit", "spec.successfulJobsHistoryLimit"),
        ("Failed Job History Limit", "spec.failedJobsHistoryLimit"),
    ] {
        w.field(0, title, scalar_or(object, path, "<unset>"));
    }
    match at(object, "spec.startingDeadlineSeconds") {
        Value::Null => w.field(0, "Starting Deadline Seconds", "<unset>"),
        seconds => w.field(0, "Starting Deadline Seconds", format!("{seconds}s")),
    }
    job_template(w, at(object, "spec.jobTemplate.spec"));
    match at(object, "status.lastScheduleTime") {
        Value::Null => w.field(0, "Last Schedule Time", "<unset>"),
        time => w.field(0, "Last Schedule Time", age::date(time)),
    }
    let active: Vec<_> = list(object, "status.active").iter().map(|job| text(job, "name")).collect();
    w.field(0, "Active Jobs", or_none(&active.join(", ")));
    events(w, object, view);
}

fn job_template(w: &mut Writer, spec: &Value) {
    match at(spec, "selector") {
        Value::Null => w.field(0, "Selector", "<unset>"),
        selector => w.field(0, "Selector", selector_text(selector).unwrap_or_default()),
    }
    w.field(0, "Parallelism", scalar_or(spec, "parallelism", "<unset>"));
    w.field(0, "Completions", scalar_or(spec, "completions", "<unset>"));
    if has(spec, "activeDeadlineSeconds") {
        w.field(0, "Active Deadline Seconds", format!("{}s", int(spec, "activeDeadlineSeconds")));
    }
    template(w, at(spec, "template"));
}
