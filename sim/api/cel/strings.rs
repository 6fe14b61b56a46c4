//! Functions on texts, and texts of values.

use regex::{Regex, RegexBuilder};

use super::eval::Evaluation;
use super::functions::Answer;
use super::value::Key;
use super::{CelError, Result, Value, format, times};

/// A value as error messages and `string()` show it.
pub(super) fn display(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Uint(value) => value.to_string(),
        Value::Double(value) => double(*value),
        Value::String(text) => text.to_string(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Duration(nanos) => times::duration_text(*nanos),
        Value::Timestamp(at) => at.to_string(),
        Value::Type(name) => name.to_string(),
        Value::Quantity(amount) => amount.to_string(),
        Value::Ip(address) => address.to_string(),
        Value::Cidr(address, bits) => format!("{address}/{bits}"),
        Value::Url(url) => url.text.clone(),
        Value::Semver(version) => version.to_string(),
        other => other.type_name().to_owned(),
    }
}

/// A number as Go's `%g` writes it for common sizes.
pub(super) fn double(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else if value != 0.0 && !(1e-4..1e21).contains(&value.abs()) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
        format!("{digits}e{sign}{exponent:0>2}")
    } else {
        value.to_string()
    }
}

fn index_error(at: i64) -> CelError {
    CelError::new(format!("index out of range: {at}"))
}

/// The functions.
pub(super) fn call(cx: &mut Evaluation<'_>, name: &str, is_method: bool, args: &[Value]) -> Answer {
    if name == "string" && !is_method {
        return match args {
            [Value::List(_) | Value::Map(_) | Value::Null | Value::Optional(_) | Value::Format(_)] => None,
            [Value::Bytes(bytes)] => Some(match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Value::string(text)),
                Err(_) => Err(CelError::new("invalid UTF-8 in bytes, cannot convert to string")),
            }),
            [value] => Some(Ok(Value::String(display(value).into()))),
            _ => None,
        };
    }
    if let ("join", [Value::List(items)] | [Value::List(items), Value::String(_)]) = (name, args) {
        let separator = args.get(1).and_then(Value::as_str).unwrap_or("");
        return Some(join(cx, items, separator));
    }
    if let ("format", [Value::String(pattern), Value::List(args)]) = (name, args) {
        return Some(format::format(cx, pattern, args));
    }
    let [Value::String(own), rest @ ..] = args else { return None };
    let number = |idx: usize| match rest.get(idx) {
        Some(Value::Int(value)) => Some(*value),
        _ => None,
    };
    let text = |idx: usize| rest.get(idx).and_then(Value::as_str);
    Some(match name {
        "contains" => Ok(Value::Bool(own.contains(text(0)?))),
        "startsWith" => Ok(Value::Bool(own.starts_with(text(0)?))),
        "endsWith" => Ok(Value::Bool(own.ends_with(text(0)?))),
        "matches" => regex(cx, text(0)?, own).map(|regex| Value::Bool(regex.is_match(own))),
        "find" => {
            regex(cx, text(0)?, own).map(|regex| Value::string(regex.find(own).map_or("", |found| found.as_str())))
        }
        "findAll" => {
            let most = if rest.len() > 1 { number(1)? } else { -1 };
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            regex(cx, text(0)?, own).map(|regex| {
                Value::list(regex.find_iter(own).take(most).map(|found| Value::string(found.as_str())).collect())
            })
        }
        "lowerAscii" => Ok(Value::String(own.to_ascii_lowercase().into())),
        "upperAscii" => Ok(Value::String(own.to_ascii_uppercase().into())),
        "trim" => Ok(Value::string(own.trim())),
        "strings.quote" => Ok(Value::String(format!("{own:?}").into())),
        "charAt" => {
            let at = number(0)?;
            let length = own.chars().count();
            match usize::try_from(at).ok().filter(|&at| at <= length) {
                Some(at) => Ok(Value::String(own.chars().skip(at).take(1).collect::<String>().into())),
                None => Err(index_error(at)),
            }
        }
        "substring" => substring(own, number(0)?, if rest.len() > 1 { Some(number(1)?) } else { None }),
        "indexOf" | "lastIndexOf" => {
            let from = if rest.len() > 1 { Some(number(1)?) } else { None };
            let part = text(0)?;
            cx.charge(own.len()).and_then(|()| index_of(own, part, from, name == "lastIndexOf"))
        }
        "replace" => {
            let (old, new) = (text(0)?, text(1)?);
            let times = if rest.len() > 2 { number(2)? } else { -1 };
            let n_places = own.matches(old).count().min(usize::try_from(times).unwrap_or(usize::MAX));
            cx.charge((own.len() + n_places.saturating_mul(new.len())) / 10).map(|()| match usize::try_from(times) {
                Ok(times) => Value::String(own.replacen(old, new, times).into()),
                Err(_) => Value::String(own.replace(old, new).into()),
            })
        }
        "split" => {
            let (separator, times) = (text(0)?, if rest.len() > 1 { number(1)? } else { -1 });
            cx.charge(own.len()).map(|()| Value::list(split(own, separator, times)))
        }
        _ => return None,
    })
}

