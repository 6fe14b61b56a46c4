//! The string formats that the API server checks (kube-openapi `strfmt`, apiextensions `supportedVersionedFormats`).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;

use regex::Regex;

use crate::api::names::{parse_cidr, parse_ip};

const SUPPORTED: [&str; 22] = [
    "bsonobjectid",
    "uri",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "cidr",
    "mac",
    "uuid",
    "uuid3",
    "uuid4",
    "uuid5",
    "isbn",
    "isbn10",
    "isbn13",
    "creditcard",
    "ssn",
    "hexcolor",
    "rgbcolor",
    "byte",
    "password",
    "date",
];

/// The format, or empty if the API server does not check it (`int32`, `quantity`).
pub fn supported(format: &str) -> &str {
    let plain = format.replace('-', "");
    if SUPPORTED.contains(&plain.as_str()) || ["duration", "datetime"].contains(&plain.as_str()) { format } else { "" }
}

/// Whether `text` is of a format; true for formats that are not known.
pub fn is_valid(format: &str, text: &str) -> bool {
    match format.replace('-', "").as_str() {
        "bsonobjectid" => text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "uri" => is_request_uri(text),
        "email" => is_email(text),
        "hostname" => is_hostname(text),
        "ipv4" => text.contains('.') && parse_ipv4(text).is_some(),
        "ipv6" => text.contains(':') && text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => parse_cidr(text).is_some(),
        "mac" => is_mac(text),
        "uuid" => is_uuid(text, None),
        "uuid3" => is_uuid(text, Some('3')),
        "uuid4" => is_uuid(text, Some('4')),
        "uuid5" => is_uuid(text, Some('5')),
        "isbn" => is_isbn10(text) || is_isbn13(text),
        "isbn10" => is_isbn10(text),
        "isbn13" => is_isbn13(text),
        "creditcard" => is_credit_card(text),
        "ssn" => matches(&SSN, r"^[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}$", text),
        "hexcolor" => matches(&HEX, r"^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$", text),
        "rgbcolor" => is_rgb(text),
        "byte" => is_base64(text),
        "date" => is_date(text),
        "duration" => is_duration(text),
        "datetime" => is_date_time(text),
        _ => true,
    }
}

static SSN: OnceLock<Option<Regex>> = OnceLock::new();
static HEX: OnceLock<Option<Regex>> = OnceLock::new();
static RGB: OnceLock<Option<Regex>> = OnceLock::new();
static CARD: OnceLock<Option<Regex>> = OnceLock::new();
static HOSTNAME: OnceLock<Option<Regex>> = OnceLock::new();
static DATE_TIME: OnceLock<Option<Regex>> = OnceLock::new();

fn matches(cell: &OnceLock<Option<Regex>>, pattern: &str, text: &str) -> bool {
    cell.get_or_init(|| Regex::new(pattern).ok()).as_ref().is_some_and(|regex| regex.is_match(text))
}

fn parse_ipv4(text: &str) -> Option<Ipv4Addr> {
    match parse_ip(text)? {
        std::net::IpAddr::V4(ip) if !text.contains(':') => Some(ip),
        _ => None,
    }
}

