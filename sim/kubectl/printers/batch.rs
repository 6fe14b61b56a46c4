//! The tables of jobs and cron jobs.

use serde_json::Value;

use super::{Scene, Table, containers, name, table};
use crate::kubectl::age;
use crate::kubectl::labels::format_selector;
use crate::kubectl::look::{at, bool_or_unset, condition, has, int, list, scalar_or, text};

pub(super) const JOB: Table = table(
    &["NAME", "STATUS", "COMPLETIONS", "DURATION", "AGE", "+CONTAINERS", "+IMAGES", "+SELECTOR"],
    |job, scene| {
        let (names, images) = containers(at(job, "spec.template.spec"));
        vec![
            name(job),
            status(job).to_owned(),
            completions(job),
            duration(job, scene),
            scene.age(job),
            names,
            images,
            format_selector(at(job, "spec.selector")),
        ]
    },
);

pub(super) const CRON_JOB: Table = table(
    &[
        "NAME",
        "SCHEDULE",
        "TIMEZONE",
        "SUSPEND",
        "ACTIVE",
        "LAST SCHEDULE",
        "AGE",
        "+CONTAINERS",
        "+IMAGES",
        "+SELECTOR",
    ],
    |object, scene| {
        let last = at(object, "status.lastScheduleTime");
        let (names, images) = containers(at(object, "spec.jobTemplate.spec.template.spec"));
        vec![
            name(object),
            text(object, "spec.schedule").to_owned(),
            scalar_or(object, "spec.timeZone", "<none>"),
            bool_or_unset(at(object, "spec.suspend")).to_owned(),
            list(object, "status.active").len().to_string(),
            if last.is_null() { "<none>".to_owned() } else { age::since(last, scene.now) },
            scene.age(object),
            names,
            images,
            format_selector(at(object, "spec.jobTemplate.spec.selector")),
        ]
    },
);

fn status(job: &Value) -> &'static str {
    let is = |kind: &str| condition(job, kind).is_some_and(|condition| text(condition, "status") == "True");
    match () {
        () if is("Complete") => "Complete",
        () if is("Failed") => "Failed",
        () if has(job, "metadata.deletionTimestamp") => "Terminating",
        () if is("Suspended") => "Suspended",
        () if is("FailureTarget") => "FailureTarget",
        () if is("SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    }
}

fn completions(job: &Value) -> String {
    let succeeded = int(job, "status.succeeded");
    if has(job, "spec.completions") {
        return format!("{succeeded}/{}", int(job, "spec.completions"));
    }
    match int(job, "spec.parallelism") {
        parallelism if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        _ => format!("{succeeded}/1"),
    }
}

fn duration(job: &Value, scene: Scene) -> String {
    let Some(start) = age::instant(at(job, "status.startTime")) else { return String::new() };
    let end = age::instant(at(job, "status.completionTime")).unwrap_or(scene.now);
    age::human_duration(end.saturating_sub(start))
}
