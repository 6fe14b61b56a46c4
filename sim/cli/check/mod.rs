//! `wavetank check`: what the API server would say of manifests, and what Wavetank would say of scenarios, without running anything.

mod inspect;
mod output;
mod skip;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use rayon::prelude::*;

use super::{Exit, Failure, Global};
use crate::api::custom::Definitions;
use crate::api::document::{Chunk, Part, ReadOptions, chunks_of_files};
use crate::error::Error;
use crate::scenario::{load, load_scenario_text};
use inspect::{ChunkReport, Inspector};
use output::{Format, Report, Totals};

/// Arguments of `check`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  wavetank check deploy/web.yaml
  wavetank check deploy/ -R --strict
  wavetank check 'deploy/*.yaml' --definitions crds/
  helm template chart | wavetank check -
  kubectl kustomize overlays/prod | wavetank check - --namespace prod
  wavetank check deploy/ -R -o sarif > wavetank.sarif

Custom resources are checked by the schema of their CustomResourceDefinition if it is among the inputs, in any file and any order.

Exit codes: 0 nothing is wrong, 1 the API server would refuse something, 2 something could not be read (or bad usage).")]
pub(crate) struct CheckArgs {
    /// Manifests and scenarios: files, folders, patterns, or `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Read folders inside folders too
    #[arg(long, short = 'R')]
    recursive: bool,
    /// How to print what is wrong
    #[arg(long, short = 'o', alias = "format", value_name = "FORMAT", default_value = "text")]
    output: Format,
    /// Warnings, documents that are no manifests, and custom resources without a definition are errors
    #[arg(long)]
    strict: bool,
    /// Say nothing of custom resources without a definition among the inputs
    #[arg(long, conflicts_with = "strict")]
    ignore_missing_definitions: bool,
    /// More CustomResourceDefinitions, which are not checked themselves: files or folders
    #[arg(long, value_name = "FILE")]
    definitions: Vec<PathBuf>,
    /// Namespace of objects that name none
    #[arg(long, short = 'n', value_name = "NAME", default_value = "default")]
    namespace: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// The API server would refuse it, or it cannot be read.
    Error,
    /// The API server would take it.
    Warning,
    /// It was not checked, and need not be.
    Note,
}

/// One thing found.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    level: Level,
    /// What kind of thing: `invalid`, `unknown-field`.
    rule: &'static str,
    error: Error,
    /// What it is about.
    object: Option<Identity>,
}

/// An object as the API server tells it from others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    api_version: String,
    group: String,
    kind: String,
    namespace: String,
    name: String,
}

pub(super) fn check(args: &CheckArgs, global: &Global) -> Result<Exit, Failure> {
    let options = ReadOptions { recursive: args.recursive, ..ReadOptions::default() };
    let (chunks, mut unreadable) = chunks_of_files(&args.files, &options);
    let (more, wrong) = chunks_of_files(&args.definitions, &ReadOptions { recursive: true, ..options });
    unreadable.extend(wrong);
    let mut report = Report::new(args.output, global.quiet);
    for error in unreadable {
        report.unreadable(error)?;
    }
    let (scenarios, chunks): (Vec<Chunk>, Vec<Chunk>) = by_scenarios(chunks);
    for finding in check_scenarios(&scenarios, args, global) {
        report.add(&finding)?;
    }
    let inspector = Inspector {
        definitions: definitions(chunks.iter().chain(&more)),
        namespace: &args.namespace,
        strict: args.strict,
    };
    let reports: Vec<ChunkReport> = chunks.par_iter().map(|chunk| inspector.inspect(chunk)).collect();
    let mut totals = Totals { n_scenarios: scenarios.len(), ..Totals::default() };
    let mut seen = Seen { args, first: BTreeMap::new(), kinds: Vec::new() };
    let mut files: Vec<&Arc<str>> = Vec::new();
    for (index, (chunk, of_chunk)) in chunks.iter().zip(&reports).enumerate() {
        if files.last().is_none_or(|last| !Arc::ptr_eq(last, chunk.file())) {
            files.push(chunk.file());
        }
        totals.n_objects += of_chunk.objects.len();
        totals.n_skipped += of_chunk.n_skipped;
        if of_chunk.is_unreadable {
            report.is_unreadable = true;
        }
        for finding in of_chunk.findings.iter().chain(&seen.together(index, of_chunk, &chunks)) {
            report.add(finding)?;
        }
    }
    totals.n_files = files.len() + scenarios.len();
    if totals.n_objects + totals.n_skipped + scenarios.len() == 0 && report.is_clean() {
        report.unreadable(Error::new("no objects passed to check").help("the inputs hold no documents"))?;
    }
    report.finish(&totals)?;
    Ok(match report.exit_code() {
        0 => Exit::Done,
        1 => Exit::Failed,
        _ => return Err(Failure::Input(Vec::new())),
    })
}

