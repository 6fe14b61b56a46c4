//! `spec.cluster.kubelet` of a scenario: fields of `KubeletConfiguration`, and how fast machines are.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::backoff::{BackOffLimits, INITIAL_BACKOFF, MAX_BACKOFF};
use super::options::KubeletOptions;
use super::shutdown::ShutdownGroup;
use super::thresholds::{Amount, Signal, SignalThreshold};
use crate::api::quantity::Quantity;
use crate::engine::{Distribution, Span, Unit};
use crate::error::FieldError;

/// The fields that are known.
const FIELDS: [&str; 33] = [
    "containerStart",
    "cpuManagerPolicy",
    "crashLoopBackOff",
    "evictionHard",
    "evictionMaxPodGracePeriod",
    "evictionMinimumReclaim",
    "evictionPressureTransitionPeriod",
    "evictionSoft",
    "evictionSoftGracePeriod",
    "featureGates",
    "imageFilesystem",
    "imageFilesystemInodes",
    "imageGCHighThresholdPercent",
    "imageGCLowThresholdPercent",
    "imageMaximumGCAge",
    "imageMinimumGCAge",
    "imageSize",
    "maxParallelImagePulls",
    "maxPids",
    "memoryManagerPolicy",
    "mergeDefaultEvictionSettings",
    "nodeFilesystemInodes",
    "pullBandwidth",
    "pullFailure",
    "registryLatency",
    "sandboxStart",
    "serializeImagePulls",
    "shutdownGracePeriod",
    "shutdownGracePeriodByPodPriority",
    "shutdownGracePeriodCriticalPods",
    "stop",
    "teardown",
    "podPidsLimit",
];

type Result<T> = std::result::Result<T, FieldError>;

