//! What a plain YAML scalar means, as `sigs.k8s.io/yaml` (go-yaml v2) decodes it on its way to JSON: the YAML 1.1 booleans, integers in
//! four bases with underscores, floats, null. Timestamps stay strings.

use serde_json::{Number, Value};

/// The JSON value of a plain (unquoted) scalar.
pub fn resolve(text: &str) -> Value {
    let first = match text.as_bytes().first() {
        None => return Value::Null,
        Some(first) => *first,
    };
    match first {
        b'~' | b'n' | b'N' | b'y' | b'Y' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' => {
            word(text).unwrap_or_else(|| Value::String(text.to_owned()))
        }
        b'+' | b'-' | b'.' | b'0'..=b'9' => number(text).unwrap_or_else(|| Value::String(text.to_owned())),
        _ => Value::String(text.to_owned()),
    }
}

/// The key a scalar becomes in a JSON object: what is not a string is printed as one. `None` for null, which Go refuses.
pub fn key(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(go_number(number)),
        _ => None,
    }
}

/// A JSON number as Go's `encoding/json` prints it: floats without an exponent below 1e21.
pub fn go_number(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() && float.abs() < 1e21 && (float == 0.0 || float.abs() >= 1e-6) => {
            format!("{float}")
        }
        _ => number.to_string(),
    }
}

fn word(text: &str) -> Option<Value> {
    match text {
        "~" | "null" | "Null" | "NULL" => Some(Value::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(Value::Bool(true)),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Some(Value::Bool(false))
        }
        _ => None,
    }
}

fn number(text: &str) -> Option<Value> {
    if text.len() > 400 || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte)) {
        return None;
    }
    let plain: String = text.chars().filter(|&character| character != '_').collect();
    integer(&plain).or_else(|| float(&plain))
}

/// `strconv.ParseInt(text, 0, 64)`, then `ParseUint`.
fn integer(text: &str) -> Option<Value> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.get(..2).map(str::to_ascii_lowercase);
    let (radix, digits) = match lower.as_deref() {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        Some(_) if digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if !negative {
        return Some(Value::from(magnitude));
    }
    if magnitude <= 1 << 63 { Some(Value::from((magnitude as i64).wrapping_neg())) } else { None }
}

/// go-yaml's `yamlStyleFloat`. A whole float is printed without a fraction, so it becomes an integer in JSON.
fn float(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    if let Some(exponent) = exponent {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if exponent.is_empty() || !digits(exponent) {
            return None;
        }
    }
    let value: f64 = text.parse().ok()?;
    if value.fract() == 0.0 && value.abs() < 9.0e15 {
        return Some(Value::from(value as i64));
    }
    Number::from_f64(value).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_mean_what_go_yaml_reads() {
        for (text, value) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("yes", json!(true)),
            ("on", json!(true)),
            ("No", json!(false)),
            ("nO", json!("nO")),
            ("0644", json!(420)),
            ("0o644", json!(420)),
            ("0x50", json!(80)),
            ("0b11", json!(3)),
            ("1_000", json!(1000)),
            ("-12", json!(-12)),
            ("+12", json!(12)),
            ("08", json!(8)),
            ("1.0", json!(1)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000)),
            (".5", json!(0.5)),
            ("1.2.3", json!("1.2.3")),
            ("22:22", json!("22:22")),
            ("2024-01-01", json!("2024-01-01")),
            ("-", json!("-")),
            ("0x", json!("0x")),
            ("100m", json!("100m")),
            ("-9223372036854775808", json!(i64::MIN)),
            ("18446744073709551615", json!(u64::MAX)),
        ] {
            assert_eq!(resolve(text), value, "{text}");
        }
        let Value::Number(big) = resolve("99999999999999999999") else { panic!("a number") };
        assert_eq!(go_number(&big), "100000000000000000000");
    }
}
