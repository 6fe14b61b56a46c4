//! `kubectl rollout status` and `history`.
//!
//! Source: kubectl `pkg/polymorphichelpers` (`rollout_status.go`, `history.go`).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::command::{Rollout, RolloutAction};
use super::describe::{Writer, template};
use super::look::{at, condition, controller, entry, has, int, name, namespace, text};
use super::replica_sets::owned_replica_sets;
use super::resources::{self, Resource};
use super::tabs::{DESCRIPTION, align};
use super::view::{Output, View};

/// The annotation that says why a revision was made.
pub(crate) const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

/// The annotation with the revision of a Deployment or ReplicaSet.
pub(crate) const REVISION: &str = "deployment.kubernetes.io/revision";

/// How far a rollout is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutState {
    /// The line that `rollout status` prints.
    pub message: String,
    /// Whether nothing is left to wait for.
    pub done: bool,
}

/// The text of `kubectl rollout status` (of this instant) and `history`; `None` for the actions that change something.
pub(crate) fn rollout(command: &Rollout, view: &View<'_>) -> Option<Output> {
    let mut output = Output::default();
    let wanted = match resources::wanted(&command.selection.args, view) {
        Ok(wanted) => wanted,
        Err(output) => return Some(output),
    };
    let place = command.selection.scope.namespace.as_deref().unwrap_or(view.namespace);
    for one in wanted {
        let objects = match &one.name {
            Some(called) => match resources::object(&one.resource, place, called, view) {
                Some(object) => vec![object],
                None => {
                    output.stderr.push_str(&one.resource.not_found(called));
                    output.exit = 1;
                    continue;
                }
            },
            None => resources::objects(&one.resource, Some(place), view),
        };
        for object in objects {
            let result = match command.action {
                RolloutAction::Status { revision, .. } => {
                    rollout_status(object, revision).map(|state| format!("{}\n", state.message))
                }
                RolloutAction::History { revision } => history(object, &one.resource, revision, view),
                _ => return None,
            };
            match result {
                Ok(text) => output.stdout.push_str(&text),
                Err(error) => {
                    output.stderr.push_str(&format!("error: {error}\n"));
                    output.exit = 1;
                    return Some(output);
                }
            }
        }
    }
    Some(output)
}

/// How far the rollout of a Deployment, DaemonSet or StatefulSet is; the error is kubectl's text (exceeded deadline, other
/// revision, no rolling update). `revision` 0 means any.
pub fn rollout_status(object: &Value, revision: i64) -> Result<RolloutState, String> {
    match text(object, "kind") {
        "Deployment" => deployment_status(object, revision),
        "DaemonSet" => daemon_set_status(object),
        "StatefulSet" => stateful_set_status(object),
        kind => Err(format!("no status viewer has been implemented for {kind}")),
    }
}

fn waiting(message: String) -> Result<RolloutState, String> {
    Ok(RolloutState { message, done: false })
}

fn done(message: String) -> Result<RolloutState, String> {
    Ok(RolloutState { message, done: true })
}

fn is_observed(object: &Value) -> bool {
    int(object, "metadata.generation") <= int(object, "status.observedGeneration")
}

fn deployment_status(object: &Value, revision: i64) -> Result<RolloutState, String> {
    if revision > 0 {
        let running = entry(object, "metadata.annotations", REVISION).and_then(|text| text.parse().ok()).unwrap_or(0);
        if running != revision {
            return Err(format!("desired revision ({revision}) is different from the running revision ({running})"));
        }
    }
    if !is_observed(object) {
        return waiting("Waiting for deployment spec update to be observed...".to_owned());
    }
    let name = name(object);
    if condition(object, "Progressing").is_some_and(|progress| text(progress, "reason") == "ProgressDeadlineExceeded") {
        return Err(format!("deployment \"{name}\" exceeded its progress deadline"));
    }
    let [replicas, updated, available] =
        ["replicas", "updatedReplicas", "availableReplicas"].map(|field| int(at(object, "status"), field));
    let desired = int(object, "spec.replicas");
    let wait = |what: String| waiting(format!("Waiting for deployment \"{name}\" rollout to finish: {what}..."));
    if has(object, "spec.replicas") && updated < desired {
        return wait(format!("{updated} out of {desired} new replicas have been updated"));
    }
    if replicas > updated {
        return wait(format!("{} old replicas are pending termination", replicas - updated));
    }
    if available < updated {
        return wait(format!("{available} of {updated} updated replicas are available"));
    }
    done(format!("deployment \"{name}\" successfully rolled out"))
}

fn only_rolling(object: &Value) -> Result<(), String> {
    match text(object, "spec.updateStrategy.type") {
        "RollingUpdate" => Ok(()),
        _ => Err("rollout status is only available for RollingUpdate strategy type".to_owned()),
    }
}

