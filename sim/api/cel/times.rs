//! Durations and timestamps.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::eval::Evaluation;
use super::functions::Answer;
use super::{CelError, Result, Value};

const UNITS: [(&str, i64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads `1h30m`, `-1.5s` (Go's `time.ParseDuration`), in nanoseconds.
pub(super) fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total: i64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number = &rest[..end];
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let scale = UNITS.iter().find(|(unit, _)| *unit == &rest[..end])?.1;
        rest = &rest[end..];
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        total = total.checked_add(whole.checked_mul(scale)?)?;
        let mut unit = i128::from(scale);
        for digit in fraction.chars().take(18) {
            let value = i128::from(digit.to_digit(10)?);
            total = total.checked_add(i64::try_from(value * unit / 10).ok()?)?;
            unit /= 10;
        }
    }
    Some(if negative { -total } else { total })
}

/// A duration as `string()` shows it: seconds.
pub(super) fn duration_text(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let (seconds, rest) = (nanos.unsigned_abs() / 1_000_000_000, nanos.unsigned_abs() % 1_000_000_000);
    if rest == 0 {
        return format!("{sign}{seconds}s");
    }
    format!("{sign}{seconds}.{}s", format!("{rest:09}").trim_end_matches('0'))
}

/// `+` and `-` of durations and timestamps.
pub(super) fn sum(sign: &str, a: &Value, b: &Value) -> Option<Result<Value>> {
    let overflow = || CelError::new("duration overflow");
    let span = |nanos: i64| SignedDuration::from_nanos(if sign == "-" { -nanos } else { nanos });
    Some(match (sign, a, b) {
        ("+", Value::Duration(a), Value::Duration(b)) => a.checked_add(*b).map(Value::Duration).ok_or_else(overflow),
        ("-", Value::Duration(a), Value::Duration(b)) => a.checked_sub(*b).map(Value::Duration).ok_or_else(overflow),
        (_, Value::Timestamp(at), Value::Duration(nanos)) if *nanos != i64::MIN => {
            at.checked_add(span(*nanos)).map(Value::Timestamp).map_err(|_| CelError::new("timestamp overflow"))
        }
        ("+", Value::Duration(_), Value::Timestamp(_)) => return sum("+", b, a),
        ("-", Value::Timestamp(a), Value::Timestamp(b)) => {
            i64::try_from(a.as_nanosecond() - b.as_nanosecond()).map(Value::Duration).map_err(|_| overflow())
        }
        _ => return None,
    })
}

/// The functions.
pub(super) fn call(_: &mut Evaluation<'_>, name: &str, _: bool, args: &[Value]) -> Answer {
    match (name, args) {
        ("duration", [Value::String(text)]) => Some(
            parse_duration(text)
                .map(Value::Duration)
                .ok_or_else(|| CelError::new("type conversion error from 'string' to 'google.protobuf.Duration'")),
        ),
        ("duration", [Value::Duration(nanos)]) => Some(Ok(Value::Duration(*nanos))),
        ("timestamp", [Value::String(text)]) => Some(
            text.parse::<Timestamp>()
                .map(Value::Timestamp)
                .map_err(|_| CelError::new("type conversion error from 'string' to 'google.protobuf.Timestamp'")),
        ),
        ("timestamp", [Value::Int(seconds)]) => Some(
            Timestamp::from_second(*seconds).map(Value::Timestamp).map_err(|_| CelError::new("timestamp overflow")),
        ),
        ("timestamp", [Value::Timestamp(at)]) => Some(Ok(Value::Timestamp(*at))),
        (_, [Value::Duration(nanos)]) => Some(Ok(Value::Int(match name {
            "getHours" => nanos / 3_600_000_000_000,
            "getMinutes" => nanos / 60_000_000_000,
            "getSeconds" => nanos / 1_000_000_000,
            "getMilliseconds" => nanos / 1_000_000 % 1000,
            _ => return None,
        }))),
        (_, [Value::Timestamp(at), rest @ ..]) => {
            let zone = match rest {
                [] => TimeZone::UTC,
                [Value::String(zone)] => match TimeZone::get(zone) {
                    Ok(zone) => zone,
                    Err(_) => return Some(Err(CelError::new(format!("unknown time zone {zone}")))),
                },
                _ => return None,
            };
            let zoned = at.to_zoned(zone);
            Some(Ok(Value::Int(match name {
                "getFullYear" => i64::from(zoned.year()),
                "getMonth" => i64::from(zoned.month()) - 1,
                "getDate" => i64::from(zoned.day()),
                "getDayOfMonth" => i64::from(zoned.day()) - 1,
                "getDayOfWeek" => i64::from(zoned.weekday().to_sunday_zero_offset()),
                "getDayOfYear" => i64::from(zoned.day_of_year()) - 1,
                "getHours" => i64::from(zoned.hour()),
                "getMinutes" => i64::from(zoned.minute()),
                "getSeconds" => i64::from(zoned.second()),
                "getMilliseconds" => i64::from(zoned.millisecond()),
                _ => return None,
            })))
        }
        _ => None,
    }
}
