//! The score of PodTopologySpread's soft constraints (kube-scheduler v1.36, `plugins/podtopologyspread/scoring.go`): fewer matching
//! pods in the domain are better, and domains count the more, the more of them there are.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::pod_topology_spread::{Constraint, PodTopologySpread, has_all_domains};
use crate::scheduler::framework::prelude::*;

/// The counts of the soft constraints.
#[derive(Clone, Debug, Default)]
pub struct SpreadScoreState {
    constraints: Vec<Constraint>,
    /// Feasible nodes that lack a label.
    ignored: BTreeSet<NodeId>,
    /// By constraint: pods by domain of a feasible node. Not for hostnames, whose pods are counted node by node.
    counts: Vec<FxHashMap<Sym, i64>>,
    /// By constraint: ln(number of domains + 2).
    weights: Vec<f64>,
}

/// A node without the label of a system default belongs to the domain of the empty name.
fn domain_or_none(constraint: &Constraint, node: NodeView<'_>) -> Sym {
    constraint.domain(node).unwrap_or(Sym::EMPTY)
}

/// PreScore. `false` if there is no soft constraint.
pub fn pre_score(plugin: &PodTopologySpread, cx: Cx<'_>, state: &mut CycleState, feasible: &[NodeId]) -> bool {
    let constraints = plugin.constraints(cx, false);
    if constraints.is_empty() {
        return false;
    }
    let requires_all = plugin.requires_all_labels(cx);
    let mut ignored = BTreeSet::new();
    let mut counts: Vec<FxHashMap<Sym, i64>> = vec![FxHashMap::default(); constraints.len()];
    for &node in feasible {
        let view = cx.view(node);
        if requires_all && !has_all_domains(&constraints, view) {
            ignored.insert(node);
            continue;
        }
        for (constraint, counts) in
            constraints.iter().zip(&mut counts).filter(|(constraint, _)| !constraint.is_hostname)
        {
            counts.entry(domain_or_none(constraint, view)).or_insert(0);
        }
    }
    let n_hosts = feasible.len() - ignored.len();
    let weight = |(constraint, counts): (&Constraint, &FxHashMap<Sym, i64>)| {
        let n_domains = if constraint.is_hostname { n_hosts } else { counts.len() };
        libm::log((n_domains + 2) as f64)
    };
    let weights = constraints.iter().zip(&counts).map(weight).collect();
    for &node in cx.tables.order() {
        let view = cx.view(node);
        if requires_all && !has_all_domains(&constraints, view) {
            continue;
        }
        for (constraint, counts) in constraints.iter().zip(&mut counts) {
            if !constraint.is_hostname
                && let Some(count) = counts.get_mut(&domain_or_none(constraint, view))
                && constraint.includes(cx, view)
            {
                *count += constraint.pods.count(cx, node);
            }
        }
    }
    state.spread_score = SpreadScoreState { constraints, ignored, counts, weights };
    true
}

/// Score of one node.
pub fn score(cx: Cx<'_>, state: &SpreadScoreState, node: NodeId) -> i64 {
    if state.ignored.contains(&node) {
        return 0;
    }
    let view = cx.view(node);
    let mut score = 0.0;
    for (idx, constraint) in state.constraints.iter().enumerate() {
        let Some(domain) = constraint.domain(view) else { continue };
        let count = match constraint.is_hostname {
            true => constraint.pods.count(cx, node),
            false => state.counts[idx].get(&domain).copied().unwrap_or(0),
        };
        score += count as f64 * state.weights[idx] + (constraint.max_skew - 1) as f64;
    }
    score.round() as i64
}

/// NormalizeScore: the fewest pods get 100; ignored nodes 0.
pub fn normalize(state: &SpreadScoreState, nodes: &[NodeId], scores: &mut [i64]) {
    let counted = |node: &NodeId| !state.ignored.contains(node);
    let of_counted = || nodes.iter().zip(scores.iter()).filter(|(node, _)| counted(node)).map(|(_, &score)| score);
    let (min, max) = (of_counted().min().unwrap_or(0), of_counted().max().unwrap_or(0).max(0));
    for (node, score) in nodes.iter().zip(scores) {
        *score = match (counted(node), max) {
            (false, _) => 0,
            (true, 0) => MAX_NODE_SCORE,
            (true, max) => MAX_NODE_SCORE * (max + min - *score) / max,
        };
    }
}
