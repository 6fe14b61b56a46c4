//! The simple verbs of kubectl: apply, delete, scale, set image, patch, label, annotate, taint, cordon.

use serde_json::{Map, Value, json};

use super::edit::{edit, find, send_part};
use super::{Eviction, ObjectName};
use crate::api::kinds;
use crate::api::patch::{json_merge, json_patch, strategic_merge};
use crate::api::selector::Selector;
use crate::api::subresource::Subresource;
use crate::cluster::{Cluster, EvictionRefused, KubeletHealth, ObjectRef, PodId, Propagation};
use crate::kubectl::command::{DryRun, PatchType, TaintChange};
use crate::kubectl::messages;

/// The name of a manifest's object; `namespace` is that of objects that name none.
pub(super) fn name_of(cluster: &Cluster, manifest: &Value, namespace: &str) -> Option<ObjectName> {
    let info = cluster.info_of(manifest)?;
    let text = |key: &str| manifest["metadata"][key].as_str().unwrap_or_default();
    let namespace = match (info.namespaced, text("namespace")) {
        (false, _) => "",
        (true, "") => namespace,
        (true, own) => own,
    };
    Some(ObjectName { info, namespace: namespace.to_owned(), name: text("name").to_owned() })
}

/// Deletes one object.
pub(super) fn delete(
    cluster: &mut Cluster,
    name: &ObjectName,
    propagation: Propagation,
    grace_seconds: Option<u32>,
) -> Result<String, String> {
    let object = find(cluster, name)?;
    super::edit::admit_deletion(cluster, object)?;
    let shown = cluster.export(object);
    match object {
        ObjectRef::Pod(pod) => cluster.delete_pod(pod, grace_seconds),
        object => cluster.delete(object, propagation),
    }
    Ok(line(&messages::deleted(&shown, false, DryRun::None)))
}

/// Sets `spec.replicas`.
pub(super) fn scale(
    cluster: &mut Cluster,
    name: &ObjectName,
    replicas: i64,
    current: Option<i64>,
) -> Result<String, String> {
    if !matches!(name.info.kind, "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet") {
        return Err(format!("Error from server (NotFound): the server could not find the scale of {}", name.text()));
    }
    let object = find(cluster, name)?;
    let before = cluster.export(object);
    let present = before["spec"]["replicas"].as_i64().unwrap_or(1);
    if let Some(expected) = current.filter(|&expected| expected != present) {
        return Err(format!("error: Expected replicas to be {expected}, was {present}"));
    }
    let mut after = before.clone();
    after["spec"]["replicas"] = json!(replicas);
    if after != before {
        send_part(cluster, object, &before, after, Some(Subresource::Scale))?;
    }
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
                return Err(line(&messages::no_container(container)));
            }
        }
        Ok(())
    })?;
    if changed { done(cluster, name, "image updated") } else { Ok(String::new()) }
}

