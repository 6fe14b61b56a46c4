//! `Scheduler`: the component. One scheduling cycle at a time, binding cycles beside it, changes in, writes out (kube-scheduler
//! v1.36, `schedule_one.go`).
//!
//! A cycle takes `scheduling_latency`: the decision is made on the cluster as it is when the cycle begins; a pod that fits is assumed
//! at once, a pod that does not goes back to the queue when the cycle ends, with the changes that arrived meanwhile replayed to it.
//! The status of a failed pod is patched within the cycle, so such a cycle takes `write_latency` longer. Bindings and patches share
//! the limits of the scheduler's API client. With all latencies zero every step happens in the instant of the cycle.

use std::collections::BTreeMap;

use super::client::Client;
use super::eviction::{Evictions, Progress};
use super::explain::Explanation;
use super::framework::names::PluginName;
use super::message::event_note;
use super::nominator::Nominator;
use super::policy::{Decision, Nomination, Policy, Rejection, View};
use super::queue::{QueueContext, QueueSettings, QueuedPod, SchedulingQueue};
use super::watch::{Inbox, Seen};
use crate::cluster::{
    Agenda, Change, Cluster, Component, Event, EventMessage, EventType, Latency, NO_CAUSE, NodeId, ObjectRef, Outage,
    PodId, SchedulerEvent, Sym, What,
};
use crate::engine::{Span, Time};

/// One profile of a scheduler: pods choose it by `schedulerName`.
pub struct Profile {
    /// `schedulerName`.
    pub scheduler_name: String,
    /// What decides for its pods.
    pub policy: Box<dyn Policy + Send>,
}

/// What a scheduler is made of.
#[derive(Default)]
pub struct SchedulerOptions {
    /// Its profiles.
    pub profiles: Vec<Profile>,
    /// How its queue waits.
    pub queue: QueueSettings,
    /// `clientConnection.qps` and `clientConnection.burst` of its configuration; else the control plane's.
    pub client: Option<(f64, u32)>,
}

/// kube-scheduler.
pub struct Scheduler {
    pub(super) profiles: Vec<NamedPolicy>,
    pub(super) queue: SchedulingQueue,
    pub(super) seen: Seen,
    pub(super) evictions: Evictions,
    pub(super) bindings: BTreeMap<PodId, Binding>,
    pub(super) client: Client,
    pub(super) words: Words,
    pub(super) nominator: Nominator,
    pub(super) client_limits: Option<(f64, u32)>,
    pub(super) inbox: Inbox,
    next_start: usize,
    /// Attempts of the running cycle that failed: they end with it.
    pub(super) failed: Vec<(PodId, Outcome)>,
    timers: Timers,
    /// Whether a replica of kube-scheduler leads.
    pub(super) leads: bool,
    /// Why it does what it is doing, as a cause of changes.
    cause: u32,
}

/// A profile with its name interned.
pub(super) struct NamedPolicy {
    pub name: Sym,
    pub text: String,
    pub policy: Box<dyn Policy + Send>,
}

/// A binding cycle under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding {
    pub node: NodeId,
    /// What the queue knew of the pod, should binding fail.
    pub row: QueuedPod,
    /// The name of its scheduler.
    pub source: Sym,
}

/// Reasons of events.
#[derive(Clone, Copy)]
pub(super) struct Words {
    pub scheduled: Sym,
    pub failed_scheduling: Sym,
    pub preempted: Sym,
}

/// How an attempt ended that did not find a node.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// Plugins said no.
    Rejected(Box<Rejection>),
    /// Something went wrong.
    Error(String),
}

/// When the next events of the scheduler are due, so that each is scheduled once.
#[derive(Clone, Copy, Debug)]
struct Timers {
    started: Time,
    /// The end of the running cycle.
    free: Time,
    cycle: Option<Time>,
    backoff: Option<Time>,
    unschedulable: Option<Time>,
}

/// What kube-scheduler says when the cluster has no nodes (`ErrNoNodesAvailable`).
const NO_NODES: &str = "no nodes available to schedule pods";

impl Scheduler {
    /// A scheduler that has seen nothing yet.
    pub fn new(options: SchedulerOptions) -> Scheduler {
        let profiles = options.profiles.into_iter();
        Scheduler {
            profiles: profiles
                .map(|profile| NamedPolicy { name: Sym::EMPTY, text: profile.scheduler_name, policy: profile.policy })
                .collect(),
            queue: SchedulingQueue::new(options.queue),
            seen: Seen::default(),
            evictions: Evictions::default(),
            bindings: BTreeMap::new(),
            client: Client::new(f64::INFINITY, u32::MAX),
            words: Words { scheduled: Sym::EMPTY, failed_scheduling: Sym::EMPTY, preempted: Sym::EMPTY },
            nominator: Nominator::default(),
            client_limits: options.client,
            inbox: Inbox::default(),
            next_start: 0,
            failed: Vec::new(),
            leads: true,
            cause: NO_CAUSE,
            timers: Timers { started: Time::ZERO, free: Time::ZERO, cycle: None, backoff: None, unschedulable: None },
        }
    }

