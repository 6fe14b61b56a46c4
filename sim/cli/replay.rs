//! `wavetank replay`: a public trace on a list of nodes, without a scenario file.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::run::{RunOptions, run_scenario};
use super::{Exit, Failure, Global};
use crate::engine::{Span, Time};
use crate::error::Error;
use crate::scenario::{LoadOptions, load_scenario_text};
use crate::workload::{Input, ReadOptions, Trace};

/// Arguments of `replay`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  wavetank replay openb_pod_list_default.csv --nodes openb_node_list_gpu_node.csv
  wavetank replay trace.swf --format swf --node-count 100 --speed 10 --horizon 7d")]
pub(crate) struct ReplayArgs {
    /// The trace; gzip and zstd are read as they are
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// Its format (see `wavetank trace list`); found by looking if not given
    #[arg(long, value_name = "NAME")]
    format: Option<String>,
    /// The nodes: a node list of a trace, or `kubectl get nodes -o json`
    #[arg(long, value_name = "FILE")]
    nodes: Option<PathBuf>,
    /// Number of equal nodes, if there is no list
    #[arg(long, value_name = "N", default_value_t = 100, conflicts_with = "nodes")]
    node_count: u32,
    /// CPU of each node
    #[arg(long, value_name = "QUANTITY", default_value = "32")]
    node_cpu: String,
    /// Memory of each node
    #[arg(long, value_name = "QUANTITY", default_value = "128Gi")]
    node_memory: String,
    /// How many times faster than recorded arrivals come
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    speed: f64,
    /// Replay this long at most [default: until the last workload would have ended, and an hour]
    #[arg(long, value_name = "TIME")]
    horizon: Option<Span>,
    /// At most so many rows
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Leave bad rows out and report them, instead of refusing the trace
    #[arg(long)]
    skip_bad_rows: bool,
    /// A KubeSchedulerConfiguration
    #[arg(long, value_name = "FILE")]
    scheduler: Option<PathBuf>,
    /// Folder for the report [default: reports/<trace>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write no files, only print the summary
    #[arg(long, conflicts_with = "out")]
    no_report: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn replay(args: &ReplayArgs, global: &Global) -> Result<Exit, Failure> {
    let name = args.trace.file_stem().map_or_else(|| "trace".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let pool = match &args.nodes {
        Some(nodes) => json!({ "name": "trace", "nodesFrom": nodes }),
        None => json!({ "name": "node", "count": args.node_count,
            "capacity": { "cpu": args.node_cpu, "memory": args.node_memory, "nvidia.com/gpu": "8", "alibabacloud.com/gpu-milli": "8000" } }),
    };
    let horizon = match args.horizon {
        Some(horizon) => horizon,
        None => last_end(args)?,
    };
    let mut scenario = json!({
        "apiVersion": "wavetank.dev/v1alpha1",
        "kind": "Scenario",
        "metadata": { "name": name },
        "spec": {
            "until": "settled",
            "horizon": horizon.to_string(),
            "cluster": { "nodePools": [pool] },
            "workload": [{ "trace": {
                "file": args.trace, "format": args.format, "speed": args.speed, "limit": args.limit,
                "skipBadRows": args.skip_bad_rows,
            } }],
        },
    });
    if let Some(scheduler) = &args.scheduler {
        scenario["spec"]["scheduler"] = json!({ "configFrom": scheduler });
    }
    let text = serde_json::to_string_pretty(&scenario).map_err(|error| Error::new(error.to_string()))?;
    let options = LoadOptions { recursive: false, ..global.load_options(false) };
    // Errors in the trace name the trace; errors in these options name the generated scenario.
    let loaded = load_scenario_text("the options of `wavetank replay`", &text, &options)?;
    global.warn(&loaded.warnings);
    let folder = match (&args.out, args.no_report) {
        (_, true) => None,
        (Some(folder), false) => Some(folder.clone()),
        (None, false) => Some(PathBuf::from("reports").join(&loaded.scenario.name)),
    };
    run_scenario(&loaded.scenario, &RunOptions { folder, json: args.json }, global)
}

/// When the last workload of the trace would end if everything started at once, and an hour.
fn last_end(args: &ReplayArgs) -> Result<Span, Failure> {
    let options = ReadOptions {
        speed: args.speed,
        limit: args.limit,
        skip_bad_rows: args.skip_bad_rows,
        ..ReadOptions::default()
    };
    let trace = Trace::open(Input::file(&args.trace), args.format.as_deref(), options)?;
    let mut end = Time::ZERO;
    for arrival in trace.arrivals()? {
        let arrival = arrival?;
        end = end.max(arrival.at + arrival.duration.unwrap_or(Span::ZERO));
    }
    Ok(end.since(Time::ZERO) + Span::from_secs(3600))
}
