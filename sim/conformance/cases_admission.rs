//! Facts about admission, quotas, evictions, deletion and RBAC, given to the code that they describe.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::facts::only;
use crate::api::admission::limit_ranger;
use crate::api::quantity::Quantity;
use crate::api::rbac::{Request, Roles, authorize, may_write_binding, may_write_role, rule_allows};
use crate::api::resources::ResourceList;
use crate::cluster::objects::{PodDisruptionBudget, QuotaScope};
use crate::cluster::quota::{exceeds, pod_fits};
use crate::cluster::{Cluster, ObjectRef, PodId, PodSpec};

/// Our answer to one case in the form of its result; `None` if the group is not known or the case is of no form that is understood.
pub fn case(group: &str, input: &Value, expected: &Value) -> Option<Value> {
    match group {
        "limitrange.validate" => limit_range(input),
        "quota.admission" => quota(input, expected.as_str()?),
        "rbac.rule_match" => rule_match(&input["rule"], &input["request"]),
        "rbac.scope" => scope(input.as_str()?),
        "pdb.eviction" => eviction(input.as_str()?, expected.as_str()?),
        "api.delete_pod" => deletion(input.as_str()?, expected.as_str()?),
        _ => None,
    }
}

/// `cpu 100m` or `mem 5Mi, cpu 1`: amounts by resource.
fn amounts(text: &str) -> Option<Map<String, Value>> {
    let mut out = Map::new();
    for part in text.split(',') {
        let (name, amount) = part.trim().split_once(' ')?;
        amount.parse::<Quantity>().ok()?;
        out.insert(resource(name).to_owned(), json!(amount));
    }
    Some(out)
}

fn resource(word: &str) -> &str {
    if word == "mem" { "memory" } else { word }
}

/// The resources that limit ranges of the table are about.
const RESOURCES: &[&str] = &["cpu", "memory", "ephemeral-storage", "storage"];

/// `{type, limitRange: "ratio mem 1.5, max 2Gi", containers: 3, request, limit}`: whether the pod may be created.
fn limit_range(input: &Value) -> Option<Value> {
    let kind = input["type"].as_str().filter(|kind| ["Container", "Pod", "PersistentVolumeClaim"].contains(kind))?;
    let mut item = json!({ "type": kind });
    let mut last = None;
    for bound in input["limitRange"].as_str()?.split(',') {
        let words: Vec<&str> = bound.split_whitespace().collect();
        let field = match *words.first()? {
            "ratio" => "maxLimitRequestRatio",
            word @ ("min" | "max" | "default" | "defaultRequest") => word,
            _ => return None,
        };
        let (name, amount) = match words.as_slice() {
            [_, name, amount] => (resource(name), *amount),
            [_, amount] => (last?, *amount),
            _ => return None,
        };
        if !RESOURCES.contains(&name) {
            return None;
        }
        amount.parse::<Quantity>().ok()?;
        last = Some(name);
        item[field][name] = json!(amount);
    }
    let list = |key: &str| match &input[key] {
        Value::Null => Some(Map::new()),
        value => {
            amounts(value.as_str()?).filter(|amounts| amounts.keys().all(|name| RESOURCES.contains(&name.as_str())))
        }
    };
    let (requests, limits) = (list("request")?, list("limit")?);
    let range = json!({ "spec": { "limits": [item] } });
    let allowed = if kind == "PersistentVolumeClaim" {
        let claim = json!({ "spec": { "resources": { "requests": requests } } });
        limit_ranger::validate_claim(&claim, &[range]).is_ok()
    } else {
        let n = usize::try_from(input["containers"].as_u64()?).ok().filter(|&n| n <= 1000)?;
        let container = json!({ "name": "c", "resources": { "requests": requests, "limits": limits } });
        let pod = json!({ "spec": { "containers": vec![container; n] } });
        limit_ranger::validate_pod(&pod, &[range]).is_ok()
    };
    Some(json!(if allowed { "allow" } else { "deny" }))
}

