//! Why a pod goes where it goes, or nowhere: every plugin's verdict and score on every node, why the winner won, the text of
//! FailedScheduling, and per node the smallest change that would let the pod fit.
//!
//! An explanation is made from the store as it stands: to explain a decision, stop the run just before it.

mod advice;
mod table;

use serde_json::{Value, json};

use super::framework::names::PluginName;
use super::framework::plugin::Cx;
use super::framework::state::CycleState;
use super::framework::status::Status;
use super::framework::view::NodeView;
use super::framework::{Decision, Framework, PreFiltered, Scores, SearchState};
use super::message::{fit_error, status_message};
use crate::cluster::{Cluster, NodeId, PodId};

/// Why a pod goes where it goes, or nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// `namespace/name` of the pod.
    pub pod: String,
    /// The node that is chosen.
    pub node: Option<String>,
    /// Why this one, or why none: for people.
    pub because: String,
    /// The message of FailedScheduling, if the pod fits nowhere.
    pub failed_scheduling: Option<String>,
    /// The plugins that score, with weights.
    pub score_plugins: Vec<(PluginName, i64)>,
    /// Every node, in the order of the search.
    pub nodes: Vec<NodeExplanation>,
}

/// What the plugins say of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeExplanation {
    /// Its name.
    pub node: String,
    /// Whether the search came to it: large clusters are searched in part.
    pub looked_at: bool,
    /// The plugins that reject the pod there, each judging alone, with their reasons.
    pub rejections: Vec<PluginRejection>,
    /// By scoring plugin: before and after normalising. Empty unless the node is feasible.
    pub scores: Vec<(i64, i64)>,
    /// The weighted sum.
    pub total: Option<i64>,
    /// What would have to change for the pod to fit.
    pub changes: Vec<String>,
}

/// A plugin's no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginRejection {
    /// The plugin; none where PreFilter has ruled the node out.
    pub plugin: Option<PluginName>,
    /// `Unschedulable` or `UnschedulableAndUnresolvable`.
    pub code: &'static str,
    /// In the words of kube-scheduler.
    pub reasons: String,
}

impl Framework {
    /// Explains what the next scheduling cycle would do with a pod. `search` is not moved.
    pub fn explain(&mut self, cluster: &Cluster, pod: PodId, search: &SearchState) -> Explanation {
        let mut search = search.clone();
        let start = search.next_start;
        let decision = self.schedule(cluster, pod, &mut search);
        let n_evaluated = match &decision {
            Decision::Scheduled { evaluated, .. } => *evaluated,
            _ => usize::MAX,
        };
        let cx = self.cx(cluster, pod);
        let name = format!("{}/{}", cluster.namespace(pod), cluster.name(pod));
        let mut explanation = Explanation {
            pod: name,
            node: None,
            because: String::new(),
            failed_scheduling: None,
            score_plugins: Vec::new(),
            nodes: self.judge_all(cx, start, n_evaluated),
        };
        match decision {
            Decision::Scheduled { node, .. } => {
                let scores = self.add_scores(cx, &mut explanation);
                explanation.node = Some(cluster.name(node).to_owned());
                explanation.because = table::why_it_won(&explanation, &scores, cluster.name(node));
            }
            Decision::Unschedulable(diagnosis) => {
                let post_filter = self.post_filter_of(cx, &diagnosis, 0);
                explanation.because = match post_filter.nominated {
                    Some(node) => format!(
                        "no node has room; deleting {} less important pod(s) makes room on {}",
                        post_filter.victims.len(),
                        cluster.name(node),
                    ),
                    None => "no node will do".to_owned(),
                };
                explanation.failed_scheduling = Some(fit_error(&diagnosis, cluster, &post_filter.message));
            }
            Decision::Error(error) => explanation.because = error,
        }
        explanation
    }

    /// The verdicts of all nodes in the order of the search.
    fn judge_all(&self, cx: Cx<'_>, start: usize, n_evaluated: usize) -> Vec<NodeExplanation> {
        let mut state = CycleState::default();
        let pre_filtered = self.run_pre_filter(cx, &mut state);
        let order = cx.tables.order();
        let rotated = order.iter().cycle().skip(start).take(order.len());
        let judge = |(place, &node): (usize, &NodeId)| {
            let (rejections, changes) = self.judge(cx, &state, &pre_filtered, node);
            NodeExplanation {
                node: cx.cluster.name(node).to_owned(),
                looked_at: place < n_evaluated,
                rejections,
                scores: Vec::new(),
                total: None,
                changes,
            }
        };
        rotated.enumerate().map(judge).collect()
    }

