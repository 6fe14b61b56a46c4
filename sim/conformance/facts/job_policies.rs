//! `job.pod_failure_policy` and `job.success_policy`.

use k8s_openapi::api::batch::v1 as batch;
use serde_json::{Value, json};

use super::jobs::index_set;
use super::{Answer, members, stated};
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
    let rules: Option<Vec<Value>> = input["rules"].as_array().into_iter().flatten().map(rule).collect();
    let policy: batch::PodFailurePolicy = serde_json::from_value(json!({ "rules": rules? })).ok()?;
    let mut exits: Vec<(String, i32)> = Vec::new();
    for (name, code) in input["exits"].as_object().into_iter().flatten() {
        exits.push((container(name), i32::try_from(code.as_i64()?).ok()?));
    }
    // Init containers are looked at last.
    exits.sort_by_key(|(name, _)| name.starts_with("init"));
    if let Some(code) = input["exit"].as_i64() {
        exits.push((container("main"), i32::try_from(code).ok()?));
    }
    let listed = input["conditions"].as_array().into_iter().flatten().chain([&input["condition"]]);
    let conditions: Vec<(&str, &str)> =
        listed.filter_map(Value::as_str).filter_map(|text| text.split_once('=')).collect();
    let pod = FailedPod {
        name: "default/mypod".to_owned(),
        exits: exits.iter().map(|(name, code)| (name.as_str(), *code)).collect(),
        conditions,
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

fn rule(rule: &Value) -> Option<Value> {
    let (action, matcher) = (rule[0].as_str()?, rule[1].as_str()?);
    let words: Vec<&str> = matcher.split_whitespace().collect();
    if let [operator @ ("In" | "NotIn" | "UnknownOperator"), values, rest @ ..] = words.as_slice() {
        let values: Option<Vec<i32>> = values.split(',').map(|value| value.parse().ok()).collect();
        let named = rule[2].as_str().or(rest.last().map(|word| word.trim_matches(['(', ')']))).map(container);
        let codes = json!({ "operator": operator, "values": values?, "containerName": named });
        return Some(json!({ "action": action, "onExitCodes": codes }));
    }
    let (kind, status) = matcher.split_once('=').unwrap_or((matcher, "True"));
    Some(json!({ "action": action, "onPodConditions": [{ "type": kind, "status": status }] }))
}

fn success(input: &Value, out: &Value) -> Answer {
    let policy: batch::SuccessPolicy = serde_json::from_value(json!({ "rules": input["rules"] })).ok()?;
    let completions = input["completions"].as_i64().and_then(|count| i32::try_from(count).ok()).unwrap_or(10);
    let mut succeeded = index_set(&input["succeeded"]);
    succeeded.retain(|index| *index < completions);
    let text = out.as_str()?;
    let got = match_success_policy(&policy, completions, &succeeded)
        .map_or("not met".to_owned(), |why| format!("met: {why}"));
    stated(out, text == got, got)
}
