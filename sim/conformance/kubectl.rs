//! What kubectl printed, against what ours prints of the same objects.
//!
//! A case is a command, the objects it was made from, the time, and what came out. Recordings leave out objects that a command
//! reads besides the ones it is about; [`Case::read`] puts stand-ins in their place where the rest tells what they were.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::{Value, json};

use super::difference::Difference;
use crate::error::{Error, Result};
use crate::kubectl::command::{Command, parse};
use crate::kubectl::{Output, View, show};

/// One recorded command.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    /// The name of the case.
    pub id: String,
    /// The command line.
    pub command: String,
    /// When it was typed.
    now: jiff::Timestamp,
    /// Whether no object changed while it ran.
    pub consistent: bool,
    /// What kubectl wrote to standard output.
    pub stdout: String,
    /// What kubectl wrote to standard error.
    pub stderr: String,
    /// Its exit code.
    pub exit: i32,
    /// The objects it was made from.
    #[serde(default)]
    pub objects: Vec<Value>,
    /// The namespace it was typed in; found from the objects when it is not told.
    #[serde(default)]
    pub namespace: String,
}

/// How many cases of a family agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Cases in which text, error text and exit code are equal.
    pub agree: usize,
    /// All cases.
    pub total: usize,
}

/// The comparison of all cases of a folder.
#[derive(Clone, Debug, Default)]
pub struct KubectlReport {
    /// By family: `get`, `describe`, `events`, `rollout history`, `rollout status`.
    pub families: BTreeMap<String, Agreement>,
    /// What differs, by case.
    pub differences: BTreeMap<String, Vec<Difference>>,
    /// Cases that were recorded while an object changed: they may differ without fault.
    pub inconsistent: BTreeSet<String>,
}

/// One line per family (`get: 104/104`), then one per difference.
impl fmt::Display for KubectlReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (family, agreement) in &self.families {
            writeln!(f, "{family}: {}/{}", agreement.agree, agreement.total)?;
        }
        for (id, differences) in &self.differences {
            let mark = if self.inconsistent.contains(id) { " (recorded while objects changed)" } else { "" };
            for difference in differences {
                writeln!(f, "{id}{mark}: {difference}")?;
            }
        }
        Ok(())
    }
}

impl Case {
    /// Reads a case from the text of its file.
    pub fn read(text: &str) -> Result<Case> {
        let mut case: Case =
            serde_json::from_str(text).map_err(|error| Error::new(format!("this is not a kubectl case: {error}")))?;
        let mut seen = BTreeSet::new();
        case.objects.retain(|object| {
            let field = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
            seen.insert([field("/kind"), field("/metadata/namespace"), field("/metadata/name")])
        });
        if case.namespace.is_empty() {
            let namespaces = case.objects.iter().filter(|object| object["kind"] != "Lease");
            let mut namespaces = namespaces.filter_map(|object| object.pointer("/metadata/namespace")?.as_str());
            case.namespace = namespaces.next().unwrap_or_default().to_owned();
        }
        Ok(case)
    }

    /// `get`, `describe`, `events`, `rollout history`, `rollout status`.
    pub fn family(&self) -> String {
        let mut words = self.command.split_whitespace().skip_while(|word| *word == "kubectl");
        match words.next().unwrap_or_default() {
            "rollout" => format!("rollout {}", words.next().unwrap_or_default()),
            verb => verb.to_owned(),
        }
    }

    /// What ours prints `delay_us` microseconds after the recorded time.
    pub fn run(&self, delay_us: i64) -> Result<Output> {
        let command = parse(&self.command)?;
        let mut objects = self.objects.clone();
        objects.extend(stand_ins(&command, &objects, &self.namespace));
        let now = self.now.as_microsecond() + delay_us;
        let view = View { objects: &objects, now, namespace: &self.namespace };
        show(&command, &view, None)
            .ok_or_else(|| Error::new(format!("`{}` changes objects: it has no text of its own", self.command)))
    }
}

/// How long after the recorded time kubectl may have read its clock: the recorder noted the time before it started kubectl,
/// and a command may ask the API server several times.
const MAX_DELAY_MS: i64 = 350;

/// The steps in which later instants are tried.
const DELAY_STEP_MS: i64 = 1;

/// What differs between the recording and ours: nothing, or one difference for each of text, error text and exit code. A line
/// may be as ours prints it at any instant of the command.
pub fn check(case: &Case) -> Vec<Difference> {
    let ours = match case.run(0) {
        Ok(ours) => ours,
        Err(error) => return vec![Difference::new("command", &case.command, error.to_string())],
    };
    let mut differences = Vec::new();
    if case.stdout != ours.stdout && !is_printed_later(case) {
        differences.push(first_line_that_differs("stdout", &case.stdout, &ours.stdout));
    }
    if case.stderr != ours.stderr {
        differences.push(first_line_that_differs("stderr", &case.stderr, &ours.stderr));
    }
    if case.exit != ours.exit {
        differences.push(Difference::new("exit", case.exit.to_string(), ours.exit.to_string()));
    }
    differences
}

