//! JSON text to values: `serde_json` with duplicate keys refused.

use crate::error::Error;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

use super::yaml::{MAX_DEPTH, Problem};

/// Every document of `text`, which may be several JSON values in a row.
pub fn parse(text: &str) -> Result<Vec<Value>, Problem> {
    let mut documents = Vec::new();
    let mut rest = text;
    let mut offset = 0;
    while !rest.trim_start().is_empty() {
        let mut reader = serde_json::Deserializer::from_str(rest).into_iter::<Unique>();
        match reader.next() {
            Some(Ok(value)) => documents.push(value.0),
            Some(Err(error)) => return Err(problem(text, offset, &error)),
            None => break,
        }
        offset += reader.byte_offset();
        rest = &text[offset..];
    }
    Ok(documents)
}

fn problem(text: &str, offset: usize, error: &serde_json::Error) -> Problem {
    let lines_before = text[..offset].bytes().filter(|&byte| byte == b'\n').count();
    let what = error.to_string();
    let what = what.rsplit_once(" at line ").map_or(what.as_str(), |(what, _)| what);
    let error_value = Error::new(match what.starts_with("key ") || what.starts_with("nested") {
        true => what.to_owned(),
        false => format!("not valid JSON: {what}"),
    });
    let column = if lines_before == 0 && error.line() == 1 { error.column() + offset } else { error.column() };
    Problem { line: (lines_before + error.line()) as u32, column: column.max(1) as u32, error: error_value }
}

/// A value in which no object has a key twice.
struct Unique(Value);

impl<'de> serde::Deserialize<'de> for Unique {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Seed(0).deserialize(deserializer).map(Unique)
    }
}

/// Reads a value at a depth.
struct Seed(usize);

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Value;
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        if value.fract() == 0.0 && value.abs() < 9.0e15 {
            return Ok(Value::from(value as i64));
        }
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        check_depth(self.0)?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(Seed(self.0 + 1))? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        check_depth(self.0)?;
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format!("key {key:?} already set in map")));
            }
            map.insert(key, access.next_value_seed(Seed(self.0 + 1))?);
        }
        Ok(Value::Object(map))
    }
}

fn check_depth<E: serde::de::Error>(depth: usize) -> Result<(), E> {
    if depth >= MAX_DEPTH {
        return Err(E::custom(format!("nested deeper than {MAX_DEPTH} levels")));
    }
    Ok(())
}
