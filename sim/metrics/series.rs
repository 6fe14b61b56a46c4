//! Sampled series: what is requested of what is offered, by node pool; how many pods wait and run, by namespace.

use std::collections::BTreeMap;

use crate::cluster::{Change, Cluster, PodId, PodPhase, ResourceId, Sym, What};
use crate::engine::{Id, IdVec, Time};

/// Label that says which node pool of the scenario a node belongs to.
pub const POOL_LABEL: &str = "wavetank.dev/pool";

/// What a series is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SeriesKey {
    /// `status.allocatable` of a pool's nodes: pool, resource; cpu in thousandths.
    Allocatable(Sym, ResourceId),
    /// Requests of the pods on a pool's nodes: pool, resource; cpu in thousandths.
    Requested(Sym, ResourceId),
    /// Pods of a namespace that no node has.
    Pending(Sym),
    /// Pods of a namespace that are bound but not running.
    Starting(Sym),
    /// Pods of a namespace in phase Running.
    Running(Sym),
}

/// All values at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// When.
    pub at: Time,
    /// The values that are not zero.
    pub values: BTreeMap<SeriesKey, i64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Class {
    #[default]
    Gone,
    Pending,
    Starting,
    Running,
}

/// The sampled series of a run, with the counters they are made from.
#[derive(Clone, Debug, Default)]
pub struct Series {
    samples: Vec<Sample>,
    classes: IdVec<PodId, Class>,
    counts: BTreeMap<Sym, [i64; 3]>,
}

impl Series {
    /// Follows one change.
    pub fn observe(&mut self, change: Change, cluster: &Cluster) {
        let Some(pod) = change.pod() else { return };
        if !matches!(change.what, What::Created | What::Bound(_) | What::Phase | What::Removed) {
            return;
        }
        while self.classes.len() <= pod.index() {
            self.classes.push(Class::Gone);
        }
        let row = cluster.pod(pod);
        let class = match row.phase {
            _ if row.meta.removed => Class::Gone,
            PodPhase::Succeeded | PodPhase::Failed => Class::Gone,
            PodPhase::Running => Class::Running,
            _ if row.node.is_some() => Class::Starting,
            _ => Class::Pending,
        };
        let before = std::mem::replace(&mut self.classes[pod], class);
        let counts = self.counts.entry(row.meta.namespace).or_default();
        for (class, step) in [(before, -1), (class, 1)] {
            match class {
                Class::Gone => {}
                Class::Pending => counts[0] += step,
                Class::Starting => counts[1] += step,
                Class::Running => counts[2] += step,
            }
        }
    }

    /// Takes a sample.
    pub fn sample(&mut self, at: Time, cluster: &Cluster) {
        let mut values = BTreeMap::new();
        for (&namespace, counts) in &self.counts {
            for (key, count) in [SeriesKey::Pending, SeriesKey::Starting, SeriesKey::Running].into_iter().zip(counts) {
                if *count != 0 {
                    values.insert(key(namespace), *count);
                }
            }
        }
        let pool_label = cluster.interner.find(POOL_LABEL);
        for (node, row) in cluster.nodes() {
            let pool =
                pool_label.and_then(|label| cluster.interner.value(row.meta.labels, label)).unwrap_or(Sym::EMPTY);
            for &(resource, allocatable) in &row.allocatable {
                *values.entry(SeriesKey::Allocatable(pool, resource)).or_default() += allocatable;
                let requested = match resource {
                    ResourceId::PODS => cluster.columns().n_pods[node.index()],
                    _ => cluster.columns().requested(node, resource),
                };
                if requested != 0 {
                    *values.entry(SeriesKey::Requested(pool, resource)).or_default() += requested;
                }
            }
        }
        if self.samples.last().is_some_and(|last| last.at == at) {
            self.samples.pop();
        }
        self.samples.push(Sample { at, values });
    }

    /// All samples in order of time.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// Pods now pending, starting and running, over all namespaces.
    pub fn now(&self) -> [i64; 3] {
        let mut sum = [0; 3];
        for counts in self.counts.values() {
            for (sum, count) in sum.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        sum
    }
}

impl Sample {
    /// The sum over all pools or namespaces of the series that `select` picks.
    pub fn sum(&self, select: impl Fn(&SeriesKey) -> bool) -> i64 {
        self.values.iter().filter(|(key, _)| select(key)).map(|(_, value)| value).sum()
    }

    /// Requested of allocatable for one resource over the whole cluster, 0 to 1 (more when nodes are lost); `None` without any.
    pub fn utilisation(&self, resource: ResourceId) -> Option<f64> {
        let of = |wanted: bool| {
            self.sum(|key| match *key {
                SeriesKey::Allocatable(_, other) => wanted && other == resource,
                SeriesKey::Requested(_, other) => !wanted && other == resource,
                _ => false,
            })
        };
        let allocatable = of(true);
        (allocatable > 0).then(|| of(false) as f64 / allocatable as f64)
    }
}
