//! The HorizontalPodAutoscaler controller (kube-controller-manager, `podautoscaler`).

pub mod behavior;
mod metrics;
pub mod replicas;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{Action, Context, Controller, Keys};
use crate::api::kinds::{self, KindInfo};
use crate::api::selector::Selector;
use crate::cluster::objects::HorizontalPodAutoscaler;
use crate::cluster::{
    Change, Cluster, Condition, ConditionStatus, ControllerKind, EventType, ObjId, ObjectRef, PodId, What,
};
use crate::engine::{Span, Time};
use behavior::Record;
pub use metrics::{UsageSample, pod_state};

use metrics::MetricError;
use replicas::Tolerances;

/// The period of the loop (`--horizontal-pod-autoscaler-sync-period`).
pub const SYNC_PERIOD: Span = Span::from_secs(15);
/// Scales workloads by metrics.
#[derive(Default)]
pub struct HorizontalPodAutoscalerController {
    history: BTreeMap<ObjId, History>,
    /// Whose pods each autoscaler reads the metrics of, as it last found them.
    selectors: BTreeMap<ObjId, Selector>,
}

#[derive(Default)]
struct History {
    recommendations: Vec<Record>,
    ups: Vec<Record>,
    downs: Vec<Record>,
}

/// The scale of a target.
struct Scale {
    target: ObjectRef,
    wanted: i32,
    /// `status.replicas`.
    current: i32,
    selector: Selector,
}

impl Controller for HorizontalPodAutoscalerController {
    fn kind(&self) -> ControllerKind {
        ControllerKind::HorizontalPodAutoscaler
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, keys: &mut Keys<'_>) {
        if let ObjectRef::Object(id) = change.object
            && cluster.try_get::<HorizontalPodAutoscaler>(id).is_some()
        {
            match change.what {
                // Changes wait for the rhythm of the queue, the first look too.
                What::Created | What::Spec => keys.add_after(id, SYNC_PERIOD),
                What::Removed => {
                    self.history.remove(&id);
                    self.selectors.remove(&id);
                }
                _ => {}
            }
        }
    }

    fn reconcile(&mut self, key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let ObjectRef::Object(id) = key else { return Action::Done };
        if cluster.meta(key).removed {
            return Action::Done;
        }
        let before = cluster.get::<HorizontalPodAutoscaler>(id).clone();
        let mut after = before.clone();
        self.scale(id, &mut after, cluster, cx);
        if cluster.update_status::<HorizontalPodAutoscaler>(id, |hpa| *hpa = after) {
            cx.wrote();
        }
        Action::RequeueAfter(SYNC_PERIOD)
    }
}

impl HorizontalPodAutoscalerController {
    /// One look at a target (`reconcileAutoscaler`).
    fn scale(&mut self, id: ObjId, hpa: &mut HorizontalPodAutoscaler, cluster: &mut Cluster, cx: &mut Context<'_>) {
        let scale = match find_scale(id, hpa, cluster) {
            Ok(scale) => scale,
            Err(error) => {
                event(id, EventType::Warning, "FailedGetScale", &error, cluster);
                let text = format!("the HPA controller was unable to get the target's current scale: {error}");
                set(hpa, "AbleToScale", false, "FailedGetScale", &text, cluster);
                return;
            }
        };
        set(
            hpa,
            "AbleToScale",
            true,
            "SucceededGetScale",
            "the HPA controller was able to get the target's current scale",
            cluster,
        );
        let current = scale.wanted;
        self.record_initial_recommendation(id, current, cx.now());
        // What is not measured in this look is not shown after it.
        hpa.current_metrics.clear();
        let (desired, reason) = if current == 0 && hpa.min != 0 {
            set(
                hpa,
                "ScalingActive",
                false,
                "ScalingDisabled",
                "scaling is disabled since the replica count of the target is zero",
                cluster,
            );
            (0, String::new())
        } else if current > hpa.max {
            (hpa.max, "Current number of replicas above Spec.MaxReplicas".to_owned())
        } else if current < hpa.min {
            (hpa.min, "Current number of replicas below Spec.MinReplicas".to_owned())
        } else {
            match self.by_metrics(id, hpa, &scale, cluster) {
                Ok((proposal, metric)) => {
                    let reason = match proposal.cmp(&current) {
                        Ordering::Greater => format!("{metric} above target"),
                        Ordering::Less => "All metrics below target".to_owned(),
                        // An earlier recommendation decides, and no reason is given.
                        Ordering::Equal => String::new(),
                    };
                    (self.normalize(id, hpa, current, proposal, cluster, cx.now()), reason)
                }
                Err(error) => {
                    hpa.current_replicas = Some(current);
                    event(id, EventType::Warning, "FailedComputeMetricsReplicas", &error, cluster);
                    return;
                }
            }
        };
        hpa.current_replicas = Some(current);
        if desired == current || self.rescale(id, hpa, &scale, desired, &reason, cluster, cx) {
            hpa.desired_replicas = desired;
        }
    }

