//! `ControlPlane`: how slow the control plane is, per component. Two profiles: `ideal` (every latency zero, no client limits) and
//! `realistic` (Kubernetes' defaults; the latencies of an idle cluster).
//!
//! Client limits (`--kube-api-qps`, `--kube-api-burst`) are Kubernetes' own defaults. The latencies are our assumption, measured on
//! an idle single-node control plane of v1.36: a write takes a few milliseconds and a watcher sees it a few milliseconds later. In a
//! scenario a latency may be a distribution; who does not draw from it takes its median.

mod read;

use crate::engine::{Distribution, Draws, Purpose, Span};

/// Latencies and limits of the control plane.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlPlane {
    /// From a write until its watchers act on it.
    pub watch_delay: Span,
    /// One write, as seen by the client that makes several one after another.
    pub write_latency: Span,
    /// From the end of a scheduling cycle until the binding is written.
    pub bind_latency: Span,
    /// One scheduling cycle.
    pub scheduling_latency: Span,
    /// The distributions of the four latencies, where the scenario gives them.
    pub drawn: DrawnLatencies,
    /// Client limit of each controller (kube-controller-manager `--kube-api-qps`, default 20).
    pub controller_qps: f64,
    /// Burst of that limit (`--kube-api-burst`, default 30).
    pub controller_burst: u32,
    /// Client limit of the scheduler (`clientConnection.qps`, default 50).
    pub scheduler_qps: f64,
    /// Burst of that limit (`clientConnection.burst`, default 100).
    pub scheduler_burst: u32,
    /// How the kubelet's own loops are timed.
    pub kubelet_timing: KubeletTiming,
    /// `--node-monitor-period`.
    pub node_monitor_period: Span,
    /// `--node-monitor-grace-period`.
    pub node_monitor_grace_period: Span,
    /// When the node monitor runs first: an assumption about where in its period it stands at the beginning of a run.
    pub node_monitor_phase: Span,
    /// When pod garbage collection runs first: the same assumption for its period of 20 s.
    pub pod_gc_phase: Span,
    /// Replicas of kube-controller-manager and of kube-scheduler, of which one each leads.
    pub replicas: u8,
}

/// Latencies that are drawn anew each time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DrawnLatencies {
    /// For `watch_delay`.
    pub watch: Option<Distribution>,
    /// For `write_latency`.
    pub write: Option<Distribution>,
    /// For `bind_latency`.
    pub bind: Option<Distribution>,
    /// For `scheduling_latency`.
    pub scheduling: Option<Distribution>,
    /// How much slower than this the API server answers at present.
    pub slow: Slowness,
}

/// An API server that is slow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slowness {
    /// Latencies are this many times as long; 0 for as they are.
    factor: f64,
    /// And these longer.
    extra: Vec<Distribution>,
}

/// Which latency is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latency {
    /// `watch_delay`.
    Watch,
    /// `write_latency`.
    Write,
    /// `bind_latency`.
    Bind,
    /// `scheduling_latency`.
    Scheduling,
}

/// How the kubelet's loops are timed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KubeletTiming {
    /// Every deadline is met exactly: no relist period, no jitter of requeues.
    Ideal,
    /// Relist periods, ticks of the sync loop and jitter as in the kubelet.
    #[default]
    Realistic,
}

impl ControlPlane {
    /// Every latency zero, no client limits.
    pub fn ideal() -> ControlPlane {
        ControlPlane {
            watch_delay: Span::ZERO,
            write_latency: Span::ZERO,
            bind_latency: Span::ZERO,
            scheduling_latency: Span::ZERO,
            controller_qps: f64::INFINITY,
            controller_burst: u32::MAX,
            scheduler_qps: f64::INFINITY,
            scheduler_burst: u32::MAX,
            kubelet_timing: KubeletTiming::Ideal,
            node_monitor_phase: Span::ZERO,
            pod_gc_phase: Span::ZERO,
            ..ControlPlane::realistic()
        }
    }

    /// Kubernetes' defaults.
    pub fn realistic() -> ControlPlane {
        ControlPlane {
            watch_delay: Span::from_millis(5),
            write_latency: Span::from_millis(3),
            bind_latency: Span::from_millis(5),
            scheduling_latency: Span::from_millis(1),
            drawn: DrawnLatencies::default(),
            controller_qps: 20.0,
            controller_burst: 30,
            scheduler_qps: 50.0,
            scheduler_burst: 100,
            kubelet_timing: KubeletTiming::Realistic,
            node_monitor_period: Span::from_secs(5),
            node_monitor_grace_period: Span::from_secs(50),
            node_monitor_phase: Span::from_secs(2),
            pod_gc_phase: Span::from_secs(10),
            replicas: 1,
        }
    }

    /// One latency: drawn where the scenario gives a distribution, else the fixed one. `entity` is a place in the input and `turn`
    /// numbers its draws, so that two policies meet the same delays.
    pub fn latency(&self, which: Latency, draws: &Draws, entity: u64, turn: u32) -> Span {
        let (drawn, fixed, kind) = match which {
            Latency::Watch => (&self.drawn.watch, self.watch_delay, 0),
            Latency::Write => (&self.drawn.write, self.write_latency, 1),
            Latency::Bind => (&self.drawn.bind, self.bind_latency, 2),
            Latency::Scheduling => (&self.drawn.scheduling, self.scheduling_latency, 3),
        };
        let slow = Some(&self.drawn.slow).filter(|_| which != Latency::Scheduling);
        let extra = slow.map_or(&[][..], |slow| slow.extra.as_slice());
        if extra.iter().any(|extra| extra.as_constant().is_none()) || !extra.is_empty() && drawn.is_some() {
            let mut stream =
                draws.stream(Purpose::WatchDelay, entity & ((1 << 56) - 1), turn.wrapping_mul(4).wrapping_add(kind));
            let own = match drawn {
                Some(distribution) => times(distribution.sample_span(&mut stream), self.drawn.slow.factor),
                None => fixed.saturating_sub(extra.iter().map(median).sum()),
            };
            return own + extra.iter().map(|extra| extra.sample_span(&mut stream)).sum();
        }
        match drawn {
            None => fixed,
            Some(distribution) => {
                let turn = turn.wrapping_mul(4).wrapping_add(kind);
                let span =
                    distribution.sample_span(&mut draws.stream(Purpose::WatchDelay, entity & ((1 << 56) - 1), turn));
                slow.map_or(span, |slow| times(span, slow.factor))
            }
        }
    }

    /// This control plane with an API server that is `factor` times as slow, and slower by `extra`. Scheduling itself is not.
    pub fn slowed(&self, factor: f64, extra: Vec<Distribution>) -> ControlPlane {
        let more: Span = extra.iter().map(median).sum();
        let slow = |span: Span| times(span, factor) + more;
        ControlPlane {
            watch_delay: slow(self.watch_delay),
            write_latency: slow(self.write_latency),
            bind_latency: slow(self.bind_latency),
            drawn: DrawnLatencies { slow: Slowness { factor, extra }, ..self.drawn.clone() },
            ..self.clone()
        }
    }
}

/// What those take who do not draw.
fn median(distribution: &Distribution) -> Span {
    Span::from_micros((distribution.quantile(0.5) + 0.5) as u64)
}

/// `span` times `factor`; 0 is as it is.
fn times(span: Span, factor: f64) -> Span {
    if factor == 0.0 || factor == 1.0 { span } else { Span::from_secs_f64(span.as_secs_f64() * factor) }
}

impl Default for ControlPlane {
    fn default() -> ControlPlane {
        ControlPlane::realistic()
    }
}
