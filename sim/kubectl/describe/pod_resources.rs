//! What a pod requests and what limits it, all containers together.
//!
//! Source: component-helpers `resource` (`PodRequests`, `PodLimits`).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::quantity::Quantity;
use crate::kubectl::look::{at, entries, list, text};

/// Quantities by resource name.
pub(super) type Amounts = BTreeMap<String, Quantity>;

/// Which amounts of a container.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Side {
    Requests,
    Limits,
}

impl Side {
    fn field(self) -> &'static str {
        match self {
            Side::Requests => "requests",
            Side::Limits => "limits",
        }
    }
}

/// The amounts of a pod: the larger of its containers' sum and its init containers' greatest need, what the pod as a whole
/// says instead, and its overhead. With `with_status` a resize that is not done counts as the larger of old and new.
pub(super) fn pod_amounts(pod: &Value, side: Side, with_status: bool) -> Amounts {
    let amounts_of = |container: &Value, statuses: &str| {
        let mut amounts = read(container, &format!("resources.{}", side.field()));
        if with_status {
            from_status(&mut amounts, pod, container, statuses, side);
        }
        amounts
    };
    let mut total = Amounts::new();
    for container in list(pod, "spec.containers") {
        add(&mut total, &amounts_of(container, "status.containerStatuses"));
    }
    let (mut sidecars, mut greatest) = (Amounts::new(), Amounts::new());
    for container in list(pod, "spec.initContainers") {
        let mut amounts = amounts_of(container, "status.initContainerStatuses");
        if text(container, "restartPolicy") == "Always" {
            add(&mut total, &amounts);
            add(&mut sidecars, &amounts);
            amounts = sidecars.clone();
        } else {
            add(&mut amounts, &sidecars);
        }
        max(&mut greatest, amounts);
    }
    max(&mut total, greatest);
    for (name, quantity) in read(pod, &format!("spec.resources.{}", side.field())) {
        if name == "cpu" || name == "memory" || name.starts_with("hugepages-") {
            total.insert(name, quantity);
        }
    }
    for (name, overhead) in read(pod, "spec.overhead") {
        match total.get_mut(&name) {
            Some(sum) if side == Side::Requests || !sum.is_zero() => sum.add(&overhead),
            None if side == Side::Requests => _ = total.insert(name, overhead),
            _ => {}
        }
    }
    total
}

fn read(object: &Value, path: &str) -> Amounts {
    let parse = |(name, text): (&str, String)| Some((name.to_owned(), text.parse().ok()?));
    entries(object, path).into_iter().filter_map(parse).collect()
}

fn from_status(amounts: &mut Amounts, pod: &Value, container: &Value, statuses: &str, side: Side) {
    let status = list(pod, statuses).iter().find(|status| text(status, "name") == text(container, "name"));
    let Some(status) = status.filter(|status| !at(status, "resources").is_null()) else { return };
    let actual = read(status, &format!("resources.{}", side.field()));
    let infeasible = list(pod, "status.conditions")
        .iter()
        .any(|condition| text(condition, "type") == "PodResizePending" && text(condition, "reason") == "Infeasible");
    if infeasible {
        amounts.clear();
    }
    max(amounts, actual);
    if side == Side::Requests {
        max(amounts, read(status, "allocatedResources"));
    }
}

fn add(total: &mut Amounts, more: &Amounts) {
    for (name, quantity) in more {
        match total.get_mut(name) {
            Some(sum) => sum.add(quantity),
            None => _ = total.insert(name.clone(), quantity.clone()),
        }
    }
}

fn max(total: &mut Amounts, other: Amounts) {
    for (name, quantity) in other {
        match total.get_mut(&name) {
            Some(known) if *known >= quantity => {}
            _ => _ = total.insert(name, quantity),
        }
    }
}