/// `{hard, used, request | create}`: fits or not; `{scope, pod}`: whether the quota is asked at all.
fn quota(input: &Value, expected: &str) -> Option<Value> {
    if let Some(scope) = input["scope"].as_str() {
        return scope_of_quota(scope, input["pod"].as_str()?);
    }
    let hard = quantities(input["hard"].as_str()?)?;
    let used = match &input["used"] {
        Value::Number(n) => {
            hard.keys().map(|name| Some((name.clone(), n.to_string().parse().ok()?))).collect::<Option<_>>()?
        }
        value => quantities(value.as_str()?)?,
    };
    let known = ["hard", "used", "request", "create"];
    let texts = ["request", "create"].iter().all(|key| input[*key].is_null() || input[*key].is_string());
    let created = input["create"].is_null() || hard.contains_key(&format!("{}s", input["create"].as_str()?));
    if !input.as_object()?.keys().all(|key| known.contains(&key.as_str())) || !texts || !created {
        return None;
    }
    let requested: ResourceList = match input["request"].as_str() {
        Some(request) => quantities(request)?,
        None => hard.keys().map(|name| Some((name.clone(), "1".parse().ok()?))).collect::<Option<_>>()?,
    };
    Some(match exceeds("q", &hard, &used, &requested) {
        None => json!("allowed"),
        Some(_) if expected == "403" => json!("403"),
        Some(text) => json!(format!("403 {text}")),
    })
}

fn quantities(text: &str) -> Option<ResourceList> {
    amounts(text)?.into_iter().map(|(name, amount)| Some((name, amount.as_str()?.parse().ok()?))).collect()
}

fn scope_of_quota(scope: &str, pod: &str) -> Option<Value> {
    const SCOPES: &[&str] =
        &["BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "PriorityClass", "CrossNamespacePodAffinity"];
    let words: Vec<&str> = scope.split_whitespace().collect();
    SCOPES.contains(words.first()?).then_some(())?;
    let (name, rest) = words.split_first()?;
    let scope = QuotaScope {
        name: (*name).to_owned(),
        operator: (*rest.first().unwrap_or(&"Exists")).to_owned(),
        values: rest.iter().skip(1).map(|word| word.trim_matches([',', '[', ']']).to_owned()).collect(),
    };
    let mut container = json!({ "name": "c" });
    let mut spec = json!({});
    match pod {
        "has cpu request" => container["resources"]["requests"]["cpu"] = json!("1"),
        "has cpu limit" => container["resources"]["limits"]["cpu"] = json!("1"),
        "has memory request" => container["resources"]["requests"]["memory"] = json!("1Gi"),
        "no requests" | "no resources" | "no requests or limits" | "BestEffort" => {}
        "activeDeadlineSeconds set" | "has activeDeadlineSeconds" => spec["activeDeadlineSeconds"] = json!(60),
        "no activeDeadlineSeconds" => {}
        text => spec["priorityClassName"] = json!(text.strip_prefix("priorityClassName ")?),
    }
    spec["containers"] = json!([container]);
    let spec = PodSpec::lower(&spec, &mut Cluster::new(0).interner).ok()?;
    Some(json!(if pod_fits(&[scope], &spec) { "quota applied" } else { "quota not applied" }))
}

/// A rule of lists of texts, and a request of texts.
fn rule_match(rule: &Value, asked: &Value) -> Option<Value> {
    const LISTS: &[&str] = &["verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"];
    const TEXTS: &[&str] = &["verb", "group", "resource", "sub", "name", "namespace", "path"];
    let texts = |list: &Value| list.as_array().is_some_and(|list| list.iter().all(Value::is_string));
    let known = rule.as_object()?.iter().all(|(key, list)| LISTS.contains(&key.as_str()) && texts(list))
        && asked.as_object()?.iter().all(|(key, text)| TEXTS.contains(&key.as_str()) && text.is_string());
    known.then(|| json!(rule_allows(rule, &request(asked))))
}

/// `{verb, group, resource, sub, name, path}`
fn request(input: &Value) -> Request<'_> {
    let text = |key: &str| input[key].as_str().unwrap_or_default();
    Request {
        verb: text("verb"),
        api_group: text("group"),
        resource: text("resource"),
        subresource: text("sub"),
        name: text("name"),
        namespace: text("namespace"),
        path: input["path"].as_str(),
        ..Request::default()
    }
}

