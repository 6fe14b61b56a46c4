//! Reading the `models:` list of a scenario.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    ExitModel, FailWindow, HookModel, Match, ModelError, ModelRule, Models, PassAfter, ProbeModel, ProbeModels,
    ServiceName, StopAfter, StopModel, Usage, UsageModel, WindowBegin,
};
use crate::engine::{Curve, Distribution, Span, Time, Unit};

type Result<T> = std::result::Result<T, ModelError>;

impl Models {
    /// Reads the list.
    ///
    /// # Errors
    ///
    /// The first field that is unknown or wrong, by its path from the list on.
    pub fn from_json(list: &Value) -> Result<Models> {
        let entries = match list {
            Value::Null => return Ok(Models::default()),
            Value::Array(entries) => entries,
            _ => return error("", "`models` is a list", Some("- match: {labels: {app: web}}")),
        };
        let rules = entries.iter().enumerate().map(|(idx, entry)| read_rule(entry, &format!("[{idx}]")));
        let mut rules = rules.collect::<Result<Vec<ModelRule>>>()?;
        for (rule, idx) in rules.iter_mut().zip(0..) {
            if let Some(Usage::Shared { group, .. }) = &mut rule.usage.cpu {
                *group = idx;
            }
        }
        Ok(Models { rules })
    }
}

const RULE_FIELDS: [&str; 9] = ["match", "image", "startup", "run", "exit", "probes", "stop", "hooks", "usage"];

fn read_rule(entry: &Value, path: &str) -> Result<ModelRule> {
    let fields = table(entry, path, &RULE_FIELDS)?;
    let image = optional(fields, "image", path, |value, path| table(value, path, &["size", "error"]))?;
    let image_size = match image {
        Some(image) => optional(image, "size", &join(path, "image"), |v, p| distribution(v, Unit::Bytes, p))?,
        None => None,
    };
    let image_error = match image {
        Some(image) => optional(image, "error", &join(path, "image"), boolean)?.unwrap_or(false),
        None => false,
    };
    let run = optional(fields, "run", path, |value, path| match value.as_str() {
        Some("forever") => Ok(None),
        _ => distribution(value, Unit::Span, path).map(Some),
    })?;
    Ok(ModelRule {
        selects: optional(fields, "match", path, read_match)?.unwrap_or_default(),
        image_size,
        image_error,
        startup: optional(fields, "startup", path, span)?,
        run: run.flatten(),
        exit: optional(fields, "exit", path, read_exit)?.unwrap_or_default(),
        probes: optional(fields, "probes", path, read_probes)?.unwrap_or_default(),
        stop: optional(fields, "stop", path, read_stop)?.unwrap_or_default(),
        hooks: optional(fields, "hooks", path, read_hooks)?.unwrap_or_default(),
        usage: optional(fields, "usage", path, read_usages)?.unwrap_or_default(),
    })
}

fn read_match(value: &Value, path: &str) -> Result<Match> {
    let fields = table(value, path, &["labels", "namespace", "kind", "name", "image", "container"])?;
    let labels = optional(fields, "labels", path, |value, path| {
        let labels = value.as_object().ok_or_else(|| wrong(path, "is a table of labels", Some("{app: web}")))?;
        let entries = labels.iter().map(|(key, value)| Ok((key.clone(), text(value, &join(path, key))?)));
        entries.collect::<Result<BTreeMap<_, _>>>()
    })?;
    Ok(Match {
        labels: labels.unwrap_or_default(),
        namespace: optional(fields, "namespace", path, text)?,
        kind: optional(fields, "kind", path, text)?,
        name: optional(fields, "name", path, text)?,
        image: optional(fields, "image", path, text)?,
        container: optional(fields, "container", path, text)?,
    })
}

