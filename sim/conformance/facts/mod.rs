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
mod named;
mod node_health;
mod queue;
mod replica_sets;
mod stateful_sets;
mod topology;

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
        "topology_allocation" => topology::case(row),
        "attach_detach_and_statefulset" => stateful_sets::claims_of(row).or_else(|| lost_nodes::case(row)),
        _ => None,
    }
}

/// Rows in words whose code tells one story, whatever else they may say: tests of these rows, not readers of others.
pub(super) const STORIES: &[&str] =
    &["AD08", "AD09", "AD10", "AD11", "AD12", "CL12", "ET01", "ET04", "TE01", "replicaset.deletion_order_total-01"];

/// The test that was written for a row, by its id.
pub(super) fn named(id: &str) -> Answer {
    named::check(id).or_else(|| node_health::check(id))
}

/// The row of `docs/modelled.md` that says why nothing answers a row.
pub(super) fn not_modelled(group: &str, row: &Value) -> Option<&'static str> {
    match group {
        "proxy_endpoint_choice"
        | "load_balancing_and_affinity"
        | "endpoint_timeline"
        | "dns_and_env"
        | "ingress_match"
        | "gateway_api"
        | "network_policy" => Some("network"),
        // Objects of the kind `Endpoints`, which EndpointSlices have replaced.
        "endpointslice_membership" if row["expect"]["legacy_Endpoints"].is_string() => Some("network"),
        "pv_binding" => Some("storage"),
        "attach_detach_and_statefulset" if row["given"].is_string() => Some("storage"),
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

/// An integer, or 0 if nothing is said; `None` if what is said is no integer.
fn int0(value: &Value, key: &str) -> Option<i32> {
    if value[key].is_null() { Some(0) } else { int(value, key) }
}

/// A count of no more than `most`, or 0 if nothing is said; `None` if what is said is no count.
fn count(value: &Value, key: &str, most: u64) -> Option<u64> {
    if value[key].is_null() { Some(0) } else { value[key].as_u64().filter(|&count| count <= most) }
}

/// A flag, or `false` if nothing is said; `None` if what is said is no flag.
fn flag(value: &Value, key: &str) -> Option<bool> {
    if value[key].is_null() { Some(false) } else { value[key].as_bool() }
}

/// A word that is one of those known, or `None`.
fn one_of<'a>(value: &'a Value, known: &[&str]) -> Option<&'a str> {
    value.as_str().filter(|word| known.contains(word))
}

/// A list of integers, or an empty one if nothing is said; `None` if what is said is anything else.
fn ints(value: &Value) -> Option<Vec<i64>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Array(list) => list.iter().map(Value::as_i64).collect(),
        _ => None,
    }
}

/// Nothing if a text has a word that is not among those known, in whatever case: what is not understood is not answered. Remarks in
/// parentheses do not count.
pub(super) fn only(text: &str, known: &str) -> Option<()> {
    let mut depth = 0;
    let words: String = text
        .chars()
        .map(|c| {
            depth += i32::from(c == '(');
            let shown = if depth > 0 || !c.is_alphabetic() { ' ' } else { c.to_ascii_lowercase() };
            depth -= i32::from(c == ')');
            shown
        })
        .collect();
    words.split_whitespace().all(|word| known.split(' ').any(|own| own == word)).then_some(())
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
