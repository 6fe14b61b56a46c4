//! `Change`: what has just become true, one record per write, in the order of the store's revisions.

use super::condition::ConditionStatus;
use super::ids::{EventId, NodeId, ObjectRef, PodId, Sym};

/// One write to the store. The object itself shows the state after it, as long as no later change touched it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The object written.
    pub object: ObjectRef,
    /// What became true of it.
    pub what: What,
}

/// What became true of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It exists.
    Created,
    /// Its desired state changed (`generation` rose).
    Spec,
    /// Its labels changed.
    Labels,
    /// Its annotations, owner references or finalizers changed.
    Meta,
    /// Its status changed in a way not named by another variant.
    Status,
    /// A condition changed its status or reason.
    Condition(ConditionChange),
    /// A pod's phase changed.
    Phase,
    /// A container of a pod changed its state; the index counts init containers first.
    Container(u16),
    /// A pod was assumed on a node by the scheduler (not yet visible to anyone else).
    Assumed(NodeId),
    /// An assumed pod was given up before it was bound.
    Forgotten(NodeId),
    /// A pod was bound to a node.
    Bound(NodeId),
    /// A pod was nominated to a node, or lost its nomination.
    Nominated(Option<NodeId>),
    /// A node's taints changed.
    Taints,
    /// A node was cordoned or uncordoned.
    Unschedulable,
    /// A node's allocatable resources changed.
    Allocatable,
    /// A node's kubelet fell silent or came back; known to the kubelets alone.
    Kubelet,
    /// Something happened in the world that no API object shows; known to the kubelets alone.
    World(WorldChange),
    /// Its deletion was requested: `deletionTimestamp` is set.
    Deleting,
    /// It is gone from the store.
    Removed,
    /// A Kubernetes `Event` about the object was recorded or counted up.
    Event(EventId),
}

/// What happened in the world, on a node or to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorldChange {
    /// The kubelet of a node was restarted.
    KubeletRestarted,
    /// Everything on a node takes longer or shorter from now on; the node says by how much.
    Slowdown,
    /// The process of a container of a pod has ended.
    ContainerCrashed {
        /// Which; init containers count first.
        container: u8,
        /// Its exit code.
        exit_code: u8,
        /// Whether the kernel killed it for want of memory.
        oom: bool,
    },
}

/// The new status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConditionChange {
    /// The condition's type.
    pub kind: Sym,
    /// Its status; none if the condition is gone.
    pub status: Option<ConditionStatus>,
    /// Its reason.
    pub reason: Sym,
    /// Its message.
    pub message: Sym,
}

impl Change {
    /// The pod, if the object is one.
    pub fn pod(&self) -> Option<PodId> {
        match self.object {
            ObjectRef::Pod(pod) => Some(pod),
            _ => None,
        }
    }

    /// The node, if the object is one.
    pub fn node(&self) -> Option<NodeId> {
        match self.object {
            ObjectRef::Node(node) => Some(node),
            _ => None,
        }
    }
}

const _: () = assert!(size_of::<Change>() <= 28);
