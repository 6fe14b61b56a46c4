//! Pod, and the pod templates of all workloads.

use crate::api::causes::{Causes, Path};
use crate::api::names;
use crate::api::view::{
    ensure, entries, fill, fill_int, fill_text, flag, get, get_mut, has, int, items_mut, list, maybe_int, put, text,
};
use serde_json::{Value, json};

use super::container::{self, PodFacts};
use super::{affinity, pod_resources, resources, security, volume, windows};

/// Fills in a Pod.
pub(super) fn default(pod: &mut Value) {
    let Some(spec) = get_mut(pod, "spec") else { return };
    default_spec(spec);
    // Only for pods, not for templates: a negative grace period is the shortest.
    if maybe_int(spec, "terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0) {
        put(spec, "terminationGracePeriodSeconds", 1);
    }
    for list_name in ["containers", "initContainers"] {
        for container in items_mut(spec, list_name) {
            container::default_requests(container);
        }
    }
    pod_resources::default(spec);
    fill(spec, "enableServiceLinks", true);
    if flag(spec, "hostNetwork") {
        default_host_ports(spec);
    }
}

/// What a new Pod has besides its spec: a status of its own.
pub(super) fn prepare(pod: &mut Value, now: &str) {
    affinity::merge_label_keys(pod);
    let class = pod_resources::qos_class(get(pod, "spec"));
    put(pod, "status", json!({"phase": "Pending", "qosClass": class}));
    if !list(get(pod, "spec"), "schedulingGates").is_empty() {
        let condition = json!({
            "type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": GATED,
            "lastProbeTime": null, "lastTransitionTime": now,
        });
        put(ensure(pod, "status"), "conditions", json!([condition]));
    }
}

const GATED: &str = "Scheduling is blocked due to non-empty scheduling gates";

/// Fills in a pod template.
pub(super) fn default_template(template: &mut Value) {
    let spec = ensure(template, "spec");
    default_spec(spec);
}

/// Fills in a pod spec.
pub(super) fn default_spec(spec: &mut Value) {
    fill_text(spec, "dnsPolicy", "ClusterFirst");
    fill_text(spec, "restartPolicy", "Always");
    fill(spec, "securityContext", json!({}));
    fill(spec, "terminationGracePeriodSeconds", 30);
    fill_text(spec, "schedulerName", "default-scheduler");
    let account = text(spec, "serviceAccountName").to_owned();
    let deprecated = text(spec, "serviceAccount").to_owned();
    if !account.is_empty() {
        put(spec, "serviceAccount", account);
    } else if !deprecated.is_empty() {
        put(spec, "serviceAccountName", deprecated);
    }
    for volume in items_mut(spec, "volumes") {
        volume::default(volume);
    }
    for list_name in ["containers", "initContainers", "ephemeralContainers"] {
        for container in items_mut(spec, list_name) {
            container::default(container);
        }
    }
    resources::default_list(spec, "overhead");
    if let Some(amounts) = get_mut(spec, "resources") {
        resources::default_list(amounts, "limits");
        resources::default_list(amounts, "requests");
    }
}

fn default_host_ports(spec: &mut Value) {
    for list_name in ["containers", "initContainers"] {
        for container in items_mut(spec, list_name) {
            for port in items_mut(container, "ports") {
                let number = int(port, "containerPort");
                fill_int(port, "hostPort", number);
            }
        }
    }
}

/// Checks a Pod.
pub(super) fn validate(pod: &Value, is_update: bool, causes: &mut Causes) {
    let spec = get(pod, "spec");
    let path = Path::ROOT.child("spec");
    validate_spec(spec, text(get(pod, "metadata"), "name"), &path, causes);
    container::validate_only_for_pod(spec, &path, causes);
    if is_update {
        return;
    }
    if !list(spec, "ephemeralContainers").is_empty() {
        causes.forbidden(&path.child("ephemeralContainers"), "cannot be set on create");
    }
    if !text(spec, "nodeName").is_empty() && !list(spec, "schedulingGates").is_empty() {
        let what = "cannot be set until all schedulingGates have been cleared";
        causes.forbidden(&path.child("nodeName"), what);
    }
}

/// Checks a template: its labels, annotations and spec.
pub(super) fn validate_template(template: &Value, path: &Path<'_>, causes: &mut Causes) {
    // The API server leaves `metadata` out of these paths.
    let metadata = get(template, "metadata");
    super::metadata::labels(get(metadata, "labels"), &path.child("labels"), causes);
    super::metadata::annotations(get(metadata, "annotations"), &path.child("annotations"), causes);
    let path = path.child("spec");
    validate_spec(get(template, "spec"), "", &path, causes);
    if !list(get(template, "spec"), "ephemeralContainers").is_empty() {
        causes.forbidden(&path.child("ephemeralContainers"), "ephemeral containers not allowed in pod template");
    }
}

