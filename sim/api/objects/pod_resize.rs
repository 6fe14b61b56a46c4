//! What the `resize` subresource of a Pod may change (core `validation.go`, `ValidatePodResize`; KEP 1287 and KEP 5419): CPU and memory
//! of containers, sidecars and the pod as a whole.

use crate::api::causes::{Causes, Path};
use crate::api::view::{entries, get, has, items_mut, list, put, remove, text};
use serde_json::Value;

use super::pod_resources::qos_class;

/// Keeps of `new` only what the subresource is for: resources and resize policies. Everything else is that of `old`.
pub fn prepare(new: &mut Value, old: &Value) {
    let mut kept = old.clone();
    if let Some(spec) = kept.get_mut("spec") {
        copy(get(new, "spec"), spec, "resources");
        for name in ["containers", "initContainers"] {
            for container in items_mut(spec, name) {
                let own = text(container, "name").to_owned();
                let wanted = list(get(new, "spec"), name).iter().find(|other| text(other, "name") == own);
                if let Some(wanted) = wanted {
                    copy(wanted, container, "resources");
                    copy(wanted, container, "resizePolicy");
                }
            }
        }
    }
    *new = kept;
}

fn copy(from: &Value, to: &mut Value, field: &str) {
    match get(from, field) {
        Value::Null => remove(to, field),
        value => put(to, field, value.clone()),
    }
}

/// Checks the resized Pod against the stored one.
pub fn validate(new: &Value, old: &Value, causes: &mut Causes) {
    let (is, was) = (get(new, "spec"), get(old, "spec"));
    let path = Path::ROOT.child("spec");
    if has(get(get(old, "metadata"), "annotations"), "kubernetes.io/config.mirror") {
        return causes.forbidden(&Path::ROOT, "static pods cannot be resized");
    }
    if text(get(was, "os"), "name") == "windows" {
        return causes.forbidden(&Path::ROOT, "windows pods cannot be resized");
    }
    let class = qos_class(was);
    if class != qos_class(is) {
        causes.invalid(&path, class, "Pod QOS Class may not change as a result of resizing");
    }
    if !is_supported(old) {
        causes.forbidden(&path, "Pod running on node without support for resize");
    }
    removals(get(is, "resources"), get(was, "resources"), &path.child("resources"), causes);
    for name in ["initContainers", "containers"] {
        let items = path.child(name);
        for (index, (now, before)) in list(is, name).iter().zip(list(was, name)).enumerate() {
            if name == "containers" || is_sidecar(before) {
                let item = items.index(index);
                removals(get(now, "resources"), get(before, "resources"), &item.child("resources"), causes);
            }
        }
    }
    immutables(is, was, &path, causes);
}

/// All but CPU and memory stays.
fn immutables(is: &Value, was: &Value, path: &Path<'_>, causes: &mut Causes) {
    for (now, before) in list(is, "containers").iter().zip(list(was, "containers")) {
        if without_cpu_and_memory(now, before) != *before {
            causes.forbidden(path, "only cpu and memory resources are mutable");
        }
    }
    for (now, before) in list(is, "initContainers").iter().zip(list(was, "initContainers")) {
        if is_sidecar(now) {
            if without_cpu_and_memory(now, before) != *before {
                causes.forbidden(path, "only cpu and memory resources for sidecar containers are mutable");
            }
        } else if now != before {
            causes.forbidden(path, "resources for non-sidecar init containers are immutable");
        }
    }
    if without_cpu_and_memory(is, was).get("resources") != was.get("resources") {
        causes.forbidden(path, "only cpu and memory resources are mutable");
    }
}

fn is_sidecar(container: &Value) -> bool {
    text(container, "restartPolicy") == "Always"
}

/// Whether the kubelet reports the resources that containers have: one that does not cannot resize.
fn is_supported(pod: &Value) -> bool {
    let statuses = list(get(pod, "status"), "containerStatuses");
    let running = statuses.iter().find(|status| has(get(status, "state"), "running"));
    running.is_none_or(|status| has(status, "resources"))
}

