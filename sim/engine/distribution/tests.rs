use super::*;
use crate::engine::{Draws, Purpose};
use serde_json::{Value, json};

fn read(value: Value) -> Result<Distribution, DistributionError> {
    Distribution::from_json(&value, Unit::Span)
}

#[test]
fn samples_have_the_moments_and_quantiles_that_are_promised() {
    let rows = [
        json!("3s"),
        json!({"uniform": {"min": "1s", "max": "5s"}}),
        json!({"normal": {"mean": "10s", "stdDev": "2s"}}),
        json!({"normal": {"mean": "1s", "stdDev": "2s"}}),
        json!({"normal": {"mean": "0s", "stdDev": "2s"}}),
        json!({"normal": {"mean": "4s", "stdDev": "0s"}}),
        json!({"exponential": {"mean": "5m"}}),
        json!({"lognormal": {"median": "3s", "p99": "9s"}}),
        json!({"weibull": {"shape": 1.5, "scale": "10s"}}),
        json!({"weibull": {"shape": 0.8, "scale": "10s"}}),
        json!({"pareto": {"min": "1s", "shape": 5.0}}),
        json!({"empirical": [{"value": "5s", "weight": 1}, {"value": "1s", "weight": 3}, "7s"]}),
        json!({"quantiles": {"p0": "1s", "p50": "3s", "p90": "4s", "p100": "20s"}}),
        json!({"quantiles": {"p10": "1s", "p90": "4s"}}),
    ];
    for (i, row) in rows.into_iter().enumerate() {
        let distribution = read(row.clone()).expect("valid");
        let mut rng = Draws::new(1).stream(Purpose::Lifetime, 100 + i as u64, 0);
        let mut samples: Vec<f64> = (0..200_000).map(|_| distribution.sample(&mut rng)).collect();
        samples.sort_by(f64::total_cmp);
        let n = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / n;
        let std_dev = (samples.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n).sqrt();
        assert!((mean / distribution.mean() - 1.0).abs() < 0.01, "{row}: mean {mean} {}", distribution.mean());
        let want = distribution.std_dev();
        assert!((std_dev - want).abs() <= 0.03 * want, "{row}: deviation {std_dev} {want}");
        for p in [0.05, 0.25, 0.55, 0.75, 0.95] {
            let got = samples[(p * n) as usize];
            assert!(
                (got - distribution.quantile(p)).abs() <= 0.03 * got.max(1e5),
                "{row}: quantile {p}: {got} {}",
                distribution.quantile(p)
            );
        }
        assert!(samples[0] >= 0.0, "{row}");
    }
}

#[test]
fn a_lognormal_has_the_median_and_p99_it_was_given() {
    let distribution = read(json!({"lognormal": {"median": "3s", "p99": "9s"}})).expect("valid");
    assert!((distribution.quantile(0.5) - 3e6).abs() < 1e-6);
    assert!((distribution.quantile(0.99) - 9e6).abs() < 1e-3);
}

#[test]
fn heavy_tails_have_infinite_moments() {
    let tail = |shape: f64| read(json!({"pareto": {"min": "1s", "shape": shape}})).expect("valid");
    assert_eq!((tail(0.9).mean(), tail(0.9).std_dev()), (f64::INFINITY, f64::INFINITY));
    assert_eq!((tail(1.5).mean(), tail(1.5).std_dev()), (3e6, f64::INFINITY));
}

#[test]
fn a_seed_means_the_same_on_every_platform() {
    let mut rng = Draws::new(42).stream(Purpose::StartupDelay, 7, 0);
    let distribution = read(json!({"lognormal": {"median": "3s", "p99": "9s"}})).expect("valid");
    let spans: Vec<u64> = (0..4).map(|_| distribution.sample_span(&mut rng).as_micros()).collect();
    assert_eq!(spans, GOLDEN_SPANS);
}

const GOLDEN_SPANS: [u64; 4] = [3_086_666, 2_099_008, 4_188_399, 5_640_487];

