//! What an update of a Pod may change (core `validation.go`, `ValidatePodUpdate`).

use crate::api::causes::{Causes, Path};
use crate::api::names;
use crate::api::view::{entries, get, items_mut, list, maybe_int, put, remove, text};
use serde_json::Value;

use super::pod_resources::qos_class;

/// Checks the new Pod against the stored one.
pub(super) fn validate(new: &Value, old: &Value, causes: &mut Causes) {
    let (is, was) = (get(new, "spec"), get(old, "spec"));
    let path = Path::ROOT.child("spec");
    mirror_annotation(new, old, causes);
    for name in ["containers", "initContainers"] {
        if !containers(list(is, name), list(was, name), &path.child(name), causes) {
            return;
        }
    }
    if !active_deadline(is, was, &path, causes) {
        return;
    }
    tolerations(is, was, &path.child("tolerations"), causes);
    scheduling_gates(is, was, &path.child("schedulingGates"), causes);
    if is == was {
        return;
    }
    let class = qos_class(is);
    if class != qos_class(was) {
        causes.invalid(&Path::ROOT.child("metadata"), class, "Pod QOS is immutable");
    }
    let mut allowed = is.clone();
    keep_images(&mut allowed, was);
    for field in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        restore(&mut allowed, was, field);
    }
    let grace = |spec: &Value| maybe_int(spec, "terminationGracePeriodSeconds");
    if grace(was).is_some_and(|seconds| seconds < 0) && grace(is) == Some(1) {
        restore(&mut allowed, was, "terminationGracePeriodSeconds");
    }
    if !list(was, "schedulingGates").is_empty() {
        gated(&mut allowed, is, was, &path, causes);
    }
    if allowed != *was {
        causes.forbidden(&path, &format!("{ONLY}<diff>"));
    }
}

const MIRROR: &str = "kubernetes.io/config.mirror";

/// Only the kubelet makes mirror pods (`ValidatePodSpecificAnnotationUpdates`).
fn mirror_annotation(new: &Value, old: &Value, causes: &mut Causes) {
    let mark = |pod: &Value| get(get(get(pod, "metadata"), "annotations"), MIRROR).clone();
    let (is, was) = (mark(new), mark(old));
    if is == was {
        return;
    }
    let what = match was {
        Value::Null => "may not add mirror pod annotation",
        _ => "may not remove or update mirror pod annotation",
    };
    let path = Path::ROOT.child("metadata.annotations");
    causes.forbidden(&path.key(MIRROR), what);
}

const ONLY: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,\
                    `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
                    `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

fn restore(spec: &mut Value, was: &Value, field: &str) {
    match get(was, field) {
        Value::Null => remove(spec, field),
        value => put(spec, field, value.clone()),
    }
}

fn keep_images(spec: &mut Value, was: &Value) {
    for name in ["containers", "initContainers"] {
        for (container, old) in items_mut(spec, name).zip(list(was, name)) {
            put(container, "image", get(old, "image").clone());
        }
    }
}

/// False if nothing more is worth checking.
fn containers(is: &[Value], was: &[Value], path: &Path<'_>, causes: &mut Causes) -> bool {
    if is.len() != was.len() {
        causes.forbidden(path, "pod updates may not add or remove containers");
        return false;
    }
    for (index, container) in is.iter().enumerate() {
        let image = text(container, "image");
        let path = path.index(index);
        if image.is_empty() {
            causes.required(&path.child("image"), "");
            return false;
        }
        if image.trim() != image {
            causes.invalid(&path.child("image"), image, "must not have leading or trailing whitespace");
        }
    }
    true
}

