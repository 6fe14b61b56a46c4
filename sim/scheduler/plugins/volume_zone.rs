//! VolumeZone: the volumes of bound claims must lie in the node's zone and region, as the labels of both say.
//!
//! No arguments. Follows kube-scheduler v1.36, `plugins/volumezone`.

use crate::scheduler::framework::prelude::*;
use crate::scheduler::framework::storage::TOPOLOGY_LABELS;

/// The plugin.
#[derive(Clone, Copy, Debug)]
pub struct VolumeZone;

/// The zones and regions of the pod's volumes.
#[derive(Clone, Debug, Default)]
pub struct ZoneState {
    topologies: Vec<(&'static str, Vec<String>)>,
}

/// The current name of a label of old.
fn current_label(key: &'static str) -> &'static str {
    match key {
        "failure-domain.beta.kubernetes.io/zone" => "topology.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region" => "topology.kubernetes.io/region",
        key => key,
    }
}

impl VolumeZone {
    /// The topologies of the pod's volumes.
    fn topologies(cx: Cx<'_>) -> Result<Vec<(&'static str, Vec<String>)>, Rejection> {
        let storage = &cx.tables.storage;
        let namespace = cx.cluster.interner.text(cx.namespace());
        let text = |text: String| Err(Rejection::unresolvable_text(text));
        let mut topologies = Vec::new();
        for used in cx.spec.volumes.claims.iter().filter(|claim| !claim.ephemeral) {
            if used.name.is_empty() {
                return text("PersistentVolumeClaim had no name".to_owned());
            }
            let Some(claim) = storage.claim(namespace, &used.name) else {
                return text(format!("persistentvolumeclaim {:?} not found", used.name));
            };
            if !claim.volume_name.is_empty() {
                let Some(volume) = storage.volumes.get(&claim.volume_name) else {
                    return text(format!("persistentvolume {:?} not found", claim.volume_name));
                };
                topologies.extend(volume.zones.iter().cloned());
                continue;
            }
            if claim.class.is_empty() {
                return text("PersistentVolumeClaim had no pv name and storageClass name".to_owned());
            }
            let Some(class) = storage.classes.get(&claim.class) else {
                return text(format!("storageclass.storage.k8s.io {:?} not found", claim.class));
            };
            if class.binding_mode.is_none() {
                return text(format!("VolumeBindingMode not set for StorageClass {:?}", claim.class));
            }
            if !class.waits() {
                return text("PersistentVolume had no name".to_owned());
            }
        }
        Ok(topologies)
    }
}

impl Plugin for VolumeZone {
    fn name(&self) -> PluginName {
        PluginName::VolumeZone
    }

    fn reads(&self) -> Reads {
        Reads::WholeCluster
    }

    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: &[ClusterEvent] = &[
            on(EventResource::StorageClass, Action::ADD),
            on(EventResource::Node, Action::ADD.or(Action::UPDATE_NODE_LABEL)),
            on(EventResource::PersistentVolumeClaim, Action::ADD.or(Action::UPDATE)),
            on(EventResource::PersistentVolume, Action::ADD.or(Action::UPDATE)),
        ];
        EVENTS
    }

    fn pre_filter(&self, cx: Cx<'_>, state: &mut CycleState) -> PreFilter {
        match VolumeZone::topologies(cx) {
            Err(rejection) => PreFilter::Reject(rejection),
            Ok(topologies) if topologies.is_empty() => PreFilter::Skip,
            Ok(topologies) => {
                state.zone = ZoneState { topologies };
                PreFilter::Run
            }
        }
    }

    fn filter(&self, _: Cx<'_>, state: &CycleState, node: NodeView<'_>) -> Verdict {
        if !TOPOLOGY_LABELS.iter().any(|key| node.label(key).is_some()) {
            return Ok(());
        }
        for (key, zones) in &state.zone.topologies {
            let zone = node.label(key).or_else(|| node.label(current_label(key)));
            if !zone.is_some_and(|zone| zones.iter().any(|other| other == zone)) {
                return Err(Rejection::unresolvable(Reason::VolumeZone));
            }
        }
        Ok(())
    }
}
