//! NodeName: a pod that names a node runs there or nowhere.
//!
//! No arguments. Follows kube-scheduler v1.36, `plugins/nodename`.

use crate::scheduler::framework::prelude::*;

/// The plugin.
#[derive(Clone, Copy, Debug)]
pub struct NodeName;

impl Plugin for NodeName {
    fn name(&self) -> PluginName {
        PluginName::NodeName
    }

    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: &[ClusterEvent] = &[on(EventResource::Node, Action::ADD)];
        EVENTS
    }

    fn filter(&self, cx: Cx<'_>, _: &CycleState, node: NodeView<'_>) -> Verdict {
        match cx.wanted_node {
            Some(name) if name != node.name() => Err(Rejection::unresolvable(Reason::NodeName)),
            _ => Ok(()),
        }
    }
}
