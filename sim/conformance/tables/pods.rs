//! `podRequests`, `qos` and `podDefaulting`: what a pod asks for.

use k8s_openapi::api::core::v1 as k8s;
use serde_json::{Map, Value, json};

use super::typed;
use crate::api::pod_resources_default::default_pod_resources;
use crate::api::qos::qos_class;
use crate::api::resources::{
    PodLevel, PodResourcesOptions, ResourceList, ResourceSource, node_share, pod_limits, pod_requests,
};

/// Requests and limits, and the pod's share of its node.
pub(super) fn pod_resources(case: &Value) -> Value {
    let pod: k8s::Pod = typed(&case["pod"]);
    let spec = PodResourcesOptions::default();
    let without_pod_level = PodResourcesOptions { pod_level: PodLevel::Skipped, ..spec.clone() };
    let with_status = PodResourcesOptions { source: ResourceSource::SpecAndStatus, ..spec.clone() };
    let share = node_share(&pod);
    json!({
        "requests": texts(&pod_requests(&pod, &spec)),
        "requestsWithoutPodLevel": texts(&pod_requests(&pod, &without_pod_level)),
        "requestsWithStatus": texts(&pod_requests(&pod, &with_status)),
        "limits": texts(&pod_limits(&pod, &spec)),
        "nodeInfo": {
            "milliCPU": share.milli_cpu,
            "memory": share.memory_bytes,
            "ephemeralStorage": share.ephemeral_storage_bytes,
            "scalar": share.scalar,
            "nonZeroMilliCPU": share.non_zero_milli_cpu,
            "nonZeroMemory": share.non_zero_memory_bytes,
        },
    })
}

/// The quality of service class.
pub(super) fn qos(case: &Value) -> Value {
    json!({ "qosClass": qos_class(&typed(&case["pod"])).as_str() })
}

/// Resources and ports after defaulting.
pub(super) fn pod_defaulting(case: &Value) -> Value {
    let mut pod = case["pod"].clone();
    default_pod_resources(&mut pod);
    let spec = &pod["spec"];
    let of_containers = |member: &str| -> Vec<Value> {
        let containers = spec[member].as_array().into_iter().flatten();
        let facts = |container: &Value| {
            let resources = container.get("resources").cloned().unwrap_or_else(|| json!({}));
            json!({ "ports": container["ports"], "resources": resources })
        };
        containers.map(facts).collect()
    };
    json!({
        "containers": of_containers("containers"),
        "initContainers": of_containers("initContainers"),
        "resources": spec["resources"],
    })
}

fn texts(list: &ResourceList) -> Map<String, Value> {
    list.iter().map(|(name, quantity)| (name.clone(), json!(quantity.to_string()))).collect()
}
