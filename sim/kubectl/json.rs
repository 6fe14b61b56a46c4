//! JSON as Go's `encoding/json` writes it: sorted keys, `<`, `>` and `&` escaped, empty containers on one line.

use serde_json::Value;

/// `value` with four spaces of indentation and a line break at the end (`kubectl -o json`).
pub(crate) fn pretty(value: &Value) -> String {
    let mut out = String::new();
    write(value, Some(0), &mut out);
    out.push('\n');
    out
}

/// `value` on one line.
pub(crate) fn compact(value: &Value) -> String {
    let mut out = String::new();
    write(value, None, &mut out);
    out
}

fn write(value: &Value, level: Option<usize>, out: &mut String) {
    let new_line = |out: &mut String, extra: usize| {
        if let Some(level) = level {
            out.push('\n');
            out.extend(std::iter::repeat_n("    ", level + extra));
        }
    };
    let inner = level.map(|level| level + 1);
    match value {
        Value::Array(items) if !items.is_empty() => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index != 0 {
                    out.push(',');
                }
                new_line(out, 1);
                write(item, inner, out);
            }
            new_line(out, 0);
            out.push(']');
        }
        Value::Object(map) if !map.is_empty() => {
            out.push('{');
            for (index, (key, item)) in map.iter().enumerate() {
                if index != 0 {
                    out.push(',');
                }
                new_line(out, 1);
                string(key, out);
                out.push_str(if level.is_some() { ": " } else { ":" });
                write(item, inner, out);
            }
            new_line(out, 0);
            out.push('}');
        }
        Value::String(text) => string(text, out),
        Value::Number(number) => out.push_str(&json_number(number)),
        other => out.push_str(&other.to_string()),
    }
}

/// A number as Go writes it in JSON: floats below 1e-6 and from 1e21 on with an exponent.
fn json_number(number: &serde_json::Number) -> String {
    if number.is_i64() || number.is_u64() {
        return number.to_string();
    }
    let float = number.as_f64().unwrap_or_default();
    let size = float.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{float:e}");
        return match text.split_once('e') {
            Some((mantissa, exponent)) if !exponent.starts_with('-') => format!("{mantissa}e+{exponent}"),
            _ => text,
        };
    }
    format!("{float}")
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_written_as_go_writes_it() {
        let value = json!({"b": [], "a": {"x": "<&>\u{1}"}, "c": [1, 2.5, null, {}]});
        assert_eq!(compact(&value), "{\"a\":{\"x\":\"\\u003c\\u0026\\u003e\\u0001\"},\"b\":[],\"c\":[1,2.5,null,{}]}");
        assert_eq!(pretty(&json!({"a": [1]})), "{\n    \"a\": [\n        1\n    ]\n}\n");
    }
}
