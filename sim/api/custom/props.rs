//! An OpenAPI v3 schema of a CustomResourceDefinition, read once: `JSONSchemaProps`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use regex::Regex;
use serde_json::Value;

use super::rules::Rule;
use crate::api::view::{flag, get, list, maybe_int, text};

/// A schema with its value validations and its structure.
#[derive(Clone, Debug, Default)]
pub struct Props {
    /// `type`; empty if there is none.
    pub kind: String,
    /// Whether null is a value.
    pub nullable: bool,
    /// The format that is checked; formats that the API server does not know are left out.
    pub format: String,
    /// What a missing value becomes.
    pub default: Option<Value>,
    /// The only values there are.
    pub choices: Vec<Value>,
    /// `maximum` and whether it is excluded.
    pub maximum: Option<(f64, bool)>,
    /// `minimum` and whether it is excluded.
    pub minimum: Option<(f64, bool)>,
    /// `multipleOf`.
    pub multiple_of: Option<f64>,
    /// In characters.
    pub max_length: Option<i64>,
    /// In characters.
    pub min_length: Option<i64>,
    /// The pattern that strings match somewhere.
    pub pattern: String,
    /// The pattern compiled, at its first use.
    regex: OnceLock<Option<Regex>>,
    /// Most items of an array.
    pub max_items: Option<i64>,
    /// Fewest items of an array.
    pub min_items: Option<i64>,
    /// Whether all items differ.
    pub unique_items: bool,
    /// Most fields of an object.
    pub max_properties: Option<i64>,
    /// Fewest fields of an object.
    pub min_properties: Option<i64>,
    /// The fields that an object must have.
    pub required: Vec<String>,
    /// The fields of an object.
    pub properties: BTreeMap<String, Props>,
    /// What other fields are: allowed, and of which schema.
    pub additional: Option<Additional>,
    /// What items are.
    pub items: Option<Box<Props>>,
    /// Every one must hold.
    pub all_of: Vec<Props>,
    /// One at least must hold.
    pub any_of: Vec<Props>,
    /// Exactly one must hold.
    pub one_of: Vec<Props>,
    /// What must not hold.
    pub not: Option<Box<Props>>,
    /// `x-kubernetes-preserve-unknown-fields`
    pub preserves_unknown: bool,
    /// `x-kubernetes-embedded-resource`
    pub is_embedded: bool,
    /// `x-kubernetes-int-or-string`
    pub is_int_or_string: bool,
    /// `x-kubernetes-list-type`: `atomic`, `set`, `map`.
    pub list_type: String,
    /// `x-kubernetes-list-map-keys`
    pub list_map_keys: Vec<String>,
    /// `x-kubernetes-map-type`: `atomic`, `granular`.
    pub map_type: String,
    /// `x-kubernetes-validations`
    pub rules: Vec<Rule>,
    /// Whether there are rules here or below.
    pub has_rules: bool,
}

/// `additionalProperties`.
#[derive(Clone, Debug)]
pub struct Additional {
    /// False only for a plain `false`.
    pub allows: bool,
    /// The schema of the values.
    pub schema: Option<Box<Props>>,
}

