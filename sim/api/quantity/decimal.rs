//! Decimal numbers of any size, as much of `inf.Dec` as quantities need.
//!
//! The digits are kept in base ten, so that scaling by powers of ten, which is nearly all that happens here, is appending
//! and cutting. Work is bounded by the length of the text a number came from plus [`DIGITS_MAX`]: a number such as
//! `1e2000000000` is never written out.

use std::cmp::Ordering;

/// No operation appends more zeros than this to a number.
pub(super) const DIGITS_MAX: i64 = 5_000;

/// A number `(-1)^negative * digits * 10^-scale`.
#[derive(Clone, Debug)]
pub(super) struct Decimal {
    /// Whether the number is below zero; false for zero.
    negative: bool,
    /// Digits 0..=9, the most significant first, without leading zeros; empty for zero.
    digits: Vec<u8>,
    /// Digits after the decimal point; negative for trailing zeros that are not written.
    scale: i64,
}

impl Decimal {
    /// The number `value * 10^-scale`.
    pub(super) fn from_i64(value: i64, scale: i64) -> Decimal {
        let digits = value.unsigned_abs().to_string().bytes().map(|byte| byte - b'0').collect();
        Decimal { negative: value < 0, digits, scale }.trimmed()
    }

    /// The number written as `[+-]digits[.digits]`, or nothing if there is no digit.
    pub(super) fn parse(text: &str) -> Option<Decimal> {
        let negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        if whole.is_empty() && fraction.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
        {
            return None;
        }
        let digits = whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0').collect();
        Some(Decimal { negative, digits, scale: fraction.len() as i64 }.trimmed())
    }

    /// Digits after the decimal point.
    pub(super) fn scale(&self) -> i64 {
        self.scale
    }

    /// The same digits with another scale.
    pub(super) fn with_scale(mut self, scale: i64) -> Decimal {
        self.scale = scale;
        self
    }

    /// -1, 0 or 1.
    pub(super) fn sign(&self) -> i32 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    /// The number with the other sign.
    pub(super) fn neg(mut self) -> Decimal {
        self.negative = !self.negative && !self.digits.is_empty();
        self
    }

    /// The number times `2^shift`, for shifts up to 60.
    pub(super) fn times_power_of_two(mut self, shift: u32) -> Decimal {
        let mut carry: u128 = 0;
        for digit in self.digits.iter_mut().rev() {
            carry += u128::from(*digit) << shift;
            *digit = (carry % 10) as u8;
            carry /= 10;
        }
        let mut front = Vec::new();
        while carry > 0 {
            front.push((carry % 10) as u8);
            carry /= 10;
        }
        front.reverse();
        front.append(&mut self.digits);
        self.digits = front;
        self
    }

    /// The number with exactly `scale` digits after the point, rounded away from zero, and whether nothing was lost.
    ///
    /// A number too large to be written out keeps its scale: no digit of it would change.
    pub(super) fn round_up(mut self, scale: i64) -> (Decimal, bool) {
        if scale >= self.scale {
            if scale - self.scale <= DIGITS_MAX {
                self.append_zeros(scale - self.scale);
            }
            return (self, true);
        }
        let dropped = self.scale - scale;
        let kept = (self.digits.len() as i64 - dropped).max(0) as usize;
        let exact = self.digits[kept..].iter().all(|&digit| digit == 0);
        self.digits.truncate(kept);
        self.scale = scale;
        if !exact {
            self.increment();
        }
        (self.trimmed(), exact)
    }

    /// The sum; if one operand is so much larger that the sum could not be written out, that operand.
    pub(super) fn add(&self, other: &Decimal) -> Decimal {
        let scale = self.scale.max(other.scale);
        let (mut a, mut b) = (self.clone(), other.clone());
        for (operand, rest) in [(&self, &other), (&other, &self)] {
            if scale - operand.scale > DIGITS_MAX {
                return if operand.sign() == 0 { (*rest).clone() } else { (*operand).clone() };
            }
        }
        a.append_zeros(scale - self.scale);
        b.append_zeros(scale - other.scale);
        if a.negative == b.negative || a.digits.is_empty() || b.digits.is_empty() {
            let negative = if a.digits.is_empty() { b.negative } else { a.negative };
            return Decimal { negative, digits: add_digits(&a.digits, &b.digits), scale }.trimmed();
        }
        let (large, small) = if cmp_digits(&a.digits, &b.digits).is_lt() { (b, a) } else { (a, b) };
        Decimal { negative: large.negative, digits: sub_digits(&large.digits, &small.digits), scale }.trimmed()
    }

