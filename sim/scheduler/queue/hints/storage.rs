//! Hints about storage and claims.
//!
//! - A PersistentVolumeClaim helps the pods whose volumes name it (VolumeRestrictions, NodeVolumeLimits, VolumeBinding, VolumeZone);
//!   a ResourceClaim those of its namespace that claim resources.
//! - A PersistentVolume, StorageClass, CSINode, CSIStorageCapacity, VolumeAttachment, ResourceSlice or DeviceClass helps every pod
//!   that a plugin registered for it rejected. The real hints compare old and new objects further; here such a pod is tried once more
//!   than it need be.

use super::Asked;
use crate::cluster::ObjId;
use crate::scheduler::framework::names::PluginName;
use crate::scheduler::queue::cluster_event::{ClusterEvent, EventResource};

impl Asked<'_> {
    /// The hint of a plugin about a change of an object that is neither pod nor node.
    pub(super) fn object_helps(&self, plugin: PluginName, event: &ClusterEvent, object: ObjId) -> bool {
        let meta = &self.cluster.object(object).meta;
        match event.resource {
            EventResource::PersistentVolumeClaim => {
                meta.namespace == self.namespace && self.compiled.uses_claim(self.cluster.interner.text(meta.name))
            }
            EventResource::ResourceClaim => plugin == PluginName::DynamicResources && meta.namespace == self.namespace,
            _ => true,
        }
    }
}
