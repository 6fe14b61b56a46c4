//! What a kubelet refuses to run (kubelet, `lifecycle/predicate.go`).

use super::kubelets::{Cx, Kubelets};
use crate::cluster::{Cluster, EventType, NodeId, PodId, ResourceId};

impl Kubelets {
    /// Why the kubelet refuses a pod that is bound to its node: reason and message; `None` if it runs it.
    pub(super) fn reject(&self, pod: PodId, node: NodeId, cx: &Cx<'_>) -> Option<(String, String)> {
        let cluster = &*cx.cluster;
        self.reject_by_resources(pod, node, cluster).or_else(|| reject_by_selector(pod, node, cluster))
    }

    /// Resources in the order of the scheduler's filter: pods, cpu, memory, ephemeral storage, others.
    fn reject_by_resources(&self, pod: PodId, node: NodeId, cluster: &Cluster) -> Option<(String, String)> {
        let mut wanted = vec![(ResourceId::PODS, 1)];
        let requests = &cluster.resources_of(pod).requests;
        wanted.extend(requests.iter().copied().filter(|&(resource, amount)| amount > 0 && resource != ResourceId::PODS));
        let columns = cluster.columns();
        for (resource, requested) in wanted {
            let capacity = columns.allocatable(node, resource);
            let all = match resource {
                ResourceId::PODS => cluster.node(node).pods.len() as i64,
                _ => columns.requested(node, resource),
            };
            // What only the scheduler knows of, and pods not seen yet, do not count.
            if all <= capacity {
                continue;
            }
            let used = self.used(pod, node, resource, cluster);
            if capacity < used + requested {
                let name = cluster.interner.resource_name(resource);
                let text = format!(
                    "Node didn't have enough resource: {name}, requested: {requested}, used: {used}, capacity: {capacity}"
                );
                return Some((format!("OutOf{name}"), text));
            }
        }
        None
    }

    /// What the pods that the kubelet already runs take of a resource.
    fn used(&self, pod: PodId, node: NodeId, resource: ResourceId, cluster: &Cluster) -> i64 {
        let others = cluster.node(node).pods.iter().filter(|&&other| other != pod && self.worker(other).is_some());
        others
            .map(|&other| match resource {
                ResourceId::PODS => 1,
                _ => cluster.resources_of(other).request(resource),
            })
            .sum()
    }

    /// Reports and records a refusal: the pod has failed for good.
    pub(super) fn report_rejection(&mut self, pod: PodId, reason: &str, message: &str, cx: &mut Cx<'_>) {
        self.note_pod(pod, EventType::Warning, reason, message, cx);
        self.report_rejected(pod, reason, &format!("Pod was rejected: {message}"), cx);
    }
}

/// `nodeSelector`: what a pod that was bound by name asks for in vain.
fn reject_by_selector(pod: PodId, node: NodeId, cluster: &Cluster) -> Option<(String, String)> {
    let selector = cluster.spec_of(pod).typed.node_selector.as_ref()?;
    let labels = cluster.node(node).meta.labels;
    let matches = selector.iter().all(|(key, value)| cluster.label(labels, key) == Some(value.as_str()));
    let text = "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector";
    (!matches).then(|| ("NodeAffinity".to_owned(), text.to_owned()))
}
