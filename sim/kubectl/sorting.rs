//! `--sort-by`: objects by a field.
//!
//! Source: kubectl `pkg/cmd/get/sorter.go`; `sortorder.NaturalLess`.

use std::cmp::Ordering;

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
            _ => natural(a, b).is_lt(),
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

/// Compares texts with the numbers in them by value.
fn natural(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        match (a[i].is_ascii_digit(), b[j].is_ascii_digit()) {
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {
                if a[i] != b[j] {
                    return a[i].cmp(&b[j]);
                }
                i += 1;
                j += 1;
            }
            (true, true) => {
                let zeros = |text: &[u8], from: usize| from + text[from..].iter().take_while(|&&c| c == b'0').count();
                let digits =
                    |text: &[u8], from: usize| from + text[from..].iter().take_while(|c| c.is_ascii_digit()).count();
                let (start_a, start_b) = (zeros(a, i), zeros(b, j));
                (i, j) = (digits(a, start_a), digits(b, start_b));
                let order = (i - start_a)
                    .cmp(&(j - start_b))
                    .then_with(|| a[start_a..i].cmp(&b[start_b..j]))
                    .then(start_a.cmp(&start_b));
                if order.is_ne() {
                    return order;
                }
            }
        }
    }
    a.len().cmp(&b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count() {
        let mut names = ["web-10", "web-2", "web-1a", "web-01", "web-1"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["web-1", "web-01", "web-1a", "web-2", "web-10"]);
    }
}
