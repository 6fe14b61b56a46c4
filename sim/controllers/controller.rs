//! What a controller is: it watches changes, turns them into keys, and reconciles one key at a time.

use rand_chacha::ChaCha8Rng;

use super::pod_control::PodControl;
use super::token_bucket::TokenBucket;
use super::work_queue::{Retries, WorkQueue};
use crate::cluster::{Agenda, Change, Cluster, ControlPlane, ControllerEvent, ControllerKind, Event, ObjectRef};
use crate::engine::{Purpose, Span, Time};

/// A control loop of kube-controller-manager. Level-triggered: `reconcile` looks at the store as it is, whatever the change was.
pub trait Controller {
    /// Which controller this is.
    fn kind(&self) -> ControllerKind;

    /// Names the keys that `change` concerns. The store shows the state after the event in which the change was made.
    fn observe(&mut self, change: Change, cluster: &Cluster, keys: &mut Keys<'_>);

    /// Brings one object nearer to its spec. The object may be gone.
    fn reconcile(&mut self, key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action;

    /// The period of a loop that runs without a key, if the controller has one.
    fn tick_period(&self, _: &ControlPlane) -> Option<Span> {
        None
    }

    /// When the periodic loop runs first.
    fn first_tick(&self, control_plane: &ControlPlane) -> Option<Span> {
        self.tick_period(control_plane)
    }

    /// One turn of the periodic loop.
    fn tick(&mut self, _: &mut Cluster, _: &mut Context<'_>) {}

    /// Whether a look at an object that has not changed since the last one finds nothing to do, whatever the time: a delayed key of
    /// such an object does not keep a run going that is to end when nothing is left to happen.
    fn is_settled(&self, _: ObjectRef, _: &Cluster) -> bool {
        false
    }

    /// Failures in a row after which a key is dropped until its next change; `None` for never.
    fn max_retries(&self) -> Option<u32> {
        None
    }

    /// How long its failed keys wait.
    fn retries(&self) -> Retries {
        Retries::USUAL
    }
}

/// What is to become of a key after `reconcile`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing to do until something changes.
    Done,
    /// The same work goes on with its next write, once the writes made so far have been answered.
    Continue,
    /// Look again after this time (`AddAfter`).
    RequeueAfter(Span),
    /// Try again with the queue's back-off; the text says what failed.
    Failed(String),
}

/// Where `observe` puts keys.
pub struct Keys<'a> {
    pub(super) kind: ControllerKind,
    pub(super) queue: &'a mut WorkQueue,
    pub(super) agenda: &'a mut Agenda,
}

impl Keys<'_> {
    /// Adds a key: it is worked on as soon as the change has reached the controller.
    pub fn add(&mut self, key: impl Into<ObjectRef>) {
        let (key, at) = (key.into(), self.agenda.now() + self.agenda.control_plane.watch_delay);
        let at = self.queue.add(key, at);
        schedule(self.agenda, self.kind, key, at);
    }

    /// Adds a key that is worked on `delay` after the change has reached the controller.
    pub fn add_after(&mut self, key: impl Into<ObjectRef>, delay: Span) {
        let (key, at) = (key.into(), self.agenda.now() + self.agenda.control_plane.watch_delay + delay);
        let at = self.queue.add_after(key, at);
        schedule(self.agenda, self.kind, key, at);
    }

    /// The virtual time.
    pub fn now(&self) -> Time {
        self.agenda.now()
    }
}

/// What `reconcile` may use besides the store.
pub struct Context<'a> {
    /// Creates and deletes pods as a controller's client does.
    pub pods: &'a mut PodControl,
    pub(super) kind: ControllerKind,
    pub(super) queue: &'a mut WorkQueue,
    pub(super) client: &'a mut TokenBucket,
    pub(super) agenda: &'a mut Agenda,
    pub(super) prepaid: bool,
    pub(super) throttled: bool,
    pub(super) n_writes: u64,
}

impl Context<'_> {
    /// The virtual time.
    pub fn now(&self) -> Time {
        self.agenda.now()
    }

    /// Latencies and limits.
    pub fn control_plane(&self) -> &ControlPlane {
        &self.agenda.control_plane
    }

    /// The random stream of one purpose for one entity, named by its place in the input.
    pub fn stream(&self, purpose: Purpose, entity: u64, turn: u32) -> ChaCha8Rng {
        self.agenda.stream(purpose, entity, turn)
    }

    /// Asks the client limiter for one of many writes. If this is `false`, end the reconcile: it is called again when the next token
    /// is there.
    pub fn may_write(&mut self) -> bool {
        let now = self.now();
        let allowed = std::mem::take(&mut self.prepaid) || self.client.try_take(now);
        self.n_writes += u64::from(allowed);
        self.throttled |= !allowed;
        allowed
    }

    /// A write that is made in any case (a status, one scale): the controller's next reconcile waits until the limiter has recovered.
    pub fn wrote(&mut self) {
        let now = self.now();
        self.n_writes += 1;
        if !std::mem::take(&mut self.prepaid) {
            self.client.reserve(now);
        }
    }

    /// Whether a write was refused in this reconcile.
    pub fn is_throttled(&self) -> bool {
        self.throttled
    }

    /// Number of writes made in this reconcile.
    pub fn n_writes(&self) -> u64 {
        self.n_writes
    }

    /// Adds another key of this controller, to be worked on now.
    pub fn enqueue(&mut self, key: impl Into<ObjectRef>) {
        let (key, now) = (key.into(), self.now());
        let at = self.queue.add(key, now);
        schedule(self.agenda, self.kind, key, at);
    }

    /// Adds another key of this controller, to be worked on after `delay`.
    pub fn enqueue_after(&mut self, key: impl Into<ObjectRef>, delay: Span) {
        let (key, at) = (key.into(), self.now() + delay);
        let at = self.queue.add_after(key, at);
        schedule(self.agenda, self.kind, key, at);
    }
}

pub(super) fn schedule(agenda: &mut Agenda, controller: ControllerKind, key: ObjectRef, at: Option<Time>) {
    if let Some(at) = at {
        agenda.at(at, Event::Controller(ControllerEvent { controller, tick: false, key }));
    }
}
