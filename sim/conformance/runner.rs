//! Golden files of any kind, found by looking, run in parallel, reported per file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;
use serde_json::Value;

use super::api::{self, ApiReport};
use super::difference::Difference;
use super::{cluster, kubectl, scheduler, tables};
use crate::error::{Error, Result};

/// Most bytes that one golden file may unpack to.
const MAX_BYTES: u64 = 1 << 30;

/// What one file says.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FileReport {
    /// The file, or the folder of one-case files.
    pub file: String,
    /// Cases that agree.
    pub agree: usize,
    /// All cases.
    pub total: usize,
    /// Every case that differs, with its differences.
    pub differences: Vec<CaseDifferences>,
    /// What in recordings is like none of the real runs where these differed among themselves: told, not counted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unlike: Vec<CaseDifferences>,
    /// A table of more detail, for kinds of cases that have one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// What differs in one case.
#[derive(Clone, Debug, Serialize)]
pub struct CaseDifferences {
    /// The case.
    pub case: String,
    /// What differs.
    pub differences: Vec<Difference>,
}

/// Runs all golden files under `paths`: files, or folders with everything in them.
///
/// # Errors
///
/// If a path cannot be read, or a file is no golden file.
pub fn run(paths: &[PathBuf]) -> Result<Vec<FileReport>> {
    let (mut files, mut kubectl_folders) = (Vec::new(), BTreeSet::new());
    for path in paths {
        collect(path, &mut files)?;
    }
    files.sort();
    files.dedup();
    let mut reports = Vec::new();
    let mut recordings: BTreeMap<PathBuf, Vec<Value>> = BTreeMap::new();
    for file in files {
        let cases = read_cases(&file)?;
        match cases.first() {
            Some(case) if is_kubectl(case) => {
                kubectl_folders.insert(file.parent().unwrap_or(Path::new(".")).to_owned());
            }
            Some(case) if cluster::is_recording(case) => {
                recordings.entry(file.parent().unwrap_or(Path::new(".")).to_owned()).or_default().extend(cases);
            }
            Some(_) => reports.push(run_file(&file, &cases)?),
            None => {}
        }
    }
    reports.extend(recordings.iter().map(|(folder, cases)| run_recordings(folder, cases)));
    for folder in kubectl_folders {
        reports.push(run_kubectl(&folder)?);
    }
    Ok(reports)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let unreadable = |error: std::io::Error| Error::new(format!("cannot read {}: {error}", path.display()));
    if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?.path();
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        let golden = [".json", ".jsonl", ".json.gz", ".jsonl.gz"].iter().any(|end| name.ends_with(end));
        if entry.is_dir() || golden {
            collect(&entry, files)?;
        }
    }
    Ok(())
}

