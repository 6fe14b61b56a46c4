//! What the API server fills in about the resources and ports of a pod (`SetDefaults_Pod`, v1.36).
//!
//! It works on the JSON form, in place, and leaves alone what is not of the expected type: validation reports that.

use k8s_openapi::api::core::v1 as k8s;
use serde_json::{Map, Value, json};

use super::quantity::Quantity;
use super::resources::{
    PodResourcesOptions, ResourceList, aggregate_container_limits, aggregate_container_requests, is_huge_page,
    is_pod_level_resource,
};

/// Fills in the resources and ports of a Pod object. Not for pod templates: there only [`default_ports`] and rounding apply.
pub fn default_pod_resources(pod: &mut Value) {
    let Some(spec) = pod.get_mut("spec") else { return };
    round_pod_resources(spec);
    default_ports(spec);
    for container in containers(spec) {
        default_requests_to_limits(container);
    }
    default_pod_level(pod);
    if let Some(spec) = pod.get_mut("spec") {
        default_host_ports(spec);
    }
}

/// Gives every port of a pod spec the protocol TCP if it names none.
pub fn default_ports(spec: &mut Value) {
    for port in containers(spec).filter_map(|container| container.get_mut("ports")?.as_array_mut()).flatten() {
        if let Some(port) = port.as_object_mut() {
            let protocol = port.entry("protocol").or_insert(Value::Null);
            if protocol.is_null() || protocol == "" {
                *protocol = json!("TCP");
            }
        }
    }
}

/// Gives every port of a pod spec on the host's network its own number as host port. For pod templates too.
pub fn default_host_ports(spec: &mut Value) {
    if spec.get("hostNetwork") != Some(&Value::Bool(true)) {
        return;
    }
    for port in containers(spec).filter_map(|container| container.get_mut("ports")?.as_array_mut()).flatten() {
        if let Some(port) = port.as_object_mut() {
            let number = port.get("containerPort").cloned().unwrap_or_default();
            let unset = port.get("hostPort").is_none_or(|host_port| host_port.is_null() || host_port == 0);
            if unset && !number.is_null() {
                port.insert("hostPort".to_owned(), number);
            }
        }
    }
}

/// Rounds every amount of a pod spec up to thousandths and writes it canonically. For pod templates too.
pub fn round_pod_resources(spec: &mut Value) {
    for container in containers(spec) {
        round_requirements(container);
    }
    round_requirements(spec);
    if let Some(overhead) = spec.get_mut("overhead").and_then(Value::as_object_mut) {
        round_list(overhead);
    }
}

fn containers(spec: &mut Value) -> impl Iterator<Item = &mut Value> {
    let members = spec.as_object_mut().into_iter().flatten();
    members
        .filter(|(member, _)| matches!(member.as_str(), "containers" | "initContainers"))
        .filter_map(|(_, list)| list.as_array_mut())
        .flatten()
}

/// A limit without request is requested whole.
fn default_requests_to_limits(container: &mut Value) {
    let Some(resources) = container.get_mut("resources").and_then(Value::as_object_mut) else { return };
    let Some(limits) = resources.get("limits").and_then(Value::as_object).filter(|limits| !limits.is_empty()).cloned()
    else {
        return;
    };
    let requests = resources.entry("requests").or_insert(Value::Null);
    if requests.is_null() {
        *requests = json!({});
    }
    if let Some(requests) = requests.as_object_mut() {
        for (name, limit) in limits {
            requests.entry(name).or_insert(limit);
        }
    }
}

