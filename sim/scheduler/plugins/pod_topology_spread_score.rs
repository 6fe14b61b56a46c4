//! The score of PodTopologySpread's soft constraints (kube-scheduler v1.36, `plugins/podtopologyspread/scoring.go`): fewer matching
//! pods in the domain are better, and domains count the more, the more of them there are.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use super::pod_topology_spread::{Constraint, PodTopologySpread, has_all_domains};
use crate::scheduler::framework::prelude::*;

/// The counts of the soft constraints.
#[derive(Clone, Debug, Default)]
pub struct SpreadScoreState {
    constraints: Vec<Constraint>,
    /// Feasible nodes that lack a label.
    ignored: BTreeSet<NodeId>,
    /// By constraint: pods by domain of a feasible node. Not for hostnames, whose pods are counted node by node.
    counts: Vec<DomainCounts>,
    /// By constraint: ln(number of domains + 2).
    weights: Vec<f64>,
    /// The scores of the feasible nodes, in order.
    raw: Vec<i64>,
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
    let required: &[Constraint] = if requires_all { &constraints } else { &[] };
    let is_ignored = |node: &&NodeId| !has_all_domains(required, cx.view(**node));
    let ignored: BTreeSet<NodeId> = feasible.iter().filter(is_ignored).copied().collect();
    let scored: Vec<NodeId> = feasible.iter().filter(|node| !ignored.contains(node)).copied().collect();
    let mut sums = vec![0.0; scored.len()];
    let (mut counts, mut weights) = (Vec::new(), Vec::new());
    for constraint in &constraints {
        let Counted { by_domain, by_node } = count(cx, constraint, &scored, required);
        let n_domains = if constraint.is_hostname { scored.len() } else { by_domain.len() };
        let weight = libm::log((n_domains + 2) as f64);
        for (sum, count) in sums.iter_mut().zip(by_node) {
            *sum += count.map_or(0.0, |count| part(constraint, count, weight));
        }
        counts.push(by_domain);
        weights.push(weight);
    }
    let mut sums = sums.into_iter();
    let raw = feasible.iter().map(|node| if ignored.contains(node) { 0.0 } else { sums.next().unwrap_or(0.0) });
    let raw = raw.map(|sum: f64| sum.round() as i64).collect();
    state.spread_score = SpreadScoreState { constraints, ignored, counts, weights, raw };
    true
}

/// Pods by domain of a feasible node: a handful of domains, or else nearly one per node.
type DomainCounts = IndexMap<Sym, i64, FxBuildHasher>;

/// What a constraint counts.
#[derive(Debug, PartialEq, Eq)]
struct Counted {
    /// Not for hostnames.
    by_domain: DomainCounts,
    /// By feasible node: the pods of its domain; none if it has no domain.
    by_node: Vec<Option<i64>>,
}

/// What a constraint that counts so many pods for a node adds to its score.
fn part(constraint: &Constraint, count: i64, weight: f64) -> f64 {
    count as f64 * weight + (constraint.max_skew - 1) as f64
}

/// The pods that a constraint counts for some nodes: on each alone for hostnames, else in its domain, over all nodes that have the labels
/// of all the `required` constraints.
fn count(cx: Cx<'_>, constraint: &Constraint, nodes: &[NodeId], required: &[Constraint]) -> Counted {
    let Some(key) = constraint.totals_key(cx, required) else { return count_plainly(cx, constraint, nodes, required) };
    let concerns = |&(_, namespace, labels): &(NodeId, Sym, LabelsId)| {
        namespace == cx.namespace() && constraint.pods.matches(cx, labels)
    };
    let changed = |n_changes| {
        let changed = cx.tables.crowds.changed_since(n_changes)?;
        Some(changed.filter(concerns).map(|(node, ..)| node))
    };
    let count_node = |node| {
        let view = cx.view(node);
        let counts = !cx.cluster.node(node).meta.removed && has_all_domains(required, view);
        counts.then(|| (domain_or_none(constraint, view), constraint.pods.count(cx, node)))
    };
    let versions = (cx.tables.nodes_version, cx.tables.crowds.n_changes());
    let counted = cx.tables.spread_totals.read(key, versions, cx.tables.order(), changed, count_node, |totals| {
        let mut by_domain = DomainCounts::default();
        let by_node = nodes.iter().map(|&node| {
            let (domain, own) = totals.node(node)?;
            let has_domain = domain != Sym::EMPTY || constraint.domain(cx.view(node)).is_some();
            let count = match constraint.is_hostname {
                true => own,
                false => *by_domain.entry(domain).or_insert_with(|| totals.total(domain)),
            };
            has_domain.then_some(count)
        });
        let by_node = by_node.collect();
        Counted { by_domain, by_node }
    });
    debug_assert_eq!(counted, count_plainly(cx, constraint, nodes, required));
    counted
}

/// As [`count`], node by node.
fn count_plainly(cx: Cx<'_>, constraint: &Constraint, nodes: &[NodeId], required: &[Constraint]) -> Counted {
    let mut by_domain = DomainCounts::default();
    if !constraint.is_hostname {
        by_domain.extend(nodes.iter().map(|&node| (domain_or_none(constraint, cx.view(node)), 0)));
        for &node in cx.tables.order() {
            let view = cx.view(node);
            if has_all_domains(required, view)
                && let Some(count) = by_domain.get_mut(&domain_or_none(constraint, view))
                && constraint.includes(cx, view)
            {
                *count += constraint.pods.count(cx, node);
            }
        }
    }
    let by_node = nodes.iter().map(|&node| count_of(cx, constraint, &by_domain, node)).collect();
    Counted { by_domain, by_node }
}

/// The pods that count for a node; none if it has no domain.
fn count_of(cx: Cx<'_>, constraint: &Constraint, by_domain: &DomainCounts, node: NodeId) -> Option<i64> {
    let domain = constraint.domain(cx.view(node))?;
    Some(match constraint.is_hostname {
        true => constraint.pods.count(cx, node),
        false => by_domain.get(&domain).copied().unwrap_or(0),
    })
}

/// Scores of the feasible nodes in order, as PreScore saw them.
pub fn score_block(cx: Cx<'_>, state: &SpreadScoreState, nodes: &[NodeId], scores: &mut [i64]) {
    debug_assert!(nodes.iter().zip(&state.raw).all(|(&node, &raw)| raw == score(cx, state, node)));
    match state.raw.len() == nodes.len() {
        true => scores.copy_from_slice(&state.raw),
        false => nodes.iter().zip(scores).for_each(|(&node, own)| *own = score(cx, state, node)),
    }
}

/// Score of one node.
pub fn score(cx: Cx<'_>, state: &SpreadScoreState, node: NodeId) -> i64 {
    if state.ignored.contains(&node) {
        return 0;
    }
    let constraints = state.constraints.iter().zip(&state.counts).zip(&state.weights);
    let parts = constraints.map(|((constraint, counts), &weight)| {
        count_of(cx, constraint, counts, node).map_or(0.0, |count| part(constraint, count, weight))
    });
    parts.sum::<f64>().round() as i64
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
