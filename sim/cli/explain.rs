//! `wavetank explain pod`: why the scheduler did what it did.

use std::path::PathBuf;

use clap::Args;

use super::look::simulate_until;
use super::{Exit, Failure, Global, print};
use crate::engine::Span;
use crate::error::Error;
use crate::scenario::load;

/// Arguments of `explain`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  wavetank explain pod web-7d4b9-x2x scenarios/priorities.yaml --at 90s
  wavetank explain pod web-7d4b9-x2x scenarios/priorities.yaml -o json")]
pub(crate) struct ExplainArgs {
    /// `pod`
    #[arg(value_parser = ["pod", "pods", "po"])]
    kind: String,
    /// Name of the pod
    name: String,
    /// Scenario and manifests
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Virtual time; default is the end of the run
    #[arg(long, value_name = "TIME")]
    at: Option<Span>,
    /// Namespace
    #[arg(long, short = 'n', default_value = "default")]
    namespace: String,
    /// Output: text or json
    #[arg(long, short = 'o', default_value = "text", value_parser = ["text", "json"])]
    output: String,
}

pub(super) fn explain(args: &ExplainArgs, global: &Global) -> Result<Exit, Failure> {
    let loaded = load(std::slice::from_ref(&args.file), &global.load_options(false))?;
    global.warn(&loaded.warnings);
    let simulation = simulate_until(&loaded.scenario, args.at, global)?;
    let pod =
        simulation.cluster.find_pod(&args.namespace, &args.name).ok_or_else(|| {
            Error::new(format!("there is no pod {}/{} at {}", args.namespace, args.name, simulation.now()))
                .help(format!("see `wavetank get pods -n {} {}`", args.namespace, args.file.display()))
        })?;
    let _ = (pod, print);
    Err(Error::new("not supported yet").into())
}
