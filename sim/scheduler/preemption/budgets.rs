//! Disruption budgets as preemption sees them (kube-scheduler v1.36, `filterPodsWithPDBViolation`).

use crate::api::selector::Selector;
use crate::cluster::{Cluster, ObjectRef, PodId, Sym};

/// A PodDisruptionBudget.
#[derive(Clone, Debug)]
pub struct Budget {
    namespace: Sym,
    selector: Selector,
    allowed: i64,
    disrupted: Vec<String>,
}

impl Budget {
    /// The budgets of the cluster that can protect anything.
    pub fn all(cluster: &Cluster) -> Vec<Budget> {
        let lower = |id| {
            let json = cluster.export(ObjectRef::Object(id));
            let selector = Selector::from_json(&json["spec"]["selector"]).ok()?;
            let status = &json["status"];
            Some(Budget {
                namespace: cluster.object(id).meta.namespace,
                selector,
                allowed: status["disruptionsAllowed"].as_i64().unwrap_or(0),
                disrupted: status["disruptedPods"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, _)| name.clone())
                    .collect(),
            })
        };
        let budgets = cluster.of_kind("PodDisruptionBudget").filter_map(lower);
        // A selector that selects everything protects nothing here.
        budgets.filter(|budget| !budget.selector.is_empty() && !budget.selector.is_nothing()).collect()
    }

    fn protects(&self, cluster: &Cluster, pod: PodId) -> bool {
        let meta = &cluster.pod(pod).meta;
        meta.namespace == self.namespace
            && self.selector.matches(|key| cluster.label(meta.labels, key))
            && !self.disrupted.iter().any(|name| name == cluster.interner.text(meta.name))
    }
}

/// Pods, in order, into those that violate a budget if they go and the others. Every budget of a pod is drawn on.
pub fn split(cluster: &Cluster, pods: &[PodId], budgets: &[Budget]) -> (Vec<PodId>, Vec<PodId>) {
    let mut allowed: Vec<i64> = budgets.iter().map(|budget| budget.allowed).collect();
    let (mut violating, mut others) = (Vec::new(), Vec::new());
    for &pod in pods {
        let mut violates = false;
        if !cluster.interner.pairs(cluster.pod(pod).meta.labels).is_empty() {
            for (budget, allowed) in budgets.iter().zip(&mut allowed) {
                if budget.protects(cluster, pod) {
                    *allowed -= 1;
                    violates |= *allowed < 0;
                }
            }
        }
        if violates { violating.push(pod) } else { others.push(pod) }
    }
    (violating, others)
}
