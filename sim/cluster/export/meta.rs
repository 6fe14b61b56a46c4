//! `metadata` as the API shows it.

use serde_json::{Map, Value, json};

use super::rfc3339;
use crate::cluster::ids::{LabelsId, ObjectRef, Sym};
use crate::cluster::meta::{DANGLING, Owner, uid_text};
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

    pub(in crate::cluster) fn export_owner(&self, owner: &Owner) -> Value {
        let mut out = Map::new();
        out.insert("apiVersion".into(), self.interner.text(owner.api_version).into());
        out.insert("kind".into(), self.interner.text(owner.kind).into());
        out.insert("name".into(), self.interner.text(owner.name).into());
        out.insert("uid".into(), self.owner_uid(owner).into());
        if owner.controller {
            out.insert("controller".into(), true.into());
        }
        if owner.block_owner_deletion {
            out.insert("blockOwnerDeletion".into(), true.into());
        }
        Value::Object(out)
    }

    /// The uid of an owner as the API shows it: of one that never existed as it was written.
    pub fn owner_uid(&self, owner: &Owner) -> String {
        let written = u32::try_from(owner.uid ^ DANGLING).map_or("", |sym| self.interner.text(Sym(sym)));
        if written.is_empty() { uid_text(owner.uid) } else { written.to_owned() }
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
