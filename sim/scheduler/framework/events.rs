//! Cluster events that may make a rejected pod schedulable: what plugins register (kube-scheduler v1.36, `EventsToRegister`).

/// What kind of object an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is named as the framework names it")]
pub enum EventResource {
    /// A pod on a node.
    AssignedPod,
    /// The rejected pod itself.
    TargetPod,
    /// A pod that waits, not the rejected one.
    UnscheduledPod,
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    CsiNode,
    CsiDriver,
    VolumeAttachment,
    CsiStorageCapacity,
    StorageClass,
    ResourceClaim,
    ResourceSlice,
    DeviceClass,
}

/// What happened to it: a set of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action(pub u32);

impl Action {
    /// It was created, or (a pod) assigned to a node.
    pub const ADD: Action = Action(1);
    /// It was deleted, or (a pod) ended.
    pub const DELETE: Action = Action(1 << 1);
    /// Allocatable of a node.
    pub const UPDATE_NODE_ALLOCATABLE: Action = Action(1 << 2);
    /// Labels of a node.
    pub const UPDATE_NODE_LABEL: Action = Action(1 << 3);
    /// Taints of a node, `unschedulable` included.
    pub const UPDATE_NODE_TAINT: Action = Action(1 << 4);
    /// Conditions of a node.
    pub const UPDATE_NODE_CONDITION: Action = Action(1 << 5);
    /// Annotations of a node.
    pub const UPDATE_NODE_ANNOTATION: Action = Action(1 << 6);
    /// Declared features of a node.
    pub const UPDATE_NODE_DECLARED_FEATURE: Action = Action(1 << 7);
    /// Labels of a pod.
    pub const UPDATE_POD_LABEL: Action = Action(1 << 8);
    /// Requests of a pod went down.
    pub const UPDATE_POD_SCALE_DOWN: Action = Action(1 << 9);
    /// Tolerations of a pod.
    pub const UPDATE_POD_TOLERATION: Action = Action(1 << 10);
    /// The last scheduling gate of a pod was removed.
    pub const UPDATE_POD_GATES_ELIMINATED: Action = Action(1 << 11);
    /// Any other change.
    pub const UPDATE_OTHER: Action = Action(1 << 12);
    /// Any change.
    pub const UPDATE: Action = Action(((1 << 13) - 1) & !3);
    /// Anything.
    pub const ALL: Action = Action((1 << 13) - 1);

    /// Both.
    pub const fn or(self, other: Action) -> Action {
        Action(self.0 | other.0)
    }

    /// Whether the two have a bit in common.
    pub const fn overlaps(self, other: Action) -> bool {
        self.0 & other.0 != 0
    }
}

/// An event for which a plugin asks to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterEvent {
    /// The kind of object.
    pub resource: EventResource,
    /// What happened.
    pub action: Action,
}

/// Shorthand for a registration.
pub const fn on(resource: EventResource, action: Action) -> ClusterEvent {
    ClusterEvent { resource, action }
}
