//! `Kubelets`: the component. What reaches it from the store, and which step of which worker an event is.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::Catalog;
use super::images::NodeImages;
use super::model::{AnnotationWarning, Models};
use super::options::{KubeletKind, KubeletOptions};
use super::probing::Which;
use super::services::Services;
use super::thresholds::Monitor;
use super::worker::{Busy, Stage, Worker};
use crate::cluster::{
    Agenda, Change, Cluster, Component, Event, KubeletEvent, KubeletHealth, NodeId, NodeStep, ObjectRef, Outage, PodId,
    PodStep, What, WorldChange,
};
use crate::engine::{Id, Span, Time};

/// The kubelets of all nodes.
#[derive(Clone, Debug)]
pub struct Kubelets {
    pub(super) options: KubeletOptions,
    pub(super) catalog: Catalog,
    workers: Vec<Option<Box<Worker>>>,
    pub(super) nodes: Vec<NodeState>,
    pub(super) n_addresses: u32,
    /// Pods whose events are about another one now: mirrors of static pods that have been replaced.
    pub(super) moved: BTreeMap<PodId, PodId>,
    /// What probes see of services.
    pub(super) services: Services,
}

/// Marks a crash for want of memory beside the exit code.
const CRASH_OOM: u16 = 1 << 8;

/// What a kubelet knows of its node.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeState {
    /// Whether it has registered.
    pub registered: bool,
    /// How it was when last looked at.
    pub health: KubeletHealth,
    pub images: NodeImages,
    /// Whether images have come or gone since the last report.
    pub images_changed: bool,
    /// Whether a look at its memory is scheduled.
    pub pressure_check_pending: bool,
    /// Whether a look at its unused images is scheduled.
    pub image_gc_pending: bool,
    /// What its eviction loop remembers.
    pub monitor: Monitor,
    /// The pod being evicted for it.
    pub evicting: Option<PodId>,
    /// Critical pods that wait until others have been stopped for them.
    pub waiting_for_room: Vec<PodId>,
    /// The group of pods being stopped while it shuts down.
    pub shutdown_group: u16,
    /// The change that created it, as a cause, if it was there at the beginning.
    pub created: Option<u32>,
    /// Whether a resize has ever had to wait here.
    pub has_deferred: bool,
    /// The pods that have a worker.
    pub pods: BTreeSet<PodId>,
    /// When its kubelet was started, if that was during the run.
    pub kubelet_started: Option<Time>,
    /// How many times longer everything on it takes, when last looked at.
    pub slowdown: Option<f64>,
    /// What happened while nothing could be done about it, in order.
    pub frozen: Vec<KubeletEvent>,
}

/// The store and the agenda, for one event.
pub(super) struct Cx<'a> {
    pub cluster: &'a mut Cluster,
    pub agenda: &'a mut Agenda,
}

impl Cx<'_> {
    pub(super) fn now(&self) -> Time {
        self.agenda.now()
    }

    /// Schedules a step of a pod's worker.
    pub(super) fn step(&mut self, at: Time, pod: PodId, step: PodStep, container: usize, turn: u16) {
        let container = u8::try_from(container).unwrap_or(u8::MAX);
        self.agenda.at(at, Event::Kubelet(KubeletEvent::Pod { pod, epoch: turn, step, container }));
    }

    /// Schedules a step of a node's kubelet.
    pub(super) fn node_step(&mut self, at: Time, node: NodeId, step: NodeStep) {
        self.node_step_of(at, node, step, 0);
    }

    /// Schedules a numbered step of a node's kubelet.
    pub(super) fn node_step_of(&mut self, at: Time, node: NodeId, step: NodeStep, number: u16) {
        self.agenda.at(at, Event::Kubelet(KubeletEvent::Node { node, epoch: number, step }));
    }
}

impl Kubelets {
    /// Kubelets of that kind, for containers that behave as the models say.
    pub fn new(options: KubeletOptions, models: Models) -> Kubelets {
        let catalog = Catalog::new(models);
        let (moved, services) = (BTreeMap::new(), Services::default());
        Kubelets { options, catalog, workers: Vec::new(), nodes: Vec::new(), n_addresses: 0, moved, services }
    }

