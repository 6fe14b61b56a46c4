//! The DaemonSet controller (kube-controller-manager v1.36, `daemon`).

mod sync;
mod update;

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Context, Controller, Keys};
use crate::cluster::objects::{ControllerRevision, DaemonSet};
use crate::cluster::{Change, Cluster, ControllerKind, NodeId, ObjId, ObjectRef, What};
use crate::engine::{Span, Time};

/// Most pods created or deleted in one sync (`BurstReplicas`).
const BURST_REPLICAS: usize = 250;
/// The first delay before a failed pod is replaced, doubled each time (`failedPodsBackoff`).
const BACKOFF_BASE: Span = Span::from_secs(1);
/// The longest of these delays.
const BACKOFF_MAX: Span = Span::from_secs(15 * 60);

/// The failed pods of each set on each node.
type Backoff = BTreeMap<(ObjId, NodeId), Failures>;

/// What is known of failed pods of a set on a node.
#[derive(Clone, Copy, Debug)]
struct Failures {
    /// The generation of the set that they belong to: a new one begins anew.
    generation: u32,
    /// When the last one was deleted.
    at: Time,
    /// The delay before the next one is.
    delay: Span,
}

/// Keeps one pod on every node that should have one.
#[derive(Debug, Default)]
pub struct DaemonSetController {
    backoff: Backoff,
    /// Those whose pods may have to be adopted or released: nothing else makes a sync look at pods it does not own.
    claims: BTreeSet<ObjId>,
}

impl Controller for DaemonSetController {
    fn kind(&self) -> ControllerKind {
        ControllerKind::DaemonSet
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, keys: &mut Keys<'_>) {
        match (change.object, change.what) {
            (_, What::Event(_)) => {}
            (ObjectRef::Object(id), what) if cluster.try_get::<DaemonSet>(id).is_some() => {
                if matches!(what, What::Created | What::Spec) {
                    self.claims.insert(id);
                }
                keys.add(id);
            }
            // History that nobody controls may be adopted.
            (ObjectRef::Object(id), What::Created | What::Labels | What::Meta)
                if cluster.try_get::<ControllerRevision>(id).is_some() && cluster.controller_of(id).is_none() =>
            {
                for set in cluster.of_kind_in("DaemonSet", cluster.meta(id.into()).namespace) {
                    if sync::selects_labels(cluster, cluster.get(set), cluster.meta(id.into()).labels) {
                        self.claims.insert(set);
                        keys.add(set);
                    }
                }
            }
            (ObjectRef::Pod(pod), what)
                if super::owned_pods::matters(what, cluster) || matches!(what, What::Bound(_)) =>
            {
                match cluster.controller_of(pod) {
                    Some(ObjectRef::Object(owner)) if cluster.try_get::<DaemonSet>(owner).is_some() => {
                        let may_go = matches!(what, What::Labels | What::Meta);
                        if may_go && !sync::selects(cluster, cluster.get(owner), pod) {
                            self.claims.insert(owner);
                        }
                        keys.add(owner);
                    }
                    None if matches!(what, What::Created | What::Labels | What::Meta) => {
                        for id in cluster.of_kind_in("DaemonSet", cluster.pod(pod).meta.namespace) {
                            if sync::selects(cluster, cluster.get(id), pod) {
                                self.claims.insert(id);
                                keys.add(id);
                            }
                        }
                    }
                    _ => {}
                }
            }
            // A node that is gone wakes nobody: the status keeps it until its pod is gone.
            (ObjectRef::Node(_), What::Created | What::Labels | What::Taints) => {
                for id in cluster.of_kind("DaemonSet") {
                    keys.add(id);
                }
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let ObjectRef::Object(id) = key else { return Action::Done };
        if cluster.meta(key).removed {
            self.backoff.retain(|&(set, _), _| set != id);
            self.claims.remove(&id);
            return Action::Done;
        }
        if cluster.get::<DaemonSet>(id).selector.is_empty() {
            let source = cluster.words.daemonset_controller;
            let message = "This daemon set is selecting all pods. A non-empty selector is required.";
            cluster.record_event(id, crate::cluster::EventType::Warning, "SelectingAll", message, source);
            return Action::Done;
        }
        if cluster.meta(key).is_deleting() {
            return Action::Done;
        }
        if self.claims.remove(&id) {
            sync::claim(id, cluster, cx);
        }
        sync::Sync::new(id, cluster, cx).run(&mut self.backoff, cluster, cx)
    }
}
