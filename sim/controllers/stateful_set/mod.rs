//! The StatefulSet controller (kube-controller-manager v1.36, `statefulset`).

mod claims;
mod pods;
mod sync;

use std::collections::BTreeSet;

use super::{Action, Context, Controller, Keys};
use crate::cluster::objects::StatefulSet;
use crate::cluster::{Change, Cluster, ControllerKind, ObjId, ObjectRef, PodId, What};
use sync::Sync;

pub use pods::ordinal_of;
pub use sync::max_unavailable;

/// Keeps pods with names of their own, in order.
#[derive(Debug, Default)]
pub struct StatefulSetController {
    /// Those whose pods may have to be adopted or released: nothing else makes a sync look at pods it does not own.
    claims: BTreeSet<ObjId>,
}

impl Controller for StatefulSetController {
    fn kind(&self) -> ControllerKind {
        ControllerKind::StatefulSet
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, keys: &mut Keys<'_>) {
        if matches!(change.what, What::Event(_)) {
            return;
        }
        match change.object {
            ObjectRef::Object(id) if cluster.try_get::<StatefulSet>(id).is_some() => {
                if matches!(change.what, What::Created | What::Spec) {
                    self.claims.insert(id);
                }
                keys.add(id);
            }
            ObjectRef::Pod(pod) if super::owned_pods::matters(change.what, cluster) => {
                match cluster.controller_of(pod) {
                    Some(ObjectRef::Object(owner)) if cluster.try_get::<StatefulSet>(owner).is_some() => {
                        let may_go = matches!(change.what, What::Labels | What::Meta);
                        if may_go && !pods::selects(cluster, cluster.get(owner), pod) {
                            self.claims.insert(owner);
                        }
                        keys.add(owner);
                    }
                    None => self.observe_orphan(pod, cluster, keys),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let ObjectRef::Object(id) = key else { return Action::Done };
        if cluster.meta(key).removed {
            self.claims.remove(&id);
            return Action::Done;
        }
        if self.claims.remove(&id) {
            pods::claim(id, cluster, cx);
            claim_revisions(id, cluster, cx);
        }
        Sync::new(id, cluster, cx).run(cluster, cx)
    }
}

/// Adopts the history that an earlier set of the same pods left behind.
fn claim_revisions(id: ObjId, cluster: &mut Cluster, cx: &mut Context<'_>) {
    if !cluster.meta(id.into()).is_deleting() {
        let selector = cluster.get::<StatefulSet>(id).selector.clone();
        super::history::claim_revisions(cluster, id, &selector, false, cx);
    }
}

impl StatefulSetController {
    fn observe_orphan(&mut self, pod: PodId, cluster: &Cluster, keys: &mut Keys<'_>) {
        for id in cluster.of_kind_in("StatefulSet", cluster.pod(pod).meta.namespace) {
            if pods::selects(cluster, cluster.get(id), pod) {
                self.claims.insert(id);
                keys.add(id);
            }
        }
    }
}
