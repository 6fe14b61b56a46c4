//! `wavetank explain pod`: why the scheduler did what it did.

use std::path::PathBuf;

use clap::Args;

use super::{Exit, Failure, Global, print};
use crate::cluster::{Change, Cluster, Observer, What};
use crate::engine::{Span, Time};
use crate::error::Error;
use crate::scenario::{Scenario, load};
use crate::simulation::Simulation;

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
    let mut simulation = before_last_decision(args, &loaded.scenario)?;
    let pod =
        simulation.cluster.find_pod(&args.namespace, &args.name).ok_or_else(|| {
            Error::new(format!("there is no pod {}/{} at {}", args.namespace, args.name, simulation.now()))
                .help(format!("see `wavetank get pods -n {} {}`", args.namespace, args.file.display()))
        })?;
    let explanation = simulation.scheduler.explain(pod, &simulation.cluster).ok_or_else(|| {
        Error::new(format!("no scheduler of this run is responsible for {}/{}", args.namespace, args.name))
            .help("see `spec.schedulerName` of the pod")
    })?;
    match args.output.as_str() {
        "json" => print(&format!("{:#}\n", explanation.to_json())),
        _ => print(&format!("at {}\n{explanation}", simulation.now())),
    }
}

/// The run just before the event in which the scheduler last decided on the pod; at the instant asked for, if it never has.
fn before_last_decision(args: &ExplainArgs, scenario: &Scenario) -> Result<Simulation, Failure> {
    let until = args.at.map_or(scenario.horizon, |span| Time::ZERO + span);
    let settled = scenario.until_settled && args.at.is_none();
    let stuck = |stuck: crate::simulation::Stuck| Error::new(stuck.to_string());
    let mut finder = DecisionFinder { args, now: 0, last: None };
    scenario.build()?.run(until, settled, &mut [&mut finder]).map_err(stuck)?;
    let mut simulation = scenario.build()?;
    if let Some(event) = finder.last {
        simulation = simulation.stopping_after(event.saturating_sub(1));
    }
    simulation.run(until, settled, &mut []).map_err(stuck)?;
    Ok(simulation)
}

/// Notes the event of the last decision on a pod.
struct DecisionFinder<'a> {
    args: &'a ExplainArgs,
    now: u64,
    last: Option<u64>,
}

impl Observer for DecisionFinder<'_> {
    fn handled(&mut self, n_events: u64) {
        self.now = n_events;
    }

    fn change(&mut self, _: Time, _: u32, _: u32, change: Change, cluster: &Cluster) {
        let Some(pod) = change.pod() else { return };
        let decided = match change.what {
            What::Assumed(_) => true,
            What::Condition(condition) => {
                condition.kind == cluster.words.pod_scheduled && cluster.pod(pod).placed().is_none()
            }
            _ => false,
        };
        if decided && cluster.name(pod) == self.args.name && cluster.namespace(pod) == self.args.namespace {
            self.last = Some(self.now);
        }
    }
}
