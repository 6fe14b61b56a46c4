//! A value against its schema, in the words of the API server: kube-openapi `pkg/validation/validate`, and what
//! apiextensions-apiserver `pkg/apiserver/validation` makes of its errors.

use serde_json::{Number, Value};

use super::formats;
use super::props::Props;
use super::words::{float, go_quote, quoted_value};
use crate::api::causes::{Cause, CauseType};

/// Checks `value` against `schema`. The fields of causes begin with `root`, which is empty for a whole object.
pub fn validate(schema: &Props, value: &Value, root: &str) -> Vec<Cause> {
    placed(check(schema, value, None, "").errors, root)
}

/// Checks a new version of an object. What is as it was is not looked at again.
pub(super) fn validate_update(schema: &Props, value: &Value, old: Option<&Value>) -> Vec<Cause> {
    placed(check(schema, value, old, "").errors, "")
}

fn placed(mut found: Vec<Found>, root: &str) -> Vec<Cause> {
    for error in &mut found {
        let path = error.path.strip_prefix('.').unwrap_or(&error.path);
        error.cause.field = match (root, path) {
            ("", "") => "<nil>".to_owned(),
            ("", path) => path.to_owned(),
            (root, "") => root.to_owned(),
            (root, path) => format!("{root}.{path}"),
        };
    }
    found.into_iter().map(|error| error.cause).collect()
}

/// An error with the path that go-openapi gives it, and its text there: errors with equal texts are one.
struct Found {
    path: String,
    text: String,
    cause: Cause,
}

/// What checking found, and how much it checked: of several schemas of which one must hold, the one that got furthest explains.
#[derive(Default)]
struct Outcome {
    errors: Vec<Found>,
    matches: usize,
}

impl Outcome {
    fn of(error: Found) -> Outcome {
        Outcome { errors: vec![error], matches: 0 }
    }

    fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }

    fn add(&mut self, error: Found) {
        if self.errors.iter().all(|known| known.text != error.text) {
            self.errors.push(error);
        }
    }

    fn merge(&mut self, other: Outcome) {
        self.matches += other.matches;
        for error in other.errors {
            self.add(error);
        }
    }
}

/// Checks a value that was `old` before: one that is the same passes, since it did.
fn check(schema: &Props, value: &Value, old: Option<&Value>, path: &str) -> Outcome {
    let out = check_anew(schema, value, old, path);
    match out.is_valid() || old != Some(value) {
        true => out,
        false => Outcome { errors: Vec::new(), ..out },
    }
}

fn check_anew(schema: &Props, value: &Value, old: Option<&Value>, path: &str) -> Outcome {
    let mut out = Outcome::default();
    if value.is_null() {
        out.merge(check_type(schema, value, path));
        out.merge(check_choices(schema, value, path));
        return out;
    }
    let mut part = |found: Outcome| {
        out.merge(found);
        out.matches += 1;
    };
    if !schema.types().is_empty() || !schema.format.is_empty() {
        part(check_type(schema, value, path));
    }
    part(check_junctions(schema, value, old, path));
    match value {
        Value::String(text) => {
            part(check_string(schema, text, path));
            if !schema.format.is_empty() {
                let bad = !formats::is_valid(&schema.format, text);
                part(if bad { Outcome::of(type_error(path, &schema.format, text)) } else { Outcome::default() });
            }
        }
        Value::Number(number) => part(check_number(schema, number, path)),
        Value::Array(items) => part(check_items(schema, items, old, path)),
        _ => {}
    }
    part(check_choices(schema, value, path));
    if let Value::Object(fields) = value {
        part(check_fields(schema, fields, old, path));
    }
    out.matches += 1;
    out
}