    /// The queue, for reports.
    pub fn queue(&self) -> &SchedulingQueue {
        &self.queue
    }

    /// The policy of the profile of that name.
    pub fn policy(&self, scheduler_name: &str) -> Option<&(dyn Policy + Send)> {
        self.profiles.iter().find(|profile| profile.text == scheduler_name).map(|profile| &*profile.policy)
    }

    /// Explains what the next scheduling cycle would decide on a pod; `None` if no profile is responsible for it.
    pub fn explain(&mut self, pod: PodId, cluster: &Cluster) -> Option<Explanation> {
        let profile = self.profile_of(pod, cluster)?;
        let next_start = self.next_start;
        self.profiles[profile].policy.explain(pod, next_start, cluster)
    }

    /// The profile that is responsible for a pod; none for a pod of a scheduler that is not this one.
    pub(super) fn profile_of(&self, pod: PodId, cluster: &Cluster) -> Option<usize> {
        let name = cluster.spec_of(pod).scheduler_name;
        self.profiles.iter().position(|profile| profile.name == name)
    }

    /// Runs `act` on the queue with what it reads beside itself.
    pub(super) fn with_queue<T>(
        &mut self,
        cluster: &Cluster,
        now: Time,
        act: impl FnOnce(&mut SchedulingQueue, &QueueContext<'_>) -> T,
    ) -> T {
        let (profiles, evictions, cause) = (&self.profiles, &self.evictions, self.cause);
        let gate = |pod: PodId| {
            if evictions.gates(pod) {
                return Some(PluginName::DefaultPreemption);
            }
            let name = cluster.spec_of(pod).scheduler_name;
            let profile = profiles.iter().find(|profile| profile.name == name)?;
            Some(profile.policy.pre_enqueue(pod, cluster)?.plugin)
        };
        act(&mut self.queue, &QueueContext { cluster, now, cause, gate: &gate })
    }

    /// One scheduling cycle: ends the attempts of the last one that failed, then tries the next pods.
    fn cycle(&mut self, cluster: &mut Cluster, agenda: &mut Agenda) {
        self.timers.cycle = None;
        self.end_failed(cluster, agenda);
        if agenda.now() < self.timers.free {
            return;
        }
        let Some((profile, pods)) = self.pop_batch(cluster) else { return };
        let span = pods.iter().map(|&pod| self.latency(Latency::Scheduling, pod, cluster, agenda)).sum();
        self.timers.free = agenda.now() + span;
        for (pod, decision) in self.decide(profile, pods, cluster, agenda) {
            self.turn_to(pod, cluster, agenda);
            match decision {
                Decision::Assign(node) => self.assign(pod, node, profile, cluster, agenda),
                Decision::Reject(rejection) => self.failed.push((pod, Outcome::Rejected(rejection))),
                Decision::Fail(message) => self.failed.push((pod, Outcome::Error(message))),
            }
        }
        if span.is_zero() {
            self.end_failed(cluster, agenda);
        }
    }

    /// What is done from now on has this cause.
    pub(super) fn because(&mut self, cause: u32, cluster: &mut Cluster, agenda: &mut Agenda) {
        self.cause = cause;
        agenda.because(cause, cluster);
    }

    /// What is done from now on is done because of what brought the pod into the queue.
    fn turn_to(&mut self, pod: PodId, cluster: &mut Cluster, agenda: &mut Agenda) {
        if let Some(cause) = self.queue.get(pod).map(|row| row.cause) {
            self.because(cause, cluster, agenda);
        }
    }

    fn end_failed(&mut self, cluster: &mut Cluster, agenda: &mut Agenda) {
        for (pod, outcome) in std::mem::take(&mut self.failed) {
            self.turn_to(pod, cluster, agenda);
            let spent = self.fail(pod, outcome, cluster, agenda);
            self.timers.free = self.timers.free.max(agenda.now()) + spent;
        }
    }

    /// Takes the next pod, and more of the same profile as far as its policy takes several.
    fn pop_batch(&mut self, cluster: &mut Cluster) -> Option<(usize, Vec<PodId>)> {
        let (mut batch, mut of) = (Vec::new(), None);
        while let Some(pod) = self.queue.peek() {
            let profile = self.profile_of(pod, cluster);
            if of.is_some_and(|of| profile != Some(of) || batch.len() >= self.profiles[of].policy.batch_size()) {
                break;
            }
            self.queue.pop();
            match profile {
                Some(profile) if !self.is_skipped(pod, profile, cluster) => {
                    of = Some(profile);
                    batch.push(pod);
                }
                _ => _ = self.queue.done(pod),
            }
        }
        Some((of?, batch))
    }

    /// Whether a popped pod needs no attempt (kube-scheduler, `skipPodSchedule`).
    fn is_skipped(&mut self, pod: PodId, profile: usize, cluster: &mut Cluster) -> bool {
        let row = cluster.pod(pod);
        if row.meta.removed || row.phase.is_terminal() || row.placed().is_some() || row.missing_node.is_some() {
            return true;
        }
        if row.meta.is_deleting() {
            let message = format!("skip schedule deleting pod: {}/{}", cluster.namespace(pod), cluster.name(pod));
            self.warn(pod, &message, self.profiles[profile].name, cluster);
            return true;
        }
        false
    }

    fn decide(
        &mut self,
        profile: usize,
        pods: Vec<PodId>,
        cluster: &Cluster,
        agenda: &Agenda,
    ) -> Vec<(PodId, Decision)> {
        let mut decisions = Vec::with_capacity(pods.len());
        if cluster.n_nodes() == 0 {
            let (message, nomination) = (NO_NODES.to_owned(), Nomination::Clear);
            let rejection = Rejection { message, nomination, ..Rejection::default() };
            decisions.resize(pods.len(), Decision::Reject(Box::new(rejection)));
        } else {
            let mut view =
                View { cluster, nominated: &self.nominator, next_start: &mut self.next_start, draws: agenda.draws() };
            self.profiles[profile].policy.decide(&pods, &mut view, &mut decisions);
        }
        assert_eq!(pods.len(), decisions.len(), "a policy decides on every pod it is given");
        pods.into_iter().zip(decisions).collect()
    }

    /// A pod fits: assumes it and begins its binding cycle.
    fn assign(&mut self, pod: PodId, node: NodeId, profile: usize, cluster: &mut Cluster, agenda: &mut Agenda) {
        let latency = self.latency(Latency::Bind, pod, cluster, agenda);
        let Some(row) = self.queue.done(pod) else { return };
        cluster.assume(pod, node);
        let at = self.client.take(self.timers.free) + latency;
        let source = self.profiles[profile].name;
        let binding = Binding { node, row, source };
        if at <= agenda.now() {
            self.bind(pod, binding, cluster, agenda);
        } else {
            self.bindings.insert(pod, binding);
            let epoch = cluster.pod(pod).epoch;
            agenda.at(at, Event::Scheduler(SchedulerEvent::Bind { pod, epoch }));
        }
    }

    /// One latency of an attempt at a pod.
    fn latency(&self, which: Latency, pod: PodId, cluster: &Cluster, agenda: &Agenda) -> Span {
        let attempt = self.queue.get(pod).map_or(0, |row| row.attempts);
        agenda.control_plane.latency(which, agenda.draws(), cluster.pod(pod).ordinal, attempt)
    }

    /// Records a warning FailedScheduling.
    pub(super) fn warn(&self, pod: PodId, message: &str, source: Sym, cluster: &mut Cluster) {
        let message = EventMessage::Text(cluster.interner.sym(&event_note(message)));
        cluster.record_series(pod.into(), EventType::Warning, self.words.failed_scheduling, message, source);
    }

    pub(super) fn flush_backoff(&mut self, cluster: &Cluster, now: Time) {
        self.timers.backoff = None;
        self.with_queue(cluster, now, |queue, cx| queue.flush_backoff(cx));
    }

    pub(super) fn flush_unschedulable(&mut self, cluster: &Cluster, now: Time) {
        self.timers.unschedulable = None;
        self.with_queue(cluster, now, |queue, cx| queue.flush_unschedulable(cx));
    }

    /// A new process begins to count.
    pub(super) fn restart_timers(&mut self, now: Time) {
        self.timers = Timers { started: now, free: now, cycle: None, backoff: None, unschedulable: None };
    }

    /// The cycle that was scheduled has come.
    pub(super) fn cycle_is_over(&mut self) {
        self.timers.cycle = None;
    }

    /// Schedules what has become due: the next cycle and the flushes.
    pub(super) fn schedule_next(&mut self, agenda: &mut Agenda) {
        let timers = &mut self.timers;
        let earlier = |due: Option<Time>, pending: Option<Time>| due.filter(|&due| pending.is_none_or(|at| due < at));
        let wanted = !self.failed.is_empty() || self.queue.peek().is_some();
        if wanted && timers.cycle.is_none() {
            let at = timers.free.max(agenda.now());
            timers.cycle = Some(at);
            agenda.at(at, Event::Scheduler(SchedulerEvent::Cycle));
        }
        if let Some(at) = earlier(self.queue.next_backoff_flush(), timers.backoff) {
            timers.backoff = Some(at);
            agenda.at(at, Event::Scheduler(SchedulerEvent::FlushBackoff));
        }
        if let Some(at) = earlier(self.queue.next_unschedulable_flush(timers.started), timers.unschedulable) {
            timers.unschedulable = Some(at);
            agenda.at(at, Event::Scheduler(SchedulerEvent::FlushUnschedulable));
        }
    }
}

impl Component for Scheduler {
    type Event = SchedulerEvent;

