//! Facts of the world that faults and steps change and that no API object shows. They raise no revision: kubelets see their
//! consequences, everyone else finds out in their own time.

use crate::cluster::change::{Change, What, WorldChange};
use crate::cluster::ids::{NodeId, PodId};
use crate::cluster::node::KubeletHealth;
use crate::cluster::pod::ContainerState;
use crate::cluster::store::Cluster;

/// How much slower than modelled a machine can be, at most.
pub const MAX_SLOWDOWN: f64 = 1e6;

impl Cluster {
    /// The kubelet of a node falls silent or comes back: what faults and steps do. A fact of the world that no API object shows,
    /// so it raises no revision; the kubelets and the node controller find out in their own time. A kubelet that comes back
    /// renews its lease at once.
    pub fn set_kubelet_health(&mut self, node: NodeId, health: KubeletHealth) {
        let row = &mut self.nodes[node];
        if row.kubelet == health {
            return;
        }
        // What it has renewed until now must not be forgotten when it falls silent: the anchor stays.
        row.kubelet = health;
        if health == KubeletHealth::Running {
            row.heartbeat = self.now;
        }
        self.changes.push(Change { object: node.into(), what: What::Kubelet });
    }

    /// The kubelet of a node is restarted, and is back at once; for one that stays away for a while set
    /// [`KubeletHealth::Stopped`], then [`KubeletHealth::Running`]. Containers run on; what the kubelet had in memory (crash-loop
    /// and pull back-off, results of probes) is gone. Nothing happens to a kubelet that does not run.
    pub fn restart_kubelet(&mut self, node: NodeId) {
        if self.nodes[node].kubelet == KubeletHealth::Running && !self.nodes[node].meta.removed {
            self.nodes[node].heartbeat = self.now;
            self.changes.push(Change { object: node.into(), what: What::World(WorldChange::KubeletRestarted) });
        }
    }

    /// From now on everything on a node takes `factor` times as long as modelled: starts, pulls, answers to probes, work that is
    /// under way. 1 is as modelled; factors are held between 1e-3 and [`MAX_SLOWDOWN`], and what is no number is 1.
    pub fn set_slowdown(&mut self, node: NodeId, factor: f64) {
        let factor = if factor.is_finite() { factor.clamp(1e-3, MAX_SLOWDOWN) } else { 1.0 };
        if self.nodes[node].slowdown != factor {
            self.nodes[node].slowdown = factor;
            self.changes.push(Change { object: node.into(), what: What::World(WorldChange::Slowdown) });
        }
    }

    /// The process of a running container ends now with this code; `oom` if the kernel killed it for want of memory. Init
    /// containers count first. Returns whether the container runs, as far as the store knows.
    pub fn crash_container(&mut self, pod: PodId, container: usize, exit_code: u8, oom: bool) -> bool {
        let row = &self.pods[pod];
        let state = row.containers.get(container).map(|status| status.state);
        let runs = !row.meta.removed && matches!(state, Some(ContainerState::Running { .. }));
        if let Some(container) = u8::try_from(container).ok().filter(|_| runs) {
            let what = What::World(WorldChange::ContainerCrashed { container, exit_code, oom });
            self.changes.push(Change { object: pod.into(), what });
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn factors_are_bounded_and_only_changes_count() {
        let mut cluster = Cluster::new(0);
        cluster
            .create_from(&json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n" } }))
            .expect("a fresh name");
        let node = cluster.find_node("n").expect("just made");
        let (mut changes, revision) = (Vec::new(), cluster.revision());
        cluster.take_changes(&mut changes);
        changes.clear();
        for (given, kept, n_changes) in
            [(1.0, 1.0, 0), (3.0, 3.0, 1), (3.0, 3.0, 0), (f64::NAN, 1.0, 1), (1e300, MAX_SLOWDOWN, 1)]
        {
            cluster.set_slowdown(node, given);
            cluster.take_changes(&mut changes);
            assert_eq!((cluster.node(node).slowdown, changes.len()), (kept, n_changes), "{given}");
            changes.clear();
        }
        assert_eq!(cluster.revision(), revision, "no write of the API");
    }
}
