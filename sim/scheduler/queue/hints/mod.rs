//! Queueing hints: which change of the cluster may help a pod that a plugin rejected (kube-scheduler v1.36, each plugin's
//! `EventsToRegister` and the hint functions it names).
//!
//! | plugin | may be helped by |
//! |---|---|
//! | SchedulingGates | the pod's last gate removed |
//! | NodeUnschedulable | a node that may take pods added or uncordoned; a toleration for cordoned nodes added to the pod |
//! | NodeName | a node added |
//! | TaintToleration | a node whose taints the pod tolerates added, or that it now tolerates; a toleration added to the pod |
//! | NodeAffinity | a node that matches added, or that matches since its labels changed |
//! | NodePorts | a pod with a port in conflict gone; a node added |
//! | NodeResourcesFit | an assigned pod gone or scaled down; the pod itself scaled down; a node large enough added, or with more of something requested |
//! | VolumeRestrictions, NodeVolumeLimits, VolumeBinding, VolumeZone | see [`storage`] |
//! | PodTopologySpread | a pod of its selectors added, gone or relabelled; a node with its topology keys added, gone, relabelled or retainted |
//! | InterPodAffinity | a pod that its affinity wants added, one that its anti-affinity shuns gone, either relabelled; a node added or relabelled |
//! | DynamicResources | claims, slices, classes |
//! | DefaultPreemption | an assigned pod gone (un-gates the preemptor) |
//!
//! The state before a change is the one last delivered to the scheduler; the state after it is read from the store.

mod compiled;
mod node;
mod pod;
pub mod storage;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::cluster_event::{Actions, ClusterEvent, EventResource};
use super::pool::GroupKey;
use crate::cluster::{Cluster, LabelsId, ObjectRef, PodId, SpecId, Sym};
use crate::scheduler::framework::names::{PluginName, PluginSet};
use compiled::Compiled;

/// What an event means for a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing.
    Skip,
    /// It may be schedulable: it is tried again after its back-off.
    AfterBackoff,
    /// What it waited for has come: it is tried again at once.
    Immediately,
}

/// One registration: a plugin wants to hear of these changes of this resource.
type Registration = (PluginName, EventResource, Actions);

const ADD: Actions = Actions::ADD;
const DELETE: Actions = Actions::DELETE;
const ADD_OR_UPDATE: Actions = Actions::ADD.or(Actions::UPDATE_OTHER);

/// What the plugins register for. A registration for pods stands here for assigned pods and for the waiting pod itself.
const REGISTRATIONS: &[Registration] = &[
    (PluginName::SchedulingGates, EventResource::UnscheduledPod, Actions::UPDATE_POD_GATES_ELIMINATED),
    (PluginName::NodeUnschedulable, EventResource::Node, ADD.or(Actions::UPDATE_NODE_TAINT)),
    (PluginName::NodeUnschedulable, EventResource::UnscheduledPod, Actions::UPDATE_POD_TOLERATION),
    (PluginName::NodeName, EventResource::Node, ADD),
    (PluginName::TaintToleration, EventResource::Node, ADD.or(Actions::UPDATE_NODE_TAINT)),
    (PluginName::TaintToleration, EventResource::UnscheduledPod, Actions::UPDATE_POD_TOLERATION),
    (PluginName::NodeAffinity, EventResource::Node, ADD.or(Actions::UPDATE_NODE_LABEL)),
    (PluginName::NodePorts, EventResource::AssignedPod, DELETE),
    (PluginName::NodePorts, EventResource::Node, ADD),
    (PluginName::NodeResourcesFit, EventResource::AssignedPod, DELETE.or(Actions::UPDATE_POD_SCALE_DOWN)),
    (PluginName::NodeResourcesFit, EventResource::UnscheduledPod, Actions::UPDATE_POD_SCALE_DOWN),
    (PluginName::NodeResourcesFit, EventResource::Node, ADD.or(Actions::UPDATE_NODE_ALLOCATABLE)),
    (PluginName::PodTopologySpread, EventResource::AssignedPod, ADD.or(DELETE).or(Actions::UPDATE_POD_LABEL)),
    (PluginName::PodTopologySpread, EventResource::UnscheduledPod, Actions::UPDATE_POD_LABEL),
    (
        PluginName::PodTopologySpread,
        EventResource::Node,
        ADD.or(DELETE).or(Actions::UPDATE_NODE_LABEL).or(Actions::UPDATE_NODE_TAINT),
    ),
    (PluginName::InterPodAffinity, EventResource::AssignedPod, ADD.or(DELETE).or(Actions::UPDATE_POD_LABEL)),
    (PluginName::InterPodAffinity, EventResource::UnscheduledPod, Actions::UPDATE_POD_LABEL),
    (PluginName::InterPodAffinity, EventResource::Node, ADD.or(Actions::UPDATE_NODE_LABEL)),
    (PluginName::DefaultPreemption, EventResource::AssignedPod, DELETE),
    (PluginName::VolumeRestrictions, EventResource::AssignedPod, DELETE),
    (PluginName::VolumeRestrictions, EventResource::Node, ADD),
    (PluginName::VolumeRestrictions, EventResource::PersistentVolumeClaim, ADD_OR_UPDATE),
    (PluginName::NodeVolumeLimits, EventResource::AssignedPod, DELETE),
    (PluginName::NodeVolumeLimits, EventResource::CsiNode, ADD_OR_UPDATE),
    (PluginName::NodeVolumeLimits, EventResource::PersistentVolumeClaim, ADD_OR_UPDATE),
    (PluginName::NodeVolumeLimits, EventResource::VolumeAttachment, DELETE),
    (PluginName::VolumeBinding, EventResource::StorageClass, ADD_OR_UPDATE),
    (PluginName::VolumeBinding, EventResource::PersistentVolumeClaim, ADD_OR_UPDATE),
    (PluginName::VolumeBinding, EventResource::PersistentVolume, ADD_OR_UPDATE),
    (PluginName::VolumeBinding, EventResource::Node, ADD.or(Actions::UPDATE_NODE_LABEL)),
    (PluginName::VolumeBinding, EventResource::CsiNode, ADD_OR_UPDATE),
    (PluginName::VolumeBinding, EventResource::CsiDriver, Actions::UPDATE_OTHER),
    (PluginName::VolumeBinding, EventResource::CsiStorageCapacity, ADD_OR_UPDATE),
    (PluginName::VolumeZone, EventResource::StorageClass, ADD),
    (PluginName::VolumeZone, EventResource::Node, ADD.or(Actions::UPDATE_NODE_LABEL)),
    (PluginName::VolumeZone, EventResource::PersistentVolumeClaim, ADD_OR_UPDATE),
    (PluginName::VolumeZone, EventResource::PersistentVolume, ADD_OR_UPDATE),
    (PluginName::DynamicResources, EventResource::ResourceClaim, ADD_OR_UPDATE.or(DELETE)),
    (PluginName::DynamicResources, EventResource::UnscheduledPod, Actions::UPDATE_POD_CLAIM),
    (PluginName::DynamicResources, EventResource::ResourceSlice, ADD_OR_UPDATE),
    (PluginName::DynamicResources, EventResource::DeviceClass, ADD_OR_UPDATE),
    (PluginName::NodeDeclaredFeatures, EventResource::Node, ADD.or(Actions::UPDATE_OTHER)),
];