fn read_exit(value: &Value, path: &str) -> Result<ExitModel> {
    let fields = table(value, path, &["code", "codes", "after", "probability"])?;
    let code = optional(fields, "code", path, exit_code)?;
    let codes = optional(fields, "codes", path, |value, path| {
        let list = value.as_array().ok_or_else(|| wrong(path, "is a list of exit codes", Some("[1, 1, 0]")))?;
        list.iter().enumerate().map(|(idx, code)| exit_code(code, &format!("{path}[{idx}]"))).collect()
    })?;
    if code.is_some() && codes.is_some() {
        return error(&join(path, "codes"), "stands beside `code`", Some("write one of the two"));
    }
    let probability = optional(fields, "probability", path, share)?;
    let after = optional(fields, "after", path, span)?;
    if probability.is_some() && after.is_none() {
        return error(&join(path, "probability"), "needs `after`: when the failing runs end", Some("after: 30s"));
    }
    Ok(ExitModel { codes: codes.unwrap_or_else(|| code.into_iter().collect::<Vec<i32>>()), after, probability })
}

fn read_probes(value: &Value, path: &str) -> Result<ProbeModels> {
    let fields = table(value, path, &["startup", "readiness", "liveness"])?;
    Ok(ProbeModels {
        startup: optional(fields, "startup", path, read_probe)?.unwrap_or_default(),
        readiness: optional(fields, "readiness", path, read_probe)?.unwrap_or_default(),
        liveness: optional(fields, "liveness", path, read_probe)?.unwrap_or_default(),
    })
}

fn read_probe(value: &Value, path: &str) -> Result<ProbeModel> {
    let fields = table(value, path, &["passAfter", "failAt", "latency", "dependsOn"])?;
    let fail_at = optional(fields, "failAt", path, |value, path| {
        let list = value.as_array().ok_or_else(|| wrong(path, "is a list of times", Some("[{at: 7m, for: 1m}]")))?;
        list.iter().enumerate().map(|(idx, window)| read_window(window, &format!("{path}[{idx}]"))).collect()
    })?;
    Ok(ProbeModel {
        pass_after: optional(fields, "passAfter", path, |value, path| match value.as_str() {
            Some("never") => Ok(PassAfter::Never),
            _ => span(value, path).map(PassAfter::After),
        })?,
        fail_at: fail_at.unwrap_or_default(),
        latency: optional(fields, "latency", path, span)?,
        depends_on: optional(fields, "dependsOn", path, read_services)?.unwrap_or_default(),
    })
}

/// One service, or a list of them.
fn read_services(value: &Value, path: &str) -> Result<Vec<ServiceName>> {
    let one = |value: &Value, path: &str| {
        let name = value.as_str().ok_or_else(|| wrong(path, "is the name of a Service", Some(SERVICE_EXAMPLE)))?;
        service_name(name)
            .ok_or_else(|| wrong(path, &format!("`{name}` is no name of a Service"), Some(SERVICE_EXAMPLE)))
    };
    match value {
        Value::Array(list) => list.iter().enumerate().map(|(idx, name)| one(name, &format!("{path}[{idx}]"))).collect(),
        value => Ok(vec![one(value, path)?]),
    }
}

/// How services are named.
pub(super) const SERVICE_EXAMPLE: &str = "`db` in the namespace of the pod, or `<namespace>/db`";

/// Reads `name` or `namespace/name`.
pub(super) fn service_name(text: &str) -> Option<ServiceName> {
    let is_label = |part: &str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !part.is_empty()
            && part.len() <= 63
            && part.chars().all(inner)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    let (namespace, name) = match text.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, text),
    };
    let valid = is_label(name) && namespace.is_none_or(is_label);
    valid.then(|| ServiceName { namespace: namespace.map(str::to_owned), name: name.to_owned() })
}

fn read_window(value: &Value, path: &str) -> Result<FailWindow> {
    let fields = table(value, path, &["at", "after", "for"])?;
    let at = optional(fields, "at", path, constant_span)?;
    let after = optional(fields, "after", path, constant_span)?;
    let begin = match (at, after) {
        (Some(at), None) => WindowBegin::At(Time::ZERO + at),
        (None, Some(after)) => WindowBegin::After(after),
        _ => {
            return error(
                path,
                "needs either `at` or `after`",
                Some("`at: 7m` of the run, or `after: 7m` of every start"),
            );
        }
    };
    Ok(FailWindow { begin, length: optional(fields, "for", path, constant_span)? })
}

