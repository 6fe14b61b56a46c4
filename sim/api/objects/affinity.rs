//! What decides where a pod may go: affinity, tolerations, spread constraints.

use crate::api::causes::{Causes, Path};
use crate::api::names;
use crate::api::view::{ensure, entries, get, get_mut, has, int, items_mut, list, maybe_int, put, text};
use serde_json::{Value, json};

use super::metadata::label_selector;

/// Checks `spec.affinity`.
pub(super) fn validate(affinity: &Value, path: &Path<'_>, causes: &mut Causes) {
    let node = get(affinity, "nodeAffinity");
    let node_path = path.child("nodeAffinity");
    if has(node, REQUIRED) {
        node_selector(get(node, REQUIRED), &node_path.child(REQUIRED), causes);
    }
    let path_preferred = node_path.child(PREFERRED);
    for (index, term) in list(node, PREFERRED).iter().enumerate() {
        let path = path_preferred.index(index);
        weight(term, &path, causes);
        node_term(get(term, "preference"), Values::Any, &path.child("preference"), causes);
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        let path = path.child(kind);
        let pods = get(affinity, kind);
        let path_required = path.child(REQUIRED);
        for (index, term) in list(pods, REQUIRED).iter().enumerate() {
            pod_term(term, &path_required.index(index), causes);
        }
        let path_preferred = path.child(PREFERRED);
        for (index, term) in list(pods, PREFERRED).iter().enumerate() {
            let path = path_preferred.index(index);
            weight(term, &path, causes);
            pod_term(get(term, "podAffinityTerm"), &path.child("podAffinityTerm"), causes);
        }
    }
}

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

fn weight(term: &Value, path: &Path<'_>, causes: &mut Causes) {
    let weight = int(term, "weight");
    if !(1..=100).contains(&weight) {
        causes.invalid(&path.child("weight"), weight, "must be in the range 1-100");
    }
}

/// Checks a `NodeSelector`.
pub(super) fn node_selector(selector: &Value, path: &Path<'_>, causes: &mut Causes) {
    let path = path.child("nodeSelectorTerms");
    let terms = list(selector, "nodeSelectorTerms");
    if terms.is_empty() {
        causes.required(&path, "must have at least one node selector term");
        return;
    }
    for (index, term) in terms.iter().enumerate() {
        node_term(term, Values::Labels, &path.index(index), causes);
    }
}

/// Which values a node selector may ask for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Values {
    /// Only what can be the value of a label.
    Labels,
    /// Anything: a preference that never holds does no harm.
    Any,
}

fn node_term(term: &Value, allowed: Values, path: &Path<'_>, causes: &mut Causes) {
    let expressions = path.child("matchExpressions");
    for (index, requirement) in list(term, "matchExpressions").iter().enumerate() {
        node_requirement(requirement, allowed, &expressions.index(index), causes);
    }
    let fields = path.child("matchFields");
    for (index, requirement) in list(term, "matchFields").iter().enumerate() {
        field_requirement(requirement, &fields.index(index), causes);
    }
}

