//! Writing metadata: names, labels, annotations, owners, finalizers.

use smallvec::SmallVec;

use crate::cluster::change::What;
use crate::cluster::ids::{LabelsId, ObjectRef, Sym};
use crate::cluster::meta::{Meta, Owner, name_suffix};
use crate::cluster::store::Cluster;

/// The metadata of an object to be created.
#[derive(Clone, Debug, Default)]
pub struct NewMeta {
    /// `name`; empty if `generate_name` is given.
    pub name: Sym,
    /// `generateName`; empty if `name` is given.
    pub generate_name: Sym,
    /// `namespace`; empty for cluster-scoped kinds.
    pub namespace: Sym,
    /// `labels`.
    pub labels: LabelsId,
    /// `annotations`.
    pub annotations: LabelsId,
    /// `ownerReferences`.
    pub owners: SmallVec<[Owner; 1]>,
    /// `finalizers`.
    pub finalizers: SmallVec<[Sym; 1]>,
    /// `uid` as written in a dump, empty for a new object.
    pub uid: Sym,
}

impl Default for Sym {
    fn default() -> Self {
        Sym::EMPTY
    }
}

impl Default for LabelsId {
    fn default() -> Self {
        LabelsId::EMPTY
    }
}

impl Cluster {
    /// An owner reference to an object of the store.
    pub fn owner_reference(&mut self, owner: impl Into<ObjectRef>) -> Owner {
        let object = owner.into();
        let (api_version, kind) = match object {
            ObjectRef::Pod(_) => ("v1".to_owned(), "Pod"),
            ObjectRef::Node(_) => ("v1".to_owned(), "Node"),
            ObjectRef::Object(id) => (self.object(id).info.api_version(), self.object(id).info.kind),
        };
        let meta = self.meta(object);
        let (uid, name) = (meta.uid, meta.name);
        Owner {
            object: Some(object),
            uid,
            api_version: self.interner.sym(&api_version),
            kind: self.interner.sym(kind),
            name,
            controller: true,
            block_owner_deletion: true,
        }
    }

    /// Sets or (with `None`) removes one label.
    pub fn set_label(&mut self, object: impl Into<ObjectRef>, key: &str, value: Option<&str>) {
        let object = object.into();
        let labels = self.interner.with(self.meta(object).labels, key, value);
        self.set_labels(object, labels);
    }

    /// Replaces all labels.
    pub fn set_labels(&mut self, object: impl Into<ObjectRef>, labels: LabelsId) {
        let object = object.into();
        if self.meta(object).labels != labels {
            self.meta_mut(object).labels = labels;
            self.wrote(object, What::Labels);
        }
    }

    /// Sets or (with `None`) removes one annotation.
    pub fn set_annotation(&mut self, object: impl Into<ObjectRef>, key: &str, value: Option<&str>) {
        let object = object.into();
        let annotations = self.interner.with(self.meta(object).annotations, key, value);
        self.set_annotations(object, annotations);
    }

    /// Replaces all annotations.
    pub fn set_annotations(&mut self, object: impl Into<ObjectRef>, annotations: LabelsId) {
        let object = object.into();
        if self.meta(object).annotations != annotations {
            self.meta_mut(object).annotations = annotations;
            self.wrote(object, What::Meta);
        }
    }

    /// Replaces the owner references: adoption, release, orphaning.
    pub fn set_owners(&mut self, object: impl Into<ObjectRef>, owners: impl IntoIterator<Item = Owner>) {
        let object = object.into();
        let owners: SmallVec<[Owner; 1]> = owners.into_iter().collect();
        if self.meta(object).owners == owners {
            return;
        }
        self.unlink_owners(object);
        self.meta_mut(object).owners = owners;
        self.link_owners(object);
        self.wrote(object, What::Meta);
    }

    /// Adds a finalizer. Ignored once deletion was asked for, as the API server refuses it then.
    pub fn add_finalizer(&mut self, object: impl Into<ObjectRef>, finalizer: Sym) {
        let object = object.into();
        let meta = self.meta_mut(object);
        if !meta.is_deleting() && !meta.finalizers.contains(&finalizer) {
            meta.finalizers.push(finalizer);
            self.wrote(object, What::Meta);
        }
    }

    /// Removes a finalizer; the object goes with its last one if its deletion was asked for and its grace is over.
    pub fn remove_finalizer(&mut self, object: impl Into<ObjectRef>, finalizer: Sym) {
        let object = object.into();
        let meta = self.meta_mut(object);
        let before = meta.finalizers.len();
        meta.finalizers.retain(|other| *other != finalizer);
        if meta.finalizers.len() != before {
            self.wrote(object, What::Meta);
            self.remove_if_free(object);
        }
    }

    pub(in crate::cluster) fn meta_mut(&mut self, object: ObjectRef) -> &mut Meta {
        match object {
            ObjectRef::Pod(id) => &mut self.pods[id].meta,
            ObjectRef::Node(id) => &mut self.nodes[id].meta,
            ObjectRef::Object(id) => &mut self.objects[id].meta,
        }
    }

    /// Metadata of an object without a name, for tests of rows.
    #[cfg(test)]
    pub(in crate::cluster) fn bare_meta(&mut self) -> Meta {
        self.make_meta(NewMeta { name: self.words.ready, ..NewMeta::default() })
    }

    /// Makes the metadata of a new object: uid, creation time, a generated name where one is asked for.
    pub(super) fn make_meta(&mut self, new: NewMeta) -> Meta {
        let uid = self.next_uid;
        self.next_uid += 1;
        if new.uid != Sym::EMPTY {
            self.given_uids.insert(new.uid, uid);
        }
        let name = if new.name == Sym::EMPTY { self.generate(new.namespace, new.generate_name, uid) } else { new.name };
        Meta {
            name,
            namespace: new.namespace,
            uid,
            labels: new.labels,
            annotations: new.annotations,
            owners: new.owners,
            finalizers: new.finalizers,
            generate_name: new.generate_name,
            generation: 1,
            resource_version: 0,
            created: self.now,
            deletion: None,
            removed: false,
        }
    }

    /// `generateName`: the base, cut to 58 characters, and five characters of the safe alphabet (apiserver, `names/generate.go`).
    /// Where the API server would answer `AlreadyExists` after eight tries, ours goes on trying.
    fn generate(&mut self, namespace: Sym, base: Sym, uid: u64) -> Sym {
        let base = self.interner.shared_text(base);
        let cut = base.char_indices().nth(58).map_or(base.len(), |(idx, _)| idx);
        for attempt in 0.. {
            let name = self.interner.sym(&format!("{}{}", &base[..cut], name_suffix(uid | attempt << 40)));
            if !self.pod_names.contains_key(&(namespace, name)) {
                return name;
            }
        }
        unreachable!("the attempts do not end")
    }

    pub(super) fn link_owners(&mut self, object: ObjectRef) {
        for owner in self.meta(object).owners.clone().into_iter().filter_map(|owner| owner.object) {
            self.dependents.entry(owner).or_default().insert(object);
        }
    }

    pub(super) fn unlink_owners(&mut self, object: ObjectRef) {
        for owner in self.meta(object).owners.clone().into_iter().filter_map(|owner| owner.object) {
            if let Some(dependents) = self.dependents.get_mut(&owner) {
                dependents.remove(&object);
                if dependents.is_empty() {
                    self.dependents.remove(&owner);
                }
            }
        }
    }
}