    fn start(&mut self, cluster: &mut Cluster, agenda: &mut Agenda) {
        self.timers.started = agenda.now();
        self.client = match self.client_limits {
            Some((qps, burst)) => Client::new(qps, burst),
            None => Client::of(&agenda.control_plane),
        };
        for profile in &mut self.profiles {
            profile.name = cluster.interner.sym(&profile.text);
        }
        let mut sym = |text| cluster.interner.sym(text);
        self.words = Words {
            scheduled: sym("Scheduled"),
            failed_scheduling: sym("FailedScheduling"),
            preempted: sym("Preempted"),
        };
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, agenda: &mut Agenda) {
        for profile in &mut self.profiles {
            profile.policy.observe(change, cluster);
        }
        self.nominator.observe(change, cluster);
        if self.leads && self.seen.is_of_interest(change, cluster) {
            // The same pod, or the object of the same number, meets the same delay in every run.
            let (entity, turn) = match (change.object, change.what) {
                (ObjectRef::Pod(pod), What::Created) => (cluster.pod(pod).ordinal, 0),
                (ObjectRef::Pod(pod), What::Bound(_)) => (cluster.pod(pod).ordinal, 1),
                (ObjectRef::Pod(pod), _) => (cluster.pod(pod).ordinal, 2),
                (ObjectRef::Node(node), _) => (u64::from(node.0), 3),
                (ObjectRef::Object(object), _) => (u64::from(object.0), 4),
            };
            let delay = agenda.control_plane.latency(Latency::Watch, agenda.draws(), entity, turn);
            if let Some(due) = self.inbox.push(agenda.now() + delay, change, agenda.cause()) {
                agenda.at(due, Event::Scheduler(SchedulerEvent::Deliver(0)));
            }
        }
    }

