//! The text of a description while it is written: lines with tabs, aligned in the end.
//!
//! Source: kubectl `pkg/describe` (`PrefixWriter`, `tabbedString`).

use crate::kubectl::tabs::{DESCRIPTION, align, escape};

/// Collects the lines of a description.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    aligned: String,
    open: String,
    indent: usize,
}

impl Writer {
    /// Adds text after `level` times two spaces.
    pub(crate) fn put(&mut self, level: usize, text: &str) {
        self.open.extend(std::iter::repeat_n("  ", level + self.indent));
        self.open.push_str(&escape(text));
    }

    /// Adds a line after `level` times two spaces.
    pub(crate) fn line(&mut self, level: usize, text: &str) {
        self.put(level, text);
        self.open.push('\n');
    }

    /// Adds `key:`, a tab and a value as a line.
    pub(crate) fn field(&mut self, level: usize, key: &str, value: impl std::fmt::Display) {
        self.line(level, &format!("{key}:\t{value}"));
    }

    /// Ends the columns: what follows is aligned apart.
    pub(crate) fn flush(&mut self) {
        self.aligned.push_str(&align(&self.open, DESCRIPTION));
        self.open.clear();
    }

    /// Writes with every line indented by `levels` more.
    pub(crate) fn nested(&mut self, levels: usize, write: impl FnOnce(&mut Writer)) {
        self.indent += levels;
        write(self);
        self.indent -= levels;
    }

    /// The aligned text.
    pub(crate) fn finish(mut self) -> String {
        self.flush();
        self.aligned
    }

    /// The text with its tabs, as `rollout history --revision` prints a template.
    pub(crate) fn finish_raw(self) -> String {
        self.open
    }
}
