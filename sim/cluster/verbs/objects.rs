//! Creating objects of the other kinds and writing their spec and status.

use std::sync::Arc;

use serde_json::Value;

use super::NewMeta;
use crate::api::kinds::KindInfo;
use crate::cluster::change::What;
use crate::cluster::ids::ObjId;
use crate::cluster::objects::{Body, Kind, Object};
use crate::cluster::store::Cluster;

/// An object to be created.
#[derive(Clone, Debug)]
pub struct NewObject {
    /// Its kind.
    pub info: &'static KindInfo,
    /// Its metadata.
    pub meta: NewMeta,
    /// The manifest as accepted, without `metadata` and `status`.
    pub raw: Arc<Value>,
    /// What it is.
    pub body: Body,
}

impl Cluster {
    /// Creates an object. The caller has made sure that the name is free.
    ///
    /// # Panics
    ///
    /// If an object of that kind and name exists.
    pub fn create_object(&mut self, new: NewObject) -> ObjId {
        let meta = self.make_meta(new.meta);
        let (key, uid) = ((new.info.key, meta.namespace, meta.name), meta.uid);
        let id = self.objects.push(Object { info: new.info, meta, raw: new.raw, body: new.body });
        self.count_kind(key.0, 1);
        let clash = self.object_names.insert(key, id);
        assert!(clash.is_none(), "{} {} exists", key.0, self.interner.text(key.2));
        self.uids.insert(uid, id.into());
        self.link_owners(id.into());
        self.generate_job_selector(id);
        self.wrote(id.into(), What::Created);
        id
    }

    /// Changes the desired state of an object; `generation` rises if anything changed. Fields that the body lowers need not be
    /// written to the manifest as well.
    ///
    /// # Panics
    ///
    /// If it is of another kind.
    pub fn update_spec<K: Kind + Clone + PartialEq>(&mut self, id: ObjId, update: impl FnOnce(&mut K)) -> bool {
        let changed = self.update_body(id, update);
        if changed {
            self.objects[id].meta.generation += 1;
            self.wrote(id.into(), What::Spec);
        }
        changed
    }

    /// Changes the status of an object.
    ///
    /// # Panics
    ///
    /// If it is of another kind.
    pub fn update_status<K: Kind + Clone + PartialEq>(&mut self, id: ObjId, update: impl FnOnce(&mut K)) -> bool {
        let changed = self.update_body(id, update);
        if changed {
            self.wrote(id.into(), What::Status);
        }
        changed
    }

    /// Replaces manifest and body after an accepted update of the desired state.
    pub fn replace_spec(&mut self, id: ObjId, raw: Arc<Value>, body: Body) {
        let object = &mut self.objects[id];
        if object.raw == raw && object.body == body {
            return;
        }
        (object.raw, object.body) = (raw, body);
        object.meta.generation += 1;
        self.wrote(id.into(), What::Spec);
    }

    /// Replaces the body after an accepted update of the status.
    pub fn replace_status(&mut self, id: ObjId, body: Body) {
        if self.objects[id].body != body {
            self.objects[id].body = body;
            self.wrote(id.into(), What::Status);
        }
    }

    /// Keeps another status of an object whose status is kept as it was written.
    pub(in crate::cluster) fn replace_raw_status(&mut self, id: ObjId, raw: Arc<Value>) {
        self.objects[id].raw = raw;
        self.wrote(id.into(), What::Status);
    }

    fn update_body<K: Kind + Clone + PartialEq>(&mut self, id: ObjId, update: impl FnOnce(&mut K)) -> bool {
        let body = K::of_mut(&mut self.objects[id].body).unwrap_or_else(|| panic!("{id:?} is not a {}", K::KIND));
        let before = body.clone();
        update(body);
        *body != before
    }
}
