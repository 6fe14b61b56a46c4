//! One scheduling cycle: the search for feasible nodes and the choice among them (kube-scheduler v1.36, `schedule_one.go`).
//!
//! As the real scheduler with one worker: nodes in the order of the snapshot from a rotating start; the search ends when one more
//! feasible node is found than are wanted; ties go by the heap's rule.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::Framework;
use super::evaluate::PreFiltered;
use super::names::PluginSet;
use super::plugin::Cx;
use super::rows::{Quick, RowCache};
use super::state::CycleState;
use super::status::Status;
use super::view::NodeView;
use crate::cluster::{Cluster, NodeId, PodId};
use crate::scheduler::host_pick::host_pick;
use crate::scheduler::nodes_to_find::{nodes_to_find, place};

/// What a scheduler carries from one cycle to the next.
#[derive(Clone, Debug, Default)]
pub struct SearchState {
    /// Where the next search begins in the order of nodes.
    pub next_start: usize,
    /// Which of the best nodes is taken.
    pub tie_break: TieBreak,
}

/// Which of the best nodes is taken.
#[derive(Clone, Debug, Default)]
pub enum TieBreak {
    /// kube-scheduler's own rule: the root of its heap.
    #[default]
    Kube,
    /// The one that was found first.
    First,
    /// Any one.
    Random(Box<ChaCha8Rng>),
}

/// What a cycle decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The pod goes to `node`.
    Scheduled {
        /// The node.
        node: NodeId,
        /// Number of nodes looked at.
        evaluated: usize,
        /// Number of feasible nodes found.
        feasible: usize,
        /// The score of the node; 0 if it was the only one and therefore not scored.
        total: i64,
    },
    /// No node will do.
    Unschedulable(Box<Diagnosis>),
    /// There are no nodes, or a plugin failed.
    Error(String),
}

/// Why no node will do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// Number of nodes in the cluster.
    pub n_nodes: usize,
    /// The nodes that were looked at, in that order, and what stands against each.
    pub nodes: Vec<(NodeId, Status)>,
    /// What stands against all other nodes.
    pub others: Option<Status>,
    /// Whether PreFilter has rejected the pod: `others` is why.
    pub pre_filter: bool,
    /// The plugins that have rejected the pod: their events may make it schedulable.
    pub plugins: PluginSet,
    /// Whether PreFilter came to DynamicResources, for its PostFilter.
    pub saw_dynamic_resources: bool,
}

impl Diagnosis {
    /// What stands against a node.
    pub fn status_of(&self, node: NodeId) -> Option<&Status> {
        self.nodes.iter().find(|(other, _)| *other == node).map(|(_, status)| status).or(self.others.as_ref())
    }
}

impl Diagnosis {
    /// With the nodes that were looked at.
    fn with(mut self, nodes: Vec<(NodeId, Status)>) -> Diagnosis {
        self.plugins.extend(nodes.iter().filter_map(|(_, status)| status.plugin));
        self.nodes = nodes;
        self
    }
}

/// The nodes found by a search.
#[derive(Debug, Default)]
struct Found {
    feasible: Vec<NodeId>,
    rejected: Vec<(NodeId, Status)>,
}

impl Framework {
    /// Runs one scheduling cycle for a pod, without preemption.
    pub fn schedule(&mut self, cluster: &Cluster, pod: PodId, search: &mut SearchState) -> Decision {
        self.tables.prepare(cluster, pod);
        let mut state = std::mem::take(&mut self.state);
        let mut rows = std::mem::take(&mut self.rows);
        state.clear();
        let decision = self.cycle(self.cx(cluster, pod), &mut state, Some(&mut rows), search);
        (self.state, self.rows) = (state, rows);
        decision
    }

    /// As [`Framework::schedule`], node by node without remembering anything: what the fast path is checked against.
    pub fn schedule_plainly(&mut self, cluster: &Cluster, pod: PodId, search: &mut SearchState) -> Decision {
        self.tables.sync(cluster);
        self.cycle(self.cx(cluster, pod), &mut CycleState::default(), None, search)
    }

