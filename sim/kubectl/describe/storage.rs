//! The descriptions of volumes, claims, storage classes and CSI nodes.

use serde_json::Value;

use super::common::{annotations, labels, labels_and_annotations, requirements, rest_of_list};
use super::events::events;
use super::fields::go_list;
use super::volumes::persistent_source;
use super::writer::Writer;
use crate::kubectl::age;
use crate::kubectl::gosort;
use crate::kubectl::labels::format_labels;
use crate::kubectl::look::{at, bool_or_unset, has, int, list, name, namespace, scalar, scalar_or, text, texts};
use crate::kubectl::printers::{access_modes, is_default_class, storage_class};
use crate::kubectl::view::View;

pub(super) fn persistent_volume(w: &mut Writer, volume: &Value, view: &View<'_>) {
    w.field(0, "Name", name(volume));
    labels_and_annotations(w, volume);
    w.field(0, "Finalizers", go_list(volume, "metadata.finalizers"));
    w.field(0, "StorageClass", storage_class(volume));
    status(w, volume, view.now);
    match at(volume, "spec.claimRef") {
        Value::Null => w.field(0, "Claim", ""),
        claim => w.field(0, "Claim", format!("{}/{}", text(claim, "namespace"), text(claim, "name"))),
    }
    w.field(0, "Reclaim Policy", text(volume, "spec.persistentVolumeReclaimPolicy"));
    w.field(0, "Access Modes", access_modes(at(volume, "spec.accessModes")));
    if has(volume, "spec.volumeMode") {
        w.field(0, "VolumeMode", text(volume, "spec.volumeMode"));
    }
    w.field(0, "Capacity", scalar_or(volume, "spec.capacity.storage", "0"));
    node_affinity(w, at(volume, "spec.nodeAffinity.required"));
    w.field(0, "Message", text(volume, "status.message"));
    w.line(0, "Source:");
    persistent_source(w, at(volume, "spec"));
    events(w, volume, view);
}

fn status(w: &mut Writer, object: &Value, now: i64) {
    match at(object, "metadata.deletionTimestamp") {
        Value::Null => w.field(0, "Status", text(object, "status.phase")),
        deleted => w.field(0, "Status", format!("Terminating (lasts {})", age::since(deleted, now))),
    }
}

fn node_affinity(w: &mut Writer, required: &Value) {
    if required.is_null() {
        return w.line(0, "Node Affinity:\t<none>");
    }
    w.line(0, "Node Affinity:\t");
    let terms = list(required, "nodeSelectorTerms");
    w.line(1, if terms.is_empty() { "Required Terms:\t<none>" } else { "Required Terms:\t" });
    for (index, term) in terms.iter().enumerate() {
        requirements(w, 2, &format!("Term {index}"), list(term, "matchExpressions"));
    }
}

pub(super) fn claim(w: &mut Writer, claim: &Value, view: &View<'_>) {
    claim_fields(w, claim, Some(view.now));
    used_by(w, claim, view);
    let conditions = list(claim, "status.conditions");
    if !conditions.is_empty() {
        w.line(0, "Conditions:");
        w.line(1, "Type\tStatus\tLastProbeTime\tLastTransitionTime\tReason\tMessage");
        w.line(1, "----\t------\t-----------------\t------------------\t------\t-------");
        for condition in conditions {
            let cell = |field| text(condition, field);
            let [probe, transition] =
                ["lastProbeTime", "lastTransitionTime"].map(|field| age::date(at(condition, field)));
            let (kind, status) = (cell("type"), cell("status"));
            let (reason, message) = (cell("reason"), cell("message"));
            w.line(1, &format!("{kind} \t{status} \t{probe} \t{transition} \t{reason} \t{message}"));
        }
    }
    events(w, claim, view);
}

/// The claim that an ephemeral volume would make.
pub(super) fn claim_template(w: &mut Writer, template: &Value) {
    claim_fields(w, template, None);
}