    /// Annotations that could not be read, with the pod that first had them.
    pub fn warnings(&self) -> &[(PodId, AnnotationWarning)] {
        &self.catalog.warnings
    }

    /// Number of pods that a kubelet looks after.
    pub fn n_workers(&self) -> usize {
        self.nodes.iter().map(|node| node.pods.len()).sum()
    }

    pub(super) fn node(&mut self, node: NodeId) -> &mut NodeState {
        if self.nodes.len() <= node.index() {
            self.nodes.resize_with(node.index() + 1, NodeState::default);
        }
        &mut self.nodes[node.index()]
    }

    pub(super) fn worker(&self, pod: PodId) -> Option<&Worker> {
        self.workers.get(pod.index())?.as_deref()
    }

    pub(super) fn take_worker(&mut self, pod: PodId) -> Option<Box<Worker>> {
        self.workers.get_mut(pod.index())?.take()
    }

    /// Puts a worker back, unless its pod needs none any more.
    pub(super) fn put_worker(&mut self, worker: Box<Worker>) {
        let pod = worker.pod;
        if worker.stage == Stage::Ended && !worker.unreported {
            self.node(worker.node).pods.remove(&pod);
            self.services.forget(pod);
            return;
        }
        if self.workers.len() <= pod.index() {
            self.workers.resize_with(pod.index() + 1, || None);
        }
        self.node(worker.node).pods.insert(pod);
        self.workers[pod.index()] = Some(worker);
    }

    fn drop_worker(&mut self, pod: PodId) {
        if let Some(worker) = self.take_worker(pod) {
            self.node(worker.node).pods.remove(&pod);
            self.services.forget(pod);
        }
    }

    fn handle_pod(&mut self, pod: PodId, step: PodStep, container: u8, turn: u16, cx: &mut Cx<'_>) {
        let mut pod = self.present_pod(pod);
        if cx.cluster.pod(pod).meta.removed {
            if self.worker(pod).is_none_or(|w| !w.is_static) {
                return self.drop_worker(pod);
            }
            // Whatever comes first after the removal of a mirror, a deletion too, meets a pod that runs on.
            self.renew_mirror(pod, cx);
            pod = self.present_pod(pod);
        }
        match step {
            PodStep::MirrorGone => return,
            PodStep::Observed => return self.pod_observed(pod, cx),
            PodStep::DeletionObserved => {
                let lives = |kubelets: &Kubelets| {
                    let worker = kubelets.worker(kubelets.present_pod(pod));
                    worker.filter(|w| w.stage != Stage::Ended).map(|w| w.node)
                };
                let before = lives(self);
                self.deletion_observed(pod, cx);
                if let Some(node) = before.filter(|_| lives(self).is_none()) {
                    self.pod_ended(node, pod, cx);
                }
                return;
            }
            PodStep::Terminated => return self.confirm(pod, cx),
            _ => {}
        }
        let Some(mut worker) = self.take_worker(pod) else { return };
        match self.options.kind {
            _ if step == PodStep::Crashes => {
                let (code, oom) = (turn as u8, turn & CRASH_OOM != 0);
                self.container_crashed(&mut worker, usize::from(container), code, oom, cx);
            }
            KubeletKind::Real => self.worker_step(&mut worker, step, usize::from(container), turn, cx),
            KubeletKind::Fake => self.fake_step(&mut worker, step, turn, cx),
        }
        let (node, ended) = (worker.node, worker.stage == Stage::Ended);
        self.put_worker(worker);
        if ended {
            self.pod_ended(node, pod, cx);
        }
    }

    /// Nothing of a pod runs any more on its node: whatever waits for that goes on.
    fn pod_ended(&mut self, node: NodeId, pod: PodId, cx: &mut Cx<'_>) {
        self.evicted(node, pod, cx);
        self.pod_shut_down(node, cx);
        self.room_made(node, cx);
        self.retry_resizes(node, Some(pod), cx);
    }

