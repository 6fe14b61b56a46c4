//! Manifests sent by kubectl: `apply` on the client and on the server, `create -f`, `replace -f`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::ObjectName;
use super::edit::{create, find, send};
use super::ownership::Ownership;
use super::verbs::{self, name_of};
use crate::api::managed::{Manager, Operation, check_configuration};
use crate::api::patch::{LAST_APPLIED, three_way_merge, with_last_applied};
use crate::cluster::{Cluster, ObjectRef, Propagation};
use crate::kubectl::command::DryRun;

/// What is done with manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitVerb {
    /// `kubectl apply`: the three-way merge.
    Apply,
    /// `kubectl apply --server-side`
    ApplyServerSide {
        /// `--force-conflicts`
        force: bool,
    },
    /// `kubectl create -f`
    Create,
    /// `kubectl replace -f`
    Replace {
        /// `--force`: deleted and made again.
        force: bool,
    },
}

/// Manifests with what is done with them.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// What is done.
    pub verb: SubmitVerb,
    /// `--field-manager`
    pub manager: Option<String>,
    /// `-n`
    pub namespace: Option<String>,
    /// `--dry-run`
    pub dry_run: DryRun,
    /// The manifests as they were written, each with the file that it is from.
    pub manifests: Vec<(String, Value)>,
}

/// What kubectl printed for one manifest.
#[derive(Clone, Debug, Default)]
pub(super) struct Printed {
    pub(super) stdout: String,
    pub(super) stderr: Vec<String>,
}

/// One request.
pub(super) struct Request<'a> {
    pub(super) verb: SubmitVerb,
    pub(super) manager: Option<&'a str>,
    pub(super) file: &'a str,
    pub(super) name: ObjectName,
    pub(super) manifest: Value,
}

impl SubmitVerb {
    /// The field manager if the user names none (kubectl, `apply.FieldManagerClientSideApply` and others).
    fn manager(self) -> &'static str {
        match self {
            SubmitVerb::Apply => "kubectl-client-side-apply",
            SubmitVerb::ApplyServerSide { .. } => "kubectl",
            SubmitVerb::Create => "kubectl-create",
            SubmitVerb::Replace { .. } => "kubectl-replace",
        }
    }
}

/// What kubectl says below the conflicts of an apply (kubectl, `apply.go`).
const CONFLICT_HELP: &str = "Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the `--force-conflicts` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts";

/// The mark of a dry run behind an answer.
pub(super) fn dry_run_mark(dry_run: DryRun) -> &'static str {
    match dry_run {
        DryRun::None => "",
        DryRun::Client => " (dry run)",
        DryRun::Server => " (server dry run)",
    }
}

/// Sends one manifest of a submission; a dry run is carried out on a copy.
pub(super) fn submit(
    cluster: &mut Cluster,
    ownership: &mut Ownership,
    submission: &Submission,
    (file, manifest): (&str, &Value),
    namespace: &str,
) -> Result<Printed, String> {
    let given = submission.namespace.as_deref();
    let own = manifest["metadata"]["namespace"].as_str().unwrap_or_default();
    if let Some(given) = given.filter(|given| !own.is_empty() && own != *given) {
        return Err(format!(
            "error: the namespace from the provided object \"{own}\" does not match the namespace \"{given}\". You must pass \
             '--namespace={own}' to perform this operation."
        ));
    }
    let kind = manifest["kind"].as_str().unwrap_or_default();
    let name = name_of(cluster, manifest, given.unwrap_or(namespace))
        .ok_or_else(|| format!("error: no matches for kind \"{kind}\""))?;
    let mut manifest = manifest.clone();
    if name.info.namespaced {
        manifest["metadata"]["namespace"] = json!(name.namespace);
    }
    cluster.resolve_owners(&mut manifest);
    let manager = submission.manager.as_deref();
    let request = Request { verb: submission.verb, manager, file, name, manifest };
    let mut printed = match submission.dry_run {
        DryRun::None => carry_out(cluster, ownership, request)?,
        _ => {
            let mut copy = cluster.clone();
            let printed = carry_out(&mut copy, &mut ownership.clone(), request);
            // What the server warns about is all that remains.
            cluster.note_warnings(copy.take_warnings());
            printed?
        }
    };
    printed.stdout.push_str(dry_run_mark(submission.dry_run));
    Ok(printed)
}

