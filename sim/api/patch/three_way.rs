//! `kubectl apply` on the client: what the manifest says is set, what the last manifest said and this one does not is removed, the rest
//! stays (kubectl, `apply.Patcher`; apimachinery, `CreateThreeWayMergePatch`).

use serde_json::{Value, json};

use super::fields_mut;
use super::strategic::{go_map, set_order};
use crate::api::schema::{PatchStrategy, Schema, Shape};

/// The annotation that keeps the last manifest.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A manifest with itself as its annotation, as kubectl sends it.
pub fn with_last_applied(manifest: &Value) -> Value {
    let mut annotated = manifest.clone();
    let metadata = fields_mut(&mut annotated).entry("metadata").or_insert_with(|| json!({}));
    let annotations = fields_mut(metadata).entry("annotations").or_insert_with(|| json!({}));
    fields_mut(annotations).remove(LAST_APPLIED);
    let text = format!("{annotated}\n");
    annotated["metadata"]["annotations"][LAST_APPLIED] = Value::from(text);
    annotated
}

/// Merges `manifest` into `live`; `last` is the manifest applied before. Kinds without a schema are merged as plain JSON.
///
/// # Errors
///
/// kubectl's text for lists that cannot be merged: an item lacks the key by which items are told apart.
pub fn three_way_merge(live: &Value, last: &Value, manifest: &Value) -> Result<Value, String> {
    let schema = Schema::builtin();
    let text = |key: &str| manifest[key].as_str().unwrap_or_default();
    let mut merged = live.clone();
    merge(schema, schema.shape(text("apiVersion"), text("kind")), &mut merged, last, manifest)?;
    Ok(merged)
}

fn merge(schema: &Schema, shape: Shape<'_>, live: &mut Value, last: &Value, manifest: &Value) -> Result<(), String> {
    match manifest {
        Value::Object(wanted) => {
            let before = live.clone();
            let fields = fields_mut(live);
            for (key, _) in last.as_object().into_iter().flatten().filter(|(key, _)| !wanted.contains_key(*key)) {
                fields.remove(key);
            }
            for (key, value) in wanted {
                if value.is_null() {
                    fields.remove(key);
                    continue;
                }
                let was = last.get(key).unwrap_or(&Value::Null);
                let shape = schema.patch_member(shape, key);
                merge(schema, shape, fields.entry(key).or_insert(Value::Null), was, value)?;
            }
            // A union keeps what the manifest names and nothing else, once anything in it changes.
            if schema.retains_keys(shape) && *live != before {
                fields_mut(live).retain(|key, _| wanted.contains_key(key));
            }
        }
        Value::Array(wanted) => merge_list(schema, shape, live, last, wanted)?,
        scalar => live.clone_from(scalar),
    }
    Ok(())
}

fn merge_list(
    schema: &Schema,
    shape: Shape<'_>,
    live: &mut Value,
    last: &Value,
    wanted: &[Value],
) -> Result<(), String> {
    let strategy = match shape {
        Shape::List(_, _, strategy) => strategy,
        _ => PatchStrategy::Replace,
    };
    if !live.is_array() {
        *live = Value::Array(Vec::new());
    }
    let Value::Array(list) = live else { return Ok(()) };
    let last = last.as_array().map_or(&[][..], Vec::as_slice);
    match strategy {
        PatchStrategy::Replace => *list = wanted.to_vec(),
        PatchStrategy::MergeSet => {
            list.retain(|value| wanted.contains(value) || !last.contains(value));
            let new: Vec<Value> = wanted.iter().filter(|value| !list.contains(value)).cloned().collect();
            list.extend(new);
        }
        PatchStrategy::MergeBy(key) => merge_items(schema, shape, list, (last, wanted), key)?,
    }
    Ok(())
}

