//! `wavetank conformance`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::{Exit, Failure, Global};
use crate::conformance::runner::{FileReport, run};

/// Arguments of `conformance`.
#[derive(Args, Debug)]
#[command(
    after_help = "Golden files hold inputs and what the real Kubernetes answered: scheduling cases, sequences, tables of small
functions, API verdicts, kubectl outputs. The kind of a file is found by looking.

Examples:
  wavetank conformance tests/golden
  wavetank conformance golden/basic.jsonl.gz --differences 20
  wavetank conformance golden/ --json > report.json"
)]
pub(crate) struct ConformanceArgs {
    /// Golden files, or folders of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How many differing cases to show per file
    #[arg(long, value_name = "N", default_value_t = 5)]
    differences: usize,
    /// Print the whole report as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn conformance(args: &ConformanceArgs, global: &Global) -> Result<Exit, Failure> {
    let reports = run(&args.paths)?;
    let mut out = anstream::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&reports).unwrap_or_default())?;
    } else {
        for report in &reports {
            print_report(&mut out, report, args.differences, global.quiet)?;
        }
        let (agree, total) = reports.iter().fold((0, 0), |sum, report| (sum.0 + report.agree, sum.1 + report.total));
        writeln!(out, "{agree}/{total} cases agree in {} files", reports.len())?;
    }
    let all = reports.iter().all(|report| report.agree == report.total);
    Ok(if all { Exit::Done } else { Exit::Failed })
}

fn print_report(out: &mut impl std::io::Write, report: &FileReport, limit: usize, quiet: bool) -> std::io::Result<()> {
    writeln!(out, "{:>6}/{:<6} {}", report.agree, report.total, report.file)?;
    if quiet {
        return Ok(());
    }
    for line in report.detail.lines() {
        writeln!(out, "        {line}")?;
    }
    for case in report.differences.iter().take(limit) {
        for difference in case.differences.iter().take(3) {
            let plugin = difference.plugin.as_deref().map_or(String::new(), |plugin| format!(" {plugin}"));
            writeln!(out, "        {}: {}{plugin}", case.case, difference.subject)?;
            writeln!(out, "            expected {}", cut(&difference.expected))?;
            writeln!(out, "            got      {}", cut(&difference.got))?;
        }
    }
    if report.differences.len() > limit {
        writeln!(out, "        ... {} more cases differ", report.differences.len() - limit)?;
    }
    Ok(())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(400) {
        Some((idx, _)) => format!("{}...", &text[..idx]),
        None => text.to_owned(),
    }
}