impl KubeletOptions {
    /// Lets the fields of `configuration` win.
    ///
    /// # Errors
    ///
    /// The first field that is unknown or wrong.
    pub fn configure(&mut self, configuration: &Value) -> Result<()> {
        let Some(fields) = configuration.as_object() else {
            return Err(FieldError::new("", "is a table").help("{imageGCHighThresholdPercent: 85}"));
        };
        if let Some(key) = fields.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            return Err(FieldError::unknown_field("", key, FIELDS));
        }
        if fields.contains_key("podPidsLimit") {
            return Err(
                FieldError::new("podPidsLimit", "is not modelled").help("`maxPids` bounds the processes of a node")
            );
        }
        self.machine(fields)?;
        self.images(fields)?;
        self.back_off(fields)?;
        self.shutdown(fields)?;
        self.eviction_settings(fields)?;
        self.static_cpus |= word(fields, "cpuManagerPolicy", ["none", "static"])? == Some("static");
        self.static_memory |= word(fields, "memoryManagerPolicy", ["None", "Static"])? == Some("Static");
        Ok(())
    }

    fn machine(&mut self, fields: &Map<String, Value>) -> Result<()> {
        for (key, slot) in [
            ("sandboxStart", &mut self.sandbox),
            ("containerStart", &mut self.container_start),
            ("stop", &mut self.stop),
        ] {
            if let Some(value) = fields.get(key) {
                *slot = Distribution::from_json(value, Unit::Span)
                    .map_err(|error| FieldError::new(key, error.to_string()))?;
            }
        }
        set(&mut self.teardown, span(fields, "teardown")?);
        set(&mut self.registry_latency, span(fields, "registryLatency")?);
        set(&mut self.pull_failure, span(fields, "pullFailure")?);
        set(&mut self.image_size_bytes, quantity(fields, "imageSize")?.map(|bytes| bytes as f64));
        if let Some(bytes) = quantity(fields, "pullBandwidth")? {
            if bytes <= 0 {
                return Err(FieldError::new("pullBandwidth", "must be above zero").help("bytes per second: 50M"));
            }
            self.pull_bandwidth = bytes as f64;
        }
        set(&mut self.max_pids, quantity(fields, "maxPids")?);
        self.image_fs_bytes = quantity(fields, "imageFilesystem")?.or(self.image_fs_bytes);
        self.node_fs_inodes = quantity(fields, "nodeFilesystemInodes")?.or(self.node_fs_inodes);
        self.image_fs_inodes = quantity(fields, "imageFilesystemInodes")?.or(self.image_fs_inodes);
        if self.image_fs_inodes.is_some() && self.image_fs_bytes.is_none() {
            let text = "needs `imageFilesystem`: images have no filesystem of their own";
            return Err(FieldError::new("imageFilesystemInodes", text).help("imageFilesystem: 50Gi"));
        }
        Ok(())
    }

    fn images(&mut self, fields: &Map<String, Value>) -> Result<()> {
        let policy = &mut self.image_gc;
        for (key, slot) in [
            ("imageGCHighThresholdPercent", &mut policy.high_percent),
            ("imageGCLowThresholdPercent", &mut policy.low_percent),
        ] {
            if let Some(percent) = number(fields, key, 100)? {
                *slot = i64::from(percent);
            }
        }
        if policy.high_percent <= policy.low_percent {
            let text = format!("must be below imageGCHighThresholdPercent, which is {}", policy.high_percent);
            return Err(FieldError::new("imageGCLowThresholdPercent", text));
        }
        set(&mut policy.min_age, span(fields, "imageMinimumGCAge")?);
        set(&mut policy.max_age, span(fields, "imageMaximumGCAge")?);
        if !policy.max_age.is_zero() && policy.max_age <= policy.min_age {
            return Err(FieldError::new("imageMaximumGCAge", "must be above imageMinimumGCAge"));
        }
        let most = number(fields, "maxParallelImagePulls", u32::MAX)?;
        let serial = boolean(fields, "serializeImagePulls")?;
        match (serial, most) {
            (Some(true), Some(most)) if most > 1 => {
                let text = "cannot be more than 1 while serializeImagePulls is true";
                return Err(FieldError::new("maxParallelImagePulls", text));
            }
            (_, Some(most)) => self.parallel_pulls = most.max(1),
            (Some(false), None) => self.parallel_pulls = u32::MAX,
            (Some(true), None) => self.parallel_pulls = 1,
            (None, None) => {}
        }
        Ok(())
    }

    /// `crashLoopBackOff.maxContainerRestartPeriod` and the feature gates that it stands beside (kubelet, `newCrashLoopBackOff`).
    fn back_off(&mut self, fields: &Map<String, Value>) -> Result<()> {
        let mut gates =
            BTreeMap::from([("KubeletCrashLoopBackOffMax", true), ("ReduceDefaultCrashLoopBackOffDecay", false)]);
        for (gate, value) in fields.get("featureGates").and_then(Value::as_object).into_iter().flatten() {
            let path = format!("featureGates.{gate}");
            let Some(slot) = gates.get_mut(gate.as_str()) else {
                return Err(FieldError::new(path, "is not modelled")
                    .help("gates: KubeletCrashLoopBackOffMax, ReduceDefaultCrashLoopBackOffDecay"));
            };
            *slot = value.as_bool().ok_or_else(|| FieldError::new(path, "is `true` or `false`"))?;
        }
        let most = match fields.get("crashLoopBackOff").and_then(Value::as_object) {
            None => None,
            Some(table) => {
                span(table, "maxContainerRestartPeriod").map_err(|error| error.inside("crashLoopBackOff"))?
            }
        };
        if let Some(most) = most
            && !(Span::from_secs(1)..=MAX_BACKOFF).contains(&most)
        {
            let path = "crashLoopBackOff.maxContainerRestartPeriod";
            return Err(FieldError::new(path, "must be between 1s and 300s"));
        }
        if most.is_some() || fields.contains_key("featureGates") {
            self.crash_loop = crash_loop_limits(
                gates["ReduceDefaultCrashLoopBackOffDecay"],
                gates["KubeletCrashLoopBackOffMax"].then_some(most.unwrap_or(MAX_BACKOFF)),
            );
        }
        Ok(())
    }

    fn shutdown(&mut self, fields: &Map<String, Value>) -> Result<()> {
        set(&mut self.shutdown_grace, span(fields, "shutdownGracePeriod")?);
        set(&mut self.shutdown_grace_critical, span(fields, "shutdownGracePeriodCriticalPods")?);
        if self.shutdown_grace < self.shutdown_grace_critical {
            let text = "must not be above shutdownGracePeriod";
            return Err(FieldError::new("shutdownGracePeriodCriticalPods", text));
        }
        let Some(list) = fields.get("shutdownGracePeriodByPodPriority") else { return Ok(()) };
        let path = "shutdownGracePeriodByPodPriority";
        let help = "[{priority: 0, shutdownGracePeriodSeconds: 20}]";
        let wrong = || FieldError::new(path, "is a list of priorities and seconds").help(help);
        let groups = list.as_array().ok_or_else(wrong)?.iter().map(|group| {
            let priority = group["priority"].as_i64().and_then(|priority| i32::try_from(priority).ok())?;
            let seconds =
                group["shutdownGracePeriodSeconds"].as_u64().and_then(|seconds| u32::try_from(seconds).ok())?;
            Some(ShutdownGroup { priority, seconds })
        });
        let mut groups: Vec<ShutdownGroup> = groups.collect::<Option<_>>().ok_or_else(wrong)?;
        groups.sort_by_key(|group| group.priority);
        if !self.shutdown_grace.is_zero() && !groups.is_empty() {
            return Err(FieldError::new(path, "cannot stand beside shutdownGracePeriod"));
        }
        if groups.len() >= usize::from(u16::MAX) {
            return Err(FieldError::new(path, "has too many entries"));
        }
        self.shutdown_groups = groups;
        Ok(())
    }

    /// The thresholds of eviction: any value of `evictionHard` drops the other defaults, unless they are merged.
    fn eviction_settings(&mut self, fields: &Map<String, Value>) -> Result<()> {
        set(&mut self.eviction_transition, span(fields, "evictionPressureTransitionPeriod")?);
        set(&mut self.eviction_max_pod_grace, number(fields, "evictionMaxPodGracePeriod", i32::MAX as u32)?);
        let reclaim = amounts(fields, "evictionMinimumReclaim")?;
        let mut hard = self.eviction.clone();
        if fields.contains_key("evictionHard") {
            let given = amounts(fields, "evictionHard")?;
            let merge = boolean(fields, "mergeDefaultEvictionSettings")?.unwrap_or(false);
            hard.retain(|threshold| merge && !given.contains_key(&threshold.signal));
            hard.extend(given.into_iter().map(|(signal, value)| SignalThreshold::hard(signal, value)));
            // A threshold of 0% or 100% is none (kubelet, `parseThresholdStatement`).
            hard.retain(|threshold| threshold.value != Amount::Share(0.0) && threshold.value != Amount::Share(1.0));
        }
        let graces = match fields.get("evictionSoftGracePeriod").map(Value::as_object) {
            None => BTreeMap::new(),
            Some(table) => {
                let table = table.ok_or_else(|| FieldError::new("evictionSoftGracePeriod", "is a table"))?;
                let mut graces = BTreeMap::new();
                for key in table.keys() {
                    let grace = span(table, key).map_err(|error| error.inside("evictionSoftGracePeriod"))?;
                    graces.insert(signal("evictionSoftGracePeriod", key)?, grace.unwrap_or(Span::ZERO));
                }
                graces
            }
        };
        for (signal, value) in amounts(fields, "evictionSoft")? {
            let Some(&grace) = graces.get(&signal) else {
                return Err(FieldError::new("evictionSoft", "every soft threshold needs an evictionSoftGracePeriod"));
            };
            hard.push(SignalThreshold { grace: Some(grace), ..SignalThreshold::hard(signal, value) });
        }
        for threshold in &mut hard {
            threshold.min_reclaim = reclaim.get(&threshold.signal).copied().unwrap_or(threshold.min_reclaim);
        }
        self.eviction = hard;
        Ok(())
    }
}

