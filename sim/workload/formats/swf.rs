//! The Standard Workload Format (version 2.2) of the Parallel Workloads Archive.

use super::*;

const JOB: usize = 0;
const SUBMITTED: usize = 1;
const RUN_TIME: usize = 3;
const ALLOCATED: usize = 4;
const USED_MEMORY: usize = 6;
const REQUESTED: usize = 7;
const REQUESTED_TIME: usize = 8;
const REQUESTED_MEMORY: usize = 9;
const STATUS: usize = 10;
const USER: usize = 11;
const GROUP: usize = 12;
const QUEUE: usize = 14;
const PRECEDING: usize = 16;

const COLUMNS: &[Column] = &[
    need("job number"),
    need("submit time"),
    need("wait time"),
    need("run time"),
    need("allocated processors"),
    need("average CPU time used"),
    need("used memory"),
    need("requested processors"),
    need("requested time"),
    need("requested memory"),
    need("status"),
    need("user"),
    need("group"),
    need("executable"),
    need("queue"),
    need("partition"),
    need("preceding job"),
    need("think time"),
];

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "swf",
    title: "Standard Workload Format: the logs of the Parallel Workloads Archive",
    columns: "18 fields: job, submit time, wait, run time (s), allocated processors, CPU time, memory (KB per processor), requested processors, \
              requested time, requested memory, status, user, group, executable, queue, partition, preceding job, think time; -1 = \
              unknown, `;` begins a comment. A job is one replica of 1 core per requested (else allocated) processor",
    source: "https://www.cs.huji.ac.il/labs/parallel/workload/ (terms of each log)",
    layout: Layout::Table {
        delimiter: Delimiter::Spaces,
        header: Header::Positional,
        comment: Some(';'),
        columns: COLUMNS,
    },
    detect: |probe| {
        let row = probe.lines.iter().find(|line| !line.trim_start().starts_with(';'));
        row.is_some_and(|row| {
            let fields: Vec<&str> = row.split_ascii_whitespace().collect();
            fields.len() == 18 && fields.iter().all(|field| field.parse::<f64>().is_ok())
        })
    },
    make: || Box::new(Swf),
};

struct Swf;

impl Format for Swf {
    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let fields = record.fields()?;
        let mut arrival = Arrival::new(record.number, fields.some_text(JOB)?);
        let first_known =
            |columns: [usize; 2]| if is_unknown(fields.text(columns[0])) { columns[1] } else { columns[0] };
        let processors = fields.count_or_zero(first_known([REQUESTED, ALLOCATED]))?;
        if processors == 0 {
            return Ok(Err(NotAnArrival("it has no processors")));
        }
        arrival.n = processors;
        arrival.cpu_milli = 1000;
        arrival.memory_bytes = fields.amount_or_zero(first_known([REQUESTED_MEMORY, USED_MEMORY]), 1024)?;
        arrival.duration = fields.span_if_any(RUN_TIME)?;
        arrival.time_limit = fields.span_if_any(REQUESTED_TIME)?;
        let known = |column: usize| Some(fields.text(column)).filter(|text| !is_unknown(text)).map(str::to_owned);
        arrival.user = known(USER);
        arrival.group = known(GROUP);
        arrival.qos = known(QUEUE).map(|queue| format!("queue-{queue}"));
        arrival.outcome = match fields.text(STATUS) {
            "0" => Some(Outcome::Failed),
            "1" => Some(Outcome::Succeeded),
            "5" => Some(Outcome::Killed),
            _ => None,
        };
        arrival.deps = known(PRECEDING).into_iter().collect();
        timed(fields.seconds(SUBMITTED)?, arrival)
    }
}
