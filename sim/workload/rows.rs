//! The records of a file one after another, with the place of each for messages.

use std::io::BufRead;
use std::sync::Arc;

use serde_json::Value;

use super::format::{Header, Layout};
use super::json_items::{Found, JsonItems, Section, WalkError};
use super::row::{self, Bad, Body, Column, Delimiter, Fields, Read, Record};
use super::source::{Input, Line, MAX_LINE, read_line};
use crate::error::{Error, Place, Result};

/// A pass over the records of one file. Memory is bounded by the longest row that is accepted.
pub(super) struct Rows {
    input: Input,
    text: Vec<u8>,
    key: Vec<u8>,
    line_no: u64,
    too_long: bool,
    /// Number of the record in `text`.
    number: u64,
    n_records: u64,
    source: Source,
    scratch: String,
    ranges: Vec<(usize, usize)>,
    starts: Vec<usize>,
}

enum Source {
    Table { reader: Box<dyn BufRead + Send>, table: Table, held: bool },
    Lines(Box<dyn BufRead + Send>),
    Items(JsonItems, Section),
}

struct Table {
    delimiter: Delimiter,
    comment: Option<char>,
    columns: &'static [Column],
    places: Vec<Option<usize>>,
    /// The field of the last column that a row must have.
    last_needed: usize,
}

impl Rows {
    /// Opens the file; `first` reads what comes before the rows of a document instead of its rows.
    pub(super) fn open(input: &Input, layout: Layout, first: bool) -> Result<Rows> {
        let reader = input.open()?;
        let source = match layout {
            Layout::JsonLines => Source::Lines(reader),
            Layout::Json { rows, before } => {
                let section = if first { before.unwrap_or(rows) } else { rows };
                Source::Items(JsonItems::new(reader, section), section)
            }
            Layout::Table { delimiter, comment, columns, .. } => {
                let table = Table { delimiter, comment, columns, places: Vec::new(), last_needed: 0 };
                Source::Table { reader, table, held: false }
            }
        };
        let mut rows = Rows {
            input: input.clone(),
            text: Vec::new(),
            key: Vec::new(),
            line_no: 0,
            too_long: false,
            number: 0,
            n_records: 0,
            source,
            scratch: String::new(),
            ranges: Vec::new(),
            starts: Vec::new(),
        };
        if let Layout::Table { header, .. } = layout {
            rows.read_header(header)?;
        }
        Ok(rows)
    }

    /// Moves to the next record and returns its number, or `None` after the last.
    pub(super) fn advance(&mut self) -> Result<Option<u64>> {
        if !self.read_record()? {
            return Ok(None);
        }
        self.number = self.n_records;
        self.n_records += 1;
        Ok(Some(self.number))
    }

    /// Reads the record moved to; an error has its place.
    pub(super) fn read<T>(&mut self, interpret: impl FnOnce(&Record) -> Read<T>) -> Result<T> {
        self.interpret(interpret).map_err(|bad| self.place(bad))
    }

    fn interpret<T>(&mut self, interpret: impl FnOnce(&Record) -> Read<T>) -> Read<T> {
        if self.too_long {
            return Err(
                Bad::new(format!("is longer than {} MiB", self.limit() >> 20)).help("is this the right format?")
            );
        }
        let number = self.number;
        let text = match std::str::from_utf8(&self.text) {
            Ok(text) => text,
            Err(error) => return Err(Bad::new(format!("byte {} is not UTF-8", error.valid_up_to() + 1))),
        };
        match &self.source {
            Source::Table { table, .. } => {
                let text = row::split(text, table.delimiter, &mut self.scratch, &mut self.ranges, &mut self.starts)?;
                let n = self.ranges.len();
                if n <= table.last_needed {
                    let missing = table.places.iter().position(|place| place.is_some_and(|place| place >= n));
                    let name = missing.map_or("", |column| table.columns[column].name);
                    return Err(Bad::new(format!("the row has {n} fields, column `{name}` is missing"))
                        .help(format!("a row has at least {}", table.last_needed + 1)));
                }
                let fields = Fields { columns: table.columns, places: &table.places, text, ranges: &self.ranges };
                interpret(&Record { number, body: Body::Fields(&fields) })
            }
            Source::Lines(_) | Source::Items(..) => {
                let value: Value =
                    serde_json::from_str(text).map_err(|error| Bad::new(format!("is not JSON: {error}")))?;
                let key = String::from_utf8_lossy(&self.key);
                let body = match &self.source {
                    Source::Items(_, Section::Members(_)) => Body::Member(&key, &value),
                    _ => Body::Json(&value),
                };
                interpret(&Record { number, body })
            }
        }
    }