/// `user joe group admins watch Foobar ns1` and `user admin get Nodes (cluster scope)`, in the world of the table: ClusterRole `admin` with
/// all rules, bound in `ns1` to the user `admin` and the group `admins`.
fn scope(text: &str) -> Option<Value> {
    if text.starts_with("create ") && (text.contains("escalate verb") || text.contains("bind verb")) {
        return Some(escalation(text));
    }
    let role = json!({ "kind": "ClusterRole", "metadata": { "name": "admin" },
        "rules": [{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }] });
    let subjects = json!([{ "kind": "User", "name": "admin" }, { "kind": "Group", "name": "admins" }]);
    let reference = json!({ "kind": "ClusterRole", "name": "admin" });
    let here = json!({ "kind": "RoleBinding", "metadata": { "name": "b", "namespace": "ns1" }, "subjects": subjects, "roleRef": reference });
    let everywhere = json!({ "kind": "ClusterRoleBinding", "metadata": { "name": "b" }, "subjects": subjects, "roleRef": reference });
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let mut binding = &here;
    if text.starts_with("same via ") || text.ends_with(" via RoleBinding") || text.ends_with(" via ClusterRoleBinding")
    {
        if words.pop()? == "ClusterRoleBinding" {
            binding = &everywhere;
        }
        words.pop();
        if words == ["same"] {
            words = vec!["user", "admin", "get", "Nodes", "(cluster", "scope)"];
        }
    }
    let roles = Roles { roles: vec![&role], bindings: vec![binding] };
    let mut asked = Request::default();
    let mut groups = Vec::new();
    if words.first() == Some(&"system:masters") {
        groups.push("system:masters");
        words = vec!["get", "Nodes"];
    }
    let mut words = words.into_iter().peekable();
    while let Some(kind) = words.next_if(|word| ["user", "group"].contains(word)) {
        let name = words.next()?;
        if kind == "user" {
            asked.user = name;
        } else {
            groups.push(name);
        }
    }
    (asked.verb, asked.resource) = (words.next()?, words.next()?);
    let rest: Vec<&str> = words.collect();
    asked.namespace = match rest.as_slice() {
        [] | ["(cluster", "scope)"] => "",
        [namespace] => namespace,
        _ => return None,
    };
    asked.groups = &groups;
    let known =
        ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"].contains(&asked.verb);
    known.then(|| json!(authorize(&roles, &asked).is_some()))
}

