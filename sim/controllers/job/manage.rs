//! Creating and deleting the pods of a Job (`manageJob`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use smallvec::SmallVec;

use super::index_failures::{after, remaining};
use super::indexes::first_pending;
use super::sync::{Sync, index_of};
use super::{BATCH_PERIOD, COMPLETION_INDEX, INDEX_FAILURES, INDEX_IGNORED_FAILURES, TRACKING_FINALIZER};
use crate::cluster::objects::Job;
use crate::cluster::{Cluster, PodId, Sym, Template};
use crate::controllers::Context;
use crate::controllers::deletion_rank::active_pods_deletion_order;
use crate::controllers::pod_control::{PodRequest, slow_start};
use crate::controllers::replica_set::{PerNode, facts_of};
use crate::engine::Span;

/// Most pods created or deleted in one sync (`MaxPodCreateDeletePerSync`).
const MAX_PER_SYNC: usize = 500;

/// How many pods a Job wants to be active.
pub fn wanted_active(parallelism: i32, completions: Option<i32>, succeeded: i32, active: i32) -> i32 {
    match completions {
        // A work queue: after the first success the others finish, and none is added.
        None if succeeded > 0 => active,
        None => parallelism,
        Some(completions) => (completions - succeeded).min(parallelism).max(0),
    }
}

impl Sync {
    /// Creates or deletes pods. Returns how many are active then; with an error of the API server if there was one.
    pub(super) fn manage(
        &mut self,
        job: &Job,
        cluster: &mut Cluster,
        cx: &mut Context<'_>,
    ) -> Result<i32, (i32, String)> {
        let active = self.active.len() as i32;
        if job.suspend {
            let doomed = self.pods_to_remove(job, self.active.len(), cluster);
            return Ok(active - self.remove(doomed, cluster, cx));
        }
        let wanted = wanted_active(job.parallelism, job.completions, self.succeeded, active);
        let mut doomed = self.pods_to_remove(job, usize::try_from(active - wanted).unwrap_or(0), cluster);
        doomed.truncate(MAX_PER_SYNC);
        if !doomed.is_empty() {
            return Ok(active - self.remove(doomed, cluster, cx));
        }
        let terminating = if job.replace_when_failed { self.terminating } else { 0 };
        let missing = usize::try_from(wanted - terminating - active).unwrap_or(0).min(MAX_PER_SYNC);
        if missing == 0 {
            return Ok(active);
        }
        if job.backoff_limit_per_index.is_none() {
            let wait = self.backoff.remaining(cx.now());
            if !wait.is_zero() {
                return Ok(self.look_again(wait, cx));
            }
        }
        let indexes: Vec<Option<i32>> = match job.indexed {
            false => vec![None; missing],
            true => match self.indexes_to_add(job, missing, cluster, cx) {
                Ok(indexes) => indexes.into_iter().map(Some).collect(),
                Err(wait) => return Ok(self.look_again(wait, cx)),
            },
        };
        self.create(job, &indexes, active, cluster, cx)
    }

    /// Waits for the end of a back-off (`enqueueSyncJobWithDelay`), and says that no pod is active, whatever there is: so does v1.36.2
    /// (kubernetes#139428), and the API server then refuses a status with more ready pods than active ones.
    fn look_again(&self, wait: Span, cx: &mut Context<'_>) -> i32 {
        cx.enqueue_after(self.id, wait.max(BATCH_PERIOD));
        0
    }

    fn create(
        &mut self,
        job: &Job,
        indexes: &[Option<i32>],
        active: i32,
        cluster: &mut Cluster,
        cx: &mut Context<'_>,
    ) -> Result<i32, (i32, String)> {
        let (id, source) = (self.id, cluster.words.job_controller);
        let finalizer = cluster.interner.sym(TRACKING_FINALIZER);
        let mut failure = None;
        let mut created = 0;
        slow_start(indexes.len(), 1, |nth| {
            if !cx.may_write() {
                return false;
            }
            let mut request = request(job, self.id, indexes[nth], &self.awaiting, cluster);
            request.finalizers = SmallVec::from_elem(finalizer, 1);
            match cx.pods.create_with_event(cluster, id, request, source) {
                // What a terminating namespace refuses is not missed.
                Err(error) if !error.terminating => {
                    failure.get_or_insert(error.text);
                    return false;
                }
                _ => created += 1,
            }
            true
        });
        match failure {
            Some(error) => Err((active + created, error)),
            None => Ok(active + created),
        }
    }

    /// The lowest indexes that are neither active nor over; with a limit per index only those whose own back-off is over, or how long
    /// the first of them must still wait if that is none (`getPodCreationInfoForIndependentIndexes`).
    fn indexes_to_add(&self, job: &Job, missing: usize, cluster: &Cluster, cx: &Context<'_>) -> Result<Vec<i32>, Span> {
        let busy = self.pods.iter().filter(|&&pod| {
            let row = cluster.pod(pod);
            row.is_active() || job.replace_when_failed && row.meta.is_deleting() && !row.phase.is_terminal()
        });
        let active: BTreeSet<i32> = busy.filter_map(|&pod| index_of(cluster, pod)).collect();
        let is_taken = |index| {
            active.contains(&index) || self.succeeded_indexes.contains(&index) || self.failed_indexes.contains(&index)
        };
        let pending = first_pending(missing, job.completions.unwrap_or(0), is_taken);
        if job.backoff_limit_per_index.is_none() {
            return Ok(pending);
        }
        let wait =
            |index: &i32| self.awaiting.get(index).map_or(Span::ZERO, |&failed| remaining(cluster, failed, cx.now()));
        let now: Vec<i32> = pending.iter().copied().filter(|index| wait(index).is_zero()).collect();
        match pending.iter().map(wait).min() {
            Some(shortest) if now.is_empty() => Err(shortest),
            _ => Ok(now),
        }
    }

