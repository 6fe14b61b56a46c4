//! What kubectl says of the changes it makes, and why it refuses some.
//!
//! Each function gives a line (or several) with its line break, as kubectl 1.36 writes it. What goes to standard error begins
//! with `error: ` or `Error from server`.
//!
//! Source: kubectl `pkg/cmd` and `pkg/drain`, apimachinery `api/errors`.

use serde_json::Value;

use super::command::DryRun;
use super::look::{at, entry, list, name, namespace, text};
use super::resources::of_object;
use super::view::View;

/// `deployment.apps/web`: how kubectl names an object in its answers.
pub fn object_name(object: &Value) -> String {
    let nothing = View { objects: &[], now: 0, namespace: "" };
    format!("{}/{}", of_object(object, &nothing).prefix(), name(object))
}

/// `deployment.apps/web scaled`, with ` (dry run)` or ` (server dry run)`: the answer of scale, patch, label, rollout and others.
pub fn done(object: &Value, what: &str, dry_run: DryRun) -> String {
    let mark = match dry_run {
        DryRun::None => "",
        DryRun::Client => " (dry run)",
        DryRun::Server => " (server dry run)",
    };
    format!("{} {what}{mark}\n", object_name(object))
}

/// `pod "web-0" deleted from default namespace`; without a namespace for a cluster-scoped object. `force` is `force deleted`.
pub fn deleted(object: &Value, force: bool, dry_run: DryRun) -> String {
    let nothing = View { objects: &[], now: 0, namespace: "" };
    let kind = of_object(object, &nothing).prefix();
    let what = if force { "force deleted" } else { "deleted" };
    let place = match namespace(object) {
        "" => String::new(),
        namespace => format!(" from {namespace} namespace"),
    };
    let mark = match dry_run {
        DryRun::None => "",
        DryRun::Client => " (dry run)",
        DryRun::Server => " (server dry run)",
    };
    format!("{kind} \"{}\" {what}{place}{mark}\n", name(object))
}

/// What `delete --force` warns of before.
pub const FORCE_WARNING: &str = "Warning: Immediate deletion does not wait for confirmation that the running resource has \
                                 been terminated. The resource may continue to run on the cluster indefinitely.\n";

/// The answer of `set`: `image`, `resource requirements`, `env`, `serviceaccount`, `selector`.
pub fn updated(object: &Value, what: &str, dry_run: DryRun) -> String {
    done(object, &format!("{what} updated"), dry_run)
}

/// `error: unable to find container named "x"`, of `set image`.
pub fn no_container(container: &str) -> String {
    format!("error: unable to find container named \"{container}\"\n")
}

/// `Error from server (NotFound): pods "x" not found`.
pub fn not_found(resource: &str, name: &str) -> String {
    format!("Error from server (NotFound): {resource} \"{name}\" not found\n")
}

/// `Error from server (AlreadyExists): error when creating "f.yaml": pods "x" already exists`; `file` as the user named it.
pub fn already_exists(resource: &str, name: &str, file: Option<&str>) -> String {
    let of_file = file.map(|file| format!("error when creating \"{file}\": ")).unwrap_or_default();
    format!("Error from server (AlreadyExists): {of_file}{resource} \"{name}\" already exists\n")
}

/// What the store says to an update of an outdated object.
pub fn conflict(resource: &str, name: &str) -> String {
    format!(
        "Error from server (Conflict): Operation cannot be fulfilled on {resource} \"{name}\": the object has been modified; \
         please apply your changes to the latest version and try again\n"
    )
}

/// `The Deployment "web" is invalid: ...`: one cause on the line, several below it.
pub fn invalid(kind: &str, name: &str, causes: &[String]) -> String {
    match causes {
        [one] => format!("The {kind} \"{name}\" is invalid: {one}\n"),
        many => {
            let lines: String = many.iter().map(|cause| format!("* {cause}\n")).collect();
            format!("The {kind} \"{name}\" is invalid: \n{lines}")
        }
    }
}

/// What `scale --current-replicas` says when there are not as many.
pub fn wrong_replicas(expected: i64, actual: i64) -> String {
    format!("error: Expected replicas to be {expected}, was {actual}\n")
}

