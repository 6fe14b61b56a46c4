//! One row per pod that waits or is being scheduled, found by its id without hashing.

use crate::cluster::{NO_CAUSE, PodId};
use crate::engine::{Id, Time};
use crate::scheduler::framework::names::{PluginName, PluginSet};

/// Where a pod of the queue is.
///
/// ```text
///            add                 pop                    assigned
///   (none) ------> Active -------------------> InFlight ---------> (none)
///                    ^  ^                        |   |
///      window over   |  |  pop, nothing active   |   | rejected, no event of interest since
///                    |  +----------- Backoff <---+   v
///                    |                  ^       Unschedulable
///                    |                  +------------+   an event of interest; gated pods wait here too
///                    +-- ErrorBackoff <-- InFlight (an error, not a verdict)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `activeQ`.
    Active,
    /// `podBackoffQ`.
    Backoff,
    /// `podErrorBackoffQ`.
    ErrorBackoff,
    /// `unschedulablePods`, gated pods included.
    Unschedulable,
    /// Popped, its attempt not yet ended.
    InFlight,
}

/// A pod of the queue (kube-scheduler, `QueuedPodInfo`).
#[derive(Clone, Copy, Debug)]
pub struct QueuedPod {
    /// The pod.
    pub pod: PodId,
    /// `spec.priority`.
    pub priority: i32,
    /// Where it is.
    pub place: Place,
    /// When it last came into the queue from outside or from a failed attempt.
    pub timestamp: Time,
    /// Orders pods of one timestamp: rises whenever a timestamp is set.
    pub turn: u64,
    /// Attempts so far.
    pub attempts: u32,
    /// Attempts that ended with a verdict of plugins.
    pub unschedulable_count: u32,
    /// Attempts in a row that ended with an error.
    pub error_count: u32,
    /// The end of its back-off, if it has one.
    pub backoff_expiry: Option<Time>,
    /// The plugins that rejected it the last time; the gating one included.
    pub rejected_by: PluginSet,
    /// Those of them that only want to wait.
    pub pending: PluginSet,
    /// The PreEnqueue plugin that keeps it out.
    pub gate: Option<PluginName>,
    /// What brought it into the queue it is in: the number of a change, for timelines.
    pub cause: u32,
}

/// The key of `activeQ` and of a window of `podBackoffQ`: priority descending, then timestamp (PrioritySort).
pub type ActiveKey = (i64, Time, u64, PodId);

impl QueuedPod {
    /// A pod that comes from outside.
    pub fn new(pod: PodId, priority: i32, timestamp: Time, turn: u64) -> QueuedPod {
        QueuedPod {
            pod,
            priority,
            place: Place::InFlight,
            timestamp,
            turn,
            attempts: 0,
            unschedulable_count: 0,
            error_count: 0,
            backoff_expiry: None,
            rejected_by: PluginSet::EMPTY,
            pending: PluginSet::EMPTY,
            gate: None,
            cause: NO_CAUSE,
        }
    }

    /// Its place in `activeQ`.
    pub fn active_key(&self) -> ActiveKey {
        (-i64::from(self.priority), self.timestamp, self.turn, self.pod)
    }

    /// Its place in a back-off queue.
    pub fn backoff_key(&self) -> (Time, ActiveKey) {
        (self.backoff_expiry.unwrap_or(Time::ZERO), self.active_key())
    }

    /// Whether an error, not a verdict, ended its last attempt.
    pub fn failed_by_error(&self) -> bool {
        self.rejected_by.is_empty() && self.pending.is_empty()
    }
}

/// Rows by pod.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Index into `rows` plus one; 0 for a pod that is not in the queue. `[pod]`
    slots: Vec<u32>,
    rows: Vec<QueuedPod>,
    free: Vec<u32>,
}

impl Rows {
    /// The row of a pod.
    pub fn get(&self, pod: PodId) -> Option<&QueuedPod> {
        let slot = *self.slots.get(pod.index())?;
        (slot != 0).then(|| &self.rows[slot as usize - 1])
    }

    /// The row of a pod, for changing.
    pub fn get_mut(&mut self, pod: PodId) -> Option<&mut QueuedPod> {
        let slot = *self.slots.get(pod.index())?;
        (slot != 0).then(|| &mut self.rows[slot as usize - 1])
    }

    /// Adds a row.
    ///
    /// # Panics
    ///
    /// If the pod has one.
    pub fn insert(&mut self, row: QueuedPod) {
        let idx = row.pod.index();
        if self.slots.len() <= idx {
            self.slots.resize((idx + 1).next_power_of_two(), 0);
        }
        assert_eq!(self.slots[idx], 0, "a pod is in the queue once");
        let slot = match self.free.pop() {
            Some(slot) => {
                self.rows[slot as usize - 1] = row;
                slot
            }
            None => {
                self.rows.push(row);
                u32::try_from(self.rows.len()).expect("fewer than 2^32 pods in the queue")
            }
        };
        self.slots[idx] = slot;
    }

    /// Takes a row out.
    pub fn remove(&mut self, pod: PodId) -> Option<QueuedPod> {
        let slot = std::mem::take(self.slots.get_mut(pod.index())?);
        (slot != 0).then(|| {
            self.free.push(slot);
            self.rows[slot as usize - 1]
        })
    }
}
