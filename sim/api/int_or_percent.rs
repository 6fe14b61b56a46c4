//! Numbers that may be a share of a total: `maxSurge: 3`, `maxUnavailable: 25%`.

use std::fmt;
use std::str::FromStr;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A count, or a percentage of a total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IntOrPercent {
    /// So many.
    Int(i32),
    /// So many hundredths.
    Percent(i32),
}

/// Which way a share that is not whole goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Towards positive infinity.
    Up,
    /// Towards negative infinity.
    Down,
}

/// A text that is not a percentage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntOrPercentError {
    /// There is no percent sign.
    #[error("invalid value for IntOrString: invalid type: string is not a percentage")]
    NotAPercentage,
    /// Before the percent sign is no integer.
    #[error("invalid value for IntOrString: invalid value {text:?}: strconv.Atoi: parsing {number:?}: invalid syntax")]
    NotAnInteger {
        /// The whole text.
        text: String,
        /// The part before the percent sign.
        number: String,
    },
}

impl IntOrPercent {
    /// The count, of `total` if it is a percentage (`intstr.GetScaledValueFromIntOrPercent`).
    pub fn scaled(self, total: i32, round: Round) -> i32 {
        match self {
            IntOrPercent::Int(count) => count,
            IntOrPercent::Percent(percent) => {
                let product = i64::from(percent) * i64::from(total);
                let share = match round {
                    Round::Down => product.div_euclid(100),
                    Round::Up => -(-product).div_euclid(100),
                };
                share.clamp(i32::MIN.into(), i32::MAX.into()) as i32
            }
        }
    }
}

/// Reads a percentage; a bare number in a text is not one.
impl FromStr for IntOrPercent {
    type Err = IntOrPercentError;

    fn from_str(text: &str) -> Result<IntOrPercent, IntOrPercentError> {
        let number = text.strip_suffix('%').ok_or(IntOrPercentError::NotAPercentage)?;
        number
            .parse()
            .map(IntOrPercent::Percent)
            .map_err(|_| IntOrPercentError::NotAnInteger { text: text.to_owned(), number: number.to_owned() })
    }
}

impl TryFrom<&IntOrString> for IntOrPercent {
    type Error = IntOrPercentError;

    fn try_from(value: &IntOrString) -> Result<IntOrPercent, IntOrPercentError> {
        match value {
            IntOrString::Int(count) => Ok(IntOrPercent::Int(*count)),
            IntOrString::String(text) => text.parse(),
        }
    }
}

impl fmt::Display for IntOrPercent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IntOrPercent::Int(count) => write!(f, "{count}"),
            IntOrPercent::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl Serialize for IntOrPercent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            IntOrPercent::Int(count) => serializer.serialize_i32(*count),
            IntOrPercent::Percent(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for IntOrPercent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<IntOrPercent, D::Error> {
        deserializer.deserialize_any(IntOrPercentVisitor)
    }
}

/// Reads inside the visitor, so that an error names the place of the scalar itself.
struct IntOrPercentVisitor;

impl serde::de::Visitor<'_> for IntOrPercentVisitor {
    type Value = IntOrPercent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer or a percentage such as 25%")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<IntOrPercent, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<IntOrPercent, E> {
        i32::try_from(number).map(IntOrPercent::Int).map_err(E::custom)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<IntOrPercent, E> {
        i32::try_from(number).map(IntOrPercent::Int).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_rounded_as_asked() {
        for (value, total, up, down, why) in [
            (IntOrPercent::Int(3), 10, 3, 3, "a count is a count"),
            (IntOrPercent::Percent(25), 10, 3, 2, "2.5"),
            (IntOrPercent::Percent(50), 10, 5, 5, "whole"),
            (IntOrPercent::Percent(1), 10, 1, 0, "the least share"),
            (IntOrPercent::Percent(150), 2, 3, 3, "more than all"),
            (IntOrPercent::Percent(25), 0, 0, 0, "of nothing"),
            (IntOrPercent::Percent(i32::MAX), i32::MAX, i32::MAX, i32::MAX, "saturates"),
        ] {
            assert_eq!(
                (value.scaled(total, Round::Up), value.scaled(total, Round::Down)),
                (up, down),
                "{value}: {why}"
            );
        }
    }

    #[test]
    fn texts_are_percentages() {
        assert_eq!("25%".parse(), Ok(IntOrPercent::Percent(25)));
        for (text, error) in [
            ("25", "invalid value for IntOrString: invalid type: string is not a percentage"),
            ("x%", "invalid value for IntOrString: invalid value \"x%\": strconv.Atoi: parsing \"x\": invalid syntax"),
        ] {
            assert_eq!(text.parse::<IntOrPercent>().unwrap_err().to_string(), error);
        }
        assert_eq!(serde_json::from_str::<IntOrPercent>("7").expect("a count"), IntOrPercent::Int(7));
        assert_eq!(serde_json::from_str::<IntOrPercent>("\"7%\"").expect("a share"), IntOrPercent::Percent(7));
        assert!(serde_json::from_str::<IntOrPercent>("7.5").is_err());
    }
}
