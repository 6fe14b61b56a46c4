//! Pods that write more to the disk of their node than they may (kubelet, `eviction/eviction_manager.go` `localStorageEviction`).

use super::kubelets::{Cx, Kubelets};
use super::shape::PodShape;
use super::thresholds::Signal;
use super::usage::{container_usage, pod_disk};
use super::worker::{Stage, Worker};
use crate::cluster::{NodeId, PodId, ResourceId, quantity_text};
use crate::engine::{Id, Time};

impl Kubelets {
    /// The pods of a node that are over a limit, each with the message of its eviction.
    pub(super) fn over_limits(&self, node: NodeId, at: Time, cx: &Cx<'_>) -> Vec<(PodId, String)> {
        let pods = self.nodes[node.index()].pods.iter().filter_map(|&pod| self.worker(pod));
        let active = pods.filter(|w| w.stage == Stage::Active && !self.is_critical(w, cx));
        active.filter_map(|w| Some((w.pod, self.over_limit(w, at, cx)?))).collect()
    }

    /// Whether a pod of a node may come to be over a limit.
    pub(super) fn may_exceed_limits(&self, node: NodeId) -> bool {
        let pods = self.nodes[node.index()].pods.iter().filter_map(|&pod| self.worker(pod));
        pods.filter(|w| w.stage == Stage::Active).any(|w| has_limits(&w.shape) && writes(w))
    }

    /// The limits in the order in which the kubelet looks: of volumes, of the pod as a whole, of containers.
    fn over_limit(&self, w: &Worker, at: Time, cx: &Cx<'_>) -> Option<String> {
        for (volume, usage) in w.shape.empty_dirs.iter().zip(&w.behaviour.volumes) {
            let (Some(limit), Some(usage)) = (volume.size_limit, usage) else { continue };
            if w.sandbox && limit < usage.at(at, w.since) as i64 {
                let (name, limit) = (cx.cluster.interner.text(volume.name), bytes(limit));
                return Some(format!("Usage of EmptyDir volume \"{name}\" exceeds the limit \"{limit}\". "));
            }
        }
        let total = w.shape.disk_limit;
        if total.is_some_and(|limit| pod_disk(w, at).is_some_and(|used| limit < used)) {
            let total = bytes(total.unwrap_or(0));
            return Some(format!("Pod ephemeral local storage usage exceeds the total limit of containers {total}. "));
        }
        // With a filesystem of its own for images, writable layers lie there and only logs count, which are not modelled apart.
        let counts = self.options.image_fs_bytes.is_none();
        (0..w.rows.len()).filter(|_| counts).find_map(|idx| {
            let limit = w.container(idx).disk_limit?;
            let used = container_usage(w, idx, Signal::ImageFs, at)?;
            let (name, text) = (cx.cluster.interner.text(w.container(idx).name), bytes(limit));
            (limit < used).then(|| format!("Container {name} exceeded its local ephemeral storage limit \"{text}\". "))
        })
    }
}

fn has_limits(shape: &PodShape) -> bool {
    shape.disk_limit.is_some() || shape.empty_dirs.iter().any(|volume| volume.size_limit.is_some())
}

fn writes(w: &Worker) -> bool {
    w.behaviour.volumes.iter().any(Option::is_some) || w.behaviour.containers.iter().any(|m| m.usage.disk.is_some())
}

pub(super) fn bytes(amount: i64) -> String {
    quantity_text("ephemeral-storage", ResourceId::EPHEMERAL_STORAGE, amount)
}
