//! Deployments.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Exporting, Kind, Lowering, body_variant, fields};
use crate::api::int_or_percent::IntOrPercent;
use crate::api::selector::Selector;
use crate::cluster::condition::Conditions;
use crate::cluster::pod_spec::Template;

/// A Deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployment {
    /// `spec.replicas`.
    pub replicas: i32,
    /// `spec.selector`.
    pub selector: Arc<Selector>,
    /// `spec.template`.
    pub template: Template,
    /// `spec.strategy`.
    pub strategy: DeploymentStrategy,
    /// `spec.minReadySeconds`.
    pub min_ready_seconds: i32,
    /// `spec.revisionHistoryLimit`.
    pub revision_history_limit: Option<i32>,
    /// `spec.progressDeadlineSeconds`; `None` if it is the greatest number, which means none.
    pub progress_deadline_seconds: Option<i32>,
    /// `spec.paused`.
    pub paused: bool,
    /// `status`.
    pub status: DeploymentStatus,
}

/// `spec.strategy` of a Deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentStrategy {
    /// All old pods go before the first new one comes.
    Recreate,
    /// Old pods make way for new ones bit by bit.
    RollingUpdate {
        /// `maxSurge`.
        max_surge: IntOrPercent,
        /// `maxUnavailable`.
        max_unavailable: IntOrPercent,
    },
}

/// `status` of a Deployment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeploymentStatus {
    /// `observedGeneration`.
    pub observed_generation: u32,
    /// `replicas`: active pods.
    pub replicas: i32,
    /// `updatedReplicas`: active pods of the new ReplicaSet.
    pub updated: i32,
    /// `readyReplicas`.
    pub ready: i32,
    /// `availableReplicas`.
    pub available: i32,
    /// `unavailableReplicas`.
    pub unavailable: i32,
    /// `terminatingReplicas`, once it has been counted.
    pub terminating: Option<i32>,
    /// `collisionCount`, once a hash has collided.
    pub collision_count: Option<i32>,
    /// `conditions`.
    pub conditions: Conditions,
}

impl Kind for Deployment {
    const KIND: &'static str = "Deployment";

    fn lower(object: &Value, cx: &mut Lowering<'_>) -> Result<Deployment, String> {
        let (spec, status) = (&object["spec"], &object["status"]);
        let rolling = &spec["strategy"]["rollingUpdate"];
        let quarter = IntOrPercent::Percent(25);
        let count = |key| fields::int(status, key).unwrap_or(0);
        Ok(Deployment {
            replicas: fields::int(spec, "replicas").unwrap_or(1),
            selector: fields::selector(&spec["selector"])?,
            template: cx.template(&spec["template"])?,
            strategy: match spec["strategy"]["type"].as_str() {
                Some("Recreate") => DeploymentStrategy::Recreate,
                _ => DeploymentStrategy::RollingUpdate {
                    max_surge: fields::int_or_percent(&rolling["maxSurge"]).unwrap_or(quarter),
                    max_unavailable: fields::int_or_percent(&rolling["maxUnavailable"]).unwrap_or(quarter),
                },
            },
            min_ready_seconds: fields::int(spec, "minReadySeconds").unwrap_or(0),
            revision_history_limit: Some(fields::int(spec, "revisionHistoryLimit").unwrap_or(10))
                .filter(|&limit| limit != i32::MAX),
            progress_deadline_seconds: Some(fields::int(spec, "progressDeadlineSeconds").unwrap_or(600))
                .filter(|&seconds| seconds != i32::MAX),
            paused: spec["paused"].as_bool().unwrap_or(false),
            status: DeploymentStatus {
                observed_generation: count("observedGeneration").max(0) as u32,
                replicas: count("replicas"),
                updated: count("updatedReplicas"),
                ready: count("readyReplicas"),
                available: count("availableReplicas"),
                unavailable: count("unavailableReplicas"),
                terminating: fields::int(status, "terminatingReplicas"),
                collision_count: fields::int(status, "collisionCount"),
                conditions: fields::conditions(status, cx),
            },
        })
    }

    fn export(&self, cx: Exporting<'_>, object: &mut Map<String, Value>) {
        fields::set_spec(object, [("replicas", self.replicas.into())]);
        if self.paused || object["spec"].get("paused").is_some() {
            fields::set_spec(object, [("paused", self.paused.into())]);
        }
        let mut out = Map::new();
        let status = &self.status;
        fields::put_count(&mut out, "observedGeneration", status.observed_generation as i32);
        fields::put_count(&mut out, "replicas", status.replicas);
        fields::put_count(&mut out, "updatedReplicas", status.updated);
        fields::put_count(&mut out, "readyReplicas", status.ready);
        fields::put_count(&mut out, "availableReplicas", status.available);
        fields::put_count(&mut out, "unavailableReplicas", status.unavailable);
        fields::put_option(&mut out, "terminatingReplicas", status.terminating);
        fields::put_option(&mut out, "collisionCount", status.collision_count);
        fields::put_conditions(&mut out, &status.conditions, cx, Some("lastUpdateTime"));
        object.insert("status".into(), if out.is_empty() { json!({}) } else { out.into() });
    }

    fn keep_status(&mut self, old: &Deployment) {
        self.status.clone_from(&old.status);
    }

    body_variant!(Deployment);
}