/// The plugins that registered for a change.
pub fn interested(resource: EventResource, action: Actions) -> PluginSet {
    let registered = REGISTRATIONS.iter().filter(|(_, of, actions)| *of == resource && actions.meets(action));
    registered.map(|&(plugin, ..)| plugin).collect()
}

/// Answers hints, with what it has compiled of pod specs.
#[derive(Clone, Debug, Default)]
pub struct HintCache {
    compiled: FxHashMap<(SpecId, LabelsId), Arc<Compiled>>,
}

/// What a hint is asked about: a pod that was rejected.
struct Asked<'a> {
    pod: PodId,
    namespace: Sym,
    compiled: &'a Compiled,
    cluster: &'a Cluster,
}

impl HintCache {
    /// What `event` means for the pods of a group, of which `pod` is one (kube-scheduler, `isPodWorthRequeuing`).
    pub fn verdict(&mut self, key: &GroupKey, pod: PodId, event: &ClusterEvent, cluster: &Cluster) -> Verdict {
        let rejectors = key.rejected_by.union(key.pending);
        if rejectors.is_empty() || event.resource == EventResource::All {
            return Verdict::AfterBackoff;
        }
        let plugins = interested(event.resource, event.action).intersection(rejectors);
        if plugins.is_empty() {
            return Verdict::Skip;
        }
        let compiled = self.compiled.entry((key.spec, key.labels)).or_insert_with(|| {
            let labels = |label: &str| cluster.label(key.labels, label).map(str::to_owned);
            Arc::new(Compiled::new(&cluster.specs.get(key.spec).typed, labels))
        });
        let asked = Asked { pod, namespace: key.namespace, compiled, cluster };
        let mut verdict = Verdict::Skip;
        for plugin in plugins.iter().filter(|&plugin| asked.may_help(plugin, event)) {
            match key.pending.contains(plugin) {
                true => return Verdict::Immediately,
                false => verdict = Verdict::AfterBackoff,
            }
        }
        verdict
    }
}

impl Asked<'_> {
    /// The hint of one plugin.
    fn may_help(&self, plugin: PluginName, event: &ClusterEvent) -> bool {
        match (event.resource, event.object) {
            (EventResource::Node, Some(ObjectRef::Node(node))) => self.node_helps(plugin, event, node),
            (EventResource::AssignedPod, Some(ObjectRef::Pod(other))) => self.assigned_pod_helps(plugin, event, other),
            (EventResource::UnscheduledPod, Some(ObjectRef::Pod(own))) => {
                own == self.pod && self.own_update_helps(plugin, event)
            }
            (_, Some(ObjectRef::Object(object))) => self.object_helps(plugin, event, object),
            _ => true,
        }
    }
}
