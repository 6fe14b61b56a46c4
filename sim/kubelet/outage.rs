//! What an outage of the API server, or of etcd, is to kubelets: containers run on, are restarted and probed; nothing comes from the
//! control plane and nothing can be told to it until it is back (kubelet, `status_manager.go`, `kubelet_node_status.go`).

use super::kubelets::{Cx, Kubelets};
use crate::cluster::{Cluster, KubeletHealth, KubeletTiming, NodeId, NodeStep};
use crate::engine::{Id, Purpose, Span};
use rand_chacha::rand_core::Rng;

/// Within this after the end of an outage a kubelet has renewed its lease and sent what it has to say (kubelet, `syncPeriod` of the
/// status manager, `nodeStatusUpdateFrequency`).
const RETURN_WITHIN: Span = Span::from_secs(10);

impl Kubelets {
    /// Whether nothing gets through between the kubelet of a node and the control plane.
    pub(super) fn is_cut_off(&self, node: NodeId, cluster: &Cluster) -> bool {
        let known = self.nodes.get(node.index()).and_then(|state| state.health.silent_since());
        known.is_some() || !cluster.is_writable() || cluster.node(node).kubelet.silent_since().is_some()
    }

    /// How a node is from now on to its kubelet; `None` if that does not change: without an API server a kubelet that starts does not
    /// know its pods, so that a machine or kubelet that was down stays as it was.
    pub(super) fn health_as_noticed(&self, node: NodeId, cluster: &Cluster) -> Option<KubeletHealth> {
        let health = cluster.node(node).kubelet;
        let known = self.nodes.get(node.index()).map_or(KubeletHealth::Running, |state| state.health);
        match (known, health) {
            (KubeletHealth::Running, KubeletHealth::Running) if !cluster.is_writable() => {
                Some(KubeletHealth::Partitioned { since: cluster.now() })
            }
            (_, KubeletHealth::Running) if !cluster.is_writable() => None,
            (KubeletHealth::Down { .. }, KubeletHealth::Stopped { .. } | KubeletHealth::Partitioned { .. })
            | (KubeletHealth::Stopped { .. }, KubeletHealth::Partitioned { .. }) => None,
            _ => Some(health),
        }
    }

    /// The API can be written to again, or not: every kubelet notices, after an outage within some seconds.
    pub(super) fn writable_changed(&mut self, writable: bool, cx: &mut Cx<'_>) {
        let nodes: Vec<NodeId> = cx.cluster.nodes().map(|(node, _)| node).collect();
        for node in nodes {
            let ideal = self.options.timing == KubeletTiming::Ideal;
            let late = match writable && !ideal {
                true => {
                    let turn = cx.now().as_secs() as u32;
                    let draw = cx.agenda.stream(Purpose::Jitter, 1 << 49 | u64::from(node.0), turn).next_u64();
                    Span::from_micros(draw % RETURN_WITHIN.as_micros())
                }
                false => Span::ZERO,
            };
            cx.node_step(cx.now() + late, node, NodeStep::Register);
        }
    }

    /// A kubelet restarts and finds no API server: it does not know its pods until it has reached one.
    pub(super) fn restarts_alone(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        let since = cx.now();
        let state = self.node(node);
        if !matches!(state.health, KubeletHealth::Down { .. }) {
            state.health = KubeletHealth::Stopped { since };
        }
    }
}
