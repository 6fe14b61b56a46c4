//! What a kubelet refuses to run (kubelet, `lifecycle/predicate.go`).

use super::eviction;
use super::kubelets::{Cx, Kubelets};
use crate::api::node_selector::RequiredNodeAffinity;
use crate::api::toleration::{Taint, TaintEffect, Toleration, find_untolerated_taint};
use crate::cluster::{Cluster, EventType, KubeletHealth, NodeId, PodId, ResourceId};

impl Kubelets {
    /// Why the kubelet refuses a pod that is bound to its node: reason and message; `None` if it runs it.
    pub(super) fn reject(&self, pod: PodId, node: NodeId, cx: &Cx<'_>) -> Option<(String, String)> {
        let cluster = &*cx.cluster;
        let by_node = reject_by_node(pod, node, cluster);
        by_node
            .or_else(|| self.reject_by_resources(pod, node, cluster))
            .or_else(|| reject_by_selector(pod, node, cluster))
    }

    /// Resources in the order of the scheduler's filter: pods, cpu, memory, ephemeral storage, others.
    fn reject_by_resources(&self, pod: PodId, node: NodeId, cluster: &Cluster) -> Option<(String, String)> {
        let mut wanted = vec![(ResourceId::PODS, 1)];
        let requests = &cluster.resources_of(pod).requests;
        wanted
            .extend(requests.iter().copied().filter(|&(resource, amount)| amount > 0 && resource != ResourceId::PODS));
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

/// Why a node that is shutting down or under pressure takes no pod.
fn reject_by_node(pod: PodId, node: NodeId, cluster: &Cluster) -> Option<(String, String)> {
    if matches!(cluster.node(node).kubelet, KubeletHealth::ShuttingDown { .. }) {
        return Some(("NodeShutdown".to_owned(), "Pod was rejected as the node is shutting down.".to_owned()));
    }
    let (words, conditions, spec) = (&cluster.words, &cluster.node(node).conditions, cluster.spec_of(pod));
    let memory = conditions.is_true(words.memory_pressure);
    let others = conditions.is_true(words.disk_pressure) || conditions.is_true(words.pid_pressure);
    if !memory && !others {
        return None;
    }
    let taint = Taint {
        key: "node.kubernetes.io/memory-pressure".to_owned(),
        value: String::new(),
        effect: TaintEffect::NoSchedule,
    };
    let tolerates = tolerations(&spec.typed).iter().any(|toleration| toleration.tolerates(&taint));
    if eviction::admits(!others, spec.qos, spec.priority, tolerates) {
        return None;
    }
    let named = [
        (memory, "MemoryPressure"),
        (conditions.is_true(words.disk_pressure), "DiskPressure"),
        (conditions.is_true(words.pid_pressure), "PIDPressure"),
    ];
    let named: Vec<&str> = named.into_iter().filter(|(holds, _)| *holds).map(|(_, name)| name).collect();
    Some(("Evicted".to_owned(), format!("The node had condition: [{}]. ", named.join(" "))))
}

/// Required node affinity and `NoExecute` taints: what a pod that was bound by name may not match.
fn reject_by_selector(pod: PodId, node: NodeId, cluster: &Cluster) -> Option<(String, String)> {
    let (row, typed) = (cluster.node(node), &cluster.spec_of(pod).typed);
    let affinity = RequiredNodeAffinity::of_pod(typed);
    let name = cluster.name(node);
    let matches = affinity.matches(name, |key| cluster.label(row.meta.labels, key)).unwrap_or(false);
    let failed =
        |predicate: &str, what: &str| Some((predicate.to_owned(), format!("Predicate {predicate} failed: {what}")));
    if !matches {
        return failed("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");
    }
    let taints: Vec<Taint> = row.taints.iter().map(|taint| taint.taint.clone()).collect();
    let untolerated = find_untolerated_taint(&taints, &tolerations(typed), &[TaintEffect::NoExecute]);
    if untolerated.is_some() {
        return failed("TaintToleration", "node(s) had taints that the pod didn't tolerate");
    }
    None
}

fn tolerations(spec: &k8s_openapi::api::core::v1::PodSpec) -> Vec<Toleration> {
    spec.tolerations.iter().flatten().filter_map(Toleration::from_api).collect()
}
