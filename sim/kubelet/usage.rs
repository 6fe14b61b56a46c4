//! What pods use of their node, as models say: memory, disk, processes.

use super::kubelets::{Cx, Kubelets};
use super::model::{ContainerModel, Usage};
use super::thresholds::{Observation, Signal};
use super::worker::{Stage, Worker};
use crate::cluster::{NodeId, PodId, ResourceId};
use crate::engine::{Id, Time};

/// One modelled usage: what it is of, and since when it counts.
pub(super) struct Part<'a> {
    pub usage: &'a Usage,
    pub since: Time,
}

impl Part<'_> {
    pub(super) fn at(&self, at: Time) -> i64 {
        self.usage.at(at, self.since) as i64
    }
}

/// A filesystem has one inode for so many bytes, unless the configuration says otherwise (mke2fs, `inode_ratio`).
const BYTES_PER_INODE: i64 = 16_384;

impl Kubelets {
    /// What the running containers of a pod use at `at`: thousandths of a core, and bytes. `None` if no model says so.
    pub fn usage(&self, pod: PodId, at: Time) -> Option<(i64, i64)> {
        let w = self.worker(pod)?;
        let cpu = sum(running(w, |model| model.usage.cpu.as_ref()), at);
        let memory = pod_usage(w, Signal::Memory, at);
        (cpu.is_some() || memory.is_some()).then(|| (cpu.unwrap_or(0), memory.unwrap_or(0)))
    }

    /// What is left of each signal of a node; a signal without a capacity is not observed.
    pub(super) fn observe_node(&self, node: NodeId, at: Time, cx: &Cx<'_>) -> Vec<Observation> {
        let used = |signal: Signal| self.used_of(node, signal, at);
        self.observations(node, used, cx)
    }

    /// The least that may ever be left of each signal as long as no container starts.
    pub(super) fn worst_case(&self, node: NodeId, cx: &Cx<'_>) -> Vec<Observation> {
        let most = |signal: Signal| {
            let pods = self.nodes[node.index()].pods.iter().filter_map(|&pod| self.worker(pod));
            pods.map(|w| most(w, signal)).fold(0, i64::saturating_add)
        };
        self.observations(node, most, cx)
    }

    /// Whether any modelled usage on a node changes with time.
    pub(super) fn usage_varies(&self, node: NodeId) -> bool {
        let pods = self.nodes[node.index()].pods.iter().filter_map(|&pod| self.worker(pod));
        let varies = |usage: Option<&Usage>| usage.is_some_and(Usage::varies);
        pods.filter(|w| w.stage != Stage::Ended).any(|w| {
            let models = w.behaviour.containers.iter().map(|model| &model.usage);
            let mut volumes = w.behaviour.volumes.iter().chain(&w.behaviour.volume_inodes);
            volumes.any(|usage| varies(usage.as_ref()))
                || models.into_iter().any(|usage| {
                    let all = [&usage.memory, &usage.disk, &usage.pids, &usage.inodes];
                    all.into_iter().any(|usage| varies(usage.as_ref()))
                })
        })
    }

    fn used_of(&self, node: NodeId, signal: Signal, at: Time) -> i64 {
        let pods = self.nodes[node.index()].pods.iter().filter_map(|&pod| self.worker(pod));
        pods.filter_map(|w| pod_usage(w, signal, at)).fold(0, i64::saturating_add)
    }

    fn observations(&self, node: NodeId, used: impl Fn(Signal) -> i64, cx: &Cx<'_>) -> Vec<Observation> {
        let row = cx.cluster.node(node);
        let capacity =
            |resource: ResourceId| row.capacity.iter().find(|(id, _)| *id == resource).map(|&(_, amount)| amount);
        let images = self.nodes[node.index()].images.total_bytes();
        let mut out = Vec::new();
        let mut push = |signal: Signal, capacity: i64, used: i64| {
            let available = capacity.saturating_sub(used).max(0);
            out.push(Observation { signal, available, capacity });
        };
        if let Some(bytes) = capacity(ResourceId::MEMORY) {
            push(Signal::Memory, bytes, used(Signal::Memory));
        }
        let disk = capacity(ResourceId::EPHEMERAL_STORAGE);
        match (disk, self.options.image_fs_bytes) {
            (Some(bytes), None) => {
                let used = used(Signal::NodeFs).saturating_add(used(Signal::ImageFs)).saturating_add(images);
                push(Signal::NodeFs, bytes, used);
                push(Signal::ImageFs, bytes, used);
            }
            (disk, Some(image_fs)) => {
                if let Some(bytes) = disk {
                    push(Signal::NodeFs, bytes, used(Signal::NodeFs));
                }
                push(Signal::ImageFs, image_fs, used(Signal::ImageFs).saturating_add(images));
            }
            (None, None) => {}
        }
        let inodes = |given: Option<i64>, bytes: Option<i64>| given.or_else(|| bytes.map(|b| b / BYTES_PER_INODE));
        let node_inodes = inodes(self.options.node_fs_inodes, disk);
        let image_inodes = inodes(self.options.image_fs_inodes, self.options.image_fs_bytes);
        match (node_inodes, self.options.image_fs_bytes.and(image_inodes)) {
            (Some(all), None) => {
                let used = used(Signal::NodeFsInodes).saturating_add(used(Signal::ImageFsInodes));
                push(Signal::NodeFsInodes, all, used);
                push(Signal::ImageFsInodes, all, used);
            }
            (node, image) => {
                if let Some(all) = node {
                    push(Signal::NodeFsInodes, all, used(Signal::NodeFsInodes));
                }
                if let Some(all) = image {
                    push(Signal::ImageFsInodes, all, used(Signal::ImageFsInodes));
                }
            }
        }
        push(Signal::Pid, self.options.max_pids, used(Signal::Pid));
        out
    }
}

