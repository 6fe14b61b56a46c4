//! VolumeBinding: bound claims must be reachable from the node; claims that wait for their first consumer must find a volume, or a
//! class that can make one, there. What it finds is bound after the pod was assumed (PreBind).
//!
//! Arguments: `bindTimeoutSeconds` (default 600), which the binding cycle reads. Follows kube-scheduler v1.36,
//! `plugins/volumebinding` and component-helpers `storage/volume`. Volumes of in-tree kinds are not translated to CSI.

use std::collections::BTreeSet;

use crate::cluster::ObjId;
use crate::scheduler::framework::prelude::*;
use crate::scheduler::framework::storage::{Claim, Volume};

/// Provisioner of classes that make no volumes.
const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// The plugin.
#[derive(Clone, Copy, Debug)]
pub struct VolumeBinding;

/// Keys of claims: namespace and name.
type ClaimKey = (String, String);

/// The pod's claims.
#[derive(Clone, Debug, Default)]
pub struct BindingState {
    bound: Vec<ClaimKey>,
    waiting: Vec<ClaimKey>,
}

/// What is to be bound or made for a pod on its node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumePlan {
    /// Claims with the volumes found for them.
    pub bind: Vec<(ObjId, ObjId)>,
    /// Claims for which a volume is to be made.
    pub provision: Vec<ObjId>,
}

/// How the claims of a pod fare on a node.
struct Findings {
    bound_satisfied: bool,
    unbound_satisfied: bool,
    enough_space: bool,
    volumes_exist: bool,
    plan: VolumePlan,
}

impl VolumeBinding {
    /// The pod's claims, or why it cannot be scheduled at all.
    fn claims(cx: Cx<'_>) -> Result<BindingState, Rejection> {
        let storage = &cx.tables.storage;
        let namespace = cx.cluster.interner.text(cx.namespace());
        let pod_name = cx.cluster.interner.text(cx.row().meta.name);
        let text = |text: String| Err(Rejection::unresolvable_text(text));
        for used in &cx.spec.volumes.claims {
            let name = used.claim_name(pod_name);
            let Some(claim) = storage.claim(namespace, &name) else {
                return text(match used.ephemeral {
                    true => {
                        format!("waiting for ephemeral volume controller to create the persistentvolumeclaim {name:?}")
                    }
                    false => format!("persistentvolumeclaim {name:?} not found"),
                });
            };
            if claim.lost {
                let volume = &claim.volume_name;
                return text(format!(
                    "persistentvolumeclaim {name:?} bound to non-existent persistentvolume {volume:?}"
                ));
            }
            if claim.deleting {
                return text(format!("persistentvolumeclaim {name:?} is being deleted"));
            }
            if used.ephemeral && cx.cluster.controller_of(claim.object) != Some(cx.pod.into()) {
                return text(format!(
                    "PVC {namespace}/{name} was not created for pod {namespace}/{pod_name} (pod is not owner)"
                ));
            }
        }
        let (mut state, mut unbound_immediate) = (BindingState::default(), false);
        for used in &cx.spec.volumes.claims {
            let key = (namespace.to_owned(), used.claim_name(pod_name));
            let Some(claim) = storage.claims.get(&key) else { continue };
            let waits = storage.classes.get(&claim.class).is_some_and(|class| class.waits());
            if !claim.volume_name.is_empty() && claim.bind_completed {
                state.bound.push(key);
            } else if waits && claim.volume_name.is_empty() {
                state.waiting.push(key);
            } else {
                unbound_immediate = true;
            }
        }
        if unbound_immediate { Err(Rejection::unresolvable(Reason::UnboundImmediateClaims)) } else { Ok(state) }
    }

