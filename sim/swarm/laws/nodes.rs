//! Laws about nodes: a dead one is noticed in time.

use super::called;
use crate::cluster::Cluster;
use crate::engine::{Span, Time};

/// Seconds after which no pod of a silent node may be ready: `node-monitor-grace-period` 50 s, `node-monitor-period` 5 s,
/// and time for the writes.
const GRACE: Span = Span::from_secs(50 + 5 + 3);

pub(super) struct Nodes;

impl Nodes {
    pub(super) fn advance(&self, to: Time, cluster: &Cluster, found: &mut Vec<(&'static str, String)>) {
        for (_, node) in cluster.nodes() {
            let Some(since) = node.kubelet.silent_since().filter(|&since| since + GRACE < to) else { continue };
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
