//! The summary of a run for the terminal.

use std::fmt::Write as _;

use super::Run;
use crate::engine::{Span, Time};
use crate::metrics::{FaultSpan, LatencySummary, Outcome};

/// Faults that the summary lists.
const MAX_FAULTS: usize = 8;

/// The summary as text without colours, lines of at most 100 characters.
pub fn terminal_summary(run: &Run<'_>) -> String {
    let (summary, figures) = (run.summary, run.figures);
    let mut out = String::new();
    let end = Time::from_micros((summary.end_seconds * 1e6) as u64);
    let _ = writeln!(out, "scenario   {}  (seed {})", summary.scenario, summary.seed);
    let _ = writeln!(out, "ended      at {end}, {}", ended_text(summary.ended_by));
    let _ = writeln!(out, "nodes      {}", summary.nodes);
    let mut pods = format!("pods       {}", summary.pods.total);
    for outcome in Outcome::ALL {
        let count = summary.pods.by_outcome.get(outcome.as_str()).copied().unwrap_or(0);
        if count > 0 {
            let _ = write!(pods, ", {count} {}", outcome.as_str());
        }
    }
    if summary.pods.restarts > 0 {
        let _ = write!(pods, "; {} restarts", summary.pods.restarts);
    }
    let _ = writeln!(out, "{pods}");
    out.push_str(&faults_text(&summary.faults));
    let _ = writeln!(out, "scheduling {}", latency_text(&summary.scheduling_latency));
    let _ = writeln!(out, "startup    {}", latency_text(&summary.startup_latency));
    let mut mean = String::from("requested ");
    for (name, share) in summary.mean_utilisation.iter().filter(|(_, share)| **share > 0.0) {
        let _ = write!(mean, " {name} {:.1}%", share * 100.0);
    }
    let _ = writeln!(out, "{mean}  (mean over time)");
    let _ = writeln!(
        out,
        "run        {} events, {} changes in {:.3} s ({} events/s)",
        summary.events,
        summary.changes,
        figures.wall_seconds,
        rounded(figures.events_per_second)
    );
    let _ = writeln!(out, "digest     {}", summary.digest);
    out
}

/// What failed, from when to when; a failure without an end lasts, or is over at once. Of many the first few.
fn faults_text(faults: &[FaultSpan]) -> String {
    let instant = |seconds: f64| Time::from_micros((seconds * 1e6) as u64).to_string();
    let mut out = String::new();
    for (idx, fault) in faults.iter().take(MAX_FAULTS).enumerate() {
        let until = fault.end_seconds.map_or_else(String::new, |end| format!(" to {}", instant(end)));
        let head = if idx == 0 { format!("faults     {:<4}", faults.len()) } else { " ".repeat(15) };
        let _ = writeln!(out, "{head}{}{until}  {}", instant(fault.begin_seconds), fault.what);
    }
    if faults.len() > MAX_FAULTS {
        let _ = writeln!(out, "{}and {} more, see summary.json", " ".repeat(15), faults.len() - MAX_FAULTS);
    }
    out
}

fn ended_text(ended_by: &str) -> &str {
    match ended_by {
        "settled" => "nothing left to happen",
        "horizon" => "the horizon",
        other => other,
    }
}

fn latency_text(latency: &LatencySummary) -> String {
    let show = |seconds: Option<f64>| seconds.map_or("-".to_owned(), |s| short(Span::from_secs_f64(s)));
    format!(
        "p50 {}  p90 {}  p99 {}  max {}  (n={})",
        show(latency.p50),
        show(latency.p90),
        show(latency.p99),
        show(latency.max),
        latency.n
    )
}

/// A span with three significant digits below a minute.
fn short(span: Span) -> String {
    let us = span.as_micros();
    match us {
        0..60_000_000 => {
            let digits = us.checked_ilog10().unwrap_or(0);
            let unit = 10u64.pow(digits.saturating_sub(2));
            Span::from_micros((us + unit / 2) / unit * unit).to_string()
        }
        _ => Span::from_secs((us + 500_000) / 1_000_000).to_string(),
    }
}

fn rounded(rate: f64) -> String {
    match rate {
        rate if rate >= 1e6 => format!("{:.1} M", rate / 1e6),
        rate if rate >= 1e3 => format!("{:.0} k", rate / 1e3),
        rate => format!("{rate:.0}"),
    }
}
