//! The controllers that look after nodes, budgets, endpoints and garbage, alone in a cluster: kubelets are played by the tests.

mod garbage;
mod lost_nodes;
mod services;

use serde_json::{Value, json};
use wavetank::cluster::{
    Agenda, Change, Cluster, Component, ConditionStatus, ControlPlane, Event, EventRecord, KubeletHealth, NodeId,
    PodId, PodPhase, PodReport, What,
};
use wavetank::controllers::Controllers;
use wavetank::engine::{Draws, Time};

/// A cluster with its controllers.
pub struct World {
    pub cluster: Cluster,
    agenda: Agenda,
    controllers: Controllers,
    started: bool,
    /// Every change with its instant.
    pub log: Vec<(Time, Change)>,
    pub n_events: usize,
}

impl World {
    pub fn new(control_plane: ControlPlane) -> World {
        let controllers = Controllers::new(&control_plane);
        let agenda = Agenda::new(Draws::new(1), control_plane);
        World {
            cluster: Cluster::new(1_700_000_000),
            agenda,
            controllers,
            started: false,
            log: Vec::new(),
            n_events: 0,
        }
    }

    /// Runs until `seconds`.
    pub fn run(&mut self, seconds: f64) {
        let until = Time::from_micros((seconds * 1e6) as u64);
        self.show();
        if !self.started {
            self.started = true;
            self.controllers.start(&mut self.cluster, &mut self.agenda);
            self.show();
        }
        while let Some(queued) = self.agenda.next(until) {
            self.cluster.set_now(self.agenda.now());
            self.n_events += 1;
            if let Event::Controller(event) = queued.event {
                self.controllers.handle(event, &mut self.cluster, &mut self.agenda);
            }
            self.show();
        }
        self.agenda.advance_to(until);
        self.cluster.set_now(until);
        self.cluster.check().expect("a consistent store");
    }

    /// Shows what has changed to the controllers.
    pub fn show(&mut self) {
        let mut changes = Vec::new();
        self.cluster.take_changes(&mut changes);
        for change in changes {
            self.log.push((self.cluster.now(), change));
            self.controllers.observe(change, &self.cluster, &mut self.agenda);
        }
    }

    pub fn create(&mut self, manifest: Value) -> wavetank::cluster::ObjectRef {
        self.cluster.create_from(&manifest).expect("a fresh name")
    }

    pub fn node(&mut self, name: &str, zone: &str) -> NodeId {
        let conditions: Vec<Value> =
            [("MemoryPressure", "False"), ("DiskPressure", "False"), ("PIDPressure", "False"), ("Ready", "True")]
                .into_iter()
                .map(|(kind, status)| json!({ "type": kind, "status": status, "reason": "Kubelet" }))
                .collect();
        self.create(json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": { "name": name, "labels": { "topology.kubernetes.io/zone": zone } },
            "status": { "capacity": { "cpu": "8", "memory": "32Gi", "pods": "110" }, "conditions": conditions },
        }));
        self.cluster.find_node(name).expect("created")
    }

    /// A ready pod on a node, which bears lost nodes for some seconds.
    pub fn pod(&mut self, name: &str, node: &str, seconds: u32, more: Value) -> PodId {
        let tolerations: Vec<Value> = ["not-ready", "unreachable"]
            .map(|key| json!({ "key": format!("node.kubernetes.io/{key}"), "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds }))
            .into();
        let mut metadata = json!({ "name": name, "namespace": "default", "labels": { "app": "web" } });
        if let (Some(metadata), Some(more)) = (metadata.as_object_mut(), more.as_object()) {
            metadata.extend(more.clone());
        }
        self.create(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": {
                "nodeName": node, "containers": [{ "name": "c", "image": "i" }], "tolerations": tolerations,
                "terminationGracePeriodSeconds": 30,
            },
        }));
        let pod = self.cluster.find_pod("default", name).expect("created");
        self.report(pod, PodPhase::Running, true);
        pod
    }

    /// What the kubelet of a pod says.
    pub fn report(&mut self, pod: PodId, phase: PodPhase, ready: bool) {
        let none = self.cluster.interner.sym("");
        let report = PodReport {
            phase,
            conditions: [(self.cluster.words.ready, ConditionStatus::from(ready), none, none)].into_iter().collect(),
            ip: 0x0af4_0001 + pod.0,
            ..PodReport::default()
        };
        self.cluster.report_pod_status(pod, report);
    }

    pub fn fail(&mut self, node: NodeId) {
        let since = self.cluster.now();
        self.cluster.set_kubelet_health(node, KubeletHealth::Down { since });
    }

    /// The kubelet comes back and says that all is well.
    pub fn recover(&mut self, node: NodeId) {
        let words = self.cluster.words;
        self.cluster.set_kubelet_health(node, KubeletHealth::Running);
        let none = self.cluster.interner.sym("");
        for kind in [words.memory_pressure, words.disk_pressure, words.pid_pressure] {
            self.cluster.set_node_condition(node, kind, ConditionStatus::False, none, none);
        }
        self.cluster.set_node_condition(node, words.ready, ConditionStatus::True, none, none);
    }

    /// `key:effect` of a node's taints.
    pub fn taints(&self, node: NodeId) -> Vec<String> {
        self.cluster
            .node(node)
            .taints
            .iter()
            .map(|taint| taint.taint.to_string().replace("node.kubernetes.io/", ""))
            .collect()
    }

    /// The instants, in seconds, of the changes of an object that fit.
    pub fn times(&self, object: impl Into<wavetank::cluster::ObjectRef>, fits: impl Fn(What) -> bool) -> Vec<f64> {
        let object = object.into();
        let found = self.log.iter().filter(|(_, change)| change.object == object && fits(change.what));
        found.map(|(at, _)| at.as_secs_f64()).collect()
    }

    /// The events, oldest first, as `reason: message (count)`.
    pub fn events(&self) -> Vec<String> {
        let text = |record: &EventRecord| {
            let reason = self.cluster.interner.text(record.reason);
            format!("{reason}: {} ({})", self.cluster.event_message(record), record.count)
        };
        self.cluster.events.iter().map(|(_, record)| text(record)).collect()
    }
}

/// Instants lie within 20 ms of what is expected.
#[track_caller]
pub fn near(found: &[f64], expected: &[f64]) {
    let same = found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.12);
    assert!(same, "{found:?} is not {expected:?}");
}
