//! LimitRanger: the defaults and the bounds that a namespace's LimitRanges set for containers, pods and claims
//! (kube-apiserver v1.36, `plugin/pkg/admission/limitranger`). Ranges are taken as stored, that is with their own defaults.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1 as core;
use serde_json::Value;

use crate::api::quantity::Quantity;
use crate::api::resources::{Overhead, PodResourcesOptions, pod_limits, pod_requests};
use crate::api::view::{ensure, entries, fill, get, items_mut, list, put, text};

/// The annotation in which LimitRanger says what it set.
pub const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// Gives a new Pod the namespace's defaults, and notes which in an annotation.
pub fn default_pod(pod: &mut Value, ranges: &[Value]) {
    for range in ranges {
        let (requests, limits) = container_defaults(range);
        let mut notes = Vec::new();
        for (name, what) in [("containers", "container"), ("initContainers", "init container")] {
            for container in items_mut(ensure(pod, "spec"), name) {
                default_container(container, &requests, &limits, what, &mut notes);
            }
        }
        if !notes.is_empty() {
            let annotations = ensure(ensure(pod, "metadata"), "annotations");
            put(annotations, ANNOTATION, format!("LimitRanger plugin set: {}", notes.join("; ")));
        }
    }
}

type Defaults = BTreeMap<String, Value>;

/// The default requests and limits of containers; a later item of a range goes before an earlier one.
fn container_defaults(range: &Value) -> (Defaults, Defaults) {
    let (mut requests, mut limits) = (Defaults::new(), Defaults::new());
    for item in items(range).filter(|item| text(item, "type") == "Container") {
        let owned = |name: &str| entries(item, name).map(|(key, value)| (key.to_owned(), value.clone())).collect();
        let (more_requests, more_limits): (Defaults, Defaults) = (owned("defaultRequest"), owned("default"));
        requests.extend(more_requests);
        limits.extend(more_limits);
    }
    (requests, limits)
}

fn items(range: &Value) -> impl Iterator<Item = &Value> {
    list(get(range, "spec"), "limits").iter()
}

fn default_container(
    container: &mut Value,
    requests: &Defaults,
    limits: &Defaults,
    what: &str,
    notes: &mut Vec<String>,
) {
    let name = text(container, "name").to_owned();
    for (defaults, to, word) in [(requests, "requests", "request"), (limits, "limits", "limit")] {
        let own = get(get(container, "resources"), to);
        let missing: Vec<&String> = defaults.keys().filter(|resource| own.get(resource.as_str()).is_none()).collect();
        if missing.is_empty() {
            continue;
        }
        let texts: Vec<&str> = missing.iter().map(|resource| resource.as_str()).collect();
        notes.push(format!("{} {word} for {what} {name}", texts.join(", ")));
        let target = ensure(ensure(container, "resources"), to);
        for resource in missing {
            fill(target, resource, defaults[resource].clone());
        }
    }
}

/// Refuses a Pod that breaks a bound: the plugin's words after `is forbidden: `. One range speaks at a time.
///
/// # Errors
///
/// If a bound is broken.
pub fn validate_pod(pod: &Value, ranges: &[Value]) -> Result<(), String> {
    ranges.iter().try_for_each(|range| one_error(pod_errors(pod, range)))
}

fn pod_errors(pod: &Value, range: &Value) -> Vec<String> {
    let spec = get(pod, "spec");
    let mut errors = Vec::new();
    for item in items(range) {
        match text(item, "type") {
            "Container" => {
                for container in list(spec, "containers").iter().chain(list(spec, "initContainers")) {
                    let resources = get(container, "resources");
                    check(item, &amounts(resources, "requests"), &amounts(resources, "limits"), &mut errors);
                }
            }
            "Pod" => {
                let (requests, limits) = pod_totals(spec);
                check(item, &requests, &limits, &mut errors);
            }
            _ => {}
        }
    }
    errors
}

/// Refuses a claim that breaks a bound.
///
/// # Errors
///
/// If a bound is broken.
pub fn validate_claim(claim: &Value, ranges: &[Value]) -> Result<(), String> {
    let requests = amounts(get(get(claim, "spec"), "resources"), "requests");
    ranges.iter().try_for_each(|range| {
        let mut errors = Vec::new();
        for item in items(range).filter(|item| text(item, "type") == "PersistentVolumeClaim") {
            for (resource, bound) in amounts(item, "min") {
                errors.extend(below_minimum("PersistentVolumeClaim", &resource, &bound, requests.get(&resource), None));
            }
            for (resource, bound) in amounts(item, "max") {
                let what = format!("maximum {resource} usage per PersistentVolumeClaim is {bound}");
                match requests.get(&resource) {
                    None => errors.push(format!("{what}.  No request is specified")),
                    Some(request) if *request > bound => errors.push(format!("{what}, but request is {request}")),
                    Some(_) => {}
                }
            }
        }
        one_error(errors)
    })
}