    /// What the target had when it was first seen counts as a recommendation: a new controller scales nothing down at once.
    fn record_initial_recommendation(&mut self, id: ObjId, replicas: i32, now: Time) {
        let recommendations = &mut self.history.entry(id).or_default().recommendations;
        if recommendations.is_empty() {
            recommendations.push(Record { replicas, at: now });
        }
    }

    /// Gives the target its size. Returns whether that was accepted.
    #[allow(clippy::too_many_arguments, reason = "one step of one function, taken out")]
    fn rescale(
        &mut self,
        id: ObjId,
        hpa: &mut HorizontalPodAutoscaler,
        scale: &Scale,
        desired: i32,
        reason: &str,
        cluster: &mut Cluster,
        cx: &mut Context<'_>,
    ) -> bool {
        let mut object = cluster.export(scale.target);
        object["spec"]["replicas"] = json!(desired);
        let resource = kinds::by_kind(cluster.kind(scale.target)).map_or_else(String::new, |info| info.resource());
        let admitted = cluster.admit_scale(scale.target, &object);
        let updated = admitted
            .map_err(|rejection| rejection.text(&resource, cluster.name(scale.target)))
            .and_then(|()| cluster.update_from(scale.target, &object));
        cx.wrote();
        if let Err(error) = updated {
            let text = format!("New size: {desired}; reason: {reason}; error: {error}");
            event(id, EventType::Warning, "FailedRescale", &text, cluster);
            let text = format!("the HPA controller was unable to update the target scale: {error}");
            set(hpa, "AbleToScale", false, "FailedUpdateScale", &text, cluster);
            return false;
        }
        let text = format!("the HPA controller was able to update the target scale to {desired}");
        set(hpa, "AbleToScale", true, "SucceededRescale", &text, cluster);
        event(id, EventType::Normal, "SuccessfulRescale", &format!("New size: {desired}; reason: {reason}"), cluster);
        hpa.last_scale = Some(cx.now());
        if let Some((up, down)) = &hpa.behavior {
            let history = self.history.entry(id).or_default();
            match desired > scale.wanted {
                true => behavior::store_change(&mut history.ups, desired - scale.wanted, up, cx.now()),
                false => behavior::store_change(&mut history.downs, scale.wanted - desired, down, cx.now()),
            }
        }
        true
    }

    /// Stabilizes and bounds a proposal (`normalizeDesiredReplicas`, `normalizeDesiredReplicasWithBehaviors`).
    fn normalize(
        &mut self,
        id: ObjId,
        hpa: &mut HorizontalPodAutoscaler,
        current: i32,
        proposal: i32,
        cluster: &mut Cluster,
        now: Time,
    ) -> i32 {
        let history = self.history.entry(id).or_default();
        let (stabilized, (bounded, limit)) = match &hpa.behavior {
            None => {
                let stabilized = behavior::stabilize(&mut history.recommendations, proposal, now);
                (stabilized, behavior::bound(current, stabilized, hpa.min, hpa.max))
            }
            Some(rules) => {
                let (up, down) = (rules.0.window, rules.1.window);
                let stabilized =
                    behavior::stabilize_with(&mut history.recommendations, current, proposal, up, down, now);
                let events = (&history.ups[..], &history.downs[..]);
                (stabilized, behavior::bound_with((current, stabilized), (hpa.min, hpa.max), rules, events, now))
            }
        };
        let (reason, text) = match (stabilized, &hpa.behavior) {
            (replicas, _) if replicas == proposal => ("ReadyForNewScale", "recommended size matches current size"),
            (replicas, Some(_)) if replicas < proposal => (
                "ScaleUpStabilized",
                "recent recommendations were lower than current one, applying the lowest recent recommendation",
            ),
            _ => (
                "ScaleDownStabilized",
                "recent recommendations were higher than current one, applying the highest recent recommendation",
            ),
        };
        set(hpa, "AbleToScale", true, reason, text, cluster);
        let (reason, text) = limit.texts();
        set(hpa, "ScalingLimited", bounded != stabilized, reason, text, cluster);
        bounded
    }

