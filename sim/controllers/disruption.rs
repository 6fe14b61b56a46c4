//! The disruption controller: keeps the status of every PodDisruptionBudget (kube-controller-manager, `disruption`).

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Action, Context, Controller, Keys};
use crate::api::int_or_percent::{IntOrPercent, Round};
use crate::cluster::objects::{Deployment, DisruptionBound, PodDisruptionBudget, ReplicaSet, StatefulSet};
use crate::cluster::{
    Change, Cluster, Condition, ConditionStatus, ControllerKind, EventType, ObjId, ObjectRef, PodId, Sym, What,
};
use crate::engine::{Span, Time};

/// How long a granted eviction may take until the pod counts as healthy again (`DeletionTimeout`).
const DELETION_TIMEOUT: Span = Span::from_secs(120);

/// Keeps the status of every budget.
#[derive(Default)]
pub struct DisruptionController {
    /// Pods under several budgets: the version last seen, and how many versions have not been reported.
    ambiguous: BTreeMap<PodId, (u64, u32)>,
}

/// How many pods must stay healthy, of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// `status.expectedPods`.
    pub expected: i32,
    /// `status.desiredHealthy`.
    pub desired_healthy: i32,
}

/// What a bound demands. `scale` is the sum of the scales of the pods' controllers, `matching` the number of the pods.
pub fn demand(bound: DisruptionBound, matching: i32, scale: i32) -> Demand {
    match bound {
        DisruptionBound::MinAvailable(IntOrPercent::Int(count)) => {
            Demand { expected: matching, desired_healthy: count }
        }
        DisruptionBound::MinAvailable(share) => {
            Demand { expected: scale, desired_healthy: share.scaled(scale, Round::Up) }
        }
        DisruptionBound::MaxUnavailable(bound) => {
            let desired = scale.saturating_sub(bound.scaled(scale, Round::Up)).max(0);
            Demand { expected: scale, desired_healthy: desired }
        }
    }
}

/// `status.disruptionsAllowed`.
pub fn disruptions_allowed(demand: Demand, healthy: i32) -> i32 {
    if demand.expected <= 0 { 0 } else { healthy.saturating_sub(demand.desired_healthy).max(0) }
}

impl Controller for DisruptionController {
    fn kind(&self) -> ControllerKind {
        ControllerKind::Disruption
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, keys: &mut Keys<'_>) {
        match change.object {
            ObjectRef::Object(id) if cluster.try_get::<PodDisruptionBudget>(id).is_some() => match change.what {
                What::Removed | What::Event(_) => {}
                _ => keys.add(id),
            },
            ObjectRef::Pod(pod) => match change.what {
                What::Event(_) | What::Assumed(_) | What::Forgotten(_) | What::Nominated(_) => {}
                // A budget that has lost the pod by a change of its labels is not woken.
                // A pod under several budgets wakes the first only.
                what => {
                    let budgets = cluster.budgets_of(pod);
                    if let Some(&id) = budgets.first() {
                        keys.add(id);
                        self.note_ambiguous(pod, what, cluster, keys);
                    }
                }
            },
            _ => {}
        }
    }

