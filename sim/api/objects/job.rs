//! Job.

use crate::api::causes::{Causes, Path, Raw};
use crate::api::names;
use crate::api::selector::Selector;
use crate::api::view::{
    ensure, fill, fill_text, flag, get, get_mut, has, int, items_mut, list, maybe_int, put, remove, text,
};
use serde_json::Value;

use super::metadata::{IMMUTABLE, NON_NEGATIVE, label_selector, shown_selector};
use super::{internal, job_policies, pod};

/// Fills in a Job.
pub(super) fn default_job(object: &mut Value) {
    let labels = get(get(get(get(object, "spec"), "template"), "metadata"), "labels").clone();
    if labels.as_object().is_some_and(|labels| !labels.is_empty()) && !has(get(object, "metadata"), "labels") {
        fill(ensure(object, "metadata"), "labels", labels);
    }
    default_job_spec(ensure(object, "spec"));
}

fn default_job_spec(spec: &mut Value) {
    if !has(spec, "completions") && !has(spec, "parallelism") {
        fill(spec, "completions", 1);
    }
    fill(spec, "parallelism", 1);
    if has(spec, "backoffLimitPerIndex") {
        fill(spec, "backoffLimit", i64::from(i32::MAX));
    } else {
        fill(spec, "backoffLimit", 6);
    }
    fill(spec, "completionMode", "NonIndexed");
    fill(spec, "suspend", false);
    if let Some(policy) = get_mut(spec, "podFailurePolicy") {
        for rule in items_mut(policy, "rules") {
            for pattern in items_mut(rule, "onPodConditions") {
                fill_text(pattern, "status", "True");
            }
        }
    }
    let replacement = if has(spec, "podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    fill(spec, "podReplacementPolicy", replacement);
    fill(spec, "manualSelector", false);
    default_batch_template(spec);
}

/// A batch template has no restart policy of its own: one must be chosen.
pub(super) fn default_batch_template(spec: &mut Value) {
    let template = ensure(spec, "template");
    pod::default_template(template);
}

/// Gives a new Job its labels and, unless it chooses its own, its selector. `uid` is the Job's.
pub(super) fn prepare_job(object: &mut Value, uid: &str) {
    let name = text(get(object, "metadata"), "name").to_owned();
    if flag(get(object, "spec"), "manualSelector") {
        return;
    }
    let spec = ensure(object, "spec");
    let labels = ensure(ensure(ensure(spec, "template"), "metadata"), "labels");
    for (key, value) in job_labels(uid, &name) {
        put(labels, key, value);
    }
    let selector = ensure(spec, "selector");
    fill(ensure(selector, "matchLabels"), CONTROLLER_UID, uid);
}

const CONTROLLER_UID: &str = "batch.kubernetes.io/controller-uid";
const JOB_NAME: &str = "batch.kubernetes.io/job-name";

fn job_labels<'a>(uid: &'a str, name: &'a str) -> [(&'static str, &'a str); 4] {
    [("controller-uid", uid), ("job-name", name), (CONTROLLER_UID, uid), (JOB_NAME, name)]
}

pub(super) fn non_negative(spec: &Value, field: &str, path: &Path<'_>, causes: &mut Causes) {
    if let Some(number) = maybe_int(spec, field).filter(|&number| number < 0) {
        causes.invalid(&path.child(field), number, NON_NEGATIVE);
    }
}

/// Checks a Job with its generated selector and labels.
pub(super) fn validate_job(object: &Value, causes: &mut Causes) {
    let path = Path::ROOT.child("spec");
    let spec = get(object, "spec");
    generated_selector(object, &path, causes);
    job_spec(spec, &path, causes);
    let selector = get(spec, "selector");
    if selector.is_null() {
        causes.required(&path.child("selector"), "");
    } else {
        label_selector(selector, &path.child("selector"), causes);
    }
    let labels = get(get(get(spec, "template"), "metadata"), "labels");
    let selects = Selector::from_json(selector)
        .is_ok_and(|selector| selector.matches(|key| labels.get(key).and_then(Value::as_str)));
    if !selects {
        let what = "`selector` does not match template `labels`";
        causes.invalid(&path.child("template.metadata.labels"), labels, what);
    }
    indexed_name(object, spec, causes);
}

/// Names of an indexed Job's pods must fit into a host name.
fn indexed_name(object: &Value, spec: &Value, causes: &mut Causes) {
    if text(spec, "completionMode") != "Indexed" || int(spec, "completions") <= 0 {
        return;
    }
    let name = text(get(object, "metadata"), "name");
    let longest = format!("{name}-{}", int(spec, "completions") - 1);
    let errors = names::dns1123_label(&longest);
    if !errors.is_empty() {
        let what = format!("will not able to create pod with invalid DNS label: {longest}");
        causes.invalid(&Path::ROOT.child("metadata.name"), name, what);
    }
}

