//! `CycleState`: what plugins learn about one pod in one scheduling cycle.

use super::names::PluginSet;
use crate::scheduler::plugins::inter_pod_affinity::{AffinityFilterState, AffinityScoreState};
use crate::scheduler::plugins::pod_topology_spread::{SpreadFilterState, SpreadScoreState};
use crate::scheduler::plugins::volume_binding::BindingState;
use crate::scheduler::plugins::volume_restrictions::RestrictionsState;
use crate::scheduler::plugins::volume_zone::ZoneState;

/// What plugins learn about one pod in one cycle. Cloned where pods are put on a node or taken off it in thought.
#[derive(Clone, Debug, Default)]
pub struct CycleState {
    /// Plugins whose Filter has nothing to do.
    pub skip_filter: PluginSet,
    /// Of PodTopologySpread.
    pub spread: SpreadFilterState,
    /// Of PodTopologySpread.
    pub spread_score: SpreadScoreState,
    /// Of InterPodAffinity.
    pub affinity: AffinityFilterState,
    /// Of InterPodAffinity.
    pub affinity_score: AffinityScoreState,
    /// Of VolumeRestrictions.
    pub restrictions: RestrictionsState,
    /// Of VolumeBinding.
    pub binding: BindingState,
    /// Whether PreFilter has come to DynamicResources: else its PostFilter fails, as in kube-scheduler.
    pub saw_dynamic_resources: bool,
    /// Of VolumeZone.
    pub zone: ZoneState,
}

impl CycleState {
    /// Forgets the last cycle. What plugins have counted is only read by those that have not skipped this cycle.
    pub fn clear(&mut self) {
        self.skip_filter = PluginSet::EMPTY;
        self.saw_dynamic_resources = false;
    }
}