    fn worker_step(&mut self, w: &mut Worker, step: PodStep, idx: usize, turn: u16, cx: &mut Cx<'_>) {
        let operation = matches!(
            step,
            PodStep::SandboxReady | PodStep::ImageReady | PodStep::ContainerStarted | PodStep::ContainerStopped
        );
        let of_container = matches!(
            step,
            PodStep::Started
                | PodStep::Readiness
                | PodStep::Liveness
                | PodStep::ContainerExits
                | PodStep::PreStopFailed
        );
        if operation && turn != w.turn || of_container && w.rows.get(idx).is_none_or(|row| row.turn != turn) {
            return;
        }
        match step {
            PodStep::SandboxReady => self.sandbox_ready(w, cx),
            PodStep::ImageReady => self.image_ready(w, idx, cx),
            PodStep::ContainerStarted if w.busy == Busy::PostStart(idx as u8) => self.post_start_done(w, idx, cx),
            PodStep::ContainerStarted => self.container_started(w, idx, cx),
            PodStep::ContainerStopped => self.containers_stopped(w, cx),
            PodStep::Started => self.probed(w, idx, Which::Startup, cx),
            PodStep::Readiness => return self.probed(w, idx, Which::Readiness, cx),
            PodStep::Liveness => self.probed(w, idx, Which::Liveness, cx),
            PodStep::ServicesChanged => return self.services_changed(w, cx),
            PodStep::PreStopFailed => return self.pre_stop_failed(w, idx, cx),
            // The sync sees it.
            PodStep::ContainerExits => {}
            PodStep::Restart if turn == w.wake_turn => {
                if w.busy == Busy::HookFailed {
                    w.busy = Busy::Idle;
                }
            }
            PodStep::DeadlineExceeded => self.deadline_exceeded(w, cx),
            PodStep::Resync => self.resync(w, cx),
            PodStep::Resize => self.resize_step(w, idx == 1, cx),
            _ => return,
        }
        self.sync(w, cx);
    }

    fn handle_node(&mut self, node: NodeId, step: NodeStep, number: u16, cx: &mut Cx<'_>) {
        match step {
            NodeStep::Register => self.node_changed(node, cx),
            NodeStep::NextPull => self.next_pull(node, cx),
            NodeStep::ReportImages => self.report_images(node, cx),
            NodeStep::PressureCheck => self.pressure_check(node, cx),
            NodeStep::ImageGc => self.collect_images(node, cx),
            NodeStep::Shutdown => self.shutdown_group_due(node, number, cx),
            NodeStep::KubeletRestarted if self.is_cut_off(node, cx.cluster) => self.restarts_alone(node, cx),
            NodeStep::KubeletRestarted => self.kubelet_restarted(node, cx),
            NodeStep::Slowdown => self.speed_changed(node, cx),
        }
    }

    /// Whether `event` has to wait because of what happened to its node: on a machine that is down nothing happens, and to a
    /// kubelet that is cut off nothing comes.
    fn must_wait(&self, event: KubeletEvent, cluster: &Cluster) -> Option<NodeId> {
        let KubeletEvent::Pod { pod, step, .. } = event else { return None };
        let node = cluster.pod(pod).node?;
        let comes_from_outside =
            matches!(step, PodStep::Observed | PodStep::DeletionObserved | PodStep::Resync | PodStep::MirrorGone);
        // As it is, and as it was when the kubelet last noticed: one that is back has first to say so.
        let known = self.nodes.get(node.index()).map_or(KubeletHealth::Running, |state| state.health);
        let waits = [cluster.node(node).kubelet, known].into_iter().any(|health| match health {
            KubeletHealth::Running | KubeletHealth::ShuttingDown { .. } => false,
            KubeletHealth::Down { .. } => true,
            // Processes come to their end without a kubelet; it hears of it when it is back.
            KubeletHealth::Stopped { .. } => step != PodStep::Crashes,
            KubeletHealth::Partitioned { .. } => comes_from_outside || step == PodStep::Terminated,
        });
        let waits = waits || !cluster.is_writable() && (comes_from_outside || step == PodStep::Terminated);
        waits.then_some(node)
    }
}

impl Component for Kubelets {
    type Event = KubeletEvent;

