//! Label selectors: what `labels.Selector` of apimachinery v1.36 is.
//!
//! A selector is compiled once, from the API's `LabelSelector` or from the text that kubectl takes, then matched many times.
//! Requirements are kept in the order in which Kubernetes prints them, so that equal selectors are equal values and can be
//! interned.

mod parse;

use std::fmt;
use std::str::FromStr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;

use super::label_syntax::{label_key_errors, label_value_errors};

/// Which label sets are meant: those that meet every requirement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selector {
    /// Sorted by key; nothing for the selector that no label set meets.
    requirements: Option<Box<[Requirement]>>,
}

/// A condition on one label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    key: Box<str>,
    operator: Operator,
    /// Sorted.
    values: Box<[Box<str>]>,
}

/// How a label is compared with the values of a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// The label has one of the values.
    In,
    /// The label has none of the values, or is absent.
    NotIn,
    /// `=`: the label has the value.
    Equals,
    /// `==`: the label has the value.
    DoubleEquals,
    /// `!=`: the label has another value, or is absent.
    NotEquals,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
    /// The label is an integer above the value.
    GreaterThan,
    /// The label is an integer below the value.
    LessThan,
}

/// Why something is not a selector, in Kubernetes' words.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(pub(super) String);

impl Selector {
    /// The selector that every label set meets.
    pub fn everything() -> Selector {
        Selector { requirements: Some(Box::default()) }
    }

    /// The selector that no label set meets.
    pub fn nothing() -> Selector {
        Selector { requirements: None }
    }

    /// The selector of all `requirements` together.
    pub fn new(mut requirements: Vec<Requirement>) -> Selector {
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Selector { requirements: Some(requirements.into()) }
    }

    /// The selector of exactly these labels, unchecked (`labels.SelectorFromSet`): services, nodeSelector, replication controllers.
    pub fn from_labels<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Selector {
        let equals = |(key, value): (&str, &str)| Requirement {
            key: key.into(),
            operator: Operator::Equals,
            values: [value.into()].into(),
        };
        Selector::new(labels.into_iter().map(equals).collect())
    }

    /// The selector of the API: none selects nothing, an empty one everything (`metav1.LabelSelectorAsSelector`).
    pub fn from_label_selector(selector: Option<&LabelSelector>) -> Result<Selector, SelectorError> {
        let Some(selector) = selector else { return Ok(Selector::nothing()) };
        let mut requirements = Vec::new();
        for (key, value) in selector.match_labels.iter().flatten() {
            requirements.push(Requirement::new(key, Operator::Equals, vec![value.clone()])?);
        }
        for expression in selector.match_expressions.iter().flatten() {
            let values = expression.values.clone().unwrap_or_default();
            requirements.push(Requirement::of_label_selector(&expression.key, &expression.operator, values)?);
        }
        Ok(Selector::new(requirements))
    }

    /// As [`Selector::from_label_selector`], of the JSON form; null selects nothing.
    pub fn from_json(selector: &Value) -> Result<Selector, SelectorError> {
        if selector.is_null() {
            return Ok(Selector::nothing());
        }
        let selector: LabelSelector =
            serde_json::from_value(selector.clone()).map_err(|error| SelectorError(error.to_string()))?;
        Selector::from_label_selector(Some(&selector))
    }

    /// Whether the labels meet every requirement; `get` gives the value of a label.
    pub fn matches<'a>(&self, get: impl Fn(&str) -> Option<&'a str>) -> bool {
        match &self.requirements {
            None => false,
            Some(requirements) => requirements.iter().all(|requirement| requirement.matches(get(&requirement.key))),
        }
    }

    /// Whether nothing is required, so that every label set matches.
    pub fn is_empty(&self) -> bool {
        self.requirements.as_ref().is_some_and(|requirements| requirements.is_empty())
    }

    /// Whether it is [`Selector::nothing`].
    pub fn is_nothing(&self) -> bool {
        self.requirements.is_none()
    }

    /// The requirements, sorted by key.
    pub fn requirements(&self) -> &[Requirement] {
        self.requirements.as_deref().unwrap_or_default()
    }

    /// This selector with more requirements.
    pub fn with(&self, more: impl IntoIterator<Item = Requirement>) -> Selector {
        match &self.requirements {
            None => Selector::nothing(),
            Some(requirements) => Selector::new(requirements.iter().cloned().chain(more).collect()),
        }
    }
}