fn carry_out(cluster: &mut Cluster, ownership: &mut Ownership, request: Request<'_>) -> Result<Printed, String> {
    match request.verb {
        SubmitVerb::Apply => apply(cluster, ownership, &request),
        SubmitVerb::ApplyServerSide { force } => {
            let manager = request.manager.unwrap_or(request.verb.manager());
            let manifest = Arc::new(request.manifest);
            apply_server_side(cluster, ownership, &request.name, manifest, manager, force)
        }
        SubmitVerb::Create => make(cluster, ownership, &request, "created"),
        SubmitVerb::Replace { force } => replace(cluster, ownership, &request, force),
    }
}

fn answer(name: &ObjectName, what: &str) -> Printed {
    Printed { stdout: format!("{} {what}", name.text()), stderr: Vec::new() }
}

/// Says in an error of the server which file it is about (kubectl, `AddSourceToErr`).
fn of_file(error: String, what: &str, file: &str) -> String {
    match error.strip_prefix("Error from server (").and_then(|rest| rest.split_once("): ")) {
        Some((reason, message)) if !file.is_empty() => {
            format!("Error from server ({reason}): error when {what} {file:?}: {message}")
        }
        _ => error,
    }
}

fn make(
    cluster: &mut Cluster,
    ownership: &mut Ownership,
    request: &Request<'_>,
    done: &str,
) -> Result<Printed, String> {
    let name = &request.name;
    if find(cluster, name).is_ok() {
        let error =
            format!("Error from server (AlreadyExists): {} \"{}\" already exists", name.info.resource(), name.name);
        return Err(of_file(error, "creating", request.file));
    }
    let object = create(cluster, &request.manifest).map_err(|error| of_file(error, "creating", request.file))?;
    let manager = request.manager.unwrap_or(request.verb.manager());
    ownership.updated(cluster, object, &Value::Null, manager, "");
    // A generated name is known only now.
    let made = ObjectName { name: cluster.name(object).to_owned(), ..name.clone() };
    Ok(answer(&made, done))
}

/// `kubectl apply`: what the last manifest said is in an annotation.
fn apply(cluster: &mut Cluster, ownership: &mut Ownership, request: &Request<'_>) -> Result<Printed, String> {
    let name = &request.name;
    if name.name.is_empty() {
        let base = request.manifest["metadata"]["generateName"].as_str().unwrap_or_default();
        return Err(format!("error: from {base}: cannot use generate name with apply"));
    }
    let wanted = with_last_applied(&request.manifest);
    let Ok(object) = find(cluster, name) else {
        let request = Request { manifest: wanted, name: name.clone(), ..*request };
        return make(cluster, ownership, &request, "created");
    };
    let live = cluster.export(object);
    let mut printed = Printed::default();
    let last = match live["metadata"]["annotations"][LAST_APPLIED].as_str() {
        Some(text) => serde_json::from_str(text).map_err(|error| format!("error: {error}"))?,
        None => {
            printed.stderr.push(missing_annotation(name));
            Value::Null
        }
    };
    let merged = three_way_merge(&live, &last, &wanted).map_err(|what| {
        // kubectl shows what it could not make a patch of.
        let shown = format!("original:\n{last}\nmodified:\n{wanted}\ncurrent:\n{live}\nfor:");
        format!("error: error when creating patch with:\n{shown} {:?}: {what}", request.file)
    })?;
    if merged == live {
        printed.stdout = format!("{} unchanged", name.text());
        return Ok(printed);
    }
    if live["metadata"].get("deletionTimestamp").is_some() {
        let what = format!("Detected changes to resource {} which is currently being deleted.", name.name);
        printed.stderr.push(format!("Warning: {what}"));
    }
    send(cluster, object, &live, merged).map_err(|error| of_file(error, "applying patch for", request.file))?;
    ownership.updated(cluster, object, &live, request.manager.unwrap_or(request.verb.manager()), "");
    printed.stdout = format!("{} configured", name.text());
    Ok(printed)
}

fn missing_annotation(name: &ObjectName) -> String {
    format!(
        "Warning: resource {}/{} is missing the {LAST_APPLIED} annotation which is required by kubectl apply. kubectl apply should \
         only be used on resources created declaratively by either kubectl create --save-config or kubectl apply. The missing \
         annotation will be patched automatically.",
        name.info.plural, name.name
    )
}