/// What `rollout pause` and `resume` say of a Deployment that is paused already, or is not paused.
pub fn pause_refused(object: &Value, pause: bool) -> String {
    let nothing = View { objects: &[], now: 0, namespace: "" };
    let resource = of_object(object, &nothing).resource();
    let state = if pause { "is already paused" } else { "is not paused" };
    format!("error: {resource} \"{}\" {state}\n", name(object))
}

/// What `rollout restart` says of a paused Deployment.
pub fn restart_refused(object: &Value) -> String {
    let nothing = View { objects: &[], now: 0, namespace: "" };
    format!(
        "error: {} \"{}\" can't restart paused deployment (run rollout resume first)\n",
        of_object(object, &nothing).resource(),
        name(object)
    )
}

/// What `rollout undo` says of a paused Deployment.
pub const UNDO_REFUSED: &str =
    "error: you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again\n";

/// What `rollout undo` warns of when the object was applied.
pub fn undo_of_applied(plural: &str, name: &str) -> String {
    format!(
        "resource {plural}/{name} was previously managed with 'kubectl apply'. Rolling back will not update the \
         kubectl.kubernetes.io/last-applied-configuration annotation, which may cause unexpected behavior on future 'kubectl apply' \
         operations. Consider using 'kubectl apply' with your previous configuration file instead."
    )
}

/// The answer of `rollout undo`: rolled back, or skipped because the template is that of `revision` already.
pub fn undone(object: &Value, skipped_revision: Option<i64>, dry_run: DryRun) -> String {
    match skipped_revision {
        None => done(object, "rolled back", dry_run),
        Some(revision) => {
            done(object, &format!("skipped rollback (current template already matches revision {revision})"), dry_run)
        }
    }
}

/// What `rollout undo` says when there is nothing to go back to, or not to that revision.
pub fn no_revision(object: &Value, to_revision: i64) -> String {
    match to_revision {
        0 => format!(
            "error: no rollout history found for {} \"{}\"\n",
            text(object, "kind").to_lowercase(),
            name(object)
        ),
        revision => format!("error: unable to find specified revision {revision} in history\n"),
    }
}

/// What became of a label or annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// Set.
    Set,
    /// Only removed.
    Removed,
    /// Nothing had to be done.
    Unchanged,
}

/// The answer of `label` and `annotate`.
pub fn marked(object: &Value, annotations: bool, result: Marked, dry_run: DryRun) -> String {
    let what = match (annotations, result) {
        (false, Marked::Set) => "labeled",
        (false, Marked::Removed) => "unlabeled",
        (false, Marked::Unchanged) => "not labeled",
        (true, _) => "annotated",
    };
    done(object, what, dry_run)
}

/// What `label` says of a key to remove that is not there.
pub fn label_not_found(key: &str) -> String {
    format!("label \"{key}\" not found.\n")
}

/// Why `label` or `annotate` refuses to change a value without `--overwrite`; none when it does not refuse.
pub fn overwrite_refused(object: &Value, annotations: bool, changes: &[(String, Option<String>)]) -> Option<String> {
    let path = if annotations { "metadata.annotations" } else { "metadata.labels" };
    let refusals: Vec<String> = changes
        .iter()
        .filter_map(|(key, value)| {
            let (old, new) = (entry(object, path, key)?, value.as_deref()?);
            (annotations || old != new)
                .then(|| format!("'{key}' already has a value ({old}), and --overwrite is false"))
        })
        .collect();
    match refusals.as_slice() {
        [] => None,
        [one] if annotations => {
            Some(format!("error: --overwrite is false but found the following declared annotation(s): {one}\n"))
        }
        [one] => Some(format!("error: {one}\n")),
        many if annotations => Some(format!(
            "error: --overwrite is false but found the following declared annotation(s): {}\n",
            many.join("; ")
        )),
        many => Some(format!("error: [{}]\n", many.join(", "))),
    }
}

/// The answer of `taint`: `tainted`, `untainted`, or `modified` when some were added and some removed.
pub fn tainted(node: &Value, added: bool, removed: bool, dry_run: DryRun) -> String {
    let what = match (added, removed) {
        (true, true) => "modified",
        (false, true) => "untainted",
        _ => "tainted",
    };
    done(node, what, dry_run)
}

/// Why `taint` refuses to change a taint without `--overwrite`: the keys in question.
pub fn taint_refused(node: &str, keys: &[&str]) -> String {
    format!("error: node {node} already has {} taint(s) with same effect(s) and --overwrite is false\n", keys.join(","))
}

