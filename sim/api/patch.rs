//! Patches: strategic merge, JSON merge (RFC 7386), JSON patch (RFC 6902), and apply.
//!
//! Lists whose entries have a key are merged by it (`patchMergeKey` of the API types); other lists are replaced. Directives of the
//! strategic merge patch (`$patch: delete | replace`, `$retainKeys`, `$deleteFromPrimitiveList/...`, `$setElementOrder/...`) are
//! understood. The work is bounded by the sizes of object and patch.

use serde_json::{Map, Value};

/// Fields that are lists merged by a key, with that key (`patchMergeKey`).
const MERGE_KEYS: &[(&str, &str)] = &[
    ("containers", "name"),
    ("initContainers", "name"),
    ("ephemeralContainers", "name"),
    ("env", "name"),
    ("volumes", "name"),
    ("volumeMounts", "mountPath"),
    ("volumeDevices", "devicePath"),
    ("imagePullSecrets", "name"),
    ("hostAliases", "ip"),
    ("topologySpreadConstraints", "topologyKey"),
    ("conditions", "type"),
    ("ownerReferences", "uid"),
    ("secrets", "name"),
    ("schedulingGates", "name"),
    ("resourceClaims", "name"),
    ("addresses", "type"),
    ("taints", "key"),
];

/// Lists of plain values that are merged as sets.
const MERGED_SETS: &[&str] = &["finalizers"];

/// A strategic merge patch.
pub fn strategic_merge(object: &mut Value, patch: &Value) {
    merge_value("", object, patch, Mode::Patch);
}

/// A JSON merge patch: null deletes, objects are merged, everything else is replaced.
pub fn json_merge(object: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        object.clone_from(patch);
        return;
    };
    for (key, change) in changes {
        if change.is_null() {
            if let Some(fields) = object.as_object_mut() {
                fields.remove(key);
            }
        } else {
            json_merge(fields_mut(object).entry(key).or_insert(Value::Null), change);
        }
    }
}

/// A JSON patch: a list of operations, each with `op`, `path` and `value` or `from`.
///
/// # Errors
///
/// The API server's text for the first operation that cannot be done.
pub fn json_patch(object: &mut Value, operations: &Value) -> Result<(), String> {
    let Some(operations) = operations.as_array() else {
        return Err(
            "error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch".to_owned()
        );
    };
    for operation in operations {
        json_operation(object, operation)?;
    }
    Ok(())
}

/// Applies a manifest: what it says is set; what `last`, the manifest that the same client applied before, said and this one does
/// not is removed; the rest stays.
pub fn apply(object: &mut Value, manifest: &Value, last: Option<&Value>) {
    if let Some(last) = last {
        prune("", object, last, manifest);
    }
    merge_value("", object, manifest, Mode::Apply);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Null deletes, directives are obeyed.
    Patch,
    /// Null is left out, nothing is a directive.
    Apply,
}

/// The key by which the entries of a list are told apart, if the list is merged.
fn merge_key(field: &str, list: &[Value]) -> Option<&'static str> {
    let key = match field {
        "ports" => {
            let has = |key: &str| list.iter().any(|entry| entry.get(key).is_some());
            if has("containerPort") { "containerPort" } else { "port" }
        }
        _ => MERGE_KEYS.iter().find(|(name, _)| *name == field)?.1,
    };
    list.iter().all(|entry| entry.get(key).is_some() || entry.get("$patch").is_some()).then_some(key)
}

fn merge_value(field: &str, target: &mut Value, patch: &Value, mode: Mode) {
    match patch {
        Value::Object(changes) => merge_object(target, changes, mode),
        Value::Array(list) => merge_list(field, target, list, mode),
        _ => target.clone_from(patch),
    }
}

