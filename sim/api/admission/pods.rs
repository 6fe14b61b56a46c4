//! Admission of pods: ServiceAccount, Priority, DefaultTolerationSeconds, RuntimeClass, PodTopologyLabels.

use crate::api::view::{ensure, fill, get, has, int, items_mut, list, maybe_int, put, text};
use serde_json::{Value, json};

use super::{Attributes, Lookup};

/// Completes a new Pod, or says why it is forbidden.
pub(super) fn admit(pod: &mut Value, at: &Attributes<'_>, lookup: &dyn Lookup) -> Result<(), String> {
    let spec = ensure(pod, "spec");
    service_account(spec, at, lookup)?;
    priority(spec, lookup)?;
    default_tolerations(spec);
    runtime_class(spec, lookup)
}

/// PodTopologyLabels: a pod that is made on a node has the zone and region of that node.
pub(super) fn topology_labels(pod: &mut Value, lookup: &dyn Lookup) {
    let node = text(get(pod, "spec"), "nodeName").to_owned();
    let Some(labels) = Some(node).filter(|node| !node.is_empty()).and_then(|node| lookup.node_labels(&node)) else {
        return;
    };
    for key in ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"] {
        if has(&labels, key) {
            put(ensure(ensure(pod, "metadata"), "labels"), key, get(&labels, key).clone());
        }
    }
}

/// Completes the new version of a Pod.
pub(super) fn admit_update(new: &mut Value, old: &Value) {
    let spec = ensure(new, "spec");
    for field in ["priority", "preemptionPolicy"] {
        if !has(spec, field) && has(get(old, "spec"), field) {
            put(spec, field, get(get(old, "spec"), field).clone());
        }
    }
    default_tolerations(spec);
}

const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

fn service_account(spec: &mut Value, at: &Attributes<'_>, lookup: &dyn Lookup) -> Result<(), String> {
    let namespace = at.namespace;
    if text(spec, "serviceAccountName").is_empty() {
        put(spec, "serviceAccountName", "default");
    }
    let name = text(spec, "serviceAccountName").to_owned();
    put(spec, "serviceAccount", name.as_str());
    let Some(account) = lookup.service_account(namespace, &name) else {
        return Err(format!("error looking up service account {namespace}/{name}: serviceaccount {name:?} not found"));
    };
    let automount = match get(spec, "automountServiceAccountToken") {
        Value::Bool(own) => *own,
        _ => get(&account, "automountServiceAccountToken") != false,
    };
    if let Some(suffix) = at.token_suffix.filter(|_| automount) {
        mount_token(spec, suffix);
    }
    if list(spec, "imagePullSecrets").is_empty() && !list(&account, "imagePullSecrets").is_empty() {
        put(spec, "imagePullSecrets", get(&account, "imagePullSecrets").clone());
    }
    Ok(())
}

fn mount_token(spec: &mut Value, suffix: &str) {
    let volume = format!("kube-api-access-{suffix}");
    let mut is_needed = false;
    for name in ["initContainers", "containers"] {
        for container in items_mut(spec, name) {
            let mut mounts = list(container, "volumeMounts").to_vec();
            if mounts.iter().any(|mount| text(mount, "mountPath") == TOKEN_PATH) {
                continue;
            }
            mounts.push(json!({"name": volume, "readOnly": true, "mountPath": TOKEN_PATH}));
            put(container, "volumeMounts", mounts);
            is_needed = true;
        }
    }
    if !is_needed {
        return;
    }
    let mut volumes = list(spec, "volumes").to_vec();
    volumes.push(json!({"name": volume, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [
            {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
        ]}},
    ]}}));
    put(spec, "volumes", volumes);
}

fn priority(spec: &mut Value, lookup: &dyn Lookup) -> Result<(), String> {
    let name = text(spec, "priorityClassName").to_owned();
    let class = match name.as_str() {
        "" => lookup.default_priority_class(),
        name => {
            Some(lookup.priority_class(name).ok_or_else(|| format!("no PriorityClass with name {name} was found"))?)
        }
    };
    let (value, policy) = match &class {
        Some(class) => (int(class, "value"), Some(text(class, "preemptionPolicy")).filter(|policy| !policy.is_empty())),
        None => (0, None),
    };
    let policy = policy.unwrap_or("PreemptLowerPriority");
    if name.is_empty()
        && let Some(class) = &class
    {
        let name = text(get(class, "metadata"), "name").to_owned();
        put(spec, "priorityClassName", name);
    }
    if let Some(own) = maybe_int(spec, "priority").filter(|&own| own != value) {
        return Err(format!(
            "the integer value of priority ({own}) must not be provided in pod spec; priority admission controller computed {value} from \
             the given PriorityClass name"
        ));
    }
    put(spec, "priority", value);
    let own = text(spec, "preemptionPolicy");
    if !own.is_empty() && own != policy {
        return Err(format!(
            "the string value of PreemptionPolicy ({own}) must not be provided in pod spec; priority admission controller computed \
             {policy} from the given PriorityClass name"
        ));
    }
    put(spec, "preemptionPolicy", policy);
    Ok(())
}

/// DefaultTolerationSeconds: 300 s on a node that is not ready or not reachable.
fn default_tolerations(spec: &mut Value) {
    let mut tolerations = list(spec, "tolerations").to_vec();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let is_tolerated = tolerations.iter().any(|toleration| {
            let own = text(toleration, "key");
            (own == key || own.is_empty()) && ["NoExecute", ""].contains(&text(toleration, "effect"))
        });
        if !is_tolerated {
            tolerations
                .push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
        }
    }
    if !tolerations.is_empty() {
        put(spec, "tolerations", tolerations);
    }
}

fn runtime_class(spec: &mut Value, lookup: &dyn Lookup) -> Result<(), String> {
    let name = text(spec, "runtimeClassName").to_owned();
    let class = match name.as_str() {
        "" => None,
        name => {
            Some(lookup.runtime_class(name).ok_or_else(|| format!("pod rejected: RuntimeClass {name:?} not found"))?)
        }
    };
    let overhead = class.as_ref().map(|class| get(get(class, "overhead"), "podFixed").clone()).unwrap_or_default();
    if overhead.is_null() {
        if has(spec, "overhead") {
            return Err("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead".to_owned());
        }
    } else if has(spec, "overhead") && *get(spec, "overhead") != overhead {
        return Err("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead".to_owned());
    } else {
        put(spec, "overhead", overhead);
    }
    let Some(class) = class else { return Ok(()) };
    let scheduling = get(&class, "scheduling");
    for (key, value) in crate::api::view::entries(scheduling, "nodeSelector") {
        let own = get(get(spec, "nodeSelector"), key);
        if !own.is_null() && own != value {
            return Err(format!("conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}"));
        }
        fill(ensure(spec, "nodeSelector"), key, value.clone());
    }
    let mut tolerations = list(spec, "tolerations").to_vec();
    for toleration in list(scheduling, "tolerations") {
        if !tolerations.contains(toleration) {
            tolerations.push(toleration.clone());
        }
    }
    if !tolerations.is_empty() {
        put(spec, "tolerations", tolerations);
    }
    Ok(())
}
