//! Facts about controllers and the scheduling queue: each row is given to the function that decides, or to the controller itself in a
//! small cluster. A row of free text is recognized by its words, or by its id.

mod autoscaler;
mod cron_jobs;
mod daemon_sets;
mod deployments;
mod endpoints;
mod job_policies;
mod jobs;
mod lab;
mod lost_nodes;
mod queue;
mod replica_sets;
mod stateful_sets;

use serde_json::Value;

use crate::api::int_or_percent::IntOrPercent;

/// Whether an answer agrees, or what differs; nothing if no code answers.
pub(super) type Answer = Option<Result<(), String>>;

/// Our answer to one row of `control-plane.yaml`: `in`, `out`, and sometimes a note without which `in` is not complete.
pub(super) fn control_plane(group: &str, case: &Value) -> Answer {
    let (kind, rule) = group.split_once('.')?;
    match kind {
        "deployment" => deployments::case(rule, case),
        "replicaset" => replica_sets::case(rule, case),
        "hpa" => autoscaler::case(rule, case),
        "cronjob" => cron_jobs::case(rule, case),
        "job" => jobs::case(rule, case).or_else(|| job_policies::case(rule, case)),
        "statefulset" => stateful_sets::case(rule, case),
        "daemonset" => daemon_sets::case(rule, case),
        "pdb" => endpoints::budget(rule, case),
        "scheduler" => queue::case(rule, case),
        _ => None,
    }
}

/// Our answer to one row of `node-network.yaml`.
pub(super) fn node_network(group: &str, row: &Value) -> Answer {
    match group {
        "endpointslice_membership" => endpoints::membership(row),
        "endpoint_timeline" => endpoints::timeline(row),
        "attach_detach_and_statefulset" => stateful_sets::claims_of(row).or_else(|| lost_nodes::case(row)),
        _ => None,
    }
}

/// Agreement of whole values.
fn same(want: &Value, got: impl Into<Value>) -> Answer {
    let got = got.into();
    Some(if *want == got { Ok(()) } else { Err(format!("expected {want}, got {got}")) })
}

/// Agreement of the members that `want` names; `got` may say more. Members that are notes of the table do not count.
fn members(want: &Value, got: &Value) -> Answer {
    let differs = |(key, value): &(&String, &Value)| *key != "note" && got.get(key.as_str()) != Some(value);
    match want.as_object()?.iter().find(differs) {
        None => Some(Ok(())),
        Some((key, _)) => Some(Err(format!("{key}: expected {want}, got {got}"))),
    }
}

/// Agreement with a statement: `holds` is what our code says of it.
fn stated(want: &Value, holds: bool, got: impl std::fmt::Debug) -> Answer {
    Some(if holds { Ok(()) } else { Err(format!("expected {want}, got {got:?}")) })
}

fn int(value: &Value, key: &str) -> Option<i32> {
    i32::try_from(value[key].as_i64()?).ok()
}

/// An integer, or 0 if there is none.
fn int0(value: &Value, key: &str) -> i32 {
    int(value, key).unwrap_or(0)
}

/// A number or a percentage, or 0 if there is none.
fn amount(value: &Value) -> Option<IntOrPercent> {
    match value {
        Value::Null => Some(IntOrPercent::Int(0)),
        value => serde_json::from_value(value.clone()).ok(),
    }
}

/// The first whole number in a text.
fn first_number(text: &str) -> Option<i64> {
    numbers(text).first().copied()
}

/// The whole numbers in a text, in order; a sign counts where a number begins a word.
fn numbers(text: &str) -> Vec<i64> {
    let words = text
        .split(|c: char| !c.is_ascii_digit() && c != '-')
        .filter(|word| word.contains(|c: char| c.is_ascii_digit()));
    words
        .flat_map(|word| match word.parse() {
            Ok(number) => vec![number],
            Err(_) => word.split('-').filter_map(|part| part.parse().ok()).collect(),
        })
        .collect()
}
