//! Sparrow, Hawk and Eagle: jobs as lists of task durations.

use super::*;

const SUBMITTED: usize = 0;
const TASKS: usize = 1;
const MEAN: usize = 2;

const COLUMNS: &[Column] = &[need("submit time"), need("number of tasks"), need("mean task duration")];

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "sparrow",
    title: "Sparrow, Hawk, Eagle: jobs of many short tasks",
    columns: "submit time (s), number of tasks, mean task duration (s), then each task's duration. Every task has 1 core and the job's mean duration",
    source: "https://github.com/epfl-labos/eagle (Apache-2.0)",
    layout: Layout::Table {
        delimiter: Delimiter::Spaces,
        header: Header::Positional,
        comment: Some('#'),
        columns: COLUMNS,
    },
    detect: |probe| {
        probe.lines.first().is_some_and(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let n_tasks = fields.get(1).and_then(|n| n.parse::<usize>().ok());
            n_tasks.is_some_and(|n| n > 0 && fields.len() == n.saturating_add(3))
                && fields.iter().all(|f| f.parse::<f64>().is_ok())
        })
    },
    make: || Box::new(Jobs),
};

struct Jobs;

impl Format for Jobs {
    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let fields = record.fields()?;
        let mut arrival = Arrival::new(record.number, format!("job-{}", record.number));
        arrival.n = replicas(fields, TASKS)?;
        arrival.cpu_milli = 1000;
        arrival.duration = fields.span_if_any(MEAN)?;
        timed(fields.seconds(SUBMITTED)?, arrival)
    }
}
