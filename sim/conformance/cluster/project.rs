//! Objects as the recordings show them: labels, annotations, owners, counters, conditions, no ids and no times.

use serde_json::{Map, Value, json};

use super::names::Names;

/// Labels that every node has.
const NODE_LABELS: [&str; 6] = [
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "topology.kubernetes.io/region",
];

/// Kinds that are recorded.
pub(super) const KINDS: [&str; 14] = [
    "ControllerRevision",
    "CronJob",
    "DaemonSet",
    "Deployment",
    "EndpointSlice",
    "HorizontalPodAutoscaler",
    "Job",
    "Node",
    "Pod",
    "PodDisruptionBudget",
    "ReplicaSet",
    "ReplicationController",
    "ResourceQuota",
    "StatefulSet",
];

/// An object, as the recordings show it.
pub(super) fn project(exported: &Value, names: &Names, dead: bool) -> Value {
    let kind = exported["kind"].as_str().unwrap_or_default();
    let mut out = Map::new();
    metadata(&mut out, kind, &exported["metadata"], names);
    let (spec, status) = (&exported["spec"], &exported["status"]);
    match kind {
        "Pod" => pod(&mut out, exported, names),
        "Node" => node(&mut out, spec),
        "ControllerRevision" => _ = out.insert("revision".into(), exported["revision"].clone()),
        "EndpointSlice" => endpoint_slice(&mut out, exported, names),
        _ => {
            out.insert("spec".into(), workload_spec(kind, spec));
            out.insert("status".into(), workload_status(kind, status, names));
        }
    }
    if !matches!(kind, "ControllerRevision" | "EndpointSlice" | "CronJob" | "ResourceQuota") {
        out.insert("conditions".into(), conditions(&status["conditions"], names));
    }
    if dead && kind == "Pod" {
        out.insert("deleting".into(), json!(true));
    }
    Value::Object(out)
}

fn metadata(out: &mut Map<String, Value>, kind: &str, metadata: &Value, names: &Names) {
    let labels = metadata["labels"].as_object().into_iter().flatten();
    let labels: Map<String, Value> = labels
        .filter(|(key, _)| kind != "Node" || !NODE_LABELS.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), label(key, value, names)))
        .collect();
    out.insert("labels".into(), Value::Object(labels));
    let annotations = metadata["annotations"].as_object().into_iter().flatten();
    let annotations: Map<String, Value> = annotations
        .filter(|(key, _)| {
            !key.starts_with("node.alpha")
                && !key.starts_with("endpoints.kubernetes.io/")
                && *key != "autoscaling.alpha.kubernetes.io/conditions"
        })
        .map(|(key, value)| {
            let text = value.as_str().unwrap_or_default();
            let is_time = key.ends_with("timestamp") || key.ends_with("restartedAt");
            (key.clone(), json!(if is_time { "<time>".to_owned() } else { names.translate(text) }))
        })
        .collect();
    out.insert("annotations".into(), Value::Object(annotations));
    if let Some(finalizers) = metadata["finalizers"].as_array().filter(|list| !list.is_empty()) {
        out.insert("finalizers".into(), json!(finalizers));
    }
    if !metadata["deletionTimestamp"].is_null() {
        out.insert("deleting".into(), json!(true));
        if let Some(grace) = metadata["deletionGracePeriodSeconds"].as_i64() {
            out.insert("deletionGracePeriodSeconds".into(), json!(grace));
        }
    }
    let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
    let owners: Vec<Value> = owners
        .map(|owner| {
            json!([
                owner["kind"],
                names.translate(owner["name"].as_str().unwrap_or_default()),
                owner["controller"].as_bool().unwrap_or(false)
            ])
        })
        .collect();
    if !owners.is_empty() {
        out.insert("owners".into(), Value::Array(owners));
    }
    if !matches!(kind, "Node" | "ControllerRevision" | "ResourceQuota" | "HorizontalPodAutoscaler") {
        out.insert("generation".into(), metadata["generation"].clone());
    }
}

