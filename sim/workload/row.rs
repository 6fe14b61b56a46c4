//! One record of a trace: the fields of a line under the names of their columns, or one JSON value.

use serde_json::Value;

use super::number::{self, NumberError};
use super::time_text;
use crate::engine::Span;

/// A column of a format.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// Its name in the header or in the format's documentation.
    pub(super) name: &'static str,
    /// Whether a file may lack it.
    pub(super) required: bool,
}

/// A column that must be there.
pub(super) const fn need(name: &'static str) -> Column {
    Column { name, required: true }
}

/// A column that may be missing.
pub(super) const fn may(name: &'static str) -> Column {
    Column { name, required: false }
}

/// Why a row is refused; the reader adds file and line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    /// Index of the field in the row, if one is to blame.
    pub(super) field: Option<usize>,
    pub(super) what: String,
    pub(super) help: Option<String>,
}

/// The result of reading a row or a field of it.
pub(super) type Read<T> = Result<T, Bad>;

impl Bad {
    pub(super) fn new(what: impl Into<String>) -> Bad {
        Bad { field: None, what: what.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Bad {
        self.help = Some(help.into());
        self
    }
}

/// One record: its number among the records of the file, from 0, and its content.
pub(super) struct Record<'a> {
    pub(super) number: u64,
    pub(super) body: Body<'a>,
}

/// The content of a record.
pub(super) enum Body<'a> {
    /// A line of a table.
    Fields(&'a Fields<'a>),
    /// One element of a JSON array, or one line of JSON lines.
    Json(&'a Value),
    /// One member of the table beside the array: its key and value.
    Member(&'a str, &'a Value),
}

/// The fields of one line.
pub(super) struct Fields<'a> {
    pub(super) columns: &'static [Column],
    /// For each column the index of its field.
    pub(super) places: &'a [Option<usize>],
    pub(super) text: &'a str,
    pub(super) ranges: &'a [(usize, usize)],
}

impl<'a> Record<'a> {
    /// The fields of a line; a record of JSON has none.
    pub(super) fn fields(&self) -> Read<&'a Fields<'a>> {
        match self.body {
            Body::Fields(fields) => Ok(fields),
            _ => Err(Bad::new("is not a line of a table")),
        }
    }

    /// The value of a JSON record.
    pub(super) fn json(&self) -> Read<&'a Value> {
        match self.body {
            Body::Json(value) => Ok(value),
            _ => Err(Bad::new("is not JSON")),
        }
    }
}

impl<'a> Fields<'a> {
    /// Number of fields in the line.
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// The trimmed text of a column; empty if it is absent.
    pub(super) fn text(&self, column: usize) -> &'a str {
        let field = self.places[column].and_then(|field| self.ranges.get(field));
        field.map_or("", |&(start, end)| self.text[start..end].trim())
    }

    /// The text of a column that may not be empty.
    pub(super) fn some_text(&self, column: usize) -> Read<&'a str> {
        match self.text(column) {
            "" => Err(self.bad(column, "is empty", "every row needs it")),
            text => Ok(text),
        }
    }

    /// The text of a column, or `None` if it is empty.
    pub(super) fn optional(&self, column: usize) -> Option<String> {
        Some(self.text(column)).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// A number times `scale`, not negative.
    pub(super) fn amount(&self, column: usize, scale: i64) -> Read<i64> {
        match self.scaled(column, scale)? {
            x if x < 0 => Err(self.bad(column, &format!("is negative: `{}`", self.text(column)), "amounts start at 0")),
            x => Ok(x),
        }
    }

    /// A number times `scale`, not negative; 0 where the field is empty or says that it is unknown (`-1`, `NaN`).
    pub(super) fn amount_or_zero(&self, column: usize, scale: i64) -> Read<i64> {
        if is_unknown(self.text(column)) { Ok(0) } else { self.amount(column, scale) }
    }

    /// A whole number of things, 0 to 2^32 - 1.
    pub(super) fn count(&self, column: usize) -> Read<u32> {
        let text = self.text(column);
        let milli = self.amount(column, 1000)?;
        match u32::try_from(milli / 1000) {
            Ok(n) if milli % 1000 == 0 => Ok(n),
            Ok(_) => Err(self.bad(column, &format!("is not a whole number: `{text}`"), "a count such as `4`")),
            Err(_) => Err(self.bad(column, &format!("is too large: `{text}`"), "at most 4294967295")),
        }
    }

    /// A count that is 0 where the field is empty or unknown.
    pub(super) fn count_or_zero(&self, column: usize) -> Read<u32> {
        if is_unknown(self.text(column)) { Ok(0) } else { self.count(column) }
    }

    /// Microseconds of an instant given in seconds, which may be negative.
    pub(super) fn seconds(&self, column: usize) -> Read<i64> {
        self.scaled(column, 1_000_000)
    }

    /// Microseconds of an instant in seconds, or `None` where the field is empty or unknown.
    pub(super) fn seconds_if_any(&self, column: usize) -> Read<Option<i64>> {
        if is_unknown(self.text(column)) { Ok(None) } else { self.seconds(column).map(Some) }
    }

    /// A span in seconds, or `None` where the field is empty or unknown.
    pub(super) fn span_if_any(&self, column: usize) -> Read<Option<Span>> {
        if is_unknown(self.text(column)) {
            return Ok(None);
        }
        Ok(Some(Span::from_micros(self.amount(column, 1_000_000)?.unsigned_abs())))
    }

    /// Microseconds since 1970 of a date with time, or of a plain number of seconds.
    pub(super) fn date(&self, column: usize) -> Read<i64> {
        let text = self.some_text(column)?;
        time_text::micros(text).ok_or_else(|| {
            self.bad(
                column,
                &format!("is not a time: `{text}`"),
                "such as `2020-04-01 00:00:43` or a number of seconds",
            )
        })
    }

    /// The span from one column's instant to another's, both in microseconds; an end before its start is an error.
    pub(super) fn span_between(&self, start: i64, end: i64, end_column: usize) -> Read<Span> {
        match end.checked_sub(start) {
            Some(us) if us >= 0 => Ok(Span::from_micros(us.unsigned_abs())),
            _ => Err(self.bad(end_column, "is before the start", "an end lies at or after its start")),
        }
    }

    /// A priority; out of range is an error.
    pub(super) fn priority(&self, column: usize) -> Read<Option<i32>> {
        if self.text(column).is_empty() {
            return Ok(None);
        }
        let value = self.scaled(column, 1)?;
        i32::try_from(value).map(Some).map_err(|_| self.bad(column, "is too large", "a 32-bit number"))
    }

    /// Blames `column`.
    pub(super) fn bad(&self, column: usize, what: &str, help: &str) -> Bad {
        let name = self.columns[column].name;
        Bad { field: self.places[column], what: format!("column `{name}` {what}"), help: Some(help.to_owned()) }
    }

    fn scaled(&self, column: usize, scale: i64) -> Read<i64> {
        let text = self.some_text(column)?;
        number::scaled(text, scale).map_err(|error: NumberError| {
            let text: String = text.chars().take(60).collect();
            self.bad(column, &format!("{}: `{text}`", error.what()), "a plain decimal number")
        })
    }
}

