//! LimitRanger: the defaults and the bounds that a namespace's LimitRanges set for containers and pods.

use crate::api::quantity::Quantity;
use crate::api::view::{ensure, entries, fill, get, items_mut, list, put, text};
use serde_json::Value;
use std::collections::BTreeMap;

/// Gives a new Pod the namespace's defaults, and notes which in an annotation.
pub fn default_pod(pod: &mut Value, limit_ranges: &[&Value]) {
    for range in limit_ranges {
        let items = list(get(range, "spec"), "limits");
        let Some(item) = items.iter().find(|item| text(item, "type") == "Container") else { continue };
        let mut notes = Vec::new();
        for name in ["containers", "initContainers"] {
            let what = if name == "containers" { "container" } else { "init container" };
            for container in items_mut(ensure(pod, "spec"), name) {
                default_container(container, item, what, &mut notes);
            }
        }
        if !notes.is_empty() {
            let annotations = ensure(ensure(pod, "metadata"), "annotations");
            put(annotations, "kubernetes.io/limit-ranger", format!("LimitRanger plugin set: {}", notes.join("; ")));
        }
    }
}

fn default_container(container: &mut Value, item: &Value, what: &str, notes: &mut Vec<String>) {
    let name = text(container, "name").to_owned();
    for (from, to, word) in [("defaultRequest", "requests", "request"), ("default", "limits", "limit")] {
        let defaults: Vec<(String, Value)> =
            entries(item, from).map(|(resource, amount)| (resource.to_owned(), amount.clone())).collect();
        let mut set = Vec::new();
        for (resource, amount) in defaults {
            let own = get(get(container, "resources"), to);
            if own.get(&resource).is_none() {
                fill(ensure(ensure(container, "resources"), to), &resource, amount);
                set.push(resource);
            }
        }
        if !set.is_empty() {
            notes.push(format!("{} {word} for {what} {name}", set.join(", ")));
        }
    }
}

/// What is wrong with a Pod under the namespace's LimitRanges, in the words of the plugin; empty if nothing is.
pub fn check_pod(pod: &Value, limit_ranges: &[&Value]) -> Vec<String> {
    let spec = get(pod, "spec");
    let mut errors = Vec::new();
    for item in limit_ranges.iter().flat_map(|range| list(get(range, "spec"), "limits")) {
        match text(item, "type") {
            "Container" => {
                for container in list(spec, "containers").iter().chain(list(spec, "initContainers")) {
                    let resources = get(container, "resources");
                    check(
                        item,
                        "Container",
                        &amounts(resources, "requests"),
                        &amounts(resources, "limits"),
                        &mut errors,
                    );
                }
            }
            "Pod" => check(item, "Pod", &pod_total(spec, "requests"), &pod_total(spec, "limits"), &mut errors),
            _ => {}
        }
    }
    errors
}

/// What is wrong with a claim under the namespace's LimitRanges.
pub fn check_claim(claim: &Value, limit_ranges: &[&Value]) -> Vec<String> {
    let requests = amounts(get(get(claim, "spec"), "resources"), "requests");
    let mut errors = Vec::new();
    for item in limit_ranges.iter().flat_map(|range| list(get(range, "spec"), "limits")) {
        if text(item, "type") == "PersistentVolumeClaim" {
            for (resource, bound) in amounts(item, "min") {
                minimum(&resource, "PersistentVolumeClaim", &bound, requests.get(&resource), None, &mut errors);
            }
            for (resource, bound) in amounts(item, "max") {
                let request = requests.get(&resource);
                if request.is_some_and(|request| *request > bound) {
                    let request = request.map(Quantity::to_string).unwrap_or_default();
                    errors.push(format!(
                        "maximum {resource} usage per PersistentVolumeClaim is {bound}, but request is {request}"
                    ));
                }
            }
        }
    }
    errors
}

type Amounts = BTreeMap<String, Quantity>;

fn amounts(holder: &Value, kind: &str) -> Amounts {
    entries(holder, kind)
        .filter_map(|(resource, amount)| Some((resource.to_owned(), amount.as_str()?.parse().ok()?)))
        .collect()
}

/// The total of a pod: its containers, or the largest init container if that is more; sidecars count as containers.
fn pod_total(spec: &Value, kind: &str) -> Amounts {
    let mut total = Amounts::new();
    let mut most = Amounts::new();
    let add = |sum: &mut Amounts, container: &Value| {
        for (resource, amount) in amounts(get(container, "resources"), kind) {
            sum.entry(resource).or_insert(Quantity::ZERO).add(&amount);
        }
    };
    for container in list(spec, "containers") {
        add(&mut total, container);
    }
    for container in list(spec, "initContainers") {
        if text(container, "restartPolicy") == "Always" {
            add(&mut total, container);
            continue;
        }
        for (resource, amount) in amounts(get(container, "resources"), kind) {
            let entry = most.entry(resource).or_insert(Quantity::ZERO);
            if amount > *entry {
                *entry = amount;
            }
        }
    }
    for (resource, amount) in most {
        let entry = total.entry(resource).or_insert(Quantity::ZERO);
        if amount > *entry {
            *entry = amount;
        }
    }
    total
}

