//! `podFailurePolicy` and `successPolicy` (`job/{pod_failure_policy,success_policy}.go`).

use std::collections::BTreeSet;

use k8s_openapi::api::batch::v1 as batch;

use super::indexes::parse_indexes;

/// What a rule of the failure policy says of a failed pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureVerdict {
    /// `FailJob`, `FailIndex`, `Ignore` or `Count`.
    pub action: String,
    /// Whether the failure counts towards the limits.
    pub counts: bool,
    /// Why the Job fails, if it does.
    pub message: Option<String>,
}

/// A failed pod as the failure policy sees it.
#[derive(Clone, Debug, Default)]
pub struct FailedPod<'a> {
    /// `namespace/name`.
    pub name: String,
    /// Containers that ended badly, init containers included: name and exit code.
    pub exits: Vec<(&'a str, i32)>,
    /// Conditions: type and status.
    pub conditions: Vec<(&'a str, &'a str)>,
}

/// The first rule that matches (`matchPodFailurePolicy`); `None` if none does, and the failure counts.
pub fn match_failure_policy(policy: &batch::PodFailurePolicy, pod: &FailedPod<'_>) -> Option<FailureVerdict> {
    policy.rules.iter().enumerate().find_map(|(idx, rule)| {
        if !["FailJob", "FailIndex", "Ignore", "Count"].contains(&rule.action.as_str()) {
            return None;
        }
        let what = match (&rule.on_exit_codes, &rule.on_pod_conditions) {
            (Some(codes), _) => {
                let (container, code) = matching_exit(codes, pod)?;
                format!("Container {container} for pod {} failed with exit code {code}", pod.name)
            }
            (None, Some(conditions)) => {
                let condition = matching_condition(conditions, pod)?;
                format!("Pod {} has condition {condition}", pod.name)
            }
            (None, None) => return None,
        };
        let message = (rule.action == "FailJob").then(|| format!("{what} matching FailJob rule at index {idx}"));
        Some(FailureVerdict { action: rule.action.clone(), counts: rule.action != "Ignore", message })
    })
}

fn matching_exit<'a>(
    codes: &batch::PodFailurePolicyOnExitCodesRequirement,
    pod: &FailedPod<'a>,
) -> Option<(&'a str, i32)> {
    pod.exits.iter().copied().find(|&(container, code)| {
        let named = codes.container_name.as_deref().is_none_or(|name| name == container);
        let listed = codes.values.contains(&code);
        let matches = match codes.operator.as_str() {
            "In" => listed,
            "NotIn" => !listed,
            _ => false,
        };
        named && code != 0 && matches
    })
}

fn matching_condition<'a>(
    patterns: &[batch::PodFailurePolicyOnPodConditionsPattern],
    pod: &FailedPod<'a>,
) -> Option<&'a str> {
    pod.conditions.iter().copied().find_map(|(kind, status)| {
        let matches = |pattern: &batch::PodFailurePolicyOnPodConditionsPattern| {
            pattern.type_ == kind && pattern.status.as_deref().unwrap_or("True") == status
        };
        patterns.iter().any(matches).then_some(kind)
    })
}

/// The message of the first rule that the succeeded indexes meet (`matchSuccessPolicy`).
pub fn match_success_policy(
    policy: &batch::SuccessPolicy,
    completions: i32,
    succeeded: &BTreeSet<i32>,
) -> Option<String> {
    policy.rules.iter().enumerate().find_map(|(idx, rule)| {
        let count = rule.succeeded_count.and_then(|count| usize::try_from(count).ok());
        let met = match (&rule.succeeded_indexes, count) {
            (Some(text), count) => {
                let listed = parse_indexes(text, completions);
                let n = listed.intersection(succeeded).count();
                !listed.is_empty() && n >= count.unwrap_or(listed.len())
            }
            (None, Some(count)) => succeeded.len() >= count,
            (None, None) => false,
        };
        met.then(|| format!("Matched rules at index {idx}"))
    })
}
