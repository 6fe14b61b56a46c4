//! Facts about kubelets as tables of cases: a row's fields in, its `expect…` members out.
//!
//! [`case`] answers the rows of which the input is given in fields; rows in free text are named tests instead.

mod checks;
mod crash_loop;
mod endings;
mod lives;
mod loops;
mod nodes;
mod pods;
mod pressure;
mod probes;
mod pulls;
mod sizes;
mod stops;
mod trial;

use serde_json::{Map, Value};

use crate::api::quantity::Quantity;

/// Our answer to one row of `group`: its members that begin with `expect`, as we would have them. `None` for a group or a row that
/// is not given in fields.
pub fn case(group: &str, row: &Value) -> Option<Value> {
    let structured = match group {
        "pod_phase" => pods::phase(row),
        "pod_conditions" => pods::conditions(row),
        "restart_decision" => pods::restart(row),
        "qos_oom" => pods::oom(row),
        "crashloop" => crash_loop::starts(row),
        "images" => pods::image(row),
        "hooks_and_termination" => stops::stop(row),
        "probes" => probes::probe(row),
        "graceful_node_shutdown" => pressure::shutdown(row),
        "node_pressure" => pressure::pressure(row),
        _ => None,
    };
    structured.or_else(|| in_words(group, row))
}

/// Rows in words: each is a small simulation of what it says, whose outcome is put in the words of the row.
fn in_words(group: &str, row: &Value) -> Option<Value> {
    match group {
        "pod_conditions" => lives::conditions(row),
        "init_and_sidecar" => lives::init_and_sidecar(row),
        "restart_decision" | "crashloop" => loops::case(row),
        "images" => pulls::case(row),
        "hooks_and_termination" => endings::case(row),
        "qos_oom" => endings::out_of_memory(row),
        "probes" => checks::case(row),
        "graceful_node_shutdown" => nodes::shutdown(row),
        "node_pressure" => nodes::pressure(row),
        "resize_in_place" => sizes::case(row),
        _ => None,
    }
}

/// An instant in seconds.
fn at(time: crate::engine::Time) -> Value {
    seconds(time.since(crate::engine::Time::ZERO))
}

/// `text` if the simulation has shown what it says, else what it has shown instead.
fn said(shown: bool, text: &str, instead: &str) -> Option<Value> {
    answer("expect", if shown { text.to_owned() } else { format!("not so: {instead}") })
}

/// The numbers in a text, in order.
fn numbers(text: &str) -> Vec<f64> {
    let parts = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    parts.filter_map(|part| part.trim_matches('.').parse().ok()).collect()
}

/// Whether an answer agrees with what its row expects. Every member must be answered; a remark in parentheses behind an expected text is no
/// part of it.
pub fn agrees(want: &Value, got: &Value) -> bool {
    match (want, got) {
        (Value::Object(want), Value::Object(got)) => {
            let answered = want.keys().all(|key| got.contains_key(key) || key == "note");
            answered && got.iter().all(|(key, got)| want.get(key).is_some_and(|want| agrees(want, got)))
        }
        (Value::Number(want), Value::Number(got)) => want.as_f64() == got.as_f64(),
        (Value::Array(want), Value::Array(got)) => {
            want.len() == got.len() && want.iter().zip(got).all(|(want, got)| agrees(want, got))
        }
        (Value::String(want), Value::String(got)) => {
            want.strip_prefix(got.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(" ("))
        }
        _ => want == got,
    }
}

/// A number if something is said; `None` if what is said is no number.
fn said_number(value: &Value) -> Option<Option<f64>> {
    if value.is_null() { Some(None) } else { value.as_f64().map(Some) }
}

/// A flag, or `false` if nothing is said; `None` if what is said is no flag.
fn said_flag(value: &Value) -> Option<bool> {
    if value.is_null() { Some(false) } else { value.as_bool() }
}

/// A member called `name` with this value.
fn answer(name: &str, value: impl Into<Value>) -> Option<Value> {
    Some(Value::Object(Map::from_iter([(name.to_owned(), value.into())])))
}

/// An amount as a number or a quantity, in whole units.
fn amount(value: &Value) -> Option<i64> {
    let quantity: Quantity = match value {
        Value::String(text) => text.parse().ok()?,
        Value::Number(number) => number.to_string().parse().ok()?,
        _ => return None,
    };
    Some(quantity.value())
}

/// Seconds as a number: whole ones without a fraction.
fn seconds(span: crate::engine::Span) -> Value {
    match span.as_micros() % 1_000_000 {
        0 => span.as_secs().into(),
        _ => span.as_secs_f64().into(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::PathBuf;

    use super::*;

    /// The rows that are answered by [`case`], and those that are not because they are free text.
    const GROUPS: [(&str, usize); 10] = [
        ("pod_phase", 16),
        ("pod_conditions", 4),
        ("restart_decision", 7),
        ("qos_oom", 5),
        ("crashloop", 5),
        ("images", 5),
        ("hooks_and_termination", 6),
        ("probes", 17),
        ("graceful_node_shutdown", 5),
        ("node_pressure", 12),
    ];

    #[test]
    fn all_public_cases_that_are_given_in_fields_agree() {
        let shared = std::env::var_os("WAVETANK_SHARED")
            .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
        let path = shared.join("cases/node-network.yaml");
        let Ok(text) = std::fs::read_to_string(&path) else {
            let _ = writeln!(std::io::stderr(), "skipped: cases of kubelets, there is no {}", path.display());
            return;
        };
        let all: Value = serde_yaml::from_str(&text).expect("the cases are YAML");
        let (mut failures, mut n_all) = (Vec::new(), 0);
        for (group, least) in GROUPS {
            let mut n_answered = 0;
            for row in all[group].as_array().expect("a group") {
                let Some(answer) = case(group, row) else { continue };
                n_answered += 1;
                for (member, got) in answer.as_object().into_iter().flatten() {
                    let want = &row[member];
                    if !agrees(want, got) {
                        failures.push(format!("{group} {}: {member} should be {want}, is {got}", row["id"]));
                    }
                }
            }
            n_all += n_answered;
            if n_answered < least {
                failures.push(format!("{group}: only {n_answered} rows answered, {least} were once"));
            }
        }
        let _ = writeln!(std::io::stderr(), "cases of kubelets: {n_all} rows answered");
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}
