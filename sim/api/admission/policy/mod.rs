//! ValidatingAdmissionPolicy: rules that users write as expressions (apiserver, `admission/plugin/policy/validating`).
//!
//! Expressions see `object`, `oldObject`, `request`, `params`, `namespaceObject` and `variables`; there is no `authorizer`. What an
//! `Audit` action or audit annotations would write is kept nowhere. Policies are asked in order of name.

mod matching;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{Attributes, Lookup, Rejection};
use crate::api::causes::{Causes, Path};
use crate::api::cel::{self, CelError, Program, Variables};
use crate::api::selector::Selector;
use crate::api::view::{get, has, list, text};

/// Longest message that an expression may make, in bytes (`MaxEvaluatedMessageExpressionSizeBytes`).
const MAX_MESSAGE: usize = 5 * 1024;

/// The plugin. `object` is null for a deletion.
///
/// # Errors
///
/// What the API server would answer: the first policy that denies.
pub fn validate(
    object: &Value,
    old: Option<&Value>,
    at: &Attributes<'_>,
    lookup: &dyn Lookup,
    warnings: &mut Vec<String>,
) -> Result<(), Rejection> {
    // Policies are not asked about policies: a wrong one could not be mended.
    if at.info.group == "admissionregistration.k8s.io" {
        return Ok(());
    }
    let bindings = lookup.all_of("ValidatingAdmissionPolicyBinding");
    if bindings.is_empty() {
        return Ok(());
    }
    let null = Value::Null;
    let (object, old) = (part(object, at), part(old.unwrap_or(&null), at));
    let request = Request { object: &object, old: &old, at, lookup };
    let mut denied: Option<Rejection> = None;
    for policy in lookup.all_of("ValidatingAdmissionPolicy") {
        let name = text(get(&policy, "metadata"), "name");
        let constraints = get(get(&policy, "spec"), "matchConstraints");
        if !has(get(&policy, "spec"), "matchConstraints") || !matching::matches(constraints, &request) {
            continue;
        }
        let own = bindings.iter().filter(|binding| text(get(binding, "spec"), "policyName") == name);
        for binding in own {
            for decision in request.ask(&policy, binding) {
                let by = text(get(binding, "metadata"), "name");
                let actions = get(get(binding, "spec"), "validationActions");
                let acts = |action: &str| actions.as_array().into_iter().flatten().any(|own| own == action);
                if decision.is_configuration || acts("Deny") {
                    let rejection = decision.rejection(name, by);
                    denied = denied.or(Some(rejection));
                }
                if !decision.is_configuration && acts("Warn") {
                    let what = &decision.message;
                    warnings.push(format!(
                        "Validation failed for ValidatingAdmissionPolicy '{name}' with binding '{by}': {what}"
                    ));
                }
            }
        }
    }
    denied.map_or(Ok(()), Err)
}

/// What a request is about: the object, or the `Scale` of a workload that is scaled.
fn part<'a>(object: &'a Value, at: &Attributes<'_>) -> Cow<'a, Value> {
    if at.subresource != "scale" || object.is_null() {
        return Cow::Borrowed(object);
    }
    let replicas = get(get(object, "spec"), "replicas");
    Cow::Owned(json!({
        "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": get(object, "metadata"),
        "spec": { "replicas": replicas }, "status": { "replicas": get(get(object, "status"), "replicas") },
    }))
}

/// A request with what it is about.
struct Request<'a> {
    object: &'a Value,
    old: &'a Value,
    at: &'a Attributes<'a>,
    lookup: &'a dyn Lookup,
}

/// Why a policy says no.
struct Decision {
    message: String,
    reason: &'static str,
    /// Whether the policy or its binding is at fault: that denies whatever the binding's actions are.
    is_configuration: bool,
}

impl Decision {
    fn of_error(message: String) -> Decision {
        Decision { message, reason: "", is_configuration: false }
    }

    fn rejection(&self, policy: &str, binding: &str) -> Rejection {
        let (reason, code) = match self.reason {
            "Unauthorized" => ("Unauthorized", 401),
            "Forbidden" => ("Forbidden", 403),
            "RequestEntityTooLarge" => ("RequestEntityTooLarge", 413),
            _ => ("Invalid", 422),
        };
        let message =
            format!("ValidatingAdmissionPolicy '{policy}' with binding '{binding}' denied request: {}", self.message);
        Rejection::Policy { code, reason, message }
    }
}

