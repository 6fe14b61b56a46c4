//! Gavel (OSDI 2020) and Shockwave (NSDI 2023): training jobs, one line with tabs each.

use super::*;

const JOB_TYPE: usize = 0;

/// The longest form; shorter ones leave columns out, see [`places`].
const COLUMNS: &[Column] = &[
    need("job_type"),
    may("command"),
    may("working_directory"),
    may("num_steps_arg"),
    may("needs_data_dir"),
    may("total_steps"),
    may("scale_factor"),
    may("mode"),
    may("priority_weight"),
    may("SLO"),
    may("duration"),
    may("arrival_time"),
];

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "shockwave",
    title: "Gavel and Shockwave: training jobs for a round-based scheduler",
    columns: "12 fields with tabs: job_type, command, working_directory, num_steps_arg, needs_data_dir, total_steps, scale_factor (GPUs), mode, \
              priority_weight, SLO, duration, arrival (s). Gavel's forms with 11 (no duration), 10 (no mode), 9 (no working_directory) \
              and 7 fields (..., total_steps, arrival, scale_factor) are read too",
    source: "https://github.com/uw-mad-dash/shockwave, https://github.com/stanford-futuredata/gavel (MIT)",
    layout: Layout::Table { delimiter: Delimiter::Tab, header: Header::Positional, comment: None, columns: COLUMNS },
    detect: |probe| {
        let Some(first) = probe.lines.first() else { return false };
        places(first.split('\t').count()).is_some_and(|places| {
            let fields: Vec<&str> = first.split('\t').collect();
            [places.arrival, places.gpus].iter().all(|&i| fields[i].trim().parse::<f64>().is_ok())
        })
    },
    make: || Box::new(Jobs),
};

/// Where the fields of a line stand.
struct Places {
    gpus: usize,
    mode: Option<usize>,
    duration: Option<usize>,
    arrival: usize,
}

fn places(n_fields: usize) -> Option<Places> {
    Some(match n_fields {
        12 => Places { gpus: 6, mode: Some(7), duration: Some(10), arrival: 11 },
        11 => Places { gpus: 6, mode: Some(7), duration: None, arrival: 10 },
        10 => Places { gpus: 6, mode: None, duration: None, arrival: 9 },
        9 => Places { gpus: 5, mode: None, duration: None, arrival: 8 },
        7 => Places { gpus: 6, mode: None, duration: None, arrival: 5 },
        _ => return None,
    })
}

struct Jobs;

impl Format for Jobs {
    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let fields = record.fields()?;
        let n = fields.len();
        let places = places(n)
            .ok_or_else(|| Bad::new(format!("the row has {n} fields")).help("12, 11, 10, 9 or 7 fields with tabs"))?;
        let mut arrival = Arrival::new(record.number, format!("job-{}", record.number));
        arrival.group = Some(fields.some_text(JOB_TYPE)?.to_owned());
        arrival.n = replicas(fields, places.gpus)?;
        arrival.gpu = GpuDemand::whole(1);
        arrival.qos = places.mode.and_then(|mode| fields.optional(mode));
        if let Some(duration) = places.duration {
            arrival.duration = fields.span_if_any(duration)?;
        }
        timed(fields.seconds(places.arrival)?, arrival)
    }
}
