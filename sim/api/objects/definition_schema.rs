//! The OpenAPI v3 schemas of a CustomResourceDefinition: what may stand in them.
//!
//! Source: apiextensions-apiserver `ValidateCustomResourceDefinitionOpenAPISchema`, `schema/defaulting/validation.go`.

use serde_json::Value;

use super::definition_structural as structural;
use crate::api::causes::{Causes, Path, Raw};
use crate::api::cel::Type;
use crate::api::custom::{Props, Rule, quoted_value, type_of, unknown_fields, validate as validate_value};
use crate::api::view::{flag, get, has, list, text};

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// Checks the schema of a version (or of all) at `path.openAPIV3Schema`.
pub(super) fn validate(schema: &Value, has_status: bool, path: &Path<'_>, causes: &mut Causes) {
    let n_before = causes.list.len();
    let at = path.child("openAPIV3Schema");
    if has_status {
        root_with_status(schema, &at, causes);
    }
    if flag(schema, "nullable") {
        causes.forbidden(&at.child("nullable"), "nullable cannot be true at the root");
    }
    let unsupported = structural::unsupported_field(schema);
    if unsupported.is_none() && structural::validate(schema, &at, causes) {
        defaults(schema, &at, true, false, causes);
    }
    let place = Place { is_root: true, inside_meta: false, no_defaults: None, uncorrelated: None };
    openapi(schema, &at, &place, causes);
    if let Some(field) = unsupported.filter(|_| causes.list.len() == n_before) {
        causes.invalid(&at, "", format!("OpenAPIV3Schema '{field}' is not supported"));
    }
}

/// With a status subresource the root may only have what still holds for the status alone.
fn root_with_status(schema: &Value, path: &Path<'_>, causes: &mut Causes) {
    const ALLOWED: [(&str, &str); 22] = [
        ("description", "Description"),
        ("type", "Type"),
        ("format", "Format"),
        ("title", "Title"),
        ("maximum", "Maximum"),
        ("exclusiveMaximum", "ExclusiveMaximum"),
        ("minimum", "Minimum"),
        ("exclusiveMinimum", "ExclusiveMinimum"),
        ("maxLength", "MaxLength"),
        ("minLength", "MinLength"),
        ("pattern", "Pattern"),
        ("maxItems", "MaxItems"),
        ("minItems", "MinItems"),
        ("uniqueItems", "UniqueItems"),
        ("multipleOf", "MultipleOf"),
        ("required", "Required"),
        ("items", "Items"),
        ("properties", "Properties"),
        ("externalDocs", "ExternalDocs"),
        ("example", "Example"),
        ("x-kubernetes-preserve-unknown-fields", "XPreserveUnknownFields"),
        ("x-kubernetes-validations", "XValidations"),
    ];
    let kind = text(schema, "type");
    if !kind.is_empty() && kind != "object" {
        let what =
            "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled";
        causes.invalid(&path.child("type"), kind, what);
    }
    let allowed = |name: &str| ALLOWED.iter().any(|(known, _)| *known == name);
    if schema.as_object().into_iter().flatten().any(|(name, _)| !allowed(name)) {
        let names: Vec<&str> = ALLOWED.iter().map(|(_, name)| *name).collect();
        let what = format!(
            "only [{}] fields are allowed at the root of the schema if the status subresource is enabled",
            names.join(" ")
        );
        causes.invalid(path, Raw(&schema.to_string()), what);
    }
}

/// Where in a definition a schema stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    is_root: bool,
    inside_meta: bool,
    /// Why there may be no defaults.
    no_defaults: Option<&'a str>,
    /// The list around it whose items are not told apart: what is below has no former self.
    uncorrelated: Option<&'a str>,
}

