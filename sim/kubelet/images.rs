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
    /// When a container that uses it was last started or stopped.
    pub last_used: Time,
    /// When it came to the node.
    pub since: Time,
    /// The first name of the same image: a node may know it by several.
    pub primary: Sym,
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

impl NodeImages {
    /// Every image once, by its first name.
    pub fn all(&self) -> impl Iterator<Item = (Sym, &ImageRow)> {
        self.present.iter().filter(|(name, row)| **name == row.primary).map(|(&name, row)| (name, row))
    }

    /// What all images take.
    pub fn total_bytes(&self) -> i64 {
        self.all().map(|(_, row)| row.size_bytes).fold(0, i64::saturating_add)
    }

    /// The first name of an image that is on the node.
    pub fn primary(&self, name: Sym) -> Option<Sym> {
        self.present.get(&name).map(|row| row.primary)
    }

    /// A container that uses the image has started or stopped.
    pub fn used(&mut self, name: Sym, at: Time) {
        if let Some(primary) = self.primary(name)
            && let Some(row) = self.present.get_mut(&primary)
        {
            row.last_used = at;
        }
    }

    /// Removes an image with all its names.
    pub fn remove(&mut self, primary: Sym) {
        self.present.retain(|_, row| row.primary != primary);
    }
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
