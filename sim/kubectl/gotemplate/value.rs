//! The values that a template works with.

use std::borrow::Cow;

use serde_json::Value;

/// A value, or Go's invalid value: what a missing key gives.
#[derive(Clone, Debug)]
pub(super) enum Val<'a> {
    Missing,
    /// A value; `open` while it still is the element of a map or list, of type `interface {}` to Go.
    Is(Cow<'a, Value>, bool),
}

impl<'a> Val<'a> {
    pub(super) fn of(value: impl Into<Value>) -> Val<'a> {
        Val::Is(Cow::Owned(value.into()), false)
    }

    pub(super) fn element(value: Cow<'a, Value>) -> Val<'a> {
        Val::Is(value, true)
    }

    /// The value without its interface: null becomes invalid.
    pub(super) fn bare(self) -> Val<'a> {
        match self {
            Val::Is(value, true) if value.is_null() => Val::Missing,
            Val::Is(value, _) => Val::Is(value, false),
            Val::Missing => Val::Missing,
        }
    }

    pub(super) fn get(&self) -> Option<&Value> {
        match self {
            Val::Is(value, _) if !value.is_null() => Some(value),
            _ => None,
        }
    }

    /// The value for a function that takes anything.
    pub(super) fn any(&self) -> &Value {
        self.get().unwrap_or(&Value::Null)
    }

    /// Go's truth: not empty, not zero.
    pub(super) fn truth(&self) -> bool {
        match self.any() {
            Value::Null => false,
            Value::Bool(flag) => *flag,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(map) => !map.is_empty(),
        }
    }

    /// The value of a key or place, borrowed where the whole is.
    pub(super) fn child(&self, find: impl Fn(&Value) -> Option<&Value>) -> Option<Val<'a>> {
        match self {
            Val::Is(Cow::Borrowed(value), _) => find(value).map(|found| Val::element(Cow::Borrowed(found))),
            Val::Is(Cow::Owned(value), _) => find(value).map(|found| Val::element(Cow::Owned(found.clone()))),
            Val::Missing => None,
        }
    }

    /// The name of its type in Go's errors.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Val::Is(_, true) => "interface {}",
            _ => self.inner_type(),
        }
    }

    /// The type inside the interface. Integers that the template makes itself are `int`, those of JSON `int64`.
    pub(super) fn inner_type(&self) -> &'static str {
        match self {
            Val::Is(Cow::Owned(value), false) if value.is_i64() || value.is_u64() => "int",
            Val::Is(value, _) => type_of(value),
            Val::Missing => "<nil>",
        }
    }
}

/// The Go type that a JSON value has.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() || number.is_u64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}