    fn reconcile(&mut self, key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let id = match key {
            ObjectRef::Object(id) => id,
            ObjectRef::Pod(pod) => {
                self.report_ambiguous(pod, cluster);
                return Action::Done;
            }
            ObjectRef::Node(_) => return Action::Done,
        };
        if cluster.meta(key).removed {
            return Action::Done;
        }
        let source = cluster.words.controller_manager;
        let pods = pods_of(id, cluster, cx.control_plane().watch_delay);
        if pods.is_empty() {
            cluster.record_event(key, EventType::Normal, "NoPods", "No matching pods found", source);
        }
        let bound = cluster.get::<PodDisruptionBudget>(id).bound;
        let needs_scale = !matches!(bound, DisruptionBound::MinAvailable(IntOrPercent::Int(_)));
        let scale = if needs_scale { expected_scale(&pods, cluster) } else { Ok((0, false)) };
        let (scale, unmanaged) = match scale {
            Ok(scale) => scale,
            Err(error) => {
                let text = format!("Failed to calculate the number of expected pods: {error}");
                cluster.record_event(key, EventType::Warning, "CalculateExpectedPodCountFailed", &text, source);
                if fail(id, &error, cluster) {
                    cx.wrote();
                }
                return Action::Done;
            }
        };
        if unmanaged {
            report_unmanaged(id, cluster);
        }
        let demand = demand(bound, i32::try_from(pods.len()).unwrap_or(i32::MAX), scale);
        let (disrupted, recheck) = still_disrupted(id, &pods, cluster);
        let healthy = count_healthy(&pods, &disrupted, cluster);
        if write(id, demand, healthy, disrupted, cluster) {
            cx.wrote();
        }
        recheck.map_or(Action::Done, |at| Action::RequeueAfter(at.since(cx.now())))
    }
}

impl DisruptionController {
    /// A pod under a budget was written: if it is under several when the news arrives, the real handlers say so once for every version.
    fn note_ambiguous(&mut self, pod: PodId, what: What, cluster: &Cluster, keys: &mut Keys<'_>) {
        let version = cluster.pod(pod).meta.resource_version;
        let (last, pending) = self.ambiguous.entry(pod).or_default();
        if *last != version || what == What::Removed {
            (*last, *pending) = (version, pending.saturating_add(1));
            keys.add(pod);
        }
    }

    fn report_ambiguous(&mut self, pod: PodId, cluster: &mut Cluster) {
        let Some((_, pending)) = self.ambiguous.get_mut(&pod) else { return };
        let pending = std::mem::take(pending);
        let budgets = cluster.budgets_of(pod);
        if cluster.pod(pod).meta.removed || budgets.len() < 2 {
            self.ambiguous.remove(&pod);
        }
        let [chosen, _, ..] = *budgets else { return };
        let (namespace, name, budget) = (cluster.namespace(pod), cluster.name(pod), cluster.name(chosen));
        let text =
            format!("Pod {namespace:?}/{name:?} matches multiple PodDisruptionBudgets.  Chose {budget:?} arbitrarily.");
        let source = cluster.words.controller_manager;
        for _ in 0..pending {
            cluster.record_event(pod, EventType::Warning, "MultiplePodDisruptionBudgets", &text, source);
        }
    }
}

/// The pods that a budget selects, in order of creation; not those of which the controller has not heard yet.
fn pods_of(id: ObjId, cluster: &Cluster, watch_delay: Span) -> Vec<PodId> {
    let (namespace, selector) = (cluster.object(id).meta.namespace, &cluster.get::<PodDisruptionBudget>(id).selector);
    let matches = |pod: &PodId| selector.matches(|key| cluster.interner.value_text(cluster.pod(*pod).meta.labels, key));
    let known = |pod: &PodId| cluster.pod(*pod).meta.created + watch_delay <= cluster.now();
    cluster.pods_in(namespace).filter(known).filter(matches).collect()
}

/// The sum of the scales of the pods' controllers, and whether some pods have none (`getExpectedScale`).
fn expected_scale(pods: &[PodId], cluster: &Cluster) -> Result<(i32, bool), String> {
    let (mut scales, mut unmanaged) = (BTreeMap::new(), false);
    for &pod in pods {
        let Some(owner) = cluster.pod(pod).meta.controller() else {
            unmanaged = true;
            continue;
        };
        match owner.object.filter(|&owner| !cluster.meta(owner).removed) {
            Some(ObjectRef::Object(controller)) => {
                let (scaled, scale) = scale_of(controller, cluster)?;
                scales.insert(scaled, scale);
            }
            Some(_) => return Err("nodes does not implement the scale subresource".to_owned()),
            None => return Err(format!("found no controllers for pod {:?}", cluster.name(pod))),
        }
    }
    Ok((scales.into_values().fold(0i32, i32::saturating_add), unmanaged))
}

