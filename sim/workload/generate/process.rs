//! Arrival processes: when the next one comes.

use std::f64::consts::TAU;
use std::fmt;

use rand_chacha::rand_core::Rng;
use serde_json::{Map, Value};

use crate::engine::{Distribution, DistributionError, Span, Time, Unit, open_unit};
use crate::error::nearest;

/// How arrivals follow each other.
#[derive(Clone, Debug, PartialEq)]
pub enum ArrivalProcess {
    /// Independent arrivals.
    Poisson {
        /// Mean rate.
        rate: Rate,
    },
    /// One arrival at time zero and then one per `every`.
    Constant {
        /// Time between two arrivals.
        every: Span,
    },
    /// Poisson whose rate follows a cosine over the day.
    Diurnal {
        /// Mean rate over a period.
        rate: Rate,
        /// Swing around the mean, 0 to 1: 0.8 gives 1.8 times the mean at the peak and 0.2 times in the trough.
        amplitude: f64,
        /// Length of a day.
        period: Span,
        /// When the peak comes within a period.
        peak: Span,
    },
    /// Poisson while on, nothing while off; begins on.
    Bursts {
        /// Rate while on.
        rate: Rate,
        /// How long it stays on.
        on: Distribution,
        /// How long it stays off.
        off: Distribution,
    },
    /// Self-exciting (Hawkes 1971): every arrival draws others after it, which makes clusters.
    Hawkes {
        /// Mean rate, including the arrivals drawn by others.
        rate: Rate,
        /// Mean number of arrivals that one draws directly, below 1.
        branching: f64,
        /// Mean delay from an arrival to those it draws.
        decay: Span,
    },
}

/// Arrivals per time, written `12/s`, `3/10m`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    n: f64,
    per: Span,
}

/// Processes with their fields.
const PROCESSES: [(&str, &[&str]); 5] = [
    ("poisson", &["rate"]),
    ("constant", &["every"]),
    ("diurnal", &["rate", "amplitude", "period", "peak"]),
    ("bursts", &["rate", "on", "off"]),
    ("hawkes", &["rate", "branching", "decay"]),
];

/// Steps without an arrival after which a process is taken to be over (a burst that is practically never on).
const MAX_STEPS: u32 = 10_000_000;

impl ArrivalProcess {
    /// Reads `{poisson: {rate: 12/s}}` and its siblings.
    pub fn from_json(value: &Value) -> Result<ArrivalProcess, DistributionError> {
        let known = || PROCESSES.iter().map(|(name, _)| *name);
        let list = || format!("known processes: {}", known().collect::<Vec<_>>().join(", "));
        let mut members = value.as_object().into_iter().flatten();
        let (Some((name, body)), None) = (members.next(), members.next()) else {
            return Err(DistributionError::new("", "a generator has exactly one process").help(list()));
        };
        let Some((process, keys)) = PROCESSES.iter().find(|(process, _)| process == name) else {
            let help = nearest(name, known()).map_or_else(list, |near| format!("did you mean `{near}`?"));
            return Err(DistributionError::new(name, format!("unknown process `{name}`")).help(help));
        };
        let no_body = || DistributionError::new(name, "needs its fields").help(keys.join(", "));
        let fields = Fields { process, body: body.as_object().ok_or_else(no_body)? };
        if let Some(key) = fields.body.keys().find(|key| !keys.contains(&key.as_str())) {
            return Err(fields.bad(key, "is unknown", &format!("fields of {name}: {}", keys.join(", "))));
        }
        fields.read()
    }
}

impl Rate {
    /// Mean time between two arrivals, in microseconds.
    fn gap_us(self) -> f64 {
        self.per.as_micros() as f64 / self.n
    }

