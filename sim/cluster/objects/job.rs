//! Jobs.

use std::sync::Arc;

use k8s_openapi::api::batch::v1 as batch;
use serde_json::{Map, Value, json};

use super::{Exporting, Kind, Lowering, body_variant, fields};
use crate::cluster::condition::Conditions;
use crate::cluster::ids::ObjId;
use crate::cluster::meta::uid_text;
use crate::cluster::pod_spec::Template;
use crate::cluster::store::Cluster;
use crate::engine::Time;

/// A Job.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// `spec.parallelism`.
    pub parallelism: i32,
    /// `spec.completions`; `None` for a work queue, whose pods decide by themselves when the work is done.
    pub completions: Option<i32>,
    /// Whether `spec.completionMode` is `Indexed`.
    pub indexed: bool,
    /// `spec.suspend`.
    pub suspend: bool,
    /// `spec.backoffLimit`.
    pub backoff_limit: i32,
    /// `spec.backoffLimitPerIndex`.
    pub backoff_limit_per_index: Option<i32>,
    /// `spec.maxFailedIndexes`.
    pub max_failed_indexes: Option<i32>,
    /// `spec.activeDeadlineSeconds`.
    pub active_deadline_seconds: Option<i64>,
    /// `spec.ttlSecondsAfterFinished`.
    pub ttl_seconds: Option<i32>,
    /// Whether `spec.podReplacementPolicy` is `Failed`: a pod is replaced only when it has ended.
    pub replace_when_failed: bool,
    /// `spec.podFailurePolicy`.
    pub failure_policy: Option<Arc<batch::PodFailurePolicy>>,
    /// `spec.successPolicy`.
    pub success_policy: Option<Arc<batch::SuccessPolicy>>,
    /// Whether another controller manages it (`spec.managedBy`).
    pub foreign: bool,
    /// `spec.template`.
    pub template: Template,
    /// `status`.
    pub status: JobStatus,
}

/// `status` of a Job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobStatus {
    /// `startTime`.
    pub start_time: Option<Time>,
    /// `completionTime`.
    pub completion_time: Option<Time>,
    /// `active`.
    pub active: i32,
    /// `ready`, once it has been counted.
    pub ready: Option<i32>,
    /// `terminating`, once it has been counted.
    pub terminating: Option<i32>,
    /// `succeeded`.
    pub succeeded: i32,
    /// `failed`.
    pub failed: i32,
    /// `completedIndexes`.
    pub completed_indexes: String,
    /// `failedIndexes`, if the Job counts failures by index.
    pub failed_indexes: Option<String>,
    /// Whether `uncountedTerminatedPods` is there.
    pub tracked: bool,
    /// `conditions`.
    pub conditions: Conditions,
}

impl Job {
    /// The greatest `backoffLimit`, which means none.
    pub const NO_LIMIT: i32 = i32::MAX;
}

impl Kind for Job {
    const KIND: &'static str = "Job";

    fn lower(object: &Value, cx: &mut Lowering<'_>) -> Result<Job, String> {
        let (spec, status) = (&object["spec"], &object["status"]);
        let parse_failure: Option<batch::PodFailurePolicy> = typed(&spec["podFailurePolicy"])?;
        let success_policy: Option<batch::SuccessPolicy> = typed(&spec["successPolicy"])?;
        let per_index = fields::int(spec, "backoffLimitPerIndex");
        let completions = fields::int(spec, "completions");
        let parallelism = fields::int(spec, "parallelism");
        let default_limit = if per_index.is_some() { Job::NO_LIMIT } else { 6 };
        Ok(Job {
            parallelism: parallelism.unwrap_or(1),
            completions: completions.or(if parallelism.is_none() { Some(1) } else { None }),
            indexed: spec["completionMode"] == "Indexed",
            suspend: spec["suspend"].as_bool().unwrap_or(false),
            backoff_limit: fields::int(spec, "backoffLimit").unwrap_or(default_limit),
            backoff_limit_per_index: per_index,
            max_failed_indexes: fields::int(spec, "maxFailedIndexes"),
            active_deadline_seconds: spec["activeDeadlineSeconds"].as_i64(),
            ttl_seconds: fields::int(spec, "ttlSecondsAfterFinished"),
            replace_when_failed: match spec["podReplacementPolicy"].as_str() {
                Some(policy) => policy == "Failed",
                None => parse_failure.is_some(),
            },
            failure_policy: parse_failure.map(Arc::new),
            success_policy: success_policy.map(Arc::new),
            foreign: spec["managedBy"].as_str().is_some_and(|name| name != "kubernetes.io/job-controller"),
            template: cx.template(&spec["template"])?,
            status: lower_status(status, cx),
        })
    }