fn node_requirement(requirement: &Value, allowed: Values, path: &Path<'_>, causes: &mut Causes) {
    let values = list(requirement, "values");
    match text(requirement, "operator") {
        "In" | "NotIn" if values.is_empty() => {
            causes.required(&path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let what = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            causes.forbidden(&path.child("values"), what);
        }
        "Gt" | "Lt" if values.len() != 1 => {
            causes.required(&path.child("values"), "must be specified single value when `operator` is 'Lt' or 'Gt'");
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        other => causes.invalid(&path.child("operator"), other, "not a valid selector operator"),
    }
    let key = text(requirement, "key");
    causes.invalid_for(&path.child("key"), key, names::label_key_errors(key));
    let path = path.child("values");
    for (index, value) in values.iter().enumerate().filter(|_| allowed == Values::Labels) {
        let value = value.as_str().unwrap_or("");
        causes.invalid_for(&path.index(index), value, names::label_value_errors(value));
    }
}

fn field_requirement(requirement: &Value, path: &Path<'_>, causes: &mut Causes) {
    let values = list(requirement, "values");
    match text(requirement, "operator") {
        "In" | "NotIn" => {
            if values.len() != 1 {
                let what = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
                causes.required(&path.child("values"), what);
            }
        }
        other => causes.invalid(&path.child("operator"), other, "not a valid selector operator"),
    }
    let key = text(requirement, "key");
    if key != "metadata.name" {
        causes.invalid(&path.child("key"), key, "not a valid field selector key");
        return;
    }
    let path = path.child("values");
    for (index, value) in values.iter().enumerate() {
        let value = value.as_str().unwrap_or("");
        causes.invalid_for(&path.index(index), value, names::dns1123_subdomain(value));
    }
}

fn pod_term(term: &Value, path: &Path<'_>, causes: &mut Causes) {
    label_selector(get(term, "labelSelector"), &path.child("labelSelector"), causes);
    label_selector(get(term, "namespaceSelector"), &path.child("namespaceSelector"), causes);
    for namespace in list(term, "namespaces") {
        let namespace = namespace.as_str().unwrap_or("");
        causes.invalid_for(&path.child("namespace"), namespace, names::dns1123_label(namespace));
    }
    label_keys(term, "matchLabelKeys", path, causes);
    label_keys(term, "mismatchLabelKeys", path, causes);
    repeated_label_keys(term, path, causes);
    let mismatched = list(term, "mismatchLabelKeys");
    for (index, key) in list(term, "matchLabelKeys").iter().enumerate() {
        if mismatched.contains(key) {
            let what = "exists in both matchLabelKeys and mismatchLabelKeys";
            causes.invalid(&path.child("matchLabelKeys").index(index), key, what);
        }
    }
    let topology = text(term, "topologyKey");
    if topology.is_empty() {
        causes.required(&path.child("topologyKey"), "can not be empty");
    }
    causes.invalid_for(&path.child("topologyKey"), topology, names::label_key_errors(topology));
}

/// Checks `matchLabelKeys` and the like: they need a selector.
fn label_keys(term: &Value, field: &str, path: &Path<'_>, causes: &mut Causes) {
    let keys = list(term, field);
    if keys.is_empty() {
        return;
    }
    let path = path.child(field);
    if !has(term, "labelSelector") {
        causes.forbidden(&path, "must not be specified when labelSelector is not set");
        return;
    }
    for (index, key) in keys.iter().enumerate() {
        let key = key.as_str().unwrap_or("");
        causes.invalid_for(&path.index(index), key, names::label_key_errors(key));
    }
}

/// Checks that no key of `matchLabelKeys` is in the selector already. What they add to it has been added before.
fn repeated_label_keys(term: &Value, path: &Path<'_>, causes: &mut Causes) {
    let keys = list(term, "matchLabelKeys");
    let selector = get(term, "labelSelector");
    let mut seen: Vec<&str> = entries(selector, "matchLabels").map(|(key, _)| key).collect();
    for expression in list(selector, "matchExpressions") {
        let key = text(expression, "key");
        if let Some(index) = keys.iter().position(|own| own == key).filter(|_| seen.contains(&key)) {
            causes.invalid(&path.index(index), key, "exists in both matchLabelKeys and labelSelector");
        }
        seen.push(key);
    }
}

/// Writes into selectors what `matchLabelKeys` and `mismatchLabelKeys` mean for the labels of this pod.
pub(super) fn merge_label_keys(pod: &mut Value) {
    let labels = get(get(pod, "metadata"), "labels").clone();
    let Some(spec) = pod.get_mut("spec") else { return };
    for constraint in items_mut(spec, "topologySpreadConstraints") {
        merge_term(constraint, &labels);
    }
    let Some(affinity) = get_mut(spec, "affinity") else { return };
    for kind in ["podAffinity", "podAntiAffinity"] {
        let Some(of_kind) = get_mut(affinity, kind) else { continue };
        for term in items_mut(of_kind, REQUIRED) {
            merge_term(term, &labels);
        }
        for weighted in items_mut(of_kind, PREFERRED) {
            if let Some(term) = get_mut(weighted, "podAffinityTerm") {
                merge_term(term, &labels);
            }
        }
    }
}

fn merge_term(term: &mut Value, labels: &Value) {
    if !has(term, "labelSelector") {
        return;
    }
    let mut expressions = list(get(term, "labelSelector"), "matchExpressions").to_vec();
    let before = expressions.len();
    for (field, operator) in [("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")] {
        for key in list(term, field).iter().filter_map(Value::as_str) {
            if let Some(value) = labels.get(key) {
                expressions.push(json!({"key": key, "operator": operator, "values": [value]}));
            }
        }
    }
    if expressions.len() > before {
        put(ensure(term, "labelSelector"), "matchExpressions", expressions);
    }
}

/// Checks `spec.tolerations`.
pub(super) fn tolerations(tolerations: &[Value], path: &Path<'_>, causes: &mut Causes) {
    for (index, toleration) in tolerations.iter().enumerate() {
        let path = path.index(index);
        let (key, operator) = (text(toleration, "key"), text(toleration, "operator"));
        let value = text(toleration, "value");
        if !key.is_empty() {
            causes.invalid_for(&path.child("key"), key, names::label_key_errors(key));
        }
        if key.is_empty() && operator != "Exists" {
            let what = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            causes.invalid(&path.child("operator"), operator, what);
        }
        if maybe_int(toleration, "tolerationSeconds").is_some() && text(toleration, "effect") != "NoExecute" {
            let what = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            causes.invalid(&path.child("effect"), text(toleration, "effect"), what);
        }
        match operator {
            "" | "Equal" => {
                let errors = names::label_value_errors(value);
                if !errors.is_empty() {
                    causes.invalid(&path.child("operator"), value, errors.join(";"));
                }
            }
            "Exists" => {
                if !value.is_empty() {
                    let what = "value must be empty when `operator` is 'Exists'";
                    causes.invalid(&path.child("operator"), value, what);
                }
            }
            // TaintTolerationComparisonOperators is off by default; the server lists its operators all the same.
            "Lt" | "Gt" => causes.not_supported(&path.child("operator"), operator, &["Equal", "Exists", "Lt", "Gt"]),
            other => causes.not_supported(&path.child("operator"), other, &["Equal", "Exists"]),
        }
        let effect = text(toleration, "effect");
        if !["", "NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect) {
            let known = &["NoSchedule", "PreferNoSchedule", "NoExecute"];
            causes.not_supported(&path.child("effect"), effect, known);
        }
    }
}

/// Checks `spec.topologySpreadConstraints`.
pub(super) fn spread_constraints(constraints: &[Value], path: &Path<'_>, causes: &mut Causes) {
    for (index, constraint) in constraints.iter().enumerate() {
        let path = path.index(index);
        let (key, unsatisfiable) = (text(constraint, "topologyKey"), text(constraint, "whenUnsatisfiable"));
        if int(constraint, "maxSkew") <= 0 {
            causes.invalid(&path.child("maxSkew"), int(constraint, "maxSkew"), "must be greater than zero");
        }
        if key.is_empty() {
            causes.required(&path.child("topologyKey"), "can not be empty");
        }
        if !["DoNotSchedule", "ScheduleAnyway"].contains(&unsatisfiable) {
            let known = &["DoNotSchedule", "ScheduleAnyway"];
            causes.not_supported(&path.child("whenUnsatisfiable"), unsatisfiable, known);
        }
        let is_repeated = constraints[index + 1..]
            .iter()
            .any(|other| text(other, "topologyKey") == key && text(other, "whenUnsatisfiable") == unsatisfiable);
        if is_repeated {
            let shown = format!("{{{key}, {unsatisfiable}}}");
            causes.duplicate(&path.child("{topologyKey, whenUnsatisfiable}"), shown.as_str());
        }
        if let Some(domains) = maybe_int(constraint, "minDomains") {
            if domains <= 0 {
                causes.invalid(&path.child("minDomains"), domains, "must be greater than zero");
            }
            if unsatisfiable != "DoNotSchedule" {
                let what = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {unsatisfiable}");
                causes.invalid(&path.child("minDomains"), domains, what);
            }
        }
        for field in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            if has(constraint, field) && !["Honor", "Ignore"].contains(&text(constraint, field)) {
                causes.not_supported(&path.child(field), text(constraint, field), &["Honor", "Ignore"]);
            }
        }
        label_keys(constraint, "matchLabelKeys", &path, causes);
        repeated_label_keys(constraint, &path, causes);
        label_selector(get(constraint, "labelSelector"), &path.child("labelSelector"), causes);
    }
}
