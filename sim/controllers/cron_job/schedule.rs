//! Cron schedules as `robfig/cron` v3 reads them: five fields with names, ranges and steps, `?`, macros, `@every`.

use std::fmt;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

/// A parsed schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// At certain minutes.
    Fields(Fields),
    /// Every so many seconds from the last time.
    Every(i64),
}

/// The five fields as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    minute: u64,
    hour: u64,
    day: u64,
    month: u64,
    weekday: u64,
    /// Whether the day of the month or of the week is `*` or `?`: then both must match, else one is enough.
    any_day: bool,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// Years after which a schedule that never comes true is given up.
const MAX_YEARS: i16 = 5;
/// The longest duration that Go can say, in seconds.
const MAX_SECONDS: i64 = i64::MAX / 1_000_000_000;

impl Schedule {
    /// Reads a schedule.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in the words of the library.
    pub fn parse(text: &str) -> Result<Schedule, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("empty spec string".to_owned());
        }
        let expanded = match text {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            _ => match text.strip_prefix("@every ") {
                Some(duration) => {
                    let seconds = parse_duration(duration).ok_or_else(|| {
                        format!("failed to parse duration {text}: time: invalid duration {duration:?}")
                    })?;
                    return Ok(Schedule::Every((seconds as i64).clamp(1, MAX_SECONDS)));
                }
                None if text.starts_with('@') => return Err(format!("unrecognized descriptor: {text}")),
                None => text,
            },
        };
        let fields: Vec<&str> = expanded.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(format!("expected exactly 5 fields, found {}: {fields:?}", fields.len()));
        };
        let (day, any_day) = parse_field(day, 1, 31, &[], 0)?;
        let (weekday, any_weekday) = parse_field(weekday, 0, 6, &WEEKDAYS, 0)?;
        Ok(Schedule::Fields(Fields {
            minute: parse_field(minute, 0, 59, &[], 0)?.0,
            hour: parse_field(hour, 0, 23, &[], 0)?.0,
            day,
            month: parse_field(month, 1, 12, &MONTHS, 1)?.0,
            weekday,
            any_day: any_day || any_weekday,
        }))
    }

    /// The first time of the schedule after `after`, in seconds since 1970; `None` if it never comes.
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let second = after.as_second();
        match self {
            Schedule::Every(seconds) => Timestamp::from_second(second.checked_add(*seconds)?).ok(),
            Schedule::Fields(fields) => fields.next(Timestamp::from_second(second + 1).ok()?, zone),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Every(seconds) => write!(f, "@every {seconds}s"),
            Schedule::Fields(fields) => fields.fmt(f),
        }
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |bits: u64, full: u64| match bits {
            // Several commas are a field without a part, which never matches.
            0 => ",".to_owned(),
            bits if bits == full && self.any_day => "*".to_owned(),
            bits => (0..64).filter(|bit| bits >> bit & 1 == 1).map(|bit| bit.to_string()).collect::<Vec<_>>().join(","),
        };
        let [minute, hour] = [list(self.minute, 0), list(self.hour, 0)];
        let [day, month, weekday] = [list(self.day, 0xffff_fffe), list(self.month, 0), list(self.weekday, 0x7f)];
        write!(f, "{minute} {hour} {day} {month} {weekday}")
    }
}

impl Fields {
    fn next(&self, from: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut at = from.to_zoned(zone.clone());
        let last_year = at.year() + MAX_YEARS;
        while at.year() <= last_year {
            if !has(self.month, at.month()) {
                at = midnight(&at, |date| date.first_of_month().checked_add(1.month()))?;
            } else if !self.matches_day(&at) {
                at = midnight(&at, |date| date.tomorrow())?;
            } else if !has(self.hour, at.hour()) {
                at = forward(&at, 3600 - i64::from(at.minute()) * 60 - i64::from(at.second()))?;
            } else if !has(self.minute, at.minute()) || at.second() != 0 {
                at = forward(&at, 60 - i64::from(at.second()))?;
            } else {
                return Some(at.timestamp());
            }
        }
        None
    }

    fn matches_day(&self, at: &Zoned) -> bool {
        let day = has(self.day, at.day());
        let weekday = has(self.weekday, at.weekday().to_sunday_zero_offset());
        if self.any_day { day && weekday } else { day || weekday }
    }
}

fn has(bits: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|value| bits >> value & 1 == 1)
}

fn midnight(
    at: &Zoned,
    next: impl FnOnce(jiff::civil::Date) -> Result<jiff::civil::Date, jiff::Error>,
) -> Option<Zoned> {
    next(at.date()).ok()?.to_zoned(at.time_zone().clone()).ok()
}

fn forward(at: &Zoned, seconds: i64) -> Option<Zoned> {
    let second = at.timestamp().as_second().checked_add(seconds)?;
    Some(Timestamp::from_second(second).ok()?.to_zoned(at.time_zone().clone()))
}

