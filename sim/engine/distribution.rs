//! Distributions of times and sizes, sampled by inverting their distribution function on the `libm` crate.
//!
//! One sample takes exactly one 64-bit draw, whatever the distribution: a stream stays in step when a scenario changes a parameter, and
//! a sample is a monotone function of its draw (which keeps paired comparisons paired). `libm` instead of the platform's own
//! mathematics, so that a seed means the same everywhere.

mod normal;
mod notation;
mod unit;

use rand_chacha::rand_core::Rng;

use super::Span;
pub use unit::Unit;

/// A distribution of non-negative values of one [`Unit`], checked when it is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    unit: Unit,
    shape: Shape,
    /// Lognormal: sigma. Normal: the probability mass that truncation at zero cuts off.
    derived: f64,
    /// Empirical: (cumulative probability, value), ascending in both.
    table: Vec<(f64, f64)>,
}

/// The family and its parameters; values are in the steps of the unit (microseconds, bytes, thousandths, ones).
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Always the same value.
    Constant(f64),
    /// Every value between two bounds is equally likely.
    Uniform {
        /// Lower bound.
        min: f64,
        /// Upper bound, not below `min`.
        max: f64,
    },
    /// Normal, truncated at zero: conditional on not being negative, so its mean lies a little above `mean`.
    Normal {
        /// Mean before truncation.
        mean: f64,
        /// Standard deviation before truncation.
        std_dev: f64,
    },
    /// Times between independent events.
    Exponential {
        /// Mean, above zero.
        mean: f64,
    },
    /// Lognormal given by two of its quantiles, which is how latencies are reported.
    Lognormal {
        /// Half of all values lie below.
        median: f64,
        /// 99 % of all values lie below; above `median`.
        p99: f64,
    },
    /// Weibull: hazard that rises (`shape` above 1) or falls (below 1) with age.
    Weibull {
        /// Shape, above zero.
        shape: f64,
        /// 63.2 % of all values lie below.
        scale: f64,
    },
    /// Pareto (type I): a power-law tail. Its mean is infinite for a `shape` of 1 or less.
    Pareto {
        /// Smallest value, above zero.
        min: f64,
        /// Exponent of the tail, above zero.
        shape: f64,
    },
    /// One of the given values, by weight.
    Empirical(Vec<(f64, f64)>),
    /// A table of (probability 0 to 1, value), interpolated linearly; beyond its ends the first and last value.
    Quantiles(Vec<(f64, f64)>),
}

/// Why a distribution is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistributionError {
    /// The parameter, from the distribution's own root: `lognormal.p99`, `empirical[2].weight`; empty for the whole.
    pub path: String,
    /// What is wrong with it.
    pub what: String,
    /// What would be right.
    pub help: Option<String>,
}

/// A quantile that must still be representable, so that overflow is found before the run and not in it.
const TAIL: f64 = 1.0 - 1e-6;
/// Quantile 0.99 of the standard normal distribution.
const Z99: f64 = 2.326_347_874_040_841;

impl Distribution {
    /// Checks the parameters of `shape`, which are in steps of `unit`.
    pub fn new(unit: Unit, shape: Shape) -> Result<Distribution, DistributionError> {
        check(&shape, unit)?;
        let derived = match shape {
            Shape::Lognormal { median, p99 } => (libm::log(p99) - libm::log(median)) / Z99,
            Shape::Normal { mean, std_dev } if std_dev > 0.0 => normal::below(-mean / std_dev),
            _ => 0.0,
        };
        let table = match &shape {
            Shape::Empirical(values) => cumulative(values),
            _ => Vec::new(),
        };
        let made = Distribution { unit, shape, derived, table };
        if made.quantile(TAIL) > unit::MAX {
            return Err(DistributionError::new("", "its largest values overflow")
                .help("a `shape` closer to 1 or a smaller scale has a shorter tail"));
        }
        Ok(made)
    }

    /// Always `span`.
    pub fn constant(span: Span) -> Distribution {
        let value = (span.as_micros() as f64).min(unit::MAX);
        Distribution { unit: Unit::Span, shape: Shape::Constant(value), derived: 0.0, table: Vec::new() }
    }

