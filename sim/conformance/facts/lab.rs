//! A small cluster with some controllers and nothing else: pods become ready and end as the fact says.

use serde_json::{Value, json};

use crate::cluster::{
    Agenda, Change, Cluster, Component, ConditionStatus, ControlPlane, Event, NodeId, ObjId, ObjectRef, PodId,
    PodPhase, Sym, What,
};
use crate::controllers::{Controller, Controllers};
use crate::engine::{Draws, Span, Time};

/// 2016-05-19T00:00:00Z, a day of Kubernetes' own tests.
pub(super) const EPOCH: i64 = 1_463_616_000;

/// The cluster. Every latency is zero.
pub(super) struct Lab {
    pub(super) cluster: Cluster,
    pub(super) agenda: Agenda,
    controllers: Controllers,
    /// Every change so far.
    pub(super) log: Vec<Change>,
}

impl Lab {
    pub(super) fn new(controllers: Vec<Box<dyn Controller>>) -> Lab {
        Lab::at(EPOCH, controllers)
    }

    pub(super) fn at(epoch_seconds: i64, controllers: Vec<Box<dyn Controller>>) -> Lab {
        let control_plane = ControlPlane::ideal();
        let mut lab = Lab {
            cluster: Cluster::new(epoch_seconds),
            controllers: Controllers::with(controllers, &control_plane),
            agenda: Agenda::new(Draws::new(1), control_plane),
            log: Vec::new(),
        };
        lab.controllers.start(&mut lab.cluster, &mut lab.agenda);
        let namespace = json!({ "kind": "Namespace", "metadata": { "name": "default" } });
        lab.write(|cluster| cluster.create_from(&namespace)).ok();
        lab
    }

    /// Writes to the store and shows the changes to the controllers.
    pub(super) fn write<T>(&mut self, act: impl FnOnce(&mut Cluster) -> T) -> T {
        let result = act(&mut self.cluster);
        let mut changes = Vec::new();
        self.cluster.take_changes(&mut changes);
        for &change in &changes {
            self.controllers.observe(change, &self.cluster, &mut self.agenda);
        }
        self.log.extend(changes);
        result
    }

    /// Creates an object as its manifest says.
    pub(super) fn create(&mut self, manifest: &Value) -> Option<ObjectRef> {
        self.write(|cluster| cluster.create_from(manifest)).ok()
    }

    /// Creates an object that is neither a pod nor a node.
    pub(super) fn object(&mut self, manifest: &Value) -> Option<ObjId> {
        match self.create(manifest)? {
            ObjectRef::Object(id) => Some(id),
            _ => None,
        }
    }

    pub(super) fn node(&mut self, name: &str) -> NodeId {
        let amounts = json!({ "cpu": "64", "memory": "256Gi", "pods": "1000" });
        self.create(&json!({ "kind": "Node", "metadata": { "name": name }, "status": { "allocatable": amounts } }));
        self.cluster.find_node(name).unwrap_or(NodeId(0))
    }

    /// Handles one event not later than `until`. Returns whether there was one.
    pub(super) fn step(&mut self, until: Time) -> bool {
        let Some(queued) = self.agenda.next(until) else { return false };
        let now = self.agenda.now();
        self.cluster.set_now(now);
        if let Event::Controller(event) = queued.event {
            self.controllers.handle(event, &mut self.cluster, &mut self.agenda);
        }
        self.write(|_| ());
        true
    }

    /// Handles everything until `until`, that instant included; time does not go back.
    pub(super) fn run_to(&mut self, until: Time) {
        let until = until.max(self.agenda.now());
        while self.step(until) {}
        self.agenda.advance_to(until);
        self.cluster.set_now(until);
    }

    /// Handles everything that happens at this instant.
    pub(super) fn drain(&mut self) {
        self.run_to(self.agenda.now());
    }

    pub(super) fn now(&self) -> Time {
        self.agenda.now()
    }

    pub(super) fn after(&mut self, seconds: u64) {
        self.run_to(self.agenda.now() + Span::from_secs(seconds));
    }

    /// All pods that are there, in order of creation.
    pub(super) fn pods(&self) -> Vec<PodId> {
        self.cluster.pods().map(|(pod, _)| pod).collect()
    }

    /// A pod runs, ready or not.
    pub(super) fn run(&mut self, pod: PodId, ready: bool) {
        let now = self.now();
        self.write(|cluster| {
            cluster.set_start_time(pod, now);
            cluster.set_pod_phase(pod, PodPhase::Running, Sym::EMPTY, Sym::EMPTY);
            let kind = cluster.words.ready;
            cluster.set_pod_condition(pod, kind, ConditionStatus::from(ready), Sym::EMPTY, Sym::EMPTY);
        });
    }

    /// Every pod that waits runs and is ready. Returns whether there was one.
    pub(super) fn run_all(&mut self) -> bool {
        let ready = self.cluster.words.ready;
        let waiting: Vec<PodId> = self
            .cluster
            .pods()
            .filter(|(_, pod)| pod.is_active() && !pod.conditions.is_true(ready))
            .map(|(pod, _)| pod)
            .collect();
        for &pod in &waiting {
            self.run(pod, true);
        }
        !waiting.is_empty()
    }

    /// Lets everything happen that happens at this instant, pods becoming ready as soon as nothing else is left to do.
    pub(super) fn settle(&mut self) {
        self.drain();
        for _ in 0..100_000 {
            if !self.run_all() {
                break;
            }
            self.drain();
        }
    }

    pub(super) fn phase(&mut self, pod: PodId, phase: PodPhase) {
        self.write(|cluster| cluster.set_pod_phase(pod, phase, Sym::EMPTY, Sym::EMPTY));
    }

    /// Changes a spec by a merge patch.
    pub(super) fn patch(&mut self, id: ObjId, patch: &Value) -> Option<()> {
        let mut whole = self.cluster.export(ObjectRef::Object(id));
        merge(&mut whole, patch);
        self.write(|cluster| cluster.update_from(ObjectRef::Object(id), &whole)).ok()
    }

    /// The names of pods that a change of this sort happened to, from a place of the log on.
    pub(super) fn pods_with(&self, what: What, from: usize) -> Vec<String> {
        let hit = |change: &&Change| change.what == what;
        let pods = self.log.iter().skip(from).filter(hit).filter_map(|change| match change.object {
            ObjectRef::Pod(pod) => Some(self.cluster.name(pod).to_owned()),
            _ => None,
        });
        pods.collect()
    }

    /// Reasons of the events so far.
    pub(super) fn reasons(&self) -> Vec<String> {
        self.cluster.events.iter().map(|(_, event)| self.cluster.interner.text(event.reason).to_owned()).collect()
    }
}

/// Objects member by member; what is `null` goes.
fn merge(into: &mut Value, patch: &Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                match value {
                    Value::Null => _ = into.remove(key),
                    _ => merge(into.entry(key.clone()).or_insert(Value::Null), value),
                }
            }
        }
        (into, patch) => *into = patch.clone(),
    }
}

/// A pod template with one container and the label `app`.
pub(super) fn template(app: &str, image: &str) -> Value {
    json!({
        "metadata": { "labels": { "app": app } },
        "spec": { "containers": [{ "name": "c", "image": image }] },
    })
}
