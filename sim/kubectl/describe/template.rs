//! The pod template of a controller.

use serde_json::Value;

use super::common::{annotations, labels, tolerations, topology_spread};
use super::containers::{Frame, containers};
use super::pod::scheduling_group;
use super::volumes::volumes;
use super::writer::Writer;
use crate::kubectl::look::{at, list, text};

pub(crate) fn template(w: &mut Writer, template: &Value) {
    w.line(0, "Pod Template:");
    if template.is_null() {
        return w.put(1, "<unset>");
    }
    labels(w, "  Labels", at(template, "metadata.labels"));
    if at(template, "metadata.annotations").as_object().is_some_and(|map| !map.is_empty()) {
        annotations(w, "  Annotations", at(template, "metadata.annotations"));
    }
    if !text(template, "spec.serviceAccountName").is_empty() {
        w.field(1, "Service Account", text(template, "spec.serviceAccountName"));
    }
    let frame = |title| Frame { title, indent: "  ", statuses: &[], pod: None };
    if !list(template, "spec.initContainers").is_empty() {
        containers(w, list(template, "spec.initContainers"), &frame("Init Containers"));
    }
    containers(w, list(template, "spec.containers"), &frame("Containers"));
    volumes(w, "  ", list(template, "spec.volumes"));
    topology_spread(w, "  ", list(template, "spec.topologySpreadConstraints"));
    if !text(template, "spec.priorityClassName").is_empty() {
        w.field(1, "Priority Class Name", text(template, "spec.priorityClassName"));
    }
    labels(w, "  Node-Selectors", at(template, "spec.nodeSelector"));
    tolerations(w, "  ", list(template, "spec.tolerations"));
    scheduling_group(w, "  ", at(template, "spec.schedulingGroup"));
}