/// Why `taint` cannot remove a taint: it is not there.
pub fn taint_not_found(key: &str, effect: &str) -> String {
    match effect {
        "" => format!("error: taint \"{key}\" not found\n"),
        effect => format!("error: taint \"{key}:{effect}\" not found\n"),
    }
}

/// The answer of `cordon` (`unschedulable`) and `uncordon`; `changed` is whether there was something to do.
pub fn cordoned(node: &Value, unschedulable: bool, changed: bool, dry_run: DryRun) -> String {
    let what = if unschedulable { "cordoned" } else { "uncordoned" };
    if changed { done(node, what, dry_run) } else { done(node, &format!("already {what}"), dry_run) }
}

/// The answer of `drain` in the end.
pub fn drained(node: &Value, dry_run: DryRun) -> String {
    done(node, "drained", dry_run)
}

/// What `drain` says before it evicts a pod.
pub fn evicting(pod: &Value) -> String {
    format!("evicting pod {}/{}\n", namespace(pod), name(pod))
}

/// What `drain` says when an evicted pod is gone; `deleted` with `--disable-eviction`.
pub fn evicted(pod: &Value, disable_eviction: bool) -> String {
    format!("pod/{} {}\n", name(pod), if disable_eviction { "deleted" } else { "evicted" })
}

/// What `drain` says when a budget refuses an eviction.
pub fn eviction_refused(pod: &Value) -> String {
    format!(
        "error when evicting pods/\"{}\" -n \"{}\" (will retry after 5s): Cannot evict pod as it would violate the pod's \
         disruption budget.\n",
        name(pod),
        namespace(pod)
    )
}

/// Pods on a node by what `drain` does with them.
#[derive(Clone, Debug, Default)]
pub struct DrainPlan<'a> {
    /// Evicted.
    pub evict: Vec<&'a Value>,
    /// What is warned of, without the line break; none when there is nothing to warn of.
    pub warning: Option<String>,
    /// Why the drain is refused, one reason per entry; the drain goes on only without any.
    pub refusals: Vec<String>,
}

/// Sorts the pods of a node as `drain` does with these flags.
pub fn drain_plan<'a>(pods: &[&'a Value], flags: &super::command::Drain, view: &View<'_>) -> DrainPlan<'a> {
    let mut plan = DrainPlan::default();
    let (mut daemons, mut locals, mut unmanaged) = (Vec::new(), Vec::new(), Vec::new());
    for &pod in pods {
        let id = format!("{}/{}", namespace(pod), name(pod));
        if entry(pod, "metadata.annotations", "kubernetes.io/config.mirror").is_some() {
            continue;
        }
        let is_over = matches!(text(pod, "status.phase"), "Succeeded" | "Failed");
        let owner = super::look::controller(pod);
        if owner.is_some_and(|owner| text(owner, "kind") == "DaemonSet") && !is_over {
            let called = owner.map(|owner| text(owner, "name")).unwrap_or_default();
            let exists = view.find("DaemonSet", "apps", namespace(pod), called).is_some();
            if exists || !flags.force {
                daemons.push(id);
                continue;
            }
        }
        if list(pod, "spec.volumes").iter().any(|volume| !at(volume, "emptyDir").is_null()) && !is_over {
            locals.push(id.clone());
            if !flags.delete_emptydir_data {
                continue;
            }
        }
        if owner.is_none() && !is_over {
            unmanaged.push(id);
            if !flags.force {
                continue;
            }
        }
        plan.evict.push(pod);
    }
    let mut warnings = Vec::new();
    let mut judge = |pods: &[String], is_allowed: bool, refusal: &str, warning: Option<&str>| {
        if pods.is_empty() {
            return;
        }
        match (is_allowed, warning) {
            (false, _) => plan.refusals.push(format!("{refusal}: {}", pods.join(", "))),
            (true, Some(warning)) => warnings.push(format!("{warning}: {}", pods.join(", "))),
            (true, None) => {}
        }
    };
    judge(
        &daemons,
        flags.ignore_daemonsets,
        "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)",
        Some("ignoring DaemonSet-managed Pods"),
    );
    judge(
        &locals,
        flags.delete_emptydir_data,
        "cannot delete Pods with local storage (use --delete-emptydir-data to override)",
        None,
    );
    judge(
        &unmanaged,
        flags.force,
        "cannot delete Pods that declare no controller (use --force to override)",
        Some("deleting Pods that declare no controller"),
    );
    if !warnings.is_empty() {
        plan.warning = Some(format!("Warning: {}", warnings.join("; ")));
    }
    plan
}

