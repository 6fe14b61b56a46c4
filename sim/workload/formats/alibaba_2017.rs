//! Alibaba cluster trace 2017: the batch task table.

use super::*;

const CREATED: usize = 0;
const ENDED: usize = 1;
const JOB: usize = 2;
const TASK: usize = 3;
const N: usize = 4;
const STATUS: usize = 5;
const CPU: usize = 6;
const MEMORY: usize = 7;

const COLUMNS: &[Column] = &[
    need("create_timestamp"),
    need("end_timestamp"),
    need("job_id"),
    need("task_id"),
    need("instance_num"),
    need("status"),
    may("plan_cpu"),
    may("plan_mem"),
];

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "alibaba-2017",
    title: "Alibaba cluster trace 2017: batch_task, 12 hours of 1,300 machines",
    columns: "create time, end time (s), job id, task id, number of instances, status, CPUs per instance (cores), memory per instance \
              (0-1 of a machine, taken as 256 GiB); no header. The duration includes waiting: the table has no start time",
    source: "https://github.com/alibaba/clusterdata, cluster-trace-v2017",
    layout: table(Header::Positional, COLUMNS),
    detect: |probe| probe.is_table(8, &[0, 1, 2, 3, 4, 6, 7]) && super::outcome(probe.fields()[5]).is_some(),
    make: || Box::new(BatchTask),
};

struct BatchTask;

impl Format for BatchTask {
    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let fields = record.fields()?;
        let job = fields.some_text(JOB)?;
        let mut arrival = Arrival::new(record.number, format!("{job}/{}", fields.some_text(TASK)?));
        arrival.group = Some(job.to_owned());
        arrival.n = fields.count_or_zero(N)?.max(1);
        arrival.outcome = outcome(fields.text(STATUS));
        arrival.cpu_milli = fields.amount_or_zero(CPU, 1000)?;
        arrival.memory_bytes = fields.amount_or_zero(MEMORY, NORMALISED_MEMORY)?;
        let created = fields.seconds(CREATED)?;
        let over = matches!(arrival.outcome, Some(Outcome::Succeeded | Outcome::Failed | Outcome::Killed));
        if let Some(ended) = fields.seconds_if_any(ENDED)?.filter(|_| over) {
            arrival.duration = Some(fields.span_between(created, ended, ENDED)?);
        }
        timed(created, arrival)
    }
}