/// The crash-loop back-off under its two feature gates: `reduced` begins at 1 s and ends at 60 s; `most` is the configured longest
/// delay, if that gate is on.
pub fn crash_loop_limits(reduced: bool, most: Option<Span>) -> BackOffLimits {
    let (initial, max) = match reduced {
        true => (Span::from_secs(1), Span::from_secs(60)),
        false => (INITIAL_BACKOFF, MAX_BACKOFF),
    };
    let max = most.unwrap_or(max);
    BackOffLimits { initial: initial.min(max), max }
}

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

fn span(fields: &Map<String, Value>, key: &str) -> Result<Option<Span>> {
    match fields.get(key) {
        None => Ok(None),
        Some(Value::Number(number)) if number.as_u64() == Some(0) => Ok(Some(Span::ZERO)),
        Some(Value::String(text)) => {
            text.parse().map(Some).map_err(|error: crate::engine::SpanError| FieldError::new(key, error.to_string()))
        }
        Some(_) => Err(FieldError::new(key, "is a duration").help("2m30s")),
    }
}

fn quantity(fields: &Map<String, Value>, key: &str) -> Result<Option<i64>> {
    let text = match fields.get(key) {
        None => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    let quantity = text.parse::<Quantity>().map_err(|error| FieldError::new(key, error.to_string()))?;
    Ok(Some(quantity.value().max(0)))
}

fn number(fields: &Map<String, Value>, key: &str, most: u32) -> Result<Option<u32>> {
    let Some(value) = fields.get(key) else { return Ok(None) };
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|&number| number <= most);
    number.map(Some).ok_or_else(|| FieldError::new(key, format!("is a number from 0 to {most}")))
}

