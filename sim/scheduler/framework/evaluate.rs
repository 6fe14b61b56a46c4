//! The steps of a scheduling cycle: PreFilter, Filter (with nominated pods), PreScore, Score and NormalizeScore.

use smallvec::SmallVec;

use super::Framework;
use super::names::{PluginName, PluginSet};
use super::plugin::Cx;
use super::reason::Reason;
use super::state::CycleState;
use super::status::{Code, PreFilter, Rejection, Status};
use super::view::{NodeView, Supposed};
use crate::cluster::{NodeId, PodId};

/// What PreFilter leaves to be searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreFiltered {
    /// All nodes.
    All,
    /// The nodes of these names, which need not exist, and the plugins that said so.
    Named(Vec<String>, PluginSet),
    /// None: a plugin has rejected the pod.
    Rejected(Status),
    /// None: a plugin has failed.
    Error(String),
}

/// The scores of the feasible nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scores {
    /// The plugins that took part, with weights.
    pub plugins: Vec<(PluginName, i64)>,
    /// The plugins that left the pod alone.
    pub skipped: PluginSet,
    /// By plugin, then node: before NormalizeScore.
    pub raw: Vec<Vec<i64>>,
    /// By plugin, then node: 0..=100.
    pub normalized: Vec<Vec<i64>>,
    /// By node: the weighted sum.
    pub total: Vec<i64>,
}

impl Framework {
    /// Runs PreFilter. An unresolvable rejection ends it at once, a resolvable one when all plugins have run.
    pub fn run_pre_filter(&self, cx: Cx<'_>, state: &mut CycleState) -> PreFiltered {
        let mut names: Option<Vec<String>> = None;
        let mut narrowing = PluginSet::EMPTY;
        let mut rejected: Option<Status> = None;
        for plugin in &self.pre_filter {
            match plugin.pre_filter(cx, state) {
                PreFilter::Run => {}
                PreFilter::Skip => state.skip_filter.insert(plugin.name()),
                PreFilter::Error(error) => {
                    return PreFiltered::Error(format!(
                        "running PreFilter plugin {:?}: {error}",
                        plugin.name().as_str()
                    ));
                }
                PreFilter::Reject(rejection) => {
                    let last = rejection.code == Code::UnschedulableAndUnresolvable;
                    rejected = Some(Status::rejected(plugin.name(), rejection));
                    if last {
                        break;
                    }
                }
                PreFilter::Narrow(own) => {
                    narrowing.insert(plugin.name());
                    let merged: Vec<String> = match names.take() {
                        None => own,
                        Some(before) => before.into_iter().filter(|name| own.contains(name)).collect(),
                    };
                    if merged.is_empty() {
                        return PreFiltered::Rejected(conflicting(plugin.name(), narrowing));
                    }
                    names = Some(merged);
                }
            }
        }
        match (rejected, names) {
            (Some(status), _) => PreFiltered::Rejected(status),
            (None, Some(names)) => PreFiltered::Named(names, narrowing),
            (None, None) => PreFiltered::All,
        }
    }

    /// The status of nodes outside those that PreFilter has named.
    pub fn outside_status(narrowing: PluginSet) -> Status {
        Status { code: Code::UnschedulableAndUnresolvable, plugin: None, reasons: outside_reasons(narrowing) }
    }

    /// Runs Filter on one node in the order of the profile, up to the first rejection, without nominated pods.
    pub fn run_filter(&self, cx: Cx<'_>, state: &CycleState, node: NodeView<'_>) -> Status {
        for plugin in self.filter.iter().filter(|plugin| !state.skip_filter.contains(plugin.name())) {
            if let Err(rejection) = plugin.filter(cx, state, node) {
                return Status::rejected(plugin.name(), rejection);
            }
        }
        Status::success()
    }

    /// Runs Filter with the pods added that are nominated to the node and no less important, then without them: both must pass.
    pub fn run_filter_with_nominated(&self, cx: Cx<'_>, state: &CycleState, node: NodeView<'_>) -> Status {
        if cx.tables.any_nominated() {
            let added = self.nominated(cx, node.id);
            if !added.is_empty() {
                let mut supposed: SmallVec<[Supposed; 8]> = SmallVec::from_slice(node.supposed);
                supposed.extend(added.iter().map(|&pod| Supposed::Added(pod)));
                let mut state = state.clone();
                for &pod in &added {
                    self.suppose(cx, &mut state, pod, node.id, 1);
                }
                let status = self.run_filter(cx, &state, NodeView { supposed: &supposed, ..node });
                if !status.is_success() {
                    return status;
                }
            }
        }
        self.run_filter(cx, state, node)
    }

    /// The other pods nominated to a node whose priority is not below the pod's.
    fn nominated(&self, cx: Cx<'_>, node: NodeId) -> SmallVec<[PodId; 4]> {
        let priority = |pod: PodId| cx.cluster.spec_of(pod).priority;
        let own = priority(cx.pod);
        cx.tables.nominated_to(node).filter(|&pod| pod != cx.pod && priority(pod) >= own).collect()
    }

    /// Runs the PreFilter extensions: a pod is put on a node (`sign` 1) or taken off it (-1) in thought.
    pub fn suppose(&self, cx: Cx<'_>, state: &mut CycleState, pod: PodId, node: NodeId, sign: i64) {
        let skipped = state.skip_filter;
        for plugin in self.pre_filter.iter().filter(|plugin| !skipped.contains(plugin.name())) {
            plugin.suppose(cx, state, pod, node, sign);
        }
    }

    /// Runs PreScore, Score and NormalizeScore over the feasible nodes.
    pub fn run_score(&self, cx: Cx<'_>, state: &mut CycleState, nodes: &[NodeId]) -> Scores {
        let mut scores = Scores { total: vec![0; nodes.len()], ..Scores::default() };
        for plugin in &self.pre_score {
            if !plugin.pre_score(cx, state, nodes) {
                scores.skipped.insert(plugin.name());
            }
        }
        let skipped = scores.skipped;
        for (plugin, weight) in self.score.iter().filter(|(plugin, _)| !skipped.contains(plugin.name())) {
            let mut own = vec![0; nodes.len()];
            plugin.score_block(cx, state, nodes, &mut own);
            scores.raw.push(own.clone());
            plugin.normalize(cx, state, nodes, &mut own);
            for (total, score) in scores.total.iter_mut().zip(&own) {
                *total += score * weight;
            }
            scores.plugins.push((plugin.name(), *weight));
            scores.normalized.push(own);
        }
        scores
    }
}

fn conflicting(last: PluginName, narrowing: PluginSet) -> Status {
    let names: Vec<&str> = narrowing.iter().map(PluginName::as_str).collect();
    let text = match names[..] {
        [only] => format!("node(s) didn't satisfy plugin {only}"),
        _ => format!("node(s) didn't satisfy plugin(s) [{}] simultaneously", names.join(" ")),
    };
    Status::rejected(last, Rejection::unresolvable_text(text))
}

fn outside_reasons(narrowing: PluginSet) -> SmallVec<[Reason; 1]> {
    let mut names: Vec<&str> = narrowing.iter().map(PluginName::as_str).collect();
    names.sort_unstable();
    let text = format!("node(s) didn't satisfy plugin(s) [{}]", names.join(" "));
    SmallVec::from_iter([Reason::Text(text.into())])
}
