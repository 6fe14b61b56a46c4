//! Dates with times as traces write them.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::number;

/// Microseconds since 1970: of seconds as a number, of a date with an offset, or of a date without one (read as UTC).
pub(super) fn micros(text: &str) -> Option<i64> {
    if text.len() > 64 {
        return None;
    }
    if let Ok(us) = number::scaled(text, 1_000_000) {
        return Some(us);
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.as_microsecond());
    }
    let date: DateTime = text.parse().ok()?;
    date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_to_the_microsecond() {
        let rows = [
            ("1970-01-01 00:00:01", Some(1_000_000)),
            ("2023-11-16 18:17:03.9799600", Some(1_700_158_623_979_960)),
            ("2023-03-01T08:00:00+08:00", Some(1_677_628_800_000_000)),
            ("2023-03-01 08:00:00+08:00", Some(1_677_628_800_000_000)),
            ("12.5", Some(12_500_000)),
            ("2023-13-01 00:00:00", None),
            ("None", None),
            ("", None),
        ];
        for (text, want) in rows {
            assert_eq!(micros(text), want, "{text}");
        }
    }
}