fn openapi(schema: &Value, path: &Path<'_>, place: &Place<'_>, causes: &mut Causes) {
    standard(schema, path, place, causes);
    if flag(schema, "uniqueItems") {
        let what = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        causes.forbidden(&path.child("uniqueItems"), what);
    }
    let inner = Place { is_root: false, ..*place };
    let additional = get(schema, "additionalProperties");
    let has_properties = get(schema, "properties").as_object().is_some_and(|properties| !properties.is_empty());
    if has_properties && (additional == false || additional.is_object()) {
        let what = "additionalProperties and properties are mutual exclusive";
        causes.forbidden(&path.child("additionalProperties"), what);
    }
    if additional.is_object() {
        let why = "inside additionalProperties applying to object metadata";
        let inner = if place.inside_meta { Place { no_defaults: Some(why), ..inner } } else { inner };
        openapi(additional, &path.child("additionalProperties"), &inner, causes);
    }
    let properties = path.child("properties");
    for (name, property) in get(schema, "properties").as_object().into_iter().flatten() {
        let is_meta = ["metadata", "kind", "apiVersion"].contains(&name.as_str());
        let is_meta = is_meta && (place.is_root || flag(schema, "x-kubernetes-embedded-resource"));
        let why = format!("in top-level {name}");
        let inner = Place {
            is_root: false,
            inside_meta: place.inside_meta || is_meta,
            no_defaults: if is_meta && place.is_root { Some(why.as_str()) } else { place.no_defaults },
            uncorrelated: place.uncorrelated,
        };
        openapi(property, &properties.key(name), &inner, causes);
    }
    if get(schema, "not").is_object() {
        openapi(get(schema, "not"), &path.child("not"), &inner, causes);
    }
    for field in ["allOf", "oneOf", "anyOf"] {
        let all = path.child(field);
        for (index, part) in list(schema, field).iter().enumerate() {
            openapi(part, &all.index(index), &inner, causes);
        }
    }
    let items = get(schema, "items");
    if items.is_object() {
        let here = path.to_string();
        let is_map = get(schema, "x-kubernetes-list-type") == "map";
        let uncorrelated = place.uncorrelated.or_else(|| (!is_map).then_some(here.as_str()));
        openapi(items, &path.child("items"), &Place { uncorrelated, ..inner }, causes);
    }
    extensions(schema, path, causes);
    rules(schema, path, place, causes);
}

/// What OpenAPI v3 has and structural schemas do not.
fn standard(schema: &Value, path: &Path<'_>, place: &Place<'_>, causes: &mut Causes) {
    let kind = text(schema, "type");
    if !kind.is_empty() && !TYPES.contains(&kind) {
        causes.not_supported(&path.child("type"), kind, &TYPES);
    }
    if let Some(why) = place.no_defaults.filter(|_| has(schema, "default")) {
        causes.forbidden(&path.child("default"), &format!("must not be set {why}"));
    }
    for field in ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"] {
        if has(schema, field) {
            causes.forbidden(&path.child(field), &format!("{field} is not supported"));
        }
    }
    if kind == "null" {
        causes.forbidden(&path.child("type"), "type cannot be set to null, use nullable as an alternative");
    }
    if get(schema, "items").as_array().is_some_and(|items| !items.is_empty()) {
        causes.forbidden(&path.child("items"), "items must be a schema object and not an array");
    }
    if place.inside_meta && flag(schema, "x-kubernetes-embedded-resource") {
        causes.forbidden(&path.child("x-kubernetes-embedded-resource"), "must not be used inside of resource meta");
    }
}

/// `x-kubernetes-preserve-unknown-fields`, `-map-type`, `-list-type`, `-list-map-keys`.
fn extensions(schema: &Value, path: &Path<'_>, causes: &mut Causes) {
    const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
    const MAP_TYPE: &str = "x-kubernetes-map-type";
    const LIST_TYPE: &str = "x-kubernetes-list-type";
    if get(schema, PRESERVE) == false {
        causes.invalid(&path.child(PRESERVE), Raw("false"), "must be true or undefined");
    }
    let kind = text(schema, "type");
    for (field, wanted, known) in
        [(MAP_TYPE, "object", &["atomic", "granular"][..]), (LIST_TYPE, "array", &["atomic", "set", "map"][..])]
    {
        let Some(given) = get(schema, field).as_str() else { continue };
        let what = format!("must be {wanted} if {field} is specified");
        if kind.is_empty() {
            causes.required(&path.child("type"), &what);
        } else if kind != wanted {
            causes.invalid(&path.child("type"), kind, what);
        } else if given == "set" && field == LIST_TYPE {
            atomic_items(get(schema, "items"), path, causes);
        }
        if !known.contains(&given) {
            causes.not_supported(&path.child(field), given, known);
        }
    }
    let (list_type, keys) = (get(schema, LIST_TYPE), list(schema, "x-kubernetes-list-map-keys"));
    if !keys.is_empty() && list_type != "map" {
        let what = "must be map if x-kubernetes-list-map-keys is non-empty";
        match list_type.as_str() {
            None => causes.required(&path.child(LIST_TYPE), what),
            Some(given) => causes.invalid(&path.child(LIST_TYPE), given, what),
        }
    }
    if list_type == "map" {
        list_map(schema, keys, path, causes);
    }
    if let Some(list_type) = list_type.as_str().filter(|given| ["set", "map"].contains(given)) {
        nullable_items(schema, list_type, keys, path, causes);
    }
}

