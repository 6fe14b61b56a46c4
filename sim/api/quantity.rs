//! Amounts of resources: `100m`, `1.5Gi`, `2e3`.
//!
//! The same arithmetic and the same text as `resource.Quantity` of apimachinery v1.36, with its limits: amounts finer than a
//! nano are rounded up, binary amounts stop at the largest 64-bit integer, and [`Quantity::value`] of a decimal amount beyond
//! 64 bits is as meaningless as there. Reading never fails but with an error and never takes more than time proportional to
//! the text.

mod decimal;
mod text;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use decimal::Decimal;
pub use text::QuantityError;

/// An amount with the format in which it likes to be printed. Equality and order are those of the amounts.
#[derive(Clone, Debug)]
pub struct Quantity {
    amount: Amount,
    format: Format,
    /// The text it was read from, if that needs no rewriting.
    text: Option<Box<str>>,
}

/// How an amount is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `12e6`
    DecimalExponent,
    /// `12Mi`
    BinarySI,
    /// `12M`
    DecimalSI,
}

impl Quantity {
    /// Nothing, printed as `0`.
    pub const ZERO: Quantity = Quantity { amount: Amount::ZERO, format: Format::DecimalSI, text: None };

    /// `value` units.
    pub const fn from_value(value: i64, format: Format) -> Quantity {
        Quantity { amount: Amount::Integer { value, exponent: 0 }, format, text: None }
    }

    /// `value` thousandths, printed in decimal.
    pub const fn from_milli(value: i64) -> Quantity {
        Quantity { amount: Amount::Integer { value, exponent: -3 }, format: Format::DecimalSI, text: None }
    }

    /// How the amount is printed.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The amount in units, rounded up.
    pub fn value(&self) -> i64 {
        self.amount.scaled_value(0)
    }

    /// The amount in thousandths, rounded up.
    pub fn milli_value(&self) -> i64 {
        self.amount.scaled_value(3)
    }

    /// Rounds up to whole thousandths, as the API server does with every resource list.
    pub fn round_up_to_milli(&mut self) {
        match &mut self.amount {
            Amount::Integer { exponent, .. } if *exponent >= -3 => return,
            Amount::Integer { value, exponent } => {
                *value = scale_down(*value, -3 - *exponent);
                *exponent = -3;
            }
            Amount::Decimal(decimal) => **decimal = decimal.as_ref().clone().round_up(3).0,
        }
        self.text = None;
    }

    /// The amount as a float, for reports.
    pub fn to_f64(&self) -> f64 {
        self.amount.to_decimal().to_f64()
    }

    /// -1, 0 or 1.
    pub fn sign(&self) -> i32 {
        self.amount.sign()
    }

    /// Whether the amount is nothing.
    pub fn is_zero(&self) -> bool {
        self.sign() == 0
    }

    /// Adds `other`. Nothing takes over the format of what is added to it.
    pub fn add(&mut self, other: &Quantity) {
        if self.is_zero() {
            self.format = other.format;
        }
        self.text = None;
        self.amount = self.amount.add(&other.amount);
    }

    /// Takes `other` away. Nothing takes over the format of what is taken from it.
    pub fn sub(&mut self, other: &Quantity) {
        if self.is_zero() {
            self.format = other.format;
        }
        self.text = None;
        self.amount = self.amount.add(&other.amount.neg());
    }

    /// Changes the sign.
    pub fn neg(&mut self) {
        self.text = None;
        self.amount = self.amount.neg();
    }
}

/// Reads a text such as `1.5Gi` (`resource.ParseQuantity`).
impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Quantity, QuantityError> {
        text::parse(text)
    }
}

/// The canonical text.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => f.pad(text),
            None => f.pad(&text::canonical(self)),
        }
    }
}

impl Default for Quantity {
    fn default() -> Quantity {
        Quantity::ZERO
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Quantity) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Quantity) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Quantity) -> Ordering {
        self.amount.cmp(&other.amount)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Quantity, D::Error> {
        deserializer.deserialize_any(QuantityVisitor)
    }
}

/// Reads inside the visitor, so that an error names the place of the scalar itself.
struct QuantityVisitor;

impl serde::de::Visitor<'_> for QuantityVisitor {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quantity such as 500m or 1.5Gi")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Quantity, E> {
        text.trim().parse().map_err(E::custom)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Quantity, E> {
        Ok(Quantity::ZERO)
    }
}

/// An amount as Kubernetes keeps it. Which of the two forms an amount has shows where it is beyond 64 bits.
#[derive(Clone, Debug)]
enum Amount {
    /// `value * 10^exponent`.
    Integer { value: i64, exponent: i64 },
    /// What does not fit in an integer.
    Decimal(Box<Decimal>),
}

