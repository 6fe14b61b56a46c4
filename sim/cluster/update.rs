//! Accepted updates into the store: what a user's PUT or PATCH changes of metadata and desired state.
//!
//! Status is never taken from a user's update, as on the real API, where it is a resource of its own.

use std::sync::Arc;

use serde_json::Value;

use super::ids::{NodeId, ObjId, ObjectRef, PodId};
use super::ingest::lower_map;
use super::node::NodeTaint;
use super::objects;
use super::store::Cluster;
use crate::engine::Time;

impl Cluster {
    /// Applies an accepted update: the whole object as it is to be. Labels, annotations, owners, finalizers and the desired state
    /// are taken over; what is equal is not written.
    ///
    /// # Errors
    ///
    /// If lowering fails.
    pub fn update_from(&mut self, object: ObjectRef, manifest: &Value) -> Result<(), String> {
        match object {
            ObjectRef::Pod(pod) => self.update_pod_from(pod, manifest)?,
            ObjectRef::Node(node) => self.update_node_from(node, manifest)?,
            ObjectRef::Object(id) => self.update_object_from(id, manifest)?,
        }
        self.update_metadata_from(object, &manifest["metadata"]);
        Ok(())
    }

    fn update_metadata_from(&mut self, object: ObjectRef, metadata: &Value) {
        let labels = lower_map(&mut self.interner, &metadata["labels"]);
        self.set_labels(object, labels);
        let annotations = lower_map(&mut self.interner, &metadata["annotations"]);
        self.set_annotations(object, annotations);
        let finalizers = metadata["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let finalizers: Vec<_> = finalizers.map(|finalizer| self.interner.sym(finalizer)).collect();
        for &finalizer in &finalizers {
            self.add_finalizer(object, finalizer);
        }
        let dropped: Vec<_> =
            self.meta(object).finalizers.iter().copied().filter(|old| !finalizers.contains(old)).collect();
        for finalizer in dropped {
            self.remove_finalizer(object, finalizer);
        }
        if !self.meta(object).removed {
            self.update_owners_from(object, metadata);
        }
    }

    fn update_owners_from(&mut self, object: ObjectRef, metadata: &Value) {
        let given = metadata["ownerReferences"].as_array().map_or(&[][..], Vec::as_slice);
        let uid = |owner: &Value| owner["uid"].as_str().unwrap_or_default().to_owned();
        let present: Vec<String> =
            self.meta(object).owners.iter().map(|owner| super::meta::uid_text(owner.uid)).collect();
        if given.iter().map(uid).eq(present.iter().cloned()) {
            return;
        }
        let known = self.meta(object).owners.clone();
        let owners: Vec<_> = given
            .iter()
            .map(|owner| {
                let same = known.iter().find(|known| super::meta::uid_text(known.uid) == uid(owner));
                same.copied().unwrap_or_else(|| self.lower_owner(owner))
            })
            .collect();
        self.set_owners(object, owners);
    }

    fn update_pod_from(&mut self, pod: PodId, manifest: &Value) -> Result<(), String> {
        let spec = self.intern_spec(&manifest["spec"])?;
        self.set_pod_spec(pod, spec);
        Ok(())
    }

    fn update_node_from(&mut self, node: NodeId, manifest: &Value) -> Result<(), String> {
        let spec = &manifest["spec"];
        self.set_unschedulable(node, spec["unschedulable"].as_bool().unwrap_or(false));
        let taints = spec["taints"].as_array().into_iter().flatten();
        let taints: Vec<NodeTaint> = taints.map(|taint| self.lower_taint(taint)).collect();
        let taints = keep_times(taints, &self.nodes[node].taints);
        self.set_taints(node, taints);
        let allocatable = self.lower_resources(&manifest["status"]["allocatable"])?;
        self.set_allocatable(node, allocatable);
        Ok(())
    }

    fn update_object_from(&mut self, id: ObjId, manifest: &Value) -> Result<(), String> {
        let info = self.objects[id].info;
        let mut body = objects::lower(info, manifest, &mut self.lowering())?;
        objects::keep_status(&mut body, &self.objects[id].body);
        let mut raw = manifest.clone();
        if let Some(fields) = raw.as_object_mut() {
            fields.remove("metadata");
            fields.remove("status");
        }
        self.replace_spec(id, Arc::new(raw), body);
        Ok(())
    }
}

/// Taints that stay keep the exact instant at which they were added; the manifest has lost its fraction of a second.
fn keep_times(mut taints: Vec<NodeTaint>, old: &[NodeTaint]) -> Vec<NodeTaint> {
    for taint in &mut taints {
        let same = old.iter().find(|old| {
            old.taint == taint.taint
                && old.added.map(Time::truncated_to_seconds) == taint.added.map(Time::truncated_to_seconds)
        });
        if let Some(same) = same {
            taint.added = same.added;
        }
    }
    taints
}
