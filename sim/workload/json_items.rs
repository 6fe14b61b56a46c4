//! The elements of a large JSON array, one at a time, without holding the document.

use std::io::{self, BufRead};

/// The longest element that is kept; a longer one is a bad row.
pub(super) const MAX_ITEM: usize = 8 << 20;

/// Which part of a document holds the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// The elements of the top-level array (`None`), or of the array under this key of the top-level object.
    Array(Option<&'static str>),
    /// The members of the object under this key of the top-level object.
    Members(&'static str),
}

/// Walks one section of a document.
pub(super) struct JsonItems {
    reader: Box<dyn BufRead + Send>,
    section: Section,
    state: State,
    /// Line of the last byte read, from 1.
    line: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Document,
    Rows,
    Done,
}

/// Why the walk cannot go on.
#[derive(Debug)]
pub(super) enum WalkError {
    /// The bytes cannot be read.
    Io(io::Error),
    /// The document is not the JSON that was expected; with the line.
    Malformed(u64, String),
}

impl From<io::Error> for WalkError {
    fn from(error: io::Error) -> WalkError {
        WalkError::Io(error)
    }
}

/// An element found: its line, and whether it was longer than [`MAX_ITEM`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) line: u64,
    pub(super) too_long: bool,
}

impl JsonItems {
    pub(super) fn new(reader: Box<dyn BufRead + Send>, section: Section) -> JsonItems {
        JsonItems { reader, section, state: State::Start, line: 1 }
    }

    /// The next element into `item` (and for members its key into `key`), or `None` after the last.
    pub(super) fn next(&mut self, item: &mut Vec<u8>, key: &mut Vec<u8>) -> Result<Option<Found>, WalkError> {
        loop {
            match self.state {
                State::Done => return Ok(None),
                State::Start => self.begin()?,
                State::Document => self.find_section(item)?,
                State::Rows => {
                    let close = if matches!(self.section, Section::Array(_)) { b']' } else { b'}' };
                    let Some(first) = self.element_start(close)? else {
                        self.state = if self.section == Section::Array(None) { State::Done } else { State::Document };
                        continue;
                    };
                    let line = self.line;
                    if close == b'}' {
                        self.read_key(first, key)?;
                    }
                    let too_long = self.read_value(item)?;
                    return Ok(Some(Found { line, too_long }));
                }
            }
        }
    }

    fn begin(&mut self) -> Result<(), WalkError> {
        let (open, state) = match self.section {
            Section::Array(None) => (b'[', State::Rows),
            _ => (b'{', State::Document),
        };
        self.expect(open)?;
        self.state = state;
        Ok(())
    }

    /// Skips members of the document until the section begins or the document ends.
    fn find_section(&mut self, scratch: &mut Vec<u8>) -> Result<(), WalkError> {
        let (name, open) = match self.section {
            Section::Array(name) => (name.unwrap_or_default(), b'['),
            Section::Members(name) => (name, b'{'),
        };
        let Some(first) = self.element_start(b'}')? else {
            self.state = State::Done;
            return Ok(());
        };
        self.read_key(first, scratch)?;
        if scratch == name.as_bytes() {
            self.expect(open)?;
            self.state = State::Rows;
            return Ok(());
        }
        self.read_value(scratch).map(|_| ())
    }

    /// The first byte of the next element (not consumed), or `None` at `close`, which is consumed. Commas are skipped.
    fn element_start(&mut self, close: u8) -> Result<Option<u8>, WalkError> {
        loop {
            match self.peek()? {
                Some(b',') => self.skip(),
                Some(byte) if byte == close => {
                    self.skip();
                    return Ok(None);
                }
                Some(byte) => return Ok(Some(byte)),
                None => return Err(self.ended()),
            }
        }
    }

    fn read_key(&mut self, first: u8, key: &mut Vec<u8>) -> Result<(), WalkError> {
        if first != b'"' {
            return Err(self.malformed("a key in double quotes", first));
        }
        self.read_value(key)?;
        if key.len() >= 2 {
            key.pop();
            key.remove(0);
        }
        self.expect(b':')
    }

