//! The score of InterPodAffinity (kube-scheduler v1.36, `plugins/interpodaffinity/scoring.go`): the weights of the preferred terms
//! of the pod and of the pods that are there, summed by domain.

use rustc_hash::FxHashMap;

use super::inter_pod_affinity::{InterPodAffinity, Term, domain, means_incoming};
use crate::scheduler::framework::prelude::*;

/// Weights by topology key and value. An entry of 0 is kept: something has matched.
#[derive(Clone, Debug, Default)]
pub struct AffinityScoreState {
    /// The weights.
    pub by_domain: FxHashMap<(Sym, Sym), i64>,
}

impl AffinityScoreState {
    fn add(&mut self, domain: Option<(Sym, Sym)>, weight: i64) {
        if let Some(domain) = domain {
            *self.by_domain.entry(domain).or_insert(0) += weight;
        }
    }
}

/// PreScore. `false` if nothing has matched.
pub fn pre_score(plugin: &InterPodAffinity, cx: Cx<'_>, state: &mut CycleState, feasible: &[NodeId]) -> bool {
    let own = &cx.spec.affinity;
    let has_preferences = !own.preferred.is_empty() || !own.anti_preferred.is_empty();
    let ignores_others = plugin.ignores_existing_preferences && !has_preferences;
    if feasible.is_empty() || ignores_others || (!has_preferences && cx.tables.with_affinity.is_empty()) {
        return false;
    }
    let mut scores = AffinityScoreState::default();
    if has_preferences {
        let wanted = own.preferred.iter().map(|term| (term.weight, &term.term));
        let avoided = own.anti_preferred.iter().map(|term| (-term.weight, &term.term));
        let terms: Vec<_> = wanted.chain(avoided).map(|(weight, term)| (weight, Term::of_incoming(cx, term))).collect();
        for &node in cx.tables.order() {
            let view = cx.view(node);
            for &pod in &cx.cluster.node(node).pods {
                for (weight, term) in terms.iter().filter(|(_, term)| term.means(cx, pod)) {
                    scores.add(term.domain(cx, view), *weight);
                }
            }
        }
    }
    let namespace_labels = cx.namespace_labels();
    for &pod in &cx.tables.with_affinity {
        if let Some(node) = cx.cluster.pod(pod).occupies() {
            add_existing(plugin, cx, &mut scores, pod, cx.view(node), namespace_labels);
        }
    }
    let any = !scores.by_domain.is_empty();
    state.affinity_score = scores;
    any
}

/// What the terms of a pod that is there add to its domains.
fn add_existing(
    plugin: &InterPodAffinity,
    cx: Cx<'_>,
    scores: &mut AffinityScoreState,
    pod: PodId,
    node: NodeView<'_>,
    namespace_labels: LabelsId,
) {
    let theirs = &cx.tables.spec_of(cx.cluster, pod).affinity;
    let required = theirs.required.iter().map(|term| (plugin.hard_weight, term));
    let required = required.filter(|_| plugin.hard_weight > 0);
    let preferred = theirs.preferred.iter().map(|term| (term.weight, &term.term));
    let anti = theirs.anti_preferred.iter().map(|term| (-term.weight, &term.term));
    for (weight, term) in required.chain(preferred).chain(anti) {
        if means_incoming(cx, term, pod, namespace_labels) {
            scores.add(domain(cx, term, node), weight);
        }
    }
}

/// NormalizeScore: the lowest becomes 0, the highest 100.
pub fn normalize(scores: &mut [i64]) {
    let (min, max) = (scores.iter().copied().min().unwrap_or(0), scores.iter().copied().max().unwrap_or(0));
    for score in scores {
        *score = match max - min {
            0 => 0,
            difference => (MAX_NODE_SCORE as f64 * ((*score - min) as f64 / difference as f64)) as i64,
        };
    }
}
