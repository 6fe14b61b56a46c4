//! The pods of each node counted by what a label selector sees of them, their namespace and labels: so counting the pods that a
//! selector names costs a step per crowd of equal pods, not per pod.

use std::collections::VecDeque;

use smallvec::SmallVec;

use crate::cluster::{Cluster, LabelsId, NodeId, PodId, Sym};
use crate::engine::Id;

/// Pods of one node with the same namespace and labels that are not being deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowd {
    /// Their namespace.
    pub namespace: Sym,
    /// Their labels.
    pub labels: LabelsId,
    /// How many there are, at least 1.
    pub n_pods: u32,
}

/// The crowds of all nodes.
#[derive(Clone, Debug, Default)]
pub struct Crowds {
    by_node: Vec<SmallVec<[Crowd; 2]>>,
    /// By pod: where and as what it is counted.
    counted: Vec<Option<(NodeId, Sym, LabelsId)>>,
    /// The last changes, in order: the node, and of which crowd it has more or fewer; the older ones are dropped.
    changed: VecDeque<(NodeId, Sym, LabelsId)>,
    n_changes: u64,
}

/// So many of the last changes are kept.
const MAX_CHANGES: usize = 1 << 14;

impl Crowds {
    /// The crowds of a node, in no particular order.
    pub fn of(&self, node: NodeId) -> &[Crowd] {
        self.by_node.get(node.index()).map_or(&[], |crowds| &crowds[..])
    }

    /// How many changes there have been.
    pub fn n_changes(&self) -> u64 {
        self.n_changes
    }

    /// What has changed since there were `n_changes`: nodes, with namespace and labels of the pod that came or went. `None` if that is
    /// too long ago.
    pub fn changed_since(&self, n_changes: u64) -> Option<impl Iterator<Item = (NodeId, Sym, LabelsId)> + '_> {
        let n_new = usize::try_from(self.n_changes - n_changes).ok()?;
        let first = self.changed.len().checked_sub(n_new)?;
        Some(self.changed.range(first..).copied())
    }

    /// Counts a pod as it is now.
    pub fn refresh(&mut self, cluster: &Cluster, pod: PodId) {
        let row = cluster.pod(pod);
        let node = row.occupies().filter(|_| !row.meta.is_deleting());
        let new = node.map(|node| (node, row.meta.namespace, row.meta.labels));
        if self.counted.len() <= pod.index() {
            if new.is_none() {
                return;
            }
            self.counted.resize(pod.index() + 1, None);
        }
        let old = std::mem::replace(&mut self.counted[pod.index()], new);
        if old == new {
            return;
        }
        if let Some((node, namespace, labels)) = old {
            self.leave(node, namespace, labels);
        }
        if let Some((node, namespace, labels)) = new {
            self.join(node, namespace, labels);
        }
    }

    fn note(&mut self, node: NodeId, namespace: Sym, labels: LabelsId) {
        self.n_changes += 1;
        if self.changed.len() == MAX_CHANGES {
            self.changed.pop_front();
        }
        self.changed.push_back((node, namespace, labels));
    }

    fn join(&mut self, node: NodeId, namespace: Sym, labels: LabelsId) {
        self.note(node, namespace, labels);
        if self.by_node.len() <= node.index() {
            self.by_node.resize(node.index() + 1, SmallVec::new());
        }
        let crowds = &mut self.by_node[node.index()];
        match crowds.iter_mut().find(|crowd| (crowd.namespace, crowd.labels) == (namespace, labels)) {
            Some(crowd) => crowd.n_pods += 1,
            None => crowds.push(Crowd { namespace, labels, n_pods: 1 }),
        }
    }

    fn leave(&mut self, node: NodeId, namespace: Sym, labels: LabelsId) {
        self.note(node, namespace, labels);
        let crowds = &mut self.by_node[node.index()];
        let place = crowds.iter().position(|crowd| (crowd.namespace, crowd.labels) == (namespace, labels));
        if let Some(place) = place {
            crowds[place].n_pods -= 1;
            if crowds[place].n_pods == 0 {
                crowds.swap_remove(place);
            }
        }
    }
}
