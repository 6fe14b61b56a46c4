//! Strategic merge patches (apimachinery, `strategicpatch`): lists with a merge key are merged by it, and `$patch`, `$retainKeys`,
//! `$deleteFromPrimitiveList/...` and `$setElementOrder/...` are obeyed.

use serde_json::{Map, Value};

use super::fields_mut;
use crate::api::schema::{PatchStrategy, Schema, Shape};

/// Applies a patch to an object of a built-in kind.
///
/// # Errors
///
/// The API server's text for a patch that cannot be applied; the object may then have been changed in part.
pub fn strategic_merge(object: &mut Value, patch: &Value) -> Result<(), String> {
    let schema = Schema::builtin();
    let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
    let (version, kind) = (text("apiVersion"), text("kind"));
    match patch {
        Value::Object(changes) => merge_map(schema, schema.shape(&version, &kind), object, changes),
        _ => Err("json: cannot unmarshal array into Go value of type map[string]interface {}".to_owned()),
    }
}

fn merge_map(schema: &Schema, shape: Shape<'_>, target: &mut Value, patch: &Map<String, Value>) -> Result<(), String> {
    match patch.get("$patch").map(|directive| directive.as_str().unwrap_or_default()) {
        Some("replace") => {
            let kept = patch.iter().filter(|(key, _)| !key.starts_with('$'));
            *target = kept.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>().into();
            return Ok(());
        }
        Some("delete") => {
            *target = Value::Object(Map::new());
            return Ok(());
        }
        Some("merge") | None => {}
        Some(other) => return Err(format!("Unknown patch type found: {other}")),
    }
    let fields = fields_mut(target);
    if let Some(kept) = patch.get("$retainKeys") {
        let Some(kept) = kept.as_array() else { return Err("invalid patch format of retainKeys".to_owned()) };
        fields.retain(|key, _| kept.iter().any(|name| name == key.as_str()));
    }
    for (key, change) in patch {
        if let Some(name) = key.strip_prefix("$deleteFromPrimitiveList/") {
            let Some(values) = change.as_array() else {
                return Err("invalid patch format of primitive list".to_owned());
            };
            if let Some(list) = fields.get_mut(name).and_then(Value::as_array_mut) {
                list.retain(|value| !values.contains(value));
            }
        } else if key.starts_with('$') {
            continue;
        } else if change.is_null() {
            fields.remove(key);
        } else {
            merge_field(schema, schema.patch_member(shape, key), fields, key, change)?;
        }
    }
    for (key, order) in patch {
        if let (Some(name), Some(order)) = (key.strip_prefix("$setElementOrder/"), order.as_array())
            && let Some(list) = fields.get_mut(name).and_then(Value::as_array_mut)
        {
            let by = match schema.patch_member(shape, name) {
                Shape::List(_, _, PatchStrategy::MergeBy(by)) => Some(by),
                _ => None,
            };
            set_order(list, order, by);
        }
    }
    Ok(())
}

fn merge_field(
    schema: &Schema,
    shape: Shape<'_>,
    fields: &mut Map<String, Value>,
    key: &str,
    change: &Value,
) -> Result<(), String> {
    match change {
        Value::Object(patch) => {
            if patch.get("$patch").is_some_and(|directive| directive == "delete") {
                fields.remove(key);
                return Ok(());
            }
            merge_map(schema, shape, fields.entry(key).or_insert(Value::Null), patch)
        }
        Value::Array(patch) => merge_list(schema, shape, fields.entry(key).or_insert(Value::Null), patch),
        _ => {
            fields.insert(key.to_owned(), change.clone());
            Ok(())
        }
    }
}

fn merge_list(schema: &Schema, shape: Shape<'_>, target: &mut Value, patch: &[Value]) -> Result<(), String> {
    if !target.is_array() {
        *target = Value::Array(Vec::new());
    }
    let Value::Array(list) = target else { return Ok(()) };
    let strategy = match shape {
        Shape::List(_, _, strategy) => strategy,
        _ => PatchStrategy::Replace,
    };
    let is_directive = |item: &&Value| item.get("$patch").is_some();
    match strategy {
        PatchStrategy::Replace => {
            *list = patch.iter().filter(|item| !is_directive(item)).cloned().collect();
            Ok(())
        }
        PatchStrategy::MergeSet => {
            for value in patch.iter().filter(|value| !value.is_object()) {
                if !list.contains(value) {
                    list.push(value.clone());
                }
            }
            Ok(())
        }
        PatchStrategy::MergeBy(key) => {
            if patch.iter().any(|item| item.get("$patch").is_some_and(|directive| directive == "replace")) {
                *list = patch.iter().filter(|item| !is_directive(item)).cloned().collect();
                return Ok(());
            }
            merge_items(schema, schema.patch_member(shape, ""), list, patch, key)
        }
    }
}

