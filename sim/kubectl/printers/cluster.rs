//! The tables of nodes, namespaces and other kinds of the cluster as a whole.

use serde_json::Value;

use super::{Table, name, table};
use crate::kubectl::describe::node_roles;
use crate::kubectl::look::{at, condition, flag, int, list, or_none, scalar_or, text};

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

pub(super) const LEASE_CANDIDATE: Table =
    table(&["NAME", "LEASENAME", "BINARYVERSION", "EMULATIONVERSION", "AGE"], |object, scene| {
        let spec = ["leaseName", "binaryVersion", "emulationVersion"];
        let mut row = vec![name(object)];
        row.extend(spec.iter().map(|field| text(at(object, "spec"), field).to_owned()));
        row.push(scene.age(object));
        row
    });

pub(super) const COMPONENT_STATUS: Table = table(&["NAME", "STATUS", "MESSAGE", "ERROR"], |object, _| {
    let healthy = list(object, "conditions").iter().find(|condition| text(condition, "type") == "Healthy");
    let status = match healthy {
        Some(condition) if text(condition, "status") == "True" => "Healthy",
        Some(_) => "Unhealthy",
        None => "Unknown",
    };
    let cell = |field: &str| healthy.map_or("", |condition| text(condition, field)).to_owned();
    vec![name(object), status.to_owned(), cell("message"), cell("error")]
});

pub(super) const API_SERVICE: Table = table(&["NAME", "SERVICE", "AVAILABLE", "AGE"], |object, scene| {
    let service = match at(object, "spec.service") {
        Value::Null => "Local".to_owned(),
        service => format!("{}/{}", text(service, "namespace"), text(service, "name")),
    };
    let available = match condition(object, "Available") {
        Some(condition) if text(condition, "status") == "True" => "True".to_owned(),
        Some(condition) => format!("{} ({})", text(condition, "status"), text(condition, "reason")),
        None => "Unknown".to_owned(),
    };
    vec![name(object), service, available, scene.age(object)]
});

pub(super) const FLOW_SCHEMA: Table = table(
    &["NAME", "PRIORITYLEVEL", "MATCHINGPRECEDENCE", "DISTINGUISHERMETHOD", "AGE", "MISSINGPL"],
    |object, scene| {
        vec![
            name(object),
            text(object, "spec.priorityLevelConfiguration.name").to_owned(),
            int(object, "spec.matchingPrecedence").to_string(),
            or_none(text(object, "spec.distinguisherMethod.type")).to_owned(),
            scene.age(object),
            condition(object, "Dangling").map_or("?", |condition| text(condition, "status")).to_owned(),
        ]
    },
);

pub(super) const PRIORITY_LEVEL: Table = table(
    &["NAME", "TYPE", "NOMINALCONCURRENCYSHARES", "QUEUES", "HANDSIZE", "QUEUELENGTHLIMIT", "AGE"],
    |object, scene| {
        let limited = at(object, "spec.limited");
        let queuing = |field: &str| scalar_or(at(limited, "limitResponse.queuing"), field, "<none>");
        vec![
            name(object),
            text(object, "spec.type").to_owned(),
            scalar_or(limited, "nominalConcurrencyShares", "<none>"),
            queuing("queues"),
            queuing("handSize"),
            queuing("queueLengthLimit"),
            scene.age(object),
        ]
    },
);