/// The type validator.
fn check_type(schema: &Props, value: &Value, path: &str) -> Outcome {
    let passed = Outcome { errors: Vec::new(), matches: 1 };
    let types = schema.types();
    let wanted = types.join(",");
    if value.is_null() {
        let bad = !types.is_empty() && !schema.nullable;
        return if bad { Outcome::of(type_error(path, &wanted, "null")) } else { passed };
    }
    let (is, format) = match value {
        Value::Bool(_) => ("boolean", ""),
        Value::Number(number) if number.is_f64() => ("number", "float64"),
        Value::Number(_) => ("integer", "int64"),
        Value::String(_) => ("string", ""),
        Value::Array(_) => ("array", ""),
        _ => ("object", ""),
    };
    let is_whole = matches!(value, Value::Number(number) if number.as_f64().is_some_and(|n| n.fract() == 0.0));
    let number_fits = is == "number" && is_whole && types.contains(&"integer");
    let number_fits = number_fits || is == "integer" && types.contains(&"number");
    let is_text_or_list = matches!(value, Value::String(_) | Value::Array(_));
    let fits = types.contains(&is) || number_fits;
    if !is_text_or_list && !schema.format.is_empty() && !fits && format != schema.format {
        return Outcome::of(type_error(path, &schema.format, format));
    }
    let is_numeric = types.contains(&"number") || types.contains(&"integer");
    if !is_numeric && !schema.format.is_empty() && is_text_or_list {
        return passed;
    }
    if fits { passed } else { Outcome::of(type_error(path, &wanted, is)) }
}

/// `allOf`, `anyOf`, `oneOf` and `not`.
fn check_junctions(schema: &Props, value: &Value, old: Option<&Value>, path: &str) -> Outcome {
    let mut out = Outcome::default();
    if !schema.any_of.is_empty() {
        let mut best: Option<Outcome> = None;
        let mut success = None;
        for option in &schema.any_of {
            let found = check(option, value, old, path);
            if found.is_valid() {
                success = Some(found);
                break;
            }
            if best.as_ref().is_none_or(|best| found.matches > best.matches) {
                best = Some(found);
            }
        }
        match success {
            Some(found) => out.merge(found),
            None => {
                out.add(junction(path, "must validate at least one schema (anyOf)"));
                out.merge(best.unwrap_or_default());
            }
        }
    }
    if !schema.one_of.is_empty() {
        let (mut best, mut first, mut n_valid) = (None::<Outcome>, None, 0);
        for option in &schema.one_of {
            let found = check(option, value, old, path);
            if found.is_valid() {
                n_valid += 1;
                best = None;
                first.get_or_insert(found);
            } else if n_valid == 0 && best.as_ref().is_none_or(|best| found.matches > best.matches) {
                best = Some(found);
            }
        }
        if n_valid == 1 {
            out.merge(first.unwrap_or_default());
        } else {
            let how = match n_valid {
                0 => "Found none valid".to_owned(),
                n => format!("Found {n} valid alternatives"),
            };
            out.add(junction(path, &format!("must validate one and only one schema (oneOf). {how}")));
            out.merge(best.unwrap_or_default());
        }
    }
    if !schema.all_of.is_empty() {
        let mut n_valid = 0;
        for part in &schema.all_of {
            let found = check(part, value, old, path);
            n_valid += usize::from(found.is_valid());
            out.merge(found);
        }
        if n_valid != schema.all_of.len() {
            let none = if n_valid == 0 { ". None validated" } else { "" };
            out.add(junction(path, &format!("must validate all the schemas (allOf){none}")));
        }
    }
    if schema.not.as_deref().is_some_and(|not| check(not, value, None, path).is_valid()) {
        out.add(junction(path, "must not validate the schema (not)"));
    }
    out.matches += 1;
    out
}

/// An error that has no field of its own: its path stands in its text.
fn junction(path: &str, what: &str) -> Found {
    let text = format!("{} {what}", go_quote(path));
    let message = format!("Invalid value: \"\": {text}");
    Found { path: String::new(), text, cause: cause(CauseType::Invalid, message) }
}

fn check_string(schema: &Props, text: &str, path: &str) -> Outcome {
    let length = text.chars().count() as i64;
    if let Some(limit) = schema.max_length.filter(|&limit| length > limit) {
        let what = format!("{path} in body should be at most {limit} chars long");
        let message = format!("Too long: may not be more than {limit} bytes");
        return Outcome::of(Found { path: path.to_owned(), text: what, cause: cause(CauseType::TooLong, message) });
    }
    if let Some(limit) = schema.min_length.filter(|&limit| length < limit) {
        return Outcome::of(invalid(path, &go_quote(text), &format!("should be at least {limit} chars long")));
    }
    if !schema.pattern.is_empty() && !schema.matches(text) {
        return Outcome::of(invalid(path, &go_quote(text), &format!("should match '{}'", schema.pattern)));
    }
    Outcome::default()
}

