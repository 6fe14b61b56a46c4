//! The tables of disruption budgets, role bindings and admission policies.

use serde_json::Value;

use super::{Table, name, table};
use crate::kubectl::labels::format_selector;
use crate::kubectl::look::{at, has, int, list, scalar_or, text};

pub(super) const POD_DISRUPTION_BUDGET: Table =
    table(&["NAME", "MIN AVAILABLE", "MAX UNAVAILABLE", "ALLOWED DISRUPTIONS", "AGE"], |object, scene| {
        vec![
            name(object),
            scalar_or(object, "spec.minAvailable", "N/A"),
            scalar_or(object, "spec.maxUnavailable", "N/A"),
            int(object, "status.disruptionsAllowed").to_string(),
            scene.age(object),
        ]
    });

pub(super) const ROLE_BINDING: Table =
    table(&["NAME", "ROLE", "AGE", "+USERS", "+GROUPS", "+SERVICEACCOUNTS"], |object, scene| {
        let role = format!("{}/{}", text(object, "roleRef.kind"), text(object, "roleRef.name"));
        let subjects = |kind: &str| {
            let named = list(object, "subjects").iter().filter(|subject| text(subject, "kind") == kind);
            let names = named.map(|subject| match text(subject, "namespace") {
                namespace if kind == "ServiceAccount" && !namespace.is_empty() => {
                    format!("{namespace}/{}", text(subject, "name"))
                }
                _ => text(subject, "name").to_owned(),
            });
            names.collect::<Vec<_>>().join(", ")
        };
        vec![name(object), role, scene.age(object), subjects("User"), subjects("Group"), subjects("ServiceAccount")]
    });

pub(super) const WEBHOOKS: Table = table(&["NAME", "WEBHOOKS", "AGE"], |object, scene| {
    vec![name(object), list(object, "webhooks").len().to_string(), scene.age(object)]
});

pub(super) const VALIDATING_POLICY: Table = table(&["NAME", "VALIDATIONS", "PARAMKIND", "AGE"], |object, scene| {
    vec![name(object), list(object, "spec.validations").len().to_string(), param_kind(object), scene.age(object)]
});

pub(super) const MUTATING_POLICY: Table = table(&["NAME", "MUTATIONS", "PARAMKIND", "AGE"], |object, scene| {
    vec![name(object), list(object, "spec.mutations").len().to_string(), param_kind(object), scene.age(object)]
});

fn param_kind(object: &Value) -> String {
    match at(object, "spec.paramKind") {
        Value::Null => "<unset>".to_owned(),
        kind => format!("{}/{}", text(kind, "apiVersion"), text(kind, "kind")),
    }
}

pub(super) const POLICY_BINDING: Table = table(&["NAME", "POLICYNAME", "PARAMREF", "AGE"], |object, scene| {
    let param = at(object, "spec.paramRef");
    let param = match (text(param, "name"), text(param, "namespace")) {
        ("", _) if has(param, "selector") => format_selector(at(param, "selector")),
        ("", _) => "<unset>".to_owned(),
        (name, "") => format!("*/{name}"),
        (name, namespace) => format!("{namespace}/{name}"),
    };
    vec![name(object), text(object, "spec.policyName").to_owned(), param, scene.age(object)]
});
