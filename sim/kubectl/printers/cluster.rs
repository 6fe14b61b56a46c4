//! The tables of nodes, namespaces and other kinds of the cluster as a whole.

use serde_json::Value;

use super::{Table, name, table};
use crate::kubectl::describe::node_roles;
use crate::kubectl::look::{condition, flag, int, list, or_none, text};

pub(super) const NODE: Table = table(
    &[
        "NAME",
        "STATUS",
        "ROLES",
        "AGE",
        "VERSION",
        "+INTERNAL-IP",
        "+EXTERNAL-IP",
        "+OS-IMAGE",
        "+KERNEL-VERSION",
        "+CONTAINER-RUNTIME",
    ],
    |node, scene| {
        let info = |field: &str| match text(node, &format!("status.nodeInfo.{field}")) {
            "" => "<unknown>".to_owned(),
            text => text.to_owned(),
        };
        let kernel = match text(node, "status.nodeInfo.architecture") {
            "" => info("kernelVersion"),
            architecture => format!("{} ({architecture})", info("kernelVersion")),
        };
        vec![
            name(node),
            status(node),
            or_none(&node_roles(node).join(",")).to_owned(),
            scene.age(node),
            text(node, "status.nodeInfo.kubeletVersion").to_owned(),
            address(node, "InternalIP"),
            address(node, "ExternalIP"),
            info("osImage"),
            kernel,
            info("containerRuntimeVersion"),
        ]
    },
);

fn status(node: &Value) -> String {
    let ready = match condition(node, "Ready") {
        Some(condition) if text(condition, "status") == "True" => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    if flag(node, "spec.unschedulable") { format!("{ready},SchedulingDisabled") } else { ready.to_owned() }
}

fn address(node: &Value, kind: &str) -> String {
    let found = list(node, "status.addresses").iter().find(|address| text(address, "type") == kind);
    found.map_or("<none>", |address| text(address, "address")).to_owned()
}

pub(super) const NAMESPACE: Table = table(&["NAME", "STATUS", "AGE"], |object, scene| {
    vec![name(object), text(object, "status.phase").to_owned(), scene.age(object)]
});

pub(super) const LEASE: Table = table(&["NAME", "HOLDER", "AGE"], |object, scene| {
    vec![name(object), text(object, "spec.holderIdentity").to_owned(), scene.age(object)]
});

pub(super) const PRIORITY_CLASS: Table =
    table(&["NAME", "VALUE", "GLOBAL-DEFAULT", "AGE", "PREEMPTIONPOLICY"], |object, scene| {
        vec![
            name(object),
            int(object, "value").to_string(),
            flag(object, "globalDefault").to_string(),
            scene.age(object),
            text(object, "preemptionPolicy").to_owned(),
        ]
    });

pub(super) const RUNTIME_CLASS: Table = table(&["NAME", "HANDLER", "AGE"], |object, scene| {
    vec![name(object), text(object, "handler").to_owned(), scene.age(object)]
});
