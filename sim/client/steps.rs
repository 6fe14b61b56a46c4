//! `Client`: does its steps at their times, lets pods arrive, and keeps every answer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use super::drain::Drain;
use super::execute::execute;
use super::ownership::Ownership;
use super::select::select;
use super::submit::{Submission, apply_step, submit};
use super::{Action, ArrivalSource, ArrivingPod, EvictionAnswer, verbs};
use crate::cluster::{Agenda, Change, Cluster, Component, Event, Outage, PodId, Propagation, What, WorkloadEvent};
use crate::engine::{Span, Time};
use crate::kubectl::command::{self, Command};

/// An action at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// When.
    pub at: Time,
    /// What.
    pub action: Action,
    /// The step as the user wrote it, for reports.
    pub text: String,
}

/// What a step answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Lines of standard output.
    pub stdout: Vec<String>,
    /// Lines of standard error.
    pub stderr: Vec<String>,
    /// What the eviction API said, pod by pod.
    pub evictions: Vec<EvictionAnswer>,
    /// Whether it ended with an error.
    pub failed: bool,
    /// When it was over; later than its time for a drain.
    pub ended: Option<Time>,
}

/// One of several requests of a step.
enum Request {
    Apply(Value),
    Submit(Arc<Submission>, usize),
    Evict(PodId),
}

/// How many times as long as a write a request of a client takes: it reads, sends and waits for the answer. In recordings of kubectl
/// 10 to 60 ms lie between two requests.
const WRITES_PER_REQUEST: u64 = 5;

/// Lines of one answer that the timeline shows.
const MAX_TOLD_LINES: usize = 20;

fn request_time(agenda: &Agenda) -> Span {
    agenda.control_plane.write_latency * WRITES_PER_REQUEST
}

/// The users of a run.
#[derive(Default)]
pub struct Client {
    steps: Vec<Step>,
    answers: Vec<Answer>,
    sources: Vec<Box<dyn ArrivalSource>>,
    /// The next pod of each source.
    waiting: Vec<Option<ArrivingPod>>,
    drains: BTreeMap<u32, Drain>,
    /// Requests of a step that wait for the one before them.
    requests: BTreeMap<u32, VecDeque<Request>>,
    /// The namespace that commands without `-n` mean.
    namespace: String,
    /// Who manages the fields of what clients wrote.
    ownership: Ownership,
    n_arrived: u64,
    /// What waits for the end of an outage: owners of arriving pods and new machines try until they are served.
    held: Vec<WorkloadEvent>,
    /// How long a manifest of several takes that are applied, if that is known.
    apply_time: Option<Span>,
}

impl Client {
    /// A client with these steps and sources of pods.
    pub fn new(steps: Vec<Step>, sources: Vec<Box<dyn ArrivalSource>>) -> Client {
        Client {
            answers: steps.iter().map(|_| Answer::default()).collect(),
            steps,
            sources,
            namespace: "default".to_owned(),
            ..Client::default()
        }
    }

    /// The same client in another namespace than `default`.
    pub fn in_namespace(mut self, namespace: &str) -> Client {
        self.namespace = namespace.to_owned();
        self
    }

    /// The same client, whose requests to apply one manifest of several take so long.
    pub fn applying_each_in(mut self, time: Span) -> Client {
        self.apply_time = Some(time);
        self
    }

    /// The steps with their answers.
    pub fn answers(&self) -> impl Iterator<Item = (&Step, &Answer)> {
        self.steps.iter().zip(&self.answers)
    }

    /// Number of pods that have arrived from sources.
    pub fn n_arrived(&self) -> u64 {
        self.n_arrived
    }