impl Props {
    /// Reads a schema as decoded (see [`crate::api::schema`]).
    pub fn read(schema: &Value) -> Props {
        let bound = |name: &str, exclusive: &str| get(schema, name).as_f64().map(|at| (at, flag(schema, exclusive)));
        let each = |name: &str| list(schema, name).iter().map(Props::read).collect::<Vec<_>>();
        let one = |name: &str| get(schema, name).is_object().then(|| Box::new(Props::read(get(schema, name))));
        let texts = |name: &str| list(schema, name).iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let properties = get(schema, "properties").as_object().into_iter().flatten();
        let mut props = Props {
            kind: text(schema, "type").to_owned(),
            nullable: flag(schema, "nullable"),
            format: super::formats::supported(text(schema, "format")).to_owned(),
            default: schema.get("default").filter(|value| !value.is_null()).cloned(),
            choices: list(schema, "enum").to_vec(),
            maximum: bound("maximum", "exclusiveMaximum"),
            minimum: bound("minimum", "exclusiveMinimum"),
            multiple_of: get(schema, "multipleOf").as_f64(),
            max_length: maybe_int(schema, "maxLength"),
            min_length: maybe_int(schema, "minLength"),
            pattern: text(schema, "pattern").to_owned(),
            regex: OnceLock::new(),
            max_items: maybe_int(schema, "maxItems"),
            min_items: maybe_int(schema, "minItems"),
            unique_items: flag(schema, "uniqueItems"),
            max_properties: maybe_int(schema, "maxProperties"),
            min_properties: maybe_int(schema, "minProperties"),
            required: texts("required"),
            properties: properties.map(|(name, schema)| (name.clone(), Props::read(schema))).collect(),
            additional: match get(schema, "additionalProperties") {
                Value::Bool(allows) => Some(Additional { allows: *allows, schema: None }),
                Value::Object(_) => Some(Additional { allows: true, schema: one("additionalProperties") }),
                _ => None,
            },
            items: one("items"),
            all_of: each("allOf"),
            any_of: each("anyOf"),
            one_of: each("oneOf"),
            not: one("not"),
            preserves_unknown: flag(schema, "x-kubernetes-preserve-unknown-fields"),
            is_embedded: flag(schema, "x-kubernetes-embedded-resource"),
            is_int_or_string: flag(schema, "x-kubernetes-int-or-string"),
            list_type: text(schema, "x-kubernetes-list-type").to_owned(),
            list_map_keys: texts("x-kubernetes-list-map-keys"),
            map_type: text(schema, "x-kubernetes-map-type").to_owned(),
            rules: list(schema, "x-kubernetes-validations").iter().map(Rule::read).collect(),
            has_rules: !list(schema, "x-kubernetes-validations").is_empty(),
        };
        let rules_below = props.children().any(|child| child.has_rules);
        props.has_rules |= rules_below;
        props
    }

    /// The types that a value may have; none for any.
    pub fn types(&self) -> &[&str] {
        const INT_OR_STRING: [&str; 2] = ["integer", "string"];
        const ONE: [[&str; 1]; 6] = [["string"], ["number"], ["integer"], ["boolean"], ["array"], ["object"]];
        if self.is_int_or_string {
            return &INT_OR_STRING;
        }
        ONE.iter().find(|[one]| *one == self.kind).map_or(&[], |one| one.as_slice())
    }

    /// The schema of a field of an object: its own, or that of additional properties.
    pub fn field(&self, name: &str) -> Option<&Props> {
        self.properties.get(name).or_else(|| self.additional.as_ref()?.schema.as_deref())
    }

    /// The item of the list `old` that `item` was, if they are told apart by keys.
    pub fn item_like<'a>(&self, old: &'a Value, item: &Value) -> Option<&'a Value> {
        if self.list_type != "map" || self.list_map_keys.is_empty() {
            return None;
        }
        let of = |item: &Value| self.list_map_keys.iter().map(|key| item.get(key).cloned()).collect::<Vec<_>>();
        let wanted = of(item);
        old.as_array()?.iter().find(|old| of(old) == wanted)
    }

    /// Whether `text` matches the pattern; a pattern that is no regular expression matches nothing.
    pub fn matches(&self, text: &str) -> bool {
        let regex = self.regex.get_or_init(|| go_regex(&self.pattern).ok());
        regex.as_ref().is_some_and(|regex| regex.is_match(text))
    }

    fn children(&self) -> impl Iterator<Item = &Props> {
        let additional = self.additional.iter().filter_map(|additional| additional.schema.as_deref());
        self.properties.values().chain(additional).chain(self.items.as_deref())
    }
}

/// Compiles a regular expression as Go's `regexp` would: ASCII classes for `\d`, `\w`, `\s` and `\b`, and no syntax that RE2 does not have.
///
/// # Errors
///
/// What is wrong with it.
pub fn go_regex(pattern: &str) -> Result<Regex, String> {
    let pattern = ascii_classes(pattern)?;
    regex::RegexBuilder::new(&pattern).size_limit(4 << 20).build().map_err(|error| {
        let text = error.to_string();
        text.lines().last().unwrap_or("invalid").trim_start_matches("error: ").to_owned()
    })
}

