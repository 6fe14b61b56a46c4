//! Steps `fail:` of a scenario, read and checked.

use serde_json::Value;

use super::plan::{Containers, Failure, Fault, Lasting, NodeFailure, Pods, Target, When};
use crate::engine::{Distribution, Span, Time, Unit};
use crate::error::{FieldError, nearest};

/// Keys of such a step.
const KEYS: [&str; 13] = [
    "at",
    "for",
    "until",
    "every",
    "drawn",
    "fail",
    "how",
    "factor",
    "latency",
    "namespace",
    "container",
    "exitCode",
    "pick",
];

/// What can fail, as a step names it.
const KINDS: [&str; 12] = [
    "node",
    "zone",
    "rack",
    "label",
    "kubelet",
    "slow-node",
    "container",
    "image-registry",
    "api-server",
    "etcd",
    "scheduler",
    "controller-manager",
];

/// How a step is written.
const FORMS: &str = "write node/NAME, zone/NAME, rack/NAME, label/KEY=VALUE, kubelet/NODE, slow-node/NODE, container/POD, \
                     image-registry, api-server, etcd, scheduler or controller-manager";

const ZONE: &str = "topology.kubernetes.io/zone";
/// No label for racks is well known; this one is in use beside those for zones and regions.
const RACK: &str = "topology.kubernetes.io/rack";

impl Fault {
    /// Reads a step such as `{at: 7m, fail: node/general-3, for: 4m}` or `{drawn: {mtbf: 30d, mttr: 20m}, fail: node}`.
    ///
    /// # Errors
    ///
    /// The path of the field, and what is wrong with it.
    pub fn from_json(step: &Value) -> Result<Fault, FieldError> {
        for key in step.as_object().into_iter().flatten().map(|(key, _)| key) {
            if !KEYS.contains(&key.as_str()) {
                return Err(FieldError::unknown_field("", key, KEYS));
            }
        }
        let drawn = !step["drawn"].is_null();
        let failure = read_failure(step, drawn)?;
        let fault = Fault { when: read_when(step, &failure, drawn)?, failure };
        fault.check_keys(step)?;
        Ok(fault)
    }

    /// Every key must mean something to what fails.
    fn check_keys(&self, step: &Value) -> Result<(), FieldError> {
        let container = matches!(self.failure, Failure::Containers(_));
        let slow_api = matches!(self.failure, Failure::SlowApiServer { .. });
        let slow_node = matches!(self.failure, Failure::Nodes(_, NodeFailure::Slow(_)));
        for (key, means) in [
            ("factor", slow_api || slow_node),
            ("latency", slow_api),
            ("namespace", container),
            ("container", container),
            ("exitCode", container),
            ("pick", container),
            ("for", !container),
            ("until", !container),
        ] {
            if !step[key].is_null() && !means {
                let what = format!("`{key}` does not go with `fail: {}`", step["fail"].as_str().unwrap_or_default());
                return Err(FieldError::new(key, what));
            }
        }
        Ok(())
    }
}

fn read_when(step: &Value, failure: &Failure, drawn: bool) -> Result<When, FieldError> {
    if drawn {
        for key in ["at", "for", "until"] {
            if !step[key].is_null() {
                return Err(FieldError::new(key, format!("`{key}` does not go with `drawn`"))
                    .help("a drawn failure begins by its mtbf and lasts by its mttr"));
            }
        }
        let every = span(step, "every")?.filter(|every| !every.is_zero());
        let instant = matches!(failure, Failure::Containers(_)) && step["drawn"]["mttr"].is_null();
        let down = match instant {
            true => Lasting::Given(Distribution::constant(Span::ZERO)),
            false => lasting(&step["drawn"], "mttr")?,
        };
        for key in step["drawn"].as_object().into_iter().flatten().map(|(key, _)| key) {
            if !["mtbf", "mttr"].contains(&key.as_str()) {
                return Err(FieldError::unknown_field("drawn", key, ["mtbf", "mttr"]));
            }
        }
        return Ok(When::Drawn { up: lasting(&step["drawn"], "mtbf")?, down, every });
    }
    if !step["every"].is_null() {
        return Err(FieldError::new("every", "`every` goes with `drawn`").help("write `drawn: {mtbf: 30d, mttr: 20m}`"));
    }
    if let Failure::Nodes(Target::EachNode | Target::EachValue(_), _) = failure {
        return Err(FieldError::new("fail", "which one?").help("write its name, or drawn: {mtbf, mttr} for all"));
    }
    let Some(at) = span(step, "at")? else { return Err(FieldError::new("at", "a failure needs `at` or `drawn`")) };
    let lasts = match (span(step, "for")?, span(step, "until")?) {
        (Some(_), Some(_)) => return Err(FieldError::new("until", "`for` and `until` say the same")),
        (None, Some(until)) if until <= at => {
            return Err(FieldError::new("until", format!("the failure would end at {until}, before it begins")));
        }
        (None, Some(until)) => Some(until.saturating_sub(at)),
        (lasts, None) => lasts,
    };
    Ok(When::Once { at: Time::ZERO + at, lasts })
}

