//! Preemption: which less important pods would have to go from which node for a pod to fit (kube-scheduler v1.36,
//! `framework/preemption` and `plugins/defaultpreemption`).

use serde_json::Value;

use super::framework::names::{ExtensionPoint, PluginName};
use super::framework::plugin::Cx;
use super::framework::reason::Reason;
use super::framework::state::CycleState;
use super::framework::status::{Code, Rejection, Status};
use super::framework::view::{NodeView, Supposed};
use super::framework::{Diagnosis, Framework};
use super::message::fit_error;
use super::plugins::default_preemption::DefaultPreemption;
use super::plugins::dynamic_resources::NO_CLAIMS;
use crate::cluster::{Cluster, ConditionStatus, NodeId, PodId};
use crate::engine::Time;

mod budgets;
mod pick;

pub use budgets::Budget;
pub use pick::{best_candidates, more_important, start_time};

/// What PostFilter answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PreemptionResult {
    /// The node to which the pod is to be nominated, if pods are to go from there.
    pub nominated: Option<NodeId>,
    /// The pods to be deleted, the most important first.
    pub victims: Vec<PodId>,
    /// Whether a nomination that the pod has is to be cleared.
    pub clears_nomination: bool,
    /// What is added to the FailedScheduling message.
    pub message: String,
    /// `Success`, `Unschedulable`, or `Error`.
    pub code: Option<Code>,
}

/// A node on which pods would have to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The node.
    pub node: NodeId,
    /// The most important first.
    pub victims: Vec<PodId>,
    /// How many of them are protected by a disruption budget that has nothing left.
    pub n_violations: usize,
}

/// What a dry run of preemption finds.
#[derive(Clone, Debug, Default)]
pub struct DryRun {
    /// In the order of the search.
    pub candidates: Vec<Candidate>,
    /// Why it does not help on the other nodes tried.
    pub rejected: Vec<(NodeId, Status)>,
}

impl Framework {
    /// Runs PostFilter for a pod that no node will do for. `offset` is where the search begins among the nodes that may help.
    pub fn post_filter(
        &mut self,
        cluster: &Cluster,
        pod: PodId,
        diagnosis: &Diagnosis,
        offset: u64,
    ) -> PreemptionResult {
        self.sync(cluster);
        self.post_filter_of(self.cx(cluster, pod), diagnosis, offset)
    }

    /// As [`Framework::post_filter`], with everything up to date.
    pub fn post_filter_of(&self, cx: Cx<'_>, diagnosis: &Diagnosis, offset: u64) -> PreemptionResult {
        let mut reasons: Vec<String> = Vec::new();
        let mut result = PreemptionResult { code: Some(Code::Unschedulable), ..PreemptionResult::default() };
        for &plugin in self.post_filter_plugins() {
            match plugin {
                PluginName::DynamicResources if !diagnosis.saw_dynamic_resources => {
                    // Its PreFilter, which another plugin's rejection has cut off, left nothing for it to read.
                    return PreemptionResult {
                        code: Some(Code::Error),
                        message: "not found".to_owned(),
                        ..PreemptionResult::default()
                    };
                }
                PluginName::DynamicResources => reasons.push(NO_CLAIMS.to_owned()),
                PluginName::DefaultPreemption => {
                    result = self.preempt(cx, diagnosis, offset);
                    if result.code == Some(Code::Success) {
                        return result;
                    }
                    reasons.push(format!("preemption: {}", result.message));
                }
                _ => {}
            }
        }
        result.message = reasons.join(", ");
        result
    }

