//! A small simulation for one fact: one node, its kubelet with exact timing, and pods bound by name.

use serde_json::{Value, json};

use crate::cluster::{
    Agenda, Change, Cluster, Component, ContainerState, ControlPlane, Event, NodeId, ObjectRef, PodId, PodPhase,
};
use crate::engine::{Draws, Time};
use crate::kubelet::{KubeletOptions, Kubelets, Models};

/// One node `n`, and what its kubelet makes of pods.
pub(super) struct Trial {
    pub cluster: Cluster,
    agenda: Agenda,
    kubelets: Kubelets,
    /// Every state of every container: when, of which pod, which container.
    states: Vec<(Time, PodId, usize, ContainerState)>,
    changes: Vec<Change>,
    started: bool,
}

impl Trial {
    /// Without latencies; `None` if the models cannot be read.
    pub(super) fn new(models: Value) -> Option<Trial> {
        Trial::with(KubeletOptions::ideal(), models, json!({"cpu": "8", "memory": "16Gi", "pods": "110"}))
    }

    pub(super) fn with(options: KubeletOptions, models: Value, capacity: Value) -> Option<Trial> {
        let models = Models::from_json(&models).ok()?;
        let mut trial = Trial {
            cluster: Cluster::new(1_700_000_000),
            agenda: Agenda::new(Draws::new(1), ControlPlane::ideal()),
            kubelets: Kubelets::new(options, models),
            states: Vec::new(),
            changes: Vec::new(),
            started: false,
        };
        let node = json!({"kind": "Node", "metadata": {"name": "n"}, "status": {"capacity": capacity}});
        trial.cluster.create_from(&node).ok()?;
        Some(trial)
    }

