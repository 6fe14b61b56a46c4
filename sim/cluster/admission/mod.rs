//! Admission of what users and controllers create, as far as it depends on what is in the store: the plugins of
//! [`crate::api::admission`] look things up here.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ids::{LabelsId, ObjId, ObjectRef, Sym};
use super::objects::{Kind, Namespace, NamespacePhase};
use super::store::Cluster;
use crate::api::admission::{
    self, Attributes, Lookup, NamespaceState, Operation, limit_ranger, system_priority_class, validate_built_in,
};
use crate::api::kinds::{self, KindInfo};
use crate::api::objects::rules;
use crate::api::pod_resources_default::default_pod_resources;
use crate::api::quantity::Quantity;
use crate::api::view::{entries, get, list, text};

pub use crate::api::admission::Rejection;

/// Kinds of which a change may change what admission makes of a pod.
pub const KINDS_READ: [&str; 5] = ["LimitRange", "PriorityClass", "ServiceAccount", "Namespace", "RuntimeClass"];

/// A pod spec as admission leaves it.
#[derive(Clone, Debug, PartialEq)]
pub struct AdmittedPod {
    /// `spec`, defaulted.
    pub spec: Value,
    /// The value of the annotation `kubernetes.io/limit-ranger`, if LimitRanger set something.
    pub limit_ranger: Option<String>,
}

impl Cluster {
    /// Whether something may be created in a namespace (`NamespaceLifecycle`). A cluster without any `Namespace` object has them all.
    ///
    /// # Errors
    ///
    /// If the namespace is being deleted or does not exist.
    pub fn admit_into(&self, namespace: Sym) -> Result<(), Rejection> {
        let name = self.interner.text(namespace);
        match self.namespace_state(name) {
            NamespaceState::Active => Ok(()),
            NamespaceState::Terminating => Err(Rejection::Terminating(name.to_owned())),
            NamespaceState::Missing => Err(Rejection::NoNamespace(name.to_owned())),
        }
    }

    fn namespace_state(&self, name: &str) -> NamespaceState {
        let Some(id) = self.find(Namespace::KIND, "", name) else {
            let any = self.of_kind(Namespace::KIND).next().is_some();
            return if any { NamespaceState::Missing } else { NamespaceState::Active };
        };
        let terminating = self.get::<Namespace>(id).phase == NamespacePhase::Terminating;
        if terminating || self.meta(id.into()).is_deleting() {
            NamespaceState::Terminating
        } else {
            NamespaceState::Active
        }
    }

    /// Admits the pod of a controller's template (`metadata`, as far as plugins read it, and `spec`) in `namespace`: defaulting, then
    /// every plugin but ResourceQuota and the users' policies, whose answers change with every pod.
    ///
    /// # Errors
    ///
    /// What the API server would answer.
    pub fn admit_pod(&self, namespace: Sym, mut pod: Value) -> Result<AdmittedPod, Rejection> {
        let info = kinds::by_kind("Pod").expect("pods are a kind");
        let at = Attributes::of(Operation::Create, info, self.interner.text(namespace), "");
        default_pod_resources(&mut pod);
        admission::mutate(&mut pod, None, &at, self)?;
        requests_within_limits(&pod["spec"])?;
        validate_built_in(&pod, None, &at, self)?;
        let limit_ranger = pod["metadata"]["annotations"][limit_ranger::ANNOTATION].as_str().map(str::to_owned);
        Ok(AdmittedPod { spec: pod["spec"].take(), limit_ranger })
    }

    /// Admits a whole `Pod` manifest in place, as the API server does with one that a user creates.
    ///
    /// # Errors
    ///
    /// What the API server would answer.
    pub fn admit_pod_manifest(&mut self, manifest: &mut Value) -> Result<(), Rejection> {
        let namespace = self.interner.sym(manifest["metadata"]["namespace"].as_str().unwrap_or("default"));
        let pod =
            json!({ "metadata": { "annotations": manifest["metadata"]["annotations"] }, "spec": manifest["spec"] });
        let admitted = self.admit_pod(namespace, pod)?;
        manifest["spec"] = admitted.spec;
        if let Some(text) = admitted.limit_ranger {
            manifest["metadata"]["annotations"][limit_ranger::ANNOTATION] = text.into();
        }
        Ok(())
    }

    /// Whether users have bound policies: then every new object is asked one by one.
    pub fn has_policies(&self) -> bool {
        self.of_kind("ValidatingAdmissionPolicyBinding").next().is_some()
    }

    /// Asks the users' policies about an object that a controller creates; what they warn about is lost, as it is there.
    ///
    /// # Errors
    ///
    /// What the API server would answer.
    pub fn ask_policies(&self, info: &KindInfo, object: &Value) -> Result<(), Rejection> {
        let meta = get(object, "metadata");
        let at = Attributes::of(Operation::Create, info, text(meta, "namespace"), text(meta, "name"));
        admission::policy::validate(object, None, &at, self, &mut Vec::new())
    }

    /// Asks the users' policies about a workload of another size: an update of its `scale` subresource. `scaled` is the workload as it
    /// would be.
    ///
    /// # Errors
    ///
    /// What the API server would answer.
    pub fn admit_scale(&self, object: ObjectRef, scaled: &Value) -> Result<(), Rejection> {
        let Some(info) = kinds::by_kind(self.kind(object)).filter(|_| self.has_policies()) else { return Ok(()) };
        let at = Attributes::of(Operation::Update, info, self.namespace(object), self.name(object));
        let at = Attributes { subresource: "scale", ..at };
        admission::policy::validate(scaled, Some(&self.export(object)), &at, self, &mut Vec::new())
    }