impl Amount {
    const ZERO: Amount = Amount::Integer { value: 0, exponent: 0 };

    fn to_decimal(&self) -> Decimal {
        match self {
            Amount::Integer { value, exponent } => Decimal::from_i64(*value, -exponent),
            Amount::Decimal(decimal) => (**decimal).clone(),
        }
    }

    fn sign(&self) -> i32 {
        match self {
            Amount::Integer { value, .. } => value.signum() as i32,
            Amount::Decimal(decimal) => decimal.sign(),
        }
    }

    fn cmp(&self, other: &Amount) -> Ordering {
        match (self, other) {
            (Amount::Integer { value: a, exponent: x }, Amount::Integer { value: b, exponent: y }) if x == y => {
                a.cmp(b)
            }
            _ => self.to_decimal().cmp(&other.to_decimal()),
        }
    }

    fn neg(&self) -> Amount {
        match self {
            Amount::Integer { value, exponent } => Amount::Integer { value: value.wrapping_neg(), exponent: *exponent },
            Amount::Decimal(decimal) => Amount::Decimal(Box::new((**decimal).clone().neg())),
        }
    }

    fn add(&self, other: &Amount) -> Amount {
        if let (&Amount::Integer { value: a, exponent: x }, &Amount::Integer { value: b, exponent: y }) = (self, other)
        {
            if b == 0 {
                return self.clone();
            }
            if a == 0 {
                return other.clone();
            }
            let exponent = x.min(y);
            let sum = scale_up(a, x - exponent).zip(scale_up(b, y - exponent)).and_then(|(a, b)| a.checked_add(b));
            if let Some(value) = sum {
                return Amount::Integer { value, exponent };
            }
        }
        Amount::Decimal(Box::new(self.to_decimal().add(&other.to_decimal())))
    }

    /// The amount in units of `10^-scale`, rounded away from zero if it is an integer and up if it is a decimal, wrapped if too
    /// large.
    fn scaled_value(&self, scale: i64) -> i64 {
        let (value, exponent) = match self {
            Amount::Decimal(decimal) => return decimal.scaled_value(scale),
            Amount::Integer { value, exponent } => (*value, *exponent + scale),
        };
        match exponent {
            i64::MIN..=-1 => scale_down(value, -exponent),
            // The common powers are one multiplication, of which Go leaves the wrapped product.
            0..=3 | 6 | 9 => value.wrapping_mul(10_i64.pow(exponent as u32)),
            _ => scale_up(value, exponent).unwrap_or(0),
        }
    }

    /// The whole amount, or nothing if it has a fraction.
    fn rounded_to_units(&self) -> Option<Decimal> {
        let (whole, exact) = self.to_decimal().round_up(0);
        exact.then_some(whole)
    }

    fn canonical(&self) -> (String, i64) {
        self.to_decimal().canonical()
    }
}

/// `value * 10^zeros`, if it fits.
fn scale_up(value: i64, zeros: i64) -> Option<i64> {
    if value == 0 {
        return Some(0);
    }
    value.checked_mul(10_i64.checked_pow(u32::try_from(zeros).ok()?)?)
}

