//! Values of expressions.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::api::quantity::Quantity;

/// A value.
#[derive(Clone, Debug)]
pub enum Value {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A number with a fraction.
    Double(f64),
    /// A text.
    String(Arc<str>),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// A list.
    List(Arc<Vec<Value>>),
    /// A map, sorted by key.
    Map(Arc<BTreeMap<Key, Value>>),
    /// A span of time, in nanoseconds.
    Duration(i64),
    /// An instant.
    Timestamp(Timestamp),
    /// A type, by its name.
    Type(Arc<str>),
    /// A value that may be missing.
    Optional(Option<Arc<Value>>),
    /// `quantity('1Gi')`
    Quantity(Quantity),
    /// `ip('10.0.0.1')`
    Ip(IpAddr),
    /// `cidr('10.0.0.0/8')`: the address as written, and the number of bits.
    Cidr(IpAddr, u8),
    /// `url('https://example.com')`
    Url(Arc<super::network::Url>),
    /// `semver('1.2.3')`
    Semver(Arc<super::extensions::Semver>),
    /// `format.dns1123Label()`, by name.
    Format(&'static str),
}

/// A key of a map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// `false` or `true`
    Bool(bool),
    /// An integer, signed or not: equal numbers are equal keys.
    Int(i128),
    /// A text.
    String(Arc<str>),
}

impl Value {
    /// A text.
    pub fn string(text: &str) -> Value {
        Value::String(text.into())
    }

    /// A list.
    pub fn list(items: Vec<Value>) -> Value {
        Value::List(Arc::new(items))
    }

