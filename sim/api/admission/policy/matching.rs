//! Which requests a policy or a binding is about (apiserver, `admission/plugin/policy/matching`).

use serde_json::Value;

use super::{Request, label};
use crate::api::selector::Selector;
use crate::api::view::{get, has, list, text};

/// Whether `matchConstraints` or `matchResources` match a request.
pub(super) fn matches(constraints: &Value, request: &Request<'_>) -> bool {
    let rules = list(constraints, "resourceRules");
    selects_namespace(get(constraints, "namespaceSelector"), request)
        && selects_object(get(constraints, "objectSelector"), request)
        && !list(constraints, "excludeResourceRules").iter().any(|rule| is_about(rule, request))
        && (rules.is_empty() || rules.iter().any(|rule| is_about(rule, request)))
}

fn selector(json: &Value) -> Option<Selector> {
    if json.is_null() { Some(Selector::everything()) } else { Selector::from_json(json).ok() }
}

/// What lives in no namespace is selected, a Namespace by its own labels.
fn selects_namespace(json: &Value, request: &Request<'_>) -> bool {
    let Some(selector) = selector(json) else { return false };
    if selector.is_empty() {
        return true;
    }
    if request.at.info.kind == "Namespace" {
        let namespace = if request.object.is_null() { request.old } else { request.object };
        return selector.matches(|key| label(namespace, key));
    }
    if request.at.namespace.is_empty() {
        return true;
    }
    let namespace = request.lookup.namespace_object(request.at.namespace).unwrap_or_default();
    selector.matches(|key| label(&namespace, key))
}

fn selects_object(json: &Value, request: &Request<'_>) -> bool {
    let Some(selector) = selector(json) else { return false };
    let selects = |object: &Value| !object.is_null() && selector.matches(|key| label(object, key));
    selector.is_empty() || selects(request.object) || selects(request.old)
}

fn is_about(rule: &Value, request: &Request<'_>) -> bool {
    let (at, info) = (request.at, request.at.info);
    let has_one = |field: &str, wanted: &dyn Fn(&str) -> bool| {
        list(rule, field).iter().filter_map(Value::as_str).any(|word| word == "*" || wanted(word))
    };
    let scope = match text(rule, "scope") {
        "Cluster" => at.namespace.is_empty() || info.kind == "Namespace",
        "Namespaced" => !at.namespace.is_empty() && info.kind != "Namespace",
        _ => true,
    };
    let names = list(rule, "resourceNames");
    scope
        && has_one("apiGroups", &|group| group == info.group)
        && has_one("apiVersions", &|version| info.versions.contains(&version))
        && has_one("operations", &|operation| operation == at.operation.as_str())
        && list(rule, "resources")
            .iter()
            .filter_map(Value::as_str)
            .any(|resource| is_resource(resource, info.plural, at.subresource))
        && (!has(rule, "resourceNames") || names.is_empty() || names.iter().any(|name| name == at.name))
}

/// `pods`, `pods/log`, `pods/*`, `*/scale`, `*`, `*/*`: a star alone is no subresource.
fn is_resource(rule: &str, plural: &str, subresource: &str) -> bool {
    let (resource, sub) = rule.split_once('/').unwrap_or((rule, ""));
    (resource == "*" || resource == plural) && (sub == "*" || sub == subresource)
}
