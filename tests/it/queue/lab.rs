//! A cluster with nothing but a scheduler in it: changes are made by hand, events are popped for it alone.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wavetank::cluster::{
    Agenda, Change, Cluster, Component, ControlPlane, Event, EventMessage, NodeId, ObjectRef, PodId, ResourceId, What,
};
use wavetank::engine::{Draws, Span, Time};
use wavetank::scheduler::framework::names::{PluginName, PluginSet};
use wavetank::scheduler::policy::{Decision, Nomination, Policy, Rejection, View};
use wavetank::scheduler::queue::QueueSettings;
use wavetank::scheduler::{Profile, Scheduler, SchedulerOptions};

/// A scheduler alone with a cluster.
pub struct Lab {
    pub cluster: Cluster,
    pub agenda: Agenda,
    pub scheduler: Scheduler,
    /// `<seconds> <what>` of every change that matters.
    pub log: Vec<String>,
    /// `<seconds> <pod>` of every attempt after which the pod is still in the queue: most write no event, since they only count
    /// up a series.
    pub tries: Vec<String>,
    changes: Vec<Change>,
}

/// Puts a pod on the first node that has room and that it may run on; rejects as the plugins of the default profile would, and
/// preempts pods of lower priority from the first node where that is enough.
pub struct FirstFit;

/// Fails on every pod.
pub struct Faulty {
    pub message: String,
}

impl Policy for FirstFit {
    fn observe(&mut self, _: Change, _: &Cluster) {}

    fn decide(&mut self, pods: &[PodId], view: &mut View<'_>, decisions: &mut Vec<Decision>) {
        decisions.extend(pods.iter().map(|&pod| first_fit(pod, view)));
    }
}

impl Policy for Faulty {
    fn observe(&mut self, _: Change, _: &Cluster) {}

    fn decide(&mut self, pods: &[PodId], _: &mut View<'_>, decisions: &mut Vec<Decision>) {
        decisions.extend(pods.iter().map(|_| Decision::Fail(self.message.clone())));
    }
}

fn first_fit(pod: PodId, view: &View<'_>) -> Decision {
    let cluster = view.cluster;
    let mut rejected_by = PluginSet::EMPTY;
    for (node, _) in cluster.nodes() {
        match rejector(pod, node, view, None) {
            None => return Decision::Assign(node),
            Some(plugin) => rejected_by.insert(plugin),
        }
    }
    let names: Vec<&str> = rejected_by.iter().map(PluginName::as_str).collect();
    let message = format!("rejected by {}", names.join(", "));
    let mut rejection = Rejection { message, rejected_by, ..Rejection::default() };
    let waits_for_victims = cluster.pod(pod).nominated.is_some();
    for (node, row) in cluster.nodes().filter(|_| !waits_for_victims) {
        let priority = cluster.spec_of(pod).priority;
        let lower: Vec<PodId> =
            row.pods.iter().copied().filter(|&other| cluster.spec_of(other).priority < priority).collect();
        if !lower.is_empty() && rejector(pod, node, view, Some(&lower)).is_none() {
            (rejection.nomination, rejection.victims) = (Nomination::Set(node), lower);
            break;
        }
    }
    Decision::Reject(Box::new(rejection))
}

fn rejector(pod: PodId, node: NodeId, view: &View<'_>, without: Option<&[PodId]>) -> Option<PluginName> {
    let (cluster, row) = (view.cluster, view.cluster.node(node));
    let spec = &cluster.spec_of(pod).typed;
    let taint = row.taints.iter().find(|taint| {
        let tolerations = spec.tolerations.iter().flatten();
        !tolerations.into_iter().any(|toleration| toleration.key.as_deref() == Some(&taint.taint.key))
    });
    let mut selector = spec.node_selector.iter().flatten();
    let freed = |other: &PodId| cluster.resources_of(*other).request(ResourceId::CPU);
    let nominated = view
        .nominated
        .on_node(node)
        .filter(|&other| other != pod && cluster.spec_of(other).priority >= cluster.spec_of(pod).priority);
    let taken = cluster.columns().requested(node, ResourceId::CPU)
        + nominated.map(|other| cluster.resources_of(other).request(ResourceId::CPU)).sum::<i64>()
        - without.map_or(0, |pods| pods.iter().map(freed).sum());
    let wanted = cluster.resources_of(pod).request(ResourceId::CPU);
    if row.unschedulable {
        Some(PluginName::NodeUnschedulable)
    } else if taint.is_some() {
        Some(PluginName::TaintToleration)
    } else if selector.any(|(key, value)| cluster.label(row.meta.labels, key) != Some(value)) {
        Some(PluginName::NodeAffinity)
    } else if taken + wanted > cluster.columns().allocatable(node, ResourceId::CPU) {
        Some(PluginName::NodeResourcesFit)
    } else {
        None
    }
}

/// The default scheduler with [`FirstFit`].
pub fn first_fit_scheduler() -> Vec<Profile> {
    vec![Profile { scheduler_name: "default-scheduler".to_owned(), policy: Box::new(FirstFit) }]
}

impl Lab {
    /// A lab with all latencies zero.
    pub fn ideal() -> Lab {
        Lab::new(ControlPlane::ideal(), first_fit_scheduler(), QueueSettings::default())
    }

    pub fn new(control_plane: ControlPlane, profiles: Vec<Profile>, queue: QueueSettings) -> Lab {
        let mut lab = Lab {
            cluster: Cluster::new(1_700_000_000),
            agenda: Agenda::new(Draws::new(1), control_plane),
            scheduler: Scheduler::new(SchedulerOptions { profiles, queue, client: None }),
            log: Vec::new(),
            tries: Vec::new(),
            changes: Vec::new(),
        };
        lab.scheduler.start(&mut lab.cluster, &mut lab.agenda);
        lab
    }