/// Reads the text of `kubectl -l`, e.g. `app=web,tier in (fe,be),!canary` (`labels.Parse`).
impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Selector, SelectorError> {
        parse::parse(text).map(Selector::new)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, requirement) in self.requirements().iter().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            write!(f, "{requirement}")?;
        }
        Ok(())
    }
}

impl Requirement {
    /// A checked requirement (`labels.NewRequirement`).
    pub fn new(key: &str, operator: Operator, values: Vec<String>) -> Result<Requirement, SelectorError> {
        let mut errors = Vec::new();
        invalid(&mut errors, "key", key, &label_key_errors(key));
        let n_values = match operator {
            Operator::In | Operator::NotIn if values.is_empty() => {
                "for 'in', 'notin' operators, values set can't be empty"
            }
            Operator::Equals | Operator::DoubleEquals | Operator::NotEquals if values.len() != 1 => {
                "exact-match compatibility requires one single value"
            }
            Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
                "values set must be empty for exists and does not exist"
            }
            Operator::GreaterThan | Operator::LessThan if values.len() != 1 => {
                "for 'Gt', 'Lt' operators, exactly one value is required"
            }
            _ => "",
        };
        if !n_values.is_empty() {
            let list: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
            errors.push(format!("values: Invalid value: [{}]: {n_values}", list.join(",")));
        }
        for (place, value) in values.iter().enumerate() {
            let compares = matches!(operator, Operator::GreaterThan | Operator::LessThan);
            if compares && value.parse::<i64>().is_err() {
                let message = "for 'Gt', 'Lt' operators, the value must be an integer".to_owned();
                invalid(&mut errors, &format!("values[{place}]"), value, &[message]);
            }
        }
        for (place, value) in values.iter().enumerate() {
            invalid(&mut errors, &format!("values[{place}][{key}]"), value, &label_value_errors(value));
        }
        if !errors.is_empty() {
            return Err(SelectorError(aggregate(errors)));
        }
        let mut values: Vec<Box<str>> = values.into_iter().map(String::into_boxed_str).collect();
        values.sort();
        Ok(Requirement { key: key.into(), operator, values: values.into() })
    }

    /// A requirement of a `LabelSelector`: `In`, `NotIn`, `Exists`, `DoesNotExist`.
    pub fn of_label_selector(key: &str, operator: &str, values: Vec<String>) -> Result<Requirement, SelectorError> {
        let operator = match operator {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            other => return Err(SelectorError(format!("{other:?} is not a valid label selector operator"))),
        };
        Requirement::new(key, operator, values)
    }

    /// A requirement of a node selector, which has `Gt` and `Lt` too.
    pub fn of_node_selector(key: &str, operator: &str, values: Vec<String>) -> Result<Requirement, SelectorError> {
        let operator = match operator {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            "Gt" => Operator::GreaterThan,
            "Lt" => Operator::LessThan,
            other => {
                let supported = r#"supported values: "DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn""#;
                return Err(SelectorError(format!("operator: Unsupported value: {other:?}: {supported}")));
            }
        };
        Requirement::new(key, operator, values)
    }

    /// The key of the label.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How the label is compared.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// What it is compared with, sorted.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &str> {
        self.values.iter().map(|value| &**value)
    }

    /// Whether a label with this value, or its absence, meets the requirement.
    pub fn matches(&self, label: Option<&str>) -> bool {
        let has = |label: &str| self.values.iter().any(|value| **value == *label);
        let compare = |accept: fn(&i64, &i64) -> bool| {
            let number = |text: &str| text.parse::<i64>().ok();
            match (label.and_then(number), self.values.first().and_then(|value| number(value))) {
                (Some(label), Some(value)) => accept(&label, &value),
                _ => false,
            }
        };
        match self.operator {
            Operator::In | Operator::Equals | Operator::DoubleEquals => label.is_some_and(has),
            Operator::NotIn | Operator::NotEquals => !label.is_some_and(has),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
            Operator::GreaterThan => compare(i64::gt),
            Operator::LessThan => compare(i64::lt),
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        let values = self.values.join(",");
        match self.operator {
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::DoubleEquals => write!(f, "{key}=={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::Exists => write!(f, "{key}"),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

/// Appends one error for all `messages` about a value.
fn invalid(errors: &mut Vec<String>, field: &str, value: &str, messages: &[String]) {
    if !messages.is_empty() {
        errors.push(format!("{field}: Invalid value: {value:?}: {}", messages.join("; ")));
    }
}

/// One error as it is, several in brackets.
fn aggregate(mut errors: Vec<String>) -> String {
    match errors.len() {
        1 => errors.remove(0),
        _ => format!("[{}]", errors.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn matches(selector: &Selector, labels: &[(&str, &'static str)]) -> bool {
        selector.matches(|key| labels.iter().find(|(name, _)| *name == key).map(|&(_, value)| value))
    }

    #[test]
    fn texts_select() {
        for (text, printed, labels, selected, why) in [
            ("", "", &[][..], true, "nothing required"),
            ("a=1", "a=1", &[("a", "1")], true, "equal"),
            ("a==1", "a==1", &[("a", "2")], false, "not equal"),
            ("a!=1", "a!=1", &[], true, "an absent label is not equal"),
            ("a", "a", &[("a", "")], true, "an empty label exists"),
            ("!a", "!a", &[("a", "")], false, "an empty label is not absent"),
            ("a in (y, x)", "a in (x,y)", &[("a", "y")], true, "values are sorted"),
            ("a notin (x)", "a notin (x)", &[], true, "an absent label is not in"),
            ("a in ()", "a in ()", &[("a", "")], true, "no value is the empty value"),
            ("a in (,x)", "a in (,x)", &[("a", "")], true, "an empty value among others"),
            ("a=", "a=", &[("a", "")], true, "an empty value"),
            ("a>5", "a>5", &[("a", "10")], true, "compared as numbers"),
            ("a<5", "a<5", &[("a", "x")], false, "not a number"),
            ("z,b,a", "a,b,z", &[("a", ""), ("b", ""), ("z", "")], true, "sorted by key"),
            ("in in (in)", "in in (in)", &[("in", "in")], true, "keywords are keys and values too"),
        ] {
            let selector: Selector = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(selector.to_string(), printed, "{text}: {why}");
            assert_eq!(matches(&selector, labels), selected, "{text}: {why}");
        }
    }

    #[test]
    fn bad_texts_are_refused_in_the_words_of_kubernetes() {
        for (text, error) in [
            ("=", "found '=', expected: !, identifier, or 'end of string'"),
            ("a,", "found '', expected: identifier after ','"),
            ("a!", "unable to parse requirement: found '!', expected: in, notin, =, ==, !=, gt, lt"),
            ("!a=b", "found '=', expected: ',' or 'end of string'"),
            ("!", "unable to parse requirement: found '', expected: identifier"),
            ("a in b", "unable to parse requirement: found 'b' expected: '('"),
            ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
            (
                "a>x",
                "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
            ),
        ] {
            assert_eq!(text.parse::<Selector>().unwrap_err().to_string(), error, "{text}");
        }
    }

    #[test]
    fn selectors_of_the_api() {
        for (json, printed, why) in [
            (json!(null), None, "no selector selects nothing"),
            (json!({}), Some(""), "an empty selector selects everything"),
            (json!({ "matchLabels": { "b": "1", "a": "2" } }), Some("a=2,b=1"), "sorted by key"),
            (
                json!({ "matchLabels": { "a": "1" }, "matchExpressions": [{ "key": "a", "operator": "In", "values": ["2", "1"] }] }),
                Some("a=1,a in (1,2)"),
                "labels before expressions of the same key",
            ),
        ] {
            let selector = Selector::from_json(&json).expect(why);
            assert_eq!((!selector.is_nothing()).then(|| selector.to_string()).as_deref(), printed, "{why}");
        }
        for operator in ["Gt", "=", ""] {
            let json = json!({ "matchExpressions": [{ "key": "a", "operator": operator, "values": ["1"] }] });
            assert!(Selector::from_json(&json).is_err(), "label selectors do not have {operator:?}");
        }
    }

    proptest! {
        #[test]
        fn printing_and_parsing_agree(
            text in "((!?[a-c]|[a-c](=|==|!=)[x-z]?|[a-c][<>][0-9]|[a-c] (not)?in \\(,?[x-z](,[x-z]){0,3},?\\)),){0,4}[a-c]",
        ) {
            let selector: Selector = text.parse().map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
            prop_assert_eq!(&selector.to_string().parse::<Selector>().expect("printed"), &selector);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[a-c =!<>(),/\\.\\-\u{0}ni\t]{0,30}") {
            if let Ok(selector) = text.parse::<Selector>() {
                let _ = selector.to_string();
            }
        }
    }
}
