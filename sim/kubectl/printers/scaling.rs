//! The table of horizontal pod autoscalers.

use serde_json::Value;

use super::{Table, name, table};
use crate::kubectl::look::{at, has, int, list, scalar, scalar_or, text};

pub(super) const HORIZONTAL_POD_AUTOSCALER: Table =
    table(&["NAME", "REFERENCE", "TARGETS", "MINPODS", "MAXPODS", "REPLICAS", "AGE"], |object, scene| {
        let target = at(object, "spec.scaleTargetRef");
        vec![
            name(object),
            format!("{}/{}", text(target, "kind"), text(target, "name")),
            targets(object),
            scalar_or(object, "spec.minReplicas", "<unset>"),
            int(object, "spec.maxReplicas").to_string(),
            int(object, "status.currentReplicas").to_string(),
            scene.age(object),
        ]
    });

fn targets(object: &Value) -> String {
    let specs = list(object, "spec.metrics");
    let statuses = list(object, "status.currentMetrics");
    if specs.is_empty() {
        return legacy_target(object);
    }
    let all: Vec<_> = specs
        .iter()
        .enumerate()
        .map(|(index, spec)| metric(spec, statuses.get(index).unwrap_or(&Value::Null)))
        .collect();
    match all.len() {
        0..=2 => all.join(", "),
        count => format!("{} + {} more...", all[..2].join(", "), count - 2),
    }
}

/// The target of an `autoscaling/v1` object, which knows CPU utilization only.
fn legacy_target(object: &Value) -> String {
    if !has(object, "spec.targetCPUUtilizationPercentage") {
        return "<none>".to_owned();
    }
    let current = match at(object, "status.currentCPUUtilizationPercentage") {
        Value::Null => "<unknown>".to_owned(),
        current => format!("{}%", scalar(current)),
    };
    format!("cpu: {current}/{}%", int(object, "spec.targetCPUUtilizationPercentage"))
}

fn metric(spec: &Value, status: &Value) -> String {
    match text(spec, "type") {
        "External" => average_or_value(at(spec, "external"), at(status, "external")),
        "Object" => average_or_value(at(spec, "object"), at(status, "object")),
        "Pods" => {
            let current = scalar_or(status, "pods.current.averageValue", "<unknown>");
            format!("{current}/{}", scalar_or(spec, "pods.target.averageValue", "<nil>"))
        }
        "Resource" => resource(at(spec, "resource"), at(status, "resource")),
        "ContainerResource" => resource(at(spec, "containerResource"), at(status, "containerResource")),
        _ => "<unknown type>".to_owned(),
    }
}

fn average_or_value(spec: &Value, status: &Value) -> String {
    if has(spec, "target.averageValue") {
        let current = scalar_or(status, "current.averageValue", "<unknown>");
        format!("{current}/{} (avg)", scalar_or(spec, "target.averageValue", ""))
    } else {
        let current = scalar_or(status, "current.value", "<unknown>");
        format!("{current}/{}", scalar_or(spec, "target.value", "<nil>"))
    }
}

fn resource(spec: &Value, status: &Value) -> String {
    let name = text(spec, "name");
    if has(spec, "target.averageValue") {
        let current = scalar_or(status, "current.averageValue", "<unknown>");
        return format!("{name}: {current}/{}", scalar_or(spec, "target.averageValue", ""));
    }
    let percent = |value: &Value, missing: &str| match value {
        Value::Null => missing.to_owned(),
        value => format!("{}%", scalar(value)),
    };
    let current = percent(at(status, "current.averageUtilization"), "<unknown>");
    format!("{name}: {current}/{}", percent(at(spec, "target.averageUtilization"), "<auto>"))
}
