//! Tables of facts, `control-plane.yaml` and `node-network.yaml`: each group is given to the code it describes. A group that no
//! code answers is listed as such, never skipped in silence.

use std::fmt;
use std::path::Path;

use serde_json::Value;

use super::cluster::facts as told;
use super::{cases_admission, cases_kubectl, cases_rules, cases_scheduler, facts};
use crate::controllers::cases_nodes;
use crate::error::{Error, Result};
use crate::kubelet::cases as kubelet_cases;

/// What became of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupReport {
    /// The group.
    pub group: String,
    /// Its cases.
    pub total: usize,
    /// Cases that code answers.
    pub wired: usize,
    /// Cases whose answer agrees.
    pub agree: usize,
    /// Cases whose answer does not, with what was expected and answered.
    pub wrong: Vec<String>,
}

/// Runs both files of a folder; one that is not there is left out.
///
/// # Errors
///
/// If a file cannot be read, or is no YAML.
pub fn run(folder: &Path) -> Result<Vec<GroupReport>> {
    let mut reports = Vec::new();
    if let Some(file) = read(&folder.join("control-plane.yaml"))? {
        for group in file["groups"].as_array().into_iter().flatten() {
            let name = group["group"].as_str().unwrap_or_default();
            let cases = group["cases"].as_array().map_or(&[][..], Vec::as_slice);
            reports.push(run_group(name, cases, control_plane));
        }
    }
    if let Some(file) = read(&folder.join("node-network.yaml"))? {
        for (name, rows) in file.as_object().into_iter().flatten() {
            if let Some(rows) = rows.as_array() {
                reports.push(run_group(name, rows, node_network));
            }
        }
    }
    Ok(reports)
}

/// An answer to one case: nothing if no code answers it, else whether it agrees, or what differs.
type Answer = Option<std::result::Result<(), String>>;

fn run_group(group: &str, cases: &[Value], answer: fn(&str, &Value) -> Answer) -> GroupReport {
    let mut report = GroupReport { group: group.to_owned(), total: cases.len(), ..GroupReport::default() };
    for case in cases {
        match answer(group, case) {
            None => {}
            Some(Ok(())) => {
                report.wired += 1;
                report.agree += 1;
            }
            Some(Err(what)) => {
                report.wired += 1;
                report.wrong.push(format!("{}: {what}", case["id"].as_str().unwrap_or(group)));
            }
        }
    }
    report
}

fn control_plane(group: &str, case: &Value) -> Answer {
    if let Some(outcome) = told::check(case["id"].as_str().unwrap_or_default()) {
        return Some(outcome);
    }
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
    if let Some(outcome) = told::check(row["id"].as_str().unwrap_or_default()) {
        return Some(outcome);
    }
    if let Some(answer) = facts::node_network(group, row) {
        return Some(answer);
    }
    if let Some(got) = kubelet_cases::case(group, row) {
        return Some(compare(row, &got, kubelet_cases::agrees));
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

fn read(path: &Path) -> Result<Option<Value>> {
    if !path.exists() {
        return Ok(None);
    }
    let problem = |what: String| Error::new(format!("cannot read {}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| problem(error.to_string()))?;
    serde_yaml::from_str(&text).map(Some).map_err(|error| problem(error.to_string()))
}

/// `deployment.proportional_scaling  12/14 agree` or `... not wired`.
impl fmt::Display for GroupReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:44} {:>4} cases", self.group, self.total)?;
        match self.total - self.wired {
            _ if self.wired == 0 => write!(f, "  not wired"),
            0 => write!(f, "  {}/{} agree", self.agree, self.wired),
            rest => write!(f, "  {}/{} agree, {rest} not wired", self.agree, self.wired),
        }
    }
}
