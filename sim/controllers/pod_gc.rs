//! Pod garbage collection: pods that have ended when there are too many, pods of nodes that are gone, and pods that nobody can stop
//! (kube-controller-manager, `podgc`).

use std::collections::{BTreeMap, BTreeSet};

use super::anchored_tick::AnchoredTick;
use super::{Action, Context, Controller, Keys};
use crate::cluster::{Change, Cluster, ConditionStatus, ControllerKind, NodeId, ObjectRef, PodId, PodPhase, Sym, What};
use crate::engine::{Span, Time};

/// The period of the loop (`gcCheckPeriod`).
const PERIOD: Span = Span::from_secs(20);
/// How long the name of a missing node is watched before its pods go (`quarantineTime`).
const QUARANTINE: Span = Span::from_secs(40);
/// Pods that have ended, above which the oldest go (`--terminated-pod-gc-threshold`).
pub const TERMINATED_THRESHOLD: usize = 12_500;
/// Says that a node is down for certain.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// Collects pods.
pub struct PodGcController {
    tick: AnchoredTick,
    /// Names of missing nodes, with the end of their quarantine.
    quarantine: BTreeMap<Sym, Time>,
    /// Pods bound to nodes that are gone.
    orphans: BTreeSet<PodId>,
    /// Pods that are being deleted, which the next turn looks at.
    deleting: BTreeSet<PodId>,
    /// Pods in the store that have ended.
    terminated: BTreeSet<PodId>,
}

impl Default for PodGcController {
    fn default() -> Self {
        PodGcController {
            tick: AnchoredTick::new(ControllerKind::PodGc),
            quarantine: BTreeMap::new(),
            orphans: BTreeSet::new(),
            deleting: BTreeSet::new(),
            terminated: BTreeSet::new(),
        }
    }
}

impl Controller for PodGcController {
    fn kind(&self) -> ControllerKind {
        ControllerKind::PodGc
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, keys: &mut Keys<'_>) {
        let look = match change.object {
            ObjectRef::Pod(pod) => self.pod_changed(pod, change.what, cluster),
            ObjectRef::Node(node) => self.node_changed(node, change.what, cluster),
            ObjectRef::Object(_) => false,
        };
        if look {
            self.request(keys.agenda);
        }
    }

    fn reconcile(&mut self, _: ObjectRef, _: &mut Cluster, _: &mut Context<'_>) -> Action {
        Action::Done
    }

    fn tick(&mut self, cluster: &mut Cluster, cx: &mut Context<'_>) {
        if !self.tick.take(cx.now()) {
            return;
        }
        self.collect_terminated(cluster);
        self.collect_deleting(cluster);
        self.collect_orphans(cluster, cx.now());
        if !self.quarantine.is_empty() {
            self.request(cx.agenda);
        }
    }
}

impl PodGcController {
    fn request(&mut self, agenda: &mut crate::cluster::Agenda) {
        let anchor = Time::ZERO + agenda.control_plane.pod_gc_phase;
        // A change is not seen in the instant in which it is made.
        let seen = agenda.now() + agenda.control_plane.watch_delay.max(Span::from_micros(1));
        self.tick.request(seen, anchor, PERIOD, agenda);
    }

    fn pod_changed(&mut self, pod: PodId, what: What, cluster: &Cluster) -> bool {
        let row = cluster.pod(pod);
        match what {
            What::Created | What::Bound(_) => {
                if what == What::Created && row.phase.is_terminal() {
                    self.terminated.insert(pod);
                }
                let orphan = is_orphan(pod, cluster);
                if orphan {
                    self.orphans.insert(pod);
                }
                orphan || self.terminated.len() > TERMINATED_THRESHOLD
            }
            What::Phase if row.phase.is_terminal() && !row.meta.removed => {
                self.terminated.insert(pod);
                self.terminated.len() > TERMINATED_THRESHOLD
            }
            What::Deleting if !row.meta.removed => {
                let lost = row.node.is_none_or(|node| is_out_of_service(node, cluster));
                if lost {
                    self.deleting.insert(pod);
                }
                lost
            }
            What::Removed => {
                self.terminated.remove(&pod);
                self.orphans.remove(&pod);
                self.deleting.remove(&pod);
                false
            }
            _ => false,
        }
    }

    fn node_changed(&mut self, node: NodeId, what: What, cluster: &Cluster) -> bool {
        match what {
            What::Removed => {
                self.orphans.extend(cluster.pods().filter(|(_, pod)| pod.node == Some(node)).map(|(id, _)| id));
                !self.orphans.is_empty()
            }
            What::Taints | What::Condition(_) if is_out_of_service(node, cluster) => {
                let deleting = cluster.node(node).pods.iter().filter(|&&pod| cluster.pod(pod).meta.is_deleting());
                self.deleting.extend(deleting);
                !self.deleting.is_empty()
            }
            _ => false,
        }
    }

