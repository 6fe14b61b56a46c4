//! What the API server warns about in pods and pod templates (kubernetes, `pkg/api/pod/warnings.go`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::warnings_text::ip;
use crate::api::causes::Path;
use crate::api::custom::go_quote;
use crate::api::quantity::Quantity;
use crate::api::view::{entries, get, has, int, list, maybe_int, text};

/// Labels of nodes that have newer names (`nodeapi.GetNodeLabelDeprecatedMessage`).
const OLD_LABELS: [(&str, &str); 8] = [
    ("beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"),
    ("beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    ("failure-domain.beta.kubernetes.io/zone", "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"),
    ("beta.kubernetes.io/instance-type", "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"),
    ("app.kubernetes.io/created-by", "deprecated since v1.9"),
    ("scheduler.alpha.kubernetes.io/preferAvoidPods", "deprecated since v1.22; use Taints and Tolerations instead"),
    ("node-role.kubernetes.io/master", "use \"node-role.kubernetes.io/control-plane\" instead"),
];

/// Annotations that do nothing any more.
const OLD_ANNOTATIONS: [(&str, &str); 3] = [
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        "non-functional in v1.16+; use the \"priorityClassName\" field instead",
    ),
    ("security.alpha.kubernetes.io/sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"),
    ("security.alpha.kubernetes.io/unsafe-sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"),
];

/// Sources of volumes that are gone, or going.
pub(super) const OLD_SOURCES: [(&str, &str); 9] = [
    ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
];

/// The warnings of a pod.
pub(super) fn pod(pod: &Value, out: &mut Vec<String>) {
    let spec = get(pod, "spec");
    for name in container_names(spec) {
        app_armor(pod, spec, &name, &Path::ROOT, out);
    }
    spec_and_meta(pod, &Path::ROOT, false, out);
}

/// The warnings of a pod template at `path`.
pub(super) fn template(template: &Value, path: &Path<'_>, out: &mut Vec<String>) {
    spec_and_meta(template, path, true, out);
}

fn container_names(spec: &Value) -> Vec<String> {
    containers(spec).map(|(_, _, container)| text(container, "name").to_owned()).collect()
}

/// All containers in the order of `VisitContainersWithPath`.
fn containers(spec: &Value) -> impl Iterator<Item = (&'static str, usize, &Value)> {
    let lists = ["initContainers", "containers", "ephemeralContainers"].into_iter();
    lists.flat_map(move |name| list(spec, name).iter().enumerate().map(move |(index, item)| (name, index, item)))
}

fn has_annotation(object: &Value, key: &str) -> bool {
    entries(get(object, "metadata"), "annotations").any(|(own, _)| own == key)
}

fn spec_and_meta(object: &Value, root: &Path<'_>, is_template: bool, out: &mut Vec<String>) {
    let spec = get(object, "spec");
    let path = root.child("spec");
    let annotations = root.child("metadata");
    let annotations = annotations.child("annotations");
    node_labels(spec, &path, out);
    for (key, what) in OLD_ANNOTATIONS {
        if has_annotation(object, key) {
            out.push(format!("{}: {what}", annotations.key(key)));
        }
    }
    volumes(spec, &path, out);
    repeated(spec, "hostAliases", "ip", &path, out);
    repeated(spec, "imagePullSecrets", "name", &path, out);
    let secrets = path.child("imagePullSecrets");
    for (index, secret) in list(spec, "imagePullSecrets").iter().enumerate() {
        if text(secret, "name").is_empty() {
            out.push(format!("{}: invalid empty name \"\"", secrets.index(index).child("name")));
        }
    }
    for resource in ["memory", "ephemeral-storage"] {
        fractional(get(spec, "overhead"), resource, &path.child("overhead"), out);
    }
    const SECCOMP: &str = "seccomp.security.alpha.kubernetes.io/pod";
    let old_seccomp = "non-functional in v1.27+; use the \"seccompProfile\" field instead";
    if !has(get(spec, "securityContext"), "seccompProfile") && has_annotation(object, SECCOMP) {
        out.push(format!("{}: {old_seccomp}", annotations.key(SECCOMP)));
    }
    for (field, index, container) in containers(spec) {
        let of_kind = path.child(field);
        let at = of_kind.index(index);
        let key = format!("container.seccomp.security.alpha.kubernetes.io/{}", text(container, "name"));
        if !has(get(container, "securityContext"), "seccompProfile") && has_annotation(object, &key) {
            out.push(format!("{}: {old_seccomp}", annotations.key(&key)));
        }
        if is_template {
            app_armor(object, spec, text(container, "name"), root, out);
        }
        let resources = get(container, "resources");
        let resources_path = at.child("resources");
        for resource in ["memory", "ephemeral-storage"] {
            for amounts in ["limits", "requests"] {
                fractional(get(resources, amounts), resource, &resources_path.child(amounts), out);
            }
        }
        repeated_env(container, &at, out);
    }
    ports(spec, &path, out);
    if maybe_int(spec, "terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0) {
        let what = "must be >= 0; negative values are invalid and will be treated as 1";
        out.push(format!("{}: {what}", path.child("terminationGracePeriodSeconds")));
    }
    affinity_terms(spec, &path, out);
    let servers = path.child("dnsConfig");
    let servers = servers.child("nameservers");
    for (index, server) in list(get(spec, "dnsConfig"), "nameservers").iter().filter_map(Value::as_str).enumerate() {
        ip(&servers.index(index), server, out);
    }
    let aliases = path.child("hostAliases");
    for (index, alias) in list(spec, "hostAliases").iter().enumerate() {
        ip(&aliases.index(index).child("ip"), text(alias, "ip"), out);
    }
}

