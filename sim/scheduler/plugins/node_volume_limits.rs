//! NodeVolumeLimits: a node attaches no more volumes of a CSI driver than its CSINode allows.
//!
//! No arguments. Follows kube-scheduler v1.36, `plugins/nodevolumelimits/csi.go`. Volumes of in-tree kinds are not translated to CSI.

use std::collections::{BTreeMap, BTreeSet};

use crate::scheduler::framework::prelude::*;

/// The plugin.
#[derive(Clone, Copy, Debug)]
pub struct NodeVolumeLimits;

/// Driver and handle of a volume.
type VolumeKey = (String, String);

/// The CSI volumes of a pod. Claims that do not exist are passed over, or for the incoming pod are an error.
fn volumes_of(cx: Cx<'_>, pod: PodId, into: &mut BTreeSet<VolumeKey>) -> Verdict {
    let meta = &cx.cluster.pod(pod).meta;
    let (namespace, pod_name) = (cx.cluster.interner.text(meta.namespace), cx.cluster.interner.text(meta.name));
    for used in &cx.tables.spec_of(cx.cluster, pod).volumes.claims {
        let name = used.claim_name(pod_name);
        let Some(claim) = cx.tables.storage.claim(namespace, &name) else {
            if pod == cx.pod {
                let text = format!("looking up PVC {namespace}/{name}: persistentvolumeclaim {name:?} not found");
                return Err(Rejection::unresolvable_text(text));
            }
            continue;
        };
        let bound = cx.tables.storage.volumes.get(&claim.volume_name);
        let key = match bound {
            Some(volume) => volume.csi.clone(),
            // Not bound yet: counted by its class under a name that no volume has.
            None => (cx.tables.storage.classes.get(&claim.class))
                .map(|class| (class.provisioner.clone(), format!("claim {namespace}/{name}"))),
        };
        into.extend(key.filter(|(driver, handle)| !driver.is_empty() && !handle.is_empty()));
    }
    Ok(())
}

impl Plugin for NodeVolumeLimits {
    fn name(&self) -> PluginName {
        PluginName::NodeVolumeLimits
    }

    fn reads(&self) -> Reads {
        Reads::WholeCluster
    }

    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: &[ClusterEvent] = &[
            on(EventResource::CsiNode, Action::ADD.or(Action::UPDATE)),
            on(EventResource::AssignedPod, Action::DELETE),
            on(EventResource::PersistentVolumeClaim, Action::ADD),
            on(EventResource::VolumeAttachment, Action::DELETE),
        ];
        EVENTS
    }

    fn pre_filter(&self, cx: Cx<'_>, _: &mut CycleState) -> PreFilter {
        if cx.spec.volumes.counts { PreFilter::Run } else { PreFilter::Skip }
    }

    fn filter(&self, cx: Cx<'_>, _: &CycleState, node: NodeView<'_>) -> Verdict {
        let mut new = BTreeSet::new();
        volumes_of(cx, cx.pod, &mut new)?;
        let Some(limits) = cx.tables.storage.limits.get(node.name()).filter(|limits| !limits.is_empty()) else {
            return Ok(());
        };
        if new.is_empty() {
            return Ok(());
        }
        let mut attached = BTreeSet::new();
        for pod in node.pods() {
            volumes_of(cx, pod, &mut attached).ok();
        }
        new.retain(|volume| !attached.contains(volume));
        for attachment in cx.tables.storage.attachments.values().filter(|other| other.node == node.name()) {
            let volume = cx.tables.storage.volumes.get(&attachment.volume);
            attached.extend(volume.and_then(|volume| volume.csi.clone()));
        }
        let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
        for (driver, _) in &new {
            *counts.entry(driver).or_default() += 1;
        }
        for (driver, count) in counts {
            let there = attached.iter().filter(|(other, _)| other == driver).count() as i64;
            if limits.get(driver).is_some_and(|&limit| there + count > limit) {
                return Err(Rejection::unschedulable(Reason::MaxVolumeCount));
            }
        }
        Ok(())
    }
}
