//! The functions of a template: Go's own and kubectl's `exists` and `base64decode`.
//!
//! Source: Go `text/template/funcs.go`, cli-runtime `printers/template.go`.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::format::{print, printf};
use super::value::{Val, type_of};

/// Their names.
pub(super) const FUNCTIONS: [&str; 21] = [
    "and",
    "or",
    "not",
    "len",
    "index",
    "slice",
    "print",
    "printf",
    "println",
    "html",
    "js",
    "urlquery",
    "call",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "exists",
    "base64decode",
];

/// How many arguments a function needs, and whether it takes more.
pub(super) fn arity(name: &str) -> (usize, bool) {
    match name {
        "print" | "println" | "html" | "js" | "urlquery" => (0, true),
        "not" | "len" | "base64decode" => (1, false),
        "ne" | "lt" | "le" | "gt" | "ge" => (2, false),
        _ => (1, true),
    }
}

pub(super) fn call<'a>(name: &str, args: Vec<Val<'a>>) -> Result<Val<'a>, String> {
    let values = || args.iter().map(|arg| arg.any().clone()).collect::<Vec<Value>>();
    match name {
        "not" => Ok(Val::of(!args[0].truth())),
        "len" => length(&args[0]).map(Val::of),
        "index" => index(args),
        "slice" => slice(&args),
        "print" => Ok(Val::of(print(&values()))),
        "println" => {
            let words: Vec<String> = values().iter().map(|value| print(std::slice::from_ref(value))).collect();
            Ok(Val::of(words.join(" ") + "\n"))
        }
        "printf" => {
            let values = values();
            Ok(Val::of(printf(values[0].as_str().unwrap_or_default(), &values[1..])))
        }
        "html" => Ok(Val::of(html(&print(&values())))),
        "js" => Ok(Val::of(js(&print(&values())))),
        "urlquery" => Ok(Val::of(url_query(&print(&values())))),
        "call" => Err(format!("non-function of type {}", args[0].type_name())),
        "eq" => equal(&args).map(Val::of),
        "ne" => equal(&args).map(|equal| Val::of(!equal)),
        "lt" => Ok(Val::of(compare(&args)? == Ordering::Less)),
        "le" => Ok(Val::of(compare(&args)? != Ordering::Greater)),
        "gt" => Ok(Val::of(compare(&args)? == Ordering::Greater)),
        "ge" => Ok(Val::of(compare(&args)? != Ordering::Less)),
        "exists" => Ok(Val::of(exists(args))),
        "base64decode" => base64_decode(args[0].any().as_str().unwrap_or_default()).map(Val::of),
        other => Err(format!("{other} is not a function")),
    }
}

const NO_TYPE: &str = "reflect: call of reflect.Value.Type on zero Value";

fn length(value: &Val<'_>) -> Result<usize, String> {
    match value {
        Val::Missing => Err(NO_TYPE.to_owned()),
        Val::Is(inner, _) => match inner.as_ref() {
            Value::Null => Err("len of nil pointer".to_owned()),
            Value::String(text) => Ok(text.len()),
            Value::Array(items) => Ok(items.len()),
            Value::Object(map) => Ok(map.len()),
            _ => Err(format!("len of type {}", value.inner_type())),
        },
    }
}

/// A place in something of `length`; one beyond the end passes here and fails where it is read, as in Go.
fn place(index: &Val<'_>, length: usize) -> Result<usize, String> {
    match index.any() {
        Value::Null => Err("cannot index slice/array with nil".to_owned()),
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            let wanted = number.as_i64().unwrap_or(i64::MAX);
            match usize::try_from(wanted) {
                Ok(wanted) if wanted <= length => Ok(wanted),
                _ => Err(format!("index out of range: {wanted}")),
            }
        }
        _ => Err(format!("cannot index slice/array with type {}", index.inner_type())),
    }
}

fn index(args: Vec<Val<'_>>) -> Result<Val<'_>, String> {
    let mut args = args.into_iter();
    let mut item = args.next().unwrap_or(Val::Missing);
    if item.get().is_none() {
        return Err("index of untyped nil".to_owned());
    }
    for index in args {
        let next = match item.any() {
            Value::Null => return Err("index of nil pointer".to_owned()),
            Value::Array(items) => {
                let place = place(&index, items.len())?;
                if place == items.len() {
                    return Err("reflect: slice index out of range".to_owned());
                }
                item.child(|value| value.get(place))
            }
            Value::String(text) => {
                let place = place(&index, text.len())?;
                let byte = text.as_bytes().get(place).ok_or("reflect: string index out of range")?;
                Some(Val::of(*byte))
            }
            Value::Object(_) => match index.any() {
                Value::String(key) => {
                    Some(item.child(|value| value.get(key)).unwrap_or_else(|| Val::element(Cow::Owned(Value::Null))))
                }
                Value::Null => return Err("value is nil; should be of type string".to_owned()),
                _ => return Err(format!("value has type {}; should be string", index.inner_type())),
            },
            _ => return Err(format!("can't index item of type {}", item.inner_type())),
        };
        item = next.unwrap_or(Val::Missing);
    }
    Ok(item)
}

fn slice<'a>(args: &[Val<'a>]) -> Result<Val<'a>, String> {
    let (item, places) = (&args[0], &args[1..]);
    let whole = match item.any() {
        Value::Null => return Err("slice of untyped nil".to_owned()),
        Value::String(text) => text.len(),
        Value::Array(items) => items.len(),
        other => return Err(format!("can't slice item of type {}", type_of(other))),
    };
    if places.len() > 3 {
        return Err(format!("too many slice indexes: {}", places.len()));
    }
    if places.len() == 3 && item.any().is_string() {
        return Err("cannot 3-index slice a string".to_owned());
    }
    let mut bounds = [0, whole, whole];
    for (bound, index) in bounds.iter_mut().zip(places) {
        *bound = place(index, whole)?;
    }
    let [low, high, _] = bounds;
    if low > high {
        return Err(format!("invalid slice index: {low} > {high}"));
    }
    Ok(match item.any() {
        Value::String(text) => Val::of(String::from_utf8_lossy(&text.as_bytes()[low..high]).into_owned()),
        Value::Array(items) => Val::of(items[low..high].to_vec()),
        _ => Val::Missing,
    })
}

