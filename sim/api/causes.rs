//! What is wrong with an object, in the words of the API server: `field.ErrorList` of apimachinery.

use super::custom::go_quote;
use serde_json::Value;
use std::fmt;

/// The path of a field, borrowed step by step: `spec.containers[0].image`.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Root,
    Field(&'a str),
    Index(usize),
    Key(&'a str),
}

impl Path<'static> {
    /// The object itself.
    pub const ROOT: Path<'static> = Path { parent: None, step: Step::Root };
}

impl<'a> Path<'a> {
    /// A field of the object at this path.
    pub fn child<'b>(&'b self, name: &'b str) -> Path<'b> {
        Path { parent: Some(self), step: Step::Field(name) }
    }

    /// An item of the list at this path.
    pub fn index(&self, index: usize) -> Path<'_> {
        Path { parent: Some(self), step: Step::Index(index) }
    }

    /// An entry of the map at this path.
    pub fn key<'b>(&'b self, key: &'b str) -> Path<'b> {
        Path { parent: Some(self), step: Step::Key(key) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Field(name) if self.parent.is_none_or(|parent| matches!(parent.step, Step::Root)) => {
                f.write_str(name)
            }
            Step::Field(name) => write!(f, ".{name}"),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) => write!(f, "[{key}]"),
        }
    }
}

/// The kind of a cause, as `status.details.causes[].reason` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CauseType {
    /// `FieldValueRequired`
    Required,
    /// `FieldValueInvalid`
    Invalid,
    /// `FieldValueNotSupported`
    NotSupported,
    /// `FieldValueForbidden`
    Forbidden,
    /// `FieldValueDuplicate`
    Duplicate,
    /// `FieldValueNotFound`
    NotFound,
    /// `FieldValueTooLong`
    TooLong,
    /// `FieldValueTooMany`
    TooMany,
    /// `FieldValueTypeInvalid`
    TypeInvalid,
}

impl CauseType {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            CauseType::Required => "FieldValueRequired",
            CauseType::Invalid => "FieldValueInvalid",
            CauseType::NotSupported => "FieldValueNotSupported",
            CauseType::Forbidden => "FieldValueForbidden",
            CauseType::Duplicate => "FieldValueDuplicate",
            CauseType::NotFound => "FieldValueNotFound",
            CauseType::TooLong => "FieldValueTooLong",
            CauseType::TooMany => "FieldValueTooMany",
            CauseType::TypeInvalid => "FieldValueTypeInvalid",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The path of the field.
    pub field: String,
    /// What kind of wrong.
    pub reason: CauseType,
    /// `Invalid value: -1: must be greater than or equal to 0`
    pub message: String,
    /// The values that would be right, where there is a list of them.
    pub supported: Vec<String>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// All that is wrong, in the order in which it was found, and what is merely warned about.
#[derive(Clone, Debug, Default)]
pub struct Causes {
    /// What is wrong.
    pub list: Vec<Cause>,
}

impl Causes {
    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// A value is missing.
    pub fn required(&mut self, path: &Path<'_>, detail: &str) {
        self.push(path, CauseType::Required, "Required value".to_owned(), detail);
    }

    /// A value is wrong.
    pub fn invalid(&mut self, path: &Path<'_>, value: impl Shown, detail: impl AsRef<str>) {
        self.push(path, CauseType::Invalid, format!("Invalid value: {}", value.shown()), detail.as_ref());
    }

    /// Several things are wrong with one value.
    pub fn invalid_for(&mut self, path: &Path<'_>, value: impl Shown + Copy, details: Vec<String>) {
        for detail in details {
            self.invalid(path, value, detail);
        }
    }

    /// A value is wrong, and showing it would not help.
    pub fn invalid_without_value(&mut self, path: &Path<'_>, detail: &str) {
        self.push(path, CauseType::Invalid, "Invalid value".to_owned(), detail);
    }

