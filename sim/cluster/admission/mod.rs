//! Admission of pods and other new objects, as far as it depends on what is in the store (kube-apiserver v1.36, the plugins that are
//! on by default, in their order): NamespaceLifecycle, LimitRanger, ServiceAccount, Priority, DefaultTolerationSeconds.

mod limit_ranger;
mod plugins;

use k8s_openapi::api::core::v1 as core;
use serde_json::{Value, json};

use super::ids::Sym;
use super::objects::{Namespace, NamespacePhase};
use super::store::Cluster;
use crate::api::pod_resources_default::default_pod_resources;

/// The annotation in which LimitRanger says what it set.
const LIMIT_RANGER_ANNOTATION: &str = "kubernetes.io/limit-ranger";

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

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// 404: there is no such namespace.
    NoNamespace(String),
    /// 403 with the cause `NamespaceTerminating`: controllers give up without a word.
    Terminating(String),
    /// 403 with this reason.
    Forbidden(String),
    /// 422 with this reason.
    Invalid(String),
}

impl Rejection {
    /// The error as the API server words it for an object of this resource (`pods`, `replicasets.apps`) and name.
    pub fn text(&self, resource: &str, name: &str) -> String {
        match self {
            Rejection::NoNamespace(namespace) => format!("namespaces {namespace:?} not found"),
            Rejection::Terminating(namespace) => format!(
                "{resource} {name:?} is forbidden: unable to create new content in namespace {namespace} because it is being \
                 terminated"
            ),
            Rejection::Forbidden(reason) => format!("{resource} {name:?} is forbidden: {reason}"),
            Rejection::Invalid(reason) => format!("{resource} {name:?} is invalid: {reason}"),
        }
    }
}

impl Cluster {
    /// Whether something may be created in a namespace (`NamespaceLifecycle`). A cluster without any `Namespace` object has them all.
    ///
    /// # Errors
    ///
    /// If the namespace is being deleted or does not exist.
    pub fn admit_into(&self, namespace: Sym) -> Result<(), Rejection> {
        let name = self.interner.text(namespace);
        let Some(id) = self.find(<Namespace as super::objects::Kind>::KIND, "", name) else {
            let any = self.of_kind("Namespace").next().is_some();
            return if any { Err(Rejection::NoNamespace(name.to_owned())) } else { Ok(()) };
        };
        if self.meta(id.into()).is_deleting() || self.get::<Namespace>(id).phase == NamespacePhase::Terminating {
            return Err(Rejection::Terminating(name.to_owned()));
        }
        Ok(())
    }

    /// Admits the spec of a pod to be created in `namespace`: defaulting, then every plugin but ResourceQuota, whose answer changes
    /// with every pod.
    ///
    /// # Errors
    ///
    /// What the API server would answer.
    pub fn admit_pod_spec(&self, namespace: Sym, spec: &Value) -> Result<AdmittedPod, Rejection> {
        self.admit_into(namespace)?;
        let mut pod = json!({ "spec": spec });
        default_pod_resources(&mut pod);
        let invalid = |error: serde_json::Error| Rejection::Invalid(error.to_string());
        let mut typed: core::PodSpec = serde_json::from_value(pod["spec"].take()).map_err(invalid)?;
        let ranges = self.limit_ranges(namespace);
        let limit_ranger = limit_ranger::apply_defaults(&mut typed, &ranges);
        self.service_account(namespace, &mut typed)?;
        self.priority(&mut typed)?;
        plugins::default_tolerations(&mut typed);
        limit_ranger::check(&typed, &ranges)?;
        let spec = serde_json::to_value(typed).map_err(invalid)?;
        Ok(AdmittedPod { spec, limit_ranger })
    }

    /// Admits a whole `Pod` manifest in place, as the API server does with one that a user creates.
    ///
    /// # Errors
    ///
    /// What the API server would answer.
    pub fn admit_pod_manifest(&mut self, manifest: &mut Value) -> Result<(), Rejection> {
        let namespace = self.interner.sym(manifest["metadata"]["namespace"].as_str().unwrap_or("default"));
        let admitted = self.admit_pod_spec(namespace, &manifest["spec"])?;
        manifest["spec"] = admitted.spec;
        if let Some(text) = admitted.limit_ranger {
            manifest["metadata"]["annotations"][LIMIT_RANGER_ANNOTATION] = text.into();
        }
        Ok(())
    }

    fn limit_ranges(&self, namespace: Sym) -> Vec<core::LimitRange> {
        let ranges = self.of_kind_in("LimitRange", namespace);
        ranges.filter_map(|id| serde_json::from_value((*self.object(id).raw).clone()).ok()).collect()
    }
}

/// The annotations of a pod with what LimitRanger says.
pub fn with_limit_ranger(
    interner: &mut super::Interner,
    annotations: super::LabelsId,
    text: Option<&str>,
) -> super::LabelsId {
    match text {
        Some(text) => interner.with(annotations, LIMIT_RANGER_ANNOTATION, Some(text)),
        None => annotations,
    }
}