    fn start(&mut self, cluster: &mut Cluster, agenda: &mut Agenda) {
        let nodes: Vec<NodeId> = cluster.nodes().map(|(node, _)| node).collect();
        cluster.tells_resources = self.options.kind == KubeletKind::Real;
        let mut cx = Cx { cluster, agenda };
        for node in nodes {
            self.register_at_start(node, &mut cx);
        }
        let bound = cx.cluster.pods().filter(|(_, pod)| pod.node.is_some() && !pod.phase.is_terminal());
        let bound: Vec<PodId> = bound.map(|(pod, _)| pod).collect();
        for pod in bound {
            cx.step(Time::ZERO, pod, PodStep::Observed, 0, 0);
        }
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, agenda: &mut Agenda) {
        let delay = agenda.control_plane.watch_delay;
        match (change.object, change.what) {
            (ObjectRef::Pod(pod), What::World(WorldChange::ContainerCrashed { container, exit_code, oom })) => {
                let epoch = u16::from(exit_code) | if oom { CRASH_OOM } else { 0 };
                let event = KubeletEvent::Pod { pod, epoch, step: PodStep::Crashes, container };
                agenda.after(Span::ZERO, Event::Kubelet(event));
            }
            (ObjectRef::Node(node), What::World(world)) => {
                let step = if world == WorldChange::Slowdown { NodeStep::Slowdown } else { NodeStep::KubeletRestarted };
                agenda.after(Span::ZERO, Event::Kubelet(KubeletEvent::Node { node, epoch: 0, step }));
            }
            (ObjectRef::Pod(pod), what) => {
                let Some(step) = self.pod_change(pod, what, cluster) else { return };
                let event = KubeletEvent::Pod { pod, epoch: 0, step, container: 0 };
                agenda.after(delay, Event::Kubelet(event));
            }
            (ObjectRef::Node(node), What::Created) if !self.node(node).registered => {
                self.node(node).created = Some(agenda.cause());
                let event = KubeletEvent::Node { node, epoch: 0, step: NodeStep::Register };
                agenda.after(Span::ZERO, Event::Kubelet(event));
            }
            (ObjectRef::Node(node), What::Kubelet) => {
                let event = KubeletEvent::Node { node, epoch: 0, step: NodeStep::Register };
                agenda.after(Span::ZERO, Event::Kubelet(event));
            }
            (ObjectRef::Object(id), _) => self.endpoints_changed(id, cluster, agenda),
            (ObjectRef::Node(node), What::Removed) => {
                for pod in std::mem::take(&mut self.node(node).pods) {
                    self.take_worker(pod);
                }
                *self.node(node) = NodeState::default();
            }
            _ => {}
        }
    }

    fn outage(&mut self, outage: Outage, cluster: &mut Cluster, agenda: &mut Agenda) {
        if let Outage::Writable(writable) = outage {
            self.writable_changed(writable, &mut Cx { cluster, agenda });
        }
    }

    fn handle(&mut self, event: KubeletEvent, cluster: &mut Cluster, agenda: &mut Agenda) {
        if let Some(node) = self.must_wait(event, cluster) {
            self.node(node).frozen.push(event);
            return;
        }
        let mut cx = Cx { cluster, agenda };
        match event {
            KubeletEvent::Pod { pod, epoch, step, container } => self.handle_pod(pod, step, container, epoch, &mut cx),
            KubeletEvent::Node { node, epoch, step } => self.handle_node(node, step, epoch, &mut cx),
        }
    }
}

impl Kubelets {
    /// What a change of a pod means to its kubelet.
    fn pod_change(&mut self, pod: PodId, what: What, cluster: &Cluster) -> Option<PodStep> {
        let row = cluster.pod(pod);
        row.node?;
        match what {
            What::Created | What::Bound(_) => Some(PodStep::Observed),
            What::Deleting => Some(PodStep::DeletionObserved),
            What::Spec if self.worker(pod).is_some() => Some(PodStep::Resync),
            What::Condition(change) => {
                let gates = self.worker(pod).map(|worker| worker.shape.readiness_gates.as_slice());
                gates.is_some_and(|gates| gates.contains(&change.kind)).then_some(PodStep::Resync)
            }
            What::Removed => {
                let step = self.mirror_change(pod);
                if step.is_none() {
                    self.drop_worker(pod);
                }
                step
            }
            _ => None,
        }
    }
}