fn read_stop(value: &Value, path: &str) -> Result<StopModel> {
    let fields = table(value, path, &["after", "exitCode"])?;
    let after = optional(fields, "after", path, |value, path| match value.as_str() {
        Some("never") => Ok(StopAfter::Never),
        _ => span(value, path).map(StopAfter::After),
    })?;
    Ok(StopModel { after, exit_code: optional(fields, "exitCode", path, exit_code)? })
}

fn read_hooks(value: &Value, path: &str) -> Result<HookModel> {
    let fields = table(value, path, &["postStart", "postStartFails", "preStop", "preStopFails"])?;
    Ok(HookModel {
        post_start: optional(fields, "postStart", path, span)?,
        post_start_fails: optional(fields, "postStartFails", path, boolean)?.unwrap_or(false),
        pre_stop: optional(fields, "preStop", path, span)?,
        pre_stop_fails: optional(fields, "preStopFails", path, boolean)?.unwrap_or(false),
    })
}

fn read_usages(value: &Value, path: &str) -> Result<UsageModel> {
    let fields = table(value, path, &["cpu", "memory", "disk", "pids", "inodes", "volumes", "volumeInodes"])?;
    let volumes = |key: &str, unit: Unit, example: &str| {
        optional(fields, key, path, |value, path| {
            let volumes = value.as_object();
            let volumes = volumes.ok_or_else(|| wrong(path, "is a table of volumes", Some(example)))?;
            let read =
                |(name, usage): (&String, &Value)| Ok((name.clone(), read_usage(usage, unit, &join(path, name))?));
            volumes.iter().map(read).collect::<Result<BTreeMap<_, _>>>()
        })
    };
    Ok(UsageModel {
        cpu: optional(fields, "cpu", path, |v, p| match v.get("shared") {
            Some(load) => {
                table(v, p, &["shared"])?;
                Ok(Usage::Shared { load: read_curve(load, Unit::Milli, &join(p, "shared"))?, group: 0 })
            }
            None => read_usage(v, Unit::Milli, p),
        })?,
        memory: optional(fields, "memory", path, |v, p| read_usage(v, Unit::Bytes, p))?,
        disk: optional(fields, "disk", path, |v, p| read_usage(v, Unit::Bytes, p))?,
        pids: optional(fields, "pids", path, |v, p| read_usage(v, Unit::Number, p))?,
        inodes: optional(fields, "inodes", path, |v, p| read_usage(v, Unit::Number, p))?,
        volumes: volumes("volumes", Unit::Bytes, "{cache: 200Mi}")?.unwrap_or_default(),
        volume_inodes: volumes("volumeInodes", Unit::Number, "{cache: 20000}")?.unwrap_or_default(),
    })
}

/// Reads an amount over the time of the run: a constant, `{sine: {low, high, period}}` or `{steps: [{at, value}]}`.
///
/// # Errors
///
/// The first field that is unknown or wrong.
pub fn read_curve(value: &Value, unit: Unit, path: &str) -> Result<Curve> {
    Ok(match read_usage(value, unit, path)? {
        Usage::Constant(value) => Curve::Constant(value),
        Usage::Sine { low, high, period } => Curve::Sine { low, high, period },
        Usage::Steps(steps) => Curve::Steps(steps),
        Usage::Shared { load, .. } => load,
    })
}

