//! Images on a node, and the queue of pulls (kubelet, `pkg/kubelet/images`).

use std::collections::{BTreeMap, VecDeque};

use crate::cluster::{PodId, Sym};
use crate::engine::Time;

/// The name under which an image is known on a node: with its registry and its tag, as container runtimes list it.
pub fn normalized(image: &str) -> String {
    let (first, rest) = image.split_once('/').unwrap_or(("", image));
    let has_registry = first.contains('.') || first.contains(':') || first == "localhost";
    let registry = match (has_registry, first) {
        (true, _) => "",
        (false, "") => "docker.io/library/",
        (false, _) => "docker.io/",
    };
    let last = rest.rsplit('/').next().unwrap_or(rest);
    let tag = if last.contains(':') || last.contains('@') { "" } else { ":latest" };
    format!("{registry}{image}{tag}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_their_registry_and_tag() {
        let rows = [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.27", "docker.io/library/nginx:1.27"),
            ("me/app", "docker.io/me/app:latest"),
            ("registry.k8s.io/pause", "registry.k8s.io/pause:latest"),
            ("localhost:5000/a/b@sha256:ab", "localhost:5000/a/b@sha256:ab"),
        ];
        for (image, full) in rows {
            assert_eq!(normalized(image), full);
        }
    }
}
