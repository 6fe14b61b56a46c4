//! Tables of facts, `control-plane.yaml` and `node-network.yaml`: each row is given to the code it describes. A row that no code answers
//! is listed as such, and so are the members of a row that its answer does not depend on: nothing is skipped in silence.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde_json::Value;

use super::cluster::facts as told;
use super::{cases_admission, cases_kubectl, cases_mutations, cases_rules, cases_scheduler, facts};
use crate::controllers::cases_nodes;
use crate::error::{Error, Result};
use crate::kubelet::cases as kubelet_cases;

/// The table that a group stands in: rows of the one have `in` and `out`, rows of the other members that begin with `expect` among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// `control-plane.yaml`.
    ControlPlane,
    /// `node-network.yaml`.
    NodeNetwork,
}

/// A group of rows.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its table.
    pub table: Table,
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: Vec<Value>,
}

/// Who answers a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody: no code knows the group, or the row is of no form that is understood.
    Unanswered,
    /// Nobody, for it is about a part of Kubernetes that is not modelled: the row of `docs/modelled.md` that says so.
    NotModelled(&'static str),
    /// A test that was written for this very row.
    Named(std::result::Result<(), String>),
    /// Code that reads the row.
    Read(std::result::Result<(), String>),
}

/// What became of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupReport {
    /// The group.
    pub group: String,
    /// Its cases.
    pub total: usize,
    /// Cases that code answers, named tests included.
    pub wired: usize,
    /// Cases whose answer agrees.
    pub agree: usize,
    /// Cases that are answered by tests of their own.
    pub named: usize,
    /// Cases about what is not modelled.
    pub not_modelled: usize,
    /// Cases whose answer does not agree, with what was expected and answered.
    pub wrong: Vec<String>,
    /// Values in agreeing cases that could be of any form: the answer does not depend on them.
    pub unread: Vec<String>,
    /// Words in agreeing cases that could be any words.
    pub unread_words: Vec<String>,
}

/// The groups of both files of a folder; a file that is not there is left out.
///
/// # Errors
///
/// If a file cannot be read, or is no YAML.
pub fn read(folder: &Path) -> Result<Vec<Group>> {
    let mut groups = Vec::new();
    if let Some(file) = read_file(&folder.join("control-plane.yaml"))? {
        for group in file["groups"].as_array().into_iter().flatten() {
            let name = group["group"].as_str().unwrap_or_default().to_owned();
            let rows = group["cases"].as_array().cloned().unwrap_or_default();
            groups.push(Group { table: Table::ControlPlane, name, rows });
        }
    }
    if let Some(file) = read_file(&folder.join("node-network.yaml"))? {
        for (name, rows) in file.as_object().into_iter().flatten() {
            if let Some(rows) = rows.as_array() {
                groups.push(Group { table: Table::NodeNetwork, name: name.clone(), rows: rows.clone() });
            }
        }
    }
    Ok(groups)
}

