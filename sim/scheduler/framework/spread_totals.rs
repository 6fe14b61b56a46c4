//! How many pods a selector names in each domain of a topology, kept from cycle to cycle: only nodes whose pods have changed since are
//! counted again.

use std::sync::{Mutex, PoisonError};

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::selectors::SelectorId;
use crate::cluster::{NodeId, Sym};
use crate::engine::Id;

/// What is counted, over all nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TotalsKey {
    /// Which pods.
    pub selector: SelectorId,
    /// Of which namespace.
    pub namespace: Sym,
    /// The key of the topology; none if no object has ever had such a label.
    pub topology: Option<Sym>,
    /// Nodes without one of these labels are left out.
    pub required: SmallVec<[Option<Sym>; 2]>,
}

/// Pods by domain.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    nodes_version: u64,
    n_changes: u64,
    /// By node: its domain and how many pods it adds; none if it is left out.
    nodes: Vec<Option<(Sym, i64)>>,
    by_domain: FxHashMap<Sym, i64>,
}

/// More counts than these are dropped, all at once.
const MAX_KEPT: usize = 256;

/// The counts made before. They are shared by reference and brought up to date when they are read.
#[derive(Debug, Default)]
pub struct SpreadTotals {
    kept: Mutex<FxHashMap<TotalsKey, Totals>>,
}

impl SpreadTotals {
    /// Reads the counts of `key`. `count` tells the domain and the pods of a node, or that it is left out; `nodes_version` rises whenever nodes
    /// come, go or change their labels; `n_changes` whenever pods do, which `changed` lists unless too many have.
    pub fn read<I: Iterator<Item = NodeId>, R>(
        &self,
        key: TotalsKey,
        (nodes_version, n_changes): (u64, u64),
        all: &[NodeId],
        changed: impl FnOnce(u64) -> Option<I>,
        count: impl Fn(NodeId) -> Option<(Sym, i64)>,
        read: impl FnOnce(&Totals) -> R,
    ) -> R {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT && !kept.contains_key(&key) {
            kept.clear();
        }
        let totals = kept.entry(key).or_default();
        let is_new = totals.nodes_version != nodes_version || totals.nodes.is_empty();
        match (!is_new).then(|| changed(totals.n_changes)).flatten() {
            Some(changed) => changed.for_each(|node| totals.set(node, count(node))),
            None => {
                *totals = Totals { nodes_version, ..Totals::default() };
                all.iter().for_each(|&node| totals.set(node, count(node)));
            }
        }
        totals.n_changes = n_changes;
        read(totals)
    }
}

impl Totals {
    /// The domain of a node and the pods there; none if the node is left out.
    pub fn node(&self, node: NodeId) -> Option<(Sym, i64)> {
        self.nodes.get(node.index()).copied().flatten()
    }

    /// Number of pods in a domain.
    pub fn total(&self, domain: Sym) -> i64 {
        self.by_domain.get(&domain).copied().unwrap_or(0)
    }

    fn set(&mut self, node: NodeId, new: Option<(Sym, i64)>) {
        if self.nodes.len() <= node.index() {
            self.nodes.resize(node.index() + 1, None);
        }
        let old = std::mem::replace(&mut self.nodes[node.index()], new);
        for (entry, sign) in [(old, -1), (new, 1)] {
            if let Some((domain, n_pods)) = entry {
                *self.by_domain.entry(domain).or_insert(0) += sign * n_pods;
            }
        }
    }
}

impl Clone for SpreadTotals {
    fn clone(&self) -> SpreadTotals {
        SpreadTotals::default()
    }
}