    /// Every plugin alone on one node, and what would have to change.
    fn judge(
        &self,
        cx: Cx<'_>,
        state: &CycleState,
        pre_filtered: &PreFiltered,
        node: NodeId,
    ) -> (Vec<PluginRejection>, Vec<String>) {
        let explain = |status: &Status| PluginRejection {
            plugin: status.plugin,
            code: status.code.as_str(),
            reasons: status_message(status, &cx.cluster.interner),
        };
        match pre_filtered {
            PreFiltered::Rejected(status) => {
                let rejection = explain(status);
                let change = rejection.reasons.clone();
                return (vec![rejection], vec![format!("settle first: {change}")]);
            }
            PreFiltered::Named(names, narrowing) if !names.iter().any(|name| name == cx.cluster.name(node)) => {
                let status = Framework::outside_status(*narrowing);
                return (vec![explain(&status)], vec!["name this node in the pod's node affinity".to_owned()]);
            }
            _ => {}
        }
        let view = NodeView::plain(cx.cluster, node);
        let mut rejections = Vec::new();
        let mut changes = Vec::new();
        for plugin in self.filter_plugins().iter().filter(|plugin| !state.skip_filter.contains(plugin.name())) {
            if let Err(rejection) = plugin.filter(cx, state, view) {
                for reason in &rejection.reasons {
                    changes.extend(advice::changes(cx, reason, view));
                }
                rejections.push(explain(&Status::rejected(plugin.name(), rejection)));
            }
        }
        if rejections.is_empty() {
            // What is nominated to the node may still stand in the way.
            let status = self.run_filter_with_nominated(cx, state, view);
            if !status.is_success() {
                rejections.push(explain(&status));
                changes.push("wait until the pods nominated to this node are placed".to_owned());
            }
        }
        (rejections, changes)
    }

    /// Scores the feasible nodes that the search came to.
    fn add_scores(&self, cx: Cx<'_>, explanation: &mut Explanation) -> Scores {
        let mut state = CycleState::default();
        self.run_pre_filter(cx, &mut state);
        let scored: Vec<usize> = (0..explanation.nodes.len())
            .filter(|&idx| explanation.nodes[idx].looked_at && explanation.nodes[idx].rejections.is_empty())
            .collect();
        let ids: Vec<NodeId> =
            scored.iter().filter_map(|&idx| cx.cluster.find_node(&explanation.nodes[idx].node)).collect();
        let scores = self.run_score(cx, &mut state, &ids);
        for (place, &idx) in scored.iter().enumerate() {
            let node = &mut explanation.nodes[idx];
            node.scores =
                scores.raw.iter().zip(&scores.normalized).map(|(raw, norm)| (raw[place], norm[place])).collect();
            node.total = Some(scores.total[place]);
        }
        explanation.score_plugins = scores.plugins.clone();
        scores
    }
}

impl Explanation {
    /// The explanation as JSON.
    pub fn to_json(&self) -> Value {
        let plugins: Vec<Value> = (self.score_plugins.iter())
            .map(|(plugin, weight)| json!({ "plugin": plugin.as_str(), "weight": weight }))
            .collect();
        let nodes: Vec<Value> = self.nodes.iter().map(|node| node.to_json(&self.score_plugins)).collect();
        json!({
            "pod": self.pod,
            "node": self.node,
            "because": self.because,
            "failedScheduling": self.failed_scheduling,
            "scorePlugins": plugins,
            "nodes": nodes,
        })
    }
}

impl NodeExplanation {
    fn to_json(&self, plugins: &[(PluginName, i64)]) -> Value {
        let rejections: Vec<Value> = (self.rejections.iter())
            .map(|rejection| {
                let plugin = rejection.plugin.map(PluginName::as_str);
                json!({ "plugin": plugin, "code": rejection.code, "reasons": rejection.reasons })
            })
            .collect();
        let score = |(&(raw, normalized), &(plugin, weight)): (&(i64, i64), &(PluginName, i64))| {
            json!({
                "plugin": plugin.as_str(), "raw": raw, "normalized": normalized, "weight": weight,
                "weighted": normalized * weight,
            })
        };
        json!({
            "node": self.node,
            "lookedAt": self.looked_at,
            "feasible": self.rejections.is_empty(),
            "rejections": rejections,
            "scores": self.scores.iter().zip(plugins).map(score).collect::<Vec<_>>(),
            "total": self.total,
            "changes": self.changes,
        })
    }
}
