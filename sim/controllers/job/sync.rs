//! One sync of a Job: what its pods came to, whether it is over, its status (`syncJob`, `trackJobStatusAndRemoveFinalizers`).

use std::collections::{BTreeMap, BTreeSet};

use super::backoff::{BackoffRecord, finish_time};
use super::index_failures::{awaiting_replacement, fails_index};
use super::indexes::{format_indexes, parse_indexes, with_succeeded};
use super::policies::{FailedPod, FailureVerdict, match_failure_policy, match_success_policy};
use super::{COMPLETION_INDEX, Memory, TRACKING_FINALIZER};
use crate::cluster::objects::{Job, JobStatus};
use crate::cluster::{
    Cluster, Condition, ConditionStatus, Conditions, ContainerState, EventType, ObjId, Pod, PodId, PodPhase,
    RestartPolicy,
};
use crate::controllers::{Action, Context};
use crate::engine::{Span, Time};

/// One sync of one Job.
#[derive(Debug)]
pub(super) struct Sync {
    pub(super) id: ObjId,
    pub(super) pods: Vec<PodId>,
    pub(super) active: Vec<PodId>,
    pub(super) terminating: i32,
    /// Successes and failures, those included whose pods have still the finalizer.
    pub(super) succeeded: i32,
    failed: i32,
    pub(super) succeeded_indexes: BTreeSet<i32>,
    pub(super) failed_indexes: BTreeSet<i32>,
    pub(super) backoff: BackoffRecord,
    /// With a limit per index: the failed pod of each index whose replacement has still to be created. It is not counted before.
    pub(super) awaiting: BTreeMap<i32, PodId>,
    /// Pods with the finalizer, as they were when the sync began.
    tracked: Vec<(PodId, State)>,
    /// Pods that lose the finalizer, and how they count then.
    counted: Vec<(PodId, Count)>,
    /// `active` and `ready` as they are to be written.
    n_active: i32,
    n_ready: i32,
    ending: Option<Verdict>,
    /// What the creation or deletion of pods came to.
    action: Action,
    rest: bool,
}

/// What became of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Living,
    Succeeded,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    Succeeded,
    Failed,
    Ignored,
}

/// How a Job ends.
#[derive(Clone, Debug)]
struct Verdict {
    success: bool,
    reason: String,
    message: String,
}

impl Verdict {
    fn failure(reason: &str, message: impl Into<String>) -> Verdict {
        Verdict { success: false, reason: reason.to_owned(), message: message.into() }
    }
}

/// Whether a Job has one of its two final conditions.
pub(super) fn is_finished(cluster: &Cluster, job: &Job) -> bool {
    ["Complete", "Failed"].iter().any(|kind| has_condition(cluster, job, kind))
}

fn has_condition(cluster: &Cluster, job: &Job, kind: &str) -> bool {
    cluster.interner.find(kind).is_some_and(|kind| job.status.conditions.is_true(kind))
}

/// A pod without a Job loses the finalizer (`syncOrphanPod`).
pub(super) fn release(pod: PodId, cluster: &mut Cluster, cx: &mut Context<'_>) {
    let finalizer = cluster.interner.sym(TRACKING_FINALIZER);
    if cluster.pod(pod).meta.finalizers.contains(&finalizer) {
        cluster.remove_finalizer(pod, finalizer);
        cx.wrote();
    }
}

/// The completion index of a pod, if it has a valid one.
pub(super) fn index_of(cluster: &Cluster, pod: PodId) -> Option<i32> {
    let annotations = cluster.pod(pod).meta.annotations;
    cluster.interner.value_text(annotations, COMPLETION_INDEX)?.parse().ok().filter(|&index| index >= 0)
}

/// What became of a pod. One that is being deleted has failed, unless it is replaced only when it has ended (`isPodFailed`).
fn state_of(job: &Job, pod: &Pod) -> State {
    match pod.phase {
        PodPhase::Succeeded => State::Succeeded,
        PodPhase::Failed => State::Failed,
        _ if pod.meta.is_deleting() && !job.replace_when_failed => State::Failed,
        _ => State::Living,
    }
}

