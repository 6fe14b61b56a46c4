//! Batsim workloads: jobs that name their profile.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::workload::number;

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "batsim",
    title: "Batsim: a workload of jobs and profiles as JSON",
    columns: "{nb_res, jobs: [{id, subtime, walltime (s), res, profile}], profiles: {name: {type, delay, ...}}}. A job is one replica of 1 core per \
              resource. Durations are known of delays and sequences of delays; those of computations depend on a platform",
    source: "https://batsim.readthedocs.io (format); workloads in oar-team/batsim (LGPL-3.0)",
    layout: Layout::Json { rows: Section::Array(Some("jobs")), before: Some(Section::Members("profiles")) },
    detect: |probe| probe.holds(&["\"jobs\"", "\"subtime\"", "\"profile\""]),
    make: || Box::new(Workload::default()),
};

#[derive(Default)]
struct Workload {
    profiles: BTreeMap<String, Profile>,
}

enum Profile {
    Delay(Span),
    Sequence(Vec<String>, u64),
    Unknown,
}

/// Sequences within sequences are followed so deep.
const MAX_DEPTH: u32 = 8;
/// Profiles that one job may go through.
const MAX_STEPS: u32 = 100_000;

impl Format for Workload {
    fn surveys(&self) -> bool {
        true
    }

    fn survey(&mut self, record: &Record) -> Read<()> {
        if let Body::Member(name, profile) = record.body {
            self.profiles.insert(name.to_owned(), read_profile(profile));
        }
        Ok(())
    }

    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let job = record.json()?;
        let id = match job.get("id") {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err(Bad::new("field `id` is missing").help("a number or a text")),
        };
        let mut arrival = Arrival::new(record.number, id);
        let res = job.get("res").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).filter(|&n| n > 0);
        arrival.n = res.ok_or_else(|| Bad::new("field `res` is not a number of resources").help("at least 1"))?;
        arrival.cpu_milli = 1000;
        let at_us = micros(job, "subtime")?.ok_or_else(|| Bad::new("field `subtime` is missing"))?;
        arrival.time_limit = micros(job, "walltime")?.map(|us| Span::from_micros(us.unsigned_abs()));
        let profile =
            job.get("profile").and_then(Value::as_str).ok_or_else(|| Bad::new("field `profile` is missing"))?;
        if !self.profiles.contains_key(profile) {
            return Err(Bad::new(format!("profile `{profile}` is not among the `profiles`")));
        }
        arrival.duration = self.duration(profile, MAX_DEPTH, &mut { MAX_STEPS });
        arrival.group = Some(profile.to_owned());
        timed(at_us, arrival)
    }
}

impl Workload {
    fn duration(&self, name: &str, depth: u32, steps: &mut u32) -> Option<Span> {
        *steps = steps.checked_sub(1)?;
        match self.profiles.get(name)? {
            Profile::Unknown => None,
            Profile::Delay(span) => Some(*span),
            Profile::Sequence(names, times) => {
                let depth = depth.checked_sub(1)?;
                let mut once = Span::ZERO;
                for name in names {
                    once = once + self.duration(name, depth, steps)?;
                }
                Some(once * *times)
            }
        }
    }
}

fn read_profile(profile: &Value) -> Profile {
    let kind = profile.get("type").and_then(Value::as_str).unwrap_or_default();
    match kind {
        "delay" | "DelayProfile" => match micros(profile, "delay") {
            Ok(Some(us)) => Profile::Delay(Span::from_micros(us.unsigned_abs())),
            _ => Profile::Unknown,
        },
        "composed" | "SequentialCompositionProfile" => {
            let list = ["seq", "profiles"].iter().find_map(|key| profile.get(key)?.as_array());
            let names: Option<Vec<String>> =
                list.and_then(|list| list.iter().map(|name| name.as_str().map(str::to_owned)).collect());
            let times = ["repeat", "nb", "repetition"].iter().find_map(|key| profile.get(key)?.as_u64()).unwrap_or(1);
            names.map_or(Profile::Unknown, |names| Profile::Sequence(names, times))
        }
        _ => Profile::Unknown,
    }
}

/// Microseconds of a number of seconds; -1 means that there is none.
fn micros(value: &Value, key: &str) -> Read<Option<i64>> {
    let bad = || Bad::new(format!("field `{key}` is not a time in seconds")).help("a number, 0 or more");
    let seconds = match value.get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(other) => other.as_f64().ok_or_else(bad)?,
    };
    if seconds == -1.0 {
        return Ok(None);
    }
    number::from_float(seconds, 1_000_000).ok().filter(|&us| us >= 0).map(Some).ok_or_else(bad)
}
