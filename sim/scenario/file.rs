//! The `Scenario` document as users type it. Nothing here is resolved: files are not read, names are not looked up.
//!
//! `wavetank schema` prints the JSON Schema of these types, so the comments here are what editors show.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// A scenario: a cluster, what runs on it, what happens to it, and what must be true.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Wavetank scenario")]
pub struct ScenarioFile {
    /// `wavetank.dev/v1alpha1`.
    pub api_version: String,
    /// `Scenario`.
    pub kind: String,
    /// The name of the scenario, which names its report.
    #[serde(default)]
    pub metadata: Metadata,
    /// What it is.
    #[serde(default)]
    pub spec: ScenarioSpec,
}

/// Metadata of a scenario.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Name; default is the file's name without its extension.
    pub name: Option<String>,
    /// What the scenario teaches or tests, in a sentence or two.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Free labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// The content of a scenario.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScenarioSpec {
    /// Seed of every random number of the run; `--seed` wins. Default 1.
    pub seed: Option<u64>,
    /// The run ends here: a duration such as `20m`. Default 10m.
    pub horizon: Option<String>,
    /// `settled`: the run ends as soon as nothing is left to happen, at the horizon at the latest.
    pub until: Option<Until>,
    /// Measures of latency and utilisation start here.
    pub warmup: Option<String>,
    /// The date and time at which the run begins, RFC 3339. Default 2026-01-01T00:00:00Z.
    pub start: Option<String>,
    /// Time between two samples of the series. Default 10s, longer for long horizons.
    pub sample_period: Option<String>,
    /// Nodes and control plane.
    #[serde(default)]
    pub cluster: ClusterSpec,
    /// More manifests, besides the documents of this file: paths and globs, relative to this file. Dumps of `kubectl get -A -o yaml` too.
    #[serde(default)]
    pub objects: Vec<String>,
    /// How pods are scheduled: a KubeSchedulerConfiguration inline, or one of `configFrom` and `policy`.
    pub scheduler: Option<Value>,
    /// What manifests cannot say: how containers behave once they run. The first match wins.
    #[serde(default)]
    pub models: Vec<Value>,
    /// Metrics for autoscalers that are not those of pods' CPU and memory, as functions of time.
    #[serde(default)]
    pub metrics: Vec<Value>,
    /// What arrives while the run goes on.
    #[serde(default)]
    pub workload: Vec<WorkloadSpec>,
    /// Requests to services. Not supported yet.
    #[serde(default)]
    pub traffic: Vec<Value>,
    /// What people and machines do, at virtual times.
    #[serde(default)]
    pub steps: Vec<Value>,
    /// The verdict of the run: every expectation must hold.
    #[serde(default)]
    pub expect: Vec<String>,
}

/// When a run ends before its horizon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Until {
    /// When nothing is left to happen.
    Settled,
}

/// Nodes and control plane.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterSpec {
    /// Pools of equal nodes, or nodes of a dump. Default: three `m` nodes of 4 CPU and 16 GiB in zones a, b, c.
    pub node_pools: Option<Vec<NodePool>>,
    /// Latencies and limits of the control plane: `{profile: realistic | ideal, watchLatency: ..., ...}`.
    pub control_plane: Option<Value>,
    /// Whether metrics-server is installed, which serves autoscalers and `kubectl top`. Default true.
    pub metrics_server: Option<bool>,
    /// Fields of KubeletConfiguration, such as `evictionHard`, `imageGCHighThresholdPercent`, `crashLoopBackOff`,
    /// `shutdownGracePeriod`; and how fast machines are: `pullBandwidth`, `imageSize`, `sandboxStart`, `containerStart`, `stop`.
    pub kubelet: Option<Value>,
}

/// A pool of equal nodes, or the nodes of a dump.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodePool {
    /// Nodes are called `<name>-0`, `<name>-1`, ...
    pub name: Option<String>,
    /// Number of nodes. Default 1.
    pub count: Option<u32>,
    /// `status.capacity` of each node. Default 4 CPU, 16Gi memory, 100Gi ephemeral-storage, 110 pods.
    #[serde(default)]
    pub capacity: BTreeMap<String, Value>,
    /// Kept back for the system: allocatable is capacity minus this.
    #[serde(default)]
    pub reserved: BTreeMap<String, Value>,
    /// Values of the label `topology.kubernetes.io/zone`, given in turn.
    #[serde(default)]
    pub zones: Vec<String>,
    /// Value of the label `topology.kubernetes.io/region`.
    pub region: Option<String>,
    /// Labels of each node.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Taints of each node.
    #[serde(default)]
    pub taints: Vec<TaintSpec>,
    /// Images already on each node, with their sizes.
    #[serde(default)]
    pub images: BTreeMap<String, Value>,
    /// Manifests of pods that the kubelet of each node runs by itself (static pods).
    #[serde(default)]
    pub static_pods: Vec<Value>,
    /// Instead of the above: a file with Nodes, as `kubectl get nodes -o json` writes it, or a node list of a public trace.
    pub nodes_from: Option<String>,
    /// Format of `nodesFrom` when it is a trace's node list.
    pub format: Option<String>,
}

/// A taint.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaintSpec {
    /// Key.
    pub key: String,
    /// Value, may be empty.
    #[serde(default)]
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

/// One source of arrivals.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkloadSpec {
    /// Pods from a public trace.
    pub trace: Option<TraceSpec>,
    /// Pods or other objects made by a random process.
    pub generate: Option<Value>,
}

/// A trace to be replayed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TraceSpec {
    /// The file, relative to this one; gzip and zstd are read as they are.
    pub file: String,
    /// Its format (`wavetank trace list`); default: found by looking.
    pub format: Option<String>,
    /// How many times faster than recorded. Default 1.
    pub speed: Option<f64>,
    /// Rows before this time of the trace are left out.
    pub from: Option<String>,
    /// Rows after this time of the trace are left out.
    pub to: Option<String>,
    /// At most so many rows.
    pub limit: Option<u64>,
    /// Factor on every cpu amount, for traces with normalised resources.
    pub cpu_scale: Option<f64>,
    /// Factor on every memory amount, for traces with normalised resources.
    pub memory_scale: Option<f64>,
    /// Leave out rows that cannot be read, and report them.
    #[serde(default)]
    pub skip_bad_rows: bool,
    /// Namespace of the pods. Default `default`.
    pub namespace: Option<String>,
    /// Resource name of a whole GPU. Default `nvidia.com/gpu`.
    pub gpu_resource: Option<String>,
}
