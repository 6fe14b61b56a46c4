//! Acme (Shanghai AI Laboratory): jobs of two clusters that train large language models.

use super::*;

const ID: usize = 0;
const USER: usize = 1;
const NODES: usize = 2;
const GPUS: usize = 3;
const CPUS: usize = 4;
const KIND: usize = 5;
const STATE: usize = 6;
const SUBMITTED: usize = 7;
const DURATION: usize = 8;
const MEMORY: usize = 9;

const COLUMNS: &[Column] = &[
    need("job_id"),
    need("user"),
    need("node_num"),
    need("gpu_num"),
    need("cpu_num"),
    need("type"),
    need("state"),
    need("submit_time"),
    need("duration"),
    may("mem_per_pod_gb"),
];

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "acme",
    title: "Acme: trace_seren and trace_kalos, jobs of two clusters for large language models, 2023",
    columns: "job_id, user, node_num, gpu_num, cpu_num (totals; one replica per node where they divide), type, state, submit_time (date with \
              offset), start_time, end_time, duration (s), queue, gpu_time; Kalos also mem_per_pod_GB",
    source: "https://github.com/InternLM/AcmeTrace (CC-BY-4.0)",
    layout: table(Header::Named, COLUMNS),
    detect: |probe| probe.has_columns(&["job_id", "node_num", "gpu_num", "cpu_num", "type", "state", "submit_time"]),
    make: || Box::new(Acme),
};

struct Acme;

impl Format for Acme {
    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let fields = record.fields()?;
        let mut arrival = Arrival::new(record.number, fields.some_text(ID)?);
        arrival.user = fields.optional(USER);
        arrival.group = fields.optional(KIND);
        (arrival.n, arrival.cpu_milli, arrival.gpu) = per_node(fields)?;
        arrival.memory_bytes = fields.amount_or_zero(MEMORY, GIB)?;
        arrival.outcome = outcome(fields.text(STATE));
        arrival.duration = fields.span_if_any(DURATION)?;
        timed(fields.date(SUBMITTED)?, arrival)
    }
}

/// Replicas, and the shares of CPU and GPUs of each: one replica per node where the totals divide evenly, else one replica.
fn per_node(fields: &Fields) -> Read<(u32, i64, GpuDemand)> {
    let (nodes, gpus) = (fields.count_or_zero(NODES)?.max(1), fields.count_or_zero(GPUS)?);
    let cpu_milli = fields.amount_or_zero(CPUS, 1000)?;
    Ok(match gpus % nodes {
        0 => (nodes, cpu_milli / i64::from(nodes), GpuDemand::whole(gpus / nodes)),
        _ => (1, cpu_milli, GpuDemand::whole(gpus)),
    })
}
