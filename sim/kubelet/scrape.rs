//! What metrics-server gets when it asks the kubelets: the usage of every running container that a model says something about.

use std::collections::BTreeMap;

use super::kubelets::Kubelets;
use super::model::Usage;
use super::worker::Worker;
use crate::api::quantity::Quantity;
use crate::cluster::{Cluster, ContainerUsage, FRESH_CONTAINER, KubeletHealth, METRIC_RESOLUTION, PodId, PodMetrics};
use crate::engine::Time;

impl Kubelets {
    /// A scrape of all nodes that can be reached. CPU is the mean since the scrape before, or since the container's start; a container
    /// that has just started has no sample, and neither has its pod. A shared load is divided among the pods that are ready now.
    pub fn scrape(&self, cluster: &Cluster) -> Vec<(PodId, PodMetrics)> {
        let (now, mut sharing) = (cluster.now(), BTreeMap::<u32, usize>::new());
        let running: Vec<(PodId, &Worker)> = cluster
            .nodes()
            .filter(|(_, node)| matches!(node.kubelet, KubeletHealth::Running | KubeletHealth::ShuttingDown { .. }))
            .flat_map(|(_, node)| node.pods.iter().copied())
            .filter_map(|pod| Some((pod, self.worker(pod)?)))
            .collect();
        for (_, worker) in running.iter().filter(|(pod, _)| cluster.is_serving(*pod)) {
            for idx in 0..worker.rows.len() {
                if let Some(Usage::Shared { group, .. }) = &worker.model(idx).usage.cpu {
                    *sharing.entry(*group).or_insert(0) += 1;
                }
            }
        }
        running
            .into_iter()
            .filter_map(|(pod, worker)| Some((pod, sample(pod, worker, &sharing, cluster, now)?)))
            .collect()
    }
}

fn sample(
    pod: PodId,
    worker: &Worker,
    sharing: &BTreeMap<u32, usize>,
    cluster: &Cluster,
    now: Time,
) -> Option<PodMetrics> {
    let (mut containers, mut begin) = (Vec::new(), now);
    let names = &cluster.spec_of(pod).container_names;
    for idx in 0..worker.rows.len() {
        let Some(started) = worker.rows[idx].running_since() else { continue };
        let model = &worker.model(idx).usage;
        if model.cpu.is_none() && model.memory.is_none() {
            continue;
        }
        if now.since(started) < FRESH_CONTAINER {
            return None;
        }
        let from = started.max(now - METRIC_RESOLUTION);
        begin = begin.min(from);
        let cpu = model.cpu.as_ref().map_or(0.0, |usage| match usage {
            Usage::Shared { group, .. } if cluster.is_serving(pod) => {
                let n_sharing = sharing.get(group).copied().unwrap_or(1).max(1);
                usage.mean(from, now, started) / n_sharing as f64
            }
            Usage::Shared { .. } => 0.0,
            usage => usage.mean(from, now, started),
        });
        let limit = cpu_limit(cluster, pod, idx).unwrap_or(i64::MAX);
        containers.push(ContainerUsage {
            container: *names.get(idx)?,
            cpu_milli: (libm::ceil(cpu - 1e-6) as i64).clamp(0, limit),
            memory_bytes: model.memory.as_ref().map_or(0, |usage| usage.at(now, started) as i64),
        });
    }
    (!containers.is_empty()).then(|| PodMetrics { at: now, window: now.since(begin), containers })
}

/// A container cannot use more than its limit.
fn cpu_limit(cluster: &Cluster, pod: PodId, idx: usize) -> Option<i64> {
    let spec = cluster.spec_of(pod);
    let container = match idx.checked_sub(spec.n_init_containers) {
        Some(regular) => spec.typed.containers.get(regular)?,
        None => spec.typed.init_containers.as_ref()?.get(idx)?,
    };
    let limit = container.resources.as_ref()?.limits.as_ref()?.get("cpu")?;
    limit.0.parse::<Quantity>().ok().map(|limit| limit.milli_value())
}
