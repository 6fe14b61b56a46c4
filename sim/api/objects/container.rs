//! Containers of a pod: names, images, ports, environment, mounts.

use crate::api::causes::{Causes, Path};
use crate::api::names;
use crate::api::view::{entries, fill, fill_text, get, get_mut, has, int, items_mut, list, remove, text};
use serde_json::Value;

use super::{probe, resources, security, volume};

/// Checks what only pods, not templates, are strict about.
pub(super) fn validate_only_for_pod(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    for name in ["containers", "initContainers"] {
        let containers = path.child(name);
        for (index, container) in list(spec, name).iter().enumerate() {
            let image = text(container, "image");
            if image.trim() != image {
                let item = containers.index(index);
                causes.invalid(&item.child("image"), image, "must not have leading or trailing whitespace");
            }
        }
    }
}

/// What the checks of a container need to know of its pod.
#[derive(Debug)]
pub(super) struct PodFacts<'a> {
    /// `spec.terminationGracePeriodSeconds`
    pub(super) grace_period: Option<i64>,
    /// `spec.restartPolicy`
    pub(super) restart_policy: &'a str,
    /// `spec.os.name`
    pub(super) os: &'a str,
    /// `spec.volumes`, and for a StatefulSet the claims that will be volumes.
    pub(super) volumes: Vec<&'a Value>,
    /// Whether `spec.hostUsers` is false.
    pub(super) has_user_namespace: bool,
    /// `spec.resourceClaims[*].name`
    pub(super) claims: Vec<&'a str>,
}

/// Fills in a container.
pub(super) fn default(container: &mut Value) {
    let policy = match tag_is_latest(text(container, "image")) {
        true => "Always",
        false => "IfNotPresent",
    };
    fill_text(container, "imagePullPolicy", policy);
    fill_text(container, "terminationMessagePath", "/dev/termination-log");
    fill_text(container, "terminationMessagePolicy", "File");
    for port in items_mut(container, "ports") {
        fill_text(port, "protocol", "TCP");
    }
    for env in items_mut(container, "env") {
        if let Some(from) = get_mut(env, "valueFrom") {
            default_field_ref(from);
            if let Some(file) = get_mut(from, "fileKeyRef") {
                fill(file, "optional", false);
            }
        }
    }
    for name in ["limits", "requests"] {
        if let Some(amounts) = container.get_mut("resources") {
            resources::default_list(amounts, name);
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = get_mut(container, name) {
            probe::default(probe);
        }
    }
    if let Some(lifecycle) = get_mut(container, "lifecycle") {
        probe::default_lifecycle(lifecycle);
        // ContainerStopSignals is off by default: the field is dropped, and the lifecycle with it if that was all.
        let had_signal = has(lifecycle, "stopSignal");
        remove(lifecycle, "stopSignal");
        if had_signal && lifecycle.as_object().is_some_and(|lifecycle| lifecycle.is_empty()) {
            remove(container, "lifecycle");
        }
    }
}

/// Fills in `fieldRef.apiVersion`.
pub(super) fn default_field_ref(holder: &mut Value) {
    if let Some(field) = get_mut(holder, "fieldRef") {
        fill_text(field, "apiVersion", "v1");
    }
}

/// Whether an image has no tag, or `latest`, and no digest.
pub fn tag_is_latest(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

/// Checks `spec.containers`.
pub(super) fn validate_all(spec: &Value, pod: &PodFacts<'_>, path: &Path<'_>, causes: &mut Causes) {
    let containers = list(spec, "containers");
    if containers.is_empty() {
        causes.required(path, "");
        return;
    }
    let mut seen: Vec<&str> = Vec::new();
    for (index, container) in containers.iter().enumerate() {
        let path = path.index(index);
        validate(container, pod, &path, causes);
        unique_name(container, &mut seen, &path, causes);
        probe::validate_lifecycle(
            get(container, "lifecycle"),
            pod.grace_period,
            pod.os,
            &path.child("lifecycle"),
            causes,
        );
        probe::validate_all(container, pod.grace_period, &path, causes);
        restart_policy(container, &path, causes);
    }
    host_port_conflicts(containers, path, causes);
}

/// Checks `spec.initContainers`.
pub(super) fn validate_init(spec: &Value, pod: &PodFacts<'_>, path: &Path<'_>, causes: &mut Causes) {
    let mut seen: Vec<&str> = list(spec, "containers").iter().map(|container| text(container, "name")).collect();
    let containers = list(spec, "initContainers");
    for (index, container) in containers.iter().enumerate() {
        let list_path = path;
        let path = path.index(index);
        validate(container, pod, &path, causes);
        restart_policy(container, &path, causes);
        if !text(container, "name").is_empty() {
            unique_name(container, &mut seen, &path, causes);
        }
        // They run one by one, so each is checked alone, as if it were the first.
        host_port_conflicts(std::slice::from_ref(container), list_path, causes);
        let lifecycle = get(container, "lifecycle");
        if text(container, "restartPolicy") == "Always" {
            probe::validate_lifecycle(lifecycle, pod.grace_period, pod.os, &path.child("lifecycle"), causes);
            probe::validate_all(container, pod.grace_period, &path, causes);
            continue;
        }
        let what = "may not be set for init containers without restartPolicy=Always";
        for hook in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
            if has(container, hook) {
                causes.forbidden(&path.child(hook), what);
            }
        }
    }
}

fn unique_name<'a>(container: &'a Value, seen: &mut Vec<&'a str>, path: &Path<'_>, causes: &mut Causes) {
    let name = text(container, "name");
    if seen.contains(&name) {
        causes.duplicate(&path.child("name"), name);
    }
    seen.push(name);
}

