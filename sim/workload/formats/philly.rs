//! Philly (Microsoft): the job log, a JSON array of jobs with their attempts.

use serde_json::Value;

use super::*;
use crate::workload::time_text;

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "philly",
    title: "Philly: cluster_job_log, 117,325 deep learning jobs of Microsoft's GPU cluster, 2017",
    columns: "a JSON array of {jobid, vc, user, status (Pass|Killed|Failed), submitted_time, attempts: [{start_time, end_time, detail: [{ip, \
              gpus}]}]}. GPUs and machines are those of the first attempt, the duration is the sum of the attempts. CPU and memory are \
              not in the trace",
    source: "https://github.com/msr-fiddle/philly-traces (CC-BY-4.0)",
    layout: Layout::Json { rows: Section::Array(None), before: None },
    detect: |probe| probe.holds(&["\"jobid\"", "\"attempts\""]),
    make: || Box::new(JobLog),
};

struct JobLog;

impl Format for JobLog {
    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let job = record.json()?;
        let text = |key: &str| job.get(key).and_then(Value::as_str);
        let name = text("jobid").ok_or_else(|| Bad::new("field `jobid` is missing"))?;
        let submitted = text("submitted_time").ok_or_else(|| Bad::new("field `submitted_time` is missing"))?;
        if is_unknown(submitted) {
            return Ok(Err(NotAnArrival("it has no time of submission")));
        }
        let at_us = instant("submitted_time", submitted)?;
        let attempts =
            job.get("attempts").and_then(Value::as_array).ok_or_else(|| Bad::new("field `attempts` is missing"))?;
        let Some(first) = attempts.first() else {
            return Ok(Err(NotAnArrival("it never started, so its GPUs are not known")));
        };
        let mut arrival = Arrival::new(record.number, name);
        arrival.group = text("vc").map(str::to_owned);
        arrival.user = text("user").map(str::to_owned);
        arrival.outcome = text("status").and_then(outcome);
        (arrival.n, arrival.gpu) = shape(first);
        arrival.duration = duration(attempts)?;
        timed(at_us, arrival)
    }
}

/// Replicas and GPUs of an attempt: one replica per machine if all have equally many.
fn shape(attempt: &Value) -> (u32, GpuDemand) {
    let machines = attempt.get("detail").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let n_gpus = |machine: &Value| machine.get("gpus").and_then(Value::as_array).map_or(0, Vec::len);
    let per_machine: Vec<usize> = machines.iter().map(n_gpus).collect();
    let total = u32::try_from(per_machine.iter().sum::<usize>()).unwrap_or(u32::MAX);
    match per_machine.first() {
        Some(&n) if per_machine.len() > 1 && per_machine.iter().all(|&other| other == n) => {
            (per_machine.len() as u32, GpuDemand::whole(n as u32))
        }
        _ => gang(total),
    }
}

fn duration(attempts: &[Value]) -> Read<Option<Span>> {
    let mut total = None;
    for attempt in attempts {
        let time = |key: &str| match attempt.get(key).and_then(Value::as_str) {
            Some(text) if !is_unknown(text) => instant(key, text).map(Some),
            _ => Ok(None),
        };
        if let (Some(start), Some(end)) = (time("start_time")?, time("end_time")?) {
            let us = end.checked_sub(start).filter(|&us| us >= 0);
            let us = us.ok_or_else(|| Bad::new("field `end_time` is before `start_time`"))?;
            total = Some(total.unwrap_or(Span::ZERO) + Span::from_micros(us.unsigned_abs()));
        }
    }
    Ok(total)
}

fn instant(key: &str, text: &str) -> Read<i64> {
    time_text::micros(text)
        .ok_or_else(|| Bad::new(format!("field `{key}` is not a time")).help("such as `2017-10-07 01:04:34`"))
}