fn daemon_set_status(object: &Value) -> Result<RolloutState, String> {
    only_rolling(object)?;
    if !is_observed(object) {
        return waiting("Waiting for daemon set spec update to be observed...".to_owned());
    }
    let name = name(object);
    let [desired, updated, available] = ["desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable"]
        .map(|field| int(at(object, "status"), field));
    let wait = |what: String| waiting(format!("Waiting for daemon set \"{name}\" rollout to finish: {what}..."));
    if updated < desired {
        return wait(format!("{updated} out of {desired} new pods have been updated"));
    }
    if available < desired {
        return wait(format!("{available} of {desired} updated pods are available"));
    }
    done(format!("daemon set \"{name}\" successfully rolled out"))
}

fn stateful_set_status(object: &Value) -> Result<RolloutState, String> {
    only_rolling(object)?;
    if int(object, "status.observedGeneration") == 0 || !is_observed(object) {
        return waiting("Waiting for statefulset spec update to be observed...".to_owned());
    }
    let status = at(object, "status");
    let [ready, updated, current] =
        ["readyReplicas", "updatedReplicas", "currentReplicas"].map(|field| int(status, field));
    let desired = int(object, "spec.replicas");
    if has(object, "spec.replicas") && ready < desired {
        return waiting(format!("Waiting for {} pods to be ready...", desired - ready));
    }
    let rolling = at(object, "spec.updateStrategy.rollingUpdate");
    if !rolling.is_null() {
        let wanted = desired - int(rolling, "partition");
        if has(rolling, "partition") && updated < wanted {
            return waiting(format!(
                "Waiting for partitioned roll out to finish: {updated} out of {wanted} new pods have been updated..."
            ));
        }
        return done(format!("partitioned roll out complete: {updated} new pods have been updated..."));
    }
    let (update, now) = (text(status, "updateRevision"), text(status, "currentRevision"));
    if update != now {
        return waiting(format!(
            "waiting for statefulset rolling update to complete {updated} pods at revision {update}..."
        ));
    }
    done(format!("statefulset rolling update complete {current} pods at revision {now}..."))
}

/// A revision: its pod template and why it was made.
struct Revision {
    template: Value,
    cause: String,
}

fn history(object: &Value, resource: &Resource<'_>, revision: i64, view: &View<'_>) -> Result<String, String> {
    let revisions = match text(object, "kind") {
        "Deployment" => of_replica_sets(object, view),
        "DaemonSet" | "StatefulSet" => of_controller_revisions(object, view),
        kind => return Err(format!("no history viewer has been implemented for {kind}")),
    };
    let title = format!("{}/{}", resource.prefix(), name(object));
    if revision > 0 {
        let found = revisions.get(&revision).ok_or("unable to find the specified revision")?;
        let mut writer = Writer::default();
        template(&mut writer, &found.template);
        return Ok(format!("{title} with revision #{revision}\n{}\n", writer.finish_raw()));
    }
    if revisions.is_empty() {
        return Ok(format!("{title} \nNo rollout history found.\n"));
    }
    let mut table = String::from("REVISION\tCHANGE-CAUSE\n");
    for (number, revision) in &revisions {
        let cause = if revision.cause.is_empty() { "<none>" } else { &revision.cause };
        table += &format!("{number}\t{cause}\n");
    }
    Ok(format!("{title} \n{}\n", align(&table, DESCRIPTION)))
}

fn of_replica_sets(deployment: &Value, view: &View<'_>) -> BTreeMap<i64, Revision> {
    let revision = |set: &&Value| {
        let number = entry(set, "metadata.annotations", REVISION)?.parse().ok()?;
        let cause = entry(set, "metadata.annotations", CHANGE_CAUSE).unwrap_or_default().to_owned();
        let mut template = at(set, "spec.template").clone();
        if !cause.is_empty() {
            let metadata = &mut template["metadata"];
            if !metadata["annotations"].is_object() {
                metadata["annotations"] = json!({});
            }
            metadata["annotations"][CHANGE_CAUSE] = cause.as_str().into();
        }
        Some((number, Revision { template, cause }))
    };
    owned_replica_sets(deployment, view).iter().filter_map(revision).collect()
}

fn of_controller_revisions(owner: &Value, view: &View<'_>) -> BTreeMap<i64, Revision> {
    let uid = text(owner, "metadata.uid");
    let mut all = view.in_namespace("ControllerRevision", "apps", namespace(owner));
    all.retain(|revision| controller(revision).is_some_and(|owner| text(owner, "uid") == uid));
    let revision = |object: &&Value| {
        let cause = entry(object, "metadata.annotations", CHANGE_CAUSE).unwrap_or_default().to_owned();
        let mut template = at(object, "data.spec.template").clone();
        if let Some(map) = template.as_object_mut() {
            map.remove("$patch");
        }
        (int(object, "revision"), Revision { template, cause })
    };
    all.iter().map(revision).collect()
}
