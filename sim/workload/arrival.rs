//! The canonical row that every trace and every generator is turned into.

use crate::engine::{Span, Time};

/// Something that arrives and asks for resources: a pod, or `n` equal pods that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Place in the input, from 0: names its random streams, so they do not depend on order or window.
    pub row: u64,
    /// Name in the trace, as it stands there; need not be a valid Kubernetes name.
    pub name: String,
    /// The job, virtual cluster, deployment or workflow it belongs to.
    pub group: Option<String>,
    /// Who submitted it.
    pub user: Option<String>,
    /// When it arrives, from the start of the trace (or of the window).
    pub at: Time,
    /// How long each of the `n` runs; `None` when the trace does not say.
    pub duration: Option<Span>,
    /// The run time its user asked for, which a batch scheduler may enforce or plan with.
    pub time_limit: Option<Span>,
    /// Number of equal replicas or tasks, at least 1.
    pub n: u32,
    /// CPU of one replica in thousandths of a core.
    pub cpu_milli: i64,
    /// Memory of one replica.
    pub memory_bytes: i64,
    /// GPUs of one replica.
    pub gpu: GpuDemand,
    /// Priority in the trace's own scale; more is more important.
    pub priority: Option<i32>,
    /// Quality of service, scheduling class or category, as the trace writes it.
    pub qos: Option<String>,
    /// How it ended in the trace.
    pub outcome: Option<Outcome>,
    /// Names of the arrivals that must have ended before it starts.
    pub deps: Vec<String>,
}

/// GPUs that one replica asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuDemand {
    /// Number of GPUs.
    pub count: u32,
    /// Share of each of them in thousandths, 1 to 1000; 0 when `count` is 0.
    pub milli_per_gpu: u32,
    /// Models that will do; any if empty.
    pub models: Vec<String>,
}

/// How a workload ended in the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Never started within the trace.
    Pending,
    /// Still running at the end of the trace.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Ended by its user, by a time limit or by eviction.
    Killed,
}

/// One machine of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// Name in the trace.
    pub name: String,
    /// CPU in thousandths of a core.
    pub cpu_milli: i64,
    /// Memory.
    pub memory_bytes: i64,
    /// Number of GPUs.
    pub gpu_count: u32,
    /// Their model.
    pub gpu_model: Option<String>,
}

impl Arrival {
    /// One replica that asks for nothing, at time zero.
    pub fn new(row: u64, name: impl Into<String>) -> Arrival {
        Arrival {
            row,
            name: name.into(),
            group: None,
            user: None,
            at: Time::ZERO,
            duration: None,
            time_limit: None,
            n: 1,
            cpu_milli: 0,
            memory_bytes: 0,
            gpu: GpuDemand::default(),
            priority: None,
            qos: None,
            outcome: None,
            deps: Vec::new(),
        }
    }
}

impl GpuDemand {
    /// `count` whole GPUs of any model.
    pub fn whole(count: u32) -> GpuDemand {
        GpuDemand { count, milli_per_gpu: if count == 0 { 0 } else { 1000 }, models: Vec::new() }
    }

    /// All GPUs together in thousandths.
    pub fn total_milli(&self) -> i64 {
        i64::from(self.count) * i64::from(self.milli_per_gpu)
    }
}

impl Outcome {
    /// All outcomes with their names, which are Kubernetes' pod phases and `Killed`.
    pub const ALL: [(Outcome, &str); 5] = [
        (Outcome::Pending, "Pending"),
        (Outcome::Running, "Running"),
        (Outcome::Succeeded, "Succeeded"),
        (Outcome::Failed, "Failed"),
        (Outcome::Killed, "Killed"),
    ];

    /// The name.
    pub fn name(self) -> &'static str {
        Outcome::ALL[self as usize].1
    }
}
