//! A node as the store keeps it. What scheduling reads of every node lies in columns (see [`super::columns`]).

use std::sync::Arc;

use serde_json::Value;

use super::condition::Conditions;
use super::ids::{PodId, ResourceId, Sym};
use super::meta::Meta;
use crate::api::toleration::Taint;
use crate::engine::Time;

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its metadata.
    pub meta: Meta,
    /// `spec.unschedulable`.
    pub unschedulable: bool,
    /// `spec.taints`, in order.
    pub taints: Arc<[NodeTaint]>,
    /// `status.conditions`.
    pub conditions: Conditions,
    /// `status.capacity`, in the units of [`ResourceId`].
    pub capacity: Vec<(ResourceId, i64)>,
    /// `status.allocatable`; the columns hold the same numbers.
    pub allocatable: Vec<(ResourceId, i64)>,
    /// `status.images`: what has been pulled.
    pub images: Vec<NodeImage>,
    /// The pods that count against it, assumed ones included, in the order in which they came.
    pub pods: Vec<PodId>,
    /// When the control plane last heard of its kubelet (lease or status).
    pub heartbeat: Time,
    /// Everything else of the manifest: `spec` and `status` as written.
    pub raw: Arc<Value>,
}

/// One taint of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeTaint {
    /// Key, value, effect.
    pub taint: Taint,
    /// `timeAdded`, for `NoExecute`.
    pub added: Option<Time>,
}

/// One entry of `status.images`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeImage {
    /// Every name of the image.
    pub names: Vec<Sym>,
    /// `sizeBytes`.
    pub size_bytes: i64,
}
