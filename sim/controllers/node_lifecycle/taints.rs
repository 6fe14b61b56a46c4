//! The taints that follow from a node's conditions.

use crate::api::toleration::{Taint, TaintEffect};
use crate::cluster::{Cluster, ConditionStatus, NodeId, NodeTaint};

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
const MEMORY_PRESSURE: &str = "node.kubernetes.io/memory-pressure";
const DISK_PRESSURE: &str = "node.kubernetes.io/disk-pressure";
const PID_PRESSURE: &str = "node.kubernetes.io/pid-pressure";
const NETWORK_UNAVAILABLE: &str = "node.kubernetes.io/network-unavailable";

/// The keys of `NoSchedule` taints that the controller adds and removes.
const OWN: [&str; 7] =
    [NOT_READY, UNREACHABLE, UNSCHEDULABLE, MEMORY_PRESSURE, DISK_PRESSURE, PID_PRESSURE, NETWORK_UNAVAILABLE];

/// `node.kubernetes.io/not-ready:NoExecute`.
pub fn not_ready() -> Taint {
    taint(NOT_READY, TaintEffect::NoExecute)
}

/// `node.kubernetes.io/unreachable:NoExecute`.
pub fn unreachable() -> Taint {
    taint(UNREACHABLE, TaintEffect::NoExecute)
}

fn taint(key: &str, effect: TaintEffect) -> Taint {
    Taint { key: key.to_owned(), value: String::new(), effect }
}

fn same(a: &Taint, b: &Taint) -> bool {
    a.key == b.key && a.effect == b.effect
}

/// Whether the node has a taint of the same key and effect.
pub(super) fn has(node: NodeId, wanted: &Taint, cluster: &Cluster) -> bool {
    cluster.node(node).taints.iter().any(|taint| same(&taint.taint, wanted))
}

/// Adds taints in one write, then removes others in a second one (`SwapNodeControllerTaint`). Returns whether anything changed.
pub(super) fn swap(node: NodeId, add: &[Taint], remove: &[Taint], cluster: &mut Cluster) -> bool {
    let now = cluster.now();
    let mut taints = cluster.node(node).taints.to_vec();
    let n_before = taints.len();
    for new in add {
        if !taints.iter().any(|old| same(&old.taint, new)) {
            taints.push(NodeTaint { taint: new.clone(), added: Some(now) });
        }
    }
    let n_added = taints.len() - n_before;
    if n_added > 0 {
        cluster.set_taints(node, taints.clone());
    }
    let n_all = taints.len();
    taints.retain(|old| !remove.iter().any(|gone| same(&old.taint, gone)));
    let n_removed = n_all - taints.len();
    if n_removed > 0 {
        cluster.set_taints(node, taints);
    }
    n_added + n_removed > 0
}

/// Takes the `NoExecute` taints of a lost node off (`markNodeAsReachable`).
pub(super) fn mark_reachable(node: NodeId, cluster: &mut Cluster) -> bool {
    swap(node, &[], &[not_ready(), unreachable()], cluster)
}

/// Makes the `NoSchedule` taints say what the conditions say (`doNoScheduleTaintingPass`). Returns whether anything changed.
pub(super) fn mark_no_schedule(node: NodeId, cluster: &mut Cluster) -> bool {
    let (row, words) = (cluster.node(node), &cluster.words);
    let mut wanted: Vec<Taint> = Vec::new();
    for condition in row.conditions.iter() {
        let pressures = [
            (words.memory_pressure, MEMORY_PRESSURE),
            (words.disk_pressure, DISK_PRESSURE),
            (words.network_unavailable, NETWORK_UNAVAILABLE),
            (words.pid_pressure, PID_PRESSURE),
        ];
        let key = match condition.status {
            ConditionStatus::True => pressures.iter().find(|(kind, _)| *kind == condition.kind).map(|&(_, key)| key),
            ConditionStatus::False => (condition.kind == words.ready).then_some(NOT_READY),
            ConditionStatus::Unknown => (condition.kind == words.ready).then_some(UNREACHABLE),
        };
        wanted.extend(key.map(|key| taint(key, TaintEffect::NoSchedule)));
    }
    if row.unschedulable {
        wanted.push(taint(UNSCHEDULABLE, TaintEffect::NoSchedule));
    }
    let own = row
        .taints
        .iter()
        .map(|taint| &taint.taint)
        .filter(|taint| taint.effect == TaintEffect::NoSchedule && OWN.contains(&taint.key.as_str()));
    let remove: Vec<Taint> = own.filter(|old| !wanted.iter().any(|new| same(old, new))).cloned().collect();
    swap(node, &wanted, &remove, cluster)
}
