//! The scheduling queue: which pod is tried next, and when one that failed is tried again (kube-scheduler v1.36,
//! `backend/queue/scheduling_queue.go`).
//!
//! - `activeQ`: ordered by priority, then by the time of entry.
//! - `podBackoffQ` and `podErrorBackoffQ`: failed pods that wait out their back-off; the first, in windows of a second, is also
//!   where the scheduler takes a pod when `activeQ` is empty.
//! - the unschedulable pool: pods that wait for a change of the cluster that one of the plugins that rejected them asked for
//!   (see [`hints`]), or for five minutes; and gated pods.
//!
//! Changes that arrive while a pod is being scheduled are replayed to it if it fails. Every operation costs O(log n); an event
//! costs one hint per group of equal pods. Where the real queue's order is one of a Go map, ours is that of the queue.

mod backoff;
mod cluster_event;
pub mod hints;
mod in_flight;
mod pool;
mod row;

use std::collections::BTreeSet;

pub use backoff::{Backoff, ORDERING_WINDOW};
pub use cluster_event::{Actions, ClusterEvent, EventResource, Old, SeenNode};
pub use row::{ActiveKey, Place, QueuedPod};

use super::framework::names::{PluginName, PluginSet};
use crate::cluster::{Cluster, PodId};
use crate::engine::{Span, Time};
use hints::{HintCache, Verdict};
use in_flight::InFlight;
use pool::{GroupKey, Pool};
use row::Rows;

/// How often old pods of the unschedulable pool are looked for (kube-scheduler, `PriorityQueue.Run`).
pub const UNSCHEDULABLE_FLUSH_PERIOD: Span = Span::from_secs(30);

/// What the queue needs to know of a scheduler's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// `podInitialBackoffSeconds` and `podMaxBackoffSeconds`.
    pub backoff: Backoff,
    /// The age at which a pod leaves the unschedulable pool (kube-scheduler, `DefaultPodMaxInUnschedulablePodsDuration`).
    pub max_in_unschedulable: Span,
}

impl Default for QueueSettings {
    fn default() -> QueueSettings {
        QueueSettings { backoff: Backoff::default(), max_in_unschedulable: Span::from_secs(300) }
    }
}

/// What the queue reads beside itself.
#[derive(Clone, Copy)]
pub struct QueueContext<'a> {
    /// The store.
    pub cluster: &'a Cluster,
    /// The virtual time.
    pub now: Time,
    /// Why the queue is asked: the number of a change, for timelines.
    pub cause: u32,
    /// PreEnqueue: the plugin that keeps a pod out, if one does.
    pub gate: &'a dyn Fn(PodId) -> Option<PluginName>,
}

/// How many pods are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// In `activeQ`.
    pub active: usize,
    /// In one of the back-off queues.
    pub backoff: usize,
    /// In the unschedulable pool, gated pods included.
    pub unschedulable: usize,
}

/// The scheduling queue.
#[derive(Clone, Debug, Default)]
pub struct SchedulingQueue {
    settings: QueueSettings,
    rows: Rows,
    active: BTreeSet<ActiveKey>,
    backoff: BTreeSet<(Time, ActiveKey)>,
    error_backoff: BTreeSet<(Time, ActiveKey)>,
    pool: Pool,
    in_flight: InFlight,
    hints: HintCache,
    next_turn: u64,
}

impl SchedulingQueue {
    /// An empty queue.
    pub fn new(settings: QueueSettings) -> SchedulingQueue {
        SchedulingQueue { settings, ..SchedulingQueue::default() }
    }

    /// How it waits.
    pub fn settings(&self) -> QueueSettings {
        self.settings
    }

    /// Adds a pod that has just been seen for the first time.
    pub fn add(&mut self, pod: PodId, cx: &QueueContext<'_>) {
        let priority = cx.cluster.spec_of(pod).priority;
        self.next_turn += 1;
        self.rows.insert(QueuedPod::new(pod, priority, cx.now, self.next_turn));
        self.move_to_active(pod, cx, PreEnqueue::Run);
    }