    fn do_step(&mut self, idx: u32, cluster: &mut Cluster, agenda: &mut Agenda) {
        let Some(step) = self.steps.get(idx as usize) else { return };
        let action = step.action.clone();
        self.tell_step(idx, cluster, agenda);
        if let Action::Kubectl(command) = &action
            && let Command::Drain(options) = &**command
        {
            return self.drain(idx, options, cluster, agenda);
        }
        match &action {
            Action::Evict(eviction) => match verbs::pods_to_evict(cluster, eviction) {
                Ok(pods) => {
                    return self.send_next(idx, pods.into_iter().map(Request::Evict).collect(), cluster, agenda);
                }
                Err(error) => return self.fail(idx, error, agenda.now()),
            },
            Action::Apply(manifests) => {
                let requests = manifests.iter().cloned().map(Request::Apply).collect();
                return self.send_next(idx, requests, cluster, agenda);
            }
            Action::Submit(submission) => {
                let submission = Arc::new((**submission).clone());
                let places = 0..submission.manifests.len();
                let requests = places.map(|place| Request::Submit(submission.clone(), place)).collect();
                return self.send_next(idx, requests, cluster, agenda);
            }
            _ => {}
        }
        let done = self.act(&action, cluster);
        self.note_warnings(idx, cluster);
        match done {
            Ok(lines) => {
                let answer = &mut self.answers[idx as usize];
                answer.stdout.extend(lines.into_iter().filter(|line| !line.is_empty()));
                answer.ended = Some(agenda.now());
            }
            Err(error) => self.fail(idx, error, agenda.now()),
        }
    }

    fn drain(&mut self, idx: u32, options: &command::Drain, cluster: &mut Cluster, agenda: &mut Agenda) {
        let selection = super::execute::nodes(&options.nodes, options.selector.as_ref());
        let begun = select(cluster, &selection, &self.namespace).and_then(|nodes| {
            let names = nodes.into_iter().map(|node| node.name).collect();
            Drain::begin(cluster, names, options, request_time(agenda))
        });
        match begun {
            Err(error) => self.fail(idx, error, agenda.now()),
            Ok((drain, stdout)) => {
                self.answers[idx as usize].stdout.extend(stdout);
                self.drains.insert(idx, drain);
                self.go_on(idx, cluster, agenda);
            }
        }
    }

    /// Prints what the API server warned about meanwhile, as kubectl does.
    fn note_warnings(&mut self, idx: u32, cluster: &mut Cluster) {
        let warnings = cluster.take_warnings();
        self.answers[idx as usize].stderr.extend(warnings.into_iter().map(|warning| format!("Warning: {warning}")));
    }

    fn fail(&mut self, idx: u32, error: String, now: Time) {
        let answer = &mut self.answers[idx as usize];
        answer.stderr.extend(error.lines().map(str::to_owned));
        (answer.failed, answer.ended) = (true, Some(now));
    }

    fn act(&mut self, action: &Action, cluster: &mut Cluster) -> Result<Vec<String>, String> {
        match action {
            Action::Kubectl(command) => execute(cluster, &mut self.ownership, command, &self.namespace),
            Action::Apply(_) | Action::Submit(_) | Action::Evict(_) => Ok(Vec::new()),
            Action::Delete(manifests) => {
                let name = |manifest| verbs::name_of(cluster, manifest, &self.namespace);
                let names: Vec<_> = manifests.iter().filter_map(name).collect();
                names.into_iter().map(|name| verbs::delete(cluster, &name, Propagation::Background, None)).collect()
            }
            Action::AddNode(manifest) => super::edit::create(cluster, manifest).map(|_| Vec::new()),
            Action::DeleteNode(node) => verbs::delete_node(cluster, node).map(|line| vec![line]),
            Action::FailNode(node) => verbs::fail_node(cluster, node).map(|()| Vec::new()),
            Action::RecoverNode(node) => verbs::recover_node(cluster, node).map(|()| Vec::new()),
        }
    }

