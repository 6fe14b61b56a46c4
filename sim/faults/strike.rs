//! What a failure does to the world when it begins, and what is undone when it ends.

use std::collections::BTreeMap;

use rand_chacha::rand_core::Rng;

use super::plan::{Containers, Failure, NodeFailure, Pods, Target};
use super::{Faults, Group};
use crate::cluster::{Agenda, Cluster, ContainerState, Elected, KubeletHealth, NodeId, PodId};
use crate::engine::{Distribution, Purpose};

/// What is failing now, and how many failures of each kind hold it down.
#[derive(Clone, Debug, Default)]
pub(super) struct Active {
    nodes: BTreeMap<NodeId, NodeFailures>,
    api_server: u32,
    etcd: u32,
    registry: u32,
    /// Causes that make the API server slow.
    slow: BTreeMap<u32, (f64, Option<Distribution>)>,
}

/// The failures of a node.
#[derive(Clone, Debug, Default)]
struct NodeFailures {
    crashes: u32,
    kubelets: u32,
    shutdowns: u32,
    partitions: u32,
    /// By cause.
    slow: BTreeMap<u32, f64>,
}

impl Active {
    /// A node that was silent is heard again whatever the plan says.
    pub(super) fn forget_silence(&mut self, node: NodeId) {
        if let Some(failures) = self.nodes.get_mut(&node) {
            (failures.crashes, failures.kubelets, failures.shutdowns, failures.partitions) = (0, 0, 0, 0);
        }
    }
}

impl NodeFailures {
    fn count(&mut self, failure: NodeFailure) -> &mut u32 {
        match failure {
            NodeFailure::Crash => &mut self.crashes,
            NodeFailure::Kubelet => &mut self.kubelets,
            NodeFailure::Shutdown => &mut self.shutdowns,
            NodeFailure::Partition | NodeFailure::Slow(_) => &mut self.partitions,
        }
    }

    /// The worst of what lasts.
    fn show(&self, node: NodeId, cluster: &mut Cluster) {
        let since = cluster.now();
        let now = cluster.node(node).kubelet;
        // A shutdown ends with the machine down.
        let is_off = self.shutdowns > 0 && matches!(now, KubeletHealth::Down { .. });
        let health = match (self.crashes, self.shutdowns, self.kubelets, self.partitions) {
            (0, 0, 0, 0) => KubeletHealth::Running,
            (0, 0, 0, _) => KubeletHealth::Partitioned { since },
            (0, 0, ..) => KubeletHealth::Stopped { since },
            (0, ..) if !is_off => KubeletHealth::ShuttingDown { since },
            _ => KubeletHealth::Down { since },
        };
        // What it is already keeps the instant at which it began.
        if std::mem::discriminant(&now) != std::mem::discriminant(&health) {
            cluster.set_kubelet_health(node, health);
        }
        cluster.set_slowdown(node, self.slow.values().product());
    }
}

impl Faults {
    /// A failure begins. Returns how many things it strikes.
    pub(super) fn strike(&mut self, index: u32, cluster: &mut Cluster, agenda: &mut Agenda) -> usize {
        let cause = &self.causes[index as usize];
        let fault = &self.plan[cause.fault];
        match fault.failure.clone() {
            Failure::Nodes(target, failure) => {
                let nodes = nodes(&target, &cause.group, cluster);
                if fault.is_instant() {
                    nodes.iter().for_each(|&node| cluster.restart_kubelet(node));
                    return nodes.len();
                }
                nodes.iter().for_each(|&node| self.strike_node(index, node, failure, cluster));
                let n_nodes = nodes.len();
                self.causes[index as usize].struck = nodes;
                n_nodes
            }
            Failure::Containers(containers) => self.crash_containers(index, &containers, cluster, agenda),
            Failure::ApiServer => {
                self.active.api_server += 1;
                cluster.set_api_server(false);
                1
            }
            Failure::SlowApiServer { factor, latency } => {
                self.active.slow.insert(index, (factor, latency));
                self.slow_down(agenda);
                1
            }
            Failure::Etcd => {
                self.active.etcd += 1;
                cluster.set_etcd(false);
                1
            }
            Failure::Scheduler => self.crash_replica(index, Elected::Scheduler, cluster, agenda),
            Failure::ControllerManager => self.crash_replica(index, Elected::ControllerManager, cluster, agenda),
            Failure::ImageRegistry => {
                self.active.registry += 1;
                cluster.registry_up = false;
                1
            }
        }
    }

    /// A failure ends.
    pub(super) fn mend(&mut self, index: u32, cluster: &mut Cluster, agenda: &mut Agenda) {
        let cause = &mut self.causes[index as usize];
        let (struck, replica) = (std::mem::take(&mut cause.struck), cause.replica.take());
        match self.plan[cause.fault].failure.clone() {
            Failure::Nodes(_, failure) => {
                struck.into_iter().for_each(|node| self.mend_node(index, node, failure, cluster));
            }
            Failure::Containers(_) => {}
            Failure::ApiServer => {
                self.active.api_server = self.active.api_server.saturating_sub(1);
                cluster.set_api_server(self.active.api_server == 0);
            }
            Failure::SlowApiServer { .. } => {
                self.active.slow.remove(&index);
                self.slow_down(agenda);
            }
            Failure::Etcd => {
                self.active.etcd = self.active.etcd.saturating_sub(1);
                cluster.set_etcd(self.active.etcd == 0);
            }
            Failure::Scheduler => self.start_replica(replica, Elected::Scheduler, cluster, agenda),
            Failure::ControllerManager => self.start_replica(replica, Elected::ControllerManager, cluster, agenda),
            Failure::ImageRegistry => {
                self.active.registry = self.active.registry.saturating_sub(1);
                cluster.registry_up = self.active.registry == 0;
            }
        }
    }

