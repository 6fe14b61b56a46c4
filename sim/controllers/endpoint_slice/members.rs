//! The pods that a Service selects, and where the last sync put their endpoints: the next one looks only at pods that have changed.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::packing::{self, Plan};
use crate::cluster::objects::{Endpoint, EndpointPort, EndpointSlice};
use crate::cluster::{Cluster, ObjId, PodId};

/// The pods of one Service.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    /// In order of creation.
    pub(super) pods: BTreeSet<PodId>,
    /// What the last sync left, while nothing but pods has changed since.
    synced: Option<Synced>,
}

/// All endpoints of a Service that has one list of ports.
#[derive(Clone, Debug, Default)]
struct Synced {
    ports: Vec<EndpointPort>,
    /// The slices with their resource versions.
    slices: Vec<(ObjId, u64)>,
    /// The slice that holds each pod.
    place: FxHashMap<PodId, usize>,
    /// Pods that have changed since.
    changed: BTreeSet<PodId>,
}

/// What becomes of a pod's endpoint is not decided by the pod alone.
pub(super) struct NotAlone;

/// A plan for the slices of one list of ports.
pub(super) struct Changes {
    pub(super) ports: Vec<EndpointPort>,
    pub(super) slices: Vec<ObjId>,
    pub(super) plan: Plan,
}

impl Members {
    /// A pod has come, gone or changed.
    pub(super) fn touch(&mut self, pod: PodId) {
        if let Some(synced) = &mut self.synced {
            synced.changed.insert(pod);
        }
    }

    /// Something else than a pod has changed: the next sync looks at everything.
    pub(super) fn touch_all(&mut self) {
        self.synced = None;
    }

    /// Takes note of the slices as a sync has left them.
    pub(super) fn note(&mut self, slices: Vec<ObjId>, cluster: &Cluster) {
        self.synced = None;
        let Some(&first) = slices.first() else { return };
        let ports = cluster.get::<EndpointSlice>(first).ports.clone();
        let mut place = FxHashMap::default();
        for (idx, &slice) in slices.iter().enumerate() {
            let body: &EndpointSlice = cluster.get(slice);
            if body.ports != ports || body.endpoints.is_empty() {
                return;
            }
            place.extend(body.endpoints.iter().map(|endpoint| (endpoint.pod, idx)));
        }
        let version = |slice: ObjId| (slice, cluster.meta(slice.into()).resource_version);
        self.synced =
            Some(Synced { ports, slices: slices.into_iter().map(version).collect(), place, changed: BTreeSet::new() });
    }

    /// What the pods that have changed since the last sync make necessary; `None` if everything must be looked at. `endpoint` is that of
    /// a pod now, if it has one, with its ports; an error if that is no matter of the pod alone.
    pub(super) fn changes(
        &self,
        cluster: &Cluster,
        endpoint: impl Fn(PodId) -> Result<Option<(Endpoint, Vec<EndpointPort>)>, NotAlone>,
    ) -> Option<Changes> {
        let synced = self.synced.as_ref()?;
        let is_known = |&(slice, version): &(ObjId, u64)| {
            let meta = cluster.meta(slice.into());
            !meta.removed && !meta.is_deleting() && meta.resource_version == version
        };
        if !synced.slices.iter().all(is_known) {
            return None;
        }
        let (mut now, mut touched) = (BTreeMap::new(), BTreeSet::new());
        for &pod in &synced.changed {
            let endpoint = if self.pods.contains(&pod) { endpoint(pod).ok()? } else { None };
            if endpoint.as_ref().is_some_and(|(_, ports)| *ports != synced.ports) {
                return None;
            }
            now.insert(pod, endpoint.map(|(endpoint, _)| endpoint));
            touched.extend(synced.place.get(&pod));
        }
        let slices: Vec<ObjId> = synced.slices.iter().map(|&(slice, _)| slice).collect();
        let views: Vec<&[Endpoint]> =
            slices.iter().map(|&slice| cluster.get::<EndpointSlice>(slice).endpoints.as_slice()).collect();
        let plan = packing::plan_changes(&views, &now, &touched);
        // The last slices going is not a matter of some pods.
        (plan.delete.is_empty()).then(|| Changes { ports: synced.ports.clone(), slices, plan })
    }

    /// Takes note that these changes were carried out; `created` are the new slices.
    pub(super) fn carried_out(&mut self, changes: &Changes, created: &[ObjId], cluster: &Cluster) {
        let Some(synced) = &mut self.synced else { return };
        let updated: BTreeSet<usize> = changes.plan.update.iter().map(|&(idx, _)| idx).collect();
        for pod in std::mem::take(&mut synced.changed) {
            // A slice that is not written holds the pod as before.
            if synced.place.get(&pod).is_some_and(|idx| updated.contains(idx)) {
                synced.place.remove(&pod);
            }
        }
        synced.slices.extend(created.iter().map(|&slice| (slice, 0)));
        let n_before = changes.slices.len();
        for idx in updated.into_iter().chain(n_before..synced.slices.len()) {
            let slice = synced.slices[idx].0;
            synced
                .place
                .extend(cluster.get::<EndpointSlice>(slice).endpoints.iter().map(|endpoint| (endpoint.pod, idx)));
        }
        for (slice, version) in &mut synced.slices {
            *version = cluster.meta((*slice).into()).resource_version;
        }
    }
}