    /// The greatest proposal of all metrics with the name of its metric (`computeReplicasForMetrics`).
    fn by_metrics(
        &mut self,
        id: ObjId,
        hpa: &mut HorizontalPodAutoscaler,
        scale: &Scale,
        cluster: &mut Cluster,
    ) -> Result<(i32, String), String> {
        self.claim_pods(id, hpa, scale, cluster)?;
        let (mut best, mut first_error, mut n_invalid) = (None::<(i32, String)>, None::<MetricError>, 0);
        let tolerance = |rules: Option<&crate::cluster::objects::ScalingRules>| {
            rules.and_then(|rules| rules.tolerance).unwrap_or(0.1)
        };
        let tolerances = Tolerances {
            up: tolerance(hpa.behavior.as_ref().map(|rules| &rules.0)),
            down: tolerance(hpa.behavior.as_ref().map(|rules| &rules.1)),
        };
        for metric in hpa.metrics.clone() {
            match metrics::proposal(&metric, scale, tolerances, cluster) {
                Ok((replicas, name, status)) => {
                    hpa.current_metrics.push(status);
                    if best.as_ref().is_none_or(|(most, _)| *most == 0 || replicas > *most) {
                        best = Some((replicas, name));
                    }
                }
                Err(error) => {
                    // Each metric keeps its place in the list.
                    hpa.current_metrics.push(json!({ "type": "" }));
                    n_invalid += 1;
                    event(id, EventType::Warning, error.reason, &error.text, cluster);
                    first_error.get_or_insert(error);
                }
            }
        }
        let error = first_error.map(|error| {
            let of = hpa.metrics.len();
            let text = format!(
                "invalid metrics ({n_invalid} invalid out of {of}), first error is: {}{}",
                error.prefix, error.text
            );
            (error, text)
        });
        match (best, error) {
            (Some((replicas, name)), error) if error.is_none() || replicas >= scale.wanted => {
                let text = format!("the HPA was able to successfully calculate a replica count from {name}");
                set(hpa, "ScalingActive", true, "ValidMetricFound", &text, cluster);
                Ok((replicas, name))
            }
            (_, Some((error, text))) => {
                let message = format!("the HPA was unable to compute the replica count: {}", error.text);
                set(hpa, "ScalingActive", false, error.reason, &message, cluster);
                Err(text)
            }
            (_, None) => Err("no metrics".to_owned()),
        }
    }

    /// Refuses pods of which another autoscaler reads the metrics too (`validateAndParseSelector`).
    fn claim_pods(
        &mut self,
        id: ObjId,
        hpa: &mut HorizontalPodAutoscaler,
        scale: &Scale,
        cluster: &mut Cluster,
    ) -> Result<(), String> {
        self.selectors.insert(id, scale.selector.clone());
        let namespace = cluster.meta(id.into()).namespace;
        let near = self.selectors.iter().filter(|&(&other, _)| cluster.meta(other.into()).namespace == namespace);
        let near: Vec<(&str, &Selector)> = near.map(|(&other, selector)| (cluster.name(other), selector)).collect();
        if near.len() < 2 {
            return Ok(());
        }
        let mut selecting: BTreeSet<&str> = BTreeSet::new();
        for pod in cluster.pods_in(namespace).filter(|&pod| selects(&scale.selector, pod, cluster)) {
            selecting
                .extend(near.iter().filter(|(_, selector)| selects(selector, pod, cluster)).map(|(name, _)| *name));
        }
        if selecting.len() < 2 {
            return Ok(());
        }
        let namespace = cluster.interner.text(namespace);
        let keys: Vec<String> = selecting.into_iter().map(|name| format!("{{{name} {namespace}}}")).collect();
        let text = format!("pods by selector {} are controlled by multiple HPAs: [{}]", scale.selector, keys.join(" "));
        event(id, EventType::Warning, "AmbiguousSelector", &text, cluster);
        set(hpa, "ScalingActive", false, "AmbiguousSelector", &text, cluster);
        Err(text)
    }
}

