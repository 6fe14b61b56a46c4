//! Quantities as text: the grammar of `resource.ParseQuantity` and the canonical form.

use super::{Amount, Format, Quantity, decimal::Decimal};

/// Texts with at most this many digits are read as integers (apimachinery, `maxInt64Factors` as of v1.36).
const INTEGER_DIGITS_MAX: i64 = 18;
/// The scale of the smallest amount there is, one nano.
const NANO: i64 = 9;

/// Why a text is not a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// The text has not the form number, suffix.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// The number is not one.
    #[error("unable to parse numeric part of quantity")]
    Number,
    /// The suffix is unknown.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

pub(super) fn parse(text: &str) -> Result<Quantity, QuantityError> {
    if text.is_empty() {
        return Err(QuantityError::Format);
    }
    if text == "0" {
        return Ok(Quantity { amount: Amount::ZERO, format: Format::DecimalSI, text: Some("0".into()) });
    }
    let parts = split(text)?;
    let unit = parts.unit().ok_or(QuantityError::Suffix)?;
    if let Some(quantity) = parse_integer(text, &parts, unit)? {
        return Ok(quantity);
    }
    parse_decimal(&parts, unit)
}

/// The number and suffix of an amount that is not zero, e.g. `("1500", "m")`.
pub(super) fn canonical(quantity: &Quantity) -> String {
    if quantity.is_zero() {
        return "0".to_owned();
    }
    let mut format = quantity.format;
    if format == Format::BinarySI {
        let limit = |value| quantity.amount.cmp(&Amount::Integer { value, exponent: 0 });
        let whole = quantity.amount.rounded_to_units();
        match whole {
            // Small amounts and fractions are shown exactly.
            Some(whole) if !(limit(-1024).is_gt() && limit(1024).is_lt()) => {
                let (number, times) = whole.canonical_base_1024();
                return number + binary_suffix(times);
            }
            _ => format = Format::DecimalSI,
        }
    }
    let (number, exponent) = quantity.amount.canonical();
    match format {
        Format::DecimalExponent if exponent == 0 => number,
        Format::DecimalExponent => format!("{number}e{exponent}"),
        _ => number + decimal_suffix(exponent),
    }
}

/// A text cut into its parts.
struct Parts<'a> {
    positive: bool,
    /// Sign, digits and point.
    number: &'a str,
    /// Digits before the point, without leading zeros, at least one.
    whole: &'a str,
    /// Digits after the point.
    fraction: &'a str,
    suffix: &'a str,
}

/// What a suffix means.
#[derive(Clone, Copy)]
enum Unit {
    /// A power of ten.
    Ten(i32, Format),
    /// A power of two, 10..=60.
    Two(u32),
}

impl Parts<'_> {
    fn unit(&self) -> Option<Unit> {
        let si = |exponent| Some(Unit::Ten(exponent, Format::DecimalSI));
        match self.suffix {
            "n" => si(-9),
            "u" => si(-6),
            "m" => si(-3),
            "" => si(0),
            "k" => si(3),
            "M" => si(6),
            "G" => si(9),
            "T" => si(12),
            "P" => si(15),
            "E" => si(18),
            "Ki" => Some(Unit::Two(10)),
            "Mi" => Some(Unit::Two(20)),
            "Gi" => Some(Unit::Two(30)),
            "Ti" => Some(Unit::Two(40)),
            "Pi" => Some(Unit::Two(50)),
            "Ei" => Some(Unit::Two(60)),
            suffix => {
                let exponent: i64 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
                // Kubernetes keeps the low 32 bits.
                Some(Unit::Ten(exponent as i32, Format::DecimalExponent))
            }
        }
    }
}

/// Cuts `[sign] zeros digits [. digits] suffix`.
fn split(text: &str) -> Result<Parts<'_>, QuantityError> {
    let bytes = text.as_bytes();
    let run = |from: usize, accept: &dyn Fn(u8) -> bool| {
        from + bytes[from..].iter().take_while(|&&byte| accept(byte)).count()
    };
    let digit = |byte: u8| byte.is_ascii_digit();
    let positive = bytes[0] != b'-';
    let whole_start = run(usize::from(matches!(bytes[0], b'+' | b'-')), &|byte| byte == b'0');
    if whole_start == bytes.len() {
        return Ok(Parts { positive, number: "0", whole: "0", fraction: "", suffix: "" });
    }
    let whole_end = run(whole_start, &digit);
    let whole = if whole_start == whole_end { "0" } else { &text[whole_start..whole_end] };
    let mut number_end = whole_end;
    let mut fraction = "";
    if bytes.get(whole_end) == Some(&b'.') {
        number_end = run(whole_end + 1, &digit);
        fraction = &text[whole_end + 1..number_end];
    }
    let letters_end = run(number_end, &|byte| b"eEinumkKMGTP".contains(&byte));
    let sign_end = letters_end + usize::from(matches!(bytes.get(letters_end), Some(b'+' | b'-')));
    if run(sign_end, &digit) != bytes.len() {
        return Err(QuantityError::Format);
    }
    Ok(Parts { positive, number: &text[..number_end], whole, fraction, suffix: &text[number_end..] })
}