    fn preempt(&self, cx: Cx<'_>, diagnosis: &Diagnosis, offset: u64) -> PreemptionResult {
        if let Err(why) = eligible(cx, diagnosis) {
            return PreemptionResult {
                code: Some(Code::Unschedulable),
                message: why.to_owned(),
                ..PreemptionResult::default()
            };
        }
        let potential = potential_nodes(cx, diagnosis);
        let offset = if potential.is_empty() { 0 } else { (offset % potential.len() as u64) as usize };
        let args = self.profile().args.get(&PluginName::DefaultPreemption).unwrap_or(&Value::Null);
        let wanted = DefaultPreemption::new(args).n_candidates(potential.len());
        let dry_run = self.dry_run(cx, &potential, offset, wanted);
        let Some(best) = best_candidates(cx.cluster, &dry_run.candidates).first().copied() else {
            let others =
                Status::rejected(PluginName::DefaultPreemption, Rejection::unresolvable(Reason::PreemptionNotHelpful));
            let failure = Diagnosis {
                n_nodes: diagnosis.n_nodes,
                nodes: dry_run.rejected,
                others: Some(others),
                ..Diagnosis::default()
            };
            return PreemptionResult {
                clears_nomination: true,
                code: Some(Code::Unschedulable),
                message: fit_error(&failure, cx.cluster, ""),
                ..PreemptionResult::default()
            };
        };
        let chosen = &dry_run.candidates[best];
        PreemptionResult {
            nominated: Some(chosen.node),
            victims: chosen.victims.clone(),
            code: Some(Code::Success),
            ..PreemptionResult::default()
        }
    }

    /// Tries nodes in turn, from `offset`, until `wanted` candidates are found, one of which violates no budget.
    pub fn dry_run(&self, cx: Cx<'_>, potential: &[NodeId], offset: usize, wanted: usize) -> DryRun {
        let mut run = DryRun::default();
        let own = cx.cluster.spec_of(cx.pod).priority;
        if cx.tables.lowest_priority().is_none_or(|lowest| lowest >= own) {
            run.rejected = potential.iter().map(|&node| (node, no_victims())).collect();
            return run;
        }
        let mut state = CycleState::default();
        // The counts of the failed cycle: nothing has changed since.
        self.run_pre_filter(cx, &mut state);
        let budgets = Budget::all(cx.cluster);
        let mut any_without_violation = false;
        for idx in 0..potential.len() {
            let node = potential[(offset + idx) % potential.len()];
            match self.select_victims(cx, &state, node, &budgets) {
                Ok(candidate) => {
                    any_without_violation |= candidate.n_violations == 0;
                    run.candidates.push(candidate);
                }
                Err(status) => run.rejected.push((node, status)),
            }
            if any_without_violation && run.candidates.len() >= wanted {
                break;
            }
        }
        run
    }

    /// `SelectVictimsOnNode`: all less important pods go; then, most important first and protected ones before the others, those
    /// come back beside which the pod still fits.
    fn select_victims(
        &self,
        cx: Cx<'_>,
        state: &CycleState,
        node: NodeId,
        budgets: &[Budget],
    ) -> Result<Candidate, Status> {
        let priority = |pod: PodId| cx.cluster.spec_of(pod).priority;
        let own = priority(cx.pod);
        let pods = cx.cluster.node(node).pods.iter().copied();
        let mut potential: Vec<PodId> = pods.filter(|&pod| priority(pod) < own).collect();
        if potential.is_empty() {
            return Err(no_victims());
        }
        let mut supposing = Supposing { framework: self, cx, state: state.clone(), node, supposed: Vec::new() };
        potential.iter().for_each(|&pod| supposing.remove(pod));
        let status = supposing.filter();
        if !status.is_success() {
            return Err(status);
        }
        potential.sort_by(|&a, &b| more_important(cx.cluster, a, b));
        let (violating, others) = budgets::split(cx.cluster, &potential, budgets);
        let mut victims = Vec::new();
        let mut n_violations = 0;
        for &pod in &violating {
            if !supposing.reprieve(pod) {
                victims.push(pod);
                n_violations += 1;
            }
        }
        victims.extend(others.iter().copied().filter(|&pod| !supposing.reprieve(pod)));
        if !violating.is_empty() && !others.is_empty() {
            victims.sort_by(|&a, &b| more_important(cx.cluster, a, b));
        }
        if victims.is_empty() {
            let name = cx.cluster.name(node);
            let text = format!("expected at least one victim pod on node {name:?}");
            return Err(Status {
                code: Code::Error,
                plugin: None,
                reasons: [Reason::Text(text.into())].into_iter().collect(),
            });
        }
        Ok(Candidate { node, victims, n_violations })
    }
}

