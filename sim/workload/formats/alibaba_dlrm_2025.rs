//! Alibaba 2025: recommendation inference on disaggregated CPU and GPU nodes.

use super::*;

const NAME: usize = 0;
const ROLE: usize = 1;
const APP: usize = 2;
const CPU: usize = 3;
const GPU: usize = 4;
const MEMORY: usize = 5;
const CREATED: usize = 6;
const SCHEDULED: usize = 7;
const DELETED: usize = 8;

const COLUMNS: &[Column] = &[
    need("instance_sn"),
    need("role"),
    need("app_name"),
    need("cpu_request"),
    need("gpu_request"),
    need("memory_request"),
    need("creation_time"),
    may("scheduled_time"),
    need("deletion_time"),
];

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "alibaba-dlrm-2025",
    title: "Alibaba 2025: instances of 156 recommendation services on CPU nodes and GPU nodes",
    columns: "instance_sn, role (CN|HN), app_name, cpu_request (cores), gpu_request, memory_request (GiB), creation_time, scheduled_time, \
              deletion_time (s; empty or NaN = outside the window: such an instance is there from the start or to the end)",
    source: "https://github.com/alibaba/clusterdata, disaggregated DLRM trace 2025",
    layout: table(Header::Named, COLUMNS),
    detect: |probe| probe.has_columns(&["instance_sn", "role", "app_name", "cpu_request", "gpu_request"]),
    make: || Box::new(Dlrm),
};

struct Dlrm;

impl Format for Dlrm {
    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let fields = record.fields()?;
        let mut arrival = Arrival::new(record.number, fields.some_text(NAME)?);
        arrival.group = fields.optional(APP);
        arrival.qos = fields.optional(ROLE);
        arrival.cpu_milli = fields.amount_or_zero(CPU, 1000)?;
        arrival.memory_bytes = fields.amount_or_zero(MEMORY, GIB)?;
        arrival.gpu = GpuDemand::whole(fields.count_or_zero(GPU)?);
        let created = fields.seconds_if_any(CREATED)?.unwrap_or(0);
        let started = fields.seconds_if_any(SCHEDULED)?.unwrap_or(created);
        if let Some(deleted) = fields.seconds_if_any(DELETED)? {
            arrival.duration = Some(fields.span_between(started, deleted, DELETED)?);
        }
        timed(created, arrival)
    }
}