    /// Handles every event up to `seconds`.
    pub fn run_to(&mut self, seconds: f64) -> &mut Lab {
        let until = Time::ZERO + Span::from_secs_f64(seconds);
        while let Some(queued) = self.agenda.next(until) {
            self.cluster.set_now(self.agenda.now());
            let before = self.attempts_by_pod();
            match queued.event {
                Event::Scheduler(event) => self.scheduler.handle(event, &mut self.cluster, &mut self.agenda),
                other => panic!("nobody schedules {other:?} here"),
            }
            for (pod, attempts) in self.attempts_by_pod() {
                if before.get(&pod).copied().unwrap_or(0) < attempts {
                    let name = self.cluster.name(pod);
                    self.tries.push(format!("{:.3} {name}", self.agenda.now().as_secs_f64()));
                }
            }
            self.settle();
        }
        self.agenda.advance_to(until);
        self.cluster.set_now(until);
        self
    }

    /// Writes to the store by hand.
    pub fn write<T>(&mut self, act: impl FnOnce(&mut Cluster) -> T) -> T {
        let result = act(&mut self.cluster);
        self.settle();
        result
    }

    fn settle(&mut self) {
        self.cluster.check().expect("derived columns are right");
        let mut changes = std::mem::take(&mut self.changes);
        self.cluster.take_changes(&mut changes);
        for change in changes.drain(..) {
            self.note(change);
            self.scheduler.observe(change, &self.cluster, &mut self.agenda);
        }
        self.changes = changes;
    }

    fn note(&mut self, change: Change) {
        let ObjectRef::Pod(pod) = change.object else { return };
        let (cluster, name) = (&self.cluster, self.cluster.name(pod));
        let what = match change.what {
            What::Bound(node) => format!("{name} bound to {}", cluster.name(node)),
            What::Nominated(Some(node)) => format!("{name} nominated to {}", cluster.name(node)),
            What::Nominated(None) => format!("{name} no longer nominated"),
            What::Deleting => format!("{name} deleting"),
            What::Removed => format!("{name} removed"),
            What::Event(id) => {
                let record = cluster.events.get(id);
                let reason = cluster.interner.text(record.reason);
                match record.message {
                    EventMessage::Assigned(_) => return,
                    EventMessage::Text(_) => format!("{name} {reason}: {}", cluster.event_message(record)),
                }
            }
            What::Condition(condition) if condition.kind == cluster.words.disruption_target => {
                format!("{name} is disrupted")
            }
            _ => return,
        };
        self.log.push(format!("{:.3} {what}", self.agenda.now().as_secs_f64()));
    }

    /// The log since the last call.
    pub fn take_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    pub fn node(&mut self, name: &str, cpu: &str) -> NodeId {
        self.create(json!({
            "kind": "Node", "metadata": {"name": name},
            "status": {"allocatable": {"cpu": cpu, "memory": "64Gi", "pods": "110"}},
        }));
        self.cluster.find_node(name).expect("created")
    }

    pub fn pod(&mut self, name: &str, cpu: &str, more: Value) -> PodId {
        let mut spec = json!({
            "schedulerName": "default-scheduler", "terminationGracePeriodSeconds": 30,
            "containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}],
        });
        let mut labels = json!({});
        for (key, value) in more.as_object().into_iter().flatten() {
            match key.as_str() {
                "labels" => labels = value.clone(),
                _ => spec[key] = value.clone(),
            }
        }
        self.create(json!({"kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}));
        self.find(name)
    }

    pub fn create(&mut self, manifest: Value) {
        self.write(|cluster| cluster.create_from(&manifest)).expect("accepted");
    }

    pub fn find(&self, name: &str) -> PodId {
        self.cluster.find_pod("default", name).expect("there is such a pod")
    }

    /// Takes a pod away without grace, as when its kubelet is done.
    pub fn finish(&mut self, name: &str) {
        let pod = self.find(name);
        self.write(|cluster| {
            cluster.delete_pod(pod, Some(0));
            cluster.confirm_pod_stopped(pod);
        });
    }

    /// Replaces a field of a pod's spec.
    pub fn patch(&mut self, name: &str, field: &str, value: Value) {
        let pod = self.find(name);
        self.write(|cluster| {
            let mut spec = serde_json::to_value(&cluster.spec_of(pod).typed).expect("specs are JSON");
            spec[field] = value;
            let spec = cluster.intern_spec(&spec).expect("accepted");
            cluster.set_pod_spec(pod, spec);
        });
    }

    pub fn node_of(&self, name: &str) -> Option<&str> {
        self.cluster.pod(self.find(name)).node.map(|node| self.cluster.name(node))
    }

    /// Reason and message of `PodScheduled`.
    pub fn scheduled_condition(&self, name: &str) -> Option<(&str, &str)> {
        let condition = self.cluster.pod(self.find(name)).conditions.get(self.cluster.words.pod_scheduled)?;
        Some((self.cluster.interner.text(condition.reason), self.cluster.interner.text(condition.message)))
    }

    /// Attempts so far at each pod that is in the queue.
    fn attempts_by_pod(&self) -> BTreeMap<PodId, u32> {
        let queue = self.scheduler.queue();
        self.cluster.pods().filter_map(|(pod, _)| Some((pod, queue.get(pod)?.attempts))).collect()
    }

    /// Attempts at a pod that is in the queue.
    pub fn attempts(&self, name: &str) -> u32 {
        self.scheduler.queue().get(self.find(name)).map_or(0, |row| row.attempts)
    }
}
