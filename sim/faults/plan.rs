//! What fails when: the steps `fail:` of a scenario, read and checked.

use serde_json::Value;

use crate::engine::{Distribution, Span, Time, Unit};
use crate::error::{FieldError, nearest};

/// One step of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// When it begins and how long it lasts.
    pub when: When,
    /// Which nodes fail.
    pub target: Target,
    /// How they fail.
    pub failure: Failure,
}

/// When a failure begins, and how long it lasts.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// Once.
    Once {
        /// When.
        at: Time,
        /// How long; for good if none.
        lasts: Option<Span>,
    },
    /// Again and again, drawn.
    Drawn {
        /// From the end of a repair to the next failure.
        up: Lasting,
        /// From a failure to the end of its repair.
        down: Lasting,
        /// Failures begin at multiples of this only (a failure drawn in between begins at the next one).
        every: Option<Span>,
    },
}

/// A drawn length of time.
#[derive(Clone, Debug, PartialEq)]
pub enum Lasting {
    /// Exponential with this mean: what "mean time between failures" alone says.
    Exponential(Span),
    /// As given.
    Given(Distribution),
}

/// Which nodes fail together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The node of this name.
    Node(String),
    /// Every node by itself; for drawn failures only.
    EachNode,
    /// All nodes with this label: a zone, a rack.
    Label(String, String),
}

/// How nodes fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The machine is down.
    Crash,
    /// The node runs on, but nothing gets through between it and the control plane.
    Partition,
}

/// Failures that a scenario may name and that are not modelled.
const NOT_MODELLED: [&str; 9] = [
    "container",
    "kubelet",
    "image-registry",
    "api-server",
    "etcd",
    "scheduler",
    "controller-manager",
    "slow-node",
    "network",
];

impl Fault {
    /// Reads a step such as `{at: 7m, fail: node/general-3, for: 4m}` or `{drawn: {mtbf: 30d, mttr: 20m}, fail: node}`.
    ///
    /// # Errors
    ///
    /// The path of the field, and what is wrong with it.
    pub fn from_json(step: &Value) -> Result<Fault, FieldError> {
        let known = ["at", "for", "every", "drawn", "fail", "how"];
        for key in step.as_object().into_iter().flatten().map(|(key, _)| key) {
            if !known.contains(&key.as_str()) {
                return Err(FieldError::unknown_field("", key, known));
            }
        }
        let span = |key: &str| {
            let text = step[key].as_str();
            let parsed = text.map(|text| text.parse::<Span>().map_err(|error| FieldError::new(key, error.to_string())));
            parsed.transpose()
        };
        let target = read_target(&step["fail"])?;
        let failure = match step["how"].as_str() {
            None | Some("crash") => Failure::Crash,
            Some("partition") => Failure::Partition,
            Some(other) => {
                return Err(
                    FieldError::new("how", format!("nodes do not fail by `{other}`")).help("write crash or partition")
                );
            }
        };
        let when = if step["drawn"].is_null() {
            if target == Target::EachNode {
                return Err(
                    FieldError::new("fail", "which node?").help("write node/NAME, or drawn: {mtbf, mttr} for all")
                );
            }
            let Some(at) = span("at")? else { return Err(FieldError::new("at", "a failure needs `at` or `drawn`")) };
            When::Once { at: Time::ZERO + at, lasts: span("for")? }
        } else {
            let every = span("every")?.filter(|every| !every.is_zero());
            When::Drawn { up: lasting(&step["drawn"], "mtbf")?, down: lasting(&step["drawn"], "mttr")?, every }
        };
        Ok(Fault { when, target, failure })
    }
}

fn lasting(drawn: &Value, key: &str) -> Result<Lasting, FieldError> {
    let path = format!("drawn.{key}");
    match &drawn[key] {
        Value::String(text) => match text.parse::<Span>() {
            Ok(mean) if !mean.is_zero() => Ok(Lasting::Exponential(mean)),
            Ok(_) => Err(FieldError::new(path, "a mean time is longer than nothing")),
            Err(error) => Err(FieldError::new(path, error.to_string())),
        },
        Value::Null => Err(FieldError::new(path, "drawn failures need mtbf and mttr")),
        given => Distribution::from_json(given, Unit::Span)
            .map(Lasting::Given)
            .map_err(|error| FieldError::new(path, error.to_string())),
    }
}

fn read_target(fail: &Value) -> Result<Target, FieldError> {
    let text = fail.as_str().unwrap_or_default();
    let (kind, rest) = text.split_once('/').map_or((text, None), |(kind, rest)| (kind, Some(rest)));
    match (kind, rest) {
        ("node", None) => Ok(Target::EachNode),
        ("node", Some(name)) => Ok(Target::Node(name.to_owned())),
        ("zone", Some(name)) => Ok(Target::Label("topology.kubernetes.io/zone".to_owned(), name.to_owned())),
        ("label", Some(label)) => match label.split_once('=') {
            Some((key, value)) => Ok(Target::Label(key.to_owned(), value.to_owned())),
            None => Err(FieldError::new("fail", "a label is key=value")),
        },
        _ if NOT_MODELLED.contains(&kind) => {
            Err(FieldError::new("fail", format!("failures of `{kind}` are not modelled"))
                .help("nodes fail: node/NAME, zone/NAME, label/KEY=VALUE"))
        }
        _ => {
            let guess = nearest(kind, ["node", "zone", "label"].into_iter().chain(NOT_MODELLED));
            let help = guess.map_or_else(
                || "write node/NAME, zone/NAME, label/KEY=VALUE".to_owned(),
                |guess| format!("did you mean `{guess}`?"),
            );
            Err(FieldError::new("fail", format!("`{text}` is nothing that fails")).help(help))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn steps_are_read_or_refused() {
        let read = |step| Fault::from_json(&step);
        assert_eq!(
            read(json!({ "at": "7m", "fail": "node/a", "for": "4m" })),
            Ok(Fault {
                when: When::Once { at: Time::from_secs(420), lasts: Some(Span::from_secs(240)) },
                target: Target::Node("a".to_owned()),
                failure: Failure::Crash,
            })
        );
        assert!(read(json!({ "drawn": { "mtbf": "30d", "mttr": "20m" }, "fail": "node", "how": "partition" })).is_ok());
        for (step, path) in [
            (json!({ "at": "7m", "fail": "node" }), "fail"),
            (json!({ "at": "7m", "fail": "scheduler" }), "fail"),
            (json!({ "at": "7m", "fail": "nod/a" }), "fail"),
            (json!({ "fail": "node/a" }), "at"),
            (json!({ "at": "7", "fail": "node/a" }), "at"),
            (json!({ "drawn": { "mtbf": "30d" }, "fail": "node" }), "drawn.mttr"),
        ] {
            assert_eq!(read(step.clone()).unwrap_err().path, path, "{step}");
        }
    }
}
