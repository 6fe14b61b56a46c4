//! `nodeTree`, `hostPick` and `nodesToFind`: the order of nodes, and which and how many of them are taken.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{text, typed};
use crate::scheduler::host_pick;
use crate::scheduler::node_tree::{NodeTree, ZoneKey};
use crate::scheduler::nodes_to_find;

/// The order of the nodes after additions and removals.
pub(super) fn node_tree(case: &Value) -> Value {
    let mut tree = NodeTree::new();
    let mut zones: BTreeMap<String, ZoneKey> = BTreeMap::new();
    for op in case["ops"].as_array().into_iter().flatten() {
        let name = text(op, "name").to_owned();
        match text(op, "op") {
            "remove" => {
                if let Some(zone) = zones.remove(&name) {
                    tree.remove(&zone, &name);
                }
            }
            _ => {
                let zone = ZoneKey::of_labels(|label| op["labels"][label].as_str());
                match zones.insert(name.clone(), zone.clone()) {
                    Some(old) => tree.update(&old, zone, name),
                    None => tree.add(zone, name),
                }
            }
        }
    }
    json!({ "order": tree.order() })
}

/// The index of the score that is taken.
pub(super) fn host_pick(case: &Value) -> Value {
    json!({ "index": host_pick::host_pick(&typed::<Vec<i64>>(&case["scores"])) })
}

/// How many feasible nodes end the search.
pub(super) fn nodes_to_find(case: &Value) -> Value {
    json!({ "count": nodes_to_find::nodes_to_find(typed(&case["numNodes"]), typed(&case["percentage"])) })
}