    /// Reads `12/s`, `0.5/h`, `3/10m`.
    pub fn read(text: &str) -> Result<Rate, String> {
        let malformed = || format!("`{text}` is not a rate");
        let (n, per) = text.split_once('/').ok_or_else(malformed)?;
        let n: f64 = n.trim().parse().map_err(|_| malformed())?;
        let per = per.trim();
        let unit_alone = per.bytes().all(|b| b.is_ascii_alphabetic());
        let per: Span = if unit_alone { format!("1{per}").parse() } else { per.parse() }.map_err(|_| malformed())?;
        let rate = Rate { n, per };
        if n.is_nan() || n <= 0.0 || per.is_zero() {
            return Err("a rate is above zero".to_owned());
        }
        if !(1e-3..1e16).contains(&rate.gap_us()) {
            return Err(format!("the rate `{text}` is out of range"));
        }
        Ok(rate)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = self.per.to_string();
        let unit = match per.as_str() {
            "1s" => "s",
            "1m0s" => "m",
            "1h0m0s" => "h",
            "24h0m0s" => "d",
            other => other,
        };
        write!(f, "{}/{unit}", self.n)
    }
}

/// A span as scenario files write it.
pub(super) fn read_span(value: &Value) -> Result<Span, DistributionError> {
    let help = "a duration such as `30s` or `24h`";
    let text = value.as_str().ok_or_else(|| DistributionError::new("", "is not a duration").help(help))?;
    text.parse().map_err(|error: crate::engine::SpanError| DistributionError::new("", error.to_string()).help(help))
}

struct Fields<'a> {
    process: &'static str,
    body: &'a Map<String, Value>,
}

impl Fields<'_> {
    fn read(&self) -> Result<ArrivalProcess, DistributionError> {
        Ok(match self.process {
            "poisson" => ArrivalProcess::Poisson { rate: self.rate()? },
            "constant" => ArrivalProcess::Constant { every: self.span("every", None)? },
            "diurnal" => ArrivalProcess::Diurnal {
                rate: self.rate()?,
                amplitude: self.number("amplitude", "lies from 0 to 1", |x| (0.0..=1.0).contains(&x))?,
                period: self.span("period", Some(Span::from_secs(86_400)))?,
                peak: match self.body.get("peak") {
                    None => Span::from_secs(14 * 3600),
                    Some(value) => read_span(value).map_err(|error| error.under("peak").under(self.process))?,
                },
            },
            "bursts" => ArrivalProcess::Bursts {
                rate: self.rate()?,
                on: self.distribution("on")?,
                off: self.distribution("off")?,
            },
            _ => ArrivalProcess::Hawkes {
                rate: self.rate()?,
                branching: self.number("branching", "lies from 0 to below 1", |x| (0.0..1.0).contains(&x))?,
                decay: self.span("decay", None)?,
            },
        })
    }

    fn value(&self, key: &str) -> Result<&Value, DistributionError> {
        self.body.get(key).ok_or_else(|| self.bad(key, "is missing", &format!("{}: {{{key}: ...}}", self.process)))
    }

    fn rate(&self) -> Result<Rate, DistributionError> {
        let text = self.value("rate")?.as_str().ok_or_else(|| self.bad("rate", "is not a rate", "such as `12/s`"))?;
        Rate::read(text).map_err(|what| self.bad("rate", &what, "such as `12/s` or `3/10m`"))
    }

    fn span(&self, key: &str, default: Option<Span>) -> Result<Span, DistributionError> {
        if let (None, Some(default)) = (self.body.get(key), default) {
            return Ok(default);
        }
        let span = read_span(self.value(key)?).map_err(|error| error.under(key).under(self.process))?;
        if span.is_zero() { Err(self.bad(key, "must be above zero", "such as `10s`")) } else { Ok(span) }
    }

    fn number(&self, key: &str, range: &str, fits: impl Fn(f64) -> bool) -> Result<f64, DistributionError> {
        let number = self.value(key)?.as_f64().filter(|&x| fits(x));
        number.ok_or_else(|| self.bad(key, range, "a plain number such as 0.5"))
    }

    fn distribution(&self, key: &str) -> Result<Distribution, DistributionError> {
        let distribution = Distribution::from_json(self.value(key)?, Unit::Span)
            .map_err(|error| error.under(key).under(self.process))?;
        if distribution.quantile(0.5) < 1.0 {
            return Err(self.bad(key, "must be above zero", "such as `30s`"));
        }
        Ok(distribution)
    }

    fn bad(&self, key: &str, what: &str, help: &str) -> DistributionError {
        DistributionError::new(format!("{}.{key}", self.process), what).help(help)
    }
}

