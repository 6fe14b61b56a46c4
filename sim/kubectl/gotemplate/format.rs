//! Values as Go's `fmt.Sprint` and `fmt.Sprintf` write them.
//!
//! Source: Go `fmt/print.go` and `fmt/format.go`.

use serde_json::Value;

use super::value::type_of;
use crate::kubectl::look::{go_number, go_value};

/// The widest field and the most digits: beyond them Go says that a width is bad.
const MAX_WIDTH: i64 = 1_000_000;

/// `fmt.Sprint`: a blank between operands of which neither is a string.
pub(super) fn print(values: &[Value]) -> String {
    let mut out = String::new();
    for (index, value) in values.iter().enumerate() {
        if index > 0 && !value.is_string() && !values[index - 1].is_string() {
            out.push(' ');
        }
        out.push_str(&go_value(value));
    }
    out
}

#[derive(Clone, Copy, Default)]
struct Flags {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// `fmt.Sprintf`.
pub(super) fn printf(format: &str, values: &[Value]) -> String {
    let mut out = String::new();
    let mut rest = format.chars().peekable();
    let mut given = values.iter();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut flags = Flags::default();
        while let Some(flag) = rest.next_if(|c| "+-# 0".contains(*c)) {
            match flag {
                '+' => flags.plus = true,
                '-' => flags.minus = true,
                '#' => flags.sharp = true,
                ' ' => flags.space = true,
                _ => flags.zero = true,
            }
        }
        let mut number = |rest: &mut std::iter::Peekable<std::str::Chars<'_>>, bad: &str, out: &mut String| {
            if rest.next_if_eq(&'*').is_some() {
                let value = given.next().and_then(Value::as_i64).filter(|value| value.abs() <= MAX_WIDTH);
                if value.is_none() {
                    out.push_str(bad);
                }
                return value;
            }
            let mut value: Option<i64> = None;
            while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                let digit = i64::from(digit.to_digit(10).unwrap_or_default());
                value = Some((value.unwrap_or_default() * 10 + digit).min(MAX_WIDTH + 1));
            }
            value.filter(|&value| value <= MAX_WIDTH)
        };
        if let Some(width) = number(&mut rest, "%!(BADWIDTH)", &mut out) {
            flags.minus |= width < 0;
            flags.width = Some(width.unsigned_abs() as usize);
        }
        if rest.next_if_eq(&'.').is_some() {
            let precision = number(&mut rest, "%!(BADPREC)", &mut out).unwrap_or_default();
            flags.precision = usize::try_from(precision).ok();
        }
        match rest.next() {
            None => {
                out.push_str("%!(NOVERB)");
                break;
            }
            Some('%') => out.push('%'),
            Some(verb) => match given.next() {
                None => out.push_str(&format!("%!{verb}(MISSING)")),
                Some(value) => out.push_str(&verb_text(verb, flags, value, 0)),
            },
        }
    }
    let extra: Vec<String> = given.map(extra_text).collect();
    if !extra.is_empty() {
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}

fn extra_text(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        value => format!("{}={}", type_of(value), go_value(value)),
    }
}

fn bad(verb: char, value: &Value) -> String {
    format!("%!{verb}({})", extra_text(value))
}

fn verb_text(verb: char, flags: Flags, value: &Value, depth: usize) -> String {
    if verb == 'T' {
        return pad(type_of(value), flags);
    }
    match value {
        Value::Null if verb == 'v' => pad("<nil>", flags),
        Value::Null => bad(verb, value),
        Value::Bool(flag) => match verb {
            't' | 'v' => pad(&flag.to_string(), flags),
            _ => bad(verb, value),
        },
        Value::Number(number) => match number.as_i64() {
            Some(integer) => integer_text(verb, flags, integer).unwrap_or_else(|| bad(verb, value)),
            None => float_text(verb, flags, number).unwrap_or_else(|| bad(verb, value)),
        },
        Value::String(text) => string_text(verb, flags, text).unwrap_or_else(|| bad(verb, value)),
        Value::Array(_) | Value::Object(_) if depth > 64 => go_value(value),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| verb_text(verb, flags, item, depth + 1)).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| {
                let key = verb_text(verb, flags, &Value::from(key.as_str()), depth + 1);
                format!("{key}:{}", verb_text(verb, flags, value, depth + 1))
            };
            format!("map[{}]", map.iter().map(entry).collect::<Vec<_>>().join(" "))
        }
    }
}

