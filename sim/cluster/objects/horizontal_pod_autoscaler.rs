//! HorizontalPodAutoscalers.

use serde_json::{Map, Value, json};

use super::{Exporting, Kind, Lowering, body_variant, fields};
use crate::cluster::condition::Conditions;
use crate::engine::{Span, Time};

/// A HorizontalPodAutoscaler.
#[derive(Clone, Debug, PartialEq)]
pub struct HorizontalPodAutoscaler {
    /// `spec.scaleTargetRef`: kind and name.
    pub target: (String, String),
    /// `spec.minReplicas`.
    pub min: i32,
    /// `spec.maxReplicas`.
    pub max: i32,
    /// `spec.metrics` as written.
    pub metrics: Vec<Value>,
    /// `spec.behavior`: rules for scaling up and down.
    pub behavior: Option<(ScalingRules, ScalingRules)>,
    /// `status.currentReplicas`; none before the first look.
    pub current_replicas: Option<i32>,
    /// `status.desiredReplicas`.
    pub desired_replicas: i32,
    /// `status.lastScaleTime`.
    pub last_scale: Option<Time>,
    /// `status.currentMetrics`.
    pub current_metrics: Vec<Value>,
    /// `status.conditions`.
    pub conditions: Conditions,
}

/// How fast one direction may be scaled.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalingRules {
    /// The policies.
    pub policies: Vec<ScalingPolicy>,
    /// Which policy counts.
    pub select: SelectPolicy,
    /// `stabilizationWindowSeconds`.
    pub window: Span,
    /// `tolerance`, where it differs from the cluster's.
    pub tolerance: Option<f64>,
}

/// A bound for the change within a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalingPolicy {
    /// Whether `value` is a percentage of the replicas, or a number of pods.
    pub percent: bool,
    /// The bound.
    pub value: i32,
    /// `periodSeconds`.
    pub period: Span,
}

/// `selectPolicy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SelectPolicy {
    /// The policy that allows the greatest change.
    #[default]
    Max,
    /// The policy that allows the least change.
    Min,
    /// No change in this direction.
    Disabled,
}

impl ScalingRules {
    /// The rules of `behavior.scaleUp` or `scaleDown`, with defaults (autoscaling/v2).
    pub fn lower(rules: &Value, up: bool) -> ScalingRules {
        let policies = rules["policies"].as_array().into_iter().flatten();
        let mut policies: Vec<ScalingPolicy> = policies
            .map(|policy| ScalingPolicy {
                percent: policy["type"] == "Percent",
                value: fields::int(policy, "value").unwrap_or(0),
                period: Span::from_secs(policy["periodSeconds"].as_u64().unwrap_or(15)),
            })
            .collect();
        if policies.is_empty() {
            let policy = |percent, value| ScalingPolicy { percent, value, period: Span::from_secs(15) };
            policies.extend(up.then(|| policy(false, 4)));
            policies.push(policy(true, 100));
        }
        ScalingRules {
            policies,
            select: match rules["selectPolicy"].as_str() {
                Some("Min") => SelectPolicy::Min,
                Some("Disabled") => SelectPolicy::Disabled,
                _ => SelectPolicy::Max,
            },
            window: Span::from_secs(rules["stabilizationWindowSeconds"].as_u64().unwrap_or(if up { 0 } else { 300 })),
            tolerance: rules["tolerance"]
                .as_str()
                .and_then(|text| text.parse::<crate::api::quantity::Quantity>().ok())
                .map(|q| q.to_f64()),
        }
    }
}

impl Kind for HorizontalPodAutoscaler {
    const KIND: &'static str = "HorizontalPodAutoscaler";

    fn lower(object: &Value, cx: &mut Lowering<'_>) -> Result<HorizontalPodAutoscaler, String> {
        let (spec, status) = (&object["spec"], &object["status"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let behavior = spec["behavior"].as_object().map(|behavior| {
            let rules = |key: &str| behavior.get(key).cloned().unwrap_or(Value::Null);
            (ScalingRules::lower(&rules("scaleUp"), true), ScalingRules::lower(&rules("scaleDown"), false))
        });
        let mut metrics = spec["metrics"].as_array().cloned().unwrap_or_default();
        // autoscaling/v1 knows CPU only; without any metric it is CPU at 80 %.
        if let Some(percent) = spec["targetCPUUtilizationPercentage"].as_i64().or(metrics.is_empty().then_some(80)) {
            metrics.push(json!({ "type": "Resource", "resource": { "name": "cpu",
                "target": { "type": "Utilization", "averageUtilization": percent } } }));
        }
        Ok(HorizontalPodAutoscaler {
            target: (text(&spec["scaleTargetRef"]["kind"]), text(&spec["scaleTargetRef"]["name"])),
            min: fields::int(spec, "minReplicas").unwrap_or(1),
            max: fields::int(spec, "maxReplicas").unwrap_or(1),
            metrics,
            behavior,
            current_replicas: fields::int(status, "currentReplicas"),
            desired_replicas: fields::int(status, "desiredReplicas").unwrap_or(0),
            last_scale: cx.time(&status["lastScaleTime"]),
            current_metrics: status["currentMetrics"].as_array().cloned().unwrap_or_default(),
            conditions: fields::conditions(status, cx),
        })
    }

    fn export(&self, cx: Exporting<'_>, object: &mut Map<String, Value>) {
        let mut out = Map::new();
        fields::put_option(&mut out, "currentReplicas", self.current_replicas.filter(|&count| count != 0));
        out.insert("desiredReplicas".into(), self.desired_replicas.into());
        fields::put_option(&mut out, "lastScaleTime", self.last_scale.map(|at| cx.time(at)));
        out.insert(
            "currentMetrics".into(),
            if self.current_metrics.is_empty() { Value::Null } else { self.current_metrics.clone().into() },
        );
        fields::put_conditions(&mut out, &self.conditions, cx, None);
        object.insert("status".into(), out.into());
    }

    fn keep_status(&mut self, old: &HorizontalPodAutoscaler) {
        self.current_replicas = old.current_replicas;
        self.desired_replicas = old.desired_replicas;
        self.last_scale = old.last_scale;
        self.current_metrics.clone_from(&old.current_metrics);
        self.conditions.clone_from(&old.conditions);
    }

    body_variant!(HorizontalPodAutoscaler);
}
