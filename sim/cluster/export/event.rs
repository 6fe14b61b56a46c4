//! Kubernetes `Event`s as the API shows them.

use serde_json::{Map, Value, json};

use super::{rfc3339, rfc3339_micro};
use crate::cluster::ids::{EventId, ObjectRef, Sym};
use crate::cluster::meta::uid_text;
use crate::cluster::recorder::{EventRecord, EventType};
use crate::cluster::store::Cluster;

impl Cluster {
    /// The `Event` object of a recorded event.
    pub fn export_event(&self, id: EventId) -> Value {
        let record = &self.events.stored_at(id, self.now);
        let namespace = match self.namespace(record.object) {
            "" => "default",
            namespace => namespace,
        };
        let time = |at| Value::String(rfc3339(self.epoch_seconds, at));
        let mut involved = Map::new();
        let api_version = match record.object {
            ObjectRef::Object(id) => self.object(id).info.api_version(),
            _ => "v1".to_owned(),
        };
        involved.insert("apiVersion".into(), api_version.into());
        involved.insert("kind".into(), self.kind(record.object).into());
        involved.insert("name".into(), self.name(record.object).into());
        if !self.namespace(record.object).is_empty() {
            involved.insert("namespace".into(), namespace.into());
        }
        involved.insert("uid".into(), uid_text(self.meta(record.object).uid).into());
        if record.container != Sym::EMPTY {
            let list = if self.is_init_container(record) { "initContainers" } else { "containers" };
            let path = format!("spec.{list}{{{}}}", self.interner.text(record.container));
            involved.insert("fieldPath".into(), path.into());
        }
        let source = self.interner.text(record.source);
        let host = self.event_host(record);
        let mut written_by = json!({ "component": source });
        if !host.is_empty() {
            written_by["host"] = host.into();
        }
        // events.k8s.io/v1: an event time, no first and last timestamp, no count, a reporting controller.
        let newer = record.is_series;
        let (first, last) = if newer { (Value::Null, Value::Null) } else { (time(record.first), time(record.last)) };
        json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": self.event_name(id),
                "namespace": namespace,
                "uid": uid_text(u64::from(id.0) | 1 << 60),
                "creationTimestamp": time(record.first),
            },
            "involvedObject": involved,
            "type": match record.event_type { EventType::Normal => "Normal", EventType::Warning => "Warning" },
            "reason": self.interner.text(record.reason),
            "message": self.event_message(record),
            "count": if newer { Value::Null } else { record.count.into() },
            "firstTimestamp": first,
            "lastTimestamp": last,
            "eventTime": if newer { rfc3339_micro(self.epoch_seconds, record.first).into() } else { Value::Null },
            "series": if newer && record.count > 1 {
                json!({"count": record.count, "lastObservedTime": rfc3339_micro(self.epoch_seconds, record.last)})
            } else { Value::Null },
            "source": if newer { json!({}) } else { written_by },
            "reportingComponent": source,
            "reportingInstance": host,
        })
    }

    /// Whether an event is about an init container, sidecars included.
    fn is_init_container(&self, record: &EventRecord) -> bool {
        let ObjectRef::Pod(pod) = record.object else { return false };
        let spec = self.spec_of(pod);
        spec.container_names.iter().take(spec.n_init_containers).any(|&name| name == record.container)
    }

    /// The machine on which an event was recorded: kubelets name theirs.
    fn event_host(&self, record: &EventRecord) -> &str {
        let node = match record.object {
            ObjectRef::Pod(pod) => self.pod(pod).node,
            ObjectRef::Node(node) => Some(node),
            ObjectRef::Object(_) => None,
        };
        node.filter(|_| record.source == self.words.kubelet).map_or("", |node| self.name(node))
    }
}