    fn strike_node(&mut self, index: u32, node: NodeId, failure: NodeFailure, cluster: &mut Cluster) {
        let failures = self.active.nodes.entry(node).or_default();
        match failure {
            NodeFailure::Slow(factor) => _ = failures.slow.insert(index, factor),
            _ => *failures.count(failure) += 1,
        }
        failures.show(node, cluster);
    }

    fn mend_node(&mut self, index: u32, node: NodeId, failure: NodeFailure, cluster: &mut Cluster) {
        let Some(failures) = self.active.nodes.get_mut(&node) else { return };
        match failure {
            NodeFailure::Slow(_) => _ = failures.slow.remove(&index),
            _ => {
                let count = failures.count(failure);
                *count = count.saturating_sub(1);
            }
        }
        if !cluster.node(node).meta.removed {
            failures.show(node, cluster);
        }
    }

    fn crash_replica(&mut self, index: u32, process: Elected, cluster: &mut Cluster, agenda: &mut Agenda) -> usize {
        let replica = self.election(process).and_then(|election| election.crash(cluster, agenda));
        self.causes[index as usize].replica = replica;
        usize::from(replica.is_some())
    }

    fn start_replica(&mut self, replica: Option<usize>, process: Elected, cluster: &Cluster, agenda: &mut Agenda) {
        if let (Some(replica), Some(election)) = (replica, self.election(process)) {
            election.start(replica, cluster, agenda);
        }
    }

    /// The API server is as slow as all that makes it slow together.
    fn slow_down(&self, agenda: &mut Agenda) {
        let Some(as_given) = &self.as_given else { return };
        let slow = self.active.slow.values();
        let factor = slow.clone().map(|(factor, _)| if *factor == 0.0 { 1.0 } else { *factor }).product();
        agenda.control_plane = as_given.slowed(factor, slow.filter_map(|(_, latency)| latency.clone()).collect());
    }

    /// Ends processes of containers that run. Returns how many.
    fn crash_containers(&self, index: u32, which: &Containers, cluster: &mut Cluster, agenda: &Agenda) -> usize {
        let mut running = running(which, cluster);
        if which.one && running.len() > 1 {
            let cause = &self.causes[index as usize];
            let mut stream = agenda.stream(Purpose::NodeFailure, (cause.fault as u64) << 40 | 1 << 39, cause.turn);
            let drawn = running.swap_remove((stream.next_u64() % running.len() as u64) as usize);
            running = vec![drawn];
        }
        let crashed =
            running.into_iter().filter(|&(pod, idx)| cluster.crash_container(pod, idx, which.exit_code, which.oom));
        crashed.count()
    }
}

/// The nodes that a cause strikes.
fn nodes(target: &Target, group: &Group, cluster: &Cluster) -> Vec<NodeId> {
    let with = |key: &str, value: &str| {
        let has = |labels| cluster.label(labels, key) == Some(value);
        cluster.nodes().filter(|(_, node)| has(node.meta.labels)).map(|(id, _)| id).collect()
    };
    match (target, group) {
        (_, Group::Node(node)) => Some(*node).filter(|&node| !cluster.node(node).meta.removed).into_iter().collect(),
        (Target::EachValue(key), Group::Value(value)) => with(key, value),
        (Target::Node(name), _) => cluster.find_node(name).into_iter().collect(),
        (Target::Label(key, value), _) => with(key, value),
        (Target::EachNode | Target::EachValue(_), _) => Vec::new(),
    }
}

/// The values of a label that nodes have, in order.
pub(super) fn values(key: &str, cluster: &Cluster) -> Vec<String> {
    let mut values: Vec<String> =
        cluster.nodes().filter_map(|(_, node)| cluster.label(node.meta.labels, key).map(str::to_owned)).collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// The containers meant that run, as far as the store knows: one of each pod.
fn running(which: &Containers, cluster: &Cluster) -> Vec<(PodId, usize)> {
    let pods: Vec<PodId> = match &which.pods {
        Pods::Named(name) => cluster.find_pod(&which.namespace, name).into_iter().collect(),
        Pods::Labels(labels) => {
            let has = |pod: PodId| {
                let own = cluster.pod(pod).meta.labels;
                labels.iter().all(|(key, value)| cluster.label(own, key) == Some(value.as_str()))
            };
            let namespace = cluster.interner.find(&which.namespace);
            namespace.into_iter().flat_map(|namespace| cluster.pods_in(namespace)).filter(|&pod| has(pod)).collect()
        }
    };
    pods.into_iter().filter_map(|pod| container(which, pod, cluster).map(|idx| (pod, idx))).collect()
}

fn container(which: &Containers, pod: PodId, cluster: &Cluster) -> Option<usize> {
    let spec = cluster.spec_of(pod);
    let idx = match &which.container {
        Some(name) => spec.container_names.iter().position(|&known| cluster.interner.text(known) == name)?,
        None => spec.typed.init_containers.as_ref().map_or(0, Vec::len),
    };
    let status = cluster.pod(pod).containers.get(idx)?;
    matches!(status.state, ContainerState::Running { .. }).then_some(idx)
}