/// `create Role with rules the user lacks, no escalate verb`, `create RoleBinding to cluster-admin without bind verb`.
fn escalation(text: &str) -> Value {
    let verb = if text.contains("bind verb") { "bind" } else { "escalate" };
    let has_verb = !text.contains(&format!("no {verb}")) && !text.contains(&format!("without {verb}"));
    let everything = json!([{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }]);
    let strong = json!({ "kind": "ClusterRole", "metadata": { "name": "cluster-admin" }, "rules": everything });
    let weak = json!({ "kind": "ClusterRole", "metadata": { "name": "weak" }, "rules": [{ "verbs": [verb],
        "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "clusterroles"] }] });
    let bound = json!({ "kind": "ClusterRoleBinding", "metadata": { "name": "b" }, "subjects": [{ "kind": "User", "name": "joe" }],
        "roleRef": { "kind": "ClusterRole", "name": "weak" } });
    let mut roles = Roles::of([&strong, &weak]);
    roles.bindings.extend(has_verb.then_some(&bound));
    let user = Request { user: "joe", ..Request::default() };
    let metadata = json!({ "name": "new", "namespace": "ns1" });
    let answer = if verb == "bind" {
        let reference = json!({ "kind": "ClusterRole", "name": "cluster-admin" });
        may_write_binding(&roles, &user, &json!({ "kind": "RoleBinding", "metadata": metadata, "roleRef": reference }))
    } else {
        may_write_role(&roles, &user, &json!({ "kind": "Role", "metadata": metadata, "rules": everything }))
    };
    json!(if answer.is_ok() { "allowed" } else { "403" })
}

/// A pod on a node in some phase, in a store of its own.
fn pod_world(phase: &str, on_node: bool, spec: Value) -> Option<(Cluster, PodId)> {
    let mut cluster = Cluster::new(0);
    let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n" }, "status": { "capacity": { "pods": "10" } } });
    cluster.create_from(&node).ok()?;
    let mut pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p", "namespace": "ns", "labels": { "app": "a" } },
        "spec": spec, "status": { "phase": phase, "conditions": [{ "type": "Ready", "status": "True" }] } });
    pod["spec"]["containers"] = json!([{ "name": "c", "image": "i" }]);
    if on_node {
        pod["spec"]["nodeName"] = json!("n");
    }
    match cluster.create_from(&pod).ok()? {
        ObjectRef::Pod(pod) => Some((cluster, pod)),
        _ => None,
    }
}

/// A number after a word: `disruptionsAllowed 1`, `healthy 2`.
fn number_after(text: &str, word: &str) -> Option<i64> {
    let mut words = text.split([' ', ',', ';']).filter(|part| !part.is_empty());
    words.by_ref().find(|own| *own == word)?;
    words.next()?.parse().ok()
}

/// `pod Pending`, `disruptionsAllowed 0`, `unready pod, AlwaysAllow, healthy 0 desired 3`: what the eviction API does. Clauses of the
/// expected text that are not about the outcome of the request are compared with the store.
fn eviction(text: &str, expected: &str) -> Option<Value> {
    only(
        text,
        "pod pending running succeeded failed disruptionsallowed unready ready ifhealthybudget alwaysallow healthy desired",
    )?;
    only(expected, "deleted budget not consulted spent allowed disruptedpods entry min")?;
    let phase = text.strip_prefix("pod ").unwrap_or("Running");
    if !["Pending", "Running", "Succeeded", "Failed"].contains(&phase) {
        return None;
    }
    let number = |word: &str| number_after(text, word);
    let known = phase != "Running" || number("disruptionsAllowed").or(number("healthy")).is_some();
    let (mut cluster, pod) = pod_world(phase, true, json!({})).filter(|_| known)?;
    let policy = ["AlwaysAllow", "IfHealthyBudget"].into_iter().find(|policy| text.contains(policy));
    let allowed = number("disruptionsAllowed").unwrap_or(0);
    let budget = json!({ "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": "b", "namespace": "ns" },
        "spec": { "minAvailable": 1, "selector": { "matchLabels": { "app": "a" } }, "unhealthyPodEvictionPolicy": policy },
        "status": { "disruptionsAllowed": allowed, "currentHealthy": number("healthy").unwrap_or(1),
            "desiredHealthy": number("desired").unwrap_or(1), "observedGeneration": 1 } });
    let ObjectRef::Object(budget) = cluster.create_from(&budget).ok()? else { return None };
    if text.contains("unready pod") {
        let ready = cluster.words.ready;
        let none = crate::cluster::Sym::EMPTY;
        cluster.set_pod_condition(pod, ready, crate::cluster::ConditionStatus::False, none, none);
    }
    let answer = cluster.evict(pod, None);
    let row = cluster.get::<PodDisruptionBudget>(budget);
    let mut got = match &answer {
        Ok(()) => "deleted".to_owned(),
        Err(refused) => refused.code.to_string(),
    };
    for clause in expected.split([';', ',']).skip(1).map(str::trim) {
        let _ = match clause {
            "budget not consulted" | "budget not spent" | "not spent" => {
                let untouched = i64::from(row.disruptions_allowed) == allowed && row.disrupted_pods.is_empty();
                write!(got, ", {}", if untouched { clause } else { "budget spent" })
            }
            _ if clause.starts_with("allowed ") => write!(got, "; allowed {}", row.disruptions_allowed),
            _ if clause.starts_with("disruptedPods entry") => {
                let text = match (row.disrupted_pods.is_empty(), clause) {
                    (true, _) => "no disruptedPods entry",
                    (false, "disruptedPods entry") => clause,
                    (false, _) => "disruptedPods entry 2 min",
                };
                write!(got, "; {text}")
            }
            _ => return None,
        };
    }
    Some(json!(got))
}

/// `Running, delete with gracePeriodSeconds 5`, `unscheduled pod, grace 30`: what a deletion does.
fn deletion(text: &str, expected: &str) -> Option<Value> {
    only(
        text,
        "unscheduled pod succeeded failed running pending on node grace delete with graceperiodseconds terminationgraceperiodseconds",
    )?;
    only(expected, "removed immediately deletiontimestamp t grace")?;
    let phases = ["Succeeded", "Failed", "Running", "Pending"];
    let unscheduled = text.starts_with("unscheduled");
    let phase = if unscheduled { "Pending" } else { phases.into_iter().find(|phase| text.contains(phase))? };
    let own = number_after(text, "terminationGracePeriodSeconds").or_else(|| number_after(text, "grace"));
    let asked = number_after(text, "gracePeriodSeconds");
    let (mut cluster, pod) =
        pod_world(phase, !unscheduled, json!({ "terminationGracePeriodSeconds": own.unwrap_or(30) }))?;
    cluster.delete_pod_with_period(pod, asked);
    let meta = &cluster.pod(pod).meta;
    let Some(deletion) = meta.deletion.filter(|_| !meta.removed) else { return Some(json!("removed immediately")) };
    Some(json!(match expected.starts_with("grace") {
        true => format!("grace {}", deletion.grace_seconds),
        false => format!("deletionTimestamp t+{}", deletion.grace_seconds),
    }))
}
