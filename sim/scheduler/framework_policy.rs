//! The kube-scheduler framework as a [`Policy`]: one search per pod, preemption where it finds nothing.

use rand_chacha::rand_core::Rng;

use super::explain::Explanation;
use super::framework::names::{ExtensionPoint, PluginName};
use super::framework::profile::Profile;
use super::framework::{self, Diagnosis, Framework, SearchState};
use super::message::fit_error;
use super::policy::{Decision, Gate, Nomination, Policy, Rejection, View, gated_by_spec};
use crate::cluster::{Change, Cluster, PodId};
use crate::engine::Purpose;

/// Which of several best nodes is taken (`tieBreak`, an extension of the lab).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TieBreak {
    /// kube-scheduler's own rule.
    #[default]
    Kube,
    /// The first in the order of the search.
    First,
    /// Any of them, drawn for each pod.
    Random,
}

/// A framework as a policy.
pub struct FrameworkPolicy {
    framework: Framework,
    tie_break: TieBreak,
    search: SearchState,
    has_gates: bool,
    has_post_filter: bool,
}

impl FrameworkPolicy {
    /// The policy of a profile. It learns of the cluster by [`Policy::observe`] alone.
    ///
    /// # Errors
    ///
    /// What is wrong with the arguments of a plugin.
    pub fn new(profile: Profile, tie_break: TieBreak) -> Result<FrameworkPolicy, String> {
        Ok(FrameworkPolicy::of(Framework::new(profile, &Cluster::new(0))?, tie_break))
    }

    /// The policy of a framework.
    pub fn of(framework: Framework, tie_break: TieBreak) -> FrameworkPolicy {
        let pre_enqueue = framework.profile().plugins(ExtensionPoint::PreEnqueue);
        let search_tie_break = match tie_break {
            TieBreak::First => framework::TieBreak::First,
            TieBreak::Kube | TieBreak::Random => framework::TieBreak::Kube,
        };
        FrameworkPolicy {
            has_gates: pre_enqueue.iter().any(|&(plugin, _)| plugin == PluginName::SchedulingGates),
            has_post_filter: !framework.post_filter_plugins().is_empty(),
            search: SearchState { tie_break: search_tie_break, ..SearchState::default() },
            framework,
            tie_break,
        }
    }

    /// The framework, for explanations.
    pub fn framework(&self) -> &Framework {
        &self.framework
    }

    fn decide_one(&mut self, pod: PodId, view: &mut View<'_>) -> Decision {
        let entity = view.cluster.pod(pod).ordinal & ENTITY_MASK;
        if self.tie_break == TieBreak::Random {
            let rng = view.draws.stream(Purpose::TieBreak, entity, 0);
            self.search.tie_break = framework::TieBreak::Random(Box::new(rng));
        }
        self.search.next_start = *view.next_start;
        let decision = self.framework.schedule(view.cluster, pod, &mut self.search);
        *view.next_start = self.search.next_start;
        match decision {
            framework::Decision::Scheduled { node, .. } => Decision::Assign(node),
            framework::Decision::Error(message) => Decision::Fail(message),
            framework::Decision::Unschedulable(diagnosis) => {
                // Where the dry run of preemption begins is random in kube-scheduler.
                let offset = view.draws.stream(Purpose::TieBreak, entity, 1).next_u64();
                Decision::Reject(Box::new(self.reject(pod, &diagnosis, offset, view.cluster)))
            }
        }
    }

    fn reject(&mut self, pod: PodId, diagnosis: &Diagnosis, offset: u64, cluster: &Cluster) -> Rejection {
        let result = self.framework.post_filter(cluster, pod, diagnosis, offset);
        let nomination = match result.nominated {
            Some(node) => Nomination::Set(node),
            None if result.clears_nomination || !self.has_post_filter => Nomination::Clear,
            None => Nomination::Keep,
        };
        Rejection {
            message: fit_error(diagnosis, cluster, &result.message),
            rejected_by: diagnosis.plugins,
            nomination,
            victims: result.victims,
            ..Rejection::default()
        }
    }
}

impl Policy for FrameworkPolicy {
    fn observe(&mut self, change: Change, cluster: &Cluster) {
        self.framework.observe(change, cluster);
    }

    fn pre_enqueue(&self, pod: PodId, cluster: &Cluster) -> Option<Gate> {
        if self.has_gates { gated_by_spec(pod, cluster) } else { None }
    }

    fn explain(&mut self, pod: PodId, next_start: usize, cluster: &Cluster) -> Option<Explanation> {
        let search = SearchState { next_start, ..self.search.clone() };
        Some(self.framework.explain(cluster, pod, &search))
    }

    fn decide(&mut self, pods: &[PodId], view: &mut View<'_>, decisions: &mut Vec<Decision>) {
        decisions.extend(pods.iter().map(|&pod| self.decide_one(pod, view)));
    }
}

/// Streams are named by 56 bits.
const ENTITY_MASK: u64 = (1 << 56) - 1;
