//! CronJobs.

use serde_json::{Map, Value, json};

use super::{Exporting, Kind, Lowering, body_variant, fields};
use crate::cluster::ids::ObjId;
use crate::cluster::meta::uid_text;
use crate::engine::Time;

/// A CronJob.
#[derive(Clone, Debug, PartialEq)]
pub struct CronJob {
    /// `spec.schedule`.
    pub schedule: String,
    /// `spec.timeZone`.
    pub time_zone: Option<String>,
    /// `spec.startingDeadlineSeconds`.
    pub starting_deadline_seconds: Option<i64>,
    /// `spec.concurrencyPolicy`.
    pub concurrency: ConcurrencyPolicy,
    /// `spec.suspend`.
    pub suspend: bool,
    /// `spec.successfulJobsHistoryLimit`.
    pub successful_history: Option<i32>,
    /// `spec.failedJobsHistoryLimit`.
    pub failed_history: Option<i32>,
    /// `status`.
    pub status: CronJobStatus,
}

/// `spec.concurrencyPolicy` of a CronJob.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConcurrencyPolicy {
    /// Runs may overlap.
    #[default]
    Allow,
    /// A run is skipped while the one before goes on.
    Forbid,
    /// A run replaces the one before.
    Replace,
}

/// `status` of a CronJob.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CronJobStatus {
    /// `active`.
    pub active: Vec<ActiveJob>,
    /// `lastScheduleTime`.
    pub last_schedule: Option<Time>,
    /// `lastSuccessfulTime`.
    pub last_successful: Option<Time>,
}

/// One entry of `status.active`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveJob {
    /// The Job.
    pub job: ObjId,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its uid.
    pub uid: u64,
    /// Its resource version when it was listed.
    pub resource_version: u64,
}

impl Kind for CronJob {
    const KIND: &'static str = "CronJob";

    fn lower(object: &Value, cx: &mut Lowering<'_>) -> Result<CronJob, String> {
        let (spec, status) = (&object["spec"], &object["status"]);
        let limit = |key, default| Some(fields::int(spec, key).unwrap_or(default));
        Ok(CronJob {
            schedule: spec["schedule"].as_str().unwrap_or_default().to_owned(),
            time_zone: spec["timeZone"].as_str().filter(|zone| !zone.is_empty()).map(str::to_owned),
            starting_deadline_seconds: spec["startingDeadlineSeconds"].as_i64(),
            concurrency: match spec["concurrencyPolicy"].as_str() {
                Some("Forbid") => ConcurrencyPolicy::Forbid,
                Some("Replace") => ConcurrencyPolicy::Replace,
                _ => ConcurrencyPolicy::Allow,
            },
            suspend: spec["suspend"].as_bool().unwrap_or(false),
            successful_history: limit("successfulJobsHistoryLimit", 3),
            failed_history: limit("failedJobsHistoryLimit", 1),
            status: CronJobStatus {
                active: Vec::new(),
                last_schedule: cx.time(&status["lastScheduleTime"]),
                last_successful: cx.time(&status["lastSuccessfulTime"]),
            },
        })
    }

    fn export(&self, cx: Exporting<'_>, object: &mut Map<String, Value>) {
        fields::set_spec(object, [("suspend", self.suspend.into())]);
        let mut out = Map::new();
        if !self.status.active.is_empty() {
            let active = self.status.active.iter().map(|job| {
                json!({
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "name": job.name,
                    "namespace": job.namespace,
                    "resourceVersion": job.resource_version.to_string(),
                    "uid": uid_text(job.uid),
                })
            });
            out.insert("active".into(), active.collect());
        }
        for (key, at) in
            [("lastScheduleTime", self.status.last_schedule), ("lastSuccessfulTime", self.status.last_successful)]
        {
            if let Some(at) = at {
                out.insert(key.into(), cx.time(at));
            }
        }
        object.insert("status".into(), out.into());
    }

    fn keep_status(&mut self, old: &CronJob) {
        self.status.clone_from(&old.status);
    }

    body_variant!(CronJob);
}
