//! Annotations `wavetank.dev/*` on pods: behaviour that travels with the manifest.

use serde_json::Value;

use super::read::{SERVICE_EXAMPLE, read_usage, service_name};
use super::{ContainerModel, PassAfter, ServiceName, StopAfter};
use crate::engine::{Distribution, Span, Unit};

/// What the keys begin with.
pub const ANNOTATION_PREFIX: &str = "wavetank.dev/";

/// An annotation that cannot be read; it has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnotationWarning {
    /// The key.
    pub key: String,
    /// The value as written.
    pub value: String,
    /// What would be right.
    pub help: String,
}

/// The behaviour that annotations ask for: each field wins over the scenario's model.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Annotated {
    startup: Option<Distribution>,
    ready_after: Option<PassAfter>,
    depends_on: Option<Vec<ServiceName>>,
    run: Option<Option<Distribution>>,
    exit_codes: Option<Vec<i32>>,
    stop: Option<StopAfter>,
    stop_exit_code: Option<i32>,
    image_error: Option<bool>,
    image_size: Option<Distribution>,
    usage_cpu: Option<super::Usage>,
    usage_memory: Option<super::Usage>,
    usage_disk: Option<super::Usage>,
    usage_pids: Option<super::Usage>,
    usage_inodes: Option<super::Usage>,
}

/// The keys that mean something, without the prefix.
const KEYS: [&str; 14] = [
    "startup",
    "ready-after",
    "depends-on",
    "run",
    "exit-code",
    "stop",
    "stop-exit-code",
    "image-error",
    "image-size",
    "usage-cpu",
    "usage-memory",
    "usage-disk",
    "usage-pids",
    "usage-inodes",
];

impl Annotated {
    /// Reads the annotations of a pod.
    pub(super) fn read<'a>(
        entries: impl Iterator<Item = (&'a str, &'a str)>,
        warnings: &mut Vec<AnnotationWarning>,
    ) -> Annotated {
        let mut out = Annotated::default();
        for (key, value) in entries {
            let Some(name) = key.strip_prefix(ANNOTATION_PREFIX) else { continue };
            if let Err(help) = out.set(name, value.trim()) {
                warnings.push(AnnotationWarning { key: key.to_owned(), value: value.to_owned(), help });
            }
        }
        out
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let quantity = |unit: Unit| {
            let json = Value::String(value.to_owned());
            super::read::distribution(&json, unit, "").map_err(|error| error.help.unwrap_or(error.what))
        };
        let usage = |unit: Unit| {
            let json = Value::String(value.to_owned());
            read_usage(&json, unit, "").map_err(|error| error.help.unwrap_or(error.what))
        };
        match name {
            "startup" => self.startup = Some(Distribution::constant(seconds(value)?)),
            "ready-after" if value == "never" => self.ready_after = Some(PassAfter::Never),
            "ready-after" => self.ready_after = Some(PassAfter::After(Distribution::constant(seconds(value)?))),
            "depends-on" => {
                let names: Option<Vec<ServiceName>> = value.split(',').map(|name| service_name(name.trim())).collect();
                self.depends_on =
                    Some(names.ok_or_else(|| format!("Services by name, separated by commas: {SERVICE_EXAMPLE}"))?);
            }
            "run" if value == "forever" => self.run = Some(None),
            "run" => self.run = Some(Some(Distribution::constant(seconds(value)?))),
            "exit-code" => {
                let codes: Result<Vec<i32>, String> = value.split(',').map(exit_code).collect();
                self.exit_codes = Some(codes?);
            }
            "stop" if value == "never" => self.stop = Some(StopAfter::Never),
            "stop" => self.stop = Some(StopAfter::After(Distribution::constant(seconds(value)?))),
            "stop-exit-code" => self.stop_exit_code = Some(exit_code(value)?),
            "image-error" => self.image_error = Some(boolean(value)?),
            "image-size" => self.image_size = Some(quantity(Unit::Bytes)?),
            "usage-cpu" => self.usage_cpu = Some(usage(Unit::Milli)?),
            "usage-memory" => self.usage_memory = Some(usage(Unit::Bytes)?),
            "usage-disk" => self.usage_disk = Some(usage(Unit::Bytes)?),
            "usage-pids" => self.usage_pids = Some(usage(Unit::Number)?),
            "usage-inodes" => self.usage_inodes = Some(usage(Unit::Number)?),
            // Other keys of the prefix belong to others, such as the nodes of a recording; near misses do not.
            _ => {
                let near = KEYS.iter().find(|key| strsim::damerau_levenshtein(key, name) <= 2);
                return near.map_or(Ok(()), |near| Err(format!("did you mean `{ANNOTATION_PREFIX}{near}`?")));
            }
        }
        Ok(())
    }

    /// Lets the annotations win over the model of a regular container.
    pub(super) fn apply(&self, model: &mut ContainerModel) {
        fn win<T: Clone>(slot: &mut Option<T>, value: &Option<T>) {
            if value.is_some() {
                slot.clone_from(value);
            }
        }
        win(&mut model.startup, &self.startup);
        win(&mut model.readiness.pass_after, &self.ready_after);
        if let Some(services) = &self.depends_on {
            model.readiness.depends_on.clone_from(services);
        }
        win(&mut model.stop.after, &self.stop);
        win(&mut model.stop.exit_code, &self.stop_exit_code);
        win(&mut model.image_size, &self.image_size);
        win(&mut model.usage.cpu, &self.usage_cpu);
        win(&mut model.usage.memory, &self.usage_memory);
        win(&mut model.usage.disk, &self.usage_disk);
        win(&mut model.usage.pids, &self.usage_pids);
        win(&mut model.usage.inodes, &self.usage_inodes);
        model.image_error = self.image_error.unwrap_or(model.image_error);
        if let Some(run) = &self.run {
            model.exits.run.clone_from(run);
            model.exits.failure = None;
        }
        if let Some(codes) = &self.exit_codes {
            model.exits.codes.clone_from(codes);
        }
    }
}

