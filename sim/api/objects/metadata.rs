//! `metadata`: names, labels, annotations, owners, finalizers (apimachinery `pkg/api/validation/objectmeta.go`).

use crate::api::causes::{Causes, Path};
use crate::api::names;
use crate::api::view::{entries, get, has, int, list, text};
use serde_json::Value;

/// What a name must look like: the errors of a name; the flag says that it is a prefix to be completed.
pub type NameRule = fn(&str, bool) -> Vec<String>;

/// Most names.
pub fn subdomain_name(name: &str, is_prefix: bool) -> Vec<String> {
    names::dns1123_subdomain(&unmask(name, is_prefix))
}

/// Namespaces, services.
pub fn label_name(name: &str, is_prefix: bool) -> Vec<String> {
    names::dns1123_label(&unmask(name, is_prefix))
}

/// RBAC objects.
pub fn path_segment_name(name: &str, _is_prefix: bool) -> Vec<String> {
    names::path_segment_name(name)
}

/// A prefix may end in a dash, because more follows.
fn unmask(name: &str, is_prefix: bool) -> String {
    match name.strip_suffix('-') {
        Some(stem) if is_prefix && name.len() > 1 => format!("{stem}a"),
        _ => name.to_owned(),
    }
}

/// Checks `metadata`, which is at `path`.
pub fn validate(metadata: &Value, is_namespaced: bool, rule: NameRule, path: &Path<'_>, causes: &mut Causes) {
    let (name, generate_name) = (text(metadata, "name"), text(metadata, "generateName"));
    if !generate_name.is_empty() {
        causes.invalid_for(&path.child("generateName"), generate_name, rule(generate_name, true));
    }
    if name.is_empty() {
        causes.required(&path.child("name"), "name or generateName is required");
    } else {
        causes.invalid_for(&path.child("name"), name, rule(name, false));
    }
    if is_namespaced {
        let namespace = text(metadata, "namespace");
        if namespace.is_empty() {
            causes.required(&path.child("namespace"), "");
        } else {
            causes.invalid_for(&path.child("namespace"), namespace, names::dns1123_label(namespace));
        }
    } else if !text(metadata, "namespace").is_empty() {
        causes.forbidden(&path.child("namespace"), "not allowed on this type");
    }
    if int(metadata, "generation") < 0 {
        causes.invalid(&path.child("generation"), int(metadata, "generation"), NON_NEGATIVE);
    }
    labels(get(metadata, "labels"), &path.child("labels"), causes);
    annotations(get(metadata, "annotations"), &path.child("annotations"), causes);
    owner_references(metadata, &path.child("ownerReferences"), causes);
    finalizers(metadata, &path.child("finalizers"), causes);
}

/// `must be greater than or equal to 0`
pub const NON_NEGATIVE: &str = "must be greater than or equal to 0";

/// Checks the keys and values of a set of labels.
pub fn labels(labels: &Value, path: &Path<'_>, causes: &mut Causes) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        causes.invalid_for(path, key.as_str(), names::label_key_errors(key));
        let value = value.as_str().unwrap_or("");
        causes.invalid_for(path, value, names::label_value_errors(value));
    }
}

/// Checks annotations: keys are labels' keys in any case, and all together are at most 256 KiB.
pub fn annotations(annotations: &Value, path: &Path<'_>, causes: &mut Causes) {
    const LIMIT: usize = 256 * 1024;
    let mut size = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        causes.invalid_for(path, key.as_str(), names::label_key_errors(&key.to_lowercase()));
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > LIMIT {
        causes.too_long(path, LIMIT);
    }
}

fn owner_references(metadata: &Value, path: &Path<'_>, causes: &mut Causes) {
    let mut controller: Option<&str> = None;
    for owner in list(metadata, "ownerReferences") {
        let version = text(owner, "apiVersion");
        if version.rsplit('/').next().unwrap_or("").is_empty() {
            causes.invalid(&path.child("apiVersion"), version, "version must not be empty");
        }
        for field in ["kind", "name", "uid"] {
            if text(owner, field).is_empty() {
                causes.invalid(&path.child(field), text(owner, field), "must not be empty");
            }
        }
        if version == "v1" && text(owner, "kind") == "Event" {
            causes.invalid(path, owner, "/v1, Kind=Event is disallowed from being an owner");
        }
        if get(owner, "controller") == true {
            let name = text(owner, "name");
            if let Some(other) = controller {
                let what = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {other} and {name}"
                );
                causes.invalid(path, owner, what);
            } else {
                controller = Some(name);
            }
        }
    }
}

