//! Structural schemas: every field that is checked is also declared, and what is below `allOf` and the like only checks.
//!
//! Source: apiextensions-apiserver `pkg/apiserver/schema/validation.go` and `complete.go`.

use serde_json::{Value, json};

use crate::api::causes::{Causes, Path, Raw};
use crate::api::custom::go_regex;
use crate::api::view::{flag, get, has, list, text};

const EMBEDDED: &str = "x-kubernetes-embedded-resource";
const INT_OR_STRING: &str = "x-kubernetes-int-or-string";
const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";

/// The first field in a schema that a structural schema cannot have at all.
pub(super) fn unsupported_field(schema: &Value) -> Option<&'static str> {
    let set = |field: &str| has(schema, field) && get(schema, field) != "";
    let fields =
        [("id", "id"), ("$schema", "schema"), ("$ref", "$ref"), ("patternProperties", "patternProperties")].into_iter();
    let more =
        [("dependencies", "dependencies"), ("additionalItems", "additionalItems"), ("definitions", "definitions")];
    let own = fields.chain(more).find(|(field, _)| set(field)).map(|(_, name)| name);
    own.or_else(|| super::definition_schema::children(schema).find_map(unsupported_field))
}

/// Checks a schema; whether nothing is wrong. What is wrong is ordered by its text.
pub(super) fn validate(schema: &Value, path: &Path<'_>, causes: &mut Causes) -> bool {
    let mut found = Causes::default();
    invariants(schema, Level::Root, path, &mut found);
    complete(schema, Some(schema), path, path, &mut found);
    found.list.sort_by_cached_key(ToString::to_string);
    let is_valid = found.is_empty();
    causes.list.append(&mut found.list);
    is_valid
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

fn invariants(schema: &Value, level: Level, path: &Path<'_>, causes: &mut Causes) {
    let kind = text(schema, "type");
    let items = get(schema, "items");
    if kind == "array" && !items.is_object() {
        causes.required(&path.child("items"), "must be specified");
    }
    if items.is_object() {
        invariants(items, Level::Item, &path.child("items"), causes);
    }
    let properties = get(schema, "properties").as_object();
    let properties_path = path.child("properties");
    for (name, property) in properties.into_iter().flatten() {
        invariants(property, Level::Field, &properties_path.key(name), causes);
    }
    let additional = get(schema, "additionalProperties");
    if !additional.is_null() && level == Level::Root {
        causes.forbidden(&path.child("additionalProperties"), "must not be used at the root");
    }
    if additional.is_object() {
        invariants(additional, Level::Field, &path.child("additionalProperties"), causes);
    }
    extensions(schema, path, causes);
    let any_of_is_type = is_int_or_string(get(schema, "anyOf"));
    let first_is_type = list(schema, "allOf").first().is_some_and(|first| is_int_or_string(get(first, "anyOf")));
    validations(schema, any_of_is_type, first_is_type, level, path, causes);
    types(schema, kind, level, path, causes);
    let is_resource = level == Level::Root || flag(schema, EMBEDDED);
    let Some(properties) = properties else { return };
    for name in ["kind", "apiVersion"] {
        if let Some(property) =
            properties.get(name).filter(|property| is_resource && text(property, "type") != "string")
        {
            causes.invalid(&properties_path.key(name).child("type"), text(property, "type"), "must be string");
        }
    }
    if let Some(metadata) = properties.get("metadata") {
        let at = properties_path.key("metadata");
        if is_resource && text(metadata, "type") != "object" {
            causes.invalid(&at.child("type"), text(metadata, "type"), "must be object");
        }
        if level == Level::Root && restricts_more_than_names(metadata) {
            let what =
                "must not specify anything other than name and generateName, but metadata is implicitly specified";
            causes.forbidden(&at, what);
        }
    }
}

fn types(schema: &Value, kind: &str, level: Level, path: &Path<'_>, causes: &mut Causes) {
    let is_embedded = flag(schema, EMBEDDED);
    let at = path.child("type");
    if is_embedded && kind != "object" {
        let what = "must be object if x-kubernetes-embedded-resource is true";
        match kind {
            "" => causes.required(&at, what),
            kind => causes.invalid(&at, kind, what),
        }
    } else if kind.is_empty() && !flag(schema, INT_OR_STRING) && !flag(schema, PRESERVE) {
        let what = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        causes.required(&at, what);
    }
    if is_embedded && has(schema, "additionalProperties") {
        let what = "must not be used if x-kubernetes-embedded-resource is set";
        causes.forbidden(&path.child("additionalProperties"), what);
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        causes.invalid(&at, kind, "must be object at the root");
    }
    let has_properties = get(schema, "properties").as_object().is_some_and(|properties| !properties.is_empty());
    if is_embedded && !flag(schema, PRESERVE) && !has_properties {
        let what =
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        causes.required(&path.child("properties"), what);
    }
}

fn extensions(schema: &Value, path: &Path<'_>, causes: &mut Causes) {
    if !flag(schema, INT_OR_STRING) {
        return;
    }
    for field in [PRESERVE, EMBEDDED] {
        if flag(schema, field) {
            causes.invalid(&path.child(field), Raw("true"), "must be false if x-kubernetes-int-or-string is true");
        }
    }
}

/// Whether the schema of `metadata` says more than `type: object` and what `name` and `generateName` are.
fn restricts_more_than_names(metadata: &Value) -> bool {
    let fields = metadata.as_object().into_iter().flatten();
    fields.into_iter().any(|(field, value)| match field.as_str() {
        "type" | "default" => false,
        // Not part of a structural schema.
        "externalDocs" | "example" => false,
        "properties" => {
            let names = value.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
            names.into_iter().any(|name| name != "name" && name != "generateName")
        }
        _ => true,
    })
}

/// `anyOf: [{type: integer}, {type: string}]`
fn is_int_or_string(any_of: &Value) -> bool {
    *any_of == json!([{"type": "integer"}, {"type": "string"}])
}

/// Checks what stands below `allOf`, `anyOf`, `oneOf` and `not`, and the pattern.
fn validations(
    schema: &Value,
    skip_any_of: bool,
    skip_first_any_of: bool,
    level: Level,
    path: &Path<'_>,
    causes: &mut Causes,
) {
    for field in ["anyOf", "allOf", "oneOf"] {
        if field == "anyOf" && skip_any_of {
            continue;
        }
        let all = path.child(field);
        for (index, part) in list(schema, field).iter().enumerate() {
            let skip = field == "allOf" && index == 0 && skip_first_any_of;
            nested(part, skip, level, &all.index(index), causes);
        }
    }
    if get(schema, "not").is_object() {
        nested(get(schema, "not"), false, level, &path.child("not"), causes);
    }
    let pattern = text(schema, "pattern");
    if let Some(error) = Some(pattern).filter(|pattern| !pattern.is_empty()).and_then(|pattern| go_regex(pattern).err())
    {
        let what = format!("must be a valid regular expression, but isn't: error parsing regexp: {error}");
        causes.invalid(&path.child("pattern"), pattern, what);
    }
}

fn nested(schema: &Value, skip_any_of: bool, level: Level, path: &Path<'_>, causes: &mut Causes) {
    validations(schema, skip_any_of, false, level, path, causes);
    if get(schema, "items").is_object() {
        nested(get(schema, "items"), false, level, &path.child("items"), causes);
    }
    let properties = path.child("properties");
    for (name, property) in get(schema, "properties").as_object().into_iter().flatten() {
        nested(property, false, Level::Field, &properties.key(name), causes);
    }
    let set = |field: &str| match get(schema, field) {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    };
    for (field, what) in [
        ("type", "must be empty to be structural"),
        ("additionalProperties", "must be undefined to be structural"),
        ("default", "must be undefined to be structural"),
        ("title", "must be empty to be structural"),
        ("description", "must be empty to be structural"),
        ("nullable", "must be false to be structural"),
        (PRESERVE, "must be false to be structural"),
        (EMBEDDED, "must be false to be structural"),
        (INT_OR_STRING, "must be false to be structural"),
        ("x-kubernetes-list-map-keys", "must be empty to be structural"),
        ("x-kubernetes-list-type", "must be undefined to be structural"),
        ("x-kubernetes-map-type", "must be undefined to be structural"),
        ("x-kubernetes-validations", "must be empty to be structural"),
    ] {
        let is_set = if ["additionalProperties", "default"].contains(&field) { has(schema, field) } else { set(field) };
        if is_set {
            causes.forbidden(&path.child(field), what);
        }
    }
    if get(schema, "properties").get("metadata").is_some() {
        causes.forbidden(&properties.key("metadata"), "must not be specified in a nested context");
    }
}

/// Checks that every field in a nested validation is declared in the structure.
fn complete(
    validation: &Value,
    structure: Option<&Value>,
    structure_path: &Path<'_>,
    path: &Path<'_>,
    causes: &mut Causes,
) {
    if get(validation, "not").is_object() {
        complete_nested(get(validation, "not"), structure, structure_path, &path.child("not"), causes);
    }
    for field in ["allOf", "anyOf", "oneOf"] {
        let all = path.child(field);
        for (index, part) in list(validation, field).iter().enumerate() {
            complete_nested(part, structure, structure_path, &all.index(index), causes);
        }
    }
}

fn complete_nested(
    validation: &Value,
    structure: Option<&Value>,
    structure_path: &Path<'_>,
    path: &Path<'_>,
    causes: &mut Causes,
) {
    let Some(structure) = structure else {
        causes.required(structure_path, &format!("because it is defined in {path}"));
        return;
    };
    complete(validation, Some(structure), structure_path, path, causes);
    if get(validation, "items").is_object() {
        let items = Some(get(structure, "items")).filter(|items| items.is_object());
        complete_nested(get(validation, "items"), items, &structure_path.child("items"), &path.child("items"), causes);
    }
    let (own, theirs) = (path.child("properties"), structure_path.child("properties"));
    for (name, property) in get(validation, "properties").as_object().into_iter().flatten() {
        let declared = get(structure, "properties").get(name);
        complete_nested(property, declared, &theirs.key(name), &own.key(name), causes);
    }
}