/// `value / 10^places`, rounded away from zero.
fn scale_down(value: i64, places: i64) -> i64 {
    if places > 18 {
        return value.signum();
    }
    let divisor = 10_i64.pow(places as u32);
    value / divisor + if value % divisor == 0 { 0 } else { value.signum() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Quantity {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn texts_have_a_canonical_form() {
        for (text, canonical, why) in [
            ("0", "0", "zero is zero"),
            ("-0", "0", "zero has no sign"),
            ("0Ki", "0", "zero has no unit"),
            ("0.5", "500m", "a fraction takes the largest suffix that makes it whole"),
            ("1000m", "1", "the largest suffix that loses nothing"),
            ("1500m", "1500m", "a text that is canonical is kept"),
            ("1024Ki", "1Mi", "binary stays binary"),
            ("1.5Gi", "1536Mi", "a binary fraction becomes whole in a smaller unit"),
            ("0.3Ki", "307200m", "a binary amount below 1024 is printed in decimal"),
            ("1e3", "1e3", "an exponent stays an exponent"),
            ("1E3", "1E3", "E before digits is an exponent"),
            ("10e3", "10e3", "exponents are multiples of three"),
            ("1E", "1E", "a lone E is a suffix"),
            ("0077", "0077", "leading zeros do not count"),
            (".5", "500m", "a number may begin with its point"),
            ("5.", "5.", "a number may end with its point"),
            ("0.1n", "1n", "the smallest amount is one nano: round up"),
            ("-0.1n", "-1n", "rounding up is away from zero"),
            ("100Ei", "9223372036854775807", "binary amounts are capped"),
            ("1000E", "1", "above exa there is no suffix left, and Kubernetes prints none"),
            ("1000e4294967296", "1e3", "exponents have 32 bits"),
        ] {
            assert_eq!(parse(text).to_string(), canonical, "{text}: {why}");
        }
    }

    #[test]
    fn amounts_round_up() {
        for (text, value, milli, why) in [
            ("100m", 1, 100, "a part of a unit counts as one"),
            ("-100m", -1, -100, "integers are rounded away from zero"),
            ("1u", 1, 1, "the least part of a milli counts as one"),
            ("1.5Gi", 1_610_612_736, 1_610_612_736_000, "binary units are exact"),
            ("1e3", 1_000, 1_000_000, "exponents count"),
            ("12E", 0, 0, "Kubernetes answers 0 where a power of ten overflows"),
        ] {
            assert_eq!((parse(text).value(), parse(text).milli_value()), (value, milli), "{text}: {why}");
        }
    }

    #[test]
    fn resource_lists_are_in_thousandths() {
        for (text, rounded) in [("1u", "1m"), ("1500u", "2m"), ("0.5", "500m"), ("0.0001Ki", "103m"), ("1Gi", "1Gi")] {
            let mut quantity = parse(text);
            quantity.round_up_to_milli();
            assert_eq!(quantity.to_string(), rounded);
        }
    }

    #[test]
    fn what_is_not_a_quantity_is_refused() {
        for (text, error, why) in [
            ("", QuantityError::Format, "nothing"),
            (" 1", QuantityError::Format, "spaces"),
            ("1K", QuantityError::Suffix, "kilo is a small k"),
            ("1mi", QuantityError::Suffix, "no such binary unit"),
            ("--1", QuantityError::Suffix, "a sign after the sign belongs to the suffix"),
            ("1,000", QuantityError::Format, "no separators"),
            ("1e99999999999999999999", QuantityError::Suffix, "the exponent does not fit in 64 bits"),
            ("-Ei", QuantityError::Number, "no digit"),
            ("\u{663}", QuantityError::Format, "only ASCII digits"),
        ] {
            assert_eq!(text.parse::<Quantity>().unwrap_err(), error, "{text:?}: {why}");
        }
    }

    #[test]
    fn nothing_takes_over_the_format_of_what_is_added() {
        let mut sum = Quantity::ZERO;
        sum.add(&parse("1Ki"));
        assert_eq!(sum.to_string(), "1Ki");
        sum.add(&parse("1k"));
        assert_eq!(sum.to_string(), "2024", "binary, but no multiple of 1024");
        let mut difference = parse("1");
        difference.sub(&parse("1Ki"));
        assert_eq!(difference.to_string(), "-1023");
    }

    #[test]
    fn hostile_texts_take_bounded_time() {
        let long = "9".repeat(100_000);
        for text in [&long, &format!("{long}Ei"), &format!("0.{long}"), &format!("{long}e2147483647"), "1e-2147483648"]
        {
            let Ok(quantity) = text.parse::<Quantity>() else { continue };
            let mut sum = quantity.clone();
            sum.add(&parse("1Ki"));
            sum.sub(&parse("1e2000000000"));
            sum.sub(&quantity);
            let _ = (sum.to_string(), sum.value(), sum.milli_value(), sum.cmp(&quantity), sum.to_f64());
        }
    }

    #[test]
    fn json_numbers_and_strings_are_quantities() {
        for (json, canonical) in
            [("\"1.5Gi\"", "1536Mi"), ("2", "2"), ("0.25", "250m"), ("\" 5 \"", "5"), ("null", "0")]
        {
            let quantity: Quantity = serde_json::from_str(json).expect(json);
            assert_eq!(quantity.to_string(), canonical);
        }
        assert!(serde_json::from_str::<Quantity>("true").is_err());
        assert_eq!(serde_json::to_string(&parse("0.5")).expect("a string"), "\"500m\"");
    }

    proptest! {
        #[test]
        fn printing_and_parsing_agree(text in "[+-]?[0-9]{1,22}(\\.[0-9]{0,12})?([numkMGTP]|[KMGTP]i|e-?[0-9])?") {
            let quantity = parse(&text);
            let printed = quantity.to_string();
            // An amount above exa has no suffix left: what is printed is another amount.
            prop_assume!(quantity.format() != Format::DecimalSI || quantity.to_f64().abs() < 1e20);
            prop_assert_eq!(&parse(&printed), &quantity, "{} printed as {}", text, printed);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+0-9.eEinumkKMGTP]{0,40}") {
            if let Ok(quantity) = text.parse::<Quantity>() {
                let _ = (quantity.to_string(), quantity.value(), quantity.milli_value());
                let mut nothing = quantity.clone();
                nothing.sub(&quantity);
                prop_assert!(nothing.is_zero());
            }
        }
    }
}