/// Usage of the containers of a pod that run.
fn running<'a>(
    w: &'a Worker,
    usage: impl Fn(&'a ContainerModel) -> Option<&'a Usage>,
) -> impl Iterator<Item = Part<'a>> {
    let rows = w.rows.iter().zip(&w.behaviour.containers);
    rows.filter_map(move |(row, model)| Some(Part { usage: usage(model)?, since: row.running_since()? }))
}

/// Usage of the volumes of a pod that lie in memory, or on disk.
pub(super) fn volumes(w: &Worker, in_memory: bool) -> impl Iterator<Item = Part<'_>> {
    let live = w.sandbox && w.stage != Stage::Ended;
    let volumes = w.shape.empty_dirs.iter().zip(&w.behaviour.volumes).filter(move |_| live);
    volumes
        .filter(move |(volume, _)| volume.in_memory == in_memory)
        .filter_map(|(_, usage)| Some(Part { usage: usage.as_ref()?, since: w.since }))
}

/// What a pod uses of what a signal watches; `None` if nothing is modelled. Writable layers and logs count as image filesystem:
/// where there is none of its own the two are added up.
pub(super) fn pod_usage(w: &Worker, signal: Signal, at: Time) -> Option<i64> {
    match signal {
        Signal::Memory => sum(running(w, |model| model.usage.memory.as_ref()).chain(volumes(w, true)), at),
        Signal::NodeFs => sum(volumes(w, false), at),
        Signal::ImageFs => sum(running(w, |model| model.usage.disk.as_ref()), at),
        Signal::NodeFsInodes => sum(volume_inodes(w), at),
        Signal::ImageFsInodes => sum(running(w, |model| model.usage.inodes.as_ref()), at),
        Signal::Pid => sum(running(w, |model| model.usage.pids.as_ref()), at),
    }
}

/// All that a pod has on disk.
pub(super) fn pod_disk(w: &Worker, at: Time) -> Option<i64> {
    sum(running(w, |model| model.usage.disk.as_ref()).chain(volumes(w, false)), at)
}

/// All inodes that a pod has on disk.
pub(super) fn pod_inodes(w: &Worker, at: Time) -> Option<i64> {
    sum(running(w, |model| model.usage.inodes.as_ref()).chain(volume_inodes(w)), at)
}

/// Inodes of the volumes of a pod that lie on disk.
fn volume_inodes(w: &Worker) -> impl Iterator<Item = Part<'_>> {
    let live = w.sandbox && w.stage != Stage::Ended;
    let volumes = w.shape.empty_dirs.iter().zip(&w.behaviour.volume_inodes);
    let on_disk = volumes.filter(move |(volume, _)| live && !volume.in_memory);
    on_disk.filter_map(|(_, usage)| Some(Part { usage: usage.as_ref()?, since: w.since }))
}

/// Whether a container of a pod uses more memory at one time than at another.
pub(super) fn memory_varies(w: &Worker) -> bool {
    w.behaviour.containers.iter().any(|model| model.usage.memory.as_ref().is_some_and(Usage::varies))
}

/// What one container uses, if it runs and a model says so.
pub(super) fn container_usage(w: &Worker, idx: usize, signal: Signal, at: Time) -> Option<i64> {
    let since = w.rows[idx].running_since()?;
    let usage = &w.model(idx).usage;
    let usage = match signal {
        Signal::Memory => usage.memory.as_ref()?,
        Signal::NodeFs | Signal::ImageFs => usage.disk.as_ref()?,
        Signal::NodeFsInodes | Signal::ImageFsInodes => usage.inodes.as_ref()?,
        Signal::Pid => usage.pids.as_ref()?,
    };
    Some(Part { usage, since }.at(at))
}

/// The most that the containers and volumes of a pod will ever use.
fn most(w: &Worker, signal: Signal) -> i64 {
    let containers = w.behaviour.containers.iter().filter_map(|model| match signal {
        Signal::Memory => model.usage.memory.as_ref(),
        Signal::ImageFs => model.usage.disk.as_ref(),
        Signal::ImageFsInodes => model.usage.inodes.as_ref(),
        Signal::Pid => model.usage.pids.as_ref(),
        Signal::NodeFs | Signal::NodeFsInodes => None,
    });
    let usages = if signal == Signal::NodeFsInodes { &w.behaviour.volume_inodes } else { &w.behaviour.volumes };
    let volumes = w.shape.empty_dirs.iter().zip(usages);
    let volumes = volumes.filter(|(volume, _)| match signal {
        Signal::Memory => volume.in_memory,
        Signal::NodeFs | Signal::NodeFsInodes => !volume.in_memory,
        Signal::ImageFs | Signal::ImageFsInodes | Signal::Pid => false,
    });
    let volumes = volumes.filter_map(|(_, usage)| usage.as_ref());
    containers.chain(volumes).map(|usage| usage.most() as i64).fold(0, i64::saturating_add)
}

fn sum<'a>(parts: impl Iterator<Item = Part<'a>>, at: Time) -> Option<i64> {
    parts.map(|part| part.at(at)).reduce(i64::saturating_add)
}
