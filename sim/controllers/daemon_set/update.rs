//! Rolling updates of a DaemonSet (`daemon/update.go`).

use super::sync::Sync;
use crate::api::int_or_percent::Round;
use crate::cluster::{Cluster, NodeId, PodId};

impl Sync {
    /// The nodes to surge on and the old pods to delete in this sync.
    pub(super) fn roll(&self, cluster: &Cluster) -> Result<(Vec<NodeId>, Vec<PodId>), String> {
        let desired = self.nodes.values().filter(|(verdict, _)| verdict.should_run).count() as i32;
        let (max_surge, max_unavailable) = self.limits(desired);
        match max_surge {
            0 => Ok((Vec::new(), self.replace(max_unavailable, cluster))),
            _ => self.surge(max_surge, desired, cluster),
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
        let nodes = self.nodes.values().filter(|(verdict, pods)| verdict.should_run || !pods.is_empty());
        for pods in nodes.map(|(_, pods)| pods).chain(self.gone.values()) {
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

    fn surge(&self, max_surge: i32, desired: i32, cluster: &Cluster) -> Result<(Vec<NodeId>, Vec<PodId>), String> {
        let (mut surging, mut available, mut unwanted) = (0, 0, Vec::new());
        let (mut create, mut candidates, mut delete) = (Vec::new(), Vec::new(), Vec::new());
        for (&node, (verdict, pods)) in &self.nodes {
            let Some((new, old)) = self.pods_by_age(pods, cluster) else {
                surging += 1;
                continue;
            };
            let is_available = |pod: PodId| self.is_available(cluster, pod);
            available += i32::from(old.or(new).is_some_and(is_available));
            match (new, old) {
                (_, None) => {}
                (None, Some(old)) if !verdict.should_run => match is_available(old) {
                    true => unwanted.push(old),
                    false => delete.push(old),
                },
                (None, Some(old)) if !is_available(old) => create.push(node),
                (None, Some(_)) => candidates.push(node),
                (Some(new), Some(old)) => match is_available(new) {
                    true => delete.push(old),
                    false => surging += 1,
                },
            }
        }
        self.look_at_gone(&mut surging, &mut available, &mut delete, cluster)?;
        // Where the pods are not wanted any more they go only as others become available.
        let n_unwanted = usize::try_from(available - desired).unwrap_or(0);
        delete.extend(unwanted.into_iter().take(n_unwanted));
        let room = usize::try_from(max_surge - surging).unwrap_or(0);
        create.extend(candidates.into_iter().take(room));
        Ok((create, delete))
    }

    /// Pods on nodes that exist no more count too, and an old one without a new one beside it stops the update until it is collected.
    fn look_at_gone(
        &self,
        surging: &mut i32,
        available: &mut i32,
        delete: &mut Vec<PodId>,
        cluster: &Cluster,
    ) -> Result<(), String> {
        for pods in self.gone.values() {
            match self.pods_by_age(pods, cluster) {
                None => *surging += 1,
                Some((None, Some(old))) => {
                    let node = cluster.pod(old).node.map_or("", |node| cluster.name(node));
                    return Err(format!("couldn't get node for nodeName {node:?}: node {node:?} not found"));
                }
                Some((new, old)) => {
                    let shown = old.or(new).is_some_and(|pod| self.is_available(cluster, pod));
                    *available += i32::from(shown);
                    if let (Some(new), Some(old)) = (new, old) {
                        match self.is_available(cluster, new) {
                            true => delete.push(old),
                            false => *surging += 1,
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
