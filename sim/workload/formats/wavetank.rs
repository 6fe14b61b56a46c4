//! Our own canonical table: every field of an [`Arrival`], exact.

use super::*;

const NAME: usize = 0;
const GROUP: usize = 1;
const USER: usize = 2;
const SUBMIT: usize = 3;
const DURATION: usize = 4;
const TIME_LIMIT: usize = 5;
const REPLICAS: usize = 6;
const CPU: usize = 7;
const MEMORY: usize = 8;
const GPUS: usize = 9;
const GPU_MILLI: usize = 10;
const GPU_MODELS: usize = 11;
const PRIORITY: usize = 12;
const QOS: usize = 13;
const OUTCOME: usize = 14;
const DEPS: usize = 15;

/// The columns in the order in which they are written.
pub(in crate::workload) const COLUMNS: &[Column] = &[
    need("name"),
    may("group"),
    may("user"),
    need("submit_us"),
    may("duration_us"),
    may("time_limit_us"),
    may("replicas"),
    need("cpu_milli"),
    need("memory_bytes"),
    may("gpus"),
    may("gpu_milli"),
    may("gpu_models"),
    may("priority"),
    may("qos"),
    may("outcome"),
    may("deps"),
];

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "wavetank",
    title: "Wavetank's own table: what `trace convert` and `trace generate` write",
    columns: "name, group, user, submit_us, duration_us, time_limit_us (microseconds), replicas, cpu_milli, memory_bytes (per replica), gpus, \
              gpu_milli (share of each, 1-1000), gpu_models (with |), priority, qos, outcome, deps (names with |)",
    source: "this project",
    layout: table(Header::Named, COLUMNS),
    detect: |probe| probe.has_columns(&["name", "submit_us", "cpu_milli", "memory_bytes"]),
    make: || Box::new(Canonical),
};

struct Canonical;

impl Format for Canonical {
    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let fields = record.fields()?;
        let mut arrival = Arrival::new(record.number, fields.some_text(NAME)?);
        arrival.group = fields.optional(GROUP);
        arrival.user = fields.optional(USER);
        let span = |column: usize| match fields.text(column) {
            "" => Ok(None),
            _ => fields.amount(column, 1).map(|us| Some(Span::from_micros(us.unsigned_abs()))),
        };
        arrival.duration = span(DURATION)?;
        arrival.time_limit = span(TIME_LIMIT)?;
        arrival.n = if fields.text(REPLICAS).is_empty() { 1 } else { replicas(fields, REPLICAS)? };
        arrival.cpu_milli = fields.amount(CPU, 1)?;
        arrival.memory_bytes = fields.amount(MEMORY, 1)?;
        let list =
            |column: usize| fields.text(column).split('|').filter(|item| !item.is_empty()).map(str::to_owned).collect();
        let count = fields.count_or_zero(GPUS)?;
        if count > 0 {
            let milli_per_gpu = if fields.text(GPU_MILLI).is_empty() { 1000 } else { fields.count(GPU_MILLI)? };
            if !(1..=1000).contains(&milli_per_gpu) {
                return Err(fields.bad(GPU_MILLI, "is not a share of a GPU", "1 to 1000"));
            }
            arrival.gpu = GpuDemand { count, milli_per_gpu, models: list(GPU_MODELS) };
        }
        arrival.priority = fields.priority(PRIORITY)?;
        arrival.qos = fields.optional(QOS);
        arrival.outcome =
            match fields.text(OUTCOME) {
                "" => None,
                word => Some(outcome(word).ok_or_else(|| {
                    fields.bad(OUTCOME, "is unknown", "Pending, Running, Succeeded, Failed or Killed")
                })?),
            };
        arrival.deps = list(DEPS);
        timed(fields.amount(SUBMIT, 1)?, arrival)
    }
}
