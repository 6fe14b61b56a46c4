//! `MetricsApi`: what the metrics APIs of the cluster serve. `metrics.k8s.io` shows what metrics-server found at its last scrape;
//! `custom.metrics.k8s.io` and `external.metrics.k8s.io` show the metrics that the scenario declares, as functions of time.

use std::collections::BTreeMap;

use super::ids::{ObjectRef, PodId, Sym};
use super::node::Node;
use super::store::Cluster;
use crate::api::selector::Selector;
use crate::engine::{Curve, Span, Time};

/// How often metrics-server asks the kubelets (`--metric-resolution`).
pub const METRIC_RESOLUTION: Span = Span::from_secs(15);
/// A container younger than this has no sample yet (metrics-server, `freshContainerMinMetricsResolution`).
pub const FRESH_CONTAINER: Span = Span::from_secs(10);

/// What a container uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerUsage {
    /// Its name.
    pub container: Sym,
    /// Thousandths of a core, on the mean over the window.
    pub cpu_milli: i64,
    /// Bytes at the end of the window.
    pub memory_bytes: i64,
}

/// A sample of a pod (`PodMetrics`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodMetrics {
    /// `timestamp`: the end of the window.
    pub at: Time,
    /// `window`.
    pub window: Span,
    /// `containers`.
    pub containers: Vec<ContainerUsage>,
}

/// A metric that the scenario declares.
#[derive(Clone, Debug)]
pub struct DeclaredMetric {
    /// Its name.
    pub name: String,
    /// Its labels, for the selector of a metric.
    pub labels: BTreeMap<String, String>,
    /// What it is about.
    pub subject: MetricSubject,
    /// In thousandths, by the time of the run.
    pub value: Curve,
}

/// What a declared metric is about.
#[derive(Clone, Debug)]
pub enum MetricSubject {
    /// Every pod of the selector; `shared` if the amount is divided among those that are ready.
    Pods {
        /// Their namespace.
        namespace: String,
        /// Their labels.
        selector: Selector,
        /// Whether the ready ones share the amount.
        shared: bool,
    },
    /// One object.
    Object {
        /// Its kind.
        kind: String,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Nothing in the cluster.
    External,
}

/// The metrics APIs.
#[derive(Clone, Debug, Default)]
pub struct MetricsApi {
    /// Whether metrics-server is installed.
    pub served: bool,
    /// Custom and external metrics.
    pub declared: Vec<DeclaredMetric>,
    pods: BTreeMap<PodId, PodMetrics>,
}

impl MetricsApi {
    /// Replaces all samples by those of one scrape.
    pub fn publish(&mut self, samples: impl IntoIterator<Item = (PodId, PodMetrics)>) {
        self.pods = samples.into_iter().collect();
    }

    /// The sample of a pod.
    pub fn pod(&self, pod: PodId) -> Option<&PodMetrics> {
        self.pods.get(&pod)
    }

    /// All samples, in order of pod.
    pub fn pods(&self) -> impl Iterator<Item = (PodId, &PodMetrics)> {
        self.pods.iter().map(|(&pod, metrics)| (pod, metrics))
    }

    /// What a node's pods use, in thousandths of a core and bytes: the sum of their samples.
    pub fn node(&self, node: &Node) -> Option<(i64, i64)> {
        let samples = node.pods.iter().filter_map(|pod| self.pods.get(pod));
        let amounts = samples.map(|sample| {
            let sum = |of: fn(&ContainerUsage) -> i64| sample.containers.iter().map(of).fold(0, i64::saturating_add);
            (sum(|usage| usage.cpu_milli), sum(|usage| usage.memory_bytes))
        });
        amounts.reduce(|a, b| (a.0.saturating_add(b.0), a.1.saturating_add(b.1)))
    }
}

impl Cluster {
    /// A custom metric of a pod, in thousandths.
    pub fn metric_of_pod(&self, metric: &str, labels: Option<&Selector>, pod: PodId) -> Option<i64> {
        let row = self.pod(pod);
        let declared = self.declared(metric, labels).find_map(|declared| match &declared.subject {
            MetricSubject::Pods { namespace, selector, shared } if self.namespace(pod) == namespace => {
                let is_one = |pod: PodId| {
                    let labels = self.pod(pod).meta.labels;
                    selector.matches(|key| self.label(labels, key))
                };
                is_one(pod).then(|| {
                    let others =
                        self.pods_in(row.meta.namespace).filter(|&other| is_one(other) && self.is_serving(other));
                    let n_sharing = if *shared { others.count().max(1) } else { 1 };
                    (declared, n_sharing, *shared)
                })
            }
            _ => None,
        });
        let (declared, n_sharing, shared) = declared?;
        if shared && !self.is_serving(pod) {
            return Some(0);
        }
        Some((declared.value.at_time(self.now()) / n_sharing as f64) as i64)
    }

    /// A custom metric of an object, in thousandths.
    pub fn metric_of_object(&self, metric: &str, labels: Option<&Selector>, object: ObjectRef) -> Option<i64> {
        let found = self.declared(metric, labels).find(|declared| match &declared.subject {
            MetricSubject::Object { kind, namespace, name } => {
                self.kind(object) == kind && self.name(object) == name && self.namespace(object) == namespace
            }
            _ => false,
        });
        found.map(|declared| declared.value.at_time(self.now()) as i64)
    }

    /// The values of an external metric, in thousandths.
    pub fn external_metric(&self, metric: &str, labels: Option<&Selector>) -> Vec<i64> {
        let external =
            self.declared(metric, labels).filter(|declared| matches!(declared.subject, MetricSubject::External));
        external.map(|declared| declared.value.at_time(self.now()) as i64).collect()
    }

    /// Whether a pod takes its share of the load: it is ready and stays.
    pub fn is_serving(&self, pod: PodId) -> bool {
        let row = self.pod(pod);
        row.is_active() && row.conditions.is_true(self.words.ready)
    }

    fn declared<'a>(
        &'a self,
        metric: &'a str,
        labels: Option<&'a Selector>,
    ) -> impl Iterator<Item = &'a DeclaredMetric> {
        self.metrics_api.declared.iter().filter(move |declared| {
            let matches =
                labels.is_none_or(|labels| labels.matches(|key| declared.labels.get(key).map(String::as_str)));
            declared.name == metric && matches
        })
    }
}
