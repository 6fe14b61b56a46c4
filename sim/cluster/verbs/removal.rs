//! Deleting: grace periods, finalizers, and the moment an object is gone (apiserver, `registry/generic/registry/store.go` and
//! `registry/core/pod/strategy.go`).

use crate::cluster::change::What;
use crate::cluster::ids::{ObjId, ObjectRef, PodId};
use crate::cluster::meta::Deletion;
use crate::cluster::objects::{Namespace, NamespacePhase};
use crate::cluster::store::Cluster;

/// `propagationPolicy` of a deletion: what becomes of the dependents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// The object goes at once, the garbage collector deletes its dependents afterwards.
    #[default]
    Background,
    /// The object waits, with a deletion timestamp, until its blocking dependents are gone.
    Foreground,
    /// The dependents stay, without their owner reference.
    Orphan,
}

impl Cluster {
    /// Deletes a pod as the API server does: with grace while it is bound and has not ended, else at once. A second request may
    /// only shorten the grace. `grace_seconds` of `None` means the pod's own.
    pub fn delete_pod(&mut self, pod: PodId, grace_seconds: Option<u32>) {
        let row = &self.pods[pod];
        if row.meta.removed {
            return;
        }
        let unplaced = row.node.is_none() && row.missing_node.is_none();
        let grace_seconds = match grace_seconds {
            _ if unplaced || row.phase.is_terminal() => 0,
            Some(seconds) => seconds,
            None => self.spec_of(pod).grace_seconds,
        };
        let shortens = self.pods[pod].meta.deletion.is_none_or(|deletion| grace_seconds < deletion.grace_seconds);
        if shortens {
            self.mark_deleting(pod.into(), grace_seconds);
        }
        self.remove_if_free(pod.into());
    }

    /// Deletes a pod with the `gracePeriodSeconds` of a request as sent: one that is negative counts as 1
    /// (`registry/core/pod/strategy.go`, `CheckGracefulDelete`).
    pub fn delete_pod_with_period(&mut self, pod: PodId, grace_period_seconds: Option<i64>) {
        let seconds = |period: i64| if period < 0 { 1 } else { u32::try_from(period).unwrap_or(u32::MAX) };
        self.delete_pod(pod, grace_period_seconds.map(seconds));
    }

    /// The kubelet confirms that nothing of a pod is left on its node: the object may go.
    pub fn confirm_pod_stopped(&mut self, pod: PodId) {
        if self.pods[pod].meta.removed {
            return;
        }
        match &mut self.pods[pod].meta.deletion {
            Some(deletion) => deletion.grace_seconds = 0,
            None => self.mark_deleting(pod.into(), 0),
        }
        self.remove_if_free(pod.into());
    }

    /// Deletes an object of another kind, or a node.
    pub fn delete(&mut self, object: impl Into<ObjectRef>, propagation: Propagation) {
        let object = object.into();
        if let ObjectRef::Pod(pod) = object {
            return self.delete_pod(pod, None);
        }
        if self.meta(object).removed {
            return;
        }
        let finalizer = match propagation {
            Propagation::Background => None,
            Propagation::Foreground => Some(self.words.foreground_deletion),
            Propagation::Orphan => Some(self.words.orphan),
        };
        if let Some(finalizer) = finalizer
            && !self.meta(object).finalizers.contains(&finalizer)
        {
            self.meta_mut(object).finalizers.push(finalizer);
        }
        if !self.meta(object).is_deleting() {
            if let ObjectRef::Object(id) = object
                && self.try_get::<Namespace>(id).is_some()
            {
                self.update_status::<Namespace>(id, |namespace| namespace.phase = NamespacePhase::Terminating);
            }
            self.mark_deleting(object, 0);
        }
        self.remove_if_free(object);
    }

    /// The namespace controller takes `kubernetes` off `spec.finalizers`: the namespace is empty and may go.
    pub fn finalize_namespace(&mut self, id: ObjId) {
        if !self.objects[id].meta.removed && self.update_status::<Namespace>(id, |namespace| namespace.finalized = true)
        {
            self.remove_if_free(id.into());
        }
    }

    /// Removes an object whose deletion was asked for, if no finalizer and no grace period holds it.
    pub(super) fn remove_if_free(&mut self, object: ObjectRef) {
        let meta = self.meta(object);
        let held = meta.deletion.is_none_or(|deletion| deletion.grace_seconds > 0) || !meta.finalizers.is_empty();
        let unfinalized = matches!(object, ObjectRef::Object(id) if !self.is_finalized(id));
        if !meta.removed && !held && !unfinalized {
            self.remove(object);
        }
    }

    /// A namespace is held until its controller has emptied it.
    fn is_finalized(&self, id: ObjId) -> bool {
        self.try_get::<Namespace>(id).is_none_or(|namespace| namespace.finalized)
    }

    fn mark_deleting(&mut self, object: ObjectRef, grace_seconds: u32) {
        let now = self.now;
        let meta = self.meta_mut(object);
        let first = meta.deletion.is_none();
        meta.deletion = Some(Deletion { requested: now, grace_seconds });
        if first {
            meta.generation += 1;
        }
        self.wrote(object, What::Deleting);
    }

    fn remove(&mut self, object: ObjectRef) {
        let (name, namespace, uid) = {
            let meta = self.meta(object);
            (meta.name, meta.namespace, meta.uid)
        };
        match object {
            ObjectRef::Pod(pod) => {
                self.vacate(pod);
                self.pods[pod].epoch = self.pods[pod].epoch.wrapping_add(1);
                self.pod_names.remove(&(namespace, name));
                if let Some(pods) = self.pods_by_namespace.get_mut(&namespace) {
                    pods.remove(&pod);
                }
            }
            ObjectRef::Node(node) => {
                self.columns.set_allocatable(node, &[]);
                self.node_names.remove(&name);
                self.n_live_nodes -= 1;
            }
            ObjectRef::Object(id) => {
                let kind = self.objects[id].info.key;
                self.count_kind(kind, -1);
                self.object_names.remove(&(kind, namespace, name));
            }
        }
        self.uids.remove(&uid);
        self.events.forget(object, self.now);
        self.unlink_owners(object);
        self.meta_mut(object).removed = true;
        self.wrote(object, What::Removed);
    }
}
