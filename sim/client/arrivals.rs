//! Pods that arrive while a run goes on.

use crate::cluster::{Cluster, NewPod};
use crate::engine::Time;

/// A pod that arrives.
#[derive(Clone, Debug)]
pub struct ArrivingPod {
    /// When.
    pub at: Time,
    /// The pod.
    pub pod: NewPod,
}

/// A source of pods in order of time, asked for one at a time: it is never loaded whole.
pub trait ArrivalSource: Send {
    /// The next pod, or `None` when there are no more. Specs and names may be interned in `cluster`.
    fn next(&mut self, cluster: &mut Cluster) -> Option<ArrivingPod>;
}
