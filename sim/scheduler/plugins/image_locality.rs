//! ImageLocality: prefers nodes that have the pod's images, the larger the better, weighed by how many nodes have them so that
//! pods do not crowd on the node that pulled an image first.
//!
//! No arguments. Follows kube-scheduler v1.36, `plugins/imagelocality`.

use crate::scheduler::framework::prelude::*;

/// Sums below this (23 MiB) score nothing (`minThreshold`).
const MIN_THRESHOLD: i64 = 23 << 20;
/// Sums above this (1000 MiB) per image score no more (`maxContainerThreshold`).
const MAX_THRESHOLD_PER_IMAGE: i64 = 1000 << 20;

/// The plugin.
#[derive(Clone, Copy, Debug)]
pub struct ImageLocality;

impl Plugin for ImageLocality {
    fn name(&self) -> PluginName {
        PluginName::ImageLocality
    }

    fn score_kind(&self) -> ScoreKind {
        ScoreKind::Fixed
    }

    fn reads(&self) -> Reads {
        Reads::WholeCluster
    }

    fn score(&self, cx: Cx<'_>, _: &CycleState, node: NodeId) -> i64 {
        let images = &cx.cluster.node(node).images;
        if images.is_empty() {
            return 0;
        }
        let n_nodes = cx.cluster.n_nodes() as f64;
        let mut sum = 0i64;
        for name in &cx.spec.images {
            let Some(sym) = cx.cluster.interner.find(name) else { continue };
            let here = images.iter().any(|image| image.names.contains(&sym));
            let Some(image) = cx.tables.image(sym).filter(|_| here) else { continue };
            let spread = image.n_nodes as f64 / n_nodes;
            sum = sum.saturating_add((image.size_bytes as f64 * spread) as i64);
        }
        let max = MAX_THRESHOLD_PER_IMAGE * cx.spec.n_images;
        if max <= MIN_THRESHOLD {
            return 0;
        }
        MAX_NODE_SCORE * (sum.clamp(MIN_THRESHOLD, max) - MIN_THRESHOLD) / (max - MIN_THRESHOLD)
    }
}
