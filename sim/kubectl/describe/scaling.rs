//! The description of a horizontal pod autoscaler.

use serde_json::Value;

use super::common::{labels_and_annotations, name_and_namespace};
use super::events::events;
use super::fields::quote;
use super::writer::Writer;
use crate::kubectl::age;
use crate::kubectl::look::{at, has, int, list, scalar, scalar_or, text};
use crate::kubectl::view::View;

pub(super) fn autoscaler(w: &mut Writer, object: &Value, view: &View<'_>) {
    name_and_namespace(w, object);
    labels_and_annotations(w, object);
    w.field(0, "CreationTimestamp", age::date(at(object, "metadata.creationTimestamp")));
    let target = at(object, "spec.scaleTargetRef");
    w.field(0, "Reference", format!("{}/{}", text(target, "kind"), text(target, "name")));
    w.field(0, "Metrics", "( current / target )");
    let statuses = list(object, "status.currentMetrics");
    for (index, spec) in list(object, "spec.metrics").iter().enumerate() {
        metric(w, spec, statuses.get(index).unwrap_or(&Value::Null));
    }
    w.field(0, "Min replicas", scalar_or(object, "spec.minReplicas", "<unset>"));
    w.field(0, "Max replicas", int(object, "spec.maxReplicas"));
    let behavior = at(object, "spec.behavior");
    if !behavior.is_null() {
        w.line(0, "Behavior:");
        direction(w, "Scale Up", at(behavior, "scaleUp"));
        direction(w, "Scale Down", at(behavior, "scaleDown"));
    }
    let [current, desired] = ["currentReplicas", "desiredReplicas"].map(|field| int(at(object, "status"), field));
    w.field(0, &format!("{} pods", text(target, "kind")), format!("{current} current / {desired} desired"));
    let conditions = list(object, "status.conditions");
    if !conditions.is_empty() {
        w.line(0, "Conditions:");
        w.line(1, "Type\tStatus\tReason\tMessage");
        w.line(1, "----\t------\t------\t-------");
        for condition in conditions {
            let cells = ["type", "status", "reason", "message"].map(|field| text(condition, field));
            w.line(1, &cells.join("\t"));
        }
    }
    events(w, object, view);
}

fn metric(w: &mut Writer, spec: &Value, status: &Value) {
    match text(spec, "type") {
        "External" => {
            named(w, &quote(text(spec, "external.metric.name")), at(spec, "external"), at(status, "external"))
        }
        "Pods" => {
            let current = scalar_or(status, "pods.current.averageValue", "<unknown>");
            let target = scalar_or(spec, "pods.target.averageValue", "<nil>");
            w.field(1, &format!("{} on pods", quote(text(spec, "pods.metric.name"))), format!("{current} / {target}"));
        }
        "Object" => {
            let object = at(spec, "object");
            let described = at(object, "describedObject");
            let (kind, name) = (text(described, "kind"), text(described, "name"));
            let title = format!("\"{}\" on {kind}/{name}", text(object, "metric.name"));
            named(w, &title, object, at(status, "object"));
        }
        "Resource" => {
            let title = format!("resource {} on pods", text(spec, "resource.name"));
            resource(w, &title, at(spec, "resource"), at(status, "resource"));
        }
        "ContainerResource" => {
            let of = at(spec, "containerResource");
            let title = format!("resource {} of container \"{}\" on pods", text(of, "name"), text(of, "container"));
            resource(w, &title, of, at(status, "containerResource"));
        }
        other => w.line(1, &format!("<unknown metric type {}>", quote(other))),
    }
}

fn named(w: &mut Writer, title: &str, spec: &Value, status: &Value) {
    let is_average = has(spec, "target.averageValue");
    let (what, field) = if is_average { ("target average value", "averageValue") } else { ("target value", "value") };
    let current = scalar_or(status, &format!("current.{field}"), "<unknown>");
    let target = scalar_or(spec, &format!("target.{field}"), "<nil>");
    w.field(1, &format!("{title} ({what})"), format!("{current} / {target}"));
}

fn resource(w: &mut Writer, title: &str, spec: &Value, status: &Value) {
    if has(spec, "target.averageValue") {
        let current = scalar_or(status, "current.averageValue", "<unknown>");
        let target = scalar_or(spec, "target.averageValue", "");
        return w.field(1, title, format!("{current} / {target}"));
    }
    let current = match at(status, "current.averageUtilization") {
        Value::Null => "<unknown>".to_owned(),
        percent => format!("{percent}% ({})", scalar_or(status, "current.averageValue", "<nil>")),
    };
    let target = match at(spec, "target.averageUtilization") {
        Value::Null => "<auto>".to_owned(),
        percent => format!("{percent}%"),
    };
    w.field(1, &format!("{title}  (as a percentage of request)"), format!("{current} / {target}"));
}

fn direction(w: &mut Writer, title: &str, rules: &Value) {
    if rules.is_null() {
        return;
    }
    w.line(1, &format!("{title}:"));
    if has(rules, "stabilizationWindowSeconds") {
        w.line(2, &format!("Stabilization Window: {} seconds", int(rules, "stabilizationWindowSeconds")));
    }
    let policies = list(rules, "policies");
    if policies.is_empty() {
        return;
    }
    w.line(2, &format!("Select Policy: {}", scalar_or(rules, "selectPolicy", "Max")));
    w.line(2, "Policies:");
    for policy in policies {
        let (kind, value) = (text(policy, "type"), scalar(at(policy, "value")));
        w.line(3, &format!("- Type: {kind}\tValue: {value}\tPeriod: {} seconds", int(policy, "periodSeconds")));
    }
}
