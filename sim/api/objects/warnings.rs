//! What the API server warns about while it accepts an object (core `pod/warnings.go` and the strategies' `WarningsOnCreate`).

use crate::api::causes::Path;
use crate::api::names;
use crate::api::view::{get, has, int, list, text};
use serde_json::Value;

/// The warnings of an accepted object of a kind.
pub fn warnings(kind: &str, object: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    let spec = get(object, "spec");
    let template = get(get(spec, "template"), "spec");
    match kind {
        "Pod" => {
            host_name(object, "this is used in the Pod's hostname", &mut warnings);
            pod_spec(spec, &Path::ROOT.child("spec"), &mut warnings);
        }
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" => {
            if kind != "StatefulSet" && kind != "DaemonSet" {
                host_name(object, "this is used in Pod names and hostnames", &mut warnings);
            }
            pod_spec(template, &Path::ROOT.child("spec.template.spec"), &mut warnings);
            if kind == "StatefulSet" && int(spec, "revisionHistoryLimit") < 0 {
                warnings.push(
                    "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended".to_owned(),
                );
            }
        }
        "CronJob" => {
            host_name(object, "this is used in Pod names and hostnames", &mut warnings);
            let template = get(get(get(get(spec, "jobTemplate"), "spec"), "template"), "spec");
            pod_spec(template, &Path::ROOT.child("spec.jobTemplate.spec.template.spec"), &mut warnings);
        }
        "Service" => service(spec, &mut warnings),
        "EndpointSlice" if text(object, "addressType") == "FQDN" => {
            warnings.push("spec.addressType: FQDN endpoints are deprecated".to_owned());
        }
        _ => {}
    }
    warnings
}

fn host_name(object: &Value, use_of_name: &str, warnings: &mut Vec<String>) {
    let errors = names::dns1123_label(text(get(object, "metadata"), "name"));
    if !errors.is_empty() {
        warnings.push(format!(
            "metadata.name: {use_of_name}, which can result in surprising behavior; a DNS label is recommended: [{}]",
            errors.join(" ")
        ));
    }
}

fn service(spec: &Value, warnings: &mut Vec<String>) {
    if !text(spec, "externalName").is_empty() && text(spec, "type") != "ExternalName" {
        warnings.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".to_owned());
    }
    if !list(spec, "externalIPs").is_empty() {
        warnings.push("spec.externalIPs is deprecated and may no longer be implemented in some clusters".to_owned());
    }
    if !text(spec, "loadBalancerIP").is_empty() && text(spec, "clusterIP") == "None" {
        warnings.push("spec.loadBalancerIP is ignored when spec.clusterIP is set to \"None\"".to_owned());
    }
}

fn pod_spec(spec: &Value, path: &Path<'_>, warnings: &mut Vec<String>) {
    for (index, secret) in list(spec, "imagePullSecrets").iter().enumerate() {
        if text(secret, "name").is_empty() {
            let list_path = path.child("imagePullSecrets");
            warnings.push(format!("{}: invalid empty name \"\"", list_path.index(index).child("name")));
        }
    }
    for (index, volume) in list(spec, "volumes").iter().enumerate() {
        let volumes = path.child("volumes");
        if has(volume, "gitRepo") {
            let item = volumes.index(index);
            warnings.push(format!("{}: deprecated in v1.11, and disabled by default in v1.33+", item.child("gitRepo")));
        }
        overlapping(volume, warnings);
    }
    for name in ["initContainers", "containers"] {
        let containers = path.child(name);
        for (index, container) in list(spec, name).iter().enumerate() {
            let item = containers.index(index);
            repeated_env(container, &item, warnings);
            repeated_ports(container, &item, warnings);
        }
    }
    for (kind, terms) in [
        ("podAffinity", "requiredDuringSchedulingIgnoredDuringExecution"),
        ("podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution"),
    ] {
        let of_kind = get(get(spec, "affinity"), kind);
        for (index, term) in list(of_kind, terms).iter().enumerate() {
            if !has(term, "labelSelector") {
                let affinity = path.child("affinity");
                let list_path = affinity.child(kind);
                let terms_path = list_path.child(terms);
                warnings.push(format!(
                    "{}: a null labelSelector results in matching no pod",
                    terms_path.index(index).child("labelSelector")
                ));
            }
        }
    }
}

fn repeated_env(container: &Value, path: &Path<'_>, warnings: &mut Vec<String>) {
    let env = list(container, "env");
    for (index, variable) in env.iter().enumerate() {
        let name = text(variable, "name");
        let earlier = env[..index].iter().rev().find(|other| text(other, "name") == name);
        let refers_to_itself = text(variable, "value").contains(&format!("$({name})"));
        if earlier.is_some() && !refers_to_itself {
            let list_path = path.child("env");
            warnings.push(format!(
                "{}: hides previous definition of {name:?}, which may be dropped when using apply",
                list_path.index(index)
            ));
        }
    }
}

fn repeated_ports(container: &Value, path: &Path<'_>, warnings: &mut Vec<String>) {
    let ports = list(container, "ports");
    let key = |port: &Value| {
        (
            int(port, "containerPort"),
            text(port, "protocol").to_owned(),
            int(port, "hostPort"),
            text(port, "hostIP").to_owned(),
        )
    };
    for (index, port) in ports.iter().enumerate() {
        if let Some(first) = ports[..index].iter().position(|other| key(other) == key(port)) {
            let list_path = path.child("ports");
            warnings.push(format!(
                "{}: duplicate port definition with {}",
                list_path.index(index),
                list_path.index(first)
            ));
        }
    }
}

/// Two sources of a projected volume that write the same file.
fn overlapping(volume: &Value, warnings: &mut Vec<String>) {
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
                warnings.push(format!(
                    "volume {name:?} (Projected): overlapping paths: {file:?} ({label}) with {file:?} ({other})"
                ));
            }
            files.push((file, label));
        }
    }
}
