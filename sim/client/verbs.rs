//! The simple verbs of kubectl: apply, delete, scale, set image, patch, label, annotate, taint, cordon.

use serde_json::{Map, Value, json};

use super::edit::{create, edit, find, send};
use super::{DeleteOptions, KeyChange, ObjectName, PatchType, TaintChange};
use crate::api::kinds;
use crate::api::patch::{json_merge, json_patch, strategic_merge};
use crate::cluster::{Cluster, KubeletHealth, ObjectRef};

/// Creates or updates one manifest by server-side apply: what it says is set, what the last manifest said and this one does not is
/// removed, the rest stays. Returns the object with kubectl's answer.
pub(super) fn apply(
    cluster: &mut Cluster,
    manifest: &Value,
    last: impl FnOnce(ObjectRef) -> Option<Value>,
) -> Result<(ObjectRef, String), String> {
    let kind = manifest["kind"].as_str().unwrap_or_default();
    let info = kinds::by_kind(kind).ok_or_else(|| format!("error: no matches for kind \"{kind}\""))?;
    let text = |key: &str| manifest["metadata"][key].as_str().unwrap_or_default().to_owned();
    let namespace = match (info.namespaced, text("namespace").as_str()) {
        (false, _) => String::new(),
        (true, "") => "default".to_owned(),
        (true, namespace) => namespace.to_owned(),
    };
    let name = ObjectName { info, namespace, name: text("name") };
    match find(cluster, &name) {
        Err(_) => {
            let object = create(cluster, manifest)?;
            Ok((object, format!("{} serverside-applied", name.text())))
        }
        Ok(object) => {
            let before = cluster.export(object);
            let mut after = before.clone();
            let mut wanted = manifest.clone();
            wanted["metadata"]["namespace"] = before["metadata"]["namespace"].clone();
            crate::api::patch::apply(&mut after, &wanted, last(object).as_ref());
            if after != before {
                send(cluster, object, &before, after)?;
            }
            Ok((object, format!("{} serverside-applied", name.text())))
        }
    }
}

/// Deletes one object.
pub(super) fn delete(cluster: &mut Cluster, name: &ObjectName, options: DeleteOptions) -> Result<String, String> {
    let object = match find(cluster, name) {
        Err(_) if options.ignore_not_found => return Ok(String::new()),
        found => found?,
    };
    match object {
        ObjectRef::Pod(pod) => cluster.delete_pod(pod, options.grace_seconds),
        _ => cluster.delete(object, options.propagation),
    }
    let place = match name.namespace.as_str() {
        "" => String::new(),
        namespace => format!(" from {namespace} namespace"),
    };
    Ok(format!("{} \"{}\" deleted{place}", name.info.singular_resource(), name.name))
}

/// Sets `spec.replicas`.
pub(super) fn scale(cluster: &mut Cluster, name: &ObjectName, replicas: i64) -> Result<String, String> {
    if !matches!(name.info.kind, "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet") {
        return Err(format!("Error from server (NotFound): the server could not find the scale of {}", name.text()));
    }
    edit(cluster, name, |object| {
        object["spec"]["replicas"] = json!(replicas);
        Ok(())
    })?;
    Ok(format!("{} scaled", name.text()))
}

/// Sets container images of a pod template or a pod.
pub(super) fn set_image(
    cluster: &mut Cluster,
    name: &ObjectName,
    images: &[(String, String)],
) -> Result<String, String> {
    let changed = edit(cluster, name, |object| {
        let spec = pod_spec_mut(object);
        for (container, image) in images {
            let mut found = false;
            for list in ["initContainers", "containers"] {
                for entry in spec[list].as_array_mut().into_iter().flatten() {
                    if container == "*" || entry["name"] == container.as_str() {
                        entry["image"] = json!(image);
                        found = true;
                    }
                }
            }
            if !found {
                return Err(format!("error: unable to find container named \"{container}\""));
            }
        }
        Ok(())
    })?;
    Ok(if changed { format!("{} image updated", name.text()) } else { String::new() })
}

fn pod_spec_mut(object: &mut Value) -> &mut Value {
    match object["kind"].as_str() {
        Some("Pod") => &mut object["spec"],
        Some("CronJob") => &mut object["spec"]["jobTemplate"]["spec"]["template"]["spec"],
        _ => &mut object["spec"]["template"]["spec"],
    }
}

