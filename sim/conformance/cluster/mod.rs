//! Recordings of a real control plane against the ordinary simulation.

mod answers;
mod compare;
pub mod facts;
mod names;
mod project;
mod record;
mod timeline;
mod view;
mod world;

use serde_json::Value;

pub use self::compare::Entries;
pub use self::timeline::timeline;
use self::world::Phases;
use super::difference::Difference;
use crate::engine::Span;

/// How one recording compares.
#[derive(Clone, Debug, Default)]
pub struct ClusterReport {
    /// Entries that were the same in all recorded runs.
    pub stable: Entries,
    /// Entries that were not: whether ours is like one of the runs. One that is not may be as good as those that were recorded.
    pub varying: Entries,
}

/// Whether a golden case is a recording of a cluster.
pub fn is_recording(case: &Value) -> bool {
    case["scenario"].is_object() && case["expect"]["sequences"].is_object()
}

/// Runs a recorded scenario and compares every entry.
pub fn check(case: &Value) -> ClusterReport {
    let comparison = run(case).unwrap_or_else(|error| {
        let mut failed = compare::Comparison::default();
        failed.count("run", Some(Difference::new("run", "an end", error)));
        failed
    });
    ClusterReport { stable: comparison.stable, varying: comparison.varying }
}

/// Runs a scenario; again with other phases of the control plane's loops if it depends on them and does not agree at once: the
/// recording is compared with the run that is nearest to it.
fn run(case: &Value) -> Result<compare::Comparison, String> {
    let mut best = run_with(case, Phases::USUAL)?;
    if best.distance() > (0, 0) && Phases::matter(&case["scenario"]) {
        for phases in Phases::all() {
            let other = run_with(case, phases)?;
            if other.distance() < best.distance() {
                best = other;
            }
            if best.distance() == (0, 0) {
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