fn app_armor(object: &Value, spec: &Value, name: &str, root: &Path<'_>, out: &mut Vec<String>) {
    let has_profile = |owner: &Value| has(get(owner, "securityContext"), "appArmorProfile");
    let own = containers(spec).find(|(_, _, container)| text(container, "name") == name);
    if has_profile(spec) || own.is_some_and(|(_, _, container)| has_profile(container)) {
        return;
    }
    let key = format!("container.apparmor.security.beta.kubernetes.io/{name}");
    if has_annotation(object, &key) {
        let path = root.child("metadata");
        let path = path.child("annotations");
        out.push(format!("{}: deprecated since v1.30; use the \"appArmorProfile\" field instead", path.key(&key)));
    }
}

/// Warns about a label of nodes that has a newer name; some texts name the label too.
pub(super) fn deprecated_label(key: &str, is_named: bool, path: &Path<'_>, out: &mut Vec<String>) {
    if let Some((_, what)) = OLD_LABELS.iter().find(|(old, _)| *old == key) {
        let named = if is_named { format!("{key} is ") } else { String::new() };
        out.push(format!("{path}: {named}{what}"));
    }
}

/// Warns about old labels in a term of a node selector.
pub(super) fn node_term(term: &Value, path: &Path<'_>, out: &mut Vec<String>) {
    let all = path.child("matchExpressions");
    for (index, expression) in list(term, "matchExpressions").iter().enumerate() {
        deprecated_label(text(expression, "key"), true, &all.index(index).child("key"), out);
    }
}

fn node_labels(spec: &Value, path: &Path<'_>, out: &mut Vec<String>) {
    for (key, _) in entries(spec, "nodeSelector") {
        deprecated_label(key, false, &path.child("nodeSelector").key(key), out);
    }
    let affinity = get(get(spec, "affinity"), "nodeAffinity");
    let at = path.child("affinity");
    let at = at.child("nodeAffinity");
    let required = at.child("requiredDuringSchedulingIgnoredDuringExecution");
    let terms = required.child("nodeSelectorTerms");
    let of_required = get(affinity, "requiredDuringSchedulingIgnoredDuringExecution");
    for (index, term) in list(of_required, "nodeSelectorTerms").iter().enumerate() {
        node_term(term, &terms.index(index), out);
    }
    let preferred = at.child("preferredDuringSchedulingIgnoredDuringExecution");
    for (index, term) in list(affinity, "preferredDuringSchedulingIgnoredDuringExecution").iter().enumerate() {
        node_term(get(term, "preference"), &preferred.index(index).child("preference"), out);
    }
    let all = path.child("topologySpreadConstraints");
    for (index, constraint) in list(spec, "topologySpreadConstraints").iter().enumerate() {
        let at = all.index(index);
        deprecated_label(text(constraint, "topologyKey"), true, &at.child("topologyKey"), out);
        if !has(constraint, "labelSelector") {
            out.push(format!("{}: {NO_SELECTOR}", at.child("labelSelector")));
        }
    }
}

const NO_SELECTOR: &str = "a null labelSelector results in matching no pod";