fn label(key: &str, value: &Value, names: &Names) -> Value {
    let text = names.translate(value.as_str().unwrap_or_default());
    match key {
        "controller-uid" | "batch.kubernetes.io/controller-uid" => json!("<uid>"),
        "pod-template-hash" => names.hash(&text),
        _ => json!(text),
    }
}

fn conditions(list: &Value, names: &Names) -> Value {
    let mut out = Map::new();
    for condition in list.as_array().into_iter().flatten() {
        let mut shown = Map::new();
        for field in ["status", "reason", "message"] {
            if let Some(text) = condition[field].as_str().filter(|text| !text.is_empty()) {
                shown.insert(field.into(), json!(names.translate(text)));
            }
        }
        out.insert(condition["type"].as_str().unwrap_or_default().to_owned(), Value::Object(shown));
    }
    Value::Object(out)
}

fn pod(out: &mut Map<String, Value>, pod: &Value, names: &Names) {
    let (spec, status) = (&pod["spec"], &pod["status"]);
    out.insert("bound".into(), json!(spec["nodeName"].is_string()));
    out.insert("node".into(), spec["nodeName"].clone());
    if let Some(priority) = spec["priority"].as_i64().filter(|&priority| priority != 0) {
        out.insert("priority".into(), json!(priority));
    }
    let tolerations = spec["tolerations"].as_array().into_iter().flatten().map(|toleration| {
        let text = |field: &str| toleration[field].as_str().unwrap_or("None").to_owned();
        let seconds = toleration["tolerationSeconds"].as_i64().map_or("None".to_owned(), |seconds| seconds.to_string());
        json!(format!("{}:{}:{seconds}", text("key"), text("effect")))
    });
    let mut tolerations: Vec<Value> = tolerations.collect();
    tolerations.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    if !tolerations.is_empty() {
        out.insert("tolerations".into(), Value::Array(tolerations));
    }
    out.insert("phase".into(), status["phase"].clone());
    out.insert("qos".into(), status["qosClass"].clone());
    let ready =
        status["conditions"].as_array().into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True");
    out.insert("ready".into(), json!(ready));
    let containers = status["containerStatuses"].as_array().into_iter().flatten().map(|container| {
        let (state, detail) = container["state"].as_object().and_then(|state| state.iter().next()).map_or(("waiting", &Value::Null), |(state, detail)| (state.as_str(), detail));
        let mut shown = json!({
            "name": container["name"], "ready": container["ready"], "restartCount": container["restartCount"], "state": state,
        });
        for field in ["reason", "exitCode"] {
            if !detail[field].is_null() {
                shown[field] = detail[field].clone();
            }
        }
        shown
    });
    let containers: Vec<Value> = containers.collect();
    if !containers.is_empty() {
        out.insert("containers".into(), Value::Array(containers));
    }
    for field in ["hostname", "subdomain"] {
        if let Some(text) = spec[field].as_str().filter(|text| !text.is_empty()) {
            out.insert(field.into(), json!(names.translate(text)));
        }
    }
    out.insert("image".into(), images(spec));
}

fn images(pod_spec: &Value) -> Value {
    Value::Array(
        pod_spec["containers"].as_array().into_iter().flatten().map(|container| container["image"].clone()).collect(),
    )
}

fn node(out: &mut Map<String, Value>, spec: &Value) {
    let mut taints: Vec<String> = spec["taints"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|taint| {
            let text = |field: &str| taint[field].as_str().unwrap_or_default();
            format!("{}={}:{}", text("key"), text("value"), text("effect"))
        })
        .collect();
    taints.sort();
    out.insert("taints".into(), json!(taints));
    out.insert("unschedulable".into(), json!(spec["unschedulable"] == true));
}

