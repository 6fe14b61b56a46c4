//! One document as go-yaml v2 takes it and complains of it: what the API server says of a body that is YAML.
//!
//! Its scanner and parser are ports of libyaml, with libyaml's words; `fail()` in its `decode.go` gives them a line.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::scalar::go_number;
use super::yaml;
use crate::api::custom::go_quote;

/// What go-yaml makes of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct GoYaml {
    /// The first document; of keys that are there twice the last counts.
    pub value: Value,
    /// `yaml: unmarshal errors: ...`, if keys are there twice: what a strict reader says.
    pub repeated_keys: Option<String>,
}

/// Reads the first document of a text.
///
/// # Errors
///
/// What go-yaml says: `yaml: line 7: did not find expected key`.
pub fn read_go_yaml(text: &str) -> Result<GoYaml, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match yaml::parse_first(text) {
        Ok((value, repeated)) => {
            let lines =
                repeated.iter().map(|(line, key)| format!("\n  line {line}: key {} already set in map", go_quote(key)));
            let lines: String = lines.collect();
            let repeated_keys = (!lines.is_empty()).then(|| format!("yaml: unmarshal errors:{lines}"));
            Ok(GoYaml { value, repeated_keys })
        }
        Err(problem) => {
            Err(complaint(text).unwrap_or_else(|| format!("yaml: line {}: {}", problem.line, problem.error.what)))
        }
    }
}

/// What is wrong with the first document, in libyaml's words.
fn complaint(text: &str) -> Option<String> {
    let mut documents = serde_yaml::Deserializer::from_str(text);
    match Node::deserialize(documents.next()?) {
        Err(error) => {
            let place = error.location();
            let line = place.as_ref().map_or(1, serde_yaml::Location::line);
            let whole = error.to_string();
            if whole.starts_with("unknown anchor") {
                let name = place.and_then(|place| text.get(place.index()..)).map(alias_name).unwrap_or_default();
                return Some(format!("yaml: unknown anchor '{name}' referenced"));
            }
            let end = [" at line ", " at position ", ", while "].iter().filter_map(|mark| whole.find(mark)).min();
            let what = &whole[..end.unwrap_or(whole.len())];
            // Errors of the parser give the line before: it counts from 0, and only the scanner's are put right.
            let line = if PARSER_SAYS.iter().any(|known| what.starts_with(known)) { line - 1 } else { line };
            Some(match line {
                0 => format!("yaml: {what}"),
                1 if place_is_first(&whole) => format!("yaml: {what}"),
                line => format!("yaml: line {line}: {what}"),
            })
        }
        Ok(node) => node.invalid_key().map(|key| format!("yaml: invalid map key: {key}")),
    }
}

/// A problem on the first line has no line in go-yaml's words: 0 means that there is none.
fn place_is_first(whole: &str) -> bool {
    whole.contains(" at line 1 ") || !whole.contains(" at line ")
}

/// How the messages begin that come from libyaml's parser, not from its scanner.
const PARSER_SAYS: [&str; 11] = [
    "did not find expected <stream-start>",
    "did not find expected <document start>",
    "did not find expected node content",
    "did not find expected '-' indicator",
    "did not find expected key",
    "did not find expected ',' or ']'",
    "did not find expected ',' or '}'",
    "found undefined tag handle",
    "found duplicate %YAML directive",
    "found incompatible YAML document",
    "found duplicate %TAG directive",
];

fn alias_name(text: &str) -> &str {
    let name = text.trim_start_matches('*');
    let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).unwrap_or(name.len());
    &name[..end]
}

/// A document in which anything can be a key.
#[derive(Clone, Debug)]
enum Node {
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The first key in the order of reading that is a map or a list, as `%#v` prints it.
    fn invalid_key(&self) -> Option<String> {
        match self {
            Node::Scalar(_) => None,
            Node::List(items) => items.iter().find_map(Node::invalid_key),
            Node::Map(entries) => entries.iter().find_map(|(key, value)| match key {
                Node::Scalar(_) => value.invalid_key(),
                key => key.invalid_key().or_else(|| Some(key.go_syntax())),
            }),
        }
    }

