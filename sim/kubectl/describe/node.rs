//! The description of a node, with what its pods request.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::common::{labels_and_annotations, quantities, rest_of_list};
use super::events::events;
use super::pod_resources::{Amounts, Side, pod_amounts};
use super::writer::Writer;
use crate::api::quantity::Quantity;
use crate::kubectl::age;
use crate::kubectl::gosort;
use crate::kubectl::look::{at, entries, flag, has, list, map, name, namespace, or_none, scalar_or, text, texts};
use crate::kubectl::view::View;

/// The roles that a node's labels give it, sorted.
pub(crate) fn node_roles(node: &Value) -> Vec<String> {
    let role = |(key, value): (&str, String)| match key.strip_prefix("node-role.kubernetes.io/") {
        Some(role) => role.to_owned(),
        None if key == "kubernetes.io/role" => value,
        None => String::new(),
    };
    let roles: BTreeSet<String> = entries(node, "metadata.labels").into_iter().map(role).collect();
    roles.into_iter().filter(|role| !role.is_empty()).collect()
}

pub(super) fn node(w: &mut Writer, node: &Value, view: &View<'_>) {
    w.field(0, "Name", name(node));
    w.field(0, "Roles", or_none(&node_roles(node).join(",")));
    labels_and_annotations(w, node);
    w.field(0, "CreationTimestamp", age::date(at(node, "metadata.creationTimestamp")));
    taints(w, list(node, "spec.taints"));
    w.field(0, "Unschedulable", flag(node, "spec.unschedulable"));
    lease(w, node, view);
    conditions(w, node);
    w.line(0, "Addresses:");
    for address in list(node, "status.addresses") {
        w.field(1, text(address, "type"), text(address, "address"));
    }
    for (title, path) in [("Capacity", "status.capacity"), ("Allocatable", "status.allocatable")] {
        if map(node, path).is_some_and(|map| !map.is_empty()) {
            w.line(0, &format!("{title}:"));
            quantities(w, 1, node, path);
        }
    }
    system(w, node);
    pods(w, node, view);
    events(w, node, view);
}

fn taints(w: &mut Writer, taints: &[Value]) {
    let mut sorted: Vec<&Value> = taints.iter().collect();
    let key = |taint: &Value| format!("{},{}", text(taint, "effect"), text(taint, "key"));
    gosort::sort(&mut sorted, |a, b| key(a) < key(b));
    w.put(0, "Taints:\t");
    let lines: Vec<String> = sorted.into_iter().map(taint).collect();
    rest_of_list(w, "", &lines);
}

/// A taint as `key=value:Effect` (`Taint.ToString`).
fn taint(taint: &Value) -> String {
    let [key, value, effect] = ["key", "value", "effect"].map(|field| text(taint, field));
    match (value, effect) {
        ("", "") => key.to_owned(),
        (value, "") => format!("{key}={value}:"),
        ("", effect) => format!("{key}:{effect}"),
        (value, effect) => format!("{key}={value}:{effect}"),
    }
}

fn lease(w: &mut Writer, node: &Value, view: &View<'_>) {
    let name = name(node);
    let Some(lease) = view.find("Lease", "coordination.k8s.io", "kube-node-lease", name) else {
        let error = format!("leases.coordination.k8s.io \"{name}\" not found");
        return w.field(0, "Lease", format!("Failed to get lease: {error}"));
    };
    w.line(0, "Lease:");
    w.field(1, "HolderIdentity", scalar_or(lease, "spec.holderIdentity", "<unset>"));
    for (title, path) in [("AcquireTime", "spec.acquireTime"), ("RenewTime", "spec.renewTime")] {
        let time = if has(lease, path) { age::date(at(lease, path)) } else { "<unset>".to_owned() };
        w.field(1, title, time);
    }
}

fn conditions(w: &mut Writer, node: &Value) {
    let conditions = list(node, "status.conditions");
    if conditions.is_empty() {
        return;
    }
    w.line(0, "Conditions:\n  Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage");
    w.line(1, "----\t------\t-----------------\t------------------\t------\t-------");
    for condition in conditions {
        let cell = |field| text(condition, field);
        let [heartbeat, transition] =
            ["lastHeartbeatTime", "lastTransitionTime"].map(|field| age::date(at(condition, field)));
        let (kind, status) = (cell("type"), cell("status"));
        let (reason, message) = (cell("reason"), cell("message"));
        w.line(1, &format!("{kind} \t{status} \t{heartbeat} \t{transition} \t{reason} \t{message}"));
    }
}