fn active_deadline(is: &Value, was: &Value, path: &Path<'_>, causes: &mut Causes) -> bool {
    let path = path.child("activeDeadlineSeconds");
    let (new, old) = (maybe_int(is, "activeDeadlineSeconds"), maybe_int(was, "activeDeadlineSeconds"));
    let Some(new) = new else {
        if old.is_some() {
            causes.invalid(&path, &Value::Null, "must not update from a positive integer to nil value");
        }
        return true;
    };
    let errors = names::in_range(new, 0, i64::from(i32::MAX));
    if !errors.is_empty() {
        causes.invalid_for(&path, new, errors);
        return false;
    }
    if old.is_some_and(|old| old < new) {
        causes.invalid(&path, new, "must be less than or equal to previous value");
        return false;
    }
    true
}

/// Tolerations may be added, and their seconds may change.
fn tolerations(is: &Value, was: &Value, path: &Path<'_>, causes: &mut Causes) {
    let bare = |toleration: &Value| {
        let mut toleration = toleration.clone();
        remove(&mut toleration, "tolerationSeconds");
        toleration
    };
    let now: Vec<Value> = list(is, "tolerations").iter().map(bare).collect();
    if list(was, "tolerations").iter().any(|toleration| !now.contains(&bare(toleration))) {
        causes.forbidden(path, "existing toleration can not be modified except its tolerationSeconds");
    }
}

fn scheduling_gates(is: &Value, was: &Value, path: &Path<'_>, causes: &mut Causes) {
    let old: Vec<&str> = list(was, "schedulingGates").iter().map(|gate| text(gate, "name")).collect();
    for (index, gate) in list(is, "schedulingGates").iter().enumerate() {
        let name = text(gate, "name");
        if !old.contains(&name) {
            let what = format!("only deletion is allowed, but found new scheduling gate '{name}'");
            let item = path.index(index);
            causes.forbidden(&item.child("name"), &what);
        }
    }
}

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// A gated pod may be bound to fewer nodes: selectors grow, affinity terms narrow.
fn gated(allowed: &mut Value, is: &Value, was: &Value, path: &Path<'_>, causes: &mut Causes) {
    if get(is, "nodeSelector") != get(was, "nodeSelector") {
        let keeps = entries(was, "nodeSelector").all(|(key, value)| get(is, "nodeSelector").get(key) == Some(value));
        if !keeps {
            let what = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
            causes.invalid(&path.child("nodeSelector"), get(is, "nodeSelector"), what);
        }
        restore(allowed, was, "nodeSelector");
    }
    let node = |spec: &Value| get(get(spec, "affinity"), "nodeAffinity").clone();
    let (new, old) = (node(is), node(was));
    if new == old {
        return;
    }
    node_affinity(get(&new, REQUIRED), get(&old, REQUIRED), &path.child("affinity.nodeAffinity"), causes);
    let others_equal = ["podAffinity", "podAntiAffinity"]
        .iter()
        .all(|kind| get(get(is, "affinity"), kind) == get(get(was, "affinity"), kind));
    if others_equal {
        restore(allowed, was, "affinity");
    }
}

fn node_affinity(new: &Value, old: &Value, path: &Path<'_>, causes: &mut Causes) {
    if old.is_null() {
        return;
    }
    let path = path.child(REQUIRED);
    let path = path.child("nodeSelectorTerms");
    let (is, was) = (list(new, "nodeSelectorTerms"), list(old, "nodeSelectorTerms"));
    if was.is_empty() {
        return;
    }
    if is.len() != was.len() {
        causes.invalid(
            &path,
            get(new, "nodeSelectorTerms"),
            "no additions/deletions to non-empty NodeSelectorTerms list are allowed",
        );
        return;
    }
    for (index, (term, old)) in is.iter().zip(was).enumerate() {
        let is_empty = |term: &Value| list(term, "matchExpressions").is_empty() && list(term, "matchFields").is_empty();
        let starts_with = |field: &str| list(term, field).starts_with(list(old, field));
        let grew = starts_with("matchExpressions") && starts_with("matchFields");
        if (is_empty(old) && !is_empty(term)) || !grew {
            causes.invalid(&path.index(index), term, "only additions are allowed (no mutations or deletions)");
        }
    }
}
