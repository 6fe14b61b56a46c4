//! The Jobs of a CronJob: started, seen ending, deleted when they are history.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;
use smallvec::SmallVec;

use crate::api::accept::{AcceptContext, accept};
use crate::api::kinds;
use crate::cluster::admission::Rejection;
use crate::cluster::objects::{self, ActiveJob, CronJob, Job, Kind};
use crate::cluster::{Cluster, EventType, LabelsId, NewMeta, NewObject, ObjId, ObjectRef, Propagation, Sym};
use crate::controllers::Context;
use crate::engine::Time;

/// The annotation that names the time for which a Job was started.
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// Takes finished and vanished Jobs off the list of active ones.
pub(super) fn reconcile_children(id: ObjId, this: &mut CronJob, jobs: &[ObjId], cluster: &mut Cluster) {
    let source = cluster.words.cronjob_controller;
    for &job in jobs {
        let name = cluster.name(job).to_owned();
        let listed = this.status.active.iter().any(|active| active.job == job);
        match (listed, ending(cluster, job)) {
            (true, Some(condition)) => {
                this.status.active.retain(|active| active.job != job);
                let message = format!("Saw completed job: {name}, condition: {condition}");
                cluster.record_event(id, EventType::Normal, "SawCompletedJob", &message, source);
            }
            (false, None) => {
                let message = format!("Saw a job that the controller did not create or forgot: {name}");
                cluster.record_event(id, EventType::Warning, "UnexpectedJob", &message, source);
            }
            // When it ended is noted by the sync after the one that took it off the list.
            (false, Some("Complete")) => {
                let completed = cluster.get::<Job>(job).status.completion_time;
                this.status.last_successful = this.status.last_successful.max(completed);
            }
            _ => {}
        }
    }
    for active in this.status.active.clone() {
        if cluster.meta(active.job.into()).removed {
            this.status.active.retain(|other| other.job != active.job);
            let message = format!("Active job went missing: {}", active.name);
            cluster.record_event(id, EventType::Normal, "MissingJob", &message, source);
        }
    }
}

/// Creates the Job of one scheduled time. Returns whether there is one that counts as started now; a Job of that name that is
/// somebody else's, or is known, does not.
pub(super) fn start_job(
    id: ObjId,
    this: &mut CronJob,
    name: &str,
    scheduled: Timestamp,
    zone: &TimeZone,
    cluster: &mut Cluster,
    cx: &mut Context<'_>,
) -> Result<bool, String> {
    let source = cluster.words.cronjob_controller;
    let namespace = cluster.meta(id.into()).namespace;
    cx.wrote();
    let job = match cluster.find(Job::KIND, cluster.interner.text(namespace), name) {
        Some(job) => {
            let is_own = cluster.controller_of(job) == Some(id.into());
            if !is_own || this.status.active.iter().any(|active| active.job == job) {
                return Ok(false);
            }
            job
        }
        None => {
            let created = admit(namespace, name, cluster);
            let created =
                created.and_then(|()| create(id, name, scheduled, zone, cluster).map_err(|text| (text, true)));
            match created {
                Ok(job) => {
                    let message = format!("Created job {name}");
                    cluster.record_event(id, EventType::Normal, "SuccessfulCreate", &message, source);
                    job
                }
                Err((error, is_told)) => {
                    if is_told {
                        let message = format!("Error creating job: {error}");
                        cluster.record_event(id, EventType::Warning, "FailedCreate", &message, source);
                    }
                    return Err(error);
                }
            }
        }
    };
    let meta = cluster.meta(job.into());
    let entry = ActiveJob {
        job,
        name: name.to_owned(),
        namespace: cluster.interner.text(namespace).to_owned(),
        uid: meta.uid,
        resource_version: meta.resource_version,
    };
    this.status.active.push(entry);
    let micros = scheduled.as_microsecond() - cluster.epoch_seconds * 1_000_000;
    this.status.last_schedule = Some(Time::from_micros(u64::try_from(micros).unwrap_or(0)));
    Ok(true)
}

/// Asks admission for a Job; a refusal comes with whether there is an event about it: none while the namespace is terminating.
fn admit(namespace: Sym, name: &str, cluster: &mut Cluster) -> Result<(), (String, bool)> {
    let info = kinds::by_kind(Job::KIND).expect("the kind is in the table");
    let admitted = cluster
        .admit_into(namespace)
        .and_then(|()| cluster.charge_object(namespace, info, &json!(null)).map_err(Rejection::Forbidden));
    admitted.map_err(|error| (error.text("jobs.batch", name), !matches!(error, Rejection::Terminating(_))))
}

