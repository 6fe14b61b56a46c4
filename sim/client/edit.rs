//! Reading an object, changing it, sending it back.

use serde_json::Value;

use super::ObjectName;
use crate::cluster::admission::Rejection;
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

/// Creates the object of a manifest, through admission. A Pod of a dump (it has a uid) was admitted where it came from; what
/// admission would refuse of it is kept as it is.
///
/// # Errors
///
/// What the API server refuses.
pub fn create(cluster: &mut Cluster, manifest: &Value) -> Result<ObjectRef, String> {
    if manifest["kind"] != "Pod" {
        return cluster.create_from(manifest);
    }
    let mut admitted = manifest.clone();
    match cluster.admit_pod_manifest(&mut admitted) {
        Ok(()) => cluster.create_from(&admitted),
        Err(_) if manifest["metadata"]["uid"].is_string() => cluster.create_from(manifest),
        Err(rejection) => {
            let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
            let reason = if matches!(rejection, Rejection::Invalid(_)) { "Invalid" } else { "Forbidden" };
            Err(format!("Error from server ({reason}): {}", rejection.text("pods", name)))
        }
    }
}

/// Sends a changed object back.
pub(super) fn send(cluster: &mut Cluster, object: ObjectRef, before: &Value, after: Value) -> Result<(), String> {
    let _ = before;
    cluster.update_from(object, &after)
}
