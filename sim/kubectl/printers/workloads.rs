//! The tables of controllers of pods that run for ever.

use serde_json::Value;

use super::{Scene, Table, containers, name, table};
use crate::kubectl::labels::{format_labels, format_selector, selector_text};
use crate::kubectl::look::{at, controller, int, text};

pub(super) const POD_TEMPLATE: Table = table(&["NAME", "CONTAINERS", "IMAGES", "POD LABELS"], |object, _| {
    let (names, images) = containers(at(object, "template.spec"));
    vec![name(object), names, images, format_labels(object, "template.metadata.labels")]
});

pub(super) const REPLICATION_CONTROLLER: Table =
    table(REPLICAS, |object, scene| replicas(object, scene, format_labels(object, "spec.selector")));

pub(super) const REPLICA_SET: Table =
    table(REPLICAS, |object, scene| replicas(object, scene, format_selector(at(object, "spec.selector"))));

const REPLICAS: &[&str] = &["NAME", "DESIRED", "CURRENT", "READY", "AGE", "+CONTAINERS", "+IMAGES", "+SELECTOR"];

fn replicas(object: &Value, scene: Scene, selector: String) -> Vec<String> {
    let (names, images) = containers(at(object, "spec.template.spec"));
    vec![
        name(object),
        int(object, "spec.replicas").to_string(),
        int(object, "status.replicas").to_string(),
        int(object, "status.readyReplicas").to_string(),
        scene.age(object),
        names,
        images,
        selector,
    ]
}

pub(super) const DEPLOYMENT: Table = table(
    &["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "+CONTAINERS", "+IMAGES", "+SELECTOR"],
    |object, scene| {
        let (names, images) = containers(at(object, "spec.template.spec"));
        vec![
            name(object),
            format!("{}/{}", int(object, "status.readyReplicas"), int(object, "spec.replicas")),
            int(object, "status.updatedReplicas").to_string(),
            int(object, "status.availableReplicas").to_string(),
            scene.age(object),
            names,
            images,
            selector_text(at(object, "spec.selector")).unwrap_or_else(|| "<invalid>".to_owned()),
        ]
    },
);

pub(super) const STATEFUL_SET: Table = table(&["NAME", "READY", "AGE", "+CONTAINERS", "+IMAGES"], |object, scene| {
    let (names, images) = containers(at(object, "spec.template.spec"));
    let ready = format!("{}/{}", int(object, "status.readyReplicas"), int(object, "spec.replicas"));
    vec![name(object), ready, scene.age(object), names, images]
});

pub(super) const DAEMON_SET: Table = table(
    &[
        "NAME",
        "DESIRED",
        "CURRENT",
        "READY",
        "UP-TO-DATE",
        "AVAILABLE",
        "NODE SELECTOR",
        "AGE",
        "+CONTAINERS",
        "+IMAGES",
        "+SELECTOR",
    ],
    |object, scene| {
        let (names, images) = containers(at(object, "spec.template.spec"));
        vec![
            name(object),
            int(object, "status.desiredNumberScheduled").to_string(),
            int(object, "status.currentNumberScheduled").to_string(),
            int(object, "status.numberReady").to_string(),
            int(object, "status.updatedNumberScheduled").to_string(),
            int(object, "status.numberAvailable").to_string(),
            format_labels(object, "spec.template.spec.nodeSelector"),
            scene.age(object),
            names,
            images,
            format_selector(at(object, "spec.selector")),
        ]
    },
);

pub(super) const CONTROLLER_REVISION: Table = table(&["NAME", "CONTROLLER", "REVISION", "AGE"], |object, scene| {
    let owner = controller(object).map_or_else(
        || "<none>".to_owned(),
        |owner| {
            let kind = text(owner, "kind").to_lowercase();
            match text(owner, "apiVersion").split_once('/') {
                Some((group, _)) => format!("{kind}.{group}/{}", text(owner, "name")),
                None => format!("{kind}/{}", text(owner, "name")),
            }
        },
    );
    vec![name(object), owner, int(object, "revision").to_string(), scene.age(object)]
});
