//! NodeUnschedulable: keeps pods off cordoned nodes, unless they tolerate `node.kubernetes.io/unschedulable:NoSchedule`.
//!
//! No arguments. Follows kube-scheduler v1.36, `plugins/nodeunschedulable`.

use crate::api::toleration::{Taint, TaintEffect};
use crate::scheduler::framework::prelude::*;

/// The plugin.
#[derive(Clone, Debug)]
pub struct NodeUnschedulable {
    taint: Taint,
}

impl NodeUnschedulable {
    /// The plugin.
    pub fn new() -> NodeUnschedulable {
        let key = "node.kubernetes.io/unschedulable".to_owned();
        NodeUnschedulable { taint: Taint { key, value: String::new(), effect: TaintEffect::NoSchedule } }
    }
}

impl Default for NodeUnschedulable {
    fn default() -> Self {
        NodeUnschedulable::new()
    }
}

impl Plugin for NodeUnschedulable {
    fn name(&self) -> PluginName {
        PluginName::NodeUnschedulable
    }

    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: &[ClusterEvent] = &[
            on(EventResource::Node, Action::ADD.or(Action::UPDATE_NODE_TAINT)),
            on(EventResource::TargetPod, Action::UPDATE_POD_TOLERATION),
        ];
        EVENTS
    }

    fn filter(&self, cx: Cx<'_>, _: &CycleState, node: NodeView<'_>) -> Verdict {
        if !node.row().unschedulable || cx.spec.tolerations.iter().any(|own| own.tolerates(&self.taint)) {
            return Ok(());
        }
        Err(Rejection::unresolvable(Reason::NodeUnschedulable))
    }
}
