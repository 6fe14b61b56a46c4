//! Accepted manifests into the store: the way every object of the input takes, and every update by a user.
//!
//! A manifest that comes here has been defaulted and validated; what can still be wrong is what only the store knows (the name is
//! taken) or what lowering finds.

use std::sync::Arc;

use serde_json::Value;
use smallvec::SmallVec;

use super::condition::{Condition, ConditionStatus, Conditions};
use super::ids::{LabelsId, NodeId, ObjectRef, PodId, ResourceId, SpecId, Sym};
use super::meta::{DANGLING, Owner, uid_text};
use super::node::{NodeImage, NodeTaint};
use super::objects::{self, Lowering};
use super::pod::PodPhase;
use super::pod_spec::{PodSpec, Template};
use super::store::Cluster;
use super::verbs::{NewMeta, NewNode, NewObject, NewPod};
use crate::api::custom::{self, Definitions};
use crate::api::kinds::{self, KindInfo};
use crate::api::quantity::Quantity;
use crate::api::toleration::{Taint, TaintEffect};
use crate::engine::Time;

impl Cluster {
    /// Creates the object of an accepted manifest, its status included (a dump of a real cluster has one).
    ///
    /// # Errors
    ///
    /// If the kind is unknown, the name is taken, or lowering fails.
    pub fn create_from(&mut self, manifest: &Value) -> Result<ObjectRef, String> {
        let kind = manifest["kind"].as_str().unwrap_or_default();
        let info = self.info_of(manifest).ok_or_else(|| format!("unknown kind `{kind}`"))?;
        let meta = self.lower_meta(info, &manifest["metadata"]);
        let (namespace, name) =
            (self.interner.text(meta.namespace).to_owned(), self.interner.text(meta.name).to_owned());
        if self.find_any(info.key, &namespace, &name).is_some() {
            return Err(format!("{} \"{name}\" already exists", info.resource()));
        }
        match info.key {
            "Pod" => self.create_pod_from(meta, manifest).map(ObjectRef::Pod),
            "Node" => self.create_node_from(meta, manifest).map(ObjectRef::Node),
            _ => self.create_object_from(info, meta, manifest).map(ObjectRef::Object),
        }
    }

