//! NodeResourcesBalancedAllocation: prefers nodes whose resources the pod brings to the same degree of use.
//!
//! Argument: `resources` (default cpu 1, memory 1; the weights are not used). Follows kube-scheduler v1.36,
//! `plugins/noderesources/balanced_allocation.go`: since that version the score is what the pod changes about the balance.

use serde_json::Value;
use smallvec::SmallVec;

use super::node_resources::{ScoredResource, scored_resources};
use crate::scheduler::framework::prelude::*;

/// The plugin.
#[derive(Clone, Debug)]
pub struct NodeResourcesBalancedAllocation {
    resources: Vec<ScoredResource>,
}

impl NodeResourcesBalancedAllocation {
    /// The plugin with `NodeResourcesBalancedAllocationArgs`.
    pub fn new(args: &Value) -> NodeResourcesBalancedAllocation {
        NodeResourcesBalancedAllocation { resources: scored_resources(&args["resources"]) }
    }
}

/// 100 for equal fractions, less the further they are apart: by their standard deviation.
fn balance(fractions: &[f64]) -> i64 {
    let std = match *fractions {
        [] | [_] => 0.0,
        [a, b] => ((a - b) / 2.0).abs(),
        _ => {
            let n = fractions.len() as f64;
            let mean = fractions.iter().sum::<f64>() / n;
            let squares: f64 = fractions.iter().map(|fraction| (fraction - mean) * (fraction - mean)).sum();
            (squares / n).sqrt()
        }
    };
    ((1.0 - std) * MAX_NODE_SCORE as f64) as i64
}

impl Plugin for NodeResourcesBalancedAllocation {
    fn name(&self) -> PluginName {
        PluginName::NodeResourcesBalancedAllocation
    }

    fn score_kind(&self) -> ScoreKind {
        ScoreKind::Fixed
    }

    /// A pod that requests none of the resources changes no balance.
    fn pre_score(&self, cx: Cx<'_>, _: &mut CycleState, _: &[NodeId]) -> bool {
        self.resources.iter().any(|scored| scored.request(&cx.spec.requests) != 0)
    }

    fn score(&self, cx: Cx<'_>, _: &CycleState, node: NodeId) -> i64 {
        let view = cx.view(node);
        let (mut with, mut without) = (SmallVec::<[f64; 4]>::new(), SmallVec::<[f64; 4]>::new());
        for scored in &self.resources {
            let request = scored.request(&cx.spec.requests);
            let Some(resource) = scored.resource(cx, request) else { continue };
            let allocatable = view.allocatable(resource);
            if allocatable == 0 {
                continue;
            }
            let requested = view.requested(resource);
            let fraction = |amount: i64| (amount as f64 / allocatable as f64).min(1.0);
            with.push(fraction(requested + request));
            without.push(fraction(requested));
        }
        MAX_NODE_SCORE / 2 + (MAX_NODE_SCORE / 2 + balance(&with) - balance(&without)) / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balance_falls_with_the_spread() {
        for (fractions, score) in
            [(&[][..], 100), (&[0.3], 100), (&[0.5, 0.5], 100), (&[0.0, 1.0], 50), (&[0.0, 0.5, 1.0], 59)]
        {
            assert_eq!(balance(fractions), score, "{fractions:?}");
        }
    }
}
