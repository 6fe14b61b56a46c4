//! The plugins of the default profile, one file each.

use serde_json::Value;

pub mod default_binder;
pub mod default_preemption;
pub mod dynamic_resources;
pub mod image_locality;
pub mod inter_pod_affinity;
mod inter_pod_affinity_score;
pub mod node_affinity;
pub mod node_declared_features;
pub mod node_name;
pub mod node_ports;
pub mod node_resources;
pub mod node_resources_balanced_allocation;
pub mod node_resources_fit;
pub mod node_unschedulable;
pub mod node_volume_limits;
pub mod pod_topology_spread;
mod pod_topology_spread_score;
pub mod priority_sort;
pub mod scheduling_gates;
pub mod taint_toleration;
pub mod volume_binding;
pub mod volume_restrictions;
pub mod volume_zone;

use super::framework::names::PluginName;
use super::framework::plugin::Plugin;

/// Makes a plugin with its arguments (null for the defaults).
///
/// # Errors
///
/// What is wrong with the arguments.
pub fn make(name: PluginName, args: &Value) -> Result<Box<dyn Plugin>, String> {
    Ok(match name {
        PluginName::SchedulingGates => Box::new(scheduling_gates::SchedulingGates),
        PluginName::PrioritySort => Box::new(priority_sort::PrioritySort),
        PluginName::NodeUnschedulable => Box::new(node_unschedulable::NodeUnschedulable::new()),
        PluginName::NodeName => Box::new(node_name::NodeName),
        PluginName::TaintToleration => Box::new(taint_toleration::TaintToleration),
        PluginName::NodeAffinity => Box::new(node_affinity::NodeAffinity::new(args)?),
        PluginName::NodePorts => Box::new(node_ports::NodePorts),
        PluginName::NodeResourcesFit => Box::new(node_resources_fit::NodeResourcesFit::new(args)?),
        PluginName::VolumeRestrictions => Box::new(volume_restrictions::VolumeRestrictions),
        PluginName::NodeVolumeLimits => Box::new(node_volume_limits::NodeVolumeLimits),
        PluginName::VolumeBinding => Box::new(volume_binding::VolumeBinding),
        PluginName::VolumeZone => Box::new(volume_zone::VolumeZone),
        PluginName::PodTopologySpread => Box::new(pod_topology_spread::PodTopologySpread::new(args)?),
        PluginName::InterPodAffinity => Box::new(inter_pod_affinity::InterPodAffinity::new(args)),
        PluginName::DynamicResources => Box::new(dynamic_resources::DynamicResources),
        PluginName::DefaultPreemption => Box::new(default_preemption::DefaultPreemption::new(args)),
        PluginName::NodeResourcesBalancedAllocation => {
            Box::new(node_resources_balanced_allocation::NodeResourcesBalancedAllocation::new(args))
        }
        PluginName::ImageLocality => Box::new(image_locality::ImageLocality),
        PluginName::DefaultBinder => Box::new(default_binder::DefaultBinder),
        PluginName::NodeDeclaredFeatures => Box::new(node_declared_features::NodeDeclaredFeatures),
    })
}