fn finalizers(metadata: &Value, path: &Path<'_>, causes: &mut Causes) {
    const STANDARD: [&str; 3] = ["kubernetes", "foregroundDeletion", "orphan"];
    let finalizers: Vec<&str> = list(metadata, "finalizers").iter().filter_map(Value::as_str).collect();
    for finalizer in &finalizers {
        causes.invalid_for(path, *finalizer, names::label_key_errors(finalizer));
    }
    if finalizers.contains(&"foregroundDeletion") && finalizers.contains(&"orphan") {
        let what = "finalizer orphan and foregroundDeletion cannot be both set";
        causes.invalid(path, get(metadata, "finalizers"), what);
    }
    for (index, finalizer) in finalizers.iter().enumerate() {
        if !finalizer.contains('/') && !STANDARD.contains(finalizer) {
            let what = "name is neither a standard finalizer name nor is it fully qualified";
            causes.invalid(&path.index(index), *finalizer, what);
        }
    }
}

/// Checks what no update of `metadata` may change.
pub fn validate_update(new: &Value, old: &Value, path: &Path<'_>, causes: &mut Causes) {
    if has(old, "deletionTimestamp") {
        let had: Vec<_> = list(old, "finalizers").iter().collect();
        if list(new, "finalizers").iter().any(|finalizer| !had.contains(&finalizer)) {
            let what = "no new finalizers can be added if the object is being deleted";
            causes.forbidden(&path.child("finalizers"), what);
        }
    }
    if int(new, "generation") < int(old, "generation") {
        causes.invalid(&path.child("generation"), int(new, "generation"), "must not be decremented");
    }
    for field in ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp"] {
        if text(new, field) != text(old, field) {
            causes.invalid(&path.child(field), get(new, field), IMMUTABLE);
        }
    }
}

/// `field is immutable`
pub const IMMUTABLE: &str = "field is immutable";

/// Checks a `metav1.LabelSelector`.
pub fn label_selector(selector: &Value, path: &Path<'_>, causes: &mut Causes) {
    if selector.is_null() {
        return;
    }
    labels_of_selector(selector, &path.child("matchLabels"), causes);
    let path = path.child("matchExpressions");
    for (index, expression) in list(selector, "matchExpressions").iter().enumerate() {
        let path = path.index(index);
        let n_values = list(expression, "values").len();
        match text(expression, "operator") {
            "In" | "NotIn" if n_values == 0 => {
                causes.required(&path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
            }
            "Exists" | "DoesNotExist" if n_values > 0 => {
                let what = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                causes.forbidden(&path.child("values"), what);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => causes.invalid(&path.child("operator"), other, "not a valid selector operator"),
        }
        let key = text(expression, "key");
        causes.invalid_for(&path.child("key"), key, names::label_key_errors(key));
        for (at, value) in list(expression, "values").iter().enumerate() {
            let value = value.as_str().unwrap_or("");
            causes.invalid_for(&path.child("values").index(at), value, names::label_value_errors(value));
        }
    }
}

fn labels_of_selector(selector: &Value, path: &Path<'_>, causes: &mut Causes) {
    labels(get(selector, "matchLabels"), path, causes);
}

/// A selector as Go prints it: `matchLabels` first.
pub fn shown_selector(selector: &Value) -> String {
    if selector.is_null() {
        return "null".to_owned();
    }
    let mut parts = Vec::new();
    if entries(selector, "matchLabels").next().is_some() {
        parts.push(format!("\"matchLabels\":{}", get(selector, "matchLabels")));
    }
    if !list(selector, "matchExpressions").is_empty() {
        let expressions: Vec<String> = list(selector, "matchExpressions")
            .iter()
            .map(|expression| {
                let (key, operator) = (get(expression, "key"), get(expression, "operator"));
                let values = match list(expression, "values") {
                    [] => String::new(),
                    _ => format!(",\"values\":{}", get(expression, "values")),
                };
                format!("{{\"key\":{key},\"operator\":{operator}{values}}}")
            })
            .collect();
        parts.push(format!("\"matchExpressions\":[{}]", expressions.join(",")));
    }
    format!("{{{}}}", parts.join(","))
}