    /// What a JSON value is in an expression: whole numbers are integers.
    pub fn from_json(json: &Json) -> Value {
        match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(value), _) => Value::Int(value),
                (None, Some(value)) => Value::Uint(value),
                _ => Value::Double(number.as_f64().unwrap_or(0.0)),
            },
            Json::String(text) => Value::string(text),
            Json::Array(items) => Value::list(items.iter().map(Value::from_json).collect()),
            Json::Object(fields) => {
                let entries =
                    fields.iter().map(|(key, value)| (Key::String(key.as_str().into()), Value::from_json(value)));
                Value::Map(Arc::new(entries.collect()))
            }
        }
    }

    /// What a text of an OpenAPI format is in an expression: durations, times and bytes are more than texts.
    pub fn of_format(format: &str, text: &str) -> Value {
        let value = match format {
            "duration" => super::times::parse_duration(text).map(Value::Duration),
            "date-time" => text.parse::<Timestamp>().ok().map(Value::Timestamp),
            "date" => format!("{text}T00:00:00Z").parse::<Timestamp>().ok().map(Value::Timestamp),
            "byte" => crate::api::base64::decode(text).ok().map(|bytes| Value::Bytes(bytes.into())),
            _ => None,
        };
        value.unwrap_or_else(|| Value::string(text))
    }

    /// The text of a text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// `int`, `string`, `list`, ...
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null_type",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Uint(_) => "uint",
            Value::Double(_) => "double",
            Value::String(_) => "string",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "list",
            Value::Map(_) => "map",
            Value::Duration(_) => "google.protobuf.Duration",
            Value::Timestamp(_) => "google.protobuf.Timestamp",
            Value::Type(_) => "type",
            Value::Optional(_) => "optional_type",
            Value::Quantity(_) => "kubernetes.Quantity",
            Value::Ip(_) => "net.IP",
            Value::Cidr(..) => "net.CIDR",
            Value::Url(_) => "kubernetes.URL",
            Value::Semver(_) => "kubernetes.Semver",
            Value::Format(_) => "kubernetes.NamedFormat",
        }
    }

    /// The key that a value is, if it can be one.
    pub(super) fn key(&self) -> Option<Key> {
        Some(match self {
            Value::Bool(value) => Key::Bool(*value),
            Value::Int(value) => Key::Int(i128::from(*value)),
            Value::Uint(value) => Key::Int(i128::from(*value)),
            Value::Double(value) if *value == value.trunc() && value.abs() < 9e18 => Key::Int(*value as i128),
            Value::String(text) => Key::String(text.clone()),
            _ => return None,
        })
    }

    /// The order of two values of comparable types.
    pub(super) fn order(&self, other: &Value) -> Option<Ordering> {
        Some(match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::String(a), Value::String(b)) => a.cmp(b),
            (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
            (Value::Duration(a), Value::Duration(b)) => a.cmp(b),
            (Value::Timestamp(a), Value::Timestamp(b)) => a.cmp(b),
            _ => match (self.integer(), other.integer()) {
                (Some(a), Some(b)) => a.cmp(&b),
                _ => self.number()?.partial_cmp(&other.number()?)?,
            },
        })
    }

    fn integer(&self) -> Option<i128> {
        match self {
            Value::Int(value) => Some(i128::from(*value)),
            Value::Uint(value) => Some(i128::from(*value)),
            _ => None,
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Value::Double(value) => Some(*value),
            _ => self.integer().map(|value| value as f64),
        }
    }

    /// Whether two values are equal; `None` when that cost more than `budget` steps. Values of different types are not equal.
    pub(super) fn equals(&self, other: &Value, budget: &mut u64) -> Option<bool> {
        *budget = budget.checked_sub(1)?;
        Some(match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::List(a), Value::List(b)) => {
                if a.len() != b.len() {
                    return Some(false);
                }
                for (a, b) in a.iter().zip(b.iter()) {
                    if !a.equals(b, budget)? {
                        return Some(false);
                    }
                }
                true
            }
            (Value::Map(a), Value::Map(b)) => {
                if a.len() != b.len() {
                    return Some(false);
                }
                for ((key_a, a), (key_b, b)) in a.iter().zip(b.iter()) {
                    if key_a != key_b || !a.equals(b, budget)? {
                        return Some(false);
                    }
                }
                true
            }
            (Value::Optional(a), Value::Optional(b)) => match (a, b) {
                (Some(a), Some(b)) => a.equals(b, budget)?,
                (a, b) => a.is_none() && b.is_none(),
            },
            (Value::Type(a), Value::Type(b)) => a == b,
            (Value::Quantity(a), Value::Quantity(b)) => a == b,
            (Value::Ip(a), Value::Ip(b)) => a == b,
            (Value::Cidr(a, n), Value::Cidr(b, m)) => a == b && n == m,
            (Value::Url(a), Value::Url(b)) => a == b,
            (Value::Semver(a), Value::Semver(b)) => a.order(b) == Ordering::Equal,
            (Value::Format(a), Value::Format(b)) => a == b,
            _ => self.order(other) == Some(Ordering::Equal),
        })
    }

    /// Whether it is the empty value of its type (`optional.ofNonZeroValue`).
    pub(super) fn is_zero(&self) -> bool {
        match self {
            Value::Null => true,
            Value::Bool(value) => !value,
            Value::Int(value) | Value::Duration(value) => *value == 0,
            Value::Uint(value) => *value == 0,
            Value::Double(value) => *value == 0.0,
            Value::String(text) => text.is_empty(),
            Value::Bytes(bytes) => bytes.is_empty(),
            Value::List(items) => items.is_empty(),
            Value::Map(entries) => entries.is_empty(),
            Value::Optional(value) => value.is_none(),
            _ => false,
        }
    }
}

impl From<Key> for Value {
    fn from(key: Key) -> Value {
        match key {
            Key::Bool(value) => Value::Bool(value),
            Key::Int(value) => match i64::try_from(value) {
                Ok(value) => Value::Int(value),
                Err(_) => Value::Uint(u64::try_from(value).unwrap_or(u64::MAX)),
            },
            Key::String(text) => Value::String(text),
        }
    }
}