/// `url.ParseRequestURI`: absolute, or a path from the root.
fn is_request_uri(text: &str) -> bool {
    if text.is_empty() || text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return false;
    }
    let escapes = text.match_indices('%').all(|(at, _)| {
        let digits = text.as_bytes().get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    let (scheme, rest) = match text.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
        Some(("", _)) => return false,
        _ => ("", text),
    };
    if !escapes || scheme.is_empty() && !rest.starts_with('/') {
        return false;
    }
    match rest.strip_prefix("//") {
        Some(after) if !scheme.is_empty() => {
            let authority = after.split(['/', '?', '#']).next().unwrap_or("");
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            let after_address = match host.strip_prefix('[') {
                Some(inside) => inside.split_once(']').map(|(_, port)| port),
                None => Some(host.find(':').map_or("", |at| &host[at..])),
            };
            let is_port = |port: &str| {
                port.is_empty()
                    || port.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            };
            after_address.is_some_and(is_port) && !host.contains([' ', '"', '<', '>', '\\', '^', '`', '{', '|', '}'])
        }
        _ => true,
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// `mail.ParseAddress` for addresses as they are written in manifests: `a@b`, `Name <a@b>`.
fn is_email(text: &str) -> bool {
    let text = text.trim();
    let address = match text.strip_suffix('>') {
        Some(inner) => match inner.rsplit_once('<') {
            Some((_, address)) => address,
            None => return false,
        },
        None => text,
    };
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let atom = |text: &str| {
        !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || !c.is_ascii())
    };
    let quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let literal = domain.starts_with('[') && domain.ends_with(']');
    (quoted || local.split('.').all(atom)) && (literal || domain.split('.').all(atom))
}

/// RFC 1034 with the extensions of go-openapi.
fn is_hostname(text: &str) -> bool {
    const PATTERN: &str = r"^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z0-9\p{S}\p{L}])(-?[a-zA-Z0-9\p{S}\p{L}]){1,62})$";
    text.len() <= 255 && text.split('.').all(|part| part.len() <= 63) && matches(&HOSTNAME, PATTERN, text)
}

/// `net.ParseMAC`: 6, 8 or 20 bytes with `:` or `-`, or groups of four digits with `.`.
fn is_mac(text: &str) -> bool {
    let hex = |group: &str, n: usize| group.len() == n && group.bytes().all(|byte| byte.is_ascii_hexdigit());
    let groups = |separator: char, digits: usize, counts: &[usize]| {
        let groups: Vec<&str> = text.split(separator).collect();
        counts.contains(&groups.len()) && groups.iter().all(|group| hex(group, digits))
    };
    groups(':', 2, &[6, 8, 20]) || groups('-', 2, &[6, 8, 20]) || groups('.', 4, &[3, 4, 10])
}

/// Hex digits with optional dashes; of a version, with its variant where the version has one.
fn is_uuid(text: &str, version: Option<char>) -> bool {
    let mut rest = text;
    for (index, digits) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if index > 0 {
            rest = rest.strip_prefix('-').unwrap_or(rest);
        }
        let Some((group, after)) = rest.split_at_checked(digits) else { return false };
        let variant = matches!(version, Some('4' | '5')) && index == 3;
        let bad_version = index == 2 && version.is_some_and(|version| !group.starts_with(version));
        let bad_variant = variant && !group.starts_with(['8', '9', 'a', 'b', 'A', 'B']);
        if !group.bytes().all(|byte| byte.is_ascii_hexdigit()) || bad_version || bad_variant {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

fn is_isbn10(text: &str) -> bool {
    let text: Vec<u32> = match digits_of_isbn(text, true) {
        Some(digits) if digits.len() == 10 => digits,
        _ => return false,
    };
    text.iter().zip(1..).map(|(digit, weight)| digit * weight).sum::<u32>() % 11 == 0
}

fn is_isbn13(text: &str) -> bool {
    let digits = match digits_of_isbn(text, false) {
        Some(digits) if digits.len() == 13 => digits,
        _ => return false,
    };
    digits.iter().zip([1, 3].into_iter().cycle()).map(|(digit, weight)| digit * weight).sum::<u32>() % 10 == 0
}

/// The digits without spaces and dashes; an X at the end is ten.
fn digits_of_isbn(text: &str, with_x: bool) -> Option<Vec<u32>> {
    let plain: Vec<char> = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let last = plain.len().checked_sub(1)?;
    let digit = |(at, c): (usize, &char)| match c {
        'X' if with_x && at == last => Some(10),
        c => c.to_digit(10),
    };
    plain.iter().enumerate().map(digit).collect()
}

fn is_credit_card(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let pattern = r"^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|(222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35[0-9]{3})[0-9]{11}|6[27][0-9]{14})$";
    let luhn = digits.chars().rev().filter_map(|c| c.to_digit(10)).enumerate().map(|(at, digit)| match at % 2 {
        0 => digit,
        _ if digit > 4 => digit * 2 - 9,
        _ => digit * 2,
    });
    matches(&CARD, pattern, &digits) && luhn.sum::<u32>() % 10 == 0
}

fn is_rgb(text: &str) -> bool {
    const BYTE: &str = r"(0|[1-9][0-9]?|1[0-9][0-9]?|2[0-4][0-9]|25[0-5])";
    matches(&RGB, &format!(r"^rgb\(\s*{BYTE}\s*,\s*{BYTE}\s*,\s*{BYTE}\s*\)$"), text)
}

/// Base64 with padding, not empty.
fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !text.is_empty()
        && text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

/// `2006-01-02`
fn is_date(text: &str) -> bool {
    text.len() == 10 && text.is_ascii() && text.parse::<jiff::civil::Date>().is_ok()
}

/// `date-time` of RFC 3339 as go-openapi reads it.
fn is_date_time(text: &str) -> bool {
    let Some((date, time)) = text.split_once(['T', 't']) else { return false };
    let pattern = r"^([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?(z|Z|([+-][0-9]{2}:[0-9]{2}))$";
    let part = |range: std::ops::Range<usize>, limit: u32| {
        time.get(range).and_then(|digits| digits.parse::<u32>().ok()).is_some_and(|number| number < limit)
    };
    is_date(date) && matches(&DATE_TIME, pattern, time) && part(0..2, 24) && part(3..5, 60) && part(6..8, 60)
}

/// `time.ParseDuration`, or a number with a unit in words, as Scala writes durations.
fn is_duration(text: &str) -> bool {
    is_go_duration(text) || is_scala_duration(text)
}

fn is_go_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    let mut n_parts = 0;
    while !rest.is_empty() {
        let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (digits, after) = rest.split_at(number);
        let unit = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"].into_iter().filter(|unit| after.starts_with(unit));
        let Some(unit) = unit.max_by_key(|unit| unit.len()) else { return false };
        if digits.matches('.').count() > 1 || !digits.bytes().any(|byte| byte.is_ascii_digit()) {
            return false;
        }
        rest = &after[unit.len()..];
        n_parts += 1;
    }
    n_parts > 0
}

fn is_scala_duration(text: &str) -> bool {
    const UNITS: [&str; 33] = [
        "ns",
        "nano",
        "nanos",
        "nanosecond",
        "nanoseconds",
        "us",
        "µs",
        "micro",
        "micros",
        "microsecond",
        "microseconds",
        "ms",
        "milli",
        "millis",
        "millisecond",
        "milliseconds",
        "s",
        "sec",
        "secs",
        "second",
        "seconds",
        "m",
        "min",
        "mins",
        "minute",
        "minutes",
        "h",
        "hr",
        "hour",
        "hours",
        "d",
        "day",
        "days",
    ];
    const WEEKS: [&str; 4] = ["w", "wk", "week", "weeks"];
    let number = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (digits, unit) = text.split_at(number);
    let unit = unit.trim().to_lowercase();
    !digits.is_empty() && (UNITS.contains(&unit.as_str()) || WEEKS.contains(&unit.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_accept_and_refuse() {
        for (format, text, expected) in [
            ("date-time", "2026-01-01T10:00:00Z", true),
            ("date-time", "2026-01-01T10:00:00.123+02:00", true),
            ("date-time", "2026-01-01 10:00:00Z", false),
            ("date-time", "2026-13-01T10:00:00Z", false),
            ("date-time", "2026-01-01T25:00:00Z", false),
            ("date", "2026-02-28", true),
            ("date", "2026-02-30", false),
            ("duration", "1h30m", true),
            ("duration", "22 ns", true),
            ("duration", "2 weeks", true),
            ("duration", "soon", false),
            ("duration", "1.5h", true),
            ("email", "a@example.com", true),
            ("email", "Ann <a@example.com>", true),
            ("email", "example.com", false),
            ("uri", "https://example.com/a?b=c", true),
            ("uri", "/path", true),
            ("uri", "example.com", false),
            ("uri", "http://a:b c/", false),
            ("hostname", "a.example.com", true),
            ("hostname", "-a.example.com", false),
            ("ipv4", "10.0.0.1", true),
            ("ipv4", "10.0.0", false),
            ("ipv4", "::1", false),
            ("ipv6", "2001:db8::1", true),
            ("cidr", "10.0.0.0/8", true),
            ("cidr", "10.0.0.0/33", false),
            ("mac", "01:23:45:67:89:ab", true),
            ("mac", "0123.4567.89ab", true),
            ("mac", "01:23:45", false),
            ("uuid", "123e4567-e89b-12d3-a456-426614174000", true),
            ("uuid4", "123e4567-e89b-12d3-a456-426614174000", false),
            ("isbn10", "0321751043", true),
            ("isbn13", "978-0321751041", true),
            ("isbn13", "978-0321751042", false),
            ("creditcard", "4111 1111 1111 1111", true),
            ("creditcard", "4111 1111 1111 1112", false),
            ("ssn", "123-45-6789", true),
            ("hexcolor", "#FFF", true),
            ("hexcolor", "#FFFF", false),
            ("rgbcolor", "rgb(1, 2, 255)", true),
            ("byte", "aGk=", true),
            ("byte", "aGk", false),
            ("bsonobjectid", "507f1f77bcf86cd799439011", true),
            ("password", "anything", true),
        ] {
            assert_eq!(is_valid(format, text), expected, "{format}: {text}");
        }
        assert_eq!(supported("int32"), "");
        assert_eq!(supported("date-time"), "date-time");
    }
}
