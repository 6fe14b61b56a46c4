//! `wavetank swarm`: random clusters, workloads and faults from seeds, on all cores, until a law breaks.

use std::io::Write as _;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::clock::Stopwatch;
use super::{Exit, Failure, Global, print};
use crate::swarm::{Outcome, generate, run, shrink, swarm};

/// Options of `wavetank swarm`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct SwarmArgs {
    /// Number of cases
    #[arg(long, value_name = "N", default_value_t = 1000)]
    seeds: u64,
    /// Print the case of --seed as a scenario file instead of running it
    #[arg(long)]
    print: bool,
    /// Print a smaller case that breaks the same law as the case of --seed
    #[arg(long, conflicts_with = "print")]
    shrink: bool,
}

const EXAMPLES: &str = "Every case is a random small cluster with workloads, user actions and faults. After every event the store must be consistent and
the laws must hold (budgets, quotas, surge and availability, order, ...); when the faults are over everything must come to rest.
Exit code 1 if a law broke.

Examples:
  wavetank swarm --seeds 10000               cases 1 to 10000, on all cores
  wavetank swarm --seed 4711 --seeds 1       one case again
  wavetank swarm --seed 4711 --print         the case as a scenario: `wavetank run` reads it
  wavetank swarm --seed 4711 --shrink        the smallest part of it that breaks the same law";

pub(super) fn swarm_command(args: &SwarmArgs, global: &Global) -> Result<Exit, Failure> {
    let first = global.seed.unwrap_or(1);
    if args.print {
        return print(&generate(first).to_yaml());
    }
    if args.shrink {
        let case = generate(first);
        let outcome = run(&case)?;
        let Some(broken) = outcome.violations.first() else {
            eprintln!("seed {first}: every law holds, there is nothing to shrink");
            return Ok(Exit::Done);
        };
        return print(&shrink(&case, broken.law).to_yaml());
    }
    let bar = progress(args.seeds, global.quiet);
    let watch = Stopwatch::start();
    let outcomes = swarm(first, args.seeds, |outcome| {
        bar.inc(1);
        if !outcome.holds() {
            bar.println(first_line(outcome));
        }
    });
    bar.finish_and_clear();
    report(&outcomes?, watch.elapsed().as_secs_f64())
}

fn report(outcomes: &[Outcome], seconds: f64) -> Result<Exit, Failure> {
    let mut out = anstream::stdout().lock();
    let broken: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.holds()).collect();
    for outcome in &broken {
        writeln!(out, "seed {}: repeat with `wavetank swarm --seed {} --seeds 1`", outcome.seed, outcome.seed)?;
        for violation in &outcome.violations {
            writeln!(out, "  {} {}: {}", violation.at, violation.law, violation.seen)?;
        }
    }
    let events: u64 = outcomes.iter().map(|outcome| outcome.n_events).sum();
    writeln!(out, "{} cases, {} broken, {events} events in {seconds:.1} s", outcomes.len(), broken.len())?;
    Ok(if broken.is_empty() { Exit::Done } else { Exit::Failed })
}

fn first_line(outcome: &Outcome) -> String {
    let seen = outcome.violations.first().map(|violation| format!("{}: {}", violation.law, violation.seen));
    format!("seed {}: {}", outcome.seed, seen.unwrap_or_default())
}

fn progress(n: u64, quiet: bool) -> ProgressBar {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(n), target);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
