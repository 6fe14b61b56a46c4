//! Loading: files into a [`Scenario`], with every mistake found before the first event.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::arrivals::WorkloadSource;
use super::expect::Expectation;
use super::file::{ScenarioFile, ScenarioSpec, Until};
use super::objects::{AcceptedObjects, accept_all};
use super::overrides;
use super::typed::{at, read};
use crate::api::accept::AcceptContext;
use crate::api::document::{Document, Part, ReadOptions, read_files, read_str};
use crate::client::{Action, Step};
use crate::cluster::{ControlPlane, DeclaredMetric};
use crate::engine::{Span, SpanError, Time};
use crate::error::{Error, Result};
use crate::faults::Fault;
use crate::kubelet::{KubeletOptions, Models, StaticPod};
use crate::metrics::POOL_LABEL;
use crate::modelled::unmodelled_fields;
use crate::scheduler::SchedulerConfig;

/// 2026-01-01T00:00:00Z in seconds since 1970: when runs begin unless the scenario says otherwise.
const DEFAULT_START: i64 = 1_767_225_600;
/// Horizon of a scenario that names none.
const DEFAULT_HORIZON: Span = Span::from_secs(600);
/// Samples of a run that names no period.
const DEFAULT_SAMPLES: u64 = 600;

/// What the command line may change.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// `--seed`.
    pub seed: Option<u64>,
    /// `--set path=value`, in order.
    pub set: Vec<String>,
    /// Whether folders inside folders are read too.
    pub recursive: bool,
}

/// A scenario and what the user should know about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The scenario.
    pub scenario: Scenario,
    /// Warnings, in order of discovery.
    pub warnings: Vec<Error>,
}

/// A scenario, resolved: every file read, everything checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// The seed of its random numbers.
    pub seed: u64,
    /// When it ends at the latest.
    pub horizon: Time,
    /// Whether it ends as soon as nothing is left to happen.
    pub until_settled: bool,
    /// Measures begin here.
    pub warmup: Span,
    /// The date at which it begins, in seconds since 1970.
    pub epoch_seconds: i64,
    /// Time between two samples.
    pub sample_period: Span,
    /// Latencies and limits of the control plane.
    pub control_plane: ControlPlane,
    /// How kubelets behave.
    pub kubelet: KubeletOptions,
    /// How containers behave.
    pub models: Models,
    /// Custom and external metrics.
    pub metrics: Vec<DeclaredMetric>,
    /// Whether metrics-server is installed.
    pub metrics_server: bool,
    /// The scheduler's configuration as given: a KubeSchedulerConfiguration.
    pub scheduler: Option<Value>,
    /// Node manifests.
    pub nodes: Vec<Value>,
    /// Accepted manifests of the objects that are applied at the beginning.
    pub objects: Vec<Value>,
    /// What happens at virtual times.
    pub steps: Vec<Step>,
    /// What fails.
    pub faults: Vec<Fault>,
    /// What arrives.
    pub workload: Vec<WorkloadSource>,
    /// What must be true.
    pub expectations: Vec<Expectation>,
}

/// Loads a scenario from files: any number of manifests, at most one `kind: Scenario` among them.
///
/// # Errors
///
/// Everything that is wrong, as far as it can be found in one go.
pub fn load(paths: &[PathBuf], options: &LoadOptions) -> Result<Loaded, Vec<Error>> {
    let read_options = ReadOptions { recursive: options.recursive, ..ReadOptions::default() };
    let (documents, errors) = read_files(paths, &read_options);
    if !errors.is_empty() {
        return Err(errors);
    }
    let (scenarios, objects): (Vec<Document>, Vec<Document>) = documents.into_iter().partition(is_scenario);
    if let [_, second, ..] = scenarios.as_slice() {
        let error = Error::new("a second `kind: Scenario`: one run has one scenario");
        return Err(vec![error.at(second.place("kind", Part::Value)).help("run the files one by one")]);
    }
    let document = scenarios.into_iter().next();
    let name = paths.first().map_or_else(|| "scenario".to_owned(), |path| stem(path));
    let folder = paths.first().and_then(|path| path.parent()).unwrap_or(Path::new(".")).to_owned();
    Loader { document, objects, written: Vec::new(), name, folder, options, warnings: Vec::new() }.load()
}

/// Loads a scenario given as text; files it names are relative to the working folder.
///
/// # Errors
///
/// As [`load`].
pub fn load_scenario_text(name: &str, text: &str, options: &LoadOptions) -> Result<Loaded, Vec<Error>> {
    let (documents, errors) = read_str(name, text);
    if !errors.is_empty() {
        return Err(errors);
    }
    let (scenarios, objects): (Vec<Document>, Vec<Document>) = documents.into_iter().partition(is_scenario);
    let document = scenarios.into_iter().next();
    Loader {
        document,
        objects,
        written: Vec::new(),
        name: name.to_owned(),
        folder: PathBuf::new(),
        options,
        warnings: Vec::new(),
    }
    .load()
}

