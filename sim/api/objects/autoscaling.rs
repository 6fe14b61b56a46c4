//! HorizontalPodAutoscaler and PodDisruptionBudget.

use crate::api::causes::{Causes, Path, Raw};
use crate::api::names;
use crate::api::view::{ensure, fill, get, get_mut, has, int, list, maybe_int, put, text};
use serde_json::{Value, json};

use super::metadata::{label_selector, shown_selector};
use super::resources::quantity;
use super::workload::{at_most_all, int_or_percent};

/// Fills in a HorizontalPodAutoscaler of either version.
pub(super) fn default_autoscaler(object: &mut Value) {
    let is_v1 = text(object, "apiVersion").ends_with("/v1");
    let spec = ensure(object, "spec");
    fill(spec, "minReplicas", 1);
    if is_v1 {
        fill(spec, "targetCPUUtilizationPercentage", 80);
        return;
    }
    if list(spec, "metrics").is_empty() {
        let target = json!({"type": "Utilization", "averageUtilization": 80});
        put(spec, "metrics", json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]));
    }
    let Some(behavior) = get_mut(spec, "behavior") else { return };
    let policy = |kind: &str, value: i64| json!({"type": kind, "value": value, "periodSeconds": 15});
    for (direction, policies) in
        [("scaleUp", vec![policy("Pods", 4), policy("Percent", 100)]), ("scaleDown", vec![policy("Percent", 100)])]
    {
        let rules = ensure(behavior, direction);
        if direction == "scaleUp" {
            fill(rules, "stabilizationWindowSeconds", 0);
        }
        fill(rules, "selectPolicy", "Max");
        if !has(rules, "policies") {
            put(rules, "policies", policies);
        }
    }
}

/// What the registry gives a new autoscaler.
pub(super) fn prepare_autoscaler(object: &mut Value) {
    let is_v1 = text(object, "apiVersion").ends_with("/v1");
    let status = match is_v1 {
        true => json!({"currentReplicas": 0, "desiredReplicas": 0}),
        false => json!({"desiredReplicas": 0, "currentMetrics": null}),
    };
    put(object, "status", status);
}

/// Checks a HorizontalPodAutoscaler.
pub(super) fn validate_autoscaler(object: &Value, causes: &mut Causes) {
    let spec = get(object, "spec");
    let path = Path::ROOT.child("spec");
    let min = maybe_int(spec, "minReplicas");
    if let Some(min) = min.filter(|&min| min < 1) {
        causes.invalid(&path.child("minReplicas"), min, "must be greater than or equal to 1");
    }
    let max = int(spec, "maxReplicas");
    if max < 1 {
        causes.required(&path.child("maxReplicas"), "must be set and greater than 0");
    }
    if min.is_some_and(|min| max < min) {
        causes.invalid(&path.child("maxReplicas"), max, "must be greater than or equal to `minReplicas`");
    }
    target_reference(get(spec, "scaleTargetRef"), &path.child("scaleTargetRef"), causes);
    let metrics = path.child("metrics");
    for (index, metric) in list(spec, "metrics").iter().enumerate() {
        validate_metric(metric, &metrics.index(index), causes);
    }
    if min == Some(0) {
        let scales_from_nothing =
            list(spec, "metrics").iter().any(|metric| ["Object", "External"].contains(&text(metric, "type")));
        if !scales_from_nothing {
            let what = "must specify at least one Object or External metric to support scaling to zero replicas";
            causes.forbidden(&metrics, what);
        }
    }
    let behavior = path.child("behavior");
    for (direction, most) in [("scaleUp", 3600), ("scaleDown", 3600)] {
        let rules = get(get(spec, "behavior"), direction);
        if !rules.is_null() {
            scaling_rules(rules, most, &behavior.child(direction), causes);
        }
    }
}

