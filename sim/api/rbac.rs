//! Who may do what: RBAC's decision (kube-apiserver `plugin/pkg/auth/authorizer/rbac`). Rules only ever allow.
//!
//! [`authorize`] decides a request; [`effective_rules`] lists what a user may do; [`aggregate`] is what the controller of aggregated
//! ClusterRoles writes; [`may_write_role`] and [`may_write_binding`] are the guards against giving away what one does not have.

use super::selector::Selector;
use super::view::{get, list, text};
use serde_json::{Value, json};

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

impl<'a> Roles<'a> {
    /// The roles and bindings among some objects; the rest is left aside.
    pub fn of(objects: impl IntoIterator<Item = &'a Value>) -> Roles<'a> {
        let mut all = Roles::default();
        for object in objects {
            match text(object, "kind") {
                "Role" | "ClusterRole" => all.roles.push(object),
                "RoleBinding" | "ClusterRoleBinding" => all.bindings.push(object),
                _ => {}
            }
        }
        all
    }
}

/// Whether the request is allowed, and by which binding.
///
/// A ClusterRoleBinding gives its ClusterRole's rules everywhere, a RoleBinding those of its Role or ClusterRole in its own namespace:
/// never for what lives in no namespace, nor for paths. The group `system:masters` may do everything.
pub fn authorize<'a>(roles: &Roles<'a>, request: &Request<'_>) -> Option<Allowed<'a>> {
    if request.groups.contains(&"system:masters") {
        return Some(Allowed { binding: None });
    }
    let allows = |binding: &&'a Value| rules_of(roles, binding).iter().any(|rule| rule_allows(rule, request));
    let binding = bindings_of(roles, request).find(allows)?;
    Some(Allowed { binding: Some(binding) })
}

/// The bindings that say something of a request's user in its namespace, those of the whole cluster first.
fn bindings_of<'r, 'a: 'r>(roles: &'r Roles<'a>, request: &'r Request<'_>) -> impl Iterator<Item = &'a Value> + 'r {
    let cluster_wide = roles.bindings.iter().filter(|binding| text(binding, "kind") == "ClusterRoleBinding");
    let here = roles.bindings.iter().filter(|binding| {
        text(binding, "kind") == "RoleBinding"
            && !request.namespace.is_empty()
            && request.path.is_none()
            && text(get(binding, "metadata"), "namespace") == request.namespace
    });
    cluster_wide.chain(here).copied().filter(|binding| {
        let namespace = text(get(binding, "metadata"), "namespace");
        list(binding, "subjects").iter().any(|subject| is_subject(subject, namespace, request))
    })
}

/// All rules that hold for a user in a namespace (empty for the cluster as a whole), in the order in which they are asked.
pub fn effective_rules<'a>(roles: &Roles<'a>, user: &str, groups: &[&str], namespace: &str) -> Vec<&'a Value> {
    let request = Request { user, groups, namespace, ..Request::default() };
    bindings_of(roles, &request).flat_map(|binding| rules_of(roles, binding)).collect()
}