fn merge_object(target: &mut Value, changes: &Map<String, Value>, mode: Mode) {
    if mode == Mode::Patch && changes.get("$patch").is_some_and(|directive| directive == "replace") {
        let kept = changes.iter().filter(|(key, _)| !key.starts_with('$'));
        *target = kept.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>().into();
        return;
    }
    let fields = fields_mut(target);
    if mode == Mode::Patch
        && let Some(kept) = changes.get("$retainKeys").and_then(Value::as_array)
    {
        fields.retain(|key, _| kept.iter().any(|name| name == key.as_str()));
    }
    for (key, change) in changes {
        if mode == Mode::Patch && key.starts_with('$') {
            if let (Some(name), Some(values)) = (key.strip_prefix("$deleteFromPrimitiveList/"), change.as_array())
                && let Some(list) = fields.get_mut(name).and_then(Value::as_array_mut)
            {
                list.retain(|value| !values.contains(value));
            }
        } else if change.is_null() {
            if mode == Mode::Patch {
                fields.remove(key);
            }
        } else if mode == Mode::Patch && change.get("$patch").is_some_and(|directive| directive == "delete") {
            fields.remove(key);
        } else {
            merge_value(key, fields.entry(key).or_insert(Value::Null), change, mode);
        }
    }
}

fn merge_list(field: &str, target: &mut Value, patch: &[Value], mode: Mode) {
    if !target.is_array() {
        *target = Value::Array(Vec::new());
    }
    let Some(list) = target.as_array_mut() else { return };
    if MERGED_SETS.contains(&field) {
        for value in patch.iter().filter(|value| !value.is_object()) {
            if !list.contains(value) {
                list.push(value.clone());
            }
        }
        return;
    }
    let replaces = patch.iter().any(|entry| entry["$patch"] == "replace");
    let Some(key) = merge_key(field, patch).filter(|_| !replaces) else {
        *list = patch.iter().filter(|entry| entry.get("$patch").is_none()).cloned().collect();
        return;
    };
    for entry in patch {
        let same = |old: &Value| old[key] == entry[key] && (field != "ports" || protocol(old) == protocol(entry));
        if mode == Mode::Patch && entry["$patch"] == "delete" {
            list.retain(|old| !same(old));
        } else if let Some(old) = list.iter_mut().find(|old| same(old)) {
            merge_value("", old, entry, mode);
        } else {
            list.push(entry.clone());
        }
    }
}

fn protocol(port: &Value) -> &str {
    port["protocol"].as_str().unwrap_or("TCP")
}

/// Removes from `object` what `last` set and `new` does not name.
fn prune(field: &str, object: &mut Value, last: &Value, new: &Value) {
    match (object, last, new) {
        (Value::Object(fields), Value::Object(last), Value::Object(new)) => {
            for (key, was) in last {
                match new.get(key) {
                    None => _ = fields.remove(key),
                    Some(now) => {
                        if let Some(value) = fields.get_mut(key) {
                            prune(key, value, was, now);
                        }
                    }
                }
            }
        }
        (Value::Array(list), Value::Array(last), Value::Array(new)) => {
            let Some(key) = merge_key(field, last) else { return };
            list.retain(|entry| {
                let named = |list: &[Value]| list.iter().any(|other| other[key] == entry[key]);
                !named(last) || named(new)
            });
            for entry in list {
                let find = |list: &[Value]| list.iter().find(|other| other[key] == entry[key]).cloned();
                if let (Some(was), Some(now)) = (find(last), find(new)) {
                    prune("", entry, &was, &now);
                }
            }
        }
        _ => {}
    }
}

fn fields_mut(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was just made an object")
}