/// The items of a set are compared as a whole.
fn atomic_items(items: &Value, path: &Path<'_>, causes: &mut Causes) {
    let what = "must be atomic as item of a list with x-kubernetes-list-type=set";
    let list_type = get(items, "x-kubernetes-list-type");
    let at = path.child("items");
    match text(items, "type") {
        "array" if list_type.is_string() && list_type != "atomic" => {
            causes.invalid(&at.child("x-kubernetes-list-type"), list_type, what);
        }
        "object" if get(items, "x-kubernetes-map-type") != "atomic" => {
            causes.invalid(&at.child("x-kubernetes-map-type"), Raw("\"null\""), what);
        }
        _ => {}
    }
}

fn list_map(schema: &Value, keys: &[Value], path: &Path<'_>, causes: &mut Causes) {
    let items = get(schema, "items");
    let at = path.child("items");
    let keys_path = path.child("x-kubernetes-list-map-keys");
    if keys.is_empty() {
        causes.required(&keys_path, "must not be empty if x-kubernetes-list-type is map");
    }
    if items.is_null() {
        causes.required(&at, "must have a schema if x-kubernetes-list-type is map");
        return;
    }
    let kind = text(items, "type");
    if items.is_object() && kind != "object" {
        causes.invalid(&at.child("type"), kind, "must be object if parent array's x-kubernetes-list-type is map");
        return;
    }
    let shown = Value::from(keys.to_vec()).to_string();
    for (index, key) in keys.iter().enumerate() {
        let name = key.as_str().unwrap_or("");
        match get(items, "properties").get(name) {
            Some(property) if ["array", "object"].contains(&text(property, "type")) => {
                let properties = at.child("properties");
                let what = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                causes.invalid(&properties.key(name).child("type"), kind, what);
            }
            Some(_) => {}
            None => causes.invalid(&keys_path, Raw(&shown), "entries must all be names of item properties"),
        }
        if keys[..index].contains(key) {
            causes.invalid(&keys_path, Raw(&shown), "must not contain duplicate entries");
        }
    }
}

/// Items of sets and maps, and the keys of maps, cannot be null; keys are there.
fn nullable_items(schema: &Value, list_type: &str, keys: &[Value], path: &Path<'_>, causes: &mut Causes) {
    let items = get(schema, "items");
    let at = path.child("items");
    if flag(items, "nullable") {
        let what = format!("cannot be nullable when x-kubernetes-list-type is {list_type}");
        causes.forbidden(&at.child("nullable"), &what);
    }
    if list_type != "map" {
        return;
    }
    let properties = at.child("properties");
    for name in keys.iter().filter_map(Value::as_str) {
        let Some(property) = get(items, "properties").get(name) else { continue };
        let is_required = list(items, "required").iter().any(|required| required == name);
        if !is_required && !has(property, "default") {
            let what =
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            causes.required(&properties.key(name).child("default"), what);
        }
        if flag(property, "nullable") {
            let what = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            causes.forbidden(&properties.key(name).child("nullable"), what);
        }
    }
}

/// The form of `x-kubernetes-validations`, and whether their expressions compile. Where items have no former selves, `oldSelf` is none.
fn rules(schema: &Value, path: &Path<'_>, place: &Place<'_>, causes: &mut Causes) {
    const REASONS: [&str; 4] =
        ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
    let all = path.child("x-kubernetes-validations");
    let breaks = |text: &str| text.contains(['\n', '\r']);
    let mut own: Option<Type> = None;
    for (index, rule) in list(schema, "x-kubernetes-validations").iter().enumerate() {
        let at = all.index(index);
        let (expression, message) = (text(rule, "rule").trim(), text(rule, "message"));
        if expression.is_empty() {
            causes.required(&at.child("rule"), "rule is not specified");
        } else if !message.is_empty() && message.trim().is_empty() {
            causes.invalid(&at.child("message"), message, "message must be non-empty if specified");
        } else if breaks(message.trim()) {
            causes.invalid(&at.child("message"), message, "message must not contain line breaks");
        } else if breaks(expression) && message.trim().is_empty() {
            causes.required(&at.child("message"), "message must be specified if rule contains line breaks");
        }
        let expression = text(rule, "messageExpression");
        if !expression.is_empty() && expression.trim().is_empty() {
            causes.required(&at.child("messageExpression"), "messageExpression must be non-empty if specified");
        }
        if let Some(reason) = get(rule, "reason").as_str().filter(|reason| !REASONS.contains(reason)) {
            causes.not_supported(&at.child("reason"), reason, &REASONS);
        }
        let field = text(rule, "fieldPath");
        if !field.is_empty() && field.trim().is_empty() {
            causes.invalid(&at.child("fieldPath"), field, "fieldPath must be non-empty if specified");
        }
        if breaks(field) {
            causes.invalid(&at.child("fieldPath"), field, "fieldPath must not contain line breaks");
        }
        if !text(rule, "rule").trim().is_empty() {
            let own = own.get_or_insert_with(|| type_of(&Props::read(schema), place.is_root));
            expressions(rule, own, &at, place.uncorrelated, causes);
        }
    }
}

