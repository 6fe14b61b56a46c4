//! Reading an object strictly: known fields only, each of its type, errors with the path.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::error::FieldError;

/// The fields of one object and where it stands.
pub struct Fields<'a> {
    at: String,
    fields: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The object at `path`, which may have only the fields `known`.
    pub fn new(path: &str, value: &'a Value, known: &[&str]) -> Result<Fields<'a>, FieldError> {
        let Value::Object(fields) = value else { return Err(FieldError::new(path, "is not an object")) };
        match fields.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(FieldError::unknown_field(path, key, known.iter().copied())),
            None => Ok(Fields { at: path.to_owned(), fields }),
        }
    }

    /// The path of the object itself.
    pub fn at(&self) -> &str {
        &self.at
    }

    /// The path of a field.
    pub fn path(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) }
    }

    /// A field; null is absent.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// A field that is a string.
    pub fn string(&self, name: &str) -> Result<Option<&'a str>, FieldError> {
        self.typed(name, "a string", Value::as_str)
    }

    /// A field that is a list.
    pub fn array(&self, name: &str) -> Result<Option<&'a Vec<Value>>, FieldError> {
        self.typed(name, "a list", Value::as_array)
    }

    /// A field that is true or false.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, FieldError> {
        self.typed(name, "true or false", Value::as_bool)
    }

    /// A field that is an object with the fields `known`.
    pub fn object(&self, name: &str, known: &[&str]) -> Result<Option<Fields<'a>>, FieldError> {
        self.get(name).map(|value| Fields::new(&self.path(name), value, known)).transpose()
    }

    /// A field that is a whole number in `range`.
    pub fn integer(&self, name: &str, default: i64, range: RangeInclusive<i64>) -> Result<i64, FieldError> {
        let value = self.typed(name, "a whole number", Value::as_i64)?.unwrap_or(default);
        match range.contains(&value) || self.get(name).is_none() {
            true => Ok(value),
            false => {
                let what = format!("{value} is not in the range {} to {}", range.start(), range.end());
                Err(FieldError::new(self.path(name), what))
            }
        }
    }

    /// The objects of a list, which may have only the fields `known`.
    pub fn objects(&self, name: &str, known: &[&str]) -> Result<Vec<Fields<'a>>, FieldError> {
        let values = self.array(name)?.into_iter().flatten().enumerate();
        values.map(|(idx, value)| Fields::new(&format!("{}[{idx}]", self.path(name)), value, known)).collect()
    }

    fn typed<T>(&self, name: &str, what: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>, FieldError> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => match read(value) {
                Some(read) => Ok(Some(read)),
                None => Err(FieldError::new(self.path(name), format!("is not {what}"))),
            },
        }
    }
}