/// Checks a pod spec, in the order of the API server.
fn validate_spec(spec: &Value, pod_name: &str, path: &Path<'_>, causes: &mut Causes) {
    let volumes = volume::validate_all(list(spec, "volumes"), pod_name, &path.child("volumes"), causes);
    let facts = PodFacts {
        grace_period: maybe_int(spec, "terminationGracePeriodSeconds"),
        restart_policy: text(spec, "restartPolicy"),
        os: text(get(spec, "os"), "name"),
        volumes,
        has_user_namespace: get(spec, "hostUsers") == false,
        claims: list(spec, "resourceClaims").iter().map(|claim| text(claim, "name")).collect(),
    };
    resource_claims(spec, &path.child("resourceClaims"), causes);
    container::validate_all(spec, &facts, &path.child("containers"), causes);
    container::validate_init(spec, &facts, &path.child("initContainers"), causes);
    pod_resources::validate(spec, path, causes);
    host_ports(spec, !pod_name.is_empty(), path, causes);
    let restart = text(spec, "restartPolicy");
    match restart {
        "Always" | "OnFailure" | "Never" => {}
        "" => causes.required(&path.child("restartPolicy"), ""),
        other => causes.not_supported(&path.child("restartPolicy"), other, &["Always", "OnFailure", "Never"]),
    }
    dns_policy(spec, path, causes);
    super::metadata::labels(get(spec, "nodeSelector"), &path.child("nodeSelector"), causes);
    security::validate_pod(spec, path, causes);
    image_pull_secrets(spec, &path.child("imagePullSecrets"), causes);
    affinity::validate(get(spec, "affinity"), &path.child("affinity"), causes);
    dns_config(spec, &path.child("dnsConfig"), causes);
    gates(spec, path, causes);
    affinity::spread_constraints(
        list(spec, "topologySpreadConstraints"),
        &path.child("topologySpreadConstraints"),
        causes,
    );
    windows::host_process(spec, path, causes);
    host_users(spec, path, causes);
    hostname_override(spec, path, causes);
    names_and_numbers(spec, path, causes);
    affinity::tolerations(list(spec, "tolerations"), &path.child("tolerations"), causes);
    host_aliases(spec, &path.child("hostAliases"), causes);
    classes(spec, path, causes);
    security::validate_os(spec, path, causes);
    container::validate_file_volumes(spec, path, causes);
}

