//! Reading an object, changing it, sending it back.

use serde_json::Value;

use super::ObjectName;
use crate::api::accept::{AcceptContext, Refusal, accept, accept_update};
use crate::api::subresource::{Subresource, accept_subresource};
use crate::cluster::admission::Rejection;
use crate::cluster::{Cluster, ObjectRef};
use crate::kubectl::messages;

/// The object of that name.
///
/// # Errors
///
/// The API server's `NotFound`, as kubectl prints it.
pub fn find(cluster: &Cluster, name: &ObjectName) -> Result<ObjectRef, String> {
    cluster
        .find_any(name.info.kind, &name.namespace, &name.name)
        .ok_or_else(|| messages::not_found(&name.info.resource(), &name.name).trim_end().to_owned())
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

/// Creates the object of a manifest: defaults, validation, admission. An object of a dump (it has a uid) was accepted where it came
/// from; what admission would refuse of it is kept as it is.
///
/// # Errors
///
/// What the API server refuses, as kubectl prints it.
pub fn create(cluster: &mut Cluster, manifest: &Value) -> Result<ObjectRef, String> {
    let is_dumped = manifest["metadata"]["uid"].is_string();
    let mut wanted = manifest.clone();
    if !is_dumped {
        let status = wanted.as_object_mut().and_then(|fields| fields.remove("status"));
        let uid = cluster.next_uid_text();
        let context = AcceptContext { lookup: None, uid: &uid, ..AcceptContext::default() };
        wanted = accept(&wanted, &context).map_err(|refusal| refused(&refusal))?.value;
        if let Some(status) = status.filter(|status| !status.is_null()) {
            wanted["status"] = status;
        }
        if let Some(metadata) = wanted["metadata"].as_object_mut() {
            for field in ["uid", "creationTimestamp"] {
                metadata.remove(field);
            }
        }
    }
    if wanted["kind"] == "Pod" {
        let mut admitted = wanted.clone();
        match cluster.admit_pod_manifest(&mut admitted) {
            Ok(()) => wanted = admitted,
            Err(_) if is_dumped => {}
            Err(rejection) => {
                let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
                let reason = if matches!(rejection, Rejection::Invalid(_)) { "Invalid" } else { "Forbidden" };
                return Err(format!("Error from server ({reason}): {}", rejection.text("pods", name)));
            }
        }
    }
    cluster.create_from(&wanted)
}

/// Sends a changed object back.
pub(super) fn send(cluster: &mut Cluster, object: ObjectRef, before: &Value, after: Value) -> Result<(), String> {
    let context = AcceptContext { lookup: None, ..AcceptContext::default() };
    let accepted = accept_update(before, &after, &context).map_err(|refusal| refused(&refusal))?.value;
    cluster.update_from(object, &accepted)
}

/// Sends back a changed object, or only a part of it.
pub(super) fn send_part(
    cluster: &mut Cluster,
    object: ObjectRef,
    before: &Value,
    after: Value,
    part: Option<Subresource>,
) -> Result<(), String> {
    let Some(part) = part else { return send(cluster, object, before, after) };
    let context = AcceptContext { lookup: None, ..AcceptContext::default() };
    let accepted = accept_subresource(before, &after, part, &context).map_err(|refusal| refused(&refusal))?.value;
    match (part, object) {
        (Subresource::Resize, ObjectRef::Pod(pod)) => cluster.resize_from(pod, &accepted),
        (Subresource::Status, _) => cluster.update_status_from(object, &accepted),
        _ => cluster.update_from(object, &accepted),
    }
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
                let mut lines: Vec<String> = Vec::new();
                for cause in refusal.causes.iter().map(ToString::to_string) {
                    if !lines.contains(&cause) {
                        lines.push(cause);
                    }
                }
                match lines.is_empty() {
                    true => format!("The {kind} {name} is invalid: {causes}"),
                    false => messages::invalid(kind, name.trim_matches('"'), &lines).trim_end().to_owned(),
                }
            }
            None => refusal.message.clone(),
        },
        reason => format!("Error from server ({reason}): {}", refusal.message),
    }
}
