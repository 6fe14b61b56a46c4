//! PodDisruptionBudgets.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Exporting, Kind, Lowering, body_variant, fields};
use crate::api::int_or_percent::IntOrPercent;
use crate::api::selector::Selector;
use crate::cluster::condition::Conditions;
use crate::cluster::ids::Sym;
use crate::engine::Time;

/// A PodDisruptionBudget.
#[derive(Clone, Debug, PartialEq)]
pub struct PodDisruptionBudget {
    /// `spec.selector`.
    pub selector: Arc<Selector>,
    /// `spec.minAvailable` or `spec.maxUnavailable`; `minAvailable: 1` if neither is given.
    pub bound: DisruptionBound,
    /// `spec.unhealthyPodEvictionPolicy`: whether pods that are not ready may always be evicted (`AlwaysAllow`).
    pub unhealthy_always_allowed: bool,
    /// `status.observedGeneration`.
    pub observed_generation: u32,
    /// `status.disruptionsAllowed`.
    pub disruptions_allowed: i32,
    /// `status.currentHealthy`.
    pub current_healthy: i32,
    /// `status.desiredHealthy`.
    pub desired_healthy: i32,
    /// `status.expectedPods`.
    pub expected_pods: i32,
    /// `status.disruptedPods`: names of pods whose eviction was granted, with the instant.
    pub disrupted_pods: BTreeMap<Sym, Time>,
    /// `status.conditions`.
    pub conditions: Conditions,
}

/// What a budget bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisruptionBound {
    /// `minAvailable`.
    MinAvailable(IntOrPercent),
    /// `maxUnavailable`.
    MaxUnavailable(IntOrPercent),
}

impl Kind for PodDisruptionBudget {
    const KIND: &'static str = "PodDisruptionBudget";

    fn lower(object: &Value, cx: &mut Lowering<'_>) -> Result<PodDisruptionBudget, String> {
        let (spec, status) = (&object["spec"], &object["status"]);
        let count = |key| fields::int(status, key).unwrap_or(0);
        let max = fields::int_or_percent(&spec["maxUnavailable"]).map(DisruptionBound::MaxUnavailable);
        let min = fields::int_or_percent(&spec["minAvailable"]).map(DisruptionBound::MinAvailable);
        let disrupted = status["disruptedPods"].as_object().into_iter().flatten();
        Ok(PodDisruptionBudget {
            selector: fields::selector(&spec["selector"])?,
            bound: max.or(min).unwrap_or(DisruptionBound::MinAvailable(IntOrPercent::Int(1))),
            unhealthy_always_allowed: spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow",
            observed_generation: count("observedGeneration").max(0) as u32,
            disruptions_allowed: count("disruptionsAllowed"),
            current_healthy: count("currentHealthy"),
            desired_healthy: count("desiredHealthy"),
            expected_pods: count("expectedPods"),
            disrupted_pods: disrupted
                .map(|(name, at)| (cx.interner.sym(name), cx.time(at).unwrap_or(Time::ZERO)))
                .collect(),
            conditions: fields::conditions(status, cx),
        })
    }

    fn export(&self, cx: Exporting<'_>, object: &mut Map<String, Value>) {
        let mut out = Map::new();
        fields::put_count(&mut out, "observedGeneration", self.observed_generation as i32);
        out.insert("disruptionsAllowed".into(), self.disruptions_allowed.into());
        out.insert("currentHealthy".into(), self.current_healthy.into());
        out.insert("desiredHealthy".into(), self.desired_healthy.into());
        out.insert("expectedPods".into(), self.expected_pods.into());
        if !self.disrupted_pods.is_empty() {
            let pods = self.disrupted_pods.iter().map(|(&pod, &at)| (cx.interner.text(pod).to_owned(), cx.time(at)));
            out.insert("disruptedPods".into(), pods.collect::<Map<_, _>>().into());
        }
        fields::put_conditions(&mut out, &self.conditions, cx, None);
        if let Some(conditions) = out.get_mut("conditions").and_then(Value::as_array_mut) {
            for condition in conditions {
                condition["observedGeneration"] = json!(self.observed_generation);
                // `metav1.Condition` always has its message.
                if condition.get("message").is_none() {
                    condition["message"] = json!("");
                }
            }
        }
        object.insert("status".into(), out.into());
    }

    fn keep_status(&mut self, old: &PodDisruptionBudget) {
        self.observed_generation = old.observed_generation;
        self.disruptions_allowed = old.disruptions_allowed;
        self.current_healthy = old.current_healthy;
        self.desired_healthy = old.desired_healthy;
        self.expected_pods = old.expected_pods;
        self.disrupted_pods.clone_from(&old.disrupted_pods);
        self.conditions.clone_from(&old.conditions);
    }

    body_variant!(PodDisruptionBudget);
}
