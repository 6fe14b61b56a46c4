//! Google cluster data 2011: task events.

use super::lifecycle::{AGAIN, Lifecycles, OTHER_EVENT, Step};
use super::*;

const TIME: usize = 0;
const JOB: usize = 2;
const TASK: usize = 3;
const EVENT: usize = 5;
const USER: usize = 6;
const CLASS: usize = 7;
const PRIORITY: usize = 8;
const CPU: usize = 9;
const MEMORY: usize = 10;

const COLUMNS: &[Column] = &[
    need("time"),
    need("missing info"),
    need("job ID"),
    need("task index"),
    need("machine ID"),
    need("event type"),
    need("user"),
    need("scheduling class"),
    need("priority"),
    may("CPU request"),
    may("memory request"),
    may("disk space request"),
    may("different machines restriction"),
];

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "google-2011",
    title: "Google cluster data 2011-2: task_events, 29 days of 12,500 machines",
    columns: "time (us), missing info, job ID, task index, machine ID, event type (0 SUBMIT ... 8 UPDATE_RUNNING), user, scheduling class, \
              priority, CPU and memory request (0-1 of the largest machine, taken as 64 cores and 256 GiB), ...; no header. A task arrives \
              at its first SUBMIT and lasts as long as its last run; the file is read twice to know it",
    source: "https://github.com/google/cluster-data, ClusterData2011_2 (CC-BY)",
    layout: table(Header::Positional, COLUMNS),
    detect: |probe| probe.is_table(13, &[0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12]),
    make: || Box::new(TaskEvents::default()),
};

#[derive(Default)]
struct TaskEvents {
    tasks: Lifecycles,
}

impl Format for TaskEvents {
    fn surveys(&self) -> bool {
        true
    }

    fn survey(&mut self, record: &Record) -> Read<()> {
        let fields = record.fields()?;
        self.tasks.note(record.number, task(fields)?, fields.amount(TIME, 1)?, step(fields)?);
        Ok(())
    }

    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let fields = record.fields()?;
        let (key, at_us) = (task(fields)?, fields.amount(TIME, 1)?);
        if step(fields)? != Step::Submit {
            return Ok(Err(OTHER_EVENT));
        }
        let Some((duration, outcome)) = self.tasks.of_submission(record.number, key) else {
            return Ok(Err(AGAIN));
        };
        let mut arrival = Arrival::new(record.number, format!("{}/{}", key.0, key.1));
        arrival.group = Some(key.0.to_string());
        arrival.user = fields.optional(USER);
        (arrival.duration, arrival.outcome) = (duration, Some(outcome));
        arrival.priority = fields.priority(PRIORITY)?;
        arrival.qos = fields.optional(CLASS).map(|class| format!("scheduling-class-{class}"));
        arrival.cpu_milli = fields.amount_or_zero(CPU, NORMALISED_CPU_MILLI)?;
        arrival.memory_bytes = fields.amount_or_zero(MEMORY, NORMALISED_MEMORY)?;
        timed(at_us, arrival)
    }
}

fn task(fields: &Fields) -> Read<(u64, u64)> {
    Ok((fields.amount(JOB, 1)?.unsigned_abs(), fields.amount(TASK, 1)?.unsigned_abs()))
}

fn step(fields: &Fields) -> Read<Step> {
    Ok(match fields.count(EVENT)? {
        0 => Step::Submit,
        1 => Step::Start,
        2 => Step::Evict,
        3 => Step::End(Outcome::Failed),
        4 => Step::End(Outcome::Succeeded),
        5 | 6 => Step::End(Outcome::Killed),
        7 | 8 => Step::Other,
        _ => return Err(fields.bad(EVENT, "is not an event type", "0 SUBMIT to 8 UPDATE_RUNNING")),
    })
}