/// The amounts that fit in 64 bits with room to spare. A text that is canonical already is kept as it is.
fn parse_integer(text: &str, parts: &Parts<'_>, unit: Unit) -> Result<Option<Quantity>, QuantityError> {
    let n_digits = (parts.whole.len() + parts.fraction.len()) as i64;
    let (exponent, factor, format) = match unit {
        Unit::Ten(exponent, format) if n_digits <= INTEGER_DIGITS_MAX => {
            // 18 digits at most, so the difference cannot be far below the range; it wraps as in Go.
            (exponent.wrapping_sub(parts.fraction.len() as i32), 1_i64, format)
        }
        // 2^10 is about three decimal digits.
        Unit::Two(shift) if parts.fraction.is_empty() && n_digits + i64::from(shift) * 3 / 10 <= 14 => {
            (0, 1 << shift, Format::BinarySI)
        }
        _ => return Ok(None),
    };
    if i64::from(exponent) < -NANO {
        return Ok(None);
    }
    let digits = format!("{}{}", parts.whole, parts.fraction);
    let number: i64 = digits.parse().map_err(|_| QuantityError::Number)?;
    let Some(product) = number.checked_mul(factor) else { return Ok(None) };
    let canonical = match format {
        Format::BinarySI => number & 7 != 0,
        _ => exponent % 3 == 0 && !digits.ends_with("000") && !digits.starts_with('0'),
    };
    let value = if parts.positive { product } else { -product };
    let text = canonical.then(|| text.into());
    Ok(Some(Quantity { amount: Amount::Integer { value, exponent: i64::from(exponent) }, format, text }))
}

/// All other amounts: rounded up to nanos, binary ones capped at the largest 64-bit integer.
fn parse_decimal(parts: &Parts<'_>, unit: Unit) -> Result<Quantity, QuantityError> {
    let number = Decimal::parse(parts.number).ok_or(QuantityError::Number)?;
    let (number, mut format) = match unit {
        Unit::Ten(exponent, format) => {
            let scale = (number.scale() as i32).wrapping_sub(exponent);
            (number.with_scale(i64::from(scale)), format)
        }
        Unit::Two(shift) => (number.times_power_of_two(shift), Format::BinarySI),
    };
    let negative = number.sign() < 0;
    let mut magnitude = if negative { number.neg() } else { number };
    if magnitude.sign() != 0 {
        magnitude = magnitude.round_up(NANO).0;
    }
    if format == Format::BinarySI {
        let largest = Decimal::from_i64(i64::MAX, 0);
        if magnitude.cmp(&largest).is_gt() {
            magnitude = largest;
        }
        if magnitude.sign() > 0 && magnitude.cmp(&Decimal::from_i64(1, 0)).is_lt() {
            format = Format::DecimalSI;
        }
    }
    let amount = Amount::Decimal(Box::new(if negative { magnitude.neg() } else { magnitude }));
    Ok(Quantity { amount, format, text: None })
}

/// The suffix of a power of ten; exponents without one print as nothing, as in Kubernetes.
fn decimal_suffix(exponent: i64) -> &'static str {
    match exponent {
        -9 => "n",
        -6 => "u",
        -3 => "m",
        3 => "k",
        6 => "M",
        9 => "G",
        12 => "T",
        15 => "P",
        18 => "E",
        _ => "",
    }
}

/// The suffix of a power of 1024; powers without one print as nothing, as in Kubernetes.
fn binary_suffix(times: i64) -> &'static str {
    match times {
        1 => "Ki",
        2 => "Mi",
        3 => "Gi",
        4 => "Ti",
        5 => "Pi",
        6 => "Ei",
        _ => "",
    }
}