/// Blanks to the width, before the text or after it.
fn pad(text: &str, flags: Flags) -> String {
    let missing = flags.width.unwrap_or_default().saturating_sub(text.chars().count());
    let blanks = " ".repeat(missing);
    if flags.minus { format!("{text}{blanks}") } else { format!("{blanks}{text}") }
}

/// A sign and digits, with zeros to the width if that is wished.
fn pad_number(sign: &str, digits: &str, flags: Flags) -> String {
    if flags.zero && !flags.minus && flags.precision.is_none() {
        let missing = flags.width.unwrap_or_default().saturating_sub(sign.len() + digits.len());
        return format!("{sign}{}{digits}", "0".repeat(missing));
    }
    pad(&format!("{sign}{digits}"), flags)
}

fn sign_of(is_negative: bool, flags: Flags) -> &'static str {
    match (is_negative, flags.plus, flags.space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    }
}

fn integer_text(verb: char, flags: Flags, value: i64) -> Option<String> {
    let magnitude = value.unsigned_abs();
    let digits = match verb {
        'd' | 'v' => magnitude.to_string(),
        'b' => format!("{magnitude:b}"),
        'o' | 'O' => format!("{magnitude:o}"),
        'x' => format!("{magnitude:x}"),
        'X' => format!("{magnitude:X}"),
        'c' | 'q' => {
            let c = u32::try_from(value).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
            return Some(pad(&if verb == 'c' { c.to_string() } else { format!("'{c}'") }, flags));
        }
        'U' => return Some(pad(&format!("U+{magnitude:04X}"), flags)),
        _ => return None,
    };
    let missing = flags.precision.unwrap_or_default().saturating_sub(digits.len());
    let digits = format!("{}{digits}", "0".repeat(missing));
    let prefix = match verb {
        'b' if flags.sharp => "0b",
        'o' if flags.sharp => "0",
        'O' => "0o",
        'x' if flags.sharp => "0x",
        'X' if flags.sharp => "0X",
        _ => "",
    };
    Some(pad_number(&format!("{}{prefix}", sign_of(value < 0, flags)), &digits, flags))
}

fn float_text(verb: char, flags: Flags, number: &serde_json::Number) -> Option<String> {
    let value = number.as_f64()?;
    let magnitude = value.abs();
    let exponent = |text: String| match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = exponent.strip_prefix('-').map_or(("+", exponent), |digits| ("-", digits));
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text,
    };
    let precision = flags.precision.unwrap_or(6).min(1000);
    let digits = match verb {
        'f' | 'F' => format!("{magnitude:.precision$}"),
        'e' => exponent(format!("{magnitude:.precision$e}")),
        'E' => exponent(format!("{magnitude:.precision$e}")).to_uppercase(),
        'g' | 'G' | 'v' => match flags.precision {
            None => serde_json::Number::from_f64(magnitude).map(|number| go_number(&number))?,
            Some(precision) => {
                let precision = precision.clamp(1, 1000);
                let rounded: f64 = format!("{magnitude:.*e}", precision - 1).parse().ok()?;
                let power = format!("{rounded:e}").split_once('e').and_then(|(_, e)| e.parse::<i64>().ok())?;
                match power < -4 || power >= precision as i64 {
                    true => exponent(format!("{rounded:e}")),
                    false => format!("{rounded}"),
                }
            }
        },
        _ => return None,
    };
    Some(pad_number(sign_of(value.is_sign_negative(), flags), &digits, Flags { precision: None, ..flags }))
}

fn string_text(verb: char, flags: Flags, text: &str) -> Option<String> {
    let cut: String = match flags.precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text.to_owned(),
    };
    let hex = |upper: bool| {
        let byte = |byte: u8| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
        cut.bytes().map(byte).collect::<Vec<_>>().join(if flags.space { " " } else { "" })
    };
    Some(match verb {
        's' | 'v' if flags.sharp && verb == 'v' => pad(&super::super::describe::quote(&cut), flags),
        's' | 'v' => pad(&cut, flags),
        'q' if flags.sharp && !cut.contains(['`', '\n', '\r']) => pad(&format!("`{cut}`"), flags),
        'q' => pad(&super::super::describe::quote(&cut), flags),
        'x' => pad(&hex(false), flags),
        'X' => pad(&hex(true), flags),
        _ => return None,
    })
}
