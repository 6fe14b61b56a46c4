//! PodTopologySpread: spreads the pods that a selector names over the domains of a topology. Hard constraints
//! (`DoNotSchedule`) bound the skew against the domain with the fewest; soft ones (`ScheduleAnyway`) score.
//!
//! Arguments: `defaultingType` System (default: hostname maxSkew 3 and zone maxSkew 5, both soft) or List with
//! `defaultConstraints`, for pods without constraints that a service or controller selects.
//! Follows kube-scheduler v1.36, `plugins/podtopologyspread`.

use rustc_hash::FxHashMap;
use serde_json::Value;
use smallvec::SmallVec;

use super::pod_topology_spread_score as scoring;
use crate::api::selector::Selector;
use crate::scheduler::framework::crowds::Crowd;
use crate::scheduler::framework::prelude::*;
use crate::scheduler::framework::selectors::SelectorId;
use crate::scheduler::framework::spread_totals::TotalsKey;
use crate::scheduler::spec::SpreadConstraint;

pub use scoring::SpreadScoreState;

/// The plugin.
#[derive(Clone, Debug)]
pub struct PodTopologySpread {
    defaults: Vec<SpreadConstraint>,
    /// `defaultingType: System`.
    system_defaulted: bool,
}

/// A constraint made ready for one pod.
#[derive(Clone, Debug)]
pub struct Constraint {
    /// `maxSkew`.
    pub max_skew: i64,
    /// `topologyKey`; none if no object has ever had such a label.
    pub key: Option<Sym>,
    /// Whether the topology is that of single nodes.
    pub is_hostname: bool,
    /// `minDomains`.
    pub min_domains: usize,
    honors_affinity: bool,
    honors_taints: bool,
    /// The pods that are counted.
    pub pods: PodSelector,
}

/// Which pods a constraint counts.
#[derive(Clone, Debug)]
pub enum PodSelector {
    /// Those of an interned selector that also have these labels (`matchLabelKeys`).
    Interned(SelectorId, SmallVec<[(Sym, Sym); 1]>),
    /// Those with these labels: a selector that is not given, narrowed by `matchLabelKeys`.
    Labels(SmallVec<[(Sym, Sym); 1]>),
    /// Those of a selector made for the pod.
    Made(Selector),
}

impl PodSelector {
    /// Whether a pod with these labels is selected.
    pub fn matches(&self, cx: Cx<'_>, labels: LabelsId) -> bool {
        let has = |pairs: &[(Sym, Sym)]| {
            pairs.iter().all(|&(key, value)| cx.cluster.interner.value(labels, key) == Some(value))
        };
        match self {
            PodSelector::Interned(selector, pairs) => {
                has(pairs) && cx.tables.selectors.matches(*selector, cx.cluster, labels)
            }
            PodSelector::Labels(pairs) => has(pairs),
            PodSelector::Made(selector) => selector.matches(|key| cx.cluster.label(labels, key)),
        }
    }

    /// Whether nothing is required: then existing pods count nothing.
    fn is_empty(&self, cx: Cx<'_>) -> bool {
        match self {
            PodSelector::Interned(selector, pairs) => pairs.is_empty() && cx.tables.selectors.get(*selector).is_empty(),
            PodSelector::Labels(pairs) => pairs.is_empty(),
            PodSelector::Made(selector) => selector.is_empty(),
        }
    }

    /// How many pods of a node are selected: those of the pod's namespace that are not being deleted.
    pub fn count(&self, cx: Cx<'_>, node: NodeId) -> i64 {
        if self.is_empty(cx) {
            return 0;
        }
        let namespace = cx.namespace();
        let selected = |crowd: &&Crowd| crowd.namespace == namespace && self.matches(cx, crowd.labels);
        let n_pods = cx.tables.crowds.of(node).iter().filter(selected).map(|crowd| i64::from(crowd.n_pods)).sum();
        debug_assert_eq!(n_pods, self.count_plainly(cx, node), "crowds of {node:?}");
        n_pods
    }

    /// As [`PodSelector::count`], pod by pod.
    fn count_plainly(&self, cx: Cx<'_>, node: NodeId) -> i64 {
        let namespace = cx.namespace();
        let counts = |pod: &&PodId| {
            let meta = &cx.cluster.pod(**pod).meta;
            meta.namespace == namespace && !meta.is_deleting() && self.matches(cx, meta.labels)
        };
        cx.cluster.node(node).pods.iter().filter(counts).count() as i64
    }
}

