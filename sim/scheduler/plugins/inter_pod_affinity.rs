//! InterPodAffinity: pods that must, must not, would rather or would rather not run in one domain of a topology with certain other
//! pods; required anti-affinity and all preferences work both ways.
//!
//! Arguments: `hardPodAffinityWeight` (default 1: what a required term of an existing pod adds to the score of its domain),
//! `ignorePreferredTermsOfExistingPods` (default false). Follows kube-scheduler v1.36, `plugins/interpodaffinity`.

use rustc_hash::FxHashMap;
use serde_json::Value;

use super::inter_pod_affinity_score as scoring;
use crate::scheduler::framework::prelude::*;
use crate::scheduler::spec::AffinityTerm;

pub use scoring::AffinityScoreState;

/// The plugin.
#[derive(Clone, Debug)]
pub struct InterPodAffinity {
    /// `hardPodAffinityWeight`.
    pub(super) hard_weight: i64,
    /// `ignorePreferredTermsOfExistingPods`.
    pub(super) ignores_existing_preferences: bool,
}

/// A term made ready for matching: which namespaces it means is known.
#[derive(Clone, Debug)]
pub struct Term<'a> {
    /// The term.
    pub term: &'a AffinityTerm,
    /// The namespaces by name, those that the selector named when the cycle began included.
    namespaces: Vec<Sym>,
}

/// Whether a term of an existing pod means a pod in `namespace`, whose object has `namespace_labels`.
pub fn means_namespace(
    cx: Cx<'_>,
    term: &AffinityTerm,
    owner: PodId,
    namespace: Sym,
    namespace_labels: LabelsId,
) -> bool {
    let name = cx.cluster.interner.text(namespace);
    (term.own_namespace && cx.cluster.pod(owner).meta.namespace == namespace)
        || term.namespaces.iter().any(|other| other == name)
        || term
            .namespace_selector
            .is_some_and(|selector| cx.tables.selectors.matches(selector, cx.cluster, namespace_labels))
}

/// Whether a term of the pod `owner`, which is on a node, means the incoming pod.
pub fn means_incoming(cx: Cx<'_>, term: &AffinityTerm, owner: PodId, namespace_labels: LabelsId) -> bool {
    cx.tables.selectors.matches(term.selector, cx.cluster, cx.labels())
        && means_namespace(cx, term, owner, cx.namespace(), namespace_labels)
}

impl Term<'_> {
    /// The term of the incoming pod. Its namespace selector is turned into names (`mergeAffinityTermNamespacesIfNotEmpty`).
    pub fn of_incoming<'a>(cx: Cx<'_>, term: &'a AffinityTerm) -> Term<'a> {
        let interner = &cx.cluster.interner;
        let mut namespaces: Vec<Sym> = term.namespaces.iter().filter_map(|name| interner.find(name)).collect();
        if term.own_namespace {
            namespaces.push(cx.namespace());
        }
        if let Some(selector) = term.namespace_selector
            && !cx.tables.selectors.get(selector).is_empty()
        {
            let selected = cx.cluster.of_kind("Namespace").map(|id| &cx.cluster.object(id).meta);
            let selected = selected.filter(|meta| cx.tables.selectors.matches(selector, cx.cluster, meta.labels));
            namespaces.extend(selected.map(|meta| meta.name));
        }
        Term { term, namespaces }
    }

    /// Whether an existing pod is meant. The namespace selector is matched once more, against no labels at all: so `NotIn`
    /// and `DoesNotExist` select every namespace, as in kube-scheduler.
    pub fn means(&self, cx: Cx<'_>, pod: PodId) -> bool {
        let meta = &cx.cluster.pod(pod).meta;
        let in_namespace = self.namespaces.contains(&meta.namespace)
            || self
                .term
                .namespace_selector
                .is_some_and(|selector| cx.tables.selectors.matches(selector, cx.cluster, LabelsId::EMPTY));
        in_namespace && cx.tables.selectors.matches(self.term.selector, cx.cluster, meta.labels)
    }

    /// The domain of a node by the term's topology.
    pub fn domain(&self, cx: Cx<'_>, node: NodeView<'_>) -> Option<(Sym, Sym)> {
        domain(cx, self.term, node)
    }
}

