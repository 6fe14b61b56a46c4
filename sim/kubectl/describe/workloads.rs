//! The descriptions of deployments, replica sets, replication controllers, stateful sets and daemon sets.

use serde_json::Value;

use super::common::{conditions, controlled_by, indented_labels, labels_and_annotations, name_and_namespace};
use super::events::events;
use super::fields::go_list;
use super::template::template;
use super::writer::Writer;
use crate::kubectl::age;
use crate::kubectl::labels::{format_labels, format_selector, map_selects, selector_text, selects};
use crate::kubectl::look::{at, controller, has, int, list, name, namespace, scalar, scalar_or, text};
use crate::kubectl::printers::storage_class;
use crate::kubectl::replica_sets::{new_replica_set, old_replica_sets, owned_replica_sets};
use crate::kubectl::view::View;

pub(super) fn deployment(w: &mut Writer, deployment: &Value, view: &View<'_>) {
    name_and_namespace(w, deployment);
    w.field(0, "CreationTimestamp", age::date(at(deployment, "metadata.creationTimestamp")));
    labels_and_annotations(w, deployment);
    w.field(0, "Selector", selector(deployment));
    w.field(
        0,
        "Replicas",
        format!(
            "{} desired | {} updated | {} total | {} available | {} unavailable",
            int(deployment, "spec.replicas"),
            int(deployment, "status.updatedReplicas"),
            int(deployment, "status.replicas"),
            int(deployment, "status.availableReplicas"),
            int(deployment, "status.unavailableReplicas")
        ),
    );
    w.field(0, "StrategyType", text(deployment, "spec.strategy.type"));
    w.field(0, "MinReadySeconds", int(deployment, "spec.minReadySeconds"));
    let rolling = at(deployment, "spec.strategy.rollingUpdate");
    if !rolling.is_null() {
        let [unavailable, surge] = ["maxUnavailable", "maxSurge"].map(|field| scalar_or(rolling, field, "<nil>"));
        w.field(0, "RollingUpdateStrategy", format!("{unavailable} max unavailable, {surge} max surge"));
    }
    template(w, at(deployment, "spec.template"));
    conditions(w, deployment);
    replica_sets_of(w, deployment, view);
    events(w, deployment, view);
}

fn replica_sets_of(w: &mut Writer, deployment: &Value, view: &View<'_>) {
    let all = owned_replica_sets(deployment, view);
    if all.is_empty() {
        return;
    }
    let newest = new_replica_set(deployment, &all);
    let show = |sets: &[&Value]| {
        let shown = sets.iter().map(|set| {
            let (replicas, desired) = (int(set, "status.replicas"), int(set, "spec.replicas"));
            format!("{} ({replicas}/{desired} replicas created)", name(set))
        });
        let shown = shown.collect::<Vec<_>>().join(", ");
        if shown.is_empty() { "<none>".to_owned() } else { shown }
    };
    w.field(0, "OldReplicaSets", show(&old_replica_sets(&all, newest)));
    w.field(0, "NewReplicaSet", show(newest.as_slice()));
}

fn selector(object: &Value) -> String {
    selector_text(at(object, "spec.selector")).unwrap_or_default()
}

pub(super) fn replica_set(w: &mut Writer, set: &Value, view: &View<'_>) {
    name_and_namespace(w, set);
    w.field(0, "Selector", format_selector(at(set, "spec.selector")));
    labels_and_annotations(w, set);
    controlled_by(w, set);
    replicas(w, set);
    pods_status(w, set, view);
    template(w, at(set, "spec.template"));
    conditions(w, set);
    events(w, set, view);
}

pub(super) fn replication_controller(w: &mut Writer, object: &Value, view: &View<'_>) {
    name_and_namespace(w, object);
    w.field(0, "Selector", format_labels(object, "spec.selector"));
    labels_and_annotations(w, object);
    replicas(w, object);
    pods_status(w, object, view);
    template(w, at(object, "spec.template"));
    conditions(w, object);
    events(w, object, view);
}

fn replicas(w: &mut Writer, object: &Value) {
    let (current, desired) = (int(object, "status.replicas"), int(object, "spec.replicas"));
    w.field(0, "Replicas", format!("{current} current / {desired} desired"));
}

/// How many pods of a controller are in each phase.
fn pods_status(w: &mut Writer, owner: &Value, view: &View<'_>) {
    let uid = text(owner, "metadata.uid");
    let is_map = text(owner, "kind") == "ReplicationController";
    let wanted = at(owner, "spec.selector");
    let mut pods = view.in_namespace("Pod", "", namespace(owner));
    pods.retain(|pod| {
        let is_selected = if is_map { map_selects(wanted, pod) } else { selects(wanted, pod) };
        is_selected && controller(pod).is_some_and(|controller| text(controller, "uid") == uid)
    });
    let count = |phase: &str| pods.iter().filter(|pod| text(pod, "status.phase") == phase).count();
    let [running, waiting, succeeded, failed] = ["Running", "Pending", "Succeeded", "Failed"].map(count);
    w.field(
        0,
        "Pods Status",
        format!("{running} Running / {waiting} Waiting / {succeeded} Succeeded / {failed} Failed"),
    );
}

pub(super) fn stateful_set(w: &mut Writer, set: &Value, view: &View<'_>) {
    name_and_namespace(w, set);
    w.field(0, "CreationTimestamp", age::date(at(set, "metadata.creationTimestamp")));
    w.field(0, "Selector", selector(set));
    labels_and_annotations(w, set);
    let (desired, total) = (int(set, "spec.replicas"), int(set, "status.replicas"));
    w.field(0, "Replicas", format!("{desired} desired | {total} total"));
    w.field(0, "Update Strategy", text(set, "spec.updateStrategy.type"));
    let rolling = at(set, "spec.updateStrategy.rollingUpdate");
    if has(rolling, "partition") {
        w.field(1, "Partition", int(rolling, "partition"));
        if has(rolling, "maxUnavailable") {
            w.field(1, "MaxUnavailable", scalar(at(rolling, "maxUnavailable")));
        }
    }
    pods_status(w, set, view);
    template(w, at(set, "spec.template"));
    claim_templates(w, list(set, "spec.volumeClaimTemplates"));
    events(w, set, view);
}

fn claim_templates(w: &mut Writer, templates: &[Value]) {
    if templates.is_empty() {
        return w.line(0, "Volume Claims:\t<none>");
    }
    w.line(0, "Volume Claims:");
    for claim in templates {
        w.field(1, "Name", name(claim));
        w.field(1, "StorageClass", storage_class(claim));
        indented_labels(w, "  ", "Labels", at(claim, "metadata.labels"));
        indented_labels(w, "  ", "Annotations", at(claim, "metadata.annotations"));
        w.field(1, "Capacity", scalar_or(claim, "spec.resources.requests.storage", "<default>"));
        w.field(1, "Access Modes", go_list(claim, "spec.accessModes"));
    }
}

pub(super) fn daemon_set(w: &mut Writer, set: &Value, view: &View<'_>) {
    name_and_namespace(w, set);
    w.field(0, "Selector", selector(set));
    w.field(0, "Node-Selector", format_labels(set, "spec.template.spec.nodeSelector"));
    labels_and_annotations(w, set);
    for (title, field) in [
        ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
        ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
        ("Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"),
        ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    ] {
        w.line(0, &format!("{title}: {}", int(at(set, "status"), field)));
    }
    pods_status(w, set, view);
    template(w, at(set, "spec.template"));
    events(w, set, view);
}