    /// The kind of a manifest: one that Kubernetes has, one that a CustomResourceDefinition in the store serves, or one of a custom
    /// group that nothing describes.
    pub fn info_of(&self, manifest: &Value) -> Option<&'static KindInfo> {
        let kind = manifest["kind"].as_str()?;
        let group =
            manifest["apiVersion"].as_str().and_then(|version| version.split_once('/')).map_or("", |(group, _)| group);
        if !custom::is_custom_group(group) {
            return kinds::by_kind(kind);
        }
        let defined = self.custom_kinds().into_iter().find(|info| info.group == group && info.kind == kind);
        defined.or_else(|| custom::undefined_kind(manifest))
    }

    /// The kinds that the CustomResourceDefinitions in the store serve.
    pub fn custom_kinds(&self) -> Vec<&'static KindInfo> {
        let definitions = self.of_kind("CustomResourceDefinition");
        definitions.filter_map(|id| custom::kind_of_spec(&self.object(id).raw["spec"])).collect()
    }

    /// The CustomResourceDefinitions in the store that serve a kind of a group, compiled.
    pub fn definitions_for(&self, manifest: &Value) -> Definitions {
        let mut definitions = Definitions::default();
        let Some(info) = self.info_of(manifest).filter(|info| info.key != info.kind) else { return definitions };
        for id in self.of_kind("CustomResourceDefinition") {
            let raw = &self.object(id).raw;
            if raw["spec"]["group"] == info.group && raw["spec"]["names"]["kind"] == info.kind {
                definitions.add(raw);
            }
        }
        definitions
    }

    /// Interns a pod spec given as JSON; `nodeName` is not part of it.
    ///
    /// # Errors
    ///
    /// If a field is not of its type.
    pub fn intern_spec(&mut self, spec: &Value) -> Result<SpecId, String> {
        intern_spec(&mut self.specs, &mut self.interner, spec)
    }

    /// Lowers a pod template (`metadata` and `spec`).
    ///
    /// # Errors
    ///
    /// If a field of the spec is not of its type.
    pub fn lower_template(&mut self, template: &Value) -> Result<Template, String> {
        self.lowering().template(template)
    }

    /// What lowering a manifest needs.
    pub fn lowering(&mut self) -> Lowering<'_> {
        Lowering { interner: &mut self.interner, specs: &mut self.specs, epoch_seconds: self.epoch_seconds }
    }

    /// Lowers `metadata`. Owner references are resolved by the uids that the input itself gives.
    pub fn lower_meta(&mut self, info: &KindInfo, metadata: &Value) -> NewMeta {
        let namespace = match metadata["namespace"].as_str() {
            _ if !info.namespaced => "",
            None | Some("") => "default",
            Some(namespace) => namespace,
        };
        let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
        let owners: SmallVec<[Owner; 1]> = owners.map(|owner| self.lower_owner(owner, namespace)).collect();
        let mut sym = |value: &Value| self.interner.sym(value.as_str().unwrap_or_default());
        NewMeta {
            name: sym(&metadata["name"]),
            generate_name: sym(&metadata["generateName"]),
            uid: sym(&metadata["uid"]),
            finalizers: metadata["finalizers"].as_array().into_iter().flatten().map(&mut sym).collect(),
            namespace: self.interner.sym(namespace),
            labels: lower_map(&mut self.interner, &metadata["labels"]),
            annotations: lower_map(&mut self.interner, &metadata["annotations"]),
            owners,
        }
    }

    /// Lowers an owner reference of an object in `namespace`: the owner is known by the uid that the input gave it, or by the one
    /// that it has here.
    pub(super) fn lower_owner(&mut self, owner: &Value, namespace: &str) -> Owner {
        let text = |key: &str| owner[key].as_str().unwrap_or_default();
        let given = self.interner.sym(text("uid"));
        let uid = self.given_uids.get(&given).copied().or_else(|| self.uid_of_named(owner, namespace));
        Owner {
            object: uid.and_then(|uid| self.by_uid(uid)),
            uid: uid.unwrap_or(u64::from(given.0) | DANGLING),
            api_version: self.interner.sym(text("apiVersion")),
            kind: self.interner.sym(text("kind")),
            name: self.interner.sym(text("name")),
            controller: owner["controller"].as_bool().unwrap_or(false),
            block_owner_deletion: owner["blockOwnerDeletion"].as_bool().unwrap_or(false),
        }
    }

    /// The uid of the object that an owner reference names, if it is the one that the reference gives.
    fn uid_of_named(&self, owner: &Value, namespace: &str) -> Option<u64> {
        let text = |key: &str| owner[key].as_str().unwrap_or_default();
        let kind = text("kind");
        let custom = || self.custom_kinds().into_iter().find(|info| info.kind == kind);
        let info = kinds::by_kind(kind).or_else(custom)?;
        let namespace = if info.namespaced { namespace } else { "" };
        let uid = self.meta(self.find_any(info.key, namespace, text("name"))?).uid;
        Some(uid).filter(|&uid| uid_text(uid) == text("uid"))
    }

    /// Puts the uids that owners have here in the place of those that the input gave them: what a user sends is compared with what
    /// the API shows.
    pub fn resolve_owners(&self, manifest: &mut Value) {
        let owners = manifest.pointer_mut("/metadata/ownerReferences").and_then(Value::as_array_mut);
        for uid in owners.into_iter().flatten().filter_map(|owner| owner.get_mut("uid")) {
            let given = uid.as_str().and_then(|text| self.interner.find(text));
            if let Some(&own) = given.and_then(|given| self.given_uids.get(&given)) {
                *uid = uid_text(own).into();
            }
        }
    }

    fn create_pod_from(&mut self, meta: NewMeta, manifest: &Value) -> Result<PodId, String> {
        let spec = self.intern_spec(&manifest["spec"])?;
        let node_name = self.interner.sym(manifest["spec"]["nodeName"].as_str().unwrap_or_default());
        let ordinal = self.pods.len() as u64;
        let pod = self.create_pod(NewPod { meta, spec, node_name, ordinal });
        self.lower_pod_status(pod, manifest);
        Ok(pod)
    }

    /// The status of a pod of a dump: phase, nomination, start time, conditions, and a deletion already asked for.
    fn lower_pod_status(&mut self, pod: PodId, manifest: &Value) {
        let status = &manifest["status"];
        let conditions = self.lower_conditions(&status["conditions"]);
        self.pods[pod].conditions = conditions;
        let (start, nominated) = (self.lower_time(&status["startTime"]), status["nominatedNodeName"].as_str());
        self.pods[pod].start_time = start;
        self.pods[pod].nominated = nominated.and_then(|name| self.find_node(name));
        if let Some(created) = self.lower_time(&manifest["metadata"]["creationTimestamp"]) {
            self.pods[pod].meta.created = created;
        }
        if let Some(deleted) = self.lower_time(&manifest["metadata"]["deletionTimestamp"]) {
            let grace_seconds = manifest["metadata"]["deletionGracePeriodSeconds"].as_u64().unwrap_or(30) as u32;
            self.pods[pod].meta.deletion = Some(super::meta::Deletion { requested: deleted, grace_seconds });
        }
        if let Some(phase) = status["phase"].as_str().and_then(PodPhase::parse) {
            let reason = self.interner.sym(status["reason"].as_str().unwrap_or_default());
            self.set_pod_phase(pod, phase, reason, Sym::EMPTY);
        }
        self.lower_resize(pod, manifest);
    }

    fn create_node_from(&mut self, meta: NewMeta, manifest: &Value) -> Result<NodeId, String> {
        let (spec, status) = (&manifest["spec"], &manifest["status"]);
        let taints = spec["taints"].as_array().into_iter().flatten();
        let taints: Vec<NodeTaint> = taints.map(|taint| self.lower_taint(taint)).collect();
        let images = status["images"].as_array().into_iter().flatten();
        let images: Vec<NodeImage> = images.map(|image| self.lower_image(image)).collect();
        let conditions = self.lower_conditions(&status["conditions"]);
        let capacity = self.lower_resources(&status["capacity"])?;
        let allocatable = match &status["allocatable"] {
            Value::Null => capacity.clone(),
            allocatable => self.lower_resources(allocatable)?,
        };
        let raw = Arc::new(serde_json::json!({ "spec": spec, "status": status }));
        let unschedulable = spec["unschedulable"].as_bool().unwrap_or(false);
        Ok(self.create_node(NewNode { meta, unschedulable, taints, conditions, capacity, allocatable, images, raw }))
    }

    fn create_object_from(
        &mut self,
        info: &'static KindInfo,
        meta: NewMeta,
        manifest: &Value,
    ) -> Result<super::ids::ObjId, String> {
        let manifest = self.with_addresses(info.key, manifest);
        let body = objects::lower(info, &manifest, &mut self.lowering())?;
        let mut raw = manifest.into_owned();
        if let Some(fields) = raw.as_object_mut() {
            fields.remove("metadata");
            fields.remove("status");
        }
        Ok(self.create_object(NewObject { info, meta, raw: Arc::new(raw), body }))
    }

    /// Lowers a resource list: cpu in thousandths of a core, everything else in units, rounded up.
    ///
    /// # Errors
    ///
    /// If an amount is no quantity.
    pub fn lower_resources(&mut self, list: &Value) -> Result<Vec<(ResourceId, i64)>, String> {
        let mut out = Vec::new();
        for (name, amount) in list.as_object().into_iter().flatten() {
            let quantity: Quantity =
                serde_json::from_value(amount.clone()).map_err(|error| format!("{name}: {error}"))?;
            let resource = self.interner.resource(name);
            let amount = if resource == ResourceId::CPU { quantity.milli_value() } else { quantity.value() };
            out.push((resource, amount));
        }
        out.sort_unstable();
        Ok(out)
    }

    fn lower_conditions(&mut self, conditions: &Value) -> Conditions {
        let conditions = conditions.as_array().into_iter().flatten();
        conditions
            .map(|condition| {
                let mut sym = |key: &str| self.interner.sym(condition[key].as_str().unwrap_or_default());
                let (kind, reason, message) = (sym("type"), sym("reason"), sym("message"));
                let status = match condition["status"].as_str() {
                    Some("True") => ConditionStatus::True,
                    Some("False") => ConditionStatus::False,
                    _ => ConditionStatus::Unknown,
                };
                let transition = self.lower_time(&condition["lastTransitionTime"]).unwrap_or(self.now);
                Condition { kind, status, reason, message, transition, update: transition }
            })
            .collect()
    }

    pub(super) fn lower_taint(&mut self, taint: &Value) -> NodeTaint {
        let text = |key: &str| taint[key].as_str().unwrap_or_default().to_owned();
        let effect =
            TaintEffect::parse(taint["effect"].as_str().unwrap_or_default()).unwrap_or(TaintEffect::NoSchedule);
        NodeTaint {
            taint: Taint { key: text("key"), value: text("value"), effect },
            added: self.lower_time(&taint["timeAdded"]),
        }
    }

    fn lower_image(&mut self, image: &Value) -> NodeImage {
        let names = image["names"].as_array().into_iter().flatten();
        NodeImage {
            names: names.map(|name| self.interner.sym(name.as_str().unwrap_or_default())).collect(),
            size_bytes: image["sizeBytes"].as_i64().unwrap_or(0),
        }
    }

    fn lower_time(&mut self, value: &Value) -> Option<Time> {
        self.lowering().time(value)
    }
}