    /// The raw bytes of one value; whether it was cut.
    fn read_value(&mut self, item: &mut Vec<u8>) -> Result<bool, WalkError> {
        item.clear();
        let first = self.peek()?.ok_or_else(|| self.ended())?;
        let (mut depth, mut in_text, mut escaped, mut cut) = (0u64, false, false, false);
        let scalar = !matches!(first, b'{' | b'[' | b'"');
        loop {
            let Some(byte) = self.byte()? else {
                return if scalar { Ok(cut) } else { Err(self.ended()) };
            };
            if scalar && (matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace()) {
                // Nothing was consumed: the bracket closes what was never opened.
                return if item.is_empty() { Err(self.malformed("a value", byte)) } else { Ok(cut) };
            }
            self.skip();
            if item.len() < MAX_ITEM {
                item.push(byte)
            } else {
                cut = true
            }
            match byte {
                b'\n' => self.line += 1,
                _ if escaped => escaped = false,
                b'\\' if in_text => escaped = true,
                b'"' => in_text = !in_text,
                b'{' | b'[' if !in_text => depth += 1,
                b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
                _ => {}
            }
            if !scalar && depth == 0 && !in_text {
                return Ok(cut);
            }
        }
    }

    fn expect(&mut self, wanted: u8) -> Result<(), WalkError> {
        match self.peek()? {
            Some(byte) if byte == wanted => {
                self.skip();
                Ok(())
            }
            Some(byte) => Err(self.malformed(&format!("`{}`", char::from(wanted)), byte)),
            None => Err(self.ended()),
        }
    }

    /// The next byte that is not white space, not consumed.
    fn peek(&mut self) -> Result<Option<u8>, WalkError> {
        while let Some(byte) = self.byte()? {
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            self.line += u64::from(byte == b'\n');
            self.skip();
        }
        Ok(None)
    }

    fn byte(&mut self) -> Result<Option<u8>, WalkError> {
        Ok(self.reader.fill_buf()?.first().copied())
    }

    fn skip(&mut self) {
        self.reader.consume(1);
    }

    fn ended(&self) -> WalkError {
        WalkError::Malformed(self.line, "the JSON document ends too early".to_owned())
    }

    fn malformed(&self, wanted: &str, found: u8) -> WalkError {
        WalkError::Malformed(self.line, format!("expected {wanted}, found `{}`", char::from(found).escape_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::source::Input;

    fn walk(text: &str, section: Section) -> Result<Vec<(u64, String)>, String> {
        let mut items = JsonItems::new(Input::memory("x", text.as_bytes()).open().expect("opens"), section);
        let (mut item, mut key, mut all) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            match items.next(&mut item, &mut key) {
                Ok(None) => return Ok(all),
                Ok(Some(found)) => all
                    .push((found.line, format!("{}{}", String::from_utf8_lossy(&key), String::from_utf8_lossy(&item)))),
                Err(WalkError::Malformed(line, what)) => return Err(format!("{line}: {what}")),
                Err(WalkError::Io(error)) => return Err(error.to_string()),
            }
        }
    }

    #[test]
    fn elements_are_found_wherever_their_array_stands() {
        let text = "[1, \"a]\\\"\",\n {\"b\": [2, {}]} ,[ ]\n]";
        let want: Vec<(u64, String)> =
            [(1, "1"), (1, "\"a]\\\"\""), (2, "{\"b\": [2, {}]}"), (2, "[ ]")].map(|(l, t)| (l, t.to_owned())).into();
        assert_eq!(walk(text, Section::Array(None)), Ok(want));
        let text = "{\"x\": {\"jobs\": [9]}, \"jobs\": [1, 2], \"profiles\": {\"p\": 1, \"q\": {}}, \"z\": 3}";
        let show = |found: Result<Vec<(u64, String)>, String>| {
            found.map(|all| all.into_iter().map(|(_, t)| t).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(show(walk(text, Section::Array(Some("jobs")))), Ok("1 2".to_owned()));
        assert_eq!(show(walk(text, Section::Members("profiles"))), Ok("p1 q{}".to_owned()));
        assert_eq!(show(walk(text, Section::Members("none"))), Ok(String::new()));
    }

    #[test]
    fn damage_is_an_error() {
        for text in [
            "",
            "[",
            "[1",
            "[{",
            "[\"a",
            "{\"jobs\": [1,",
            "{jobs: []}",
            "[}]",
            "[1, }",
            "{\"jobs\": [}]}",
            "nonsense",
            "{\"jobs\" 3}",
            "{\"jobs\": 3}",
        ] {
            let section = if text.starts_with('{') { Section::Array(Some("jobs")) } else { Section::Array(None) };
            assert!(walk(text, section).is_err(), "{text}");
        }
    }
}