fn system(w: &mut Writer, node: &Value) {
    w.line(0, "System Info:");
    for (title, field) in [
        ("Machine ID", "machineID"),
        ("System UUID", "systemUUID"),
        ("Boot ID", "bootID"),
        ("Kernel Version", "kernelVersion"),
        ("OS Image", "osImage"),
        ("Operating System", "operatingSystem"),
        ("Architecture", "architecture"),
        ("Container Runtime Version", "containerRuntimeVersion"),
        ("Kubelet Version", "kubeletVersion"),
    ] {
        w.field(1, title, text(at(node, "status.nodeInfo"), field));
    }
    for (title, value) in [
        ("PodCIDR", text(node, "spec.podCIDR").to_owned()),
        ("PodCIDRs", texts(node, "spec.podCIDRs").join(",")),
        ("ProviderID", text(node, "spec.providerID").to_owned()),
    ] {
        if !value.is_empty() {
            w.field(0, title, value);
        }
    }
}

fn pods(w: &mut Writer, node: &Value, view: &View<'_>) {
    let mut pods = view.of("Pod", "");
    pods.retain(|pod| {
        text(pod, "spec.nodeName") == name(node) && !matches!(text(pod, "status.phase"), "Succeeded" | "Failed")
    });
    let allocatable = match map(node, "status.allocatable") {
        Some(map) if !map.is_empty() => amounts(node, "status.allocatable"),
        _ => amounts(node, "status.capacity"),
    };
    w.field(0, "Non-terminated Pods", format!("({} in total)", pods.len()));
    w.line(1, "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge");
    w.line(1, "---------\t----\t\t------------\t----------\t---------------\t-------------\t---");
    let (mut requests, mut limits) = (Amounts::new(), Amounts::new());
    for pod in &pods {
        let request = pod_amounts(pod, Side::Requests, true);
        let limit = pod_amounts(pod, Side::Limits, true);
        let cells = [(&request, "cpu"), (&limit, "cpu"), (&request, "memory"), (&limit, "memory")]
            .map(|(amounts, resource)| share(amounts, &allocatable, resource, None))
            .join("\t");
        let age = age::since(at(pod, "metadata.creationTimestamp"), view.now);
        w.line(1, &format!("{}\t{}\t\t{cells}\t{age}", namespace(pod), name(pod)));
        add(&mut requests, pod_amounts(pod, Side::Requests, false));
        add(&mut limits, pod_amounts(pod, Side::Limits, false));
    }
    totals(w, &requests, &limits, &allocatable);
}

fn amounts(object: &Value, path: &str) -> Amounts {
    let parse = |(name, text): (&str, String)| Some((name.to_owned(), text.parse().ok()?));
    entries(object, path).into_iter().filter_map(parse).collect()
}

fn add(total: &mut Amounts, more: BTreeMap<String, Quantity>) {
    for (name, quantity) in more {
        match total.get_mut(&name) {
            Some(sum) => sum.add(&quantity),
            None => _ = total.insert(name, quantity),
        }
    }
}

/// `100m (1%)`: an amount and its part of the allocatable, cut to an integer. Where nothing is allocatable Go's division by
/// zero shows, unless `empty` says what stands there.
fn share(amounts: &Amounts, allocatable: &Amounts, resource: &str, empty: Option<i64>) -> String {
    let number = |amounts: &Amounts| {
        let quantity = amounts.get(resource).cloned().unwrap_or_default();
        if resource == "cpu" { quantity.milli_value() } else { quantity.value() }
    };
    let (amount, whole) = (number(amounts), number(allocatable));
    let percent = match empty {
        Some(empty) if whole == 0 => empty,
        _ => {
            let percent = amount as f64 / whole as f64 * 100.0;
            if percent.is_finite() { percent as i64 } else { i64::MIN }
        }
    };
    format!("{} ({percent}%)", amounts.get(resource).cloned().unwrap_or_default())
}

fn totals(w: &mut Writer, requests: &Amounts, limits: &Amounts, allocatable: &Amounts) {
    w.line(0, "Allocated resources:\n  (Total limits may be over 100 percent, i.e., overcommitted.)");
    w.line(1, "Resource\tRequests\tLimits");
    w.line(1, "--------\t--------\t------");
    let huge = allocatable.keys().filter(|name| name.starts_with("hugepages-"));
    for resource in ["cpu", "memory", "ephemeral-storage"].into_iter().chain(huge.map(String::as_str)) {
        let request = share(requests, allocatable, resource, Some(0));
        let limit = share(limits, allocatable, resource, Some(0));
        w.line(1, &format!("{resource}\t{request}\t{limit}"));
    }
    for resource in allocatable.keys() {
        let is_standard = matches!(resource.as_str(), "cpu" | "memory" | "ephemeral-storage" | "pods");
        if !is_standard && !resource.starts_with("hugepages-") {
            let amount = |amounts: &Amounts| amounts.get(resource).cloned().unwrap_or_default();
            w.line(1, &format!("{resource}\t{}\t{}", amount(requests), amount(limits)));
        }
    }
}
