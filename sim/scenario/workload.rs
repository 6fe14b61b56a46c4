//! The `workload` section: traces and generators, opened and read through before the run.

use std::path::Path;

use super::arrivals::WorkloadSource;
use super::file::{TraceSpec, WorkloadSpec};
use super::typed::at;
use crate::api::document::{Document, Part};
use crate::engine::Span;
use crate::error::{Error, Result};
use crate::workload::{GenerateSpec, Input, ReadOptions, Trace};

/// Reads the section.
///
/// # Errors
///
/// Every source that is wrong, with its place: in the scenario, or in the trace.
pub(super) fn sources(
    document: &Document,
    workload: &[WorkloadSpec],
    folder: &Path,
    warnings: &mut Vec<Error>,
) -> Result<Vec<WorkloadSource>, Vec<Error>> {
    let (mut sources, mut errors) = (Vec::new(), Vec::new());
    for (idx, spec) in workload.iter().enumerate() {
        let path = format!("spec.workload[{idx}]");
        let source = match (&spec.trace, &spec.generate) {
            (Some(trace), None) => self::trace(document, &path, trace, folder, warnings),
            (None, Some(generate)) => self::generate(document, &path, generate),
            _ => Err(at(document, &path, "a source of arrivals is either a `trace` or a `generate`")),
        };
        match source {
            Ok(source) => sources.push(source),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(sources) } else { Err(errors) }
}

fn trace(
    document: &Document,
    path: &str,
    spec: &TraceSpec,
    folder: &Path,
    warnings: &mut Vec<Error>,
) -> Result<WorkloadSource> {
    let path = format!("{path}.trace");
    let place = |key: &str| document.place(&format!("{path}.{key}"), Part::Value);
    let span = |key: &str, text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => match text.parse::<Span>() {
            Ok(span) => Ok(Some(span)),
            Err(error) => Err(Error::new(format!("`{text}`: {error}")).at(place(key))),
        },
    };
    let options = ReadOptions {
        speed: spec.speed.unwrap_or(1.0),
        from: span("from", &spec.from)?,
        to: span("to", &spec.to)?,
        limit: spec.limit,
        cpu_scale: spec.cpu_scale.unwrap_or(1.0),
        memory_scale: spec.memory_scale.unwrap_or(1.0),
        skip_bad_rows: spec.skip_bad_rows,
    };
    let in_place = |error: Error| if error.place.is_some() { error } else { error.at(place("file")) };
    open_trace(&folder.join(&spec.file), spec.format.as_deref(), options, spec.namespace.as_deref(), warnings)
        .map_err(in_place)
}

/// Opens a trace; opening reads it through once, so that the run finds nothing wrong in it.
///
/// # Errors
///
/// The first bad row, or that the file or its format cannot be read.
pub fn open_trace(
    file: &Path,
    format: Option<&str>,
    options: ReadOptions,
    namespace: Option<&str>,
    warnings: &mut Vec<Error>,
) -> Result<WorkloadSource> {
    let trace = Trace::open(Input::file(file), format, options)?;
    let report = trace.report();
    if report.bad_rows > 0 {
        warnings.push(Error::new(format!("{}: {} bad rows were left out", trace.name(), report.bad_rows)));
    }
    Ok(WorkloadSource::Trace { trace: Box::new(trace), namespace: namespace.unwrap_or("default").to_owned() })
}

fn generate(document: &Document, path: &str, value: &serde_json::Value) -> Result<WorkloadSource> {
    if let Some(key) = ["template"].into_iter().find(|key| value.get(key).is_some()) {
        return Err(at(document, &format!("{path}.generate.{key}"), format!("`{key}` is not supported yet"))
            .help("give cpu, memory and lifetime instead"));
    }
    let spec = GenerateSpec::from_json(value).map_err(|error| {
        let inner =
            if error.path.is_empty() { String::new() } else { format!(".{}", error.path.trim_start_matches('.')) };
        let mut located = at(document, &format!("{path}.generate{inner}"), error.what.clone());
        located.help = error.help.clone();
        located
    })?;
    Ok(WorkloadSource::Generate { spec: Box::new(spec), namespace: "default".to_owned() })
}