    /// The order of the two numbers.
    pub(super) fn cmp(&self, other: &Decimal) -> Ordering {
        let by_sign = self.sign().cmp(&other.sign());
        if by_sign.is_ne() || self.sign() == 0 {
            return by_sign;
        }
        let magnitude = |number: &Decimal| number.digits.len() as i64 - number.scale;
        let by_magnitude = magnitude(self).cmp(&magnitude(other)).then_with(|| {
            // Equal places of the first digit: a missing last digit is a zero.
            let length = self.digits.len().max(other.digits.len());
            let padded = |number: &'_ Decimal, place: usize| number.digits.get(place).copied().unwrap_or(0);
            (0..length)
                .map(|place| padded(self, place).cmp(&padded(other, place)))
                .find(|o| o.is_ne())
                .unwrap_or(Ordering::Equal)
        });
        if self.negative { by_magnitude.reverse() } else { by_magnitude }
    }

    /// The digits and a power of ten that is a multiple of 3, with as few trailing zeros as that allows.
    pub(super) fn canonical(&self) -> (String, i64) {
        let zeros = self.digits.iter().rev().take_while(|&&digit| digit == 0).count();
        let mut exponent = zeros as i64 - self.scale;
        let mut text = self.digits_text(&self.digits[..self.digits.len() - zeros]);
        while exponent % 3 != 0 {
            text.push('0');
            exponent -= 1;
        }
        (text, exponent)
    }

    /// The digits of a whole number divided by 1024 as often as possible, and how often.
    pub(super) fn canonical_base_1024(&self) -> (String, i64) {
        let mut digits = self.digits.clone();
        let mut times = 0;
        while !digits.is_empty() && times <= DIGITS_MAX {
            let (quotient, remainder) = div_digits(&digits, 1024);
            if remainder != 0 {
                break;
            }
            digits = quotient;
            times += 1;
        }
        (self.digits_text(&digits), times)
    }

    /// The number in units of `10^-new_scale`, as `resource.scaledValue` computes it: rounded up, and wrapped to 64 bits where it
    /// is too large.
    pub(super) fn scaled_value(&self, new_scale: i64) -> i64 {
        let drop = self.scale - new_scale;
        if drop <= 0 {
            return match u32::try_from(-drop) {
                Ok(zeros @ 0..=18) => self.low_bits(&self.digits).wrapping_mul(10_i64.pow(zeros)),
                // A float of 1e19 and more becomes the least integer on amd64.
                Ok(zeros) if i64::from(zeros) <= DIGITS_MAX => self.low_bits(&self.digits).wrapping_mul(i64::MIN),
                _ => 0,
            };
        }
        let below_max = self.negative
            || cmp_digits(
                &self.digits,
                b"\x09\x02\x02\x03\x03\x07\x02\x00\x03\x06\x08\x05\x04\x07\x07\x05\x08\x00\x07",
            )
            .is_lt();
        if below_max && drop < 19 {
            let divisor = 10_i64.pow(drop as u32);
            let bits = self.low_bits(&self.digits);
            return bits / divisor + i64::from(bits % divisor != 0);
        }
        let kept = (self.digits.len() as i64 - drop).max(0) as usize;
        let exact = self.digits[kept..].iter().all(|&digit| digit == 0);
        let truncated = self.low_bits(&self.digits[..kept]);
        // Euclidean division: the quotient of a negative number is rounded down before the remainder is made up for.
        let floor = if self.negative && !exact { truncated.wrapping_sub(1) } else { truncated };
        if exact { floor } else { floor.wrapping_add(1) }
    }

    /// The nearest float.
    pub(super) fn to_f64(&self) -> f64 {
        format!("{}e{}", self.digits_text(&self.digits), -self.scale).parse().unwrap_or(0.0)
    }

    /// The last 64 bits of the number with the given digits, with this number's sign.
    fn low_bits(&self, digits: &[u8]) -> i64 {
        let bits = digits.iter().fold(0_u64, |bits, &digit| bits.wrapping_mul(10).wrapping_add(u64::from(digit)));
        if self.negative { (bits as i64).wrapping_neg() } else { bits as i64 }
    }

    fn digits_text(&self, digits: &[u8]) -> String {
        let mut text = String::with_capacity(digits.len() + 3);
        if self.negative {
            text.push('-');
        }
        if digits.is_empty() {
            text.push('0');
        }
        text.extend(digits.iter().map(|&digit| char::from(b'0' + digit)));
        text
    }

    /// Writes out `count` zeros; the number stays the same.
    fn append_zeros(&mut self, count: i64) {
        self.scale += count;
        if !self.digits.is_empty() {
            self.digits.resize(self.digits.len() + count as usize, 0);
        }
    }

