//! JSON patches (RFC 6902), with the words of the library that the API server uses (`evanphx/json-patch`).

use serde_json::Value;

/// Applies a list of operations, each with `op`, `path` and `value` or `from`.
///
/// # Errors
///
/// The API server's text for the first operation that cannot be done.
pub fn json_patch(object: &mut Value, operations: &Value) -> Result<(), String> {
    let Some(list) = operations.as_array() else {
        let kind = match operations {
            Value::Object(_) => "object",
            Value::String(_) => "string",
            Value::Bool(_) => "bool",
            _ => "number",
        };
        return Err(format!("json: cannot unmarshal {kind} into Go value of type jsonpatch.Patch"));
    };
    let mut patched = object.clone();
    for operation in list {
        apply(&mut patched, operation)?;
    }
    *object = patched;
    Ok(())
}

const REJECTED: &str = "the server rejected our request due to an error in our request";

fn apply(object: &mut Value, operation: &Value) -> Result<(), String> {
    let text = |key: &str| operation[key].as_str().unwrap_or_default();
    let (op, path) = (text("op"), text("path"));
    let missing =
        |_: ()| format!("{REJECTED} ({op} operation does not apply: doc is missing path: {path:?}: missing value)");
    match op {
        "add" => insert(object, path, operation["value"].clone()).ok_or(()).map_err(missing),
        "replace" => match object.pointer_mut(path) {
            Some(place) => {
                *place = operation["value"].clone();
                Ok(())
            }
            None => Err(missing(())),
        },
        "remove" => take(object, path).map(drop).ok_or(()).map_err(missing),
        "test" => match object.pointer(path).unwrap_or(&Value::Null) == &operation["value"] {
            true => Ok(()),
            false => Err(format!("{REJECTED} (testing value {path} failed: test failed)")),
        },
        "move" | "copy" => {
            let from = text("from");
            let value = if op == "move" { take(object, from) } else { object.pointer(from).cloned() };
            insert(object, path, value.ok_or(()).map_err(missing)?).ok_or(()).map_err(missing)
        }
        _ => Err(format!("{REJECTED} (Unexpected kind: {op})")),
    }
}

fn split(path: &str) -> Option<(&str, String)> {
    let (parent, last) = path.rsplit_once('/')?;
    Some((parent, last.replace("~1", "/").replace("~0", "~")))
}

fn insert(object: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *object = value;
        return Some(());
    }
    let (parent, last) = split(path)?;
    match object.pointer_mut(parent)? {
        Value::Object(fields) => _ = fields.insert(last, value),
        Value::Array(list) if last == "-" => list.push(value),
        Value::Array(list) => {
            let idx: usize = last.parse().ok().filter(|&idx| idx <= list.len())?;
            list.insert(idx, value);
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
    fn json_patches_point() {
        let mut object = json!({"a": [1, 2], "b": {"x/y": 1}});
        let patch = json!([
            {"op": "add", "path": "/a/-", "value": 3}, {"op": "remove", "path": "/b/x~1y"},
            {"op": "test", "path": "/a/0", "value": 1}, {"op": "copy", "from": "/a/0", "path": "/c"},
        ]);
        json_patch(&mut object, &patch).expect("all operations apply");
        assert_eq!(object, json!({"a": [1, 2, 3], "b": {}, "c": 1}));
    }

    #[test]
    fn a_patch_is_applied_as_a_whole_or_not_at_all() {
        let before = json!({"a": 1});
        for patch in [
            json!([{"op": "add", "path": "/b", "value": 1}, {"op": "replace", "path": "/no", "value": 1}]),
            json!([{"op": "remove", "path": "/a"}, {"op": "test", "path": "/a", "value": 2}]),
            json!([{"op": "add", "path": "/a/b/c", "value": 1}]),
            json!([{"op": "twist", "path": "/a"}]),
            json!({"op": "add"}),
        ] {
            let mut object = before.clone();
            assert!(json_patch(&mut object, &patch).is_err(), "{patch}");
            assert_eq!(object, before, "{patch}");
        }
    }
}
