//! The summary of a run: what `summary.json` holds and the terminal shows.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{FaultSpan, Outcome, Quantiles, Recorder};
use crate::cluster::Cluster;
use crate::engine::{Span, Time};

/// Pods by outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PodCounts {
    /// All pods that have ever been.
    pub total: usize,
    /// By outcome, in the order of a pod's life.
    #[serde(flatten)]
    pub by_outcome: BTreeMap<&'static str, usize>,
    /// Container restarts over all pods.
    pub restarts: u64,
    /// Scheduling attempts that failed.
    pub failed_attempts: u64,
}

/// Quantiles of one latency, in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LatencySummary {
    /// Number of pods measured.
    pub n: usize,
    /// Mean.
    pub mean: Option<f64>,
    /// Median.
    pub p50: Option<f64>,
    /// 90 % of all values are not above.
    pub p90: Option<f64>,
    /// 99 % of all values are not above.
    pub p99: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
}

/// How the run itself went: not part of what is compared between runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct RunFigures {
    /// Wall-clock time in seconds.
    pub wall_seconds: f64,
    /// Events handled per second of wall-clock time.
    pub events_per_second: f64,
}

/// The summary of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the scenario.
    pub scenario: String,
    /// Version of Wavetank.
    pub version: &'static str,
    /// Seed of the run.
    pub seed: u64,
    /// Virtual time at the end, in seconds.
    pub end_seconds: f64,
    /// Whether nothing was left to happen (`settled`) or the horizon was reached (`horizon`), or it was stopped (`interrupted`).
    pub ended_by: &'static str,
    /// Hash of the timeline.
    pub digest: String,
    /// Events handled.
    pub events: u64,
    /// Changes written.
    pub changes: u32,
    /// Nodes at the end.
    pub nodes: usize,
    /// Pods.
    pub pods: PodCounts,
    /// What failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultSpan>,
    /// From creation to binding, pods created after the warm-up.
    pub scheduling_latency: LatencySummary,
    /// From binding to Ready, pods created after the warm-up.
    pub startup_latency: LatencySummary,
    /// Mean share of allocatable that was requested after the warm-up, by resource.
    pub mean_utilisation: BTreeMap<String, f64>,
}

impl LatencySummary {
    fn new(spans: Vec<Span>) -> LatencySummary {
        let quantiles = Quantiles::new(spans);
        let at = |q| quantiles.at(q).map(Span::as_secs_f64);
        LatencySummary {
            n: quantiles.n(),
            mean: quantiles.mean().map(Span::as_secs_f64),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: quantiles.max().map(Span::as_secs_f64),
        }
    }
}

impl Recorder {
    /// Scheduling latencies of the pods created after the warm-up.
    pub fn scheduling_latencies(&self) -> Vec<Span> {
        self.after_warmup().filter_map(|record| record.scheduling_latency()).collect()
    }

    /// Startup latencies of the pods created after the warm-up.
    pub fn startup_latencies(&self) -> Vec<Span> {
        self.after_warmup().filter_map(|record| record.startup_latency()).collect()
    }

    fn after_warmup(&self) -> impl Iterator<Item = &super::PodRecord> {
        let from = Time::ZERO + self.options.warmup;
        self.pods.iter().map(|(_, record)| record).filter(move |record| record.created >= from)
    }

    /// The summary of the run so far.
    pub fn summary(
        &self,
        scenario: &str,
        seed: u64,
        ended_by: &'static str,
        n_events: u64,
        cluster: &Cluster,
    ) -> Summary {
        let mut pods = PodCounts { total: self.pods.len(), ..PodCounts::default() };
        pods.by_outcome = Outcome::ALL.iter().map(|outcome| (outcome.as_str(), 0)).collect();
        for (pod, record) in self.pods.iter() {
            *pods.by_outcome.entry(self.pods.outcome(pod, cluster).as_str()).or_default() += 1;
            pods.failed_attempts += u64::from(record.n_failed_attempts);
            pods.restarts += cluster.pod(pod).containers.iter().map(|c| u64::from(c.restarts)).sum::<u64>();
        }
        let mean_utilisation = cluster.interner.resources().filter_map(|resource| {
            let mean = self.integrals.mean_utilisation(resource)?;
            Some((cluster.interner.resource_name(resource).to_owned(), mean))
        });
        Summary {
            scenario: scenario.to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            seed,
            end_seconds: cluster.now().as_secs_f64(),
            ended_by,
            digest: self.timeline.digest().to_string(),
            events: n_events,
            changes: self.timeline.n_changes(),
            nodes: cluster.n_nodes(),
            pods,
            faults: self.faults.spans().to_vec(),
            scheduling_latency: LatencySummary::new(self.scheduling_latencies()),
            startup_latency: LatencySummary::new(self.startup_latencies()),
            mean_utilisation: mean_utilisation.collect(),
        }
    }
}
