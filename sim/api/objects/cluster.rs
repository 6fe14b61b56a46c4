//! Kinds of the cluster itself: Namespace, Node, PriorityClass, Lease.

use crate::api::causes::{Causes, Path, Raw};
use crate::api::names;
use crate::api::view::{ensure, entries, fill, get, has, int, list, maybe_int, put, text};
use serde_json::{Value, json};

use super::metadata::NON_NEGATIVE;
use super::{pod, resources};

/// What the registry gives a new Namespace: the label of its name, its finalizer and its phase.
pub(super) fn default_namespace(object: &mut Value) {
    let name = text(get(object, "metadata"), "name").to_owned();
    if !name.is_empty() {
        put(ensure(ensure(object, "metadata"), "labels"), "kubernetes.io/metadata.name", name);
    }
}

/// What the registry gives a new Namespace.
pub(super) fn prepare_namespace(object: &mut Value) {
    put(object, "status", json!({"phase": "Active"}));
    let spec = ensure(object, "spec");
    let mut finalizers = list(spec, "finalizers").to_vec();
    if !finalizers.iter().any(|finalizer| finalizer == "kubernetes") {
        finalizers.push(Value::from("kubernetes"));
    }
    put(spec, "finalizers", finalizers);
}

/// Checks a Namespace: its finalizers.
pub(super) fn validate_namespace(object: &Value, causes: &mut Causes) {
    let path = Path::ROOT.child("spec");
    let path = path.child("finalizers");
    for finalizer in list(get(object, "spec"), "finalizers").iter().filter_map(Value::as_str) {
        causes.invalid_for(&path, finalizer, names::label_key_errors(finalizer));
        if !finalizer.contains('/') && !["kubernetes", "foregroundDeletion", "orphan"].contains(&finalizer) {
            let what = "name is neither a standard finalizer name nor is it fully qualified";
            causes.invalid(&path, finalizer, what);
        }
    }
}

/// Fills in a Node: what it has is what it can give, unless it says otherwise.
pub(super) fn default_node(object: &mut Value) {
    let status = ensure(object, "status");
    let capacity = get(status, "capacity").clone();
    if !capacity.is_null() && !has(status, "allocatable") {
        fill(status, "allocatable", capacity);
    }
    for kind in ["capacity", "allocatable"] {
        resources::default_list(status, kind);
    }
    // The older field is the first of the newer.
    let spec = ensure(object, "spec");
    let first = list(spec, "podCIDRs").first().cloned();
    match (text(spec, "podCIDR").to_owned(), first) {
        (range, None) if !range.is_empty() => put(spec, "podCIDRs", json!([range])),
        (range, Some(first)) if range.is_empty() => put(spec, "podCIDR", first),
        _ => {}
    }
}

/// The taint that admission puts on new nodes.
pub(super) fn prepare_node(object: &mut Value) {
    let spec = ensure(object, "spec");
    let mut taints = list(spec, "taints").to_vec();
    let is_there = |taint: &Value| text(taint, "key") == NOT_READY && text(taint, "effect") == "NoSchedule";
    if !taints.iter().any(is_there) {
        taints.push(json!({"key": NOT_READY, "effect": "NoSchedule"}));
    }
    put(spec, "taints", taints);
}

const NOT_READY: &str = "node.kubernetes.io/not-ready";

/// Checks a Node.
pub(super) fn validate_node(object: &Value, causes: &mut Causes) {
    let spec = get(object, "spec");
    taints(list(spec, "taints"), &Path::ROOT.child("metadata.taints"), causes);
    let path = Path::ROOT.child("status");
    for kind in ["capacity", "allocatable"] {
        let path = path.child(kind);
        for (resource, amount) in entries(get(object, "status"), kind) {
            resources::amount(resource, amount, &path.child(resource), causes);
        }
    }
    let ranges: Vec<&str> = list(spec, "podCIDRs").iter().filter_map(Value::as_str).collect();
    let path = Path::ROOT.child("spec.podCIDRs");
    for (index, range) in ranges.iter().enumerate() {
        causes.invalid_for(&path.index(index), *range, names::cidr(range));
    }
    let n_v6 = ranges.iter().filter(|range| range.contains(':')).count();
    if ranges.len() > 2 || (ranges.len() == 2 && n_v6 != 1) {
        causes.invalid(&path, get(spec, "podCIDRs"), "may specify no more than one CIDR for each IP family");
    }
    for (index, range) in ranges.iter().enumerate().filter(|(index, range)| ranges[..*index].contains(range)) {
        causes.duplicate(&path.index(index), *range);
    }
}