fn restart_policy(container: &Value, path: &Path<'_>, causes: &mut Causes) {
    const KNOWN: [&str; 3] = ["Always", "Never", "OnFailure"];
    let rules = list(container, "restartPolicyRules");
    if has(container, "restartPolicy") {
        let policy = text(container, "restartPolicy");
        if !KNOWN.contains(&policy) {
            causes.not_supported(&path.child("restartPolicy"), policy, &KNOWN);
        }
    } else if !rules.is_empty() {
        causes.required(&path.child("restartPolicy"), "must specify restartPolicy when restart rules are used");
    }
    let path = path.child("restartPolicyRules");
    if rules.len() > 20 {
        causes.too_long(&path, 20);
    }
    for (index, rule) in rules.iter().enumerate() {
        let path = path.index(index);
        if !["Restart", "RestartAllContainers"].contains(&text(rule, "action")) {
            causes.not_supported(&path.child("action"), text(rule, "action"), &["Restart"]);
        }
        let codes = get(rule, "exitCodes");
        if codes.is_null() {
            causes.required(&path.child("exitCodes"), "must be specified");
            continue;
        }
        if !["In", "NotIn"].contains(&text(codes, "operator")) {
            causes.not_supported(&path.child("exitCodes").child("operator"), text(codes, "operator"), &["In", "NotIn"]);
        }
    }
}

fn validate(container: &Value, pod: &PodFacts<'_>, path: &Path<'_>, causes: &mut Causes) {
    let name = text(container, "name");
    if name.is_empty() {
        causes.required(&path.child("name"), "");
    } else {
        causes.invalid_for(&path.child("name"), name, names::dns1123_label(name));
    }
    let image = text(container, "image");
    if image.is_empty() {
        causes.required(&path.child("image"), "");
    }
    let message_policy = text(container, "terminationMessagePolicy");
    if !["File", "FallbackToLogsOnError"].contains(&message_policy) {
        let path = path.child("terminationMessagePolicy");
        causes.not_supported(&path, message_policy, &["File", "FallbackToLogsOnError"]);
    }
    ports(container, &path.child("ports"), causes);
    env(container, &path.child("env"), causes);
    env_from(container, &path.child("envFrom"), causes);
    volume::validate_mounts(container, &pod.volumes, path, causes);
    let pull = text(container, "imagePullPolicy");
    if !["Always", "IfNotPresent", "Never"].contains(&pull) {
        causes.not_supported(&path.child("imagePullPolicy"), pull, &["Always", "IfNotPresent", "Never"]);
    }
    resources::requirements(get(container, "resources"), resources::container_name, &path.child("resources"), causes);
    claims(get(container, "resources"), &pod.claims, &path.child("resources").child("claims"), causes);
    resources::resize_policy(container, &path.child("resizePolicy"), pod.restart_policy, causes);
    security::validate_container(
        get(container, "securityContext"),
        pod.has_user_namespace,
        &path.child("securityContext"),
        causes,
    );
}