fn target_reference(reference: &Value, path: &Path<'_>, causes: &mut Causes) {
    for field in ["kind", "name"] {
        match text(reference, field) {
            "" => causes.required(&path.child(field), ""),
            value => causes.invalid_for(&path.child(field), value, names::path_segment_name(value)),
        }
    }
    let version = text(reference, "apiVersion");
    let group_is_missing =
        !version.contains('/') && (version != "v1" || text(reference, "kind") != "ReplicationController");
    if path.to_string().ends_with("scaleTargetRef") && group_is_missing {
        causes.invalid(&path.child("apiVersion"), version, "apiVersion must specify API group");
    }
}

const METRIC_TYPES: &[(&str, &str)] = &[
    ("ContainerResource", "containerResource"),
    ("External", "external"),
    ("Object", "object"),
    ("Pods", "pods"),
    ("Resource", "resource"),
];

fn validate_metric(metric: &Value, path: &Path<'_>, causes: &mut Causes) {
    let kind = text(metric, "type");
    if kind.is_empty() {
        causes.required(&path.child("type"), "must specify a metric source type");
    }
    let Some((_, own)) = METRIC_TYPES.iter().find(|(name, _)| *name == kind) else {
        if !kind.is_empty() {
            let known: Vec<&str> = METRIC_TYPES.iter().map(|(name, _)| *name).collect();
            causes.not_supported(&path.child("type"), kind, &known);
        }
        return;
    };
    let source = get(metric, own);
    if source.is_null() {
        let what = "must populate information for the given metric source";
        causes.required(&path.child(own), what);
        return;
    }
    for (_, other) in METRIC_TYPES.iter().filter(|(name, field)| *name != kind && has(metric, field)) {
        causes.forbidden(&path.child(other), "must populate the given metric source only");
    }
    metric_source(kind, source, &path.child(own), causes);
}

fn metric_source(kind: &str, source: &Value, path: &Path<'_>, causes: &mut Causes) {
    let target = get(source, "target");
    let target_path = path.child("target");
    match kind {
        "Resource" | "ContainerResource" => {
            if kind == "ContainerResource" && text(source, "container").is_empty() {
                causes.required(&path.child("container"), "must specify a container");
            }
            if text(source, "name").is_empty() {
                causes.required(&path.child("name"), "must specify a resource name");
            }
            metric_target(target, &target_path, causes);
            let (utilization, average) = (has(target, "averageUtilization"), has(target, "averageValue"));
            if !utilization && !average {
                let what = "must set either a target raw value or a target utilization";
                causes.required(&target_path.child("averageUtilization"), what);
            } else if utilization && average {
                let what = "may not set both a target raw value and a target utilization";
                causes.forbidden(&target_path.child("averageValue"), what);
            }
        }
        "Pods" => {
            identifier(source, path, causes);
            metric_target(target, &target_path, causes);
            if !has(target, "averageValue") || quantity(get(target, "averageValue")).sign() <= 0 {
                let what = "must specify a positive target averageValue";
                causes.required(&target_path.child("averageValue"), what);
            }
        }
        "Object" => {
            target_reference(get(source, "describedObject"), &path.child("describedObject"), causes);
            identifier(source, path, causes);
            metric_target(target, &target_path, causes);
            if !has(target, "value") && !has(target, "averageValue") {
                let what = "must set either a target value or averageValue";
                causes.required(&target_path.child("averageValue"), what);
            }
        }
        _ => {
            identifier(source, path, causes);
            metric_target(target, &target_path, causes);
            if !has(target, "value") && !has(target, "averageValue") {
                let what = "must set either a target value for metric or a per-pod target";
                causes.required(&target_path.child("averageValue"), what);
            } else if has(target, "value") && has(target, "averageValue") {
                let what = "may not set both a target value for metric and a per-pod target";
                causes.forbidden(&target_path.child("value"), what);
            }
        }
    }
}

fn identifier(source: &Value, path: &Path<'_>, causes: &mut Causes) {
    let path = path.child("metric.name");
    match text(get(source, "metric"), "name") {
        "" => causes.required(&path, "must specify a metric name"),
        name => causes.invalid_for(&path, name, names::path_segment_name(name)),
    }
}

