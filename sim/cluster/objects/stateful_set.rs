//! StatefulSets.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Exporting, Kind, Lowering, body_variant, fields};
use crate::api::int_or_percent::IntOrPercent;
use crate::api::selector::Selector;
use crate::cluster::condition::Conditions;
use crate::cluster::ids::Sym;
use crate::cluster::pod_spec::Template;

/// A StatefulSet.
#[derive(Clone, Debug, PartialEq)]
pub struct StatefulSet {
    /// `spec.replicas`.
    pub replicas: i32,
    /// `spec.selector`.
    pub selector: Arc<Selector>,
    /// `spec.template`.
    pub template: Template,
    /// `spec.serviceName`.
    pub service_name: Sym,
    /// Whether `spec.podManagementPolicy` is `Parallel`.
    pub parallel: bool,
    /// Whether `spec.updateStrategy.type` is `OnDelete`.
    pub on_delete: bool,
    /// `spec.updateStrategy.rollingUpdate.partition`.
    pub partition: i32,
    /// `spec.updateStrategy.rollingUpdate.maxUnavailable`.
    pub max_unavailable: Option<IntOrPercent>,
    /// `spec.ordinals.start`.
    pub start: i32,
    /// `spec.minReadySeconds`.
    pub min_ready_seconds: i32,
    /// `spec.revisionHistoryLimit`.
    pub revision_history_limit: i32,
    /// Names of `spec.volumeClaimTemplates`.
    pub claims: Vec<Sym>,
    /// `spec.persistentVolumeClaimRetentionPolicy.whenScaled` is `Delete`.
    pub delete_claims_when_scaled: bool,
    /// `spec.persistentVolumeClaimRetentionPolicy.whenDeleted` is `Delete`.
    pub delete_claims_when_deleted: bool,
    /// `status`.
    pub status: StatefulSetStatus,
}

/// `status` of a StatefulSet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatefulSetStatus {
    /// `observedGeneration`.
    pub observed_generation: u32,
    /// `replicas`: pods that have been created.
    pub replicas: i32,
    /// `readyReplicas`.
    pub ready: i32,
    /// `availableReplicas`.
    pub available: i32,
    /// `currentReplicas`: pods of the current revision.
    pub current: i32,
    /// `updatedReplicas`: pods of the update revision.
    pub updated: i32,
    /// `currentRevision`: the name of a ControllerRevision.
    pub current_revision: Sym,
    /// `updateRevision`: the name of a ControllerRevision.
    pub update_revision: Sym,
    /// `collisionCount`.
    pub collision_count: i32,
    /// `conditions`.
    pub conditions: Conditions,
}

impl Kind for StatefulSet {
    const KIND: &'static str = "StatefulSet";

    fn lower(object: &Value, cx: &mut Lowering<'_>) -> Result<StatefulSet, String> {
        let (spec, status) = (&object["spec"], &object["status"]);
        let count = |key| fields::int(status, key).unwrap_or(0);
        let conditions = fields::conditions(status, cx);
        let selector = fields::selector(&spec["selector"])?;
        let template = cx.template(&spec["template"])?;
        let mut sym = |value: &Value| cx.interner.sym(value.as_str().unwrap_or_default());
        let claims = spec["volumeClaimTemplates"].as_array().into_iter().flatten();
        let policy = &spec["persistentVolumeClaimRetentionPolicy"];
        let strategy = &spec["updateStrategy"];
        Ok(StatefulSet {
            replicas: fields::int(spec, "replicas").unwrap_or(1),
            selector,
            template,
            service_name: sym(&spec["serviceName"]),
            parallel: spec["podManagementPolicy"] == "Parallel",
            on_delete: strategy["type"] == "OnDelete",
            partition: fields::int(&strategy["rollingUpdate"], "partition").unwrap_or(0),
            max_unavailable: fields::int_or_percent(&strategy["rollingUpdate"]["maxUnavailable"]),
            start: fields::int(&spec["ordinals"], "start").unwrap_or(0),
            min_ready_seconds: fields::int(spec, "minReadySeconds").unwrap_or(0),
            revision_history_limit: fields::int(spec, "revisionHistoryLimit").unwrap_or(10),
            claims: claims.map(|claim| sym(&claim["metadata"]["name"])).collect(),
            delete_claims_when_scaled: policy["whenScaled"] == "Delete",
            delete_claims_when_deleted: policy["whenDeleted"] == "Delete",
            status: StatefulSetStatus {
                observed_generation: count("observedGeneration").max(0) as u32,
                replicas: count("replicas"),
                ready: count("readyReplicas"),
                available: count("availableReplicas"),
                current: count("currentReplicas"),
                updated: count("updatedReplicas"),
                current_revision: sym(&status["currentRevision"]),
                update_revision: sym(&status["updateRevision"]),
                collision_count: count("collisionCount"),
                conditions,
            },
        })
    }

    fn export(&self, cx: Exporting<'_>, object: &mut Map<String, Value>) {
        fields::set_spec(object, [("replicas", self.replicas.into())]);
        let mut out = Map::new();
        let status = &self.status;
        out.insert("replicas".into(), status.replicas.into());
        out.insert("availableReplicas".into(), status.available.into());
        fields::put_count(&mut out, "observedGeneration", status.observed_generation as i32);
        fields::put_count(&mut out, "readyReplicas", status.ready);
        fields::put_count(&mut out, "currentReplicas", status.current);
        fields::put_count(&mut out, "updatedReplicas", status.updated);
        for (key, name) in [("currentRevision", status.current_revision), ("updateRevision", status.update_revision)] {
            if name != Sym::EMPTY {
                out.insert(key.into(), cx.interner.text(name).into());
            }
        }
        if status.observed_generation > 0 {
            out.insert("collisionCount".into(), status.collision_count.into());
        }
        fields::put_conditions(&mut out, &status.conditions, cx, None);
        object.insert("status".into(), out.into());
    }

    fn keep_status(&mut self, old: &StatefulSet) {
        self.status.clone_from(&old.status);
    }

    body_variant!(StatefulSet);
}
