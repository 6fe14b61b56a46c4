//! The verbs of a client, typed.

use serde_json::Value;

use crate::api::kinds::KindInfo;
use crate::cluster::Propagation;

/// An object named by a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    /// Its kind.
    pub info: &'static KindInfo,
    /// Its namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// One thing a client does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// `kubectl apply`: creates or updates each manifest.
    Apply(Vec<Value>),
    /// `kubectl delete`.
    Delete(Vec<ObjectName>, DeleteOptions),
    /// `kubectl scale --replicas`.
    Scale(ObjectName, i64),
    /// `kubectl set image`: pairs of container (or `*`) and image.
    SetImage(ObjectName, Vec<(String, String)>),
    /// `kubectl patch`.
    Patch(ObjectName, PatchType, Value),
    /// `kubectl label`.
    Label(ObjectName, Vec<KeyChange>),
    /// `kubectl annotate`.
    Annotate(ObjectName, Vec<KeyChange>),
    /// `kubectl taint nodes`.
    Taint(String, Vec<TaintChange>),
    /// `kubectl cordon` (true) or `uncordon` (false).
    Cordon(String, bool),
    /// `kubectl drain`.
    Drain(String, DrainOptions),
    /// `kubectl rollout undo`, to a revision or (0) to the previous one.
    RolloutUndo(ObjectName, i64),
    /// `kubectl rollout pause` (true) or `resume` (false).
    RolloutPause(ObjectName, bool),
    /// `kubectl rollout restart`.
    RolloutRestart(ObjectName),
    /// The eviction API, for one pod.
    Evict(ObjectName),
    /// A node joins the cluster.
    AddNode(Value),
    /// A node's machine goes away for good and its object is deleted.
    DeleteNode(String),
    /// A node crashes: no kubelet, no containers' reports.
    FailNode(String),
    /// A crashed node comes back.
    RecoverNode(String),
}

/// Options of `kubectl delete`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// `--cascade`.
    pub propagation: Propagation,
    /// `--grace-period`; `None` means each pod's own.
    pub grace_seconds: Option<u32>,
    /// `--ignore-not-found`.
    pub ignore_not_found: bool,
}

/// One change of a label or annotation: `key=value`, or `key-` with no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// The key.
    pub key: String,
    /// The value, or `None` to remove the key.
    pub value: Option<String>,
    /// `--overwrite`.
    pub overwrite: bool,
}

/// One change of a node's taints: `key=value:Effect`, `key:Effect-` or `key-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaintChange {
    /// The key.
    pub key: String,
    /// The value, may be empty.
    pub value: String,
    /// The effect; `None` with `remove` means all effects of the key.
    pub effect: Option<crate::api::toleration::TaintEffect>,
    /// Whether the taint is removed.
    pub remove: bool,
    /// `--overwrite`.
    pub overwrite: bool,
}

/// `--type` of `kubectl patch`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PatchType {
    /// Strategic merge: lists with a merge key are merged by it.
    #[default]
    Strategic,
    /// JSON merge patch (RFC 7386).
    Merge,
    /// JSON patch (RFC 6902).
    Json,
}

/// Options of `kubectl drain`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrainOptions {
    /// `--ignore-daemonsets`.
    pub ignore_daemonsets: bool,
    /// `--delete-emptydir-data`.
    pub delete_emptydir_data: bool,
    /// `--force`.
    pub force: bool,
    /// `--grace-period`; `None` means each pod's own.
    pub grace_seconds: Option<u32>,
    /// `--timeout`; `None` means for ever.
    pub timeout: Option<crate::engine::Span>,
    /// `--disable-eviction`: delete instead, budgets or not.
    pub disable_eviction: bool,
}

impl ObjectName {
    /// `deployment.apps/web`, as kubectl answers.
    pub fn text(&self) -> String {
        format!("{}/{}", self.info.singular_resource(), self.name)
    }
}
