//! Where a path of a document stands in its text. The text is parsed again, but only when an error needs a place.

use super::yaml::MAX_DEPTH;
use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// One step from a value to a value inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into an object.
    Key(String),
    /// Into an array.
    Index(usize),
}

/// A place in a text: line and column from 1, width in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    pub line: u32,
    pub column: u32,
    pub width: u32,
}

/// What an error at a path is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The key itself: an unknown field, a field that is missing something.
    Key,
    /// The value, if it is a scalar; else its key.
    Value,
}

/// The place of the deepest part of `path` that exists in document number `document` of `text`, and how many steps that is.
pub fn locate(text: &str, document: usize, path: &[Step], part: Part) -> Option<(Spot, usize)> {
    let mut walker = Walker { path, part, matched: Vec::new(), frames: Vec::new(), best: None };
    let mut seen = 0;
    for event in Parser::new_from_str(text) {
        let Ok((event, span)) = event else { break };
        if matches!(event, Event::DocumentEnd) {
            seen += 1;
            if seen > document {
                break;
            }
            continue;
        }
        if seen == document && walker.take(&event, span).is_none() {
            break;
        }
    }
    walker.best
}

enum Frame {
    Sequence(usize),
    Mapping(Option<(String, Span)>),
}

struct Walker<'a> {
    path: &'a [Step],
    part: Part,
    /// For every open collection: whether it lies on the path.
    matched: Vec<bool>,
    frames: Vec<Frame>,
    best: Option<(Spot, usize)>,
}

impl Walker<'_> {
    fn take(&mut self, event: &Event<'_>, span: Span) -> Option<()> {
        match event {
            Event::Scalar(text, style, _, _) => {
                if let Some(Frame::Mapping(key @ None)) = self.frames.last_mut() {
                    *key = Some((text.to_string(), span));
                    return Some(());
                }
                let on_path = self.enter(span, Some((text, *style)));
                self.leave(on_path)
            }
            Event::Alias(_) => {
                let on_path = self.enter(span, None);
                self.leave(on_path)
            }
            Event::SequenceStart(..) => self.open(span, Frame::Sequence(0)),
            Event::MappingStart(..) => self.open(span, Frame::Mapping(None)),
            Event::SequenceEnd | Event::MappingEnd => {
                self.frames.pop();
                let on_path = self.matched.pop().unwrap_or(false);
                self.leave(on_path)
            }
            _ => Some(()),
        }
    }

    fn open(&mut self, span: Span, frame: Frame) -> Option<()> {
        if self.frames.len() > MAX_DEPTH {
            return None;
        }
        let on_path = self.enter(span, None);
        self.matched.push(on_path);
        self.frames.push(frame);
        Some(())
    }

    /// A value begins: is it on the path? If it is, it is the best place so far.
    fn enter(&mut self, span: Span, scalar: Option<(&str, ScalarStyle)>) -> bool {
        let depth = self.frames.len();
        let parent_on_path = self.matched.last().copied().unwrap_or(true);
        let on_path = parent_on_path
            && match (self.frames.last(), depth.checked_sub(1).and_then(|step| self.path.get(step))) {
                (None, _) => true,
                (Some(Frame::Sequence(at)), Some(Step::Index(index))) => at == index,
                (Some(Frame::Mapping(Some((key, _)))), Some(Step::Key(name))) => key == name,
                _ => false,
            };
        if on_path {
            self.best = Some((self.spot(span, scalar, depth == self.path.len()), depth));
        }
        on_path
    }

    fn spot(&self, span: Span, scalar: Option<(&str, ScalarStyle)>, whole: bool) -> Spot {
        let key = match self.frames.last() {
            Some(Frame::Mapping(Some((_, key)))) => Some(*key),
            _ => None,
        };
        match (key, scalar) {
            (Some(key), scalar)
                if !whole || self.part == Part::Key || scalar.is_none_or(|(text, _)| text.is_empty()) =>
            {
                spot_of(key, None)
            }
            _ => spot_of(span, scalar),
        }
    }

    /// A value ends: the next one of its collection follows. Ends the walk when the path has been walked to its end.
    fn leave(&mut self, on_path: bool) -> Option<()> {
        match self.frames.last_mut() {
            Some(Frame::Sequence(at)) => *at += 1,
            Some(Frame::Mapping(key)) => *key = None,
            None => {}
        }
        if on_path { None } else { Some(()) }
    }
}

fn spot_of(span: Span, scalar: Option<(&str, ScalarStyle)>) -> Spot {
    let one_line = span.start.line() == span.end.line();
    let width = match scalar {
        Some((text, ScalarStyle::Plain)) => text.chars().count(),
        _ if one_line => span.end.col().saturating_sub(span.start.col()),
        _ => 1,
    };
    Spot { line: span.start.line() as u32, column: span.start.col() as u32 + 1, width: width.clamp(1, 120) as u32 }
}
