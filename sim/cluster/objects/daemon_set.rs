//! DaemonSets.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Exporting, Kind, Lowering, body_variant, fields};
use crate::api::int_or_percent::IntOrPercent;
use crate::api::selector::Selector;
use crate::cluster::condition::Conditions;
use crate::cluster::pod_spec::Template;

/// A DaemonSet.
#[derive(Clone, Debug, PartialEq)]
pub struct DaemonSet {
    /// `spec.selector`.
    pub selector: Arc<Selector>,
    /// `spec.template`.
    pub template: Template,
    /// `spec.template.spec.nodeName`, which the lowered template does not hold.
    pub node_name: Option<String>,
    /// Whether `spec.updateStrategy.type` is `OnDelete`.
    pub on_delete: bool,
    /// `spec.updateStrategy.rollingUpdate.maxSurge`.
    pub max_surge: IntOrPercent,
    /// `spec.updateStrategy.rollingUpdate.maxUnavailable`.
    pub max_unavailable: IntOrPercent,
    /// `spec.minReadySeconds`.
    pub min_ready_seconds: i32,
    /// `spec.revisionHistoryLimit`.
    pub revision_history_limit: i32,
    /// `status`.
    pub status: DaemonSetStatus,
}

/// `status` of a DaemonSet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DaemonSetStatus {
    /// `observedGeneration`.
    pub observed_generation: u32,
    /// `desiredNumberScheduled`: nodes that should run a pod.
    pub desired: i32,
    /// `currentNumberScheduled`: those of them that have one.
    pub current: i32,
    /// `numberMisscheduled`: nodes that have one and should not.
    pub misscheduled: i32,
    /// `numberReady`.
    pub ready: i32,
    /// `numberAvailable`.
    pub available: i32,
    /// `numberUnavailable`.
    pub unavailable: i32,
    /// `updatedNumberScheduled`.
    pub updated: i32,
    /// `collisionCount`, once a hash has collided.
    pub collision_count: Option<i32>,
    /// `conditions`.
    pub conditions: Conditions,
}

impl Kind for DaemonSet {
    const KIND: &'static str = "DaemonSet";

    fn lower(object: &Value, cx: &mut Lowering<'_>) -> Result<DaemonSet, String> {
        let (spec, status) = (&object["spec"], &object["status"]);
        let count = |key| fields::int(status, key).unwrap_or(0);
        let strategy = &spec["updateStrategy"];
        let rolling = &strategy["rollingUpdate"];
        Ok(DaemonSet {
            selector: fields::selector(&spec["selector"])?,
            template: cx.template(&spec["template"])?,
            node_name: spec["template"]["spec"]["nodeName"].as_str().map(str::to_owned),
            on_delete: strategy["type"] == "OnDelete",
            max_surge: fields::int_or_percent(&rolling["maxSurge"]).unwrap_or(IntOrPercent::Int(0)),
            max_unavailable: fields::int_or_percent(&rolling["maxUnavailable"]).unwrap_or(IntOrPercent::Int(1)),
            min_ready_seconds: fields::int(spec, "minReadySeconds").unwrap_or(0),
            revision_history_limit: fields::int(spec, "revisionHistoryLimit").unwrap_or(10),
            status: DaemonSetStatus {
                observed_generation: count("observedGeneration").max(0) as u32,
                desired: count("desiredNumberScheduled"),
                current: count("currentNumberScheduled"),
                misscheduled: count("numberMisscheduled"),
                ready: count("numberReady"),
                available: count("numberAvailable"),
                unavailable: count("numberUnavailable"),
                updated: count("updatedNumberScheduled"),
                collision_count: fields::int(status, "collisionCount"),
                conditions: fields::conditions(status, cx),
            },
        })
    }

    fn export(&self, cx: Exporting<'_>, object: &mut Map<String, Value>) {
        let mut out = Map::new();
        let status = &self.status;
        for (key, count) in [
            ("currentNumberScheduled", status.current),
            ("numberMisscheduled", status.misscheduled),
            ("desiredNumberScheduled", status.desired),
            ("numberReady", status.ready),
        ] {
            out.insert(key.into(), count.into());
        }
        fields::put_count(&mut out, "observedGeneration", status.observed_generation as i32);
        fields::put_count(&mut out, "updatedNumberScheduled", status.updated);
        fields::put_count(&mut out, "numberAvailable", status.available);
        fields::put_count(&mut out, "numberUnavailable", status.unavailable);
        fields::put_option(&mut out, "collisionCount", status.collision_count);
        fields::put_conditions(&mut out, &status.conditions, cx, None);
        object.insert("status".into(), out.into());
    }

    fn keep_status(&mut self, old: &DaemonSet) {
        self.status.clone_from(&old.status);
    }

    body_variant!(DaemonSet);
}
