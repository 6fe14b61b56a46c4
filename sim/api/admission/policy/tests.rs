//! Policies, bindings and what they say.

use super::*;
use crate::api::admission::Operation;
use crate::api::kinds;

#[derive(Default)]
struct World {
    policies: Vec<Value>,
    bindings: Vec<Value>,
    params: Vec<Value>,
}

impl Lookup for World {
    fn namespace_object(&self, name: &str) -> Option<Value> {
        Some(json!({ "metadata": { "name": name, "labels": { "env": name } } }))
    }
    fn service_account(&self, _: &str, _: &str) -> Option<Value> {
        None
    }
    fn priority_class(&self, _: &str) -> Option<Value> {
        None
    }
    fn default_priority_class(&self) -> Option<Value> {
        None
    }
    fn runtime_class(&self, _: &str) -> Option<Value> {
        None
    }
    fn all_of(&self, kind: &'static str) -> Vec<Value> {
        if kind == "ValidatingAdmissionPolicy" { self.policies.clone() } else { self.bindings.clone() }
    }
    fn objects(&self, _: &str, kind: &str, _: &str) -> Vec<Value> {
        if kind == "ConfigMap" { self.params.clone() } else { Vec::new() }
    }
}

fn policy(validations: Value, more: Value) -> Value {
    let mut policy = json!({ "metadata": { "name": "p" }, "spec": { "failurePolicy": "Fail", "validations": validations,
        "matchConstraints": { "resourceRules": [
            { "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"] } ] } } });
    crate::api::patch::json_merge(&mut policy, &json!({ "spec": more }));
    policy
}

fn binding(more: Value) -> Value {
    let mut binding =
        json!({ "metadata": { "name": "b" }, "spec": { "policyName": "p", "validationActions": ["Deny"] } });
    crate::api::patch::json_merge(&mut binding, &json!({ "spec": more }));
    binding
}

fn ask(world: &World) -> Result<Vec<String>, String> {
    let deployment = json!({ "metadata": { "name": "web", "labels": { "app": "web" } }, "spec": { "replicas": 7 } });
    let info = kinds::by_kind("Deployment").expect("a kind");
    let at = Attributes::of(Operation::Create, info, "prod", "web");
    let mut warnings = Vec::new();
    validate(&deployment, None, &at, world, &mut warnings)
        .map(|()| warnings)
        .map_err(|rejection| format!("{} {}", rejection.code(), rejection.text(&info.resource(), "web")))
}

const DENIED: &str =
    "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ";

#[test]
fn policies_deny_with_their_words() {
    let few = json!([{ "expression": "object.spec.replicas <= 5" }]);
    for (validations, more, expected) in [
        (few.clone(), json!({}), Err("422 failed expression: object.spec.replicas <= 5")),
        (json!([{ "expression": "object.spec.replicas <= 9" }]), json!({}), Ok(())),
        (json!([{ "expression": "object.spec.replicas <= 5", "message": "too many" }]), json!({}), Err("422 too many")),
        (
            json!([{ "expression": "object.spec.replicas <= 5", "message": "no", "reason": "Forbidden",
                "messageExpression": "'%d are too many'.format([object.spec.replicas])" }]),
            json!({}),
            Err("403 7 are too many"),
        ),
        (
            json!([{ "expression": "object.spec.replicas <= 5", "message": "no", "messageExpression": "'a\\nb'" }]),
            json!({}),
            Err("422 no"),
        ),
        (
            json!([{ "expression": "object.spec.strategy.type == 'Recreate'" }]),
            json!({}),
            Err("422 expression 'object.spec.strategy.type == 'Recreate'' resulted in error: no such key: strategy"),
        ),
        (
            json!([{ "expression": "object.spec.strategy.type == 'Recreate'" }]),
            json!({ "failurePolicy": "Ignore" }),
            Ok(()),
        ),
        (
            json!([{ "expression": "variables.n < variables.most" }]),
            json!({ "variables": [{ "name": "n", "expression": "object.spec.replicas" },
                { "name": "most", "expression": "variables.n - 1" }] }),
            Err("422 failed expression: variables.n < variables.most"),
        ),
        (
            json!([{ "expression": "request.operation == 'CREATE' && request.namespace == 'prod' && oldObject == null && \
                namespaceObject.metadata.labels.env == 'prod' && request.resource.resource == 'deployments'" }]),
            json!({}),
            Ok(()),
        ),
        (
            few.clone(),
            json!({ "matchConditions": [{ "name": "c", "expression": "object.metadata.name != 'web'" }] }),
            Ok(()),
        ),
        (
            few.clone(),
            json!({ "matchConstraints": { "namespaceSelector": { "matchLabels": { "env": "test" } } } }),
            Ok(()),
        ),
        (few.clone(), json!({ "matchConstraints": { "objectSelector": { "matchLabels": { "app": "db" } } } }), Ok(())),
        (
            few,
            json!({ "matchConstraints": { "excludeResourceRules": [
                { "apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"], "resourceNames": ["web"] }] } }),
            Ok(()),
        ),
    ] {
        let world =
            World { policies: vec![policy(validations, more)], bindings: vec![binding(json!({}))], ..World::default() };
        let expected = expected.map(|()| Vec::new()).map_err(|text| match text.split_once(' ') {
            Some((code, what)) => format!("{code} {DENIED}{what}"),
            None => text.to_owned(),
        });
        assert_eq!(ask(&world), expected);
    }
}