fn volumes(spec: &Value, path: &Path<'_>, out: &mut Vec<String>) {
    let all = path.child("volumes");
    for (index, volume) in list(spec, "volumes").iter().enumerate() {
        let at = all.index(index);
        for (source, what) in OLD_SOURCES {
            if has(volume, source) {
                out.push(format!("{}: {what}", at.child(if source == "storageos" { "storageOS" } else { source })));
            }
        }
        let claim = get(get(volume, "ephemeral"), "volumeClaimTemplate");
        if claim.is_object() {
            let at = at.child("ephemeral");
            let at = at.child("volumeClaimTemplate");
            claim_spec(get(claim, "spec"), &at.child("spec"), out);
        }
    }
    list(spec, "volumes").iter().for_each(|volume| overlapping(volume, out));
}

/// Warns about what a claim asks for in parts of a byte.
pub(super) fn claim_spec(spec: &Value, path: &Path<'_>, out: &mut Vec<String>) {
    let at = path.child("resources");
    for amounts in ["requests", "limits"] {
        fractional(get(get(spec, "resources"), amounts), "storage", &at.child(amounts), out);
    }
}

fn fractional(amounts: &Value, resource: &str, path: &Path<'_>, out: &mut Vec<String>) {
    let Some(value) = get(amounts, resource).as_str() else { return };
    let Ok(quantity) = value.parse::<Quantity>() else { return };
    if quantity.milli_value() % 1000 != 0 {
        let shown = go_quote(&quantity.to_string());
        out.push(format!("{}: fractional byte value {shown} is invalid, must be an integer", path.key(resource)));
    }
}

/// Items of a list that have the same `key` as one before.
fn repeated(spec: &Value, field: &str, key: &str, path: &Path<'_>, out: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    let all = path.child(field);
    for (index, item) in list(spec, field).iter().enumerate() {
        let value = text(item, key);
        if !seen.insert(value) {
            out.push(format!("{}: duplicate {key} {}", all.index(index).child(key), go_quote(value)));
        }
    }
}

fn repeated_env(container: &Value, path: &Path<'_>, out: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    let all = path.child("env");
    for (index, variable) in list(container, "env").iter().enumerate() {
        let (name, value) = (text(variable, "name"), text(variable, "value"));
        if seen.insert(name) {
            continue;
        }
        // `X=$(X)more` makes something of the former value.
        let former = format!("$({name})");
        if has(variable, "valueFrom") || value == former || !value.contains(&former) {
            let name = go_quote(name);
            out.push(format!(
                "{}: hides previous definition of {name}, which may be dropped when using apply",
                all.index(index)
            ));
        }
    }
}

fn ports(spec: &Value, path: &Path<'_>, out: &mut Vec<String>) {
    struct Known<'a> {
        at: String,
        host_ip: &'a str,
        host_port: i64,
    }
    let mut known: BTreeMap<(i64, &str), Vec<Known<'_>>> = BTreeMap::new();
    for (field, index, container) in containers(spec) {
        let of_kind = path.child(field);
        let at = of_kind.index(index);
        let all = at.child("ports");
        for (index, port) in list(container, "ports").iter().enumerate() {
            let at = all.index(index);
            let (host_ip, host_port) = (text(port, "hostIP"), int(port, "hostPort"));
            if !host_ip.is_empty() && host_port == 0 {
                let (name, number, protocol) = (text(port, "name"), int(port, "containerPort"), text(port, "protocol"));
                out.push(format!(
                    "{at}: hostIP set without hostPort: {{Name:{name} HostPort:0 ContainerPort:{number} Protocol:{protocol} HostIP:{host_ip}}}"
                ));
            }
            if !host_ip.is_empty() {
                ip(&at.child("hostIP"), host_ip, out);
            }
            let others = known.entry((int(port, "containerPort"), text(port, "protocol"))).or_default();
            for other in others.iter() {
                let how = if (host_ip, host_port) == (other.host_ip, other.host_port) {
                    "duplicate"
                } else if host_port == 0 || other.host_port == 0 {
                    "overlapping"
                } else if host_port == other.host_port && host_ip.is_empty() != other.host_ip.is_empty() {
                    "dangerously ambiguous"
                } else {
                    continue;
                };
                out.push(format!("{at}: {how} port definition with {}", other.at));
            }
            others.push(Known { at: at.to_string(), host_ip, host_port });
        }
    }
}

