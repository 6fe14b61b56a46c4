//! Creating nodes and writing what the kubelet, the node controllers and people change on them.

use std::sync::Arc;

use serde_json::Value;

use super::NewMeta;
use crate::cluster::causes::Note;
use crate::cluster::change::{ConditionChange, What};
use crate::cluster::condition::{Condition, ConditionStatus, Conditions};
use crate::cluster::ids::{NodeId, ResourceId, Sym};
use crate::cluster::node::{KubeletHealth, Node, NodeImage, NodeTaint};
use crate::cluster::store::Cluster;

/// A node to be created.
#[derive(Clone, Debug)]
pub struct NewNode {
    /// Its metadata.
    pub meta: NewMeta,
    /// `spec.unschedulable`.
    pub unschedulable: bool,
    /// `spec.taints`.
    pub taints: Vec<NodeTaint>,
    /// `status.conditions`.
    pub conditions: Conditions,
    /// `status.capacity`.
    pub capacity: Vec<(ResourceId, i64)>,
    /// `status.allocatable`.
    pub allocatable: Vec<(ResourceId, i64)>,
    /// `status.images`.
    pub images: Vec<NodeImage>,
    /// `spec` and `status` as written.
    pub raw: Arc<Value>,
}

impl Cluster {
    /// Creates a node. Pods already bound to its name do not become its pods: they name a node that was gone.
    ///
    /// # Panics
    ///
    /// If a node of that name exists.
    pub fn create_node(&mut self, new: NewNode) -> NodeId {
        let meta = self.make_meta(new.meta);
        let (name, uid) = (meta.name, meta.uid);
        let id = self.nodes.push(Node {
            meta,
            unschedulable: new.unschedulable,
            taints: new.taints.into(),
            conditions: new.conditions,
            capacity: new.capacity,
            allocatable: new.allocatable,
            images: new.images,
            pods: Vec::new(),
            heartbeat: self.now,
            kubelet: KubeletHealth::Running,
            slowdown: 1.0,
            raw: new.raw,
        });
        self.columns.push_node();
        self.columns.set_allocatable(id, &self.nodes[id].allocatable);
        let clash = self.node_names.insert(name, id);
        assert!(clash.is_none(), "node {} exists", self.interner.text(name));
        self.uids.insert(uid, id.into());
        self.n_live_nodes += 1;
        self.wrote(id.into(), What::Created);
        id
    }

    /// Sets a condition of a node, stamped with the present time. Returns whether status, reason or message changed.
    pub fn set_node_condition(
        &mut self,
        node: NodeId,
        kind: Sym,
        status: ConditionStatus,
        reason: Sym,
        message: Sym,
    ) -> bool {
        let condition = Condition { kind, status, reason, message, transition: self.now, update: self.now };
        let changed = self.nodes[node].conditions.set(condition);
        if changed {
            self.wrote(node.into(), What::Condition(ConditionChange { kind, status: Some(status), reason, message }));
        }
        changed
    }

    /// The node's kubelet begins to renew its lease now. Not a change anyone waits for: it raises no revision.
    pub fn heartbeat(&mut self, node: NodeId) {
        self.nodes[node].heartbeat = self.now;
    }

    /// Replaces a node's taints.
    pub fn set_taints(&mut self, node: NodeId, taints: Vec<NodeTaint>) {
        if *self.nodes[node].taints != *taints {
            self.nodes[node].taints = taints.into();
            self.nodes[node].meta.generation += 1;
            self.wrote(node.into(), What::Taints);
            let text = taints_text(&self.nodes[node].taints);
            let text = self.interner.sym(&text);
            self.note_last(Note::Taints(text));
        }
    }

    /// Cordons or uncordons a node.
    pub fn set_unschedulable(&mut self, node: NodeId, unschedulable: bool) {
        if self.nodes[node].unschedulable != unschedulable {
            self.nodes[node].unschedulable = unschedulable;
            self.nodes[node].meta.generation += 1;
            self.wrote(node.into(), What::Unschedulable);
        }
    }

    /// Sets what a node offers to pods.
    pub fn set_allocatable(&mut self, node: NodeId, allocatable: Vec<(ResourceId, i64)>) {
        if self.nodes[node].allocatable != allocatable {
            self.columns.set_allocatable(node, &allocatable);
            self.nodes[node].allocatable = allocatable;
            self.wrote(node.into(), What::Allocatable);
        }
    }

    /// Sets what a node has.
    pub fn set_capacity(&mut self, node: NodeId, capacity: Vec<(ResourceId, i64)>) {
        if self.nodes[node].capacity != capacity {
            self.nodes[node].capacity = capacity;
            self.wrote(node.into(), What::Status);
        }
    }

    /// An image has been pulled to a node, or removed from it.
    pub fn set_images(&mut self, node: NodeId, images: Vec<NodeImage>) {
        if self.nodes[node].images != images {
            self.nodes[node].images = images;
            self.wrote(node.into(), What::Status);
        }
    }
}

/// Taints as text: `key=value:Effect, key:Effect`.
fn taints_text(taints: &[NodeTaint]) -> String {
    let text = |taint: &NodeTaint| match taint.taint.value.as_str() {
        "" => format!("{}:{}", taint.taint.key, taint.taint.effect.as_str()),
        value => format!("{}={value}:{}", taint.taint.key, taint.taint.effect.as_str()),
    };
    taints.iter().map(text).collect::<Vec<_>>().join(", ")
}
