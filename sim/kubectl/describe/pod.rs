//! The description of a pod.

use serde_json::Value;

use super::common::{controlled_by, labels, labels_and_annotations, name_and_namespace, tolerations, topology_spread};
use super::containers::{Frame, containers, resources};
use super::events::events;
use super::volumes::volumes;
use super::writer::Writer;
use crate::kubectl::age;
use crate::kubectl::look::{at, condition, has, int, list, scalar, text};
use crate::kubectl::view::View;

pub(super) fn pod(w: &mut Writer, pod: &Value, view: &View<'_>) {
    name_and_namespace(w, pod);
    placement(w, pod);
    labels_and_annotations(w, pod);
    status(w, pod, view.now);
    controlled_by(w, pod);
    optional(w, "NominatedNodeName", text(pod, "status.nominatedNodeName"));
    if has(pod, "spec.resources") {
        w.line(0, "Resources:");
        resources(w, 1, at(pod, "spec.resources"));
    }
    all_containers(w, pod);
    readiness_gates(w, pod);
    let conditions = list(pod, "status.conditions");
    if !conditions.is_empty() {
        w.line(0, "Conditions:\n  Type\tStatus");
        for condition in conditions {
            w.line(1, &format!("{} \t{} ", text(condition, "type"), text(condition, "status")));
        }
    }
    volumes(w, "", list(pod, "spec.volumes"));
    w.field(0, "QoS Class", qos_class(pod));
    labels(w, "Node-Selectors", at(pod, "spec.nodeSelector"));
    tolerations(w, "", list(pod, "spec.tolerations"));
    topology_spread(w, "", list(pod, "spec.topologySpreadConstraints"));
    scheduling_group(w, "", at(pod, "spec.schedulingGroup"));
    events(w, pod, view);
}

fn optional(w: &mut Writer, key: &str, value: &str) {
    if !value.is_empty() {
        w.field(0, key, value);
    }
}

fn placement(w: &mut Writer, pod: &Value) {
    if has(pod, "spec.priority") {
        w.field(0, "Priority", int(pod, "spec.priority"));
    }
    optional(w, "Priority Class Name", text(pod, "spec.priorityClassName"));
    optional(w, "Runtime Class Name", text(pod, "spec.runtimeClassName"));
    optional(w, "Service Account", text(pod, "spec.serviceAccountName"));
    match text(pod, "spec.nodeName") {
        "" => w.field(0, "Node", "<none>"),
        node => w.field(0, "Node", format!("{node}/{}", text(pod, "status.hostIP"))),
    }
    if has(pod, "status.startTime") {
        w.field(0, "Start Time", age::date(at(pod, "status.startTime")));
    }
}

fn status(w: &mut Writer, pod: &Value, now: i64) {
    let phase = text(pod, "status.phase");
    let deleted = at(pod, "metadata.deletionTimestamp");
    if !deleted.is_null() && phase != "Failed" && phase != "Succeeded" {
        w.field(0, "Status", format!("Terminating (lasts {})", age::since(deleted, now)));
        w.field(0, "Termination Grace Period", format!("{}s", int(pod, "metadata.deletionGracePeriodSeconds")));
    } else {
        w.field(0, "Status", phase);
    }
    optional(w, "Reason", text(pod, "status.reason"));
    optional(w, "Message", text(pod, "status.message"));
    let seccomp = at(pod, "spec.securityContext.seccompProfile");
    if !seccomp.is_null() {
        w.field(0, "SeccompProfile", text(seccomp, "type"));
        if text(seccomp, "type") == "Localhost" {
            w.field(0, "LocalhostProfile", text(seccomp, "localhostProfile"));
        }
    }
    w.field(0, "IP", text(pod, "status.podIP"));
    let ips = list(pod, "status.podIPs");
    w.line(0, if ips.is_empty() { "IPs:\t<none>" } else { "IPs:" });
    for ip in ips {
        w.field(1, "IP", text(ip, "ip"));
    }
}

fn all_containers(w: &mut Writer, pod: &Value) {
    let frame = |title, statuses| Frame { title, indent: "", statuses: list(pod, statuses), pod: Some(pod) };
    if !list(pod, "spec.initContainers").is_empty() {
        let frame = frame("Init Containers", "status.initContainerStatuses");
        containers(w, list(pod, "spec.initContainers"), &frame);
    }
    containers(w, list(pod, "spec.containers"), &frame("Containers", "status.containerStatuses"));
    if !list(pod, "spec.ephemeralContainers").is_empty() {
        let frame = frame("Ephemeral Containers", "status.ephemeralContainerStatuses");
        containers(w, list(pod, "spec.ephemeralContainers"), &frame);
    }
}

fn readiness_gates(w: &mut Writer, pod: &Value) {
    let gates = list(pod, "spec.readinessGates");
    if gates.is_empty() {
        return;
    }
    w.line(0, "Readiness Gates:\n  Type\tStatus");
    for gate in gates {
        let kind = text(gate, "conditionType");
        let status = condition(pod, kind).map_or("<none>", |condition| text(condition, "status"));
        w.line(1, &format!("{kind} \t{status} "));
    }
}

/// The pod group that a pod is scheduled with; nothing without one.
pub(super) fn scheduling_group(w: &mut Writer, indent: &str, group: &Value) {
    if !group.is_null() {
        w.line(0, &format!("{indent}SchedulingGroup:"));
        w.field(1, "PodGroupName", text(group, "podGroupName"));
    }
}

/// `status.qosClass`, or the class that requests and limits make (`ComputePodQOS`).
fn qos_class(pod: &Value) -> String {
    let given = text(pod, "status.qosClass");
    if !given.is_empty() {
        return given.to_owned();
    }
    let containers = || list(pod, "spec.initContainers").iter().chain(list(pod, "spec.containers"));
    let set = |container: &Value, side: &str, resource: &str| {
        let quantity = scalar(at(container, &format!("resources.{side}.{resource}")));
        (!quantity.is_empty() && quantity != "0").then_some(quantity)
    };
    let compute = ["cpu", "memory"];
    let any = containers().any(|container| {
        compute
            .iter()
            .any(|name| set(container, "requests", name).is_some() || set(container, "limits", name).is_some())
    });
    let guaranteed = containers().all(|container| {
        compute.iter().all(|name| {
            let limit = set(container, "limits", name);
            limit.is_some() && set(container, "requests", name).is_none_or(|request| Some(request) == limit)
        })
    });
    let class = if !any {
        "BestEffort"
    } else if guaranteed {
        "Guaranteed"
    } else {
        "Burstable"
    };
    class.to_owned()
}