/// The rules of an aggregated ClusterRole: those of all other ClusterRoles that one of its selectors selects, in order of name, each
/// once (kube-controller-manager, `clusterroleaggregation`). `None` if the role has no `aggregationRule`.
pub fn aggregate(role: &Value, roles: &Roles<'_>) -> Option<Vec<Value>> {
    let aggregation = get(role, "aggregationRule");
    if aggregation.is_null() {
        return None;
    }
    let name = |role: &Value| text(get(role, "metadata"), "name").to_owned();
    let mut rules: Vec<Value> = Vec::new();
    for selector in list(aggregation, "clusterRoleSelectors") {
        let Ok(selector) = Selector::from_json(selector) else { continue };
        let labels = |role: &Value| get(get(role, "metadata"), "labels").clone();
        let selected = roles.roles.iter().filter(|other| {
            let own = labels(other);
            text(other, "kind") == "ClusterRole"
                && name(other) != name(role)
                && selector.matches(|key| own.get(key)?.as_str())
        });
        let mut selected: Vec<&&Value> = selected.collect();
        selected.sort_by_key(|role| name(role));
        for rule in selected.into_iter().flat_map(|role| list(role, "rules")) {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
    }
    Some(rules)
}

/// Whether rules cover others: whatever these allow, those allow too. Returns the parts that are not covered
/// (`rbac/validation`, `Covers`).
pub fn not_covered(owner: &[&Value], wanted: &[Value]) -> Vec<Value> {
    let parts = wanted.iter().flat_map(single_parts);
    parts.filter(|part| !owner.iter().any(|rule| covers(rule, part))).collect()
}

/// A rule as rules with one verb and one resource (or path) each.
fn single_parts(rule: &Value) -> Vec<Value> {
    let texts = |field: &str| -> Vec<String> {
        list(rule, field).iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut parts = Vec::new();
    for verb in texts("verbs") {
        for url in texts("nonResourceURLs") {
            parts.push(json!({ "verbs": [verb], "nonResourceURLs": [url] }));
        }
        for group in texts("apiGroups") {
            for resource in texts("resources") {
                let part = json!({ "verbs": [verb], "apiGroups": [group], "resources": [resource] });
                let names = texts("resourceNames");
                if names.is_empty() {
                    parts.push(part);
                    continue;
                }
                for name in names {
                    let mut named = part.clone();
                    named["resourceNames"] = json!([name]);
                    parts.push(named);
                }
            }
        }
    }
    parts
}

fn covers(rule: &Value, part: &Value) -> bool {
    let word = |field: &str| list(part, field).first().and_then(Value::as_str);
    let has = |field: &str, word: &str| list(rule, field).iter().any(|item| item == word || item == "*");
    if !word("verbs").is_some_and(|verb| has("verbs", verb)) {
        return false;
    }
    if let Some(url) = word("nonResourceURLs") {
        return list(rule, "nonResourceURLs").iter().filter_map(Value::as_str).any(|own| url_matches(own, url));
    }
    let resource = word("resources").unwrap_or_default();
    let of_subresource = resource
        .split_once('/')
        .is_some_and(|(_, sub)| list(rule, "resources").iter().any(|own| own.as_str() == Some(&format!("*/{sub}"))));
    let names = list(rule, "resourceNames");
    word("apiGroups").is_some_and(|group| has("apiGroups", group))
        && (has("resources", resource) || of_subresource)
        && (names.is_empty() || word("resourceNames").is_some_and(|name| names.iter().any(|own| own == name)))
}

/// Whether a user may create or change a role to these rules: with the verb `escalate` on it, or by having all of them.
///
/// # Errors
///
/// The rules that the user lacks, one verb and one resource each.
pub fn may_write_role(roles: &Roles<'_>, user: &Request<'_>, role: &Value) -> Result<(), Vec<Value>> {
    let resource = if text(role, "kind") == "ClusterRole" { "clusterroles" } else { "roles" };
    if authorize(roles, &guard(user, "escalate", resource, role)).is_some() {
        return Ok(());
    }
    lacks(roles, user, text(get(role, "metadata"), "namespace"), list(role, "rules"))
}

/// Whether a user may create or change a binding: with the verb `bind` on its role, or by having all the role's rules.
///
/// # Errors
///
/// The rules that the user lacks, one verb and one resource each.
pub fn may_write_binding(roles: &Roles<'_>, user: &Request<'_>, binding: &Value) -> Result<(), Vec<Value>> {
    let reference = get(binding, "roleRef");
    let resource = if text(reference, "kind") == "ClusterRole" { "clusterroles" } else { "roles" };
    let namespace = text(get(binding, "metadata"), "namespace");
    let role = json!({ "metadata": { "name": text(reference, "name"), "namespace": namespace } });
    if authorize(roles, &guard(user, "bind", resource, &role)).is_some() {
        return Ok(());
    }
    lacks(roles, user, namespace, rules_of(roles, binding))
}

fn guard<'a>(user: &Request<'a>, verb: &'a str, resource: &'a str, role: &'a Value) -> Request<'a> {
    let meta = get(role, "metadata");
    let api_group = "rbac.authorization.k8s.io";
    Request {
        verb,
        api_group,
        resource,
        namespace: text(meta, "namespace"),
        name: text(meta, "name"),
        path: None,
        ..user.clone()
    }
}

fn lacks(roles: &Roles<'_>, user: &Request<'_>, namespace: &str, rules: &[Value]) -> Result<(), Vec<Value>> {
    let missing = not_covered(&effective_rules(roles, user.user, user.groups, namespace), rules);
    if missing.is_empty() || user.groups.contains(&"system:masters") { Ok(()) } else { Err(missing) }
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
    url == "*" || url == path || url.ends_with('*') && path.starts_with(url.trim_end_matches('*'))
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

    #[test]
    fn nobody_gives_away_what_they_do_not_have() {
        let role =
            |name: &str, rules: Value| json!({"kind": "ClusterRole", "metadata": {"name": name}, "rules": rules});
        let reader =
            role("reader", json!([{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "pods/log"]}]));
        let admin = role("admin", json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]));
        let escalator = role(
            "escalator",
            json!([{"verbs": ["escalate", "bind"],
            "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "clusterroles"]}]),
        );
        let bind = |name: &str, user: &str| {
            json!({"kind": "ClusterRoleBinding", "metadata": {"name": user},
            "subjects": [{"kind": "User", "name": user}], "roleRef": {"kind": "ClusterRole", "name": name}})
        };
        let (ann, eve) = (bind("reader", "ann"), bind("escalator", "eve"));
        let roles = Roles::of([&reader, &admin, &escalator, &ann, &eve]);
        let user = |user| Request { user, ..Request::default() };
        let new = |verb: &str| {
            json!({"kind": "Role", "metadata": {"name": "r", "namespace": "ns1"},
            "rules": [{"verbs": [verb], "apiGroups": [""], "resources": ["pods"]}]})
        };
        assert!(may_write_role(&roles, &user("ann"), &new("get")).is_ok());
        let lacking = may_write_role(&roles, &user("ann"), &new("delete"));
        assert_eq!(lacking, Err(vec![json!({"verbs": ["delete"], "apiGroups": [""], "resources": ["pods"]})]));
        assert!(may_write_role(&roles, &user("eve"), &new("delete")).is_ok(), "`escalate` allows it");
        let to = |name: &str| {
            json!({"kind": "RoleBinding", "metadata": {"name": "b", "namespace": "ns1"},
            "roleRef": {"kind": "ClusterRole", "name": name}})
        };
        assert!(may_write_binding(&roles, &user("ann"), &to("reader")).is_ok());
        assert!(may_write_binding(&roles, &user("ann"), &to("admin")).is_err());
        assert!(may_write_binding(&roles, &user("eve"), &to("admin")).is_ok(), "`bind` allows it");
    }

    #[test]
    fn aggregated_roles_are_the_union_of_the_selected() {
        let role = |name: &str, label: &str, verb: &str| {
            json!({"kind": "ClusterRole",
            "metadata": {"name": name, "labels": {"to": label}},
            "rules": [{"verbs": [verb], "apiGroups": [""], "resources": ["pods"]}]})
        };
        let (a, b, c) = (role("a", "view", "get"), role("b", "view", "list"), role("c", "edit", "delete"));
        let view = json!({"kind": "ClusterRole", "metadata": {"name": "view", "labels": {"to": "view"}},
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to": "view"}}]}});
        let roles = Roles::of([&c, &b, &a, &view]);
        let verbs: Vec<Value> =
            aggregate(&view, &roles).unwrap_or_default().iter().map(|rule| rule["verbs"][0].clone()).collect();
        assert_eq!(verbs, ["get", "list"]);
        assert_eq!(aggregate(&a, &roles), None);
    }
}
