//! ResourceQuota and LimitRange.

use crate::api::causes::{Causes, Path};
use crate::api::names;
use crate::api::quantity::Quantity;
use crate::api::view::{ensure, entries, fill, get, has, items_mut, list, text};
use serde_json::Value;
use std::collections::BTreeSet;

use super::metadata::IMMUTABLE;
use super::resources::{self, quantity};

/// Fills in a ResourceQuota.
pub(super) fn default_quota(object: &mut Value) {
    resources::default_list(ensure(object, "spec"), "hard");
}

const SCOPES: &[&str] = &[
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
];

/// Checks a ResourceQuota.
pub(super) fn validate_quota(object: &Value, causes: &mut Causes) {
    let spec = get(object, "spec");
    let path = Path::ROOT.child("spec");
    for (resource, amount) in entries(spec, "hard") {
        let path = path.child("hard");
        let path = path.key(resource);
        resources::quota_name(resource, &path, causes);
        resources::amount(resource, amount, &path, causes);
    }
    scopes(spec, &path.child("scopes"), causes);
    scope_selector(spec, &path.child("scopeSelector.matchExpressions"), causes);
}

fn scopes(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let scopes: Vec<&str> = list(spec, "scopes").iter().filter_map(Value::as_str).collect();
    let shown = get(spec, "scopes");
    for scope in &scopes {
        check_scope(scope, spec, path, shown, causes);
    }
    conflicts(&scopes, path, shown, causes);
}

fn conflicts(scopes: &[&str], path: &Path<'_>, shown: &Value, causes: &mut Causes) {
    for pair in [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]] {
        if pair.iter().all(|scope| scopes.contains(scope)) {
            causes.invalid(path, shown, "conflicting scopes");
        }
    }
}

fn check_scope(scope: &str, spec: &Value, path: &Path<'_>, shown: &Value, causes: &mut Causes) {
    if !SCOPES.contains(&scope) {
        causes.invalid(path, shown, "unsupported scope");
    }
    fits_all(scope, spec, path, shown, causes);
}

fn fits_all(scope: &str, spec: &Value, path: &Path<'_>, shown: &Value, causes: &mut Causes) {
    for (resource, _) in entries(spec, "hard") {
        if is_standard_quota(resource) && !scope_fits(scope, resource) {
            causes.invalid(path, shown, "unsupported scope applied to resource");
        }
    }
}

fn is_standard_quota(resource: &str) -> bool {
    const KNOWN: &[&str] = &[
        "cpu",
        "memory",
        "ephemeral-storage",
        "requests.cpu",
        "requests.memory",
        "requests.storage",
        "requests.ephemeral-storage",
        "limits.cpu",
        "limits.memory",
        "limits.ephemeral-storage",
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "persistentvolumeclaims",
        "configmaps",
        "services.nodeports",
        "services.loadbalancers",
    ];
    KNOWN.contains(&resource) || resources::is_huge_page(resource) || resource.starts_with("requests.hugepages-")
}