    fn export(&self, cx: Exporting<'_>, object: &mut Map<String, Value>) {
        fields::set_spec(object, [("parallelism", self.parallelism.into()), ("suspend", self.suspend.into())]);
        let mut out = Map::new();
        let status = &self.status;
        for (key, at) in [("startTime", status.start_time), ("completionTime", status.completion_time)] {
            if let Some(at) = at {
                out.insert(key.into(), cx.time(at));
            }
        }
        fields::put_count(&mut out, "active", status.active);
        fields::put_option(&mut out, "ready", status.ready);
        fields::put_option(&mut out, "terminating", status.terminating);
        fields::put_count(&mut out, "succeeded", status.succeeded);
        fields::put_count(&mut out, "failed", status.failed);
        if !status.completed_indexes.is_empty() {
            out.insert("completedIndexes".into(), status.completed_indexes.as_str().into());
        }
        fields::put_option(&mut out, "failedIndexes", status.failed_indexes.as_deref());
        if status.tracked {
            out.insert("uncountedTerminatedPods".into(), json!({}));
        }
        fields::put_conditions(&mut out, &status.conditions, cx, Some("lastProbeTime"));
        object.insert("status".into(), out.into());
    }

    fn keep_status(&mut self, old: &Job) {
        self.status.clone_from(&old.status);
    }

    body_variant!(Job);
}

impl Cluster {
    /// Gives a new Job, its selector and its template the labels that name it, as the API server does unless `manualSelector` is set.
    pub(in crate::cluster) fn generate_job_selector(&mut self, id: ObjId) {
        let raw = self.objects[id].raw.clone();
        if self.try_get::<Job>(id).is_none()
            || raw["spec"]["manualSelector"] == true
            || raw["spec"]["selector"].is_object()
        {
            return;
        }
        let (uid, name) = (uid_text(self.objects[id].meta.uid), self.name(id).to_owned());
        let labels = [
            ("batch.kubernetes.io/controller-uid", &uid),
            ("batch.kubernetes.io/job-name", &name),
            ("controller-uid", &uid),
            ("job-name", &name),
        ];
        let mut raw = (*raw).clone();
        raw["spec"]["selector"]["matchLabels"][labels[0].0] = uid.as_str().into();
        let mut own = self.objects[id].meta.labels;
        let mut of_pods = self.get::<Job>(id).template.labels;
        for (key, value) in labels {
            raw["spec"]["template"]["metadata"]["labels"][key] = value.as_str().into();
            own = self.interner.with(own, key, Some(value));
            of_pods = self.interner.with(of_pods, key, Some(value));
        }
        let object = &mut self.objects[id];
        (object.raw, object.meta.labels) = (raw.into(), own);
        if let Some(job) = Job::of_mut(&mut object.body) {
            job.template.labels = of_pods;
        }
    }
}

fn typed<T: serde::de::DeserializeOwned>(value: &Value) -> Result<Option<T>, String> {
    match value {
        Value::Null => Ok(None),
        value => serde_json::from_value(value.clone()).map(Some).map_err(|error| error.to_string()),
    }
}

fn lower_status(status: &Value, cx: &mut Lowering<'_>) -> JobStatus {
    let count = |key| fields::int(status, key).unwrap_or(0);
    JobStatus {
        start_time: cx.time(&status["startTime"]),
        completion_time: cx.time(&status["completionTime"]),
        active: count("active"),
        ready: fields::int(status, "ready"),
        terminating: fields::int(status, "terminating"),
        succeeded: count("succeeded"),
        failed: count("failed"),
        completed_indexes: status["completedIndexes"].as_str().unwrap_or_default().to_owned(),
        failed_indexes: status["failedIndexes"].as_str().map(str::to_owned),
        tracked: status.get("uncountedTerminatedPods").is_some(),
        conditions: fields::conditions(status, cx),
    }
}