/// Where a process stands.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    /// The last arrival, in microseconds with their fraction, so that rounding does not add up.
    now: f64,
    /// Bursts: when the present on-time ends; negative before the first.
    on_until: f64,
    /// Hawkes: intensity beyond the base, per microsecond.
    excitement: f64,
    started: bool,
}

impl Clock {
    pub(super) fn new(_process: &ArrivalProcess) -> Clock {
        Clock { now: 0.0, on_until: -1.0, excitement: 0.0, started: false }
    }

    /// The next arrival; `None` when the end of virtual time is reached.
    pub(super) fn next<R: Rng>(&mut self, process: &ArrivalProcess, rng: &mut R) -> Option<Time> {
        match process {
            ArrivalProcess::Poisson { rate } => self.now += exponential(rng, rate.gap_us()),
            ArrivalProcess::Constant { every } => {
                self.now += if self.started { every.as_micros() as f64 } else { 0.0 };
            }
            ArrivalProcess::Diurnal { rate, amplitude, period, peak } => {
                let swing = |at: f64| {
                    let phase = (at - peak.as_micros() as f64) / period.as_micros() as f64;
                    1.0 + amplitude * libm::cos(TAU * (phase - phase.floor()))
                };
                self.thin(rng, rate.gap_us() / (1.0 + amplitude), |at| swing(at) / (1.0 + amplitude))?;
            }
            ArrivalProcess::Bursts { rate, on, off } => self.burst(rng, rate.gap_us(), on, off)?,
            ArrivalProcess::Hawkes { rate, branching, decay } => {
                self.excited(rng, (1.0 - branching) / rate.gap_us(), *branching, decay.as_micros() as f64)?;
            }
        }
        self.started = true;
        (self.now < 9e18).then(|| Time::from_micros((self.now + 0.5) as u64))
    }

    /// Lewis and Shedler's thinning: candidates at the highest rate, kept with probability `keep`.
    fn thin<R: Rng>(&mut self, rng: &mut R, gap_us: f64, keep: impl Fn(f64) -> f64) -> Option<()> {
        for _ in 0..MAX_STEPS {
            self.now += exponential(rng, gap_us);
            if open_unit(rng.next_u64()) < keep(self.now) {
                return Some(());
            }
        }
        None
    }

    fn burst<R: Rng>(&mut self, rng: &mut R, gap_us: f64, on: &Distribution, off: &Distribution) -> Option<()> {
        if self.on_until < 0.0 {
            self.on_until = on.sample(rng);
        }
        for _ in 0..MAX_STEPS {
            // Having no memory, the process may draw a new gap at the beginning of an on-time.
            let at = self.now + exponential(rng, gap_us);
            if at < self.on_until {
                self.now = at;
                return Some(());
            }
            self.now = self.on_until + off.sample(rng);
            self.on_until = self.now + on.sample(rng);
        }
        None
    }

    /// Ogata's thinning for an exponential kernel.
    fn excited<R: Rng>(&mut self, rng: &mut R, base: f64, branching: f64, decay_us: f64) -> Option<()> {
        for _ in 0..MAX_STEPS {
            let highest = base + self.excitement;
            let gap = exponential(rng, 1.0 / highest);
            self.now += gap;
            self.excitement *= libm::exp(-gap / decay_us);
            if open_unit(rng.next_u64()) * highest < base + self.excitement {
                self.excitement += branching / decay_us;
                return Some(());
            }
        }
        None
    }
}

fn exponential<R: Rng>(rng: &mut R, mean: f64) -> f64 {
    -mean * libm::log1p(-open_unit(rng.next_u64()))
}
