//! NodeAffinity: keeps pods to the nodes that `nodeSelector` and required node affinity name, and prefers those that preferred
//! node affinity names. PreFilter narrows the search where every term names nodes by `metadata.name`.
//!
//! Argument: `addedAffinity` (default none), node affinity that the administrator adds to every pod of the profile.
//! Follows kube-scheduler v1.36, `plugins/nodeaffinity`.

use k8s_openapi::api::core::v1 as core;
use serde_json::Value;

use crate::api::node_selector::NodeSelector;
use crate::scheduler::framework::prelude::*;
use crate::scheduler::spec::{NodeNames, PreferredNodes, preferred_nodes};

/// The plugin.
#[derive(Clone, Debug, Default)]
pub struct NodeAffinity {
    added_required: Option<NodeSelector>,
    added_preferred: Vec<PreferredNodes>,
}

impl NodeAffinity {
    /// The plugin with `NodeAffinityArgs`.
    ///
    /// # Errors
    ///
    /// If `addedAffinity` is not node affinity.
    pub fn new(args: &Value) -> Result<NodeAffinity, String> {
        let Some(added) = args.get("addedAffinity").filter(|added| !added.is_null()) else {
            return Ok(NodeAffinity::default());
        };
        let added: core::NodeAffinity =
            serde_json::from_value(added.clone()).map_err(|error| format!("addedAffinity: {error}"))?;
        let required = added.required_during_scheduling_ignored_during_execution;
        let preferred = added.preferred_during_scheduling_ignored_during_execution.unwrap_or_default();
        Ok(NodeAffinity {
            added_required: required.as_ref().map(NodeSelector::from_api),
            added_preferred: preferred_nodes(&preferred),
        })
    }

    fn preference(terms: &[PreferredNodes], node: NodeView<'_>) -> i64 {
        let matching =
            terms.iter().filter(|term| term.nodes.matches(node.name(), |key| node.label(key)).unwrap_or(false));
        matching.map(|term| term.weight).sum()
    }
}

impl Plugin for NodeAffinity {
    fn name(&self) -> PluginName {
        PluginName::NodeAffinity
    }

    fn score_kind(&self) -> ScoreKind {
        ScoreKind::ByMax { reverse: false }
    }

    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: &[ClusterEvent] = &[on(EventResource::Node, Action::ADD.or(Action::UPDATE_NODE_LABEL))];
        EVENTS
    }

    fn pre_filter(&self, cx: Cx<'_>, _: &mut CycleState) -> PreFilter {
        if cx.spec.required_nodes.is_empty() && !cx.spec.has_node_selector && self.added_required.is_none() {
            return PreFilter::Skip;
        }
        match &cx.spec.node_names {
            NodeNames::Any => PreFilter::Run,
            NodeNames::Only(names) => PreFilter::Narrow(names.clone()),
            NodeNames::Conflict => PreFilter::Reject(Rejection::unresolvable(Reason::NodeAffinityConflict)),
        }
    }

    fn filter(&self, cx: Cx<'_>, _: &CycleState, node: NodeView<'_>) -> Verdict {
        if let Some(added) = &self.added_required
            && !added.matches(node.name(), |key| node.label(key)).unwrap_or(false)
        {
            return Err(Rejection::unresolvable(Reason::EnforcedNodeAffinity));
        }
        if cx.admits(node) { Ok(()) } else { Err(Rejection::unresolvable(Reason::NodeAffinity)) }
    }

    fn pre_score(&self, cx: Cx<'_>, _: &mut CycleState, _: &[NodeId]) -> bool {
        cx.spec.preferred_nodes.is_some() || !self.added_preferred.is_empty()
    }

    fn score(&self, cx: Cx<'_>, _: &CycleState, node: NodeId) -> i64 {
        let view = cx.view(node);
        let own = cx.spec.preferred_nodes.as_deref().unwrap_or_default();
        NodeAffinity::preference(&self.added_preferred, view) + NodeAffinity::preference(own, view)
    }

    fn normalize(&self, _: Cx<'_>, _: &CycleState, _: &[NodeId], scores: &mut [i64]) {
        normalize_by_max(scores, false);
    }
}
