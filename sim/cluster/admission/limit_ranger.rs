//! LimitRanger: defaults, then checks (kube-apiserver v1.36, `plugin/pkg/admission/limitranger`).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;

use super::Rejection;
use crate::api::quantity::Quantity;
use crate::api::resources::{Overhead, PodResourcesOptions, ResourceList, pod_limits, pod_requests, to_list};

type ApiList = BTreeMap<String, ApiQuantity>;

/// Gives containers the requests and limits that they lack. Returns the text of the annotation that says so.
pub(super) fn apply_defaults(spec: &mut core::PodSpec, ranges: &[core::LimitRange]) -> Option<String> {
    let mut annotation = None;
    for range in ranges {
        let (requests, limits) = container_defaults(range);
        let mut notes = Vec::new();
        for container in &mut spec.containers {
            merge(container, &requests, &limits, "container", &mut notes);
        }
        for container in spec.init_containers.iter_mut().flatten() {
            merge(container, &requests, &limits, "init container", &mut notes);
        }
        if !notes.is_empty() {
            annotation = Some(format!("LimitRanger plugin set: {}", notes.join("; ")));
        }
    }
    annotation
}

/// Checks every limit of every range.
pub(super) fn check(spec: &core::PodSpec, ranges: &[core::LimitRange]) -> Result<(), Rejection> {
    check_requests_within_limits(spec)?;
    for range in ranges {
        let errors = violations(spec, range);
        match errors.as_slice() {
            [] => {}
            [error] => return Err(Rejection::Forbidden(error.clone())),
            _ => return Err(Rejection::Forbidden(format!("[{}]", errors.join(", ")))),
        }
    }
    Ok(())
}

/// What a range sets for containers, with the API's own defaulting of the range: a default limit from the maximum, a default
/// request from the default limit, else from the minimum.
fn container_defaults(range: &core::LimitRange) -> (ApiList, ApiList) {
    let (mut requests, mut limits) = (ApiList::new(), ApiList::new());
    for item in items(range).filter(|item| item.type_ == "Container") {
        let mut default = item.default.clone().unwrap_or_default();
        for (name, max) in item.max.iter().flatten() {
            default.entry(name.clone()).or_insert_with(|| max.clone());
        }
        let mut default_request = item.default_request.clone().unwrap_or_default();
        for (name, amount) in default.iter().chain(item.min.iter().flatten()) {
            default_request.entry(name.clone()).or_insert_with(|| amount.clone());
        }
        requests.extend(default_request);
        limits.extend(default);
    }
    (requests, limits)
}

fn items(range: &core::LimitRange) -> impl Iterator<Item = &core::LimitRangeItem> {
    range.spec.iter().flat_map(|spec| &spec.limits)
}

fn merge(container: &mut core::Container, requests: &ApiList, limits: &ApiList, what: &str, notes: &mut Vec<String>) {
    let name = container.name.clone();
    let resources = container.resources.get_or_insert_default();
    for (own, defaults, list) in
        [(&mut resources.requests, requests, "request"), (&mut resources.limits, limits, "limit")]
    {
        let own = own.get_or_insert_default();
        let missing: Vec<&str> = defaults.keys().filter(|key| !own.contains_key(*key)).map(String::as_str).collect();
        if !missing.is_empty() {
            notes.push(format!("{} {list} for {what} {name}", missing.join(", ")));
            let added: Vec<_> = missing.into_iter().map(|key| (key.to_owned(), defaults[key].clone())).collect();
            own.extend(added);
        }
    }
    resources.requests = resources.requests.take().filter(|list| !list.is_empty());
    resources.limits = resources.limits.take().filter(|list| !list.is_empty());
}

