//! Deployment, ReplicaSet, ReplicationController, StatefulSet, DaemonSet.

use crate::api::causes::{Causes, Path, Raw};
use crate::api::names;
use crate::api::selector::Selector;
use crate::api::view::{ensure, fill, fill_text, get, get_mut, has, int, items_mut, list, maybe_int, text};
use serde_json::{Value, json};

use super::metadata::{IMMUTABLE, NON_NEGATIVE, label_selector, shown_selector};
use super::{pod, storage};

const SPEC: &str = "spec";

/// Fills in a Deployment.
pub(super) fn default_deployment(object: &mut Value) {
    let spec = ensure(object, SPEC);
    fill(spec, "replicas", 1);
    let strategy = ensure(spec, "strategy");
    fill_text(strategy, "type", "RollingUpdate");
    if text(strategy, "type") == "RollingUpdate" {
        let rolling = ensure(strategy, "rollingUpdate");
        fill(rolling, "maxUnavailable", "25%");
        fill(rolling, "maxSurge", "25%");
    }
    fill(spec, "revisionHistoryLimit", 10);
    fill(spec, "progressDeadlineSeconds", 600);
    pod::default_template(ensure(spec, "template"));
}

/// Fills in a ReplicaSet.
pub(super) fn default_replica_set(object: &mut Value) {
    let spec = ensure(object, SPEC);
    fill(spec, "replicas", 1);
    pod::default_template(ensure(spec, "template"));
}

/// Fills in a ReplicationController: no selector and no labels mean the labels of the template.
pub(super) fn default_replication_controller(object: &mut Value) {
    default_labels(object);
    let labels = template_labels(get(object, SPEC)).clone();
    let spec = ensure(object, SPEC);
    if labels.as_object().is_some_and(|labels| !labels.is_empty()) && !has(spec, "selector") {
        fill(spec, "selector", labels);
    }
    fill(spec, "replicas", 1);
    if has(spec, "template") {
        pod::default_template(ensure(spec, "template"));
    }
}

fn default_labels(object: &mut Value) {
    let labels = template_labels(get(object, SPEC)).clone();
    if labels.as_object().is_some_and(|labels| !labels.is_empty()) && !has(get(object, "metadata"), "labels") {
        fill(ensure(object, "metadata"), "labels", labels);
    }
}

fn template_labels(spec: &Value) -> &Value {
    get(get(get(spec, "template"), "metadata"), "labels")
}

/// Fills in a StatefulSet.
pub(super) fn default_stateful_set(object: &mut Value) {
    let spec = ensure(object, SPEC);
    fill_text(spec, "podManagementPolicy", "OrderedReady");
    let strategy = ensure(spec, "updateStrategy");
    let was_empty = text(strategy, "type").is_empty();
    fill_text(strategy, "type", "RollingUpdate");
    if text(strategy, "type") == "RollingUpdate" && (was_empty || has(strategy, "rollingUpdate")) {
        let rolling = ensure(strategy, "rollingUpdate");
        fill(rolling, "partition", 0);
    }
    // MaxUnavailableStatefulSet is off by default: the field is dropped.
    if let Some(rolling) = get_mut(strategy, "rollingUpdate") {
        crate::api::view::remove(rolling, "maxUnavailable");
    }
    let retention = ensure(spec, "persistentVolumeClaimRetentionPolicy");
    fill_text(retention, "whenDeleted", "Retain");
    fill_text(retention, "whenScaled", "Retain");
    fill(spec, "replicas", 1);
    fill(spec, "revisionHistoryLimit", 10);
    pod::default_template(ensure(spec, "template"));
    for claim in items_mut(spec, "volumeClaimTemplates") {
        fill(claim, "apiVersion", "v1");
        fill(claim, "kind", "PersistentVolumeClaim");
        storage::default_claim(claim);
    }
}