    /// A waiting pod was updated; `events` say how. A pod that is not known is added.
    pub fn update(&mut self, pod: PodId, events: &[ClusterEvent], cx: &QueueContext<'_>) {
        if self.in_flight.contains(pod) {
            for event in events {
                self.in_flight.record(event.clone(), Some(pod));
            }
            return;
        }
        match self.rows.get(pod).map(|row| row.place) {
            None => self.add(pod, cx),
            Some(Place::Unschedulable) => {
                for event in events {
                    let verdict = self.worth_requeueing(pod, event, cx.cluster);
                    self.pool.remove(pod);
                    if self.requeue(pod, verdict, cx) != Place::Unschedulable {
                        break;
                    }
                }
            }
            Some(_) => {}
        }
    }

    /// Takes a pod out for good: it is gone, or has a node.
    pub fn delete(&mut self, pod: PodId) {
        if self.in_flight.contains(pod) {
            return;
        }
        self.take_out(pod);
        self.rows.remove(pod);
    }

    /// Takes the pod to be scheduled next: the head of `activeQ`, else the first of the unschedulable back-off.
    pub fn pop(&mut self) -> Option<PodId> {
        let key = match self.active.pop_first() {
            Some(key) => key,
            None if self.settings.backoff.pop_early => self.backoff.pop_first()?.1,
            None => return None,
        };
        let pod = key.3;
        let row = self.rows.get_mut(pod).expect("queued pods have rows");
        row.place = Place::InFlight;
        row.attempts += 1;
        self.in_flight.begin(pod);
        Some(pod)
    }

    /// The pod that [`SchedulingQueue::pop`] would take.
    pub fn peek(&self) -> Option<PodId> {
        let backoff = || self.backoff.first().filter(|_| self.settings.backoff.pop_early).map(|(_, key)| key.3);
        self.active.first().map(|key| key.3).or_else(backoff)
    }

    /// The attempt of a popped pod ended well, or needs no sequel. Returns what the queue knew of it, for
    /// [`SchedulingQueue::restore`].
    pub fn done(&mut self, pod: PodId) -> Option<QueuedPod> {
        self.in_flight.done(pod);
        match self.rows.get(pod)?.place {
            Place::InFlight => self.rows.remove(pod),
            _ => None,
        }
    }

    /// Takes back a pod whose attempt had ended well, because binding it failed. Must be followed by
    /// [`SchedulingQueue::add_unschedulable`].
    pub fn restore(&mut self, row: QueuedPod) {
        if self.rows.get(row.pod).is_none() {
            self.rows.insert(QueuedPod { place: Place::InFlight, ..row });
        }
    }

    /// The attempt of a popped pod failed (kube-scheduler, `AddUnschedulablePodIfNotPresent`): `rejected_by` and `pending` are
    /// empty if it was an error. Returns where the pod waits now.
    pub fn add_unschedulable(
        &mut self,
        pod: PodId,
        rejected_by: PluginSet,
        pending: PluginSet,
        cx: &QueueContext<'_>,
    ) -> Place {
        self.next_turn += 1;
        let turn = self.next_turn;
        let backoff = self.settings.backoff;
        let row = self.rows.get_mut(pod).expect("popped and restored pods have rows");
        (row.rejected_by, row.pending) = (rejected_by, pending);
        if row.failed_by_error() {
            row.error_count += 1;
        } else {
            row.unschedulable_count += 1;
            row.error_count = 0;
        }
        let count = if row.error_count > 0 { row.error_count } else { row.unschedulable_count };
        (row.timestamp, row.turn) = (cx.now, turn);
        row.backoff_expiry = backoff.expiry(cx.now, count);
        let verdict = self.verdict_of_events_in_flight(pod, cx.cluster);
        self.in_flight.done(pod);
        self.requeue(pod, verdict, cx)
    }

    /// Moves the pods that `event` may help (kube-scheduler, `MoveAllToActiveOrBackoffQueue`); `max_priority` leaves out pods
    /// above it.
    pub fn move_all(&mut self, event: &ClusterEvent, max_priority: Option<i32>, cx: &QueueContext<'_>) {
        if self.pool.is_empty() && self.in_flight.is_empty() {
            return;
        }
        let interested = hints::interested(event.resource, event.action);
        if interested.is_empty() {
            return;
        }
        for (key, sample) in self.pool.groups_of(interested) {
            if key.gate.is_some_and(|gate| !interested.contains(gate)) {
                continue;
            }
            if max_priority.is_some_and(|max| cx.cluster.specs.get(key.spec).priority > max) {
                continue;
            }
            let verdict = self.hints.verdict(&key, sample, event, cx.cluster);
            if verdict != Verdict::Skip {
                self.move_group(&key, verdict, cx);
            }
        }
        self.in_flight.record(event.clone(), None);
    }

