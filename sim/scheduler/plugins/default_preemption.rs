//! DefaultPreemption: where no node will do, finds the node on which deleting less important pods would make room
//! (PostFilter; the work is done in `preemption`).
//!
//! Arguments: `minCandidateNodesPercentage` (default 10), `minCandidateNodesAbsolute` (default 100): after how many candidates the
//! search stops. Follows kube-scheduler v1.36, `plugins/defaultpreemption`.

use serde_json::Value;

use crate::scheduler::framework::prelude::*;

/// The plugin.
#[derive(Clone, Copy, Debug)]
pub struct DefaultPreemption {
    percentage: usize,
    absolute: usize,
}

impl DefaultPreemption {
    /// The plugin with `DefaultPreemptionArgs`.
    pub fn new(args: &Value) -> DefaultPreemption {
        let or = |key: &str, default| args[key].as_u64().map_or(default, |n| usize::try_from(n).unwrap_or(usize::MAX));
        DefaultPreemption {
            percentage: or("minCandidateNodesPercentage", 10),
            absolute: or("minCandidateNodesAbsolute", 100),
        }
    }

    /// After how many candidates the search stops.
    pub fn n_candidates(self, n_nodes: usize) -> usize {
        (n_nodes.saturating_mul(self.percentage) / 100).max(self.absolute).min(n_nodes)
    }
}

impl Plugin for DefaultPreemption {
    fn name(&self) -> PluginName {
        PluginName::DefaultPreemption
    }

    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: &[ClusterEvent] = &[on(EventResource::AssignedPod, Action::DELETE)];
        EVENTS
    }
}
