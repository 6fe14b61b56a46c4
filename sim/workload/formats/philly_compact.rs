//! Philly as a compact table, the form in which later studies pass it on.

use super::*;

const TIME: usize = 0;
const DURATION: usize = 1;
const N_GPUS: usize = 2;
const VC: usize = 3;

const COLUMNS: &[Column] = &[need("timestamp"), need("duration"), need("num_gpus"), may("cluster")];

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "philly-compact",
    title: "Philly, compact: one line per job",
    columns: "timestamp (seconds or a date), duration (s), num_gpus, gpu_time, cluster (the virtual cluster)",
    source: "derived from https://github.com/msr-fiddle/philly-traces (CC-BY-4.0), as in the artifact of Sia (SOSP 2023)",
    layout: table(Header::Named, COLUMNS),
    detect: |probe| probe.has_columns(&["timestamp", "duration", "num_gpus"]),
    make: || Box::new(Compact),
};

struct Compact;

impl Format for Compact {
    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let fields = record.fields()?;
        let mut arrival = Arrival::new(record.number, format!("job-{}", record.number));
        (arrival.n, arrival.gpu) = gang(fields.count(N_GPUS)?);
        arrival.duration = fields.span_if_any(DURATION)?;
        arrival.group = fields.optional(VC);
        timed(fields.date(TIME)?, arrival)
    }
}