/// The pod spec of a pod or the template of a workload.
pub(super) fn pod_spec_mut(object: &mut Value) -> &mut Value {
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
    changes: &[(String, Option<String>)],
    overwrite: bool,
) -> Result<String, String> {
    let (mut removed_only, annotations) = (true, field == "annotations");
    let changed = edit(cluster, name, |object| {
        if !overwrite && let Some(refusal) = messages::overwrite_refused(object, annotations, changes) {
            return Err(line(&refusal));
        }
        let metadata = &mut object["metadata"];
        if !metadata[field].is_object() {
            metadata[field] = Value::Object(Map::new());
        }
        let Some(map) = metadata[field].as_object_mut() else { return Ok(()) };
        for (key, value) in changes {
            match value {
                None => _ = map.remove(key),
                Some(new) => {
                    removed_only = false;
                    map.insert(key.clone(), json!(new));
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
    let result = match (changed, removed_only) {
        (false, _) => messages::Marked::Unchanged,
        (true, true) => messages::Marked::Removed,
        (true, false) => messages::Marked::Set,
    };
    let shown = cluster.export(find(cluster, name)?);
    Ok(line(&messages::marked(&shown, annotations, result, DryRun::None)))
}

/// Patches one object, or a part of it.
pub(super) fn patch(
    cluster: &mut Cluster,
    name: &ObjectName,
    kind: PatchType,
    patch: &Value,
    part: Option<Subresource>,
) -> Result<String, String> {
    let object = find(cluster, name)?;
    if let Some(part) = part.filter(|part| !part.is_of(name.info.kind)) {
        let resource = name.info.resource();
        return Err(format!(
            "Error from server (NotFound): the server could not find the requested resource ({} of {resource})",
            part.as_str()
        ));
    }
    let before = cluster.export(object);
    let mut after = before.clone();
    match kind {
        PatchType::Strategic => {
            strategic_merge(&mut after, patch).map_err(|why| format!("Error from server (BadRequest): {why}"))?;
        }
        PatchType::Merge if !patch.is_object() => {
            return Err("Error from server (BadRequest): json: cannot unmarshal array into Go value of type map[string]interface {}".to_owned());
        }
        PatchType::Merge => json_merge(&mut after, patch),
        PatchType::Json => {
            json_patch(&mut after, patch).map_err(|why| match why.starts_with("the server rejected") {
                true => why,
                false => format!("Error from server (BadRequest): {why}"),
            })?
        }
    }
    if text_at(&after, "name") != text_at(&before, "name") {
        return Err(
            "Error from server (BadRequest): the name of the object does not match the name on the URL".to_owned()
        );
    }
    let version = cluster.meta(object).resource_version;
    if after != before {
        send_part(cluster, object, &before, after, part)?;
    }
    let changed = cluster.meta(object).resource_version != version;
    Ok(line(&messages::patched(&cluster.export(object), changed, DryRun::None)))
}

fn text_at<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// Changes the taints of a node (kubectl, `taint.go` `reorganizeTaints`).
pub(super) fn taint(
    cluster: &mut Cluster,
    node: &str,
    changes: &[TaintChange],
    overwrite: bool,
) -> Result<String, String> {
    let name = node_name(node);
    let (mut added, mut removed) = (false, false);
    edit(cluster, &name, |object| {
        let before = object["spec"]["taints"].as_array().cloned().unwrap_or_default();
        let is = |taint: &Value, change: &TaintChange| {
            taint["key"] == change.key.as_str()
                && (change.effect.is_empty() || taint["effect"] == change.effect.as_str())
        };
        let new = || changes.iter().filter(|change| !change.remove);
        let clash: Vec<&str> =
            new().filter(|change| before.iter().any(|old| is(old, change))).map(|change| change.key.as_str()).collect();
        if !overwrite && !clash.is_empty() {
            return Err(line(&messages::taint_refused(node, &clash)));
        }
        // New taints come first, then the old ones that they do not replace.
        let mut taints: Vec<Value> = new().map(taint_of).collect();
        taints.extend(before.iter().filter(|old| !new().any(|change| is(old, change))).cloned());
        added = taints.len() != before.len();
        for change in changes.iter().filter(|change| change.remove) {
            let n_before = taints.len();
            taints.retain(|taint| !is(taint, change));
            removed = taints.len() != n_before;
            if !removed {
                return Err(line(&messages::taint_not_found(&change.key, &change.effect)));
            }
        }
        object["spec"]["taints"] = Value::Array(taints);
        Ok(())
    })?;
    let shown = cluster.export(find(cluster, &name)?);
    Ok(line(&messages::tainted(&shown, added || overwrite, removed || overwrite, DryRun::None)))
}

fn taint_of(change: &TaintChange) -> Value {
    let mut taint = json!({ "key": change.key, "effect": change.effect });
    if !change.value.is_empty() {
        taint["value"] = json!(change.value);
    }
    taint
}

/// Cordons or uncordons a node.
pub(super) fn cordon(cluster: &mut Cluster, node: &str, cordoned: bool) -> Result<String, String> {
    let object = find(cluster, &node_name(node))?;
    let ObjectRef::Node(id) = object else { return Ok(String::new()) };
    let changed = cluster.node(id).unschedulable != cordoned;
    if changed {
        cluster.set_unschedulable(id, cordoned);
    }
    Ok(line(&messages::cordoned(&cluster.export(object), cordoned, changed, DryRun::None)))
}

/// An answer without its line break.
pub(super) fn line(answer: &str) -> String {
    answer.trim_end_matches('\n').to_owned()
}

/// `deployment.apps/web scaled`
pub(super) fn done(cluster: &Cluster, name: &ObjectName, what: &str) -> Result<String, String> {
    Ok(line(&messages::done(&cluster.export(find(cluster, name)?), what, DryRun::None)))
}

/// The name of a node as an object.
pub(super) fn node_name(node: &str) -> ObjectName {
    let info = kinds::by_kind("Node").expect("nodes are a kind");
    ObjectName { info, namespace: String::new(), name: node.to_owned() }
}

/// The name of a pod whose eviction was asked for, with the refusal if there was one.
pub type EvictionAnswer = (String, Option<EvictionRefused>);

/// The pods that an eviction is about, in order of creation.
pub(super) fn pods_to_evict(cluster: &Cluster, eviction: &Eviction) -> Result<Vec<PodId>, String> {
    let pods: Vec<PodId> = match cluster.find_pod(&eviction.namespace, &eviction.pods) {
        Some(pod) => vec![pod],
        None => {
            let selector: Selector = eviction.pods.parse().map_err(|error| format!("error: {error}"))?;
            let matches = |labels| selector.matches(|key| cluster.interner.value_text(labels, key));
            let mut pods: Vec<PodId> = cluster
                .pods()
                .filter(|(id, pod)| cluster.namespace(*id) == eviction.namespace && matches(pod.meta.labels))
                .map(|(id, _)| id)
                .collect();
            pods.sort_by_key(|&pod| (cluster.pod(pod).meta.created, pod));
            pods
        }
    };
    Ok(pods)
}

/// A node's machine goes away and its object is deleted.
pub(super) fn delete_node(cluster: &mut Cluster, node: &str) -> Result<String, String> {
    let object = find(cluster, &node_name(node))?;
    let answer = messages::deleted(&cluster.export(object), false, DryRun::None);
    fail_node(cluster, node)?;
    cluster.delete(object, crate::cluster::Propagation::Background);
    Ok(line(&answer))
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