impl Sync {
    pub(super) fn new(id: ObjId, memory: &Memory, cluster: &mut Cluster) -> Sync {
        let finalizer = cluster.interner.sym(TRACKING_FINALIZER);
        let job: Job = cluster.get::<Job>(id).clone();
        let pods: Vec<PodId> = cluster.pods_of(id).collect();
        let active: Vec<PodId> = pods.iter().copied().filter(|&pod| cluster.pod(pod).is_active()).collect();
        let ready = cluster.words.ready;
        let n_ready = active.iter().filter(|&&pod| cluster.pod(pod).conditions.is_true(ready)).count() as i32;
        let terminating = pods.iter().map(|&pod| cluster.pod(pod));
        let terminating = terminating.filter(|pod| pod.meta.is_deleting() && !pod.phase.is_terminal()).count() as i32;
        let with_finalizer = pods.iter().filter(|&&pod| cluster.pod(pod).meta.finalizers.contains(&finalizer));
        let tracked = with_finalizer.map(|&pod| (pod, state_of(&job, cluster.pod(pod)))).collect();
        let mut sync = Sync {
            id,
            n_active: active.len() as i32,
            pods,
            active,
            terminating,
            succeeded: job.status.succeeded,
            failed: job.status.failed,
            succeeded_indexes: BTreeSet::new(),
            failed_indexes: BTreeSet::new(),
            backoff: memory.backoff,
            awaiting: BTreeMap::new(),
            tracked,
            counted: Vec::new(),
            n_ready,
            ending: None,
            action: Action::Done,
            rest: false,
        };
        sync.count(&job, cluster);
        sync
    }

