//! What the API server does with a custom resource before it is checked: fields that the schema does not know are found, nulls
//! that may not be are dropped, missing values filled in (apiextensions-apiserver `schema/pruning`, `schema/defaulting`,
//! `schema/objectmeta`).

use serde_json::{Map, Value};

use super::props::Props;
use crate::api::document::Step;
use crate::api::schema::{DecodeError, Schema, UnknownField, decode};

const META_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// The fields of an object that its schema does not know, ordered by path. With `is_root` the object is a whole resource.
pub fn unknown_fields(schema: &Props, value: &Value, is_root: bool) -> Vec<UnknownField> {
    let mut finder = Finder { at: Vec::new(), found: Vec::new() };
    finder.visit(Some(schema), value, is_root || schema.is_embedded);
    finder.found.sort_by(|a, b| a.path.cmp(&b.path));
    finder.found
}

struct Finder<'a> {
    at: Vec<At<'a>>,
    found: Vec<UnknownField>,
}

#[derive(Clone, Copy)]
enum At<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Finder<'a> {
    fn visit(&mut self, schema: Option<&Props>, value: &'a Value, is_resource: bool) {
        if let Some(schema) = schema.filter(|schema| schema.preserves_unknown) {
            return self.visit_preserved(schema, value, is_resource);
        }
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    if schema.is_some() && is_resource && META_FIELDS.contains(&name.as_str()) {
                        continue;
                    }
                    self.at.push(At::Key(name));
                    match schema.map(|schema| (schema.properties.get(name), schema.additional.as_ref())) {
                        Some((Some(property), _)) => self.visit(Some(property), value, property.is_embedded),
                        Some((None, Some(additional))) => {
                            let schema = additional.schema.as_deref();
                            self.visit(schema, value, schema.is_some_and(|schema| schema.is_embedded));
                        }
                        _ => self.report(schema),
                    }
                    self.at.pop();
                }
            }
            Value::Array(items) => {
                let item = schema.and_then(|schema| schema.items.as_deref());
                for (index, value) in items.iter().enumerate() {
                    self.at.push(At::Index(index));
                    self.visit(item, value, item.is_some_and(|item| item.is_embedded));
                    self.at.pop();
                }
            }
            _ => {}
        }
    }

    /// Below `x-kubernetes-preserve-unknown-fields` only the fields that have a schema are looked into.
    fn visit_preserved(&mut self, schema: &Props, value: &'a Value, is_resource: bool) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    if is_resource && META_FIELDS.contains(&name.as_str()) {
                        continue;
                    }
                    self.at.push(At::Key(name));
                    if let Some(property) = schema.properties.get(name) {
                        self.visit(Some(property), value, property.is_embedded);
                    } else if let Some(additional) = &schema.additional {
                        let schema = additional.schema.as_deref();
                        self.visit(schema, value, schema.is_some_and(|schema| schema.is_embedded));
                    }
                    self.at.pop();
                }
            }
            Value::Array(items) => {
                let Some(item) = schema.items.as_deref() else { return };
                for (index, value) in items.iter().enumerate() {
                    self.at.push(At::Index(index));
                    self.visit_preserved(item, value, item.is_embedded);
                    self.at.pop();
                }
            }
            _ => {}
        }
    }

    fn report(&mut self, schema: Option<&Props>) {
        let (mut path, mut steps) = (String::new(), Vec::new());
        for at in &self.at {
            match at {
                At::Index(index) => {
                    path.push_str(&format!("[{index}]"));
                    steps.push(Step::Index(*index));
                }
                At::Key(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                    steps.push(Step::Key((*name).to_owned()));
                }
            }
        }
        let known = schema.map(|schema| schema.properties.keys().cloned().collect()).unwrap_or_default();
        self.found.push(UnknownField { path, steps, known });
    }
}

/// Drops the nulls that are no values and have no default.
pub fn drop_nulls(schema: Option<&Props>, value: &mut Value) {
    match value {
        Value::Object(fields) => fields.retain(|name, value| {
            let field = schema.and_then(|schema| schema.field(name));
            let drop = value.is_null() && field.is_some_and(|field| !field.nullable && field.default.is_none());
            if !drop {
                drop_nulls(field, value);
            }
            !drop
        }),
        Value::Array(items) => {
            let item = schema.and_then(|schema| schema.items.as_deref());
            items.iter_mut().for_each(|value| drop_nulls(item, value));
        }
        _ => {}
    }
}