/// What a successful `rollout restart`, `pause` and `resume` print.
pub fn rolled(object: &Value, action: &super::command::RolloutAction, dry_run: DryRun) -> Option<String> {
    use super::command::RolloutAction;
    let what = match action {
        RolloutAction::Pause => "paused",
        RolloutAction::Resume => "resumed",
        RolloutAction::Restart => "restarted",
        RolloutAction::Undo { .. } => "rolled back",
        RolloutAction::Status { .. } | RolloutAction::History { .. } => return None,
    };
    Some(done(object, what, dry_run))
}

/// What `apply` did to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was not there.
    Created,
    /// It changed.
    Configured,
    /// It was so already.
    Unchanged,
    /// `--server-side`
    ServerSide,
    /// `--prune`
    Pruned,
}

/// The answer of `apply` for one object.
pub fn applied(object: &Value, result: Applied, dry_run: DryRun) -> String {
    let what = match result {
        Applied::Created => "created",
        Applied::Configured => "configured",
        Applied::Unchanged => "unchanged",
        Applied::ServerSide => "serverside-applied",
        Applied::Pruned => "pruned",
    };
    done(object, what, dry_run)
}

/// The answer of `patch`: patched, or the same as before.
pub fn patched(object: &Value, changed: bool, dry_run: DryRun) -> String {
    done(object, if changed { "patched" } else { "patched (no change)" }, dry_run)
}

/// The answer of `wait`: `condition met`, or a timeout on standard error.
pub fn waited(object: &Value, met: bool) -> String {
    if met {
        return done(object, "condition met", DryRun::None);
    }
    let nothing = View { objects: &[], now: 0, namespace: "" };
    let resource = of_object(object, &nothing).resource();
    format!("error: timed out waiting for the condition on {resource}/{}\n", name(object))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_name_the_object_and_what_was_done() {
        let web =
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}});
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}});
        assert_eq!(done(&web, "scaled", DryRun::None), "deployment.apps/web scaled\n");
        assert_eq!(done(&web, "scaled", DryRun::Server), "deployment.apps/web scaled (server dry run)\n");
        assert_eq!(deleted(&web, false, DryRun::None), "deployment.apps \"web\" deleted from shop namespace\n");
        assert_eq!(deleted(&node, false, DryRun::None), "node \"n1\" deleted\n");
        assert_eq!(cordoned(&node, true, false, DryRun::None), "node/n1 already cordoned\n");
        assert_eq!(tainted(&node, true, true, DryRun::None), "node/n1 modified\n");
        assert_eq!(pause_refused(&web, true), "error: deployments.apps \"web\" is already paused\n");
        assert_eq!(
            taint_refused("n1", &["a"]),
            "error: node n1 already has a taint(s) with same effect(s) and --overwrite is false\n"
        );
    }

    #[test]
    fn a_drain_refuses_what_it_was_not_allowed() {
        let pod = |name: &str, owner: Option<&str>, spec: Value| {
            let owners = owner.map(|kind| json!([{"kind": kind, "name": "x", "controller": true}]));
            json!({"kind": "Pod", "metadata": {"name": name, "namespace": "a", "ownerReferences": owners}, "spec": spec})
        };
        let local = json!({"volumes": [{"name": "v", "emptyDir": {}}]});
        let pods =
            [pod("bare", None, json!({})), pod("d", Some("DaemonSet"), json!({})), pod("l", Some("ReplicaSet"), local)];
        let references: Vec<&Value> = pods.iter().collect();
        let view = View { objects: &[], now: 0, namespace: "a" };
        let plan = drain_plan(&references, &super::super::command::Drain::default(), &view);
        assert_eq!(plan.refusals.len(), 3);
        assert!(plan.evict.is_empty());
        let all = super::super::command::Drain {
            force: true,
            ignore_daemonsets: true,
            delete_emptydir_data: true,
            ..Default::default()
        };
        let plan = drain_plan(&references, &all, &view);
        assert!(plan.refusals.is_empty());
        assert_eq!(plan.evict.len(), 3);
        assert!(plan.warning.is_some());
    }
}
