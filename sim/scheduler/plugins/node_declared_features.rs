//! NodeDeclaredFeatures: a pod that needs a feature of the kubelet runs only where `status.declaredFeatures` names it.
//!
//! No arguments. Follows kube-scheduler v1.36, `plugins/nodedeclaredfeatures`.

use crate::scheduler::framework::prelude::*;

/// The plugin.
#[derive(Clone, Copy, Debug)]
pub struct NodeDeclaredFeatures;

impl Plugin for NodeDeclaredFeatures {
    fn name(&self) -> PluginName {
        PluginName::NodeDeclaredFeatures
    }

    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: &[ClusterEvent] = &[
            on(EventResource::Node, Action::ADD.or(Action::UPDATE_NODE_DECLARED_FEATURE)),
            on(EventResource::TargetPod, Action::UPDATE),
        ];
        EVENTS
    }

    fn pre_filter(&self, cx: Cx<'_>, _: &mut CycleState) -> PreFilter {
        if cx.spec.features.is_empty() { PreFilter::Skip } else { PreFilter::Run }
    }

    fn filter(&self, cx: Cx<'_>, _: &CycleState, node: NodeView<'_>) -> Verdict {
        let declared = node.row().raw["status"]["declaredFeatures"].as_array();
        let declares = |feature: &&str| declared.is_some_and(|list| list.iter().any(|other| other == feature));
        if cx.spec.features.iter().all(declares) {
            return Ok(());
        }
        Err(Rejection::unresolvable(Reason::DeclaredFeatures))
    }
}