fn selects(selector: &Selector, pod: PodId, cluster: &Cluster) -> bool {
    let labels = cluster.pod(pod).meta.labels;
    selector.matches(|key| cluster.label(labels, key))
}

/// The scale sub-resource of the target.
fn find_scale(id: ObjId, hpa: &HorizontalPodAutoscaler, cluster: &Cluster) -> Result<Scale, String> {
    let (kind, name) = (&hpa.target.0, &hpa.target.1);
    let api_version = cluster.object(id).raw["spec"]["scaleTargetRef"]["apiVersion"].as_str().unwrap_or_default();
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let info = kinds::by_kind(kind).filter(|info| info.group == group);
    let info = info.ok_or_else(|| format!("no matches for kind {kind:?} in group {group:?}"))?;
    if !matches!(info.kind, "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet") {
        return Err("the server could not find the requested resource".to_owned());
    }
    let found = cluster.find_any(info.kind, cluster.namespace(id), name);
    let target = found.ok_or_else(|| format!("{} {name:?} not found", scale_resource(info)))?;
    let object = cluster.export(target);
    let replicas = object["spec"]["replicas"].as_i64().unwrap_or(1);
    let selector = &object["spec"]["selector"];
    let selector = match info.kind {
        "ReplicationController" => Selector::from_json(&json!({ "matchLabels": selector })),
        _ => Selector::from_json(selector),
    };
    let wanted = i32::try_from(replicas).unwrap_or(i32::MAX);
    let current = object["status"]["replicas"].as_i64().and_then(|count| i32::try_from(count).ok()).unwrap_or(0);
    Ok(Scale { target, wanted, current, selector: selector.map_err(|error| error.to_string())? })
}

/// How the API server names what is missing when it looks for a scale (`ScaleREST.Get` of each kind).
fn scale_resource(info: &KindInfo) -> String {
    match (info.kind, info.group) {
        ("StatefulSet", _) => info.resource(),
        (_, "") => format!("{}/scale", info.plural),
        (_, group) => format!("{}/scale.{group}", info.plural),
    }
}

fn event(id: ObjId, event_type: EventType, reason: &str, text: &str, cluster: &mut Cluster) {
    let source = cluster.words.horizontal_pod_autoscaler;
    cluster.record_event(id, event_type, reason, text, source);
}

/// Sets a condition; its time moves with its status only.
fn set(hpa: &mut HorizontalPodAutoscaler, kind: &str, holds: bool, reason: &str, message: &str, cluster: &mut Cluster) {
    let now = cluster.now();
    let mut sym = |text: &str| cluster.interner.sym(text);
    let (kind, reason, message) = (sym(kind), sym(reason), sym(message));
    let old = hpa.conditions.get(kind).copied();
    let status = ConditionStatus::from(holds);
    let update = old.filter(|old| old.status == status).map_or(now, |old| old.update);
    hpa.conditions.set(Condition { kind, status, reason, message, transition: now, update });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_controller_scales_nothing_down_at_once() {
        let (mut controller, id) = (HorizontalPodAutoscalerController::default(), ObjId(7));
        for (second, found, proposal, expected, why) in [
            (15, 5, 2, 5, "what was found counts as a recommendation"),
            (300, 5, 2, 5, "for five minutes"),
            (316, 5, 2, 2, "and no longer"),
            (330, 1, 1, 2, "what is found later does not"),
        ] {
            let now = Time::from_secs(second);
            controller.record_initial_recommendation(id, found, now);
            let recommendations = &mut controller.history.entry(id).or_default().recommendations;
            assert_eq!(behavior::stabilize(recommendations, proposal, now), expected, "{why}");
        }
    }
}
