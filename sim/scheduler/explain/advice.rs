//! The smallest change on one node, or to the pod, that removes one reason for rejection.

use k8s_openapi::api::core::v1 as core;

use crate::api::selector::Requirement;
use crate::api::toleration::TaintEffect;
use crate::cluster::{PodId, ResourceId};
use crate::scheduler::framework::plugin::Cx;
use crate::scheduler::framework::reason::Reason;
use crate::scheduler::framework::view::NodeView;

/// What would have to change for a reason to go.
pub(super) fn changes(cx: Cx<'_>, reason: &Reason, node: NodeView<'_>) -> Vec<String> {
    let one = |text: &str| vec![text.to_owned()];
    match reason {
        Reason::NodeUnschedulable => one("uncordon it"),
        Reason::NodeName => one("drop the pod's nodeName"),
        Reason::UntoleratedTaints => untolerated(cx, node),
        Reason::NodeAffinity => labels(cx, node),
        Reason::EnforcedNodeAffinity => one("label it as the scheduler's addedAffinity asks"),
        Reason::Ports => ports(cx, node),
        Reason::TooManyPods => {
            let limit = node.allocatable(ResourceId::PODS);
            vec![format!("take {} pod(s) off it (it may run {limit})", node.n_pods() + 1 - limit)]
        }
        Reason::Insufficient(resource) => vec![shortage(cx, *resource, node)],
        Reason::DiskConflict => one("take off the pod that uses the same disk"),
        Reason::ReadWriteOncePodConflict => one("delete the pod that uses the ReadWriteOncePod claim"),
        Reason::MaxVolumeCount => {
            one("take off a pod with volumes of the same driver, or raise the limit of its CSINode")
        }
        Reason::VolumeBinding => one("add a volume that matches the claim there, or a class that can make one"),
        Reason::VolumeNodeAffinity | Reason::VolumeZone => one("move the pod's volume there"),
        Reason::VolumeSpace => one("add storage capacity there"),
        Reason::VolumeMissing => one("bring back the volume that the claim is bound to"),
        Reason::SpreadConstraints => {
            one("take a matching pod out of its domain, add one to the domain with the fewest, or raise maxSkew")
        }
        Reason::SpreadMissingLabel => missing_topology(cx, node),
        Reason::PodAffinity => one("run a pod in its domain that the pod's affinity asks for"),
        Reason::PodAntiAffinity => one("take the pods out of its domain that the pod's anti-affinity avoids"),
        Reason::ExistingAntiAffinity => one("take the pods out of its domain whose anti-affinity avoids this pod"),
        Reason::DeclaredFeatures => vec![format!("let its kubelet declare {}", cx.spec.features.join(", "))],
        Reason::NodeAffinityConflict
        | Reason::UnboundImmediateClaims
        | Reason::NoVictims
        | Reason::PreemptionNotHelpful
        | Reason::Text(_) => Vec::new(),
    }
}

fn untolerated(cx: Cx<'_>, node: NodeView<'_>) -> Vec<String> {
    let taints = node.taints().filter(|taint| {
        taint.effect != TaintEffect::PreferNoSchedule
            && !cx.spec.tolerations.iter().any(|toleration| toleration.tolerates(taint))
    });
    taints.map(|taint| format!("tolerate {taint}")).collect()
}

/// How much more of a resource is needed.
fn shortage(cx: Cx<'_>, resource: ResourceId, node: NodeView<'_>) -> String {
    let name = cx.cluster.interner.resource_name(resource);
    let amount = |amount: i64| if resource == ResourceId::CPU { format!("{amount}m") } else { amount.to_string() };
    let request = cx.cluster.resources_of(cx.pod).request(resource);
    let (allocatable, requested) = (node.allocatable(resource), node.requested(resource));
    let free = allocatable - requested;
    let missing = amount(request - free);
    if request > allocatable {
        format!(
            "ask for {} less {name}, or give it as much more (it has {})",
            amount(request - allocatable),
            amount(allocatable)
        ) + &if requested > 0 { format!(", and free {}", amount(requested)) } else { String::new() }
    } else {
        format!("free {missing} of {name} (asked for {}, free {})", amount(request), amount(free))
    }
}

/// The host ports that are taken, and by whom.
fn ports(cx: Cx<'_>, node: NodeView<'_>) -> Vec<String> {
    let mut changes = Vec::new();
    for pod in node.pods() {
        for port in &cx.tables.spec_of(cx.cluster, pod).host_ports {
            if cx.spec.host_ports.iter().any(|wanted| wanted.conflicts(port)) {
                changes.push(format!("free host port {}/{} ({})", port.port, port.protocol, full_name(cx, pod)));
            }
        }
    }
    changes
}

fn full_name(cx: Cx<'_>, pod: PodId) -> String {
    format!("{}/{}", cx.cluster.namespace(pod), cx.cluster.name(pod))
}

fn missing_topology(cx: Cx<'_>, node: NodeView<'_>) -> Vec<String> {
    let keys = cx.spec.spread.iter().filter(|constraint| constraint.hard).map(|constraint| &constraint.topology_key);
    let missing = keys.filter(|key| node.label(key).is_none());
    missing.map(|key| format!("give it the label {key}")).collect()
}

/// The labels that `nodeSelector` and the nearest term of required node affinity ask for.
fn labels(cx: Cx<'_>, node: NodeView<'_>) -> Vec<String> {
    let spec = &cx.cluster.spec_of(cx.pod).typed;
    let selector = spec.node_selector.iter().flatten();
    let mut changes: Vec<String> = selector
        .filter(|(key, value)| node.label(key) != Some(value.as_str()))
        .map(|(key, value)| format!("label it {key}={value}"))
        .collect();
    let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity.and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
    if let Some(required) = required {
        let terms = required.node_selector_terms.iter().map(|term| unmet(term, node));
        match terms.min_by_key(Vec::len) {
            Some(unmet) => changes.extend(unmet),
            None => changes.push("give the pod's node affinity a term".to_owned()),
        }
    }
    changes
}

/// What a node lacks of a term.
fn unmet(term: &core::NodeSelectorTerm, node: NodeView<'_>) -> Vec<String> {
    let mut unmet = Vec::new();
    for expression in term.match_expressions.iter().flatten() {
        let values = expression.values.clone().unwrap_or_default();
        match Requirement::of_node_selector(&expression.key, &expression.operator, values) {
            Ok(requirement) if requirement.matches(node.label(&expression.key)) => {}
            Ok(requirement) => unmet.push(format!("label it so that `{requirement}` holds")),
            Err(error) => unmet.push(format!("correct the pod's node affinity: {error}")),
        }
    }
    for field in term.match_fields.iter().flatten() {
        let named = field.values.iter().flatten().any(|value| value == node.name());
        if named != (field.operator == "In") {
            unmet.push(format!("let the pod's node affinity admit the name {}", node.name()));
        }
    }
    if unmet.is_empty() && term.match_expressions.is_none() && term.match_fields.is_none() {
        unmet.push("give the empty term of the pod's node affinity a condition".to_owned());
    }
    unmet
}
