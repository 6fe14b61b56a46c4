//! kubectl's JSONPath templates: text with `{...}` actions of fields, indexes, slices, unions, filters, recursive descent and
//! `{range}...{end}`.
//!
//! Source: client-go `util/jsonpath`; cli-runtime `printers` (`RelaxedJSONPathExpression`).

mod eval;
mod parse;
mod print;

use std::borrow::Cow;

use serde_json::Value;

use super::json::compact;
use super::look::go_value;

/// A parsed template.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath {
    parts: Vec<parse::Part>,
}

/// The values that one action found.
pub(crate) type Found<'a> = Vec<Cow<'a, Value>>;

impl JsonPath {
    /// Parses a template; the error is client-go's text.
    pub fn parse(template: &str) -> Result<JsonPath, String> {
        Ok(JsonPath { parts: parse::parts(template)? })
    }

    /// Parses a path as `custom-columns` and `--sort-by` take it: `.a.b`, `a.b`, `{.a.b}` or `{a.b}`.
    pub fn parse_relaxed(path: &str) -> Result<JsonPath, String> {
        JsonPath::parse(&relaxed(path)?)
    }

    /// A template that reads as this one; `None` if it has a union or a filter, of which only the meaning is kept.
    pub fn text(&self) -> Option<String> {
        print::parts(&self.parts)
    }

    /// What each action finds, in the order of the template; ranges give the results of their body once per item.
    pub(crate) fn find<'a>(&'a self, value: &'a Value) -> Result<Vec<Found<'a>>, String> {
        eval::parts(&self.parts, value)
    }

    /// The template filled in for `value`.
    pub fn execute(&self, value: &Value) -> Result<String, String> {
        let mut out = String::new();
        for found in self.find(value)? {
            for (index, value) in found.iter().enumerate() {
                if index != 0 {
                    out.push(' ');
                }
                out.push_str(&printed(value));
            }
        }
        Ok(out)
    }
}

/// The template that a path of `custom-columns` or `--sort-by` means.
pub(crate) fn relaxed(path: &str) -> Result<String, String> {
    if path.is_empty() {
        return Ok(String::new());
    }
    let inner = path.strip_prefix('{').and_then(|path| path.strip_suffix('}')).unwrap_or(path);
    let field = inner.strip_prefix('.').unwrap_or(inner);
    if field.is_empty() || field.contains(['{', '}']) {
        return Err("unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or \
                    '{.name1.name2}'"
            .to_owned());
    }
    Ok(format!("{{.{field}}}"))
}

fn printed(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Array(_) | Value::Object(_) => compact(value),
        scalar => go_value(scalar),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(template: &str) -> String {
        let value = json!({
            "kind": "List",
            "items": [
                {"kind": "None", "metadata": {"name": "127.0.0.1", "labels": {"a.b/c": "x"}}, "n": 4,
                 "status": {"capacity": {"cpu": "4"}, "addresses": [{"type": "LegacyHostIP", "address": "127.0.0.1"}]}},
                {"kind": "None", "metadata": {"name": "127.0.0.2"}, "n": 8,
                 "status": {"capacity": {"cpu": "8"},
                    "addresses": [{"type": "LegacyHostIP", "address": "127.0.0.2"}, {"type": "another", "address": "127.0.0.3"}]}}
            ],
            "users": [{"name": "myself", "user": {}},
                {"name": "e2e", "user": {"username": "admin", "password": "secret"}}]
        });
        match JsonPath::parse(template).and_then(|path| path.execute(&value)) {
            Ok(text) => text,
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn the_documented_examples_print_what_is_documented() {
        let table = [
            ("kind is {.kind}", "kind is List"),
            ("{['kind']}", "List"),
            ("{..name}", "127.0.0.1 127.0.0.2 myself e2e"),
            ("{.items[*].metadata.name}", "127.0.0.1 127.0.0.2"),
            ("{.users[0].name}", "myself"),
            ("{.users[-1].name}", "e2e"),
            ("{.users[0:1].name}", "myself"),
            ("{.users[::2].name}", "myself"),
            ("{.items[*]['metadata.name', 'status.capacity']}", "127.0.0.1 127.0.0.2 {\"cpu\":\"4\"} {\"cpu\":\"8\"}"),
            ("{.users[?(@.name==\"e2e\")].user.password}", "secret"),
            ("{.users[?(@.user.password)].name}", "e2e"),
            ("{.items[?(@.n>4)].metadata.name}", "127.0.0.2"),
            ("{range .items[*]}[{.metadata.name}, {.status.capacity.cpu}] {end}", "[127.0.0.1, 4] [127.0.0.2, 8] "),
            (
                "{range .items[*]}{range .status.addresses[*]}{.address}{'\\n'}{end}{end}!",
                "127.0.0.1\n127.0.0.2\n127.0.0.3\n!",
            ),
            ("{range .items[*]}{.metadata.name}{\"\\t\"}{end}", "127.0.0.1\t127.0.0.2\t"),
            ("{.items[0].metadata.labels.a\\.b/c}", "x"),
            ("{.nothing}", ""),
            ("{..*}", "error: unrecognized character in action: U+002A '*'"),
            ("{.users[7].name}", "error: array index out of bounds: index 7, length 2"),
            ("{.users", "error: unclosed action"),
            ("{end}", "error: not in range, nothing to end"),
        ];
        for (template, expected) in table {
            assert_eq!(run(template), expected, "{template}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_printed_template_reads_as_itself(
            template in "([{]([.]{1,2}[a-z*]{0,2}|\\[[0-9:]{0,3}\\]|range |end|[0-9.]{1,3}|'[a-z]'| ){0,4}[}]|[a-z ]){0,5}",
        ) {
            if let Ok(parsed) = JsonPath::parse(&template)
                && let Some(text) = parsed.text()
            {
                proptest::prop_assert_eq!(JsonPath::parse(&text), Ok(parsed), "{}", text);
            }
        }

        #[test]
        fn no_template_panics(template in "[{}.*@$\\[\\]()?'\"<>=!:,0-9a-z \\\\-]{0,40}") {
            let value = json!({"a": [{"b": 1}, {"b": null, "c": "x"}], "c": {"a": [1, 2]}});
            if let Ok(path) = JsonPath::parse(&template) {
                let _ = path.execute(&value);
            }
        }
    }

    #[test]
    fn an_explosion_of_results_is_an_error() {
        let value = json!([[[[1, 2, 3, 4], [1, 2, 3, 4]], [[1, 2, 3, 4]]], [[[1, 2, 3, 4]]]]);
        let wide = json!(vec![vec![vec![value; 20]; 20]; 20]);
        let path = JsonPath::parse(&format!("{{{}}}", "..[*]".repeat(3))).unwrap();
        assert_eq!(path.execute(&wide), Err("too many results".to_owned()));
    }
}
