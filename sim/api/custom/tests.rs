//! Schemas against values, and custom resources through acceptance.

use serde_json::{Value, json};

use super::*;
use crate::api::accept::{AcceptContext, accept, accept_update};

fn said(schema: Value, value: Value) -> Vec<String> {
    validate(&Props::read(&schema), &value, "")
        .iter()
        .map(|cause| format!("{} {}", cause.reason.as_str(), cause))
        .collect()
}

#[test]
fn values_against_schemas() {
    for (schema, value, expected, why) in [
        (json!({"type": "integer"}), json!(1.0), &[][..], "a whole float is an integer"),
        (json!({"type": "number"}), json!(1), &[], "an integer is a number"),
        (
            json!({"type": "integer", "maximum": 10.5}),
            json!(11),
            &["less than or equal to 10"],
            "bounds of integers lose their fraction",
        ),
        (json!({"type": "string", "maxLength": 3}), json!("äöü"), &[], "lengths are in characters"),
        (json!({"type": "string", "format": "int32"}), json!("x"), &[], "unknown formats are not checked"),
        (json!({"type": "string", "format": "date"}), json!("x"), &["must be of type date: \"x\""], "known ones are"),
        (json!({"enum": [1, "a"]}), json!("b"), &["supported values: \"1\", \"a\""], "choices are shown as texts"),
        (
            json!({"type": "object", "additionalProperties": false}),
            json!({"a": 1}),
            &["a forbidden property"],
            "no fields at all",
        ),
        (
            json!({"type": "object", "minProperties": 1}),
            json!({}),
            &["should have at least 1 properties"],
            "too few fields",
        ),
        (
            json!({"not": {"required": ["a"]}}),
            json!({"a": 1}),
            &["must not validate the schema (not)"],
            "what must not hold",
        ),
        (json!({"type": "string"}), json!(null), &["must be of type string: \"null\""], "null is no string"),
        (json!({"type": "string", "nullable": true}), json!(null), &[], "unless it may be"),
        (
            json!({"anyOf": [{"properties": {"a": {"minimum": 5}}, "required": ["b"]}, {"required": ["c"]}]}),
            json!({"a": 1, "d": 2}),
            &[
                "must validate at least one schema (anyOf)",
                "a in body should be greater than or equal to 5",
                "b: Required value",
            ],
            "the alternative that got furthest explains",
        ),
        (
            json!({"allOf": [{"required": ["a"]}, {"required": ["b"]}]}),
            json!({"a": 1}),
            &["b: Required value", "must validate all the schemas (allOf)"],
            "every part must hold",
        ),
    ] {
        let found = said(schema.clone(), value.clone());
        assert_eq!(found.len(), expected.len(), "{why}: {schema} {value}: {found:#?}");
        for part in expected {
            assert!(found.iter().any(|said| said.contains(part)), "{why}: {part}: {found:#?}");
        }
    }
}

fn definitions() -> Definitions {
    let mut definitions = Definitions::default();
    definitions.add(&json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {
                    "size": {"type": "integer", "default": 3},
                    "options": {"type": "object", "default": {}, "properties": {"fast": {"type": "boolean", "default": false}}},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
                        "known": {"type": "object", "properties": {"a": {"type": "string"}}}}},
                }}, "status": {"type": "object", "properties": {"phase": {"type": "string"}}}}}},
            }],
        },
    }));
    definitions
}

fn widget(spec: Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec})
}

#[test]
fn defaults_are_filled_in_once() {
    let definitions = definitions();
    let context = AcceptContext { definitions: Some(&definitions), ..AcceptContext::default() };
    let mut sent = widget(json!({"size": null, "free": {"x": {"y": 1}}}));
    sent["status"] = json!({"phase": "Ready"});
    let accepted = accept(&sent, &context).expect("it is valid").value;
    assert_eq!(accepted["spec"], json!({"size": 3, "options": {"fast": false}, "free": {"x": {"y": 1}}}));
    assert_eq!(accepted["metadata"], json!({"name": "w", "namespace": "default", "generation": 1}));
    assert_eq!(accepted.get("status"), None, "the status is a resource of its own");
    assert_eq!(accept(&accepted, &context).expect("it is valid").value, accepted);
}

#[test]
fn unknown_fields_are_found_where_they_are() {
    let definitions = definitions();
    let context = AcceptContext { definitions: Some(&definitions), ..AcceptContext::default() };
    let refused = |spec: Value| accept(&widget(spec), &context).expect_err("unknown fields").message;
    let head = "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: unknown field ";
    assert_eq!(refused(json!({"colour": "red"})), format!("{head}\"spec.colour\""));
    assert_eq!(refused(json!({"free": {"any": 1, "known": {"b": 1}}})), format!("{head}\"spec.free.known.b\""));
    let mut sent = widget(json!({}));
    sent["status"] = json!({"stage": 1});
    let message = accept(&sent, &context).expect_err("unknown").message;
    assert_eq!(message, format!("{head}\"status.stage\""), "decoding comes before the status is dropped");
    let mut sent = widget(json!({}));
    sent["metadata"]["label"] = json!({});
    assert_eq!(accept(&sent, &context).expect_err("unknown").message, format!("{head}\"metadata.label\""));
    sent["metadata"] = json!({"name": "w", "labels": {"a": 1}});
    let message = accept(&sent, &context).expect_err("a wrong type").message;
    assert!(
        message.contains("json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string"),
        "{message}"
    );
}

#[test]
fn updates_count_what_changes() {
    let definitions = definitions();
    let context = AcceptContext { definitions: Some(&definitions), ..AcceptContext::default() };
    let mut old = accept(&widget(json!({"size": 1})), &context).expect("it is valid").value;
    old["metadata"]["resourceVersion"] = json!("7");
    let mut new = old.clone();
    new["metadata"]["labels"] = json!({"a": "b"});
    let same = accept_update(&old, &new, &context).expect("a label").value;
    assert_eq!(same["metadata"]["generation"], 1);
    new["spec"]["size"] = json!(2);
    assert_eq!(accept_update(&old, &new, &context).expect("a size").value["metadata"]["generation"], 2);
    new["metadata"]["resourceVersion"] = json!("6");
    assert_eq!(accept_update(&old, &new, &context).expect_err("an old version").code, 409);
}

#[test]
fn kinds_without_a_definition() {
    let object = widget(json!({"anything": [1]}));
    assert_eq!(accept(&object, &AcceptContext::default()).expect_err("no match").reason, "NoMatch");
    let context = AcceptContext { keep_undefined: true, ..AcceptContext::default() };
    let kept = accept(&object, &context).expect("it is kept");
    assert_eq!((kept.info.key, kept.info.plural), ("Widget.example.com", "widgets"));
    for (version, kind) in
        [("apps/v2", "Deployment"), ("networking.k8s.io/v1beta1", "Ingress"), ("v1", "Widget"), ("foo/v1", "Bar")]
    {
        let object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}});
        assert_eq!(accept(&object, &context).expect_err("no match").reason, "NoMatch", "{version} {kind}");
    }
}
