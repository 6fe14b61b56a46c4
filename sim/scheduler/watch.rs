//! What the scheduler knows of the cluster by its watches: changes reach it `watch_delay` after they were written, in order.
//!
//! The delay counts for what wakes the queue: new pods, and changes that may help waiting ones. The store itself is read directly:
//! a decision sees every write that has been made, the scheduler's own assumptions included.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::queue::{EventResource, SeenNode};
use crate::cluster::columns::PodResources;
use crate::cluster::{Change, Cluster, LabelsId, NodeId, ObjectRef, PodId, SpecId, What};
use crate::engine::{Id, Time};

/// Changes on their way to the scheduler.
#[derive(Clone, Debug, Default)]
pub struct Inbox {
    pending: VecDeque<(Time, Change, u32)>,
    last_due: Time,
}

impl Inbox {
    /// A change, whose number is `cause`, will be seen at `due`, or later if earlier changes are. Returns when, if nothing was due to be seen then yet.
    pub fn push(&mut self, due: Time, change: Change, cause: u32) -> Option<Time> {
        let due = due.max(self.last_due);
        let is_new = self.pending.back().is_none_or(|&(last, ..)| last < due);
        self.last_due = due;
        self.pending.push_back((due, change, cause));
        is_new.then_some(due)
    }

    /// Takes the next change that is seen by `now`, with its number as a cause.
    pub fn pop(&mut self, now: Time) -> Option<(Change, u32)> {
        let &(due, change, cause) = self.pending.front()?;
        (due <= now).then(|| {
            self.pending.pop_front();
            (change, cause)
        })
    }
}

/// What a pod is to the scheduler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PodState {
    /// Not seen yet, or gone, or ended.
    #[default]
    Unknown,
    /// Without a node.
    Waiting,
    /// With a node.
    Assigned,
}

/// The last seen state of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenPod {
    /// What it is.
    pub state: PodState,
    /// `metadata.labels`.
    pub labels: LabelsId,
    /// Its spec.
    pub spec: SpecId,
    /// `status.nominatedNodeName`.
    pub nominated: Option<NodeId>,
}

/// The last seen state of everything that hints compare.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    nodes: Vec<Option<Arc<SeenNode>>>,
    pods: Vec<SeenPod>,
    /// What pods take whose requests differ from their specs: those being resized.
    resized: FxHashMap<PodId, Arc<PodResources>>,
}

impl Default for SeenPod {
    fn default() -> SeenPod {
        SeenPod { state: PodState::Unknown, labels: LabelsId::EMPTY, spec: SpecId(0), nominated: None }
    }
}

impl Seen {
    /// The last seen state of a pod.
    pub fn pod(&self, pod: PodId) -> SeenPod {
        self.pods.get(pod.index()).copied().unwrap_or_default()
    }

    /// The last seen state of a pod, for changing.
    pub fn pod_mut(&mut self, pod: PodId) -> &mut SeenPod {
        if self.pods.len() <= pod.index() {
            self.pods.resize((pod.index() + 1).next_power_of_two(), SeenPod::default());
        }
        &mut self.pods[pod.index()]
    }

    /// Takes over the present state of a pod and returns the one before.
    pub fn see_pod(&mut self, pod: PodId, state: PodState, cluster: &Cluster) -> SeenPod {
        let row = cluster.pod(pod);
        let now = SeenPod { state, labels: row.meta.labels, spec: row.spec, nominated: row.nominated };
        std::mem::replace(self.pod_mut(pod), now)
    }

    /// What a pod was last seen to take, and takes over what it takes now.
    pub fn see_resources(&mut self, pod: PodId, old_spec: SpecId, cluster: &Cluster) -> Arc<PodResources> {
        let resized = cluster.pod(pod).resized.is_some();
        let before = match resized {
            true => self.resized.insert(pod, Arc::new(cluster.resources_of(pod).clone())),
            false => self.resized.remove(&pod),
        };
        before.unwrap_or_else(|| Arc::new(cluster.specs.get(old_spec).resources.clone()))
    }

    /// Takes over the present state of a node and returns the one before.
    pub fn see_node(&mut self, node: NodeId, cluster: &Cluster) -> Option<Arc<SeenNode>> {
        if self.nodes.len() <= node.index() {
            self.nodes.resize((node.index() + 1).next_power_of_two(), None);
        }
        let row = cluster.node(node);
        let now = (!row.meta.removed).then(|| {
            Arc::new(SeenNode {
                labels: row.meta.labels,
                taints: row.taints.clone(),
                unschedulable: row.unschedulable,
                allocatable: row.allocatable.clone(),
            })
        });
        std::mem::replace(&mut self.nodes[node.index()], now)
    }

    /// Whether the scheduler has to see a change at all. Everything else ends here.
    pub fn is_of_interest(&self, change: Change, cluster: &Cluster) -> bool {
        match (change.object, change.what) {
            (ObjectRef::Pod(pod), What::Phase) => cluster.pod(pod).phase.is_terminal(),
            (ObjectRef::Pod(pod), What::Status) => {
                cluster.pod(pod).resized.is_some() || (!self.resized.is_empty() && self.resized.contains_key(&pod))
            }
            (ObjectRef::Pod(_), what) => matches!(
                what,
                What::Created
                    | What::Spec
                    | What::Labels
                    | What::Bound(_)
                    | What::Nominated(_)
                    | What::Deleting
                    | What::Removed
            ),
            (ObjectRef::Node(_), what) => matches!(
                what,
                What::Created | What::Removed | What::Labels | What::Taints | What::Unschedulable | What::Allocatable
            ),
            (ObjectRef::Object(_), What::Event(_)) => false,
            (ObjectRef::Object(id), _) => EventResource::of_kind(cluster.object(id).info.kind).is_some(),
        }
    }
}
