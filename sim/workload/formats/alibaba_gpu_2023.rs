//! Alibaba GPU cluster trace 2023 ("openb"): pods of a GPU-sharing cluster.

use super::*;

const NAME: usize = 0;
const CPU: usize = 1;
const MEMORY: usize = 2;
const N_GPU: usize = 3;
const GPU_MILLI: usize = 4;
const GPU_SPEC: usize = 5;
const QOS: usize = 6;
const PHASE: usize = 7;
const CREATED: usize = 8;
const DELETED: usize = 9;
const SCHEDULED: usize = 10;

const COLUMNS: &[Column] = &[
    need("name"),
    need("cpu_milli"),
    need("memory_mib"),
    need("num_gpu"),
    need("gpu_milli"),
    may("gpu_spec"),
    may("qos"),
    may("pod_phase"),
    may("creation_time"),
    may("deletion_time"),
    may("scheduled_time"),
];

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "alibaba-gpu-2023",
    title: "Alibaba GPU cluster trace 2023 (openb): pods that share GPUs",
    columns: "name, cpu_milli, memory_mib, num_gpu, gpu_milli (per GPU, above 1000 is 1000), gpu_spec (models with |), qos, pod_phase, \
              creation_time, deletion_time, scheduled_time (s). A pod runs from scheduled_time to deletion_time. Files with the first \
              five columns only (multigpu*) have no times: all arrive at once, in the order of the file",
    source: "https://github.com/alibaba/clusterdata, cluster-trace-gpu-v2023; CSVs also in hkust-adsl/kubernetes-scheduler-simulator (Apache-2.0)",
    layout: table(Header::Named, COLUMNS),
    detect: |probe| probe.has_columns(&["name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli"]),
    make: || Box::new(Openb),
};

struct Openb;

impl Format for Openb {
    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let fields = record.fields()?;
        let mut arrival = Arrival::new(record.number, fields.some_text(NAME)?);
        arrival.cpu_milli = fields.amount(CPU, 1)?;
        arrival.memory_bytes = fields.amount(MEMORY, MIB)?;
        let count = fields.count(N_GPU)?;
        let milli = fields.count_or_zero(GPU_MILLI)?.min(1000);
        if count > 0 {
            if milli == 0 {
                return Err(fields.bad(GPU_MILLI, "is 0 although GPUs are asked for", "1 to 1000"));
            }
            let models = fields.text(GPU_SPEC).split('|').filter(|model| !model.is_empty());
            arrival.gpu = GpuDemand { count, milli_per_gpu: milli, models: models.map(str::to_owned).collect() };
        }
        arrival.qos = fields.optional(QOS);
        arrival.outcome = outcome(fields.text(PHASE));
        let created = fields.seconds_if_any(CREATED)?.unwrap_or(0);
        let started = fields.seconds_if_any(SCHEDULED)?.unwrap_or(created);
        if let Some(deleted) = fields.seconds_if_any(DELETED)? {
            arrival.duration = Some(fields.span_between(started, deleted, DELETED)?);
        }
        timed(created, arrival)
    }
}