/// Perl classes are ASCII in Go; Rust's mean Unicode. `[[:word:]]` and the rest are ASCII in both. `\Z` and `&&` differ too.
fn ascii_classes(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let (mut in_class, mut chars) = (false, pattern.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let Some(next) = chars.next() else {
                    return Err("trailing backslash at end of expression: ``".to_owned());
                };
                let class = match next {
                    'd' => "0-9",
                    'w' => "0-9A-Za-z_",
                    's' => "\\t\\n\\f\\r ",
                    'D' | 'W' | 'S' => {
                        let class = match next {
                            'D' => "[^0-9]",
                            'W' => "[^0-9A-Za-z_]",
                            _ => "[^\\t\\n\\f\\r ]",
                        };
                        out.push_str(class);
                        continue;
                    }
                    'b' | 'B' if !in_class => {
                        out.push_str(if next == 'b' { "(?-u:\\b)" } else { "(?-u:\\B)" });
                        continue;
                    }
                    // In Go `\Q...\E` is literal text.
                    'Q' => {
                        let rest: String = chars.clone().collect();
                        let (literal, skipped) = match rest.split_once("\\E") {
                            Some((literal, _)) => (literal.to_owned(), literal.chars().count() + 2),
                            None => (rest.clone(), rest.chars().count()),
                        };
                        out.push_str(&regex::escape(&literal));
                        chars.by_ref().take(skipped).for_each(drop);
                        continue;
                    }
                    other => {
                        out.push('\\');
                        out.push(other);
                        continue;
                    }
                };
                match in_class {
                    true => out.push_str(class),
                    false => {
                        out.push('[');
                        out.push_str(class);
                        out.push(']');
                    }
                }
            }
            '[' if in_class => match chars.peek() {
                Some(':') => out.push('['),
                _ => out.push_str("\\["),
            },
            '[' => {
                in_class = true;
                out.push('[');
                if chars.peek() == Some(&'^') {
                    chars.next();
                    out.push('^');
                }
                if chars.peek() == Some(&']') {
                    chars.next();
                    out.push_str("\\]");
                }
            }
            ':' if in_class && chars.peek() == Some(&']') && posix_is_open(&out) => {
                chars.next();
                out.push_str(":]");
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' | '-' if in_class && chars.peek() == Some(&c) => {
                out.push('\\');
                out.push(c);
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

/// Whether the text ends inside of `[:name`.
fn posix_is_open(out: &str) -> bool {
    out.rfind("[:").is_some_and(|at| out[at + 2..].chars().all(|c| c.is_ascii_lowercase() || c == '^'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_go() {
        for (pattern, text, expected, why) in [
            (r"^\d+$", "42", true, "digits"),
            (r"^\d+$", "٤٢", false, "ASCII digits only"),
            (r"^\w+$", "é", false, "ASCII words only"),
            (r"^[\w.-]+$", "a.b-c", true, "a class inside a class"),
            (r"^[^\s]+$", "a\u{a0}b", true, "a no-break space is no space in Go"),
            (r"^[a[b]+$", "a[b", true, "a bracket inside a class is itself"),
            (r"^[[:alpha:]]+$", "abc", true, "POSIX classes"),
            (r"^[]a]+$", "]a", true, "a bracket first in a class is itself"),
            (r"^[a&&b]+$", "a&b", true, "no intersections in Go"),
            (r"b", "abc", true, "patterns are not anchored"),
            (r"\Qa.b\E", "a.b", true, "literal text"),
            (r"\Qa.b\E$", "axb", false, "literal text does not match otherwise"),
        ] {
            let props = Props { pattern: pattern.to_owned(), ..Props::default() };
            assert_eq!(props.matches(text), expected, "{pattern} on {text:?}: {why}");
        }
        for wrong in ["(", "a{2,1}", "(?=a)", "\\", "[b-a]"] {
            assert!(go_regex(wrong).is_err(), "{wrong}");
        }
    }
}
