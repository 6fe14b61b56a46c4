//! Synthetic workloads: arrivals drawn from a process, their shapes and lifetimes from distributions.
//!
//! A generator gives its next arrival only when asked, so that the event of one arrival schedules the next. What an arrival draws
//! depends on the seed, the generator's place in the scenario and the arrival's ordinal, on nothing else.

mod process;

use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value};

use super::arrival::{Arrival, GpuDemand};
use crate::engine::{Distribution, DistributionError, Draws, Purpose, Span, Time, Unit};
pub use process::{ArrivalProcess, Rate};

/// What a generator makes.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateSpec {
    /// Prefix of the names: `job` gives `job-0`, `job-1`, ...
    pub name: String,
    /// When arrivals come.
    pub process: ArrivalProcess,
    /// How long each runs; forever if `None`.
    pub lifetime: Option<Distribution>,
    /// Replicas of each, rounded, at least 1; 1 if `None`.
    pub replicas: Option<Distribution>,
    /// CPU of one replica, in thousandths.
    pub cpu: Option<Distribution>,
    /// Memory of one replica, in bytes.
    pub memory: Option<Distribution>,
    /// GPUs of one replica in thousandths: below 1000 a share of one, above it whole ones, rounded up.
    pub gpu: Option<Distribution>,
    /// At most so many arrivals.
    pub limit: Option<u64>,
    /// No arrivals at or after this instant.
    pub until: Option<Span>,
}

const KEYS: [&str; 8] = ["name", "lifetime", "replicas", "cpu", "memory", "gpu", "limit", "until"];

impl GenerateSpec {
    /// A process whose arrivals ask for nothing.
    pub fn new(name: impl Into<String>, process: ArrivalProcess) -> GenerateSpec {
        GenerateSpec {
            name: name.into(),
            process,
            lifetime: None,
            replicas: None,
            cpu: None,
            memory: None,
            gpu: None,
            limit: None,
            until: None,
        }
    }

    /// Reads `{poisson: {rate: 12/s}, lifetime: {exponential: {mean: 5m}}, cpu: 500m, memory: 1Gi, limit: 1000}`.
    pub fn from_json(value: &Value) -> Result<GenerateSpec, DistributionError> {
        let members = value.as_object().ok_or_else(|| {
            DistributionError::new("", "a generator is an object").help("generate: {poisson: {rate: 12/s}, cpu: 500m}")
        })?;
        let (own, rest): (Map<String, Value>, Map<String, Value>) =
            members.clone().into_iter().partition(|(key, _)| KEYS.contains(&key.as_str()));
        let process = ArrivalProcess::from_json(&Value::Object(rest))?;
        let distribution = |key: &str, unit: Unit| match own.get(key) {
            None => Ok(None),
            Some(value) => Distribution::from_json(value, unit).map(Some).map_err(|error| error.under(key)),
        };
        let name = match own.get("name") {
            None => "job".to_owned(),
            Some(Value::String(name)) if !name.is_empty() => name.clone(),
            Some(_) => return Err(DistributionError::new("name", "is not a name").help("a text such as `job`")),
        };
        let limit = match own.get("limit") {
            None => None,
            Some(limit) => Some(
                limit
                    .as_u64()
                    .ok_or_else(|| DistributionError::new("limit", "is not a count").help("a number such as 1000"))?,
            ),
        };
        let until = match own.get("until") {
            None => None,
            Some(value) => Some(process::read_span(value).map_err(|error| error.under("until"))?),
        };
        Ok(GenerateSpec {
            name,
            process,
            lifetime: distribution("lifetime", Unit::Span)?,
            replicas: distribution("replicas", Unit::Number)?,
            cpu: distribution("cpu", Unit::Milli)?,
            memory: distribution("memory", Unit::Bytes)?,
            gpu: distribution("gpu", Unit::Milli)?,
            limit,
            until,
        })
    }

    /// The arrivals of the generator that stands at place `index` among the scenario's.
    ///
    /// # Panics
    ///
    /// If `index` is 65,535 or more.
    pub fn arrivals(&self, draws: &Draws, index: u64) -> Generator {
        assert!(index < (1 << 16) - 1, "too many generators");
        Generator {
            spec: self.clone(),
            draws: draws.clone(),
            entity: (index + 1) << 40,
            rng: draws.stream(Purpose::Arrival, index, 0),
            clock: process::Clock::new(&self.process),
            n_given: 0,
        }
    }
}