/// Integers are compared with bounds that have lost their fraction, as Go converts them.
fn check_number(schema: &Props, number: &Number, path: &str) -> Outcome {
    let mut out = Outcome::default();
    let shown = match number.as_i64() {
        Some(number) => number.to_string(),
        None => float(number.as_f64().unwrap_or_default()),
    };
    let whole = number.as_i64();
    let data = number.as_f64().unwrap_or_default();
    if let Some(factor) = schema.multiple_of {
        let whole_factor = whole.map(|_| factor as i64).filter(|&factor| factor != 0);
        let is_multiple = match (whole, whole_factor) {
            (Some(number), Some(factor)) => number.checked_rem(factor).unwrap_or(0) == 0,
            _ if factor < 1.0 => is_integer(1.0 / factor * data),
            _ => is_integer(data / factor),
        };
        if factor <= 0.0 {
            let what = format!("factor MultipleOf declared for {path} must be positive: {}", float(factor));
            let message = format!("Invalid value: {}: {what}", float(factor));
            out.add(Found { path: path.to_owned(), text: what, cause: cause(CauseType::Invalid, message) });
        } else if !is_multiple {
            let factor = whole_factor.map_or_else(|| float(factor), |factor| factor.to_string());
            out.add(invalid(path, &shown, &format!("should be a multiple of {factor}")));
        }
    }
    if let Some((bound, exclusive)) = schema.minimum {
        let below = match whole {
            Some(number) if exclusive => number <= bound as i64,
            Some(number) => number < bound as i64,
            None if exclusive => data <= bound,
            None => data < bound,
        };
        if below {
            let bound = whole.map_or_else(|| float(bound), |_| (bound as i64).to_string());
            let or_equal = if exclusive { "" } else { " or equal to" };
            out.add(invalid(path, &shown, &format!("should be greater than{or_equal} {bound}")));
        }
    }
    if let Some((bound, exclusive)) = schema.maximum {
        let above = match whole {
            Some(number) if exclusive => number >= bound as i64,
            Some(number) => number > bound as i64,
            None if exclusive => data >= bound,
            None => data > bound,
        };
        if above {
            let bound = whole.map_or_else(|| float(bound), |_| (bound as i64).to_string());
            let or_equal = if exclusive { "" } else { " or equal to" };
            out.add(invalid(path, &shown, &format!("should be less than{or_equal} {bound}")));
        }
    }
    out.matches += 1;
    out
}

/// `swag.IsFloat64AJSONInteger`: whole, with room for rounding.
fn is_integer(number: f64) -> bool {
    const MAX_EXACT: f64 = 9_007_199_254_740_991.0;
    if !number.is_finite() || number.abs() > MAX_EXACT {
        return false;
    }
    let nearest = number.round_ties_even();
    let difference = (number - nearest).abs();
    difference == 0.0 || difference / (number.abs() + nearest.abs()).min(f64::MAX) < 1e-9
}

fn check_items(schema: &Props, items: &[Value], old: Option<&Value>, path: &str) -> Outcome {
    let mut out = Outcome::default();
    if let Some(item) = &schema.items {
        for (index, value) in items.iter().enumerate() {
            let old = old.and_then(|old| schema.item_like(old, value));
            out.merge(check(item, value, old, &format!("{path}[{index}]")));
        }
    }
    let n = items.len() as i64;
    if let Some(limit) = schema.min_items.filter(|&limit| n < limit) {
        out.add(invalid(path, &n.to_string(), &format!("should have at least {limit} items")));
    }
    if let Some(limit) = schema.max_items.filter(|&limit| n > limit) {
        out.add(too_many(path, n, limit, "items"));
    }
    if schema.unique_items && (1..items.len()).any(|at| items[..at].contains(&items[at])) {
        out.add(invalid(path, "\"\"", "shouldn't contain duplicates"));
    }
    out.matches += 1;
    out
}

