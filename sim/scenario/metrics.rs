//! `metrics:` of a scenario: what the custom and external metrics APIs serve, as functions of time.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::api::kinds;
use crate::api::selector::Selector;
use crate::cluster::{DeclaredMetric, MetricSubject};
use crate::engine::{Curve, Unit};
use crate::kubelet::model::{ModelError, read_curve};

/// Reads the list. Values are amounts, so that `20` and `500m` mean what a target of an autoscaler means by them.
///
/// # Errors
///
/// The first field that is unknown or wrong, by its path from the list on.
pub fn read_metrics(list: &[Value]) -> Result<Vec<DeclaredMetric>, ModelError> {
    list.iter().enumerate().map(|(idx, entry)| read_metric(entry, &format!("[{idx}]"))).collect()
}

fn wrong(path: &str, what: &str, help: &str) -> ModelError {
    ModelError { path: path.to_owned(), what: what.to_owned(), help: Some(help.to_owned()) }
}

fn read_metric(entry: &Value, path: &str) -> Result<DeclaredMetric, ModelError> {
    const HELP: &str = "{external: queue_depth, value: 30}, {object: hits, of: ingress/main, value: 200} or {pods: hits, match: {labels: {app: web}}, shared: 900}";
    let fields = entry.as_object().ok_or_else(|| wrong(path, "is a table", HELP))?;
    let text = |key: &str| fields.get(key).and_then(Value::as_str);
    let (kind, known): (&str, &[&str]) = match () {
        () if fields.contains_key("external") => ("external", &["external", "labels", "value"]),
        () if fields.contains_key("object") => ("object", &["object", "of", "labels", "value"]),
        () if fields.contains_key("pods") => ("pods", &["pods", "match", "labels", "value", "shared"]),
        () => return Err(wrong(path, "one of `external`, `object` and `pods` is wanted", HELP)),
    };
    if let Some(key) = fields.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(wrong(
            &format!("{path}.{key}"),
            &format!("unknown field `{key}`"),
            &format!("fields: {}", known.join(", ")),
        ));
    }
    let name = text(kind).ok_or_else(|| wrong(&format!("{path}.{kind}"), "is the name of a metric", HELP))?;
    let shared = fields.get("shared").filter(|_| kind == "pods");
    let subject = match kind {
        "external" => MetricSubject::External,
        "object" => object(text("of"), path)?,
        _ => pods(fields, shared.is_some(), path)?,
    };
    let (key, value) = match (shared, fields.get("value")) {
        (Some(shared), None) => ("shared", shared),
        (None, Some(value)) => ("value", value),
        _ if kind == "pods" => {
            return Err(wrong(path, "one of `value` (of each pod) and `shared` (by all) is wanted", HELP));
        }
        _ => return Err(wrong(path, "`value` is wanted", HELP)),
    };
    let value: Curve = read_curve(value, Unit::Milli, &format!("{path}.{key}"))?;
    Ok(DeclaredMetric { name: name.to_owned(), labels: labels(fields.get("labels"), path)?, subject, value })
}

/// `kind/name` or `kind/namespace/name`.
fn object(of: Option<&str>, path: &str) -> Result<MetricSubject, ModelError> {
    let fail =
        || wrong(&format!("{path}.of"), "is an object", "ingress/main, or ingress/shop/main in another namespace");
    let parts: Vec<&str> = of.ok_or_else(fail)?.split('/').collect();
    let (word, namespace, name) = match parts.as_slice() {
        [kind, name] => (*kind, "default", *name),
        [kind, namespace, name] => (*kind, *namespace, *name),
        _ => return Err(fail()),
    };
    let info = kinds::by_resource(word).ok_or_else(fail)?;
    let namespace = if info.namespaced { namespace } else { "" };
    Ok(MetricSubject::Object { kind: info.kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() })
}

fn pods(fields: &Map<String, Value>, shared: bool, path: &str) -> Result<MetricSubject, ModelError> {
    let path = format!("{path}.match");
    let empty = json!({});
    let matched = fields.get("match").unwrap_or(&empty);
    let known = |key: &String| matches!(key.as_str(), "labels" | "namespace");
    if !matched.as_object().is_some_and(|matched| matched.keys().all(known)) {
        return Err(wrong(&path, "says which pods", "{labels: {app: web}, namespace: default}"));
    }
    let labels = labels(matched.get("labels"), &path)?;
    let selector = Selector::from_json(&json!({ "matchLabels": labels }))
        .map_err(|error| wrong(&path, &error.to_string(), "{labels: {app: web}}"))?;
    let namespace = matched["namespace"].as_str().unwrap_or("default").to_owned();
    Ok(MetricSubject::Pods { namespace, selector, shared })
}

fn labels(value: Option<&Value>, path: &str) -> Result<BTreeMap<String, String>, ModelError> {
    let Some(value) = value else { return Ok(BTreeMap::new()) };
    serde_json::from_value(value.clone())
        .map_err(|_| wrong(&format!("{path}.labels"), "is a table of texts", "{app: web}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_say_what_they_are_about() {
        let read = |value: Value| read_metrics(&[value]);
        let external = read(json!({ "external": "queue", "labels": { "q": "a" }, "value": 30 })).expect("a metric");
        assert_eq!((external[0].value.clone(), external[0].labels["q"].as_str()), (Curve::Constant(30_000.0), "a"));
        let object = read(json!({ "object": "hits", "of": "ingress/shop/main", "value": "500m" })).expect("a metric");
        assert!(
            matches!(&object[0].subject, MetricSubject::Object { kind, namespace, .. } if kind == "Ingress" && namespace == "shop")
        );
        let pods =
            read(json!({ "pods": "hits", "match": { "labels": { "app": "web" } }, "shared": 900 })).expect("a metric");
        assert!(matches!(&pods[0].subject, MetricSubject::Pods { shared: true, .. }));
        for (faulty, path) in [
            (json!({ "value": 3 }), "[0]"),
            (json!({ "external": "q", "valu": 3 }), "[0].valu"),
            (json!({ "object": "q", "of": "nonsense", "value": 3 }), "[0].of"),
            (json!({ "pods": "q", "value": 3, "shared": 4 }), "[0]"),
            (json!({ "external": "q", "value": { "steps": 3 } }), "[0].value.steps"),
        ] {
            assert_eq!(read(faulty.clone()).expect_err("faulty").path, path, "{faulty}");
        }
    }
}