fn claims(resources: &Value, known: &[&str], path: &Path<'_>, causes: &mut Causes) {
    let mut seen = Vec::new();
    for (index, claim) in list(resources, "claims").iter().enumerate() {
        let name = text(claim, "name");
        let path = path.index(index);
        if name.is_empty() {
            causes.required(&path, "");
            continue;
        }
        let key = (name, text(claim, "request"));
        if seen.contains(&key) {
            causes.duplicate(&path, name);
        }
        seen.push(key);
        if !known.contains(&name) {
            causes.not_found(&path, name);
        }
    }
}

fn ports(container: &Value, path: &Path<'_>, causes: &mut Causes) {
    let mut seen: Vec<&str> = Vec::new();
    for (index, port) in list(container, "ports").iter().enumerate() {
        let path = path.index(index);
        let name = text(port, "name");
        if !name.is_empty() {
            let errors = names::port_name(name);
            if errors.is_empty() {
                if seen.contains(&name) {
                    causes.duplicate(&path.child("name"), name);
                }
                seen.push(name);
            }
            causes.invalid_for(&path.child("name"), name, errors);
        }
        match int(port, "containerPort") {
            0 => causes.required(&path.child("containerPort"), ""),
            number => causes.invalid_for(&path.child("containerPort"), number, names::port_number(number)),
        }
        let host_port = int(port, "hostPort");
        if host_port != 0 {
            causes.invalid_for(&path.child("hostPort"), host_port, names::port_number(host_port));
        }
        match text(port, "protocol") {
            "" => causes.required(&path.child("protocol"), ""),
            "TCP" | "UDP" | "SCTP" => {}
            other => causes.not_supported(&path.child("protocol"), other, &["SCTP", "TCP", "UDP"]),
        }
        let host_ip = text(port, "hostIP");
        if !host_ip.is_empty() {
            causes.invalid_for(&path.child("hostIP"), host_ip, names::ip(host_ip));
        }
    }
}

fn host_port_conflicts(containers: &[Value], path: &Path<'_>, causes: &mut Causes) {
    let mut seen: Vec<String> = Vec::new();
    for (index, container) in containers.iter().enumerate() {
        for (at, port) in list(container, "ports").iter().enumerate() {
            let number = int(port, "hostPort");
            if number == 0 {
                continue;
            }
            let key = format!("{}/{}/{number}", text(port, "protocol"), text(port, "hostIP"));
            if seen.contains(&key) {
                let path = path.index(index);
                causes.duplicate(&path.child("ports").index(at).child("hostPort"), key.as_str());
            } else {
                seen.push(key);
            }
        }
    }
}

/// The field paths that an environment variable may refer to.
const ENV_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// The resources that an environment variable or a file may refer to.
pub(super) const RESOURCE_FIELDS: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

fn env(container: &Value, path: &Path<'_>, causes: &mut Causes) {
    for (index, variable) in list(container, "env").iter().enumerate() {
        let path = path.index(index);
        let name = text(variable, "name");
        if name.is_empty() {
            causes.required(&path.child("name"), "");
        } else {
            causes.invalid_for(&path.child("name"), name, names::env_var_name(name));
        }
        if has(variable, "valueFrom") {
            value_from(variable, &path.child("valueFrom"), causes);
        }
    }
}