fn metric_target(target: &Value, path: &Path<'_>, causes: &mut Causes) {
    let kind = text(target, "type");
    match kind {
        "" => causes.required(&path.child("type"), "must specify a metric target type"),
        "Utilization" | "Value" | "AverageValue" => {}
        _ => causes.invalid(&path.child("type"), kind, "must be either Utilization, Value, or AverageValue"),
    }
    for field in ["value", "averageValue"] {
        let amount = get(target, field);
        if !amount.is_null() && quantity(amount).sign() <= 0 {
            causes.invalid(&path.child(field), amount, "must be positive");
        }
    }
    if let Some(percent) = maybe_int(target, "averageUtilization").filter(|&percent| percent < 1) {
        causes.invalid(&path.child("averageUtilization"), percent, "must be greater than 0");
    }
}

fn scaling_rules(rules: &Value, most: i64, path: &Path<'_>, causes: &mut Causes) {
    if let Some(seconds) = maybe_int(rules, "stabilizationWindowSeconds") {
        let path = path.child("stabilizationWindowSeconds");
        if seconds < 0 {
            causes.invalid(&path, seconds, "must be greater than or equal to zero");
        }
        if seconds > most {
            causes.invalid(&path, seconds, format!("must be less than or equal to {most}"));
        }
    }
    let select = text(rules, "selectPolicy");
    if has(rules, "selectPolicy") && !["Disabled", "Max", "Min"].contains(&select) {
        causes.not_supported(&path.child("selectPolicy"), select, &["Disabled", "Max", "Min"]);
    }
    let whole = path;
    let path = path.child("policies");
    if list(rules, "policies").is_empty() {
        causes.required(&path, "must specify at least one Policy");
    }
    for (index, policy) in list(rules, "policies").iter().enumerate() {
        let path = path.index(index);
        let kind = text(policy, "type");
        if !["Percent", "Pods"].contains(&kind) {
            causes.not_supported(&path.child("type"), kind, &["Percent", "Pods"]);
        }
        for field in ["value", "periodSeconds"] {
            if int(policy, field) <= 0 {
                causes.invalid(&path.child(field), int(policy, field), "must be greater than zero");
            }
        }
        if int(policy, "periodSeconds") > 1800 {
            let what = "must be less than or equal to 1800";
            causes.invalid(&path.child("periodSeconds"), int(policy, "periodSeconds"), what);
        }
    }
    let tolerance = get(rules, "tolerance");
    if !tolerance.is_null() && quantity(tolerance).sign() < 0 {
        causes.invalid(&whole.child("tolerance"), tolerance, super::metadata::NON_NEGATIVE);
    }
}

/// What the registry gives a new PodDisruptionBudget.
pub(super) fn prepare_budget(object: &mut Value) {
    let status = json!({"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0});
    put(object, "status", status);
}

/// Checks a PodDisruptionBudget.
pub(super) fn validate_budget(object: &Value, causes: &mut Causes) {
    let spec = get(object, "spec");
    let path = Path::ROOT.child("spec");
    if has(spec, "minAvailable") && has(spec, "maxUnavailable") {
        let shown = format!(
            "{{\"MinAvailable\":{},\"Selector\":{},\"MaxUnavailable\":{},\"UnhealthyPodEvictionPolicy\":{}}}",
            get(spec, "minAvailable"),
            shown_selector(get(spec, "selector")),
            get(spec, "maxUnavailable"),
            get(spec, "unhealthyPodEvictionPolicy"),
        );
        causes.invalid(&path, Raw(&shown), "minAvailable and maxUnavailable cannot be both set");
    }
    for field in ["minAvailable", "maxUnavailable"] {
        int_or_percent(get(spec, field), &path.child(field), causes);
        at_most_all(get(spec, field), &path.child(field), causes);
    }
    label_selector(get(spec, "selector"), &path.child("selector"), causes);
    let policy = text(spec, "unhealthyPodEvictionPolicy");
    if has(spec, "unhealthyPodEvictionPolicy") && !["AlwaysAllow", "IfHealthyBudget"].contains(&policy) {
        let known = &["AlwaysAllow", "IfHealthyBudget"];
        causes.not_supported(&path.child("unhealthyPodEvictionPolicy"), policy, known);
    }
}
