//! `wavetank check`: what the API server would say, and what Wavetank would say of a scenario, without running anything.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{Exit, Failure, Global};
use crate::error::Error;
use crate::scenario::load;

/// Arguments of `check`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  wavetank check deploy/web.yaml
  wavetank check deploy/ -R --format sarif > wavetank.sarif
  helm template chart | wavetank check -")]
pub(crate) struct CheckArgs {
    /// Manifests and scenarios: files, folders, or `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Read folders inside folders too
    #[arg(long, short = 'R')]
    recursive: bool,
    /// How to print what is wrong
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: the line with carets
    Text,
    /// A list of objects
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// GitHub workflow annotations
    Github,
}

pub(super) fn check(args: &CheckArgs, global: &Global) -> Result<Exit, Failure> {
    let (errors, warnings) = match load(&args.files, &global.load_options(args.recursive)) {
        Ok(loaded) => match loaded.scenario.build() {
            Ok(_) => (Vec::new(), loaded.warnings),
            Err(error) => (vec![error], loaded.warnings),
        },
        Err(errors) => (errors, Vec::new()),
    };
    let mut out = anstream::stdout().lock();
    match args.format {
        Format::Text => {
            global.warn(&warnings);
            if !errors.is_empty() {
                return Err(Failure::Input(errors));
            }
            writeln!(out, "ok")?;
        }
        Format::Json => {
            let list =
                |level: &str, found: &[Error]| found.iter().map(|error| as_json(level, error)).collect::<Vec<_>>();
            let mut all = list("error", &errors);
            all.extend(list("warning", &warnings));
            writeln!(out, "{}", serde_json::to_string_pretty(&all).unwrap_or_default())?;
        }
        Format::Sarif => {
            writeln!(out, "{}", serde_json::to_string_pretty(&sarif(&errors, &warnings)).unwrap_or_default())?;
        }
        Format::Github => {
            for (level, found) in [("error", &errors), ("warning", &warnings)] {
                for error in found {
                    writeln!(out, "{}", annotation(level, error))?;
                }
            }
        }
    }
    Ok(if errors.is_empty() { Exit::Done } else { Exit::Failed })
}

fn as_json(level: &str, error: &Error) -> Value {
    let place = error.place.as_ref();
    json!({
        "level": level,
        "message": error.what,
        "help": error.help,
        "file": place.map(|place| place.file.as_ref()),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
    })
}

/// SARIF 2.1.0 with one run.
fn sarif(errors: &[Error], warnings: &[Error]) -> Value {
    let result = |level: &str, error: &Error| {
        let mut result = json!({
            "ruleId": "manifest",
            "level": level,
            "message": { "text": match &error.help { Some(help) => format!("{} ({help})", error.what), None => error.what.clone() } },
        });
        if let Some(place) = &error.place {
            result["locations"] = json!([{ "physicalLocation": {
                "artifactLocation": { "uri": place.file.as_ref() },
                "region": { "startLine": place.line, "startColumn": place.column, "endColumn": place.column + place.width },
            } }]);
        }
        result
    };
    let results = errors.iter().map(|error| result("error", error));
    let results: Vec<Value> = results.chain(warnings.iter().map(|warning| result("warning", warning))).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "wavetank",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": [{ "id": "manifest", "shortDescription": { "text": "What the Kubernetes API server says of a manifest" } }],
            } },
            "results": results,
        }],
    })
}

/// A GitHub workflow command; line breaks and percent signs are escaped as it asks.
fn annotation(level: &str, error: &Error) -> String {
    let escape = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let text = match &error.help {
        Some(help) => format!("{} ({help})", error.what),
        None => error.what.clone(),
    };
    match &error.place {
        Some(place) => format!(
            "::{level} file={},line={},col={}::{}",
            escape(&place.file).replace(',', "%2C"),
            place.line,
            place.column,
            escape(&text)
        ),
        None => format!("::{level}::{}", escape(&text)),
    }
}
