//! The HorizontalPodAutoscaler controller (kube-controller-manager, `podautoscaler`).

pub mod behavior;
mod metrics;
pub mod replicas;

use std::collections::BTreeMap;

use serde_json::json;

use super::{Action, Context, Controller, Keys};
use crate::api::kinds;
use crate::api::selector::Selector;
use crate::cluster::objects::HorizontalPodAutoscaler;
use crate::cluster::{Change, Cluster, Condition, ConditionStatus, ControllerKind, EventType, ObjId, ObjectRef, What};
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
                What::Removed => _ = self.history.remove(&id),
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
            hpa.current_metrics.clear();
            match self.by_metrics(id, hpa, &scale, cluster) {
                Ok((proposal, metric)) => {
                    let reason = if proposal > current {
                        format!("{metric} above target")
                    } else {
                        "All metrics below target".to_owned()
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
        hpa.desired_replicas = desired;
        if desired != current {
            self.rescale(id, hpa, &scale, desired, &reason, cluster, cx);
        }
    }

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
    ) {
        let mut object = cluster.export(scale.target);
        object["spec"]["replicas"] = json!(desired);
        let updated = cluster.update_from(scale.target, &object);
        cx.wrote();
        if let Err(error) = updated {
            let text = format!("New size: {desired}; reason: {reason}; error: {error}");
            event(id, EventType::Warning, "FailedRescale", &text, cluster);
            let text = format!("the HPA controller was unable to update the target scale: {error}");
            set(hpa, "AbleToScale", false, "FailedUpdateScale", &text, cluster);
            hpa.desired_replicas = scale.wanted;
            return;
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
        &self,
        id: ObjId,
        hpa: &mut HorizontalPodAutoscaler,
        scale: &Scale,
        cluster: &mut Cluster,
    ) -> Result<(i32, String), String> {
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
}

/// The scale sub-resource of the target.
fn find_scale(id: ObjId, hpa: &HorizontalPodAutoscaler, cluster: &Cluster) -> Result<Scale, String> {
    let (kind, name) = (&hpa.target.0, &hpa.target.1);
    let Some(info) = kinds::by_kind(kind) else { return Err(format!("no matches for kind {kind:?}")) };
    let found = cluster.find_any(info.kind, cluster.namespace(id), name);
    let target = found.ok_or_else(|| format!("{} {name:?} not found", info.resource()))?;
    let object = cluster.export(target);
    if !matches!(info.kind, "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet") {
        return Err("the server could not find the requested resource".to_owned());
    }
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
