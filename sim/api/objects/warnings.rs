//! What the API server warns about while it takes an object: the strategies' `WarningsOnCreate` and `WarningsOnUpdate`, kind by kind.

use serde_json::Value;

use super::warnings_pod::{claim_spec, deprecated_label, node_term, pod, template};
use super::warnings_text::{cidr, ip};
use crate::api::causes::Path;
use crate::api::names;
use crate::api::view::{entries, get, has, int, list, text};

/// The warnings of a new object of a kind, or of a new version of the object `old`.
pub fn warnings(kind: &str, object: &Value, old: Option<&Value>) -> Vec<String> {
    let generation = |object: &Value| int(get(object, "metadata"), "generation");
    let is_same = old.is_some_and(|old| generation(old) == generation(object));
    let mut out = Vec::new();
    let (root, spec) = (Path::ROOT, get(object, "spec"));
    let spec_path = root.child("spec");
    let template_path = spec_path.child("template");
    match kind {
        // Pods change too often, and not by people's hands.
        "Pod" if old.is_none() => {
            host_name(object, "this is used in the Pod's hostname", &mut out);
            pod(object, &mut out);
        }
        "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet" | "DaemonSet" | "Job" => {
            if old.is_none() && !matches!(kind, "StatefulSet" | "DaemonSet") {
                host_name(object, "this is used in Pod names and hostnames", &mut out);
            }
            if kind == "Job" && !is_same {
                job(spec, &mut out);
            }
            if !is_same {
                template(get(spec, "template"), &template_path, &mut out);
            }
            if kind == "StatefulSet" {
                stateful_set(spec, &spec_path, &mut out);
            }
        }
        "CronJob" => {
            if old.is_none() {
                host_name(object, "this is used in Pod names and hostnames", &mut out);
            }
            let (job_path, job_spec) = (spec_path.child("jobTemplate"), get(get(spec, "jobTemplate"), "spec"));
            if !is_same {
                job(job_spec, &mut out);
                template(get(job_spec, "template"), &job_path.child("spec").child("template"), &mut out);
            }
            if text(spec, "schedule").contains("TZ") {
                // The API server names the field so.
                let see = "see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details";
                out.push(format!("cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, {see}"));
            }
        }
        "PodTemplate" => template(get(object, "template"), &root.child("template"), &mut out),
        "Service" => service(object, &mut out),
        "Endpoints" => {
            out.push("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice".to_owned())
        }
        "ComponentStatus" => out.push("v1 ComponentStatus is deprecated in v1.19+".to_owned()),
        "EndpointSlice" => endpoint_slice(object, &mut out),
        "Ingress" => ingress(object, &mut out),
        "Node" => node(spec, &spec_path, &mut out),
        "PersistentVolume" => persistent_volume(object, &mut out),
        "PersistentVolumeClaim" => {
            beta_class(object, &mut out);
            claim_spec(spec, &spec_path, &mut out);
        }
        "StorageClass" => storage_class(object, &mut out),
        "RuntimeClass" => {
            let path = root.child("scheduling");
            for (key, _) in entries(get(object, "scheduling"), "nodeSelector") {
                deprecated_label(key, false, &path.child("nodeSelector"), &mut out);
            }
        }
        "ServiceAccount" => {
            const KEY: &str = "kubernetes.io/enforce-mountable-secrets";
            annotated(object, KEY, |path| {
                out.push(format!(
                    "{path}: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
                ));
            });
        }
        _ => {}
    }
    out
}

/// Calls `found` with the path of an annotation if the object has it.
fn annotated(object: &Value, key: &str, found: impl FnOnce(String)) {
    if entries(get(object, "metadata"), "annotations").any(|(own, _)| own == key) {
        found(format!("metadata.annotations[{key}]"));
    }
}

fn host_name(object: &Value, use_of_name: &str, out: &mut Vec<String>) {
    let errors = names::dns1123_label(text(get(object, "metadata"), "name"));
    if !errors.is_empty() {
        out.push(format!(
            "metadata.name: {use_of_name}, which can result in surprising behavior; a DNS label is recommended: [{}]",
            errors.join(" ")
        ));
    }
}

/// So many indexes that a status cannot name those that failed.
fn job(spec: &Value, out: &mut Vec<String>) {
    if text(spec, "completionMode") == "Indexed"
        && int(spec, "completions") > 100_000
        && int(spec, "parallelism") > 10_000
    {
        out.push(
            "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able \
             to track completedIndexes when a big number of indexes fail"
                .to_owned(),
        );
    }
}

fn stateful_set(spec: &Value, path: &Path<'_>, out: &mut Vec<String>) {
    let claims = path.child("volumeClaimTemplates");
    for (index, claim) in list(spec, "volumeClaimTemplates").iter().enumerate() {
        // The API server spells it so.
        claim_spec(get(claim, "spec"), &claims.index(index).child("Spec"), out);
    }
    if int(spec, "revisionHistoryLimit") < 0 {
        let what = "a negative value retains all historical revisions; a value >= 0 is recommended";
        out.push(format!("{}: {what}", path.child("revisionHistoryLimit")));
    }
}