    /// Too many pods have ended: evicted ones go first, then the oldest (`gcTerminated`).
    fn collect_terminated(&mut self, cluster: &mut Cluster) {
        if self.terminated.len() <= TERMINATED_THRESHOLD {
            return;
        }
        let excess = self.terminated.len() - TERMINATED_THRESHOLD;
        let evicted = cluster.interner.find("Evicted");
        let keyed = self.terminated.iter().map(|&pod| {
            let row = cluster.pod(pod);
            ((Some(row.reason) != evicted, row.meta.created.as_secs()), pod)
        });
        let mut pods: Vec<_> = keyed.collect();
        let order = |a: &((bool, u64), PodId), b: &((bool, u64), PodId)| {
            a.0.cmp(&b.0).then_with(|| cluster.name(a.1).cmp(cluster.name(b.1)))
        };
        if excess < pods.len() {
            pods.select_nth_unstable_by(excess, order);
            pods.truncate(excess);
        }
        pods.sort_unstable_by(order);
        let pods: Vec<PodId> = pods.into_iter().map(|(_, pod)| pod).collect();
        for pod in pods {
            cluster.delete_pod(pod, Some(0));
        }
    }

    /// Pods whose node is out of service, or that were never bound, are deleted for good (`gcTerminating`,
    /// `gcUnscheduledTerminating`).
    fn collect_deleting(&mut self, cluster: &mut Cluster) {
        for pod in std::mem::take(&mut self.deleting) {
            let row = cluster.pod(pod);
            if row.meta.removed || !row.meta.is_deleting() || is_orphan(pod, cluster) {
                continue;
            }
            if row.node.is_none_or(|node| is_out_of_service(node, cluster)) {
                fail(pod, cluster);
                cluster.delete_pod(pod, Some(0));
            }
        }
    }

    /// Pods of missing nodes go after the quarantine (`gcOrphaned`).
    fn collect_orphans(&mut self, cluster: &mut Cluster, now: Time) {
        self.orphans.retain(|&pod| is_orphan(pod, cluster));
        for &pod in &self.orphans {
            if let Some(name) = node_name(pod, cluster) {
                self.quarantine.entry(name).or_insert(now + QUARANTINE);
            }
        }
        let over: Vec<Sym> = self.quarantine.iter().filter(|(_, end)| **end <= now).map(|(&name, _)| name).collect();
        for &name in &over {
            self.quarantine.remove(&name);
        }
        let message = cluster.interner.sym("PodGC: node no longer exists");
        for pod in self.orphans.clone() {
            if !node_name(pod, cluster).is_some_and(|name| over.contains(&name)) {
                continue;
            }
            let words = cluster.words;
            let (kind, reason) = (words.disruption_target, words.deletion_by_pod_gc);
            // One that has ended is deleted as it is.
            if fail(pod, cluster) {
                cluster.set_pod_condition(pod, kind, ConditionStatus::True, reason, message);
            }
            cluster.delete_pod(pod, Some(0));
        }
    }
}

/// A pod that nobody can stop any more counts as failed (`markFailedAndDeletePodWithCondition`). Returns `false` for one that has
/// ended already.
fn fail(pod: PodId, cluster: &mut Cluster) -> bool {
    let row = cluster.pod(pod);
    let (runs, reason, message) = (!row.phase.is_terminal(), row.reason, row.message);
    cluster.set_pod_phase(pod, PodPhase::Failed, reason, message);
    runs
}

/// The name in `spec.nodeName`.
fn node_name(pod: PodId, cluster: &Cluster) -> Option<Sym> {
    let row = cluster.pod(pod);
    row.node.map(|node| cluster.node(node).meta.name).or(row.missing_node)
}

/// Whether the pod is bound to a node that is not there.
fn is_orphan(pod: PodId, cluster: &Cluster) -> bool {
    let row = cluster.pod(pod);
    let gone = match row.node {
        Some(node) => cluster.node(node).meta.removed,
        None => row.missing_node.is_some(),
    };
    let exists = |name: Sym| cluster.find_node(cluster.interner.text(name)).is_some();
    gone && !row.meta.removed && !node_name(pod, cluster).is_some_and(exists)
}

/// Whether the node is not ready and marked as being out of service.
fn is_out_of_service(node: NodeId, cluster: &Cluster) -> bool {
    let row = cluster.node(node);
    let ready = row.conditions.is_true(cluster.words.ready);
    !row.meta.removed && !ready && row.taints.iter().any(|taint| taint.taint.key == OUT_OF_SERVICE)
}
