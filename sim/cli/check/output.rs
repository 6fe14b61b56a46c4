//! What was found, as text, JSON, SARIF or GitHub annotations.

use std::io::Write as _;

use clap::ValueEnum;
use serde_json::{Value, json};

use super::{Finding, Level};
use crate::cli::Failure;
use crate::cli::diagnostics::{Severity, Style, render};
use crate::error::Error;

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people: the line with carets
    Text,
    /// A list of objects
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// GitHub workflow annotations
    Github,
}

/// The rules that findings name, with a sentence.
const RULES: [(&str, &str); 11] = [
    ("duplicate", "The same object is in the inputs twice"),
    ("forbidden", "Admission would refuse the object"),
    ("invalid", "The API server would refuse a value"),
    ("no-definition", "A custom resource without a definition among the inputs is not checked"),
    ("no-match", "The API server does not serve the kind in this version"),
    ("not-a-manifest", "The document is no object of the API"),
    ("scenario", "A scenario of Wavetank has a mistake"),
    ("syntax", "The text cannot be read"),
    ("unknown-field", "The API server does not know a field"),
    ("warning", "The API server would warn"),
    ("wrong-type", "A value has the wrong type"),
];

/// How much was checked.
#[derive(Default)]
pub(super) struct Totals {
    pub n_objects: usize,
    pub n_files: usize,
    pub n_skipped: usize,
    pub n_scenarios: usize,
}

/// Prints findings as they come.
pub(super) struct Report {
    format: Format,
    quiet: bool,
    n_errors: usize,
    n_warnings: usize,
    /// Whether something could not be read.
    pub is_unreadable: bool,
    /// What is printed at the end.
    kept: Vec<Value>,
}

impl Report {
    pub fn new(format: Format, quiet: bool) -> Report {
        Report { format, quiet, n_errors: 0, n_warnings: 0, is_unreadable: false, kept: Vec::new() }
    }

    /// Adds a file that cannot be read.
    pub fn unreadable(&mut self, error: Error) -> Result<(), Failure> {
        self.is_unreadable = true;
        self.add(&Finding { level: Level::Error, rule: "syntax", error, object: None })
    }

    pub fn add(&mut self, finding: &Finding) -> Result<(), Failure> {
        match finding.level {
            Level::Error => self.n_errors += 1,
            Level::Warning => self.n_warnings += 1,
            Level::Note => {}
        }
        if self.quiet && finding.level != Level::Error {
            return Ok(());
        }
        match self.format {
            Format::Text => {
                let severity = match finding.level {
                    Level::Error => Severity::Error,
                    Level::Warning => Severity::Warning,
                    Level::Note => Severity::Note,
                };
                let _ = writeln!(anstream::stderr().lock(), "{}", render(&finding.error, severity, Style::Coloured));
            }
            Format::Github => writeln!(anstream::stdout().lock(), "{}", annotation(finding))?,
            Format::Json => self.kept.push(as_json(finding)),
            Format::Sarif => self.kept.push(as_result(finding)),
        }
        Ok(())
    }

    pub fn is_clean(&self) -> bool {
        self.n_errors == 0
    }

    /// 0 if nothing is wrong, 1 if something is, 2 if something could not be read.
    pub fn exit_code(&self) -> u8 {
        match (self.is_unreadable, self.n_errors) {
            (true, _) => 2,
            (false, 0) => 0,
            _ => 1,
        }
    }

    pub fn finish(&mut self, totals: &Totals) -> Result<(), Failure> {
        let mut out = anstream::stdout().lock();
        match self.format {
            Format::Json => {
                let list = Value::from(std::mem::take(&mut self.kept));
                writeln!(out, "{}", serde_json::to_string_pretty(&list).unwrap_or_default())?;
            }
            Format::Sarif => {
                let log = sarif(std::mem::take(&mut self.kept));
                writeln!(out, "{}", serde_json::to_string_pretty(&log).unwrap_or_default())?;
            }
            Format::Text if self.quiet => {}
            Format::Text if self.exit_code() == 0 => writeln!(out, "ok: {}", self.summary(totals))?,
            Format::Text => {
                let _ = writeln!(anstream::stderr().lock(), "{}", self.summary(totals));
            }
            Format::Github => {}
        }
        Ok(())
    }

    fn summary(&self, totals: &Totals) -> String {
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let mut parts = vec![format!("{} in {}", count(totals.n_objects, "object"), count(totals.n_files, "file"))];
        let rest = [(totals.n_scenarios, "scenario"), (self.n_errors, "error"), (self.n_warnings, "warning")];
        parts.extend(rest.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| count(n, what)));
        if totals.n_skipped > 0 {
            parts.push(format!("{} skipped", totals.n_skipped));
        }
        parts.join(", ")
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    }
}

fn as_json(finding: &Finding) -> Value {
    let (error, object) = (&finding.error, finding.object.as_ref());
    let place = error.place.as_ref();
    json!({
        "level": word(finding.level),
        "rule": finding.rule,
        "message": error.what,
        "help": error.help,
        "file": place.map(|place| place.file.as_ref()),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "apiVersion": object.map(|object| object.api_version.as_str()),
        "kind": object.map(|object| object.kind.as_str()),
        "namespace": object.map(|object| object.namespace.as_str()).filter(|namespace| !namespace.is_empty()),
        "name": object.map(|object| object.name.as_str()),
    })
}

/// The text with its cure.
fn text(error: &Error) -> String {
    match &error.help {
        Some(help) => format!("{} ({help})", error.what),
        None => error.what.clone(),
    }
}

fn as_result(finding: &Finding) -> Value {
    let error = &finding.error;
    let mut result = json!({
        "ruleId": finding.rule,
        "level": word(finding.level),
        "message": { "text": text(error) },
    });
    if let Some(place) = &error.place {
        result["locations"] = json!([{ "physicalLocation": {
            "artifactLocation": { "uri": uri(&place.file) },
            "region": { "startLine": place.line, "startColumn": place.column, "endColumn": place.column + place.width },
        } }]);
    }
    result
}

/// A path as a relative reference: what may not stand in one is escaped.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b'\\' => out.push('/'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// SARIF 2.1.0 with one run.
fn sarif(results: Vec<Value>) -> Value {
    let rule = |(id, text): (&str, &str)| json!({ "id": id, "shortDescription": { "text": text } });
    let rules: Vec<Value> = RULES.into_iter().map(rule).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "wavetank",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// A GitHub workflow command; line breaks and percent signs are escaped as it asks.
fn annotation(finding: &Finding) -> String {
    let escape = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let level = match finding.level {
        Level::Note => "notice",
        level => word(level),
    };
    let text = escape(&text(&finding.error));
    match &finding.error.place {
        Some(place) => {
            let file = escape(&place.file).replace(':', "%3A").replace(',', "%2C");
            format!("::{level} file={file},line={},col={},title={}::{text}", place.line, place.column, finding.rule)
        }
        None => format!("::{level} title={}::{text}", finding.rule),
    }
}