    /// Puts a pod that waits into `activeQ` at once; to one in flight it is replayed (kube-scheduler, `Activate`).
    pub fn activate(&mut self, pod: PodId, cx: &QueueContext<'_>) {
        match self.rows.get(pod).map(|row| row.place) {
            Some(Place::Unschedulable) => {
                self.pool.remove(pod);
                self.move_to_active(pod, cx, PreEnqueue::Run);
            }
            Some(Place::Backoff | Place::ErrorBackoff) => {
                self.take_out(pod);
                self.move_to_active(pod, cx, PreEnqueue::Skip);
            }
            Some(Place::InFlight) => self.in_flight.record(ClusterEvent::UNSCHEDULABLE_TIMEOUT, Some(pod)),
            Some(Place::Active) | None => {}
        }
    }

    /// Moves the pods whose back-off is over to `activeQ`. Runs at whole seconds.
    pub fn flush_backoff(&mut self, cx: &QueueContext<'_>) {
        for pod in self.pop_expired(cx.now) {
            self.move_to_active(pod, cx, PreEnqueue::Skip);
        }
    }

    /// Takes the pods whose back-off is over out of their queues, in order of its end (`popAllBackoffCompleted`).
    pub fn pop_expired(&mut self, now: Time) -> Vec<PodId> {
        let mut expired = Vec::new();
        for queue in [&mut self.backoff, &mut self.error_backoff] {
            while let Some(&(expiry, key)) = queue.first() {
                if self.settings.backoff.is_waiting(Some(expiry), now) {
                    break;
                }
                queue.pop_first();
                expired.push(key.3);
            }
        }
        expired
    }

    /// Moves the pods that have waited too long in the unschedulable pool. Runs every 30 seconds.
    pub fn flush_unschedulable(&mut self, cx: &QueueContext<'_>) {
        let old = self.pool.older_than(cx.now - self.settings.max_in_unschedulable);
        for &pod in &old {
            self.pool.remove(pod);
            self.requeue(pod, Verdict::AfterBackoff, cx);
        }
        if !old.is_empty() {
            self.in_flight.record(ClusterEvent::UNSCHEDULABLE_TIMEOUT, None);
        }
    }

    /// When [`SchedulingQueue::flush_backoff`] has something to do, if nothing else happens.
    pub fn next_backoff_flush(&self) -> Option<Time> {
        let first = [&self.backoff, &self.error_backoff].into_iter().filter_map(|queue| queue.first()).min()?;
        Some(self.settings.backoff.flush_time(first.0))
    }

    /// When [`SchedulingQueue::flush_unschedulable`] has something to do, if nothing else happens; its ticks begin at `started`.
    pub fn next_unschedulable_flush(&self, started: Time) -> Option<Time> {
        let due = self.pool.oldest()? + self.settings.max_in_unschedulable + Span::from_micros(1);
        Some(due.next_tick(started, UNSCHEDULABLE_FLUSH_PERIOD))
    }

    /// The row of a pod that is in the queue or in flight.
    pub fn get(&self, pod: PodId) -> Option<&QueuedPod> {
        self.rows.get(pod)
    }

    /// How many pods are where.
    pub fn counts(&self) -> QueueCounts {
        QueueCounts {
            active: self.active.len(),
            backoff: self.backoff.len() + self.error_backoff.len(),
            unschedulable: self.pool.len(),
        }
    }

    fn verdict_of_events_in_flight(&mut self, pod: PodId, cluster: &Cluster) -> Verdict {
        let Some(row) = self.rows.get(pod) else { return Verdict::Skip };
        if row.failed_by_error() {
            return Verdict::AfterBackoff;
        }
        let key = GroupKey::of(row, cluster);
        let mut best = Verdict::Skip;
        for event in self.in_flight.events_for(pod) {
            best = best.max(self.hints.verdict(&key, pod, event, cluster));
            if best == Verdict::Immediately || (best == Verdict::AfterBackoff && key.pending.is_empty()) {
                break;
            }
        }
        best
    }