/// Reads a usage: a constant, `{sine: {low, high, period}}` or `{steps: [{at, value}]}`.
pub(super) fn read_usage(value: &Value, unit: Unit, path: &str) -> Result<Usage> {
    let Value::Object(_) = value else { return constant(value, unit, path).map(Usage::Constant) };
    let fields = table(value, path, &["sine", "steps"])?;
    if let Some(sine) = fields.get("sine") {
        let path = join(path, "sine");
        let fields = table(sine, &path, &["low", "high", "period"])?;
        let (low, high) = (
            required(fields, "low", &path, |v, p| constant(v, unit, p))?,
            required(fields, "high", &path, |v, p| constant(v, unit, p))?,
        );
        let period = required(fields, "period", &path, constant_span)?;
        if period.is_zero() {
            return error(&join(&path, "period"), "must be above zero", Some("24h"));
        }
        return Ok(Usage::Sine { low, high: high.max(low), period });
    }
    let steps = required(fields, "steps", path, |value, path| {
        let list = value.as_array().ok_or_else(|| wrong(path, "is a list", Some("[{at: 1m, value: 200m}]")))?;
        let read = |(idx, step): (usize, &Value)| {
            let path = format!("{path}[{idx}]");
            let fields = table(step, &path, &["at", "value"])?;
            let at = required(fields, "at", &path, constant_span)?;
            Ok((at, required(fields, "value", &path, |v, p| constant(v, unit, p))?))
        };
        list.iter().enumerate().map(read).collect::<Result<Vec<_>>>()
    })?;
    let mut steps = steps;
    steps.sort_by_key(|&(at, _)| at);
    Ok(Usage::Steps(steps))
}

fn table<'a>(value: &'a Value, path: &str, known: &[&str]) -> Result<&'a Map<String, Value>> {
    let fields =
        value.as_object().ok_or_else(|| wrong(path, "is a table", Some(&format!("fields: {}", known.join(", ")))))?;
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(fields),
        Some(key) => {
            let distance = |candidate: &&&str| strsim::damerau_levenshtein(key, candidate);
            let near = known.iter().min_by_key(distance).filter(|near| distance(near) <= 2);
            let help =
                near.map_or_else(|| format!("fields: {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
            error(&join(path, key), &format!("unknown field `{key}`"), Some(&help))
        }
    }
}

fn optional<'a, T>(
    fields: &'a Map<String, Value>,
    key: &str,
    path: &str,
    read: impl FnOnce(&'a Value, &str) -> Result<T>,
) -> Result<Option<T>> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => read(value, &join(path, key)).map(Some),
    }
}

fn required<T>(
    fields: &Map<String, Value>,
    key: &str,
    path: &str,
    read: impl FnOnce(&Value, &str) -> Result<T>,
) -> Result<T> {
    match fields.get(key) {
        None => error(path, &format!("field `{key}` is missing"), None),
        Some(value) => read(value, &join(path, key)),
    }
}

/// A distribution in the notation of scenarios; plain numbers of a span are seconds.
pub(super) fn distribution(value: &Value, unit: Unit, path: &str) -> Result<Distribution> {
    let seconds = value.as_f64().filter(|_| unit == Unit::Span).map(|seconds| Value::String(format!("{seconds}s")));
    Distribution::from_json(seconds.as_ref().unwrap_or(value), unit).map_err(|error| {
        let path = if error.path.is_empty() { path.to_owned() } else { join(path, &error.path) };
        ModelError { path, what: error.what, help: error.help }
    })
}

fn span(value: &Value, path: &str) -> Result<Distribution> {
    distribution(value, Unit::Span, path)
}

fn constant(value: &Value, unit: Unit, path: &str) -> Result<f64> {
    let read = distribution(value, unit, path)?;
    read.as_constant().ok_or_else(|| wrong(path, "must be one value", None))
}

fn constant_span(value: &Value, path: &str) -> Result<Span> {
    constant(value, Unit::Span, path).map(|us| Span::from_micros(us as u64))
}

/// A share of all runs: `0.02` or `1/50`.
fn share(value: &Value, path: &str) -> Result<f64> {
    let number = match value {
        Value::String(text) => match text.split_once('/') {
            Some((part, whole)) => {
                let parse = |text: &str| text.trim().parse::<f64>().ok();
                parse(part).zip(parse(whole)).map(|(part, whole)| part / whole)
            }
            None => text.trim().parse().ok(),
        },
        value => value.as_f64(),
    };
    let help = Some("a share such as `1/50` or `0.02`");
    number.filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| wrong(path, "is no share between 0 and 1", help))
}