fn endpoint_slice(out: &mut Map<String, Value>, slice: &Value, names: &Names) {
    let mut endpoints: Vec<Value> = slice["endpoints"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|endpoint| {
            let condition = |field: &str| endpoint["conditions"][field].as_bool().unwrap_or(false);
            json!({
                "pod": names.translate(endpoint["targetRef"]["name"].as_str().unwrap_or_default()),
                "ready": condition("ready"), "serving": condition("serving"), "terminating": condition("terminating"),
                "node": endpoint["nodeName"], "zone": endpoint["zone"],
            })
        })
        .collect();
    endpoints.sort_by_key(|endpoint| endpoint["pod"].as_str().unwrap_or_default().to_owned());
    out.insert("endpoints".into(), Value::Array(endpoints));
    let ports = slice["ports"].as_array().into_iter().flatten();
    let ports: Vec<Value> = ports.map(|port| json!({ "name": port["name"].as_str().unwrap_or_default(), "port": port["port"], "protocol": port["protocol"] })).collect();
    out.insert("ports".into(), Value::Array(ports));
    out.insert("addressType".into(), slice["addressType"].clone());
}

fn workload_spec(kind: &str, spec: &Value) -> Value {
    let fields: &[&str] = match kind {
        "Deployment" => &["replicas", "progressDeadlineSeconds", "minReadySeconds", "paused"],
        "ReplicaSet" | "ReplicationController" => &["replicas", "minReadySeconds"],
        "StatefulSet" => &["replicas", "podManagementPolicy", "minReadySeconds", "ordinals"],
        "Job" => &[
            "parallelism",
            "completions",
            "suspend",
            "backoffLimit",
            "backoffLimitPerIndex",
            "activeDeadlineSeconds",
            "completionMode",
            "podReplacementPolicy",
        ],
        "CronJob" => {
            &["schedule", "suspend", "concurrencyPolicy", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"]
        }
        "PodDisruptionBudget" => &["minAvailable", "maxUnavailable", "unhealthyPodEvictionPolicy"],
        "HorizontalPodAutoscaler" => &["minReplicas", "maxReplicas"],
        "ResourceQuota" => &["hard"],
        _ => &[],
    };
    let mut out: Map<String, Value> = fields
        .iter()
        .filter(|field| !spec[**field].is_null())
        .map(|field| ((*field).to_owned(), spec[*field].clone()))
        .collect();
    if matches!(kind, "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet" | "DaemonSet") {
        out.insert("images".into(), images(&spec["template"]["spec"]));
    }
    Value::Object(out)
}

fn workload_status(kind: &str, status: &Value, names: &Names) -> Value {
    let mut out = Map::new();
    for (key, value) in status.as_object().into_iter().flatten() {
        match key.as_str() {
            "conditions" | "currentMetrics" | "lastScaleTime" => {}
            "startTime" | "completionTime" | "lastScheduleTime" | "lastSuccessfulTime" => {
                _ = out.insert(key.clone(), json!(true))
            }
            "uncountedTerminatedPods" => _ = out.insert("uncounted".into(), json!({})),
            "disruptedPods" => {
                let pods: Vec<String> =
                    value.as_object().into_iter().flatten().map(|(pod, _)| names.translate(pod)).collect();
                out.insert(key.clone(), json!(pods));
            }
            "active" if kind == "CronJob" => {
                let mut jobs: Vec<String> = value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|job| job["name"].as_str())
                    .map(|job| names.translate(job))
                    .collect();
                jobs.sort();
                out.insert(key.clone(), json!(jobs));
            }
            _ => {
                let shown = value.as_str().map_or_else(|| value.clone(), |text| json!(names.translate(text)));
                out.insert(key.clone(), shown);
            }
        }
    }
    if kind == "CronJob" {
        for (field, default) in
            [("active", json!([])), ("lastScheduleTime", json!(false)), ("lastSuccessfulTime", json!(false))]
        {
            out.entry(field).or_insert(default);
        }
    }
    if kind == "PodDisruptionBudget" {
        out.entry("disruptedPods").or_insert_with(|| json!([]));
    }
    Value::Object(out)
}
