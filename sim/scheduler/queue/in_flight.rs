//! The events that happened while pods were being scheduled: replayed to those of them that fail, so that no wake-up is lost
//! (kube-scheduler, `backend/queue/active_queue.go`, `inFlightEvents`).

use std::collections::{BTreeMap, VecDeque};

use super::cluster_event::ClusterEvent;
use crate::cluster::PodId;

/// Pods in flight and the events since the first of them was popped.
#[derive(Clone, Debug, Default)]
pub struct InFlight {
    /// The number of the first event after each pod was popped.
    pods: BTreeMap<PodId, u64>,
    events: VecDeque<(ClusterEvent, Option<PodId>)>,
    /// The number of the first event kept.
    first: u64,
}

impl InFlight {
    /// A pod was popped.
    pub fn begin(&mut self, pod: PodId) {
        let next = self.first + self.events.len() as u64;
        let before = self.pods.insert(pod, next);
        debug_assert!(before.is_none(), "a pod is in flight once");
    }

    /// Whether a pod is in flight.
    pub fn contains(&self, pod: PodId) -> bool {
        self.pods.contains_key(&pod)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }

    /// Keeps an event for the pods in flight; `only` if it concerns one pod alone.
    pub fn record(&mut self, event: ClusterEvent, only: Option<PodId>) {
        if !self.pods.is_empty() {
            self.events.push_back((event, only));
        }
    }

    /// The events since `pod` was popped, in order.
    pub fn events_for(&self, pod: PodId) -> impl Iterator<Item = &ClusterEvent> {
        let from = self.pods.get(&pod).map_or(self.events.len(), |&number| (number - self.first) as usize);
        self.events
            .iter()
            .skip(from)
            .filter(move |(_, only)| only.is_none_or(|only| only == pod))
            .map(|(event, _)| event)
    }

    /// The attempt of a pod has ended: forgets it and the events that only it needed.
    pub fn done(&mut self, pod: PodId) {
        if self.pods.remove(&pod).is_none() {
            return;
        }
        let end = self.first + self.events.len() as u64;
        let needed = self.pods.values().copied().min().unwrap_or(end);
        while self.first < needed {
            self.events.pop_front();
            self.first += 1;
        }
    }
}
