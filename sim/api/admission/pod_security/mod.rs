//! PodSecurity: the Pod Security Standards that a namespace asks for by its labels (`k8s.io/pod-security-admission`, v1.36).
//! `enforce` refuses pods; `warn` warns about pods and templates; what `audit` would write is kept nowhere. Exemptions and other
//! defaults than `privileged` are configuration of the API server and not modelled.

mod checks;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::{Attributes, Lookup, Operation, Rejection, containers, pod_template};
use crate::api::causes::{Causes, Path};
use crate::api::view::{get, list, text};

/// How strict a namespace is, the least strict first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everything goes.
    Privileged,
    /// No known privilege escalations.
    Baseline,
    /// Current best practices of hardening.
    Restricted,
}

impl Level {
    /// The value of the label.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Privileged => "privileged",
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        }
    }
}

/// The version of the standards: those of a minor version of Kubernetes, or the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// `v1.N`
    Minor(u32),
    /// `latest`
    Latest,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Version::Minor(minor) => write!(f, "v1.{minor}"),
            Version::Latest => f.write_str("latest"),
        }
    }
}

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standard {
    /// How strictly.
    pub level: Level,
    /// By the rules of which version.
    pub version: Version,
}

/// `restricted:v1.30`
impl fmt::Display for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.level.as_str(), self.version)
    }
}

/// What a namespace asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Pods that break it are refused.
    pub enforce: Standard,
    /// What breaks it is noted in the audit log.
    pub audit: Standard,
    /// What breaks it is warned about.
    pub warn: Standard,
}

const PREFIX: &str = "pod-security.kubernetes.io/";

/// The policy of a namespace with these labels (`PolicyToEvaluate`), and what is wrong with the labels. A level that cannot be
/// read counts as `restricted` for `enforce`, as `privileged` for the others.
pub fn policy_of(labels: &Value) -> (Policy, Causes) {
    let mut causes = Causes::default();
    let mut standard = |mode: &str| {
        let mut standard = Standard { level: Level::Privileged, version: Version::Latest };
        if let Some(value) = get(labels, &format!("{PREFIX}{mode}")).as_str() {
            standard.level = match value {
                "privileged" => Level::Privileged,
                "baseline" => Level::Baseline,
                "restricted" => Level::Restricted,
                _ => {
                    let what = "must be one of privileged, baseline, restricted";
                    wrong_label(&format!("{PREFIX}{mode}"), value, what, &mut causes);
                    if mode == "enforce" { Level::Restricted } else { Level::Privileged }
                }
            };
        }
        if let Some(value) = get(labels, &format!("{PREFIX}{mode}-version")).as_str() {
            match version(value) {
                Some(version) => standard.version = version,
                None => {
                    let what = "must be \"latest\" or \"v1.x\"";
                    wrong_label(&format!("{PREFIX}{mode}-version"), value, what, &mut causes);
                }
            }
        }
        standard
    };
    let policy = Policy { enforce: standard("enforce"), audit: standard("audit"), warn: standard("warn") };
    (policy, causes)
}

fn wrong_label(label: &str, value: &str, what: &str, causes: &mut Causes) {
    let path = Path::ROOT.child("metadata.labels");
    causes.invalid(&path.key(label), value, what);
}

fn version(text: &str) -> Option<Version> {
    if text == "latest" {
        return Some(Version::Latest);
    }
    let minor = text.strip_prefix("v1.")?;
    let plain = minor.bytes().all(|byte| byte.is_ascii_digit()) && (minor == "0" || !minor.starts_with('0'));
    plain.then(|| minor.parse().ok().map(Version::Minor))?
}

/// A rule that a pod breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// `hostPort`
    pub reason: String,
    /// `container "c" uses hostPort 80`, may be empty.
    pub detail: String,
}

/// What a pod (`metadata` and `spec`) breaks of a standard, in the order of the checks.
pub fn violations(standard: Standard, pod: &Value) -> Vec<Violation> {
    let minor = match standard.version {
        Version::Minor(minor) => minor,
        Version::Latest => u32::MAX,
    };
    checks::run(standard.level, minor, pod)
}

