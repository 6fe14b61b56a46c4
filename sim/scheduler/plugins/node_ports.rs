//! NodePorts: two pods cannot take the same host port, protocol and address of one node.
//!
//! No arguments. Follows kube-scheduler v1.36, `plugins/nodeports`.

use crate::scheduler::framework::prelude::*;
use crate::scheduler::framework::view::Supposed;
use crate::scheduler::spec::HostPort;

/// The plugin.
#[derive(Clone, Copy, Debug)]
pub struct NodePorts;

/// Whether a port is still taken after what is supposed. The scheduler keeps the ports of a node as a set, so taking off one of
/// two pods that (against the rules) share a port frees it.
fn is_taken(cx: Cx<'_>, supposed: &[Supposed], port: &HostPort) -> bool {
    let takes = |pod| cx.tables.spec_of(cx.cluster, pod).host_ports.contains(port);
    let last = supposed.iter().rev().find(|supposition| takes(supposition.pod()));
    last.is_none_or(|supposition| matches!(supposition, Supposed::Added(_)))
}

impl Plugin for NodePorts {
    fn name(&self) -> PluginName {
        PluginName::NodePorts
    }

    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: &[ClusterEvent] =
            &[on(EventResource::AssignedPod, Action::DELETE), on(EventResource::Node, Action::ADD)];
        EVENTS
    }

    fn pre_filter(&self, cx: Cx<'_>, _: &mut CycleState) -> PreFilter {
        if cx.spec.host_ports.is_empty() { PreFilter::Skip } else { PreFilter::Run }
    }

    fn filter(&self, cx: Cx<'_>, _: &CycleState, node: NodeView<'_>) -> Verdict {
        let added = node.supposed.iter().map(|supposition| supposition.pod());
        for pod in node.row().pods.iter().copied().chain(added) {
            for port in &cx.tables.spec_of(cx.cluster, pod).host_ports {
                let conflicts = cx.spec.host_ports.iter().any(|wanted| wanted.conflicts(port));
                if conflicts && is_taken(cx, node.supposed, port) {
                    return Err(Rejection::unschedulable(Reason::Ports));
                }
            }
        }
        Ok(())
    }
}