fn is_scenario(document: &Document) -> bool {
    document.kind() == "Scenario" && document.api_version().starts_with("wavetank.dev/")
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(|| "scenario".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

struct Loader<'a> {
    document: Option<Document>,
    objects: Vec<Document>,
    /// The manifests of the objects as they were written: what a client applies.
    written: Vec<Value>,
    name: String,
    folder: PathBuf,
    options: &'a LoadOptions,
    warnings: Vec<Error>,
}

impl Loader<'_> {
    fn load(mut self) -> Result<Loaded, Vec<Error>> {
        let spec = self.spec().map_err(|error| vec![error])?;
        let mut errors = Vec::new();
        let mut keep = |result: Result<(), Vec<Error>>| errors.extend(result.err().into_iter().flatten());
        let mut scenario = self.times(&spec)?;
        keep(self.cluster(&spec, &mut scenario));
        keep(self.objects(&spec, &mut scenario));
        keep(self.behaviour(&spec, &mut scenario));
        keep(self.happenings(&spec, &mut scenario));
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Loaded { scenario, warnings: self.warnings })
    }

    /// The scenario document as typed, with the changes of the command line.
    fn spec(&mut self) -> Result<ScenarioSpec> {
        let mut value = match &self.document {
            Some(document) => document.value.clone(),
            None if self.options.set.is_empty() => return Ok(ScenarioSpec::default()),
            None => serde_json::json!({ "apiVersion": "wavetank.dev/v1alpha1", "kind": "Scenario" }),
        };
        for assignment in &self.options.set {
            overrides::set(&mut value, assignment)?;
        }
        let typed: ScenarioFile = match &self.document {
            Some(document) => read(document, &value)?,
            None => serde_json::from_value(value).map_err(|error| Error::new(format!("--set: {error}")))?,
        };
        if typed.api_version != "wavetank.dev/v1alpha1" {
            let error = Error::new(format!("unknown version `{}` of the scenario format", typed.api_version));
            return Err(self.placed("apiVersion", error.help("write `apiVersion: wavetank.dev/v1alpha1`")));
        }
        if let Some(name) = typed.metadata.name {
            self.name = name;
        }
        Ok(typed.spec)
    }

    fn times(&self, spec: &ScenarioSpec) -> Result<Scenario, Vec<Error>> {
        let horizon = self.span("spec.horizon", &spec.horizon)?.unwrap_or(DEFAULT_HORIZON);
        let warmup = self.span("spec.warmup", &spec.warmup)?.unwrap_or(Span::ZERO);
        let sample_period = match self.span("spec.samplePeriod", &spec.sample_period)? {
            Some(period) if period.is_zero() => {
                return Err(vec![self.placed("spec.samplePeriod", Error::new("the sample period cannot be zero"))]);
            }
            Some(period) => period,
            None => default_period(horizon),
        };
        let epoch_seconds = match &spec.start {
            None => DEFAULT_START,
            Some(text) => match text.parse::<jiff::Timestamp>() {
                Ok(start) => start.as_second(),
                Err(error) => {
                    let error =
                        Error::new(format!("`{text}` is not a date: {error}")).help("for example 2026-03-29T00:00:00Z");
                    return Err(vec![self.placed("spec.start", error)]);
                }
            },
        };
        let manifests_only = self.document.is_none();
        Ok(Scenario {
            name: self.name.clone(),
            seed: self.options.seed.or(spec.seed).unwrap_or(1),
            horizon: Time::ZERO + horizon,
            until_settled: spec.until == Some(Until::Settled) || manifests_only,
            warmup,
            epoch_seconds,
            sample_period,
            control_plane: ControlPlane::realistic(),
            kubelet: KubeletOptions::realistic(),
            models: Models::default(),
            metrics: Vec::new(),
            metrics_server: spec.cluster.metrics_server.unwrap_or(true),
            scheduler: None,
            nodes: Vec::new(),
            objects: Vec::new(),
            steps: Vec::new(),
            faults: Vec::new(),
            workload: Vec::new(),
            expectations: Vec::new(),
        })
    }

    fn cluster(&mut self, spec: &ScenarioSpec, scenario: &mut Scenario) -> Result<(), Vec<Error>> {
        scenario.nodes = super::nodes::nodes(self.document.as_ref(), spec, &self.folder)?;
        if let Some(value) = &spec.cluster.control_plane {
            scenario.control_plane = ControlPlane::from_json(value).map_err(|error| {
                let path = join("spec.cluster.controlPlane", &error.path);
                let mut placed = self.placed(&path, Error::new(error.what));
                placed.help = error.help;
                vec![placed]
            })?;
        }
        scenario.kubelet = KubeletOptions::of(&scenario.control_plane);
        if let Some(value) = &spec.cluster.kubelet {
            scenario.kubelet.configure(value).map_err(|error| {
                let path = join("spec.cluster.kubelet", &error.path);
                vec![self.placed(&path, Error { help: error.help, ..Error::new(error.what) })]
            })?;
        }
        scenario.kubelet.static_pods = self.static_pods(spec, &scenario.nodes)?;
        Ok(())
    }

    /// The static pods of node pools: defaulted and checked as pods are.
    fn static_pods(&mut self, spec: &ScenarioSpec, nodes: &[Value]) -> Result<Vec<StaticPod>, Vec<Error>> {
        let mut out = Vec::new();
        for (idx, pool) in spec.cluster.node_pools.iter().flatten().enumerate() {
            let label = pool.name.clone().unwrap_or_else(|| format!("pool{idx}"));
            for (nth, manifest) in pool.static_pods.iter().enumerate() {
                let mut manifest = manifest.clone();
                if let Some(fields) = manifest.as_object_mut() {
                    fields.entry("apiVersion").or_insert_with(|| "v1".into());
                    fields.entry("kind").or_insert_with(|| "Pod".into());
                }
                let path = format!("spec.cluster.nodePools[{idx}].staticPods[{nth}]");
                let accepted = crate::api::accept::accept(&manifest, &AcceptContext::default());
                let accepted = accepted.map_err(|refusal| vec![self.placed(&path, Error::new(refusal.message))])?;
                let of_pool = |node: &&Value| node["metadata"]["labels"][POOL_LABEL] == label.as_str();
                out.extend(nodes.iter().filter(of_pool).filter_map(|node| {
                    let node = node["metadata"]["name"].as_str()?.to_owned();
                    Some(StaticPod { node, manifest: accepted.value.clone() })
                }));
            }
        }
        Ok(out)
    }

    fn objects(&mut self, spec: &ScenarioSpec, scenario: &mut Scenario) -> Result<(), Vec<Error>> {
        let paths: Vec<PathBuf> = spec.objects.iter().map(|path| self.folder.join(path)).collect();
        let (more, errors) =
            read_files(&paths, &ReadOptions { recursive: self.options.recursive, ..ReadOptions::default() });
        if !errors.is_empty() {
            let placed = |error: Error| if error.place.is_some() { error } else { self.placed("spec.objects", error) };
            return Err(errors.into_iter().map(placed).collect());
        }
        let mut documents = std::mem::take(&mut self.objects);
        documents.extend(more);
        let AcceptedObjects { values, written, warnings } = accept_all(&documents)?;
        self.warnings.extend(warnings);
        let (nodes, objects): (Vec<Value>, Vec<Value>) = values.into_iter().partition(|value| value["kind"] == "Node");
        if !nodes.is_empty() && spec.cluster.node_pools.is_none() {
            // A dump brings its own nodes: the default ones would only be in the way.
            scenario.nodes.clear();
        }
        scenario.nodes.extend(nodes);
        scenario.objects = objects;
        self.written = written.into_iter().filter(|value| value["kind"] != "Node").collect();
        self.warn_of_kept_kinds(&scenario.objects);
        self.warn_of_fields_without_effect(&documents);
        Ok(())
    }

    /// One warning per field that is set and not modelled, where it is set first.
    fn warn_of_fields_without_effect(&mut self, documents: &[Document]) {
        let mut told = Vec::new();
        for document in documents {
            for (path, row) in unmodelled_fields(&document.value) {
                if !told.contains(&row) {
                    told.push(row);
                    let warning = Error::new(format!("`{}` has no effect: {}", row.path, row.why));
                    self.warnings.push(warning.at(document.place(&path, Part::Key)));
                }
            }
        }
    }

    /// One warning per kind whose objects are kept but act on nothing yet.
    fn warn_of_kept_kinds(&mut self, objects: &[Value]) {
        let group = |object: &Value| object["apiVersion"].as_str()?.split_once('/').map(|(group, _)| group.to_owned());
        let is_custom =
            |object: &&Value| group(object).is_some_and(|group| crate::api::custom::is_custom_group(&group));
        let built_in = objects.iter().filter(|object| !is_custom(object));
        let mut kinds: Vec<&str> = built_in.filter_map(|object| object["kind"].as_str()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds {
            if let Some(missing) = crate::modelled::without_behaviour(kind) {
                self.warnings.push(Error::new(format!("{kind}: {missing}")));
            }
        }
    }

    fn behaviour(&mut self, spec: &ScenarioSpec, scenario: &mut Scenario) -> Result<(), Vec<Error>> {
        if !spec.models.is_empty() {
            scenario.models = Models::from_json(&Value::Array(spec.models.clone())).map_err(|error| {
                let mut placed = self.placed(&join("spec.models", &error.path), Error::new(error.what));
                placed.help = error.help;
                vec![placed]
            })?;
        }
        scenario.metrics = super::metrics::read_metrics(&spec.metrics).map_err(|error| {
            let mut placed = self.placed(&join("spec.metrics", &error.path), Error::new(error.what));
            placed.help = error.help;
            vec![placed]
        })?;
        if let Some(scheduler) = &spec.scheduler {
            scenario.scheduler = Some(self.scheduler(scheduler).map_err(|error| vec![error])?);
        }
        if !spec.traffic.is_empty() {
            return Err(vec![self.placed("spec.traffic", Error::new("`traffic` is not supported yet"))]);
        }
        Ok(())
    }

    /// A scheduler configuration inline or from a file, checked.
    fn scheduler(&self, value: &Value) -> Result<Value> {
        let fail = |path: &str, what: &str| self.placed(&format!("spec.scheduler{path}"), Error::new(what));
        if value.get("policy").is_some() {
            return Err(fail(".policy", "`policy` is not supported yet")
                .help("configure plugins with a KubeSchedulerConfiguration"));
        }
        let Some(file) = value.get("configFrom") else {
            let checked = SchedulerConfig::from_json(value).and_then(|config| config.build());
            return checked.map(|_| value.clone()).map_err(|error| {
                let error = error.inside("spec.scheduler");
                self.placed(&error.path, Error { place: None, what: error.what, help: error.help })
            });
        };
        let file = file.as_str().ok_or_else(|| fail(".configFrom", "a file is wanted here"))?;
        let (documents, errors) = read_files(&[self.folder.join(file)], &ReadOptions::default());
        if let Some(error) = errors.into_iter().next() {
            return Err(if error.place.is_some() { error } else { self.placed("spec.scheduler.configFrom", error) });
        }
        match documents.as_slice() {
            [document] => {
                let checked = SchedulerConfig::from_json(&document.value).and_then(|config| config.build());
                checked.map(|_| document.value.clone()).map_err(|error| {
                    let part = if error.is_about_key { Part::Key } else { Part::Value };
                    let place = document.place(&error.path, part);
                    error.placed(Some(place))
                })
            }
            _ => Err(fail(".configFrom", "the file must hold one KubeSchedulerConfiguration")),
        }
    }

    fn happenings(&mut self, spec: &ScenarioSpec, scenario: &mut Scenario) -> Result<(), Vec<Error>> {
        scenario.steps = Vec::new();
        if !scenario.objects.is_empty() {
            let action = Action::Apply(std::mem::take(&mut self.written));
            scenario.steps.push(Step { at: Time::ZERO, action, text: "apply the objects of the scenario".to_owned() });
        }
        let Some(document) = self.document.take() else { return Ok(()) };
        let (steps, faults) = super::steps::steps(&document, &spec.steps, &self.folder)?;
        let unknown = super::faults::unknown_targets(&document, &spec.steps, (&steps, &faults), &scenario.nodes);
        if !unknown.is_empty() {
            return Err(unknown);
        }
        scenario.steps.extend(steps);
        let unknown = super::services::unknown_services(&document, &spec.models, &scenario.objects, &scenario.steps);
        self.warnings.extend(unknown);
        scenario.faults = faults;
        scenario.workload = super::workload::sources(&document, &spec.workload, &self.folder, &mut self.warnings)?;
        let mut errors = Vec::new();
        for (idx, text) in spec.expect.iter().enumerate() {
            match text.parse::<Expectation>() {
                Ok(expectation) => scenario.expectations.push(expectation),
                Err(error) => errors.push(error.at(document.place(&format!("spec.expect[{idx}]"), Part::Value))),
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn span(&self, path: &str, text: &Option<String>) -> Result<Option<Span>, Vec<Error>> {
        let Some(text) = text else { return Ok(None) };
        let fail = |error: SpanError| vec![self.placed(path, Error::new(format!("`{text}`: {error}")))];
        text.parse().map(Some).map_err(fail)
    }

    fn placed(&self, path: &str, error: Error) -> Error {
        match &self.document {
            Some(document) => {
                let mut placed = at(document, path, error.what);
                placed.help = error.help;
                placed
            }
            None => error,
        }
    }
}

fn join(base: &str, path: &str) -> String {
    match path.chars().next() {
        None => base.to_owned(),
        Some('[') => format!("{base}{path}"),
        Some(_) => format!("{base}.{}", path.trim_start_matches('.')),
    }
}

/// About 600 samples per run, at round periods, never below a second.
fn default_period(horizon: Span) -> Span {
    const ROUND: [u64; 10] = [1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600];
    let wanted = horizon.as_secs() / DEFAULT_SAMPLES;
    Span::from_secs(ROUND.into_iter().find(|&period| wanted <= period).unwrap_or(wanted))
}