/// The first parts of files that hold a scenario, and the parts of all other files.
fn by_scenarios(chunks: Vec<Chunk>) -> (Vec<Chunk>, Vec<Chunk>) {
    let is_scenario = |chunk: &Chunk| {
        chunk.text().contains("wavetank.dev/") && chunk.text().contains("Scenario") && {
            let (documents, _) = chunk.read();
            documents
                .iter()
                .any(|document| document.kind() == "Scenario" && document.api_version().starts_with("wavetank.dev/"))
        }
    };
    let mut scenarios: Vec<Chunk> = Vec::new();
    for chunk in chunks.iter().filter(|chunk| is_scenario(chunk)) {
        if scenarios.iter().all(|known| !Arc::ptr_eq(known.file(), chunk.file())) {
            scenarios.push(chunk.clone());
        }
    }
    let of_scenario = |chunk: &Chunk| scenarios.iter().any(|known| Arc::ptr_eq(known.file(), chunk.file()));
    let rest = chunks.iter().filter(|chunk| !of_scenario(chunk)).cloned().collect();
    (scenarios, rest)
}

/// Every file with a scenario is checked on its own, with the files that it names.
fn check_scenarios(scenarios: &[Chunk], args: &CheckArgs, global: &Global) -> Vec<Finding> {
    let options = global.load_options(args.recursive);
    let mut found = Vec::new();
    for chunk in scenarios {
        let loaded = match &**chunk.file() {
            "-" => load_scenario_text("-", chunk.whole_text(), &options),
            file => load(&[PathBuf::from(file)], &options),
        };
        let (errors, warnings) = match loaded {
            Ok(loaded) => match loaded.scenario.build() {
                Ok(_) => (Vec::new(), loaded.warnings),
                Err(error) => (vec![error], loaded.warnings),
            },
            Err(errors) => (errors, Vec::new()),
        };
        let finding = |level, error| Finding { level, rule: "scenario", error, object: None };
        found.extend(errors.into_iter().map(|error| finding(Level::Error, error)));
        let level = if args.strict { Level::Error } else { Level::Warning };
        found.extend(warnings.into_iter().map(|warning| finding(level, warning)));
    }
    found
}

/// The definitions among the inputs.
fn definitions<'a>(chunks: impl Iterator<Item = &'a Chunk>) -> Definitions {
    let mut definitions = Definitions::default();
    for chunk in chunks.filter(|chunk| chunk.text().contains("CustomResourceDefinition")) {
        for document in chunk.read().0 {
            definitions.add(&document.value);
        }
    }
    definitions
}

/// What only all objects together show.
struct Seen<'a> {
    args: &'a CheckArgs,
    /// Where an object was first: its part of the inputs and its place there.
    first: BTreeMap<Identity, (usize, usize)>,
    /// The custom kinds about which something has been said.
    kinds: Vec<(String, String)>,
}

impl Seen<'_> {
    fn together(&mut self, index: usize, report: &ChunkReport, chunks: &[Chunk]) -> Vec<Finding> {
        let mut found = Vec::new();
        let level = if self.args.strict { Level::Error } else { Level::Warning };
        for object in &report.objects {
            let place = |chunk: &Chunk, at: usize, path: &str| {
                let (documents, _) = chunk.read();
                documents.get(at).map(|document| document.place(path, Part::Value))
            };
            let at = |error: Error, path: &str| match place(&chunks[index], object.index, path) {
                Some(place) => error.at(place),
                None => error,
            };
            let identity = &object.identity;
            let mut say = |rule, level, error| {
                found.push(Finding { level, rule, error, object: Some(identity.clone()) });
            };
            let kind = (identity.group.clone(), identity.kind.clone());
            if object.is_undefined && !self.kinds.contains(&kind) {
                let (version, name) = (&identity.api_version, &identity.kind);
                self.kinds.push(kind);
                if !self.args.ignore_missing_definitions {
                    let what = format!(
                        "no CustomResourceDefinition for {version} {name} among the inputs; its fields are not checked"
                    );
                    let help = "add the file that defines it, or give it with --definitions";
                    say("no-definition", level, at(Error::new(what).help(help), "kind"));
                }
            }
            if identity.name.is_empty() {
                continue;
            }
            let key = Identity { api_version: String::new(), ..identity.clone() };
            let Some(&(chunk, first)) = self.first.get(&key) else {
                self.first.insert(key, (index, object.index));
                continue;
            };
            let what = match identity.namespace.as_str() {
                "" => format!("{} {:?} is there twice", identity.kind, identity.name),
                namespace => format!("{} {:?} is there twice in namespace {namespace:?}", identity.kind, identity.name),
            };
            let first = place(&chunks[chunk], first, "metadata.name").map(|place| format!("first at {place}"));
            let error = Error { help: first, ..Error::new(what) };
            say("duplicate", level, at(error, "metadata.name"));
        }
        found
    }
}
