//! What a client does, typed.

use serde_json::Value;

use super::submit::Submission;
use crate::api::kinds::KindInfo;
use crate::kubectl::command::Command;

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
    /// A kubectl command that changes something, or looks. Files have been read: see [`Action::Apply`] and [`Action::Delete`].
    Kubectl(Box<Command>),
    /// Manifests applied (server-side, by force).
    Apply(Vec<Value>),
    /// Manifests that a kubectl command sends.
    Submit(Box<Submission>),
    /// The objects of manifests deleted, as `kubectl delete -f` does.
    Delete(Vec<Value>),
    /// The eviction API, for the pods that match: a name, or a label selector.
    Evict(Eviction),
    /// A node joins the cluster.
    AddNode(Value),
    /// A node's machine goes away for good and its object is deleted.
    DeleteNode(String),
    /// A node crashes: no kubelet, no containers' reports.
    FailNode(String),
    /// A crashed node comes back.
    RecoverNode(String),
}

/// Which pods are evicted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// Their namespace.
    pub namespace: String,
    /// The name of one pod, or a label selector.
    pub pods: String,
}

impl ObjectName {
    /// `deployment.apps/web`, as kubectl answers.
    pub fn text(&self) -> String {
        format!("{}/{}", self.info.singular_resource(), self.name)
    }
}