/// The domain of a node by the topology of a term.
pub fn domain(cx: Cx<'_>, term: &AffinityTerm, node: NodeView<'_>) -> Option<(Sym, Sym)> {
    let key = cx.cluster.interner.find(&term.topology_key)?;
    Some((key, node.label_sym(key)?))
}

/// Pods by topology key and value; no entry is 0.
pub type DomainCounts = FxHashMap<(Sym, Sym), i64>;

/// Adds to a count; an entry that becomes 0 goes.
pub fn count(counts: &mut DomainCounts, domain: Option<(Sym, Sym)>, amount: i64) {
    let Some(domain) = domain else { return };
    let entry = counts.entry(domain).or_insert(0);
    *entry += amount;
    if *entry == 0 {
        counts.remove(&domain);
    }
}

/// What is counted before nodes are judged.
#[derive(Clone, Debug, Default)]
pub struct AffinityFilterState {
    /// Pods whose anti-affinity means the incoming pod.
    existing_anti: DomainCounts,
    /// Pods that meet all required terms of the incoming pod.
    affinity: DomainCounts,
    /// Pods that meet a required anti-affinity term of the incoming pod.
    anti: DomainCounts,
    namespace_labels: LabelsId,
}

impl AffinityFilterState {
    fn count_existing_anti(&mut self, cx: Cx<'_>, pod: PodId, node: NodeView<'_>, sign: i64) {
        for term in &cx.tables.spec_of(cx.cluster, pod).affinity.anti_required {
            if means_incoming(cx, term, pod, self.namespace_labels) {
                count(&mut self.existing_anti, domain(cx, term, node), sign);
            }
        }
    }

    fn count_own(&mut self, cx: Cx<'_>, terms: &OwnTerms<'_>, pod: PodId, node: NodeView<'_>, sign: i64) {
        if !terms.required.is_empty() && terms.required.iter().all(|term| term.means(cx, pod)) {
            for term in &terms.required {
                count(&mut self.affinity, term.domain(cx, node), sign);
            }
        }
        for term in terms.anti.iter().filter(|term| term.means(cx, pod)) {
            count(&mut self.anti, term.domain(cx, node), sign);
        }
    }
}

/// The required terms of the incoming pod, made ready.
struct OwnTerms<'a> {
    required: Vec<Term<'a>>,
    anti: Vec<Term<'a>>,
}

impl<'a> OwnTerms<'a> {
    fn of(cx: Cx<'a>) -> OwnTerms<'a> {
        let ready = |terms: &'a [AffinityTerm]| terms.iter().map(|term| Term::of_incoming(cx, term)).collect();
        OwnTerms { required: ready(&cx.spec.affinity.required), anti: ready(&cx.spec.affinity.anti_required) }
    }
}

impl InterPodAffinity {
    /// The plugin with `InterPodAffinityArgs`.
    pub fn new(args: &Value) -> InterPodAffinity {
        InterPodAffinity {
            hard_weight: args["hardPodAffinityWeight"].as_i64().unwrap_or(1),
            ignores_existing_preferences: args["ignorePreferredTermsOfExistingPods"].as_bool().unwrap_or(false),
        }
    }

    /// Required affinity: every term has a pod in the node's domain; or the pod is the first of a series that wants its own like.
    fn affinity_is_met(cx: Cx<'_>, state: &AffinityFilterState, node: NodeView<'_>) -> bool {
        let mut all_exist = true;
        for term in &cx.spec.affinity.required {
            let Some(domain) = domain(cx, term, node) else { return false };
            all_exist &= state.affinity.contains_key(&domain);
        }
        let is_first = || {
            let mut terms = cx.spec.affinity.required.iter().map(|term| Term::of_incoming(cx, term));
            state.affinity.is_empty() && terms.all(|term| term.means(cx, cx.pod))
        };
        all_exist || is_first()
    }
}

impl Plugin for InterPodAffinity {
    fn name(&self) -> PluginName {
        PluginName::InterPodAffinity
    }

