//! NodeResourcesFit: a node must have room for the pod's requests; among those that have, prefers by how full they are.
//!
//! Arguments: `ignoredResources`, `ignoredResourceGroups` (extended resources not looked at), `scoringStrategy`: `type`
//! LeastAllocated (default), MostAllocated or RequestedToCapacityRatio with its `shape`; `resources` with weights (default cpu 1,
//! memory 1). Follows kube-scheduler v1.36, `plugins/noderesources/fit.go` and `resource_allocation.go`.

use serde_json::Value;

use super::node_resources::{ScoredResource, is_scalar, scored_resources};
use crate::api::resources::is_extended_resource;
use crate::engine::Id;
use crate::scheduler::framework::prelude::*;

/// The plugin.
#[derive(Clone, Debug)]
pub struct NodeResourcesFit {
    ignored: Vec<String>,
    ignored_groups: Vec<String>,
    strategy: Strategy,
    resources: Vec<ScoredResource>,
}

/// `scoringStrategy.type`.
#[derive(Clone, Debug, PartialEq)]
enum Strategy {
    /// The emptier the better.
    LeastAllocated,
    /// The fuller the better.
    MostAllocated,
    /// A line through points of utilization (0..=100) and score (0..=10).
    RequestedToCapacityRatio(Vec<(i64, i64)>),
}

impl NodeResourcesFit {
    /// The plugin with `NodeResourcesFitArgs`.
    ///
    /// # Errors
    ///
    /// If the strategy is unknown.
    pub fn new(args: &Value) -> Result<NodeResourcesFit, String> {
        let list = |key: &str| -> Vec<String> {
            let list = args[key].as_array().into_iter().flatten();
            list.filter_map(|name| name.as_str().map(str::to_owned)).collect()
        };
        let strategy = &args["scoringStrategy"];
        let kind = match strategy["type"].as_str().unwrap_or("LeastAllocated") {
            "LeastAllocated" => Strategy::LeastAllocated,
            "MostAllocated" => Strategy::MostAllocated,
            "RequestedToCapacityRatio" => {
                let shape = strategy["requestedToCapacityRatio"]["shape"].as_array().into_iter().flatten();
                let point = |point: &Value| {
                    (point["utilization"].as_i64().unwrap_or(0), point["score"].as_i64().unwrap_or(0) * 10)
                };
                Strategy::RequestedToCapacityRatio(shape.map(point).collect())
            }
            other => return Err(format!("unknown scoring strategy `{other}`")),
        };
        Ok(NodeResourcesFit {
            ignored: list("ignoredResources"),
            ignored_groups: list("ignoredResourceGroups"),
            strategy: kind,
            resources: scored_resources(&strategy["resources"]),
        })
    }

    fn is_ignored(&self, cx: Cx<'_>, resource: ResourceId) -> bool {
        if self.ignored.is_empty() && self.ignored_groups.is_empty() {
            return false;
        }
        let name = cx.cluster.interner.resource_name(resource);
        let group = name.split('/').next().unwrap_or_default();
        is_extended_resource(name)
            && (self.ignored.iter().any(|other| other == name)
                || self.ignored_groups.iter().any(|other| other == group))
    }

    /// What the pod requests and the plugin looks at, in the order in which shortages are reported.
    fn requests<'a>(&'a self, cx: Cx<'a>) -> impl Iterator<Item = (ResourceId, i64)> + 'a {
        let requests = &cx.cluster.resources_of(cx.pod).requests;
        requests.iter().copied().filter(move |&(resource, amount)| {
            amount > 0 && resource != ResourceId::PODS && !self.is_ignored(cx, resource)
        })
    }

    /// The score of one resource.
    fn resource_score(&self, requested: i64, capacity: i64) -> i64 {
        match &self.strategy {
            Strategy::LeastAllocated if requested > capacity => 0,
            Strategy::LeastAllocated => times_ratio(capacity - requested, capacity),
            Strategy::MostAllocated => times_ratio(requested.min(capacity), capacity),
            Strategy::RequestedToCapacityRatio(shape) => {
                let utilization = if requested > capacity { 100 } else { times_ratio(requested, capacity) };
                broken_linear(shape, utilization)
            }
        }
    }

    /// The score of a node by what its pods would request and what it offers, by resource; 0 offered leaves a resource out.
    fn total(&self, amounts: impl Iterator<Item = (i64, i64, i64)>) -> i64 {
        let by_ratio = matches!(self.strategy, Strategy::RequestedToCapacityRatio(_));
        let (mut sum, mut weights) = (0i64, 0i64);
        for (requested, capacity, weight) in amounts.filter(|&(_, capacity, _)| capacity != 0) {
            let score = self.resource_score(requested, capacity);
            if !by_ratio || score > 0 {
                sum += score * weight;
                weights += weight;
            }
        }
        match (weights, by_ratio) {
            (0, _) => 0,
            (_, true) => (sum as f64 / weights as f64).round() as i64,
            (_, false) => sum / weights,
        }
    }
}

/// `amount * 100 / capacity` without overflow.
fn times_ratio(amount: i64, capacity: i64) -> i64 {
    match amount.checked_mul(MAX_NODE_SCORE) {
        Some(product) => product / capacity,
        None => (i128::from(amount) * i128::from(MAX_NODE_SCORE) / i128::from(capacity)) as i64,
    }
}

