//! Any object as the API shows it.

use serde_json::{Map, Value};

use crate::cluster::ids::{ObjId, ObjectRef};
use crate::cluster::objects::{self, Exporting};
use crate::cluster::store::Cluster;

impl Cluster {
    /// The object as `kubectl get -o json` shows it, without `managedFields`.
    pub fn export(&self, object: impl Into<ObjectRef>) -> Value {
        match object.into() {
            ObjectRef::Pod(pod) => self.export_pod(pod),
            ObjectRef::Node(node) => self.export_node(node),
            ObjectRef::Object(id) => self.export_object(id),
        }
    }

    /// Every object in the store and every event still kept, in order of (kind, namespace, name) for objects.
    pub fn export_all(&self) -> Vec<Value> {
        let nodes = self.nodes().map(|(id, _)| ObjectRef::Node(id));
        let pods = self.pods().map(|(id, _)| ObjectRef::Pod(id));
        let objects = self.objects().map(|(id, _)| ObjectRef::Object(id));
        let mut all: Vec<ObjectRef> = nodes.chain(pods).chain(objects).collect();
        all.sort_by_cached_key(|&object| {
            (self.kind(object), self.namespace(object).to_owned(), self.name(object).to_owned())
        });
        let mut out: Vec<Value> = all.into_iter().map(|object| self.export(object)).collect();
        out.extend(self.events.kept_at(self.now).map(|(id, _)| self.export_event(id)));
        out
    }

    /// What exporting a status needs.
    pub fn exporting(&self) -> Exporting<'_> {
        Exporting { interner: &self.interner, epoch_seconds: self.epoch_seconds }
    }

    /// The plain fields of `spec`, and `status`, as [`Cluster::export`] would show them. Of an EndpointSlice, which has neither, nothing.
    pub fn export_outline(&self, id: ObjId) -> Value {
        let row = self.object(id);
        let mut out = Map::new();
        if let Some(spec) = row.raw["spec"].as_object() {
            let plain = spec.iter().filter(|(_, value)| !value.is_object() && !value.is_array());
            let plain: Map<String, Value> = plain.map(|(key, value)| (key.clone(), value.clone())).collect();
            out.insert("spec".into(), plain.into());
        }
        if let Some(status) = row.raw.get("status") {
            out.insert("status".into(), status.clone());
        }
        if !matches!(row.body, objects::Body::EndpointSlice(_)) {
            objects::export(&row.body, self.exporting(), &mut out);
        }
        Value::Object(out)
    }

    fn export_object(&self, id: ObjId) -> Value {
        let row = self.object(id);
        let mut out = match &*row.raw {
            Value::Object(fields) => fields.clone(),
            _ => Map::new(),
        };
        out.entry("apiVersion").or_insert_with(|| row.info.api_version().into());
        out.insert("kind".into(), row.info.kind.into());
        out.insert("metadata".into(), self.export_meta(id.into()));
        objects::export(&row.body, self.exporting(), &mut out);
        Value::Object(out)
    }
}
