//! Golden sequences: pods scheduled one after another, by the simple model and by the search of the real scheduler.

use serde_json::{Value, json};

use super::difference::Difference;
use super::scheduler::{Bench, Findings};
use crate::cluster::{NodeId, PodId};
use crate::scheduler::framework::state::CycleState;
use crate::scheduler::framework::view::NodeView;
use crate::scheduler::framework::{Decision, PreFiltered, SearchState, TieBreak};
use crate::scheduler::message::fit_error;

/// Checks `steps`, `realFull` and `realAdaptive`.
pub(super) fn check_sequence(case: &Value) -> Result<Vec<Difference>, String> {
    let mut findings = Findings(Vec::new());
    let pending = case["podSequence"].as_array().map(Vec::as_slice).unwrap_or_default();
    let (mut bench, pods) = Bench::new(case, 100, pending)?;
    for (idx, &pod) in pods.iter().enumerate() {
        let got = step(&mut bench, pod);
        let want = &case["expect"]["steps"][idx];
        findings.expect(&format!("step {idx}"), None, want, &got);
    }
    for (field, percentage) in [("realFull", 100), ("realAdaptive", 0)] {
        if case["expect"][field].is_null() {
            continue;
        }
        let (mut bench, pods) = Bench::new(case, percentage, pending)?;
        let mut search = SearchState::default();
        for (idx, &pod) in pods.iter().enumerate() {
            let got = search_step(&mut bench, pod, &mut search);
            findings.expect(&format!("{field} {idx}"), None, &case["expect"][field][idx], &got);
        }
    }
    Ok(findings.0)
}

/// The simple model: all nodes are looked at, the first of the best is taken.
fn step(bench: &mut Bench, pod: PodId) -> Value {
    let mut search = SearchState { next_start: 0, tie_break: TieBreak::First };
    let decision = bench.framework.schedule(&bench.cluster, pod, &mut search);
    let name = format!("{}/{}", bench.cluster.namespace(pod), bench.cluster.name(pod));
    let reason = match decision {
        Decision::Unschedulable(diagnosis) => fit_error(&diagnosis, &bench.cluster, ""),
        Decision::Error(error) => error,
        Decision::Scheduled { .. } => {
            let (node, feasible, score, ties) = best_in_order(bench, pod);
            let got = json!({
                "pod": name, "node": bench.name(node), "feasible": feasible, "score": score, "ties": ties,
            });
            assume(bench, pod, node);
            return got;
        }
    };
    json!({ "pod": name, "node": "", "feasible": 0, "score": 0, "ties": 0, "reason": reason })
}

/// The first node, in the order of the case, of those with the highest score; number of feasible nodes, that score, and how many
/// have it.
fn best_in_order(bench: &Bench, pod: PodId) -> (NodeId, usize, i64, usize) {
    let cx = bench.framework.cx(&bench.cluster, pod);
    let mut state = CycleState::default();
    let named = match bench.framework.run_pre_filter(cx, &mut state) {
        PreFiltered::Named(names, _) => Some(names),
        _ => None,
    };
    let inside = |node: &NodeId| named.as_ref().is_none_or(|names| names.iter().any(|name| name == bench.name(*node)));
    let fits = |node: &NodeId| {
        bench.framework.run_filter_with_nominated(cx, &state, NodeView::plain(&bench.cluster, *node)).is_success()
    };
    let feasible: Vec<NodeId> = bench.nodes.iter().copied().filter(|node| inside(node) && fits(node)).collect();
    let scores = bench.framework.run_score(cx, &mut state, &feasible);
    let best = scores.total.iter().copied().max().unwrap_or(0);
    let place = scores.total.iter().position(|&total| total == best).unwrap_or(0);
    let ties = scores.total.iter().filter(|&&total| total == best).count();
    (feasible[place], feasible.len(), best, ties)
}

fn search_step(bench: &mut Bench, pod: PodId, search: &mut SearchState) -> Value {
    match bench.framework.schedule(&bench.cluster, pod, search) {
        Decision::Scheduled { node, evaluated, feasible, .. } => {
            let got = json!({ "node": bench.name(node), "evaluated": evaluated, "feasible": feasible });
            assume(bench, pod, node);
            got
        }
        Decision::Unschedulable(diagnosis) => {
            json!({ "node": "", "evaluated": diagnosis.nodes.len(), "feasible": 0 })
        }
        Decision::Error(error) => json!({ "error": error }),
    }
}

fn assume(bench: &mut Bench, pod: PodId, node: NodeId) {
    bench.cluster.assume(pod, node);
    let mut changes = Vec::new();
    bench.cluster.take_changes(&mut changes);
    for change in changes {
        bench.framework.observe(change, &bench.cluster);
    }
}