fn span(step: &Value, key: &str) -> Result<Option<Span>, FieldError> {
    match &step[key] {
        Value::Null => Ok(None),
        Value::String(text) => {
            text.parse().map(Some).map_err(|error: crate::engine::SpanError| FieldError::new(key, error.to_string()))
        }
        _ => Err(FieldError::new(key, "is not a duration").help("as in `4m`")),
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

fn read_failure(step: &Value, drawn: bool) -> Result<Failure, FieldError> {
    let Some(text) = step["fail"].as_str() else { return Err(FieldError::new("fail", "what fails?").help(FORMS)) };
    let (kind, rest) = text.split_once('/').map_or((text, None), |(kind, rest)| (kind, Some(rest)));
    let kind = plain(kind);
    let alone = |failure: Failure| match (rest, step["how"].as_str()) {
        (Some(_), _) => {
            Err(FieldError::new("fail", format!("there is one {kind} only")).help(format!("write `{kind}`")))
        }
        (None, Some(how)) if how != "down" => {
            Err(FieldError::new("how", format!("`{kind}` does not fail by `{how}`")).help("write down"))
        }
        _ => Ok(failure),
    };
    match kind.as_str() {
        "node" | "zone" | "rack" | "label" => Ok(Failure::Nodes(node_target(&kind, rest)?, node_failure(step, None)?)),
        "kubelet" => Ok(Failure::Nodes(node_target("node", rest)?, node_failure(step, Some("kubelet"))?)),
        "slow-node" => Ok(Failure::Nodes(node_target("node", rest)?, node_failure(step, Some("slow"))?)),
        "container" => containers(step, rest, drawn).map(Failure::Containers),
        "api-server" if step["how"] == "slow" => slow_api_server(step),
        "api-server" => alone(Failure::ApiServer),
        "etcd" => alone(Failure::Etcd),
        "scheduler" => alone(Failure::Scheduler),
        "controller-manager" => alone(Failure::ControllerManager),
        "image-registry" => alone(Failure::ImageRegistry),
        _ => {
            let help =
                nearest(&kind, KINDS).map_or_else(|| FORMS.to_owned(), |guess| format!("did you mean `{guess}`?"));
            Err(FieldError::new("fail", format!("`{text}` is nothing that fails")).help(help))
        }
    }
}

/// A kind as listed: `API server`, `kube-scheduler` and `registry` are understood too.
fn plain(kind: &str) -> String {
    let kind = kind.trim().to_lowercase().replace([' ', '_'], "-");
    match kind.as_str() {
        "apiserver" | "kube-apiserver" => "api-server".to_owned(),
        "registry" => "image-registry".to_owned(),
        "kube-scheduler" => "scheduler".to_owned(),
        "kube-controller-manager" => "controller-manager".to_owned(),
        _ => kind,
    }
}

fn node_target(kind: &str, rest: Option<&str>) -> Result<Target, FieldError> {
    let labelled = |key: &str, value: Option<&str>| match value {
        Some(value) => Target::Label(key.to_owned(), value.to_owned()),
        None => Target::EachValue(key.to_owned()),
    };
    match (kind, rest) {
        ("zone", value) => Ok(labelled(ZONE, value)),
        ("rack", value) => Ok(labelled(RACK, value)),
        ("label", None | Some("")) => Err(FieldError::new("fail", "which label?").help("write label/KEY=VALUE")),
        ("label", Some(label)) => Ok(match label.split_once('=') {
            Some((key, value)) => labelled(key, Some(value)),
            None => labelled(label, None),
        }),
        (_, None) => Ok(Target::EachNode),
        (_, Some(name)) => Ok(Target::Node(name.to_owned())),
    }
}

fn node_failure(step: &Value, given: Option<&str>) -> Result<NodeFailure, FieldError> {
    let how = match (given, step["how"].as_str()) {
        (Some(given), Some(how)) if given != how => {
            return Err(FieldError::new("how", format!("what fails is said already: {given}")));
        }
        (given, how) => given.or(how).unwrap_or("crash"),
    };
    match how {
        "crash" => Ok(NodeFailure::Crash),
        "partition" => Ok(NodeFailure::Partition),
        "kubelet" => Ok(NodeFailure::Kubelet),
        "shutdown" => Ok(NodeFailure::Shutdown),
        "slow" => match factor(step)? {
            Some(factor) => Ok(NodeFailure::Slow(factor)),
            None => Err(FieldError::new("factor", "how slow?").help("`factor: 3` for three times as long")),
        },
        other => Err(FieldError::new("how", format!("nodes do not fail by `{other}`"))
            .help("write crash, partition, kubelet, shutdown or slow")),
    }
}

fn factor(step: &Value) -> Result<Option<f64>, FieldError> {
    match &step["factor"] {
        Value::Null => Ok(None),
        value => match value.as_f64().filter(|factor| (1e-3..=1e6).contains(factor)) {
            Some(factor) => Ok(Some(factor)),
            None => Err(FieldError::new("factor", "is not a number from 0.001 to 1000000")),
        },
    }
}

fn slow_api_server(step: &Value) -> Result<Failure, FieldError> {
    let latency = match &step["latency"] {
        Value::Null => None,
        value => Some(Distribution::from_json(value, Unit::Span).map_err(|error| {
            let mut field = FieldError::new(error.path, error.what).inside("latency");
            field.help = error.help;
            field
        })?),
    };
    match (factor(step)?, latency) {
        (None, None) => Err(FieldError::new("how", "how slow?")
            .help("`factor: 10` for ten times as long, `latency: 500ms` (or a distribution) for longer by that")),
        (factor, latency) => Ok(Failure::SlowApiServer { factor: factor.unwrap_or(0.0), latency }),
    }
}

fn containers(step: &Value, rest: Option<&str>, drawn: bool) -> Result<Containers, FieldError> {
    let Some(rest) = rest.filter(|rest| !rest.is_empty()) else {
        return Err(FieldError::new("fail", "of which pods?").help("write container/POD or container/KEY=VALUE"));
    };
    let oom = match step["how"].as_str() {
        None | Some("crash") => false,
        Some("oom") => true,
        Some(other) => {
            return Err(
                FieldError::new("how", format!("containers do not fail by `{other}`")).help("write crash or oom")
            );
        }
    };
    let labels = rest.contains('=');
    let (namespace, pods) = match rest.split_once('/').filter(|_| !labels) {
        Some((namespace, pod)) => (Some(namespace), Pods::Named(pod.to_owned())),
        None if !labels => (None, Pods::Named(rest.to_owned())),
        None => {
            let pairs = rest.split(',').map(|pair| pair.split_once('='));
            let pairs: Option<Vec<(String, String)>> =
                pairs.map(|pair| pair.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))).collect();
            let Some(pairs) = pairs else {
                return Err(FieldError::new("fail", "labels are KEY=VALUE, separated by commas"));
            };
            (None, Pods::Labels(pairs))
        }
    };
    let exit_code = match &step["exitCode"] {
        Value::Null if oom => 137,
        Value::Null => 1,
        value => match value.as_u64().and_then(|code| u8::try_from(code).ok()).filter(|_| !oom) {
            Some(code) => code,
            None if oom => return Err(FieldError::new("exitCode", "a container without memory is killed: 137")),
            None => return Err(FieldError::new("exitCode", "is not a number from 0 to 255")),
        },
    };
    let one = match step["pick"].as_str() {
        None if step["pick"].is_null() => drawn,
        Some("one") => true,
        Some("all") => false,
        _ => return Err(FieldError::new("pick", "write one or all")),
    };
    let namespace = namespace.or(step["namespace"].as_str()).unwrap_or("default").to_owned();
    let container = step["container"].as_str().map(str::to_owned);
    Ok(Containers { namespace, pods, container, exit_code, oom, one })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn steps_are_read_or_refused() {
        let read = |step| Fault::from_json(&step);
        let crash = |name: &str| Failure::Nodes(Target::Node(name.to_owned()), NodeFailure::Crash);
        assert_eq!(
            read(json!({ "at": "7m", "fail": "node/a", "for": "4m" })),
            Ok(Fault {
                when: When::Once { at: Time::from_secs(420), lasts: Some(Span::from_secs(240)) },
                failure: crash("a"),
            })
        );
        let until = read(json!({ "at": "7m", "fail": "node/a", "until": "11m" }));
        assert_eq!(until, read(json!({ "at": "7m", "fail": "node/a", "for": "4m" })));
        for (step, text) in [
            (json!({ "at": "1m", "fail": "api server", "for": "1m" }), "API server down"),
            (json!({ "at": "1m", "fail": "api-server", "how": "slow", "factor": 10 }), "API server slow"),
            (json!({ "at": "1m", "fail": "etcd", "for": "1500ms" }), "etcd without leader"),
            (json!({ "at": "1m", "fail": "kube-scheduler" }), "kube-scheduler down"),
            (json!({ "at": "1m", "fail": "controller-manager", "for": "1m" }), "kube-controller-manager down"),
            (json!({ "at": "1m", "fail": "image registry" }), "image registry down"),
            (json!({ "at": "1m", "fail": "kubelet/a" }), "kubelet restart of node a"),
            (
                json!({ "at": "1m", "fail": "zone/a", "how": "partition" }),
                "partition of nodes with topology.kubernetes.io/zone=a",
            ),
            (json!({ "at": "1m", "fail": "slow-node/a", "factor": 3 }), "slowdown by 3 of node a"),
            (
                json!({ "drawn": { "mtbf": "30d", "mttr": "20m" }, "fail": "rack" }),
                "crash of nodes of one topology.kubernetes.io/rack",
            ),
            (
                json!({ "at": "1m", "fail": "container/shop/web-0", "container": "app", "exitCode": 3 }),
                "crash of container app in pod shop/web-0, exit code 3",
            ),
            (
                json!({ "drawn": { "mtbf": "1h" }, "fail": "container/app=web", "how": "oom" }),
                "crash of container in pods of default with app=web, out of memory",
            ),
        ] {
            assert_eq!(read(step.clone()).map(|fault| fault.text()), Ok(text.to_owned()), "{step}");
        }
        for (step, path) in [
            (json!({ "at": "7m", "fail": "node" }), "fail"),
            (json!({ "at": "7m", "fail": "zone" }), "fail"),
            (json!({ "at": "7m", "fail": "nod/a" }), "fail"),
            (json!({ "at": "7m", "fail": "api-server/one" }), "fail"),
            (json!({ "at": "7m", "fail": "container" }), "fail"),
            (json!({ "at": "7m", "fail": "node/a", "how": "slow" }), "factor"),
            (json!({ "at": "7m", "fail": "node/a", "factor": 2 }), "factor"),
            (json!({ "at": "7m", "fail": "node/a", "how": "sulk" }), "how"),
            (json!({ "at": "7m", "fail": "api-server", "how": "slow" }), "how"),
            (json!({ "at": "7m", "fail": "container/web", "for": "1m" }), "for"),
            (json!({ "at": "7m", "fail": "container/web", "exitCode": 300 }), "exitCode"),
            (json!({ "at": "7m", "fail": "node/a", "until": "6m" }), "until"),
            (json!({ "at": "7m", "fail": "node/a", "for": "1m", "until": "9m" }), "until"),
            (json!({ "fail": "node/a" }), "at"),
            (json!({ "at": "7", "fail": "node/a" }), "at"),
            (json!({ "at": 7, "fail": "node/a" }), "at"),
            (json!({ "drawn": { "mtbf": "30d" }, "fail": "node" }), "drawn.mttr"),
            (json!({ "at": "7m", "drawn": { "mtbf": "30d", "mttr": "1m" }, "fail": "node" }), "at"),
        ] {
            assert_eq!(read(step.clone()).unwrap_err().path, path, "{step}");
        }
    }
}