/// Fills in a DaemonSet.
pub(super) fn default_daemon_set(object: &mut Value) {
    let spec = ensure(object, SPEC);
    let strategy = ensure(spec, "updateStrategy");
    fill_text(strategy, "type", "RollingUpdate");
    if text(strategy, "type") == "RollingUpdate" {
        let rolling = ensure(strategy, "rollingUpdate");
        fill(rolling, "maxUnavailable", 1);
        fill(rolling, "maxSurge", 0);
    }
    fill(spec, "revisionHistoryLimit", 10);
    pod::default_template(ensure(spec, "template"));
}

fn non_negative(spec: &Value, field: &str, path: &Path<'_>, causes: &mut Causes) {
    if int(spec, field) < 0 {
        causes.invalid(&path.child(field), int(spec, field), NON_NEGATIVE);
    }
}

/// Checks a selector that must be there and not be empty; `None` if it cannot be used.
fn selector(spec: &Value, kind: &str, is_required: bool, path: &Path<'_>, causes: &mut Causes) -> Option<Selector> {
    let selector = get(spec, "selector");
    let path = path.child("selector");
    if selector.is_null() {
        if is_required {
            causes.required(&path, "");
        }
        return Some(Selector::nothing());
    }
    label_selector(selector, &path, causes);
    if selector.as_object().is_some_and(|selector| selector.is_empty()) {
        causes.invalid(&path, selector, format!("empty selector is invalid for {kind}"));
    }
    let parsed = Selector::from_json(selector).ok();
    if parsed.is_none() && kind != "daemonset" {
        let what = if kind == "statefulset" { "" } else { "invalid label selector" };
        causes.invalid(&path, Raw(&shown_selector(selector)), what);
    }
    parsed
}

/// Checks that a selector selects the template's own labels.
fn template_matches(spec: &Value, selector: &Selector, path: &Path<'_>, causes: &mut Causes) {
    let labels = template_labels(spec);
    if !selector.is_empty() && !selector.matches(|key| labels.get(key).and_then(Value::as_str)) {
        let what = "`selector` does not match template `labels`";
        causes.invalid(&path.child("template.metadata.labels"), labels, what);
    }
}

/// Checks what all templates of pods that run for ever have in common.
fn template_runs_always(spec: &Value, kind: &str, path: &Path<'_>, causes: &mut Causes) {
    let pod = get(get(spec, "template"), SPEC);
    let restart = text(pod, "restartPolicy");
    if !["Always", ""].contains(&restart) {
        causes.not_supported(&path.child("template.spec.restartPolicy"), restart, &["Always"]);
    }
    if maybe_int(pod, "activeDeadlineSeconds").is_some() {
        let what = format!("activeDeadlineSeconds in {kind} is not Supported");
        causes.forbidden(&path.child("template.spec.activeDeadlineSeconds"), &what);
    }
}

/// Checks the template of a ReplicaSet, a Deployment or a ReplicationController.
fn replica_template(spec: &Value, selector: Option<&Selector>, kind: &str, path: &Path<'_>, causes: &mut Causes) {
    if !has(spec, "template") {
        causes.required(&path.child("template"), "");
        return;
    }
    if let Some(selector) = selector {
        template_matches(spec, selector, path, causes);
    }
    pod::validate_template(get(spec, "template"), &path.child("template"), causes);
    template_runs_always(spec, kind, path, causes);
}

/// Checks a Deployment.
pub(super) fn validate_deployment(object: &Value, causes: &mut Causes) {
    let path = Path::ROOT.child(SPEC);
    let spec = get(object, SPEC);
    non_negative(spec, "replicas", &path, causes);
    let selector = selector(spec, "deployment", true, &path, causes);
    if selector.is_some() {
        replica_template(spec, selector.as_ref(), "ReplicaSet", &path, causes);
    }
    deployment_strategy(get(spec, "strategy"), &path.child("strategy"), causes);
    non_negative(spec, "minReadySeconds", &path, causes);
    non_negative(spec, "revisionHistoryLimit", &path, causes);
    if let Some(deadline) = maybe_int(spec, "progressDeadlineSeconds") {
        non_negative(spec, "progressDeadlineSeconds", &path, causes);
        if deadline <= int(spec, "minReadySeconds") {
            causes.invalid(&path.child("progressDeadlineSeconds"), deadline, "must be greater than minReadySeconds");
        }
    }
}

