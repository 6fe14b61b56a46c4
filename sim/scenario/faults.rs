//! Whether what a failure names is there: nodes and their labels are known before the run.

use serde_json::Value;

use crate::api::document::{Document, Part};
use crate::client::{Action, Step};
use crate::error::{Error, nearest};
use crate::faults::{Failure, Fault, Target};

/// Every failure of a node that is neither there from the beginning nor joins later. `values` are all steps as written, `faults` those
/// that are failures, in order.
pub(super) fn unknown_targets(
    document: &Document,
    values: &[Value],
    (steps, faults): (&[Step], &[Fault]),
    nodes: &[Value],
) -> Vec<Error> {
    let joining = steps.iter().filter_map(|step| match &step.action {
        Action::AddNode(manifest) => Some(manifest),
        _ => None,
    });
    let nodes: Vec<&Value> = nodes.iter().chain(joining).collect();
    let places = values.iter().enumerate().filter(|(_, value)| value.get("fail").is_some()).map(|(idx, _)| idx);
    places
        .zip(faults)
        .filter_map(|(idx, fault)| {
            let Failure::Nodes(target, _) = &fault.failure else { return None };
            let error = unknown(target, &nodes)?;
            Some(error.at(document.place(&format!("spec.steps[{idx}].fail"), Part::Value)))
        })
        .collect()
}

fn unknown(target: &Target, nodes: &[&Value]) -> Option<Error> {
    let label = |node: &&&Value, key: &str| node["metadata"]["labels"][key].as_str().map(str::to_owned);
    match target {
        Target::Node(name) => {
            let names: Vec<&str> = nodes.iter().filter_map(|node| node["metadata"]["name"].as_str()).collect();
            if names.contains(&name.as_str()) {
                return None;
            }
            let error = Error::new(format!("there is no node `{name}`"));
            Some(match nearest(name, names.iter().copied()) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error,
            })
        }
        Target::EachNode => None,
        Target::Label(key, value) => {
            let mut values: Vec<String> = nodes.iter().filter_map(|node| label(&node, key)).collect();
            if values.contains(value) {
                return None;
            }
            values.sort_unstable();
            values.dedup();
            let error = Error::new(format!("no node has the label {key}={value}"));
            Some(match values.is_empty() {
                true => error.help(format!("give nodes the label {key}: `labels:` of their node pool")),
                false => error.help(format!("values of {key}: {}", values.join(", "))),
            })
        }
        Target::EachValue(key) => {
            let none = nodes.iter().all(|node| label(&node, key).is_none());
            none.then(|| {
                Error::new(format!("no node has a label {key}"))
                    .help(format!("give nodes the label {key}: `labels:` of their node pool"))
            })
        }
    }
}
