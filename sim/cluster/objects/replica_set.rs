//! ReplicaSets and ReplicationControllers: the same body, as kube-controller-manager runs both with one algorithm.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Exporting, Kind, Lowering, body_variant, fields};
use crate::api::selector::Selector;
use crate::cluster::condition::Conditions;
use crate::cluster::pod_spec::Template;

/// A ReplicaSet or a ReplicationController.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaSet {
    /// `spec.replicas`.
    pub replicas: i32,
    /// `spec.selector`.
    pub selector: Arc<Selector>,
    /// `spec.template`.
    pub template: Template,
    /// `spec.minReadySeconds`.
    pub min_ready_seconds: i32,
    /// Whether it is a `ReplicationController`, whose status has no `terminatingReplicas`.
    pub is_controller: bool,
    /// `status`.
    pub status: ReplicaSetStatus,
}

/// `status` of a ReplicaSet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReplicaSetStatus {
    /// `observedGeneration`.
    pub observed_generation: u32,
    /// `replicas`: active pods.
    pub replicas: i32,
    /// `fullyLabeledReplicas`: active pods with all labels of the template.
    pub fully_labeled: i32,
    /// `readyReplicas`.
    pub ready: i32,
    /// `availableReplicas`: ready for at least `minReadySeconds`.
    pub available: i32,
    /// `terminatingReplicas`, once it has been counted.
    pub terminating: Option<i32>,
    /// `conditions`.
    pub conditions: Conditions,
}

impl Kind for ReplicaSet {
    const KIND: &'static str = "ReplicaSet";

    fn lower(object: &Value, cx: &mut Lowering<'_>) -> Result<ReplicaSet, String> {
        let (spec, status) = (&object["spec"], &object["status"]);
        let is_controller = object["kind"] == "ReplicationController";
        let selector = match &spec["selector"] {
            Value::Null if is_controller => fields::selector(&spec["template"]["metadata"]["labels"])?,
            selector => fields::selector(selector)?,
        };
        let count = |key| fields::int(status, key).unwrap_or(0);
        Ok(ReplicaSet {
            replicas: fields::int(spec, "replicas").unwrap_or(1),
            selector,
            template: cx.template(&spec["template"])?,
            min_ready_seconds: fields::int(spec, "minReadySeconds").unwrap_or(0),
            is_controller,
            status: ReplicaSetStatus {
                observed_generation: count("observedGeneration").max(0) as u32,
                replicas: count("replicas"),
                fully_labeled: count("fullyLabeledReplicas"),
                ready: count("readyReplicas"),
                available: count("availableReplicas"),
                terminating: fields::int(status, "terminatingReplicas"),
                conditions: fields::conditions(status, cx),
            },
        })
    }

    fn export(&self, cx: Exporting<'_>, object: &mut Map<String, Value>) {
        fields::set_spec(object, [("replicas", self.replicas.into())]);
        if self.min_ready_seconds != 0 {
            fields::set_spec(object, [("minReadySeconds", self.min_ready_seconds.into())]);
        }
        let mut out = Map::new();
        let status = &self.status;
        out.insert("replicas".into(), status.replicas.into());
        fields::put_count(&mut out, "fullyLabeledReplicas", status.fully_labeled);
        fields::put_count(&mut out, "readyReplicas", status.ready);
        fields::put_count(&mut out, "availableReplicas", status.available);
        fields::put_option(&mut out, "terminatingReplicas", status.terminating);
        fields::put_count(&mut out, "observedGeneration", status.observed_generation as i32);
        fields::put_conditions(&mut out, &status.conditions, cx, None);
        object.insert("status".into(), out.into());
    }

    fn keep_status(&mut self, old: &ReplicaSet) {
        self.status.clone_from(&old.status);
    }

    body_variant!(ReplicaSet);
}
