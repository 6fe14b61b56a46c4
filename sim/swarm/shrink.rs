//! A failing case into a smaller one that fails by the same law: steps and objects are left out one by one, as long as it still fails.

use serde_json::Value;

use super::{Case, run};

/// The smallest case found that breaks `law`; the case itself if nothing can be left out. Runs the case once for every step and object.
pub fn shrink(case: &Case, law: &str) -> Case {
    let mut best = case.clone();
    let mut smaller = true;
    while smaller {
        smaller = false;
        for candidate in candidates(&best) {
            let fails = run(&candidate).is_ok_and(|outcome| outcome.violations.iter().any(|broken| broken.law == law));
            if fails {
                best = candidate;
                smaller = true;
                break;
            }
        }
    }
    best
}

/// The case without one step, or without one object.
fn candidates(case: &Case) -> Vec<Case> {
    let without_object = (1..case.documents.len()).map(|index| {
        let mut smaller = case.clone();
        smaller.documents.remove(index);
        smaller
    });
    let n_steps = case.documents[0]["spec"]["steps"].as_array().map_or(0, Vec::len);
    let without_step = (0..n_steps).map(|index| {
        let mut smaller = case.clone();
        if let Some(steps) = smaller.documents[0]["spec"]["steps"].as_array_mut() {
            steps.remove(index);
        }
        smaller
    });
    without_object.chain(without_step).filter(is_mended).collect()
}

/// Whether the steps that end the troubles are still all there: without them nothing need come to rest.
fn is_mended(case: &Case) -> bool {
    let last = format!("{}s", case.trouble_ends);
    let at_end = |case: &Case| -> Vec<Value> {
        let steps = case.documents[0]["spec"]["steps"].as_array().cloned().unwrap_or_default();
        steps.into_iter().filter(|step| step["at"] == last.as_str()).collect()
    };
    at_end(case) == at_end(&super::generate(case.seed))
}
