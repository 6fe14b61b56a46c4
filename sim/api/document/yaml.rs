//! YAML text to JSON values over saphyr's events, with bounds on depth and on what aliases expand to.

use super::scalar;
use crate::error::{Error, Result};
use rustc_hash::FxHashMap;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Value};

/// How deep a document may nest.
pub const MAX_DEPTH: usize = 100;
/// What all aliases of a document may expand to: nodes, and one more for every 64 bytes of text.
const MAX_ALIAS_WEIGHT: usize = 200_000;

/// A problem at a line and a column (both from 1) of the text that was given.
#[derive(Debug)]
pub struct Problem {
    pub line: u32,
    pub column: u32,
    pub error: Error,
}

/// Every document of `text`; an empty document is `null`.
pub fn parse(text: &str) -> Result<Vec<Value>, Problem> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Problem {
            line: error.marker().line() as u32,
            column: error.marker().col() as u32 + 1,
            error: syntax(error.info()),
        })?;
        builder.take(event, span).map_err(|error| problem_at(span, error))?;
    }
    Ok(builder.documents)
}

/// The first document of `text` as go-yaml reads it where keys may be there twice: the last one counts. Gives the value, and for each
/// such key the line (from 1) on which its value begins, and the key.
pub fn parse_first(text: &str) -> Result<(Value, Vec<(u32, String)>), Problem> {
    let mut builder = Builder { repeated: Some(Vec::new()), ..Builder::default() };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Problem {
            line: error.marker().line() as u32,
            column: error.marker().col() as u32 + 1,
            error: syntax(error.info()),
        })?;
        builder.take(event, span).map_err(|error| problem_at(span, error))?;
        if let Some(first) = builder.documents.pop() {
            return Ok((first, builder.repeated.unwrap_or_default()));
        }
    }
    Ok((Value::Null, Vec::new()))
}

fn problem_at(span: Span, error: Error) -> Problem {
    Problem { line: span.start.line() as u32, column: span.start.col() as u32 + 1, error }
}

fn syntax(info: &str) -> Error {
    let error = Error::new(format!("not valid YAML: {info}"));
    if info.contains("tab") {
        return error.help("indent with spaces, not tabs");
    }
    if info.contains("mapping values") || info.contains("simple key") {
        return error.help("quote a value that contains `: `, or check the indentation");
    }
    error
}

/// A sequence or mapping that is being read.
enum Frame {
    Sequence { items: Vec<Value>, anchor: usize, line: u32 },
    Mapping { map: Map<String, Value>, merged: Vec<Value>, key: Key, anchor: usize, line: u32 },
}

enum Key {
    Awaited,
    Merge,
    Named(String),
}

