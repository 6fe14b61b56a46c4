//! `timeline.txt` and `timeline.jsonl`: every change with time, object, what became true, and cause.

use rayon::prelude::*;
use serde_json::json;

use super::Run;
use crate::error::Result;
use crate::metrics::{Entry, Mark, Timeline, cause_text};

/// Entries rendered by one task; has no influence on the text.
const BLOCK: usize = 4096;

/// One line per change: `   04:12.5  #17  pod default/web-1  bound to general-3  <- #12`. The number after the arrow is the change
/// that caused this one; `-` stands for the scenario itself. Lines with `--` for a number say what fails: they are no changes.
///
/// # Errors
///
/// None in practice; the signature is that of all exporters.
pub fn timeline_text(run: &Run<'_>) -> Result<Vec<u8>> {
    Ok(render(
        run,
        |number, entry| {
            let object = Timeline::object_text(entry.object, run.cluster);
            let what = run.recorder.timeline.describe(entry, run.cluster);
            format!("{:>12}  #{number}  {object}  {what}  <- {}\n", entry.at, cause_text(entry.cause))
        },
        |mark| format!("{:>12}  --  {}\n", mark.at, mark.text),
    ))
}

/// One JSON object per change: `time_us`, `change`, `cause` (null for the scenario itself), `kind`, `namespace`, `name`, `what`.
///
/// # Errors
///
/// None in practice; the signature is that of all exporters.
pub fn timeline_jsonl(run: &Run<'_>) -> Result<Vec<u8>> {
    Ok(render(
        run,
        |number, entry| {
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
        },
        |mark| format!("{}\n", json!({ "time_us": mark.at.as_micros(), "mark": mark.text })),
    ))
}

fn render(
    run: &Run<'_>,
    line: impl Fn(u64, &Entry) -> String + Sync,
    mark: impl Fn(&Mark) -> String + Sync,
) -> Vec<u8> {
    let (entries, marks) = (run.recorder.timeline.entries(), run.recorder.faults.marks());
    let blocks = entries.par_chunks(BLOCK).enumerate();
    let mut texts: Vec<String> = blocks
        .map(|(block, entries)| {
            let first = (block * BLOCK) as u64 + 1;
            let mut text = String::new();
            let mut next = marks.partition_point(|mark| u64::from(mark.after) + 1 < first);
            for (entry, number) in entries.iter().zip(first..) {
                while let Some(due) = marks.get(next).filter(|mark| u64::from(mark.after) < number) {
                    text.push_str(&mark(due));
                    next += 1;
                }
                text.push_str(&line(number, entry));
            }
            text
        })
        .collect();
    texts.extend(marks.iter().filter(|mark| mark.after as usize >= entries.len()).map(mark));
    texts.concat().into_bytes()
}
