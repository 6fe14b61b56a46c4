//! kubectl commands carried out against the store.

use serde_json::{Value, json};

use super::edit::{edit, find};
use super::ownership::Ownership;
use super::select::select;
use super::submit::dry_run_mark;
use super::{ObjectName, rollout, verbs};
use crate::api::subresource::Subresource;
use crate::cluster::{Cluster, Propagation};
use crate::kubectl::command::{Cascade, Command, Delete, DryRun, Patch, Rollout, RolloutAction, Selection, SetChange};
use crate::kubectl::{View, messages, show};

/// Carries out a command that does not go on in time (a drain does: see [`super::drain`]). Returns the lines printed. A dry run is
/// carried out on a copy, so that nothing can remain of it.
///
/// # Errors
///
/// What kubectl prints on standard error.
pub(super) fn execute(
    cluster: &mut Cluster,
    ownership: &mut Ownership,
    command: &Command,
    namespace: &str,
) -> Result<Vec<String>, String> {
    let dry_run = dry_run_of(command);
    if dry_run == DryRun::None {
        return Kubectl { cluster, ownership, namespace }.carry_out(command);
    }
    let (mut copy, mut ownership) = (cluster.clone(), ownership.clone());
    let lines = Kubectl { cluster: &mut copy, ownership: &mut ownership, namespace }.carry_out(command);
    // What the server warns about is all that remains.
    cluster.note_warnings(copy.take_warnings());
    let lines = lines?;
    let mark = dry_run_mark(dry_run);
    Ok(lines.into_iter().map(|line| if line.is_empty() { line } else { format!("{line}{mark}") }).collect())
}

fn dry_run_of(command: &Command) -> DryRun {
    match command {
        Command::Scale(scale) => scale.dry_run,
        Command::Set(set) => set.dry_run,
        Command::Mark(mark) => mark.dry_run,
        Command::Taint(taint) => taint.dry_run,
        Command::Cordon(cordon) => cordon.dry_run,
        Command::Delete(delete) => delete.dry_run,
        Command::Patch(patch) => patch.dry_run,
        Command::Rollout(rollout) => rollout.dry_run,
        Command::Generate(generate) => generate.dry_run,
        Command::Expose(expose) => expose.dry_run,
        Command::Autoscale(autoscale) => autoscale.dry_run,
        _ => DryRun::None,
    }
}

/// kubectl with what it works on.
pub(super) struct Kubectl<'a> {
    pub(super) cluster: &'a mut Cluster,
    pub(super) ownership: &'a mut Ownership,
    pub(super) namespace: &'a str,
}

/// The field manager of a command, and the part of the object that it writes.
#[derive(Clone, Copy)]
struct Writer(&'static str, &'static str);

