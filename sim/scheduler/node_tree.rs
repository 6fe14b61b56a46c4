//! The order in which the scheduler's cache lists nodes: zones in turn (kube-scheduler v1.36, `backend/cache/node_tree.go`).

use std::hash::Hash;

use indexmap::{IndexMap, IndexSet};
use rustc_hash::FxBuildHasher;

/// Nodes by zone, in order of first appearance. `N` names a node.
#[derive(Clone, Debug)]
pub struct NodeTree<N> {
    /// The nodes of each zone in order of addition; no zone is empty.
    zones: IndexMap<ZoneKey, IndexSet<N, FxBuildHasher>, FxBuildHasher>,
}

/// Region and zone of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneKey {
    /// The region, empty if the node names none.
    pub region: String,
    /// The zone, empty if the node names none.
    pub zone: String,
}

impl ZoneKey {
    /// The zone of a node with these labels. The deprecated beta labels win, even when they are empty.
    pub fn of_labels<'a>(label: impl Fn(&str) -> Option<&'a str>) -> ZoneKey {
        let either = |beta, current| label(beta).or_else(|| label(current)).unwrap_or_default().to_owned();
        ZoneKey {
            region: either("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
            zone: either("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
        }
    }
}

impl<N> Default for NodeTree<N> {
    fn default() -> NodeTree<N> {
        NodeTree { zones: IndexMap::default() }
    }
}

impl<N: Clone + Eq + Hash> NodeTree<N> {
    /// An empty tree.
    pub fn new() -> NodeTree<N> {
        NodeTree::default()
    }

    /// Adds a node at the end of its zone, unless it is there. *O*(1).
    pub fn add(&mut self, zone: ZoneKey, node: N) {
        self.zones.entry(zone).or_default().insert(node);
    }

    /// Removes a node from its zone, in time proportional to the zone. A zone that becomes empty loses its place.
    pub fn remove(&mut self, zone: &ZoneKey, node: &N) {
        if let Some(nodes) = self.zones.get_mut(zone) {
            nodes.shift_remove(node);
            if nodes.is_empty() {
                self.zones.shift_remove(zone);
            }
        }
    }

    /// Moves a node whose zone has changed to the end of its new zone.
    pub fn update(&mut self, old: &ZoneKey, new: ZoneKey, node: N) {
        if *old != new {
            self.remove(old, &node);
            self.add(new, node);
        }
    }

    /// All nodes: the first of each zone, then the second of each, and so on.
    pub fn order(&self) -> Vec<N> {
        let longest = self.zones.values().map(IndexSet::len).max().unwrap_or(0);
        let mut order = Vec::with_capacity(self.zones.values().map(IndexSet::len).sum());
        // Zones that are used up are not looked at again.
        let mut zones: Vec<_> = self.zones.values().collect();
        for place in 0..longest {
            zones.retain(|nodes| nodes.len() > place);
            order.extend(zones.iter().map(|nodes| nodes[place].clone()));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(zone: &str) -> ZoneKey {
        ZoneKey { region: String::new(), zone: zone.to_owned() }
    }

    #[test]
    fn zones_take_turns() {
        let mut tree = NodeTree::new();
        for (name, node) in [("a", 1), ("a", 2), ("b", 3), ("a", 4), ("c", 5)] {
            tree.add(zone(name), node);
        }
        assert_eq!(tree.order(), [1, 3, 5, 2, 4]);
        tree.remove(&zone("b"), &3);
        tree.add(zone("b"), 3);
        assert_eq!(tree.order(), [1, 5, 3, 2, 4], "an emptied zone comes back last");
        tree.update(&zone("a"), zone("c"), 1);
        assert_eq!(tree.order(), [2, 5, 3, 4, 1]);
    }

    #[test]
    fn beta_labels_win() {
        let key = ZoneKey::of_labels(|label| match label {
            "failure-domain.beta.kubernetes.io/zone" => Some(""),
            "topology.kubernetes.io/zone" => Some("z"),
            "topology.kubernetes.io/region" => Some("r"),
            _ => None,
        });
        assert_eq!(key, ZoneKey { region: "r".to_owned(), zone: String::new() });
    }
}
