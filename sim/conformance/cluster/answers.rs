//! What kubectl printed and the API answered, against what our client keeps.

use serde_json::{Value, json};

use super::compare::Comparison;
use super::record::Recording;
use super::world::World;
use crate::client::{Action, Answer, Step};
use crate::conformance::difference::Difference;

/// Compares the answers of the steps that were the same in all runs.
pub(super) fn compare(out: &mut Comparison, case: &Value, world: &World, recording: &Recording) {
    let ours: Vec<(&Step, &Answer)> = world.simulation.client.answers().skip(world.n_nodes).collect();
    let recorded = case["expect"]["stepResults"].as_array().into_iter().flatten();
    for (entry, (step, answer)) in recorded.zip(ours) {
        let expected = &entry["result"];
        if expected.is_null() || entry["stable"] != true {
            continue;
        }
        let got = shown(&step.action, answer, recording);
        let differs = match &step.action {
            Action::Apply(objects) => {
                let n_written = objects.len().saturating_sub(errors(&got).len());
                let written = expected.as_array().into_iter().flatten().filter(|object| object["error"].is_null());
                errors(expected) != errors(&got) || written.count() != n_written
            }
            _ => *expected != got,
        };
        let subject = format!("stepResults at {}", entry["at"]);
        out.count("stepResults", differs.then(|| Difference::new(subject, expected.to_string(), got.to_string())));
    }
}

/// The objects of an apply that were refused, with what the server said.
fn errors(result: &Value) -> Vec<Value> {
    result
        .as_array()
        .into_iter()
        .flatten()
        .map(|object| object["error"].clone())
        .filter(|error| !error.is_null())
        .collect()
}

/// An answer in the form of the recordings.
pub(super) fn shown(action: &Action, answer: &Answer, recording: &Recording) -> Value {
    let text = |lines: &[String]| {
        let mut out: String = lines.iter().map(|line| recording.names.translate(line)).collect::<Vec<_>>().join("\n");
        if !out.is_empty() {
            out.push('\n');
        }
        out
    };
    match action {
        Action::Kubectl(_) => {
            json!({ "exit": i32::from(answer.failed), "stdout": text(&answer.stdout), "stderr": text(&answer.stderr) })
        }
        Action::Evict(_) => {
            let answers = answer.evictions.iter().map(|(pod, refused)| match refused {
                None => json!({ "pod": recording.names.translate(pod), "code": 201 }),
                Some(refused) => {
                    let reason = if refused.code == 429 { "TooManyRequests" } else { "" };
                    let mut shown = json!({
                        "pod": recording.names.translate(pod), "code": refused.code, "error": refused.text, "reason": reason,
                    });
                    if !refused.cause.is_empty() {
                        shown["causes"] = json!([{ "reason": "DisruptionBudget", "message": refused.cause }]);
                    }
                    shown
                }
            });
            Value::Array(answers.collect())
        }
        Action::Apply(_) => {
            // What the server warns of is no error.
            let errors = answer.stderr.iter().filter(|line| !line.starts_with("Warning: "));
            Value::Array(errors.map(|line| json!({ "error": recording.names.translate(line) })).collect())
        }
        _ => Value::Null,
    }
}