    /// Whether an object may be deleted.
    ///
    /// # Errors
    ///
    /// The API server's error.
    pub fn admit_deletion(&self, object: ObjectRef) -> Result<(), Rejection> {
        let Some(info) = kinds::by_kind(self.kind(object)) else { return Ok(()) };
        let at = Attributes::of(Operation::Delete, info, self.namespace(object), self.name(object));
        admission::namespace_lifecycle(&at, self)?;
        if !self.has_policies() {
            return Ok(());
        }
        admission::policy::validate(&Value::Null, Some(&self.export(object)), &at, self, &mut Vec::new())
    }

    /// Keeps what the API server warns about until the client takes it.
    pub fn note_warnings(&mut self, warnings: impl IntoIterator<Item = String>) {
        self.warnings.extend(warnings);
    }

    /// The warnings since they were last taken.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn export_by_name(&self, kind: &'static str, namespace: &str, name: &str) -> Option<Value> {
        self.find(kind, namespace, name).map(|id| self.export(id))
    }

    /// Objects in order of name.
    fn export_sorted(&self, ids: impl Iterator<Item = ObjId>) -> Vec<Value> {
        let mut ids: Vec<ObjId> = ids.collect();
        ids.sort_by(|&a, &b| self.name(a).cmp(self.name(b)));
        ids.into_iter().map(|id| self.export(id)).collect()
    }
}

impl Lookup for Cluster {
    fn namespace(&self, name: &str) -> NamespaceState {
        self.namespace_state(name)
    }

    fn namespace_object(&self, name: &str) -> Option<Value> {
        self.export_by_name(Namespace::KIND, "", name)
    }

    /// The account `default` comes with its namespace: it is missing only in worlds without accounts.
    fn service_account(&self, namespace: &str, name: &str) -> Option<Value> {
        let account = self.export_by_name("ServiceAccount", namespace, name);
        account.or_else(|| (name == "default").then(|| json!({})))
    }

    fn priority_class(&self, name: &str) -> Option<Value> {
        system_priority_class(name).or_else(|| self.export_by_name("PriorityClass", "", name))
    }

    fn default_priority_class(&self) -> Option<Value> {
        let defaults = self.of_kind("PriorityClass").filter(|&id| self.object(id).raw["globalDefault"] == true);
        let lowest = defaults.min_by_key(|&id| (self.object(id).raw["value"].as_i64().unwrap_or(0), self.name(id)))?;
        Some(self.export(lowest))
    }

    fn runtime_class(&self, name: &str) -> Option<Value> {
        self.export_by_name("RuntimeClass", "", name)
    }

    fn limit_ranges(&self, namespace: &str) -> Vec<Value> {
        let Some(namespace) = self.interner.find(namespace) else { return Vec::new() };
        let mut ranges = self.export_sorted(self.of_kind_in("LimitRange", namespace));
        for range in &mut ranges {
            (rules("LimitRange").default)(range);
        }
        ranges
    }

    fn all_of(&self, kind: &'static str) -> Vec<Value> {
        self.export_sorted(self.of_kind(kind))
    }

    fn pods(&self, namespace: &str) -> Vec<Value> {
        let Some(namespace) = self.interner.find(namespace) else { return Vec::new() };
        self.pods_in(namespace).map(|pod| self.export(pod)).collect()
    }

    fn node_labels(&self, node: &str) -> Option<Value> {
        let labels = self.node(self.find_node(node)?).meta.labels;
        let keys = ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"];
        let found = keys.into_iter().filter_map(|key| Some((key, self.label(labels, key)?)));
        Some(json!(found.collect::<BTreeMap<_, _>>()))
    }

    fn objects(&self, api_version: &str, kind: &str, namespace: &str) -> Vec<Value> {
        let Some(info) = kinds::by_kind(kind).filter(|info| info.api_version() == api_version) else {
            return Vec::new();
        };
        match (info.namespaced, self.interner.find(namespace)) {
            (true, Some(namespace)) => self.export_sorted(self.of_kind_in(info.kind, namespace)),
            (true, None) => Vec::new(),
            (false, _) => self.export_sorted(self.of_kind(info.kind)),
        }
    }
}

/// The part of a pod's validation that LimitRanger's defaults can break: the template that users wrote has passed the rest.
fn requests_within_limits(spec: &Value) -> Result<(), Rejection> {
    for name in ["containers", "initContainers"] {
        for (idx, container) in list(spec, name).iter().enumerate() {
            let resources = get(container, "resources");
            for (resource, request) in entries(resources, "requests") {
                // What is absent is no bound, and must not be read as 0.
                let read = |value: &Value| -> Option<Quantity> {
                    if value.is_null() { None } else { serde_json::from_value(value.clone()).ok() }
                };
                let limit = read(get(get(resources, "limits"), resource));
                let Some((request, limit)) = read(request).zip(limit).filter(|(request, limit)| request > limit) else {
                    continue;
                };
                return Err(Rejection::Invalid(format!(
                    "spec.{name}[{idx}].resources.requests: Invalid value: \"{request}\": must be less than or equal to {resource} limit \
                     of {limit}"
                )));
            }
        }
    }
    Ok(())
}

/// The annotations of a pod with what LimitRanger says.
pub fn with_limit_ranger(interner: &mut super::Interner, annotations: LabelsId, text: Option<&str>) -> LabelsId {
    match text {
        Some(text) => interner.with(annotations, limit_ranger::ANNOTATION, Some(text)),
        None => annotations,
    }
}
