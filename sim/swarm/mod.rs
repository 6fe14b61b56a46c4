//! The swarm: random small clusters, workloads and troubles, each from one seed, in which the laws of a cluster must hold after every
//! event, and which must come to rest once the troubles are over.
//!
//! "Swarm testing" (Groce et al., ISSTA 2012): many cases that each leave out most of what could happen find more than one
//! case with everything.

mod converged;
mod dice;
mod generate;
mod laws;
mod shrink;
mod trouble;
mod workloads;

use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::prelude::*;

pub use generate::{CONVERGENCE_SECONDS, Case, generate};
pub use laws::Violation;
pub use shrink::shrink;

use crate::cluster::Observer;
use crate::error::{Error, Result};
use crate::scenario::{LoadOptions, load_scenario_text};

/// How a case ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed of the case.
    pub seed: u64,
    /// Events handled.
    pub n_events: u64,
    /// The digest of the run.
    pub digest: String,
    /// What was wrong, at most 20 findings; empty if all laws held and everything came to rest.
    pub violations: Vec<Violation>,
}

impl Outcome {
    /// Whether all laws held.
    pub fn holds(&self) -> bool {
        self.violations.is_empty()
    }
}

/// Runs the cases of the seeds from `first` on, on all cores; `done` is told of each as it ends, in no certain order.
///
/// # Errors
///
/// If a case is no valid scenario: a defect of the generator.
pub fn swarm(first: u64, n_seeds: u64, done: impl Fn(&Outcome) + Sync) -> Result<Vec<Outcome>> {
    let seeds = first..first.saturating_add(n_seeds);
    let outcomes = seeds.into_par_iter().map(|seed| {
        let outcome = run(&generate(seed))?;
        done(&outcome);
        Ok(outcome)
    });
    outcomes.collect()
}

/// Runs one case.
///
/// # Errors
///
/// If it is no valid scenario.
pub fn run(case: &Case) -> Result<Outcome> {
    let name = format!("swarm-{}.yaml", case.seed);
    let first = |errors: Vec<Error>| errors.into_iter().next().unwrap_or_else(|| Error::new("it cannot be read"));
    let scenario = load_scenario_text(&name, &case.to_yaml(), &LoadOptions::default()).map_err(first)?.scenario;
    let mut laws = laws::Laws::new(case);
    let mut recorder = scenario.recorder(false);
    let simulation = scenario.build()?;
    let (violations, seed) = (&mut laws, case.seed);
    // A panic is a finding like any other: the seed that made it must be told.
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let mut simulation = simulation;
        let observers: &mut [&mut dyn Observer] = &mut [violations, &mut recorder];
        let ended = simulation.run(scenario.horizon, false, observers);
        let ended = ended.map_err(|stuck| stuck.to_string());
        let unrest = converged::unrest(case, &simulation.cluster);
        let (events, cluster) = (simulation.n_events(), &simulation.cluster);
        let digest = recorder.summary(&scenario.name, seed, "horizon", events, cluster).digest;
        (ended, unrest, events, digest)
    }));
    let mut violations = laws.violations;
    let mut note = |law, seen| violations.push(Violation { at: scenario.horizon, law, seen });
    let (n_events, digest) = match ended {
        Ok((ended, unrest, n_events, digest)) => {
            if let Err(stuck) = ended {
                note("every instant ends", stuck);
            }
            unrest.into_iter().for_each(|seen| note("everything comes to rest", seen));
            (n_events, digest)
        }
        Err(_) => {
            note("nothing panics", "the run panicked".to_owned());
            (0, String::new())
        }
    };
    Ok(Outcome { seed, n_events, digest, violations })
}