/// Whether a field says that its value is not known.
pub(super) fn is_unknown(text: &str) -> bool {
    matches!(text, "" | "-1" | "-1.0" | "NaN" | "nan" | "None" | "NULL" | "null")
}

/// Splits a line at `delimiter` into byte ranges. A comma-separated field may stand in double quotes (RFC 4180), but not run over the
/// end of its line. Ranges refer to the returned text, which is `line` itself or, with quotes, `scratch`; `starts` are places in `line`.
pub(super) fn split<'a>(
    line: &'a str,
    delimiter: Delimiter,
    scratch: &'a mut String,
    ranges: &mut Vec<(usize, usize)>,
    starts: &mut Vec<usize>,
) -> Read<&'a str> {
    ranges.clear();
    starts.clear();
    if delimiter == Delimiter::Comma && line.contains('"') {
        split_quoted(line, scratch, ranges, starts)?;
        return Ok(scratch);
    }
    let mut push = |start: usize, end: usize| {
        ranges.push((start, end));
        starts.push(start);
    };
    if delimiter == Delimiter::Spaces {
        let base = line.as_ptr() as usize;
        for word in line.split_ascii_whitespace() {
            let start = word.as_ptr() as usize - base;
            push(start, start + word.len());
        }
        return Ok(line);
    }
    let byte = if delimiter == Delimiter::Comma { b',' } else { b'\t' };
    let mut start = 0;
    for (i, &b) in line.as_bytes().iter().enumerate() {
        if b == byte {
            push(start, i);
            start = i + 1;
        }
    }
    push(start, line.len());
    Ok(line)
}

/// What separates the fields of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delimiter {
    Comma,
    Tab,
    Spaces,
}

fn split_quoted(
    line: &str,
    scratch: &mut String,
    ranges: &mut Vec<(usize, usize)>,
    starts: &mut Vec<usize>,
) -> Read<()> {
    scratch.clear();
    let mut rest = line.char_indices().peekable();
    loop {
        let start = scratch.len();
        starts.push(rest.peek().map_or(line.len(), |&(at, _)| at));
        let quoted = rest.next_if(|&(_, c)| c == '"').is_some();
        let mut open = quoted;
        while let Some(&(_, c)) = rest.peek() {
            if !open && c == ',' {
                break;
            }
            rest.next();
            match c {
                '"' if open && rest.next_if(|&(_, c)| c == '"').is_some() => scratch.push('"'),
                '"' if open => open = false,
                c => scratch.push(c),
            }
        }
        ranges.push((start, scratch.len()));
        if open {
            let bad = Bad { field: Some(ranges.len() - 1), ..Bad::new("a quoted field does not end on its line") };
            return Err(bad.help("close it with `\"`"));
        }
        if rest.next().is_none() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(line: &str, delimiter: Delimiter) -> Read<Vec<String>> {
        let (mut scratch, mut ranges, mut starts) = (String::new(), Vec::new(), Vec::new());
        let text = split(line, delimiter, &mut scratch, &mut ranges, &mut starts)?.to_owned();
        assert_eq!(ranges.len(), starts.len());
        Ok(ranges.iter().map(|&(start, end)| text[start..end].to_owned()).collect())
    }

    #[test]
    fn lines_are_split_as_their_format_says() {
        assert_eq!(fields("a,,b,", Delimiter::Comma).expect("splits"), ["a", "", "b", ""]);
        assert_eq!(fields("", Delimiter::Comma).expect("splits"), [""]);
        assert_eq!(fields("a \"b\tc", Delimiter::Tab).expect("splits"), ["a \"b", "c"]);
        assert_eq!(fields("  1   -1 x ", Delimiter::Spaces).expect("splits"), ["1", "-1", "x"]);
        assert_eq!(fields("\"a,b\",c,\"d\"\"e\",ü", Delimiter::Comma).expect("splits"), ["a,b", "c", "d\"e", "ü"]);
        assert_eq!(fields("x,\"open", Delimiter::Comma).expect_err("refused").field, Some(1));
    }
}