impl Request<'_> {
    /// What a policy says under one binding, for each of its parameters.
    fn ask(&self, policy: &Value, binding: &Value) -> Vec<Decision> {
        let resources = get(get(binding, "spec"), "matchResources");
        if !resources.is_null() && !matching::matches(resources, self) {
            return Vec::new();
        }
        let fails = text(get(policy, "spec"), "failurePolicy") != "Ignore";
        match self.params(policy, binding) {
            Ok(params) => params.iter().flat_map(|params| self.decide(get(policy, "spec"), params, fails)).collect(),
            Err(_) if !fails => Vec::new(),
            Err(what) => {
                let message = format!("failed to configure binding: {what}");
                vec![Decision { message, reason: "", is_configuration: true }]
            }
        }
    }

    /// The parameters of a policy under a binding, null if it takes none.
    fn params(&self, policy: &Value, binding: &Value) -> Result<Vec<Value>, String> {
        let kind = get(get(policy, "spec"), "paramKind");
        let reference = get(get(binding, "spec"), "paramRef");
        if kind.is_null() || reference.is_null() {
            return Ok(vec![Value::Null]);
        }
        let namespace = match text(reference, "namespace") {
            "" => self.at.namespace,
            own => own,
        };
        let found = self.lookup.objects(text(kind, "apiVersion"), text(kind, "kind"), namespace);
        let name = text(reference, "name");
        let chosen: Vec<Value> = if name.is_empty() {
            let selector = Selector::from_json(get(reference, "selector")).map_err(|error| error.to_string())?;
            found.into_iter().filter(|object| selector.matches(|key| label(object, key))).collect()
        } else {
            found.into_iter().filter(|object| text(get(object, "metadata"), "name") == name).collect()
        };
        if chosen.is_empty() && text(reference, "parameterNotFoundAction") != "Allow" {
            return Err("no params found for policy binding with `Deny` parameterNotFoundAction".to_owned());
        }
        Ok(chosen)
    }

    fn decide(&self, spec: &Value, params: &Value, fails: bool) -> Vec<Decision> {
        let mut variables = self.variables(params);
        match self.conditions(spec, &variables) {
            Ok(true) => {}
            Ok(false) => return Vec::new(),
            Err(_) if !fails => return Vec::new(),
            Err(what) => return vec![Decision::of_error(what)],
        }
        for variable in list(spec, "variables") {
            let name = format!("variables.{}", text(variable, "name"));
            let value =
                compile(text(variable, "expression"), &variables).and_then(|own| own.evaluate(&variables.values));
            variables.names.push(name.clone());
            variables.values.set(&name, value);
        }
        let mut decisions = Vec::new();
        for validation in list(spec, "validations") {
            let expression = text(validation, "expression");
            match compile(expression, &variables).and_then(|program| program.test(&variables.values)) {
                Ok(true) => {}
                Ok(false) => decisions.push(Decision {
                    message: message(validation, &variables),
                    reason: known_reason(text(validation, "reason")),
                    is_configuration: false,
                }),
                Err(error) if error.out_of_budget => {
                    let what =
                        "validation failed due to running out of cost budget, no further validation rules will be run";
                    decisions.extend(fails.then(|| Decision::of_error(what.to_owned())));
                    break;
                }
                Err(error) => {
                    let what = format!("expression '{expression}' resulted in error: {error}");
                    decisions.extend(fails.then(|| Decision::of_error(what)));
                }
            }
        }
        decisions
    }

    /// Whether all match conditions hold; one that does not outweighs the errors of others.
    fn conditions(&self, spec: &Value, variables: &Scope) -> Result<bool, String> {
        let mut errors = Vec::new();
        for condition in list(spec, "matchConditions") {
            let expression = text(condition, "expression");
            match compile(expression, variables).and_then(|program| program.test(&variables.values)) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => errors.push(format!("expression '{expression}' resulted in error: {error}")),
            }
        }
        match errors.as_slice() {
            [] => Ok(true),
            [one] => Err(one.clone()),
            _ => Err(format!("[{}]", errors.join(", "))),
        }
    }

    fn variables(&self, params: &Value) -> Scope {
        let namespace = match self.at.namespace {
            "" => None,
            name => self.lookup.namespace_object(name),
        };
        let values = [
            ("object", cel::Value::from_json(self.object)),
            ("oldObject", cel::Value::from_json(self.old)),
            ("request", cel::Value::from_json(&self.description())),
            ("params", cel::Value::from_json(params)),
            ("namespaceObject", cel::Value::from_json(&namespace.unwrap_or_default())),
        ];
        Scope { names: SCOPE.iter().map(|&name| name.to_owned()).collect(), values: Variables::new(&values) }
    }

    /// `request`: an `AdmissionRequest`.
    fn description(&self) -> Value {
        let info = self.at.info;
        let kind = match self.at.subresource {
            "scale" => json!({ "group": "autoscaling", "version": "v1", "kind": "Scale" }),
            _ => json!({ "group": info.group, "version": info.versions[0], "kind": info.kind }),
        };
        let resource = json!({ "group": info.group, "version": info.versions[0], "resource": info.plural });
        json!({
            "kind": kind, "resource": resource, "subResource": self.at.subresource,
            "requestKind": kind, "requestResource": resource, "requestSubResource": self.at.subresource,
            "name": self.at.name, "namespace": self.at.namespace, "operation": self.at.operation.as_str(), "dryRun": false,
            "userInfo": { "username": self.at.user, "groups": ["system:masters", "system:authenticated"] },
        })
    }
}

