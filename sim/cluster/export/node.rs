//! Nodes as the API shows them.

use serde_json::{Map, Value, json};

use super::rfc3339;
use crate::cluster::ids::{NodeId, ResourceId};
use crate::cluster::store::Cluster;

impl Cluster {
    /// The `Node` object.
    pub fn export_node(&self, id: NodeId) -> Value {
        let node = self.node(id);
        let part = |key: &str| match node.raw.get(key) {
            Some(Value::Object(fields)) => fields.clone(),
            _ => Map::new(),
        };
        let (mut spec, mut status) = (part("spec"), part("status"));
        spec.remove("unschedulable");
        if node.unschedulable {
            spec.insert("unschedulable".into(), true.into());
        }
        spec.remove("taints");
        if !node.taints.is_empty() {
            spec.insert("taints".into(), node.taints.iter().map(|taint| self.export_taint(taint)).collect());
        }
        status.insert("capacity".into(), self.export_resources(&node.capacity));
        status.insert("allocatable".into(), self.export_resources(&node.allocatable));
        let heartbeat = rfc3339(self.epoch_seconds, node.last_status_report(self.now()));
        let conditions = node.conditions.iter().map(|condition| {
            json!({
                "type": self.interner.text(condition.kind),
                "status": condition.status.as_str(),
                "reason": self.interner.text(condition.reason),
                "message": self.interner.text(condition.message),
                "lastHeartbeatTime": heartbeat,
                "lastTransitionTime": rfc3339(self.epoch_seconds, condition.transition),
            })
        });
        status.insert("conditions".into(), conditions.collect());
        if !node.images.is_empty() {
            let images = node.images.iter().map(|image| {
                let names: Vec<&str> = image.names.iter().map(|&name| self.interner.text(name)).collect();
                json!({ "names": names, "sizeBytes": image.size_bytes })
            });
            status.insert("images".into(), images.collect());
        }
        json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": self.export_meta(id.into()),
            "spec": spec,
            "status": status,
        })
    }

    /// A resource list in canonical quantities.
    pub fn export_resources(&self, resources: &[(ResourceId, i64)]) -> Value {
        let entries = resources.iter().map(|&(resource, amount)| {
            let name = self.interner.resource_name(resource);
            let text = crate::cluster::pod_resources::quantity_text(name, resource, amount);
            (name.to_owned(), Value::String(text))
        });
        entries.collect::<Map<_, _>>().into()
    }

    fn export_taint(&self, taint: &crate::cluster::node::NodeTaint) -> Value {
        let mut out = Map::new();
        out.insert("key".into(), taint.taint.key.as_str().into());
        if !taint.taint.value.is_empty() {
            out.insert("value".into(), taint.taint.value.as_str().into());
        }
        out.insert("effect".into(), taint.taint.effect.as_str().into());
        if let Some(added) = taint.added {
            out.insert("timeAdded".into(), rfc3339(self.epoch_seconds, added).into());
        }
        Value::Object(out)
    }
}