/// Several errors as Go's `Aggregate` writes them: each once, in brackets if they are several.
fn one_error(errors: Vec<String>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    let distinct: Vec<String> = errors.into_iter().filter(|error| seen.insert(error.clone())).collect();
    match distinct.as_slice() {
        [] => Ok(()),
        [error] => Err(error.clone()),
        _ => Err(format!("[{}]", distinct.join(", "))),
    }
}

type Amounts = BTreeMap<String, Quantity>;

fn amounts(holder: &Value, kind: &str) -> Amounts {
    entries(holder, kind)
        .filter(|(_, amount)| !amount.is_null())
        .filter_map(|(resource, amount)| Some((resource.to_owned(), serde_json::from_value(amount.clone()).ok()?)))
        .collect()
}

/// What a pod requests and may use in all, without the overhead of its runtime.
fn pod_totals(spec: &Value) -> (Amounts, Amounts) {
    let Ok(spec) = serde_json::from_value::<core::PodSpec>(spec.clone()) else { return Default::default() };
    let pod = core::Pod { spec: Some(spec), ..core::Pod::default() };
    let options = PodResourcesOptions { overhead: Overhead::Excluded, ..PodResourcesOptions::default() };
    (pod_requests(&pod, &options), pod_limits(&pod, &options))
}

fn check(item: &Value, requests: &Amounts, limits: &Amounts, errors: &mut Vec<String>) {
    let of = text(item, "type");
    for (resource, bound) in amounts(item, "min") {
        errors.extend(below_minimum(of, &resource, &bound, requests.get(&resource), limits.get(&resource)));
    }
    for (resource, bound) in amounts(item, "max") {
        errors.extend(above_maximum(of, &resource, &bound, requests.get(&resource), limits.get(&resource)));
    }
    for (resource, bound) in amounts(item, "maxLimitRequestRatio") {
        errors.extend(above_ratio(of, &resource, &bound, requests.get(&resource), limits.get(&resource)));
    }
}

fn below_minimum(
    of: &str,
    resource: &str,
    bound: &Quantity,
    request: Option<&Quantity>,
    limit: Option<&Quantity>,
) -> Option<String> {
    let what = format!("minimum {resource} usage per {of} is {bound}");
    match (request, limit) {
        (None, _) => Some(format!("{what}.  No request is specified")),
        (Some(request), _) if request < bound => Some(format!("{what}, but request is {request}")),
        (_, Some(limit)) if limit < bound => Some(format!("{what}, but limit is {limit}")),
        _ => None,
    }
}

fn above_maximum(
    of: &str,
    resource: &str,
    bound: &Quantity,
    request: Option<&Quantity>,
    limit: Option<&Quantity>,
) -> Option<String> {
    let what = format!("maximum {resource} usage per {of} is {bound}");
    match (request, limit) {
        (_, None) => Some(format!("{what}.  No limit is specified")),
        (_, Some(limit)) if limit > bound => Some(format!("{what}, but limit is {limit}")),
        (Some(request), _) if request > bound => Some(format!("{what}, but request is {request}")),
        _ => None,
    }
}

