//! The words of an expression.

use super::{CelError, Result};

/// One word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Int(i64),
    Uint(u64),
    Double(f64),
    String(String),
    Bytes(Vec<u8>),
    Ident(String),
    /// An operator or a bracket.
    Sign(&'static str),
}

const SIGNS: [&str; 26] = [
    "&&", "||", "==", "!=", "<=", ">=", "[?", ".?", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(",
    ")", "[", "]", "{", "}",
];

/// Reads all words, each with the place where it begins (in characters).
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&first) = chars.get(at) {
        if first.is_whitespace() {
            at += 1;
        } else if first == '/' && chars.get(at + 1) == Some(&'/') {
            while chars.get(at).is_some_and(|&c| c != '\n') {
                at += 1;
            }
        } else if let Some((token, next)) = quoted(&chars, at)? {
            out.push((token, at));
            at = next;
        } else if first.is_ascii_digit() || first == '.' && chars.get(at + 1).is_some_and(char::is_ascii_digit) {
            let (token, next) = number(&chars, at)?;
            out.push((token, at));
            at = next;
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = (at..chars.len()).find(|&idx| !(chars[idx].is_ascii_alphanumeric() || chars[idx] == '_'));
            let end = end.unwrap_or(chars.len());
            out.push((Token::Ident(chars[at..end].iter().collect()), at));
            at = end;
        } else if first == '`' {
            let end = (at + 1..chars.len()).find(|&idx| chars[idx] == '`').ok_or_else(|| syntax("unclosed `", at))?;
            out.push((Token::Ident(chars[at + 1..end].iter().collect()), at));
            at = end + 1;
        } else {
            let sign = SIGNS.iter().find(|sign| sign.chars().eq(chars[at..].iter().copied().take(sign.len())));
            let sign = sign.ok_or_else(|| syntax(&format!("token recognition error at: '{first}'"), at))?;
            out.push((Token::Sign(sign), at));
            at += sign.len();
        }
    }
    Ok(out)
}

/// A syntax error at a character.
pub(super) fn syntax(what: &str, at: usize) -> CelError {
    CelError::at(format!("Syntax error: {what}"), at)
}

fn number(chars: &[char], start: usize) -> Result<(Token, usize)> {
    let take =
        |from: usize, of: fn(&char) -> bool| (from..chars.len()).find(|&idx| !of(&chars[idx])).unwrap_or(chars.len());
    let text = |from: usize, to: usize| chars[from..to].iter().collect::<String>();
    let unsigned = |end: usize| matches!(chars.get(end), Some('u' | 'U'));
    let out_of_range = || syntax("invalid int literal", start);
    if chars[start] == '0' && matches!(chars.get(start + 1), Some('x' | 'X')) {
        let end = take(start + 2, char::is_ascii_hexdigit);
        let value = u64::from_str_radix(&text(start + 2, end), 16).map_err(|_| out_of_range())?;
        if unsigned(end) {
            return Ok((Token::Uint(value), end + 1));
        }
        return Ok((Token::Int(i64::try_from(value).map_err(|_| out_of_range())?), end));
    }
    let mut end = take(start, char::is_ascii_digit);
    let mut is_double = false;
    if chars.get(end) == Some(&'.') && chars.get(end + 1).is_some_and(char::is_ascii_digit) {
        is_double = true;
        end = take(end + 1, char::is_ascii_digit);
    }
    if matches!(chars.get(end), Some('e' | 'E')) {
        let digits = end + 1 + usize::from(matches!(chars.get(end + 1), Some('+' | '-')));
        if chars.get(digits).is_some_and(char::is_ascii_digit) {
            is_double = true;
            end = take(digits, char::is_ascii_digit);
        }
    }
    let digits = text(start, end);
    if is_double {
        return Ok((Token::Double(digits.parse().map_err(|_| out_of_range())?), end));
    }
    if unsigned(end) {
        return Ok((Token::Uint(digits.parse().map_err(|_| out_of_range())?), end + 1));
    }
    match digits.parse::<u64>() {
        // The smallest integer is a minus and this.
        Ok(value) if value == i64::MIN.unsigned_abs() => Ok((Token::Int(i64::MIN), end)),
        Ok(value) => Ok((Token::Int(i64::try_from(value).map_err(|_| out_of_range())?), end)),
        Err(_) => Err(out_of_range()),
    }
}

/// A text or bytes in quotes, if there are quotes here: `'`, `"`, three of them, with `r` and `b` before.
fn quoted(chars: &[char], start: usize) -> Result<Option<(Token, usize)>> {
    let (mut at, mut raw, mut bytes) = (start, false, false);
    while let Some(prefix) = chars.get(at).filter(|_| at < start + 2) {
        match prefix {
            'r' | 'R' if !raw => raw = true,
            'b' | 'B' if !bytes => bytes = true,
            _ => break,
        }
        at += 1;
    }
    let Some(&quote) = chars.get(at).filter(|c| matches!(c, '"' | '\'')) else { return Ok(None) };
    let triple = chars.get(at + 1) == Some(&quote) && chars.get(at + 2) == Some(&quote);
    let width = if triple { 3 } else { 1 };
    at += width;
    let (mut text, mut data) = (String::new(), Vec::new());
    loop {
        let Some(&c) = chars.get(at) else { return Err(syntax("unclosed text", start)) };
        if c == quote && (!triple || chars.get(at + 1) == Some(&quote) && chars.get(at + 2) == Some(&quote)) {
            at += width;
            break;
        }
        if c == '\n' && !triple {
            return Err(syntax("unclosed text", start));
        }
        if c == '\\' && !raw {
            let (code, next) = escape(chars, at, bytes)?;
            match u8::try_from(code).ok().filter(|_| bytes) {
                Some(byte) => data.push(byte),
                None => text.push(char::from_u32(code).ok_or_else(|| syntax("invalid escape", at))?),
            }
            at = next;
            continue;
        }
        if bytes {
            data.extend(c.to_string().as_bytes());
        } else {
            text.push(c);
        }
        at += 1;
    }
    Ok(Some((if bytes { Token::Bytes(data) } else { Token::String(text) }, at)))
}

fn escape(chars: &[char], at: usize, bytes: bool) -> Result<(u32, usize)> {
    let bad = || syntax("invalid escape", at);
    let kind = *chars.get(at + 1).ok_or_else(bad)?;
    let digits = |from: usize, n: usize, radix: u32| -> Result<(u32, usize)> {
        let text: String = chars.get(from..from + n).ok_or_else(bad)?.iter().collect();
        Ok((u32::from_str_radix(&text, radix).map_err(|_| bad())?, from + n))
    };
    let plain = match kind {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'v' => '\x0b',
        '\\' | '\'' | '"' | '`' | '?' => kind,
        'x' | 'X' => return digits(at + 2, 2, 16),
        'u' if !bytes => return digits(at + 2, 4, 16),
        'U' if !bytes => return digits(at + 2, 8, 16),
        '0'..='3' => return digits(at + 1, 3, 8),
        _ => return Err(bad()),
    };
    Ok((u32::from(plain), at + 2))
}
