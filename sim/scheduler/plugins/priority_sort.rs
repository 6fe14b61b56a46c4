//! PrioritySort: the order of the active queue: higher priority first, then the pod that has waited longer.
//!
//! No arguments. Follows kube-scheduler v1.36, `plugins/queuesort`.

use std::cmp::Ordering;

use crate::engine::Time;
use crate::scheduler::framework::prelude::*;

/// The plugin.
#[derive(Clone, Copy, Debug)]
pub struct PrioritySort;

impl PrioritySort {
    /// Which of two pods is tried first, by priority and the time at which each entered the queue.
    pub fn compare((priority_a, since_a): (i32, Time), (priority_b, since_b): (i32, Time)) -> Ordering {
        priority_b.cmp(&priority_a).then(since_a.cmp(&since_b))
    }
}

impl Plugin for PrioritySort {
    fn name(&self) -> PluginName {
        PluginName::PrioritySort
    }
}