/// Changes labels (`field` is `labels`) or annotations.
pub(super) fn set_keys(
    cluster: &mut Cluster,
    name: &ObjectName,
    field: &str,
    changes: &[KeyChange],
) -> Result<String, String> {
    let mut removed_only = true;
    let changed = edit(cluster, name, |object| {
        let metadata = &mut object["metadata"];
        if !metadata[field].is_object() {
            metadata[field] = Value::Object(Map::new());
        }
        let Some(map) = metadata[field].as_object_mut() else { return Ok(()) };
        for change in changes {
            match (&change.value, map.get(&change.key).and_then(Value::as_str)) {
                (None, _) => _ = map.remove(&change.key),
                (Some(new), Some(old)) if new != old && !change.overwrite => {
                    return Err(format!(
                        "error: '{}' already has a value ({old}), and --overwrite is false",
                        change.key
                    ));
                }
                (Some(new), _) => {
                    removed_only = false;
                    map.insert(change.key.clone(), json!(new));
                }
            }
        }
        if map.is_empty()
            && let Some(metadata) = metadata.as_object_mut()
        {
            metadata.remove(field);
        }
        Ok(())
    })?;
    let done = match (field, changed, removed_only) {
        ("labels", false, _) => "not labeled",
        ("labels", true, true) => "unlabeled",
        ("labels", true, false) => "labeled",
        _ => "annotated",
    };
    Ok(format!("{} {done}", name.text()))
}

/// Patches one object.
pub(super) fn patch(
    cluster: &mut Cluster,
    name: &ObjectName,
    kind: PatchType,
    patch: &Value,
) -> Result<String, String> {
    let changed = edit(cluster, name, |object| match kind {
        PatchType::Strategic => {
            strategic_merge(object, patch);
            Ok(())
        }
        PatchType::Merge => {
            json_merge(object, patch);
            Ok(())
        }
        PatchType::Json => json_patch(object, patch),
    })?;
    Ok(format!("{} patched{}", name.text(), if changed { "" } else { " (no change)" }))
}

/// Changes the taints of a node.
pub(super) fn taint(cluster: &mut Cluster, node: &str, changes: &[TaintChange]) -> Result<String, String> {
    let name = node_name(node);
    let mut untainted = false;
    edit(cluster, &name, |object| {
        let mut taints = object["spec"]["taints"].as_array().cloned().unwrap_or_default();
        for change in changes {
            let same = |taint: &Value| {
                taint["key"] == change.key.as_str()
                    && change.effect.is_none_or(|effect| taint["effect"] == effect.as_str())
            };
            let had = taints.iter().any(same);
            if change.remove {
                if !had {
                    return Err(format!("error: taint \"{}\" not found", change.key));
                }
                untainted = true;
            } else if had && !change.overwrite {
                return Err(format!(
                    "error: node {node} already has {} taint(s) with same effect(s) and --overwrite is false",
                    change.key
                ));
            }
            taints.retain(|taint| !same(taint));
            if let (false, Some(effect)) = (change.remove, change.effect) {
                let mut taint = json!({ "key": change.key, "effect": effect.as_str() });
                if !change.value.is_empty() {
                    taint["value"] = json!(change.value);
                }
                taints.push(taint);
            }
        }
        object["spec"]["taints"] = Value::Array(taints);
        Ok(())
    })?;
    let done = if untainted && changes.iter().all(|change| change.remove) { "untainted" } else { "tainted" };
    Ok(format!("node/{node} {done}"))
}

/// Cordons or uncordons a node.
pub(super) fn cordon(cluster: &mut Cluster, node: &str, cordoned: bool) -> Result<String, String> {
    let done = if cordoned { "cordoned" } else { "uncordoned" };
    let ObjectRef::Node(id) = find(cluster, &node_name(node))? else { return Ok(String::new()) };
    if cluster.node(id).unschedulable == cordoned {
        return Ok(format!("node/{node} already {done}"));
    }
    cluster.set_unschedulable(id, cordoned);
    Ok(format!("node/{node} {done}"))
}

/// The name of a node as an object.
pub(super) fn node_name(node: &str) -> ObjectName {
    let info = kinds::by_kind("Node").expect("nodes are a kind");
    ObjectName { info, namespace: String::new(), name: node.to_owned() }
}

/// Asks the eviction API to evict one pod.
pub(super) fn evict(cluster: &mut Cluster, name: &ObjectName) -> Result<String, String> {
    let ObjectRef::Pod(pod) = find(cluster, name)? else { return Err("error: only pods can be evicted".to_owned()) };
    cluster.evict(pod, None).map_err(|refused| refused.text)?;
    Ok(format!("{} evicted", name.text()))
}

/// A node's machine goes away and its object is deleted.
pub(super) fn delete_node(cluster: &mut Cluster, node: &str) -> Result<String, String> {
    let object = find(cluster, &node_name(node))?;
    fail_node(cluster, node)?;
    cluster.delete(object, crate::cluster::Propagation::Background);
    Ok(format!("node \"{node}\" deleted"))
}

/// A node crashes.
pub(super) fn fail_node(cluster: &mut Cluster, node: &str) -> Result<(), String> {
    if let ObjectRef::Node(id) = find(cluster, &node_name(node))? {
        let since = cluster.now();
        cluster.set_kubelet_health(id, KubeletHealth::Down { since });
    }
    Ok(())
}

/// A crashed node comes back.
pub(super) fn recover_node(cluster: &mut Cluster, node: &str) -> Result<(), String> {
    if let ObjectRef::Node(id) = find(cluster, &node_name(node))? {
        cluster.set_kubelet_health(id, KubeletHealth::Running);
    }
    Ok(())
}
