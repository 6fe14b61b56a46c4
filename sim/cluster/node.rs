//! A node as the store keeps it. What scheduling reads of every node lies in columns (see [`super::columns`]).

use std::sync::Arc;

use serde_json::Value;

use super::condition::{ConditionStatus, Conditions};
use super::ids::{PodId, ResourceId, Sym};
use super::meta::Meta;
use crate::api::toleration::Taint;
use crate::engine::{Span, Time};

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its metadata.
    pub meta: Meta,
    /// `spec.unschedulable`.
    pub unschedulable: bool,
    /// `spec.taints`, in order.
    pub taints: Arc<[NodeTaint]>,
    /// `status.conditions`.
    pub conditions: Conditions,
    /// `status.capacity`, in the units of [`ResourceId`].
    pub capacity: Vec<(ResourceId, i64)>,
    /// `status.allocatable`; the columns hold the same numbers.
    pub allocatable: Vec<(ResourceId, i64)>,
    /// `status.images`: what has been pulled.
    pub images: Vec<NodeImage>,
    /// The pods that count against it, assumed ones included, in the order in which they came.
    pub pods: Vec<PodId>,
    /// When its kubelet last began to renew its lease: at registration and at every return. While the kubelet runs, renewals
    /// follow every [`LEASE_RENEW_INTERVAL`]; they are not events (see [`Node::last_heartbeat`]).
    pub heartbeat: Time,
    /// Whether its kubelet works and reaches the control plane.
    pub kubelet: KubeletHealth,
    /// How many times longer than modelled everything on it takes: a fact of the world (see `Cluster::set_slowdown`).
    pub slowdown: f64,
    /// Everything else of the manifest: `spec` and `status` as written.
    pub raw: Arc<Value>,
}

/// How often a kubelet renews the lease of its node (`nodeLeaseDurationSeconds` 40, a quarter of it).
pub const LEASE_RENEW_INTERVAL: Span = Span::from_secs(10);

/// Whether the kubelet of a node works and reaches the control plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KubeletHealth {
    /// It runs and reaches the API server.
    #[default]
    Running,
    /// The machine is down: nothing runs on it, nothing is renewed.
    Down {
        /// Since when.
        since: Time,
    },
    /// The machine is being shut down in order: the kubelet stops its pods and then falls silent.
    ShuttingDown {
        /// Since when.
        since: Time,
    },
    /// The kubelet's process is down; the machine and its containers run on.
    Stopped {
        /// Since when.
        since: Time,
    },
    /// Kubelet and containers run, but nothing gets through between them and the control plane.
    Partitioned {
        /// Since when.
        since: Time,
    },
}

impl KubeletHealth {
    /// Since when the control plane has not heard of it; `None` while it runs.
    pub fn silent_since(self) -> Option<Time> {
        match self {
            KubeletHealth::Running | KubeletHealth::ShuttingDown { .. } => None,
            KubeletHealth::Down { since } | KubeletHealth::Stopped { since } | KubeletHealth::Partitioned { since } => {
                Some(since)
            }
        }
    }
}

impl Node {
    /// When the control plane last heard of the kubelet, as of `now`: the last renewal of the lease, which its kubelet renews
    /// every [`LEASE_RENEW_INTERVAL`] from [`Node::heartbeat`] on for as long as it gets through.
    pub fn last_heartbeat(&self, now: Time) -> Time {
        let until = self.kubelet.silent_since().map_or(now, |since| since.min(now));
        let n_renewals = until.since(self.heartbeat).as_micros() / LEASE_RENEW_INTERVAL.as_micros();
        self.heartbeat + LEASE_RENEW_INTERVAL * n_renewals
    }

    /// When the kubelet last reported the status of its node, as of `now`: when it began, when a condition changed, and every
    /// `STATUS_REPORT_INTERVAL` after that, for as long as it gets through.
    pub fn last_status_report(&self, now: Time) -> Time {
        let until = self.kubelet.silent_since().map_or(now, |since| since.min(now));
        let own = self.conditions.iter().filter(|condition| condition.status != ConditionStatus::Unknown);
        let changed = own.map(|condition| condition.transition).filter(|&at| at <= until).max();
        let from = changed.map_or(self.heartbeat, |at| at.max(self.heartbeat));
        from + STATUS_REPORT_INTERVAL * (until.since(from).as_micros() / STATUS_REPORT_INTERVAL.as_micros())
    }
}

/// How often a kubelet reports the status of its node when nothing has changed (`nodeStatusReportFrequency`).
pub const STATUS_REPORT_INTERVAL: Span = Span::from_secs(300);

/// One taint of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeTaint {
    /// Key, value, effect.
    pub taint: Taint,
    /// `timeAdded`, for `NoExecute`.
    pub added: Option<Time>,
}

/// One entry of `status.images`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeImage {
    /// Every name of the image.
    pub names: Vec<Sym>,
    /// `sizeBytes`.
    pub size_bytes: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewals_stop_when_the_kubelet_falls_silent() {
        let node = |kubelet| Node {
            meta: crate::cluster::Cluster::new(0).bare_meta(),
            unschedulable: false,
            taints: Arc::new([]),
            conditions: Conditions::default(),
            capacity: Vec::new(),
            allocatable: Vec::new(),
            images: Vec::new(),
            pods: Vec::new(),
            heartbeat: Time::from_secs(3),
            kubelet,
            slowdown: 1.0,
            raw: Arc::new(Value::Null),
        };
        assert_eq!(node(KubeletHealth::Running).last_heartbeat(Time::from_secs(27)), Time::from_secs(23));
        let down = KubeletHealth::Down { since: Time::from_secs(40) };
        assert_eq!(node(down).last_heartbeat(Time::from_secs(90)), Time::from_secs(33));
    }
}
