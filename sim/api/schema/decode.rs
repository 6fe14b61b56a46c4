//! Strict decoding: a value as Go would hold it, or the words in which the API server refuses it.
//!
//! The result has what Go would write out again: quantities in canonical form, empty optional fields left out, required ones there.
//! Like `encoding/json`, a wrong type is remembered and decoding goes on, while a failed `UnmarshalJSON` (quantities, times,
//! int-or-strings) ends it.

use super::{Field, Schema, StructId, Type};
use crate::api::base64;
use crate::api::document::{Step, go_number};
use crate::api::quantity::Quantity;
use serde_json::{Map, Value};

/// Why a value cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// A value of the wrong type or form: what Go says, and where.
    Type(String, Vec<Step>),
    /// Fields that do not exist: their paths as the API server writes them, the same as steps, and the names that would be right.
    Unknown(Vec<UnknownField>),
}

/// A field that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField {
    /// `spec.containers[0].imagePullPolcy`
    pub path: String,
    /// The same in steps.
    pub steps: Vec<Step>,
    /// The fields there are beside it.
    pub known: Vec<String>,
}

/// `value` as the struct `root` would hold it.
pub fn decode(schema: &Schema, root: StructId, value: &Value) -> Result<Value, DecodeError> {
    let mut decoder = Decoder { schema, at: Vec::new(), first: None, unknown: Vec::new() };
    let owner = schema.get(root).name.as_str();
    let decoded = decoder.structure(root, value, owner).map_err(|fatal| fatal.0)?;
    if let Some(first) = decoder.first {
        return Err(first);
    }
    if !decoder.unknown.is_empty() {
        return Err(DecodeError::Unknown(decoder.unknown));
    }
    Ok(decoded)
}

struct Decoder<'a> {
    schema: &'a Schema,
    at: Vec<At<'a>>,
    first: Option<DecodeError>,
    unknown: Vec<UnknownField>,
}

/// An error that ends decoding.
struct Fatal(DecodeError);

/// A step of the way from the root.
#[derive(Clone, Copy)]
enum At<'a> {
    Field(&'a str, Option<&'a str>),
    Key(&'a str),
    Index(usize),
}

