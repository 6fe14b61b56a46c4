//! `metadata` as the API shows it.

use serde_json::{Map, Value, json};

use super::rfc3339;
use crate::cluster::ids::{LabelsId, ObjectRef};
use crate::cluster::meta::{Owner, uid_text};
use crate::cluster::store::Cluster;

impl Cluster {
    /// `metadata` of an object.
    pub(super) fn export_meta(&self, object: ObjectRef) -> Value {
        let meta = self.meta(object);
        let mut out = Map::new();
        let text = |sym| Value::String(self.interner.text(sym).to_owned());
        let time = |at| Value::String(rfc3339(self.epoch_seconds, at));
        out.insert("name".into(), text(meta.name));
        if !self.interner.text(meta.generate_name).is_empty() {
            out.insert("generateName".into(), text(meta.generate_name));
        }
        if !self.interner.text(meta.namespace).is_empty() {
            out.insert("namespace".into(), text(meta.namespace));
        }
        out.insert("uid".into(), Value::String(uid_text(meta.uid)));
        out.insert("resourceVersion".into(), Value::String(meta.resource_version.to_string()));
        if self.has_generation(object) {
            out.insert("generation".into(), json!(meta.generation));
        }
        out.insert("creationTimestamp".into(), time(meta.created));
        if let Some(deletion) = meta.deletion {
            out.insert("deletionTimestamp".into(), time(meta.deletion_timestamp().unwrap_or_default()));
            out.insert("deletionGracePeriodSeconds".into(), json!(deletion.grace_seconds));
        }
        for (key, map) in [("labels", meta.labels), ("annotations", meta.annotations)] {
            if map != LabelsId::EMPTY {
                out.insert(key.into(), self.export_map(map));
            }
        }
        if !meta.owners.is_empty() {
            out.insert("ownerReferences".into(), meta.owners.iter().map(|owner| self.export_owner(owner)).collect());
        }
        if !meta.finalizers.is_empty() {
            out.insert("finalizers".into(), meta.finalizers.iter().copied().map(text).collect());
        }
        Value::Object(out)
    }

    /// A map of strings.
    pub fn export_map(&self, map: LabelsId) -> Value {
        self.interner
            .entries(map)
            .map(|(key, value)| (key.to_owned(), Value::from(value)))
            .collect::<Map<_, _>>()
            .into()
    }

    fn export_owner(&self, owner: &Owner) -> Value {
        let mut out = Map::new();
        out.insert("apiVersion".into(), self.interner.text(owner.api_version).into());
        out.insert("kind".into(), self.interner.text(owner.kind).into());
        out.insert("name".into(), self.interner.text(owner.name).into());
        out.insert("uid".into(), uid_text(owner.uid).into());
        if owner.controller {
            out.insert("controller".into(), true.into());
        }
        if owner.block_owner_deletion {
            out.insert("blockOwnerDeletion".into(), true.into());
        }
        Value::Object(out)
    }

    /// Kinds without a desired state have no `metadata.generation`.
    fn has_generation(&self, object: ObjectRef) -> bool {
        if let ObjectRef::Object(id) = object
            && self.object(id).info.key != self.object(id).info.kind
        {
            // Custom resources count the changes of their spec.
            return true;
        }
        crate::api::objects::rules(self.kind(object)).has_generation
    }
}
