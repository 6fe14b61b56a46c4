//! Omega (EuroSys 2013): the jobs of the simulator's initial cluster state.

use rustc_hash::FxHashMap;

use super::*;

const EVENT: usize = 0;
const TIME: usize = 1;
const JOB: usize = 2;
const PRODUCTION: usize = 3;
const CLASS: usize = 4;
const TASKS: usize = 5;
const CPU: usize = 6;
const MEMORY: usize = 7;

const COLUMNS: &[Column] = &[
    need("event"),
    need("time"),
    need("job id"),
    need("production"),
    need("scheduling class"),
    may("tasks"),
    may("aggregate CPU"),
    may("aggregate memory"),
];

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "omega",
    title: "Omega: initial cluster state of Google's cluster scheduler simulator",
    columns: "`11 time job prod class tasks cpu memory` begins a job (times in s, cpu in cores and memory in bytes over all tasks), `12 time job prod \
              class ...` ends it. The file is read twice to know the ends",
    source: "https://github.com/google/cluster-scheduler-simulator (BSD)",
    layout: Layout::Table {
        delimiter: Delimiter::Spaces,
        header: Header::Positional,
        comment: Some('#'),
        columns: COLUMNS,
    },
    detect: |probe| {
        probe.lines.first().is_some_and(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            matches!(fields[..], ["11", _, _, _, _, _, _, _] | ["12", _, _, _, _, _])
                && fields.iter().all(|field| field.parse::<f64>().is_ok())
        })
    },
    make: || Box::new(InitialState::default()),
};

#[derive(Default)]
struct InitialState {
    /// When each job ends, microseconds.
    ends: FxHashMap<String, i64>,
}

impl Format for InitialState {
    fn surveys(&self) -> bool {
        true
    }

    fn survey(&mut self, record: &Record) -> Read<()> {
        let fields = record.fields()?;
        if fields.text(EVENT) == "12" {
            self.ends.insert(fields.some_text(JOB)?.to_owned(), fields.seconds(TIME)?);
        }
        Ok(())
    }

    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let fields = record.fields()?;
        let at_us = fields.seconds(TIME)?;
        match fields.text(EVENT) {
            "11" => {}
            "12" => return Ok(Err(NotAnArrival("it is the end of a job"))),
            _ => return Err(fields.bad(EVENT, "is not an event", "11 begins a job, 12 ends it")),
        }
        let job = fields.some_text(JOB)?;
        let mut arrival = Arrival::new(record.number, job);
        arrival.n = replicas(fields, TASKS)?;
        arrival.cpu_milli = fields.amount(CPU, 1000)? / i64::from(arrival.n);
        arrival.memory_bytes = fields.amount(MEMORY, 1)? / i64::from(arrival.n);
        arrival.qos = Some(format!("scheduling-class-{}", fields.text(CLASS)));
        arrival.priority = fields.priority(PRODUCTION)?;
        if let Some(&end) = self.ends.get(job) {
            arrival.duration = Some(fields.span_between(at_us, end, TIME)?);
        }
        timed(at_us, arrival)
    }
}
