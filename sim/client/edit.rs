//! Reading an object, changing it, sending it back.

use serde_json::Value;

use super::ObjectName;
use crate::api::accept::{AcceptContext, Refusal, accept, accept_update, rejected};
use crate::api::custom::Definitions;
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
        .find_any(name.info.key, &name.namespace, &name.name)
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

/// Creates the object of a manifest: defaults, admission, validation, quotas. An object of a dump (it has a uid) was accepted where it
/// came from; what admission would refuse of it is kept as it is.
///
/// # Errors
///
/// What the API server refuses, as kubectl prints it.
pub fn create(cluster: &mut Cluster, manifest: &Value) -> Result<ObjectRef, String> {
    try_create(cluster, manifest).map_err(|problem| match problem {
        Problem::Refused(refusal) => refused(&refusal),
        Problem::Other(what) => what,
    })
}

/// Why an object was not created.
pub(super) enum Problem {
    /// The server refuses it.
    Refused(Box<Refusal>),
    /// What kubectl would print.
    Other(String),
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        Problem::Refused(Box::new(refusal))
    }
}

/// The same with the server's own answer.
pub(super) fn try_create(cluster: &mut Cluster, manifest: &Value) -> Result<ObjectRef, Problem> {
    let mut wanted = manifest.clone();
    if manifest["metadata"]["uid"].is_string() {
        let mut admitted = wanted.clone();
        if wanted["kind"] == "Pod" && cluster.admit_pod_manifest(&mut admitted).is_ok() {
            wanted = admitted;
        }
        return cluster.create_from(&wanted).map_err(Problem::Other);
    }
    let status = wanted.as_object_mut().and_then(|fields| fields.remove("status"));
    let uid = cluster.next_uid_text();
    let definitions = cluster.definitions_for(&wanted);
    let context =
        AcceptContext { lookup: Some(&*cluster), token_volumes: false, uid: &uid, ..custom_context(&definitions) };
    let accepted = accept(&wanted, &context)?;
    let (info, mut wanted) = (accepted.info, accepted.value);
    let (name, namespace) = {
        let text = |key: &str| wanted["metadata"][key].as_str().unwrap_or_default().to_owned();
        (text("name"), text("namespace"))
    };
    if cluster.find_any(info.key, &namespace, &name).is_none() {
        cluster
            .charge_created(info, &namespace, &wanted)
            .map_err(|why| rejected(&Rejection::Forbidden(why), info, &name))?;
    }
    if let Some(status) = status.filter(|status| !status.is_null()) {
        wanted["status"] = status;
    }
    if let Some(metadata) = wanted["metadata"].as_object_mut() {
        for field in ["uid", "creationTimestamp"] {
            metadata.remove(field);
        }
    }
    cluster.note_warnings(accepted.warnings.into_iter().chain(accepted.admission_warnings));
    cluster.create_from(&wanted).map_err(Problem::Other)
}

/// What the server knows of custom resources: what the store defines; the rest is kept as it is.
fn custom_context(definitions: &Definitions) -> AcceptContext<'_> {
    AcceptContext { definitions: Some(definitions), keep_undefined: true, ..AcceptContext::default() }
}

/// Sends a changed object back.
pub(super) fn send(cluster: &mut Cluster, object: ObjectRef, before: &Value, after: Value) -> Result<(), String> {
    let definitions = cluster.definitions_for(&after);
    let context = AcceptContext { lookup: Some(&*cluster), token_volumes: false, ..custom_context(&definitions) };
    let accepted = accept_update(before, &after, &context).map_err(|refusal| refused(&refusal))?;
    let name = cluster.name(object).to_owned();
    cluster
        .charge_updated(accepted.info, before, &accepted.value)
        .map_err(|why| refused(&rejected(&Rejection::Forbidden(why), accepted.info, &name)))?;
    cluster.note_warnings(accepted.warnings.into_iter().chain(accepted.admission_warnings));
    cluster.update_from(object, &accepted.value)
}

/// Asks whether an object may be deleted.
///
/// # Errors
///
/// The refusal as kubectl prints it.
pub(super) fn admit_deletion(cluster: &Cluster, object: ObjectRef) -> Result<(), String> {
    let Some(info) = crate::api::kinds::by_kind(cluster.kind(object)) else { return Ok(()) };
    cluster.admit_deletion(object).map_err(|why| refused(&rejected(&why, info, cluster.name(object))))
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
    let definitions = cluster.definitions_for(&after);
    let context = AcceptContext { lookup: Some(&*cluster), token_volumes: false, ..custom_context(&definitions) };
    let accepted = accept_subresource(before, &after, part, &context).map_err(|refusal| refused(&refusal))?;
    if part == Subresource::Resize {
        let name = cluster.name(object).to_owned();
        cluster
            .charge_updated(accepted.info, before, &accepted.value)
            .map_err(|why| refused(&rejected(&Rejection::Forbidden(why), accepted.info, &name)))?;
    }
    cluster.note_warnings(accepted.warnings.into_iter().chain(accepted.admission_warnings));
    let accepted = accepted.value;
    match (part, object) {
        (Subresource::Resize, ObjectRef::Pod(pod)) => cluster.resize_from(pod, &accepted),
        (Subresource::Status, _) => cluster.update_status_from(object, &accepted),
        _ => cluster.update_from(object, &accepted),
    }
}

/// A refusal as kubectl prints it.
pub(super) fn refused(refusal: &Refusal) -> String {
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
            // A policy's refusal is a cause without a field.
            None => match refusal.message.split_once(" is forbidden: ") {
                Some((object, what)) => {
                    let (resource, name) = object.split_once(' ').unwrap_or((object, ""));
                    format!("The {} {name} is invalid: : {what}", resource.split('.').next().unwrap_or(resource))
                }
                None => refusal.message.clone(),
            },
        },
        reason => format!("Error from server ({reason}): {}", refusal.message),
    }
}