/// Checks what an update of a Node may change.
pub(super) fn validate_node_update(new: &Value, old: &Value, causes: &mut Causes) {
    let (is, was) = (get(new, "spec"), get(old, "spec"));
    let path = Path::ROOT.child("spec");
    if has(was, "podCIDRs") && get(is, "podCIDRs") != get(was, "podCIDRs") {
        let what = "node updates may not change podCIDR except from \"\" to valid";
        causes.forbidden(&path.child("podCIDRs"), what);
    }
    let addresses = list(get(new, "status"), "addresses");
    let path_of = Path::ROOT.child("status");
    let path_of = path_of.child("addresses");
    for (index, address) in
        addresses.iter().enumerate().filter(|(index, address)| addresses[..*index].contains(address))
    {
        let shown = json!([text(address, "type"), text(address, "address")]);
        causes.duplicate(&path_of.index(index), Raw(&format!("{{\"Type\":{},\"Address\":{}}}", shown[0], shown[1])));
    }
    if has(was, "providerID") && get(is, "providerID") != get(was, "providerID") {
        let what = "node updates may not change providerID except from \"\" to valid";
        causes.forbidden(&path.child("providerID"), what);
    }
}

/// Checks taints.
pub(super) fn taints(taints: &[Value], path: &Path<'_>, causes: &mut Causes) {
    for (index, taint) in taints.iter().enumerate() {
        let path = path.index(index);
        let (key, value) = (text(taint, "key"), text(taint, "value"));
        causes.invalid_for(&path.child("key"), key, names::label_key_errors(key));
        let errors = names::label_value_errors(value);
        if !errors.is_empty() {
            causes.invalid(&path.child("value"), value, errors.join(";"));
        }
        match text(taint, "effect") {
            "NoSchedule" | "PreferNoSchedule" | "NoExecute" => {}
            "" => causes.required(&path.child("effect"), ""),
            other => {
                let known = &["NoSchedule", "PreferNoSchedule", "NoExecute"];
                causes.not_supported(&path.child("effect"), other, known);
            }
        }
        let same = |other: &Value| text(other, "key") == key && text(other, "effect") == text(taint, "effect");
        if taints[..index].iter().any(same) {
            let added = get(taint, "timeAdded");
            let shown = format!(
                "{{\"Key\":{key:?},\"Value\":{value:?},\"Effect\":{:?},\"TimeAdded\":{added}}}: taints must be unique by key and effect pair",
                text(taint, "effect")
            );
            causes.duplicate(&path, Raw(&shown));
        }
    }
}

/// Fills in a PriorityClass.
pub(super) fn default_priority_class(object: &mut Value) {
    fill(object, "preemptionPolicy", "PreemptLowerPriority");
}

/// The priority above which only the system's own classes are.
const HIGHEST_USER_PRIORITY: i64 = 1_000_000_000;

/// Checks a PriorityClass.
pub(super) fn validate_priority_class(object: &Value, causes: &mut Causes) {
    let name = text(get(object, "metadata"), "name");
    let value = int(object, "value");
    if name.starts_with("system-") {
        let system = [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];
        match system.iter().find(|(known, _)| *known == name) {
            Some((_, right)) if *right == value && !crate::api::view::flag(object, "globalDefault") => {}
            Some((_, right)) => {
                let what = format!(
                    "priority class names with 'system-' prefix are reserved for system use only. error: value of {name} PriorityClass must be {right}"
                );
                causes.forbidden(&Path::ROOT.child("metadata.name"), &what);
            }
            None => {
                let what = format!(
                    "priority class names with 'system-' prefix are reserved for system use only. error: {name} is not a known system priority class"
                );
                causes.forbidden(&Path::ROOT.child("metadata.name"), &what);
            }
        }
    } else if value > HIGHEST_USER_PRIORITY {
        let what = format!("maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}");
        causes.forbidden(&Path::ROOT.child("value"), &what);
    }
    if has(object, "preemptionPolicy") {
        let path = Path::ROOT.child("preemptionPolicy");
        pod::preemption_policy(text(object, "preemptionPolicy"), &path, causes);
    }
}

/// Checks what an update of a PriorityClass may change.
pub(super) fn validate_priority_class_update(new: &Value, old: &Value, causes: &mut Causes) {
    if int(new, "value") != int(old, "value") {
        causes.forbidden(&Path::ROOT.child("value"), "may not be changed in an update.");
    }
    if get(new, "preemptionPolicy") != get(old, "preemptionPolicy") {
        let path = Path::ROOT.child("preemptionPolicy");
        causes.invalid(&path, get(new, "preemptionPolicy"), super::metadata::IMMUTABLE);
    }
}

/// Checks a Lease.
pub(super) fn validate_lease(object: &Value, causes: &mut Causes) {
    let spec = get(object, "spec");
    let path = Path::ROOT.child("spec");
    if let Some(seconds) = maybe_int(spec, "leaseDurationSeconds").filter(|&seconds| seconds <= 0) {
        causes.invalid(&path.child("leaseDurationSeconds"), seconds, "must be greater than 0");
    }
    if let Some(transitions) = maybe_int(spec, "leaseTransitions").filter(|&transitions| transitions < 0) {
        causes.invalid(&path.child("leaseTransitions"), transitions, NON_NEGATIVE);
    }
}