/// A number of seconds, or a duration with a unit.
fn seconds(value: &str) -> Result<Span, String> {
    match value.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && 0.0 <= seconds => Ok(Span::from_secs_f64(seconds)),
        Ok(_) => Err("a number of seconds that is not negative".to_owned()),
        Err(_) => value.parse::<Span>().map_err(|_| "a number of seconds, or a duration such as `1m30s`".to_owned()),
    }
}

fn exit_code(text: &str) -> Result<i32, String> {
    let code = text.trim().parse::<i32>().ok().filter(|code| (0..=255).contains(code));
    code.ok_or_else(|| "exit codes from 0 to 255, separated by commas".to_owned())
}

fn boolean(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "`true` or `false`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_seconds_and_units_are_allowed() {
        let mut warnings = Vec::new();
        let entries = [("wavetank.dev/startup", "1.5"), ("wavetank.dev/run", "2m"), ("app", "x")];
        let read = Annotated::read(entries.into_iter(), &mut warnings);
        assert_eq!(read.startup.and_then(|d| d.as_constant()), Some(1_500_000.0));
        assert_eq!(read.run.flatten().and_then(|d| d.as_constant()), Some(120_000_000.0));
        assert!(warnings.is_empty());
        let read = Annotated::read([("wavetank.dev/depends-on", "db, other/cache")].into_iter(), &mut warnings);
        assert_eq!(read.depends_on.map(|services| services.len()), Some(2));
    }

    #[test]
    fn bad_values_are_warned_about() {
        let mut warnings = Vec::new();
        let entries = [("wavetank.dev/run", "soon"), ("wavetank.dev/exitcode", "1"), ("wavetank.dev/scenario", "s")];
        Annotated::read(entries.into_iter(), &mut warnings);
        let keys: Vec<&str> = warnings.iter().map(|warning| warning.key.as_str()).collect();
        assert_eq!(keys, ["wavetank.dev/run", "wavetank.dev/exitcode"]);
    }
}