fn value_from(variable: &Value, path: &Path<'_>, causes: &mut Causes) {
    let from = get(variable, "valueFrom");
    let mut n = 0;
    if has(from, "fieldRef") {
        n += 1;
        field_ref(get(from, "fieldRef"), ENV_FIELDS, &path.child("fieldRef"), causes);
    }
    if has(from, "resourceFieldRef") {
        n += 1;
        resource_field_ref(get(from, "resourceFieldRef"), false, &path.child("resourceFieldRef"), causes);
    }
    for kind in ["configMapKeyRef", "secretKeyRef"] {
        if has(from, kind) {
            n += 1;
            key_ref(get(from, kind), &path.child(kind), causes);
        }
    }
    if has(from, "fileKeyRef") {
        n += 1;
        file_key_ref(get(from, "fileKeyRef"), &path.child("fileKeyRef"), causes);
    }
    if n == 0 {
        let what =
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
        causes.invalid(path, "", what);
    } else if !text(variable, "value").is_empty() {
        causes.invalid(path, "", "may not be specified when `value` is not empty");
    } else if n > 1 {
        causes.invalid(path, "", "may not have more than one field specified at a time");
    }
}

fn file_key_ref(from: &Value, path: &Path<'_>, causes: &mut Causes) {
    match text(from, "key") {
        "" => causes.required(&path.child("key"), ""),
        key => causes.invalid_for(&path.child("key"), key, names::env_var_name(key)),
    }
    match text(from, "volumeName") {
        "" => causes.required(&path.child("volumeName"), ""),
        name => causes.invalid_for(&path.child("volumeName"), name, names::dns1123_label(name)),
    }
    match text(from, "path") {
        "" => causes.required(&path.child("path"), ""),
        file => security::no_back_steps(file, &path.child("path"), causes),
    }
}

/// Checks that environment variables come only from files of `emptyDir` volumes of the pod.
pub(super) fn validate_file_volumes(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    for name in ["initContainers", "containers"] {
        let containers = path.child(name);
        for (index, container) in list(spec, name).iter().enumerate() {
            for (at, variable) in list(container, "env").iter().enumerate() {
                let from = get(get(variable, "valueFrom"), "fileKeyRef");
                if from.is_null() {
                    continue;
                }
                let volume = text(from, "volumeName");
                let item = containers.index(index);
                let env = item.child("env");
                let path = env.index(at);
                let path = path.child("valueFrom.fileKeyRef.volumeName");
                match list(spec, "volumes").iter().find(|source| text(source, "name") == volume) {
                    None => causes.not_found(&path, volume),
                    Some(source) if !has(source, "emptyDir") => {
                        causes.invalid(&path, volume, "referenced volume must be of type emptyDir");
                    }
                    Some(_) => {}
                }
            }
        }
    }
}

fn key_ref(from: &Value, path: &Path<'_>, causes: &mut Causes) {
    let name = text(from, "name");
    causes.invalid_for(&path.child("name"), name, names::dns1123_subdomain(name));
    let key = text(from, "key");
    if key.is_empty() {
        causes.required(&path.child("key"), "");
    } else {
        causes.invalid_for(&path.child("key"), key, names::config_key(key));
    }
}

/// Checks a reference to a field of the pod.
pub(super) fn field_ref(field: &Value, allowed: &[&str], path: &Path<'_>, causes: &mut Causes) {
    let (version, field_path) = (text(field, "apiVersion"), text(field, "fieldPath"));
    if version.is_empty() {
        causes.required(&path.child("apiVersion"), "");
        return;
    }
    if field_path.is_empty() {
        causes.required(&path.child("fieldPath"), "");
        return;
    }
    let whole = path;
    let path = path.child("fieldPath");
    let subscript = field_path.split_once("['").and_then(|(field, rest)| Some((field, rest.strip_suffix("']")?)));
    if let Some((of, key)) = subscript {
        match of {
            "metadata.annotations" => {
                let key = key.to_lowercase();
                causes.invalid_for(whole, key.as_str(), names::label_key_errors(&key));
            }
            "metadata.labels" => causes.invalid_for(whole, key, names::label_key_errors(key)),
            _ => {
                let what = format!("error converting fieldPath: field label does not support subscript: {field_path}");
                causes.invalid(&path, field_path, what);
            }
        }
        return;
    }
    if version != "v1" || !is_field_label(field_path) {
        let what = match version {
            "v1" => format!("error converting fieldPath: field label not supported: {field_path}"),
            _ => format!("error converting fieldPath: unsupported pod version: {version}"),
        };
        causes.invalid(&path, field_path, what);
    } else if !allowed.contains(&field_path) {
        causes.not_supported(&path, field_path, allowed);
    }
}