/// Arrivals drawn one after another, in order of time; ends at the limit, at `until` or never.
#[derive(Clone, Debug)]
pub struct Generator {
    spec: GenerateSpec,
    draws: Draws,
    /// The entity of the first arrival; the others follow it.
    entity: u64,
    rng: ChaCha8Rng,
    clock: process::Clock,
    n_given: u64,
}

impl Iterator for Generator {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        if self.spec.limit.is_some_and(|limit| limit <= self.n_given) || self.n_given == 1 << 40 {
            return None;
        }
        let at = self.clock.next(&self.spec.process, &mut self.rng)?;
        if self.spec.until.is_some_and(|until| Time::ZERO + until <= at) {
            return None;
        }
        let number = self.n_given;
        self.n_given += 1;
        Some(self.arrival(number, at))
    }
}

impl Generator {
    fn arrival(&self, number: u64, at: Time) -> Arrival {
        let spec = &self.spec;
        let mut arrival = Arrival::new(number, format!("{}-{number}", spec.name));
        arrival.at = at;
        let mut shape = self.draws.stream(Purpose::Shape, self.entity + number, 0);
        // Every distribution takes its draw, used or not, so that adding one leaves the others as they were.
        let mut draw = |distribution: &Option<Distribution>| {
            let open = distribution.as_ref().map(|distribution| distribution.sample_integer(&mut shape));
            if open.is_none() {
                rand_chacha::rand_core::Rng::next_u64(&mut shape);
            }
            open
        };
        let signed = |amount: Option<u64>| i64::try_from(amount.unwrap_or(0)).unwrap_or(i64::MAX);
        arrival.cpu_milli = signed(draw(&spec.cpu));
        arrival.memory_bytes = signed(draw(&spec.memory));
        arrival.gpu = match draw(&spec.gpu).unwrap_or(0) {
            0 => GpuDemand::default(),
            share @ 1..1000 => GpuDemand { count: 1, milli_per_gpu: share as u32, models: Vec::new() },
            milli => GpuDemand::whole(u32::try_from(milli.div_ceil(1000)).unwrap_or(u32::MAX)),
        };
        arrival.n = u32::try_from(draw(&spec.replicas).unwrap_or(1).max(1)).unwrap_or(u32::MAX);
        arrival.duration = spec
            .lifetime
            .as_ref()
            .map(|lifetime| lifetime.sample_span(&mut self.draws.stream(Purpose::Lifetime, self.entity + number, 0)));
        arrival
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec(value: Value) -> GenerateSpec {
        GenerateSpec::from_json(&value).unwrap_or_else(|error| panic!("{value}: {error}"))
    }

    fn times(value: Value, n: usize) -> Vec<f64> {
        spec(value).arrivals(&Draws::new(3), 0).take(n).map(|arrival| arrival.at.as_secs_f64()).collect()
    }

    #[test]
    fn processes_keep_their_rates() {
        let rows = [
            (json!({"poisson": {"rate": "12/s"}}), 12.0, 0.02),
            (json!({"constant": {"every": "250ms"}}), 4.0, 0.001),
            (json!({"diurnal": {"rate": "2/s", "amplitude": 0.9, "period": "10m"}}), 2.0, 0.03),
            (json!({"bursts": {"rate": "10/s", "on": "30s", "off": {"exponential": {"mean": "1m"}}}}), 10.0 / 3.0, 0.1),
            (json!({"hawkes": {"rate": "5/s", "branching": 0.6, "decay": "10s"}}), 5.0, 0.05),
        ];
        for (value, rate, tolerance) in rows {
            let times = times(value.clone(), 50_000);
            assert!(times.is_sorted(), "{value}");
            let got = times.len() as f64 / times[times.len() - 1];
            assert!((got / rate - 1.0).abs() < tolerance, "{value}: {got} per second");
        }
    }

    #[test]
    fn a_day_has_a_peak_and_a_trough() {
        let day = 86_400.0;
        let times =
            times(json!({"diurnal": {"rate": "1/s", "amplitude": 0.8, "period": "24h", "peak": "14h"}}), 400_000);
        let near = |hour: f64| times.iter().filter(|&&t| ((t % day) / 3600.0 - hour).abs() < 0.5).count() as f64;
        let ratio = near(14.0) / near(2.0);
        assert!((ratio / 9.0 - 1.0).abs() < 0.15, "peak to trough {ratio}");
    }

    #[test]
    fn hawkes_arrivals_come_in_clusters() {
        let variation = |value: Value| {
            let times = times(value, 40_000);
            let n_bins = (times[times.len() - 1] / 10.0) as usize;
            let mut bins = vec![0.0; n_bins + 1];
            times.iter().for_each(|t| bins[(t / 10.0) as usize] += 1.0);
            let mean = times.len() as f64 / bins.len() as f64;
            bins.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / bins.len() as f64 / mean
        };
        let poisson = variation(json!({"poisson": {"rate": "5/s"}}));
        let hawkes = variation(json!({"hawkes": {"rate": "5/s", "branching": 0.7, "decay": "2s"}}));
        assert!((poisson - 1.0).abs() < 0.1 && hawkes > 3.0, "index of dispersion {poisson} {hawkes}");
    }

    #[test]
    fn an_arrival_does_not_depend_on_the_others() {
        let full = json!({"poisson": {"rate": "1/s"}, "lifetime": {"exponential": {"mean": "5m"}}, "cpu": {"uniform": {"min": "100m", "max": 4}},
            "memory": "1Gi", "gpu": {"empirical": [{"value": "500m"}, {"value": 2}, {"value": 0}]}, "limit": 100, "until": "10m"});
        let all: Vec<Arrival> = spec(full.clone()).arrivals(&Draws::new(1), 4).collect();
        assert_eq!(all.len(), 100);
        let mut without = full;
        without.as_object_mut().expect("object").remove("cpu");
        for (a, b) in all.iter().zip(spec(without).arrivals(&Draws::new(1), 4)) {
            assert_eq!((a.at, a.duration, &a.gpu), (b.at, b.duration, &b.gpu));
        }
        assert!(all.iter().any(|arrival| arrival.gpu.milli_per_gpu == 500));
        let other: Vec<Arrival> =
            spec(json!({"poisson": {"rate": "1/s"}, "until": "5s"})).arrivals(&Draws::new(1), 0).collect();
        assert!(other.iter().all(|arrival| arrival.at < Time::from_secs(5)));
    }

    #[test]
    fn bad_generators_name_the_field() {
        let rows = [
            (json!({}), "", "exactly one process"),
            (json!({"poison": {"rate": "1/s"}}), "poison", "did you mean `poisson`?"),
            (json!({"poisson": {"rate": "0/s"}}), "poisson.rate", "above zero"),
            (json!({"poisson": {"rate": "12"}}), "poisson.rate", "is not a rate"),
            (json!({"poisson": {}}), "poisson.rate", "is missing"),
            (json!({"poisson": {"rate": "1/s", "ratio": 1}}), "poisson.ratio", "unknown"),
            (json!({"constant": {"every": "0s"}}), "constant.every", "above zero"),
            (json!({"diurnal": {"rate": "1/s", "amplitude": 2}}), "diurnal.amplitude", "0 to 1"),
            (json!({"hawkes": {"rate": "1/s", "branching": 1, "decay": "1s"}}), "hawkes.branching", "below 1"),
            (json!({"bursts": {"rate": "1/s", "on": "0s", "off": "1s"}}), "bursts.on", "above zero"),
            (
                json!({"poisson": {"rate": "1/s"}, "lifetime": {"exponential": {"mean": "0s"}}}),
                "lifetime.exponential.mean",
                "above zero",
            ),
            (json!({"poisson": {"rate": "1/s"}, "limit": -1}), "limit", "not a count"),
        ];
        for (value, path, message) in rows {
            let error = GenerateSpec::from_json(&value).expect_err("refused");
            assert_eq!(error.path, path, "{value}: {error}");
            assert!(error.to_string().contains(message), "{value}: {error}");
        }
    }
}
