//! When a Job has succeeded or failed: `successPolicy` and `podFailurePolicy`.

use crate::api::causes::{Causes, Path, Raw};
use crate::api::names;
use crate::api::view::{get, has, int, list, maybe_int, text};
use serde_json::Value;

use super::metadata::NON_NEGATIVE;

/// Checks `spec.successPolicy`.
pub(super) fn success(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let policy = get(spec, "successPolicy");
    if policy.is_null() {
        return;
    }
    let path_of = path.child("successPolicy");
    let rules = list(policy, "rules");
    if text(spec, "completionMode") != "Indexed" {
        let shown = shown_success(policy);
        causes.invalid(&path_of, Raw(&shown), "requires indexed completion mode");
        return;
    }
    let path = path_of.child("rules");
    if rules.is_empty() {
        causes.required(&path, "at least one rules must be specified when the successPolicy is specified");
    }
    if rules.len() > 20 {
        causes.too_many(&path, rules.len(), 20);
    }
    for (index, rule) in rules.iter().enumerate() {
        success_rule(rule, int(spec, "completions"), &path.index(index), causes);
    }
}

/// A success policy in the API server's own names, for its messages.
pub(super) fn shown_success(policy: &Value) -> String {
    let rules: Vec<String> = list(policy, "rules")
        .iter()
        .map(|rule| {
            let (indexes, count) = (get(rule, "succeededIndexes"), get(rule, "succeededCount"));
            format!("{{\"SucceededIndexes\":{indexes},\"SucceededCount\":{count}}}")
        })
        .collect();
    format!("{{\"Rules\":[{}]}}", rules.join(","))
}

fn success_rule(rule: &Value, completions: i64, path: &Path<'_>, causes: &mut Causes) {
    let count = maybe_int(rule, "succeededCount");
    if count.is_none() && !has(rule, "succeededIndexes") {
        causes.required(path, "at least one of succeededCount or succeededIndexes must be specified");
    }
    let mut n_indexes = None;
    if has(rule, "succeededIndexes") {
        let indexes = text(rule, "succeededIndexes");
        let path = path.child("succeededIndexes");
        if indexes.len() > 64 * 1024 {
            causes.too_long(&path, 64 * 1024);
        }
        match parse_indexes(indexes, completions) {
            Ok(n) => n_indexes = Some(n),
            Err(error) => causes.invalid(&path, indexes, format!("error parsing succeededIndexes: {error}")),
        }
    }
    let Some(count) = count else { return };
    let path = path.child("succeededCount");
    if count < 0 {
        causes.invalid(&path, count, NON_NEGATIVE);
    }
    if count > completions {
        causes.invalid(
            &path,
            count,
            format!("must be less than or equal to {completions} (the number of specified completions)"),
        );
    }
    if let Some(n) = n_indexes.filter(|&n| count > n) {
        let what = format!(
            "must be less than or equal to {n} (the number of indexes in the specified succeededIndexes field)"
        );
        causes.invalid(&path, count, what);
    }
}

/// How many indexes `1,3-5` names, all below `completions` and in order.
fn parse_indexes(text: &str, completions: i64) -> Result<i64, String> {
    let mut total = 0;
    let mut previous: Option<i64> = None;
    if text.is_empty() {
        return Ok(0);
    }
    for part in text.split(',') {
        let ends: Vec<&str> = part.split('-').collect();
        if ends.len() > 2 {
            return Err(format!(
                "the fragment {part:?} violates the requirement that an index interval can have at most two parts separated by '-'"
            ));
        }
        let first = parse_index(ends[0], completions)?;
        if let Some(previous) = previous.filter(|&previous| previous >= first) {
            return Err(format!("non-increasing order, previous: {previous}, current: {first}"));
        }
        let last = match ends.get(1) {
            None => first,
            Some(end) => {
                let last = parse_index(end, completions)?;
                if first >= last {
                    return Err(format!("non-increasing order, previous: {first}, current: {last}"));
                }
                last
            }
        };
        total += last - first + 1;
        previous = Some(last);
    }
    Ok(total)
}

fn parse_index(text: &str, completions: i64) -> Result<i64, String> {
    let index: i64 = text.parse().map_err(|_| format!("cannot convert string to integer for index: {text:?}"))?;
    if index >= completions { Err(format!("too large index: {text:?}")) } else { Ok(index) }
}