/// The scale of a pod's controller, or of the Deployment behind it.
fn scale_of(controller: ObjId, cluster: &Cluster) -> Result<(ObjId, i32), String> {
    if let Some(set) = cluster.try_get::<ReplicaSet>(controller) {
        if let Some(ObjectRef::Object(owner)) = cluster.controller_of(controller)
            && let Some(deployment) = cluster.try_get::<Deployment>(owner)
            && !cluster.meta(owner.into()).removed
        {
            return Ok((owner, deployment.replicas));
        }
        return Ok((controller, set.replicas));
    }
    let info = cluster.object(controller).info;
    let replicas = cluster.try_get::<StatefulSet>(controller).map(|set| set.replicas);
    replicas
        .map(|count| (controller, count))
        .ok_or_else(|| format!("{} does not implement the scale subresource", info.resource()))
}

fn report_unmanaged(id: ObjId, cluster: &mut Cluster) {
    let text = format!(
        "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As a result, the status of the PDB \
         cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set \
         \".spec.minAvailable\" field of the PDB to an integer value.",
        selector_text(&cluster.object(id).raw["spec"]["selector"])
    );
    let source = cluster.words.controller_manager;
    cluster.record_event(id, EventType::Warning, "UnmanagedPods", &text, source);
}

/// A label selector as Go prints it.
fn selector_text(selector: &Value) -> String {
    let labels: BTreeMap<&str, &str> = selector["matchLabels"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()))
        .collect();
    let labels: String = labels.into_iter().map(|(key, value)| format!("{key}: {value},")).collect();
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten().map(|expression| {
        let values = expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let text = |field: &str| expression[field].as_str().unwrap_or_default();
        let values = values.collect::<Vec<_>>().join(" ");
        format!("LabelSelectorRequirement{{Key:{},Operator:{},Values:[{values}],}},", text("key"), text("operator"))
    });
    let expressions: String = expressions.collect();
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
}

/// The granted evictions whose pods still stand, and when the first of them lapses (`buildDisruptedPodMap`).
fn still_disrupted(id: ObjId, pods: &[PodId], cluster: &mut Cluster) -> (BTreeMap<Sym, Time>, Option<Time>) {
    let (now, mut kept, mut recheck) = (cluster.now(), BTreeMap::new(), None::<Time>);
    for (name, granted) in cluster.get::<PodDisruptionBudget>(id).disrupted_pods.clone() {
        let Some(&pod) = pods.iter().find(|&&pod| cluster.pod(pod).meta.name == name) else { continue };
        if cluster.pod(pod).meta.is_deleting() {
            continue;
        }
        // Instants read back from the API have whole seconds.
        let lapses = granted.truncated_to_seconds() + DELETION_TIMEOUT;
        if lapses <= now {
            // The real one names the namespace twice, and not the budget.
            let namespace = cluster.namespace(id);
            let text = format!("Pod was expected by PDB {namespace}/{namespace} to be deleted but it wasn't");
            let source = cluster.words.controller_manager;
            cluster.record_event(pod, EventType::Warning, "NotDeleted", &text, source);
        } else {
            kept.insert(name, granted);
            recheck = Some(recheck.map_or(lapses, |at| at.min(lapses)));
        }
    }
    (kept, recheck)
}

/// Pods that are ready, not leaving, and not about to be evicted.
fn count_healthy(pods: &[PodId], disrupted: &BTreeMap<Sym, Time>, cluster: &Cluster) -> i32 {
    let healthy = pods.iter().map(|&pod| cluster.pod(pod)).filter(|pod| {
        !pod.meta.is_deleting()
            && !disrupted.contains_key(&pod.meta.name)
            && pod.conditions.is_true(cluster.words.ready)
    });
    i32::try_from(healthy.count()).unwrap_or(i32::MAX)
}

