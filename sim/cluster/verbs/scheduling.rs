//! What the scheduler writes: assumptions, bindings, nominations.

use crate::cluster::change::{ConditionChange, What};
use crate::cluster::condition::{Condition, ConditionStatus};
use crate::cluster::ids::{NodeId, PodId, Sym};
use crate::cluster::store::Cluster;

impl Cluster {
    /// Puts a pod on a node in the scheduler's view, before anyone else knows (kube-scheduler, `assume`).
    ///
    /// # Panics
    ///
    /// If the pod is placed already.
    pub fn assume(&mut self, pod: PodId, node: NodeId) {
        assert!(self.pods[pod].placed().is_none(), "no pod would be assumed twice");
        self.pods[pod].assumed = Some(node);
        self.occupy(pod);
        // Only the scheduler's cache knows: no revision.
        self.changes.push(crate::cluster::change::Change { object: pod.into(), what: What::Assumed(node) });
    }

    /// Takes an assumption back (kube-scheduler, `ForgetPod`).
    pub fn forget(&mut self, pod: PodId) {
        if let Some(node) = self.pods[pod].assumed {
            self.vacate(pod);
            self.pods[pod].assumed = None;
            self.changes.push(crate::cluster::change::Change { object: pod.into(), what: What::Forgotten(node) });
        }
    }

    /// Writes the binding: `spec.nodeName`, condition `PodScheduled`, the nomination cleared, and the node's zone and region
    /// labels copied to the pod (admission plugin `PodTopologyLabels`).
    ///
    /// # Panics
    ///
    /// If the pod is bound already.
    pub fn bind(&mut self, pod: PodId, node: NodeId) {
        assert!(self.pods[pod].node.is_none(), "no pod is bound twice");
        if self.pods[pod].assumed == Some(node) {
            let row = &mut self.pods[pod];
            (row.assumed, row.node) = (None, Some(node));
        } else {
            self.vacate(pod);
            let row = &mut self.pods[pod];
            (row.assumed, row.node) = (None, Some(node));
            self.occupy(pod);
        }
        self.pods[pod].nominated = None;
        self.copy_topology_labels(pod, node);
        let kind = self.words.pod_scheduled;
        self.pods[pod].conditions.set(Condition {
            kind,
            status: ConditionStatus::True,
            reason: Sym::EMPTY,
            message: Sym::EMPTY,
            transition: self.now,
            update: self.now,
        });
        self.changes.push(crate::cluster::change::Change {
            object: pod.into(),
            what: What::Condition(ConditionChange {
                kind,
                status: Some(ConditionStatus::True),
                reason: Sym::EMPTY,
                message: Sym::EMPTY,
            }),
        });
        self.wrote(pod.into(), What::Bound(node));
    }

    /// Sets or clears `status.nominatedNodeName`.
    pub fn nominate(&mut self, pod: PodId, node: Option<NodeId>) {
        if self.pods[pod].nominated != node {
            self.pods[pod].nominated = node;
            self.wrote(pod.into(), What::Nominated(node));
        }
    }

    fn copy_topology_labels(&mut self, pod: PodId, node: NodeId) {
        let mut labels = self.pods[pod].meta.labels;
        for key in ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"] {
            let Some(key_sym) = self.interner.find(key) else { continue };
            if let Some(value) = self.interner.value(self.nodes[node].meta.labels, key_sym)
                && self.interner.value(labels, key_sym) != Some(value)
            {
                let value = self.interner.shared_text(value);
                labels = self.interner.with(labels, key, Some(&value));
            }
        }
        if labels != self.pods[pod].meta.labels {
            self.pods[pod].meta.labels = labels;
            self.changes.push(crate::cluster::change::Change { object: pod.into(), what: What::Labels });
        }
    }
}