    /// A value is none of those that there are.
    pub fn not_supported(&mut self, path: &Path<'_>, value: impl Shown, supported: &[&str]) {
        let known = supported.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(", ");
        let detail = if known.is_empty() { String::new() } else { format!("supported values: {known}") };
        self.push(path, CauseType::NotSupported, format!("Unsupported value: {}", value.shown()), &detail);
        if let Some(cause) = self.list.last_mut() {
            cause.supported = supported.iter().map(|&value| value.to_owned()).collect();
        }
    }

    /// A value may not be there.
    pub fn forbidden(&mut self, path: &Path<'_>, detail: &str) {
        self.push(path, CauseType::Forbidden, "Forbidden".to_owned(), detail);
    }

    /// A value is there already.
    pub fn duplicate(&mut self, path: &Path<'_>, value: impl Shown) {
        self.push(path, CauseType::Duplicate, format!("Duplicate value: {}", value.shown()), "");
    }

    /// A name means nothing.
    pub fn not_found(&mut self, path: &Path<'_>, value: impl Shown) {
        self.push(path, CauseType::NotFound, format!("Not found: {}", value.shown()), "");
    }

    /// A value is too long.
    pub fn too_long(&mut self, path: &Path<'_>, limit: usize) {
        self.push(path, CauseType::TooLong, "Too long".to_owned(), &format!("may not be more than {limit} bytes"));
    }

    /// A list has too many items.
    pub fn too_many(&mut self, path: &Path<'_>, n: usize, limit: usize) {
        let detail = format!("must have at most {limit} items");
        self.push(path, CauseType::TooMany, format!("Too many: {n}"), &detail);
    }

    fn push(&mut self, path: &Path<'_>, reason: CauseType, mut message: String, detail: &str) {
        if !detail.is_empty() {
            message.push_str(": ");
            message.push_str(detail);
        }
        let field = path.to_string();
        let field = if field.is_empty() { "[]".to_owned() } else { field };
        self.list.push(Cause { field, reason, message, supported: Vec::new() });
    }

    /// All of it on one line, each thing once, as `errors.NewAggregate` writes it.
    pub fn aggregate(&self) -> String {
        let mut seen: Vec<String> = Vec::new();
        for cause in &self.list {
            let text = cause.to_string();
            if !seen.contains(&text) {
                seen.push(text);
            }
        }
        match seen.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        }
    }
}

/// How a bad value is shown.
pub trait Shown {
    /// Strings in quotes, the rest as JSON.
    fn shown(&self) -> String;
}

impl Shown for &str {
    fn shown(&self) -> String {
        go_quote(self)
    }
}

impl Shown for i64 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for &Value {
    fn shown(&self) -> String {
        match self {
            Value::String(text) => go_quote(text),
            other => go_json(other),
        }
    }
}

/// JSON as Go's `encoding/json` writes it: what HTML would take for a mark is escaped.
fn go_json(value: &Value) -> String {
    html_safe(&in_order(value))
}

/// The fields of the structs that error texts show, in the order in which Go declares them; others are shown by name.
const FIELD_ORDERS: [&[&str]; 2] =
    [&["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"], &["matchLabels", "matchExpressions"]];

fn in_order(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(in_order).collect::<Vec<_>>().join(",")),
        Value::Object(fields) => {
            let order = FIELD_ORDERS.iter().find(|order| fields.keys().all(|key| order.contains(&key.as_str())));
            let place = |key: &str| order.and_then(|order| order.iter().position(|known| *known == key));
            let mut entries: Vec<(&String, &Value)> = fields.iter().collect();
            entries.sort_by_key(|(key, _)| place(key));
            let entries =
                entries.into_iter().map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), in_order(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

/// JSON text with what HTML would take for a mark escaped, as Go's `encoding/json` does it.
pub fn html_safe(json: &str) -> String {
    json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
}

/// A text that is shown as it is: a struct in the words of the API server's own types.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a>(pub &'a str);

impl Shown for Raw<'_> {
    fn shown(&self) -> String {
        self.0.to_owned()
    }
}
