//! Numbers as traces write them, exactly: seconds become whole microseconds without passing through a float.

/// Why a text is not a usable number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberError {
    NotANumber,
    TooLarge,
}

impl NumberError {
    pub(super) fn what(self) -> &'static str {
        match self {
            NumberError::NotANumber => "is not a number",
            NumberError::TooLarge => "is too large",
        }
    }
}

/// `text * scale`, rounded half away from zero. Decimal notation is exact to 18 fractional digits; exponents go through a float.
pub(super) fn scaled(text: &str, scale: i64) -> Result<i64, NumberError> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !plain(whole) || !plain(fraction) {
        return scaled_float(text, scale);
    }
    let whole = whole.trim_start_matches('0');
    if whole.len() > 19 {
        return Err(NumberError::TooLarge);
    }
    let fraction = &fraction[..fraction.len().min(18)];
    let mut value: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        value = value * 10 + i128::from(digit - b'0');
    }
    let one = 10i128.pow(fraction.len() as u32);
    // At most 37 digits times the scale could overflow: whole and fraction are scaled apart.
    let (ones, rest) = (value / one, value % one);
    let scaled = ones * i128::from(scale) + (rest * i128::from(scale) + one / 2) / one;
    let scaled = if negative { -scaled } else { scaled };
    i64::try_from(scaled).map_err(|_| NumberError::TooLarge)
}

/// A number with an exponent, such as `5e6`.
fn scaled_float(text: &str, scale: i64) -> Result<i64, NumberError> {
    if !text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) {
        return Err(NumberError::NotANumber);
    }
    let value: f64 = text.parse().map_err(|_| NumberError::NotANumber)?;
    from_float(value, scale)
}

/// `value * scale`, rounded half away from zero.
pub(super) fn from_float(value: f64, scale: i64) -> Result<i64, NumberError> {
    let scaled = (value * scale as f64).round();
    match scaled {
        x if x.is_nan() => Err(NumberError::NotANumber),
        x if x.abs() >= 9.2e18 => Err(NumberError::TooLarge),
        x => Ok(x as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        let rows = [
            ("12", 1_000_000, Ok(12_000_000)),
            ("57.245384205516594", 1_000_000, Ok(57_245_384)),
            ("0.0000005", 1_000_000, Ok(1)),
            ("-1.5", 1000, Ok(-1500)),
            (".5", 1000, Ok(500)),
            ("1.", 1000, Ok(1000)),
            ("5e6", 1, Ok(5_000_000)),
            ("9223372036854775807", 1, Ok(i64::MAX)),
            ("9223372036854775808", 1, Err(NumberError::TooLarge)),
            ("99999999999999999999999999", 1, Err(NumberError::TooLarge)),
            ("9999999999999999.999999999999999999", 1_000_000, Err(NumberError::TooLarge)),
            ("1e400", 1, Err(NumberError::TooLarge)),
            ("NaN", 1, Err(NumberError::NotANumber)),
            ("inf", 1, Err(NumberError::NotANumber)),
            ("", 1, Err(NumberError::NotANumber)),
            (".", 1, Err(NumberError::NotANumber)),
            ("-", 1, Err(NumberError::NotANumber)),
            ("1,5", 1, Err(NumberError::NotANumber)),
            ("0x10", 1, Err(NumberError::NotANumber)),
        ];
        for (text, scale, want) in rows {
            assert_eq!(scaled(text, scale), want, "{text}");
        }
    }
}
