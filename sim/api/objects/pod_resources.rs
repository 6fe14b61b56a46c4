//! Resources of a whole pod: `spec.resources`, and the quality of service class.

use crate::api::causes::{Causes, Path};
use crate::api::quantity::Quantity;
use crate::api::view::{ensure, entries, fill, get, get_mut, has, list, text};
use serde_json::Value;
use std::collections::BTreeMap;

use super::resources::{self, is_huge_page, quantity};

fn is_supported(resource: &str) -> bool {
    resource == "cpu" || resource == "memory" || is_huge_page(resource)
}

/// Fills in the requests of the pod: its limits, or for what only its containers ask for, their total.
pub(super) fn default(spec: &mut Value) {
    if !has(spec, "resources") {
        return;
    }
    let totals = container_requests(spec);
    let limits: Vec<(String, Value)> = entries(get(spec, "resources"), "limits")
        .map(|(resource, amount)| (resource.to_owned(), amount.clone()))
        .collect();
    let mut requests = Vec::new();
    for (resource, amount) in totals {
        let is_set = has(get(get(spec, "resources"), "requests"), &resource);
        let has_limit = limits.iter().any(|(limited, _)| *limited == resource);
        if is_supported(&resource) && !is_set && (has_limit || has(get(spec, "resources"), "requests")) {
            requests.push((resource, Value::from(amount.to_string())));
        }
    }
    requests.extend(limits.into_iter().filter(|(resource, _)| is_supported(resource)));
    let Some(own) = get_mut(spec, "resources") else { return };
    if requests.is_empty() {
        return;
    }
    let own = ensure(own, "requests");
    for (resource, amount) in requests {
        fill(own, &resource, amount);
    }
}

/// What the containers ask for: the sum of the main ones, or the largest init container if that is more.
fn container_requests(spec: &Value) -> BTreeMap<String, Quantity> {
    let mut total: BTreeMap<String, Quantity> = BTreeMap::new();
    for container in list(spec, "containers") {
        for (resource, amount) in entries(get(container, "resources"), "requests") {
            total.entry(resource.to_owned()).or_insert(Quantity::ZERO).add(&quantity(amount));
        }
    }
    let mut sidecars: BTreeMap<String, Quantity> = BTreeMap::new();
    let mut largest: BTreeMap<String, Quantity> = BTreeMap::new();
    for container in list(spec, "initContainers") {
        let is_sidecar = text(container, "restartPolicy") == "Always";
        for (resource, amount) in entries(get(container, "resources"), "requests") {
            let mut amount = quantity(amount);
            if is_sidecar {
                total.entry(resource.to_owned()).or_insert(Quantity::ZERO).add(&amount);
                let sum = sidecars.entry(resource.to_owned()).or_insert(Quantity::ZERO);
                sum.add(&amount);
                amount = sum.clone();
            } else if let Some(before) = sidecars.get(resource) {
                amount.add(before);
            }
            let most = largest.entry(resource.to_owned()).or_insert(Quantity::ZERO);
            if amount > *most {
                *most = amount;
            }
        }
    }
    for (resource, amount) in largest {
        let entry = total.entry(resource).or_insert(Quantity::ZERO);
        if amount > *entry {
            *entry = amount;
        }
    }
    total
}

/// Checks `spec.resources`.
pub(super) fn validate(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let own = get(spec, "resources");
    if own.is_null() {
        return;
    }
    let path = path.child("resources");
    if text(get(spec, "os"), "name") == "windows" {
        causes.forbidden(&path, "may not be set for a windows pod");
        return;
    }
    if has(own, "claims") {
        causes.forbidden(&path.child("claims"), "claims may not be set for Resources at pod-level");
    }
    let requests = path.child("requests");
    resources::requirements(own, pod_level_name, &path, causes);
    let totals = container_requests(spec);
    for (resource, total) in &totals {
        if let Some(request) = get(own, "requests").get(resource)
            && *total > quantity(request)
        {
            let total = Value::from(total.to_string());
            let request = request.as_str().unwrap_or("0");
            let what = format!(
                "must be greater than or equal to aggregate container requests of {}",
                total.as_str().unwrap_or("")
            );
            causes.invalid(&requests.key(resource), request, what);
        }
    }
    container_limits(spec, own, &path, causes);
}

fn pod_level_name(resource: &str, path: &Path<'_>, causes: &mut Causes) {
    let before = causes.list.len();
    resources::name(resource, path, causes);
    if causes.list.len() == before && !is_supported(resource) {
        causes.not_supported(path, resource, &["cpu", "hugepages-", "memory"]);
    }
}

fn container_limits(spec: &Value, own: &Value, path: &Path<'_>, causes: &mut Causes) {
    let containers = path.child("containers");
    for (index, container) in list(spec, "containers").iter().enumerate() {
        for (resource, amount) in entries(get(container, "resources"), "limits") {
            let Some(limit) = get(own, "limits").get(resource) else { continue };
            if quantity(amount) > quantity(limit) {
                let item = containers.index(index);
                let key = item.key(resource);
                let limit = limit.as_str().unwrap_or("0");
                causes.invalid(
                    &key.child("limits"),
                    amount,
                    format!("must be less than or equal to pod limits of {limit}"),
                );
            }
        }
    }
}

/// `Guaranteed`, `Burstable` or `BestEffort`.
pub fn qos_class(spec: &Value) -> &'static str {
    let of_pod = get(spec, "resources");
    let holders: Vec<&Value> = if of_pod.is_null() {
        list(spec, "containers")
            .iter()
            .chain(list(spec, "initContainers"))
            .map(|container| get(container, "resources"))
            .collect()
    } else {
        vec![of_pod]
    };
    let mut any = false;
    let mut guaranteed = true;
    for holder in holders {
        for resource in ["cpu", "memory"] {
            let amount = |kind: &str| get(holder, kind).get(resource).map(quantity).filter(|amount| !amount.is_zero());
            let (request, limit) = (amount("requests"), amount("limits"));
            any |= request.is_some() || limit.is_some();
            guaranteed &= limit.is_some() && (request.is_none() || request == limit);
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}
