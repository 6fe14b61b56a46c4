//! The controllers of kube-controller-manager, one file each, and the component that hosts them.

mod anchored_tick;
pub mod cases_nodes;
mod controller;
pub mod cron_job;
pub mod daemon_placement;
pub mod daemon_set;
mod deletion_index;
pub mod deletion_rank;
pub mod deployment;
pub mod disruption;
pub mod endpoint_slice;
pub mod garbage_collector;
pub mod history;
pub mod horizontal_pod_autoscaler;
pub mod job;
pub mod namespace;
pub mod node_lifecycle;
mod owned_pods;
pub mod pod_control;
pub mod pod_gc;
pub mod replica_set;
pub mod resource_quota;
pub mod rollout_math;
pub mod service_account;
pub mod stateful_set;
pub mod taint_eviction;
#[cfg(test)]
mod testing;
mod token_bucket;
pub mod ttl_after_finished;
pub mod work_queue;

pub use controller::{Action, Context, Controller, Keys};
pub use token_bucket::TokenBucket;
pub use work_queue::{Retries, WorkQueue, backoff};

use cron_job::CronJobController;
use daemon_set::DaemonSetController;
use deployment::DeploymentController;
use job::JobController;
use pod_control::PodControl;
use replica_set::ReplicaSetController;
use stateful_set::StatefulSetController;
use ttl_after_finished::TtlAfterFinishedController;

use crate::cluster::{
    Agenda, Change, Cluster, Component, ControlPlane, ControllerEvent, ControllerKind, Elected, Event, NO_CAUSE,
    NodeId, ObjectRef, Outage, What,
};
use crate::engine::{Span, Time};

/// Makes the controllers of a process that starts.
type Make = fn() -> Vec<Box<dyn Controller>>;

/// All controllers, each with a work queue and a client of its own, as in kube-controller-manager.
///
/// The number of workers of a controller does not matter in virtual time: a reconcile takes as long as its writes, a key is never
/// worked on twice at once, and all of a controller's writes share its client limit (`--kube-api-qps`).
pub struct Controllers {
    /// In the order in which they observe.
    slots: Vec<Slot>,
    /// Position in `slots` by controller kind.
    by_kind: [Option<usize>; N_KINDS],
    pods: PodControl,
    /// What makes the controllers of a process that has just become leader; none for a chosen few.
    make: Option<Make>,
    /// Whether a replica of kube-controller-manager leads.
    leads: bool,
    /// Turns of loops that came while nothing could be written.
    missed_ticks: Vec<ControllerEvent>,
}

const N_KINDS: usize = ControllerKind::AttachDetach as usize + 1;

struct Slot {
    controller: Box<dyn Controller>,
    queue: WorkQueue,
    client: TokenBucket,
    /// When the periodic loop runs next: a turn of an earlier process is none.
    next_tick: Option<Time>,
}

/// Every controller there is, in the order in which they observe.
fn all() -> Vec<Box<dyn Controller>> {
    vec![
        Box::new(DeploymentController::default()),
        Box::new(ReplicaSetController::replica_sets()),
        Box::new(ReplicaSetController::replication_controllers()),
        Box::new(StatefulSetController::default()),
        Box::new(DaemonSetController::default()),
        Box::new(JobController::default()),
        Box::new(CronJobController::default()),
        Box::new(TtlAfterFinishedController),
        Box::new(garbage_collector::GarbageCollector::default()),
        Box::new(namespace::NamespaceController),
        Box::new(service_account::ServiceAccountController),
        Box::new(disruption::DisruptionController::default()),
        Box::new(node_lifecycle::NodeLifecycleController::default()),
        Box::new(taint_eviction::TaintEvictionController::default()),
        Box::new(pod_gc::PodGcController::default()),
        Box::new(endpoint_slice::EndpointSliceController::default()),
        Box::new(resource_quota::ResourceQuotaController),
        Box::new(horizontal_pod_autoscaler::HorizontalPodAutoscalerController::default()),
    ]
}

impl Controllers {
    /// All controllers.
    pub fn new(control_plane: &ControlPlane) -> Controllers {
        Controllers { make: Some(all), ..Controllers::with(all(), control_plane) }
    }