fn generated_selector(object: &Value, path: &Path<'_>, causes: &mut Causes) {
    let spec = get(object, "spec");
    if !has(spec, "manualSelector") || flag(spec, "manualSelector") {
        return;
    }
    let selector = get(spec, "selector");
    if selector.is_null() {
        return;
    }
    let (uid, name) = (text(get(object, "metadata"), "uid"), text(get(object, "metadata"), "name"));
    let labels = get(get(get(spec, "template"), "metadata"), "labels");
    let labels_path = path.child("template.metadata.labels");
    for (legacy, key, value) in [("controller-uid", CONTROLLER_UID, uid), ("job-name", JOB_NAME, name)] {
        let has_either = labels.get(legacy).is_some() || labels.get(key).is_some();
        if !has_either {
            causes.required(&labels_path.key(legacy), &format!("must be '{value}'"));
            continue;
        }
        for key in [legacy, key] {
            if let Some(have) = labels.get(key).filter(|have| *have != value) {
                causes.invalid(&labels_path.key(key), have, format!("must be '{value}'"));
            }
        }
    }
    let by_key = |key: &str| get(selector, "matchLabels").get(key).is_some_and(|have| have == uid);
    if !by_key(CONTROLLER_UID) && !by_key("controller-uid") {
        let shown = shown_selector(selector);
        causes.invalid(&path.child("selector"), Raw(&shown), "`selector` not auto-generated");
    }
}

/// Checks a Job's spec, and that of a CronJob's template.
pub(super) fn job_spec(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    for field in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
    ] {
        non_negative(spec, field, path, causes);
    }
    max_failed_indexes(spec, path, causes);
    managed_by(spec, path, causes);
    completion_mode(spec, path, causes);
    job_policies::success(spec, path, causes);
    job_policies::failure(spec, path, causes);
    if has(spec, "podReplacementPolicy") {
        let policy = text(spec, "podReplacementPolicy");
        let path = path.child("podReplacementPolicy");
        if has(spec, "podFailurePolicy") {
            if policy != "Failed" {
                causes.not_supported(&path, policy, &["Failed"]);
            }
        } else if !["Failed", "TerminatingOrFailed"].contains(&policy) {
            causes.not_supported(&path, policy, &["Failed", "TerminatingOrFailed"]);
        }
    }
    pod::validate_template(get(spec, "template"), &path.child("template"), causes);
    restart_policy(spec, path, causes);
}

fn restart_policy(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let path = path.child("template.spec.restartPolicy");
    let policy = text(get(get(spec, "template"), "spec"), "restartPolicy");
    match policy {
        "OnFailure" if has(spec, "podFailurePolicy") => {
            causes.invalid(&path, policy, "only \"Never\" is supported when podFailurePolicy is specified");
        }
        "" | "Always" => causes.required(&path, "valid values: \"OnFailure\", \"Never\""),
        "OnFailure" | "Never" => {}
        other => causes.not_supported(&path, other, &["OnFailure", "Never"]),
    }
}

fn max_failed_indexes(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let Some(most) = maybe_int(spec, "maxFailedIndexes") else { return };
    non_negative(spec, "maxFailedIndexes", path, causes);
    let path_of = path.child("maxFailedIndexes");
    if !has(spec, "backoffLimitPerIndex") {
        causes.required(&path.child("backoffLimitPerIndex"), "when maxFailedIndexes is specified");
    }
    if has(spec, "completions") && most > int(spec, "completions") {
        causes.invalid(&path_of, most, "must be less than or equal to completions");
    }
    if most > 100_000 {
        causes.invalid(&path_of, most, "must be less than or equal to 100000");
    }
    if has(spec, "completions") && int(spec, "completions") > 100_000 && most > 10_000 {
        causes.invalid(&path_of, most, "must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index");
    }
}

fn managed_by(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    if !has(spec, "managedBy") {
        return;
    }
    let path = path.child("managedBy");
    let manager = text(spec, "managedBy");
    domain_prefixed(manager, &path, causes);
    if manager.len() > 63 {
        causes.too_long(&path, 63);
    }
}

/// Checks `domain/name`.
pub(super) fn domain_prefixed(value: &str, path: &Path<'_>, causes: &mut Causes) {
    const WHAT: &str = "must be a domain-prefixed path (such as \"acme.io/foo\")";
    if value.is_empty() {
        causes.required(path, "");
        return;
    }
    let (domain, rest) = value.split_once('/').unwrap_or((value, ""));
    if domain.is_empty() || rest.is_empty() {
        causes.invalid(path, value, WHAT);
        return;
    }
    for error in names::dns1123_subdomain(domain) {
        causes.invalid(path, domain, error);
    }
    let is_path = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte));
    if !is_path {
        causes.invalid(path, rest, "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')");
    }
}

