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