/// There is no less important pod on the node.
fn no_victims() -> Status {
    let reasons = [Reason::NoVictims].into_iter().collect();
    Status { code: Code::UnschedulableAndUnresolvable, plugin: None, reasons }
}

/// One node with pods taken off it in thought.
struct Supposing<'a> {
    framework: &'a Framework,
    cx: Cx<'a>,
    state: CycleState,
    node: NodeId,
    supposed: Vec<Supposed>,
}

impl Supposing<'_> {
    fn remove(&mut self, pod: PodId) {
        self.supposed.push(Supposed::Removed(pod));
        self.framework.suppose(self.cx, &mut self.state, pod, self.node, -1);
    }

    fn filter(&self) -> Status {
        let view = NodeView { cluster: self.cx.cluster, id: self.node, supposed: &self.supposed };
        self.framework.run_filter_with_nominated(self.cx, &self.state, view)
    }

    /// Puts a pod back; takes it off again if the pod to be scheduled does not fit beside it.
    fn reprieve(&mut self, pod: PodId) -> bool {
        self.supposed.push(Supposed::Added(pod));
        self.framework.suppose(self.cx, &mut self.state, pod, self.node, 1);
        let fits = self.filter().is_success();
        if !fits {
            self.remove(pod);
        }
        fits
    }
}

/// Why a pod of `preemptionPolicy: Never` may not preempt.
pub const NEVER: &str = "not eligible due to preemptionPolicy=Never.";

/// Whether removing pods may help where a node has this status.
pub fn may_help(status: &Status) -> bool {
    status.code == Code::Unschedulable
}

/// Whether a pod may preempt at all (`PodEligibleToPreemptOthers`).
///
/// # Errors
///
/// Why not.
pub fn eligible(cx: Cx<'_>, diagnosis: &Diagnosis) -> Result<(), &'static str> {
    if cx.spec.never_preempts {
        return Err(NEVER);
    }
    let Some(node) = cx.row().nominated else { return Ok(()) };
    let status = diagnosis.status_of(node);
    if status.is_some_and(|status| status.code == Code::UnschedulableAndUnresolvable) {
        return Ok(());
    }
    let own = cx.cluster.spec_of(cx.pod).priority;
    let terminating = |&pod: &PodId| cx.cluster.spec_of(pod).priority < own && is_preempted(cx.cluster, pod);
    if cx.cluster.node(node).pods.iter().any(terminating) {
        return Err("not eligible due to a terminating pod on the nominated node.");
    }
    Ok(())
}

/// Whether a pod is being deleted because the scheduler preempts it (`podTerminatingByPreemption`).
fn is_preempted(cluster: &Cluster, pod: PodId) -> bool {
    let row = cluster.pod(pod);
    let words = &cluster.words;
    row.meta.is_deleting()
        && row.conditions.get(words.disruption_target).is_some_and(|condition| {
            condition.status == ConditionStatus::True && condition.reason == words.preemption_by_scheduler
        })
}

/// The nodes on which removing pods may help.
pub fn potential_nodes(cx: Cx<'_>, diagnosis: &Diagnosis) -> Vec<NodeId> {
    if diagnosis.others.as_ref().is_some_and(may_help) {
        let order = cx.tables.order().iter().copied();
        return order.filter(|&node| diagnosis.status_of(node).is_some_and(may_help)).collect();
    }
    diagnosis.nodes.iter().filter(|(_, status)| may_help(status)).map(|&(node, _)| node).collect()
}

/// The start of a pod that has not started: later than any other.
const NOT_STARTED: Time = Time::NEVER;

/// Whether preemption takes part in PostFilter.
pub fn is_enabled(framework: &Framework) -> bool {
    framework
        .profile()
        .plugins(ExtensionPoint::PostFilter)
        .iter()
        .any(|(name, _)| *name == PluginName::DefaultPreemption)
}