impl Constraint {
    fn of(cx: Cx<'_>, constraint: &SpreadConstraint) -> Constraint {
        let interner = &cx.cluster.interner;
        let pairs: SmallVec<[(Sym, Sym); 1]> = (constraint.match_label_keys.iter())
            .filter_map(|key| interner.find(key))
            .filter_map(|key| Some((key, interner.value(cx.labels(), key)?)))
            .collect();
        let is_nothing = cx.tables.selectors.get(constraint.selector).is_nothing();
        let pods = if is_nothing && !pairs.is_empty() {
            PodSelector::Labels(pairs)
        } else {
            PodSelector::Interned(constraint.selector, pairs)
        };
        Constraint {
            max_skew: constraint.max_skew,
            key: interner.find(&constraint.topology_key),
            is_hostname: constraint.topology_key == "kubernetes.io/hostname",
            min_domains: constraint.min_domains,
            honors_affinity: constraint.honors_affinity,
            honors_taints: constraint.honors_taints,
            pods,
        }
    }

    /// The domain of a node.
    pub fn domain(&self, node: NodeView<'_>) -> Option<Sym> {
        node.label_sym(self.key?)
    }

    /// What to count under from cycle to cycle; none if the pod itself has a say in which nodes count, or its selector was made for it.
    pub(super) fn totals_key(&self, cx: Cx<'_>, required: &[Constraint]) -> Option<TotalsKey> {
        let all_nodes = (!self.honors_affinity || cx.spec.required_nodes.is_empty()) && !self.honors_taints;
        // On single nodes pods count whatever the policies say.
        let all_nodes = all_nodes || self.is_hostname;
        match &self.pods {
            PodSelector::Interned(selector, pairs) if all_nodes && pairs.is_empty() => Some(TotalsKey {
                selector: *selector,
                namespace: cx.namespace(),
                topology: self.key,
                required: required.iter().map(|constraint| constraint.key).collect(),
            }),
            _ => None,
        }
    }

    /// Whether the pods of a node count (`matchNodeInclusionPolicies`).
    pub fn includes(&self, cx: Cx<'_>, node: NodeView<'_>) -> bool {
        (!self.honors_affinity || cx.spec.required_nodes.is_empty() || cx.admits(node))
            && (!self.honors_taints || !cx.spec.has_untolerated(node.taints()))
    }
}

/// Whether a node has a domain of every constraint.
pub fn has_all_domains(constraints: &[Constraint], node: NodeView<'_>) -> bool {
    constraints.iter().all(|constraint| constraint.domain(node).is_some())
}

/// The counts of the hard constraints.
#[derive(Clone, Debug, Default)]
pub struct SpreadFilterState {
    constraints: Vec<Constraint>,
    /// By constraint: pods by domain.
    counts: Vec<FxHashMap<Sym, i64>>,
    /// By constraint: the smallest of `counts`.
    min: Vec<i64>,
}

impl SpreadFilterState {
    fn update_min(&mut self, idx: usize) {
        // kube-scheduler starts its search for the smallest from this.
        self.min[idx] = self.counts[idx].values().copied().min().unwrap_or(i64::from(i32::MAX));
    }
}

