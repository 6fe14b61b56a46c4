//! `'%s is %d'.format([name, count])`: the verbs `s d f e b o x X %` with a precision.

use super::eval::Evaluation;
use super::strings::{display, key_text};
use super::{CelError, Result, Value};

/// The largest precision.
const MAX_PRECISION: usize = 1000;

/// Fills the verbs of a pattern with values.
pub(super) fn format(cx: &mut Evaluation<'_>, pattern: &str, args: &[Value]) -> Result<Value> {
    let mut out = String::new();
    let mut rest = args.iter();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut precision = None;
        let mut verb = chars.next();
        if verb == Some('.') {
            let mut digits = String::new();
            verb = chars.next();
            while let Some(digit) = verb.filter(char::is_ascii_digit) {
                digits.push(digit);
                verb = chars.next();
            }
            precision = Some(digits.parse::<usize>().unwrap_or(0).min(MAX_PRECISION));
        }
        let Some(verb) = verb else { return Err(CelError::new("unexpected end of string")) };
        if verb == '%' {
            out.push('%');
            continue;
        }
        let Some(arg) = rest.next() else {
            return Err(CelError::new(format!("index {} out of range", args.len())));
        };
        let piece = one(cx, verb, precision, arg)?;
        cx.charge(1 + piece.len() / 10)?;
        out.push_str(&piece);
    }
    Ok(Value::String(out.into()))
}

fn one(cx: &mut Evaluation<'_>, verb: char, precision: Option<usize>, arg: &Value) -> Result<String> {
    let wrong =
        |what: &str| Err(CelError::new(format!("error during formatting: {what}, was given {}", arg.type_name())));
    Ok(match (verb, arg) {
        ('s', value) => text(cx, value)?,
        ('d', Value::Int(value)) => value.to_string(),
        ('d', Value::Uint(value)) => value.to_string(),
        ('d', _) => return wrong("decimal clause can only be used on integers"),
        ('f', value) => match number(value) {
            Some(value) => format!("{value:.*}", precision.unwrap_or(6)),
            None => return wrong("fixed-point clause can only be used on doubles"),
        },
        ('e', value) => match number(value) {
            Some(value) => {
                let plain = format!("{value:.*e}", precision.unwrap_or(6));
                let (digits, exponent) = plain.split_once('e').unwrap_or((&plain, "0"));
                let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
                format!("{digits}e{sign}{exponent:0>2}")
            }
            None => return wrong("scientific clause can only be used on doubles"),
        },
        ('b', Value::Bool(value)) => u8::from(*value).to_string(),
        ('b', Value::Int(value)) => signed(*value, |n| format!("{n:b}")),
        ('b', Value::Uint(value)) => format!("{value:b}"),
        ('o', Value::Int(value)) => signed(*value, |n| format!("{n:o}")),
        ('o', Value::Uint(value)) => format!("{value:o}"),
        ('x', Value::Int(value)) => signed(*value, |n| format!("{n:x}")),
        ('X', Value::Int(value)) => signed(*value, |n| format!("{n:X}")),
        ('x', Value::Uint(value)) => format!("{value:x}"),
        ('X', Value::Uint(value)) => format!("{value:X}"),
        ('x', Value::String(text)) => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ('X', Value::String(text)) => text.bytes().map(|byte| format!("{byte:02X}")).collect(),
        ('x', Value::Bytes(bytes)) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        ('X', Value::Bytes(bytes)) => bytes.iter().map(|byte| format!("{byte:02X}")).collect(),
        ('b' | 'o' | 'x' | 'X', _) => return wrong("this clause can not be used on this type"),
        _ => {
            return Err(CelError::new(format!(
                "could not parse formatting clause: unrecognized formatting clause {verb:?}"
            )));
        }
    })
}

fn signed(value: i64, digits: impl Fn(u64) -> String) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}", digits(value.unsigned_abs()))
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Double(value) => Some(*value),
        Value::Int(value) => Some(*value as f64),
        Value::Uint(value) => Some(*value as f64),
        _ => None,
    }
}

/// Any value as a text, lists and maps too.
fn text(cx: &mut Evaluation<'_>, value: &Value) -> Result<String> {
    cx.charge(1)?;
    Ok(match value {
        Value::List(items) => {
            let mut parts = Vec::new();
            for item in items.iter() {
                parts.push(text(cx, item)?);
            }
            format!("[{}]", parts.join(", "))
        }
        Value::Map(entries) => {
            let mut parts = Vec::new();
            for (key, value) in entries.iter() {
                parts.push(format!("{}: {}", key_text(key), text(cx, value)?));
            }
            format!("{{{}}}", parts.join(", "))
        }
        other => display(other),
    })
}
