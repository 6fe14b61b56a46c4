//! What a kubelet refuses to run (kubelet, `lifecycle/predicate.go`).

use super::eviction;
use super::kubelets::{Cx, Kubelets};
use super::preemption::Missing;
use super::statics::is_static;
use crate::api::node_selector::RequiredNodeAffinity;
use crate::api::toleration::{Taint, TaintEffect, Toleration, find_untolerated_taint};
use crate::cluster::{Cluster, EventType, KubeletHealth, NodeId, PodId, ResourceId};

/// What the kubelet makes of a pod that is bound to its node.
pub(super) enum Admission {
    /// It runs it.
    Admitted,
    /// It refuses it: reason and message.
    Refused(String, String),
    /// It stops others first; the pod is looked at again.
    Waits,
}

impl Kubelets {
    /// Decides about a pod; makes room for a critical one that does not fit.
    pub(super) fn admit(&mut self, pod: PodId, node: NodeId, cx: &mut Cx<'_>) -> Admission {
        if let Some((reason, message)) = reject_by_node(pod, node, cx.cluster) {
            return Admission::Refused(reason, message);
        }
        let missing = self.missing_resources(pod, node, cx.cluster);
        let other = self.reject_by_others(pod, node, cx.cluster);
        if !missing.is_empty() && other.is_none() && is_critical(pod, cx.cluster) {
            let missing: Vec<Missing> = missing.iter().map(|(missing, _)| missing.clone()).collect();
            return match self.make_room(pod, node, &missing, cx) {
                Ok(()) => Admission::Waits,
                Err((reason, message)) => Admission::Refused(reason, message),
            };
        }
        // Only the first reason is told.
        let resources = missing.first().map(|(missing, text)| {
            (format!("OutOf{}", cx.cluster.interner.resource_name(missing.resource)), text.clone())
        });
        match resources.or(other) {
            Some((reason, message)) => Admission::Refused(reason, message),
            None => Admission::Admitted,
        }
    }

    /// What is missing for a pod, with messages; in the order of the scheduler's filter: pods, cpu, memory, ephemeral storage, others.
    fn missing_resources(&self, pod: PodId, node: NodeId, cluster: &Cluster) -> Vec<(Missing, String)> {
        let mut wanted = vec![(ResourceId::PODS, 1)];
        let requests = &cluster.resources_of(pod).requests;
        wanted
            .extend(requests.iter().copied().filter(|&(resource, amount)| amount > 0 && resource != ResourceId::PODS));
        let columns = cluster.columns();
        let mut out = Vec::new();
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
                out.push((Missing { resource, amount: requested - (capacity - used) }, text));
            }
        }
        out
    }

    /// Why a pod is refused whatever is free.
    fn reject_by_others(&self, pod: PodId, node: NodeId, cluster: &Cluster) -> Option<(String, String)> {
        reject_by_affinity(pod, node, cluster)
            .or_else(|| self.reject_by_ports(pod, node, cluster))
            .or_else(|| reject_by_taints(pod, node, cluster))
    }

    /// Ports of the node that a pod wants and another one of the kubelet has.
    fn reject_by_ports(&self, pod: PodId, node: NodeId, cluster: &Cluster) -> Option<(String, String)> {
        let wanted = host_ports(&cluster.spec_of(pod).typed);
        let others = || cluster.node(node).pods.iter().filter(|&&other| other != pod && self.worker(other).is_some());
        let taken =
            |port: &HostPort| others().any(|&other| host_ports(&cluster.spec_of(other).typed).any(|p| p.clashes(port)));
        wanted
            .into_iter()
            .any(|port| taken(&port))
            .then(|| predicate_failed("NodePorts", "node(s) didn't have free ports for the requested pod ports"))
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
    if is_static(pod, cluster) || eviction::admits(!others, spec.qos, spec.priority, tolerates) {
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

/// Required node affinity: what a pod that was bound by name may not match.
fn reject_by_affinity(pod: PodId, node: NodeId, cluster: &Cluster) -> Option<(String, String)> {
    let (row, typed) = (cluster.node(node), &cluster.spec_of(pod).typed);
    let affinity = RequiredNodeAffinity::of_pod(typed);
    let matches = affinity.matches(cluster.name(node), |key| cluster.label(row.meta.labels, key)).unwrap_or(false);
    (!matches).then(|| predicate_failed("NodeAffinity", "node(s) didn't match Pod's node affinity/selector"))
}

/// `NoExecute` taints; static pods are not asked.
fn reject_by_taints(pod: PodId, node: NodeId, cluster: &Cluster) -> Option<(String, String)> {
    let taints: Vec<Taint> = cluster.node(node).taints.iter().map(|taint| taint.taint.clone()).collect();
    let tolerations = tolerations(&cluster.spec_of(pod).typed);
    find_untolerated_taint(&taints, &tolerations, &[TaintEffect::NoExecute])?;
    (!is_static(pod, cluster))
        .then(|| predicate_failed("TaintToleration", "node(s) had taints that the pod didn't tolerate"))
}

fn predicate_failed(predicate: &str, what: &str) -> (String, String) {
    (predicate.to_owned(), format!("Predicate {predicate} failed: {what}"))
}

/// Whether a pod is static or of critical priority (kubelet, `IsCriticalPod`).
fn is_critical(pod: PodId, cluster: &Cluster) -> bool {
    eviction::CRITICAL_PRIORITY <= cluster.spec_of(pod).priority || is_static(pod, cluster)
}

/// A port of the node: address, protocol, number.
struct HostPort<'a>(&'a str, &'a str, i32);

impl HostPort<'_> {
    fn clashes(&self, other: &HostPort<'_>) -> bool {
        let any = |ip: &str| ip.is_empty() || ip == "0.0.0.0";
        (self.1, self.2) == (other.1, other.2) && (any(self.0) || any(other.0) || self.0 == other.0)
    }
}

fn host_ports(spec: &k8s_openapi::api::core::v1::PodSpec) -> impl Iterator<Item = HostPort<'_>> {
    let sidecars = spec.init_containers.iter().flatten().filter(|c| c.restart_policy.as_deref() == Some("Always"));
    let ports = spec.containers.iter().chain(sidecars).flat_map(|container| container.ports.iter().flatten());
    ports.filter_map(|port| {
        let number = port.host_port.filter(|&number| number > 0)?;
        Some(HostPort(port.host_ip.as_deref().unwrap_or_default(), port.protocol.as_deref().unwrap_or("TCP"), number))
    })
}

fn tolerations(spec: &k8s_openapi::api::core::v1::PodSpec) -> Vec<Toleration> {
    spec.tolerations.iter().flatten().filter_map(Toleration::from_api).collect()
}
