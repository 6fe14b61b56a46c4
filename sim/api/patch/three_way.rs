//! `kubectl apply` on the client: what the manifest says is set, what the last manifest said and this one does not is removed, the rest
//! stays (kubectl, `apply.Patcher`; apimachinery, `CreateThreeWayMergePatch`).

use serde_json::{Value, json};

use super::fields_mut;
use super::strategic::set_order;
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
pub fn three_way_merge(live: &Value, last: &Value, manifest: &Value) -> Value {
    let schema = Schema::builtin();
    let text = |key: &str| manifest[key].as_str().unwrap_or_default();
    let mut merged = live.clone();
    merge(schema, schema.shape(text("apiVersion"), text("kind")), &mut merged, last, manifest);
    merged
}

fn merge(schema: &Schema, shape: Shape<'_>, live: &mut Value, last: &Value, manifest: &Value) {
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
                merge(schema, schema.patch_member(shape, key), fields.entry(key).or_insert(Value::Null), was, value);
            }
            // A union keeps what the manifest names and nothing else, once anything in it changes.
            if schema.retains_keys(shape) && *live != before {
                fields_mut(live).retain(|key, _| wanted.contains_key(key));
            }
        }
        Value::Array(wanted) => merge_list(schema, shape, live, last, wanted),
        scalar => live.clone_from(scalar),
    }
}

fn merge_list(schema: &Schema, shape: Shape<'_>, live: &mut Value, last: &Value, wanted: &[Value]) {
    let strategy = match shape {
        Shape::List(_, _, strategy) => strategy,
        _ => PatchStrategy::Replace,
    };
    if !live.is_array() {
        *live = Value::Array(Vec::new());
    }
    let Value::Array(list) = live else { return };
    let last = last.as_array().map_or(&[][..], Vec::as_slice);
    match strategy {
        PatchStrategy::Replace => *list = wanted.to_vec(),
        PatchStrategy::MergeSet => {
            list.retain(|value| wanted.contains(value) || !last.contains(value));
            let new: Vec<Value> = wanted.iter().filter(|value| !list.contains(value)).cloned().collect();
            list.extend(new);
        }
        PatchStrategy::MergeBy(key) => {
            let id = |item: &Value| item.get(key).cloned().unwrap_or_default();
            let of = |items: &[Value], wanted: &Value| items.iter().find(|item| id(item) == id(wanted)).cloned();
            list.retain(|item| of(wanted, item).is_some() || of(last, item).is_none());
            let item_shape = schema.patch_member(shape, "");
            for item in wanted {
                let was = of(last, item).unwrap_or_default();
                match list.iter_mut().find(|old| id(old) == id(item)) {
                    Some(old) => merge(schema, item_shape, old, &was, item),
                    None => {
                        let mut new = Value::Null;
                        merge(schema, item_shape, &mut new, &Value::Null, item);
                        list.push(new);
                    }
                }
            }
            set_order(list, wanted, Some(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(spec: Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec})
    }

    fn applied(live: Value, last: Value, manifest: Value) -> Value {
        three_way_merge(&deployment(live), &deployment(last), &deployment(manifest))["spec"].take()
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
        let live = three_way_merge(&json!({}), &Value::Null, &once);
        assert_eq!(three_way_merge(&live, &manifest, &once), live, "applied twice is applied once");
    }
}
