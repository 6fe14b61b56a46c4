//! Recordings of a real control plane against the ordinary simulation.

mod answers;
mod compare;
pub mod facts;
mod names;
mod project;
mod record;
mod view;
mod world;

use std::collections::BTreeMap;

use serde_json::Value;

use self::world::Phases;
use super::difference::Difference;
use crate::engine::Span;

/// How one recording compares.
#[derive(Clone, Debug, Default)]
pub struct ClusterReport {
    /// Agreeing and all stable entries by family.
    pub families: BTreeMap<String, (usize, usize)>,
    /// What differs.
    pub differences: Vec<Difference>,
}

/// Whether a golden case is a recording of a cluster.
pub fn is_recording(case: &Value) -> bool {
    case["scenario"].is_object() && case["expect"]["sequences"].is_object()
}

/// Runs a recorded scenario and compares every entry that was the same in all recorded runs.
pub fn check(case: &Value) -> ClusterReport {
    match run(case) {
        Ok(comparison) => ClusterReport { families: comparison.families, differences: comparison.differences },
        Err(error) => {
            let mut failed = compare::Comparison::default();
            failed.count("run", Some(Difference::new("run", "an end", error)));
            ClusterReport { families: failed.families, differences: failed.differences }
        }
    }
}

/// Runs a scenario; again with other phases of the control plane's loops if it depends on them and does not agree at once: the
/// recording is compared with the run that is nearest to it.
fn run(case: &Value) -> Result<compare::Comparison, String> {
    let mut best = run_with(case, Phases::USUAL)?;
    if !best.differences.is_empty() && Phases::matter(&case["scenario"]) {
        for phases in Phases::all() {
            let other = run_with(case, phases)?;
            if other.differences.len() < best.differences.len() {
                best = other;
            }
            if best.differences.is_empty() {
                break;
            }
        }
    }
    Ok(best)
}

fn run_with(case: &Value, phases: Phases) -> Result<compare::Comparison, String> {
    let mut world = world::build(&case["scenario"], phases)?;
    let mut recording = record::Recording::new(&world.namespace, world.zero);
    let duration = case["scenario"]["duration"].as_f64().unwrap_or(60.0);
    let until = world.zero + Span::from_secs_f64(duration);
    world.simulation.run(until, false, &mut [&mut recording]).map_err(|stuck| stuck.to_string())?;
    let mut view = view::view(&recording, duration);
    view::add_events(&mut view, &recording, &world.simulation.cluster, &world.namespace);
    let mut comparison = compare::compare(&case["expect"], &view);
    answers::compare(&mut comparison, case, &world, &recording);
    Ok(comparison)
}