/// The cases of a file: one JSON value, or one per line; gzipped or not.
fn read_cases(path: &Path) -> Result<Vec<Value>> {
    let problem = |what: String| Error::new(format!("cannot read {}: {what}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| problem(error.to_string()))?;
    let mut text = String::new();
    let read = match path.extension().is_some_and(|extension| extension == "gz") {
        true => flate2::read::MultiGzDecoder::new(file).take(MAX_BYTES).read_to_string(&mut text),
        false => file.take(MAX_BYTES).read_to_string(&mut text),
    };
    read.map_err(|error| problem(error.to_string()))?;
    if let Ok(whole) = serde_json::from_str::<Value>(&text) {
        return Ok(vec![whole]);
    }
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let cases = lines
        .map(|(line, number)| serde_json::from_str(line).map_err(|error| problem(format!("line {number}: {error}"))));
    cases.collect()
}

fn is_kubectl(case: &Value) -> bool {
    case.get("command").is_some() && case.get("stdout").is_some()
        || case.get("steps").is_some_and(Value::is_array) && case.get("expect").is_none()
}

fn run_file(path: &Path, cases: &[Value]) -> Result<FileReport> {
    let file = path.display().to_string();
    if cases.first().is_some_and(api::is_case) {
        let mut report = ApiReport::default();
        api::run_file(path, &mut report)?;
        return Ok(api_report(file, &report));
    }
    let results: Vec<(String, Vec<Difference>)> = cases
        .par_iter()
        .enumerate()
        .map(|(idx, case)| {
            let id = case["id"].as_str().map_or_else(|| format!("case {}", idx + 1), str::to_owned);
            (id, check(case))
        })
        .collect();
    let mut report = FileReport { file, total: results.len(), ..FileReport::default() };
    for (case, differences) in results {
        match differences.is_empty() {
            true => report.agree += 1,
            false => report.differences.push(CaseDifferences { case, differences }),
        }
    }
    Ok(report)
}

fn check(case: &Value) -> Vec<Difference> {
    if case.get("nodes").is_some() && case.get("expect").is_some() && case.get("kind").is_none() {
        return scheduler::check_case(case);
    }
    let unknown = || vec![Difference::new("case", "a kind of case that is known", "an unknown one")];
    tables::check(case).unwrap_or_else(unknown)
}

fn api_report(file: String, report: &ApiReport) -> FileReport {
    let total = report.total();
    let mut differences: Vec<CaseDifferences> = Vec::new();
    for (case, aspect, difference) in &report.differences {
        let mut difference = difference.clone();
        difference.subject = format!("{aspect} {}", difference.subject);
        match differences.last_mut() {
            Some(last) if last.case == *case => last.differences.push(difference),
            _ => differences.push(CaseDifferences { case: case.clone(), differences: vec![difference] }),
        }
    }
    FileReport {
        file,
        agree: total.verdict.total - differences.len().min(total.verdict.total),
        total: total.verdict.total,
        differences,
        detail: report.table(),
        ..FileReport::default()
    }
}

/// Recorded scenarios: what is counted are their entries that were the same in all real runs, not the files.
fn run_recordings(folder: &Path, cases: &[Value]) -> FileReport {
    let results: Vec<_> =
        cases.par_iter().map(|case| (case["id"].as_str().unwrap_or_default(), cluster::check(case))).collect();
    let mut report = FileReport { file: folder.display().to_string(), ..FileReport::default() };
    let (mut stable, mut varying) = (Families::default(), Families::default());
    for (case, result) in results {
        stable.add(case, result.stable, &mut report.differences);
        varying.add(case, result.varying, &mut report.unlike);
    }
    (report.agree, report.total) = stable.sum();
    report.detail = stable.table("");
    let (like, total) = varying.sum();
    if total > 0 {
        report.detail.push_str(&format!(
            "of entries that varied between the real runs: {like} of {total} match a seen variant\n{}",
            varying.table("  ")
        ));
    }
    report
}

/// Agreeing and all entries of recordings, by family.
#[derive(Default)]
struct Families(BTreeMap<String, (usize, usize)>);

impl Families {
    fn add(&mut self, case: &str, entries: cluster::Entries, differences: &mut Vec<CaseDifferences>) {
        for (family, (agree, total)) in entries.families {
            let sum = self.0.entry(family).or_default();
            *sum = (sum.0 + agree, sum.1 + total);
        }
        if !entries.differences.is_empty() {
            differences.push(CaseDifferences { case: case.to_owned(), differences: entries.differences });
        }
    }

    fn sum(&self) -> (usize, usize) {
        self.0.values().fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1))
    }

    fn table(&self, indent: &str) -> String {
        let width = 36 - indent.len();
        let lines = self.0.iter().map(|(family, (agree, total))| format!("{indent}{family:width$} {agree}/{total}\n"));
        lines.collect()
    }
}

fn run_kubectl(folder: &Path) -> Result<FileReport> {
    let report = kubectl::check_folder(folder)?;
    let mut detail = String::new();
    let (mut agree, mut total) = (0, 0);
    for (family, agreement) in &report.families {
        agree += agreement.agree;
        total += agreement.total;
        detail.push_str(&format!("{family:20} {}/{}\n", agreement.agree, agreement.total));
    }
    let differences = report.differences.into_iter();
    let differences = differences.map(|(case, differences)| CaseDifferences { case, differences }).collect();
    let file = folder.display().to_string();
    Ok(FileReport { file, agree, total, differences, detail, ..FileReport::default() })
}
