//! Resource names and amounts: container resources, resource lists (core `validation.go`, `helper/helpers.go`).

use crate::api::causes::{Causes, Path};
use crate::api::names;
use crate::api::quantity::Quantity;
use crate::api::view::{entries, get, list, text};
use serde_json::Value;

use super::metadata::NON_NEGATIVE;

/// The amount in a JSON value that has been decoded.
pub(super) fn quantity(value: &Value) -> Quantity {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or(Quantity::ZERO)
}

/// Rounds the amounts of a resource list up to thousandths, as defaulting does.
pub(super) fn default_list(object: &mut Value, name: &str) {
    let Some(Value::Object(amounts)) = object.get_mut(name) else { return };
    for amount in amounts.values_mut() {
        let finer = amount.as_str().is_some_and(|text| {
            text.ends_with(['n', 'u']) || text.ends_with("e-6") || text.ends_with("e-9") || text.ends_with("e-12")
        });
        if finer {
            *amount = Value::from(Quantity::from_milli(quantity(amount).milli_value()).to_string());
        }
    }
}

/// The resources that a plain word may name.
const STANDARD: &[&str] = &[
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "storage",
    "requests.storage",
    "services.nodeports",
    "services.loadbalancers",
    "count/",
];

/// Whether `name` is a huge page size.
pub(super) fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// Whether `name` is a resource of Kubernetes itself: a plain word, or in the `kubernetes.io` domain.
pub(super) fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Whether `name` is an extended resource.
pub(super) fn is_extended(name: &str) -> bool {
    !is_native(name)
        && !name.starts_with("requests.")
        && names::label_key_errors(&format!("requests.{name}")).is_empty()
}

/// Whether amounts of `name` are whole.
pub(super) fn is_integer(name: &str) -> bool {
    const COUNTED: &[&str] = &[
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
    ];
    COUNTED.contains(&name) || is_extended(name)
}

fn is_standard(name: &str) -> bool {
    STANDARD.contains(&name)
        || is_huge_page(name)
        || name.starts_with("requests.hugepages-")
        || name.starts_with("limits.hugepages-")
}

fn is_standard_quota(name: &str) -> bool {
    (is_standard(name) && name != "count/") || name == "requests.storage" || is_huge_page(name)
}

/// Checks the name of any resource.
pub(super) fn name(name: &str, path: &Path<'_>, causes: &mut Causes) -> bool {
    let errors = names::label_key_errors(name);
    if !errors.is_empty() {
        causes.invalid_for(path, name, errors);
        return false;
    }
    if !name.contains('/') && !is_standard(name) {
        causes.invalid(path, name, "must be a standard resource type or fully qualified");
    }
    true
}

/// Checks the name of a resource of a container.
pub(super) fn container_name(resource: &str, path: &Path<'_>, causes: &mut Causes) {
    name(resource, path, causes);
    if !resource.contains('/') {
        if !["cpu", "memory", "ephemeral-storage"].contains(&resource) && !is_huge_page(resource) {
            causes.invalid(path, resource, "must be a standard resource for containers");
        }
    } else if !is_native(resource) && !is_extended(resource) {
        causes.invalid(path, resource, "doesn't follow extended resource name standard");
    }
}

/// Checks the name of a resource of a quota.
pub(super) fn quota_name(resource: &str, path: &Path<'_>, causes: &mut Causes) {
    name(resource, path, causes);
    if !resource.contains('/') && !is_standard_quota(resource) {
        causes.invalid(path, resource, "must be a standard resource for quota");
    }
}

/// Checks an amount of a resource: not negative, whole where it must be.
pub(super) fn amount(resource: &str, value: &Value, path: &Path<'_>, causes: &mut Causes) {
    non_negative(value, path, causes);
    if is_integer(resource) && !is_whole(&quantity(value)) {
        causes.invalid(path, value, "must be an integer");
    }
}

/// Checks that an amount is not negative.
pub(super) fn non_negative(value: &Value, path: &Path<'_>, causes: &mut Causes) {
    if quantity(value).sign() < 0 {
        causes.invalid(path, value, NON_NEGATIVE);
    }
}

fn is_whole(quantity: &Quantity) -> bool {
    quantity.milli_value() % 1000 == 0
}

