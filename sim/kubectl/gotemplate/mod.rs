//! `-o go-template`: Go's `text/template` with the functions that kubectl gives it. `define`, `template` and `block` are refused.
//!
//! Source: Go `text/template`; cli-runtime `printers/template.go`.

mod evaluate;
mod format;
mod functions;
mod lex;
mod parse;
mod value;

use serde_json::Value;

use parse::Node;

/// A parsed template.
#[derive(Clone, Debug)]
pub struct GoTemplate {
    text: String,
    nodes: Vec<Node>,
}

impl GoTemplate {
    /// Parses a template; the error is Go's text.
    pub fn parse(text: &str) -> Result<GoTemplate, String> {
        match parse::parse(text) {
            Ok(nodes) => Ok(GoTemplate { text: text.to_owned(), nodes }),
            Err((line, error)) => Err(format!("template: output:{line}: {error}")),
        }
    }

    /// The template filled in for `value`, with the error that ended it early, in Go's words.
    pub fn execute(&self, value: &Value, allow_missing_keys: bool) -> (String, Option<String>) {
        evaluate::execute(&self.text, &self.nodes, value, allow_missing_keys)
    }
}

#[cfg(test)]
mod tests;
