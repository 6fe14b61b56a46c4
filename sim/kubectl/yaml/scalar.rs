//! Strings in YAML: bare, quoted, or as a block, folded where a line grows too long.

/// The column after which a line is folded at the next space (yaml.v2, `best_width`).
const BEST_WIDTH: usize = 80;

/// Where a string stands: a key is never folded and never a block.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Place {
    Key,
    Value,
}

/// The text so far, and the column where it ends.
#[derive(Default)]
pub(super) struct Emitter {
    pub(super) out: String,
    column: usize,
}

impl Emitter {
    /// Writes text that has no line break.
    pub(super) fn bare(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    /// Ends the line and indents the next one.
    pub(super) fn new_line(&mut self, indent: usize) {
        self.end_line();
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    /// Ends the line.
    pub(super) fn end_line(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }

    /// Writes a string; its further lines are indented by `indent`.
    pub(super) fn string(&mut self, text: &str, indent: usize, place: Place) {
        let allowed = Allowed::of(text);
        if text.contains('\n') {
            if allowed.block && place == Place::Value {
                self.literal(text, indent);
            } else {
                self.double_quoted(text, indent, place);
            }
        } else if reads_as_other_type(text) {
            self.double_quoted(text, indent, place);
        } else if allowed.plain {
            self.plain(text, indent, place);
        } else if allowed.single_quoted {
            self.single_quoted(text, indent, place);
        } else {
            self.double_quoted(text, indent, place);
        }
    }

    fn is_long(&self, place: Place) -> bool {
        place == Place::Value && self.column > BEST_WIDTH
    }

    fn plain(&mut self, text: &str, indent: usize, place: Place) {
        let mut after_space = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if c == ' ' && self.is_long(place) && !after_space && chars.peek() != Some(&' ') {
                self.new_line(indent);
            } else {
                self.push(c);
            }
            after_space = c == ' ';
        }
    }

    fn single_quoted(&mut self, text: &str, indent: usize, place: Place) {
        self.push('\'');
        let mut after_space = false;
        let mut chars = text.char_indices().peekable();
        while let Some((index, c)) = chars.next() {
            let is_inside = index > 0 && index + 1 < text.len();
            let next_is_space = chars.peek().is_some_and(|(_, next)| *next == ' ');
            if c == ' ' && self.is_long(place) && !after_space && is_inside && !next_is_space {
                self.new_line(indent);
            } else {
                if c == '\'' {
                    self.push('\'');
                }
                self.push(c);
            }
            after_space = c == ' ';
        }
        self.push('\'');
    }

    fn double_quoted(&mut self, text: &str, indent: usize, place: Place) {
        self.push('"');
        let mut after_space = false;
        let mut chars = text.char_indices().peekable();
        while let Some((index, c)) = chars.next() {
            let is_inside = index > 0 && index + 1 < text.len();
            if c == ' ' && self.is_long(place) && !after_space && is_inside {
                self.new_line(indent);
                if chars.peek().is_some_and(|(_, next)| *next == ' ') {
                    self.push('\\');
                }
            } else if is_printable(c) && !is_break(c) && c != '"' && c != '\\' {
                self.push(c);
            } else {
                self.escaped(c);
            }
            after_space = c == ' ';
        }
        self.push('"');
    }

    fn escaped(&mut self, c: char) {
        let short = match c {
            '\0' => "\\0",
            '\x07' => "\\a",
            '\x08' => "\\b",
            '\t' => "\\t",
            '\n' => "\\n",
            '\x0b' => "\\v",
            '\x0c' => "\\f",
            '\r' => "\\r",
            '\x1b' => "\\e",
            '"' => "\\\"",
            '\\' => "\\\\",
            '\u{85}' => "\\N",
            '\u{a0}' => "\\_",
            '\u{2028}' => "\\L",
            '\u{2029}' => "\\P",
            _ => "",
        };
        if !short.is_empty() {
            return self.bare(short);
        }
        match c as u32 {
            code @ 0..=0xff => self.bare(&format!("\\x{code:02X}")),
            code @ 0x100..=0xffff => self.bare(&format!("\\u{code:04X}")),
            code => self.bare(&format!("\\U{code:08X}")),
        }
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.push('|');
        if text.starts_with([' ', '\n']) {
            self.push('2');
        }
        let body = match text.strip_suffix('\n') {
            None => {
                self.push('-');
                text
            }
            Some(body) => {
                if body.is_empty() || body.ends_with('\n') {
                    self.push('+');
                }
                body
            }
        };
        for line in body.split('\n') {
            if line.is_empty() {
                self.end_line();
            } else {
                self.new_line(indent);
                self.bare(line);
            }
        }
    }

    fn push(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }
}

/// The styles that a string may be written in (`yaml_emitter_analyze_scalar`).
struct Allowed {
    plain: bool,
    single_quoted: bool,
    block: bool,
}

impl Allowed {
    fn of(text: &str) -> Allowed {
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let (mut special, mut breaks, mut break_space, mut space_break) = (false, false, false, false);
        let mut previous = '\n';
        let mut chars = text.chars().peekable();
        let mut is_first = true;
        while let Some(c) = chars.next() {
            let followed_by_blank = chars.peek().is_none_or(|next| matches!(next, ' ' | '\t'));
            let preceded_by_blank = is_first || matches!(previous, ' ' | '\t') || is_break(previous);
            indicators |= match c {
                '#' => preceded_by_blank,
                ':' => followed_by_blank,
                ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => is_first,
                '?' | '-' => is_first && followed_by_blank,
                _ => false,
            };
            special |= !is_printable(c);
            breaks |= is_break(c);
            break_space |= c == ' ' && !is_first && is_break(previous);
            space_break |= is_break(c) && previous == ' ';
            previous = c;
            is_first = false;
        }
        let at_edge = |c: char| c == ' ' || is_break(c);
        let edges = text.starts_with(at_edge) || text.ends_with(at_edge);
        Allowed {
            plain: !(indicators || special || breaks || edges),
            single_quoted: !(break_space || space_break || special),
            block: !(space_break || special || text.ends_with(' ')),
        }
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && c != '\u{feff}'
}

/// Whether the bare string would be read as something else than a string (yaml.v2, `resolve`).
fn reads_as_other_type(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return true };
    match first {
        'y' | 'Y' | 'n' | 'N' | 't' | 'T' | 'f' | 'F' | 'o' | 'O' | '~' => is_word(text),
        '.' => matches!(text, ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF") || is_go_float(text),
        '+' | '-' | '0'..='9' => is_signed_infinity(text) || is_timestamp(text) || is_number(text) || is_base_60(text),
        _ => false,
    }
}

fn is_word(text: &str) -> bool {
    let words = ["y", "yes", "true", "on", "n", "no", "false", "off", "null"];
    let is = |word: &str| {
        let capital = word[..1].to_uppercase() + &word[1..];
        text == word || text == capital || text == word.to_uppercase()
    };
    text == "~" || words.iter().any(|word| is(word))
}

fn is_signed_infinity(text: &str) -> bool {
    text.strip_prefix(['+', '-']).is_some_and(|rest| matches!(rest, ".inf" | ".Inf" | ".INF"))
}

/// What Go's `ParseFloat` reads, of texts that begin with a point.
fn is_go_float(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte)) && text.parse::<f64>().is_ok()
}