impl Kubectl<'_> {
    fn carry_out(&mut self, command: &Command) -> Result<Vec<String>, String> {
        match command {
            Command::Scale(scale) => self.each(&scale.selection, Writer("kubectl", "scale"), |cluster, name| {
                expect_version(cluster, name, scale.resource_version.as_deref())?;
                verbs::scale(cluster, name, scale.replicas, scale.current_replicas)
            }),
            Command::Set(set) => self
                .each(&set.selection, Writer("kubectl-set", ""), |cluster, name| set_field(cluster, name, &set.change)),
            Command::Mark(mark) => {
                let (field, writer) = match mark.annotations {
                    true => ("annotations", Writer("kubectl-annotate", "")),
                    false => ("labels", Writer("kubectl-label", "")),
                };
                self.each(&mark.selection, writer, |cluster, name| {
                    expect_version(cluster, name, mark.resource_version.as_deref())?;
                    verbs::set_keys(cluster, name, field, &mark.changes, mark.overwrite)
                })
            }
            Command::Taint(taint) => self.each(&taint.selection, Writer("kubectl-taint", ""), |cluster, name| {
                verbs::taint(cluster, &name.name, &taint.changes, taint.overwrite)
            }),
            Command::Cordon(cordon) => {
                let selection = nodes(&cordon.nodes, cordon.selector.as_ref());
                self.each(&selection, Writer("kubectl", ""), |cluster, name| {
                    verbs::cordon(cluster, &name.name, cordon.unschedulable)
                })
            }
            Command::Delete(delete) => self.delete(delete),
            Command::Patch(patch) => self.patch(patch),
            Command::Rollout(command) => self.rollout(command),
            Command::Generate(command) => self.generate(command),
            Command::Expose(command) => self.expose(command),
            Command::Autoscale(command) => self.autoscale(command),
            Command::Get(_) | Command::Describe(_) | Command::Events(_) => self.look(command),
            _ => Err("error: this command is not supported yet".to_owned()),
        }
    }

    fn delete(&mut self, delete: &Delete) -> Result<Vec<String>, String> {
        let propagation = match delete.cascade {
            Cascade::Background => Propagation::Background,
            Cascade::Foreground => Propagation::Foreground,
            Cascade::Orphan => Propagation::Orphan,
        };
        let grace = delete.grace_period_seconds.and_then(|seconds| u32::try_from(seconds).ok());
        match select(self.cluster, &delete.selection, self.namespace) {
            Err(_) if delete.ignore_not_found => Ok(Vec::new()),
            names => names?.iter().map(|name| verbs::delete(self.cluster, name, propagation, grace)).collect(),
        }
    }

    fn patch(&mut self, patch: &Patch) -> Result<Vec<String>, String> {
        let text = patch.patch.as_deref().unwrap_or("{}");
        let value: Value = serde_json::from_str(text)
            .or_else(|_| serde_yaml::from_str(text))
            .map_err(|error| format!("error: unable to parse {text:?}: {error}"))?;
        let known = "error: invalid subresource value: ";
        let part = match patch.subresource.as_deref() {
            None | Some("") => None,
            Some(text) => Some(
                Subresource::parse(text)
                    .ok_or_else(|| format!("{known}\"{text}\". Must be one of [status scale resize]"))?,
            ),
        };
        let writer = Writer("kubectl-patch", part.map_or("", Subresource::as_str));
        self.each(&patch.selection, writer, |cluster, name| verbs::patch(cluster, name, patch.patch_type, &value, part))
    }

    fn rollout(&mut self, command: &Rollout) -> Result<Vec<String>, String> {
        let writer = Writer("kubectl-rollout", "");
        let selection = &command.selection;
        match command.action {
            RolloutAction::Undo { to_revision } => {
                self.each(selection, writer, |cluster, name| rollout::undo(cluster, name, to_revision))
            }
            RolloutAction::Pause => self.each(selection, writer, |cluster, name| rollout::pause(cluster, name, true)),
            RolloutAction::Resume => self.each(selection, writer, |cluster, name| rollout::pause(cluster, name, false)),
            RolloutAction::Restart => self.each(selection, writer, rollout::restart),
            RolloutAction::Status { .. } | RolloutAction::History { .. } => {
                self.look(&Command::Rollout(command.clone()))
            }
        }
    }

    /// Does something to every object of a selection, and notes what it wrote.
    fn each(
        &mut self,
        selection: &Selection,
        Writer(manager, part): Writer,
        mut act: impl FnMut(&mut Cluster, &ObjectName) -> Result<String, String>,
    ) -> Result<Vec<String>, String> {
        let mut lines = Vec::new();
        for name in select(self.cluster, selection, self.namespace)? {
            let object = find(self.cluster, &name)?;
            let before = self.cluster.export(object);
            lines.push(act(self.cluster, &name)?);
            self.ownership.updated(self.cluster, object, &before, manager, part);
        }
        Ok(lines)
    }

    fn look(&self, command: &Command) -> Result<Vec<String>, String> {
        let cluster = &*self.cluster;
        let mut objects = cluster.export_all();
        if matches!(command, Command::Get(get) if get.show_managed_fields) {
            self.ownership.show(cluster, &mut objects);
        }
        let now = cluster.epoch_seconds * 1_000_000 + i64::try_from(cluster.now().as_micros()).unwrap_or(i64::MAX);
        let view = View { objects: &objects, now, namespace: self.namespace };
        let output = show(command, &view, None).unwrap_or_default();
        match output.exit {
            0 => Ok(output.stdout.lines().map(str::to_owned).collect()),
            _ => Err(output.stderr),
        }
    }
}

/// `--resource-version`: only then.
fn expect_version(cluster: &Cluster, name: &ObjectName, wanted: Option<&str>) -> Result<(), String> {
    let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) else { return Ok(()) };
    let present = cluster.meta(find(cluster, name)?).resource_version.to_string();
    match wanted == present {
        true => Ok(()),
        false => Err(messages::conflict(&name.info.resource(), &name.name).trim_end().to_owned()),
    }
}

/// The nodes of a command that takes them by name or selector.
pub(super) fn nodes(names: &[String], selector: Option<&String>) -> Selection {
    let args = std::iter::once("nodes".to_owned()).chain(names.iter().cloned()).collect();
    Selection { args, selector: selector.cloned(), ..Selection::default() }
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
            answer(cluster, changed, name, "resource requirements updated")
        }
        SetChange::Env { containers, variables, .. } => {
            let changed = edit(cluster, name, |object| {
                for container in matching(object, containers) {
                    set_env(container, variables);
                }
                Ok(())
            })?;
            answer(cluster, changed, name, "env updated")
        }
        SetChange::ServiceAccount(account) => {
            let changed = edit(cluster, name, |object| {
                verbs::pod_spec_mut(object)["serviceAccountName"] = json!(account);
                Ok(())
            })?;
            answer(cluster, changed, name, "serviceaccount updated")
        }
        SetChange::Selector(_) if name.info.kind != "Service" => {
            Err(format!("error: setting a selector is only supported for Services, not for {}", name.text()))
        }
        SetChange::Selector(text) => {
            let labels = selector_labels(text)?;
            let changed = edit(cluster, name, |object| {
                object["spec"]["selector"] = labels;
                Ok(())
            })?;
            answer(cluster, changed, name, "selector updated")
        }
    }
}

/// `a=b,c=d` as the selector of a Service.
fn selector_labels(text: &str) -> Result<Value, String> {
    let pair = |pair: &str| match pair.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), json!(value))),
        _ => Err(format!("error: requirement {pair:?} of a Service's selector is not written KEY=VALUE")),
    };
    let pairs = text.split(',').filter(|pair| !pair.is_empty()).map(pair);
    pairs.collect::<Result<serde_json::Map<_, _>, _>>().map(Value::Object)
}

fn answer(cluster: &Cluster, changed: bool, name: &ObjectName, done: &str) -> Result<String, String> {
    if changed { verbs::done(cluster, name, done) } else { Ok(String::new()) }
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