    /// `%#v` of a value of type `interface{}`.
    fn go_syntax(&self) -> String {
        match self {
            Node::Scalar(Value::Null) => "interface {}(nil)".to_owned(),
            Node::Scalar(Value::String(text)) => go_quote(text),
            Node::Scalar(Value::Number(number)) => go_number(number),
            Node::Scalar(other) => other.to_string(),
            Node::List(items) => {
                let items: Vec<String> = items.iter().map(Node::go_syntax).collect();
                format!("[]interface {{}}{{{}}}", items.join(", "))
            }
            // Maps are printed by their keys in order.
            Node::Map(entries) => {
                let sorted: BTreeMap<String, String> =
                    entries.iter().map(|(key, value)| (key.go_syntax(), value.go_syntax())).collect();
                let entries: Vec<String> = sorted.iter().map(|(key, value)| format!("{key}:{value}")).collect();
                format!("map[interface {{}}]interface {{}}{{{}}}", entries.join(", "))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Node::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut all = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            all.push(entry);
        }
        Ok(Node::Map(all))
    }

    fn visit_enum<A: serde::de::EnumAccess<'de>>(self, tagged: A) -> Result<Node, A::Error> {
        // `!tag value`: the tag says nothing here.
        let (_, value): (String, A::Variant) = tagged.variant()?;
        serde::de::VariantAccess::newtype_variant(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn complaints_are_those_of_go_yaml() {
        for (text, said, why) in [
            (
                "a: b\nc:\n  - d\n\te: f\n",
                "yaml: line 4: found a tab character that violates indentation",
                "the scanner counts from 1",
            ),
            (
                "a: b\nc:\n - d: e\n  f: g\n",
                "yaml: line 3: did not find expected '-' indicator",
                "the parser counts from 0",
            ),
            (
                "a: b\nc: d: e\n",
                "yaml: line 2: mapping values are not allowed in this context",
                "the scanner counts from 1",
            ),
            ("a: b\nc: \"d\n", "yaml: line 3: found unexpected end of stream", "at the end of the text"),
            ("a: b: c", "yaml: mapping values are not allowed in this context", "line 0 is no line"),
            (
                "a: b\nc: {{ .x }}\n",
                "yaml: invalid map key: map[interface {}]interface {}{\".x\":interface {}(nil)}",
                "a template",
            ),
            ("a: b\nc: {[1, x]: 2}\n", "yaml: invalid map key: []interface {}{1, \"x\"}", "a list"),
            ("a: b\nc: *d\n", "yaml: unknown anchor 'd' referenced", "an anchor that is not there"),
            ("a: b\nc: @d\n", "yaml: line 2: found character that cannot start any token", "a reserved character"),
            ("a: b\nc: \"\\d\"\n", "yaml: line 2: found unknown escape character", "an escape"),
            ("a: b\nc: [d, e\nf: g\n", "yaml: line 2: did not find expected ',' or ']'", "a list that goes on"),
            ("a: b\nc\nd: e\n", "yaml: line 3: could not find expected ':'", "a key without a colon"),
        ] {
            assert_eq!(read_go_yaml(text), Err(said.to_owned()), "{text:?}: {why}");
        }
    }

    #[test]
    fn of_two_equal_keys_the_last_counts() {
        let read =
            read_go_yaml("a: 1\nb: {c: 1, c: 2}\na:\n  d: 1\n---\n: : :\n").expect("only the first document counts");
        assert_eq!(read.value, json!({"a": {"d": 1}, "b": {"c": 2}}));
        let said =
            "yaml: unmarshal errors:\n  line 2: key \"c\" already set in map\n  line 4: key \"a\" already set in map";
        assert_eq!(read.repeated_keys.as_deref(), Some(said));
    }
}