/// The fields of a claim; a template of one (`now` is none) has neither name nor status.
fn claim_fields(w: &mut Writer, claim: &Value, now: Option<i64>) {
    if now.is_some() {
        w.field(0, "Name", name(claim));
        w.field(0, "Namespace", namespace(claim));
    }
    w.field(0, "StorageClass", storage_class(claim));
    if let Some(now) = now {
        status(w, claim, now);
    }
    let volume = text(claim, "spec.volumeName");
    w.field(0, "Volume", volume);
    labels(w, "Labels", at(claim, "metadata.labels"));
    annotations(w, "Annotations", at(claim, "metadata.annotations"));
    if now.is_some() {
        w.field(0, "Finalizers", go_list(claim, "metadata.finalizers"));
    }
    let (capacity, modes) = match volume {
        "" => (String::new(), String::new()),
        _ => (scalar_or(claim, "status.capacity.storage", "0"), access_modes(at(claim, "status.accessModes"))),
    };
    w.field(0, "Capacity", capacity);
    w.field(0, "Access Modes", modes);
    if has(claim, "spec.volumeMode") {
        w.field(0, "VolumeMode", text(claim, "spec.volumeMode"));
    }
    let source = at(claim, "spec.dataSource");
    if !source.is_null() {
        w.line(0, "DataSource:");
        if has(source, "apiGroup") {
            w.field(1, "APIGroup", scalar(at(source, "apiGroup")));
        }
        w.field(1, "Kind", text(source, "kind"));
        w.field(1, "Name", text(source, "name"));
    }
}

fn used_by(w: &mut Writer, claim: &Value, view: &View<'_>) {
    let pods = view.in_namespace("Pod", "", namespace(claim));
    let is_user = |pod: &&&Value| {
        let volumes = list(pod, "spec.volumes").iter();
        volumes.filter(|volume| text(volume, "persistentVolumeClaim.claimName") == name(claim)).count() > 0
            || list(claim, "metadata.ownerReferences")
                .iter()
                .any(|owner| text(owner, "kind") == "Pod" && text(owner, "uid") == text(pod, "metadata.uid"))
    };
    let mut names: Vec<String> = pods.iter().filter(is_user).map(|pod| name(pod).to_owned()).collect();
    gosort::sort(&mut names, |a, b| a < b);
    w.put(0, "Used By:\t");
    rest_of_list(w, "", &names);
}

pub(super) fn storage_class_object(w: &mut Writer, class: &Value, view: &View<'_>) {
    w.field(0, "Name", name(class));
    w.field(0, "IsDefaultClass", if is_default_class(class) { "Yes" } else { "No" });
    w.field(0, "Annotations", format_labels(class, "metadata.annotations"));
    w.field(0, "Provisioner", text(class, "provisioner"));
    w.field(0, "Parameters", format_labels(class, "parameters"));
    w.field(0, "AllowVolumeExpansion", bool_or_unset(at(class, "allowVolumeExpansion")));
    let options = texts(class, "mountOptions");
    w.line(0, if options.is_empty() { "MountOptions:\t<none>" } else { "MountOptions:" });
    for option in options {
        w.line(1, option);
    }
    for (title, field) in [("ReclaimPolicy", "reclaimPolicy"), ("VolumeBindingMode", "volumeBindingMode")] {
        if has(class, field) {
            w.field(0, title, text(class, field));
        }
    }
    if has(class, "allowedTopologies") {
        let terms = list(class, "allowedTopologies");
        w.line(0, if terms.is_empty() { "AllowedTopologies:\t<none>" } else { "AllowedTopologies:\t" });
        for (index, term) in terms.iter().enumerate() {
            requirements(w, 1, &format!("Term {index}"), list(term, "matchLabelExpressions"));
        }
    }
    events(w, class, view);
}

pub(super) fn volume_attributes_class(w: &mut Writer, class: &Value, view: &View<'_>) {
    w.field(0, "Name", name(class));
    w.field(0, "Annotations", format_labels(class, "metadata.annotations"));
    w.field(0, "DriverName", text(class, "driverName"));
    w.field(0, "Parameters", format_labels(class, "parameters"));
    events(w, class, view);
}

pub(super) fn csi_node(w: &mut Writer, node: &Value, view: &View<'_>) {
    w.field(0, "Name", name(node));
    labels_and_annotations(w, node);
    w.field(0, "CreationTimestamp", age::date(at(node, "metadata.creationTimestamp")));
    w.line(0, "Spec:");
    if has(node, "spec.drivers") {
        w.line(1, "Drivers:");
        for driver in list(node, "spec.drivers") {
            w.line(2, &format!("{}:", text(driver, "name")));
            w.field(3, "Node ID", text(driver, "nodeID"));
            if has(driver, "allocatable.count") {
                w.line(3, "Allocatables:");
                w.field(4, "Count", int(driver, "allocatable.count"));
            }
            if has(driver, "topologyKeys") {
                w.field(3, "Topology Keys", go_list(driver, "topologyKeys"));
            }
        }
    }
    events(w, node, view);
}