impl PodTopologySpread {
    /// The plugin with `PodTopologySpreadArgs`.
    ///
    /// # Errors
    ///
    /// If a default constraint is not one.
    pub fn new(args: &Value) -> Result<PodTopologySpread, String> {
        let mut selectors = crate::scheduler::framework::selectors::Selectors::default();
        let system_defaulted = args["defaultingType"].as_str().unwrap_or("System") == "System";
        let system = serde_json::json!([
            { "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 3 },
            { "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 5 },
        ]);
        let listed = if system_defaulted { &system } else { &args["defaultConstraints"] };
        let mut defaults = Vec::new();
        for constraint in listed.as_array().into_iter().flatten() {
            let typed =
                serde_json::from_value(constraint.clone()).map_err(|error| format!("defaultConstraints: {error}"))?;
            defaults.push(SpreadConstraint::lower(&typed, &mut selectors));
        }
        Ok(PodTopologySpread { defaults, system_defaulted })
    }

    /// The hard or the soft constraints of the pod, or the defaults if it has none.
    pub(super) fn constraints(&self, cx: Cx<'_>, hard: bool) -> Vec<Constraint> {
        if !cx.spec.spread.is_empty() {
            let own = cx.spec.spread.iter().filter(|constraint| constraint.hard == hard);
            return own.map(|constraint| Constraint::of(cx, constraint)).collect();
        }
        if cx.tables.owners.is_empty() || !self.defaults.iter().any(|constraint| constraint.hard == hard) {
            return Vec::new();
        }
        let Some(pods) = default_pods(cx) else { return Vec::new() };
        let defaults = self.defaults.iter().filter(|constraint| constraint.hard == hard);
        defaults
            .map(|constraint| Constraint { pods: pods.clone(), ..Constraint::unselective(cx, constraint) })
            .collect()
    }

    /// Whether nodes without a label are left out of scoring: not for the defaults of the system.
    pub(super) fn requires_all_labels(&self, cx: Cx<'_>) -> bool {
        !cx.spec.spread.is_empty() || !self.system_defaulted
    }
}

/// The pods that default constraints count: those of the services and the controller of the pod; none if it has none.
fn default_pods(cx: Cx<'_>) -> Option<PodSelector> {
    if let Some(selector) = cx.tables.prepared_default(cx.cluster, cx.pod) {
        return (!cx.tables.selectors.get(selector).is_empty())
            .then(|| PodSelector::Interned(selector, SmallVec::new()));
    }
    let selector = cx.tables.owners.default_selector(cx.cluster, cx.pod);
    (!selector.is_empty()).then(|| PodSelector::Made(selector))
}

impl Constraint {
    /// A default constraint, whose selector is still to be set.
    fn unselective(cx: Cx<'_>, constraint: &SpreadConstraint) -> Constraint {
        Constraint {
            max_skew: constraint.max_skew,
            key: cx.cluster.interner.find(&constraint.topology_key),
            is_hostname: constraint.topology_key == "kubernetes.io/hostname",
            min_domains: constraint.min_domains,
            honors_affinity: constraint.honors_affinity,
            honors_taints: constraint.honors_taints,
            pods: PodSelector::Labels(SmallVec::new()),
        }
    }
}

impl Plugin for PodTopologySpread {
    fn name(&self) -> PluginName {
        PluginName::PodTopologySpread
    }

    fn reads(&self) -> Reads {
        Reads::WholeCluster
    }

    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: &[ClusterEvent] = &[
            on(EventResource::AssignedPod, Action::ADD.or(Action::DELETE).or(Action::UPDATE_POD_LABEL)),
            on(
                EventResource::Node,
                Action::ADD.or(Action::DELETE).or(Action::UPDATE_NODE_LABEL).or(Action::UPDATE_NODE_TAINT),
            ),
            on(EventResource::TargetPod, Action::UPDATE_POD_LABEL),
            on(EventResource::TargetPod, Action::UPDATE_POD_TOLERATION),
        ];
        EVENTS
    }

    fn pre_filter(&self, cx: Cx<'_>, state: &mut CycleState) -> PreFilter {
        let constraints = self.constraints(cx, true);
        if constraints.is_empty() {
            return PreFilter::Skip;
        }
        let mut counts = vec![FxHashMap::default(); constraints.len()];
        for &node in cx.tables.order() {
            let view = cx.view(node);
            if !has_all_domains(&constraints, view) {
                continue;
            }
            for (constraint, counts) in constraints.iter().zip(&mut counts) {
                if constraint.includes(cx, view)
                    && let Some(domain) = constraint.domain(view)
                {
                    *counts.entry(domain).or_insert(0) += constraint.pods.count(cx, node);
                }
            }
        }
        state.spread = SpreadFilterState { min: vec![0; constraints.len()], constraints, counts };
        (0..state.spread.min.len()).for_each(|idx| state.spread.update_min(idx));
        PreFilter::Run
    }

    /// A pod that is being deleted is taken off although it was not counted, as in kube-scheduler.
    fn suppose(&self, cx: Cx<'_>, state: &mut CycleState, pod: PodId, node: NodeId, sign: i64) {
        let (meta, view) = (&cx.cluster.pod(pod).meta, cx.view(node));
        let spread = &mut state.spread;
        if meta.namespace != cx.namespace() || !has_all_domains(&spread.constraints, view) {
            return;
        }
        for idx in 0..spread.constraints.len() {
            let constraint = &spread.constraints[idx];
            if constraint.pods.matches(cx, meta.labels)
                && constraint.includes(cx, view)
                && let Some(domain) = constraint.domain(view)
            {
                *spread.counts[idx].entry(domain).or_insert(0) += sign;
                spread.update_min(idx);
            }
        }
    }

    fn filter(&self, cx: Cx<'_>, state: &CycleState, node: NodeView<'_>) -> Verdict {
        let spread = &state.spread;
        for (idx, constraint) in spread.constraints.iter().enumerate() {
            let Some(domain) = constraint.domain(node) else {
                return Err(Rejection::unresolvable(Reason::SpreadMissingLabel));
            };
            let counts = &spread.counts[idx];
            let min = if counts.len() < constraint.min_domains { 0 } else { spread.min[idx] };
            let own = i64::from(constraint.pods.matches(cx, cx.labels()));
            let skew = counts.get(&domain).copied().unwrap_or(0) + own - min;
            if skew > constraint.max_skew {
                return Err(Rejection::unschedulable(Reason::SpreadConstraints));
            }
        }
        Ok(())
    }

    fn pre_score(&self, cx: Cx<'_>, state: &mut CycleState, feasible: &[NodeId]) -> bool {
        scoring::pre_score(self, cx, state, feasible)
    }

    fn score(&self, cx: Cx<'_>, state: &CycleState, node: NodeId) -> i64 {
        scoring::score(cx, &state.spread_score, node)
    }

    fn score_block(&self, cx: Cx<'_>, state: &CycleState, nodes: &[NodeId], scores: &mut [i64]) {
        scoring::score_block(cx, &state.spread_score, nodes, scores);
    }

    fn normalize(&self, _: Cx<'_>, state: &CycleState, nodes: &[NodeId], scores: &mut [i64]) {
        scoring::normalize(&state.spread_score, nodes, scores);
    }
}
