//! The kube-scheduler framework as a [`Policy`].

use super::framework::profile::Profile;
use super::framework::{Decision as Found, Framework, SearchState, TieBreak};
use super::message::{event_note, fit_error};
use super::plugin_id::{PluginId, PluginSet};
use super::policy::{Decision, Gate, Nomination, Policy, Rejection, View};
use crate::cluster::{Change, Cluster, PodId};
use crate::engine::Purpose;
use rand_chacha::rand_core::Rng;

/// How ties among the best nodes are broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TieRule {
    /// As kube-scheduler with one worker: the root of its heap.
    #[default]
    Kube,
    /// The node found first.
    First,
    /// Drawn from the run's seed.
    Random,
}

/// A profile's plugins, asked for one pod at a time.
pub struct FrameworkPolicy {
    framework: Framework,
    tie_rule: TieRule,
}

impl FrameworkPolicy {
    /// The policy of a profile.
    ///
    /// # Errors
    ///
    /// What is wrong with the arguments of a plugin.
    pub fn new(profile: Profile, tie_rule: TieRule) -> Result<FrameworkPolicy, String> {
        Ok(FrameworkPolicy { framework: Framework::new(profile, &Cluster::new(0))?, tie_rule })
    }

    /// The framework.
    pub fn framework(&self) -> &Framework {
        &self.framework
    }

    fn decide_one(&mut self, pod: PodId, view: &mut View<'_>) -> Decision {
        let cluster = view.cluster;
        let entity = cluster.pod(pod).ordinal & ((1 << 56) - 1);
        let turn = cluster.pod(pod).epoch;
        let tie_break = match self.tie_rule {
            TieRule::Kube => TieBreak::Kube,
            TieRule::First => TieBreak::First,
            TieRule::Random => TieBreak::Random(Box::new(view.draws.stream(Purpose::TieBreak, entity, turn))),
        };
        let mut search = SearchState { next_start: *view.next_start, tie_break };
        let found = self.framework.schedule(cluster, pod, &mut search);
        *view.next_start = search.next_start;
        let diagnosis = match found {
            Found::Scheduled { node, .. } => return Decision::Assign(node),
            Found::Error(error) => return Decision::Fail(error),
            Found::Unschedulable(diagnosis) => diagnosis,
        };
        let offset = view.draws.stream(Purpose::TieBreak, entity, turn.wrapping_add(1 << 20)).next_u64();
        let preemption = self.framework.post_filter(cluster, pod, &diagnosis, offset);
        let nomination = match preemption.nominated {
            Some(node) => Nomination::Set(node),
            None if preemption.clears_nomination => Nomination::Clear,
            None => Nomination::Keep,
        };
        let mut rejected_by = PluginSet::default();
        for plugin in diagnosis.plugins.iter() {
            rejected_by.insert(PluginId::parse(plugin.as_str()).unwrap_or(PluginId::OTHER));
        }
        Decision::Reject(Box::new(Rejection {
            message: event_note(&fit_error(&diagnosis, cluster, &preemption.message)),
            rejected_by,
            pending: PluginSet::default(),
            nomination,
            victims: preemption.victims,
        }))
    }
}

impl Policy for FrameworkPolicy {
    fn observe(&mut self, change: Change, cluster: &Cluster) {
        self.framework.observe(change, cluster);
    }

    fn pre_enqueue(&self, pod: PodId, cluster: &Cluster) -> Option<Gate> {
        super::policy::gated_by_spec(pod, cluster)
    }

    fn decide(&mut self, pods: &[PodId], view: &mut View<'_>, decisions: &mut Vec<Decision>) {
        for &pod in pods {
            let decision = self.decide_one(pod, view);
            decisions.push(decision);
        }
    }
}