    /// Only these controllers.
    pub fn with(controllers: Vec<Box<dyn Controller>>, control_plane: &ControlPlane) -> Controllers {
        let mut by_kind = [None; N_KINDS];
        for (idx, controller) in controllers.iter().enumerate() {
            let before = by_kind[controller.kind() as usize].replace(idx);
            assert!(before.is_none(), "two controllers of the kind {:?}", controller.kind());
        }
        let slots = controllers.into_iter().map(|controller| Slot {
            queue: WorkQueue::new(controller.retries()),
            controller,
            client: TokenBucket::new(control_plane.controller_qps, control_plane.controller_burst),
            next_tick: None,
        });
        Controllers {
            slots: slots.collect(),
            by_kind,
            pods: PodControl::default(),
            make: None,
            leads: true,
            missed_ticks: Vec::new(),
        }
    }

    /// A replica has become leader: its controllers remember nothing, list everything, and look at every object
    /// (kube-controller-manager, `startControllers`).
    fn start_anew(&mut self, cluster: &mut Cluster, agenda: &mut Agenda) {
        self.leads = true;
        self.missed_ticks.clear();
        if let Some(make) = self.make {
            let fresh = Controllers::with(make(), &agenda.control_plane);
            (self.slots, self.by_kind) = (fresh.slots, fresh.by_kind);
        }
        self.start(cluster, agenda);
        for object in everything(cluster) {
            for what in listed(object, cluster) {
                for slot in &mut self.slots {
                    let mut keys = Keys { kind: slot.controller.kind(), queue: &mut slot.queue, agenda };
                    slot.controller.observe(Change { object, what }, cluster, &mut keys);
                }
            }
        }
    }

    /// Nothing can be written: the work on a key fails, and is tried again with the queue's back-off.
    fn fail(&mut self, event: ControllerEvent, agenda: &mut Agenda) {
        let Some(idx) = self.by_kind[event.controller as usize] else { return };
        let (queue, now) = (&mut self.slots[idx].queue, agenda.now());
        let at = match queue.take(event.key, now) {
            Some(_) => queue.failed(event.key, now),
            None => queue.look_again(event.key, now),
        };
        controller::schedule(agenda, event.controller, event.key, at);
    }

    /// Whether a pending event is a timer that can change nothing any more.
    pub fn is_idle(&self, event: ControllerEvent, cluster: &Cluster) -> bool {
        let Some(slot) = self.by_kind[event.controller as usize].map(|idx| &self.slots[idx]) else { return true };
        let settled = || cluster.meta(event.key).removed || slot.controller.is_settled(event.key, cluster);
        !event.tick && slot.queue.is_timer(event.key) && settled()
    }

    fn work(&mut self, event: ControllerEvent, cluster: &mut Cluster, agenda: &mut Agenda) {
        let Some(idx) = self.by_kind[event.controller as usize] else { return };
        let (slot, now, key) = (&mut self.slots[idx], agenda.now(), event.key);
        let Some(prepaid) = slot.queue.take(key, now) else {
            let again = slot.queue.look_again(key, now);
            return controller::schedule(agenda, event.controller, key, again);
        };
        if !prepaid && !slot.client.has_token(now) {
            let at = slot.queue.postpone(key, now + slot.client.reserve(now));
            return controller::schedule(agenda, event.controller, key, at);
        }
        let mut cx = Context {
            pods: &mut self.pods,
            kind: event.controller,
            queue: &mut slot.queue,
            client: &mut slot.client,
            agenda,
            prepaid,
            throttled: false,
            n_writes: 0,
        };
        let action = slot.controller.reconcile(key, cluster, &mut cx);
        let (unused, throttled, n_writes) = (cx.prepaid, cx.throttled, cx.n_writes);
        if unused {
            slot.client.give_back();
        }
        if n_writes > 0 {
            slot.queue.busy(key, now + agenda.control_plane.write_latency * n_writes);
        }
        let at = match action {
            Action::Done => {
                slot.queue.forget(key);
                None
            }
            Action::Continue => slot.queue.add(key, now),
            Action::RequeueAfter(delay) => {
                slot.queue.forget(key);
                slot.queue.add_after(key, now + delay)
            }
            Action::Failed(_) if slot.controller.max_retries().is_some_and(|max| slot.queue.n_failures(key) >= max) => {
                slot.queue.forget(key);
                None
            }
            Action::Failed(_) => slot.queue.failed(key, now),
        };
        controller::schedule(agenda, event.controller, key, at);
        if throttled {
            let at = slot.queue.postpone(key, now + slot.client.reserve(now));
            controller::schedule(agenda, event.controller, key, at);
        }
    }