/// Merges items by a key. kubectl compares the items of one key in pairs, the first with the first and so on; what differs becomes
/// a patch, which the server applies to the first item that it finds.
fn merge_items(
    schema: &Schema,
    shape: Shape<'_>,
    list: &mut Vec<Value>,
    (last, wanted): (&[Value], &[Value]),
    key: &str,
) -> Result<(), String> {
    for items in [list.as_slice(), last] {
        let lacking = items.iter().chain(wanted).find(|item| item.get(key).is_none());
        if let Some(item) = lacking.filter(|_| !items.is_empty()) {
            return Err(format!("map: {} does not contain declared merge key: {key}", go_map(item)));
        }
    }
    let id = |item: &Value| item.get(key).cloned().unwrap_or_default();
    let nth =
        |items: &[Value], wanted: &Value, n: usize| items.iter().filter(|item| id(item) == id(wanted)).nth(n).cloned();
    let live = list.clone();
    list.retain(|item| nth(wanted, item, 0).is_some() || nth(last, item, 0).is_none());
    let item_shape = schema.patch_member(shape, "");
    for (index, item) in wanted.iter().enumerate() {
        let n = wanted[..index].iter().filter(|other| id(other) == id(item)).count();
        let was = nth(last, item, n).unwrap_or_default();
        let pair = nth(&live, item, n);
        if let Some(pair) = &pair {
            let mut merged = pair.clone();
            merge(schema, item_shape, &mut merged, &was, item)?;
            if merged == *pair {
                continue;
            }
        }
        match list.iter_mut().find(|old| id(old) == id(item)) {
            Some(old) => merge(schema, item_shape, old, &was, item)?,
            None => {
                let mut new = Value::Null;
                merge(schema, item_shape, &mut new, &Value::Null, item)?;
                list.push(new);
            }
        }
    }
    set_order(list, wanted, Some(key));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(spec: Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec})
    }

    fn applied(live: Value, last: Value, manifest: Value) -> Value {
        let merged = three_way_merge(&deployment(live), &deployment(last), &deployment(manifest));
        merged.expect("lists with keys")["spec"].take()
    }

    #[test]
    fn what_was_applied_and_is_no_longer_named_goes() {
        let containers = |list: Value| json!({"template": {"spec": {"containers": list}}});
        for (why, live, last, manifest, after) in [
            (
                "a number that someone else set stays",
                json!({"replicas": 5, "paused": true}),
                json!({"paused": true}),
                json!({"minReadySeconds": 3}),
                json!({"replicas": 5, "minReadySeconds": 3}),
            ),
            (
                "another type of strategy takes its parameters away",
                json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}),
                json!({}),
                json!({"strategy": {"type": "Recreate"}}),
                json!({"strategy": {"type": "Recreate"}}),
            ),
            (
                "the same type leaves the defaults",
                json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}),
                json!({}),
                json!({"strategy": {"type": "RollingUpdate"}}),
                json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}),
            ),
            (
                "containers by name, an injected one stays",
                containers(json!([{"name": "a", "image": "1", "tty": true}, {"name": "proxy"}, {"name": "b"}])),
                containers(json!([{"name": "a", "image": "1", "tty": true}, {"name": "b"}])),
                containers(json!([{"name": "c"}, {"name": "a", "image": "2"}])),
                containers(json!([{"name": "proxy"}, {"name": "c"}, {"name": "a", "image": "2"}])),
            ),
        ] {
            let got = applied(live, last, manifest);
            if why.starts_with("containers") {
                let names = |spec: &Value| {
                    let list = spec["template"]["spec"]["containers"].as_array().cloned().unwrap_or_default();
                    let mut names: Vec<String> = list.iter().map(ToString::to_string).collect();
                    names.sort();
                    names
                };
                assert_eq!(names(&got), names(&after), "{why}");
            } else {
                assert_eq!(got, after, "{why}");
            }
        }
    }

    #[test]
    fn the_annotation_holds_the_manifest_without_itself() {
        let manifest = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "b"}});
        let once = with_last_applied(&manifest);
        let text = once["metadata"]["annotations"][LAST_APPLIED].as_str().expect("the annotation");
        assert_eq!(
            text,
            "{\"apiVersion\":\"v1\",\"data\":{\"a\":\"b\"},\"kind\":\"ConfigMap\",\"metadata\":{\"annotations\":{},\"name\":\"x\"}}\n"
        );
        assert_eq!(with_last_applied(&once), once);
        let live = three_way_merge(&json!({}), &Value::Null, &once).expect("no lists");
        assert_eq!(three_way_merge(&live, &manifest, &once), Ok(live), "applied twice is applied once");
    }

    #[test]
    fn items_of_one_key_are_compared_in_pairs() {
        let env = |list: Value| {
            let spec = json!({"containers": [{"name": "c", "env": list}]});
            json!({"apiVersion": "v1", "kind": "Pod", "spec": spec})
        };
        let two = env(json!([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]));
        assert_eq!(three_way_merge(&two, &two, &two), Ok(two.clone()), "nothing to do");
        let one = env(json!([{"name": "A", "value": "3"}]));
        let merged = three_way_merge(&one, &Value::Null, &two).expect("lists with keys");
        let single = json!([{"name": "A", "value": "2"}]);
        assert_eq!(merged["spec"]["containers"][0]["env"], single, "both patches meet one item");
        let secrets = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"imagePullSecrets": [{}]}});
        let refused = "map: map[] does not contain declared merge key: name".to_owned();
        assert_eq!(three_way_merge(&secrets, &secrets, &secrets), Err(refused), "an item without its key");
    }
}
