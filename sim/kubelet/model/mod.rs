//! What manifests cannot say: how big images are, how long containers run, when they fail.
//!
//! Written in the scenario's `models:` list, of which the first entry that matches a container says everything about it, and in
//! annotations `wavetank.dev/*` on the pod, which win field by field.

mod annotations;
mod behaviour;
mod read;
mod usage;

pub use annotations::{ANNOTATION_PREFIX, AnnotationWarning};
pub use behaviour::{Behaviour, ContainerModel, Exits, Subject};
pub use read::read_curve;
pub use usage::Usage;

use std::collections::BTreeMap;

use crate::engine::{Distribution, Span, Time};

/// The models of a scenario, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Models {
    /// The first that matches a container says how it behaves.
    pub rules: Vec<ModelRule>,
}

/// One entry of `models:`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelRule {
    /// Which containers it is about.
    pub selects: Match,
    /// `image.size` in bytes.
    pub image_size: Option<Distribution>,
    /// `image.error`: pulls of it fail.
    pub image_error: bool,
    /// `startup`: from the sandbox's first step until the pod's containers run, image pulls not counted.
    pub startup: Option<Distribution>,
    /// `run`: how long a container runs; `None` is forever.
    pub run: Option<Distribution>,
    /// `exit`: with what code, or a failure.
    pub exit: ExitModel,
    /// `probes`.
    pub probes: ProbeModels,
    /// `stop`: the reaction to the stop signal.
    pub stop: StopModel,
    /// `hooks`: how long hooks take.
    pub hooks: HookModel,
    /// `usage`.
    pub usage: UsageModel,
}

/// `match`: every field given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// Labels of the pod.
    pub labels: BTreeMap<String, String>,
    /// Namespace of the pod.
    pub namespace: Option<String>,
    /// Kind of the pod itself (`Pod`) or of one of its owners.
    pub kind: Option<String>,
    /// Name of the pod or owner of that kind; of any of them if no kind is given.
    pub name: Option<String>,
    /// Image of the container; without a tag it matches every tag.
    pub image: Option<String>,
    /// Name of the container.
    pub container: Option<String>,
}

/// `exit`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExitModel {
    /// Exit codes: the first run ends with the first one, and so on; the last one stays.
    pub codes: Vec<i32>,
    /// A failure: the container ends after this time with the code, whatever `run` says.
    pub after: Option<Distribution>,
    /// The share of runs that fail so, 0 to 1.
    pub probability: Option<f64>,
}

/// `probes`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProbeModels {
    /// How startup probes are answered.
    pub startup: ProbeModel,
    /// How readiness probes are answered.
    pub readiness: ProbeModel,
    /// How liveness probes are answered.
    pub liveness: ProbeModel,
}

/// How probes are answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProbeModel {
    /// From how long after its start a container answers well.
    pub pass_after: Option<PassAfter>,
    /// When it answers badly.
    pub fail_at: Vec<FailWindow>,
    /// How long an answer takes.
    pub latency: Option<Distribution>,
    /// The services without which it answers badly.
    pub depends_on: Vec<ServiceName>,
}

/// A service that a probe depends on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceName {
    /// Its namespace; that of the pod if there is none.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// From when on a container answers well.
#[derive(Clone, Debug, PartialEq)]
pub enum PassAfter {
    /// That long after its start.
    After(Distribution),
    /// Never.
    Never,
}

/// A time in which probes fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailWindow {
    /// When it begins.
    pub begin: WindowBegin,
    /// How long it lasts; `None` until the container is restarted.
    pub length: Option<Span>,
}

/// When a failing window begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowBegin {
    /// `at`: at this time of the run.
    At(Time),
    /// `after`: that long after every start of the container.
    After(Span),
}

/// `stop`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StopModel {
    /// From the stop signal to the exit.
    pub after: Option<StopAfter>,
    /// Exit code of a container that the stop signal ended.
    pub exit_code: Option<i32>,
}

/// From the stop signal to the exit.
#[derive(Clone, Debug, PartialEq)]
pub enum StopAfter {
    /// That long.
    After(Distribution),
    /// It ignores the signal.
    Never,
}

/// `hooks`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HookModel {
    /// How long a postStart hook takes that is no `sleep`.
    pub post_start: Option<Distribution>,
    /// Whether the postStart hook fails.
    pub post_start_fails: bool,
    /// How long a preStop hook takes that is no `sleep`.
    pub pre_stop: Option<Distribution>,
    /// Whether a preStop hook that is no `sleep` fails.
    pub pre_stop_fails: bool,
}

/// `usage`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UsageModel {
    /// In thousandths of a core.
    pub cpu: Option<Usage>,
    /// In bytes.
    pub memory: Option<Usage>,
    /// Writable layer and logs, in bytes.
    pub disk: Option<Usage>,
    /// Number of processes.
    pub pids: Option<Usage>,
    /// Files in writable layer and logs: the inodes that they take.
    pub inodes: Option<Usage>,
    /// What is written to `emptyDir` volumes of the pod, by the volume's name, in bytes.
    pub volumes: BTreeMap<String, Usage>,
    /// The inodes that it takes there, by the volume's name.
    pub volume_inodes: BTreeMap<String, Usage>,
}

/// Why a `models:` list is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelError {
    /// The field, from the list on: `[2].stop.after`.
    pub path: String,
    /// What is wrong with it.
    pub what: String,
    /// What would be right.
    pub help: Option<String>,
}