/// `helper.BuildBrokenLinearFunction`: straight lines between the points, level beyond them, in integers.
fn broken_linear(shape: &[(i64, i64)], at: i64) -> i64 {
    for (idx, &(utilization, score)) in shape.iter().enumerate() {
        if at <= utilization {
            let Some(before) = idx.checked_sub(1) else { return score };
            let (from, low) = shape[before];
            return low + (score - low) * (at - from) / (utilization - from);
        }
    }
    shape.last().map_or(0, |&(_, score)| score)
}

impl Plugin for NodeResourcesFit {
    fn name(&self) -> PluginName {
        PluginName::NodeResourcesFit
    }

    fn score_kind(&self) -> ScoreKind {
        ScoreKind::Fixed
    }

    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: &[ClusterEvent] = &[
            on(EventResource::AssignedPod, Action::DELETE.or(Action::UPDATE_POD_SCALE_DOWN)),
            on(EventResource::TargetPod, Action::UPDATE_POD_SCALE_DOWN),
            on(EventResource::Node, Action::ADD.or(Action::UPDATE_NODE_ALLOCATABLE)),
        ];
        EVENTS
    }

    fn filter(&self, cx: Cx<'_>, _: &CycleState, node: NodeView<'_>) -> Verdict {
        let mut rejection = Rejection { code: Code::Unschedulable, reasons: Default::default() };
        if node.n_pods() + 1 > node.allocatable(ResourceId::PODS) {
            rejection.reasons.push(Reason::TooManyPods);
        }
        let mut scalars = Vec::new();
        for (resource, amount) in self.requests(cx) {
            let allocatable = node.allocatable(resource);
            if amount > allocatable - node.requested(resource) {
                if amount > allocatable {
                    rejection.code = Code::UnschedulableAndUnresolvable;
                }
                if is_scalar(resource) {
                    scalars.push(resource)
                } else {
                    rejection.reasons.push(Reason::Insufficient(resource))
                }
            }
        }
        scalars.sort_by_key(|&resource| cx.cluster.interner.resource_name(resource));
        rejection.reasons.extend(scalars.into_iter().map(Reason::Insufficient));
        if rejection.reasons.is_empty() { Ok(()) } else { Err(rejection) }
    }

    fn fits(&self, cx: Cx<'_>, _: &CycleState, node: NodeId) -> bool {
        let view = cx.view(node);
        view.n_pods() < view.allocatable(ResourceId::PODS)
            && self
                .requests(cx)
                .all(|(resource, amount)| amount <= view.allocatable(resource) - view.requested(resource))
    }

    fn filter_block(&self, cx: Cx<'_>, _: &CycleState, nodes: &[NodeId], fits: &mut [bool]) {
        let columns = cx.cluster.columns();
        match columns.get(ResourceId::PODS) {
            None => fits.fill(false),
            Some(pods) => {
                for (node, fits) in nodes.iter().zip(fits.iter_mut()) {
                    *fits &= columns.n_pods[node.index()] < pods.allocatable[node.index()];
                }
            }
        }
        for (resource, amount) in self.requests(cx) {
            let Some(column) = columns.get(resource) else {
                fits.fill(false);
                continue;
            };
            for (node, fits) in nodes.iter().zip(fits.iter_mut()) {
                *fits &= amount <= column.allocatable[node.index()] - column.requested[node.index()];
            }
        }
    }

    fn score(&self, cx: Cx<'_>, _: &CycleState, node: NodeId) -> i64 {
        let view = cx.view(node);
        let amounts = self.resources.iter().map(|scored| {
            let request = scored.request(&cx.spec.fit_score_requests);
            let Some(resource) = scored.resource(cx, request) else { return (0, 0, 0) };
            (view.requested_for_scoring(resource) + request, view.allocatable(resource), scored.weight)
        });
        self.total(amounts)
    }

    fn score_block(&self, cx: Cx<'_>, _: &CycleState, nodes: &[NodeId], scores: &mut [i64]) {
        let resolved: Vec<(ResourceId, i64, i64)> = (self.resources.iter())
            .filter_map(|scored| {
                let request = scored.request(&cx.spec.fit_score_requests);
                Some((scored.resource(cx, request)?, request, scored.weight))
            })
            .collect();
        for (&node, score) in nodes.iter().zip(scores) {
            let view = cx.view(node);
            *score = self.total(resolved.iter().map(|&(resource, request, weight)| {
                (view.requested_for_scoring(resource) + request, view.allocatable(resource), weight)
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_the_points() {
        let shape = [(0, 0), (50, 100), (100, 0)];
        for (at, score) in [(-5, 0), (0, 0), (25, 50), (50, 100), (75, 50), (100, 0), (150, 0)] {
            assert_eq!(broken_linear(&shape, at), score, "at {at}");
        }
        assert_eq!(broken_linear(&[], 5), 0);
    }

    #[test]
    fn least_allocated_is_the_default() {
        let fit = NodeResourcesFit::new(&Value::Null).expect("no arguments are fine");
        assert_eq!(fit.strategy, Strategy::LeastAllocated);
        assert_eq!(fit.resource_score(25, 100), 75);
        assert_eq!(fit.resource_score(125, 100), 0);
    }
}