/// Compiles a rule and its message.
fn expressions(rule: &Value, own: &Type, path: &Path<'_>, uncorrelated: Option<&str>, causes: &mut Causes) {
    let compiled = Rule::read(rule);
    // The API server shows its internal type.
    let or_null = |field: &str| get(rule, field).to_string();
    let or_empty = |field: &str| Value::from(text(rule, field)).to_string();
    let shown = format!(
        "{{\"Rule\":{},\"Message\":{},\"MessageExpression\":{},\"Reason\":{},\"FieldPath\":{},\"OptionalOldSelf\":{}}}",
        or_empty("rule"),
        or_empty("message"),
        or_empty("messageExpression"),
        or_null("reason"),
        or_empty("fieldPath"),
        or_null("optionalOldSelf"),
    );
    let shown = crate::api::causes::html_safe(&shown);
    match compiled.compile_for(own, false) {
        Err(error) => causes.invalid(&path.child("rule"), Raw(&shown), error.text),
        Ok(program) => {
            let is_transition = program.uses("oldSelf");
            if let Some(within) = uncorrelated.filter(|_| is_transition) {
                let what =
                    format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {within}");
                causes.invalid(&path.child("rule"), text(rule, "rule"), what);
            }
            if let (false, Some(given)) = (is_transition, get(rule, "optionalOldSelf").as_bool()) {
                let what = "may not be set if oldSelf is not used in rule";
                causes.invalid(&path.child("optionalOldSelf"), Raw(&given.to_string()), what);
            }
        }
    }
    if !compiled.message_expression.trim().is_empty()
        && let Err(error) = compiled.compile_for(own, true)
    {
        causes.invalid(&path.child("messageExpression"), Raw(&shown), error.text);
    }
}

/// Checks that defaults are valid themselves and have no unknown fields.
fn defaults(schema: &Value, path: &Path<'_>, is_resource: bool, inside_meta: bool, causes: &mut Causes) {
    let default = get(schema, "default");
    let inside_meta = inside_meta && !is_resource;
    if !default.is_null() && !inside_meta {
        let props = Props::read(schema);
        let at = path.child("default");
        if !unknown_fields(&props, default, false).is_empty() {
            let shown = quoted_value(default);
            causes.invalid(&at, Raw(&shown), "must not have unknown fields");
        }
        causes.list.extend(validate_value(&props, default, &at.to_string()));
    }
    let items = get(schema, "items");
    if items.is_object() {
        defaults(items, &path.child("items"), flag(items, "x-kubernetes-embedded-resource"), inside_meta, causes);
    }
    let properties = path.child("properties");
    for (name, property) in get(schema, "properties").as_object().into_iter().flatten() {
        let is_meta = is_resource && ["metadata", "kind", "apiVersion"].contains(&name.as_str());
        let is_embedded = flag(property, "x-kubernetes-embedded-resource");
        defaults(property, &properties.key(name), is_embedded, inside_meta || is_meta, causes);
    }
}

/// The schemas inside a schema.
pub(super) fn children(schema: &Value) -> impl Iterator<Item = &Value> {
    let one = ["items", "not", "additionalProperties"].into_iter().map(move |field| get(schema, field));
    let many = ["allOf", "anyOf", "oneOf"].into_iter().flat_map(move |field| list(schema, field));
    let properties = get(schema, "properties").as_object().into_iter().flatten().map(|(_, schema)| schema);
    one.filter(|schema| schema.is_object()).chain(many).chain(properties)
}