    fn tracked_as(&self, state: State) -> impl Iterator<Item = PodId> + '_ {
        self.tracked.iter().filter(move |(_, is)| *is == state).map(|&(pod, _)| pod)
    }

    /// Counts what has ended and has not been counted yet (`getNewFinishedPods`). A failure that a policy ignores delays the next pod
    /// like any other.
    fn count(&mut self, job: &Job, cluster: &Cluster) {
        let valid = |&pod: &PodId| !job.indexed || valid_index(cluster, job, pod).is_some();
        let ends = |state| -> Vec<Time> {
            self.tracked_as(state).filter(valid).map(|pod| finish_time(cluster, cluster.pod(pod))).collect()
        };
        let (good, bad) = (ends(State::Succeeded), ends(State::Failed));
        self.succeeded += good.len() as i32;
        let counted = self.tracked_as(State::Failed).filter(|&pod| failure_count(cluster, job, pod) == Count::Failed);
        self.failed += counted.count() as i32;
        if !good.is_empty() || !bad.is_empty() {
            self.backoff = self.backoff.after(&good, &bad);
        }
        if job.indexed {
            self.count_indexes(job, cluster);
            self.succeeded = self.succeeded_indexes.len() as i32;
        }
    }

    /// Which indexes have succeeded and failed, and which failed pods wait for their replacement.
    fn count_indexes(&mut self, job: &Job, cluster: &Cluster) {
        let own = |pod: PodId| valid_index(cluster, job, pod);
        let newly = self.tracked_as(State::Succeeded).filter_map(own);
        let completions = job.completions.unwrap_or(0);
        self.succeeded_indexes = with_succeeded(&job.status.completed_indexes, newly, completions);
        let Some(limit) = job.backoff_limit_per_index else { return };
        let failed: Vec<PodId> = self.tracked_as(State::Failed).collect();
        self.failed_indexes = parse_indexes(job.status.failed_indexes.as_deref().unwrap_or(""), completions);
        let over = failed.iter().filter(|&&pod| fails_index(cluster, job, limit, pod));
        self.failed_indexes.extend(over.filter_map(|&pod| own(pod)));
        let active: BTreeSet<i32> = self.active.iter().filter_map(|&pod| own(pod)).collect();
        let over = [&self.succeeded_indexes, &self.failed_indexes, &active];
        self.awaiting = awaiting_replacement(cluster, &failed, completions, over);
    }

    /// Decides, creates or deletes pods, and writes the first part of the status.
    pub(super) fn run(&mut self, memory: &mut Memory, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let job: Job = cluster.get::<Job>(self.id).clone();
        let is_deleting = cluster.meta(self.id.into()).is_deleting();
        let now = cx.now();
        let mut status = job.status.clone();
        if status.start_time.is_none() && !job.suspend {
            status.start_time = Some(now);
        }
        self.ending = self.verdict(&job, status.start_time, cluster, cx);
        if self.ending.is_some() {
            self.delete_active(cluster, cx);
        } else {
            if !is_deleting {
                match self.manage(&job, cluster, cx) {
                    Ok(n_active) => self.n_active = n_active,
                    Err((n_active, error)) => (self.n_active, self.action) = (n_active, Action::Failed(error)),
                }
            }
            self.check_completion(&job);
            if !is_deleting {
                self.check_suspended(&job, &mut status, cluster, now);
            }
        }
        self.choose_counted(&job, is_deleting, cluster);
        match self.write_first(&job, status, cluster, cx) {
            Ok(()) => {
                memory.backoff = self.backoff;
                self.rest = !self.counted.is_empty() || self.ending.is_some();
                self.action.clone()
            }
            Err(error) => Action::Failed(error),
        }
    }

    /// Which pods lose the finalizer: those that have ended, but for the failed ones that have still to hand their count on; all of them
    /// when the Job ends or is being deleted (`canRemoveFinalizer`). Of a Job that fails every pod counts as failed that has not ended.
    fn choose_counted(&mut self, job: &Job, is_deleting: bool, cluster: &Cluster) {
        let all = is_deleting || self.ending.is_some();
        let fails = self.ending.as_ref().is_some_and(|ending| !ending.success);
        let awaiting: BTreeSet<PodId> = self.awaiting.values().copied().collect();
        for &(pod, state) in &self.tracked {
            let count = match state {
                State::Succeeded => Count::Succeeded,
                State::Failed if all || !awaiting.contains(&pod) => failure_count(cluster, job, pod),
                State::Living if fails => failure_count(cluster, job, pod),
                State::Living if all => Count::Ignored,
                _ => continue,
            };
            self.counted.push((pod, count));
        }
    }

    /// A ready pod is being deleted.
    pub(super) fn forget_ready(&mut self) {
        self.n_ready -= 1;
    }

    /// Whether the finalizers of counted pods are still to be removed.
    pub(super) fn has_rest(&self) -> bool {
        self.rest
    }

    fn verdict(&self, job: &Job, start: Option<Time>, cluster: &Cluster, cx: &mut Context<'_>) -> Option<Verdict> {
        let of_condition = |kind: &str| {
            let kind = cluster.interner.find(kind)?;
            let condition = job.status.conditions.get(kind).filter(|_| job.status.conditions.is_true(kind))?;
            Some((cluster.interner.text(condition.reason), cluster.interner.text(condition.message)))
        };
        if let Some((reason, message)) = of_condition("SuccessCriteriaMet") {
            return Some(Verdict { success: true, reason: reason.to_owned(), message: message.to_owned() });
        }
        if let Some((reason, message)) = of_condition("FailureTarget") {
            return Some(Verdict::failure(reason, message));
        }
        let failed = self.pods.iter().filter(|&&pod| state_of(job, cluster.pod(pod)) == State::Failed);
        let message = failed.filter_map(|&pod| failure_verdict(cluster, job, pod)?.message).next();
        if let Some(message) = message {
            return Some(Verdict::failure("PodFailurePolicy", message));
        }
        if self.failed > job.backoff_limit || self.restarts_exceed(job, cluster) {
            return Some(Verdict::failure("BackoffLimitExceeded", "Job has reached the specified backoff limit"));
        }
        if let (Some(seconds), Some(start), false) = (job.active_deadline_seconds, start, job.suspend) {
            // Instants read back from the API have whole seconds.
            let start = if job.status.start_time.is_some() { start.truncated_to_seconds() } else { start };
            let deadline = start + Span::from_secs(u64::try_from(seconds).unwrap_or(0));
            if deadline <= cx.now() {
                return Some(Verdict::failure("DeadlineExceeded", "Job was active longer than specified deadline"));
            }
            cx.enqueue_after(self.id, deadline.since(cx.now()));
        }
        self.index_verdict(job)
    }

    fn index_verdict(&self, job: &Job) -> Option<Verdict> {
        let completions = job.completions.filter(|_| job.indexed)?;
        let n_failed = self.failed_indexes.len() as i32;
        if job.backoff_limit_per_index.is_some() {
            if job.max_failed_indexes.is_some_and(|max| n_failed > max) {
                let message = "Job has exceeded the specified maximal number of failed indexes";
                return Some(Verdict::failure("MaxFailedIndexesExceeded", message));
            }
            if n_failed > 0 && n_failed + self.succeeded >= completions {
                return Some(Verdict::failure("FailedIndexes", "Job has failed indexes"));
            }
        }
        let policy = job.success_policy.as_ref()?;
        let message = match_success_policy(policy, completions, &self.succeeded_indexes)?;
        Some(Verdict { success: true, reason: "SuccessPolicy".to_owned(), message })
    }

    /// With `OnFailure` the restarts of running pods count instead (`pastBackoffLimitOnFailure`).
    fn restarts_exceed(&self, job: &Job, cluster: &Cluster) -> bool {
        if cluster.specs.get(job.template.spec).restart_policy != RestartPolicy::OnFailure {
            return false;
        }
        let rows = self.pods.iter().map(|&pod| cluster.pod(pod));
        let living = rows.filter(|pod| matches!(pod.phase, PodPhase::Running | PodPhase::Pending));
        let restarts: i64 =
            living.flat_map(|pod| pod.containers.iter()).map(|container| i64::from(container.restarts)).sum();
        if job.backoff_limit == 0 { restarts > 0 } else { restarts >= i64::from(job.backoff_limit) }
    }

    fn delete_active(&mut self, cluster: &mut Cluster, cx: &mut Context<'_>) {
        let source = cluster.words.job_controller;
        for pod in self.active.clone() {
            cx.wrote();
            cx.pods.delete_with_event(cluster, self.id, pod, source);
            self.terminating += 1;
        }
        (self.n_active, self.n_ready) = (0, 0);
    }

    fn check_completion(&mut self, job: &Job) {
        let complete = match job.completions {
            None => self.succeeded > 0 && self.n_active == 0,
            Some(completions) => self.succeeded >= completions && self.n_active == 0,
        };
        if complete {
            self.ending = Some(Verdict {
                success: true,
                reason: "CompletionsReached".to_owned(),
                message: "Reached expected number of succeeded pods".to_owned(),
            });
        }
    }

    fn check_suspended(&self, job: &Job, status: &mut JobStatus, cluster: &mut Cluster, now: Time) {
        if self.ending.is_some() {
            return;
        }
        let suspended = has_condition(cluster, job, "Suspended");
        let (reason, message) = match (job.suspend, suspended) {
            (true, false) => ("JobSuspended", "Job suspended"),
            (false, true) => ("JobResumed", "Job resumed"),
            _ => return,
        };
        set_condition(&mut status.conditions, "Suspended", job.suspend.into(), reason, message, cluster, now);
        if !job.suspend {
            status.start_time = Some(now);
        } else {
            status.start_time = None;
        }
        let event = if job.suspend { "Suspended" } else { "Resumed" };
        let source = cluster.words.job_controller;
        cluster.record_event(self.id, EventType::Normal, event, message, source);
    }

    /// The first part of the status: what is active, indexes, and that the end has come. Counters follow when the finalizers of the
    /// counted pods are gone. Fails where the API server refuses it.
    fn write_first(
        &mut self,
        job: &Job,
        mut status: JobStatus,
        cluster: &mut Cluster,
        cx: &mut Context<'_>,
    ) -> Result<(), String> {
        if self.n_ready > self.n_active && (job.status.active, job.status.ready) != (self.n_active, Some(self.n_ready))
        {
            let name = cluster.name(self.id);
            let (field, why) = ("status.ready", "cannot set more ready pods than active");
            return Err(format!("Job.batch {name:?} is invalid: {field}: Invalid value: {}: {why}", self.n_ready));
        }
        status.active = self.n_active;
        status.ready = Some(self.n_ready);
        status.terminating = Some(self.terminating);
        status.tracked = true;
        if job.indexed {
            status.succeeded = self.succeeded;
            status.completed_indexes = format_indexes(&self.succeeded_indexes);
            if job.backoff_limit_per_index.is_some() {
                status.failed_indexes = Some(format_indexes(&self.failed_indexes));
            }
        }
        if let Some(ending) = &self.ending {
            let kind = if ending.success { "SuccessCriteriaMet" } else { "FailureTarget" };
            let now = cx.now();
            set_condition(
                &mut status.conditions,
                kind,
                ConditionStatus::True,
                &ending.reason,
                &ending.message,
                cluster,
                now,
            );
        }
        if cluster.get::<Job>(self.id).status != status {
            cluster.update_status::<Job>(self.id, |job| job.status = status);
            cx.wrote();
        }
        Ok(())
    }

    /// Removes the finalizers of the counted pods, counts them, and writes the end once no pod is left running.
    pub(super) fn finish(self, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let finalizer = cluster.interner.sym(TRACKING_FINALIZER);
        for &(pod, _) in &self.counted {
            cluster.remove_finalizer(pod, finalizer);
            cx.wrote();
        }
        let now = cx.now();
        let job: &Job = cluster.get(self.id);
        let (completions, mut status) = (job.completions, job.status.clone());
        let n = |count| self.counted.iter().filter(|(_, as_what)| *as_what == count).count() as i32;
        status.failed += n(Count::Failed);
        // With indexes they tell how many have succeeded, and have been written.
        status.succeeded += if job.indexed { 0 } else { n(Count::Succeeded) };
        let n_succeeded = status.succeeded;
        let over = self.ending.as_ref().filter(|_| self.terminating == 0);
        if let Some(ending) = over {
            let kind = if ending.success { "Complete" } else { "Failed" };
            let (reason, message) = (&ending.reason, &ending.message);
            set_condition(&mut status.conditions, kind, ConditionStatus::True, reason, message, cluster, now);
            if ending.success {
                status.completion_time = Some(now);
            }
        }
        if cluster.get::<Job>(self.id).status != status {
            cluster.update_status::<Job>(self.id, |job| job.status = status);
            cx.wrote();
        }
        if let Some(ending) = over {
            let source = cluster.words.job_controller;
            if ending.success && completions.is_some_and(|completions| n_succeeded > completions) {
                let text = "Too many succeeded pods running after completion count reached";
                cluster.record_event(self.id, EventType::Warning, "TooManySucceededPods", text, source);
            }
            match ending.success {
                true => cluster.record_event(self.id, EventType::Normal, "Completed", "Job completed", source),
                false => {
                    cluster.record_event(self.id, EventType::Warning, &ending.reason, &ending.message, source);
                }
            }
        }
        self.action
    }
}