    /// The unit of the values.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// The family and its parameters.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The value if there is only one.
    pub fn as_constant(&self) -> Option<f64> {
        match self.shape {
            Shape::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// One value in steps of the unit, not rounded; takes one `u64` from `rng`.
    pub fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        self.quantile(open_unit(rng.next_u64()))
    }

    /// One span, rounded to the nearest microsecond.
    pub fn sample_span<R: Rng + ?Sized>(&self, rng: &mut R) -> Span {
        Span::from_micros(self.sample_integer(rng))
    }

    /// One value rounded to a whole number of steps; 2^63 - 1024 at most.
    pub fn sample_integer<R: Rng + ?Sized>(&self, rng: &mut R) -> u64 {
        // A float to integer cast saturates; samples are neither NaN nor negative.
        (self.sample(rng).min(unit::MAX) + 0.5) as u64
    }

    /// The value below which the share `p` (0 to 1, both excluded) of all values lies.
    pub fn quantile(&self, p: f64) -> f64 {
        match self.shape {
            Shape::Constant(value) => value,
            Shape::Uniform { min, max } => min + p * (max - min),
            Shape::Normal { mean, std_dev: 0.0 } => mean,
            Shape::Normal { mean, std_dev } => {
                (mean + std_dev * normal::quantile(self.derived + p * (1.0 - self.derived))).max(0.0)
            }
            Shape::Exponential { mean } => -mean * libm::log1p(-p),
            Shape::Lognormal { median, .. } => median * libm::exp(self.derived * normal::quantile(p)),
            Shape::Weibull { shape, scale } => scale * libm::pow(-libm::log1p(-p), 1.0 / shape),
            Shape::Pareto { min, shape } => min * libm::exp(-libm::log1p(-p) / shape),
            Shape::Empirical(_) => {
                let idx = self.table.partition_point(|&(until, _)| until <= p);
                self.table[idx.min(self.table.len() - 1)].1
            }
            Shape::Quantiles(ref points) => interpolate(points, p),
        }
    }

    /// The mean in steps of the unit; infinite for a Pareto tail of 1 or less.
    pub fn mean(&self) -> f64 {
        self.moments().0
    }

    /// The standard deviation in steps of the unit; infinite for a Pareto tail of 2 or less.
    pub fn std_dev(&self) -> f64 {
        let (mean, variance) = self.moments();
        if mean.is_infinite() { f64::INFINITY } else { variance.max(0.0).sqrt() }
    }

    /// Mean and variance.
    fn moments(&self) -> (f64, f64) {
        match self.shape {
            Shape::Constant(value) | Shape::Normal { mean: value, std_dev: 0.0 } => (value, 0.0),
            Shape::Uniform { min, max } => ((min + max) / 2.0, (max - min) * (max - min) / 12.0),
            Shape::Normal { mean, std_dev } => {
                let alpha = -mean / std_dev;
                let hazard = normal::density(alpha) / (1.0 - self.derived);
                (mean + std_dev * hazard, std_dev * std_dev * (1.0 + alpha * hazard - hazard * hazard))
            }
            Shape::Exponential { mean } => (mean, mean * mean),
            Shape::Lognormal { median, .. } => {
                let growth = libm::exp(self.derived * self.derived);
                (median * growth.sqrt(), median * median * growth * (growth - 1.0))
            }
            Shape::Weibull { shape, scale } => {
                let (first, second) = (libm::tgamma(1.0 + 1.0 / shape), libm::tgamma(1.0 + 2.0 / shape));
                (scale * first, scale * scale * (second - first * first))
            }
            Shape::Pareto { min, shape } => (
                if shape > 1.0 { min * shape / (shape - 1.0) } else { f64::INFINITY },
                if shape > 2.0 {
                    min * min * shape / ((shape - 1.0) * (shape - 1.0) * (shape - 2.0))
                } else {
                    f64::INFINITY
                },
            ),
            Shape::Empirical(ref values) => {
                let total: f64 = values.iter().map(|(_, weight)| weight).sum();
                let mean = values.iter().map(|(value, weight)| value * weight).sum::<f64>() / total;
                let spread = |value: f64| (value - mean) * (value - mean);
                (mean, values.iter().map(|&(value, weight)| spread(value) * weight).sum::<f64>() / total)
            }
            Shape::Quantiles(ref points) => moments_of_table(points),
        }
    }
}

impl DistributionError {
    /// An error at `path`.
    pub fn new(path: impl Into<String>, what: impl Into<String>) -> DistributionError {
        DistributionError { path: path.into(), what: what.into(), help: None }
    }

    /// The same error with a cure.
    pub fn help(mut self, help: impl Into<String>) -> DistributionError {
        self.help = Some(help.into());
        self
    }

    /// The same error, seen from the object that holds the value under `key`.
    pub fn under(mut self, key: &str) -> DistributionError {
        self.path = if self.path.is_empty() { key.to_owned() } else { format!("{key}.{}", self.path) };
        self
    }
}

/// `path: what (help)`.
impl std::fmt::Display for DistributionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.what)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for DistributionError {}

/// The 53 upper bits of a draw as a number strictly between 0 and 1.
pub fn open_unit(draw: u64) -> f64 {
    ((draw >> 11) as f64 + 0.5) * (1.0 / (1u64 << 53) as f64)
}