fn deployment_strategy(strategy: &Value, path: &Path<'_>, causes: &mut Causes) {
    match text(strategy, "type") {
        "Recreate" => {
            if has(strategy, "rollingUpdate") {
                let what = "may not be specified when strategy `type` is 'Recreate'";
                causes.forbidden(&path.child("rollingUpdate"), what);
            }
        }
        "RollingUpdate" => {
            let rolling = get(strategy, "rollingUpdate");
            let path = path.child("rollingUpdate");
            int_or_percent(get(rolling, "maxUnavailable"), &path.child("maxUnavailable"), causes);
            int_or_percent(get(rolling, "maxSurge"), &path.child("maxSurge"), causes);
            let unavailable = get(rolling, "maxUnavailable");
            if leading_number(unavailable) == 0 && leading_number(get(rolling, "maxSurge")) == 0 {
                causes.invalid(&path.child("maxUnavailable"), unavailable, "may not be 0 when `maxSurge` is 0");
            }
            at_most_all(unavailable, &path.child("maxUnavailable"), causes);
        }
        other => {
            let shown = format!("{{\"Type\":{other:?},\"RollingUpdate\":null}}");
            causes.not_supported(path, Raw(&shown), &["Recreate", "RollingUpdate"]);
        }
    }
}

/// Checks a number that is not negative, or a percentage.
pub(super) fn int_or_percent(value: &Value, path: &Path<'_>, causes: &mut Causes) {
    match value {
        Value::String(text) => causes.invalid_for(path, text.as_str(), names::percent(text)),
        Value::Number(number) if number.as_i64().is_some_and(|number| number < 0) => {
            causes.invalid(path, value, NON_NEGATIVE);
        }
        _ => {}
    }
}

/// Checks that a percentage is at most 100.
pub(super) fn at_most_all(value: &Value, path: &Path<'_>, causes: &mut Causes) {
    if let Value::String(text) = value
        && names::percent(text).is_empty()
        && leading_number(value) > 100
    {
        causes.invalid(path, value, "must not be greater than 100%");
    }
}

/// A number, or the number of a percentage; 0 for what is neither.
fn leading_number(value: &Value) -> i64 {
    match value {
        Value::String(text) if names::percent(text).is_empty() => {
            text.trim_end_matches('%').parse().unwrap_or(i64::MAX)
        }
        // What is no percentage has an error of its own; Go's `IntValue` makes of it what it can.
        Value::String(text) => text.parse().unwrap_or(0),
        other => other.as_i64().unwrap_or(0),
    }
}

/// Checks a ReplicaSet.
pub(super) fn validate_replica_set(object: &Value, causes: &mut Causes) {
    let path = Path::ROOT.child(SPEC);
    let spec = get(object, SPEC);
    non_negative(spec, "replicas", &path, causes);
    non_negative(spec, "minReadySeconds", &path, causes);
    let selector = selector(spec, "replicaset", true, &path, causes);
    if selector.is_some() {
        replica_template(spec, selector.as_ref(), "ReplicaSet", &path, causes);
    }
}

/// Checks a ReplicationController.
pub(super) fn validate_replication_controller(object: &Value, causes: &mut Causes) {
    let path = Path::ROOT.child(SPEC);
    let spec = get(object, SPEC);
    non_negative(spec, "minReadySeconds", &path, causes);
    let labels = get(spec, "selector");
    let pairs = || labels.as_object().into_iter().flatten();
    if pairs().next().is_none() {
        causes.required(&path.child("selector"), "");
    }
    non_negative(spec, "replicas", &path, causes);
    let selector = Selector::from_labels(pairs().map(|(key, value)| (key.as_str(), value.as_str().unwrap_or(""))));
    replica_template(spec, Some(&selector), "ReplicationController", &path, causes);
}