    /// Creates a pod on the node.
    pub(super) fn pod(&mut self, name: &str, mut spec: Value) -> Option<PodId> {
        spec["nodeName"] = "n".into();
        let pod = json!({"kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec});
        let ObjectRef::Pod(pod) = self.cluster.create_from(&pod).ok()? else { return None };
        self.settle();
        Some(pod)
    }

    pub(super) fn node(&self) -> Option<NodeId> {
        self.cluster.find_node("n")
    }

    /// Runs all events up to `seconds`.
    pub(super) fn run_to(&mut self, seconds: f64) {
        let until = Time::from_micros((seconds * 1e6) as u64);
        self.settle();
        while let Some(queued) = self.agenda.next(until) {
            self.cluster.set_now(self.agenda.now());
            if let Event::Kubelet(event) = queued.event {
                self.kubelets.handle(event, &mut self.cluster, &mut self.agenda);
            }
            self.settle();
        }
        self.agenda.advance_to(until);
        self.cluster.set_now(until);
    }

    fn settle(&mut self) {
        if !self.started {
            self.started = true;
            self.kubelets.start(&mut self.cluster, &mut self.agenda);
        }
        self.cluster.take_changes(&mut self.changes);
        for change in std::mem::take(&mut self.changes) {
            self.kubelets.observe(change, &self.cluster, &mut self.agenda);
            let ObjectRef::Pod(pod) = change.object else { continue };
            for (idx, status) in self.cluster.pod(pod).containers.iter().enumerate() {
                let last = self.states.iter().rev().find(|seen| (seen.1, seen.2) == (pod, idx)).map(|seen| seen.3);
                let now = self.cluster.now();
                if last == Some(status.state) {
                    continue;
                }
                // An end that a start follows at once is seen in the new instance only.
                if let (Some(ContainerState::Running { .. }), ContainerState::Running { .. }, Some(ended)) =
                    (last, status.state, status.last)
                {
                    self.states.push((now, pod, idx, ContainerState::Terminated(ended)));
                }
                self.states.push((now, pod, idx, status.state));
            }
        }
    }

    /// When a container was started, in seconds.
    pub(super) fn starts(&self, pod: PodId, idx: usize) -> Vec<Value> {
        let mut starts: Vec<Time> = Vec::new();
        for (_, _, _, state) in self.states.iter().filter(|seen| (seen.1, seen.2) == (pod, idx)) {
            if let ContainerState::Running { started } = state {
                starts.push(*started);
            }
        }
        starts.into_iter().map(super::at).collect()
    }

    /// The states of a container in order: `running`, `terminated`, or the reason of its waiting.
    pub(super) fn states(&self, pod: PodId, idx: usize) -> Vec<String> {
        let seen = self.states.iter().filter(|seen| (seen.1, seen.2) == (pod, idx));
        seen.map(|(.., state)| self.state_text(state)).collect()
    }

    /// The last exit of a container: when, and its code.
    pub(super) fn exit(&self, pod: PodId, idx: usize) -> Option<(Time, i32)> {
        let seen = self.states.iter().rev().filter(|seen| (seen.1, seen.2) == (pod, idx));
        seen.filter_map(|seen| match seen.3 {
            ContainerState::Terminated(ended) => Some((ended.finished, ended.exit_code)),
            _ => None,
        })
        .next()
    }

    /// All instants at which a container came to be in a state.
    pub(super) fn times(&self, pod: PodId, idx: usize, state: &str) -> Vec<f64> {
        let seen = self.states.iter().filter(|seen| (seen.1, seen.2) == (pod, idx));
        seen.filter(|seen| self.state_text(&seen.3) == state).map(|seen| seen.0.as_secs_f64()).collect()
    }

    fn state_text(&self, state: &ContainerState) -> String {
        match state {
            ContainerState::Running { .. } => "running".to_owned(),
            ContainerState::Terminated(_) => "terminated".to_owned(),
            ContainerState::Waiting { reason, .. } => self.cluster.interner.text(*reason).to_owned(),
        }
    }

    pub(super) fn phase(&self, pod: PodId) -> PodPhase {
        self.cluster.pod(pod).phase
    }

    pub(super) fn reason(&self, pod: PodId) -> &str {
        self.cluster.interner.text(self.cluster.pod(pod).reason)
    }

    pub(super) fn restarts(&self, pod: PodId, idx: usize) -> u32 {
        self.cluster.pod(pod).containers.get(idx).map_or(0, |status| status.restarts)
    }

    /// Status and reason of a condition of a pod.
    pub(super) fn condition(&self, pod: PodId, kind: &str) -> Option<(&'static str, &str)> {
        let mut conditions = self.cluster.pod(pod).conditions.iter();
        let found = conditions.find(|condition| self.cluster.interner.text(condition.kind) == kind)?;
        Some((found.status.as_str(), self.cluster.interner.text(found.reason)))
    }

    /// Whether a condition of the node is `True`.
    pub(super) fn node_condition(&self, kind: &str) -> bool {
        let Some(node) = self.node() else { return false };
        let mut conditions = self.cluster.node(node).conditions.iter();
        let named = conditions.find(|condition| self.cluster.interner.text(condition.kind) == kind);
        named.is_some_and(|condition| condition.status.as_str() == "True")
    }

    /// Whether a pod has an event with this reason.
    pub(super) fn has_event(&self, pod: PodId, reason: &str) -> bool {
        let mut records = self.cluster.events.iter();
        records.any(|(_, event)| event.object == pod.into() && self.cluster.interner.text(event.reason) == reason)
    }

    /// When a pull for the first container of a pod last failed.
    pub(super) fn last_pull_failure(&self, pod: PodId) -> Option<Time> {
        self.kubelets.last_pull_failure(pod)
    }

    /// What the images of the node take.
    pub(super) fn image_bytes(&self) -> i64 {
        self.node().map_or(0, |node| self.kubelets.image_bytes(node))
    }

    /// Changes the resources of a pod as the `resize` subresource does.
    pub(super) fn resize(&mut self, pod: PodId, mut spec: Value) -> Option<()> {
        if let Some(fields) = spec.as_object_mut() {
            fields.remove("nodeName");
        }
        let spec = self.cluster.intern_spec(&spec).ok()?;
        self.cluster.resize_pod(pod, spec);
        self.settle();
        Some(())
    }

    /// Replaces the spec of a pod.
    pub(super) fn update(&mut self, pod: PodId, spec: &Value) -> Option<()> {
        let spec = self.cluster.intern_spec(spec).ok()?;
        self.cluster.set_pod_spec(pod, spec);
        self.settle();
        Some(())
    }
}

/// A pod spec with one container `c`, and more fields of it and of the spec.
pub(super) fn one(container: Value, spec: Value) -> Value {
    let mut out = json!({"containers": [{"name": "c", "image": "app:v1"}]});
    for (key, value) in container.as_object().into_iter().flatten() {
        out["containers"][0][key] = value.clone();
    }
    for (key, value) in spec.as_object().into_iter().flatten() {
        out[key] = value.clone();
    }
    out
}
