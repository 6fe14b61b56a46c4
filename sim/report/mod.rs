//! A finished run into files: JSON, CSV, timeline, SVG plots, and the summary for the terminal.
//!
//! Every exporter is a pure function from a run to bytes; [`write_report`] alone touches files, and writes each under a temporary
//! name first, so that a run that is killed leaves no half file under a final name.

mod atomic;
pub mod plot;
mod plots;
mod tables;
mod terminal;
mod timeline;

pub use atomic::write_atomically;
pub use plots::{lifecycle_svg, pods_svg, scheduling_latency_svg, startup_latency_svg, utilisation_svg};
pub use tables::{nodes_csv, pods_csv, series_csv, summary_json};
pub use terminal::terminal_summary;
pub use timeline::{Line, timeline_jsonl, timeline_text};

use std::path::{Path, PathBuf};

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::metrics::{Recorder, RunFigures, Summary};

/// What a report is made from.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The cluster at the end.
    pub cluster: &'a Cluster,
    /// What was recorded.
    pub recorder: &'a Recorder,
    /// The summary.
    pub summary: &'a Summary,
    /// How the run itself went.
    pub figures: RunFigures,
}

type Exporter = (&'static str, fn(&Run<'_>) -> Result<Vec<u8>>);

/// The files of a report, in the order in which they are written.
const EXPORTERS: &[Exporter] = &[
    ("summary.json", summary_json),
    ("pods.csv", pods_csv),
    ("nodes.csv", nodes_csv),
    ("series.csv", series_csv),
    ("timeline.txt", timeline_text),
    ("timeline.jsonl", timeline_jsonl),
    ("utilisation.svg", utilisation_svg),
    ("pods.svg", pods_svg),
    ("lifecycle.svg", lifecycle_svg),
    ("scheduling-latency.svg", scheduling_latency_svg),
    ("startup-latency.svg", startup_latency_svg),
];

/// Writes all files of a report into `folder`, which is made if need be. `go_on` is asked before each file: when it says no, the
/// files already begun are finished and the rest is left out. Returns the files written.
///
/// # Errors
///
/// If the folder or a file cannot be written.
pub fn write_report(run: &Run<'_>, folder: &Path, go_on: impl Fn() -> bool) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).map_err(|error| {
        Error::new(format!("cannot make the folder {}: {error}", folder.display())).help("choose another with `--out`")
    })?;
    let mut written = Vec::new();
    for (name, export) in EXPORTERS {
        if !go_on() {
            break;
        }
        let path = folder.join(name);
        write_atomically(&path, &export(run)?)?;
        written.push(path);
    }
    Ok(written)
}