fn is_number(text: &str) -> bool {
    let plain = text.replace('_', "");
    let unsigned = plain.strip_prefix(['+', '-']).unwrap_or(&plain);
    is_integer(unsigned) || is_float(unsigned)
}

/// An integer as Go's `ParseInt` with base 0 reads it.
fn is_integer(unsigned: &str) -> bool {
    let (digits, base) = match unsigned.get(..2) {
        Some("0x" | "0X") => (&unsigned[2..], 16),
        Some("0b" | "0B") => (&unsigned[2..], 2),
        Some("0o" | "0O") => (&unsigned[2..], 8),
        _ if unsigned.len() > 1 && unsigned.starts_with('0') => (&unsigned[1..], 8),
        _ => (unsigned, 10),
    };
    !digits.is_empty() && digits.chars().all(|c| c.is_digit(base)) && u64::from_str_radix(digits, base).is_ok()
}

/// `[0-9]*\.?[0-9]+([eE][-+][0-9]+)?`
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(a, b)| (a, Some(b)));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or(("", mantissa));
    let is_mantissa = !fraction.is_empty() && digits(whole) && digits(fraction);
    let is_exponent = |text: &str| text.strip_prefix(['+', '-']).is_some_and(|rest| !rest.is_empty() && digits(rest));
    is_mantissa && exponent.is_none_or(is_exponent)
}

/// `1:30`, `12:30:45.5`: numbers to the base 60 of YAML 1.1.
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut groups = whole.split(':');
    let first = groups.next().unwrap_or_default();
    let is_first = first.starts_with(|c: char| c.is_ascii_digit())
        && first.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let is_sixtieth = |group: &str| match group.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [tens, digit] => (b'0'..=b'5').contains(tens) && digit.is_ascii_digit(),
        _ => false,
    };
    let rest: Vec<&str> = groups.collect();
    is_first
        && !rest.is_empty()
        && rest.into_iter().all(is_sixtieth)
        && fraction.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
}

/// A date, or a date and a time with a zone after `T`, or without one after a space.
fn is_timestamp(text: &str) -> bool {
    let Some((date, time)) = text.split_once(['T', 't', ' ']).map(|(a, b)| (a, Some(b))).or(Some((text, None))) else {
        return false;
    };
    let fields: Vec<&str> = date.split('-').collect();
    let number =
        |text: &str, max: u32| (1..=2).contains(&text.len()) && text.parse::<u32>().is_ok_and(|number| number <= max);
    let [year, month, day] = fields.as_slice() else { return false };
    let is_year = year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    let is_date = is_year && number(month, 12) && *month != "0" && number(day, 31) && *day != "0";
    let Some(time) = time else { return is_date };
    let clock_end = time.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(time.len());
    let (clock, zone) = time.split_at(clock_end);
    let clock_fields: Vec<&str> = clock.split(':').collect();
    let [hour, minute, second] = clock_fields.as_slice() else { return false };
    let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
    let is_clock = number(hour, 23)
        && number(minute, 59)
        && number(second, 59)
        && !fraction.is_empty()
        && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let is_zone = match text.as_bytes().get(date.len()) {
        Some(b' ') => zone.is_empty(),
        _ => zone == "Z" || is_offset(zone),
    };
    is_date && is_clock && is_zone
}

fn is_offset(zone: &str) -> bool {
    let Some(rest) = zone.strip_prefix(['+', '-']) else { return false };
    rest.split_once(':').is_some_and(|(hours, minutes)| {
        let two = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        two(hours) && two(minutes)
    })
}