    /// `FindPodVolumes`.
    fn find(cx: Cx<'_>, state: &BindingState, node: NodeView<'_>) -> Findings {
        let storage = &cx.tables.storage;
        let mut findings = Findings {
            bound_satisfied: true,
            unbound_satisfied: true,
            enough_space: true,
            volumes_exist: true,
            plan: VolumePlan::default(),
        };
        for claim in state.bound.iter().filter_map(|key| storage.claims.get(key)) {
            let Some(volume) = storage.volumes.get(&claim.volume_name) else {
                findings.volumes_exist = false;
                break;
            };
            if !reaches(volume, node) {
                findings.bound_satisfied = false;
                break;
            }
        }
        let (mut to_match, mut to_provision) = (Vec::new(), Vec::new());
        for key in &state.waiting {
            let Some(claim) = storage.claims.get(key) else { continue };
            match &claim.selected_node {
                Some(selected) if selected != node.name() => {
                    findings.unbound_satisfied = false;
                    return findings;
                }
                Some(_) => to_provision.push((key, claim)),
                None => to_match.push((key, claim)),
            }
        }
        if !to_match.is_empty() {
            let unmatched = VolumeBinding::match_volumes(cx, to_match, node, &mut findings.plan);
            findings.unbound_satisfied = unmatched.is_empty();
            to_provision.extend(unmatched);
        }
        if !to_provision.is_empty() {
            (findings.unbound_satisfied, findings.enough_space) = VolumeBinding::provisions(cx, &to_provision, node);
            findings.plan.provision = to_provision.iter().map(|(_, claim)| claim.object).collect();
        }
        findings
    }

    /// Finds volumes for claims, the smallest claim first; returns the claims that found none.
    fn match_volumes<'a>(
        cx: Cx<'a>,
        mut claims: Vec<(&'a ClaimKey, &'a Claim)>,
        node: NodeView<'_>,
        plan: &mut VolumePlan,
    ) -> Vec<(&'a ClaimKey, &'a Claim)> {
        claims.sort_by(|(_, a), (_, b)| a.request.cmp(&b.request));
        let mut chosen = BTreeSet::new();
        let mut unmatched = Vec::new();
        for (key, claim) in claims {
            match find_volume(cx, key, claim, node, &chosen) {
                Some(volume) => {
                    chosen.insert(volume.object);
                    plan.bind.push((claim.object, volume.object));
                }
                None => unmatched.push((key, claim)),
            }
        }
        unmatched
    }

    /// `checkVolumeProvisions`: whether volumes can be made on the node, and whether there is space for them.
    fn provisions(cx: Cx<'_>, claims: &[(&ClaimKey, &Claim)], node: NodeView<'_>) -> (bool, bool) {
        for (_, claim) in claims {
            let Some(class) = cx.tables.storage.classes.get(&claim.class) else { return (false, true) };
            let makes = !class.provisioner.is_empty() && class.provisioner != NO_PROVISIONER;
            if !makes || !class.allows(|key| node.label(key)) {
                return (false, true);
            }
            if !has_space(cx, &class.provisioner, claim, node) {
                return (true, false);
            }
        }
        (true, true)
    }

    /// What is to be bound or made for the pod on a node that Filter has accepted (Reserve).
    pub fn plan(cx: Cx<'_>, node: NodeId) -> VolumePlan {
        VolumeBinding::claims(cx).map(|claims| VolumeBinding::find(cx, &claims, cx.view(node)).plan).unwrap_or_default()
    }
}

/// Whether the volume's node affinity admits a node, by its labels alone.
fn reaches(volume: &Volume, node: NodeView<'_>) -> bool {
    volume.nodes.as_ref().is_none_or(|nodes| nodes.matches("", |key| node.label(key)).unwrap_or(false))
}

/// `hasEnoughCapacity`: drivers that publish their capacity must have room for the claim in a segment that the node reaches.
fn has_space(cx: Cx<'_>, provisioner: &str, claim: &Claim, node: NodeView<'_>) -> bool {
    let storage = &cx.tables.storage;
    let Some(request) = claim.request.as_ref().map(|request| request.value()) else { return true };
    if storage.capacity_drivers.get(provisioner) != Some(&true) {
        return true;
    }
    storage.capacities.values().any(|capacity| {
        capacity.class == claim.class
            && capacity.limit.is_some_and(|limit| limit >= request)
            && capacity.nodes.as_ref().is_some_and(|nodes| nodes.matches(|key| node.label(key)))
    })
}