/// A request or limit may change but not go away.
fn removals(is: &Value, was: &Value, path: &Path<'_>, causes: &mut Causes) {
    for kind in ["requests", "limits"] {
        let gone = entries(was, kind).any(|(resource, _)| !has(get(is, kind), resource));
        if gone {
            causes.forbidden(&path.child(kind), &format!("resource {kind} cannot be removed"));
        }
    }
}

/// `holder` with the CPU and memory that `old` has; lists that `old` does not have are left out.
fn without_cpu_and_memory(holder: &Value, old: &Value) -> Value {
    let mut out = holder.clone();
    let was = get(old, "resources");
    let mut resources = get(holder, "resources").clone();
    if resources.is_null() && was.is_null() {
        return out;
    }
    if !resources.is_object() {
        resources = Value::Object(serde_json::Map::new());
    }
    for kind in ["requests", "limits"] {
        if !has(was, kind) {
            remove(&mut resources, kind);
            continue;
        }
        let amounts = crate::api::view::ensure(&mut resources, kind);
        for resource in ["cpu", "memory"] {
            copy(get(was, kind), amounts, resource);
        }
    }
    let is_nothing = was.is_null() && resources.as_object().is_some_and(|fields| fields.is_empty());
    match is_nothing {
        true => remove(&mut out, "resources"),
        false => put(&mut out, "resources", resources),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(resources: Value, sidecar: Value) -> Value {
        json!({
            "metadata": {"name": "p"},
            "spec": {
                "containers": [{"name": "c", "image": "i", "resources": resources}],
                "initContainers": [
                    {"name": "s", "image": "i", "restartPolicy": "Always", "resources": sidecar},
                    {"name": "once", "image": "i", "resources": {}},
                ],
            },
        })
    }

    fn refused(new: &Value, old: &Value) -> Vec<String> {
        let mut new = new.clone();
        prepare(&mut new, old);
        let mut causes = Causes::default();
        validate(&new, old, &mut causes);
        causes.list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_may_be_resized() {
        let burstable = json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}});
        let old = pod(burstable.clone(), json!({"requests": {"cpu": "100m"}}));
        let with = |resources: Value| pod(resources, json!({"requests": {"cpu": "100m"}}));
        let mut once = old.clone();
        once["spec"]["initContainers"][1]["resources"] = json!({"requests": {"cpu": "1"}});
        let mut other = old.clone();
        other["spec"]["containers"][0]["image"] = json!("other");
        let rows: Vec<(&str, Value, Vec<&str>)> = vec![
            ("more cpu", with(json!({"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"memory": "2Gi"}})), vec![]),
            (
                "a lower memory limit",
                with(json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}})),
                vec![],
            ),
            ("a sidecar", pod(burstable.clone(), json!({"requests": {"cpu": "200m"}})), vec![]),
            ("an image beside it is ignored", other, vec![]),
            (
                "a request that goes away",
                with(json!({"requests": {"cpu": "1"}, "limits": {"memory": "2Gi"}})),
                vec!["spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed"],
            ),
            (
                "another resource",
                with(
                    json!({"requests": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"}, "limits": {"memory": "2Gi"}}),
                ),
                vec!["spec: Forbidden: only cpu and memory resources are mutable"],
            ),
            (
                "an init container that ends",
                once,
                vec!["spec: Forbidden: resources for non-sidecar init containers are immutable"],
            ),
        ];
        for (why, new, expected) in rows {
            assert_eq!(refused(&new, &old), expected, "{why}");
        }
    }

    #[test]
    fn the_class_stays() {
        let full = json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}});
        let mut old = pod(full, json!({}));
        old["spec"]["initContainers"] = json!([]);
        let mut new = old.clone();
        new["spec"]["containers"][0]["resources"]["limits"]["cpu"] = json!("2");
        let expected = "spec: Invalid value: \"Guaranteed\": Pod QOS Class may not change as a result of resizing";
        assert_eq!(refused(&new, &old), [expected]);
        old["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
        assert_eq!(refused(&new, &old), ["[]: Forbidden: static pods cannot be resized"]);
    }
}
