//! Old versions of kinds, as old manifests have them, in the words of the version that is served today.

use serde_json::{Value, json};

use super::view::{ensure, fill, get, get_mut, has, items_mut, put, remove, text};

/// Rewrites an object of a version that is no longer served. The warning says what was done.
pub fn modernize(object: &mut Value) -> Option<String> {
    let (version, kind) = (text(object, "apiVersion").to_owned(), text(object, "kind").to_owned());
    let served = served_version(&version, &kind)?;
    put(object, "apiVersion", served);
    match kind.as_str() {
        "Deployment" => deployment(object, &version),
        "ReplicaSet" => selector(object),
        "DaemonSet" => daemon_set(object, &version),
        "StatefulSet" => stateful_set(object, &version),
        "Ingress" => ingress(object),
        "HorizontalPodAutoscaler" => autoscaler(object),
        "EndpointSlice" => endpoint_slice(object),
        _ => {}
    }
    Some(format!("{version} {kind} is no longer served; it is read as {served}"))
}

/// The version that took over from an old one.
fn served_version(version: &str, kind: &str) -> Option<&'static str> {
    Some(match (version, kind) {
        ("extensions/v1beta1" | "apps/v1beta1" | "apps/v1beta2", "Deployment") => "apps/v1",
        ("extensions/v1beta1" | "apps/v1beta2", "ReplicaSet" | "DaemonSet") => "apps/v1",
        ("apps/v1beta1" | "apps/v1beta2", "StatefulSet" | "ControllerRevision") => "apps/v1",
        ("batch/v1beta1" | "batch/v2alpha1", "CronJob") => "batch/v1",
        ("extensions/v1beta1" | "networking.k8s.io/v1beta1", "Ingress") => "networking.k8s.io/v1",
        ("networking.k8s.io/v1beta1", "IngressClass") => "networking.k8s.io/v1",
        ("extensions/v1beta1", "NetworkPolicy") => "networking.k8s.io/v1",
        ("policy/v1beta1", "PodDisruptionBudget") => "policy/v1",
        ("autoscaling/v2beta1" | "autoscaling/v2beta2", "HorizontalPodAutoscaler") => "autoscaling/v2",
        ("scheduling.k8s.io/v1beta1" | "scheduling.k8s.io/v1alpha1", "PriorityClass") => "scheduling.k8s.io/v1",
        (
            "storage.k8s.io/v1beta1",
            "StorageClass" | "CSIDriver" | "CSINode" | "VolumeAttachment" | "CSIStorageCapacity",
        ) => "storage.k8s.io/v1",
        ("coordination.k8s.io/v1beta1", "Lease") => "coordination.k8s.io/v1",
        ("discovery.k8s.io/v1beta1", "EndpointSlice") => "discovery.k8s.io/v1",
        ("node.k8s.io/v1beta1", "RuntimeClass") => "node.k8s.io/v1",
        (
            "rbac.authorization.k8s.io/v1beta1" | "rbac.authorization.k8s.io/v1alpha1",
            "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding",
        ) => "rbac.authorization.k8s.io/v1",
        _ => return None,
    })
}

/// The old versions took a missing selector from the labels of the template.
fn selector(object: &mut Value) {
    let spec = ensure(object, "spec");
    let labels = get(get(get(spec, "template"), "metadata"), "labels").clone();
    if !has(spec, "selector") && labels.as_object().is_some_and(|labels| !labels.is_empty()) {
        put(spec, "selector", json!({"matchLabels": labels}));
    }
}

fn deployment(object: &mut Value, version: &str) {
    selector(object);
    let spec = ensure(object, "spec");
    remove(spec, "rollbackTo");
    match version {
        "extensions/v1beta1" => {
            let strategy = ensure(spec, "strategy");
            if ["", "RollingUpdate"].contains(&text(strategy, "type")) {
                let rolling = ensure(strategy, "rollingUpdate");
                fill(rolling, "maxUnavailable", 1);
                fill(rolling, "maxSurge", 1);
            }
            fill(spec, "progressDeadlineSeconds", i32::MAX);
            fill(spec, "revisionHistoryLimit", i32::MAX);
        }
        "apps/v1beta1" => fill(spec, "revisionHistoryLimit", 2),
        _ => {}
    }
}

fn daemon_set(object: &mut Value, version: &str) {
    selector(object);
    let spec = ensure(object, "spec");
    remove(spec, "templateGeneration");
    if version == "extensions/v1beta1" {
        let strategy = ensure(spec, "updateStrategy");
        if text(strategy, "type").is_empty() {
            put(strategy, "type", "OnDelete");
        }
    }
}

fn stateful_set(object: &mut Value, version: &str) {
    selector(object);
    if version == "apps/v1beta1" {
        let strategy = ensure(ensure(object, "spec"), "updateStrategy");
        if text(strategy, "type").is_empty() {
            put(strategy, "type", "OnDelete");
        }
    }
}