    fn worth_requeueing(&mut self, pod: PodId, event: &ClusterEvent, cluster: &Cluster) -> Verdict {
        match self.rows.get(pod) {
            Some(row) => self.hints.verdict(&GroupKey::of(row, cluster), pod, event, cluster),
            None => Verdict::Skip,
        }
    }

    fn move_group(&mut self, key: &GroupKey, verdict: Verdict, cx: &QueueContext<'_>) {
        for pod in self.pool.pods_of(key) {
            self.pool.remove(pod);
            self.requeue(pod, verdict, cx);
        }
    }

    /// Puts a pod that is in no queue where `verdict` wants it, and returns where that is.
    fn requeue(&mut self, pod: PodId, verdict: Verdict, cx: &QueueContext<'_>) -> Place {
        let row = self.rows.get(pod).expect("requeued pods have rows");
        let waits = self.settings.backoff.is_waiting(row.backoff_expiry, cx.now);
        match verdict {
            Verdict::Skip => self.move_to_pool(pod, cx),
            Verdict::AfterBackoff if waits => self.move_to_backoff(pod, cx),
            Verdict::AfterBackoff | Verdict::Immediately => self.move_to_active(pod, cx, PreEnqueue::Run),
        }
    }

    fn move_to_active(&mut self, pod: PodId, cx: &QueueContext<'_>, pre_enqueue: PreEnqueue) -> Place {
        if pre_enqueue == PreEnqueue::Run && self.is_gated(pod, cx) {
            return self.move_to_pool(pod, cx);
        }
        let row = self.rows.get_mut(pod).expect("queued pods have rows");
        if pre_enqueue == PreEnqueue::Run {
            row.cause = cx.cause;
        }
        row.place = Place::Active;
        self.active.insert(row.active_key());
        Place::Active
    }

    /// PreEnqueue plugins are asked here and not again when the back-off is over.
    fn move_to_backoff(&mut self, pod: PodId, cx: &QueueContext<'_>) -> Place {
        if self.is_gated(pod, cx) {
            return self.move_to_pool(pod, cx);
        }
        let row = self.rows.get_mut(pod).expect("queued pods have rows");
        let by_error = row.failed_by_error();
        row.cause = cx.cause;
        row.place = if by_error { Place::ErrorBackoff } else { Place::Backoff };
        let (place, key) = (row.place, row.backoff_key());
        if by_error {
            self.error_backoff.insert(key)
        } else {
            self.backoff.insert(key)
        };
        place
    }

    fn move_to_pool(&mut self, pod: PodId, cx: &QueueContext<'_>) -> Place {
        let row = self.rows.get_mut(pod).expect("queued pods have rows");
        row.place = Place::Unschedulable;
        self.pool.insert(row, cx.cluster);
        Place::Unschedulable
    }

    /// Runs PreEnqueue and notes the plugin that gates the pod, if one does.
    fn is_gated(&mut self, pod: PodId, cx: &QueueContext<'_>) -> bool {
        let gate = (cx.gate)(pod);
        let row = self.rows.get_mut(pod).expect("queued pods have rows");
        row.gate = gate;
        if let Some(plugin) = gate {
            row.rejected_by.insert(plugin);
        }
        gate.is_some()
    }

    /// Takes a pod out of whichever queue it is in; its row stays.
    fn take_out(&mut self, pod: PodId) {
        let Some(row) = self.rows.get(pod) else { return };
        match row.place {
            Place::Active => _ = self.active.remove(&row.active_key()),
            Place::Backoff => _ = self.backoff.remove(&row.backoff_key()),
            Place::ErrorBackoff => _ = self.error_backoff.remove(&row.backoff_key()),
            Place::Unschedulable => self.pool.remove(pod),
            Place::InFlight => {}
        }
    }
}

/// Whether PreEnqueue plugins are asked before a pod enters `activeQ`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PreEnqueue {
    Run,
    Skip,
}
