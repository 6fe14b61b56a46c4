//! The labels that the controller derives from others on a node (`reconcileNodeLabels`).

use crate::cluster::{Cluster, NodeId};

/// A label, and the older one that is to say the same (`labelReconcileInfo`).
const DERIVED: [(&str, &str); 2] =
    [("kubernetes.io/os", "beta.kubernetes.io/os"), ("kubernetes.io/arch", "beta.kubernetes.io/arch")];

/// Makes the older labels say what the labels of today say. Returns whether anything changed.
pub(super) fn reconcile(node: NodeId, cluster: &mut Cluster) -> bool {
    let before = cluster.node(node).meta.labels;
    let mut labels = before;
    for (key, old_key) in DERIVED {
        let value = cluster.label(labels, key).map(str::to_owned);
        if let Some(value) = value.filter(|value| cluster.label(labels, old_key) != Some(value)) {
            labels = cluster.interner.with(labels, old_key, Some(&value));
        }
    }
    cluster.set_labels(node, labels);
    labels != before
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_old_labels_say_what_the_new_ones_say() {
        for (labels, wanted, why) in [
            (json!({}), None, "nothing to derive from"),
            (json!({ "beta.kubernetes.io/os": "linux" }), Some("linux"), "an old label alone is left alone"),
            (json!({ "kubernetes.io/os": "linux" }), Some("linux"), "it is added"),
            (
                json!({ "kubernetes.io/os": "linux", "beta.kubernetes.io/os": "windows" }),
                Some("linux"),
                "and corrected",
            ),
        ] {
            let mut cluster = Cluster::new(0);
            let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n", "labels": labels } });
            cluster.create_from(&node).expect("a fresh name");
            let node = cluster.find_node("n").expect("just made");
            reconcile(node, &mut cluster);
            let seen = cluster.label(cluster.node(node).meta.labels, "beta.kubernetes.io/os");
            assert_eq!(seen, wanted, "{why}");
            assert!(!reconcile(node, &mut cluster), "{why}: once is enough");
        }
    }
}