/// Checks a StatefulSet.
pub(super) fn validate_stateful_set(object: &Value, causes: &mut Causes) {
    let path = Path::ROOT.child(SPEC);
    let spec = get(object, SPEC);
    let policy = text(spec, "podManagementPolicy");
    match policy {
        "" => causes.required(&path.child("podManagementPolicy"), ""),
        "OrderedReady" | "Parallel" => {}
        other => causes.invalid(&path.child("podManagementPolicy"), other, "must be 'OrderedReady' or 'Parallel'"),
    }
    stateful_set_strategy(get(spec, "updateStrategy"), &path.child("updateStrategy"), causes);
    let retention = get(spec, "persistentVolumeClaimRetentionPolicy");
    for field in ["whenDeleted", "whenScaled"] {
        if !["Retain", "Delete"].contains(&text(retention, field)) {
            let path = path.child("persistentVolumeClaimRetentionPolicy");
            causes.not_supported(&path.child(field), text(retention, field), &["Retain", "Delete"]);
        }
    }
    non_negative(spec, "replicas", &path, causes);
    non_negative(spec, "minReadySeconds", &path, causes);
    if has(spec, "ordinals") {
        non_negative(get(spec, "ordinals"), "start", &path.child("ordinals"), causes);
    }
    let service = text(spec, "serviceName");
    if !service.is_empty() {
        causes.invalid_for(&path.child("serviceName"), service, names::dns1123_label(service));
    }
    let selector = selector(spec, "statefulset", true, &path, causes);
    if let Some(selector) = &selector {
        template_matches(spec, selector, &path, causes);
    }
    stateful_set_claims(spec, &path, causes);
    template_runs_always(spec, "StatefulSet", &path, causes);
}

fn stateful_set_claims(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let claims = list(spec, "volumeClaimTemplates");
    // The claims take the place of the template's volumes of the same name, as the controller will do.
    let mut template = get(spec, "template").clone();
    let mut all: Vec<Value> = Vec::new();
    for claim in claims {
        let name = text(get(claim, "metadata"), "name");
        if !all.iter().any(|volume| text(volume, "name") == name) {
            all.push(json!({"name": name, "persistentVolumeClaim": {"claimName": name}}));
        }
    }
    let pod = ensure(&mut template, SPEC);
    let of_template = list(pod, "volumes").iter();
    let kept: Vec<Value> = of_template
        .filter(|volume| all.iter().all(|claim| text(claim, "name") != text(volume, "name")))
        .cloned()
        .collect();
    all.extend(kept);
    if !all.is_empty() {
        crate::api::view::put(pod, "volumes", all);
    }
    pod::validate_template(&template, &path.child("template"), causes);
    let path = path.child("volumeClaimTemplates");
    for (index, claim) in claims.iter().enumerate() {
        let path = path.index(index);
        storage::validate_claim_spec(get(claim, SPEC), false, &path.child(SPEC), causes);
    }
}

fn stateful_set_strategy(strategy: &Value, path: &Path<'_>, causes: &mut Causes) {
    match text(strategy, "type") {
        "" => causes.required(path, ""),
        "OnDelete" => {
            if has(strategy, "rollingUpdate") {
                let what = "only allowed for updateStrategy 'RollingUpdate'";
                causes.invalid(&path.child("rollingUpdate"), get(strategy, "rollingUpdate"), what);
            }
        }
        "RollingUpdate" => {
            let rolling = get(strategy, "rollingUpdate");
            let path = path.child("rollingUpdate");
            non_negative(rolling, "partition", &path, causes);
            if has(rolling, "maxUnavailable") {
                let unavailable = get(rolling, "maxUnavailable");
                int_or_percent(unavailable, &path.child("maxUnavailable"), causes);
                if leading_number(unavailable) == 0 {
                    causes.invalid(&path.child("maxUnavailable"), unavailable, "cannot be 0");
                }
                at_most_all(unavailable, &path.child("maxUnavailable"), causes);
            }
        }
        other => causes.invalid(path, other, "must be 'RollingUpdate' or 'OnDelete'"),
    }
}

