//! The verbs: every write to the store goes through one of these. Each keeps the derived columns and indexes right, raises the
//! revision, and appends the [`Change`]s it made. A write that changes nothing does nothing, as in the API server.

mod metadata;
mod nodes;
mod objects;
mod pod_report;
mod pods;
mod removal;
mod resize;
mod scheduling;
mod world;

pub use metadata::NewMeta;
pub use nodes::NewNode;
pub use objects::NewObject;
pub use pod_report::PodReport;
pub use pods::NewPod;
pub use removal::Propagation;
pub use resize::PodResize;
pub use world::MAX_SLOWDOWN;

use super::change::{Change, What};
use super::ids::ObjectRef;
use super::store::Cluster;

impl Cluster {
    /// Stamps a write: raises the revision, sets `resourceVersion`, appends the change.
    pub(super) fn wrote(&mut self, object: ObjectRef, what: What) {
        self.revision += 1;
        let revision = self.revision;
        self.meta_mut(object).resource_version = revision;
        self.changes.push(Change { object, what });
    }
}