/// `host namespaces (hostNetwork=true), privileged (...)`
fn details(violations: &[Violation]) -> String {
    let one = |violation: &Violation| match violation.detail.as_str() {
        "" => violation.reason.clone(),
        detail => format!("{} ({detail})", violation.reason),
    };
    violations.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The plugin.
pub(super) fn validate(
    object: &Value,
    old: Option<&Value>,
    at: &Attributes<'_>,
    lookup: &dyn Lookup,
    warnings: &mut Vec<String>,
) -> Result<(), Rejection> {
    if at.info.kind == "Namespace" {
        return validate_namespace(object, old, at, lookup, warnings);
    }
    let is_pod = at.info.kind == "Pod";
    let ignored = if is_pod {
        !matches!(at.subresource, "" | "resize" | "ephemeralcontainers")
    } else {
        !at.subresource.is_empty()
    };
    let Some(pod) = pod_template(at.info.kind, object).filter(|_| !ignored) else { return Ok(()) };
    let labels = lookup.namespace_object(at.namespace).map(|namespace| namespace["metadata"]["labels"].clone());
    let (policy, _) = policy_of(&labels.unwrap_or_default());
    let relaxed = policy.warn.level == Level::Privileged && (!is_pod || policy.enforce.level == Level::Privileged);
    if relaxed || (is_pod && old.is_some_and(|old| !is_significant(object, old))) {
        return Ok(());
    }
    if is_pod {
        let broken = violations(policy.enforce, pod);
        if !broken.is_empty() {
            let text = format!("violates PodSecurity \"{}\": {}", policy.enforce, details(&broken));
            return Err(Rejection::Forbidden(text));
        }
    }
    let broken = violations(policy.warn, pod);
    if !broken.is_empty() {
        warnings.push(format!("would violate PodSecurity \"{}\": {}", policy.warn, details(&broken)));
    }
    Ok(())
}

/// Whether an update of a pod changes what the standards look at.
fn is_significant(new: &Value, old: &Value) -> bool {
    let annotations = |pod: &Value| {
        let all = get(get(pod, "metadata"), "annotations").as_object().cloned().unwrap_or_default();
        all.into_iter().filter(|(key, _)| key.contains("seccomp.security.alpha.kubernetes.io/")).collect::<Vec<_>>()
    };
    let images = |pod: &Value| -> Vec<(String, String)> {
        let containers = containers(get(pod, "spec"));
        containers.map(|container| (text(container, "name").to_owned(), text(container, "image").to_owned())).collect()
    };
    annotations(new) != annotations(old) || images(new) != images(old)
}

fn validate_namespace(
    namespace: &Value,
    old: Option<&Value>,
    at: &Attributes<'_>,
    lookup: &dyn Lookup,
    warnings: &mut Vec<String>,
) -> Result<(), Rejection> {
    if !at.subresource.is_empty() {
        return Ok(());
    }
    let labels = |namespace: &Value| get(get(namespace, "metadata"), "labels").clone();
    let (policy, causes) = policy_of(&labels(namespace));
    let before = old.filter(|_| at.operation == Operation::Update).map(|old| policy_of(&labels(old)));
    let unchanged = before.as_ref().is_some_and(|(_, before)| before.aggregate() == causes.aggregate());
    if !causes.is_empty() && !unchanged {
        return Err(Rejection::of_causes(&causes));
    }
    let Some((before, _)) = before else { return Ok(()) };
    let (new, old) = (policy.enforce, before.enforce);
    if new == old || new.level == Level::Privileged || new.version == old.version && new.level <= old.level {
        return Ok(());
    }
    warnings.extend(warn_of_pods(at.name, new, &lookup.pods(at.name)));
    Ok(())
}

/// The most pods that are looked at when a namespace becomes stricter (`defaultNamespaceMaxPodsToCheck`).
const MAX_PODS_CHECKED: usize = 3000;

/// What is warned about when a namespace becomes stricter than its pods.
fn warn_of_pods(namespace: &str, standard: Standard, pods: &[Value]) -> Vec<String> {
    let mut found: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for pod in pods.iter().take(MAX_PODS_CHECKED) {
        let broken = violations(standard, pod);
        if broken.is_empty() {
            continue;
        }
        let reasons = broken.into_iter().map(|violation| violation.reason).collect::<Vec<_>>().join(", ");
        let name = text(get(pod, "metadata"), "name");
        let entry = found.entry(reasons).or_insert_with(|| (name.to_owned(), 0));
        entry.1 += 1;
        if name < entry.0.as_str() {
            name.clone_into(&mut entry.0);
        }
    }
    let mut warnings = Vec::new();
    if pods.len() > MAX_PODS_CHECKED {
        let n_pods = pods.len();
        warnings.push(format!(
            "new PodSecurity enforce level only checked against the first {MAX_PODS_CHECKED} of {n_pods} existing pods"
        ));
    }
    if !found.is_empty() {
        warnings.push(format!(
            "existing pods in namespace {namespace:?} violate the new PodSecurity enforce level \"{standard}\""
        ));
    }
    let mut lines: Vec<String> = found
        .into_iter()
        .map(|(reasons, (name, count))| match count {
            1 => format!("{name}: {reasons}"),
            2 => format!("{name} (and 1 other pod): {reasons}"),
            _ => format!("{name} (and {} other pods): {reasons}", count - 1),
        })
        .collect();
    lines.sort();
    warnings.extend(lines);
    warnings
}

/// The text values of a list field.
fn texts<'a>(object: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    list(object, name).iter().filter_map(Value::as_str)
}
