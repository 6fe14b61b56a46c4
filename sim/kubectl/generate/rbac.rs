//! Roles and bindings.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Generated;
use super::flags::Flags;

const GROUP: &str = "rbac.authorization.k8s.io";

/// `kubectl create role|clusterrole NAME --verb=VERB... --resource=RESOURCE[/PART][.GROUP]... [--resource-name]`
pub(super) fn role(flags: &Flags<'_>, is_cluster: bool) -> Result<Generated, String> {
    flags.refuses(&["aggregation-rule"])?;
    let mut verbs: Vec<&str> = Vec::new();
    for verb in flags.list("verb") {
        if !verbs.contains(&verb) {
            verbs.push(verb);
        }
    }
    if verbs.contains(&"*") {
        verbs = vec!["*"];
    }
    if verbs.is_empty() {
        return Err("at least one verb must be specified".to_owned());
    }
    let urls = if is_cluster { flags.list("non-resource-url") } else { Vec::new() };
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for given in flags.list("resource") {
        let (resource, part) = given.split_once('/').map_or((given, ""), |(resource, part)| (resource, part));
        let (group, plural) = match resource {
            "*" => (String::new(), "*".to_owned()),
            resource => {
                let info = flags.kind(resource)?;
                (info.group.to_owned(), info.plural.to_owned())
            }
        };
        let group = if plural == "*" { "*".to_owned() } else { group };
        let resource = if part.is_empty() { plural } else { format!("{plural}/{part}") };
        let known = groups.entry(group).or_default();
        if !known.contains(&resource) {
            known.push(resource);
        }
    }
    if groups.is_empty() && urls.is_empty() {
        let or_url = if is_cluster { " or nonResourceURL" } else { "" };
        return Err(format!("at least one resource{or_url} must be specified"));
    }
    let names = flags.list("resource-name");
    let mut rules: Vec<Value> = Vec::new();
    for (group, resources) in groups {
        let mut rule = json!({ "apiGroups": [group], "resources": resources, "verbs": verbs });
        if !names.is_empty() {
            rule["resourceNames"] = json!(names);
        }
        rules.push(rule);
    }
    if !urls.is_empty() {
        rules.push(json!({ "nonResourceURLs": urls, "verbs": verbs }));
    }
    let kind = if is_cluster { "ClusterRole" } else { "Role" };
    Ok(Generated::new(flags.object(&format!("{GROUP}/v1"), kind, json!({ "rules": rules })), ""))
}

/// `kubectl create rolebinding|clusterrolebinding NAME --role|--clusterrole=ROLE [--user] [--group] [--serviceaccount=NAMESPACE:NAME]`
pub(super) fn binding(flags: &Flags<'_>, is_cluster: bool) -> Result<Generated, String> {
    let (role, cluster_role) = (flags.text("role"), flags.text("clusterrole"));
    if is_cluster && cluster_role.is_empty() {
        return Err("clusterrole must be specified".to_owned());
    }
    if !is_cluster && role.is_empty() == cluster_role.is_empty() {
        return Err("exactly one of clusterrole or role must be specified".to_owned());
    }
    let (role_kind, role_name) = if cluster_role.is_empty() { ("Role", role) } else { ("ClusterRole", cluster_role) };
    let mut subjects: Vec<Value> = Vec::new();
    for (flag, kind) in [("user", "User"), ("group", "Group")] {
        let named = flags.list(flag).into_iter();
        subjects.extend(named.map(|name| json!({ "apiGroup": GROUP, "kind": kind, "name": name })));
    }
    for account in flags.list("serviceaccount") {
        let parts: Vec<&str> = account.split(':').collect();
        let [namespace, name] = parts.as_slice() else {
            return Err("serviceaccount must be <namespace>:<name>".to_owned());
        };
        if name.is_empty() {
            return Err("serviceaccount must be <namespace>:<name>".to_owned());
        }
        subjects.push(json!({ "kind": "ServiceAccount", "namespace": namespace, "name": name }));
    }
    let mut rest = json!({ "roleRef": { "apiGroup": GROUP, "kind": role_kind, "name": role_name } });
    if !subjects.is_empty() {
        rest["subjects"] = json!(subjects);
    }
    let (kind, word) =
        if is_cluster { ("ClusterRoleBinding", "clusterrolebinding") } else { ("RoleBinding", "rolebinding") };
    let object = flags.object(&format!("{GROUP}/v1"), kind, rest);
    Ok(Generated::new(object, &format!("failed to create {word}: ")))
}
