//! `Time` and `Span`: the virtual clock in whole microseconds, the resolution of Kubernetes' `MicroTime` and of the public traces.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Sub};
use std::str::FromStr;

/// An instant of virtual time: microseconds since the run began, 0 to about 584,000 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

/// A length of virtual time in microseconds, never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

impl Time {
    /// The beginning of every run.
    pub const ZERO: Time = Time(0);
    /// An instant that no event reaches.
    pub const NEVER: Time = Time(u64::MAX);

    /// The instant `us` microseconds after the beginning.
    pub const fn from_micros(us: u64) -> Time {
        Time(us)
    }

    /// The instant `s` seconds after the beginning.
    pub const fn from_secs(s: u64) -> Time {
        Time(s * 1_000_000)
    }

    /// Microseconds since the beginning.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole seconds since the beginning, rounded down: what Kubernetes writes into `metav1.Time`.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Seconds since the beginning as a float, for reports only.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// This instant with the fraction of a second cut off, as an object read back from the API shows it.
    pub const fn truncated_to_seconds(self) -> Time {
        Time(self.0 / 1_000_000 * 1_000_000)
    }

    /// The time passed since `earlier`; zero if `earlier` is later.
    pub const fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// The first instant `anchor + k * period` (k = 0, 1, ...) that is not before this one: the tick of a real poller.
    pub fn next_tick(self, anchor: Time, period: Span) -> Time {
        if self <= anchor || period.0 == 0 {
            return anchor.max(self);
        }
        let passed = self.0 - anchor.0;
        Time(anchor.0.saturating_add(passed.div_ceil(period.0).saturating_mul(period.0)))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);
    /// Longer than any run.
    pub const MAX: Span = Span(u64::MAX);

    /// A span of `us` microseconds.
    pub const fn from_micros(us: u64) -> Span {
        Span(us)
    }

    /// A span of `ms` milliseconds.
    pub const fn from_millis(ms: u64) -> Span {
        Span(ms.saturating_mul(1_000))
    }

    /// A span of `s` seconds.
    pub const fn from_secs(s: u64) -> Span {
        Span(s.saturating_mul(1_000_000))
    }

    /// `s` seconds rounded to the nearest microsecond; negative and NaN give zero, too large gives [`Span::MAX`].
    pub fn from_secs_f64(s: f64) -> Span {
        // A float to integer cast saturates and sends NaN to 0.
        Span((s * 1e6 + 0.5) as u64)
    }

    /// Length in microseconds.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole seconds, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Length in seconds as a float, for reports only.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Whether this span has no length.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// `self - other`, or zero.
    pub const fn saturating_sub(self, other: Span) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

impl Add<Span> for Time {
    type Output = Time;
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Span> for Time {
    type Output = Time;
    fn sub(self, span: Span) -> Time {
        Time(self.0.saturating_sub(span.0))
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

impl Mul<u64> for Span {
    type Output = Span;
    fn mul(self, n: u64) -> Span {
        Span(self.0.saturating_mul(n))
    }
}

impl Sum for Span {
    fn sum<I: Iterator<Item = Span>>(spans: I) -> Span {
        spans.fold(Span::ZERO, Add::add)
    }
}

/// `mm:ss.ffffff` or `h:mm:ss.ffffff` with trailing zeros of the fraction cut: `04:00`, `1:02:03.5`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (s, us) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let mut text = match s / 3600 {
            0 => format!("{:02}:{:02}", s / 60, s % 60),
            h => format!("{h}:{:02}:{:02}", s / 60 % 60, s % 60),
        };
        if us > 0 {
            text.push_str(format!(".{us:06}").trim_end_matches('0'));
        }
        f.pad(&text)
    }
}

/// Go's duration notation, which Kubernetes uses: `1h2m3.5s`, `250ms`, `10µs`, `0s`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.0;
        if us == 0 {
            return f.pad("0s");
        }
        let fraction = |n: u64, of: u64, width: usize| {
            let text = format!("{}.{:0width$}", n / of, n % of);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        let text = match us {
            1..1_000 => format!("{us}µs"),
            1_000..1_000_000 => format!("{}ms", fraction(us, 1_000, 3)),
            _ => {
                let s = us / 1_000_000;
                let seconds = fraction(us % 60_000_000, 1_000_000, 6);
                match (s / 3600, s / 60 % 60) {
                    (0, 0) => format!("{seconds}s"),
                    (0, m) => format!("{m}m{seconds}s"),
                    (h, m) => format!("{h}h{m}m{seconds}s"),
                }
            }
        };
        f.pad(&text)
    }
}

