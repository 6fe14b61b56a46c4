//! What Kubernetes adds for lists, quantities, versions and named formats (`k8s.io/apiserver/pkg/cel/library`).

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::eval::Evaluation;
use super::functions::{Answer, arithmetic};
use super::{CelError, Result, Value};
use crate::api::names;
use crate::api::quantity::{Format, Quantity};

/// The functions.
pub(super) fn call(cx: &mut Evaluation<'_>, name: &str, is_method: bool, args: &[Value]) -> Answer {
    match (name, args) {
        ("isSorted" | "sum" | "min" | "max" | "indexOf" | "lastIndexOf", [Value::List(items), rest @ ..]) => {
            Some(on_list(cx, name, items, rest))
        }
        ("quantity" | "isQuantity", [Value::String(text)]) if !is_method => {
            let read = text.parse::<Quantity>();
            Some(match (name, read) {
                ("isQuantity", read) => Ok(Value::Bool(read.is_ok())),
                (_, Ok(amount)) => Ok(Value::Quantity(amount)),
                (_, Err(error)) => Err(CelError::new(error.to_string())),
            })
        }
        (_, [Value::Quantity(own), rest @ ..]) => on_quantity(name, own, rest),
        ("semver" | "isSemver", [Value::String(text), rest @ ..]) => {
            let read = Semver::parse(text, matches!(rest, [Value::Bool(true)]));
            Some(match (name, read) {
                ("isSemver", read) => Ok(Value::Bool(read.is_some())),
                (_, Some(version)) => Ok(Value::Semver(Arc::new(version))),
                (_, None) => Err(CelError::new(format!("invalid semver: {text}"))),
            })
        }
        (_, [Value::Semver(own), rest @ ..]) => on_semver(name, own, rest),
        ("validate", [Value::Format(format), Value::String(text)]) => Some(Ok(validate(format, text))),
        ("format.named", [Value::String(name)]) => {
            Some(Ok(Value::Optional(format_name(name).map(|name| Arc::new(Value::Format(name))))))
        }
        (_, []) => {
            let format = name.strip_prefix("format.").and_then(format_name)?;
            Some(Ok(Value::Format(format)))
        }
        _ => None,
    }
}

fn on_list(cx: &mut Evaluation<'_>, name: &str, items: &[Value], rest: &[Value]) -> Result<Value> {
    let overload = || CelError::new("no such overload");
    cx.charge(items.len())?;
    let order = |a: &Value, b: &Value| a.order(b).ok_or_else(overload);
    match (name, rest) {
        ("isSorted", []) => {
            for pair in items.windows(2) {
                if order(&pair[0], &pair[1])? == Ordering::Greater {
                    return Ok(Value::Bool(false));
                }
            }
            Ok(Value::Bool(true))
        }
        ("sum", []) => {
            let Some((first, more)) = items.split_first() else { return Ok(Value::Int(0)) };
            more.iter().try_fold(first.clone(), |sum, item| arithmetic(cx, "+", &[sum, item.clone()]))
        }
        ("min" | "max", []) => {
            let Some((first, more)) = items.split_first() else {
                return Err(CelError::new(format!("{name} called on empty list")));
            };
            let better = if name == "min" { Ordering::Less } else { Ordering::Greater };
            more.iter().try_fold(first.clone(), |best, item| {
                Ok(if order(item, &best)? == better { item.clone() } else { best })
            })
        }
        ("indexOf" | "lastIndexOf", [wanted]) => {
            let mut found = -1;
            for (idx, item) in items.iter().enumerate() {
                if cx.equal(item, wanted)? {
                    found = idx as i64;
                    if name == "indexOf" {
                        break;
                    }
                }
            }
            Ok(Value::Int(found))
        }
        _ => Err(overload()),
    }
}

fn on_quantity(name: &str, own: &Quantity, rest: &[Value]) -> Answer {
    let whole = |amount: &Quantity| {
        let value = amount.value();
        let is_whole = Quantity::from_value(value, Format::DecimalSI) == *amount;
        is_whole.then_some(value)
    };
    let other = match rest {
        [Value::Quantity(other)] => Some(other.clone()),
        [Value::Int(other)] => Some(Quantity::from_value(*other, Format::DecimalSI)),
        _ => None,
    };
    let ordering = |ordering: Ordering| Some(Ok(Value::Int(ordering as i64)));
    match (name, rest.len()) {
        ("sign", 0) => Some(Ok(Value::Int(i64::from(own.sign())))),
        ("isInteger", 0) => Some(Ok(Value::Bool(whole(own).is_some()))),
        ("asInteger", 0) => {
            Some(whole(own).map(Value::Int).ok_or_else(|| CelError::new("cannot convert value to integer")))
        }
        ("asApproximateFloat", 0) => Some(Ok(Value::Double(own.to_f64()))),
        ("add" | "sub", 1) => {
            let (mut sum, other) = (own.clone(), other?);
            if name == "add" {
                sum.add(&other);
            } else {
                sum.sub(&other);
            }
            Some(Ok(Value::Quantity(sum)))
        }
        ("compareTo", 1) => ordering(own.cmp(&other?)),
        ("isLessThan", 1) => Some(Ok(Value::Bool(*own < other?))),
        ("isGreaterThan", 1) => Some(Ok(Value::Bool(*own > other?))),
        _ => None,
    }
}

