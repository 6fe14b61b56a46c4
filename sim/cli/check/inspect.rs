//! One part of the inputs: read, and every object in it checked as the API server would.

use rayon::prelude::*;
use serde_json::Value;

use super::skip::skip;
use super::{Finding, Identity, Level};
use crate::api::accept::{AcceptContext, Refusal, accept, to_error};
use crate::api::custom::Definitions;
use crate::api::document::{Chunk, Document, Part};
use crate::api::kinds::{KINDS, KindInfo};
use crate::api::schema::DecodeError;
use crate::error::Error;

/// Checks parts of inputs.
pub(super) struct Inspector<'a> {
    pub definitions: Definitions,
    pub namespace: &'a str,
    pub strict: bool,
}

/// What was found in a part.
#[derive(Default)]
pub(super) struct ChunkReport {
    pub findings: Vec<Finding>,
    pub objects: Vec<SeenObject>,
    pub n_skipped: usize,
    pub is_unreadable: bool,
}

/// An object that was checked.
pub(super) struct SeenObject {
    pub identity: Identity,
    /// Which document of its part it is.
    pub index: usize,
    /// Whether it is a custom resource without a definition.
    pub is_undefined: bool,
}

impl Inspector<'_> {
    /// Checks a part.
    pub fn inspect(&self, chunk: &Chunk) -> ChunkReport {
        let (documents, errors) = chunk.read();
        let mut report = ChunkReport { is_unreadable: !errors.is_empty(), ..ChunkReport::default() };
        let finding = |error| Finding { level: Level::Error, rule: "syntax", error, object: None };
        report.findings.extend(errors.into_iter().map(finding));
        let parts: Vec<ChunkReport> =
            documents.par_iter().enumerate().map(|(index, document)| self.document(document, index)).collect();
        for part in parts {
            report.findings.extend(part.findings);
            report.objects.extend(part.objects);
            report.n_skipped += part.n_skipped;
            report.is_unreadable |= part.is_unreadable;
        }
        report
    }

    fn document(&self, document: &Document, index: usize) -> ChunkReport {
        let mut report = ChunkReport::default();
        let mut say = |level, rule, error, object: Option<&Identity>| {
            report.findings.push(Finding { level, rule, error, object: object.cloned() });
        };
        if !document.value.is_object() {
            let error = Error::new("not a manifest: a mapping with apiVersion and kind is wanted");
            say(Level::Error, "syntax", error.at(document.place("", Part::Value)), None);
            return ChunkReport { is_unreadable: true, ..report };
        }
        if let Some(skip) = skip(document) {
            let mut error = Error::new(skip.what).at(document.place("kind", Part::Key));
            error.help = skip.help.map(str::to_owned);
            let level = if self.strict { Level::Error } else { Level::Note };
            say(level, "not-a-manifest", error, None);
            return ChunkReport { n_skipped: 1, ..report };
        }
        let context = AcceptContext {
            namespace: self.namespace,
            lookup: None,
            definitions: Some(&self.definitions),
            keep_undefined: true,
            ..AcceptContext::default()
        };
        let group = document.api_version().split_once('/').map_or("", |(group, _)| group);
        let definition = self.definitions.find(group, document.kind());
        let accepted = accept(&document.value, &context);
        let is_namespaced = match &accepted {
            Ok(accepted) => accepted.info.namespaced,
            Err(_) => {
                let is_this = |info: &&KindInfo| info.group == group && info.kind == document.kind();
                let info = definition.map(|definition| definition.info).or_else(|| KINDS.iter().find(is_this));
                info.map_or_else(|| !text(&document.value, "namespace").is_empty(), |info| info.namespaced)
            }
        };
        let identity = Identity {
            api_version: document.api_version().to_owned(),
            group: group.to_owned(),
            kind: document.kind().to_owned(),
            namespace: match (is_namespaced, text(&document.value, "namespace")) {
                (false, _) => String::new(),
                (true, "") => self.namespace.to_owned(),
                (true, own) => own.to_owned(),
            },
            name: document.name().to_owned(),
        };
        let is_undefined =
            accepted.as_ref().is_ok_and(|accepted| accepted.info.key != accepted.info.kind) && definition.is_none();
        match accepted {
            Ok(accepted) => {
                let level = if self.strict { Level::Error } else { Level::Warning };
                for warning in accepted.warnings {
                    let error = Error::new(warning).at(document.place("kind", Part::Value));
                    say(level, "warning", error, Some(&identity));
                }
            }
            Err(refusal) => {
                let rule = rule_of(&refusal);
                for error in to_error(&refusal, document) {
                    say(Level::Error, rule, error, Some(&identity));
                }
            }
        }
        report.objects.push(SeenObject { identity, index, is_undefined });
        report
    }
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get("metadata").and_then(|metadata| metadata.get(field)).and_then(Value::as_str).unwrap_or("")
}

fn rule_of(refusal: &Refusal) -> &'static str {
    match (&refusal.decoding, refusal.reason) {
        (Some(DecodeError::Unknown(_)), _) => "unknown-field",
        (Some(DecodeError::Type(..)), _) => "wrong-type",
        (None, "NoMatch") => "no-match",
        (None, "Forbidden") => "forbidden",
        (None, _) => "invalid",
    }
}