fn merge_items(
    schema: &Schema,
    item_shape: Shape<'_>,
    list: &mut Vec<Value>,
    patch: &[Value],
    key: &str,
) -> Result<(), String> {
    for item in patch {
        let Some(fields) = item.as_object() else {
            return Err(format!("{} is not a map", go_map(item)));
        };
        let Some(id) = fields.get(key) else {
            return Err(format!("map: {} does not contain declared merge key: {key}", go_map(item)));
        };
        if fields.get("$patch").is_some_and(|directive| directive == "delete") {
            list.retain(|old| old.get(key) != Some(id));
        } else if let Some(old) = list.iter_mut().find(|old| old.get(key) == Some(id)) {
            merge_map(schema, item_shape, old, fields)?;
        } else {
            let mut new = Value::Null;
            merge_map(schema, item_shape, &mut new, fields)?;
            list.push(new);
        }
    }
    Ok(())
}

/// Puts the items that `order` names into its order; the others stay behind what they followed.
pub(super) fn set_order(list: &mut Vec<Value>, order: &[Value], by: Option<&str>) {
    let id = |item: &Value| by.map_or_else(|| item.clone(), |by| item.get(by).cloned().unwrap_or_default());
    let place = |item: &Value| order.iter().position(|named| id(named) == id(item));
    let (named, others): (Vec<_>, Vec<_>) =
        std::mem::take(list).into_iter().enumerate().partition(|(_, item)| place(item).is_some());
    let mut sorted = named;
    sorted.sort_by_key(|(_, item)| place(item));
    // An item that only the server has comes before the first named one that it came before.
    let mut others = others.into_iter().peekable();
    for (was, item) in sorted {
        while others.peek().is_some_and(|(other, _)| *other < was) {
            list.extend(others.next().map(|(_, item)| item));
        }
        list.push(item);
    }
    list.extend(others.map(|(_, item)| item));
}

/// A value as Go's `%v` prints it.
pub(super) fn go_map(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{key}:{}", go_map(value))).collect();
            format!("map[{}]", fields.join(" "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(go_map).collect::<Vec<_>>().join(" ")),
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(spec: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "spec": spec})
    }

    fn patched(spec: Value, patch: Value) -> Value {
        let mut object = pod(spec);
        strategic_merge(&mut object, &json!({"spec": patch})).expect("a patch that applies");
        object["spec"].take()
    }

    #[test]
    fn directives_and_merge_keys() {
        let two = json!({"containers": [{"name": "a", "image": "x:1", "args": ["1"]}, {"name": "b"}]});
        for (why, before, patch, after) in [
            (
                "by name",
                two.clone(),
                json!({"containers": [{"name": "a", "image": "x:2"}]}),
                json!({"containers": [{"name": "a", "image": "x:2", "args": ["1"]}, {"name": "b"}]}),
            ),
            (
                "an item is deleted",
                two.clone(),
                json!({"containers": [{"name": "b", "$patch": "delete"}]}),
                json!({"containers": [{"name": "a", "image": "x:1", "args": ["1"]}]}),
            ),
            (
                "the list is replaced",
                two.clone(),
                json!({"containers": [{"name": "c"}, {"$patch": "replace"}]}),
                json!({"containers": [{"name": "c"}]}),
            ),
            (
                "the order is given",
                two,
                json!({"$setElementOrder/containers": [{"name": "c"}, {"name": "b"}], "containers": [{"name": "c"}]}),
                json!({"containers": [{"name": "a", "image": "x:1", "args": ["1"]}, {"name": "c"}, {"name": "b"}]}),
            ),
            (
                "tolerations have no key",
                json!({"tolerations": [{"key": "a"}]}),
                json!({"tolerations": [{"key": "b"}]}),
                json!({"tolerations": [{"key": "b"}]}),
            ),
            (
                "keys are retained",
                json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
                json!({"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}),
                json!({"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]}),
            ),
            (
                "a map is replaced",
                json!({"nodeSelector": {"a": "1", "b": "2"}}),
                json!({"nodeSelector": {"$patch": "replace", "c": "3"}}),
                json!({"nodeSelector": {"c": "3"}}),
            ),
        ] {
            assert_eq!(patched(before, patch), after, "{why}");
        }
        let mut object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"finalizers": ["a/b", "c/d"]}});
        let patch = json!({"metadata": {"finalizers": ["e/f"], "$deleteFromPrimitiveList/finalizers": ["a/b"]}});
        strategic_merge(&mut object, &patch).expect("a patch that applies");
        assert_eq!(object["metadata"]["finalizers"], json!(["c/d", "e/f"]));
    }

    #[test]
    fn an_item_needs_its_key() {
        let mut object = pod(json!({"containers": [{"name": "a"}]}));
        let error =
            strategic_merge(&mut object, &json!({"spec": {"containers": [{"image": "x"}]}})).expect_err("no name");
        assert_eq!(error, "map: map[image:x] does not contain declared merge key: name");
    }
}
