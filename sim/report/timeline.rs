//! `timeline.txt` and `timeline.jsonl`: every change with time, object, what became true, and cause.

use rayon::prelude::*;
use serde_json::json;

use super::Run;
use crate::error::Result;
use crate::metrics::{Entry, Timeline, cause_text};

/// Entries rendered by one task; has no influence on the text.
const BLOCK: usize = 4096;

/// One line per change: `   04:12.5  #17  pod default/web-1  bound to general-3  <- #12`. The number after the arrow is the change
/// that caused this one; `-` stands for the scenario itself.
///
/// # Errors
///
/// None in practice; the signature is that of all exporters.
pub fn timeline_text(run: &Run<'_>) -> Result<Vec<u8>> {
    Ok(render(run, |number, entry| {
        let object = Timeline::object_text(entry.object, run.cluster);
        let what = run.recorder.timeline.describe(entry, run.cluster);
        format!("{:>12}  #{number}  {object}  {what}  <- {}\n", entry.at, cause_text(entry.cause))
    }))
}

/// One JSON object per change: `time_us`, `change`, `cause` (null for the scenario itself), `kind`, `namespace`, `name`, `what`.
///
/// # Errors
///
/// None in practice; the signature is that of all exporters.
pub fn timeline_jsonl(run: &Run<'_>) -> Result<Vec<u8>> {
    Ok(render(run, |number, entry| {
        let cluster = run.cluster;
        let cause = (entry.cause != crate::cluster::NO_CAUSE).then(|| u64::from(entry.cause) + 1);
        let line = json!({
            "time_us": entry.at.as_micros(),
            "change": number,
            "cause": cause,
            "kind": cluster.kind(entry.object),
            "namespace": cluster.namespace(entry.object),
            "name": cluster.name(entry.object),
            "what": run.recorder.timeline.describe(entry, cluster),
        });
        format!("{line}\n")
    }))
}

fn render(run: &Run<'_>, line: impl Fn(u64, &Entry) -> String + Sync) -> Vec<u8> {
    let blocks = run.recorder.timeline.entries().par_chunks(BLOCK).enumerate();
    let texts: Vec<String> = blocks
        .map(|(block, entries)| {
            let first = (block * BLOCK) as u64 + 1;
            entries.iter().zip(first..).map(|(entry, number)| line(number, entry)).collect()
        })
        .collect();
    texts.concat().into_bytes()
}