/// Which resources a scope can count.
fn scope_fits(scope: &str, resource: &str) -> bool {
    const COMPUTE: &[&str] =
        &["pods", "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];
    match scope {
        "Terminating" | "NotTerminating" | "NotBestEffort" | "PriorityClass" | "CrossNamespacePodAffinity" => {
            COMPUTE.contains(&resource)
        }
        "BestEffort" => resource == "pods",
        "VolumeAttributesClass" => ["persistentvolumeclaims", "requests.storage"].contains(&resource),
        _ => true,
    }
}

fn scope_selector(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let expressions = list(get(spec, "scopeSelector"), "matchExpressions");
    let mut seen: Vec<&str> = Vec::new();
    for expression in expressions {
        let (scope, operator) = (text(expression, "scopeName"), text(expression, "operator"));
        let values = list(expression, "values");
        if !SCOPES.contains(&scope) {
            causes.invalid(&path.child("scopeName"), scope, "unsupported scope");
        }
        fits_all(scope, spec, path, get(spec, "scopeSelector"), causes);
        seen.push(scope);
        if ["BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity"]
            .contains(&scope)
            && operator != "Exists"
        {
            let what = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, \
                        ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
            causes.invalid(&path.child("operator"), operator, what);
        }
        match operator {
            "In" | "NotIn" if values.is_empty() => {
                let what = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
                causes.required(&path.child("values"), what);
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let what = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
                causes.invalid(&path.child("values"), get(expression, "values"), what);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => causes.invalid(&path.child("operator"), other, "not a valid selector operator"),
        }
    }
    let shown = get(get(spec, "scopeSelector"), "matchExpressions");
    conflicts(&seen, path, shown, causes);
}

/// Checks what an update of a ResourceQuota may change.
pub(super) fn validate_quota_update(new: &Value, old: &Value, causes: &mut Causes) {
    let scopes = |quota: &Value| -> BTreeSet<String> {
        list(get(quota, "spec"), "scopes").iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    if scopes(new) != scopes(old) {
        let path = Path::ROOT.child("spec.scopes");
        causes.invalid(&path, get(get(new, "spec"), "scopes"), IMMUTABLE);
    }
}

/// Fills in a LimitRange: for containers, limits follow from maxima, requests from limits, else from minima.
pub(super) fn default_limit_range(object: &mut Value) {
    let spec = ensure(object, "spec");
    for item in items_mut(spec, "limits") {
        for field in ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] {
            resources::default_list(item, field);
        }
        if text(item, "type") != "Container" {
            continue;
        }
        for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
            let amounts: Vec<(String, Value)> =
                entries(item, from).map(|(resource, amount)| (resource.to_owned(), amount.clone())).collect();
            if !amounts.is_empty() {
                let target = ensure(item, to);
                for (resource, amount) in amounts {
                    fill(target, &resource, amount);
                }
            }
        }
    }
}

/// Checks a LimitRange.
pub(super) fn validate_limit_range(object: &Value, causes: &mut Causes) {
    let path = Path::ROOT.child("spec.limits");
    let mut seen: Vec<&str> = Vec::new();
    for (index, item) in list(get(object, "spec"), "limits").iter().enumerate() {
        let path = path.index(index);
        let kind = text(item, "type");
        limit_type(kind, &path.child("type"), causes);
        if seen.contains(&kind) {
            causes.duplicate(&path.child("type"), kind);
        }
        seen.push(kind);
        limit_item(item, kind, &path, causes);
    }
}

fn limit_type(kind: &str, path: &Path<'_>, causes: &mut Causes) {
    let errors = names::label_key_errors(kind);
    if !errors.is_empty() {
        causes.invalid_for(path, kind, errors);
    } else if !kind.contains('/') && !["Pod", "Container", "PersistentVolumeClaim"].contains(&kind) {
        causes.invalid(path, kind, "must be a standard limit type or fully qualified");
    }
}

fn limit_item(item: &Value, kind: &str, path: &Path<'_>, causes: &mut Causes) {
    let mut keys: BTreeSet<&str> = BTreeSet::new();
    let fields: &[&str] = match kind {
        "Pod" => &["max", "min", "maxLimitRequestRatio"],
        _ => &["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"],
    };
    for field in fields {
        for (resource, _) in entries(item, field) {
            if *field != "maxLimitRequestRatio" {
                limit_resource(resource, kind, &path.child(field).key(resource), causes);
            }
            keys.insert(resource);
        }
    }
    if kind == "Pod" {
        for field in ["default", "defaultRequest"] {
            if entries(item, field).next().is_some() {
                causes.forbidden(&path.child(field), "may not be specified when `type` is 'Pod'");
            }
        }
    }
    if kind == "PersistentVolumeClaim" {
        let storage = |field: &str| has(get(item, field), "storage");
        if !storage("min") && !storage("max") {
            let what = "either minimum or maximum storage value is required, but neither was provided";
            causes.required(&path.child("limits"), what);
        }
    }
    for resource in keys {
        let amount = |field: &str| get(item, field).get(resource).map(quantity);
        let amounts = Amounts {
            min: amount("min"),
            max: amount("max"),
            default: amount("default").filter(|_| kind != "Pod"),
            request: amount("defaultRequest").filter(|_| kind != "Pod"),
            ratio: amount("maxLimitRequestRatio"),
        };
        compare(&amounts, resource, path, causes);
    }
}

struct Amounts {
    min: Option<Quantity>,
    max: Option<Quantity>,
    default: Option<Quantity>,
    request: Option<Quantity>,
    ratio: Option<Quantity>,
}

fn limit_resource(resource: &str, kind: &str, path: &Path<'_>, causes: &mut Causes) {
    if kind == "Pod" || kind == "Container" {
        resources::container_name(resource, path, causes);
    } else {
        resources::name(resource, path, causes);
    }
}

fn compare(amounts: &Amounts, resource: &str, path: &Path<'_>, causes: &mut Causes) {
    let Amounts { min, max, default, request, ratio } = amounts;
    let mut bad = |field: &str, value: &Quantity, what: String| {
        let shown = value.to_string();
        causes.invalid(&path.child(field).key(resource), shown.as_str(), what);
    };
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        bad("min", min, format!("min value {min} is greater than max value {max}"));
    }
    if let (Some(request), Some(min)) = (request, min)
        && min > request
    {
        bad("defaultRequest", request, format!("min value {min} is greater than default request value {request}"));
    }
    if let (Some(request), Some(max)) = (request, max)
        && request > max
    {
        bad("defaultRequest", request, format!("default request value {request} is greater than max value {max}"));
    }
    if let (Some(request), Some(default)) = (request, default)
        && request > default
    {
        bad(
            "defaultRequest",
            request,
            format!("default request value {request} is greater than default limit value {default}"),
        );
    }
    if let (Some(default), Some(min)) = (default, min)
        && min > default
    {
        bad("default", min, format!("min value {min} is greater than default value {default}"));
    }
    if let (Some(default), Some(max)) = (default, max)
        && default > max
    {
        bad("default", max, format!("default value {default} is greater than max value {max}"));
    }
    if let (Some(default), Some(request)) = (default, request)
        && !resources::can_overcommit(resource)
        && default != request
    {
        let what = format!("default value {default} must equal to defaultRequest value {request} in {resource}");
        bad("defaultRequest", request, what);
    }
    let Some(ratio) = ratio else { return };
    if *ratio < Quantity::from_milli(1000) {
        bad("maxLimitRequestRatio", ratio, format!("ratio {ratio} is less than 1"));
    }
    if let (Some(min), Some(max)) = (min, max) {
        let quotient = max.to_f64() / min.to_f64();
        if ratio.to_f64() > quotient {
            bad("maxLimitRequestRatio", ratio, format!("ratio {ratio} is greater than max/min = {quotient:.6}"));
        }
    }
}