fn read_file(path: &Path) -> Result<Option<Value>> {
    if !path.exists() {
        return Ok(None);
    }
    let problem = |what: String| Error::new(format!("cannot read {}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| problem(error.to_string()))?;
    serde_yaml::from_str(&text).map(Some).map_err(|error| problem(error.to_string()))
}

/// The rows for which there are named tests, as the project's own tables have them: such a test answers no other row.
#[derive(Debug, Default)]
pub struct OwnRows(BTreeMap<String, Value>);

impl OwnRows {
    /// Of the project's own tables.
    pub fn of(groups: &[Group]) -> OwnRows {
        let rows = groups.iter().flat_map(|group| &group.rows);
        OwnRows(rows.filter_map(|row| Some((row["id"].as_str()?.to_owned(), row.clone()))).collect())
    }

    /// The answer of the test named after a row, if it is the row that the test was written for.
    fn named(&self, group: &Group, row: &Value) -> Answer {
        let (id, table) = (row["id"].as_str()?, group.table);
        let own = self.0.get(id)?;
        if inputs(table, own) != inputs(table, row) {
            return None;
        }
        let story = || if facts::STORIES.contains(&id) { read_row(group, own) } else { None };
        let outcome = told::check(id).or_else(|| facts::named(id)).or_else(story)?;
        let (fact, want) = (outputs(table, own), outputs(table, row));
        Some(if fact == want { outcome } else { Err(format!("expected {want:?}, its test asserts {fact:?}")) })
    }
}

/// The members of a row that say what is given.
pub(super) fn inputs(table: Table, row: &Value) -> Vec<(&str, &Value)> {
    members(row, |key| match table {
        Table::ControlPlane => key == "in",
        Table::NodeNetwork => !["id", "src", "note"].contains(&key) && !key.starts_with("expect"),
    })
}

/// The members of a row that say what comes of it.
pub(super) fn outputs(table: Table, row: &Value) -> Vec<(&str, &Value)> {
    members(row, |key| match table {
        Table::ControlPlane => key == "out",
        Table::NodeNetwork => key.starts_with("expect"),
    })
}

fn members(row: &Value, is: impl Fn(&str) -> bool) -> Vec<(&str, &Value)> {
    let all = row.as_object().into_iter().flatten();
    all.filter(|(key, _)| is(key)).map(|(key, value)| (key.as_str(), value)).collect()
}

/// Gives a row to whoever answers it.
pub fn answer(group: &Group, row: &Value, own: &OwnRows) -> Verdict {
    if let Some(outcome) = own.named(group, row) {
        return Verdict::Named(outcome);
    }
    match read_row(group, row) {
        Some(outcome) => Verdict::Read(outcome),
        None => facts::not_modelled(&group.name, row).map_or(Verdict::Unanswered, Verdict::NotModelled),
    }
}

/// The answer of code that reads the row.
fn read_row(group: &Group, row: &Value) -> Answer {
    match group.table {
        Table::ControlPlane => control_plane(&group.name, row),
        Table::NodeNetwork => node_network(&group.name, row),
    }
}

/// Runs the tables of a folder. `own` are the project's own rows.
///
/// # Errors
///
/// If a file cannot be read, or is no YAML.
pub fn run(folder: &Path, own: &OwnRows) -> Result<Vec<GroupReport>> {
    Ok(read(folder)?.iter().map(|group| run_group(group, own)).collect())
}

fn run_group(group: &Group, own: &OwnRows) -> GroupReport {
    let mut report = GroupReport { group: group.name.clone(), total: group.rows.len(), ..GroupReport::default() };
    for row in &group.rows {
        let id = row["id"].as_str().unwrap_or(&group.name);
        let verdict = answer(group, row, own);
        report.named += usize::from(matches!(verdict, Verdict::Named(_)));
        match verdict {
            Verdict::Unanswered => continue,
            Verdict::NotModelled(_) => {
                report.not_modelled += 1;
                continue;
            }
            Verdict::Named(Ok(())) => report.agree += 1,
            Verdict::Read(Ok(())) => {
                report.agree += 1;
                let unread = cases_mutations::unread(group, row, own).into_iter();
                for mutation in unread {
                    let list = if mutation.is_word { &mut report.unread_words } else { &mut report.unread };
                    list.push(format!("{id}: {}", mutation.place));
                }
            }
            Verdict::Named(Err(what)) | Verdict::Read(Err(what)) => report.wrong.push(format!("{id}: {what}")),
        }
        report.wired += 1;
    }
    report
}

/// An answer to one case: nothing if no code answers it, else whether it agrees, or what differs.
type Answer = Option<std::result::Result<(), String>>;

fn control_plane(group: &str, case: &Value) -> Answer {
    if let Some(differences) = cases_scheduler::check_case(group, case) {
        let texts: Vec<String> = differences.iter().map(ToString::to_string).collect();
        return Some(if texts.is_empty() { Ok(()) } else { Err(texts.join("; ")) });
    }
    if let Some(answer) = facts::control_plane(group, case) {
        return Some(answer);
    }
    let rules = || cases_rules::case(group, &case["in"], &case["out"]);
    let admission = || cases_admission::case(group, &case["in"], &case["out"]);
    let shown = || cases_kubectl::case(group, &case["in"], &case["out"]);
    let got = cases_nodes::case(group, &case["in"]).or_else(rules).or_else(admission).or_else(shown)?;
    Some(compare(&case["out"], &got, |want, got| want == got))
}

fn node_network(group: &str, row: &Value) -> Answer {
    if let Some(answer) = facts::node_network(group, row) {
        return Some(answer);
    }
    if let Some(got) = kubelet_cases::case(group, row) {
        let want = outputs(Table::NodeNetwork, row).into_iter().map(|(key, value)| (key.to_owned(), value.clone()));
        return Some(compare(&Value::Object(want.collect()), &got, kubelet_cases::agrees));
    }
    if row["expect"].is_null() {
        return None;
    }
    let got = cases_nodes::case(group, row)?;
    Some(compare(&row["expect"], &got, |want, got| want == got))
}

fn compare(want: &Value, got: &Value, agrees: fn(&Value, &Value) -> bool) -> std::result::Result<(), String> {
    if agrees(want, got) { Ok(()) } else { Err(format!("expected {want}, got {got}")) }
}

/// `deployment.proportional_scaling  12/14 agree` or `... not wired`.
impl fmt::Display for GroupReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:44} {:>4} cases", self.group, self.total)?;
        let mut separator = "  ";
        let mut part = |f: &mut fmt::Formatter<'_>, text: String| {
            let written = write!(f, "{separator}{text}");
            separator = ", ";
            written
        };
        if self.wired > 0 {
            part(f, format!("{}/{} agree", self.agree, self.wired))?;
        }
        if self.named > 0 {
            part(f, format!("{} named test", self.named))?;
        }
        if self.not_modelled > 0 {
            part(f, format!("{} not modelled", self.not_modelled))?;
        }
        let rest = self.total - self.wired - self.not_modelled;
        if rest > 0 || self.total == 0 {
            part(f, format!("{rest} not wired"))?;
        }
        if !self.unread.is_empty() {
            part(f, format!("{} values unread", self.unread.len()))?;
        }
        if !self.unread_words.is_empty() {
            part(f, format!("{} words unread", self.unread_words.len()))?;
        }
        Ok(())
    }
}
