//! `Policy`: the wide door of scheduling. Pods and a view of the cluster go in, decisions come out; when pods are tried and what
//! becomes of a decision is the driver's business (see [`super::cycle`]). The kube-scheduler framework is one policy.

use super::explain::Explanation;
use super::framework::names::{PluginName, PluginSet};
use super::nominator::Nominator;
use crate::cluster::{Change, Cluster, NodeId, PodId};

/// An algorithm that places pods.
pub trait Policy {
    /// Called once per change of the cluster, in order, before the next decision: for caches. The cluster shows the state after
    /// all changes of the event that made this one.
    fn observe(&mut self, change: Change, cluster: &Cluster);

    /// PreEnqueue: what keeps a pod out of the active queue, if anything does. Must depend on the pod alone.
    fn pre_enqueue(&self, pod: PodId, cluster: &Cluster) -> Option<Gate> {
        gated_by_spec(pod, cluster)
    }

    /// Explains what it would decide on a pod now; `next_start` is where the search of nodes would begin. `None` for policies that
    /// cannot say.
    fn explain(&mut self, pod: PodId, next_start: usize, cluster: &Cluster) -> Option<Explanation> {
        let _ = (pod, next_start, cluster);
        None
    }

    /// How many pods [`Policy::decide`] takes at once, at least 1. kube-scheduler takes one.
    fn batch_size(&self) -> usize {
        1
    }

    /// Decides on `pods` (in the order of the queue, between 1 and [`Policy::batch_size`] of them, none of them placed) and pushes
    /// one decision per pod. Decisions are applied in order; one that counts on an earlier one of the same batch may.
    fn decide(&mut self, pods: &[PodId], view: &mut View<'_>, decisions: &mut Vec<Decision>);
}

/// What a policy sees.
pub struct View<'a> {
    /// The store. Pods assumed by the scheduler occupy their nodes already.
    pub cluster: &'a Cluster,
    /// The pods that are nominated to nodes and not there yet.
    pub nominated: &'a Nominator,
    /// Where the next search of nodes begins (kube-scheduler, `nextStartNodeIndex`): one for all profiles of a scheduler.
    pub next_start: &'a mut usize,
    /// Where random choices come from, by purpose and entity.
    pub draws: &'a crate::engine::Draws,
}

/// Why a pod may not enter the active queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// The PreEnqueue plugin.
    pub plugin: PluginName,
    /// What it says.
    pub message: String,
}

/// What is to be done with a pod.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// It goes to this node.
    Assign(NodeId),
    /// No node takes it.
    Reject(Box<Rejection>),
    /// Deciding failed; it is tried again after the back-off for errors.
    Fail(String),
}

/// A pod that no node takes, and what may be done about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rejection {
    /// The text of the FailedScheduling event and of the condition.
    pub message: String,
    /// The plugins that rejected it: only changes of interest to them bring it back.
    pub rejected_by: PluginSet,
    /// Those of them that only want to wait: a change of interest brings the pod back without back-off.
    pub pending: PluginSet,
    /// What becomes of its nomination.
    pub nomination: Nomination,
    /// The pods to be preempted on the nominated node, in the order of their eviction.
    pub victims: Vec<PodId>,
}

/// What becomes of `status.nominatedNodeName` (kube-scheduler, `NominatingInfo`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nomination {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is taken away.
    Clear,
    /// The pod is nominated to this node.
    Set(NodeId),
}

/// The gate of the plugin SchedulingGates.
pub fn gated_by_spec(pod: PodId, cluster: &Cluster) -> Option<Gate> {
    cluster
        .spec_of(pod)
        .gated
        .then(|| Gate { plugin: PluginName::SchedulingGates, message: SCHEDULING_GATES_MESSAGE.to_owned() })
}

/// What SchedulingGates says (kube-scheduler, `schedulinggates`).
pub const SCHEDULING_GATES_MESSAGE: &str = "Scheduling is blocked due to non-empty scheduling gates";
