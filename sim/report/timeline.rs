//! `timeline.txt` and `timeline.jsonl`: every change with time, object, what became true, and cause.

use rayon::prelude::*;
use serde_json::json;

use super::Run;
use crate::cluster::{NO_CAUSE, ObjectRef, REMARK};
use crate::engine::Time;
use crate::error::Result;
use crate::metrics::{Entry, Mark, Recorder, Timeline, cause_text};

/// Entries rendered by one task; has no influence on the text.
const BLOCK: usize = 4096;

/// One line per change: `   04:12.5  #17  pod default/web-1  bound to general-3  <- #12`. The number after the arrow is the change
/// that caused this one; `-` stands for the scenario itself. Lines numbered with `!` are no changes: a step of a user with the answers
/// it got, what fails, who leads. They may be causes too: `<- !3`.
///
/// # Errors
///
/// None in practice; the signature is that of all exporters.
pub fn timeline_text(run: &Run<'_>) -> Result<Vec<u8>> {
    Ok(render(run, |line| line.text(run)))
}

/// One JSON object per change: `time_us`, `change`, `cause` (null for the scenario itself, a text such as `!3` for a mark), `kind`,
/// `namespace`, `name`, `what`; one per mark: `time_us`, `mark`, `cause`, `what`.
///
/// # Errors
///
/// None in practice; the signature is that of all exporters.
pub fn timeline_jsonl(run: &Run<'_>) -> Result<Vec<u8>> {
    Ok(render(run, |line| line.json(run)))
}

/// A line of the timeline.
#[derive(Clone, Copy, Debug)]
pub enum Line<'a> {
    /// A change with its place in the run, from 0.
    Change(u32, &'a Entry),
    /// What is no change.
    Mark(&'a Mark),
}

impl<'a> Line<'a> {
    /// All lines in order.
    pub fn all(run: &Run<'a>) -> impl Iterator<Item = Line<'a>> {
        lines(run.recorder, 0, run.recorder.timeline.entries())
    }

    /// The line of this number, as causes name it: a change from 0, or a mark with [`REMARK`].
    pub fn of_number(number: u32, run: &Run<'a>) -> Option<Line<'a>> {
        if number >= REMARK {
            return run.recorder.faults.marks().iter().find(|mark| mark.number == number).map(Line::Mark);
        }
        run.recorder.timeline.entries().get(number as usize).map(|entry| Line::Change(number, entry))
    }

    /// The line itself, the line that caused it, the cause of that, and so on; the first cause comes first.
    pub fn with_causes(self, run: &Run<'a>) -> Vec<Line<'a>> {
        let mut chain = vec![self];
        let mut number = self.number();
        // A cause comes before what it causes; a remark may be told after the change that it led to.
        while let Some(cause) = chain.last().and_then(|line| Line::of_number(line.cause(), run)) {
            if cause.number() == number || chain.len() > run.recorder.timeline.entries().len() + 1 {
                break;
            }
            number = cause.number();
            chain.push(cause);
        }
        chain.reverse();
        chain
    }

    /// Its number, as causes name it.
    pub fn number(self) -> u32 {
        match self {
            Line::Change(number, _) => number,
            Line::Mark(mark) => mark.number,
        }
    }

    /// The number of its cause; [`NO_CAUSE`] if there is none.
    pub fn cause(self) -> u32 {
        match self {
            Line::Change(_, entry) => entry.cause,
            Line::Mark(mark) => mark.cause,
        }
    }

    /// When.
    pub fn at(self) -> Time {
        match self {
            Line::Change(_, entry) => entry.at,
            Line::Mark(mark) => mark.at,
        }
    }

    /// The object of a change.
    pub fn object(self) -> Option<ObjectRef> {
        match self {
            Line::Change(_, entry) => Some(entry.object),
            Line::Mark(_) => None,
        }
    }

    /// The line as text, with its end.
    pub fn text(self, run: &Run<'_>) -> String {
        let (at, number, cause) = (self.at(), cause_text(self.number()), cause_text(self.cause()));
        match self {
            Line::Change(_, entry) => {
                let object = Timeline::object_text(entry.object, run.cluster);
                let what = run.recorder.timeline.describe(entry, run.cluster);
                format!("{at:>12}  {number}  {object}  {what}  <- {cause}\n")
            }
            Line::Mark(mark) => format!("{at:>12}  {number}  {}  <- {cause}\n", mark.text),
        }
    }

    /// The line as one JSON object, with its end.
    pub fn json(self, run: &Run<'_>) -> String {
        let (time_us, cause, cluster) = (self.at().as_micros(), cause_value(self.cause()), run.cluster);
        let line = match self {
            Line::Change(number, entry) => json!({
                "time_us": time_us,
                "change": u64::from(number) + 1,
                "cause": cause,
                "kind": cluster.kind(entry.object),
                "namespace": cluster.namespace(entry.object),
                "name": cluster.name(entry.object),
                "what": run.recorder.timeline.describe(entry, cluster),
            }),
            Line::Mark(mark) => {
                json!({ "time_us": time_us, "mark": cause_text(mark.number), "cause": cause, "what": mark.text })
            }
        };
        format!("{line}\n")
    }
}

/// A change as its number, a mark as its text, nothing as null.
fn cause_value(cause: u32) -> serde_json::Value {
    match cause {
        NO_CAUSE => serde_json::Value::Null,
        REMARK.. => cause_text(cause).into(),
        change => (u64::from(change) + 1).into(),
    }
}

/// The lines of a part of the changes, of which the first has this number, with the marks before each; with the last changes those
/// after them too.
fn lines<'a>(recorder: &'a Recorder, first: u32, entries: &'a [Entry]) -> impl Iterator<Item = Line<'a>> {
    let marks = recorder.faults.marks();
    let is_last = first as usize + entries.len() >= recorder.timeline.entries().len();
    let mut next = if first == 0 { 0 } else { marks.partition_point(|mark| mark.after < first) };
    let (mut number, mut entries) = (first, entries.iter().peekable());
    std::iter::from_fn(move || {
        let more = entries.peek().is_some();
        if let Some(mark) = marks.get(next).filter(|mark| if more { mark.after <= number } else { is_last }) {
            next += 1;
            return Some(Line::Mark(mark));
        }
        let entry = entries.next()?;
        number += 1;
        Some(Line::Change(number - 1, entry))
    })
}

fn render(run: &Run<'_>, text: impl Fn(Line<'_>) -> String + Sync) -> Vec<u8> {
    let entries = run.recorder.timeline.entries();
    if entries.is_empty() {
        return Line::all(run).map(&text).collect::<String>().into_bytes();
    }
    let blocks = entries.par_chunks(BLOCK).enumerate();
    let texts = blocks
        .map(|(block, entries)| lines(run.recorder, (block * BLOCK) as u32, entries).map(&text).collect::<String>());
    texts.collect::<Vec<String>>().concat().into_bytes()
}
