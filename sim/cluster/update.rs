//! Accepted updates into the store: what a user's PUT or PATCH changes of metadata and desired state.
//!
//! Status is never taken from a user's update, as on the real API, where it is a resource of its own.

use std::sync::Arc;

use serde_json::Value;

use super::condition::ConditionStatus;
use super::ids::{NodeId, ObjId, ObjectRef, PodId, SpecId};
use super::ingest::lower_map;
use super::meta::Owner;
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
        let known = self.meta(object).owners.clone();
        let shown: Vec<Value> = known.iter().map(|owner| self.export_owner(owner)).collect();
        if given == shown.as_slice() {
            return;
        }
        let namespace = self.namespace(object).to_owned();
        let owners: Vec<Owner> = given
            .iter()
            .map(|owner| {
                let lowered = self.lower_owner(owner, &namespace);
                // An owner that is gone is still the one that it was.
                let same = known.iter().zip(&shown).find(|(_, shown)| shown["uid"] == owner["uid"]);
                same.map_or(lowered, |(known, _)| Owner { object: known.object, uid: known.uid, ..lowered })
            })
            .collect();
        self.set_owners(object, owners);
    }

    fn update_pod_from(&mut self, pod: PodId, manifest: &Value) -> Result<(), String> {
        if let Some(spec) = self.changed_spec(pod, manifest)? {
            self.set_pod_spec(pod, spec);
        }
        Ok(())
    }

    /// The interned spec of a manifest, if it says something else than that of the pod.
    fn changed_spec(&mut self, pod: PodId, manifest: &Value) -> Result<Option<SpecId>, String> {
        let spec = self.intern_spec(&manifest["spec"])?;
        Ok(Some(spec).filter(|&spec| self.specs.get(spec).typed != self.spec_of(pod).typed))
    }

    /// Applies an accepted update of the `resize` subresource.
    ///
    /// # Errors
    ///
    /// If lowering fails.
    pub fn resize_from(&mut self, pod: PodId, manifest: &Value) -> Result<(), String> {
        if let Some(spec) = self.changed_spec(pod, manifest)? {
            self.resize_pod(pod, spec);
        }
        Ok(())
    }

    /// Applies an accepted update of the `status` subresource: of a node what it has, of a pod its conditions (readiness gates are
    /// written that way), of other objects all of it.
    ///
    /// # Errors
    ///
    /// If lowering fails, or for other parts of a pod's status: those are the kubelet's.
    pub fn update_status_from(&mut self, object: ObjectRef, manifest: &Value) -> Result<(), String> {
        let status = &manifest["status"];
        match object {
            ObjectRef::Node(node) => self.update_node_status(node, status),
            ObjectRef::Pod(pod) => self.update_pod_conditions(pod, status),
            ObjectRef::Object(id) => {
                let info = self.objects[id].info;
                let body = objects::lower(info, manifest, &mut self.lowering())?;
                // The status of a custom resource is kept as it is.
                if info.key != info.kind && self.objects[id].raw["status"] != *status {
                    let mut raw = (*self.objects[id].raw).clone();
                    raw["status"] = status.clone();
                    self.replace_raw_status(id, Arc::new(raw));
                }
                self.replace_status(id, body);
                Ok(())
            }
        }
    }

    /// What a client adds to the capacity of a node can be given to pods: the kubelet takes it over (kubelet, `nodestatus.MachineInfo`).
    fn update_node_status(&mut self, node: NodeId, status: &Value) -> Result<(), String> {
        let capacity = self.lower_resources(&status["capacity"])?;
        let mut allocatable = self.lower_resources(&status["allocatable"])?;
        for &(resource, amount) in capacity.iter().filter(|entry| !self.nodes[node].capacity.contains(entry)) {
            let name = self.interner.resource_name(resource);
            if crate::api::resources::is_extended_resource(name) {
                allocatable.retain(|&(other, _)| other != resource);
                allocatable.push((resource, amount));
            }
        }
        allocatable.sort_unstable();
        self.set_capacity(node, capacity);
        self.set_allocatable(node, allocatable);
        Ok(())
    }

    fn update_pod_conditions(&mut self, pod: PodId, status: &Value) -> Result<(), String> {
        let shown = self.export(pod)["status"].clone();
        let all = shown.as_object().into_iter().flatten().chain(status.as_object().into_iter().flatten());
        if let Some((field, _)) = all.into_iter().find(|(key, _)| *key != "conditions" && shown[*key] != status[*key]) {
            return Err(format!(
                "error: status.{field} of a pod is the kubelet's: only its conditions can be changed here"
            ));
        }
        for condition in status["conditions"].as_array().into_iter().flatten() {
            let before =
                shown["conditions"].as_array().into_iter().flatten().find(|one| one["type"] == condition["type"]);
            let same = |key: &str| before.is_some_and(|before| before[key] == condition[key]);
            if ["status", "reason", "message"].into_iter().all(same) {
                continue;
            }
            let text = |key: &str| condition[key].as_str().unwrap_or_default();
            let status = match text("status") {
                "True" => ConditionStatus::True,
                "False" => ConditionStatus::False,
                _ => ConditionStatus::Unknown,
            };
            let [kind, reason, message] = ["type", "reason", "message"].map(|key| self.interner.sym(text(key)));
            self.set_pod_condition(pod, kind, status, reason, message);
        }
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
        // The manifest that is kept may be older than the body: what is shown is what counts.
        let info = self.objects[id].info;
        let is_custom = info.key != info.kind;
        let shown = self.export(id);
        if content(&shown) == content(manifest) && !(is_custom && shown["status"] != manifest["status"]) {
            return Ok(());
        }
        let manifest = self.with_addresses(info.key, manifest);
        let mut body = objects::lower(info, &manifest, &mut self.lowering())?;
        objects::keep_status(&mut body, &self.objects[id].body);
        let mut raw = manifest.into_owned();
        if let Some(fields) = raw.as_object_mut() {
            fields.remove("metadata");
            if !is_custom {
                fields.remove("status");
            }
        }
        self.replace_spec(id, Arc::new(raw), body);
        Ok(())
    }
}

/// All but metadata and status: what the generation counts.
fn content(object: &Value) -> Vec<(&String, &Value)> {
    let outside = ["metadata", "status", "apiVersion", "kind"];
    object.as_object().into_iter().flatten().filter(|(key, _)| !outside.contains(&key.as_str())).collect()
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