    /// Pods that go: with indexes first those whose index is invalid or doubled, then by the ranking (`activePodsForRemoval`).
    fn pods_to_remove(&self, job: &Job, at_least: usize, cluster: &Cluster) -> Vec<PodId> {
        let mut doomed = Vec::new();
        let mut left = ranked(cluster, &self.active);
        if job.indexed {
            let completions = job.completions.unwrap_or(0);
            let mut seen = BTreeSet::new();
            // The best pod of each index stays: it comes last in the ranking.
            for &pod in left.iter().rev() {
                let index = index_of(cluster, pod).filter(|&index| index < completions);
                if index.is_none_or(|index| !seen.insert(index)) {
                    doomed.push(pod);
                }
            }
            left.retain(|pod| !doomed.contains(pod));
        }
        let more = at_least.saturating_sub(doomed.len());
        doomed.extend(left.into_iter().take(more));
        doomed
    }

    /// Deletes active pods without counting them: they lose the finalizer first (`deleteJobPods`).
    fn remove(&mut self, pods: Vec<PodId>, cluster: &mut Cluster, cx: &mut Context<'_>) -> i32 {
        let source = cluster.words.job_controller;
        let finalizer = cluster.interner.sym(TRACKING_FINALIZER);
        let mut n_removed = 0;
        for pod in pods {
            if !cx.may_write() {
                break;
            }
            if cluster.pod(pod).conditions.is_true(cluster.words.ready) {
                self.forget_ready();
            }
            cluster.remove_finalizer(pod, finalizer);
            cx.pods.delete_with_event(cluster, self.id, pod, source);
            // Also one that is gone at once.
            self.terminating += 1;
            n_removed += 1;
        }
        n_removed
    }
}

fn ranked(cluster: &Cluster, pods: &[PodId]) -> Vec<PodId> {
    let none = PerNode::default();
    let facts: Vec<_> = pods.iter().map(|&pod| facts_of(cluster, pod, &none)).collect();
    active_pods_deletion_order(&facts).into_iter().map(|idx| pods[idx]).collect()
}

fn request(
    job: &Job,
    id: crate::cluster::ObjId,
    index: Option<i32>,
    awaiting: &BTreeMap<i32, PodId>,
    cluster: &mut Cluster,
) -> PodRequest {
    let mut template = job.template;
    let Some(index) = index else { return PodRequest::of_template(template) };
    let text = index.to_string();
    template.labels = cluster.interner.with(template.labels, COMPLETION_INDEX, Some(&text));
    template.annotations = cluster.interner.with(template.annotations, COMPLETION_INDEX, Some(&text));
    if job.backoff_limit_per_index.is_some() {
        let failures = after(cluster, job, awaiting.get(&index).copied());
        let count = failures.counted.to_string();
        template.annotations = cluster.interner.with(template.annotations, INDEX_FAILURES, Some(&count));
        if failures.ignored > 0 {
            let count = failures.ignored.to_string();
            template.annotations = cluster.interner.with(template.annotations, INDEX_IGNORED_FAILURES, Some(&count));
        }
    }
    let name = cluster.name(id).to_owned();
    template = with_index_in_spec(template, &name, index, cluster);
    let generate_name = cluster.interner.sym(&generate_name(&name, index));
    PodRequest { generate_name, name: Sym::EMPTY, ..PodRequest::of_template(template) }
}

/// `<job>-<index>-`, the Job's part cut so that the whole has at most 58 characters (`podGenerateNameWithIndex`).
pub fn generate_name(job: &str, index: i32) -> String {
    let suffix = format!("-{index}-");
    let cut: String = job.chars().take(58 - suffix.len().min(58)).collect();
    format!("{cut}{suffix}")
}

/// The host name and the environment variable that tell a pod its index.
fn with_index_in_spec(template: Template, job: &str, index: i32, cluster: &mut Cluster) -> Template {
    let mut spec = serde_json::to_value(&cluster.specs.get(template.spec).typed).unwrap_or(Value::Null);
    spec["hostname"] = format!("{job}-{index}").into();
    let path = format!("metadata.labels['{COMPLETION_INDEX}']");
    let variable = json!({
        "name": "JOB_COMPLETION_INDEX",
        "valueFrom": { "fieldRef": { "fieldPath": path } },
    });
    for list in ["initContainers", "containers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(container) = container.as_object_mut() else { continue };
            let env = container.entry("env").or_insert_with(|| json!([]));
            if let Some(env) = env.as_array_mut().filter(|env| env.iter().all(|own| own["name"] != variable["name"])) {
                env.push(variable.clone());
            }
        }
    }
    match cluster.intern_spec(&spec) {
        Ok(spec) => Template { spec, ..template },
        Err(_) => template,
    }
}