/// Fills in what was left out.
pub fn fill_defaults(schema: &Props, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, property) in &schema.properties {
                let Some(default) = &property.default else { continue };
                let is_missing = fields.get(name).is_none_or(|value| value.is_null() && !property.nullable);
                if is_missing {
                    fields.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in fields.iter_mut() {
                if let Some(field) = schema.field(name) {
                    fill_defaults(field, value);
                }
            }
        }
        Value::Array(items) => {
            if let Some(item) = &schema.items {
                items.iter_mut().for_each(|value| fill_defaults(item, value));
            }
        }
        _ => {}
    }
}

/// `metadata` as Go holds it: unknown fields are added to `unknown`, below `parent`.
///
/// # Errors
///
/// A value of the wrong type.
pub fn object_meta(metadata: &Value, parent: &[Step], unknown: &mut Vec<UnknownField>) -> Result<Value, DecodeError> {
    let schema = Schema::builtin();
    let Some(root) = schema.struct_called("ObjectMeta") else { return Ok(metadata.clone()) };
    let below = |steps: &[Step]| {
        let metadata = std::iter::once(Step::Key("metadata".to_owned()));
        parent.iter().cloned().chain(metadata).chain(steps.iter().cloned()).collect::<Vec<_>>()
    };
    match decode(schema, root, metadata) {
        Ok(decoded) => Ok(decoded),
        Err(DecodeError::Type(what, steps)) => Err(DecodeError::Type(what, below(&steps))),
        Err(DecodeError::Unknown(fields)) => {
            let mut known = metadata.clone();
            for field in fields {
                remove_at(&mut known, &field.steps);
                let steps = below(&field.steps);
                unknown.push(UnknownField { path: path_text(&steps), steps, known: field.known });
            }
            decode(schema, root, &known)
        }
    }
}

/// Coerces the metadata of embedded resources, and finds what it does not know.
///
/// # Errors
///
/// A value of the wrong type.
pub fn coerce_embedded(
    schema: &Props,
    value: &mut Value,
    at: &mut Vec<Step>,
    unknown: &mut Vec<UnknownField>,
) -> Result<(), DecodeError> {
    match value {
        Value::Object(fields) => {
            if schema.is_embedded {
                coerce_type_and_meta(fields, at, unknown)?;
            }
            for (name, value) in fields.iter_mut() {
                let Some(field) = schema.field(name) else { continue };
                at.push(Step::Key(name.clone()));
                coerce_embedded(field, value, at, unknown)?;
                at.pop();
            }
        }
        Value::Array(items) => {
            let Some(item) = schema.items.as_deref() else { return Ok(()) };
            for (index, value) in items.iter_mut().enumerate() {
                at.push(Step::Index(index));
                coerce_embedded(item, value, at, unknown)?;
                at.pop();
            }
        }
        _ => {}
    }
    Ok(())
}

fn coerce_type_and_meta(
    fields: &mut Map<String, Value>,
    at: &[Step],
    unknown: &mut Vec<UnknownField>,
) -> Result<(), DecodeError> {
    for name in ["apiVersion", "kind"] {
        if let Some(value) = fields.get(name).filter(|value| !value.is_string()) {
            let mut steps = at.to_vec();
            steps.push(Step::Key(name.to_owned()));
            let shown = super::words::quoted_value(value);
            return Err(DecodeError::Type(
                format!("{}: Invalid value: {shown}: must be a string", path_text(&steps)),
                steps,
            ));
        }
    }
    if let Some(metadata) = fields.get_mut("metadata") {
        *metadata = object_meta(metadata, at, unknown)?;
    }
    Ok(())
}

/// A path as the API server writes it.
pub fn path_text(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Index(index) => path.push_str(&format!("[{index}]")),
            Step::Key(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
            }
        }
    }
    path
}

fn remove_at(value: &mut Value, steps: &[Step]) {
    match (steps, value) {
        ([Step::Key(last)], Value::Object(fields)) => drop(fields.remove(last)),
        ([Step::Key(name), rest @ ..], Value::Object(fields)) => {
            if let Some(value) = fields.get_mut(name) {
                remove_at(value, rest);
            }
        }
        ([Step::Index(index), rest @ ..], Value::Array(items)) => {
            if let Some(value) = items.get_mut(*index) {
                remove_at(value, rest);
            }
        }
        _ => {}
    }
}
