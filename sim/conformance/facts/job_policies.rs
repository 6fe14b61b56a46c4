//! `job.pod_failure_policy` and `job.success_policy`.

use k8s_openapi::api::batch::v1 as batch;
use serde_json::{Value, json};

use super::jobs::index_set;
use super::{Answer, members, one_of, stated};
use crate::controllers::job::policies::{FailedPod, match_failure_policy, match_success_policy};

pub(super) fn case(rule: &str, case: &Value) -> Answer {
    let (input, out) = (&case["in"], &case["out"]);
    match rule {
        "pod_failure_policy" => failure(input, out),
        "success_policy" => success(input, out),
        _ => None,
    }
}

/// Rules as `[action, matcher]`, where the matcher is `In 1,2`, `NotIn 3` (both may name a container) or `Type=Status`.
fn failure(input: &Value, out: &Value) -> Answer {
    let listed = if input["rules"].is_null() { &[][..] } else { input["rules"].as_array()? };
    let rules: Option<Vec<Value>> = listed.iter().map(rule).collect();
    let policy: batch::PodFailurePolicy = serde_json::from_value(json!({ "rules": rules? })).ok()?;
    let mut exits: Vec<(String, i32)> = Vec::new();
    let listed = if input["exits"].is_null() { None } else { Some(input["exits"].as_object()?) };
    for (name, code) in listed.into_iter().flatten() {
        exits.push((container(name), i32::try_from(code.as_i64()?).ok()?));
    }
    // Init containers are looked at last.
    exits.sort_by_key(|(name, _)| name.starts_with("init"));
    if !input["exit"].is_null() {
        exits.push((container("main"), i32::try_from(input["exit"].as_i64()?).ok()?));
    }
    let several = if input["conditions"].is_null() { &[][..] } else { input["conditions"].as_array()? };
    let listed = several.iter().chain([&input["condition"]]).filter(|condition| !condition.is_null());
    let conditions: Option<Vec<(&str, &str)>> = listed.map(|text| text.as_str()?.split_once('=')).collect();
    let pod = FailedPod {
        name: "default/mypod".to_owned(),
        exits: exits.iter().map(|(name, code)| (name.as_str(), *code)).collect(),
        conditions: conditions?,
    };
    let verdict = match_failure_policy(&policy, &pod);
    let got = json!({
        "action": verdict.as_ref().map(|verdict| verdict.action.as_str()),
        "count": verdict.as_ref().is_none_or(|verdict| verdict.counts),
        "message": verdict.and_then(|verdict| verdict.message),
    });
    members(out, &got)
}

/// `main` is `main-container`.
fn container(name: &str) -> String {
    if name.contains("container") { name.to_owned() } else { format!("{name}-container") }
}

/// The actions of Kubernetes, and the one of its tests that it does not know.
const ACTIONS: &[&str] = &["FailJob", "FailIndex", "Ignore", "Count", "UnknownAction"];

fn rule(rule: &Value) -> Option<Value> {
    let (action, matcher) = (one_of(&rule[0], ACTIONS)?, rule[1].as_str()?);
    let words: Vec<&str> = matcher.split_whitespace().collect();
    if let [operator @ ("In" | "NotIn" | "UnknownOperator"), values, rest @ ..] = words.as_slice() {
        let values: Option<Vec<i32>> = values.split(',').map(|value| value.parse().ok()).collect();
        let named = rule[2].as_str().or(rest.last().map(|word| word.trim_matches(['(', ')']))).map(container);
        let codes = json!({ "operator": operator, "values": values?, "containerName": named });
        return Some(json!({ "action": action, "onExitCodes": codes }));
    }
    let (kind, status) = matcher.split_once('=')?;
    Some(json!({ "action": action, "onPodConditions": [{ "type": kind, "status": status }] }))
}

fn success(input: &Value, out: &Value) -> Answer {
    let policy: batch::SuccessPolicy = serde_json::from_value(json!({ "rules": input["rules"] })).ok()?;
    // The group is about Jobs of ten.
    let completions = if input["completions"].is_null() { 10 } else { super::int(input, "completions")? };
    let mut succeeded = index_set(&input["succeeded"])?;
    succeeded.retain(|index| *index < completions);
    let text = out.as_str()?;
    let got = match_success_policy(&policy, completions, &succeeded)
        .map_or("not met".to_owned(), |why| format!("met: {why}"));
    stated(out, text == got, got)
}
