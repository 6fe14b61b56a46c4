//! TaintToleration: keeps pods off nodes with `NoSchedule` and `NoExecute` taints that they do not tolerate, and prefers nodes
//! with few `PreferNoSchedule` taints that they do not tolerate.
//!
//! No arguments. Follows kube-scheduler v1.36, `plugins/tainttoleration`.

use crate::api::toleration::{TaintEffect, Toleration};
use crate::scheduler::framework::prelude::*;

/// The plugin.
#[derive(Clone, Copy, Debug)]
pub struct TaintToleration;

impl Plugin for TaintToleration {
    fn name(&self) -> PluginName {
        PluginName::TaintToleration
    }

    fn score_kind(&self) -> ScoreKind {
        ScoreKind::ByMax { reverse: true }
    }

    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: &[ClusterEvent] = &[
            on(EventResource::Node, Action::ADD.or(Action::UPDATE_NODE_TAINT)),
            on(EventResource::TargetPod, Action::UPDATE_POD_TOLERATION),
        ];
        EVENTS
    }

    fn filter(&self, cx: Cx<'_>, _: &CycleState, node: NodeView<'_>) -> Verdict {
        if cx.spec.has_untolerated(node.taints()) {
            return Err(Rejection::unresolvable(Reason::UntoleratedTaints));
        }
        Ok(())
    }

    /// The number of taints that are avoided if possible and not tolerated.
    fn score(&self, cx: Cx<'_>, _: &CycleState, node: NodeId) -> i64 {
        let concerns = |own: &&Toleration| own.effect.is_none_or(|effect| effect == TaintEffect::PreferNoSchedule);
        let taints = cx.view(node).taints().filter(|taint| taint.effect == TaintEffect::PreferNoSchedule);
        let untolerated =
            taints.filter(|taint| !cx.spec.tolerations.iter().filter(concerns).any(|own| own.tolerates(taint)));
        untolerated.count() as i64
    }

    fn normalize(&self, _: Cx<'_>, _: &CycleState, _: &[NodeId], scores: &mut [i64]) {
        normalize_by_max(scores, true);
    }
}
