//! Images on a node, and the queue of pulls (kubelet, `pkg/kubelet/images`).

use std::collections::{BTreeMap, VecDeque};

use crate::cluster::{PodId, Sym};
use crate::engine::Time;

/// The name under which an image is known on a node: with its tag, and without the default registry.
pub fn normalized(image: &str) -> String {
    let short = image.strip_prefix("docker.io/").unwrap_or(image);
    let short = short.strip_prefix("library/").unwrap_or(short);
    let last = short.rsplit('/').next().unwrap_or(short);
    if last.contains(':') || last.contains('@') { short.to_owned() } else { format!("{short}:latest") }
}

/// One image on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageRow {
    /// Its size.
    pub size_bytes: i64,
    /// When a container that uses it was last started.
    pub last_used: Time,
}

/// A pull that waits for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingPull {
    /// The pod that needs the image.
    pub pod: PodId,
    /// The turn of the pod's worker when it asked.
    pub turn: u16,
    /// The container that needs it.
    pub container: u8,
    /// When it asked.
    pub since: Time,
}

/// The images of one node and the pulls under way.
#[derive(Clone, Debug, Default)]
pub struct NodeImages {
    /// What is on the node, by normalized name.
    pub present: BTreeMap<Sym, ImageRow>,
    /// Pulls under way.
    pub n_pulling: u32,
    /// Pulls that wait for their turn.
    pub waiting: VecDeque<WaitingPull>,
}
