//! Admission: what the API server's built-in plugins add to an object or refuse, in their order (kube-apiserver v1.36,
//! `pkg/kubeapiserver/options/plugins.go`). Pure functions on objects and on what [`Lookup`] shows of the cluster.
//!
//! Users' requests and controllers' take the same way: [`mutate`], then validation, then [`validate`]. ResourceQuota, the last
//! plugin, is charged by the store, which it changes. `docs/modelled.md` lists the plugins that are not here.

pub mod limit_ranger;
mod lookup;
pub mod pod_security;
mod pods;
pub mod policy;
mod rejection;
mod storage;

use serde_json::Value;

use crate::api::kinds::KindInfo;
use crate::api::view::{flag, get, list, text};
pub use lookup::{Lookup, NamespaceState, Nothing, system_priority_class};
pub use rejection::Rejection;

/// What is done with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It is created.
    Create,
    /// It is changed.
    Update,
    /// It is deleted.
    Delete,
}

impl Operation {
    /// `CREATE`, `UPDATE` or `DELETE`.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
        }
    }
}

/// A request as admission sees it.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    /// What is done.
    pub operation: Operation,
    /// With an object of this kind.
    pub info: &'a KindInfo,
    /// `resize`, `status`, ...; empty for the object itself.
    pub subresource: &'a str,
    /// Empty for what lives in no namespace.
    pub namespace: &'a str,
    /// The object's name.
    pub name: &'a str,
    /// Who asks.
    pub user: &'a str,
    /// What ends the name of a new pod's token volume; none to leave that volume out.
    pub token_suffix: Option<&'a str>,
}

impl<'a> Attributes<'a> {
    /// A request about an object itself by the administrator whom every run has.
    pub fn of(operation: Operation, info: &'a KindInfo, namespace: &'a str, name: &'a str) -> Attributes<'a> {
        Attributes { operation, info, subresource: "", namespace, name, user: "kubernetes-admin", token_suffix: None }
    }
}

/// Namespaces that cannot be deleted (apiserver, `lifecycle.NewLifecycle`).
const IMMORTAL: [&str; 3] = ["default", "kube-public", "kube-system"];

/// NamespaceLifecycle: nothing is made in a namespace that is missing or going, and some namespaces stay.
///
/// # Errors
///
/// What the API server would answer.
pub fn namespace_lifecycle(at: &Attributes<'_>, lookup: &dyn Lookup) -> Result<(), Rejection> {
    if at.operation == Operation::Delete {
        return match at.info.kind == "Namespace" && IMMORTAL.contains(&at.name) {
            true => Err(Rejection::Forbidden("this namespace may not be deleted".to_owned())),
            false => Ok(()),
        };
    }
    if !at.info.namespaced {
        return Ok(());
    }
    match lookup.namespace(at.namespace) {
        NamespaceState::Missing => Err(Rejection::NoNamespace(at.namespace.to_owned())),
        NamespaceState::Terminating if at.operation == Operation::Create => {
            Err(Rejection::Terminating(at.namespace.to_owned()))
        }
        _ => Ok(()),
    }
}

/// What the plugins add to an object, or refuse before it is validated.
///
/// # Errors
///
/// What the API server would answer.
pub fn mutate(
    object: &mut Value,
    old: Option<&Value>,
    at: &Attributes<'_>,
    lookup: &dyn Lookup,
) -> Result<(), Rejection> {
    namespace_lifecycle(at, lookup)?;
    let creates = at.operation == Operation::Create;
    match at.info.kind {
        "Pod" if creates => {
            limit_ranger::default_pod(object, &lookup.limit_ranges(at.namespace));
            pods::admit(object, at, lookup).map_err(Rejection::Forbidden)?;
            pods::topology_labels(object, lookup);
        }
        "Pod" if at.operation == Operation::Update => {
            if let Some(old) = old {
                pods::admit_update(object, old);
            }
        }
        "PersistentVolumeClaim" if creates => storage::default_storage_class(object, lookup),
        "Ingress" if creates => storage::default_ingress_class(object, lookup).map_err(Rejection::Forbidden)?,
        _ => {}
    }
    Ok(())
}

/// What the plugins refuse of a valid object, all but ResourceQuota; returns what they warn about. `object` is null for a deletion.
///
/// # Errors
///
/// What the API server would answer.
pub fn validate(
    object: &Value,
    old: Option<&Value>,
    at: &Attributes<'_>,
    lookup: &dyn Lookup,
) -> Result<Vec<String>, Rejection> {
    let mut warnings = validate_built_in(object, old, at, lookup)?;
    policy::validate(object, old, at, lookup, &mut warnings)?;
    Ok(warnings)
}

/// The same without the policies that users write: what depends on the pod's spec and its namespace alone.
///
/// # Errors
///
/// What the API server would answer.
pub fn validate_built_in(
    object: &Value,
    old: Option<&Value>,
    at: &Attributes<'_>,
    lookup: &dyn Lookup,
) -> Result<Vec<String>, Rejection> {
    let mut warnings = Vec::new();
    if at.operation != Operation::Delete {
        let ranges = || lookup.limit_ranges(at.namespace);
        match at.info.kind {
            "Pod" if at.operation == Operation::Create || at.subresource == "resize" => {
                limit_ranger::validate_pod(object, &ranges()).map_err(Rejection::Forbidden)?;
            }
            "PersistentVolumeClaim" if at.subresource.is_empty() => {
                limit_ranger::validate_claim(object, &ranges()).map_err(Rejection::Forbidden)?;
            }
            _ => {}
        }
        pod_security::validate(object, old, at, lookup, &mut warnings)?;
        match at.info.kind {
            "PriorityClass" if at.subresource.is_empty() => one_default_class(object, at, lookup)?,
            "PersistentVolumeClaim" if at.subresource.is_empty() => {
                if let Some(old) = old {
                    storage::validate_resize(object, old, lookup).map_err(Rejection::Forbidden)?;
                }
            }
            _ => {}
        }
    }
    Ok(warnings)
}

/// Priority: only one class is the default of all pods.
fn one_default_class(class: &Value, at: &Attributes<'_>, lookup: &dyn Lookup) -> Result<(), Rejection> {
    let Some(present) = lookup.default_priority_class().filter(|_| flag(class, "globalDefault")) else { return Ok(()) };
    let name = text(get(&present, "metadata"), "name");
    if at.operation == Operation::Update && name == at.name {
        return Ok(());
    }
    Err(Rejection::Forbidden(format!("PriorityClass {name} is already marked as default. Only one default can exist")))
}

/// The pod of a pod, or the template of a workload: what has `metadata` and `spec`. None for other kinds.
pub fn pod_template<'a>(kind: &str, object: &'a Value) -> Option<&'a Value> {
    let spec = get(object, "spec");
    let template = match kind {
        "Pod" => object,
        "PodTemplate" => get(object, "template"),
        "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet" | "DaemonSet" | "Job" => {
            get(spec, "template")
        }
        "CronJob" => get(get(get(spec, "jobTemplate"), "spec"), "template"),
        _ => return None,
    };
    template.is_object().then_some(template)
}

/// All containers of a pod spec in the order in which checks visit them: init containers, containers, ephemeral containers.
pub fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers", "ephemeralContainers"].into_iter().flat_map(|name| list(spec, name))
}