    /// Sends the first of several requests; the next one follows when it has been answered. One that is refused does not keep the
    /// next from being sent.
    fn send_next(&mut self, idx: u32, mut requests: VecDeque<Request>, cluster: &mut Cluster, agenda: &mut Agenda) {
        let mut time = request_time(agenda);
        match requests.pop_front() {
            Some(Request::Apply(manifest)) => {
                time = self.apply_time.unwrap_or(time);
                match apply_step(cluster, &mut self.ownership, manifest, &self.namespace) {
                    Ok((_, line)) => self.answers[idx as usize].stdout.push(line),
                    Err(error) => self.fail(idx, error, agenda.now()),
                }
            }
            Some(Request::Submit(submission, place)) => self.submit(idx, &submission, place, cluster, agenda.now()),
            Some(Request::Evict(pod)) => self.evict(idx, pod, cluster),
            None => {}
        }
        self.note_warnings(idx, cluster);
        if requests.is_empty() {
            self.answers[idx as usize].ended = Some(agenda.now());
            return;
        }
        self.requests.insert(idx, requests);
        agenda.after(time, Event::Workload(WorkloadEvent::Continue(idx)));
    }

    fn evict(&mut self, idx: u32, pod: PodId, cluster: &mut Cluster) {
        let name = cluster.name(pod).to_owned();
        let refused = cluster.evict(pod, None).err();
        let answer = &mut self.answers[idx as usize];
        match &refused {
            None => answer.stdout.push(format!("pod/{name} evicted")),
            Some(refused) => answer.stderr.push(format!("pod/{name}: {}", refused.text)),
        }
        answer.evictions.push((name, refused));
    }

    fn submit(&mut self, idx: u32, submission: &Submission, place: usize, cluster: &mut Cluster, now: Time) {
        let Some((file, manifest)) = submission.manifests.get(place) else { return };
        match submit(cluster, &mut self.ownership, submission, (file, manifest), &self.namespace) {
            Ok(printed) => {
                let answer = &mut self.answers[idx as usize];
                answer.stdout.extend(printed.stdout.lines().map(str::to_owned));
                answer.stderr.extend(printed.stderr);
            }
            Err(error) => self.fail(idx, error, now),
        }
    }

    fn go_on(&mut self, idx: u32, cluster: &mut Cluster, agenda: &mut Agenda) {
        if let Some(requests) = self.requests.remove(&idx) {
            return self.send_next(idx, requests, cluster, agenda);
        }
        let Some(mut drain) = self.drains.remove(&idx) else { return };
        let progress = drain.go_on(cluster);
        let answer = &mut self.answers[idx as usize];
        answer.stdout.extend(progress.stdout);
        answer.stderr.extend(progress.stderr);
        answer.failed |= progress.failed;
        match progress.again {
            Some(at) => {
                self.drains.insert(idx, drain);
                agenda.at(at, Event::Workload(WorkloadEvent::Continue(idx)));
            }
            None => answer.ended = Some(agenda.now()),
        }
    }

    fn arrive(&mut self, source: u32, cluster: &mut Cluster, agenda: &mut Agenda) {
        let idx = source as usize;
        let Some(arriving) = self.waiting.get_mut(idx).and_then(Option::take) else { return };
        self.create_pod(arriving, cluster);
        self.schedule_arrival(source, cluster, agenda);
    }

    fn create_pod(&mut self, arriving: ArrivingPod, cluster: &mut Cluster) -> PodId {
        self.n_arrived += 1;
        cluster.create_pod(arriving.pod)
    }

    fn schedule_arrival(&mut self, source: u32, cluster: &mut Cluster, agenda: &mut Agenda) {
        let next = self.sources[source as usize].next(cluster);
        if let Some(arriving) = &next {
            agenda.at(arriving.at, Event::Workload(WorkloadEvent::Arrival(source)));
        }
        self.waiting[source as usize] = next;
    }
}

impl Component for Client {
    type Event = WorkloadEvent;

    fn start(&mut self, cluster: &mut Cluster, agenda: &mut Agenda) {
        for (idx, step) in self.steps.iter().enumerate() {
            agenda.at(step.at, Event::Workload(WorkloadEvent::Step(idx as u32)));
        }
        self.waiting = self.sources.iter().map(|_| None).collect();
        for source in 0..self.sources.len() as u32 {
            self.schedule_arrival(source, cluster, agenda);
        }
    }