    /// Reads the next record that is not blank and not a comment into `text`.
    fn read_record(&mut self) -> Result<bool> {
        match &mut self.source {
            Source::Items(items, _) => {
                let found = items.next(&mut self.text, &mut self.key);
                return self.found(found);
            }
            Source::Table { held: held @ true, .. } => {
                *held = false;
                return Ok(true);
            }
            Source::Table { .. } | Source::Lines(_) => {}
        }
        loop {
            let (reader, comment) = match &mut self.source {
                Source::Table { reader, table, .. } => (reader, table.comment),
                Source::Lines(reader) => (reader, None),
                Source::Items(..) => return Ok(false),
            };
            let line = read_line(&mut **reader, &mut self.text, MAX_LINE);
            match line.map_err(|error| self.input.unreadable(&error))? {
                Line::End => return Ok(false),
                found => self.too_long = found == Line::TooLong,
            }
            self.line_no += 1;
            match self.text.iter().find(|byte| !byte.is_ascii_whitespace()) {
                None => {}
                Some(&byte) if comment == Some(char::from(byte)) => {}
                Some(_) => return Ok(true),
            }
        }
    }

    fn found(&mut self, found: Result<Option<Found>, WalkError>) -> Result<bool> {
        match found {
            Ok(None) => Ok(false),
            Ok(Some(Found { line, too_long })) => {
                self.line_no = line;
                self.too_long = too_long;
                Ok(true)
            }
            Err(WalkError::Io(error)) => Err(self.input.unreadable(&error)),
            Err(WalkError::Malformed(line, what)) => {
                self.line_no = line;
                self.text.clear();
                Err(self.place(Bad::new(what).help("is the file whole, and of this format?")))
            }
        }
    }

    fn read_header(&mut self, header: Header) -> Result<()> {
        let Source::Table { table, .. } = &mut self.source else { return Ok(()) };
        let positional = (0..table.columns.len()).map(Some).collect();
        let n_needed = table.columns.iter().rposition(|column| column.required).unwrap_or(0);
        if header == Header::Positional {
            (table.places, table.last_needed) = (positional, n_needed);
            return Ok(());
        }
        if !self.read_record()? {
            let error = Error::new(format!("{}: the file is empty", self.input.name()));
            return Err(error.help("a trace of this format begins with a line that names its columns"));
        }
        let line = String::from_utf8_lossy(&self.text).into_owned();
        let Source::Table { table, held, .. } = &mut self.source else { return Ok(()) };
        let split = row::split(&line, table.delimiter, &mut self.scratch, &mut self.ranges, &mut self.starts);
        let text = match split {
            Ok(text) => text,
            Err(bad) => return Err(self.place(bad)),
        };
        let names: Vec<String> =
            self.ranges.iter().map(|&(start, end)| text[start..end].trim().to_lowercase()).collect();
        if header == Header::Either && names.first().is_none_or(|name| *name != table.columns[0].name) {
            (table.places, table.last_needed, *held) = (positional, n_needed, true);
            return Ok(());
        }
        table.places = table.columns.iter().map(|column| names.iter().position(|name| *name == column.name)).collect();
        let mut pairs = table.columns.iter().zip(&table.places);
        if let Some((column, _)) = pairs.clone().find(|(column, place)| column.required && place.is_none()) {
            let needed: Vec<&str> = table.columns.iter().filter(|c| c.required).map(|c| c.name).collect();
            let bad = Bad::new(format!("the header has no column `{}`", column.name));
            return Err(self.place(bad.help(format!("this format needs: {}", needed.join(", ")))));
        }
        table.last_needed =
            pairs.by_ref().filter(|(column, _)| column.required).filter_map(|(_, place)| *place).max().unwrap_or(0);
        Ok(())
    }

    fn limit(&self) -> usize {
        match self.source {
            Source::Items(..) => super::json_items::MAX_ITEM,
            _ => MAX_LINE,
        }
    }

    /// The error of the record at hand, with its place.
    fn place(&self, bad: Bad) -> Error {
        let shown: String =
            String::from_utf8_lossy(&self.text[..self.text.len().min(2000)]).chars().take(500).collect();
        let (start, width) = match bad.field.and_then(|field| self.starts.get(field).zip(self.ranges.get(field))) {
            Some((&start, &(from, to))) => {
                let before = String::from_utf8_lossy(&self.text[..start.min(self.text.len())]).chars().count();
                (before, (to - from).clamp(1, 200))
            }
            None => (0, 1),
        };
        let source: Option<Arc<str>> = shown.lines().next().map(Arc::from).filter(|_| start < 500);
        let place = Place {
            file: Arc::clone(self.input.name()),
            line: u32::try_from(self.line_no).unwrap_or(u32::MAX),
            column: u32::try_from(start + 1).unwrap_or(u32::MAX),
            width: width as u32,
            source,
        };
        Error { place: Some(place), what: bad.what, help: bad.help }
    }
}
