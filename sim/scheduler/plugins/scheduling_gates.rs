//! SchedulingGates: a pod with `schedulingGates` does not enter the active queue.
//!
//! No arguments. Follows kube-scheduler v1.36, `plugins/schedulinggates`.

use crate::scheduler::framework::prelude::*;

/// The plugin.
#[derive(Clone, Copy, Debug)]
pub struct SchedulingGates;

impl Plugin for SchedulingGates {
    fn name(&self) -> PluginName {
        PluginName::SchedulingGates
    }

    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: &[ClusterEvent] = &[on(EventResource::TargetPod, Action::UPDATE_POD_GATES_ELIMINATED)];
        EVENTS
    }

    fn pre_enqueue(&self, cx: Cx<'_>) -> Verdict {
        if cx.spec.gates.is_empty() {
            return Ok(());
        }
        let gates = cx.spec.gates.join(" ");
        Err(Rejection::unresolvable_text(format!("waiting for scheduling gates: [{gates}]")))
    }
}