    fn cycle(
        &self,
        cx: Cx<'_>,
        state: &mut CycleState,
        rows: Option<&mut RowCache>,
        search: &mut SearchState,
    ) -> Decision {
        let n_nodes = cx.tables.order().len();
        if n_nodes == 0 {
            return Decision::Error("no nodes available to schedule pods".to_owned());
        }
        let mut diagnosis = Diagnosis { n_nodes, ..Diagnosis::default() };
        let named = match self.run_pre_filter(cx, state) {
            PreFiltered::All => None,
            PreFiltered::Named(names, narrowing) => {
                diagnosis.others = Some(Framework::outside_status(narrowing));
                diagnosis.plugins.extend(narrowing.iter());
                Some(existing(cx.cluster, &names))
            }
            PreFiltered::Error(error) => return Decision::Error(error),
            PreFiltered::Rejected(status) => {
                diagnosis.plugins.extend(status.plugin);
                (diagnosis.others, diagnosis.pre_filter) = (Some(status), true);
                diagnosis.saw_dynamic_resources = state.saw_dynamic_resources;
                return Decision::Unschedulable(Box::new(diagnosis));
            }
        };
        diagnosis.saw_dynamic_resources = state.saw_dynamic_resources;
        if let Some(node) = cx.row().nominated.filter(|&node| !cx.cluster.node(node).meta.removed)
            && self.run_filter_with_nominated(cx, state, NodeView::plain(cx.cluster, node)).is_success()
        {
            return Decision::Scheduled { node, evaluated: 1, feasible: 1, total: 0 };
        }
        if named.is_none()
            && let Some(rows) = rows
            && let Some(quick) = self.quick(cx, state, rows, search.next_start, &mut search.tie_break)
        {
            let Quick { best, evaluated, feasible, rejected } = quick;
            if let Some((node, total)) = best {
                search.next_start = place(search.next_start, evaluated, n_nodes);
                return Decision::Scheduled { node, evaluated, feasible, total };
            }
            if let Some(rejected) = rejected {
                search.next_start = place(search.next_start, evaluated, n_nodes);
                return Decision::Unschedulable(Box::new(diagnosis.with(rejected)));
            }
        }
        let nodes = named.as_deref().unwrap_or(cx.tables.order());
        let found = self.find_nodes(cx, state, nodes, search.next_start);
        let evaluated = found.feasible.len() + found.rejected.len();
        search.next_start = place(search.next_start, evaluated, n_nodes);
        match found.feasible[..] {
            [] => Decision::Unschedulable(Box::new(diagnosis.with(found.rejected))),
            [node] => Decision::Scheduled { node, evaluated, feasible: 1, total: 0 },
            _ => {
                let scores = self.run_score(cx, state, &found.feasible);
                let pick = search.tie_break.pick(&scores.total);
                let (node, total) = (found.feasible[pick], scores.total[pick]);
                Decision::Scheduled { node, evaluated, feasible: found.feasible.len(), total }
            }
        }
    }

    fn find_nodes(&self, cx: Cx<'_>, state: &CycleState, nodes: &[NodeId], start: usize) -> Found {
        let wanted = nodes_to_find(nodes.len(), self.profile.percentage_of_nodes_to_score);
        let mut found = Found::default();
        for idx in 0..nodes.len() {
            let node = nodes[place(start, idx, nodes.len())];
            let status = self.run_filter_with_nominated(cx, state, NodeView::plain(cx.cluster, node));
            if !status.is_success() {
                found.rejected.push((node, status));
            } else if found.feasible.len() == wanted {
                break;
            } else {
                found.feasible.push(node);
            }
        }
        found
    }
}

impl TieBreak {
    /// The index of the node that is taken. There must be one.
    pub fn pick(&mut self, totals: &[i64]) -> usize {
        match self {
            TieBreak::Kube => host_pick(totals).unwrap_or(0),
            TieBreak::First => {
                let best = totals.iter().copied().max();
                totals.iter().position(|&total| Some(total) == best).unwrap_or(0)
            }
            TieBreak::Random(rng) => {
                let best = totals.iter().copied().max();
                let ties: Vec<usize> = (0..totals.len()).filter(|&idx| Some(totals[idx]) == best).collect();
                let place = (u64::from(rng.next_u32()) * ties.len() as u64) >> 32;
                ties.get(place as usize).copied().unwrap_or(0)
            }
        }
    }
}

/// The nodes of these names that exist.
fn existing(cluster: &Cluster, names: &[String]) -> Vec<NodeId> {
    names.iter().filter_map(|name| cluster.find_node(name)).collect()
}