/// The index of a pod, if its Job has it.
fn valid_index(cluster: &Cluster, job: &Job, pod: PodId) -> Option<i32> {
    index_of(cluster, pod).filter(|&index| index < job.completions.unwrap_or(0))
}

/// How a failed pod counts: not at all if a policy ignores it, or if its index is none of the Job's.
fn failure_count(cluster: &Cluster, job: &Job, pod: PodId) -> Count {
    let own = !job.indexed || valid_index(cluster, job, pod).is_some();
    let counts = own && failure_verdict(cluster, job, pod).is_none_or(|verdict| verdict.counts);
    if counts { Count::Failed } else { Count::Ignored }
}

/// What the failure policy says of a pod that counts as failed.
pub(super) fn failure_verdict(cluster: &Cluster, job: &Job, pod: PodId) -> Option<FailureVerdict> {
    let policy = job.failure_policy.as_ref()?;
    let (row, spec) = (cluster.pod(pod), cluster.spec_of(pod));
    let names = spec.container_names.iter().map(|&name| cluster.interner.text(name));
    let ended = names.zip(&row.containers).map(|(name, container)| match container.state {
        ContainerState::Terminated(end) => Some((name, end.exit_code)),
        _ => None,
    });
    let mut exits: Vec<Option<(&str, i32)>> = ended.collect();
    // Regular containers are looked at before init containers.
    let n_init = spec.n_init_containers.min(exits.len());
    exits.rotate_left(n_init);
    let conditions = row.conditions.iter();
    match_failure_policy(
        policy,
        &FailedPod {
            name: format!("{}/{}", cluster.namespace(pod), cluster.name(pod)),
            exits: exits.into_iter().flatten().collect(),
            conditions: conditions.map(|c| (cluster.interner.text(c.kind), c.status.as_str())).collect(),
        },
    )
}

fn set_condition(
    conditions: &mut Conditions,
    kind: &str,
    status: ConditionStatus,
    reason: &str,
    message: &str,
    cluster: &mut Cluster,
    now: Time,
) {
    let mut sym = |text: &str| cluster.interner.sym(text);
    let (kind, reason, message) = (sym(kind), sym(reason), sym(message));
    if conditions.get(kind).is_none_or(|old| old.status != status) {
        conditions.set(Condition { kind, status, reason, message, transition: now, update: now });
    }
}
