//! A kubectl command line as a typed command.
//!
//! Source: kubectl `pkg/cmd` (flags, their defaults and the texts of errors).

mod flags;
mod parse;
mod types;
mod words;

pub use parse::parse;
pub use types::*;
pub use words::split_words;
