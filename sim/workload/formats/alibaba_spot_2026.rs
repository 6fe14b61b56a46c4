//! Alibaba 2026: high-priority and spot jobs of a GPU cluster.

use super::*;

const NAME: usize = 0;
const ORGANIZATION: usize = 1;
const GPU_MODEL: usize = 2;
const CPU: usize = 3;
const GPU: usize = 4;
const WORKERS: usize = 5;
const SUBMITTED: usize = 6;
const DURATION: usize = 7;
const KIND: usize = 8;

const COLUMNS: &[Column] = &[
    need("job_name"),
    may("organization"),
    may("gpu_model"),
    need("cpu_request"),
    need("gpu_request"),
    need("worker_num"),
    need("submit_time"),
    need("duration"),
    need("job_type"),
];

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "alibaba-spot-2026",
    title: "Alibaba 2026: high-priority and spot GPU jobs",
    columns: "job_name, organization, gpu_model, cpu_request (cores), gpu_request, worker_num, submit_time, duration (s), job_type (HP|Spot; \
              HP has priority 1, Spot 0)",
    source: "https://github.com/alibaba/clusterdata, spot GPU trace 2026",
    layout: table(Header::Named, COLUMNS),
    detect: |probe| probe.has_columns(&["job_name", "gpu_request", "worker_num", "job_type"]),
    make: || Box::new(Spot),
};

struct Spot;

impl Format for Spot {
    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let fields = record.fields()?;
        let mut arrival = Arrival::new(record.number, fields.some_text(NAME)?);
        arrival.group = fields.optional(ORGANIZATION);
        arrival.n = replicas(fields, WORKERS)?;
        arrival.cpu_milli = fields.amount_or_zero(CPU, 1000)?;
        let milli = fields.amount_or_zero(GPU, 1000)?;
        arrival.gpu = match u32::try_from(milli) {
            Ok(share @ 1..1000) => GpuDemand { count: 1, milli_per_gpu: share, models: Vec::new() },
            Ok(milli) if milli % 1000 == 0 => GpuDemand::whole(milli / 1000),
            _ => return Err(fields.bad(GPU, "is neither a share of one GPU nor whole GPUs", "0.5, 1, 2, ...")),
        };
        if arrival.gpu.count > 0 {
            arrival.gpu.models = fields.optional(GPU_MODEL).into_iter().collect();
        }
        arrival.duration = fields.span_if_any(DURATION)?;
        arrival.qos = fields.optional(KIND);
        arrival.priority = Some(i32::from(fields.text(KIND) == "HP"));
        timed(fields.seconds(SUBMITTED)?, arrival)
    }
}
