//! Reading and filling JSON objects: what is absent reads as empty, as in Go.

use serde_json::{Map, Value};

static NULL: Value = Value::Null;

/// The field `name` of `object`, or null.
pub fn get<'a>(object: &'a Value, name: &str) -> &'a Value {
    object.get(name).unwrap_or(&NULL)
}

/// The string field `name`, or empty.
pub fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    get(object, name).as_str().unwrap_or("")
}

/// The number field `name`, or 0.
pub fn int(object: &Value, name: &str) -> i64 {
    get(object, name).as_i64().unwrap_or(0)
}

/// The number field `name`, if it is there.
pub fn maybe_int(object: &Value, name: &str) -> Option<i64> {
    get(object, name).as_i64()
}

/// The boolean field `name`, or false.
pub fn flag(object: &Value, name: &str) -> bool {
    get(object, name).as_bool().unwrap_or(false)
}

/// The list field `name`, or empty.
pub fn list<'a>(object: &'a Value, name: &str) -> &'a [Value] {
    get(object, name).as_array().map_or(&[], Vec::as_slice)
}

/// The entries of the map field `name`.
pub fn entries<'a>(object: &'a Value, name: &str) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
    get(object, name).as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

/// Whether the field `name` is there and not null.
pub fn has(object: &Value, name: &str) -> bool {
    !get(object, name).is_null()
}

/// Sets the field `name` if it is absent or null.
pub fn fill(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Value::Object(map) = object {
        let field = map.entry(name).or_insert(Value::Null);
        if field.is_null() {
            *field = value.into();
        }
    }
}

/// Sets the string field `name` if it is absent or empty.
pub fn fill_text(object: &mut Value, name: &str, value: &str) {
    if text(object, name).is_empty() {
        put(object, name, value);
    }
}

/// Sets the number field `name` if it is absent or 0.
pub fn fill_int(object: &mut Value, name: &str, value: i64) {
    if int(object, name) == 0 {
        put(object, name, value);
    }
}

/// Sets the field `name`.
pub fn put(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Value::Object(map) = object {
        map.insert(name.to_owned(), value.into());
    }
}

/// Takes the field `name` away.
pub fn remove(object: &mut Value, name: &str) {
    if let Value::Object(map) = object {
        map.remove(name);
    }
}

/// The object in the field `name`, made if it is not there.
pub fn ensure<'a>(object: &'a mut Value, name: &str) -> &'a mut Value {
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let Value::Object(map) = object else { unreachable!("made an object above") };
    let field = map.entry(name).or_insert(Value::Null);
    if field.is_null() {
        *field = Value::Object(Map::new());
    }
    field
}

/// The field `name`, if it is there and not null.
pub fn get_mut<'a>(object: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    object.get_mut(name).filter(|value| !value.is_null())
}

/// The items of the list field `name`.
pub fn items_mut<'a>(object: &'a mut Value, name: &str) -> impl Iterator<Item = &'a mut Value> + use<'a> {
    object.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten()
}