/// The field labels of pods that API conversion knows.
fn is_field_label(path: &str) -> bool {
    const KNOWN: &[&str] = &[
        "metadata.annotations",
        "metadata.labels",
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "spec.host",
        "status.phase",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    ];
    KNOWN.contains(&path)
}

/// Checks a reference to a resource of a container.
pub(super) fn resource_field_ref(field: &Value, is_volume: bool, path: &Path<'_>, causes: &mut Causes) {
    let resource = text(field, "resource");
    let is_huge = ["limits.hugepages-", "requests.hugepages-"].iter().any(|prefix| resource.starts_with(prefix));
    if is_volume && text(field, "containerName").is_empty() {
        causes.required(&path.child("containerName"), "");
    } else if resource.is_empty() {
        causes.required(&path.child("resource"), "");
    } else if !RESOURCE_FIELDS.contains(&resource) && !is_huge {
        causes.not_supported(&path.child("resource"), resource, RESOURCE_FIELDS);
    }
    if !RESOURCE_FIELDS.contains(&resource) && !is_huge {
        return;
    }
    let divisor = text(field, "divisor");
    if divisor.is_empty() || divisor == "0" {
        return;
    }
    let (known, what): (&[&str], _) = match resource {
        "limits.cpu" | "requests.cpu" => {
            (&["1m", "1"], "only divisor's values 1m and 1 are supported with the cpu resource".to_owned())
        }
        _ => {
            let word = match resource.split_once('.').map_or("", |(_, word)| word) {
                "memory" => "memory",
                "ephemeral-storage" => "local ephemeral storage",
                _ => "hugepages",
            };
            let known: &[&str] = &["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];
            let listed = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei";
            (known, format!("only divisor's values {listed} are supported with the {word} resource"))
        }
    };
    if !known.contains(&divisor) {
        causes.invalid(&path.child("divisor"), resource, what);
    }
}

fn env_from(container: &Value, path: &Path<'_>, causes: &mut Causes) {
    for (index, from) in list(container, "envFrom").iter().enumerate() {
        let path_of = path.index(index);
        let prefix = text(from, "prefix");
        if !prefix.is_empty() {
            causes.invalid_for(&path_of.child("prefix"), prefix, names::env_var_name(prefix));
        }
        let mut n = 0;
        for kind in ["configMapRef", "secretRef"] {
            if has(from, kind) {
                n += 1;
                let name = text(get(from, kind), "name");
                let path = path_of.child(kind);
                match name {
                    "" => causes.required(&path.child("name"), ""),
                    _ => causes.invalid_for(&path.child("name"), name, super::metadata::subdomain_name(name, true)),
                }
            }
        }
        if n == 0 {
            causes.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`");
        } else if n > 1 {
            causes.invalid(path, "", "may not have more than one field specified at a time");
        }
    }
}

/// Copies limits to requests where there is none, as pods (not templates) do.
pub(super) fn default_requests(container: &mut Value) {
    let limits: Vec<(String, Value)> = entries(get(container, "resources"), "limits")
        .map(|(resource, amount)| (resource.to_owned(), amount.clone()))
        .collect();
    if limits.is_empty() {
        return;
    }
    let requests = crate::api::view::ensure(crate::api::view::ensure(container, "resources"), "requests");
    for (resource, amount) in limits {
        fill(requests, &resource, amount);
    }
}
