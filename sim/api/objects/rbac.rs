//! Role, ClusterRole, RoleBinding, ClusterRoleBinding.

use crate::api::causes::{Causes, Path};
use crate::api::names;
use crate::api::view::{ensure, fill_text, get, items_mut, list, text};
use serde_json::Value;

use super::metadata::label_selector;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Checks a Role or a ClusterRole.
pub(super) fn validate_role(object: &Value, causes: &mut Causes) {
    let is_cluster_role = text(object, "kind") == "ClusterRole";
    let path = Path::ROOT.child("rules");
    for (index, rule) in list(object, "rules").iter().enumerate() {
        policy_rule(rule, !is_cluster_role, &path.index(index), causes);
    }
    let aggregation = get(object, "aggregationRule");
    if aggregation.is_null() {
        return;
    }
    let path = Path::ROOT.child("aggregationRule.clusterRoleSelectors");
    let selectors = list(aggregation, "clusterRoleSelectors");
    if selectors.is_empty() {
        causes.required(&path, "at least one clusterRoleSelector required if aggregationRule is non-nil");
    }
    for (index, selector) in selectors.iter().enumerate() {
        label_selector(selector, &path.index(index), causes);
    }
}

fn policy_rule(rule: &Value, is_namespaced: bool, path: &Path<'_>, causes: &mut Causes) {
    if list(rule, "verbs").is_empty() {
        causes.required(&path.child("verbs"), "verbs must contain at least one value");
    }
    let urls = list(rule, "nonResourceURLs");
    if !urls.is_empty() {
        if is_namespaced {
            let what = "namespaced rules cannot apply to non-resource URLs";
            causes.invalid(&path.child("nonResourceURLs"), get(rule, "nonResourceURLs"), what);
        }
        let has_resources =
            ["apiGroups", "resources", "resourceNames"].iter().any(|field| !list(rule, field).is_empty());
        if has_resources {
            let what = "rules cannot apply to both regular resources and non-resource URLs";
            causes.invalid(&path.child("nonResourceURLs"), get(rule, "nonResourceURLs"), what);
        }
        return;
    }
    if list(rule, "apiGroups").is_empty() {
        causes.required(&path.child("apiGroups"), "resource rules must supply at least one api group");
    }
    if list(rule, "resources").is_empty() {
        causes.required(&path.child("resources"), "resource rules must supply at least one resource");
    }
}

/// Fills in a RoleBinding or a ClusterRoleBinding.
pub(super) fn default_binding(object: &mut Value) {
    fill_text(ensure(object, "roleRef"), "apiGroup", GROUP);
    for subject in items_mut(object, "subjects") {
        if ["User", "Group"].contains(&text(subject, "kind")) {
            fill_text(subject, "apiGroup", GROUP);
        }
    }
}

/// Checks a RoleBinding or a ClusterRoleBinding.
pub(super) fn validate_binding(object: &Value, causes: &mut Causes) {
    let is_cluster_binding = text(object, "kind") == "ClusterRoleBinding";
    let reference = get(object, "roleRef");
    let path = Path::ROOT.child("roleRef");
    if text(reference, "apiGroup") != GROUP {
        causes.not_supported(&path.child("apiGroup"), text(reference, "apiGroup"), &[GROUP]);
    }
    let known: &[&str] = if is_cluster_binding { &["ClusterRole"] } else { &["Role", "ClusterRole"] };
    if !known.contains(&text(reference, "kind")) {
        causes.not_supported(&path.child("kind"), text(reference, "kind"), known);
    }
    match text(reference, "name") {
        "" => causes.required(&path.child("name"), ""),
        name => causes.invalid_for(&path.child("name"), name, names::path_segment_name(name)),
    }
    let path = Path::ROOT.child("subjects");
    for (index, subject) in list(object, "subjects").iter().enumerate() {
        validate_subject(subject, !is_cluster_binding, &path.index(index), causes);
    }
}

fn validate_subject(subject: &Value, is_namespaced: bool, path: &Path<'_>, causes: &mut Causes) {
    let (kind, name, group) = (text(subject, "kind"), text(subject, "name"), text(subject, "apiGroup"));
    if name.is_empty() {
        causes.required(&path.child("name"), "");
    }
    match kind {
        "ServiceAccount" => {
            if !name.is_empty() {
                causes.invalid_for(&path.child("name"), name, names::dns1123_subdomain(name));
            }
            if !group.is_empty() {
                causes.not_supported(&path.child("apiGroup"), group, &[""]);
            }
            if !is_namespaced && text(subject, "namespace").is_empty() {
                causes.required(&path.child("namespace"), "");
            }
        }
        "User" | "Group" => {
            if group != GROUP {
                causes.not_supported(&path.child("apiGroup"), group, &[GROUP]);
            }
        }
        other => causes.not_supported(&path.child("kind"), other, &["ServiceAccount", "User", "Group"]),
    }
}

/// Checks that the role of a binding stays.
pub(super) fn validate_binding_update(new: &Value, old: &Value, causes: &mut Causes) {
    let (is, was) = (get(new, "roleRef"), get(old, "roleRef"));
    if is != was {
        let part = |field: &str| get(is, field).to_string();
        let shown =
            format!("{{\"APIGroup\":{},\"Kind\":{},\"Name\":{}}}", part("apiGroup"), part("kind"), part("name"));
        causes.invalid(&Path::ROOT.child("roleRef"), crate::api::causes::Raw(&shown), "cannot change roleRef");
    }
}