/// Validation runs after admission has mutated the pod: a default limit below a given request makes the pod invalid.
fn check_requests_within_limits(spec: &core::PodSpec) -> Result<(), Rejection> {
    for (idx, container) in spec.containers.iter().enumerate() {
        let Some(resources) = &container.resources else { continue };
        let limits = to_list(resources.limits.as_ref());
        for (name, request) in to_list(resources.requests.as_ref()) {
            if let Some(limit) = limits.get(&name).filter(|limit| request > **limit) {
                return Err(Rejection::Invalid(format!(
                    "spec.containers[{idx}].resources.requests: Invalid value: \"{request}\": must be less than or equal to {name} \
                     limit of {limit}"
                )));
            }
        }
    }
    Ok(())
}

fn violations(spec: &core::PodSpec, range: &core::LimitRange) -> Vec<String> {
    let mut errors = Vec::new();
    for item in items(range) {
        match item.type_.as_str() {
            "Container" => {
                for container in spec.containers.iter().chain(spec.init_containers.iter().flatten()) {
                    let resources = container.resources.clone().unwrap_or_default();
                    let (requests, limits) = (to_list(resources.requests.as_ref()), to_list(resources.limits.as_ref()));
                    check_item(item, &requests, &limits, &mut errors);
                }
            }
            "Pod" => {
                let pod = core::Pod { spec: Some(spec.clone()), ..core::Pod::default() };
                let options = PodResourcesOptions { overhead: Overhead::Excluded, ..PodResourcesOptions::default() };
                check_item(item, &pod_requests(&pod, &options), &pod_limits(&pod, &options), &mut errors);
            }
            _ => {}
        }
    }
    errors
}

fn check_item(item: &core::LimitRangeItem, requests: &ResourceList, limits: &ResourceList, errors: &mut Vec<String>) {
    let kind = &item.type_;
    for (name, bound) in to_list(item.min.as_ref()) {
        errors.extend(below_minimum(kind, &name, &bound, requests.get(&name), limits.get(&name)));
    }
    for (name, bound) in to_list(item.max.as_ref()) {
        errors.extend(above_maximum(kind, &name, &bound, requests.get(&name), limits.get(&name)));
    }
    for (name, bound) in to_list(item.max_limit_request_ratio.as_ref()) {
        errors.extend(above_ratio(kind, &name, &bound, requests.get(&name), limits.get(&name)));
    }
}

fn below_minimum(
    kind: &str,
    name: &str,
    bound: &Quantity,
    request: Option<&Quantity>,
    limit: Option<&Quantity>,
) -> Option<String> {
    let what = format!("minimum {name} usage per {kind} is {bound}");
    match (request, limit) {
        (None, _) => Some(format!("{what}.  No request is specified")),
        (Some(request), _) if request < bound => Some(format!("{what}, but request is {request}")),
        (_, Some(limit)) if limit < bound => Some(format!("{what}, but limit is {limit}")),
        _ => None,
    }
}

fn above_maximum(
    kind: &str,
    name: &str,
    bound: &Quantity,
    request: Option<&Quantity>,
    limit: Option<&Quantity>,
) -> Option<String> {
    let what = format!("maximum {name} usage per {kind} is {bound}");
    match (request, limit) {
        (_, None) => Some(format!("{what}.  No limit is specified")),
        (_, Some(limit)) if limit > bound => Some(format!("{what}, but limit is {limit}")),
        (Some(request), _) if request > bound => Some(format!("{what}, but request is {request}")),
        _ => None,
    }
}

fn above_ratio(
    kind: &str,
    name: &str,
    bound: &Quantity,
    request: Option<&Quantity>,
    limit: Option<&Quantity>,
) -> Option<String> {
    let what = format!("{name} max limit to request ratio per {kind} is {bound}");
    let Some(request) = request.filter(|request| !request.is_zero()) else {
        return Some(format!("{what}, but no request is specified or request is 0"));
    };
    let Some(limit) = limit.filter(|limit| !limit.is_zero()) else {
        return Some(format!("{what}, but no limit is specified or limit is 0"));
    };
    let ratio = limit.to_f64() / request.to_f64();
    (ratio * 1000.0 > bound.milli_value() as f64).then(|| format!("{what}, but provided ratio is {ratio:.6}"))
}