fn ingress(object: &mut Value) {
    let spec = ensure(object, "spec");
    if let Some(mut backend) = get_mut(spec, "backend").map(Value::take) {
        modern_backend(&mut backend);
        remove(spec, "backend");
        fill(spec, "defaultBackend", backend);
    }
    for rule in items_mut(spec, "rules") {
        let Some(http) = get_mut(rule, "http") else { continue };
        for path in items_mut(http, "paths") {
            fill(path, "pathType", "ImplementationSpecific");
            if let Some(backend) = get_mut(path, "backend") {
                modern_backend(backend);
            }
        }
    }
}

fn modern_backend(backend: &mut Value) {
    if !has(backend, "serviceName") && !has(backend, "servicePort") {
        return;
    }
    let name = get(backend, "serviceName").clone();
    let port = match get(backend, "servicePort") {
        Value::String(name) => json!({"name": name}),
        number => json!({"number": number}),
    };
    remove(backend, "serviceName");
    remove(backend, "servicePort");
    put(backend, "service", json!({"name": name, "port": port}));
}

/// `v2beta1` had its targets beside the metric rather than in `target`.
fn autoscaler(object: &mut Value) {
    let spec = ensure(object, "spec");
    for metric in items_mut(spec, "metrics") {
        for kind in ["resource", "pods", "object", "external", "containerResource"] {
            let Some(source) = get_mut(metric, kind) else { continue };
            if has(source, "target") && !has(get(source, "target"), "kind") {
                continue;
            }
            let mut target = json!({});
            for (old, new, word) in [
                ("targetAverageUtilization", "averageUtilization", "Utilization"),
                ("targetAverageValue", "averageValue", "AverageValue"),
                ("averageValue", "averageValue", "AverageValue"),
                ("targetValue", "value", "Value"),
            ] {
                if has(source, old) {
                    put(&mut target, "type", word);
                    put(&mut target, new, get(source, old).clone());
                    remove(source, old);
                }
            }
            if kind == "object" && has(source, "target") {
                let described = get(source, "target").clone();
                put(source, "describedObject", described);
            }
            put(source, "target", target);
            if has(source, "metricName") {
                let (name, labels) = (get(source, "metricName").clone(), get(source, "metricSelector").clone());
                remove(source, "metricName");
                remove(source, "metricSelector");
                put(source, "metric", json!({"name": name, "selector": labels}));
            }
        }
    }
}

/// The old version had labels where the new one has a node name and a zone.
fn endpoint_slice(object: &mut Value) {
    for endpoint in items_mut(object, "endpoints") {
        let topology = get(endpoint, "topology").clone();
        remove(endpoint, "topology");
        for (key, field) in [("kubernetes.io/hostname", "nodeName"), ("topology.kubernetes.io/zone", "zone")] {
            if has(&topology, key) {
                fill(endpoint, field, get(&topology, key).clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::accept::{AcceptContext, accept};

    #[test]
    fn an_old_deployment_takes_its_selector_from_its_template() {
        let mut object = json!({
            "apiVersion": "apps/v1beta1", "kind": "Deployment", "metadata": {"name": "nginx"},
            "spec": {"replicas": 3, "template": {
                "metadata": {"labels": {"app": "nginx"}},
                "spec": {"containers": [{"name": "nginx", "image": "nginx:1.7.9"}]}
            }}
        });
        assert_eq!(
            modernize(&mut object).as_deref(),
            Some("apps/v1beta1 Deployment is no longer served; it is read as apps/v1")
        );
        let accepted = accept(&object, &AcceptContext::default()).expect("a deployment");
        assert_eq!(accepted.value["spec"]["selector"], json!({"matchLabels": {"app": "nginx"}}));
        assert_eq!(accepted.value["spec"]["revisionHistoryLimit"], 2);
    }

    #[test]
    fn an_old_ingress_and_autoscaler_are_read() {
        let mut ingress = json!({
            "apiVersion": "extensions/v1beta1", "kind": "Ingress", "metadata": {"name": "a"},
            "spec": {"backend": {"serviceName": "s", "servicePort": 80}}
        });
        assert!(modernize(&mut ingress).is_some());
        assert!(accept(&ingress, &AcceptContext::default()).is_ok());
        let mut autoscaler = json!({
            "apiVersion": "autoscaling/v2beta1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"},
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}, "maxReplicas": 3,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "targetAverageUtilization": 50}}]}
        });
        assert!(modernize(&mut autoscaler).is_some());
        let accepted = accept(&autoscaler, &AcceptContext::default());
        assert!(accepted.is_ok(), "{accepted:?}");
        assert_eq!(modernize(&mut json!({"apiVersion": "v1", "kind": "Pod"})), None);
    }
}
