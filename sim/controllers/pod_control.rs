//! Creating and deleting pods on behalf of a controller.

use rustc_hash::FxHashMap;

use crate::cluster::ObjectRef;

/// What controllers remember of the pods they created.
#[derive(Clone, Debug, Default)]
pub struct PodControl {
    /// How many pods an owner has created: their places in the input.
    n_created: FxHashMap<ObjectRef, u64>,
}