fn json_operation(object: &mut Value, operation: &Value) -> Result<(), String> {
    let text = |key: &str| operation[key].as_str().unwrap_or_default();
    let (op, path) = (text("op"), text("path"));
    let missing = || {
        format!(
            "the server rejected our request due to an error in our request: {op} operation does not apply: doc is missing path: {path}"
        )
    };
    match op {
        "add" | "replace" => {
            if op == "replace" && object.pointer(path).is_none() {
                return Err(missing());
            }
            insert(object, path, operation["value"].clone(), op == "add").ok_or_else(missing)
        }
        "remove" => take(object, path).map(drop).ok_or_else(missing),
        "test" => match object.pointer(path) == Some(&operation["value"]) {
            true => Ok(()),
            false => Err(format!(
                "the server rejected our request due to an error in our request: testing value {path} failed"
            )),
        },
        "move" | "copy" => {
            let from = text("from");
            let value = if op == "move" { take(object, from) } else { object.pointer(from).cloned() };
            insert(object, path, value.ok_or_else(missing)?, true).ok_or_else(missing)
        }
        _ => Err(format!("Unexpected kind: {op}")),
    }
}

fn split(path: &str) -> Option<(&str, String)> {
    let (parent, last) = path.rsplit_once('/')?;
    Some((parent, last.replace("~1", "/").replace("~0", "~")))
}

fn insert(object: &mut Value, path: &str, value: Value, add: bool) -> Option<()> {
    if path.is_empty() {
        *object = value;
        return Some(());
    }
    let (parent, last) = split(path)?;
    match object.pointer_mut(parent)? {
        Value::Object(fields) => _ = fields.insert(last, value),
        Value::Array(list) if last == "-" && add => list.push(value),
        Value::Array(list) => {
            let idx: usize = last.parse().ok()?;
            match add {
                true if idx <= list.len() => list.insert(idx, value),
                _ => *list.get_mut(idx)? = value,
            }
        }
        _ => return None,
    }
    Some(())
}

fn take(object: &mut Value, path: &str) -> Option<Value> {
    let (parent, last) = split(path)?;
    match object.pointer_mut(parent)? {
        Value::Object(fields) => fields.remove(&last),
        Value::Array(list) => {
            let idx: usize = last.parse().ok()?;
            (idx < list.len()).then(|| list.remove(idx))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn containers_are_merged_by_name() {
        let mut object = json!({"spec": {"containers": [{"name": "a", "image": "x:1", "args": ["1"]}, {"name": "b"}]}});
        strategic_merge(&mut object, &json!({"spec": {"containers": [{"name": "a", "image": "x:2"}]}}));
        assert_eq!(object["spec"]["containers"], json!([{"name": "a", "image": "x:2", "args": ["1"]}, {"name": "b"}]));
        strategic_merge(&mut object, &json!({"spec": {"containers": [{"name": "b", "$patch": "delete"}]}}));
        assert_eq!(object["spec"]["containers"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn merge_patches_replace_lists_and_delete_by_null() {
        let mut object = json!({"a": [1, 2], "b": {"c": 1, "d": 2}});
        json_merge(&mut object, &json!({"a": [3], "b": {"c": null}}));
        assert_eq!(object, json!({"a": [3], "b": {"d": 2}}));
    }

    #[test]
    fn json_patches_point() {
        let mut object = json!({"a": [1, 2], "b": {"x/y": 1}});
        let patch = json!([{"op": "add", "path": "/a/-", "value": 3}, {"op": "remove", "path": "/b/x~1y"}, {"op": "test", "path": "/a/0", "value": 1}]);
        json_patch(&mut object, &patch).expect("all operations apply");
        assert_eq!(object, json!({"a": [1, 2, 3], "b": {}}));
        assert!(json_patch(&mut object, &json!([{"op": "replace", "path": "/no", "value": 1}])).is_err());
    }

    #[test]
    fn applying_removes_what_was_applied_before() {
        let mut object = json!({"spec": {"replicas": 5, "paused": true, "strategy": {"type": "Recreate"}}});
        let last = json!({"spec": {"paused": true, "replicas": 3}});
        apply(&mut object, &json!({"spec": {"paused": true}}), Some(&last));
        assert_eq!(object, json!({"spec": {"paused": true, "strategy": {"type": "Recreate"}}}));
    }
}