#[test]
fn the_notation_is_read_and_written() {
    let rows = [
        (Unit::Span, json!("90s"), "1m30s"),
        (Unit::Span, json!(0), "0s"),
        (Unit::Span, json!({"uniform": {"max": "2s", "min": "1s"}}), "{uniform: {min: 1s, max: 2s}}"),
        (Unit::Span, json!({"normal": {"mean": "2s", "stdDev": "10ms"}}), "{normal: {mean: 2s, stdDev: 10ms}}"),
        (Unit::Span, json!({"exponential": {"mean": "5m"}}), "{exponential: {mean: 5m0s}}"),
        (Unit::Span, json!({"weibull": {"shape": 1.5, "scale": "1s"}}), "{weibull: {shape: 1.5, scale: 1s}}"),
        (Unit::Span, json!({"pareto": {"min": "1s", "shape": 2}}), "{pareto: {min: 1s, shape: 2}}"),
        (
            Unit::Span,
            json!({"empirical": ["1s", {"value": "2s", "weight": 3}]}),
            "{empirical: [{value: 1s, weight: 1}, {value: 2s, weight: 3}]}",
        ),
        (
            Unit::Span,
            json!({"quantiles": {"p99.9": "9s", "p100": "10s", "p5": "1s"}}),
            "{quantiles: {p5: 1s, p99.9: 9s, p100: 10s}}",
        ),
        (Unit::Milli, json!({"uniform": {"min": "100m", "max": 2}}), "{uniform: {min: 100m, max: 2}}"),
        (
            Unit::Bytes,
            json!({"lognormal": {"median": "300Mi", "p99": "2G"}}),
            "{lognormal: {median: 300Mi, p99: 1953125Ki}}",
        ),
        (Unit::Number, json!(2.5), "2.5"),
    ];
    for (unit, value, shown) in rows {
        let distribution = Distribution::from_json(&value, unit).unwrap_or_else(|error| panic!("{value}: {error}"));
        assert_eq!(distribution.to_string(), shown);
        let again: Value = serde_yaml::from_str(shown).expect("the notation is YAML");
        assert_eq!(Distribution::from_json(&again, unit), Ok(distribution), "{shown}");
    }
}

#[test]
fn bad_notation_names_the_parameter_and_the_cure() {
    let rows = [
        (json!("3"), "", "`3` has no unit"),
        (json!(5), "", "`5` has no unit"),
        (json!("-3s"), "", "a duration cannot be negative"),
        (json!(null), "", "is not a value"),
        (json!({}), "", "exactly one name"),
        (json!({"lognornal": {}}), "lognornal", "did you mean `lognormal`?"),
        (json!({"lognormal": {"median": "3s"}}), "lognormal", "parameter `p99` is missing"),
        (json!({"lognormal": {"median": "3s", "p90": "9s"}}), "lognormal.p90", "did you mean `p99`?"),
        (json!({"lognormal": {"median": "9s", "p99": "9s"}}), "lognormal.p99", "p99 9s is not above the median 9s"),
        (json!({"lognormal": {"median": "0s", "p99": "9s"}}), "lognormal.median", "must be above zero"),
        (json!({"lognormal": {"median": "1us", "p99": "9999999h"}}), "", "overflow"),
        (json!({"uniform": {"min": "2s", "max": "1s"}}), "uniform.max", "max 1s is below min 2s"),
        (json!({"weibull": {"shape": -1, "scale": "1s"}}), "weibull.shape", "must be a number above zero"),
        (json!({"weibull": {"shape": 0.01, "scale": "1s"}}), "", "overflow"),
        (json!({"weibull": {"shape": "1s", "scale": "1s"}}), "weibull.shape", "is not a number"),
        (json!({"exponential": {"mean": "0s"}}), "exponential.mean", "must be above zero"),
        (json!({"exponential": "5s"}), "exponential", "needs its parameters"),
        (json!({"exponential": {"mean": "400000000000h"}}), "exponential.mean", "too long"),
        (json!({"empirical": []}), "empirical", "at least one value"),
        (json!({"empirical": [{"value": "1s", "weight": -1}]}), "empirical[0].weight", "not negative"),
        (json!({"empirical": [{"weight": 1}]}), "empirical[0]", "`value` is missing"),
        (json!({"quantiles": {"p50": "1s"}}), "quantiles", "at least two"),
        (json!({"quantiles": {"p50": "2s", "p99": "1s"}}), "quantiles.p99", "below the quantile before it"),
        (json!({"quantiles": {"p50": "2s", "p101": "1s"}}), "quantiles.p101", "between p0 and p100"),
    ];
    for (value, path, message) in rows {
        let error = read(value.clone()).expect_err("refused");
        assert_eq!(error.path, path, "{value}: {error}");
        assert!(error.to_string().contains(message), "{value}: {error}");
    }
    for bad in [f64::NAN, f64::INFINITY, -1.0, 1e30] {
        assert!(Distribution::new(Unit::Number, Shape::Constant(bad)).is_err(), "{bad}");
        assert!(Distribution::new(Unit::Number, Shape::Exponential { mean: bad }).is_err(), "{bad}");
        assert!(Distribution::new(Unit::Number, Shape::Empirical(vec![(1.0, bad)])).is_err() || bad == 1e30, "{bad}");
    }
}