    fn reads(&self) -> Reads {
        Reads::WholeCluster
    }

    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: &[ClusterEvent] = &[
            on(EventResource::AssignedPod, Action::ADD.or(Action::DELETE).or(Action::UPDATE_POD_LABEL)),
            on(EventResource::TargetPod, Action::UPDATE_POD_LABEL),
            on(EventResource::Node, Action::ADD.or(Action::UPDATE_NODE_LABEL)),
        ];
        EVENTS
    }

    fn pre_filter(&self, cx: Cx<'_>, state: &mut CycleState) -> PreFilter {
        let own = &cx.spec.affinity;
        let has_own = !own.required.is_empty() || !own.anti_required.is_empty();
        if !has_own && cx.tables.with_anti_affinity.is_empty() {
            return PreFilter::Skip;
        }
        let mut affinity =
            AffinityFilterState { namespace_labels: cx.namespace_labels(), ..AffinityFilterState::default() };
        for &pod in &cx.tables.with_anti_affinity {
            if let Some(node) = cx.cluster.pod(pod).occupies() {
                affinity.count_existing_anti(cx, pod, cx.view(node), 1);
            }
        }
        if has_own {
            let terms = OwnTerms::of(cx);
            for &node in cx.tables.order() {
                for &pod in &cx.cluster.node(node).pods {
                    affinity.count_own(cx, &terms, pod, cx.view(node), 1);
                }
            }
        } else if affinity.existing_anti.is_empty() {
            return PreFilter::Skip;
        }
        state.affinity = affinity;
        PreFilter::Run
    }

    fn suppose(&self, cx: Cx<'_>, state: &mut CycleState, pod: PodId, node: NodeId, sign: i64) {
        let view = cx.view(node);
        state.affinity.count_existing_anti(cx, pod, view, sign);
        state.affinity.count_own(cx, &OwnTerms::of(cx), pod, view, sign);
    }

    fn filter(&self, cx: Cx<'_>, state: &CycleState, node: NodeView<'_>) -> Verdict {
        let affinity = &state.affinity;
        if !InterPodAffinity::affinity_is_met(cx, affinity, node) {
            return Err(Rejection::unresolvable(Reason::PodAffinity));
        }
        let avoided = |term: &AffinityTerm| {
            domain(cx, term, node).is_some_and(|domain| affinity.anti.get(&domain).is_some_and(|&count| count > 0))
        };
        if !affinity.anti.is_empty() && cx.spec.affinity.anti_required.iter().any(avoided) {
            return Err(Rejection::unschedulable(Reason::PodAntiAffinity));
        }
        let labels = cx.cluster.interner.pairs(node.row().meta.labels);
        let existing = |pair: &(Sym, Sym)| affinity.existing_anti.get(pair).is_some_and(|&count| count > 0);
        if !affinity.existing_anti.is_empty() && labels.iter().any(existing) {
            return Err(Rejection::unschedulable(Reason::ExistingAntiAffinity));
        }
        Ok(())
    }

    fn pre_score(&self, cx: Cx<'_>, state: &mut CycleState, feasible: &[NodeId]) -> bool {
        scoring::pre_score(self, cx, state, feasible)
    }

    fn score(&self, cx: Cx<'_>, state: &CycleState, node: NodeId) -> i64 {
        let labels = cx.cluster.interner.pairs(cx.cluster.node(node).meta.labels);
        labels.iter().filter_map(|pair| state.affinity_score.by_domain.get(pair)).sum()
    }

    fn normalize(&self, _: Cx<'_>, _: &CycleState, _: &[NodeId], scores: &mut [i64]) {
        scoring::normalize(scores);
    }
}