fn boolean(fields: &Map<String, Value>, key: &str) -> Result<Option<bool>> {
    let Some(value) = fields.get(key) else { return Ok(None) };
    value.as_bool().map(Some).ok_or_else(|| FieldError::new(key, "is `true` or `false`"))
}

fn word<'a>(fields: &'a Map<String, Value>, key: &str, known: [&str; 2]) -> Result<Option<&'a str>> {
    let Some(value) = fields.get(key) else { return Ok(None) };
    let word = value.as_str().filter(|word| known.contains(word));
    word.map(Some).ok_or_else(|| FieldError::new(key, format!("is `{}` or `{}`", known[0], known[1])))
}

fn signal(path: &str, key: &str) -> Result<Signal> {
    Signal::parse(key).ok_or_else(|| {
        let names: Vec<&str> = Signal::ALL.iter().map(|(_, name)| *name).collect();
        FieldError::new(format!("{path}.{key}"), "is not a signal that is modelled").help(names.join(", "))
    })
}

fn amounts(fields: &Map<String, Value>, key: &str) -> Result<BTreeMap<Signal, Amount>> {
    let Some(value) = fields.get(key) else { return Ok(BTreeMap::new()) };
    let table =
        value.as_object().ok_or_else(|| FieldError::new(key, "is a table").help("{memory.available: 100Mi}"))?;
    let mut out = BTreeMap::new();
    for (name, amount) in table {
        let text = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
        let wrong = || FieldError::new(format!("{key}.{name}"), "is an amount or a share").help("100Mi, or 10%");
        out.insert(signal(key, name)?, Amount::parse(&text).ok_or_else(wrong)?);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn configured(configuration: Value) -> Result<KubeletOptions> {
        let mut options = KubeletOptions::realistic();
        options.configure(&configuration).map(|()| options)
    }

    #[test]
    fn a_hard_threshold_drops_the_other_defaults() {
        let options = configured(json!({"evictionHard": {"memory.available": "1Gi"}})).expect("right");
        assert_eq!(options.eviction, [SignalThreshold::hard(Signal::Memory, Amount::Absolute(1 << 30))]);
        let merged = json!({"evictionHard": {"memory.available": "1Gi"}, "mergeDefaultEvictionSettings": true});
        assert_eq!(configured(merged).expect("right").eviction.len(), 5);
        let soft = json!({"evictionSoft": {"nodefs.available": "20%"}, "evictionSoftGracePeriod": {"nodefs.available": "90s"}});
        let last = configured(soft).expect("right").eviction.pop().expect("six");
        assert_eq!((last.value, last.grace), (Amount::Share(0.2), Some(Span::from_secs(90))));
    }

    #[test]
    fn wrong_fields_are_named() {
        for (configuration, path) in [
            (json!({"evictionHrad": {}}), "evictionHrad"),
            (json!({"evictionHard": {"memory": "1Gi"}}), "evictionHard.memory"),
            (json!({"evictionHard": {"memory.available": "much"}}), "evictionHard.memory.available"),
            (json!({"evictionSoft": {"memory.available": "1Gi"}}), "evictionSoft"),
            (json!({"imageFilesystemInodes": "1M"}), "imageFilesystemInodes"),
            (json!({"imageGCHighThresholdPercent": 70}), "imageGCLowThresholdPercent"),
            (json!({"maxParallelImagePulls": 5, "serializeImagePulls": true}), "maxParallelImagePulls"),
            (
                json!({"crashLoopBackOff": {"maxContainerRestartPeriod": "10m"}}),
                "crashLoopBackOff.maxContainerRestartPeriod",
            ),
            (
                json!({"shutdownGracePeriod": "10s", "shutdownGracePeriodCriticalPods": "20s"}),
                "shutdownGracePeriodCriticalPods",
            ),
            (json!({"cpuManagerPolicy": "Static"}), "cpuManagerPolicy"),
        ] {
            assert_eq!(configured(configuration.clone()).expect_err("wrong").path, path, "{configuration}");
        }
    }

    #[test]
    fn the_gates_of_the_crash_loop_are_those_of_the_kubelet() {
        let gates = json!({"featureGates": {"ReduceDefaultCrashLoopBackOffDecay": true}});
        let limits = configured(gates).expect("right").crash_loop;
        assert_eq!(limits, BackOffLimits { initial: Span::from_secs(1), max: MAX_BACKOFF });
    }
}
