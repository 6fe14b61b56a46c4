//! Who may do what: RBAC's decision (kube-apiserver `plugin/pkg/auth/authorizer/rbac`). Rules only ever allow.

use super::view::{get, list, text};
use serde_json::Value;

/// What someone wants to do.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// The name of the user; `system:serviceaccount:NAMESPACE:NAME` for service accounts.
    pub user: &'a str,
    /// The groups of the user.
    pub groups: &'a [&'a str],
    /// `get`, `list`, `create`, ...
    pub verb: &'a str,
    /// The API group; empty for the core group.
    pub api_group: &'a str,
    /// `pods`
    pub resource: &'a str,
    /// `log`, or empty.
    pub subresource: &'a str,
    /// Empty for what lives in no namespace.
    pub namespace: &'a str,
    /// The object, if one is named.
    pub name: &'a str,
    /// The path of a request that is about no resource.
    pub path: Option<&'a str>,
}

/// The roles and bindings of a cluster, in any order.
#[derive(Clone, Debug, Default)]
pub struct Roles<'a> {
    /// Roles and ClusterRoles.
    pub roles: Vec<&'a Value>,
    /// RoleBindings and ClusterRoleBindings.
    pub bindings: Vec<&'a Value>,
}

/// Whether the request is allowed, and by which binding.
pub fn authorize<'a>(roles: &Roles<'a>, request: &Request<'_>) -> Option<Allowed<'a>> {
    if request.groups.contains(&"system:masters") {
        return Some(Allowed { binding: None });
    }
    let cluster_wide = |binding: &&&Value| text(binding, "kind") == "ClusterRoleBinding";
    let here = |binding: &&&Value| {
        text(binding, "kind") == "RoleBinding"
            && !request.namespace.is_empty()
            && request.path.is_none()
            && text(get(binding, "metadata"), "namespace") == request.namespace
    };
    let in_order = roles.bindings.iter().filter(cluster_wide).chain(roles.bindings.iter().filter(here));
    for binding in in_order {
        let namespace = text(get(binding, "metadata"), "namespace");
        let names_user = list(binding, "subjects").iter().any(|subject| is_subject(subject, namespace, request));
        if names_user && rules_of(roles, binding).iter().any(|rule| rule_allows(rule, request)) {
            return Some(Allowed { binding: Some(binding) });
        }
    }
    None
}

/// Why a request is allowed.
#[derive(Clone, Copy, Debug)]
pub struct Allowed<'a> {
    /// The binding that allows it; none for `system:masters`.
    pub binding: Option<&'a Value>,
}

/// The rules of the role that a binding refers to.
fn rules_of<'a>(roles: &Roles<'a>, binding: &Value) -> &'a [Value] {
    let reference = get(binding, "roleRef");
    let namespace = text(get(binding, "metadata"), "namespace");
    let is_meant = |role: &&&Value| {
        text(role, "kind") == text(reference, "kind")
            && text(get(role, "metadata"), "name") == text(reference, "name")
            && (text(role, "kind") == "ClusterRole" || text(get(role, "metadata"), "namespace") == namespace)
    };
    roles.roles.iter().find(is_meant).map_or(&[], |role| list(role, "rules"))
}

fn is_subject(subject: &Value, namespace: &str, request: &Request<'_>) -> bool {
    let name = text(subject, "name");
    match text(subject, "kind") {
        "User" => request.user == name,
        "Group" => request.groups.contains(&name),
        "ServiceAccount" => {
            let own = text(subject, "namespace");
            let namespace = if own.is_empty() { namespace } else { own };
            !namespace.is_empty() && request.user == format!("system:serviceaccount:{namespace}:{name}")
        }
        _ => false,
    }
}

/// Whether one rule allows a request.
pub fn rule_allows(rule: &Value, request: &Request<'_>) -> bool {
    let has = |field: &str, word: &str| list(rule, field).iter().any(|item| item == word || item == "*");
    if !has("verbs", request.verb) {
        return false;
    }
    if let Some(path) = request.path {
        return list(rule, "nonResourceURLs").iter().filter_map(Value::as_str).any(|url| url_matches(url, path));
    }
    let names = list(rule, "resourceNames");
    has("apiGroups", request.api_group)
        && list(rule, "resources").iter().filter_map(Value::as_str).any(|resource| resource_matches(resource, request))
        && (names.is_empty() || names.iter().any(|name| name == request.name))
}

fn resource_matches(resource: &str, request: &Request<'_>) -> bool {
    match (resource, request.subresource) {
        ("*", _) => true,
        (resource, "") => resource == request.resource,
        (resource, sub) => match resource.split_once('/') {
            Some((of, own)) => own == sub && (of == "*" || of == request.resource),
            None => false,
        },
    }
}

fn url_matches(url: &str, path: &str) -> bool {
    url == "*" || url == path || url.strip_suffix('*').is_some_and(|prefix| path.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_match_as_in_kubernetes() {
        let request = |verb, resource, subresource| Request { verb, resource, subresource, ..Request::default() };
        let rule = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods", "*/scale"]});
        for (verb, resource, sub, allowed) in [
            ("get", "pods", "", true),
            ("get", "pods", "log", false),
            ("GET", "pods", "", false),
            ("get", "deployments", "scale", true),
            ("get", "deployments", "", false),
            ("list", "pods", "", false),
        ] {
            assert_eq!(rule_allows(&rule, &request(verb, resource, sub)), allowed, "{verb} {resource}/{sub}");
        }
        let named = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "resourceNames": ["a"]});
        assert!(!rule_allows(&named, &request("create", "configmaps", "")));
        let urls = json!({"verbs": ["get"], "nonResourceURLs": ["/foo/*"]});
        let at = |path| Request { verb: "get", path: Some(path), ..Request::default() };
        assert!(rule_allows(&urls, &at("/foo/a/b")) && !rule_allows(&urls, &at("/foo")));
    }

    #[test]
    fn a_role_binding_allows_only_in_its_namespace() {
        let role = json!({"kind": "ClusterRole", "metadata": {"name": "admin"},
            "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]});
        let binding = json!({"kind": "RoleBinding", "metadata": {"name": "b", "namespace": "ns1"},
            "subjects": [{"kind": "User", "name": "admin"}, {"kind": "ServiceAccount", "name": "robot"}],
            "roleRef": {"kind": "ClusterRole", "name": "admin"}});
        let roles = Roles { roles: vec![&role], bindings: vec![&binding] };
        let request =
            |user, namespace| Request { user, namespace, verb: "get", resource: "pods", ..Request::default() };
        assert!(authorize(&roles, &request("admin", "ns1")).is_some());
        assert!(authorize(&roles, &request("system:serviceaccount:ns1:robot", "ns1")).is_some());
        assert!(authorize(&roles, &request("admin", "ns2")).is_none());
        assert!(authorize(&roles, &request("admin", "")).is_none());
        let masters = Request { groups: &["system:masters"], ..Request::default() };
        assert!(authorize(&roles, &masters).is_some());
    }
}
