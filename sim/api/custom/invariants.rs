//! What the API server checks of a custom resource besides its schema: metadata of embedded resources, items of lists that are
//! sets or maps, the paths of the scale subresource.
//!
//! Source: apiextensions-apiserver `schema/objectmeta`, `schema/listtype`, `registry/customresource/validator.go`.

use serde_json::{Map, Value, json};

use super::props::Props;
use super::words::quoted_value;
use crate::api::causes::{Causes, Path, Raw};
use crate::api::names;
use crate::api::objects::metadata;
use crate::api::view::{get, text};

/// Checks `apiVersion`, `kind` and `metadata` of embedded resources.
pub fn embedded(schema: &Props, value: &Value, path: &Path<'_>, causes: &mut Causes) {
    match value {
        Value::Object(fields) => {
            if schema.is_embedded {
                embedded_resource(fields, path, causes);
            }
            for (name, value) in fields {
                if let Some(property) = schema.properties.get(name) {
                    embedded(property, value, &path.child(name), causes);
                } else if let Some(schema) = schema.field(name) {
                    embedded(schema, value, &path.key(name), causes);
                }
            }
        }
        Value::Array(items) => {
            let Some(item) = &schema.items else { return };
            for (index, value) in items.iter().enumerate() {
                embedded(item, value, &path.index(index), causes);
            }
        }
        _ => {}
    }
}

fn embedded_resource(fields: &Map<String, Value>, path: &Path<'_>, causes: &mut Causes) {
    for name in ["apiVersion", "kind"] {
        if !fields.contains_key(name) {
            causes.required(&path.child(name), "");
        }
    }
    if let Some(version) = fields.get("apiVersion").and_then(Value::as_str) {
        if version.is_empty() {
            causes.invalid(&path.child("apiVersion"), version, "must not be empty");
        } else if version.matches('/').count() > 1 {
            let what = format!("unexpected GroupVersion string: {version}");
            causes.invalid(&path.child("apiVersion"), version, what);
        }
    }
    if let Some(kind) = fields.get("kind").and_then(Value::as_str) {
        let errors = names::dns1035_label(&kind.to_lowercase());
        if kind.is_empty() {
            causes.invalid(&path.child("kind"), kind, "must not be empty");
        } else if !errors.is_empty() {
            let what = format!("may have mixed case, but should otherwise match: {}", errors.join(","));
            causes.invalid(&path.child("kind"), kind, what);
        }
    }
    if let Some(meta) = fields.get("metadata").filter(|meta| meta.is_object()) {
        let mut meta = meta.clone();
        if text(&meta, "name").is_empty() {
            meta["name"] = json!("fakename");
        }
        let is_namespaced = !text(&meta, "namespace").is_empty();
        metadata::validate(&meta, is_namespaced, metadata::path_segment_name, &path.child("metadata"), causes);
    }
}

/// Checks that the items of sets, and the keys of maps, are there once.
pub fn lists(schema: &Props, value: &Value, path: &Path<'_>, causes: &mut Causes) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(schema) = schema.additional.as_ref().and_then(|additional| additional.schema.as_deref()) {
                    lists(schema, value, &path.key(name), causes);
                }
                if let Some(property) = schema.properties.get(name) {
                    lists(property, value, &path.child(name), causes);
                }
            }
        }
        Value::Array(items) => {
            match schema.list_type.as_str() {
                "set" => {
                    for index in repeated(items) {
                        causes.duplicate(&path.index(index), Raw(&quoted_value(&items[index])));
                    }
                }
                "map" => list_map(schema, items, path, causes),
                _ => {}
            }
            let Some(item) = &schema.items else { return };
            for (index, value) in items.iter().enumerate() {
                lists(item, value, &path.index(index), causes);
            }
        }
        _ => {}
    }
}

fn list_map(schema: &Props, items: &[Value], path: &Path<'_>, causes: &mut Causes) {
    if let Some(index) = items.iter().position(|item| !item.is_null() && !item.is_object()) {
        let shown = quoted_value(&items[index]);
        causes.invalid(&path.index(index), Raw(&shown), "must be an object for an array of list-type map");
        return;
    }
    let key = |item: &Value| -> Value {
        let fields = schema.list_map_keys.iter().filter_map(|key| Some((key.clone(), item.get(key)?.clone())));
        fields.collect::<Map<_, _>>().into()
    };
    let keys: Vec<Value> = items.iter().map(key).collect();
    for index in repeated(&keys) {
        causes.duplicate(&path.index(index), Raw(&keys[index].to_string()));
    }
}

/// The places of the second occurrences of values.
fn repeated(values: &[Value]) -> Vec<usize> {
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    let mut second = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let times = seen.entry(value.to_string()).or_default();
        *times += 1;
        if *times == 2 {
            second.push(index);
        }
    }
    second
}

/// Checks the numbers of replicas that the scale subresource reads, and the selector.
pub fn scale(scale: &Value, object: &Value, causes: &mut Causes) {
    for field in ["specReplicasPath", "statusReplicasPath"] {
        let path = text(scale, field);
        let at = Path::ROOT.child(path);
        match at_path(object, path) {
            Err(error) => causes.invalid(&at, 0, error),
            Ok(Value::Null) => {}
            Ok(value) => match value.as_i64() {
                None => causes.invalid(&at, 0, wrong_type(path, value, "int64")),
                Some(replicas) if replicas < 0 => causes.invalid(&at, replicas, "should be a non-negative integer"),
                Some(replicas) if replicas > i64::from(i32::MAX) => {
                    causes.invalid(&at, replicas, format!("should be less than or equal to {}", i32::MAX));
                }
                Some(_) => {}
            },
        }
    }
    let path = text(scale, "labelSelectorPath");
    if !path.is_empty() {
        match at_path(object, path) {
            Err(error) => causes.invalid(&Path::ROOT.child(path), "", error),
            Ok(Value::Null | Value::String(_)) => {}
            Ok(value) => causes.invalid(&Path::ROOT.child(path), "", wrong_type(path, value, "string")),
        }
    }
}

/// The value at a path of names; null if it is not there.
fn at_path<'a>(object: &'a Value, path: &str) -> Result<&'a Value, String> {
    let mut value = object;
    for name in path.trim_start_matches('.').split('.') {
        value = match value {
            Value::Object(_) => get(value, name),
            Value::Null => return Ok(value),
            other => return Err(wrong_type(path, other, "map[string]interface{}")),
        };
    }
    Ok(value)
}

/// The error of `unstructured.NestedFieldNoCopy` and its kin.
fn wrong_type(path: &str, value: &Value, wanted: &str) -> String {
    let is = match value {
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        _ => "map[string]interface {}",
    };
    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("{path} accessor error: {shown} is of the type {is}, expected {wanted}")
}
