//! Node-pressure eviction: which pod goes when a node runs short of something (kubelet, `eviction/eviction_manager.go`, `helpers.go`).

use crate::api::qos::QosClass;
use crate::engine::{Span, Time};

/// Priority from which on a pod is critical: never evicted for pressure, and last to go at a shutdown
/// (apis/scheduling, `SystemCriticalPriority`).
pub const CRITICAL_PRIORITY: i32 = 2_000_000_000;
/// How often the kubelet looks (kubelet, `evictionMonitoringPeriod`).
pub const MONITORING_PERIOD: Span = Span::from_secs(10);

/// A threshold of a signal, such as `memory.available<100Mi`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Threshold {
    /// What must be left.
    pub value: i64,
    /// How much above the threshold counts as resolved once it was met (`evictionMinimumReclaim`).
    pub min_reclaim: i64,
}

/// A pod as it is ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranked<T> {
    /// Which pod.
    pub pod: T,
    /// `priority`.
    pub priority: i32,
    /// What it requests of the resource.
    pub request: i64,
    /// What it uses; `None` before its first statistics.
    pub usage: Option<i64>,
}

impl Threshold {
    /// Whether less is left than must be; exactly as much is enough.
    pub fn is_met(&self, available: i64) -> bool {
        available < self.value
    }

    /// Whether the pressure is not over yet: a threshold that was met stays so until the minimum is reclaimed.
    pub fn still_met(&self, available: i64, previously_met: bool) -> bool {
        self.is_met(available) || previously_met && available < self.value.saturating_add(self.min_reclaim)
    }
}

/// Pods in the order of their eviction for memory or disk: without statistics first; then those that use more than they request;
/// then by rising priority; then by how much more they use than they request.
pub fn rank<T: Copy>(pods: &mut [Ranked<T>]) {
    pods.sort_by_key(|pod| {
        let excess = pod.usage.map(|usage| usage.saturating_sub(pod.request));
        (
            excess.is_some(),
            excess.is_some_and(|excess| excess <= 0),
            pod.priority,
            std::cmp::Reverse(excess.unwrap_or(0)),
        )
    });
}

/// Pods in the order of their eviction for want of processes: by rising priority, then by how many they have.
pub fn rank_processes<T: Copy>(pods: &mut [Ranked<T>]) {
    pods.sort_by_key(|pod| (pod.usage.is_some(), pod.priority, std::cmp::Reverse(pod.usage.unwrap_or(0))));
}

/// Whether a node condition is still `True` that was last observed at `observed`.
pub fn condition_holds(observed: Time, now: Time, transition: Span) -> bool {
    now.since(observed) < transition
}

/// The grace of an evicted pod: one second at a hard threshold, the pod's own up to the configured most at a soft one.
pub fn eviction_grace(soft_max_seconds: Option<u32>, pod_grace_seconds: u32) -> u32 {
    soft_max_seconds.map_or(1, |most| most.min(pod_grace_seconds))
}

/// Whether a kubelet under these pressures takes a new pod: critical pods always; under memory pressure alone all but
/// `BestEffort` pods that do not tolerate its taint.
pub fn admits(only_memory_pressure: bool, qos: QosClass, priority: i32, tolerates_memory_pressure: bool) -> bool {
    let critical = CRITICAL_PRIORITY <= priority;
    critical || only_memory_pressure && (qos != QosClass::BestEffort || tolerates_memory_pressure)
}

/// How much the kernel prefers to kill a process of a container when memory runs out (kubelet, `qos/policy.go`).
pub fn oom_score_adj(qos: QosClass, critical: bool, memory_request: i64, memory_capacity: i64) -> i32 {
    match qos {
        _ if critical => -997,
        QosClass::Guaranteed => -997,
        QosClass::BestEffort => 1000,
        QosClass::Burstable => {
            let share = i128::from(memory_request) * 1000 / i128::from(memory_capacity.max(1));
            match 1000 - share.clamp(0, 1000) as i32 {
                score if score < 1000 - 997 => 1000 - 997,
                1000 => 999,
                score => score,
            }
        }
    }
}
