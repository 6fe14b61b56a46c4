//! Units of distributions: how a value is written, and what one step of it is.

use crate::engine::Span;

/// The largest value of a distribution in steps: the largest multiple of 1024 below 2^63, exact as a float.
pub(super) const MAX: f64 = 9_223_372_036_854_774_784.0;

/// What the values of a distribution are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Spans of virtual time; a step is a microsecond; written `250ms`, `4m`, `1h30m`.
    Span,
    /// Sizes; a step is a byte; written as quantities, `300Mi`, `1.5G`.
    Bytes,
    /// Fractional amounts such as CPU; a step is a thousandth; written as quantities, `100m`, `2`.
    Milli,
    /// Plain numbers such as replicas; a step is one.
    Number,
}

/// Suffixes of quantities with their factor in ones, longest first so that `Mi` is not read as `M`.
const SUFFIXES: [(&str, f64); 15] = [
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
];

impl Unit {
    /// Reads a value into steps; the error says what is wrong with the text.
    pub fn read(self, text: &str) -> Result<f64, String> {
        let text = text.trim();
        if self == Unit::Span {
            let span: Span = text.parse().map_err(|error: crate::engine::SpanError| error.to_string())?;
            return Ok(span.as_micros() as f64);
        }
        let (number, factor) = SUFFIXES
            .iter()
            .find_map(|(suffix, factor)| text.strip_suffix(suffix).map(|number| (number, *factor)))
            .unwrap_or((text, 1.0));
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) {
            return Err(format!("`{text}` is not a quantity"));
        }
        let number: f64 = number.parse().map_err(|_| format!("`{text}` is not a quantity"))?;
        Ok(number * factor * self.steps_per_one())
    }

    /// A bare JSON number into steps, where the unit allows one.
    pub fn read_number(self, number: f64) -> Result<f64, String> {
        match self {
            Unit::Span if number == 0.0 => Ok(0.0),
            Unit::Span => Err(format!("`{number}` has no unit: write `{number}s`, `{number}m` or `{number}ms`")),
            _ => Ok(number * self.steps_per_one()),
        }
    }

    /// Writes a value in steps so that [`Unit::read`] gives it back, rounded to a whole step.
    pub fn show(self, steps: f64) -> String {
        let whole = (steps.clamp(0.0, MAX) + 0.5) as u64;
        match self {
            Unit::Span => Span::from_micros(whole).to_string(),
            Unit::Milli if whole.is_multiple_of(1000) => (whole / 1000).to_string(),
            Unit::Milli => format!("{whole}m"),
            Unit::Number => steps.to_string(),
            Unit::Bytes => {
                let suffix =
                    SUFFIXES[..6].iter().rev().find(|(_, factor)| whole > 0 && whole.is_multiple_of(*factor as u64));
                match suffix {
                    Some((suffix, factor)) => format!("{}{suffix}", whole / *factor as u64),
                    None => whole.to_string(),
                }
            }
        }
    }

    /// An example of a right value, for messages.
    pub fn example(self) -> &'static str {
        match self {
            Unit::Span => "a duration such as `250ms`, `4m` or `1h30m`",
            Unit::Bytes => "a quantity such as `300Mi` or `2G`",
            Unit::Milli => "a quantity such as `100m` or `2`",
            Unit::Number => "a number such as `3`",
        }
    }

    fn steps_per_one(self) -> f64 {
        match self {
            Unit::Span => 1e6,
            Unit::Milli => 1e3,
            Unit::Bytes | Unit::Number => 1.0,
        }
    }
}