fn create(
    id: ObjId,
    name: &str,
    scheduled: Timestamp,
    zone: &TimeZone,
    cluster: &mut Cluster,
) -> Result<ObjId, String> {
    let template = cluster.object(id).raw["spec"]["jobTemplate"].clone();
    let namespace = cluster.namespace(id).to_owned();
    let manifest = json!({
        "apiVersion": "batch/v1", "kind": "Job", "spec": template["spec"],
        "metadata": { "name": name, "namespace": namespace, "labels": template["metadata"]["labels"] },
    });
    let uid = cluster.next_uid_text();
    let context = AcceptContext { lookup: None, uid: &uid, ..AcceptContext::default() };
    let mut manifest = accept(&manifest, &context).map_err(|refusal| refusal.message)?.value;
    let info = kinds::by_kind(Job::KIND).expect("the kind is in the table");
    if cluster.has_policies() {
        cluster.ask_policies(info, &manifest).map_err(|rejection| rejection.text("jobs.batch", name))?;
    }
    let labels = manifest["metadata"]["labels"].take();
    if let Some(fields) = manifest.as_object_mut() {
        fields.remove("metadata");
    }
    let body = objects::lower(info, &manifest, &mut cluster.lowering())?;
    let mut map = |entries: &serde_json::Value| -> LabelsId {
        let entries = entries.as_object().into_iter().flatten();
        cluster.interner.labels(entries.map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default())))
    };
    let (labels, annotations) = (map(&labels), map(&template["metadata"]["annotations"]));
    let at = scheduled.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string().replace("+00:00", "Z");
    let annotations = cluster.interner.with(annotations, SCHEDULED, Some(&at));
    let meta = NewMeta {
        name: cluster.interner.sym(name),
        namespace: cluster.meta(id.into()).namespace,
        labels,
        annotations,
        owners: SmallVec::from_elem(cluster.owner_reference(id), 1),
        generate_name: Sym::EMPTY,
        finalizers: SmallVec::new(),
        uid: Sym::EMPTY,
    };
    Ok(cluster.create_object(NewObject { info, meta, raw: manifest.into(), body }))
}

/// Deletes a Job and forgets it.
pub(super) fn delete_job(id: ObjId, job: ObjId, this: &mut CronJob, cluster: &mut Cluster, cx: &mut Context<'_>) {
    let message = format!("Deleted job {}", cluster.name(job));
    cluster.delete(job, Propagation::Background);
    cx.wrote();
    this.status.active.retain(|active| active.job != job);
    let source = cluster.words.cronjob_controller;
    cluster.record_event(id, EventType::Normal, "SuccessfulDelete", &message, source);
}

/// Deletes the oldest finished Jobs beyond the history limits (`cleanupFinishedJobs`).
pub(super) fn clean_up(id: ObjId, this: &mut CronJob, jobs: &[ObjId], cluster: &mut Cluster, cx: &mut Context<'_>) {
    for (condition, limit) in [("Complete", this.successful_history), ("Failed", this.failed_history)] {
        let Some(limit) = limit else { continue };
        let mut finished = jobs.to_vec();
        finished.retain(|&job| ending(cluster, job) == Some(condition));
        finished.sort_by_cached_key(|&job| {
            let started = cluster.get::<Job>(job).status.start_time.map(Time::truncated_to_seconds);
            (started.is_none(), started, cluster.name(job).to_owned())
        });
        let excess = finished.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        for job in finished.into_iter().take(excess) {
            delete_job(id, job, this, cluster, cx);
        }
    }
}

/// The Jobs of a CronJob.
pub(super) fn children(cluster: &Cluster, id: ObjId) -> Vec<ObjId> {
    let objects = cluster.dependents(id).filter_map(|dependent| match dependent {
        ObjectRef::Object(job) if cluster.controller_of(job) == Some(id.into()) => Some(job),
        _ => None,
    });
    objects.filter(|&job| cluster.try_get::<Job>(job).is_some()).collect()
}

/// How a Job ended, if it has.
fn ending(cluster: &Cluster, job: ObjId) -> Option<&'static str> {
    let conditions = &cluster.get::<Job>(job).status.conditions;
    ["Complete", "Failed"]
        .into_iter()
        .find(|kind| cluster.interner.find(kind).is_some_and(|kind| conditions.is_true(kind)))
}
