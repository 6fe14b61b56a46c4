//! Helios (SenseTime): the job logs of four GPU clusters.

use super::*;

const ID: usize = 0;
const USER: usize = 1;
const VC: usize = 2;
const GPUS: usize = 3;
const CPUS: usize = 4;
const NODES: usize = 5;
const STATE: usize = 6;
const SUBMITTED: usize = 7;
const DURATION: usize = 8;

const COLUMNS: &[Column] = &[
    need("job_id"),
    need("user"),
    need("vc"),
    need("gpu_num"),
    need("cpu_num"),
    need("node_num"),
    need("state"),
    need("submit_time"),
    need("duration"),
];

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "helios",
    title: "Helios: cluster_log of SenseTime's GPU clusters, 3.4 million jobs, 2020",
    columns: "job_id, user, vc, gpu_num, cpu_num, node_num (totals; one replica per node where they divide), state, submit_time (date), \
              start_time, end_time, duration (s), queue",
    source: "https://github.com/S-Lab-System-Group/HeliosData (CC-BY-4.0)",
    layout: table(Header::Named, COLUMNS),
    detect: |probe| probe.has_columns(&["job_id", "vc", "gpu_num", "cpu_num", "node_num", "state", "submit_time"]),
    make: || Box::new(Helios),
};

struct Helios;

impl Format for Helios {
    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let fields = record.fields()?;
        let mut arrival = Arrival::new(record.number, fields.some_text(ID)?);
        arrival.user = fields.optional(USER);
        arrival.group = fields.optional(VC);
        (arrival.n, arrival.cpu_milli, arrival.gpu) = per_node(fields)?;
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