/// Lowers a map of strings.
pub(super) fn lower_map(interner: &mut super::intern::Interner, map: &Value) -> LabelsId {
    let entries = map.as_object().into_iter().flatten();
    let entries: Vec<(&str, &str)> =
        entries.map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default())).collect();
    interner.labels(entries)
}

/// Interns a pod spec by its canonical JSON without `nodeName`.
pub(super) fn intern_spec(
    specs: &mut super::intern::Interned<SpecId, PodSpec>,
    interner: &mut super::intern::Interner,
    spec: &Value,
) -> Result<SpecId, String> {
    let mut spec = spec.clone();
    if let Some(fields) = spec.as_object_mut() {
        fields.remove("nodeName");
    }
    specs.intern(&spec.to_string(), || PodSpec::lower(&spec, interner))
}

impl Lowering<'_> {
    /// Lowers a pod template (`metadata` and `spec`).
    ///
    /// # Errors
    ///
    /// If a field of the spec is not of its type.
    pub fn template(&mut self, template: &Value) -> Result<Template, String> {
        Ok(Template {
            spec: intern_spec(self.specs, self.interner, &template["spec"])?,
            labels: lower_map(self.interner, &template["metadata"]["labels"]),
            annotations: lower_map(self.interner, &template["metadata"]["annotations"]),
        })
    }
}
