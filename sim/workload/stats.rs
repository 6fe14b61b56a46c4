//! What a trace is like, in one pass: how much of what arrives, how fast, for how long.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;

use hdrhistogram::Histogram;

use super::arrival::{Arrival, Outcome};
use crate::engine::{Span, Time};
use crate::error::Result;

/// Figures of a trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceStats {
    /// Arrivals.
    pub arrivals: u64,
    /// Replicas of all arrivals.
    pub replicas: u64,
    /// The last arrival.
    pub last: Time,
    /// Time between two arrivals, microseconds.
    pub inter_arrival_us: Summary,
    /// Run time of a replica, microseconds.
    pub duration_us: Summary,
    /// Arrivals without a known run time.
    pub no_duration: u64,
    /// CPU of a replica, thousandths.
    pub cpu_milli: Summary,
    /// Memory of a replica.
    pub memory_bytes: Summary,
    /// GPUs of a replica, thousandths; only of those that ask for any.
    pub gpu_milli: Summary,
    /// Replicas by the GPU models that will do, joined with `|`.
    pub gpu_models: BTreeMap<String, u64>,
    /// Arrivals by outcome.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Arrivals that wait for others.
    pub with_deps: u64,
    /// The most that would run at once if everything started on arrival.
    pub peak: Demand,
    /// CPU-time in thousandths of a core times microseconds, of replicas with a known run time.
    pub cpu_work: i128,
    /// GPU-time in thousandths of a GPU times microseconds.
    pub gpu_work: i128,
}

/// Resources that run at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Replicas.
    pub replicas: i128,
    /// CPU in thousandths.
    pub cpu_milli: i128,
    /// Memory.
    pub memory_bytes: i128,
    /// GPUs in thousandths.
    pub gpu_milli: i128,
}

/// Quantiles of one figure, exact to three digits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// Number of values.
    pub n: u64,
    /// Smallest.
    pub min: u64,
    /// Median.
    pub p50: u64,
    /// 90 % lie at or below.
    pub p90: u64,
    /// 99 % lie at or below.
    pub p99: u64,
    /// Largest.
    pub max: u64,
    /// Mean.
    pub mean: f64,
}

/// Figures of `arrivals`, which come in order of time. Memory: the replicas that would run at the same time.
pub fn stats(arrivals: impl Iterator<Item = Result<Arrival>>) -> Result<TraceStats> {
    let mut stats = TraceStats::default();
    let [mut gaps, mut durations, mut cpu, mut memory, mut gpu] = std::array::from_fn(|_| Counter::default());
    let mut running = Running::default();
    for arrival in arrivals {
        let arrival = arrival?;
        let n = u64::from(arrival.n);
        if stats.arrivals > 0 {
            gaps.add(arrival.at.since(stats.last).as_micros(), 1);
        }
        stats.last = arrival.at;
        stats.arrivals += 1;
        stats.replicas += n;
        cpu.add(arrival.cpu_milli.unsigned_abs(), n);
        memory.add(arrival.memory_bytes.unsigned_abs(), n);
        let gpu_milli = arrival.gpu.total_milli();
        if gpu_milli > 0 {
            gpu.add(gpu_milli.unsigned_abs(), n);
            let models = if arrival.gpu.models.is_empty() { "any".to_owned() } else { arrival.gpu.models.join("|") };
            *stats.gpu_models.entry(models).or_default() += n;
        }
        match arrival.duration {
            None => stats.no_duration += 1,
            Some(duration) => {
                durations.add(duration.as_micros(), n);
                let time = i128::from(duration.as_micros()) * i128::from(n);
                stats.cpu_work = stats.cpu_work.saturating_add(time.saturating_mul(i128::from(arrival.cpu_milli)));
                stats.gpu_work = stats.gpu_work.saturating_add(time.saturating_mul(i128::from(gpu_milli)));
            }
        }
        if let Some(outcome) = arrival.outcome {
            *stats.outcomes.entry(outcome).or_default() += 1;
        }
        stats.with_deps += u64::from(!arrival.deps.is_empty());
        running.arrive(&arrival, &mut stats.peak);
    }
    stats.inter_arrival_us = gaps.summary();
    stats.duration_us = durations.summary();
    stats.cpu_milli = cpu.summary();
    stats.memory_bytes = memory.summary();
    stats.gpu_milli = gpu.summary();
    Ok(stats)
}

#[derive(Default)]
struct Running {
    now: Demand,
    /// End, replicas, and what each of them asks for.
    ends: BinaryHeap<Reverse<(Time, u32, [i64; 3])>>,
}

impl Running {
    fn arrive(&mut self, arrival: &Arrival, peak: &mut Demand) {
        while let Some(&Reverse((end, n, each))) = self.ends.peek() {
            if arrival.at < end {
                break;
            }
            self.ends.pop();
            self.add(-i128::from(n), each);
        }
        let each = [arrival.cpu_milli, arrival.memory_bytes, arrival.gpu.total_milli()];
        self.add(i128::from(arrival.n), each);
        if let Some(duration) = arrival.duration {
            self.ends.push(Reverse((arrival.at + duration, arrival.n, each)));
        }
        peak.replicas = peak.replicas.max(self.now.replicas);
        peak.cpu_milli = peak.cpu_milli.max(self.now.cpu_milli);
        peak.memory_bytes = peak.memory_bytes.max(self.now.memory_bytes);
        peak.gpu_milli = peak.gpu_milli.max(self.now.gpu_milli);
    }