/// Checks a DaemonSet.
pub(super) fn validate_daemon_set(object: &Value, causes: &mut Causes) {
    let path = Path::ROOT.child(SPEC);
    let spec = get(object, SPEC);
    label_selector(get(spec, "selector"), &path.child("selector"), causes);
    let parsed = Selector::from_json(get(spec, "selector")).ok();
    if let Some(selector) = &parsed {
        template_matches(spec, selector, &path, causes);
    }
    if get(spec, "selector").as_object().is_some_and(|selector| selector.is_empty()) {
        causes.invalid(&path.child("selector"), get(spec, "selector"), "empty selector is invalid for daemonset");
    }
    pod::validate_template(get(spec, "template"), &path.child("template"), causes);
    template_runs_always(spec, "DaemonSet", &path, causes);
    non_negative(spec, "minReadySeconds", &path, causes);
    daemon_set_strategy(get(spec, "updateStrategy"), &path.child("updateStrategy"), causes);
    non_negative(spec, "revisionHistoryLimit", &path, causes);
}

fn daemon_set_strategy(strategy: &Value, path: &Path<'_>, causes: &mut Causes) {
    match text(strategy, "type") {
        "OnDelete" => {}
        "RollingUpdate" => {
            let rolling = get(strategy, "rollingUpdate");
            let path = path.child("rollingUpdate");
            if rolling.is_null() {
                causes.required(&path, "");
                return;
            }
            let (unavailable, surge) = (get(rolling, "maxUnavailable"), get(rolling, "maxSurge"));
            for (field, value) in [("maxUnavailable", unavailable), ("maxSurge", surge)] {
                int_or_percent(value, &path.child(field), causes);
                at_most_all(value, &path.child(field), causes);
            }
            let (has_unavailable, has_surge) = (leading_number(unavailable) != 0, leading_number(surge) != 0);
            if has_unavailable && has_surge {
                let what = "may not be set when maxUnavailable is non-zero";
                causes.invalid(&path.child("maxSurge"), surge, what);
            } else if !has_unavailable && !has_surge {
                causes.required(&path.child("maxUnavailable"), "cannot be 0 when maxSurge is 0");
            }
        }
        other => causes.not_supported(&path.child("type"), other, &["OnDelete", "RollingUpdate"]),
    }
}

/// Checks that the selector stays.
pub(super) fn validate_selector_update(new: &Value, old: &Value, causes: &mut Causes) {
    let (new, old) = (get(get(new, SPEC), "selector"), get(get(old, SPEC), "selector"));
    if new != old {
        causes.invalid(&Path::ROOT.child(SPEC).child("selector"), Raw(&shown_selector(new)), IMMUTABLE);
    }
}

/// Checks that a StatefulSet changes only what it may.
pub(super) fn validate_stateful_set_update(new: &Value, old: &Value, causes: &mut Causes) {
    let mut as_new = get(old, SPEC).clone();
    for field in [
        "replicas",
        "template",
        "updateStrategy",
        "minReadySeconds",
        "ordinals",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
    ] {
        match get(get(new, SPEC), field) {
            Value::Null => crate::api::view::remove(&mut as_new, field),
            value => crate::api::view::put(&mut as_new, field, value.clone()),
        }
    }
    if as_new != *get(new, SPEC) {
        let what = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
                    'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
        causes.forbidden(&Path::ROOT.child(SPEC), what);
    }
}

/// Counts the templates of a DaemonSet, as its oldest API did.
pub(super) const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// What the registry gives a new DaemonSet.
pub(super) fn prepare_daemon_set(object: &mut Value) {
    set_template_generation(object, 1);
}

/// What the registry gives a new version of a DaemonSet.
pub(super) fn prepare_daemon_set_update(new: &mut Value, old: &Value) {
    let annotation = get(get(get(old, "metadata"), "annotations"), TEMPLATE_GENERATION);
    let generation: i64 = annotation.as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
    let changed = get(get(new, SPEC), "template") != get(get(old, SPEC), "template");
    set_template_generation(new, generation + i64::from(changed));
}

fn set_template_generation(object: &mut Value, generation: i64) {
    let annotations = ensure(ensure(object, "metadata"), "annotations");
    crate::api::view::put(annotations, TEMPLATE_GENERATION, generation.to_string());
}
