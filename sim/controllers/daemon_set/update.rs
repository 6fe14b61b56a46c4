//! Rolling updates of a DaemonSet (`daemon/update.go`).

use super::sync::Sync;
use crate::api::int_or_percent::Round;
use crate::cluster::{Cluster, NodeId, PodId};

impl Sync {
    /// The old pods to delete, or the nodes to surge on, in this sync.
    pub(super) fn roll(&self, cluster: &Cluster) -> (Vec<NodeId>, Vec<PodId>) {
        let desired = self.nodes.values().filter(|(verdict, _)| verdict.should_run).count() as i32;
        let (max_surge, max_unavailable) = self.limits(desired);
        if max_surge == 0 {
            (Vec::new(), self.replace(max_unavailable, cluster))
        } else {
            self.surge(max_surge, cluster)
        }
    }

    pub(super) fn allows_surge(&self) -> bool {
        !self.set.on_delete && self.set.max_surge.scaled(100, Round::Up) > 0
    }

    /// `maxSurge` and `maxUnavailable` of so many pods, both rounded up; one pod may be unavailable if both are 0.
    fn limits(&self, desired: i32) -> (i32, i32) {
        let surge = self.set.max_surge.scaled(desired, Round::Up);
        let unavailable = self.set.max_unavailable.scaled(desired, Round::Up);
        (surge, if surge == 0 { unavailable.max(1) } else { unavailable })
    }

    /// The new and the old pod of a node; `None` if there are several of one sort.
    fn pods_by_age(&self, pods: &[PodId], cluster: &Cluster) -> Option<(Option<PodId>, Option<PodId>)> {
        let (mut new, mut old) = (None, None);
        for &pod in pods.iter().filter(|&&pod| !cluster.pod(pod).meta.is_deleting()) {
            let slot = if self.is_new(cluster, pod) { &mut new } else { &mut old };
            if slot.replace(pod).is_some() {
                return None;
            }
        }
        Some((new, old))
    }

    fn replace(&self, max_unavailable: i32, cluster: &Cluster) -> Vec<PodId> {
        let (mut unavailable, mut broken, mut candidates) = (0, Vec::new(), Vec::new());
        for (verdict, pods) in self.nodes.values() {
            if !verdict.should_run && pods.is_empty() {
                continue;
            }
            match self.pods_by_age(pods, cluster) {
                Some((Some(new), None)) => unavailable += i32::from(!self.is_available(cluster, new)),
                Some((None, Some(old))) if !self.is_available(cluster, old) => {
                    broken.push(old);
                    unavailable += 1;
                }
                Some((None, Some(old))) => candidates.push(old),
                // The pods of this node are being put right.
                _ => unavailable += 1,
            }
        }
        let room = usize::try_from(max_unavailable - unavailable).unwrap_or(0);
        broken.extend(candidates.into_iter().take(room));
        broken
    }

    fn surge(&self, max_surge: i32, cluster: &Cluster) -> (Vec<NodeId>, Vec<PodId>) {
        let (mut surging, mut create, mut candidates, mut delete) = (0, Vec::new(), Vec::new(), Vec::new());
        for (&node, (_, pods)) in &self.nodes {
            match self.pods_by_age(pods, cluster) {
                None => surging += 1,
                Some((_, None)) => {}
                Some((None, Some(old))) if !self.is_available(cluster, old) => create.push(node),
                Some((None, Some(_))) => candidates.push(node),
                Some((Some(new), Some(old))) => match self.is_available(cluster, new) {
                    true => delete.push(old),
                    false => surging += 1,
                },
            }
        }
        let room = usize::try_from(max_surge - surging).unwrap_or(0);
        create.extend(candidates.into_iter().take(room));
        (create, delete)
    }
}