/// Checks the name of a resource.
pub(super) type ResourceRule = fn(&str, &Path<'_>, &mut Causes);

/// Checks the resources of a container or of a pod, without claims.
pub(super) fn requirements(resources: &Value, rule: ResourceRule, path: &Path<'_>, causes: &mut Causes) {
    let limits = get(resources, "limits");
    let (requests_path, limits_path) = (path.child("requests"), path.child("limits"));
    let (mut has_cpu_or_memory, mut has_huge_page) = (false, false);
    for (resource, value) in entries(resources, "limits") {
        let path = limits_path.key(resource);
        rule(resource, &path, causes);
        amount(resource, value, &path, causes);
        has_huge_page |= is_huge_page(resource);
        huge_page_multiple(resource, value, &path, causes);
        has_cpu_or_memory |= matches!(resource, "cpu" | "memory");
    }
    for (resource, value) in entries(resources, "requests") {
        let path = requests_path.key(resource);
        rule(resource, &path, causes);
        amount(resource, value, &path, causes);
        huge_page_multiple(resource, value, &path, causes);
        has_huge_page |= is_huge_page(resource);
        has_cpu_or_memory |= matches!(resource, "cpu" | "memory");
        request_within_limit(resource, value, limits.get(resource), &requests_path, &limits_path, causes);
    }
    if has_huge_page && !has_cpu_or_memory {
        causes.forbidden(path, "HugePages require cpu or memory");
    }
}

/// Whether more of a resource may be promised than there is.
pub(super) fn can_overcommit(resource: &str) -> bool {
    is_native(resource) && !is_huge_page(resource)
}

fn request_within_limit(
    resource: &str,
    request: &Value,
    limit: Option<&Value>,
    requests_path: &Path<'_>,
    limits_path: &Path<'_>,
    causes: &mut Causes,
) {
    let can_overcommit = can_overcommit(resource);
    match limit {
        None if !can_overcommit => {
            causes.required(limits_path, "Limit must be set for non overcommitable resources");
        }
        None => {}
        Some(limit) => {
            let text = limit.as_str().unwrap_or("0");
            if !can_overcommit && quantity(request) != quantity(limit) {
                causes.invalid(requests_path, request, format!("must be equal to {resource} limit of {text}"));
            } else if can_overcommit && quantity(request) > quantity(limit) {
                causes.invalid(
                    requests_path,
                    request,
                    format!("must be less than or equal to {resource} limit of {text}"),
                );
            }
        }
    }
}

fn huge_page_multiple(resource: &str, value: &Value, path: &Path<'_>, causes: &mut Causes) {
    let Some(size) = resource.strip_prefix("hugepages-") else { return };
    let Ok(size_of) = size.parse::<Quantity>() else { return };
    let (n, page) = (quantity(value).value(), size_of.value());
    if page <= 0 || n % page != 0 {
        let shown = value.as_str().unwrap_or("0");
        causes.invalid(path, value, format!("{shown} is not positive integer multiple of {resource}"));
    }
}

/// Checks `resizePolicy` of a container.
pub(super) fn resize_policy(container: &Value, path: &Path<'_>, pod_restart_policy: &str, causes: &mut Causes) {
    let mut seen: Vec<&str> = Vec::new();
    for (index, policy) in list(container, "resizePolicy").iter().enumerate() {
        let resource = text(policy, "resourceName");
        if seen.contains(&resource) {
            causes.duplicate(&path.index(index), resource);
        }
        seen.push(resource);
        match resource {
            "cpu" | "memory" => {}
            "" => causes.required(path, ""),
            other => causes.not_supported(path, other, &["cpu", "memory"]),
        }
        match text(policy, "restartPolicy") {
            "NotRequired" | "RestartContainer" => {}
            "" => causes.required(path, ""),
            other => causes.not_supported(path, other, &["NotRequired", "RestartContainer"]),
        }
        if pod_restart_policy == "Never" && text(policy, "restartPolicy") != "NotRequired" {
            let what = "must be 'NotRequired' when `restartPolicy` is 'Never'";
            causes.invalid(path, text(policy, "restartPolicy"), what);
        }
    }
}