fn exists(args: Vec<Val<'_>>) -> bool {
    let mut args = args.into_iter();
    let mut item = args.next().unwrap_or(Val::Missing);
    for index in args {
        let place = index.any().as_u64().map(|place| place as usize);
        let next = match (item.any(), place, index.any()) {
            (Value::Array(_), Some(place), _) => item.child(|value| value.get(place)),
            (Value::String(text), Some(place), _) => text.as_bytes().get(place).map(|byte| Val::of(*byte)),
            (Value::Object(_), _, Value::String(key)) => item.child(|value| value.get(key)),
            _ => None,
        };
        let Some(next) = next else { return false };
        item = next;
    }
    item.get().is_some()
}

/// The kinds that can be compared: 0 for none.
fn basic_kind(value: &Value) -> u8 {
    match value {
        Value::Bool(_) => 1,
        Value::Number(number) if number.is_i64() || number.is_u64() => 2,
        Value::Number(_) => 3,
        Value::String(_) => 4,
        _ => 0,
    }
}

fn equal(args: &[Val<'_>]) -> Result<bool, String> {
    let Some((first, others)) = args.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Err("missing argument for comparison".to_owned());
    };
    let a = first.any();
    for other in others {
        let b = other.any();
        if basic_kind(a) != basic_kind(b) {
            if !a.is_null() && !b.is_null() {
                return Err("incompatible types for comparison".to_owned());
            }
            continue;
        }
        if basic_kind(a) == 0 && !a.is_null() && !b.is_null() {
            let shown = |value: &Value| super::super::look::go_value(value);
            return Err(format!("non-comparable types {}: {}, {}: {}", shown(a), type_of(a), type_of(b), shown(b)));
        }
        if a == b {
            return Ok(true);
        }
    }
    Ok(false)
}

fn compare(args: &[Val<'_>]) -> Result<Ordering, String> {
    let (a, b) = (args[0].any(), args[1].any());
    let invalid = || "invalid type for comparison".to_owned();
    if basic_kind(a) == 0 || basic_kind(b) == 0 {
        return Err(invalid());
    }
    if basic_kind(a) != basic_kind(b) {
        return Err("incompatible types for comparison".to_owned());
    }
    match (a, b) {
        (Value::String(a), Value::String(b)) => Ok(a.cmp(b)),
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Ok(a.cmp(&b)),
            _ => Ok(a.as_f64().unwrap_or_default().total_cmp(&b.as_f64().unwrap_or_default())),
        },
        _ => Err(invalid()),
    }
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

fn js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' => out.push_str("\\u003C"),
            '>' => out.push_str("\\u003E"),
            '&' => out.push_str("\\u0026"),
            '=' => out.push_str("\\u003D"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u00{:02X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

fn url_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Go's `base64.StdEncoding.DecodeString`: padded, line breaks skipped.
fn base64_decode(text: &str) -> Result<String, String> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let corrupt = |at: usize| Err(format!("base64 decode failed: illegal base64 data at input byte {at}"));
    let bytes: Vec<(usize, u8)> = text.bytes().enumerate().filter(|(_, byte)| !matches!(byte, b'\r' | b'\n')).collect();
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3);
    for (n_group, group) in bytes.chunks(4).enumerate() {
        let mut digits = [0_u8; 4];
        let mut n_digits = 0;
        for &(at, byte) in group {
            match digit(byte) {
                Some(value) => {
                    digits[n_digits] = value;
                    n_digits += 1;
                }
                None => {
                    let is_padding = byte == b'=' && n_digits >= 2;
                    let rest = &group[n_digits..];
                    let is_last = (n_group + 1) * 4 >= bytes.len();
                    if !is_padding || rest.iter().any(|(_, byte)| *byte != b'=') {
                        return corrupt(at);
                    }
                    if n_digits + rest.len() != 4 {
                        return corrupt(text.len());
                    }
                    if !is_last {
                        return corrupt(bytes[(n_group + 1) * 4].0);
                    }
                    break;
                }
            }
        }
        if group.len() < 4 {
            return corrupt(group.first().map_or(text.len(), |(at, _)| *at));
        }
        let bits = digits.iter().fold(0_u32, |bits, &digit| bits << 6 | u32::from(digit));
        out.extend(bits.to_be_bytes()[1..].iter().take(n_digits - 1));
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}
