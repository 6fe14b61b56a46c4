//! The ids of the store and the references between its objects.

use crate::dense_ids;

dense_ids! {
    /// An interned string.
    Sym;
    /// An interned map of strings: labels or annotations.
    LabelsId;
    /// An interned pod spec; equal specs have equal ids.
    SpecId;
    /// A pod, in order of creation.
    PodId;
    /// A node, in order of creation.
    NodeId;
    /// Any other object, in order of creation.
    ObjId;
    /// A Kubernetes `Event`, in order of first occurrence.
    EventId;
}

/// A resource that nodes offer and pods request: `cpu`, `memory`, ..., extended resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId(pub u16);

impl ResourceId {
    /// `cpu`, in thousandths of a core.
    pub const CPU: ResourceId = ResourceId(0);
    /// `memory`, in bytes.
    pub const MEMORY: ResourceId = ResourceId(1);
    /// `ephemeral-storage`, in bytes.
    pub const EPHEMERAL_STORAGE: ResourceId = ResourceId(2);
    /// `pods`, a count.
    pub const PODS: ResourceId = ResourceId(3);
}

/// Any object of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectRef {
    /// A pod.
    Pod(PodId),
    /// A node.
    Node(NodeId),
    /// An object of another kind.
    Object(ObjId),
}

impl From<PodId> for ObjectRef {
    fn from(id: PodId) -> ObjectRef {
        ObjectRef::Pod(id)
    }
}

impl From<NodeId> for ObjectRef {
    fn from(id: NodeId) -> ObjectRef {
        ObjectRef::Node(id)
    }
}

impl From<ObjId> for ObjectRef {
    fn from(id: ObjId) -> ObjectRef {
        ObjectRef::Object(id)
    }
}
