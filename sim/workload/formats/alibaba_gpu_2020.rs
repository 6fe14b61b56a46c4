//! Alibaba GPU cluster trace 2020 (PAI): the task table.

use super::*;

const JOB: usize = 0;
const TASK: usize = 1;
const N: usize = 2;
const STATUS: usize = 3;
const START: usize = 4;
const END: usize = 5;
const CPU: usize = 6;
const MEMORY: usize = 7;
const GPU: usize = 8;
const GPU_TYPE: usize = 9;

const COLUMNS: &[Column] = &[
    need("job_name"),
    need("task_name"),
    need("inst_num"),
    need("status"),
    need("start_time"),
    need("end_time"),
    need("plan_cpu"),
    need("plan_mem"),
    need("plan_gpu"),
    may("gpu_type"),
];

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "alibaba-gpu-2020",
    title: "Alibaba GPU cluster trace 2020 (PAI): pai_task_table, machine learning tasks of about 1,800 machines",
    columns: "job_name, task_name, inst_num, status, start_time, end_time (s), plan_cpu (600 = 6 cores), plan_mem (GB), plan_gpu \
              (50 = half a GPU), gpu_type; with or without a header. Submission is not in this table: a task arrives at its start_time",
    source: "https://github.com/alibaba/clusterdata, cluster-trace-gpu-v2020 (CC-BY-4.0)",
    layout: table(Header::Either, COLUMNS),
    detect: |probe| {
        probe.has_columns(&["job_name", "task_name", "inst_num", "plan_gpu"])
            || probe.is_table(10, &[2, 4, 5, 6, 7, 8]) && super::outcome(probe.fields()[3]).is_some()
    },
    make: || Box::new(Pai),
};

struct Pai;

impl Format for Pai {
    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let fields = record.fields()?;
        let job = fields.some_text(JOB)?;
        let mut arrival = Arrival::new(record.number, format!("{job}/{}", fields.some_text(TASK)?));
        arrival.group = Some(job.to_owned());
        arrival.n = fields.count_or_zero(N)?.max(1);
        arrival.outcome = outcome(fields.text(STATUS));
        arrival.cpu_milli = fields.amount_or_zero(CPU, 10)?;
        arrival.memory_bytes = fields.amount_or_zero(MEMORY, GIB)?;
        let gpu_milli = fields.amount_or_zero(GPU, 10)?;
        arrival.gpu = shares(gpu_milli).ok_or_else(|| fields.bad(GPU, "is too large", "100 is one GPU"))?;
        if arrival.gpu.count > 0 {
            arrival.gpu.models = fields.optional(GPU_TYPE).into_iter().collect();
        }
        let Some(start) = fields.seconds_if_any(START)?.filter(|&start| start != 0) else {
            return Ok(Err(NO_START));
        };
        if let Some(end) = fields.seconds_if_any(END)?.filter(|&end| end != 0) {
            arrival.duration = Some(fields.span_between(start, end, END)?);
        }
        timed(start, arrival)
    }
}

/// So many thousandths of GPUs, spread evenly over as few GPUs as possible.
fn shares(milli: i64) -> Option<GpuDemand> {
    let count = u32::try_from((milli.checked_add(999)?) / 1000).ok()?;
    let milli_per_gpu = if count == 0 { 0 } else { u32::try_from(milli / i64::from(count)).ok()? };
    Some(GpuDemand { count, milli_per_gpu, models: Vec::new() })
}