/// Checks `spec.podFailurePolicy`.
pub(super) fn failure(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let policy = get(spec, "podFailurePolicy");
    if policy.is_null() {
        return;
    }
    let path = path.child("podFailurePolicy.rules");
    let rules = list(policy, "rules");
    if rules.len() > 20 {
        causes.too_many(&path, rules.len(), 20);
    }
    let pod = get(get(spec, "template"), "spec");
    let containers: Vec<&str> = list(pod, "containers")
        .iter()
        .chain(list(pod, "initContainers"))
        .map(|container| text(container, "name"))
        .collect();
    for (index, rule) in rules.iter().enumerate() {
        failure_rule(spec, rule, &containers, &path.index(index), causes);
    }
}

fn failure_rule(spec: &Value, rule: &Value, containers: &[&str], path: &Path<'_>, causes: &mut Causes) {
    match text(rule, "action") {
        "" => causes.required(&path.child("action"), "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]"),
        "FailIndex" if !has(spec, "backoffLimitPerIndex") => {
            causes.invalid(&path.child("action"), "FailIndex", "requires the backoffLimitPerIndex to be set");
        }
        "Count" | "FailIndex" | "FailJob" | "Ignore" => {}
        other => causes.not_supported(&path.child("action"), other, &["Count", "FailIndex", "FailJob", "Ignore"]),
    }
    let codes = get(rule, "onExitCodes");
    if !codes.is_null() {
        exit_codes(codes, containers, &path.child("onExitCodes"), causes);
    }
    let patterns = list(rule, "onPodConditions");
    if !patterns.is_empty() {
        pod_conditions(patterns, &path.child("onPodConditions"), causes);
    }
    match (codes.is_null(), patterns.is_empty()) {
        (false, false) => {
            causes.invalid_without_value(path, "specifying both OnExitCodes and OnPodConditions is not supported");
        }
        (true, true) => {
            causes.invalid_without_value(path, "specifying one of OnExitCodes and OnPodConditions is required");
        }
        _ => {}
    }
}

fn exit_codes(codes: &Value, containers: &[&str], path: &Path<'_>, causes: &mut Causes) {
    let operator = text(codes, "operator");
    match operator {
        "" => causes.required(&path.child("operator"), "valid values: [\"In\" \"NotIn\"]"),
        "In" | "NotIn" => {}
        other => causes.not_supported(&path.child("operator"), other, &["In", "NotIn"]),
    }
    if has(codes, "containerName") && !containers.contains(&text(codes, "containerName")) {
        let what = "must be one of the container or initContainer names in the pod template";
        causes.invalid(&path.child("containerName"), text(codes, "containerName"), what);
    }
    let path = path.child("values");
    let values: Vec<i64> = list(codes, "values").iter().filter_map(Value::as_i64).collect();
    let shown = Value::from(values.clone());
    if values.is_empty() {
        causes.invalid(&path, &shown, "at least one value is required");
    } else if values.len() > 255 {
        causes.too_many(&path, values.len(), 255);
    }
    for (index, value) in values.iter().enumerate() {
        if operator == "In" && *value == 0 {
            causes.invalid(&path.index(index), *value, "must not be 0 for the In operator");
        }
        if values[..index].contains(value) {
            causes.duplicate(&path.index(index), *value);
        }
    }
    if !values.is_sorted() {
        causes.invalid(&path, &shown, "must be ordered");
    }
}

fn pod_conditions(patterns: &[Value], path: &Path<'_>, causes: &mut Causes) {
    if patterns.len() > 20 {
        causes.too_many(path, patterns.len(), 20);
    }
    for (index, pattern) in patterns.iter().enumerate() {
        let path = path.index(index);
        let kind = text(pattern, "type");
        causes.invalid_for(&path.child("type"), kind, names::label_key_errors(kind));
        match text(pattern, "status") {
            "" => causes.required(&path.child("status"), "valid values: [\"False\" \"True\" \"Unknown\"]"),
            "False" | "True" | "Unknown" => {}
            other => causes.not_supported(&path.child("status"), other, &["False", "True", "Unknown"]),
        }
    }
}