#[derive(Default)]
struct Builder {
    frames: Vec<Frame>,
    anchors: FxHashMap<usize, (Value, usize)>,
    weight: usize,
    root: Option<Value>,
    documents: Vec<Value>,
    /// Keys that are there twice, if they may be: the line of the value, and the key.
    repeated: Option<Vec<(u32, String)>>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<()> {
        let line = span.start.line() as u32;
        match event {
            Event::DocumentStart(_) => {
                self.root = None;
                self.anchors.clear();
                self.weight = 0;
            }
            Event::DocumentEnd => self.documents.push(self.root.take().unwrap_or(Value::Null)),
            Event::SequenceStart(anchor, _) => self.open(Frame::Sequence { items: Vec::new(), anchor, line })?,
            Event::MappingStart(anchor, _) => {
                let frame = Frame::Mapping { map: Map::new(), merged: Vec::new(), key: Key::Awaited, anchor, line };
                self.open(frame)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
            Event::Scalar(text, style, anchor, tag) => {
                if self.awaits_key() && style == ScalarStyle::Plain && text == "<<" {
                    self.set_key(Key::Merge);
                    return Ok(());
                }
                let value = scalar_value(&text, style, tag.as_deref())?;
                self.finish(value, anchor, line)?;
            }
            Event::Alias(id) => {
                let Some((value, weight)) = self.anchors.get(&id) else {
                    return Err(Error::new("the alias is used inside the value it names"));
                };
                let (value, weight) = (value.clone(), *weight);
                self.charge(weight)?;
                self.finish(value, 0, line)?;
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd => {}
        }
        Ok(())
    }

    fn open(&mut self, frame: Frame) -> Result<()> {
        if self.frames.len() >= MAX_DEPTH {
            return Err(Error::new(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        if self.awaits_key() {
            return Err(template_key());
        }
        self.frames.push(frame);
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        let (value, anchor, line) = match self.frames.pop() {
            Some(Frame::Sequence { items, anchor, line }) => (Value::Array(items), anchor, line),
            Some(Frame::Mapping { mut map, merged, anchor, line, .. }) => {
                merge(&mut map, merged)?;
                (Value::Object(map), anchor, line)
            }
            None => return Ok(()),
        };
        self.finish(value, anchor, line)
    }

    /// Puts a finished value, which began on `line`, where it belongs and remembers it under its anchor.
    fn finish(&mut self, value: Value, anchor: usize, line: u32) -> Result<()> {
        if anchor > 0 {
            let weight = weight(&value);
            self.charge(weight)?;
            self.anchors.insert(anchor, (value.clone(), weight));
        }
        match self.frames.last_mut() {
            None => self.root = Some(value),
            Some(Frame::Sequence { items, .. }) => items.push(value),
            Some(Frame::Mapping { map, merged, key, .. }) => match std::mem::replace(key, Key::Awaited) {
                Key::Awaited => {
                    let name = scalar::key(&value).ok_or_else(template_key)?;
                    if self.repeated.is_none() && map.contains_key(&name) {
                        return Err(Error::new(format!("key {name:?} already set in map"))
                            .help("remove one of the two: a mapping may have a key once"));
                    }
                    *key = Key::Named(name);
                }
                Key::Merge => merged.push(value),
                Key::Named(name) => {
                    if map.insert(name.clone(), value).is_some()
                        && let Some(repeated) = &mut self.repeated
                    {
                        repeated.push((line, name));
                    }
                }
            },
        }
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame::Mapping { key: Key::Awaited, .. }))
    }

    fn set_key(&mut self, new: Key) {
        if let Some(Frame::Mapping { key, .. }) = self.frames.last_mut() {
            *key = new;
        }
    }

    fn charge(&mut self, weight: usize) -> Result<()> {
        self.weight += weight;
        if self.weight > MAX_ALIAS_WEIGHT {
            return Err(Error::new("the aliases of this document expand to too much")
                .help("write the repeated parts out, or in separate documents"));
        }
        Ok(())
    }
}

fn template_key() -> Error {
    Error::new("a mapping key must be a string, a number or a boolean")
        .help("`{{ ... }}` is a template: render it first, for example with `helm template`")
}

fn scalar_value(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value> {
    let tag = tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str());
    match tag {
        Some("str") => Ok(Value::String(text.to_owned())),
        Some("binary") => {
            let bytes = crate::api::base64::decode(text)
                .map_err(|_| Error::new("!!binary value contains invalid base64 data"))?;
            Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned()))
        }
        Some("int" | "float" | "bool" | "null") => Ok(scalar::resolve(text)),
        _ if style == ScalarStyle::Plain => Ok(scalar::resolve(text)),
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// Adds the entries of `<<` that the mapping itself does not have; the first of several wins.
fn merge(map: &mut Map<String, Value>, merged: Vec<Value>) -> Result<()> {
    for value in merged {
        let parts = match value {
            Value::Array(parts) => parts,
            value => vec![value],
        };
        for part in parts {
            let Value::Object(part) = part else {
                return Err(Error::new("map merge requires map or sequence of maps as the value"));
            };
            for (key, value) in part {
                map.entry(key).or_insert(value);
            }
        }
    }
    Ok(())
}

/// Nodes of `value`, and one more for every 64 bytes of text. The depth is bounded by [`MAX_DEPTH`] per nesting of anchors.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => 1 + text.len() / 64,
        Value::Array(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Value::Object(map) => 1 + map.iter().map(|(key, value)| key.len() / 64 + weight(value)).sum::<usize>(),
        _ => 1,
    }
}