fn check(item: &Value, of: &str, requests: &Amounts, limits: &Amounts, errors: &mut Vec<String>) {
    for (resource, bound) in amounts(item, "min") {
        minimum(&resource, of, &bound, requests.get(&resource), limits.get(&resource), errors);
    }
    for (resource, bound) in amounts(item, "max") {
        maximum(&resource, of, &bound, requests.get(&resource), limits.get(&resource), errors);
    }
    for (resource, bound) in amounts(item, "maxLimitRequestRatio") {
        ratio(&resource, of, &bound, requests.get(&resource), limits.get(&resource), errors);
    }
}

fn minimum(
    resource: &str,
    of: &str,
    bound: &Quantity,
    request: Option<&Quantity>,
    limit: Option<&Quantity>,
    errors: &mut Vec<String>,
) {
    let what = format!("minimum {resource} usage per {of} is {bound}");
    match (request, limit) {
        (None, _) => errors.push(format!("{what}.  No request is specified")),
        (Some(request), _) if request < bound => errors.push(format!("{what}, but request is {request}")),
        (_, Some(limit)) if limit < bound => errors.push(format!("{what}, but limit is {limit}")),
        _ => {}
    }
}

fn maximum(
    resource: &str,
    of: &str,
    bound: &Quantity,
    request: Option<&Quantity>,
    limit: Option<&Quantity>,
    errors: &mut Vec<String>,
) {
    let what = format!("maximum {resource} usage per {of} is {bound}");
    match (request, limit) {
        (_, None) => errors.push(format!("{what}.  No limit is specified")),
        (_, Some(limit)) if limit > bound => errors.push(format!("{what}, but limit is {limit}")),
        (Some(request), _) if request > bound => errors.push(format!("{what}, but request is {request}")),
        _ => {}
    }
}

fn ratio(
    resource: &str,
    of: &str,
    bound: &Quantity,
    request: Option<&Quantity>,
    limit: Option<&Quantity>,
    errors: &mut Vec<String>,
) {
    let what = format!("{resource} max limit to request ratio per {of} is {bound}");
    let Some(request) = request.filter(|request| !request.is_zero()) else {
        errors.push(format!("{what}, but no request is specified or request is 0"));
        return;
    };
    let Some(limit) = limit.filter(|limit| !limit.is_zero()) else {
        errors.push(format!("{what}, but no limit is specified or limit is 0"));
        return;
    };
    let observed = limit.to_f64() / request.to_f64();
    if observed > bound.to_f64() {
        errors.push(format!("{what}, but provided ratio is {observed:.6}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn range(kind: &str, field: &str, amounts: Value) -> Value {
        json!({"spec": {"limits": [{"type": kind, field: amounts}]}})
    }

    fn pod(n: usize, requests: Value, limits: Value) -> Value {
        let container = json!({"name": "foo", "resources": {"requests": requests, "limits": limits}});
        json!({"spec": {"containers": vec![container; n]}})
    }

    #[test]
    fn bounds_of_containers_and_pods() {
        let min = range("Container", "min", json!({"cpu": "50m"}));
        let errors = check_pod(&pod(1, json!({"cpu": "40m"}), json!({})), &[&min]);
        assert_eq!(errors, ["minimum cpu usage per Container is 50m, but request is 40m"]);
        assert!(check_pod(&pod(1, json!({"cpu": "100m"}), json!({})), &[&min]).is_empty());
        let max = range("Pod", "max", json!({"cpu": "2"}));
        assert!(check_pod(&pod(2, json!({}), json!({"cpu": "1"})), &[&max]).is_empty());
        let errors = check_pod(&pod(3, json!({}), json!({"cpu": "1"})), &[&max]);
        assert_eq!(errors, ["maximum cpu usage per Pod is 2, but limit is 3"]);
        let ratio = range("Container", "maxLimitRequestRatio", json!({"cpu": "1500m"}));
        let errors = check_pod(&pod(1, json!({"cpu": "1250m"}), json!({"cpu": "2500m"})), &[&ratio]);
        assert_eq!(errors, ["cpu max limit to request ratio per Container is 1500m, but provided ratio is 2.000000"]);
    }

    #[test]
    fn defaults_are_noted() {
        let range = json!({"spec": {"limits": [{"type": "Container",
            "defaultRequest": {"cpu": "50m", "memory": "5Mi"}, "default": {"cpu": "75m", "memory": "10Mi"}}]}});
        let mut pod = json!({"spec": {"containers": [{"name": "foo-0"}]}});
        default_pod(&mut pod, &[&range]);
        assert_eq!(
            pod["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
            "LimitRanger plugin set: cpu, memory request for container foo-0; cpu, memory limit for container foo-0"
        );
    }
}