/// A semantic version (semver.org 2.0).
#[derive(Clone, Debug)]
pub struct Semver {
    numbers: [u64; 3],
    pre: Vec<String>,
    build: String,
}

impl Semver {
    /// Reads a version; leniently a `v` in front, missing numbers and leading zeros are mended.
    fn parse(text: &str, lenient: bool) -> Option<Semver> {
        let text = if lenient { text.strip_prefix('v').unwrap_or(text) } else { text };
        let (text, build) = text.split_once('+').unwrap_or((text, ""));
        let (core, pre) = text.split_once('-').unwrap_or((text, ""));
        if text.ends_with('-') || text.is_empty() {
            return None;
        }
        let mut parts: Vec<&str> = core.split('.').collect();
        if lenient {
            parts.resize(parts.len().max(3), "0");
        }
        let number = |part: &str| {
            let plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            let canonical = lenient || part == "0" || !part.starts_with('0');
            if plain && canonical { part.parse().ok() } else { None }
        };
        let [major, minor, patch] = parts.as_slice() else { return None };
        let pre: Vec<String> = if pre.is_empty() { Vec::new() } else { pre.split('.').map(str::to_owned).collect() };
        let word =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !pre.iter().all(|part| word(part)) || !build.is_empty() && !build.split('.').all(word) {
            return None;
        }
        Some(Semver { numbers: [number(major)?, number(minor)?, number(patch)?], pre, build: build.to_owned() })
    }

    /// The order of precedence: what is built does not count, a pre-release comes before its release.
    pub(super) fn order(&self, other: &Semver) -> Ordering {
        let by_numbers = self.numbers.cmp(&other.numbers);
        by_numbers.then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let part = |text: &String| match text.parse::<u64>() {
                    Ok(number) => (0, number, String::new()),
                    Err(_) => (1, 0, text.clone()),
                };
                self.pre.iter().map(part).cmp(other.pre.iter().map(part))
            }
        })
    }
}

impl fmt::Display for Semver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        if !self.pre.is_empty() {
            write!(f, "-{}", self.pre.join("."))?;
        }
        if !self.build.is_empty() {
            write!(f, "+{}", self.build)?;
        }
        Ok(())
    }
}

fn on_semver(name: &str, own: &Semver, rest: &[Value]) -> Answer {
    let number = |idx: usize| Some(Ok(Value::Int(i64::try_from(own.numbers[idx]).unwrap_or(i64::MAX))));
    let [major, minor, patch] = [0, 1, 2];
    match (name, rest) {
        ("major", []) => number(major),
        ("minor", []) => number(minor),
        ("patch", []) => number(patch),
        ("compareTo", [Value::Semver(other)]) => Some(Ok(Value::Int(own.order(other) as i64))),
        ("isLessThan", [Value::Semver(other)]) => Some(Ok(Value::Bool(own.order(other) == Ordering::Less))),
        ("isGreaterThan", [Value::Semver(other)]) => Some(Ok(Value::Bool(own.order(other) == Ordering::Greater))),
        _ => None,
    }
}

/// The named formats; `None` for a name that is none.
pub(super) fn format_name(name: &str) -> Option<&'static str> {
    const NAMES: [&str; 12] = [
        "dns1123Label",
        "dns1123Subdomain",
        "dns1035Label",
        "qualifiedName",
        "labelValue",
        "dns1123LabelPrefix",
        "dns1123SubdomainPrefix",
        "dns1035LabelPrefix",
        "uri",
        "uuid",
        "byte",
        "date",
    ];
    NAMES.into_iter().find(|own| *own == name)
}

/// What is wrong with a text under a format: `optional` of a list of texts, none if nothing is.
fn validate(format: &str, text: &str) -> Value {
    let prefix = || text.strip_suffix('-').map_or_else(|| text.to_owned(), |cut| format!("{cut}a"));
    let wrong = |is_wrong: bool, what: &str| if is_wrong { vec![what.to_owned()] } else { Vec::new() };
    let errors: Vec<String> = match format {
        "dns1123Label" => names::dns1123_label(text),
        "dns1123Subdomain" => names::dns1123_subdomain(text),
        "dns1035Label" => names::dns1035_label(text),
        "dns1123LabelPrefix" => names::dns1123_label(&prefix()),
        "dns1123SubdomainPrefix" => names::dns1123_subdomain(&prefix()),
        "dns1035LabelPrefix" => names::dns1035_label(&prefix()),
        "qualifiedName" => crate::api::label_syntax::label_key_errors(text),
        "labelValue" => crate::api::label_syntax::label_value_errors(text),
        "uri" => wrong(super::network::Url::parse(text).is_none(), "invalid URI"),
        "uuid" => {
            let groups: Vec<&str> = text.split('-').collect();
            let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
            let hex = text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
            wrong(!hex || lengths != [8, 4, 4, 4, 12], "does not match the UUID format")
        }
        "byte" => wrong(crate::api::base64::decode(text).is_err(), "invalid base64"),
        _ => wrong(text.parse::<jiff::civil::Date>().is_err() || text.len() != 10, "invalid date"),
    };
    let errors: Vec<Value> = errors.iter().map(|error| Value::string(error)).collect();
    Value::Optional((!errors.is_empty()).then(|| Arc::new(Value::list(errors))))
}
