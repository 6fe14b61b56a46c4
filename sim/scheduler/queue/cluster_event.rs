//! `ClusterEvent`: a change of the cluster as plugins register for it (kube-scheduler, `framework/types.go` and `events.go`).

use std::sync::Arc;

use crate::cluster::columns::PodResources;
use crate::cluster::{LabelsId, NodeTaint, ObjectRef, ResourceId};

/// What a cluster event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventResource {
    /// A pod that has a node.
    AssignedPod,
    /// The pod itself that waits to be scheduled.
    UnscheduledPod,
    /// A node.
    Node,
    /// A PersistentVolumeClaim.
    PersistentVolumeClaim,
    /// A PersistentVolume.
    PersistentVolume,
    /// A StorageClass.
    StorageClass,
    /// A CSINode.
    CsiNode,
    /// A CSIDriver.
    CsiDriver,
    /// A CSIStorageCapacity.
    CsiStorageCapacity,
    /// A VolumeAttachment.
    VolumeAttachment,
    /// A ResourceClaim.
    ResourceClaim,
    /// A ResourceSlice.
    ResourceSlice,
    /// A DeviceClass.
    DeviceClass,
    /// Whatever it is: the event concerns every pod.
    All,
}

impl EventResource {
    /// The resource of a kind that is neither pod nor node.
    pub fn of_kind(kind: &str) -> Option<EventResource> {
        Some(match kind {
            "PersistentVolumeClaim" => EventResource::PersistentVolumeClaim,
            "PersistentVolume" => EventResource::PersistentVolume,
            "StorageClass" => EventResource::StorageClass,
            "CSINode" => EventResource::CsiNode,
            "CSIDriver" => EventResource::CsiDriver,
            "CSIStorageCapacity" => EventResource::CsiStorageCapacity,
            "VolumeAttachment" => EventResource::VolumeAttachment,
            "ResourceClaim" => EventResource::ResourceClaim,
            "ResourceSlice" => EventResource::ResourceSlice,
            "DeviceClass" => EventResource::DeviceClass,
            _ => return None,
        })
    }
}

/// Kinds of change, as a set (kube-scheduler, `ActionType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actions(u16);

impl Actions {
    /// It exists now.
    pub const ADD: Actions = Actions(1);
    /// It is gone, or has ended.
    pub const DELETE: Actions = Actions(1 << 1);
    /// A node's allocatable resources changed.
    pub const UPDATE_NODE_ALLOCATABLE: Actions = Actions(1 << 2);
    /// A node's labels changed.
    pub const UPDATE_NODE_LABEL: Actions = Actions(1 << 3);
    /// A node's taints changed, or it was uncordoned.
    pub const UPDATE_NODE_TAINT: Actions = Actions(1 << 4);
    /// A condition of a node changed its status.
    pub const UPDATE_NODE_CONDITION: Actions = Actions(1 << 5);
    /// A pod's labels changed.
    pub const UPDATE_POD_LABEL: Actions = Actions(1 << 6);
    /// A pod requests less than before.
    pub const UPDATE_POD_SCALE_DOWN: Actions = Actions(1 << 7);
    /// The last scheduling gate of a pod is gone.
    pub const UPDATE_POD_GATES_ELIMINATED: Actions = Actions(1 << 8);
    /// A pod has a new toleration.
    pub const UPDATE_POD_TOLERATION: Actions = Actions(1 << 9);
    /// A ResourceClaim was made for a pod.
    pub const UPDATE_POD_CLAIM: Actions = Actions(1 << 10);
    /// Any other change.
    pub const UPDATE_OTHER: Actions = Actions(1 << 11);
    /// Everything.
    pub const ALL: Actions = Actions(u16::MAX);

    /// Those of either set.
    pub const fn or(self, other: Actions) -> Actions {
        Actions(self.0 | other.0)
    }

    /// Whether the sets have a member in common.
    pub const fn meets(self, other: Actions) -> bool {
        self.0 & other.0 != 0
    }
}

/// A change of the cluster.
#[derive(Clone, Debug)]
pub struct ClusterEvent {
    /// What it is about.
    pub resource: EventResource,
    /// What happened.
    pub action: Actions,
    /// The object. The store shows its present state, also after its removal.
    pub object: Option<ObjectRef>,
    /// What the scheduler knew of it before; `None` for an addition.
    pub old: Option<Old>,
}

/// The state before a change, as far as queueing hints compare it.
#[derive(Clone, Debug)]
pub enum Old {
    /// Of a node.
    Node(Arc<SeenNode>),
    /// Of a pod's labels.
    PodLabels(LabelsId),
    /// Of a pod's requests.
    PodResources(Arc<PodResources>),
}

/// What the scheduler has seen of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenNode {
    /// `metadata.labels`.
    pub labels: LabelsId,
    /// `spec.taints`.
    pub taints: Arc<[NodeTaint]>,
    /// `spec.unschedulable`.
    pub unschedulable: bool,
    /// `status.allocatable`, in order of resource.
    pub allocatable: Vec<(ResourceId, i64)>,
}

impl ClusterEvent {
    /// A pod has stayed too long in the unschedulable pool (`EventUnschedulableTimeout`).
    pub const UNSCHEDULABLE_TIMEOUT: ClusterEvent =
        ClusterEvent { resource: EventResource::All, action: Actions::ALL, object: None, old: None };

    /// An event about `object` without an earlier state.
    pub fn new(resource: EventResource, action: Actions, object: impl Into<ObjectRef>) -> ClusterEvent {
        ClusterEvent { resource, action, object: Some(object.into()), old: None }
    }

    /// The same with the state before.
    pub fn with_old(mut self, old: Old) -> ClusterEvent {
        self.old = Some(old);
        self
    }
}