/// `FindMatchingVolume`: the volume meant for the claim, or the smallest that will do.
fn find_volume<'a>(
    cx: Cx<'a>,
    key: &ClaimKey,
    claim: &Claim,
    node: NodeView<'_>,
    chosen: &BTreeSet<ObjId>,
) -> Option<&'a Volume> {
    let storage = &cx.tables.storage;
    let of_class = storage.volumes.values().filter(|volume| volume.class == claim.class);
    let candidates = of_class.filter(|volume| !chosen.contains(&volume.object) && !volume.deleting);
    let mut smallest: Option<&Volume> = None;
    for volume in candidates {
        let is_meant = volume.is_for(&key.0, &key.1);
        if (volume.claim.is_some() && !is_meant)
            || claim.request.as_ref().is_some_and(|request| volume.capacity < *request)
            || volume.volume_mode != claim.volume_mode
            || volume.attributes_class != claim.attributes_class
        {
            continue;
        }
        if is_meant {
            return reaches(volume, node).then_some(volume);
        }
        let selected =
            claim.selector.as_ref().is_none_or(|selector| selector.matches(|key| cx.cluster.label(volume.labels, key)));
        let has_modes = claim.access_modes.iter().all(|mode| volume.access_modes.contains(mode));
        if volume.available
            && selected
            && has_modes
            && reaches(volume, node)
            && smallest.is_none_or(|smallest| smallest.capacity > volume.capacity)
        {
            smallest = Some(volume);
        }
    }
    smallest
}

impl Plugin for VolumeBinding {
    fn name(&self) -> PluginName {
        PluginName::VolumeBinding
    }

    fn reads(&self) -> Reads {
        Reads::WholeCluster
    }

    fn score_kind(&self) -> ScoreKind {
        ScoreKind::Zero
    }

    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const ADD_OR_UPDATE: Action = Action::ADD.or(Action::UPDATE);
        const EVENTS: &[ClusterEvent] = &[
            on(EventResource::StorageClass, ADD_OR_UPDATE),
            on(EventResource::PersistentVolumeClaim, ADD_OR_UPDATE),
            on(EventResource::PersistentVolume, ADD_OR_UPDATE),
            on(EventResource::Node, Action::ADD.or(Action::UPDATE_NODE_LABEL)),
            on(EventResource::CsiNode, ADD_OR_UPDATE),
            on(EventResource::CsiDriver, Action::UPDATE),
            on(EventResource::CsiStorageCapacity, ADD_OR_UPDATE),
        ];
        EVENTS
    }

    fn pre_filter(&self, cx: Cx<'_>, state: &mut CycleState) -> PreFilter {
        if cx.spec.volumes.claims.is_empty() {
            return PreFilter::Skip;
        }
        match VolumeBinding::claims(cx) {
            Ok(claims) => {
                state.binding = claims;
                PreFilter::Run
            }
            Err(rejection) => PreFilter::Reject(rejection),
        }
    }

    fn filter(&self, cx: Cx<'_>, state: &CycleState, node: NodeView<'_>) -> Verdict {
        let findings = VolumeBinding::find(cx, &state.binding, node);
        let mut rejection = Rejection { code: Code::UnschedulableAndUnresolvable, reasons: Default::default() };
        for (holds, reason) in [
            (findings.bound_satisfied, Reason::VolumeNodeAffinity),
            (findings.unbound_satisfied, Reason::VolumeBinding),
            (findings.enough_space, Reason::VolumeSpace),
            (findings.volumes_exist, Reason::VolumeMissing),
        ] {
            if !holds {
                rejection.reasons.push(reason);
            }
        }
        if rejection.reasons.is_empty() { Ok(()) } else { Err(rejection) }
    }

    /// Without storage capacity scoring (alpha, off) it never scores.
    fn pre_score(&self, _: Cx<'_>, _: &mut CycleState, _: &[NodeId]) -> bool {
        false
    }
}