/// Whether each line is what ours prints at some instant while the command ran, the instants in order.
fn is_printed_later(case: &Case) -> bool {
    let expected: Vec<&str> = case.stdout.split('\n').collect();
    let mut n_agreed = 0;
    for delay_ms in (0..=MAX_DELAY_MS).step_by(DELAY_STEP_MS as usize) {
        let Ok(ours) = case.run(delay_ms * 1000) else { return false };
        let lines: Vec<&str> = ours.stdout.split('\n').collect();
        if lines.len() != expected.len() {
            return false;
        }
        let more = expected[n_agreed..].iter().zip(&lines[n_agreed..]).take_while(|(a, b)| a == b).count();
        n_agreed += more;
        if n_agreed == expected.len() {
            return true;
        }
    }
    false
}

fn first_line_that_differs(subject: &str, expected: &str, got: &str) -> Difference {
    let (mut left, mut right) = (expected.split('\n'), got.split('\n'));
    for line in 1.. {
        match (left.next(), right.next()) {
            (Some(a), Some(b)) if a == b => {}
            (None, None) => break,
            (a, b) => {
                let end = "<end>";
                return Difference::new(format!("{subject}:{line}"), a.unwrap_or(end), b.unwrap_or(end));
            }
        }
    }
    Difference::new(subject, expected, got)
}

/// Checks all cases of a folder (`*.json.gz` and `*.json`).
pub fn check_folder(folder: &Path) -> Result<KubectlReport> {
    let mut cases = Vec::new();
    let unreadable = |error: std::io::Error| Error::new(format!("{}: {error}", folder.display()));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.sort();
    for path in paths {
        let Some(text) = read_file(&path)? else { continue };
        if let Ok(mut case) = Case::read(&text) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            case.id = name.trim_end_matches(".gz").trim_end_matches(".json").to_owned();
            cases.push(case);
        }
    }
    // A command that found nothing has no object to tell its namespace: its neighbours do.
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    for case in cases.iter().filter(|case| !case.namespace.is_empty()) {
        *named.entry(&case.namespace).or_default() += 1;
    }
    let usual = named.iter().max_by_key(|(_, count)| **count).map(|(name, _)| (*name).to_owned()).unwrap_or_default();
    let mut report = KubectlReport::default();
    for mut case in cases {
        if case.namespace.is_empty() {
            case.namespace.clone_from(&usual);
        }
        let differences = check(&case);
        let family = report.families.entry(case.family()).or_default();
        family.total += 1;
        family.agree += usize::from(differences.is_empty());
        if !case.consistent {
            report.inconsistent.insert(case.id.clone());
        }
        if !differences.is_empty() {
            report.differences.insert(case.id, differences);
        }
    }
    Ok(report)
}

fn read_file(path: &Path) -> Result<Option<String>> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let unreadable = |error: std::io::Error| Error::new(format!("{}: {error}", path.display()));
    let mut text = String::new();
    if name.ends_with(".json.gz") {
        let file = std::fs::File::open(path).map_err(unreadable)?;
        GzDecoder::new(file).read_to_string(&mut text).map_err(unreadable)?;
    } else if name.ends_with(".json") {
        text = std::fs::read_to_string(path).map_err(unreadable)?;
    } else {
        return Ok(None);
    }
    Ok(Some(text))
}

/// Objects that a command needs and its recording lacks: the workload of a rollout history, of which the revisions tell name
/// and uid.
fn stand_ins(command: &Command, objects: &[Value], namespace: &str) -> Vec<Value> {
    let Command::Rollout(rollout) = command else { return Vec::new() };
    let kinds = [
        ("Deployment", ["deployment", "deployments", "deploy"], "ReplicaSet"),
        ("DaemonSet", ["daemonset", "daemonsets", "ds"], "ControllerRevision"),
        ("StatefulSet", ["statefulset", "statefulsets", "sts"], "ControllerRevision"),
    ];
    let mut made = Vec::new();
    for (word, name) in rollout.selection.args.iter().filter_map(|arg| arg.split_once('/')) {
        let word = word.split('.').next().unwrap_or(word).to_lowercase();
        let Some((kind, _, revisions)) = kinds.iter().find(|(_, words, _)| words.contains(&word.as_str())) else {
            continue;
        };
        if objects.iter().any(|object| object["kind"] == *kind && object["metadata"]["name"] == name) {
            continue;
        }
        let owner_of = |object: &Value| {
            let owners = object.pointer("/metadata/ownerReferences")?.as_array()?;
            owners.iter().find(|owner| owner["kind"] == *kind && owner["name"] == name).cloned()
        };
        let mut owned = objects.iter().filter(|object| object["kind"] == *revisions);
        let uid = owned.find_map(owner_of).map_or(Value::Null, |owner| owner["uid"].clone());
        made.push(json!({
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace, "uid": uid},
            "spec": {"selector": {}},
        }));
    }
    made
}