/// Why a text is not a span of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// Nothing to read, or no digits before the unit.
    #[error("a duration is a number with a unit, such as `250ms`, `4m` or `1h30m`")]
    NotADuration,
    /// A number without a unit.
    #[error("`{0}` has no unit: write `{0}s`, `{0}m` or `{0}ms`")]
    NoUnit(String),
    /// A unit that Go does not know either, apart from `d`.
    #[error("unknown unit `{0}`: use d, h, m, s, ms, us")]
    UnknownUnit(String),
    /// A negative duration.
    #[error("a duration cannot be negative")]
    Negative,
    /// More than 584,000 years.
    #[error("this duration is too long")]
    TooLong,
}

/// Go's duration notation plus `d` for 24 hours; fractions are exact to the microsecond, rounded down below it.
impl FromStr for Span {
    type Err = SpanError;
    fn from_str(text: &str) -> Result<Span, SpanError> {
        let text = text.trim();
        if text.starts_with('-') {
            return Err(SpanError::Negative);
        }
        if text == "0" {
            return Ok(Span::ZERO);
        }
        let mut rest = text.strip_prefix('+').unwrap_or(text);
        if rest.is_empty() {
            return Err(SpanError::NotADuration);
        }
        let mut total: u128 = 0;
        while !rest.is_empty() {
            let n_number = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
            let (number, tail) = rest.split_at(n_number);
            let n_unit = tail.bytes().take_while(|b| !(b.is_ascii_digit() || *b == b'.')).count();
            let (unit, tail) = tail.split_at(n_unit);
            let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
            if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
                return Err(SpanError::NotADuration);
            }
            if unit.is_empty() {
                return Err(SpanError::NoUnit(text.to_owned()));
            }
            let unit_us = micros_of_unit(unit)?;
            if whole.len() > 20 || fraction.len() > 18 {
                return Err(SpanError::TooLong);
            }
            let scale = 10u128.pow(fraction.len() as u32);
            let digits: u128 = format!("0{whole}{fraction}").parse().map_err(|_| SpanError::NotADuration)?;
            total += digits.checked_mul(u128::from(unit_us)).ok_or(SpanError::TooLong)? / scale;
            rest = tail;
        }
        u64::try_from(total).map(Span).map_err(|_| SpanError::TooLong)
    }
}

fn micros_of_unit(unit: &str) -> Result<u64, SpanError> {
    Ok(match unit {
        "us" | "µs" | "μs" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return Err(SpanError::UnknownUnit(unit.to_owned())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written_as_go_does() {
        let rows = [
            ("0", 0, "0s"),
            ("1.5s", 1_500_000, "1.5s"),
            ("250ms", 250_000, "250ms"),
            ("1h30m", 5_400_000_000, "1h30m0s"),
            ("1d", 86_400_000_000, "24h0m0s"),
            ("10us", 10, "10µs"),
            (".5m", 30_000_000, "30s"),
            ("1.0000019s", 1_000_001, "1.000001s"),
        ];
        for (text, us, shown) in rows {
            let span: Span = text.parse().expect(text);
            assert_eq!(span, Span::from_micros(us), "{text}");
            assert_eq!(span.to_string(), shown, "{text}");
            assert_eq!(shown.parse::<Span>(), Ok(span), "{shown} reads back");
        }
    }

    #[test]
    fn bad_spans_say_what_is_wrong() {
        assert_eq!("".parse::<Span>(), Err(SpanError::NotADuration));
        assert_eq!("s".parse::<Span>(), Err(SpanError::NotADuration));
        assert_eq!("1.2.3s".parse::<Span>(), Err(SpanError::NotADuration));
        assert_eq!("5".parse::<Span>(), Err(SpanError::NoUnit("5".into())));
        assert_eq!("5w".parse::<Span>(), Err(SpanError::UnknownUnit("w".into())));
        assert_eq!("-5s".parse::<Span>(), Err(SpanError::Negative));
        assert_eq!("99999999999999999999h".parse::<Span>(), Err(SpanError::TooLong));
    }

    #[test]
    fn times_print_as_a_clock() {
        assert_eq!(Time::from_secs(240).to_string(), "04:00");
        assert_eq!(Time::from_micros(3_723_500_000).to_string(), "1:02:03.5");
    }

    #[test]
    fn ticks_are_anchored() {
        let (anchor, period) = (Time::from_secs(3), Span::from_secs(10));
        assert_eq!(Time::from_secs(0).next_tick(anchor, period), anchor);
        assert_eq!(Time::from_secs(13).next_tick(anchor, period), Time::from_secs(13));
        assert_eq!(Time::from_micros(13_000_001).next_tick(anchor, period), Time::from_secs(23));
    }
}