fn split(own: &str, separator: &str, times: i64) -> Vec<Value> {
    let parts: Vec<String> = match (separator, usize::try_from(times)) {
        (_, Ok(0)) => Vec::new(),
        ("", Ok(n)) => {
            let mut parts: Vec<String> = own.chars().take(n - 1).map(String::from).collect();
            let rest: String = own.chars().skip(n - 1).collect();
            if !rest.is_empty() {
                parts.push(rest);
            }
            parts
        }
        ("", Err(_)) => own.chars().map(String::from).collect(),
        (_, Ok(n)) => own.splitn(n, separator).map(str::to_owned).collect(),
        (_, Err(_)) => own.split(separator).map(str::to_owned).collect(),
    };
    parts.into_iter().map(|part| Value::String(part.into())).collect()
}

fn substring(own: &str, from: i64, to: Option<i64>) -> Result<Value> {
    let length = own.chars().count() as i64;
    let to = to.unwrap_or(length);
    if from < 0 || from > length {
        return Err(index_error(from));
    }
    if to < 0 || to > length {
        return Err(index_error(to));
    }
    if from > to {
        return Err(CelError::new(format!("invalid substring range. start: {from}, end: {to}")));
    }
    let (from, to) = (usize::try_from(from).unwrap_or(0), usize::try_from(to).unwrap_or(0));
    Ok(Value::String(own.chars().skip(from).take(to - from).collect::<String>().into()))
}

/// The place of a part in characters, from a place on (or up to it, for the last one).
fn index_of(own: &str, part: &str, from: Option<i64>, last: bool) -> Result<Value> {
    let length = own.chars().count() as i64;
    if let Some(from) = from.filter(|&from| from < 0 || from > length) {
        return Err(index_error(from));
    }
    let place = |byte: usize| own[..byte].chars().count() as i64;
    let byte = |place: i64| {
        let place = usize::try_from(place).unwrap_or(0);
        own.char_indices().nth(place).map_or(own.len(), |(byte, _)| byte)
    };
    let found = if last {
        let end = from.map_or(own.len(), |from| (byte(from) + part.len()).min(own.len()));
        own.get(..end).unwrap_or(own).rfind(part)
    } else {
        let start = from.map_or(0, byte);
        own[start..].find(part).map(|at| at + start)
    };
    Ok(Value::Int(found.map_or(-1, place)))
}

fn join(cx: &mut Evaluation<'_>, items: &[Value], separator: &str) -> Result<Value> {
    let mut out = String::new();
    for (idx, item) in items.iter().enumerate() {
        let text = item.as_str().ok_or_else(|| CelError::new("no such overload"))?;
        cx.charge(1 + (text.len() + separator.len()) / 10)?;
        if idx > 0 {
            out.push_str(separator);
        }
        out.push_str(text);
    }
    Ok(Value::String(out.into()))
}

/// A regular expression that stays small; what it searches is paid for.
fn regex(cx: &mut Evaluation<'_>, pattern: &str, text: &str) -> Result<Regex> {
    cx.charge(1 + pattern.len() / 4 * (1 + text.len() / 10))?;
    cx.charge(pattern.len().saturating_mul(10))?;
    let built = RegexBuilder::new(pattern).size_limit(1 << 19).dfa_size_limit(1 << 19).nest_limit(50).build();
    built.map_err(|_| CelError::new(format!("error parsing regexp: {pattern}")))
}

/// A key as a text.
pub(super) fn key_text(key: &Key) -> String {
    match key {
        Key::Bool(value) => value.to_string(),
        Key::Int(value) => value.to_string(),
        Key::String(text) => text.to_string(),
    }
}