fn service(object: &Value, out: &mut Vec<String>) {
    let spec = get(object, "spec");
    let path = Path::ROOT.child("spec");
    const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
    annotated(object, HINTS, |_| {
        out.push(format!("annotation {HINTS} is deprecated, please use service.kubernetes.io/topology-mode instead"));
    });
    let kind = text(spec, "type");
    let is_headless = kind == "ClusterIP" && text(spec, "clusterIP") == "None";
    let addresses = |field: &str, out: &mut Vec<String>| {
        for (index, address) in list(spec, field).iter().filter_map(Value::as_str).enumerate() {
            ip(&path.child(field).index(index), address, out);
        }
    };
    if !is_headless && !text(spec, "clusterIP").is_empty() {
        addresses("clusterIPs", out);
    }
    if is_headless {
        let mut ignored = |field: &str| out.push(format!("spec.{field} is ignored for headless services"));
        if !text(spec, "loadBalancerIP").is_empty() {
            ignored("loadBalancerIP");
        }
        if !list(spec, "externalIPs").is_empty() {
            ignored("externalIPs");
        }
        if text(spec, "sessionAffinity") != "None" {
            ignored("SessionAffinity");
        }
    }
    addresses("externalIPs", out);
    let is_name = kind == "ExternalName";
    if !list(spec, "externalIPs").is_empty() && !is_headless && !is_name {
        out.push("spec.externalIPs is deprecated and may no longer be implemented in some clusters".to_owned());
    }
    if !text(spec, "loadBalancerIP").is_empty() {
        ip(&path.child("loadBalancerIP"), text(spec, "loadBalancerIP"), out);
    }
    for (index, range) in list(spec, "loadBalancerSourceRanges").iter().filter_map(Value::as_str).enumerate() {
        cidr(&path.child("loadBalancerSourceRanges").index(index), range, out);
    }
    if is_name && !list(spec, "externalIPs").is_empty() {
        out.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".to_owned());
    }
    if !is_name && !text(spec, "externalName").is_empty() {
        out.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".to_owned());
    }
    if text(spec, "trafficDistribution") == "PreferClose" {
        out.push("spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"".to_owned());
    }
}

fn endpoint_slice(object: &Value, out: &mut Vec<String>) {
    match text(object, "addressType") {
        "FQDN" => out.push("spec.addressType: FQDN endpoints are deprecated".to_owned()),
        _ => {
            let all = Path::ROOT.child("endpoints");
            for (index, endpoint) in list(object, "endpoints").iter().enumerate() {
                let of_one = all.index(index);
                let of_one = of_one.child("addresses");
                for (at, address) in list(endpoint, "addresses").iter().filter_map(Value::as_str).enumerate() {
                    ip(&of_one.index(at), address, out);
                }
            }
        }
    }
}

fn ingress(object: &Value, out: &mut Vec<String>) {
    const CLASS: &str = "kubernetes.io/ingress.class";
    if !has(get(object, "spec"), "ingressClassName") {
        annotated(object, CLASS, |_| {
            out.push(format!("annotation {CLASS:?} is deprecated, please use 'spec.ingressClassName' instead"));
        });
    }
}

fn node(spec: &Value, path: &Path<'_>, out: &mut Vec<String>) {
    if has(spec, "configSource") {
        out.push("spec.configSource: deprecated in v1.22, support removal is planned in v1.26".to_owned());
    }
    if !text(spec, "externalID").is_empty() {
        out.push("spec.externalID: this field is deprecated, and is unused by Kubernetes".to_owned());
    }
    let ranges = path.child("podCIDRs");
    for (index, range) in list(spec, "podCIDRs").iter().filter_map(Value::as_str).enumerate() {
        cidr(&ranges.index(index), range, out);
    }
}

fn beta_class(object: &Value, out: &mut Vec<String>) {
    annotated(object, "volume.beta.kubernetes.io/storage-class", |path| {
        out.push(format!("{path}: deprecated since v1.8; use \"storageClassName\" attribute instead"));
    });
}

fn persistent_volume(object: &Value, out: &mut Vec<String>) {
    beta_class(object, out);
    annotated(object, "volume.beta.kubernetes.io/mount-options", |path| {
        out.push(format!("{path}: deprecated since v1.31; use \"mountOptions\" attribute instead"));
    });
    let spec = get(object, "spec");
    let path = Path::ROOT.child("spec");
    for (source, what) in super::warnings_pod::OLD_SOURCES {
        if has(spec, source) {
            out.push(format!("{}: {what}", path.child(source)));
        }
    }
    let path = path.child("nodeAffinity");
    let path = path.child("required");
    let path = path.child("nodeSelectorTerms");
    let terms = list(get(get(spec, "nodeAffinity"), "required"), "nodeSelectorTerms");
    for (index, term) in terms.iter().enumerate() {
        node_term(term, &path.index(index), out);
    }
    if text(spec, "persistentVolumeReclaimPolicy") == "Recycle" {
        let what = "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.";
        out.push(format!("spec.persistentVolumeReclaimPolicy: {what}"));
    }
}

fn storage_class(object: &Value, out: &mut Vec<String>) {
    let all = Path::ROOT.child("allowedTopologies");
    for (index, term) in list(object, "allowedTopologies").iter().enumerate() {
        let path = all.index(index);
        let path = path.child("matchLabelExpressions");
        for (at, expression) in list(term, "matchLabelExpressions").iter().enumerate() {
            deprecated_label(text(expression, "key"), false, &path.index(at).child("key"), out);
        }
    }
}
