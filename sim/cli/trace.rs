//! `wavetank trace list|stats|convert|generate`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::{Exit, Failure, Global};
use crate::engine::{Draws, Span, Time};
use crate::error::Error;
use crate::workload::{
    FORMATS, GenerateSpec, Input, NODE_FORMATS, ReadOptions, Summary, Trace, TraceStats, stats, write_pods, write_table,
};

/// Work with workload traces.
#[derive(Subcommand, Debug)]
#[command(after_help = "Examples:
  wavetank trace list
  wavetank trace stats openb_pod_list_default.csv
  wavetank trace convert trace.swf --to pods > pods.yaml
  wavetank trace generate '{poisson: {rate: 12/s}, cpu: 500m, memory: 1Gi, lifetime: {exponential: {mean: 5m}}}' --for 1h")]
pub(crate) enum TraceCommand {
    /// List every format that is read
    List,
    /// Say what is in a trace
    Stats {
        #[command(flatten)]
        input: TraceInput,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Turn a trace into the canonical table or into Pods
    Convert {
        #[command(flatten)]
        input: TraceInput,
        /// What to write
        #[arg(long, default_value = "table")]
        to: Target,
    },
    /// Draw a trace from a random process and write it as the canonical table
    Generate {
        /// The process, in the notation of scenario files
        spec: String,
        /// How long arrivals come
        #[arg(long = "for", value_name = "TIME", default_value = "1h")]
        length: Span,
    },
}

/// A trace and what is read of it.
#[derive(Args, Debug)]
pub(crate) struct TraceInput {
    /// The trace; gzip and zstd are read as they are
    #[arg(value_name = "TRACE")]
    file: PathBuf,
    /// Its format; found by looking if not given
    #[arg(long, value_name = "NAME")]
    format: Option<String>,
    /// Only rows from this time of the trace
    #[arg(long, value_name = "TIME")]
    from: Option<Span>,
    /// Only rows before this time of the trace
    #[arg(long, value_name = "TIME")]
    to_time: Option<Span>,
    /// At most so many rows
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Leave bad rows out and report them
    #[arg(long)]
    skip_bad_rows: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// The canonical table (CSV), which every command reads
    Table,
    /// A stream of Pods (YAML)
    Pods,
}

pub(super) fn trace(command: &TraceCommand, global: &Global) -> Result<Exit, Failure> {
    match command {
        TraceCommand::List => list(),
        TraceCommand::Stats { input, json } => {
            let trace = open(input, global)?;
            print_stats(&trace, &stats(trace.arrivals()?)?, *json)
        }
        TraceCommand::Convert { input, to } => {
            let trace = open(input, global)?;
            let out = std::io::BufWriter::new(anstream::stdout().lock());
            match to {
                Target::Table => write_table(trace.arrivals()?, out)?,
                Target::Pods => write_pods(trace.arrivals()?, out)?,
            };
            Ok(Exit::Done)
        }
        TraceCommand::Generate { spec, length } => generate(spec, *length, global),
    }
}

fn open(input: &TraceInput, global: &Global) -> Result<Trace, Failure> {
    let options = ReadOptions {
        from: input.from,
        to: input.to_time,
        limit: input.limit,
        skip_bad_rows: input.skip_bad_rows,
        ..ReadOptions::default()
    };
    let trace = Trace::open(Input::file(&input.file), input.format.as_deref(), options)?;
    let report = trace.report();
    if report.bad_rows > 0 {
        let mut warnings = vec![Error::new(format!("{}: {} bad rows were left out", trace.name(), report.bad_rows))];
        warnings.extend(report.first_errors.iter().cloned());
        global.warn(&warnings);
    }
    Ok(trace)
}

fn list() -> Result<Exit, Failure> {
    let mut out = anstream::stdout().lock();
    for format in FORMATS {
        writeln!(out, "{}\n    {}\n    {}\n    {}", format.name, format.title, format.columns, format.source)?;
    }
    writeln!(out, "\nlists of nodes:")?;
    for format in NODE_FORMATS {
        writeln!(out, "{}\n    {}", format.name, format.columns)?;
    }
    Ok(Exit::Done)
}

fn print_stats(trace: &Trace, stats: &TraceStats, json: bool) -> Result<Exit, Failure> {
    let mut out = anstream::stdout().lock();
    let report = trace.report();
    if json {
        let of = |summary: &Summary| {
            serde_json::json!({ "n": summary.n, "min": summary.min, "p50": summary.p50, "p90": summary.p90, "p99": summary.p99,
                "max": summary.max, "mean": summary.mean })
        };
        let value = serde_json::json!({
            "format": trace.format().name, "rows": report.rows, "bad_rows": report.bad_rows, "arrivals": stats.arrivals,
            "replicas": stats.replicas, "last_us": stats.last.as_micros(), "inter_arrival_us": of(&stats.inter_arrival_us),
            "duration_us": of(&stats.duration_us), "no_duration": stats.no_duration, "cpu_milli": of(&stats.cpu_milli),
            "memory_bytes": of(&stats.memory_bytes), "gpu_milli": of(&stats.gpu_milli), "gpu_models": stats.gpu_models,
        });
        writeln!(out, "{value:#}")?;
        return Ok(Exit::Done);
    }
    writeln!(out, "format      {} ({})", trace.format().name, trace.format().title)?;
    writeln!(out, "rows        {}, {} bad", report.rows, report.bad_rows)?;
    writeln!(
        out,
        "arrivals    {} ({} replicas) over {}",
        stats.arrivals,
        stats.replicas,
        stats.last.since(Time::ZERO)
    )?;
    let spans = |summary: &Summary| quantiles(summary, |us| Span::from_micros(us).to_string());
    writeln!(out, "between     {}", spans(&stats.inter_arrival_us))?;
    writeln!(out, "duration    {}; {} without one", spans(&stats.duration_us), stats.no_duration)?;
    writeln!(out, "cpu         {}", quantiles(&stats.cpu_milli, |milli| format!("{milli}m")))?;
    writeln!(out, "memory      {}", quantiles(&stats.memory_bytes, |bytes| format!("{}Mi", bytes >> 20)))?;
    if stats.gpu_milli.max > 0 {
        writeln!(out, "gpu         {}", quantiles(&stats.gpu_milli, |milli| format!("{milli}m")))?;
    }
    for (model, count) in &stats.gpu_models {
        writeln!(out, "gpu model   {model}: {count}")?;
    }
    Ok(Exit::Done)
}

fn quantiles(summary: &Summary, show: impl Fn(u64) -> String) -> String {
    format!(
        "min {}  p50 {}  p90 {}  p99 {}  max {}",
        show(summary.min),
        show(summary.p50),
        show(summary.p90),
        show(summary.p99),
        show(summary.max)
    )
}

fn generate(text: &str, length: Span, global: &Global) -> Result<Exit, Failure> {
    let value: Value =
        serde_yaml::from_str(text).map_err(|error| Error::new(format!("cannot read the process: {error}")))?;
    let spec = GenerateSpec::from_json(&value).map_err(|error| {
        let place = if error.path.is_empty() { String::new() } else { format!("{}: ", error.path) };
        Error { place: None, what: format!("{place}{}", error.what), help: error.help }
    })?;
    let draws = Draws::new(global.seed.unwrap_or(1));
    let end = Time::ZERO + length;
    let arrivals = spec.arrivals(&draws, 0).take_while(|arrival| arrival.at < end).map(Ok);
    write_table(arrivals, std::io::BufWriter::new(anstream::stdout().lock()))?;
    Ok(Exit::Done)
}
