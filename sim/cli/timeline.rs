//! `wavetank timeline`: what happened, when, and why.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::progress::Interrupt;
use super::run::execute;
use super::{Exit, Failure, Global};
use crate::cluster::{Cluster, ObjectRef, REMARK};
use crate::engine::{Span, Time};
use crate::error::Error;
use crate::report::{Line, Run};
use crate::scenario::load;

/// How many owners are looked through for one that is meant.
const MAX_OWNERS: usize = 16;

/// Arguments of `timeline`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  wavetank timeline scenarios/failing-rollout.yaml --from 1m --of deployment/web
  wavetank timeline scenarios/failing-rollout.yaml --why deployment/web --until 95s
  wavetank timeline scenarios/failing-rollout.yaml --why 137

A line is a time, a number, an object, what became true of it, and after `<-` the number of what caused it. Lines numbered
with `!` are no changes of an object: steps with their answers, faults, outages.")]
pub(crate) struct TimelineArgs {
    /// Scenario and manifests: files, folders, or `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only from this virtual time on
    #[arg(long, value_name = "TIME")]
    from: Option<Span>,
    /// Only up to this virtual time
    #[arg(long, value_name = "TIME")]
    until: Option<Span>,
    /// Only this object and what it owns: KIND/NAME or KIND (may be repeated)
    #[arg(long, value_name = "OBJECT")]
    of: Vec<String>,
    /// Only the causes of this line (`137`, `#137`, `!3`), or of the last line of an object (KIND/NAME), first cause first
    #[arg(long, value_name = "LINE", conflicts_with = "of")]
    why: Option<String>,
    /// Output: text or json (one object per line)
    #[arg(long, short = 'o', default_value = "text", value_parser = ["text", "json"])]
    output: String,
}

pub(super) fn timeline(args: &TimelineArgs, global: &Global) -> Result<Exit, Failure> {
    let loaded = load(&args.files, &global.load_options(false))?;
    global.warn(&loaded.warnings);
    let finished = execute(&loaded.scenario, true, global.quiet, &Interrupt::catch())?;
    let run = Run {
        cluster: &finished.simulation.cluster,
        recorder: &finished.recorder,
        summary: &finished.summary,
        figures: finished.figures,
    };
    let instant = |span: Option<Span>, default: Time| span.map_or(default, |span| Time::ZERO + span);
    let (from, until) = (instant(args.from, Time::ZERO), instant(args.until, Time::NEVER));
    let during = |line: &Line<'_>| from <= line.at() && line.at() <= until;
    let lines: Vec<Line<'_>> = match &args.why {
        Some(why) => {
            let of_object = || {
                let lines = Line::all(&run).filter(during);
                lines.filter(|line| line.object().is_some_and(|object| is_meant(why, object, run.cluster))).last()
            };
            let line = number(why).map_or_else(of_object, |number| Line::of_number(number, &run));
            line.ok_or_else(|| nothing(why))?.with_causes(&run)
        }
        None => Line::all(&run).filter(during).filter(|line| is_wanted(&args.of, *line, run.cluster)).collect(),
    };
    let mut out = anstream::stdout().lock();
    for line in lines {
        let text = if args.output == "json" { line.json(&run) } else { line.text(&run) };
        out.write_all(text.as_bytes())?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn nothing(why: &str) -> Error {
    Error::new(format!("the timeline has no line {why:?}"))
        .help("give the number of a line, as `137`, `#137` or `!3`, or an object, as `pod/web-0`")
}

/// `137` and `#137` are changes, `!3` is a mark.
fn number(text: &str) -> Option<u32> {
    let (digits, mark) = match text.strip_prefix('!') {
        Some(digits) => (digits, REMARK),
        None => (text.strip_prefix('#').unwrap_or(text), 0),
    };
    let number: u32 = digits.parse().ok()?;
    number.checked_sub(1).filter(|&number| number < REMARK).map(|number| number | mark)
}

/// Marks are always shown; a change if its object is meant, or an owner of it.
fn is_wanted(of: &[String], line: Line<'_>, cluster: &Cluster) -> bool {
    let Some(object) = line.object().filter(|_| !of.is_empty()) else { return true };
    let owners = std::iter::successors(Some(object), |&object| cluster.controller_of(object));
    owners.take(MAX_OWNERS).any(|object| of.iter().any(|text| is_meant(text, object, cluster)))
}

/// Whether `text`, as `deployment/web` or `deployment`, means an object.
fn is_meant(text: &str, object: ObjectRef, cluster: &Cluster) -> bool {
    let (kind, name) = text.split_once('/').map_or((text, None), |(kind, name)| (kind, Some(name)));
    let own = cluster.kind(object).to_lowercase();
    let kind = kind.to_lowercase();
    let is_kind = kind == own || kind.strip_suffix('s') == Some(own.as_str());
    is_kind && name.is_none_or(|name| name == cluster.name(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_named_by_number() {
        let cases = [
            ("1", Some(0)),
            ("#137", Some(136)),
            ("!3", Some(2 | REMARK)),
            ("0", None),
            ("pod/web-0", None),
            ("", None),
            ("!0", None),
        ];
        for (text, want) in cases {
            assert_eq!(number(text), want, "{text}");
        }
    }
}
