//! `--sort-by`: objects by a field.
//!
//! Source: kubectl `pkg/cmd/get/sorter.go`.

use serde_json::Value;

use super::gosort;
use super::jsonpath::{JsonPath, relaxed};
use crate::api::quantity::Quantity;

/// Sorts objects by the first value that a path finds; one without a value comes first.
pub(crate) fn sort_by(objects: &mut Vec<&Value>, path: &str) -> Result<(), String> {
    let template = relaxed(path)?;
    let parsed = JsonPath::parse(&template)?;
    let mut keyed: Vec<(Option<Value>, &Value)> = Vec::new();
    for object in objects.iter() {
        let found = parsed.find(object)?;
        let key = found.into_iter().next().and_then(|values| values.into_iter().next());
        keyed.push((key.map(std::borrow::Cow::into_owned), object));
    }
    if !keyed.is_empty() && keyed.iter().all(|(key, _)| key.is_none()) {
        return Err(format!("couldn't find any field with path \"{template}\" in the list of objects"));
    }
    gosort::sort(&mut keyed, |a, b| match (&a.0, &b.0) {
        (None, _) => true,
        (_, None) => false,
        (Some(a), Some(b)) => less(a, b),
    });
    *objects = keyed.into_iter().map(|(_, object)| object).collect();
    Ok(())
}

fn less(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => false,
        (Value::Null, _) => true,
        (_, Value::Null) => false,
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a < b,
            _ => a.as_f64() < b.as_f64(),
        },
        (Value::String(a), Value::String(b)) => match (a.parse::<Quantity>(), b.parse::<Quantity>()) {
            (Ok(a), Ok(b)) => a < b,
            _ => a < b,
        },
        (Value::Bool(a), Value::Bool(b)) => !a & b,
        (Value::Array(a), Value::Array(b)) => {
            for (a, b) in a.iter().zip(b) {
                if less(a, b) || less(b, a) {
                    return less(a, b);
                }
            }
            a.len() < b.len()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_go_by_amount_and_other_texts_by_letters() {
        let sorted = |values: [&str; 4]| {
            let objects: Vec<Value> = values.iter().map(|value| json!({ "x": value })).collect();
            let mut references: Vec<&Value> = objects.iter().collect();
            sort_by(&mut references, ".x").unwrap();
            references.iter().map(|object| object["x"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(sorted(["1Gi", "200Mi", "3", "2k"]), ["3", "2k", "200Mi", "1Gi"]);
        assert_eq!(sorted(["web-10", "web-2", "web-1a", "web-1"]), ["web-1", "web-10", "web-1a", "web-2"]);
    }

    #[test]
    fn a_path_that_nothing_has_is_an_error() {
        let object = json!({});
        assert!(sort_by(&mut vec![&object], ".x").unwrap_err().contains("couldn't find any field"));
    }
}
