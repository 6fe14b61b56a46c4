//! `kubectl rollout undo`, `pause`, `resume`, `restart` (kubectl, `polymorphichelpers`).

use serde_json::{Value, json};

use super::ObjectName;
use super::edit::{edit, find};
use super::verbs::{done, line};
use crate::api::patch::LAST_APPLIED;
use crate::cluster::{Cluster, ObjectRef};
use crate::kubectl::command::DryRun;
use crate::kubectl::messages;

/// Annotation that numbers the revisions of a Deployment and its ReplicaSets.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// Pauses or resumes a Deployment.
pub(super) fn pause(cluster: &mut Cluster, name: &ObjectName, paused: bool) -> Result<String, String> {
    if name.info.kind != "Deployment" {
        let verb = if paused { "pausing" } else { "resuming" };
        return Err(format!("error: {} {verb} is not supported", name.text()));
    }
    let changed = edit(cluster, name, |object| {
        if paused {
            object["spec"]["paused"] = json!(true);
        } else if let Some(spec) = object["spec"].as_object_mut() {
            spec.remove("paused");
        }
        Ok(())
    })?;
    match changed {
        true => done(cluster, name, if paused { "paused" } else { "resumed" }),
        false => Err(line(&messages::pause_refused(&cluster.export(find(cluster, name)?), paused))),
    }
}

/// Restarts a rollout by an annotation on the template.
pub(super) fn restart(cluster: &mut Cluster, name: &ObjectName) -> Result<String, String> {
    let at = crate::cluster::export::rfc3339(cluster.epoch_seconds, cluster.now());
    edit(cluster, name, |object| {
        if object["spec"]["paused"] == true {
            return Err(line(&messages::restart_refused(object)));
        }
        let metadata = &mut object["spec"]["template"]["metadata"];
        if !metadata.is_object() {
            *metadata = json!({});
        }
        if !metadata["annotations"].is_object() {
            metadata["annotations"] = json!({});
        }
        metadata["annotations"]["kubectl.kubernetes.io/restartedAt"] = json!(at);
        Ok(())
    })?;
    done(cluster, name, "restarted")
}

/// Rolls a Deployment, StatefulSet or DaemonSet back to a revision, or (0) to the previous one.
pub(super) fn undo(cluster: &mut Cluster, name: &ObjectName, to: i64) -> Result<String, String> {
    let owner = find(cluster, name)?;
    if cluster.label(cluster.meta(owner).annotations, LAST_APPLIED).is_some() {
        cluster.note_warnings(vec![messages::undo_of_applied(name.info.plural, &name.name)]);
    }
    match name.info.kind {
        "Deployment" => undo_deployment(cluster, name, owner, to),
        "StatefulSet" | "DaemonSet" => undo_revision(cluster, name, owner, to),
        kind => Err(format!("error: no rollbacker has been implemented for \"{kind}\"")),
    }
}

fn undo_deployment(cluster: &mut Cluster, name: &ObjectName, owner: ObjectRef, to: i64) -> Result<String, String> {
    let present = cluster.export(owner);
    if present["spec"]["paused"] == true {
        return Err(line(messages::UNDO_REFUSED));
    }
    let sets = revisions(cluster, owner, "ReplicaSet", |set| {
        set["metadata"]["annotations"][REVISION].as_str().and_then(|text| text.parse().ok())
    });
    let (revision, set) = pick(&sets, to, &present)?;
    let mut template = set["spec"]["template"].clone();
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove("pod-template-hash");
    }
    if template == present["spec"]["template"] {
        return Ok(line(&messages::undone(&present, Some(revision), DryRun::None)));
    }
    let kept = set["metadata"]["annotations"].clone();
    edit(cluster, name, |object| {
        object["spec"]["template"] = template;
        adopt_annotations(object, &kept);
        Ok(())
    })?;
    Ok(line(&messages::undone(&present, None, DryRun::None)))
}

/// A rollback takes the annotations of the revision over, but for those that the controller writes (kubectl, `rollback.go`).
fn adopt_annotations(object: &mut Value, from: &Value) {
    const OWN: [&str; 6] = [
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        "deployment.kubernetes.io/revision-history",
        "deployment.kubernetes.io/desired-replicas",
        "deployment.kubernetes.io/max-replicas",
        "deprecated.deployment.rollback.to",
    ];
    let mut annotations = serde_json::Map::new();
    let present = object["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
    annotations.extend(present.into_iter().filter(|(key, _)| OWN.contains(&key.as_str())));
    let taken = from.as_object().cloned().unwrap_or_default();
    annotations.extend(taken.into_iter().filter(|(key, _)| !OWN.contains(&key.as_str())));
    object["metadata"]["annotations"] = Value::Object(annotations);
}

fn undo_revision(cluster: &mut Cluster, name: &ObjectName, owner: ObjectRef, to: i64) -> Result<String, String> {
    let history = revisions(cluster, owner, "ControllerRevision", |revision| revision["revision"].as_i64());
    let present = cluster.export(owner);
    let (number, revision) = pick(&history, to, &present)?;
    let template = revision["data"]["spec"]["template"].clone();
    let mut plain = template.clone();
    if let Some(fields) = plain.as_object_mut() {
        fields.remove("$patch");
    }
    let changed = edit(cluster, name, |object| {
        object["spec"]["template"] = plain;
        Ok(())
    })?;
    Ok(line(&messages::undone(&present, (!changed).then_some(number), DryRun::None)))
}

/// The revisions that `owner` controls, ascending.
fn revisions(
    cluster: &Cluster,
    owner: ObjectRef,
    kind: &str,
    number: impl Fn(&Value) -> Option<i64>,
) -> Vec<(i64, Value)> {
    let controlled = cluster
        .dependents(owner)
        .filter(|&dependent| cluster.kind(dependent) == kind && cluster.controller_of(dependent) == Some(owner));
    let mut found: Vec<(i64, Value)> = controlled
        .filter_map(|dependent| {
            let object = cluster.export(dependent);
            Some((number(&object)?, object))
        })
        .collect();
    found.sort_by_key(|&(number, _)| number);
    found
}

fn pick<'a>(history: &'a [(i64, Value)], to: i64, object: &Value) -> Result<(i64, &'a Value), String> {
    let found = match (to, history) {
        (0, [.., previous, _]) => Some(previous),
        (0, _) => None,
        (to, history) => history.iter().find(|(number, _)| *number == to),
    };
    found.map(|(number, object)| (*number, object)).ok_or_else(|| line(&messages::no_revision(object, to)))
}