fn exit_code(value: &Value, path: &str) -> Result<i32> {
    let code = value.as_i64().filter(|code| (0..=255).contains(code));
    code.map(|code| code as i32).ok_or_else(|| wrong(path, "is no exit code", Some("a number from 0 to 255")))
}

fn text(value: &Value, path: &str) -> Result<String> {
    value.as_str().map(str::to_owned).ok_or_else(|| wrong(path, "is a text", None))
}

fn boolean(value: &Value, path: &str) -> Result<bool> {
    value.as_bool().ok_or_else(|| wrong(path, "is `true` or `false`", None))
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn wrong(path: &str, what: &str, help: Option<&str>) -> ModelError {
    ModelError { path: path.to_owned(), what: what.to_owned(), help: help.map(str::to_owned) }
}

fn error<T>(path: &str, what: &str, help: Option<&str>) -> Result<T> {
    Err(wrong(path, what, help))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_documented_example_is_read() {
        let models = Models::from_json(&json!([{
            "match": {"labels": {"app": "web"}},
            "image": {"size": "180Mi"},
            "startup": {"lognormal": {"median": "3s", "p99": "9s"}},
            "usage": {"cpu": {"sine": {"low": "100m", "high": "900m", "period": "24h"}}, "memory": "300Mi"},
            "run": "forever",
            "exit": {"code": 1, "after": "30s", "probability": "1/50"},
            "probes": {"readiness": {"passAfter": "4s"}, "liveness": {"failAt": [{"at": "7m", "for": "1m"}]}},
            "stop": {"after": "2s"},
        }]))
        .expect("the example is right");
        let rule = &models.rules[0];
        assert_eq!(rule.exit.probability, Some(0.02));
        assert_eq!(rule.run, None);
        assert_eq!(rule.usage.memory, Some(Usage::Constant(314_572_800.0)));
        assert_eq!(rule.probes.liveness.fail_at[0].length, Some(Span::from_secs(60)));
    }

    #[test]
    fn errors_name_the_field_and_the_nearest_one() {
        let error = Models::from_json(&json!([{"stop": {"afer": "2s"}}])).expect_err("a typing error");
        assert_eq!((error.path.as_str(), error.help.as_deref()), ("[0].stop.afer", Some("did you mean `after`?")));
        let error = Models::from_json(&json!([{"startup": {"lognormal": {"median": "3s", "p99": "2s"}}}]));
        assert_eq!(error.expect_err("contradicts itself").path, "[0].startup.lognormal.p99");
        let services = |value: Value| Models::from_json(&json!([{"probes": {"readiness": {"dependsOn": value}}}]));
        let read = services(json!(["db", "prod/cache-2"])).expect("right").rules[0].probes.readiness.depends_on.clone();
        let name = |namespace: Option<&str>, name: &str| ServiceName {
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        assert_eq!(read, [name(None, "db"), name(Some("prod"), "cache-2")]);
        for (wrong, path) in [
            (json!(7), "dependsOn"),
            (json!("Db"), "dependsOn"),
            (json!("a/b/c"), "dependsOn"),
            (json!(""), "dependsOn"),
            (json!("/db"), "dependsOn"),
            (json!(["db", "-db"]), "dependsOn[1]"),
            (json!("x".repeat(64)), "dependsOn"),
        ] {
            assert_eq!(services(wrong).expect_err("no service").path, format!("[0].probes.readiness.{path}"));
        }
        let error = Models::from_json(&json!([{"probes": {"readiness": {"dependOn": "db"}}}])).expect_err("mistyped");
        assert_eq!(error.help.as_deref(), Some("did you mean `dependsOn`?"));
        let error = Models::from_json(&json!([{"exit": {"code": 300}}])).expect_err("no exit code");
        assert_eq!(error.path, "[0].exit.code");
    }
}
