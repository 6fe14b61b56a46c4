//! Laws about what guards workloads: budgets are not overdrawn by evictions, quotas are not exceeded.

use super::{Instants, LAG, called, serves};
use crate::api::int_or_percent::{IntOrPercent, Round};
use crate::cluster::objects::{DisruptionBound, PodDisruptionBudget, ResourceQuota};
use crate::cluster::{Change, Cluster, ObjId, ObjectRef, PodId, What};
use crate::engine::Time;

#[derive(Default)]
pub(super) struct Guards {
    /// When a pod last stopped serving for another reason than an eviction.
    lost: Instants,
    /// Pods that serve.
    serving: std::collections::BTreeSet<PodId>,
}

impl Guards {
    pub(super) fn change(
        &mut self,
        at: Time,
        change: Change,
        cluster: &Cluster,
        blind: bool,
        found: &mut Vec<(&'static str, String)>,
    ) {
        match change.object {
            ObjectRef::Pod(pod) => self.pod(at, pod, cluster, blind, found),
            ObjectRef::Object(id) if cluster.try_get::<ResourceQuota>(id).is_some() => quota(id, cluster, found),
            _ => {}
        }
        if let (What::Created, ObjectRef::Pod(pod)) = (change.what, change.object) {
            let namespace = cluster.pod(pod).meta.namespace;
            cluster.of_kind_in("ResourceQuota", namespace).for_each(|id| quota(id, cluster, found));
        }
    }

    fn pod(&mut self, at: Time, pod: PodId, cluster: &Cluster, blind: bool, found: &mut Vec<(&'static str, String)>) {
        if serves(cluster, pod) {
            self.serving.insert(pod);
        } else if self.serving.remove(&pod) {
            let words = cluster.words;
            let target = cluster.pod(pod).conditions.get(words.disruption_target);
            if target.is_some_and(|target| target.reason == words.eviction_by_eviction_api) {
                // A budget's numbers are as old as the last look of the disruption controller.
                if !blind {
                    self.evicted(at, pod, cluster, found);
                }
            } else {
                self.lost.insert(pod, at);
            }
        }
    }

    /// A serving pod was evicted: its budget must still have enough that serve, unless others were lost just before.
    fn evicted(&self, at: Time, pod: PodId, cluster: &Cluster, found: &mut Vec<(&'static str, String)>) {
        let [budget] = cluster.budgets_of(pod)[..] else { return };
        let selector = &cluster.get::<PodDisruptionBudget>(budget).selector;
        let matches = |pod: PodId| {
            let meta = &cluster.pod(pod).meta;
            meta.namespace == cluster.object(budget).meta.namespace
                && selector.matches(|key| cluster.interner.value_text(meta.labels, key))
        };
        let just_lost = self.lost.iter().any(|(&lost, &when)| at.since(when) <= LAG && matches(lost));
        let serving = self.serving.iter().filter(|&&pod| matches(pod)).count() as i32;
        let wanted = wanted(budget, cluster);
        if !just_lost && serving < wanted {
            let seen = format!(
                "{}: {serving} serve after the eviction of {}, {wanted} must",
                called(cluster, budget),
                called(cluster, pod)
            );
            found.push(("evictions respect budgets", seen));
        }
    }
}

/// How many pods the budget wants to serve; percentages are of the pods expected.
fn wanted(budget: ObjId, cluster: &Cluster) -> i32 {
    let budget = cluster.get::<PodDisruptionBudget>(budget);
    match budget.bound {
        DisruptionBound::MinAvailable(IntOrPercent::Int(count)) => count,
        DisruptionBound::MinAvailable(share) => share.scaled(budget.expected_pods, Round::Up),
        DisruptionBound::MaxUnavailable(share) => budget.expected_pods - share.scaled(budget.expected_pods, Round::Up),
    }
}

fn quota(id: ObjId, cluster: &Cluster, found: &mut Vec<(&'static str, String)>) {
    let usage = cluster.quota_usage(id);
    for (resource, hard) in &cluster.get::<ResourceQuota>(id).hard {
        if let Some(used) = usage.get(resource).filter(|used| *used > hard) {
            let seen = format!("{}: {used} of {hard} {resource}", called(cluster, id));
            found.push(("quotas are not exceeded", seen));
        }
    }
}