/// `kubectl apply --server-side`.
pub(super) fn apply_server_side(
    cluster: &mut Cluster,
    ownership: &mut Ownership,
    name: &ObjectName,
    manifest: Arc<Value>,
    manager: &str,
    force: bool,
) -> Result<Printed, String> {
    const DONE: &str = "serverside-applied";
    let known = cluster.definitions_for(&manifest);
    // What comes from another cluster was taken there.
    let is_dumped = manifest["metadata"]["uid"].is_string();
    let checked = if is_dumped { Ok(()) } else { check_configuration(&manifest, &known) };
    checked.map_err(|what| format!("Error from server: {what}"))?;
    let Ok(object) = find(cluster, name) else {
        let object = create(cluster, &manifest)?;
        // What comes from another cluster has managers there.
        if !is_dumped {
            ownership.applied(cluster, object, manifest, manager);
        }
        return Ok(answer(name, DONE));
    };
    let version = manifest["apiVersion"].as_str().unwrap_or_default();
    let applier = Manager::applier(manager, version);
    let live = cluster.export(object);
    let now = crate::cluster::export::rfc3339(cluster.epoch_seconds, cluster.now());
    let mut managers = ownership.of(cluster, object);
    // Once the annotation is there, the first apply on the server takes over what was applied on the client.
    let on_client = Manager { operation: Operation::Update, ..Manager::applier(SubmitVerb::Apply.manager(), version) };
    let was_on_client = live["metadata"]["annotations"].get(LAST_APPLIED).is_some();
    let mut applied = managers
        .apply(&live, &manifest, &applier, force, (&now, &known))
        .map_err(|conflicts| format!("error: {}\n{CONFLICT_HELP}", conflicts.message()))?;
    if was_on_client && applied.managers.migrate(&on_client, &applier) {
        managers = applied.managers;
        applied = managers
            .apply(&applied.object, &manifest, &applier, force, (&now, &known))
            .map_err(|conflicts| format!("error: {}\n{CONFLICT_HELP}", conflicts.message()))?;
    }
    if applied.object != live {
        send(cluster, object, &live, applied.object)?;
    }
    ownership.keep(cluster, object, applied.managers);
    Ok(answer(name, DONE))
}

fn replace(
    cluster: &mut Cluster,
    ownership: &mut Ownership,
    request: &Request<'_>,
    force: bool,
) -> Result<Printed, String> {
    let name = &request.name;
    if force {
        return replace_by_force(cluster, ownership, request);
    }
    let object = find(cluster, name).map_err(|error| of_file(error, "replacing", request.file))?;
    let live = cluster.export(object);
    let mut wanted = request.manifest.clone();
    if wanted["metadata"]["resourceVersion"].as_str().is_none_or(str::is_empty) {
        wanted["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
    }
    send(cluster, object, &live, wanted).map_err(|error| of_file(error, "replacing", request.file))?;
    ownership.updated(cluster, object, &live, request.manager.unwrap_or(request.verb.manager()), "");
    Ok(answer(name, "replaced"))
}

fn replace_by_force(
    cluster: &mut Cluster,
    ownership: &mut Ownership,
    request: &Request<'_>,
) -> Result<Printed, String> {
    let name = &request.name;
    let mut lines = Vec::new();
    if let Ok(object) = find(cluster, name) {
        lines.push(verbs::delete(cluster, name, Propagation::Background, Some(0))?);
        if !cluster.meta(object).removed {
            return Err("error: timed out waiting for the condition".to_owned());
        }
        ownership.forget(object);
    }
    let made = make(cluster, ownership, request, "replaced")?;
    lines.push(made.stdout);
    Ok(Printed { stdout: lines.join("\n"), stderr: Vec::new() })
}

/// What an apply step of a scenario does: server-side, by force.
pub(super) fn apply_step(
    cluster: &mut Cluster,
    ownership: &mut Ownership,
    mut manifest: Value,
    namespace: &str,
) -> Result<(ObjectRef, String), String> {
    let kind = manifest["kind"].as_str().unwrap_or_default();
    let mut name =
        name_of(cluster, &manifest, namespace).ok_or_else(|| format!("error: no matches for kind \"{kind}\""))?;
    if name.info.namespaced {
        manifest["metadata"]["namespace"] = json!(name.namespace);
    }
    cluster.resolve_owners(&mut manifest);
    if name.name.is_empty() {
        let object = create(cluster, &manifest)?;
        name.name = cluster.name(object).to_owned();
        return Ok((object, format!("{} created", name.text())));
    }
    let printed = apply_server_side(cluster, ownership, &name, Arc::new(manifest), "kubectl", true)?;
    Ok((find(cluster, &name)?, printed.stdout))
}
