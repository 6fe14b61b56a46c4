//! `Plugin`: what a plugin may do at each extension point, and what it is given.

use std::fmt;

use super::events::ClusterEvent;
use super::names::PluginName;
use super::state::CycleState;
use super::status::{PreFilter, Verdict};
use super::tables::Tables;
use super::view::NodeView;
use crate::cluster::{Cluster, LabelsId, NodeId, Pod, PodId, Sym};
use crate::scheduler::spec::SchedSpec;

/// What a verdict or score of a node depends on, besides the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// The node itself and the pods on it.
    OwnRow,
    /// Other nodes, or the pods on them.
    WholeCluster,
}

/// How the scores of a plugin come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreKind {
    /// Always 0.
    Zero,
    /// From the spec and the node's own row (and how many nodes have the spec's images), not normalised.
    Fixed,
    /// From the spec and the node's own row, normalised by the highest (`DefaultNormalizeScore`).
    ByMax {
        /// Whether the highest becomes 0.
        reverse: bool,
    },
    /// In any other way.
    Cluster,
}

/// What every extension point is given.
#[derive(Clone, Copy, Debug)]
pub struct Cx<'a> {
    /// The store.
    pub cluster: &'a Cluster,
    /// What the scheduler keeps beside it.
    pub tables: &'a Tables,
    /// The pod to be scheduled.
    pub pod: PodId,
    /// Its spec.
    pub spec: &'a SchedSpec,
    /// `spec.nodeName` of a pod that asks for a node and is to be scheduled all the same.
    pub wanted_node: Option<&'a str>,
}

impl<'a> Cx<'a> {
    /// The row of the pod.
    pub fn row(&self) -> &'a Pod {
        self.cluster.pod(self.pod)
    }

    /// The labels of the pod.
    pub fn labels(&self) -> LabelsId {
        self.row().meta.labels
    }

    /// The namespace of the pod.
    pub fn namespace(&self) -> Sym {
        self.row().meta.namespace
    }

    /// A node as it is.
    pub fn view(&self, node: NodeId) -> NodeView<'a> {
        NodeView::plain(self.cluster, node)
    }

    /// The labels of the pod's namespace; the empty map if there is no such object.
    pub fn namespace_labels(&self) -> LabelsId {
        let name = self.cluster.interner.text(self.namespace());
        self.cluster.find("Namespace", "", name).map_or(LabelsId::EMPTY, |id| self.cluster.object(id).meta.labels)
    }

    /// Whether required node affinity and node selector of the pod admit a node. Terms that cannot be read admit none.
    pub fn admits(&self, node: NodeView<'_>) -> bool {
        self.spec.required_nodes.matches(node.name(), |key| node.label(key)).unwrap_or(false)
    }
}

/// A scheduler plugin. It holds its arguments; what it learns about a pod goes into the [`CycleState`].
pub trait Plugin: fmt::Debug + Send + Sync {
    /// Its name.
    fn name(&self) -> PluginName;

    /// What its verdicts and scores depend on.
    fn reads(&self) -> Reads {
        Reads::OwnRow
    }

    /// How its scores come about. For all but `Cluster`, PreScore must depend on the spec alone.
    fn score_kind(&self) -> ScoreKind {
        ScoreKind::Cluster
    }

    /// The events that may make a pod schedulable that it has rejected.
    fn events_to_register(&self) -> &'static [ClusterEvent] {
        &[]
    }

    /// PreEnqueue: whether the pod may enter the active queue.
    ///
    /// # Errors
    ///
    /// Why not.
    fn pre_enqueue(&self, _cx: Cx<'_>) -> Verdict {
        Ok(())
    }

    /// PreFilter: looks at the pod and the cluster before any node is judged.
    fn pre_filter(&self, _cx: Cx<'_>, _state: &mut CycleState) -> PreFilter {
        PreFilter::Run
    }

    /// PreFilterExtensions: a pod is put on a node (`sign` 1) or taken off it (-1) in thought.
    fn suppose(&self, _cx: Cx<'_>, _state: &mut CycleState, _pod: PodId, _node: NodeId, _sign: i64) {}

    /// Filter: judges one node, by itself.
    ///
    /// # Errors
    ///
    /// Why the pod cannot run there.
    fn filter(&self, _cx: Cx<'_>, _state: &CycleState, _node: NodeView<'_>) -> Verdict {
        Ok(())
    }

    /// Filter of one node as it is, without the reasons. Agrees with [`Plugin::filter`].
    fn fits(&self, cx: Cx<'_>, state: &CycleState, node: NodeId) -> bool {
        self.filter(cx, state, cx.view(node)).is_ok()
    }

    /// Filter over a block of nodes as they are: clears `fits` where the pod cannot run. Agrees with [`Plugin::filter`].
    fn filter_block(&self, cx: Cx<'_>, state: &CycleState, nodes: &[NodeId], fits: &mut [bool]) {
        for (&node, fits) in nodes.iter().zip(fits) {
            *fits = *fits && self.fits(cx, state, node);
        }
    }

    /// PreScore: looks at the feasible nodes before any is scored. `false`: the plugin leaves the pod alone.
    fn pre_score(&self, _cx: Cx<'_>, _state: &mut CycleState, _feasible: &[NodeId]) -> bool {
        true
    }

    /// Score of one node.
    fn score(&self, _cx: Cx<'_>, _state: &CycleState, _node: NodeId) -> i64 {
        0
    }

    /// Score of a block of nodes. Agrees with [`Plugin::score`].
    fn score_block(&self, cx: Cx<'_>, state: &CycleState, nodes: &[NodeId], scores: &mut [i64]) {
        for (&node, score) in nodes.iter().zip(scores) {
            *score = self.score(cx, state, node);
        }
    }

    /// NormalizeScore: brings the scores of all feasible nodes to 0..=100.
    fn normalize(&self, _cx: Cx<'_>, _state: &CycleState, _nodes: &[NodeId], _scores: &mut [i64]) {}
}

/// The highest score after normalising (`MaxNodeScore`).
pub const MAX_NODE_SCORE: i64 = 100;

/// `DefaultNormalizeScore`: in proportion to the highest; reversed, the highest becomes 0.
pub fn normalize_by_max(scores: &mut [i64], reverse: bool) {
    let max = scores.iter().copied().max().unwrap_or(0);
    for score in scores {
        *score = match (max <= 0, reverse) {
            (true, true) => MAX_NODE_SCORE,
            (true, false) => *score,
            (false, true) => MAX_NODE_SCORE - MAX_NODE_SCORE * *score / max,
            (false, false) => MAX_NODE_SCORE * *score / max,
        };
    }
}
