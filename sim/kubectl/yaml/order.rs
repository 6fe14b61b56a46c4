//! The order of keys in yaml.v2: numbers in them by value, letters after everything else.

use std::cmp::Ordering;

/// Compares two keys (`keyList.Less`).
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    let (left, right): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut in_digits = false;
    for i in 0..left.len().min(right.len()) {
        let (l, r) = (left[i], right[i]);
        if l == r {
            in_digits = l.is_numeric();
            continue;
        }
        return match (l.is_alphabetic(), r.is_alphabetic()) {
            (true, true) => l.cmp(&r),
            (false, false) => numbers(&left, &right, i),
            // After a digit a letter comes first, otherwise what is not a letter.
            (l_is_letter, _) => {
                if l_is_letter == in_digits {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
        };
    }
    left.len().cmp(&right.len())
}

/// Compares from the first difference on, where neither side is a letter.
fn numbers(left: &[char], right: &[char], i: usize) -> Ordering {
    let mut start = 0i64;
    if left[i] == '0' || right[i] == '0' {
        let digits = left[..i].iter().rev().take_while(|c| c.is_ascii_digit());
        start = i64::from(digits.into_iter().any(|&c| c != '0'));
    }
    let value = |chars: &[char]| {
        let digits: Vec<i64> = chars[i..].iter().map_while(|c| c.to_digit(10)).map(i64::from).collect();
        let value = digits.iter().fold(start, |value, digit| value.wrapping_mul(10).wrapping_add(*digit));
        (value, digits.len())
    };
    value(left).cmp(&value(right)).then(left[i].cmp(&right[i]))
}
