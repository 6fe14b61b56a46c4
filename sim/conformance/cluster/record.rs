//! `Recording`: everything that became visible in a run, one entry per change.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::names::Names;
use super::project::{KINDS, project};
use crate::cluster::{Change, Cluster, EventId, ObjectRef, Observer, What};
use crate::engine::Time;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Create,
    Update,
    Delete,
}

/// One change.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Seconds since the scenario began.
    pub(super) t: f64,
    pub(super) op: Op,
    pub(super) kind: &'static str,
    pub(super) name: String,
    /// The object after it; before it for a deletion.
    pub(super) value: Value,
}

/// Watches a run.
pub(super) struct Recording {
    pub(super) entries: Vec<Entry>,
    pub(super) names: Names,
    /// Events as they were recorded: after how many changes, when, which.
    pub(super) events: Vec<(usize, f64, EventId)>,
    namespace: String,
    zero: Time,
    last: BTreeMap<ObjectRef, usize>,
    /// Objects whose deletion has been seen.
    deleting: BTreeSet<ObjectRef>,
}

impl Recording {
    /// A recording of what is in `namespace`, with times relative to `zero`.
    pub(super) fn new(namespace: &str, zero: Time) -> Recording {
        Recording {
            entries: Vec::new(),
            names: Names::default(),
            events: Vec::new(),
            namespace: namespace.to_owned(),
            zero,
            last: BTreeMap::new(),
            deleting: BTreeSet::new(),
        }
    }

    fn seconds(&self, at: Time) -> f64 {
        at.as_secs_f64() - self.zero.as_secs_f64()
    }

    fn push(&mut self, at: Time, op: Op, object: ObjectRef, cluster: &Cluster, name: String, value: Value) {
        if op == Op::Delete {
            self.last.remove(&object);
        } else {
            self.last.insert(object, self.entries.len());
        }
        self.entries.push(Entry { t: self.seconds(at), op, kind: cluster.kind(object), name, value });
    }
}

impl Observer for Recording {
    fn change(&mut self, at: Time, _: u32, _: u32, change: Change, cluster: &Cluster) {
        let object = change.object;
        if let What::Event(id) = change.what {
            self.events.push((self.entries.len(), self.seconds(at), id));
        }
        let kind = cluster.kind(object);
        let inside = kind == "Node" || cluster.namespace(object) == self.namespace;
        let silent = matches!(
            change.what,
            What::Event(_) | What::Kubelet | What::World(_) | What::Assumed(_) | What::Forgotten(_)
        );
        if !inside || silent || !KINDS.contains(&kind) {
            return;
        }
        let before = self.last.get(&object).copied();
        if change.what == What::Removed {
            if let Some(idx) = before {
                let (name, value) = (self.entries[idx].name.clone(), self.entries[idx].value.clone());
                self.push(at, Op::Delete, object, cluster, name, value);
            }
            return;
        }
        if before.is_none() && change.what != What::Created {
            return;
        }
        let mut exported = cluster.export(object);
        if change.what == What::Deleting {
            self.deleting.insert(object);
        } else if !self.deleting.contains(&object) {
            undelete(&mut exported);
        }
        let name = self.names.of(object, &exported, cluster);
        let value = project(&exported, &self.names, change.what == What::Deleting);
        match before {
            None => self.push(at, Op::Create, object, cluster, name, value),
            Some(idx) if self.entries[idx].value == value => {}
            Some(_) => self.push(at, Op::Update, object, cluster, name, value),
        }
    }
}

/// An object as it was before its deletion was asked for: a status that was written first is seen without it.
fn undelete(exported: &mut Value) {
    let Some(metadata) = exported["metadata"].as_object_mut() else { return };
    if metadata.remove("deletionTimestamp").is_some() {
        metadata.remove("deletionGracePeriodSeconds");
        let before = metadata.get("generation").and_then(Value::as_i64).map(|generation| generation - 1);
        metadata.insert("generation".into(), before.into());
    }
}