#[test]
fn bindings_choose_actions_and_parameters() {
    let few = || policy(json!([{ "expression": "object.spec.replicas <= 5" }]), json!({}));
    let world = |binding: Value| World { policies: vec![few()], bindings: vec![binding], ..World::default() };
    assert_eq!(
        ask(&world(binding(json!({ "validationActions": ["Warn", "Audit"] })))),
        Ok(vec![
            "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': failed expression: object.spec.replicas <= 5"
                .to_owned()
        ])
    );
    assert_eq!(ask(&world(binding(json!({ "policyName": "other" })))), Ok(vec![]));
    let elsewhere = json!({ "matchResources": { "namespaceSelector": { "matchLabels": { "env": "test" } } } });
    assert_eq!(ask(&world(binding(elsewhere))), Ok(vec![]));
    let limit = |most: i64| json!({ "metadata": { "name": "limit", "labels": { "for": "web" } }, "most": most });
    let with_params = |reference: Value, params: Vec<Value>| {
        let rule = json!([{ "expression": "object.spec.replicas <= params.most" }]);
        let kind = json!({ "paramKind": { "apiVersion": "v1", "kind": "ConfigMap" } });
        ask(&World {
            policies: vec![policy(rule, kind)],
            bindings: vec![binding(json!({ "paramRef": reference }))],
            params,
        })
    };
    let named = json!({ "name": "limit", "parameterNotFoundAction": "Deny" });
    assert_eq!(with_params(named.clone(), vec![limit(9)]), Ok(vec![]));
    assert!(with_params(named.clone(), vec![limit(3)]).is_err());
    assert_eq!(
        with_params(named, vec![]),
        Err(format!(
            "422 {DENIED}failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"
        ))
    );
    assert_eq!(with_params(json!({ "name": "limit", "parameterNotFoundAction": "Allow" }), vec![]), Ok(vec![]));
    let selected = json!({ "selector": { "matchLabels": { "for": "web" } }, "parameterNotFoundAction": "Deny" });
    assert!(with_params(selected, vec![limit(9), limit(3)]).is_err(), "every parameter is asked");
}

#[test]
fn what_cannot_be_evaluated_is_refused() {
    let mut causes = Causes::default();
    let bad = json!([{ "expression": "authorizer.group('').allowed()", "messageExpression": "1 +" }]);
    validate_expressions(&policy(bad, json!({ "variables": [{ "name": "n", "expression": "1" }] })), &mut causes);
    let fields: Vec<String> = causes.list.iter().map(|cause| cause.field.clone()).collect();
    assert_eq!(fields, ["spec.validations[0].expression", "spec.validations[0].messageExpression"]);
}
