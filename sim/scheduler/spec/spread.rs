//! Topology spread constraints of a spec.

use k8s_openapi::api::core::v1 as core;

use super::intern_selector;
use crate::scheduler::framework::selectors::{SelectorId, Selectors};

/// One constraint.
#[derive(Clone, Debug)]
pub struct SpreadConstraint {
    /// `maxSkew`.
    pub max_skew: i64,
    /// `topologyKey`.
    pub topology_key: String,
    /// `whenUnsatisfiable: DoNotSchedule`.
    pub hard: bool,
    /// `labelSelector`.
    pub selector: SelectorId,
    /// `matchLabelKeys`.
    pub match_label_keys: Vec<String>,
    /// `minDomains`; 1 if not given.
    pub min_domains: usize,
    /// `nodeAffinityPolicy: Honor`, the default.
    pub honors_affinity: bool,
    /// `nodeTaintsPolicy: Honor`; the default is to ignore taints.
    pub honors_taints: bool,
}

impl SpreadConstraint {
    /// Lowers a constraint.
    pub fn lower(constraint: &core::TopologySpreadConstraint, selectors: &mut Selectors) -> SpreadConstraint {
        SpreadConstraint {
            max_skew: i64::from(constraint.max_skew),
            topology_key: constraint.topology_key.clone(),
            hard: constraint.when_unsatisfiable == "DoNotSchedule",
            selector: intern_selector(constraint.label_selector.as_ref(), selectors),
            match_label_keys: constraint.match_label_keys.clone().unwrap_or_default(),
            min_domains: constraint.min_domains.map_or(1, |n| usize::try_from(n).unwrap_or(1)),
            honors_affinity: constraint.node_affinity_policy.as_deref() != Some("Ignore"),
            honors_taints: constraint.node_taints_policy.as_deref() == Some("Honor"),
        }
    }
}
