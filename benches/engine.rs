//! The engine's rates: queue against `BinaryHeap`, random streams, distributions, trace rows; and whole runs.
//!
//! But for whole runs, one iteration is one operation, so criterion's time is the time per operation.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;
use wavetank::engine::{Distribution, Draws, Event, EventQueue, Phase, Purpose, Time, Unit};
use wavetank::scenario::{LoadOptions, load_scenario_text};
use wavetank::workload::{Input, ReadOptions, Trace};

/// As large as the simulator's own events.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Tick {
    phase: u8,
    cause: u32,
    subject: u64,
}

impl Event for Tick {
    fn phase(&self) -> Phase {
        if self.phase == 0 { Phase::Kubelet } else { Phase::Controller }
    }
}

const PENDING: u64 = 1_000_000;
/// Events are scheduled up to so far ahead: an hour.
const AHEAD: u64 = 3_600_000_000;

fn mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut x = *state;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn tick(x: u64) -> Tick {
    Tick { phase: (x & 1) as u8, cause: x as u32, subject: x }
}

/// The hold model: pop the first event, push one at a random later time; a million are pending throughout.
fn queue(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queue/1M pending");
    group.bench_function("radix pop+push", |bencher| {
        let (mut queue, mut state) = (EventQueue::new(), 1);
        for _ in 0..PENDING {
            let x = mix(&mut state);
            queue.push(Time::from_micros(x % AHEAD), tick(x));
        }
        bencher.iter(|| {
            let (now, event) = queue.pop(Time::NEVER).expect("never empty");
            let x = mix(&mut state);
            queue.push(Time::from_micros(now.as_micros() + x % AHEAD), tick(x));
            black_box(event)
        });
    });
    group.bench_function("BinaryHeap pop+push", |bencher| {
        let (mut heap, mut state, mut n) = (BinaryHeap::new(), 1, 0u64);
        for _ in 0..PENDING {
            let x = mix(&mut state);
            n += 1;
            heap.push(Reverse((x % AHEAD, tick(x).phase, n, tick(x))));
        }
        bencher.iter(|| {
            let Reverse((now, .., event)) = heap.pop().expect("never empty");
            let x = mix(&mut state);
            n += 1;
            heap.push(Reverse((now + x % AHEAD, tick(x).phase, n, tick(x))));
            black_box(event)
        });
    });
    group.finish();
}

fn draws(criterion: &mut Criterion) {
    let draws = Draws::new(1);
    let mut group = criterion.benchmark_group("draws");
    let mut entity = 0;
    group.bench_function("open a stream", |bencher| {
        bencher.iter(|| {
            entity += 1;
            black_box(draws.stream(Purpose::Lifetime, entity, 0))
        });
    });
    let rows = [
        ("constant", json!("3s")),
        ("uniform", json!({"uniform": {"min": "1s", "max": "5s"}})),
        ("normal", json!({"normal": {"mean": "10s", "stdDev": "2s"}})),
        ("exponential", json!({"exponential": {"mean": "5m"}})),
        ("lognormal", json!({"lognormal": {"median": "3s", "p99": "9s"}})),
        ("weibull", json!({"weibull": {"shape": 1.5, "scale": "10s"}})),
        ("pareto", json!({"pareto": {"min": "1s", "shape": 2.5}})),
        ("empirical", json!({"empirical": ["1s", "2s", "3s", {"value": "9s", "weight": 0.1}]})),
        ("quantiles", json!({"quantiles": {"p0": "1s", "p50": "3s", "p99": "9s", "p100": "20s"}})),
    ];
    for (name, value) in rows {
        let distribution = Distribution::from_json(&value, Unit::Span).expect("valid");
        let mut rng = draws.stream(Purpose::Lifetime, 0, 0);
        group.bench_function(name, |bencher| bencher.iter(|| black_box(distribution.sample_span(&mut rng))));
    }
    group.finish();
}

/// Rows of a trace: the time is for the whole sample of 200 rows.
fn trace(criterion: &mut Criterion) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/traces/alibaba-gpu-2023.csv");
    let bytes = std::fs::read(path).expect("the sample is part of the project");
    let mut group = criterion.benchmark_group("trace/200 rows");
    let open = || Trace::open(Input::memory("sample", bytes.as_slice()), None, ReadOptions::default()).expect("valid");
    group.bench_function("open and check", |bencher| bencher.iter(|| black_box(open())));
    let trace = open();
    group.bench_function("read in order", |bencher| bencher.iter(|| trace.arrivals().expect("opens").count()));
    group.finish();
}

/// A whole run: load, ten virtual minutes, summary.
fn run(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("run/10 virtual minutes");
    group.sample_size(10);
    for (n_deployments, replicas) in [(3, 3), (10, 100)] {
        let text = deployments(n_deployments, replicas);
        group.bench_function(format!("{n_deployments} Deployments of {replicas}"), |bencher| {
            bencher.iter(|| {
                let loaded = load_scenario_text("bench", &text, &LoadOptions::default()).expect("valid");
                let mut simulation = loaded.scenario.build().expect("valid");
                let mut recorder = loaded.scenario.recorder(true);
                let ended = simulation.run(loaded.scenario.horizon, false, &mut [&mut recorder]).expect("it ends");
                recorder.summary("bench", 1, ended.as_str(), simulation.n_events(), &simulation.cluster)
            });
        });
    }
    group.finish();
}

fn deployments(n: u32, replicas: u32) -> String {
    let scenario = "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nspec: {horizon: 10m, cluster: {nodePools: [{name: node, count: 50, capacity: \
                    {cpu: '32', memory: 128Gi}}]}}\n";
    let deployment = |idx: u32| {
        format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d{idx}}}\nspec:\n  replicas: {replicas}\n  selector: {{matchLabels: \
             {{app: d{idx}}}}}\n  template:\n    metadata: {{labels: {{app: d{idx}}}}}\n    spec: {{containers: [{{name: c, image: i, resources: \
             {{requests: {{cpu: 500m, memory: 1Gi}}}}}}]}}\n"
        )
    };
    scenario.to_owned() + &(0..n).map(deployment).collect::<String>()
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).warm_up_time(std::time::Duration::from_secs(1)).measurement_time(std::time::Duration::from_secs(2));
    targets = queue, draws, trace, run
}
criterion_main!(benches);