impl<'a> Decoder<'a> {
    fn structure(&mut self, id: StructId, value: &'a Value, owner: &'a str) -> Result<Value, Fatal> {
        let item = self.schema.get(id);
        let mut out = Map::new();
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let Some(field) = item.field(key) else {
                        self.unknown_field(key, item);
                        continue;
                    };
                    self.at.push(At::Field(key, field.embedded.as_deref()));
                    if let Some(value) = self.field(field, value, item.name.as_str())? {
                        out.insert(key.clone(), value);
                    }
                    self.at.pop();
                }
            }
            Value::Null => {}
            other => self.mismatch(other, &format!("{}.{}", item.version, item.name), owner),
        }
        for field in item.fields.iter().filter(|field| field.is_always_written) {
            if !out.contains_key(&field.name) {
                let zero = if field.is_pointer { Value::Null } else { self.zero(&field.ty) };
                out.insert(field.name.clone(), zero);
            }
        }
        Ok(Value::Object(out))
    }

    /// The value of a field, if it would be written out.
    fn field(&mut self, field: &'a Field, value: &'a Value, owner: &'a str) -> Result<Option<Value>, Fatal> {
        if value.is_null() {
            return Ok(None);
        }
        let value = self.value(&field.ty, value, owner)?;
        let is_empty = match &value {
            // Defaulting tells an empty list from none; `prune` takes it away afterwards.
            Value::Array(_) => false,
            Value::Object(map) => map.is_empty() && matches!(field.ty, Type::Map(_)),
            _ if field.is_pointer => false,
            Value::Bool(value) => !value,
            Value::Number(number) => number.as_f64() == Some(0.0) && !matches!(field.ty, Type::IntOrString),
            Value::String(text) => text.is_empty() && !matches!(field.ty, Type::IntOrString),
            Value::Null => true,
        };
        Ok(if is_empty && !field.is_always_written { None } else { Some(value) })
    }

    fn value(&mut self, ty: &'a Type, value: &'a Value, owner: &'a str) -> Result<Value, Fatal> {
        if value.is_null() {
            return Ok(self.zero(ty));
        }
        match (ty, value) {
            (Type::Raw, _) => return Ok(value.clone()),
            (Type::Struct(id), _) => return self.structure(*id, value, owner),
            (Type::SchemaOrBool(_), Value::Bool(_)) => return Ok(value.clone()),
            (Type::SchemaOrBool(id) | Type::SchemaOrArray(id), Value::Object(_)) => return self.lenient(*id, value),
            (Type::SchemaOrArray(id), Value::Array(values)) => {
                return values.iter().map(|value| self.lenient(*id, value)).collect::<Result<_, _>>().map(Value::Array);
            }
            (Type::SchemaOrArray(_), _) => return Ok(Value::Null),
            (Type::SchemaOrBool(_), _) => return Err(self.fatal("boolean or JSON schema expected".to_owned())),
            (Type::List(item), Value::Array(values)) => {
                let mut out = Vec::with_capacity(values.len());
                for (index, value) in values.iter().enumerate() {
                    self.at.push(At::Index(index));
                    out.push(self.value(item, value, owner)?);
                    self.at.pop();
                }
                return Ok(Value::Array(out));
            }
            (Type::Map(item), Value::Object(map)) => {
                let mut out = Map::new();
                for (key, value) in map {
                    self.at.push(At::Key(key));
                    out.insert(key.clone(), self.value(item, value, owner)?);
                    self.at.pop();
                }
                return Ok(Value::Object(out));
            }
            (Type::Bool, Value::Bool(_)) | (Type::String, Value::String(_)) | (Type::Float64, Value::Number(_)) => {
                return Ok(value.clone());
            }
            (Type::Int32, Value::Number(number)) if number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => {
                return Ok(value.clone());
            }
            (Type::Int64, Value::Number(number)) if number.as_i64().is_some() => return Ok(value.clone()),
            (Type::Bytes, Value::String(text)) => self.bytes(text),
            (Type::Quantity, _) => return self.quantity(value),
            (Type::Time, _) => return self.time(value),
            (Type::IntOrString, _) => return self.int_or_string(value, owner),
            _ => self.mismatch(value, &self.type_name(ty), owner),
        }
        Ok(if matches!(ty, Type::Bytes) { value.clone() } else { self.zero(ty) })
    }

    /// A schema behind an `UnmarshalJSON` of its own, which knows nothing of strictness and ends decoding if it fails.
    fn lenient(&mut self, id: StructId, value: &'a Value) -> Result<Value, Fatal> {
        let n_unknown = self.unknown.len();
        let decoded = self.structure(id, value, &self.schema.get(id).name);
        self.unknown.truncate(n_unknown);
        decoded
    }

    fn zero(&self, ty: &Type) -> Value {
        zero(self.schema, ty)
    }

    fn bytes(&mut self, text: &str) {
        if let Err(error) = base64::decode(text) {
            self.remember(format!("illegal base64 data at input byte {}", error.0));
        }
    }

    fn quantity(&mut self, value: &Value) -> Result<Value, Fatal> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => go_number(number),
            other => other.to_string(),
        };
        match text.trim().parse::<Quantity>() {
            Ok(quantity) => Ok(Value::from(quantity.to_string())),
            Err(error) => Err(self.fatal(error.to_string())),
        }
    }

    fn time(&mut self, value: &Value) -> Result<Value, Fatal> {
        let Value::String(text) = value else {
            return Err(self.fatal(format!("json: cannot unmarshal {} into Go value of type string", go_kind(value))));
        };
        if text.parse::<jiff::Timestamp>().is_err() {
            let layout = "2006-01-02T15:04:05Z07:00";
            return Err(self.fatal(format!("parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\"")));
        }
        Ok(value.clone())
    }

    fn int_or_string(&mut self, value: &Value, owner: &'a str) -> Result<Value, Fatal> {
        match value {
            Value::String(_) => Ok(value.clone()),
            Value::Number(number) if number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => Ok(value.clone()),
            other => {
                self.mismatch(other, "int32", owner);
                Err(Fatal(self.first.clone().unwrap_or(DecodeError::Unknown(Vec::new()))))
            }
        }
    }

    fn type_name(&self, ty: &Type) -> String {
        match ty {
            Type::Bool => "bool".to_owned(),
            Type::Int32 => "int32".to_owned(),
            Type::Int64 => "int64".to_owned(),
            Type::Float64 => "float64".to_owned(),
            Type::Bytes => "[]uint8".to_owned(),
            Type::Quantity => "resource.Quantity".to_owned(),
            Type::List(item) => format!("[]{}", self.type_name(item)),
            Type::Map(item) => format!("map[string]{}", self.type_name(item)),
            Type::Struct(id) => format!("{}.{}", self.schema.get(*id).version, self.schema.get(*id).name),
            _ => "string".to_owned(),
        }
    }

    /// Go's `UnmarshalTypeError`.
    fn mismatch(&mut self, value: &Value, go_type: &str, owner: &'a str) {
        let mut kind = go_kind(value).to_owned();
        if let (Value::Number(number), "int32" | "int64") = (value, go_type) {
            kind = format!("number {}", go_number(number));
        }
        let fields: Vec<&str> = self
            .at
            .iter()
            .flat_map(|at| match at {
                At::Field(name, embedded) => [*embedded, Some(*name)],
                _ => [None, None],
            })
            .flatten()
            .collect();
        let message = match fields.is_empty() {
            true => format!("json: cannot unmarshal {kind} into Go value of type {go_type}"),
            false => format!(
                "json: cannot unmarshal {kind} into Go struct field {}.{} of type {go_type}",
                owner,
                fields.join(".")
            ),
        };
        self.remember(message);
    }

    fn remember(&mut self, message: String) {
        if self.first.is_none() {
            self.first = Some(DecodeError::Type(message, self.steps()));
        }
    }

    fn fatal(&self, message: String) -> Fatal {
        Fatal(DecodeError::Type(message, self.steps()))
    }

    fn steps(&self) -> Vec<Step> {
        self.at
            .iter()
            .map(|at| match at {
                At::Field(name, _) | At::Key(name) => Step::Key((*name).to_owned()),
                At::Index(index) => Step::Index(*index),
            })
            .collect()
    }

    fn unknown_field(&mut self, key: &str, item: &super::Struct) {
        let mut path = String::new();
        for at in &self.at {
            match at {
                At::Index(index) => path.push_str(&format!("[{index}]")),
                At::Field(name, _) | At::Key(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
            }
        }
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
        let mut steps = self.steps();
        steps.push(Step::Key(key.to_owned()));
        let known = item.fields.iter().map(|field| field.name.clone()).collect();
        self.unknown.push(UnknownField { path, steps, known });
    }
}

fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Takes away the empty lists that Go would not write.
pub fn prune(schema: &Schema, id: StructId, value: &mut Value) {
    let Value::Object(map) = value else { return };
    let item = schema.get(id);
    map.retain(|key, value| {
        let Some(field) = item.field(key) else { return true };
        prune_value(schema, &field.ty, value);
        field.is_always_written || !value.as_array().is_some_and(Vec::is_empty)
    });
}

fn prune_value(schema: &Schema, ty: &Type, value: &mut Value) {
    match (ty, value) {
        (Type::Struct(id) | Type::SchemaOrBool(id) | Type::SchemaOrArray(id), value) => prune(schema, *id, value),
        (Type::Map(item), Value::Object(map)) if matches!(**item, Type::Struct(_)) => {
            map.values_mut().for_each(|value| prune_value(schema, item, value));
        }
        (Type::List(item), Value::Array(values)) if matches!(**item, Type::Struct(_)) => {
            values.iter_mut().for_each(|value| prune_value(schema, item, value));
        }
        _ => {}
    }
}

/// What Go writes for a value of a type to which nothing was assigned.
pub(super) fn zero(schema: &Schema, ty: &Type) -> Value {
    match ty {
        Type::Bool => Value::Bool(false),
        Type::Int32 | Type::Int64 | Type::Float64 | Type::IntOrString => Value::from(0),
        Type::String | Type::Bytes => Value::from(""),
        Type::Quantity => Value::from("0"),
        Type::Time | Type::Raw | Type::List(_) | Type::Map(_) | Type::SchemaOrBool(_) | Type::SchemaOrArray(_) => {
            Value::Null
        }
        Type::Struct(id) => {
            let mut out = Map::new();
            for field in schema.get(*id).fields.iter().filter(|field| field.is_always_written) {
                let value = if field.is_pointer { Value::Null } else { zero(schema, &field.ty) };
                out.insert(field.name.clone(), value);
            }
            Value::Object(out)
        }
    }
}
