//! `NodeView`: one node as a plugin sees it, as it is or with pods put on it or taken off it in thought. So one rule serves the
//! search, nominated pods and preemption.

use crate::api::toleration::Taint;
use crate::cluster::{Cluster, Node, NodeId, PodId, ResourceId, Sym};
use crate::engine::Id;

/// A pod put on a node or taken off it in thought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supposed {
    /// The pod is put on the node.
    Added(PodId),
    /// The pod is taken off the node.
    Removed(PodId),
}

impl Supposed {
    /// The pod concerned.
    pub fn pod(self) -> PodId {
        match self {
            Supposed::Added(pod) | Supposed::Removed(pod) => pod,
        }
    }
}

/// A node, perhaps with suppositions.
#[derive(Clone, Copy, Debug)]
pub struct NodeView<'a> {
    /// The store.
    pub cluster: &'a Cluster,
    /// The node.
    pub id: NodeId,
    /// What is supposed, in order; a pod may be taken off and put back.
    pub supposed: &'a [Supposed],
}

impl<'a> NodeView<'a> {
    /// The node as it is.
    pub fn plain(cluster: &'a Cluster, id: NodeId) -> NodeView<'a> {
        NodeView { cluster, id, supposed: &[] }
    }

    /// The row of the node.
    pub fn row(&self) -> &'a Node {
        self.cluster.node(self.id)
    }

    /// The name of the node.
    pub fn name(&self) -> &'a str {
        self.cluster.name(self.id)
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&'a str> {
        self.cluster.label(self.row().meta.labels, key)
    }

    /// The value of a label by interned key.
    pub fn label_sym(&self, key: Sym) -> Option<Sym> {
        self.cluster.interner.value(self.row().meta.labels, key)
    }

    /// The taints of the node.
    pub fn taints(&self) -> impl Iterator<Item = &'a Taint> + use<'a> {
        self.row().taints.iter().map(|taint| &taint.taint)
    }

    /// The pods on the node: those that are there and stay, then those put there.
    pub fn pods(&self) -> impl Iterator<Item = PodId> + use<'a> {
        let supposed = self.supposed;
        let base = self.row().pods.iter().copied().filter(move |&pod| last_word(supposed, pod) != Some(false));
        let base_pods = &self.row().pods;
        let added = supposed.iter().enumerate().filter_map(move |(idx, supposition)| match *supposition {
            Supposed::Added(pod)
                if last_word(supposed, pod) == Some(true)
                    && !supposed[idx + 1..].contains(supposition)
                    && !base_pods.contains(&pod) =>
            {
                Some(pod)
            }
            _ => None,
        });
        base.chain(added)
    }

    /// Number of pods on the node.
    pub fn n_pods(&self) -> i64 {
        let delta: i64 = self.supposed.iter().map(|supposition| sign(*supposition)).sum();
        self.cluster.columns().n_pods[self.id.index()] + delta
    }

    /// What the node offers of a resource.
    pub fn allocatable(&self, resource: ResourceId) -> i64 {
        self.cluster.columns().allocatable(self.id, resource)
    }

    /// What the pods on the node request of a resource.
    pub fn requested(&self, resource: ResourceId) -> i64 {
        let delta = self
            .supposed
            .iter()
            .map(|supposition| sign(*supposition) * self.cluster.resources_of(supposition.pod()).request(resource));
        self.cluster.columns().requested(self.id, resource) + delta.sum::<i64>()
    }

    /// What the pods on the node request of cpu and memory, with the amounts that scoring assumes where none are named.
    pub fn requested_for_scoring(&self, resource: ResourceId) -> i64 {
        let columns = self.cluster.columns();
        match resource {
            ResourceId::CPU => columns.non_zero_cpu[self.id.index()],
            ResourceId::MEMORY => columns.non_zero_memory[self.id.index()],
            _ => self.requested(resource),
        }
    }
}

/// Whether a pod was put there (`true`) or taken off (`false`) last, if anything is supposed of it.
fn last_word(supposed: &[Supposed], pod: PodId) -> Option<bool> {
    let last = supposed.iter().rev().find(|supposition| supposition.pod() == pod)?;
    Some(matches!(last, Supposed::Added(_)))
}

fn sign(supposition: Supposed) -> i64 {
    match supposition {
        Supposed::Added(_) => 1,
        Supposed::Removed(_) => -1,
    }
}
