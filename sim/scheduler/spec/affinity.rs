//! Pod affinity and anti-affinity of a spec.

use k8s_openapi::api::core::v1 as core;

use super::intern_selector;
use crate::scheduler::framework::selectors::{SelectorId, Selectors};

/// All terms of a spec.
#[derive(Clone, Debug, Default)]
pub struct AffinityTerms {
    /// Required affinity.
    pub required: Vec<AffinityTerm>,
    /// Required anti-affinity.
    pub anti_required: Vec<AffinityTerm>,
    /// Preferred affinity.
    pub preferred: Vec<WeightedTerm>,
    /// Preferred anti-affinity.
    pub anti_preferred: Vec<WeightedTerm>,
}

/// Which pods, in which namespaces, by which topology.
#[derive(Clone, Debug)]
pub struct AffinityTerm {
    /// The labels of the pods. `matchLabelKeys` are not looked at: the API server has merged them.
    pub selector: SelectorId,
    /// `namespaces`.
    pub namespaces: Vec<String>,
    /// Whether the pod's own namespace is meant because nothing else is said.
    pub own_namespace: bool,
    /// `namespaceSelector`, if given.
    pub namespace_selector: Option<SelectorId>,
    /// `topologyKey`.
    pub topology_key: String,
}

/// A preferred term.
#[derive(Clone, Debug)]
pub struct WeightedTerm {
    /// The weight.
    pub weight: i64,
    /// The term.
    pub term: AffinityTerm,
}

impl AffinityTerms {
    /// Lowers the affinity of a spec.
    pub fn lower(affinity: Option<&core::Affinity>, selectors: &mut Selectors) -> AffinityTerms {
        let mut terms = AffinityTerms::default();
        let pods = affinity.and_then(|affinity| affinity.pod_affinity.as_ref());
        let anti = affinity.and_then(|affinity| affinity.pod_anti_affinity.as_ref());
        let mut all = |list: Option<&Vec<core::PodAffinityTerm>>| -> Vec<AffinityTerm> {
            list.into_iter().flatten().map(|term| AffinityTerm::lower(term, selectors)).collect()
        };
        terms.required = all(pods.and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref()));
        terms.anti_required = all(anti.and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref()));
        let mut weighted = |list: Option<&Vec<core::WeightedPodAffinityTerm>>| -> Vec<WeightedTerm> {
            let lower = |term: &core::WeightedPodAffinityTerm| WeightedTerm {
                weight: i64::from(term.weight),
                term: AffinityTerm::lower(&term.pod_affinity_term, selectors),
            };
            list.into_iter().flatten().map(lower).collect()
        };
        terms.preferred = weighted(pods.and_then(|a| a.preferred_during_scheduling_ignored_during_execution.as_ref()));
        terms.anti_preferred =
            weighted(anti.and_then(|a| a.preferred_during_scheduling_ignored_during_execution.as_ref()));
        terms
    }

    /// Whether there is any term.
    pub fn any(&self) -> bool {
        !(self.required.is_empty()
            && self.anti_required.is_empty()
            && self.preferred.is_empty()
            && self.anti_preferred.is_empty())
    }
}

impl AffinityTerm {
    fn lower(term: &core::PodAffinityTerm, selectors: &mut Selectors) -> AffinityTerm {
        let namespaces = term.namespaces.clone().unwrap_or_default();
        AffinityTerm {
            selector: intern_selector(term.label_selector.as_ref(), selectors),
            own_namespace: namespaces.is_empty() && term.namespace_selector.is_none(),
            namespaces,
            namespace_selector: (term.namespace_selector.as_ref())
                .map(|selector| intern_selector(Some(selector), selectors)),
            topology_key: term.topology_key.clone(),
        }
    }
}