/// Writes the status. Returns whether anything changed.
fn write(id: ObjId, demand: Demand, healthy: i32, disrupted: BTreeMap<Sym, Time>, cluster: &mut Cluster) -> bool {
    let allowed = disruptions_allowed(demand, healthy);
    let (now, words, generation) = (cluster.now(), cluster.words, cluster.object(id).meta.generation);
    let condition = Condition {
        kind: words.disruption_allowed,
        status: ConditionStatus::from(allowed > 0),
        reason: if allowed > 0 { words.sufficient_pods } else { words.insufficient_pods },
        message: Sym::EMPTY,
        transition: now,
        update: now,
    };
    cluster.update_status::<PodDisruptionBudget>(id, |budget| {
        budget.observed_generation = generation;
        budget.disruptions_allowed = allowed;
        budget.current_healthy = healthy;
        budget.desired_healthy = demand.desired_healthy;
        budget.expected_pods = demand.expected;
        budget.disrupted_pods = disrupted;
        set_if_new(budget, condition);
    })
}

/// Fail-safe: while the numbers are unknown no eviction is granted (`failSafe`). Returns whether anything changed; nothing is tried
/// again before the next change.
fn fail(id: ObjId, error: &str, cluster: &mut Cluster) -> bool {
    let (now, words, message) = (cluster.now(), cluster.words, cluster.interner.sym(error));
    cluster.update_status::<PodDisruptionBudget>(id, |budget| {
        budget.disruptions_allowed = 0;
        set_if_new(
            budget,
            Condition {
                kind: words.disruption_allowed,
                status: ConditionStatus::False,
                reason: words.sync_failed,
                message,
                transition: now,
                update: now,
            },
        );
    })
}

/// Sets a condition that differs; an equal one keeps its times, so that nothing is written.
fn set_if_new(budget: &mut PodDisruptionBudget, new: Condition) {
    let same = |old: &Condition| (old.status, old.reason, old.message) == (new.status, new.reason, new.message);
    if !budget.conditions.get(new.kind).is_some_and(same) {
        budget.conditions.set(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_printed_as_by_go() {
        let selector = serde_json::json!({
            "matchLabels": { "tier": "b", "app": "web" },
            "matchExpressions": [{ "key": "env", "operator": "In", "values": ["x", "y"] }, { "key": "a", "operator": "Exists" }],
        });
        assert_eq!(
            selector_text(&selector),
            "&LabelSelector{MatchLabels:map[string]string{app: web,tier: b,},MatchExpressions:[]LabelSelectorRequirement{\
             LabelSelectorRequirement{Key:env,Operator:In,Values:[x y],},LabelSelectorRequirement{Key:a,Operator:Exists,Values:[],},},}"
        );
    }

    #[test]
    fn bounds_are_rounded_up() {
        use DisruptionBound::{MaxUnavailable, MinAvailable};
        use IntOrPercent::{Int, Percent};
        for (bound, matching, scale, expected, desired) in [
            (MinAvailable(Int(3)), 2, 0, 2, 3),
            (MinAvailable(Percent(50)), 7, 7, 7, 4),
            (MaxUnavailable(Percent(30)), 7, 7, 7, 4),
            (MaxUnavailable(Int(1)), 3, 5, 5, 4),
            (MaxUnavailable(Int(9)), 3, 3, 3, 0),
            (MinAvailable(Percent(100)), 3, 3, 3, 3),
        ] {
            let demanded = demand(bound, matching, scale);
            assert_eq!(demanded, Demand { expected, desired_healthy: desired }, "{bound:?} of {scale}");
        }
        let nobody = Demand { expected: 0, desired_healthy: 0 };
        assert_eq!(disruptions_allowed(nobody, 1), 0, "without pods nothing is allowed");
    }
}
