//! Node columns: per resource what every node offers and what its pods take, so that a scheduling cycle scans tight arrays.

use super::ids::{NodeId, ResourceId};
use crate::engine::Id;

/// What one pod takes from its node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodResources {
    /// Effective requests by resource, in order of id: cpu in thousandths of a core, everything else in units.
    pub requests: Vec<(ResourceId, i64)>,
    /// Requested cpu for scoring: 100m per container that asks for none (kube-scheduler, `DefaultMilliCPURequest`).
    pub non_zero_cpu: i64,
    /// Requested memory for scoring: 200 MiB per container that asks for none (kube-scheduler, `DefaultMemoryRequest`).
    pub non_zero_memory: i64,
}

/// One resource over all nodes.
#[derive(Clone, Debug, Default)]
pub struct Column {
    /// `status.allocatable`; 0 where a node does not offer it. `[node]`
    pub allocatable: Vec<i64>,
    /// The sum of the requests of the pods on the node. `[node]`
    pub requested: Vec<i64>,
    /// The sum of `allocatable`.
    pub total_allocatable: i64,
    /// The sum of `requested`.
    pub total_requested: i64,
}

/// All resources over all nodes, with what scoring needs beside.
#[derive(Clone, Debug, Default)]
pub struct NodeColumns {
    /// By resource.
    columns: Vec<Column>,
    /// Requested cpu for scoring, in thousandths of a core. `[node]`
    pub non_zero_cpu: Vec<i64>,
    /// Requested memory for scoring, in bytes. `[node]`
    pub non_zero_memory: Vec<i64>,
    /// Number of pods on the node. `[node]`
    pub n_pods: Vec<i64>,
    n_nodes: usize,
    total_pods: i64,
}

impl PodResources {
    /// The request of one resource; 0 if there is none.
    pub fn request(&self, resource: ResourceId) -> i64 {
        self.requests.iter().find(|(id, _)| *id == resource).map_or(0, |&(_, amount)| amount)
    }
}

impl NodeColumns {
    /// The column of `resource`; `None` if no node has ever offered it.
    pub fn get(&self, resource: ResourceId) -> Option<&Column> {
        self.columns.get(usize::from(resource.0)).filter(|column| !column.allocatable.is_empty())
    }

    /// What `node` offers of `resource`.
    pub fn allocatable(&self, node: NodeId, resource: ResourceId) -> i64 {
        self.get(resource).map_or(0, |column| column.allocatable[node.index()])
    }

    /// What the pods of `node` request of `resource`.
    pub fn requested(&self, node: NodeId, resource: ResourceId) -> i64 {
        self.get(resource).map_or(0, |column| column.requested[node.index()])
    }

    /// What all nodes together offer of `resource`, and what their pods request of it.
    pub fn totals(&self, resource: ResourceId) -> (i64, i64) {
        self.get(resource).map_or((0, 0), |column| match resource {
            ResourceId::PODS => (column.total_allocatable, self.total_pods),
            _ => (column.total_allocatable, column.total_requested),
        })
    }

    pub(super) fn push_node(&mut self) {
        self.n_nodes += 1;
        for column in self.columns.iter_mut().filter(|column| !column.allocatable.is_empty()) {
            column.allocatable.push(0);
            column.requested.push(0);
        }
        self.non_zero_cpu.push(0);
        self.non_zero_memory.push(0);
        self.n_pods.push(0);
    }

    pub(super) fn set_allocatable(&mut self, node: NodeId, allocatable: &[(ResourceId, i64)]) {
        for column in &mut self.columns {
            if let Some(amount) = column.allocatable.get_mut(node.index()) {
                column.total_allocatable = column.total_allocatable.saturating_sub(*amount);
                *amount = 0;
            }
        }
        for &(resource, amount) in allocatable {
            let column = self.column_mut(resource);
            column.allocatable[node.index()] = amount;
            column.total_allocatable = column.total_allocatable.saturating_add(amount);
        }
    }

    /// Adds (`sign` 1) or takes away (`sign` -1) what a pod uses.
    pub(super) fn count(&mut self, node: NodeId, pod: &PodResources, sign: i64) {
        for &(resource, amount) in &pod.requests {
            let column = self.column_mut(resource);
            let requested = &mut column.requested[node.index()];
            *requested = requested.saturating_add(amount.saturating_mul(sign));
            column.total_requested = column.total_requested.saturating_add(amount.saturating_mul(sign));
        }
        let idx = node.index();
        self.non_zero_cpu[idx] = self.non_zero_cpu[idx].saturating_add(pod.non_zero_cpu.saturating_mul(sign));
        self.non_zero_memory[idx] = self.non_zero_memory[idx].saturating_add(pod.non_zero_memory.saturating_mul(sign));
        self.n_pods[idx] += sign;
        self.total_pods += sign;
    }

    fn column_mut(&mut self, resource: ResourceId) -> &mut Column {
        let idx = usize::from(resource.0);
        if self.columns.len() <= idx {
            self.columns.resize_with(idx + 1, Column::default);
        }
        let column = &mut self.columns[idx];
        if column.allocatable.is_empty() {
            column.allocatable = vec![0; self.n_nodes];
            column.requested = vec![0; self.n_nodes];
        }
        column
    }
}