    /// Adds one unit of the last place to the magnitude.
    fn increment(&mut self) {
        for digit in self.digits.iter_mut().rev() {
            if *digit < 9 {
                *digit += 1;
                return;
            }
            *digit = 0;
        }
        self.digits.insert(0, 1);
    }

    fn trimmed(mut self) -> Decimal {
        let leading = self.digits.iter().take_while(|&&digit| digit == 0).count();
        self.digits.drain(..leading);
        self.negative &= !self.digits.is_empty();
        self
    }
}

fn cmp_digits(a: &[u8], b: &[u8]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn add_digits(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut sum = Vec::with_capacity(a.len().max(b.len()) + 1);
    let mut carry = 0;
    for place in 0..a.len().max(b.len()) {
        let digit = |digits: &[u8]| if place < digits.len() { digits[digits.len() - 1 - place] } else { 0 };
        carry += digit(a) + digit(b);
        sum.push(carry % 10);
        carry /= 10;
    }
    sum.push(carry);
    sum.reverse();
    sum
}

/// `large - small`, for `large >= small`.
fn sub_digits(large: &[u8], small: &[u8]) -> Vec<u8> {
    let mut difference = Vec::with_capacity(large.len());
    let mut borrow = 0;
    for place in 0..large.len() {
        let below = borrow + if place < small.len() { small[small.len() - 1 - place] } else { 0 };
        let above = large[large.len() - 1 - place];
        borrow = u8::from(above < below);
        difference.push(above + 10 * borrow - below);
    }
    difference.reverse();
    difference
}

fn div_digits(digits: &[u8], divisor: u32) -> (Vec<u8>, u32) {
    let mut quotient = Vec::with_capacity(digits.len());
    let mut remainder = 0;
    for &digit in digits {
        let dividend = remainder * 10 + u32::from(digit);
        if !quotient.is_empty() || dividend >= divisor {
            quotient.push((dividend / divisor) as u8);
        }
        remainder = dividend % divisor;
    }
    (quotient, remainder)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The number in units of `10^-9`.
    fn nanos(value: i64, scale: i64) -> i128 {
        i128::from(value) * 10_i128.pow((9 - scale) as u32)
    }

    #[test]
    fn huge_scales_are_not_written_out() {
        let one = Decimal::from_i64(1, 0);
        let huge = Decimal::from_i64(-1, -2_000_000_000);
        assert!(huge.add(&one).cmp(&huge).is_eq());
        assert!(huge.cmp(&one).is_lt());
        assert_eq!(huge.scaled_value(0), 0);
        assert_eq!(huge.round_up(9).0.canonical(), ("-100".to_owned(), 1_999_999_998));
        let tiny = Decimal::from_i64(1, 2_000_000_000);
        assert_eq!(tiny.round_up(9).0.canonical(), ("1".to_owned(), -9));
    }

    proptest! {
        #[test]
        fn agrees_with_integers(a in -10_i64.pow(12)..10_i64.pow(12), b in -1000..1000_i64, x in 0..9_i64, y in 0..9_i64) {
            let (left, right) = (Decimal::from_i64(a, x), Decimal::from_i64(b, y));
            prop_assert_eq!(left.cmp(&right), nanos(a, x).cmp(&nanos(b, y)));
            let sum = left.add(&right);
            let (text, exponent) = sum.canonical();
            prop_assert_eq!(exponent.rem_euclid(3), 0);
            let digits: i128 = text.parse().expect("digits");
            if sum.sign() != 0 {
                let sum_nanos = if exponent >= -9 { digits * 10_i128.pow((exponent + 9) as u32) } else { digits };
                prop_assert_eq!(sum_nanos, nanos(a, x) + nanos(b, y));
            }
            let (rounded, exact) = left.clone().round_up(0);
            let divisor = 10_i64.pow(x as u32);
            let away = a / divisor + if a % divisor == 0 { 0 } else { a.signum() };
            prop_assert!(rounded.cmp(&Decimal::from_i64(away, 0)).is_eq());
            prop_assert_eq!(exact, a % divisor == 0);
        }

        #[test]
        fn powers_of_two_divide_out(value in 1..1_i64 << 40, times in 0..6_u32) {
            let (text, count) = Decimal::from_i64(value, 0).times_power_of_two(10 * times).canonical_base_1024();
            let rest: i128 = text.parse().expect("digits");
            prop_assert_eq!(rest << (10 * count), i128::from(value) << (10 * times));
            prop_assert!(count >= i64::from(times) && rest % 1024 != 0);
        }
    }
}
