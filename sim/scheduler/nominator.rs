//! The pods nominated to each node that are not there yet (kube-scheduler, `backend/queue/nominator.go`).

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::{Change, Cluster, NodeId, PodId, What};

/// Nominated pods by node.
#[derive(Clone, Debug, Default)]
pub struct Nominator {
    by_node: BTreeMap<NodeId, BTreeSet<PodId>>,
    by_pod: BTreeMap<PodId, NodeId>,
}

impl Nominator {
    /// The pods nominated to `node`, in order of creation.
    pub fn on_node(&self, node: NodeId) -> impl Iterator<Item = PodId> + '_ {
        self.by_node.get(&node).into_iter().flatten().copied()
    }

    /// Whether no pod is nominated anywhere.
    pub fn is_empty(&self) -> bool {
        self.by_pod.is_empty()
    }

    /// Takes note of a change: a nomination, or an end of one.
    pub fn observe(&mut self, change: Change, cluster: &Cluster) {
        let Some(pod) = change.pod() else { return };
        match change.what {
            What::Nominated(_) | What::Forgotten(_) | What::Created => self.refresh(pod, cluster),
            What::Assumed(_) | What::Bound(_) | What::Removed | What::Phase if !self.is_empty() => {
                self.refresh(pod, cluster);
            }
            _ => {}
        }
    }

    fn refresh(&mut self, pod: PodId, cluster: &Cluster) {
        let row = cluster.pod(pod);
        let waits = row.placed().is_none() && !row.meta.removed && !row.phase.is_terminal();
        let now = row.nominated.filter(|_| waits);
        let before = self.by_pod.get(&pod).copied();
        if now == before {
            return;
        }
        if let Some(node) = before {
            self.by_pod.remove(&pod);
            if let Some(pods) = self.by_node.get_mut(&node) {
                pods.remove(&pod);
                if pods.is_empty() {
                    self.by_node.remove(&node);
                }
            }
        }
        if let Some(node) = now {
            self.by_pod.insert(pod, node);
            self.by_node.entry(node).or_default().insert(pod);
        }
    }
}