/// Completes pod-level resources that are set in part: limits of huge pages from the containers; then, if there are limits,
/// requests from the containers, else from the pod's limits.
fn default_pod_level(pod: &mut Value) {
    let is_set = |list: &str| pod["spec"]["resources"][list].as_object().is_some_and(|list| !list.is_empty());
    if !is_set("requests") && !is_set("limits") {
        return;
    }
    let Ok(typed) = serde_json::from_value::<k8s::Pod>(pod.clone()) else { return };
    let options = PodResourcesOptions::default();
    let Some(resources) = pod.pointer_mut("/spec/resources").and_then(Value::as_object_mut) else { return };
    let mut requests = resources.get("requests").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut limits = resources.get("limits").and_then(Value::as_object).cloned().unwrap_or_default();
    let insert_missing = |list: &mut Map<String, Value>, from: ResourceList, accept: &dyn Fn(&str) -> bool| {
        for (name, quantity) in from.into_iter().filter(|(name, _)| accept(name)) {
            list.entry(name).or_insert_with(|| json!(quantity.to_string()));
        }
    };
    insert_missing(&mut limits, aggregate_container_limits(&typed, &options), &|name| {
        is_huge_page(name) && !requests.contains_key(name)
    });
    if !limits.is_empty() {
        insert_missing(&mut requests, aggregate_container_requests(&typed, &options), &|name| {
            is_pod_level_resource(name) && !is_huge_page(name)
        });
        for (name, limit) in limits.iter().filter(|(name, _)| is_pod_level_resource(name)) {
            requests.entry(name.clone()).or_insert_with(|| limit.clone());
        }
    }
    for (member, list) in [("limits", limits), ("requests", requests)] {
        if !list.is_empty() {
            resources.insert(member.to_owned(), Value::Object(list));
        }
    }
}

fn round_requirements(owner: &mut Value) {
    let Some(resources) = owner.get_mut("resources").and_then(Value::as_object_mut) else { return };
    for member in ["limits", "requests"] {
        if let Some(list) = resources.get_mut(member).and_then(Value::as_object_mut) {
            round_list(list);
            // The API drops empty lists.
            if list.is_empty() {
                resources.remove(member);
            }
        }
    }
}

fn round_list(list: &mut Map<String, Value>) {
    for (_, value) in list.iter_mut() {
        if let Ok(mut quantity) = serde_json::from_value::<Quantity>(value.clone()) {
            quantity.round_up_to_milli();
            *value = json!(quantity.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_completed() {
        for (spec, member, expected, why) in [
            (
                json!({ "containers": [{ "resources": { "limits": { "cpu": "0.5" } } }] }),
                "/containers/0/resources/requests/cpu",
                json!("500m"),
                "a limit is requested",
            ),
            (
                json!({ "containers": [{ "resources": { "limits": { "cpu": "1" }, "requests": { "cpu": "0" } } }] }),
                "/containers/0/resources/requests/cpu",
                json!("0"),
                "unless a request is there",
            ),
            (
                json!({ "containers": [{ "name": "c", "resources": { "limits": { "hugepages-2Mi": "4Mi" } } }],
                        "resources": { "limits": { "cpu": "2" } } }),
                "/resources",
                json!({ "limits": { "cpu": "2", "hugepages-2Mi": "4Mi" }, "requests": { "cpu": "2", "hugepages-2Mi": "4Mi" } }),
                "pod-level huge pages from the containers, requests from limits",
            ),
            (
                json!({ "hostNetwork": true, "containers": [{ "ports": [{ "containerPort": 80 }] }] }),
                "/containers/0/ports/0",
                json!({ "containerPort": 80, "hostPort": 80, "protocol": "TCP" }),
                "on the host's network a port is the host's",
            ),
            (
                json!({ "containers": [{ "name": "c", "resources": { "requests": { "cpu": "1" } } }],
                        "resources": { "requests": { "memory": "1Gi" } } }),
                "/resources",
                json!({ "requests": { "memory": "1Gi" } }),
                "without pod-level limits the requests stay as they are",
            ),
            (
                json!({ "containers": [{ "resources": { "limits": {}, "requests": { "cpu": 1 } } }] }),
                "/containers/0/resources",
                json!({ "requests": { "cpu": "1" } }),
                "empty lists vanish",
            ),
            (json!({ "overhead": { "cpu": "1u" } }), "/overhead/cpu", json!("1m"), "amounts are in thousandths"),
            (json!({ "containers": [7, { "ports": [null] }] }), "/containers/0", json!(7), "what is no pod stays"),
        ] {
            let mut pod = json!({ "spec": spec });
            default_pod_resources(&mut pod);
            assert_eq!(pod["spec"].pointer(member), Some(&expected), "{why}");
        }
    }
}
