//! Hints about nodes.

use super::Asked;
use crate::api::toleration::{Taint, TaintEffect};
use crate::cluster::{LabelsId, NodeId, NodeTaint, ResourceId};
use crate::scheduler::framework::names::PluginName;
use crate::scheduler::queue::cluster_event::{Actions, ClusterEvent, Old, SeenNode};

/// The taint of cordoned nodes (`node.kubernetes.io/unschedulable`).
pub(super) fn cordon_taint() -> Taint {
    Taint { key: "node.kubernetes.io/unschedulable".to_owned(), value: String::new(), effect: TaintEffect::NoSchedule }
}

impl Asked<'_> {
    /// The hint of `plugin` about a change of `node`.
    pub(super) fn node_helps(&self, plugin: PluginName, event: &ClusterEvent, node: NodeId) -> bool {
        let old = match &event.old {
            Some(Old::Node(old)) => Some(&**old),
            _ => None,
        };
        let row = self.cluster.node(node);
        let gone = event.action == Actions::DELETE;
        if row.meta.removed && !gone {
            return false;
        }
        match plugin {
            PluginName::NodeUnschedulable => !row.unschedulable,
            PluginName::TaintToleration => {
                self.tolerates(&row.taints) && old.is_none_or(|old| !self.tolerates(&old.taints))
            }
            PluginName::NodeAffinity => {
                let matches = |labels| self.matches_node_affinity(node, labels);
                matches(row.meta.labels) && old.is_none_or(|old| !matches(old.labels))
            }
            PluginName::NodeResourcesFit => self.node_has_room(node, old),
            PluginName::PodTopologySpread => self.node_changes_spread(node, old, event),
            PluginName::InterPodAffinity => self.node_changes_affinity(node, old),
            _ => true,
        }
    }

    /// TaintToleration and its pod: whether all taints that forbid scheduling are tolerated.
    fn tolerates(&self, taints: &[NodeTaint]) -> bool {
        taints
            .iter()
            .filter(|taint| taint.taint.effect != TaintEffect::PreferNoSchedule)
            .all(|taint| self.compiled.tolerations.iter().any(|toleration| toleration.tolerates(&taint.taint)))
    }

    fn matches_node_affinity(&self, node: NodeId, labels: LabelsId) -> bool {
        let label = |key: &str| self.cluster.label(labels, key);
        // A selector that cannot be read is an error of the plugin, which counts as a reason to try again.
        self.compiled.node_affinity.matches(self.cluster.name(node), label).unwrap_or(true)
    }

    /// NodeResourcesFit: the pod fits into the empty node, which is new or has more than before of something it requests.
    fn node_has_room(&self, node: NodeId, old: Option<&SeenNode>) -> bool {
        let amount = |list: &[(ResourceId, i64)], resource| {
            list.iter().find(|(id, _)| *id == resource).map_or(0, |&(_, amount)| amount)
        };
        let now = &self.cluster.node(node).allocatable;
        let requests = &self.cluster.resources_of(self.pod).requests;
        let fits = amount(now, ResourceId::PODS) >= 1
            && requests.iter().all(|&(resource, request)| request <= amount(now, resource));
        let grew = |resource| old.is_none_or(|old| amount(now, resource) > amount(&old.allocatable, resource));
        fits && (grew(ResourceId::PODS) || requests.iter().any(|&(resource, _)| grew(resource)))
    }

    /// PodTopologySpread: the node takes part in the constraints and did not before, or the other way round, or moved.
    fn node_changes_spread(&self, node: NodeId, old: Option<&SeenNode>, event: &ClusterEvent) -> bool {
        let constraints = &self.compiled.spread;
        if constraints.is_empty() {
            // Constraints of the profile, which stand in no spec.
            return true;
        }
        let row = self.cluster.node(node);
        let value = |labels: LabelsId, key: &str| self.cluster.label(labels, key).map(str::to_owned);
        let has_all = |labels| constraints.iter().all(|constraint| value(labels, &constraint.topology_key).is_some());
        let now = (event.action != Actions::DELETE).then_some(row.meta.labels);
        let before = match event.action {
            Actions::DELETE => Some(old.map_or(row.meta.labels, |old| old.labels)),
            _ => old.map(|old| old.labels),
        };
        let (is, was) = (now.is_some_and(has_all), before.is_some_and(has_all));
        let moved = || match (now, before) {
            (Some(now), Some(before)) => constraints
                .iter()
                .any(|constraint| value(now, &constraint.topology_key) != value(before, &constraint.topology_key)),
            _ => false,
        };
        // Whatever the taints are and the constraints say of them: the real hint compares the lists.
        let retainted = || old.is_some_and(|old| old.taints != row.taints);
        is != was || (is && (moved() || retainted()))
    }

    /// InterPodAffinity: the node brings a topology domain that may hold what the pod wants, or lack what it shuns.
    fn node_changes_affinity(&self, node: NodeId, old: Option<&SeenNode>) -> bool {
        let (affinity, anti) = (&self.compiled.affinity, &self.compiled.anti_affinity);
        let now = self.cluster.node(node).meta.labels;
        let value = |labels: LabelsId, key: &str| self.cluster.label(labels, key).map(str::to_owned);
        let Some(old) = old else {
            let wanted = affinity.iter().any(|term| value(now, &term.topology_key).is_some());
            // A pod without terms was shunned by others, which the new node does not hold.
            return wanted || !anti.is_empty() || affinity.is_empty();
        };
        let changed = |key: &str| {
            let (was, is) = (value(old.labels, key), value(now, key));
            (was != is, was.is_some(), is.is_some())
        };
        affinity.iter().any(|term| matches!(changed(&term.topology_key), (true, _, true)))
            || anti.iter().any(|term| matches!(changed(&term.topology_key), (true, true, _)))
            || (affinity.is_empty() && anti.is_empty())
    }
}
