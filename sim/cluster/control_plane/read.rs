//! `controlPlane` of a scenario: a profile, and every number of it that is to be another.

use serde_json::Value;

use super::{ControlPlane, KubeletTiming};
use crate::engine::{Distribution, Span, Unit};
use crate::error::FieldError;

/// The fields of `controlPlane`.
const FIELDS: [&str; 13] = [
    "profile",
    "watchLatency",
    "writeLatency",
    "bindLatency",
    "schedulingLatency",
    "controllerQps",
    "controllerBurst",
    "schedulerQps",
    "schedulerBurst",
    "kubeletTiming",
    "nodeMonitorPeriod",
    "nodeMonitorGracePeriod",
    "replicas",
];

impl ControlPlane {
    /// Reads `{profile: realistic | ideal, watchLatency: ..., ...}`; `profile` is `realistic` if it is not given.
    ///
    /// # Errors
    ///
    /// With the path of the wrong field inside `value`.
    pub fn from_json(value: &Value) -> Result<ControlPlane, FieldError> {
        let fields = match value {
            Value::Null => return Ok(ControlPlane::realistic()),
            Value::Object(fields) => fields,
            _ => return Err(FieldError::new("", "is an object: `{profile: realistic, watchLatency: 10ms}`")),
        };
        let mut control_plane = match fields.get("profile").map(|profile| profile.as_str()) {
            None | Some(Some("realistic")) => ControlPlane::realistic(),
            Some(Some("ideal")) => ControlPlane::ideal(),
            Some(_) => return Err(FieldError::new("profile", "unknown profile").help("`realistic` or `ideal`")),
        };
        for (name, value) in fields {
            control_plane.set(name, value)?;
        }
        Ok(control_plane)
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), FieldError> {
        let fixed = |distribution: &Distribution| Span::from_micros((distribution.quantile(0.5) + 0.5) as u64);
        match name {
            "profile" => {}
            "watchLatency" => {
                let latency = latency(name, value)?;
                (self.watch_delay, self.drawn.watch) = (fixed(&latency), drawn(latency));
            }
            "writeLatency" => {
                let latency = latency(name, value)?;
                (self.write_latency, self.drawn.write) = (fixed(&latency), drawn(latency));
            }
            "bindLatency" => {
                let latency = latency(name, value)?;
                (self.bind_latency, self.drawn.bind) = (fixed(&latency), drawn(latency));
            }
            "schedulingLatency" => {
                let latency = latency(name, value)?;
                (self.scheduling_latency, self.drawn.scheduling) = (fixed(&latency), drawn(latency));
            }
            "controllerQps" => self.controller_qps = qps(name, value)?,
            "controllerBurst" => self.controller_burst = burst(name, value)?,
            "schedulerQps" => self.scheduler_qps = qps(name, value)?,
            "schedulerBurst" => self.scheduler_burst = burst(name, value)?,
            "kubeletTiming" => {
                self.kubelet_timing = match value.as_str() {
                    Some("ideal") => KubeletTiming::Ideal,
                    Some("realistic") => KubeletTiming::Realistic,
                    _ => return Err(FieldError::new(name, "unknown timing").help("`realistic` or `ideal`")),
                }
            }
            "nodeMonitorPeriod" => self.node_monitor_period = span(name, value)?,
            "nodeMonitorGracePeriod" => self.node_monitor_grace_period = span(name, value)?,
            "replicas" => {
                let replicas = value.as_u64().and_then(|n| u8::try_from(n).ok()).filter(|n| (1..=9).contains(n));
                self.replicas = replicas.ok_or_else(|| {
                    FieldError::new(name, "is not a number from 1 to 9")
                        .help("replicas of kube-controller-manager and kube-scheduler, of which one each leads")
                })?;
            }
            _ => return Err(FieldError::unknown_field("", name, FIELDS)),
        }
        Ok(())
    }
}

fn latency(name: &str, value: &Value) -> Result<Distribution, FieldError> {
    Distribution::from_json(value, Unit::Span).map_err(|error| {
        let mut field = FieldError::new(error.path, error.what).inside(name);
        field.help = error.help;
        field
    })
}

/// A distribution of one value is no distribution.
fn drawn(distribution: Distribution) -> Option<Distribution> {
    Some(distribution).filter(|distribution| distribution.as_constant().is_none())
}

fn qps(name: &str, value: &Value) -> Result<f64, FieldError> {
    let qps = value.as_f64().filter(|qps| *qps > 0.0 && qps.is_finite());
    qps.ok_or_else(|| FieldError::new(name, "is not a number above 0").help("calls per second, as in `20`"))
}

fn burst(name: &str, value: &Value) -> Result<u32, FieldError> {
    let burst = value.as_u64().and_then(|burst| u32::try_from(burst).ok()).filter(|&burst| burst > 0);
    burst.ok_or_else(|| FieldError::new(name, "is not a whole number above 0").help("calls at once, as in `30`"))
}

fn span(name: &str, value: &Value) -> Result<Span, FieldError> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(seconds) => format!("{seconds}s"),
        _ => return Err(FieldError::new(name, "is not a duration").help("as in `40s`")),
    };
    text.parse().map_err(|error: crate::engine::SpanError| FieldError::new(name, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_profile_and_what_differs_from_it() {
        let read = ControlPlane::from_json(&json!({"profile": "ideal", "watchLatency": "10ms", "schedulerQps": 5}));
        let want = ControlPlane { watch_delay: Span::from_millis(10), scheduler_qps: 5.0, ..ControlPlane::ideal() };
        assert_eq!(read, Ok(want));
        assert_eq!(ControlPlane::from_json(&Value::Null), Ok(ControlPlane::realistic()));
    }

    #[test]
    fn a_latency_may_be_drawn() {
        use crate::cluster::control_plane::Latency;
        use crate::engine::Draws;
        let lognormal = json!({"watchLatency": {"lognormal": {"median": "10ms", "p99": "100ms"}}});
        let read = ControlPlane::from_json(&lognormal).expect("is right");
        assert_eq!(read.watch_delay, Span::from_millis(10));
        let draws = Draws::new(1);
        let drawn: Vec<Span> = (0..3).map(|turn| read.latency(Latency::Watch, &draws, 7, turn)).collect();
        assert!(drawn[0] != drawn[1] && drawn[1] != drawn[2], "{drawn:?}");
        assert_eq!(read.latency(Latency::Write, &draws, 7, 0), Span::from_millis(3));
    }

    #[test]
    fn wrong_fields_are_named_with_their_path() {
        let error = |value| ControlPlane::from_json(&value).expect_err("is wrong");
        let typo = error(json!({"watchLatenzy": "1ms"}));
        assert_eq!((typo.path.as_str(), typo.help.as_deref()), ("watchLatenzy", Some("did you mean `watchLatency`?")));
        let inner = error(json!({"bindLatency": {"lognormal": {"median": "10ms", "p99": "1ms"}}}));
        assert!(inner.path.starts_with("bindLatency.lognormal"), "{inner:?}");
        assert_eq!(error(json!({"schedulerQps": 0})).path, "schedulerQps");
        assert_eq!(error(json!({"profile": "fast"})).path, "profile");
    }
}
