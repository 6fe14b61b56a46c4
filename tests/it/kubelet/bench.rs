//! A cluster with kubelets and nothing else: pods are bound by name.

use serde_json::{Value, json};
use wavetank::cluster::{
    Agenda, Change, Cluster, Component, ConditionStatus, ContainerState, ControlPlane, Event, NodeId, ObjectRef, PodId,
};
use wavetank::engine::{Draws, Time};
use wavetank::kubelet::{KubeletOptions, Kubelets, Models};

pub(super) struct Bench {
    pub(super) cluster: Cluster,
    pub(super) agenda: Agenda,
    pub(super) kubelets: Kubelets,
    /// Number of events handled.
    pub(super) n_events: usize,
    /// Changes of pods with their time, as text.
    pub(super) seen: Vec<(f64, String)>,
    changes: Vec<Change>,
    started: bool,
}

impl Bench {
    pub(super) fn ideal(models: Value) -> Bench {
        Bench::new(KubeletOptions::ideal(), ControlPlane::ideal(), models)
    }

    pub(super) fn new(options: KubeletOptions, control_plane: ControlPlane, models: Value) -> Bench {
        let models = Models::from_json(&models).expect("models are right");
        let mut bench = Bench {
            cluster: Cluster::new(1_700_000_000),
            agenda: Agenda::new(Draws::new(1), control_plane),
            kubelets: Kubelets::new(options, models),
            n_events: 0,
            seen: Vec::new(),
            changes: Vec::new(),
            started: false,
        };
        bench.node("n", "8", "16Gi");
        bench
    }

    pub(super) fn node(&mut self, name: &str, cpu: &str, memory: &str) -> NodeId {
        let capacity = json!({"cpu": cpu, "memory": memory, "pods": "110"});
        let node =
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": {"capacity": capacity}});
        let created = self.cluster.create_from(&node).expect("the node is new");
        self.settle();
        let ObjectRef::Node(id) = created else { panic!("a node") };
        id
    }

    /// Creates a pod `name` on node `n`.
    pub(super) fn pod(&mut self, name: &str, spec: Value) -> PodId {
        self.annotated(name, json!({}), spec)
    }

    pub(super) fn annotated(&mut self, name: &str, annotations: Value, mut spec: Value) -> PodId {
        if spec["nodeName"].is_null() {
            spec["nodeName"] = "n".into();
        }
        let metadata = json!({"name": name, "namespace": "default", "annotations": annotations});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
        let created = self.cluster.create_from(&pod).expect("the pod is new");
        self.settle();
        let ObjectRef::Pod(id) = created else { panic!("a pod") };
        id
    }

    /// Hands changes to the kubelets.
    pub(super) fn settle(&mut self) {
        if !self.started {
            self.started = true;
            self.kubelets.start(&mut self.cluster, &mut self.agenda);
        }
        self.cluster.take_changes(&mut self.changes);
        for change in std::mem::take(&mut self.changes) {
            self.kubelets.observe(change, &self.cluster, &mut self.agenda);
            if let ObjectRef::Pod(pod) = change.object {
                self.note(pod);
            }
        }
    }

    /// Runs all events up to `seconds`.
    pub(super) fn run_to(&mut self, seconds: f64) {
        let until = Time::from_micros((seconds * 1e6) as u64);
        self.settle();
        let (mut at, mut n_at) = (Time::ZERO, 0);
        while let Some(queued) = self.agenda.next(until) {
            n_at = if at == self.agenda.now() { n_at + 1 } else { 0 };
            at = self.agenda.now();
            assert!(n_at < 100_000, "time stands still at {at}");
            self.cluster.set_now(self.agenda.now());
            let Event::Kubelet(event) = queued.event else { panic!("only kubelets here") };
            self.kubelets.handle(event, &mut self.cluster, &mut self.agenda);
            self.n_events += 1;
            self.settle();
        }
        self.agenda.advance_to(until);
        self.cluster.set_now(until);
        self.cluster.check().expect("the store is consistent");
    }

    fn note(&mut self, pod: PodId) {
        let now = self.cluster.now().as_secs_f64();
        let line = self.line(pod);
        let name = self.cluster.name(pod).to_owned();
        let last = self.seen.iter().rev().find(|(_, line)| line.starts_with(&format!("{name} ")));
        if last.is_none_or(|(_, last)| *last != line) {
            self.seen.push((now, line));
        }
    }

    /// `name phase ready|- state,...` with restart counts.
    pub(super) fn line(&self, pod: PodId) -> String {
        let row = self.cluster.pod(pod);
        let word = |sym| self.cluster.interner.text(sym);
        let states = row.containers.iter().map(|status| {
            let state = match status.state {
                ContainerState::Waiting { reason, .. } => word(reason).to_owned(),
                ContainerState::Running { .. } => "running".to_owned(),
                ContainerState::Terminated(ended) => format!("{}({})", word(ended.reason), ended.exit_code),
            };
            if status.restarts > 0 { format!("{state}#{}", status.restarts) } else { state }
        });
        let states: Vec<String> = states.collect();
        let ready = if self.ready(pod) { "ready" } else { "-" };
        let gone = if row.meta.removed { " gone" } else { "" };
        format!("{} {} {ready} {}{gone}", self.cluster.name(pod), row.phase.as_str(), states.join(","))
    }

    pub(super) fn ready(&self, pod: PodId) -> bool {
        let ready = self.cluster.pod(pod).conditions.get(self.cluster.words.ready);
        ready.is_some_and(|condition| condition.status == ConditionStatus::True)
    }

    /// What was seen of a pod, one line per change: `time line`.
    pub(super) fn timeline(&self, name: &str) -> String {
        let prefix = format!("{name} ");
        let lines = self.seen.iter().filter_map(|(at, line)| Some((at, line.strip_prefix(&prefix)?)));
        lines.map(|(at, line)| format!("{at} {line}\n")).collect()
    }

    /// When the container of that index was seen starting, in seconds.
    pub(super) fn starts(&self, name: &str, idx: usize) -> Vec<f64> {
        let prefix = format!("{name} ");
        let (mut last, mut out) = (String::new(), Vec::new());
        for (at, line) in self.seen.iter().filter(|(_, line)| line.starts_with(&prefix)) {
            let state = line.split(' ').nth(3).unwrap_or_default().split(',').nth(idx).unwrap_or_default();
            if state.starts_with("running") && last != state {
                out.push(*at);
            }
            last = state.to_owned();
        }
        out
    }

    /// Events of a pod: `reason: message xN`.
    pub(super) fn events(&self, pod: PodId) -> Vec<String> {
        let records = self.cluster.events.iter().filter(|(_, record)| record.object == pod.into());
        let text = |record| {
            let record: &wavetank::cluster::EventRecord = record;
            let (reason, message) = (self.cluster.interner.text(record.reason), self.cluster.event_message(record));
            format!("{reason}: {message} x{}", record.count)
        };
        records.map(|(_, record)| text(record)).collect()
    }
}

/// A pod spec with one container `c`, merged with `extra`.
pub(super) fn spec(extra: Value) -> Value {
    let mut spec = json!({"containers": [{"name": "c", "image": "app:v1"}]});
    for (key, value) in extra.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    spec
}
