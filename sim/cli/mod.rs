//! One file per command.

pub mod diagnostics;