    fn handle(&mut self, event: SchedulerEvent, cluster: &mut Cluster, agenda: &mut Agenda) {
        let now = agenda.now();
        self.cause = agenda.cause();
        if !self.leads {
            // What an earlier leader had planned is forgotten with it.
            return;
        }
        if !cluster.is_writable() {
            return self.attempt_fails(event, cluster, agenda);
        }
        match event {
            SchedulerEvent::Cycle => self.cycle(cluster, agenda),
            SchedulerEvent::Bind { pod, .. } => {
                if let Some(binding) = self.bindings.remove(&pod) {
                    self.bind(pod, binding, cluster, agenda);
                }
            }
            SchedulerEvent::FlushBackoff => self.flush_backoff(cluster, now),
            SchedulerEvent::FlushUnschedulable => self.flush_unschedulable(cluster, now),
            SchedulerEvent::EvictVictims { pod } => {
                match self.evictions.step(pod, self.words.preempted, cluster) {
                    Progress::Goes => self.evictions.schedule(pod, &mut self.client, agenda),
                    // Nobody's end will bring the pod back.
                    Progress::EndedWithoutVictim => self.with_queue(cluster, now, |queue, cx| queue.activate(pod, cx)),
                    Progress::Ended => {}
                }
            }
            SchedulerEvent::Deliver(_) => {
                while let Some((change, cause)) = self.inbox.pop(now) {
                    self.because(cause, cluster, agenda);
                    self.deliver(change, cluster, now);
                }
            }
        }
        self.schedule_next(agenda);
    }

    fn outage(&mut self, outage: Outage, cluster: &mut Cluster, agenda: &mut Agenda) {
        self.outage_observed(outage, cluster, agenda);
    }
}
