//! Sia (SOSP 2023) and Pollux (OSDI 2021): elastic training jobs.

use super::*;

const NAME: usize = 0;
const TIME: usize = 1;
const APPLICATION: usize = 2;
const REPLICAS: usize = 3;

const COLUMNS: &[Column] = &[need("name"), need("time"), need("application"), need("num_replicas"), may("batch_size")];

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "sia",
    title: "Sia and Pollux: elastic training jobs",
    columns: "name, time (s), application, num_replicas (one GPU each), batch_size. Durations depend on the goodput models of the papers and \
              are not in the trace",
    source: "https://github.com/siasosp23/artifacts, https://github.com/petuum/adaptdl (Apache-2.0)",
    layout: table(Header::Named, COLUMNS),
    detect: |probe| probe.has_columns(&["name", "time", "application", "num_replicas"]),
    make: || Box::new(Sia),
};

struct Sia;

impl Format for Sia {
    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let fields = record.fields()?;
        let mut arrival = Arrival::new(record.number, fields.some_text(NAME)?);
        arrival.group = fields.optional(APPLICATION);
        arrival.n = fields.count_or_zero(REPLICAS)?.max(1);
        arrival.gpu = GpuDemand::whole(1);
        timed(fields.seconds(TIME)?, arrival)
    }
}
