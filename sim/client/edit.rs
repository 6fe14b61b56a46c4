//! Reading an object, changing it, sending it back.

use serde_json::Value;

use super::ObjectName;
use crate::api::accept::{AcceptContext, Refusal, accept, accept_update};
use crate::cluster::{Cluster, ObjectRef};

/// The object of that name.
///
/// # Errors
///
/// The API server's `NotFound`, as kubectl prints it.
pub fn find(cluster: &Cluster, name: &ObjectName) -> Result<ObjectRef, String> {
    cluster
        .find_any(name.info.kind, &name.namespace, &name.name)
        .ok_or_else(|| format!("Error from server (NotFound): {} \"{}\" not found", name.info.resource(), name.name))
}

/// Reads the object of that name, lets `change` change it, and sends it back through admission of updates. Returns whether
/// anything changed.
///
/// # Errors
///
/// `NotFound`, what `change` refuses, or what the API server refuses.
pub fn edit(
    cluster: &mut Cluster,
    name: &ObjectName,
    change: impl FnOnce(&mut Value) -> Result<(), String>,
) -> Result<bool, String> {
    let object = find(cluster, name)?;
    let before = cluster.export(object);
    let mut after = before.clone();
    change(&mut after)?;
    if after == before {
        return Ok(false);
    }
    send(cluster, object, &before, after)?;
    Ok(true)
}

/// Creates the object of a manifest: defaults, validation, admission.
///
/// # Errors
///
/// What the API server refuses, as kubectl prints it.
pub fn create(cluster: &mut Cluster, manifest: &Value) -> Result<ObjectRef, String> {
    let mut wanted = manifest.clone();
    let status = wanted.as_object_mut().and_then(|fields| fields.remove("status"));
    let context = AcceptContext { lookup: None, ..AcceptContext::default() };
    let mut accepted = accept(&wanted, &context).map_err(|refusal| refused(&refusal))?.value;
    if accepted["kind"] == "Pod" {
        let name = accepted["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        cluster.admit_pod_manifest(&mut accepted).map_err(|rejection| {
            format!("Error from server (Forbidden): {}", rejection.text("pods", &name))
        })?;
    }
    if let Some(status) = status.filter(|status| !status.is_null()) {
        accepted["status"] = status;
    }
    cluster.create_from(&accepted).map_err(|what| format!("Error from server: {what}"))
}

/// Sends a changed object back.
pub(super) fn send(cluster: &mut Cluster, object: ObjectRef, before: &Value, after: Value) -> Result<(), String> {
    let context = AcceptContext { lookup: None, ..AcceptContext::default() };
    let accepted = accept_update(before, &after, &context).map_err(|refusal| refused(&refusal))?.value;
    cluster.update_from(object, &accepted)
}

/// A refusal as kubectl prints it.
fn refused(refusal: &Refusal) -> String {
    match refusal.reason {
        "NoMatch" => format!("error: {}", refusal.message),
        "Invalid" => match refusal.message.split_once(" is invalid: ") {
            Some((object, causes)) => {
                let (kind, name) = object.split_once(' ').unwrap_or((object, ""));
                let kind = kind.split('.').next().unwrap_or(kind);
                let kind = crate::api::kinds::by_resource(kind).map_or(kind, |info| info.kind);
                format!("The {kind} {name} is invalid: {causes}")
            }
            None => refusal.message.clone(),
        },
        reason => format!("Error from server ({reason}): {}", refusal.message),
    }
}
