//! Tiresias (NSDI 2019): deep learning jobs of its simulator.

use super::*;

const ID: usize = 0;
const GPUS: usize = 1;
const SUBMITTED: usize = 2;
const MODEL: usize = 3;
const DURATION: usize = 4;

const COLUMNS: &[Column] =
    &[need("job_id"), need("num_gpu"), need("submit_time"), need("model_name"), need("duration")];

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "tiresias",
    title: "Tiresias: deep learning jobs for a simulator",
    columns: "job_id, num_gpu, submit_time (s), iterations, model_name, duration (s), interval",
    source: "https://github.com/SymbioticLab/Tiresias (Apache-2.0)",
    layout: table(Header::Named, COLUMNS),
    detect: |probe| probe.has_columns(&["job_id", "num_gpu", "submit_time", "model_name", "duration"]),
    make: || Box::new(Tiresias),
};

struct Tiresias;

impl Format for Tiresias {
    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let fields = record.fields()?;
        let mut arrival = Arrival::new(record.number, fields.some_text(ID)?);
        arrival.group = fields.optional(MODEL);
        (arrival.n, arrival.gpu) = gang(fields.count(GPUS)?);
        arrival.duration = fields.span_if_any(DURATION)?;
        timed(fields.seconds(SUBMITTED)?, arrival)
    }
}
