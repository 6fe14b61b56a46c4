//! YAML as `kubectl -o yaml` writes it: block style, keys in natural order, sequences not indented, and a string bare wherever
//! it would be read back as a string.
//!
//! Source: sigs.k8s.io/yaml over yaml.v2 (`encode.go`, `resolve.go`, `sorter.go`, `emitterc.go`).

mod order;
mod scalar;

use serde_json::Value;

use scalar::Emitter;

/// How deep values are followed; deeper ones are written on one line as JSON, which is YAML too.
const MAX_DEPTH: usize = 128;

/// `value` as a YAML document with a line break at the end.
pub(crate) fn document(value: &Value) -> String {
    let mut emitter = Emitter::default();
    node(value, 0, 0, &mut emitter);
    emitter.end_line();
    emitter.out
}

/// Writes a value where its first line begins, the rest at `indent`.
fn node(value: &Value, indent: usize, depth: usize, emitter: &mut Emitter) {
    match value {
        _ if depth > MAX_DEPTH => emitter.bare(&super::json::compact(value)),
        Value::Object(map) if map.is_empty() => emitter.bare("{}"),
        Value::Array(items) if items.is_empty() => emitter.bare("[]"),
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_by(|a, b| order::natural(a.0, b.0));
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index != 0 {
                    emitter.new_line(indent);
                }
                if key.len() > 128 || key.contains('\n') {
                    emitter.bare("? ");
                    emitter.string(key, indent + 2, scalar::Place::Value);
                    emitter.new_line(indent);
                } else {
                    emitter.string(key, indent + 2, scalar::Place::Key);
                }
                emitter.bare(":");
                child(value, indent, depth, emitter);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                if index != 0 {
                    emitter.new_line(indent);
                }
                emitter.bare("- ");
                scalar_or(item, indent, emitter, |emitter| node(item, indent + 2, depth + 1, emitter));
            }
        }
        scalar => scalar_or(scalar, indent, emitter, |_| {}),
    }
}

/// Writes the value of a key: a scalar on the line, a mapping below and deeper, a sequence below and not deeper.
fn child(value: &Value, indent: usize, depth: usize, emitter: &mut Emitter) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            emitter.new_line(indent + 2);
            node(value, indent + 2, depth + 1, emitter);
        }
        Value::Array(items) if !items.is_empty() => {
            emitter.new_line(indent);
            node(value, indent, depth + 1, emitter);
        }
        _ => {
            emitter.bare(" ");
            scalar_or(value, indent, emitter, |emitter| node(value, indent, depth + 1, emitter));
        }
    }
}

fn scalar_or(value: &Value, indent: usize, emitter: &mut Emitter, other: impl FnOnce(&mut Emitter)) {
    match value {
        Value::Null => emitter.bare("null"),
        Value::Bool(flag) => emitter.bare(if *flag { "true" } else { "false" }),
        Value::Number(number) => emitter.bare(&number_text(number)),
        Value::String(text) => emitter.string(text, indent + 2, scalar::Place::Value),
        _ => other(emitter),
    }
}

/// A number as yaml.v2 prints it: floats as Go's `%g`, those without a fraction as integers.
fn number_text(number: &serde_json::Number) -> String {
    if number.is_i64() || number.is_u64() {
        return number.to_string();
    }
    let float = number.as_f64().unwrap_or_default();
    let plain = format!("{float}");
    if !plain.contains('.') && float.abs() < 1e21 {
        return plain;
    }
    let exponential = format!("{float:e}");
    let (mantissa, exponent) = exponential.split_once('e').unwrap_or((&exponential, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return plain;
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_is_written_as_kubectl_writes_it() {
        let value = json!({
            "apiVersion": "v1",
            "kind": "List",
            "metadata": {"resourceVersion": "", "creationTimestamp": "2026-11-20T17:35:30Z", "labels": {}},
            "items": [
                {"a": [1, [2, 3], {"x": null}], "b": "true", "c": "1e3", "d": "0x1f", "e": "a: b", "f": "- x", "g": "#x"},
                {"text": "one\ntwo\n", "cut": "one\ntwo", "spaced": " x", "tab": "a\tb", "quote": "it's", "at": "@x", "y": "y"},
                []
            ]
        });
        let expected = "\
apiVersion: v1
items:
- a:
  - 1
  - - 2
    - 3
  - x: null
  b: \"true\"
  c: 1e3
  d: \"0x1f\"
  e: 'a: b'
  f: '- x'
  g: '#x'
- at: '@x'
  cut: |-
    one
    two
  quote: it's
  spaced: ' x'
  tab: \"a\\tb\"
  text: |
    one
    two
  \"y\": \"y\"
- []
kind: List
metadata:
  creationTimestamp: \"2026-11-20T17:35:30Z\"
  labels: {}
  resourceVersion: \"\"
";
        assert_eq!(document(&value), expected);
    }

    #[test]
    fn long_lines_fold_after_the_eightieth_column() {
        let words = vec!["word"; 30].join(" ");
        let document = document(&json!({ "message": words }));
        let lines: Vec<&str> = document.lines().collect();
        assert_eq!(lines[0].len(), 83);
        assert!(lines[1].starts_with("  word"));
        assert_eq!(document.split_whitespace().skip(1).collect::<Vec<_>>().join(" "), words);
    }

    #[test]
    fn keys_come_in_natural_order() {
        let document = document(&json!({"a10": 1, "a2": 2, "B": 3, "a/b": 4, "ab": 5}));
        assert_eq!(document, "B: 3\na/b: 4\na2: 2\na10: 1\nab: 5\n");
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_back(
            texts in proptest::collection::vec("[a-z:# \\-'\"\\[\\]{}&*!|>%@`?,.0-9_+~\n\t\r\u{7f}\u{e9}\u{1F600}TZ]{0,90}", 1..4),
            key in "[a-zA-Z0-9./:# -]{0,20}",
        ) {
            let value = json!({ key: texts.clone(), "list": [{ "x": texts[0] }] });
            let read: serde_json::Value = serde_yaml::from_str(&document(&value)).unwrap();
            proptest::prop_assert_eq!(read, value);
        }
    }
}