fn resource_claims(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let mut seen: Vec<&str> = Vec::new();
    for (index, claim) in list(spec, "resourceClaims").iter().enumerate() {
        let path = path.index(index);
        let name = text(claim, "name");
        if name.is_empty() {
            causes.required(&path.child("name"), "");
        } else if seen.contains(&name) {
            causes.duplicate(&path.child("name"), name);
        } else {
            causes.invalid_for(&path.child("name"), name, names::dns1123_label(name));
            seen.push(name);
        }
        match (has(claim, "resourceClaimName"), has(claim, "resourceClaimTemplateName")) {
            (true, true) => causes.invalid(
                &path,
                claim,
                "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified",
            ),
            (false, false) => {
                causes.invalid(&path, claim, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`")
            }
            _ => {}
        }
    }
}

/// On the host's network a port of the container is that port of the host; templates may leave it open.
fn host_ports(spec: &Value, is_pod: bool, path: &Path<'_>, causes: &mut Causes) {
    if !flag(spec, "hostNetwork") {
        return;
    }
    let path = path.child("containers");
    for (index, container) in list(spec, "containers").iter().enumerate() {
        let path = path.index(index);
        let path = path.child("ports");
        for (at, port) in list(container, "ports").iter().enumerate() {
            let (number, host) = (int(port, "containerPort"), int(port, "hostPort"));
            if (is_pod || host != 0) && host != number {
                let what = "must match `containerPort` when `hostNetwork` is true";
                causes.invalid(&path.index(at).child("hostPort"), host, what);
            }
        }
    }
}

fn dns_policy(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    const KNOWN: &[&str] = &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    let policy = text(spec, "dnsPolicy");
    if policy.is_empty() {
        causes.required(&path.child("dnsPolicy"), "");
    } else if !KNOWN.contains(&policy) {
        causes.not_supported(&path.child("dnsPolicy"), policy, KNOWN);
    }
}

fn dns_config(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let config = get(spec, "dnsConfig");
    let (servers, searches) = (list(config, "nameservers"), list(config, "searches"));
    if text(spec, "dnsPolicy") == "None" {
        if config.is_null() {
            causes.required(path, "must provide `dnsConfig` when `dnsPolicy` is None");
            return;
        }
        if servers.is_empty() {
            let what = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            causes.required(&path.child("nameservers"), what);
            return;
        }
    }
    if servers.len() > 3 {
        causes.invalid(&path.child("nameservers"), get(config, "nameservers"), "must not have more than 3 nameservers");
    }
    for (index, server) in servers.iter().enumerate() {
        let server = server.as_str().unwrap_or("");
        causes.invalid_for(&path.child("nameservers").index(index), server, names::ip(server));
    }
    if searches.len() > 32 {
        causes.invalid(&path.child("searches"), get(config, "searches"), "must not have more than 32 search paths");
    }
    let words: Vec<&str> = searches.iter().filter_map(Value::as_str).collect();
    if words.join(" ").len() > 2048 {
        let what = "must not have more than 2048 characters (including spaces) in the search list";
        causes.invalid(&path.child("searches"), get(config, "searches"), what);
    }
    for (index, search) in words.iter().enumerate() {
        let trimmed = search.strip_suffix('.').unwrap_or(search);
        if *search != "." {
            let errors = names::dns1123_subdomain_with_underscore(trimmed);
            causes.invalid_for(&path.child("searches").index(index), trimmed, errors);
        }
    }
    for (index, option) in list(config, "options").iter().enumerate() {
        if text(option, "name").is_empty() {
            causes.required(&path.child("options").index(index), "must not be empty");
        }
    }
}

fn image_pull_secrets(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    for (index, secret) in list(spec, "imagePullSecrets").iter().enumerate() {
        let path = path.index(index);
        let extra: Vec<_> = entries_of(secret).filter(|(key, _)| *key != "name").collect();
        if !extra.is_empty() {
            causes.invalid(&path, secret, "only name may be set");
        }
    }
}

fn entries_of(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

fn gates(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let readiness = path.child("readinessGates");
    for (index, gate) in list(spec, "readinessGates").iter().enumerate() {
        let kind = text(gate, "conditionType");
        let errors = names::label_key_errors(kind);
        causes.invalid_for(&readiness.index(index).child("conditionType"), kind, errors);
    }
    let scheduling = path.child("schedulingGates");
    let mut seen: Vec<&str> = Vec::new();
    for (index, gate) in list(spec, "schedulingGates").iter().enumerate() {
        let name = text(gate, "name");
        let path = scheduling.index(index);
        causes.invalid_for(&path, name, names::label_key_errors(name));
        if seen.contains(&name) {
            causes.duplicate(&path, name);
        }
        seen.push(name);
    }
}

fn host_users(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    const WHAT: &str = "when `hostUsers` is false";
    if get(spec, "hostUsers") != false {
        return;
    }
    for (field, shown) in [("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")] {
        if flag(spec, field) {
            causes.forbidden(&path.child(shown), WHAT);
        }
    }
    for name in ["initContainers", "containers"] {
        let containers = path.child(name);
        for (index, container) in list(spec, name).iter().enumerate() {
            if !list(container, "volumeDevices").is_empty() {
                causes.forbidden(&containers.index(index).child("volumeDevices"), WHAT);
            }
        }
    }
}

fn names_and_numbers(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    for (field, rule) in [
        ("serviceAccountName", names::dns1123_subdomain as fn(&str) -> Vec<String>),
        ("nodeName", names::dns1123_subdomain),
    ] {
        let name = text(spec, field);
        if !name.is_empty() {
            causes.invalid_for(&path.child(field), name, rule(name));
        }
    }
    if let Some(seconds) = maybe_int(spec, "activeDeadlineSeconds") {
        let errors = names::in_range(seconds, 1, i64::from(i32::MAX));
        causes.invalid_for(&path.child("activeDeadlineSeconds"), seconds, errors);
    }
    for field in ["hostname", "subdomain"] {
        let name = text(spec, field);
        if !name.is_empty() {
            causes.invalid_for(&path.child(field), name, names::dns1123_label(name));
        }
    }
}

fn hostname_override(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    if !has(spec, "hostnameOverride") {
        return;
    }
    let name = text(spec, "hostnameOverride");
    let path = path.child("hostnameOverride");
    for field in ["setHostnameAsFQDN", "hostNetwork"] {
        if flag(spec, field) {
            causes.forbidden(&path, &format!("may not be specified when {field} is true"));
        }
    }
    if name.len() > 64 {
        causes.too_long(&path, 64);
    }
    causes.invalid_for(&path, name, names::dns1123_subdomain(name));
}

fn host_aliases(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    for (index, alias) in list(spec, "hostAliases").iter().enumerate() {
        let path = path.index(index);
        let ip = text(alias, "ip");
        causes.invalid_for(&path.child("ip"), ip, names::ip(ip));
        for (at, name) in list(alias, "hostnames").iter().enumerate() {
            let name = name.as_str().unwrap_or("");
            causes.invalid_for(&path.child("hostnames").index(at), name, names::dns1123_subdomain(name));
        }
    }
}

fn classes(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    for field in ["priorityClassName", "runtimeClassName"] {
        let name = text(spec, field);
        if !name.is_empty() || (field == "runtimeClassName" && has(spec, field)) {
            causes.invalid_for(&path.child(field), name, names::dns1123_subdomain(name));
        }
    }
    if has(spec, "preemptionPolicy") {
        preemption_policy(text(spec, "preemptionPolicy"), &path.child("preemptionPolicy"), causes);
    }
    for (resource, amount) in entries(spec, "overhead") {
        let path = path.child("overhead");
        let path = path.key(resource);
        resources::container_name(resource, &path, causes);
        resources::amount(resource, amount, &path, causes);
    }
}

/// Checks a preemption policy.
pub(super) fn preemption_policy(policy: &str, path: &Path<'_>, causes: &mut Causes) {
    match policy {
        "PreemptLowerPriority" | "Never" => {}
        "" => causes.required(path, ""),
        other => causes.not_supported(path, other, &["PreemptLowerPriority", "Never"]),
    }
}