/// Refuses parameters that are not finite, negative, too large, or contradict each other.
fn check(shape: &Shape, unit: Unit) -> Result<(), DistributionError> {
    let value = |path: &str, x: f64| check_value(path, x, unit);
    let positive = |path: &str, x: f64| match value(path, x) {
        Ok(()) if x == 0.0 => Err(DistributionError::new(path, "must be above zero")),
        result => result,
    };
    let exponent = |path: &str, x: f64| match x {
        x if x.is_finite() && x > 0.0 => Ok(()),
        _ => Err(DistributionError::new(path, "must be a number above zero")),
    };
    match *shape {
        Shape::Constant(x) => value("", x),
        Shape::Uniform { min, max } => {
            value("uniform.min", min)?;
            value("uniform.max", max)?;
            if max < min {
                let what = format!("max {} is below min {}", unit.show(max), unit.show(min));
                return Err(DistributionError::new("uniform.max", what).help("swap them"));
            }
            Ok(())
        }
        Shape::Normal { mean, std_dev } => value("normal.mean", mean).and(value("normal.stdDev", std_dev)),
        Shape::Exponential { mean } => positive("exponential.mean", mean),
        Shape::Lognormal { median, p99 } => {
            positive("lognormal.median", median)?;
            value("lognormal.p99", p99)?;
            if p99 <= median {
                let what = format!("p99 {} is not above the median {}", unit.show(p99), unit.show(median));
                let help = format!("write `{}` for a value that never varies", unit.show(median));
                return Err(DistributionError::new("lognormal.p99", what).help(help));
            }
            Ok(())
        }
        Shape::Weibull { shape, scale } => exponent("weibull.shape", shape).and(positive("weibull.scale", scale)),
        Shape::Pareto { min, shape } => positive("pareto.min", min).and(exponent("pareto.shape", shape)),
        Shape::Empirical(ref values) => check_empirical(values, unit),
        Shape::Quantiles(ref points) => check_quantiles(points, unit),
    }
}

fn check_value(path: &str, x: f64, unit: Unit) -> Result<(), DistributionError> {
    let error = |what: &str| Err(DistributionError::new(path, what).help(unit.example()));
    match x {
        x if x.is_nan() => error("is not a number"),
        x if x < 0.0 => error("cannot be negative"),
        x if x > unit::MAX => error("is too large"),
        _ => Ok(()),
    }
}

fn check_empirical(values: &[(f64, f64)], unit: Unit) -> Result<(), DistributionError> {
    for (i, &(x, weight)) in values.iter().enumerate() {
        check_value(&format!("empirical[{i}].value"), x, unit)?;
        if !(weight.is_finite() && 0.0 <= weight) {
            let path = format!("empirical[{i}].weight");
            return Err(DistributionError::new(path, "a weight is a finite number, not negative").help("weight: 3"));
        }
    }
    let total: f64 = values.iter().map(|(_, weight)| weight).sum();
    if !(total.is_finite() && total > 0.0) {
        return Err(DistributionError::new("empirical", "needs at least one value with a weight above zero")
            .help(format!("empirical: [{{value: {}, weight: 3}}]", unit.show(1.0))));
    }
    Ok(())
}

fn check_quantiles(points: &[(f64, f64)], unit: Unit) -> Result<(), DistributionError> {
    if points.len() < 2 {
        return Err(DistributionError::new("quantiles", "needs at least two quantiles").help("such as p50 and p99"));
    }
    for &(p, x) in points {
        let path = format!("quantiles.p{}", notation::percent(p));
        if !(0.0..=1.0).contains(&p) {
            return Err(DistributionError::new(path, "a quantile lies between p0 and p100"));
        }
        check_value(&path, x, unit)?;
    }
    for pair in points.windows(2) {
        let path = format!("quantiles.p{}", notation::percent(pair[1].0));
        if pair[1].0 <= pair[0].0 {
            return Err(DistributionError::new(path, "is given twice"));
        }
        if pair[1].1 < pair[0].1 {
            let what = format!("{} is below the quantile before it, {}", unit.show(pair[1].1), unit.show(pair[0].1));
            return Err(DistributionError::new(path, what));
        }
    }
    Ok(())
}

/// (cumulative probability, value) of weighted values, ascending; values of weight zero are left out.
fn cumulative(values: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut table: Vec<(f64, f64)> = values.iter().filter(|(_, weight)| *weight > 0.0).map(|&(x, w)| (w, x)).collect();
    table.sort_by(|a, b| a.1.total_cmp(&b.1));
    let total: f64 = table.iter().map(|(weight, _)| weight).sum();
    let mut sum = 0.0;
    for (weight, _) in &mut table {
        sum += *weight;
        *weight = sum / total;
    }
    table
}

fn interpolate(points: &[(f64, f64)], p: f64) -> f64 {
    let idx = points.partition_point(|&(at, _)| at < p);
    match (idx.checked_sub(1).and_then(|before| points.get(before)), points.get(idx)) {
        (Some(&(p0, x0)), Some(&(p1, x1))) => x0 + (x1 - x0) * (p - p0) / (p1 - p0),
        (Some(&(_, x)), None) | (None, Some(&(_, x))) => x,
        (None, None) => 0.0,
    }
}

/// Mean and variance of a piecewise linear quantile function.
fn moments_of_table(points: &[(f64, f64)]) -> (f64, f64) {
    let (first, last) = (points[0], points[points.len() - 1]);
    let ends = [(first.0, first.1, first.1), (1.0 - last.0, last.1, last.1)];
    let pieces = points.windows(2).map(|pair| (pair[1].0 - pair[0].0, pair[0].1, pair[1].1)).chain(ends);
    let (mut mean, mut square) = (0.0, 0.0);
    for (share, a, b) in pieces {
        mean += share * (a + b) / 2.0;
        square += share * (a * a + a * b + b * b) / 3.0;
    }
    (mean, square - mean * mean)
}

#[cfg(test)]
mod tests;