fn completion_mode(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let mode = text(spec, "completionMode");
    if has(spec, "completionMode") && !["NonIndexed", "Indexed"].contains(&mode) {
        causes.not_supported(&path.child("completionMode"), mode, &["Indexed", "NonIndexed"]);
    }
    if mode == "Indexed" {
        if !has(spec, "completions") {
            causes.required(&path.child("completions"), "when completion mode is Indexed");
        }
        if int(spec, "parallelism") > 100_000 {
            let what = "must be less than or equal to 100000 when completion mode is Indexed";
            causes.invalid(&path.child("parallelism"), int(spec, "parallelism"), what);
        }
        if has(spec, "backoffLimitPerIndex") && int(spec, "completions") > 100_000 && !has(spec, "maxFailedIndexes") {
            causes.required(&path.child("maxFailedIndexes"), "must be specified when completions is above 100000");
        }
    } else if let Some(limit) = maybe_int(spec, "backoffLimitPerIndex") {
        causes.invalid(&path.child("backoffLimitPerIndex"), limit, "requires indexed completion mode");
    }
    if let Some(most) = maybe_int(spec, "maxFailedIndexes").filter(|_| mode != "Indexed") {
        causes.invalid(&path.child("maxFailedIndexes"), most, "requires indexed completion mode");
    }
}

/// Checks what an update of a Job may change.
pub(super) fn validate_job_update(new: &Value, old: &Value, causes: &mut Causes) {
    let path = Path::ROOT.child("spec");
    let (new, old_spec) = (get(new, "spec"), get(old, "spec"));
    completions_update(new, old_spec, &path, causes);
    let shown = shown_selector(get(new, "selector"));
    if get(new, "selector") != get(old_spec, "selector") {
        causes.invalid(&path.child("selector"), Raw(&shown), IMMUTABLE);
    }
    template_update(new, old, &path, causes);
    for field in ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"] {
        if get(new, field) != get(old_spec, field) {
            let value = get(new, field);
            match field {
                "successPolicy" if has(new, field) => {
                    causes.invalid(&path.child(field), Raw(&job_policies::shown_success(value)), IMMUTABLE);
                }
                "podFailurePolicy" => {
                    causes.invalid(&path.child(field), Raw(&internal::failure_policy(value)), IMMUTABLE);
                }
                _ => causes.invalid(&path.child(field), value, IMMUTABLE),
            }
        }
    }
}

fn completions_update(new: &Value, old: &Value, path: &Path<'_>, causes: &mut Causes) {
    let (is, was) = (get(new, "completions"), get(old, "completions"));
    if is == was {
        return;
    }
    let path = path.child("completions");
    if text(new, "completionMode") != "Indexed" || is.is_null() || was.is_null() {
        causes.invalid(&path, is, IMMUTABLE);
    } else if is != get(new, "parallelism") {
        causes.invalid(&path, is, "can only be modified in tandem with spec.parallelism");
    }
}

/// The template stays, but for scheduling directives and resources while the Job is suspended.
fn template_update(new: &Value, old: &Value, path: &Path<'_>, causes: &mut Causes) {
    let old_spec = get(old, "spec");
    let mut was = get(old_spec, "template").clone();
    let is = get(new, "template");
    let is_open = flag(old_spec, "suspend") && has_no_pods(get(old, "status"));
    if is_open {
        for field in ["labels", "annotations"] {
            copy(get(is, "metadata"), ensure(&mut was, "metadata"), field);
        }
        let pod = ensure(&mut was, "spec");
        for field in ["nodeSelector", "affinity", "tolerations", "schedulingGates"] {
            copy(get(is, "spec"), pod, field);
        }
        for name in ["containers", "initContainers"] {
            let containers = list(get(is, "spec"), name);
            for (container, now) in items_mut(pod, name).zip(containers) {
                copy(now, container, "resources");
            }
        }
    }
    if is_open && get(&was, "spec") != get(is, "spec") {
        causes.invalid(&path.child("template.spec"), Raw(&internal::pod_spec(get(is, "spec"))), IMMUTABLE);
    } else if !is_open && was != *is {
        causes.invalid(&path.child("template"), Raw(&internal::pod_template(is)), IMMUTABLE);
    }
}

/// Never started, or suspended again and without active pods (batch, `MutableSchedulingDirectivesForSuspendedJobs` and
/// `MutablePodResourcesForSuspendedJobs`).
fn has_no_pods(status: &Value) -> bool {
    let is_suspended =
        |condition: &Value| text(condition, "type") == "Suspended" && text(condition, "status") == "True";
    let suspended = list(status, "conditions").iter().any(is_suspended);
    !has(status, "startTime") || (suspended && int(status, "active") == 0)
}

fn copy(from: &Value, to: &mut Value, field: &str) {
    match get(from, field) {
        Value::Null => remove(to, field),
        value => put(to, field, value.clone()),
    }
}
