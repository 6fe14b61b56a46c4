//! Traces and generators as sources of pods.

use rustc_hash::FxHashMap;

use crate::client::{ArrivalSource, ArrivingPod};
use crate::cluster::{Cluster, LabelsId, NewMeta, NewPod, SpecId, Sym};
use crate::engine::Draws;
use crate::error::Result;
use crate::workload::{Arrival, GenerateSpec, Trace, pods};

/// A source of arrivals as the scenario describes it; opened anew for every run.
#[derive(Clone)]
pub enum WorkloadSource {
    /// A trace, read through once before the run so that nothing in it can fail later.
    Trace {
        /// The trace.
        trace: Box<Trace>,
        /// Namespace of its pods.
        namespace: String,
    },
    /// A random process.
    Generate {
        /// The process.
        spec: Box<GenerateSpec>,
        /// Namespace of its pods.
        namespace: String,
    },
}

impl std::fmt::Debug for WorkloadSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WorkloadSource::Trace { trace, .. } => write!(f, "Trace({})", trace.name()),
            WorkloadSource::Generate { spec, .. } => write!(f, "Generate({})", spec.name),
        }
    }
}

impl WorkloadSource {
    /// Opens the source; `index` is its place in the scenario.
    ///
    /// # Errors
    ///
    /// If the trace can no longer be read.
    pub fn open(&self, index: u64, draws: &Draws) -> Result<Box<dyn ArrivalSource>> {
        Ok(match self {
            WorkloadSource::Trace { trace, namespace } => {
                Box::new(Pods::new(trace.arrivals()?.flatten(), namespace, index))
            }
            WorkloadSource::Generate { spec, namespace } => {
                Box::new(Pods::new(spec.arrivals(draws, index), namespace, index))
            }
        })
    }
}

/// What two arrivals must share to have the same pod spec.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Shape {
    cpu_milli: i64,
    memory_bytes: i64,
    gpu: (u32, u32, Vec<String>),
    priority: Option<i32>,
    ends: bool,
}

/// Arrivals turned into pods, one replica at a time.
struct Pods<A> {
    arrivals: A,
    namespace: String,
    /// Names the random streams: places of different sources do not meet.
    first_ordinal: u64,
    current: Option<(Arrival, u32)>,
    shapes: FxHashMap<Shape, (SpecId, Vec<(String, String)>)>,
    names: FxHashMap<Sym, u32>,
}

impl<A: Iterator<Item = Arrival> + Send> Pods<A> {
    fn new(arrivals: A, namespace: &str, index: u64) -> Self {
        Pods {
            arrivals,
            namespace: namespace.to_owned(),
            first_ordinal: (index + 1) << 40,
            current: None,
            shapes: FxHashMap::default(),
            names: FxHashMap::default(),
        }
    }

    /// The spec of an arrival's pods, and the annotations that go with its shape.
    fn shape(&mut self, arrival: &Arrival, cluster: &mut Cluster) -> (SpecId, Vec<(String, String)>) {
        let gpu = (arrival.gpu.count, arrival.gpu.milli_per_gpu, arrival.gpu.models.clone());
        let shape = Shape {
            cpu_milli: arrival.cpu_milli,
            memory_bytes: arrival.memory_bytes,
            gpu,
            priority: arrival.priority,
            ends: arrival.duration.is_some(),
        };
        if let Some(known) = self.shapes.get(&shape) {
            return known.clone();
        }
        let mut pod = pods::pod(arrival, 0);
        pod["spec"]["priority"] = arrival.priority.map_or(0, |priority| priority.clamp(i32::MIN, 1_000_000_000)).into();
        let annotations = pod["metadata"]["annotations"].as_object().into_iter().flatten();
        let annotations = annotations
            .filter(|(key, _)| ![pods::ARRIVAL, pods::RUN, pods::EXIT_CODE].contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect();
        let spec = cluster.intern_spec(&pod["spec"]).expect("pods made from arrivals are well formed");
        self.shapes.insert(shape, (spec, annotations));
        self.shape(arrival, cluster)
    }

    /// A free name: traces may repeat theirs.
    fn name(&mut self, arrival: &Arrival, ordinal: u32, cluster: &mut Cluster) -> Sym {
        let base = pods::pod_name(arrival, ordinal);
        let sym = cluster.interner.sym(&base);
        match self.names.get_mut(&sym) {
            None => {
                self.names.insert(sym, 0);
                sym
            }
            Some(n) => {
                *n += 1;
                let name = format!("{base}-r{n}");
                cluster.interner.sym(&name)
            }
        }
    }
}

impl<A: Iterator<Item = Arrival> + Send> ArrivalSource for Pods<A> {
    fn next(&mut self, cluster: &mut Cluster) -> Option<ArrivingPod> {
        let (arrival, ordinal) = match self.current.take() {
            Some(current) => current,
            None => (self.arrivals.next()?, 0),
        };
        let (spec, extra) = self.shape(&arrival, cluster);
        let mut annotations: Vec<(&str, String)> = Vec::with_capacity(2 + extra.len());
        if let Some(duration) = arrival.duration {
            annotations.push((pods::RUN, duration.to_string()));
        }
        if arrival.outcome == Some(crate::workload::Outcome::Failed) {
            annotations.push((pods::EXIT_CODE, "1".to_owned()));
        }
        annotations.extend(extra.iter().map(|(key, value)| (key.as_str(), value.clone())));
        let annotations = cluster.interner.labels(annotations.iter().map(|(key, value)| (*key, value.as_str())));
        let labels = match &arrival.group {
            Some(group) => cluster.interner.labels([("wavetank.dev/group", pods::label_value(group).as_str())]),
            None => LabelsId::EMPTY,
        };
        let name = self.name(&arrival, ordinal, cluster);
        let meta = NewMeta {
            name,
            namespace: cluster.interner.sym(&self.namespace),
            labels,
            annotations,
            ..NewMeta::default()
        };
        let place = self.first_ordinal + arrival.row * 64 + u64::from(ordinal.min(63));
        let at = arrival.at;
        if ordinal + 1 < arrival.n {
            self.current = Some((arrival, ordinal + 1));
        }
        Some(ArrivingPod { at, pod: NewPod { meta, spec, node_name: Sym::EMPTY, ordinal: place & ((1 << 56) - 1) } })
    }
}
