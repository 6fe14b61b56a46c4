//! `Recorder`: follows a run and keeps what its report is made from.

use super::{FaultLog, PodRecords, Series, Timeline};
use crate::cluster::{Change, Cluster, News, Observer, ResourceId};
use crate::engine::{Span, Time};

/// What to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecorderOptions {
    /// Whether the timeline's entries are kept, or only their digest.
    pub keep_timeline: bool,
    /// Time between two samples.
    pub sample_period: Span,
    /// Measures of latency and utilisation begin here.
    pub warmup: Span,
}

impl Default for RecorderOptions {
    fn default() -> Self {
        RecorderOptions { keep_timeline: true, sample_period: Span::from_secs(10), warmup: Span::ZERO }
    }
}

/// Everything recorded of a run so far.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    /// The options it was made with.
    pub options: RecorderOptions,
    /// All changes.
    pub timeline: Timeline,
    /// One record per pod.
    pub pods: PodRecords,
    /// Sampled series.
    pub series: Series,
    /// What failed.
    pub faults: FaultLog,
    /// Time integrals for exact mean utilisation.
    pub integrals: Integrals,
}

/// Integrals over time of what is offered and requested, in unit-microseconds, from the end of the warm-up.
#[derive(Clone, Debug, Default)]
pub struct Integrals {
    last: Time,
    totals: Vec<(i128, i128)>,
    /// Allocatable and requested over the whole cluster, by resource.
    current: Vec<(i64, i64)>,
    stale: bool,
}

impl Recorder {
    /// An empty recorder.
    pub fn new(options: RecorderOptions) -> Recorder {
        Recorder { options, timeline: Timeline::new(options.keep_timeline), ..Recorder::default() }
    }
}

impl Integrals {
    /// Mean share of `resource` that was requested, from the end of the warm-up; `None` if none was offered.
    pub fn mean_utilisation(&self, resource: ResourceId) -> Option<f64> {
        let &(allocatable, requested) = self.totals.get(usize::from(resource.0))?;
        (allocatable > 0).then(|| requested as f64 / allocatable as f64)
    }

    fn advance(&mut self, at: Time, from: Time) {
        let passed = i128::from(at.since(self.last.max(from)).as_micros());
        self.last = at;
        if passed == 0 {
            return;
        }
        self.totals.resize(self.current.len(), (0, 0));
        for (total, &(allocatable, requested)) in self.totals.iter_mut().zip(&self.current) {
            total.0 += i128::from(allocatable) * passed;
            total.1 += i128::from(requested) * passed;
        }
    }

    fn refresh(&mut self, cluster: &Cluster) {
        self.stale = false;
        self.current.clear();
        self.current.extend(cluster.interner.resources().map(|resource| cluster.columns().totals(resource)));
    }
}

impl Observer for Recorder {
    fn change(&mut self, at: Time, _: u32, cause: u32, change: Change, cluster: &Cluster) {
        self.pods.observe(at, change, cluster);
        self.series.observe(change, cluster);
        self.timeline.push(at, cause, change, cluster);
        self.integrals.stale = true;
    }

    fn outage(&mut self, at: Time, news: News, cluster: &Cluster) {
        self.faults.note(at, self.timeline.n_changes(), news, cluster);
    }

    fn advance(&mut self, to: Time, cluster: &Cluster) {
        if self.integrals.stale {
            self.integrals.refresh(cluster);
        }
        self.integrals.advance(to, Time::ZERO + self.options.warmup);
    }

    fn sample(&mut self, at: Time, cluster: &Cluster) {
        self.series.sample(at, cluster);
    }
}