fn above_ratio(
    of: &str,
    resource: &str,
    bound: &Quantity,
    request: Option<&Quantity>,
    limit: Option<&Quantity>,
) -> Option<String> {
    let what = format!("{resource} max limit to request ratio per {of} is {bound}");
    let Some(request) = request.filter(|request| !request.is_zero()) else {
        return Some(format!("{what}, but no request is specified or request is 0"));
    };
    let Some(limit) = limit.filter(|limit| !limit.is_zero()) else {
        return Some(format!("{what}, but no limit is specified or limit is 0"));
    };
    let ratio = limit.to_f64() / request.to_f64();
    (ratio * 1000.0 > bound.milli_value() as f64).then(|| format!("{what}, but provided ratio is {ratio:.6}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::objects::rules;
    use serde_json::json;

    fn range(item: Value) -> Value {
        let mut range = json!({ "spec": { "limits": [item] } });
        (rules("LimitRange").default)(&mut range);
        range
    }

    fn pod(n: usize, requests: Value, limits: Value) -> Value {
        let container = json!({"name": "foo", "resources": {"requests": requests, "limits": limits}});
        json!({"spec": {"containers": vec![container; n]}})
    }

    #[test]
    fn bounds_of_containers_and_pods() {
        for (item, pod, expected) in [
            (
                json!({ "type": "Container", "min": { "cpu": "50m" } }),
                pod(1, json!({"cpu": "40m"}), json!({})),
                Err("minimum cpu usage per Container is 50m, but request is 40m"),
            ),
            (
                json!({ "type": "Container", "min": { "cpu": "50m" } }),
                pod(2, json!({"cpu": "40m"}), json!({})),
                Err("minimum cpu usage per Container is 50m, but request is 40m"),
            ),
            (
                json!({ "type": "Container", "min": { "cpu": "50m" } }),
                pod(1, json!({"cpu": "100m"}), json!({})),
                Ok(()),
            ),
            (json!({ "type": "Pod", "max": { "cpu": "2" } }), pod(2, json!({}), json!({"cpu": "1"})), Ok(())),
            (
                json!({ "type": "Pod", "max": { "cpu": "2" } }),
                pod(3, json!({}), json!({"cpu": "1"})),
                Err("maximum cpu usage per Pod is 2, but limit is 3"),
            ),
            (
                json!({ "type": "Container", "maxLimitRequestRatio": { "cpu": "1500m" } }),
                pod(1, json!({"cpu": "1250m"}), json!({"cpu": "2500m"})),
                Err("cpu max limit to request ratio per Container is 1500m, but provided ratio is 2.000000"),
            ),
            (
                json!({ "type": "Container", "min": { "cpu": "1" }, "max": { "memory": "1Gi" } }),
                pod(1, json!({}), json!({})),
                Err(
                    "[minimum cpu usage per Container is 1.  No request is specified, maximum memory usage per Container is 1Gi.  No \
                     limit is specified]",
                ),
            ),
        ] {
            assert_eq!(validate_pod(&pod, &[range(item)]), expected.map_err(str::to_owned));
        }
    }

    #[test]
    fn defaults_are_noted() {
        let defaults = json!({ "type": "Container", "defaultRequest": {"cpu": "50m", "memory": "5Mi"}, "default": {"cpu": "75m", "memory": "10Mi"} });
        let mut pod = json!({"spec": {"containers": [{"name": "foo-0"}]}});
        default_pod(&mut pod, &[range(defaults)]);
        assert_eq!(
            pod["metadata"]["annotations"][ANNOTATION],
            "LimitRanger plugin set: cpu, memory request for container foo-0; cpu, memory limit for container foo-0"
        );
    }

    #[test]
    fn what_is_given_stays() {
        let defaults = json!({ "type": "Container", "defaultRequest": {"cpu": "50m", "memory": "5Mi"}, "default": {"cpu": "75m", "memory": "1Gi"} });
        let mut pod = pod(1, json!({ "memory": "512Mi" }), json!({}));
        default_pod(&mut pod, &[range(defaults)]);
        let resources = &pod["spec"]["containers"][0]["resources"];
        assert_eq!(
            resources,
            &json!({"requests": {"cpu": "50m", "memory": "512Mi"}, "limits": {"cpu": "75m", "memory": "1Gi"}})
        );
    }

    #[test]
    fn a_maximum_is_the_default_of_limit_and_request() {
        let mut own = pod(1, json!({}), json!({}));
        default_pod(&mut own, &[range(json!({ "type": "Container", "max": { "cpu": "2" } }))]);
        let resources = &own["spec"]["containers"][0]["resources"];
        assert_eq!(resources, &json!({"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}));
    }

    #[test]
    fn a_limit_alone_is_requested_before_the_range_is_asked() {
        let mut own = pod(1, json!({}), json!({ "cpu": "300m" }));
        (rules("Pod").default)(&mut own);
        default_pod(&mut own, &[range(json!({ "type": "Container", "defaultRequest": { "cpu": "100m" } }))]);
        assert_eq!(own["spec"]["containers"][0]["resources"]["requests"]["cpu"], "300m");
    }

    #[test]
    fn bounds_of_claims() {
        let item = json!({ "type": "PersistentVolumeClaim", "min": { "storage": "1Gi" }, "max": { "storage": "5Gi" } });
        let claim = |storage: &str| json!({ "spec": { "resources": { "requests": { "storage": storage } } } });
        assert_eq!(validate_claim(&claim("2Gi"), &[range(item.clone())]), Ok(()));
        assert_eq!(
            validate_claim(&claim("6Gi"), &[range(item.clone())]),
            Err("maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 6Gi".to_owned())
        );
        assert_eq!(
            validate_claim(&claim("1Mi"), &[range(item)]),
            Err("minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi".to_owned())
        );
    }
}
