//! The eviction API: a deletion that asks the pod's budget first (apiserver, `registry/core/pod/storage/eviction.go`).

use super::condition::{Condition, ConditionStatus};
use super::ids::{ObjId, PodId, Sym};
use super::objects::{Kind, PodDisruptionBudget};
use super::pod::{Pod, PodPhase};
use super::store::Cluster;

/// Granted evictions whose pods are not yet gone, above which no more are granted (`MaxDisruptedPodSize`).
const MAX_DISRUPTED_PODS: usize = 2000;

/// An eviction that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvictionRefused {
    /// The HTTP status: 429 for a budget, 403 for a budget that is out of order, 500 for two budgets.
    pub code: u16,
    /// The message.
    pub text: String,
    /// The message of the cause `DisruptionBudget`, may be empty.
    pub cause: String,
}

/// The numbers of a budget that an eviction looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetState {
    /// `status.disruptionsAllowed`.
    pub disruptions_allowed: i32,
    /// `status.currentHealthy`.
    pub current_healthy: i32,
    /// `status.desiredHealthy`.
    pub desired_healthy: i32,
    /// Whether `unhealthyPodEvictionPolicy` is `AlwaysAllow`.
    pub unhealthy_always_allowed: bool,
}

/// What the state of a pod says to its eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// Deleted without asking a budget: it disrupts nothing.
    Unguarded,
    /// Deleted without spending from its budget: the pod does not serve.
    Unhealthy,
    /// Deleted at the expense of its budget.
    Spends,
    /// Refused.
    Refused,
}

/// Whether a pod of this phase may go without asking a budget (`canIgnorePDB`).
pub fn ignores_budget(phase: PodPhase, deleting: bool) -> bool {
    deleting || matches!(phase, PodPhase::Succeeded | PodPhase::Failed | PodPhase::Pending)
}

/// What the one budget of a pod says, once the pod has been found to need one.
pub fn ask_budget(ready: bool, budget: BudgetState) -> Eviction {
    let serves_enough = budget.current_healthy >= budget.desired_healthy && budget.desired_healthy > 0;
    if !ready && (budget.unhealthy_always_allowed || serves_enough) {
        Eviction::Unhealthy
    } else if budget.disruptions_allowed > 0 {
        Eviction::Spends
    } else {
        Eviction::Refused
    }
}

impl Cluster {
    /// Evicts a pod; `grace_seconds` of `None` means the pod's own.
    ///
    /// # Errors
    ///
    /// If a budget refuses, or if the pod has two.
    pub fn evict(&mut self, pod: PodId, grace_seconds: Option<u32>) -> Result<(), EvictionRefused> {
        let row = self.pod(pod);
        if row.meta.removed {
            return Ok(());
        }
        // A pod that disrupts nothing gets the condition too.
        let is_guarded = !ignores_budget(row.phase, row.meta.is_deleting());
        match *self.budgets_of(pod) {
            [budget] if is_guarded => self.spend(pod, budget)?,
            [_, _, ..] if is_guarded => {
                let text =
                    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
                return Err(EvictionRefused { code: 500, text: text.to_owned(), cause: String::new() });
            }
            _ => {}
        }
        let message = self.interner.sym("Eviction API: evicting");
        let words = self.words;
        self.set_pod_condition(
            pod,
            words.disruption_target,
            ConditionStatus::True,
            words.eviction_by_eviction_api,
            message,
        );
        self.delete_pod(pod, grace_seconds);
        Ok(())
    }

    /// The budgets that guard a pod, in order of name.
    pub fn budgets_of(&self, pod: PodId) -> Vec<ObjId> {
        let meta = &self.pod(pod).meta;
        let budgets = self.of_kind_in(PodDisruptionBudget::KIND, meta.namespace).filter(|&id| {
            let selector = &self.get::<PodDisruptionBudget>(id).selector;
            selector.matches(|key| self.interner.value_text(meta.labels, key))
        });
        let mut budgets: Vec<ObjId> = budgets.collect();
        budgets.sort_by(|&a, &b| self.name(a).cmp(self.name(b)));
        budgets
    }

    /// Asks a budget, and spends from it if need be (`checkAndDecrement`).
    fn spend(&mut self, pod: PodId, id: ObjId) -> Result<(), EvictionRefused> {
        let budget = self.get::<PodDisruptionBudget>(id);
        let state = BudgetState {
            disruptions_allowed: budget.disruptions_allowed,
            current_healthy: budget.current_healthy,
            desired_healthy: budget.desired_healthy,
            unhealthy_always_allowed: budget.unhealthy_always_allowed,
        };
        let answer = ask_budget(is_ready(self.pod(pod), self), state);
        if answer == Eviction::Unhealthy {
            return Ok(());
        }
        let name = self.name(id);
        let refused = |cause: String| {
            let text = "Cannot evict pod as it would violate the pod's disruption budget.";
            Err(EvictionRefused { code: 429, text: text.to_owned(), cause })
        };
        let forbidden = |why: &str| {
            let text = format!("poddisruptionbudget.policy \"{name}\" is forbidden: {why}");
            Err(EvictionRefused { code: 403, text, cause: String::new() })
        };
        if budget.observed_generation < self.object(id).meta.generation {
            return refused(format!("The disruption budget {name} is still being processed by the server."));
        }
        if budget.disruptions_allowed < 0 {
            return forbidden("pdb disruptions allowed is negative");
        }
        if budget.disrupted_pods.len() > MAX_DISRUPTED_PODS {
            return forbidden("DisruptedPods map too big - too many evictions not confirmed by PDB controller");
        }
        if answer == Eviction::Refused {
            let failed = budget.conditions.get(self.words.disruption_allowed);
            return refused(match failed.filter(|condition| condition.reason == self.words.sync_failed) {
                Some(condition) => format!(
                    "The disruption budget {name} does not allow evicting pods currently because it failed sync: {}",
                    self.interner.text(condition.message)
                ),
                None => format!(
                    "The disruption budget {name} needs {} healthy pods and has {} currently",
                    budget.desired_healthy, budget.current_healthy
                ),
            });
        }
        let (now, words, evicted) = (self.now, self.words, self.pod(pod).meta.name);
        self.update_status::<PodDisruptionBudget>(id, |budget| {
            budget.disruptions_allowed -= 1;
            budget.disrupted_pods.insert(evicted, now);
            if budget.disruptions_allowed == 0 {
                budget.conditions.set(Condition {
                    kind: words.disruption_allowed,
                    status: ConditionStatus::False,
                    reason: words.insufficient_pods,
                    message: Sym::EMPTY,
                    transition: now,
                    update: now,
                });
            }
        });
        Ok(())
    }
}

fn is_ready(pod: &Pod, cluster: &Cluster) -> bool {
    pod.conditions.is_true(cluster.words.ready)
}
