//! One error for every bad input: the place, what is wrong there, and what would be right.

use std::fmt;
use std::sync::Arc;

/// A place in an input file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file as the user named it; `-` is standard input.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// How many characters the carets underline, at least 1.
    pub width: u32,
    /// The text of the line, if it is known, cut to a sensible length.
    pub source: Option<Arc<str>>,
}

/// What is wrong with an input, where, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Where it is wrong.
    pub place: Option<Place>,
    /// What is wrong, one sentence without a period.
    pub what: String,
    /// What would be right: the nearest known name, an example, a command.
    pub help: Option<String>,
}

/// The result of reading an input.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that has no place in a file.
    pub fn new(what: impl Into<String>) -> Error {
        Error { place: None, what: what.into(), help: None }
    }

    /// The same error at `place`.
    pub fn at(mut self, place: Place) -> Error {
        self.place = Some(place);
        self
    }

    /// The same error with a cure.
    pub fn help(mut self, help: impl Into<String>) -> Error {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One line: `file:line:column: what (help)`. The command line renders the place with carets instead.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.what)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// What is wrong with one field of a document whose place in the text only the caller knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// From the root of what was read, as Kubernetes writes field paths: `profiles[0].plugins.score`; empty for the whole.
    pub path: String,
    /// Whether it is about the field's name rather than its value: an unknown field, one that is missing something.
    pub is_about_key: bool,
    /// What is wrong, one sentence without a period.
    pub what: String,
    /// What would be right.
    pub help: Option<String>,
}

impl FieldError {
    /// An error about the value at `path`.
    pub fn new(path: impl Into<String>, what: impl Into<String>) -> FieldError {
        FieldError { path: path.into(), is_about_key: false, what: what.into(), help: None }
    }

    /// An error about the field `name` of the object at `path`, which has only the fields `known`.
    pub fn unknown_field<'a>(path: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> FieldError {
        let help = nearest(name, known).map(|known| format!("did you mean `{known}`?"));
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        FieldError { path, is_about_key: true, what: format!("unknown field `{name}`"), help }
    }

    /// The same error with a cure.
    pub fn help(mut self, help: impl Into<String>) -> FieldError {
        self.help = Some(help.into());
        self
    }

    /// The same error seen from further out: `path` leads to what was read.
    pub fn inside(mut self, path: &str) -> FieldError {
        self.path = match (path, self.path.as_str()) {
            (path, "") => path.to_owned(),
            ("", inner) => inner.to_owned(),
            (path, inner) if inner.starts_with('[') => format!("{path}{inner}"),
            (path, inner) => format!("{path}.{inner}"),
        };
        self
    }

    /// The error at a place, if the caller knows one.
    pub fn placed(self, place: Option<Place>) -> Error {
        let what = match (&place, self.path.as_str()) {
            (None, path) if !path.is_empty() => format!("{path}: {}", self.what),
            _ => self.what,
        };
        Error { place, what, help: self.help }
    }
}

/// The known name nearest to `name`, if one is near enough to be what was meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|&(distance, candidate)| distance <= 1 + candidate.chars().count().max(name.chars().count()) / 4)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}