    fn tick(&mut self, event: ControllerEvent, cluster: &mut Cluster, agenda: &mut Agenda) {
        let Some(idx) = self.by_kind[event.controller as usize] else { return };
        let slot = &mut self.slots[idx];
        if let Some(period) = slot.controller.tick_period(&agenda.control_plane) {
            if slot.next_tick.is_none_or(|next| next != agenda.now()) {
                return;
            }
            slot.next_tick = Some(agenda.now() + period);
            // What a turn finds out has its own causes: that there are turns is none.
            agenda.because(NO_CAUSE, cluster);
            agenda.after(period, Event::Controller(event));
        }
        let mut cx = Context {
            pods: &mut self.pods,
            kind: event.controller,
            queue: &mut slot.queue,
            client: &mut slot.client,
            agenda,
            prepaid: false,
            throttled: false,
            n_writes: 0,
        };
        slot.controller.tick(cluster, &mut cx);
    }
}

impl Component for Controllers {
    type Event = ControllerEvent;

    fn start(&mut self, _: &mut Cluster, agenda: &mut Agenda) {
        for slot in &mut self.slots {
            if let Some(first) = slot.controller.first_tick(&agenda.control_plane) {
                slot.next_tick = Some(agenda.now() + first);
                let key = ObjectRef::Node(NodeId(0));
                let event = ControllerEvent { controller: slot.controller.kind(), tick: true, key };
                agenda.after(first, Event::Controller(event));
            }
        }
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, agenda: &mut Agenda) {
        // What no controller watches: a good half of all changes.
        if matches!(change.what, What::Event(_) | What::World(_) | What::Assumed(_) | What::Forgotten(_)) {
            return;
        }
        self.pods.observe(change, cluster);
        if !self.leads {
            return;
        }
        for slot in &mut self.slots {
            let mut keys = Keys { kind: slot.controller.kind(), queue: &mut slot.queue, agenda };
            slot.controller.observe(change, cluster, &mut keys);
        }
    }

    fn handle(&mut self, event: ControllerEvent, cluster: &mut Cluster, agenda: &mut Agenda) {
        match (cluster.is_writable(), event.tick) {
            // What an earlier leader had planned is forgotten with it.
            _ if !self.leads => {}
            (true, true) => self.tick(event, cluster, agenda),
            (true, false) => self.work(event, cluster, agenda),
            (false, true) => self.missed_ticks.push(event),
            (false, false) => self.fail(event, agenda),
        }
    }

    fn outage(&mut self, outage: Outage, cluster: &mut Cluster, agenda: &mut Agenda) {
        match outage {
            Outage::Leads(Elected::ControllerManager, true) => self.start_anew(cluster, agenda),
            Outage::Leads(Elected::ControllerManager, false) => self.leads = false,
            Outage::Writable(true) if self.leads => {
                for event in std::mem::take(&mut self.missed_ticks) {
                    if let Some(idx) = self.by_kind[event.controller as usize] {
                        let slot = &mut self.slots[idx];
                        slot.next_tick = slot.next_tick.map(|_| agenda.now());
                        agenda.after(Span::ZERO, Event::Controller(event));
                    }
                }
            }
            _ => {}
        }
    }
}

/// Every object in the store, nodes first.
fn everything(cluster: &Cluster) -> Vec<ObjectRef> {
    let nodes = cluster.nodes().map(|(id, _)| ObjectRef::Node(id));
    let objects = cluster.objects().map(|(id, _)| ObjectRef::Object(id));
    nodes.chain(objects).chain(cluster.pods().map(|(id, _)| ObjectRef::Pod(id))).collect()
}

/// What a controller that lists an object for the first time has to know of it, as the changes that would have told it.
fn listed(object: ObjectRef, cluster: &Cluster) -> impl Iterator<Item = What> {
    let deleting = cluster.meta(object).is_deleting().then_some(What::Deleting);
    let more = match object {
        ObjectRef::Pod(pod) => cluster.pod(pod).phase.is_terminal().then_some(What::Phase),
        ObjectRef::Node(node) => (!cluster.node(node).taints.is_empty()).then_some(What::Taints),
        ObjectRef::Object(_) => None,
    };
    [Some(What::Created), Some(What::Labels), more, deleting].into_iter().flatten()
}