    fn observe(&mut self, change: Change, _: &Cluster, _: &mut Agenda) {
        if change.what == What::Removed {
            self.ownership.forget(change.object);
        }
    }

    fn handle(&mut self, event: WorkloadEvent, cluster: &mut Cluster, agenda: &mut Agenda) {
        let step = match event {
            WorkloadEvent::Step(idx) | WorkloadEvent::Continue(idx) => self.answers.get(idx as usize),
            _ => None,
        };
        let before = step.map_or((0, 0), |answer| (answer.stdout.len(), answer.stderr.len()));
        match cluster.refusal() {
            Some(refusal) => self.refuse(event, refusal, cluster, agenda),
            None => self.act_on(event, cluster, agenda),
        }
        if let WorkloadEvent::Step(idx) | WorkloadEvent::Continue(idx) = event {
            self.tell_answer(idx, before, cluster);
        }
    }

    fn outage(&mut self, outage: Outage, _: &mut Cluster, agenda: &mut Agenda) {
        if outage == Outage::Writable(true) {
            for event in std::mem::take(&mut self.held) {
                agenda.after(Span::ZERO, Event::Workload(event));
            }
        }
    }
}

impl Client {
    fn act_on(&mut self, event: WorkloadEvent, cluster: &mut Cluster, agenda: &mut Agenda) {
        match event {
            WorkloadEvent::Step(idx) => self.do_step(idx, cluster, agenda),
            WorkloadEvent::Arrival(source) => self.arrive(source, cluster, agenda),
            WorkloadEvent::Continue(idx) => self.go_on(idx, cluster, agenda),
            WorkloadEvent::Departure(pod) => cluster.delete_pod(pod, Some(0)),
        }
    }

    /// Says that a step begins: what follows from it names it as its cause.
    fn tell_step(&self, idx: u32, cluster: &mut Cluster, agenda: &mut Agenda) {
        if let Some(step) = self.steps.get(idx as usize) {
            let text = cluster.interner.sym(&step.text);
            let number = cluster.remark(Outage::Step(text));
            agenda.because(number, cluster);
        }
    }

    /// Says what a step has printed since it had printed this much.
    fn tell_answer(&self, idx: u32, (stdout, stderr): (usize, usize), cluster: &mut Cluster) {
        let Some((step, answer)) = self.steps.get(idx as usize).zip(self.answers.get(idx as usize)) else { return };
        // That objects of files have been applied is seen by their changes.
        let stdout = if matches!(step.action, Action::Apply(_)) { usize::MAX } else { stdout };
        let lines = answer.stdout.get(stdout..).into_iter().chain(answer.stderr.get(stderr..)).flatten();
        for line in lines.take(MAX_TOLD_LINES) {
            let line = cluster.interner.sym(line);
            cluster.remark(Outage::Answer(line));
        }
    }

    /// The API cannot be written to. A command of kubectl fails at once and is not tried again; what machines do is.
    fn refuse(&mut self, event: WorkloadEvent, refusal: &str, cluster: &mut Cluster, agenda: &mut Agenda) {
        match event {
            WorkloadEvent::Step(idx) => match self.steps.get(idx as usize).map(|step| &step.action) {
                Some(Action::AddNode(_)) => self.held.push(event),
                Some(Action::FailNode(_) | Action::RecoverNode(_)) => self.do_step(idx, cluster, agenda),
                _ => {
                    self.tell_step(idx, cluster, agenda);
                    self.fail(idx, refusal.to_owned(), agenda.now());
                }
            },
            WorkloadEvent::Continue(idx) => {
                if self.requests.remove(&idx).is_some() | self.drains.remove(&idx).is_some() {
                    self.fail(idx, refusal.to_owned(), agenda.now());
                }
            }
            WorkloadEvent::Arrival(_) | WorkloadEvent::Departure(_) => self.held.push(event),
        }
    }
}