fn check_fields(schema: &Props, fields: &serde_json::Map<String, Value>, old: Option<&Value>, path: &str) -> Outcome {
    let n = fields.len() as i64;
    if let Some(limit) = schema.min_properties.filter(|&limit| n < limit) {
        return Outcome::of(invalid(path, &n.to_string(), &format!("should have at least {limit} properties")));
    }
    if let Some(limit) = schema.max_properties.filter(|&limit| n > limit) {
        return Outcome::of(too_many(path, n, limit, "properties"));
    }
    let mut out = Outcome::default();
    if let Some(additional) = &schema.additional {
        for (name, value) in fields.iter().filter(|(name, _)| !schema.properties.contains_key(*name)) {
            if !additional.allows {
                let text = format!("{path}.{name} in body is a forbidden property");
                let message = format!("Invalid value: {}: {text}", go_quote(name));
                out.add(Found { path: path.to_owned(), text, cause: cause(CauseType::Invalid, message) });
            } else if let Some(schema) = &additional.schema {
                let old = old.and_then(|old| old.get(name));
                out.merge(check(schema, value, old, &format!("{path}.{name}")));
            }
        }
    }
    for (name, schema) in &schema.properties {
        if let Some(value) = fields.get(name) {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let old = old.and_then(|old| old.get(name));
            out.merge(check(schema, value, old, &path));
        }
    }
    for name in schema.required.iter().filter(|name| !fields.contains_key(*name)) {
        let path = format!("{path}.{name}");
        let text = format!("{path} in body is required");
        out.add(Found { path, text, cause: cause(CauseType::Required, "Required value".to_owned()) });
    }
    out
}

/// `enum`. Numbers are compared after conversion to the type of the choice, as Go does it.
fn check_choices(schema: &Props, value: &Value, path: &str) -> Outcome {
    let same = |choice: &Value| match (choice, value) {
        (Value::Number(choice), Value::Number(value)) => match (choice.as_i64(), value.as_i64()) {
            (Some(choice), Some(value)) => choice == value,
            (Some(choice), None) => value.as_f64().is_some_and(|value| value as i64 == choice),
            _ => choice.as_f64() == value.as_f64(),
        },
        (choice, value) => choice == value,
    };
    if schema.choices.is_empty() || schema.choices.iter().any(same) {
        return Outcome::default();
    }
    let supported = schema.choices.iter().map(|choice| match choice {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    let supported: Vec<String> = supported.collect();
    let known: Vec<String> = supported.iter().map(|text| go_quote(text)).collect();
    let message = format!("Unsupported value: {}: supported values: {}", quoted_value(value), known.join(", "));
    let text = format!("{path} in body should be one of {supported:?}");
    let cause = Cause { supported, ..cause(CauseType::NotSupported, message) };
    Outcome::of(Found { path: path.to_owned(), text, cause })
}

fn cause(reason: CauseType, message: String) -> Cause {
    Cause { field: String::new(), reason, message, supported: Vec::new() }
}

/// An error about a value that is shown as `shown`.
fn invalid(path: &str, shown: &str, what: &str) -> Found {
    let text = format!("{path} in body {what}");
    let message = format!("Invalid value: {shown}: {text}");
    Found { path: path.to_owned(), text, cause: cause(CauseType::Invalid, message) }
}

/// A wrong type or format: `is` is what the value is, or the value itself.
fn type_error(path: &str, wanted: &str, is: &str) -> Found {
    let text = format!("{path} in body must be of type {wanted}: {}", go_quote(is));
    let message = format!("Invalid value: {}: {text}", go_quote(is));
    Found { path: path.to_owned(), text, cause: cause(CauseType::TypeInvalid, message) }
}

fn too_many(path: &str, n: i64, limit: i64, what: &str) -> Found {
    let text = format!("{path} in body should have at most {limit} {what}");
    let items = if limit == 1 { "item" } else { "items" };
    let message = format!("Too many: {n}: must have at most {limit} {items}");
    Found { path: path.to_owned(), text, cause: cause(CauseType::TooMany, message) }
}
