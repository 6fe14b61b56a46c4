//! kubectl commands carried out against the store.

use serde_json::{Value, json};

use super::edit::edit;
use super::select::select;
use super::{ObjectName, rollout, verbs};
use crate::cluster::{Cluster, Propagation};
use crate::kubectl::command::{Cascade, Command, RolloutAction, Selection, SetChange};
use crate::kubectl::{View, show};

/// Carries out a command that does not go on in time (a drain does: see [`super::drain`]). Returns the lines printed.
///
/// # Errors
///
/// What kubectl prints on standard error.
pub(super) fn execute(cluster: &mut Cluster, command: &Command, namespace: &str) -> Result<Vec<String>, String> {
    match command {
        Command::Scale(scale) => each(cluster, &scale.selection, namespace, |cluster, name| {
            verbs::scale(cluster, name, scale.replicas, scale.current_replicas)
        }),
        Command::Set(set) => {
            each(cluster, &set.selection, namespace, |cluster, name| set_field(cluster, name, &set.change))
        }
        Command::Mark(mark) => {
            let field = if mark.annotations { "annotations" } else { "labels" };
            each(cluster, &mark.selection, namespace, |cluster, name| {
                verbs::set_keys(cluster, name, field, &mark.changes, mark.overwrite)
            })
        }
        Command::Taint(taint) => each(cluster, &taint.selection, namespace, |cluster, name| {
            verbs::taint(cluster, &name.name, &taint.changes, taint.overwrite)
        }),
        Command::Cordon(cordon) => {
            let selection = nodes(&cordon.nodes, cordon.selector.as_ref());
            each(cluster, &selection, namespace, |cluster, name| {
                verbs::cordon(cluster, &name.name, cordon.unschedulable)
            })
        }
        Command::Delete(delete) => {
            let propagation = match delete.cascade {
                Cascade::Background => Propagation::Background,
                Cascade::Foreground => Propagation::Foreground,
                Cascade::Orphan => Propagation::Orphan,
            };
            let grace = delete.grace_period_seconds.and_then(|seconds| u32::try_from(seconds).ok());
            match select(cluster, &delete.selection, namespace) {
                Err(_) if delete.ignore_not_found => Ok(Vec::new()),
                names => names?.iter().map(|name| verbs::delete(cluster, name, propagation, grace)).collect(),
            }
        }
        Command::Patch(patch) => {
            let text = patch.patch.as_deref().unwrap_or("{}");
            let value: Value = serde_json::from_str(text)
                .or_else(|_| serde_yaml::from_str(text))
                .map_err(|error| format!("error: unable to parse {text:?}: {error}"))?;
            each(cluster, &patch.selection, namespace, |cluster, name| {
                verbs::patch(cluster, name, patch.patch_type, &value)
            })
        }
        Command::Rollout(command) => match command.action {
            RolloutAction::Undo { to_revision } => {
                each(cluster, &command.selection, namespace, |cluster, name| rollout::undo(cluster, name, to_revision))
            }
            RolloutAction::Pause => {
                each(cluster, &command.selection, namespace, |cluster, name| rollout::pause(cluster, name, true))
            }
            RolloutAction::Resume => {
                each(cluster, &command.selection, namespace, |cluster, name| rollout::pause(cluster, name, false))
            }
            RolloutAction::Restart => each(cluster, &command.selection, namespace, rollout::restart),
            RolloutAction::Status { .. } | RolloutAction::History { .. } => {
                look(cluster, &Command::Rollout(command.clone()), namespace)
            }
        },
        Command::Get(_) | Command::Describe(_) | Command::Events(_) => look(cluster, command, namespace),
        _ => Err("error: this command is not supported yet".to_owned()),
    }
}

/// The nodes of a command that takes them by name or selector.
pub(super) fn nodes(names: &[String], selector: Option<&String>) -> Selection {
    let args = std::iter::once("nodes".to_owned()).chain(names.iter().cloned()).collect();
    Selection { args, selector: selector.cloned(), ..Selection::default() }
}

fn each(
    cluster: &mut Cluster,
    selection: &Selection,
    namespace: &str,
    mut act: impl FnMut(&mut Cluster, &ObjectName) -> Result<String, String>,
) -> Result<Vec<String>, String> {
    let names = select(cluster, selection, namespace)?;
    names.iter().map(|name| act(cluster, name)).collect()
}

fn look(cluster: &Cluster, command: &Command, namespace: &str) -> Result<Vec<String>, String> {
    let objects = cluster.export_all();
    let now = cluster.epoch_seconds * 1_000_000 + i64::try_from(cluster.now().as_micros()).unwrap_or(i64::MAX);
    let output = show(command, &View { objects: &objects, now, namespace }, None).unwrap_or_default();
    match output.exit {
        0 => Ok(output.stdout.lines().map(str::to_owned).collect()),
        _ => Err(output.stderr),
    }
}

fn set_field(cluster: &mut Cluster, name: &ObjectName, change: &SetChange) -> Result<String, String> {
    match change {
        SetChange::Image(images) => verbs::set_image(cluster, name, images),
        SetChange::Resources { containers, limits, requests } => {
            let changed = edit(cluster, name, |object| {
                for container in matching(object, containers) {
                    for (field, amounts) in [("limits", limits), ("requests", requests)] {
                        for (resource, amount) in amounts {
                            container["resources"][field][resource] = json!(amount);
                        }
                    }
                }
                Ok(())
            })?;
            Ok(answer(changed, name, "resource requirements updated"))
        }
        SetChange::Env { containers, variables, .. } => {
            let changed = edit(cluster, name, |object| {
                for container in matching(object, containers) {
                    set_env(container, variables);
                }
                Ok(())
            })?;
            Ok(answer(changed, name, "env updated"))
        }
        SetChange::ServiceAccount(account) => {
            let changed = edit(cluster, name, |object| {
                verbs::pod_spec_mut(object)["serviceAccountName"] = json!(account);
                Ok(())
            })?;
            Ok(answer(changed, name, "serviceaccount updated"))
        }
        SetChange::Selector(_) => Err("error: `kubectl set selector` is not supported yet".to_owned()),
    }
}

fn answer(changed: bool, name: &ObjectName, done: &str) -> String {
    if changed { format!("{} {done}", name.text()) } else { String::new() }
}

/// The containers of a workload whose name matches; `*` matches all.
fn matching<'a>(object: &'a mut Value, pattern: &'a str) -> impl Iterator<Item = &'a mut Value> {
    let containers = verbs::pod_spec_mut(object)["containers"].as_array_mut();
    containers.into_iter().flatten().filter(move |container| pattern == "*" || container["name"] == pattern)
}

fn set_env(container: &mut Value, variables: &[(String, Option<String>)]) {
    if !container["env"].is_array() {
        container["env"] = json!([]);
    }
    let Some(list) = container["env"].as_array_mut() else { return };
    for (name, value) in variables {
        let place = list.iter().position(|entry| entry["name"] == name.as_str());
        match (value, place) {
            (Some(value), Some(idx)) => list[idx] = json!({ "name": name, "value": value }),
            (Some(value), None) => list.push(json!({ "name": name, "value": value })),
            (None, Some(idx)) => _ = list.remove(idx),
            (None, None) => {}
        }
    }
    if list.is_empty()
        && let Some(fields) = container.as_object_mut()
    {
        fields.remove("env");
    }
}