/// The bits of one field, and whether it stands for any value.
fn parse_field(text: &str, min: u32, max: u32, names: &[&str], first: u32) -> Result<(u64, bool), String> {
    let (mut bits, mut any) = (0, false);
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(number(step, &[], 0)?)),
            None => (part, None),
        };
        // What follows a star and a hyphen is not read.
        let is_star = matches!(range.split('-').next(), Some("*" | "?"));
        let (low, high) = match range.split_once('-') {
            _ if is_star => (min, max),
            Some((low, high)) => (number(low, names, first)?, number(high, names, first)?),
            None => {
                let low = number(range, names, first)?;
                (low, if step.is_some() { max } else { low })
            }
        };
        any |= is_star && step.unwrap_or(1) <= 1;
        if low < min {
            return Err(format!("beginning of range ({low}) below minimum ({min}): {part}"));
        }
        if high > max {
            return Err(format!("end of range ({high}) above maximum ({max}): {part}"));
        }
        if low > high {
            return Err(format!("beginning of range ({low}) beyond end of range ({high}): {part}"));
        }
        let step = step.unwrap_or(1);
        if step == 0 {
            return Err(format!("step of range should be a positive number: {part}"));
        }
        bits |= (low..=high).step_by(step as usize).fold(0, |bits, value| bits | 1u64 << value);
    }
    Ok((bits, any))
}

fn number(text: &str, names: &[&str], first: u32) -> Result<u32, String> {
    let lower = text.to_ascii_lowercase();
    if let Some(idx) = names.iter().position(|name| *name == lower) {
        return Ok(first + idx as u32);
    }
    // `strconv.Atoi` reads a sign.
    let digits = text.strip_prefix('+').unwrap_or(text);
    let digits = if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits } else { "" };
    digits
        .parse()
        .map_err(|_| format!("failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax"))
}

/// A Go duration such as `1h30m`, in seconds.
fn parse_duration(text: &str) -> Option<f64> {
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return Some(0.0);
    }
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let value: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let unit_end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        total += value
            * match &rest[..unit_end] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[unit_end..];
    }
    Some(sign * total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, after: &str, zone: &str) -> String {
        let schedule = Schedule::parse(schedule).expect("a schedule");
        let after: Timestamp = after.parse().expect("an instant");
        let zone = TimeZone::get(zone).expect("a zone");
        schedule.next(after, &zone).map_or("never".to_owned(), |at| at.to_string())
    }

    #[test]
    fn schedules_come_true() {
        for (schedule, after, expected) in [
            ("*/5 * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"),
            ("5/15 * * * *", "2026-01-01T00:21:00Z", "2026-01-01T00:35:00Z"),
            ("0 0 1 * ?", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
            ("0 0 13 * fri", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
            ("0 12 * jan mon-fri", "2026-01-31T12:00:00Z", "2027-01-01T12:00:00Z"),
            ("@every 1h30m", "2026-01-01T00:00:00.5Z", "2026-01-01T01:30:00Z"),
            ("@weekly", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"),
            ("0 0 31 2 *", "2026-01-01T00:00:00Z", "never"),
        ] {
            assert_eq!(next(schedule, after, "UTC"), expected, "{schedule}");
        }
    }

    #[test]
    fn skipped_hours_do_not_fire_and_repeated_ones_fire_twice() {
        let berlin = "Europe/Berlin";
        // 2026-03-29 02:00 to 03:00 does not exist; 2026-10-25 02:30 comes twice.
        assert_eq!(next("30 2 * * *", "2026-03-28T02:00:00Z", berlin), "2026-03-30T00:30:00Z");
        assert_eq!(next("30 2 * * *", "2026-10-24T22:00:00Z", berlin), "2026-10-25T00:30:00Z");
        assert_eq!(next("30 2 * * *", "2026-10-25T00:30:00Z", berlin), "2026-10-25T01:30:00Z");
    }

    #[test]
    fn what_the_api_server_accepts_is_read() {
        for (text, same) in [
            ("@every 0", "@every 1s"),
            ("@every -1h", "@every 1s"),
            ("+5 +0 1-+3 * *", "5 0 1-3 * *"),
            ("*-5 ?-x 1 1 1", "* * 1 1 1"),
            ("*-5/20 0 1 1 1", "0,20,40 0 1 1 1"),
            (", 0 1 1 1", ", 0 1 1 1"),
        ] {
            assert_eq!(Schedule::parse(text), Schedule::parse(same), "{text}");
            assert!(Schedule::parse(text).is_ok(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_printed_schedule_reads_as_itself(fields in proptest::collection::vec("(\\*|\\?|[0-9]|[1-5]-[6-9])(/[1-9])?(,[1-6])?", 5)) {
            if let Ok(schedule) = Schedule::parse(&fields.join(" ")) {
                proptest::prop_assert_eq!(Schedule::parse(&schedule.to_string()), Ok(schedule));
            }
        }
    }

    #[test]
    fn faulty_schedules_are_refused() {
        for text in ["", "* * * *", "60 * * * *", "* * * * 7", "5-1 * * * *", "*/0 * * * *", "@fortnightly", "@every x"]
        {
            assert!(Schedule::parse(text).is_err(), "{text}");
        }
    }
}
