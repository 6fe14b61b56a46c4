//! Reading objects: paths into JSON values, where what is missing is empty, as in Go's typed structs.

use serde_json::{Map, Value};

static NULL: Value = Value::Null;

/// The value at a dotted path (`spec.template.spec`), or null.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(value, |value, field| value.get(field).unwrap_or(&NULL))
}

/// The string at a dotted path, or the empty string.
pub(crate) fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    at(value, path).as_str().unwrap_or_default()
}

/// The integer at a dotted path, or 0.
pub(crate) fn int(value: &Value, path: &str) -> i64 {
    at(value, path).as_i64().unwrap_or_default()
}

/// The boolean at a dotted path, or false.
pub(crate) fn flag(value: &Value, path: &str) -> bool {
    at(value, path).as_bool().unwrap_or_default()
}

/// The items of the array at a dotted path, or none.
pub(crate) fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    at(value, path).as_array().map_or(&[], Vec::as_slice)
}

/// The strings of the array at a dotted path.
pub(crate) fn texts<'a>(value: &'a Value, path: &str) -> Vec<&'a str> {
    list(value, path).iter().map(|item| item.as_str().unwrap_or_default()).collect()
}

/// The entries of the object at a dotted path, in key order, with scalar values as text.
pub(crate) fn entries<'a>(value: &'a Value, path: &str) -> Vec<(&'a str, String)> {
    match at(value, path) {
        Value::Object(map) => map.iter().map(|(key, value)| (key.as_str(), scalar(value))).collect(),
        _ => Vec::new(),
    }
}

/// The object at a dotted path, if there is one.
pub(crate) fn map<'a>(value: &'a Value, path: &str) -> Option<&'a Map<String, Value>> {
    at(value, path).as_object()
}

/// Whether something other than null is at a dotted path.
pub(crate) fn has(value: &Value, path: &str) -> bool {
    !at(value, path).is_null()
}

/// A scalar as Kubernetes prints it: strings bare, numbers and booleans as written, null empty.
pub(crate) fn scalar(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The scalar at a dotted path, or `default` when it is missing.
pub(crate) fn scalar_or(value: &Value, path: &str, default: &str) -> String {
    match at(value, path) {
        Value::Null => default.to_owned(),
        value => scalar(value),
    }
}

/// `metadata.name`.
pub(crate) fn name(object: &Value) -> &str {
    text(object, "metadata.name")
}

/// `metadata.namespace`, empty for cluster-scoped objects.
pub(crate) fn namespace(object: &Value) -> &str {
    text(object, "metadata.namespace")
}

/// The label or annotation `key` of the map at a dotted path; the key may have dots.
pub(crate) fn entry<'a>(object: &'a Value, path: &str, key: &str) -> Option<&'a str> {
    at(object, path).get(key).and_then(Value::as_str)
}

/// The owner reference that is the controller, if there is one (`metav1.GetControllerOf`).
pub(crate) fn controller(object: &Value) -> Option<&Value> {
    list(object, "metadata.ownerReferences").iter().find(|owner| flag(owner, "controller"))
}

/// The condition of `kind` in `status.conditions`.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(object, "status.conditions").iter().find(|condition| text(condition, "type") == kind)
}

/// `True`, `False` or `<unset>` for an optional boolean.
pub(crate) fn bool_or_unset(value: &Value) -> &'static str {
    match value.as_bool() {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    }
}

/// `text`, or `<none>` when it is empty.
pub(crate) fn or_none(text: &str) -> &str {
    if text.is_empty() { "<none>" } else { text }
}

/// A value as Go's `fmt` prints it with `%v`: `[a b]`, `map[k:v]`, `<nil>`.
pub(crate) fn go_value(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => go_number(number),
        Value::Array(items) => format!("[{}]", items.iter().map(go_value).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let fields: Vec<_> = map.iter().map(|(key, value)| format!("{key}:{}", go_value(value))).collect();
            format!("map[{}]", fields.join(" "))
        }
    }
}

/// A number as Go's `%v` prints it: integers plainly, floats in the shortest form, with an exponent below -4 and from 21 on.
pub(crate) fn go_number(number: &serde_json::Number) -> String {
    if number.is_i64() || number.is_u64() {
        return number.to_string();
    }
    let float = number.as_f64().unwrap_or_default();
    if float == 0.0 {
        return "0".to_owned();
    }
    let exponential = format!("{float:e}");
    let (mantissa, exponent) = exponential.split_once('e').unwrap_or((&exponential, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..21).contains(&exponent) {
        return format!("{float}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}
