//! VolumeRestrictions: disks that pods name themselves and that cannot be mounted twice, and claims with access mode
//! ReadWriteOncePod, which one pod in the cluster may use.
//!
//! No arguments. Follows kube-scheduler v1.36, `plugins/volumerestrictions`.

use crate::scheduler::framework::prelude::*;

/// The plugin.
#[derive(Clone, Copy, Debug)]
pub struct VolumeRestrictions;

/// The pod's claims for one pod only.
#[derive(Clone, Debug, Default)]
pub struct RestrictionsState {
    claims: Vec<String>,
    conflicts: i64,
}

impl RestrictionsState {
    /// How many volumes of a pod use the claims. Compared by name alone: the namespace is not looked at, as in kube-scheduler.
    fn uses(&self, cx: Cx<'_>, pod: PodId) -> i64 {
        let claims = cx.tables.spec_of(cx.cluster, pod).volumes.claims.iter();
        claims.filter(|claim| !claim.ephemeral && self.claims.contains(&claim.name)).count() as i64
    }
}

impl Plugin for VolumeRestrictions {
    fn name(&self) -> PluginName {
        PluginName::VolumeRestrictions
    }

    fn reads(&self) -> Reads {
        Reads::WholeCluster
    }

    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: &[ClusterEvent] = &[
            on(EventResource::AssignedPod, Action::DELETE),
            on(EventResource::Node, Action::ADD),
            on(EventResource::PersistentVolumeClaim, Action::ADD.or(Action::UPDATE)),
        ];
        EVENTS
    }

    fn pre_filter(&self, cx: Cx<'_>, state: &mut CycleState) -> PreFilter {
        let volumes = &cx.spec.volumes;
        let namespace = cx.cluster.interner.text(cx.namespace());
        let mut claims: Vec<String> = Vec::new();
        for wanted in volumes.claims.iter().filter(|claim| !claim.ephemeral) {
            let Some(claim) = cx.tables.storage.claim(namespace, &wanted.name) else {
                let text = format!("persistentvolumeclaim {:?} not found", wanted.name);
                return PreFilter::Reject(Rejection::unresolvable_text(text));
            };
            if claim.access_modes.iter().any(|mode| mode == "ReadWriteOncePod") && !claims.contains(&wanted.name) {
                claims.push(wanted.name.clone());
            }
        }
        let in_use = |name: &&String| {
            cx.tables.with_claims.iter().any(|&pod| {
                cx.cluster.pod(pod).meta.namespace == cx.namespace()
                    && (cx.tables.spec_of(cx.cluster, pod).volumes.claims.iter())
                        .any(|claim| !claim.ephemeral && claim.name == **name)
            })
        };
        let conflicts = claims.iter().filter(in_use).count() as i64;
        state.restrictions = RestrictionsState { claims, conflicts };
        if volumes.disks.is_empty() && conflicts == 0 { PreFilter::Skip } else { PreFilter::Run }
    }

    fn suppose(&self, cx: Cx<'_>, state: &mut CycleState, pod: PodId, _: NodeId, sign: i64) {
        state.restrictions.conflicts += sign * state.restrictions.uses(cx, pod);
    }

    fn filter(&self, cx: Cx<'_>, state: &CycleState, node: NodeView<'_>) -> Verdict {
        let disks = &cx.spec.volumes.disks;
        let taken = |pod: PodId| {
            let theirs = &cx.tables.spec_of(cx.cluster, pod).volumes.disks;
            disks.iter().any(|disk| theirs.iter().any(|other| disk.conflicts(other)))
        };
        if !disks.is_empty() && node.pods().any(taken) {
            return Err(Rejection::unschedulable(Reason::DiskConflict));
        }
        if state.restrictions.conflicts > 0 {
            return Err(Rejection::unschedulable(Reason::ReadWriteOncePodConflict));
        }
        Ok(())
    }
}
