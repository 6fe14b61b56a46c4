//! `wavetank bench`: one line per size. For a look at this build on this machine; `cargo bench` measures the parts.

use std::io::Write as _;

use clap::Args;
use serde_json::json;

use super::progress::Interrupt;
use super::run::execute;
use super::{Exit, Failure, Global};
use crate::scenario::{LoadOptions, load_scenario_text};

/// Arguments of `bench`.
#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    /// Only sizes up to so many pods
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    max_pods: u64,
    /// Runs of each size; the median is shown
    #[arg(long, value_name = "N", default_value_t = 3)]
    runs: usize,
}

/// Nodes and pods of each line.
const SIZES: [(u32, u64); 4] = [(10, 1_000), (100, 10_000), (1_000, 20_000), (1_000, 100_000)];

pub(super) fn bench(args: &BenchArgs, global: &Global) -> Result<Exit, Failure> {
    let interrupt = Interrupt::catch();
    let mut out = anstream::stdout().lock();
    for (nodes, pods) in SIZES.into_iter().filter(|&(_, pods)| pods <= args.max_pods) {
        let mut walls = Vec::new();
        let mut line = String::new();
        for _ in 0..args.runs.max(1) {
            let text = arriving_pods(nodes, pods).to_string();
            let options = LoadOptions { seed: global.seed, ..LoadOptions::default() };
            let loaded = load_scenario_text("bench", &text, &options)?;
            let finished = execute(&loaded.scenario, false, true, &interrupt)?;
            if interrupt.pressed() {
                return Ok(Exit::Failed);
            }
            walls.push(finished.figures.wall_seconds);
            let n_events = finished.summary.events as f64;
            walls.sort_by(f64::total_cmp);
            let median = walls[walls.len() / 2];
            let (pods, digest) = (pods as f64, &finished.summary.digest);
            line = format!("{median:8.3} s {:9.0} pods/s {:10.0} events/s  {digest}", pods / median, n_events / median);
        }
        writeln!(out, "run/{nodes} nodes {pods} pods  {line}").map_err(Failure::from)?;
    }
    Ok(Exit::Done)
}

/// Pods that arrive, run 10 minutes on average and end: 70 % of the cluster's CPU on average.
fn arriving_pods(nodes: u32, pods: u64) -> serde_json::Value {
    // 32 CPUs a node, 1 CPU a pod: 0.7 * 32 * nodes pods run at a time, for 600 s each.
    let rate = 0.7 * 32.0 * f64::from(nodes) / 600.0;
    let horizon = (pods as f64 / rate).ceil() as u64;
    json!({
        "apiVersion": "wavetank.dev/v1alpha1", "kind": "Scenario", "metadata": { "name": "bench" },
        "spec": {
            "horizon": format!("{}s", horizon + 7200),
            "until": "settled",
            "samplePeriod": "10m",
            "cluster": { "nodePools": [{ "name": "node", "count": nodes, "zones": ["a", "b", "c"],
                "capacity": { "cpu": "32", "memory": "128Gi", "pods": "110" } }] },
            "workload": [{ "generate": {
                "poisson": { "rate": format!("{rate}/s") }, "limit": pods, "cpu": "1", "memory": "2Gi",
                "lifetime": { "exponential": { "mean": "10m" } },
            } }],
        },
    })
}
