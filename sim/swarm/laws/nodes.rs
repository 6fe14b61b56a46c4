//! Laws about nodes: a dead one is noticed in time.

use super::called;
use crate::cluster::{Cluster, Elected};
use crate::engine::{Span, Time};

/// Seconds after which no pod of a silent node may be ready: `node-monitor-grace-period` 50 s, `node-monitor-period` 5 s,
/// and time for the writes.
const GRACE: Span = Span::from_secs(50 + 5 + 3);

#[derive(Default)]
pub(super) struct Nodes {
    /// When the control plane could last not write, or had no controller-manager: nobody could notice anything.
    blind: Option<Time>,
}

impl Nodes {
    /// Whether the control plane was blind lately.
    pub(super) fn is_blind(&self, now: Time) -> bool {
        self.blind.is_some_and(|blind| now.since(blind) < Span::from_secs(10))
    }

    pub(super) fn advance(&mut self, to: Time, cluster: &Cluster, found: &mut Vec<(&'static str, String)>) {
        if !cluster.is_writable() || !cluster.has_leader(Elected::ControllerManager) {
            self.blind = Some(to);
        }
        for (_, node) in cluster.nodes() {
            let Some(since) = node.kubelet.silent_since() else { continue };
            if self.blind.map_or(since, |blind| blind.max(since)) + GRACE >= to {
                continue;
            }
            for &pod in &node.pods {
                let row = cluster.pod(pod);
                if row.node.is_some() && row.conditions.is_true(cluster.words.ready) {
                    let seen = format!("{} is ready on a node that is silent since {since}", called(cluster, pod));
                    found.push(("no pod on a dead node is ready after the grace", seen));
                }
            }
        }
    }
}