fn affinity_terms(spec: &Value, path: &Path<'_>, out: &mut Vec<String>) {
    let affinity = path.child("affinity");
    for kind in ["podAffinity", "podAntiAffinity"] {
        let of_kind = get(get(spec, "affinity"), kind);
        let at = affinity.child(kind);
        let required = at.child("requiredDuringSchedulingIgnoredDuringExecution");
        for (index, term) in list(of_kind, "requiredDuringSchedulingIgnoredDuringExecution").iter().enumerate() {
            if !has(term, "labelSelector") {
                out.push(format!("{}: {NO_SELECTOR}", required.index(index).child("labelSelector")));
            }
        }
        let preferred = at.child("preferredDuringSchedulingIgnoredDuringExecution");
        for (index, term) in list(of_kind, "preferredDuringSchedulingIgnoredDuringExecution").iter().enumerate() {
            if !has(get(term, "podAffinityTerm"), "labelSelector") {
                let at = preferred.index(index);
                out.push(format!("{}: {NO_SELECTOR}", at.child("podAffinityTerm").child("labelSelector")));
            }
        }
    }
}

/// Two sources of a projected volume that write the same file.
fn overlapping(volume: &Value, out: &mut Vec<String>) {
    let mut files: Vec<(String, &str)> = Vec::new();
    for source in list(get(volume, "projected"), "sources") {
        let mut own: Vec<(String, &str)> = Vec::new();
        let token = text(get(source, "serviceAccountToken"), "path");
        if !token.is_empty() {
            own.push((token.to_owned(), "ServiceAccountToken"));
        }
        for (kind, label) in [("secret", "Secret"), ("configMap", "ConfigMap"), ("downwardAPI", "DownwardAPI")] {
            for item in list(get(source, kind), "items") {
                own.push((text(item, "path").to_owned(), label));
            }
        }
        for (file, label) in own {
            if let Some((_, other)) = files.iter().find(|(known, _)| *known == file) {
                let name = text(volume, "name");
                out.push(format!(
                    "volume {name:?} (Projected): overlapping paths: {file:?} ({label}) with {file:?} ({other})"
                ));
            }
            files.push((file, label));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::warnings;
    use super::*;

    fn with(spec: Value) -> Value {
        let mut spec = spec;
        if spec["containers"].is_null() {
            spec["containers"] = json!([{"name": "c"}]);
        }
        json!({"metadata": {"name": "p"}, "spec": spec})
    }

    #[test]
    fn pods_are_warned_about() {
        let ports = |ports: Value| json!({"containers": [{"name": "c", "ports": ports}]});
        for (spec, said) in [
            (
                json!({"nodeSelector": {"beta.kubernetes.io/os": "linux"}}),
                "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead",
            ),
            (
                json!({"topologySpreadConstraints": [{"topologyKey": "zone"}]}),
                "spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod",
            ),
            (
                json!({"imagePullSecrets": [{"name": "a"}, {"name": "a"}]}),
                "spec.imagePullSecrets[1].name: duplicate name \"a\"",
            ),
            (
                json!({"hostAliases": [{"ip": "1.1.1.1"}, {"ip": "1.1.1.1"}]}),
                "spec.hostAliases[1].ip: duplicate ip \"1.1.1.1\"",
            ),
            (
                json!({"containers": [{"name": "c", "resources": {"limits": {"memory": "100m"}}}]}),
                "spec.containers[0].resources.limits[memory]: fractional byte value \"100m\" is invalid, must be an integer",
            ),
            (
                json!({"containers": [{"name": "c", "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}]}]}),
                "",
            ),
            (
                ports(
                    json!([{"containerPort": 1, "protocol": "TCP"}, {"containerPort": 1, "protocol": "TCP", "hostPort": 2}]),
                ),
                "spec.containers[0].ports[1]: overlapping port definition with spec.containers[0].ports[0]",
            ),
            (
                ports(json!([{"containerPort": 1, "protocol": "TCP", "hostPort": 2},
                          {"containerPort": 1, "protocol": "TCP", "hostPort": 2, "hostIP": "10.0.0.1"}])),
                "spec.containers[0].ports[1]: dangerously ambiguous port definition with spec.containers[0].ports[0]",
            ),
            (
                json!({"volumes": [{"name": "v", "glusterfs": {}}]}),
                "spec.volumes[0].glusterfs: deprecated in v1.25, non-functional in v1.26+",
            ),
        ] {
            assert_eq!(warnings("Pod", &with(spec), None).join("\n"), said);
        }
        assert_eq!(warnings("Pod", &with(json!({"imagePullSecrets": [{}]})), Some(&json!({}))), Vec::<String>::new());
    }
}
