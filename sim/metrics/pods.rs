//! One record per pod: the instants that matter for latency and the outcome.

use crate::cluster::{Change, Cluster, ContainerState, NodeId, PodId, PodPhase, What};
use crate::engine::{IdVec, Span, Time};

/// What became of a pod by the end of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Never bound to a node.
    Pending,
    /// Bound, not yet running.
    Starting,
    /// Running.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Deleted before it ended.
    Deleted,
}

impl Outcome {
    /// All outcomes, in the order of a pod's life.
    pub const ALL: [Outcome; 6] =
        [Outcome::Pending, Outcome::Starting, Outcome::Running, Outcome::Succeeded, Outcome::Failed, Outcome::Deleted];

    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Pending => "pending",
            Outcome::Starting => "starting",
            Outcome::Running => "running",
            Outcome::Succeeded => "succeeded",
            Outcome::Failed => "failed",
            Outcome::Deleted => "deleted",
        }
    }
}

/// The life of one pod. Instants are `None` until they come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodRecord {
    /// When the object was created.
    pub created: Time,
    /// When it was bound.
    pub bound: Option<Time>,
    /// When its first regular container first ran.
    pub running: Option<Time>,
    /// When it was first Ready.
    pub ready: Option<Time>,
    /// When its deletion was asked for.
    pub deleting: Option<Time>,
    /// When it reached a terminal phase, or was removed without one.
    pub ended: Option<Time>,
    /// The node it was bound to.
    pub node: Option<NodeId>,
    /// How many attempts to schedule it failed.
    pub n_failed_attempts: u32,
}

impl PodRecord {
    /// From creation to binding.
    pub fn scheduling_latency(&self) -> Option<Span> {
        self.bound.map(|bound| bound.since(self.created))
    }

    /// From binding to Ready.
    pub fn startup_latency(&self) -> Option<Span> {
        Some(self.ready?.since(self.bound?))
    }
}

/// The records of all pods.
#[derive(Clone, Debug, Default)]
pub struct PodRecords {
    records: IdVec<PodId, PodRecord>,
}

impl PodRecords {
    /// Follows one change.
    pub fn observe(&mut self, at: Time, change: Change, cluster: &Cluster) {
        let Some(pod) = change.pod() else { return };
        while self.records.len() <= pod.0 as usize {
            let created = cluster.pod(self.records.next_id()).meta.created;
            self.records.push(PodRecord { created, ..PodRecord::default() });
        }
        let (record, row) = (&mut self.records[pod], cluster.pod(pod));
        match change.what {
            What::Created => {
                record.created = at;
                if let Some(node) = row.node {
                    (record.bound, record.node) = (Some(at), Some(node));
                }
            }
            What::Bound(node) => (record.bound, record.node) = (Some(at), Some(node)),
            What::Container(idx) => {
                let runs = row.containers.get(usize::from(idx)).is_some_and(|container| {
                    matches!(container.state, ContainerState::Running { .. } | ContainerState::Terminated(_))
                });
                if runs && usize::from(idx) >= cluster.specs.get(row.spec).n_init_containers {
                    record.running.get_or_insert(at);
                }
            }
            What::Condition(condition)
                if condition.kind == cluster.words.ready && row.conditions.is_true(condition.kind) =>
            {
                record.ready.get_or_insert(at);
            }
            What::Condition(condition)
                if condition.kind == cluster.words.pod_scheduled
                    && row.node.is_none()
                    && row.conditions.get(condition.kind).is_some_and(|c| c.reason == cluster.words.unschedulable) =>
            {
                record.n_failed_attempts += 1;
            }
            What::Phase if row.phase.is_terminal() => _ = record.ended.get_or_insert(at),
            What::Deleting => _ = record.deleting.get_or_insert(at),
            What::Removed => _ = record.ended.get_or_insert(at),
            _ => {}
        }
    }

    /// All records, in order of creation.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (PodId, &PodRecord)> {
        self.records.iter()
    }

    /// Number of pods.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there was no pod.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// What became of a pod.
    pub fn outcome(&self, pod: PodId, cluster: &Cluster) -> Outcome {
        let (record, row) = (&self.records[pod], cluster.pod(pod));
        match row.phase {
            PodPhase::Succeeded
                if record.deleting.is_none_or(|deleting| record.ended.is_some_and(|e| e < deleting)) =>
            {
                Outcome::Succeeded
            }
            PodPhase::Failed if record.deleting.is_none_or(|deleting| record.ended.is_some_and(|e| e < deleting)) => {
                Outcome::Failed
            }
            _ if row.meta.removed || row.meta.is_deleting() => Outcome::Deleted,
            PodPhase::Running => Outcome::Running,
            _ if record.bound.is_some() => Outcome::Starting,
            _ => Outcome::Pending,
        }
    }
}