/// The variables that every expression of a policy has.
const SCOPE: [&str; 5] = ["object", "oldObject", "request", "params", "namespaceObject"];

/// Variables with their names.
struct Scope {
    names: Vec<String>,
    values: Variables,
}

fn compile(expression: &str, scope: &Scope) -> Result<Program, CelError> {
    Program::compile(expression, &scope.names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What a validation that failed says: its expression's text if that is one line, its message, or itself.
fn message(validation: &Value, variables: &Scope) -> String {
    let expression = text(validation, "messageExpression");
    if !expression.is_empty()
        && let Ok(value) = compile(expression, variables).and_then(|program| program.evaluate(&variables.values))
        && let Some(own) = value.as_str().map(str::trim)
        && !own.is_empty()
        && own.len() <= MAX_MESSAGE
        && !own.contains('\n')
    {
        return own.to_owned();
    }
    match text(validation, "message").trim() {
        "" => format!("failed expression: {}", text(validation, "expression").trim()),
        own => own.to_owned(),
    }
}

fn known_reason(reason: &str) -> &'static str {
    ["Unauthorized", "Forbidden", "RequestEntityTooLarge"].into_iter().find(|own| *own == reason).unwrap_or("Invalid")
}

fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    get(get(get(object, "metadata"), "labels"), key).as_str()
}

/// Checks the expressions of a policy when it is created: what cannot be evaluated here is refused, not ignored.
pub fn validate_expressions(policy: &Value, causes: &mut Causes) {
    let spec = get(policy, "spec");
    let path = Path::ROOT.child("spec");
    let mut names: Vec<String> = SCOPE.iter().map(|&name| name.to_owned()).collect();
    let mut check = |expression: &Value, names: &[String], path: &Path<'_>| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        if let Some(own) = expression.as_str()
            && let Err(error) = Program::compile(own, &names)
        {
            causes.invalid(path, own, error.text);
        }
    };
    for (index, condition) in list(spec, "matchConditions").iter().enumerate() {
        let list_path = path.child("matchConditions");
        check(get(condition, "expression"), &names, &list_path.index(index).child("expression"));
    }
    for (index, variable) in list(spec, "variables").iter().enumerate() {
        let list_path = path.child("variables");
        check(get(variable, "expression"), &names, &list_path.index(index).child("expression"));
        names.push(format!("variables.{}", text(variable, "name")));
    }
    for (index, validation) in list(spec, "validations").iter().enumerate() {
        let list_path = path.child("validations");
        for field in ["expression", "messageExpression"] {
            check(get(validation, field), &names, &list_path.index(index).child(field));
        }
    }
}