    fn add(&mut self, n: i128, [cpu, memory, gpu]: [i64; 3]) {
        self.now.replicas += n;
        self.now.cpu_milli += n * i128::from(cpu);
        self.now.memory_bytes += n * i128::from(memory);
        self.now.gpu_milli += n * i128::from(gpu);
    }
}

struct Counter {
    histogram: Histogram<u64>,
    sum: f64,
}

impl Default for Counter {
    fn default() -> Counter {
        // Three significant digits are always a valid precision.
        Counter { histogram: Histogram::new(3).expect("a valid precision"), sum: 0.0 }
    }
}

impl Counter {
    fn add(&mut self, value: u64, n: u64) {
        // Values up to 2^62 fit after automatic resizing; larger ones count as that.
        let _ = self.histogram.record_n(value.min(1 << 62), n);
        self.sum += value as f64 * n as f64;
    }

    fn summary(&self) -> Summary {
        let histogram = &self.histogram;
        let n = histogram.len();
        if n == 0 {
            return Summary::default();
        }
        let quantile = |q: f64| histogram.value_at_quantile(q);
        Summary {
            n,
            min: histogram.min(),
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            max: histogram.max(),
            mean: self.sum / n as f64,
        }
    }
}

/// A table for terminals.
impl fmt::Display for TraceStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "arrivals {}   replicas {}   last at {}", self.arrivals, self.replicas, self.last)?;
        writeln!(f, "{:<16}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}", "", "min", "mean", "p50", "p90", "p99", "max")?;
        let span = |us: f64| short_span(us);
        let cores = |milli: f64| format!("{:.2}", milli / 1000.0);
        let gib = |bytes: f64| format!("{:.2}Gi", bytes / f64::from(1 << 30));
        row(f, "inter-arrival", &self.inter_arrival_us, span)?;
        row(f, "duration", &self.duration_us, span)?;
        row(f, "cpu (cores)", &self.cpu_milli, cores)?;
        row(f, "memory", &self.memory_bytes, gib)?;
        row(f, "gpus", &self.gpu_milli, cores)?;
        let peak = &self.peak;
        write!(f, "at most at once  {} replicas, {} cores", peak.replicas, peak.cpu_milli.div_euclid(1000))?;
        write!(f, ", {}", gib(peak.memory_bytes as f64))?;
        writeln!(f, ", {} gpus", cores(peak.gpu_milli as f64))?;
        let hours = |work: i128| work as f64 / 1000.0 / 3.6e9;
        writeln!(f, "work             {:.1} core-hours, {:.1} gpu-hours", hours(self.cpu_work), hours(self.gpu_work))?;
        if !self.outcomes.is_empty() {
            let all: Vec<String> = self.outcomes.iter().map(|(outcome, n)| format!("{} {n}", outcome.name())).collect();
            writeln!(f, "outcomes         {}", all.join(", "))?;
        }
        if !self.gpu_models.is_empty() {
            let all: Vec<String> = self.gpu_models.iter().map(|(model, n)| format!("{model} {n}")).collect();
            writeln!(f, "gpu models       {}", all.join(", "))?;
        }
        for (n, what) in [(self.no_duration, "without a run time"), (self.with_deps, "wait for others")] {
            if n > 0 {
                writeln!(f, "{n} arrivals {what}")?;
            }
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, of: &Summary, show: impl Fn(f64) -> String) -> fmt::Result {
    if of.n == 0 {
        return Ok(());
    }
    let cells = [of.min as f64, of.mean, of.p50 as f64, of.p90 as f64, of.p99 as f64, of.max as f64].map(show);
    writeln!(f, "{name:<16}{}", cells.map(|cell| format!("{cell:>12}")).concat())
}

/// A span to about three digits, in Kubernetes' style of ages: `250ms`, `12.3s`, `4m5s`, `3h20m`, `12d3h`.
fn short_span(us: f64) -> String {
    let s = (us / 1e6).round() as u64;
    match us {
        us if us < 1e3 => format!("{us:.0}us"),
        us if us < 1e6 => format!("{:.0}ms", us / 1e3),
        us if us < 6e7 => format!("{:.1}s", us / 1e6),
        us if us < 3.6e9 => format!("{}m{}s", s / 60, s % 60),
        us if us < 8.64e10 => format!("{}h{}m", s / 3600, s / 60 % 60),
        _ => format!("{}d{}h", s / 86_400, s / 3600 % 24),
    }
}

impl TraceStats {
    /// Mean load if all replicas with a run time ran: cores and GPUs in use on average over `span`.
    pub fn mean_load(&self, span: Span) -> (f64, f64) {
        let us = span.as_micros().max(1) as f64;
        (self.cpu_work as f64 / 1000.0 / us, self.gpu_work as f64 / 1000.0 / us)
    }
}
