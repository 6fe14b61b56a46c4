//! Services and controllers by namespace: the pods they select are spread by default (`helper.DefaultSelector`).

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use serde_json::Value;

use super::selectors::{SelectorId, Selectors};
use crate::api::selector::Selector;
use crate::cluster::{Cluster, LabelsId, ObjId, PodId, Sym};

/// The selectors of services and controllers.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    /// Services with a selector: namespace, object, labels.
    services: BTreeMap<(Sym, ObjId), Vec<(String, String)>>,
    /// Replication controllers by namespace and name.
    controllers: BTreeMap<(Sym, Sym), Vec<(String, String)>>,
    /// ReplicaSets (`false`) and StatefulSets (`true`) by namespace and name.
    sets: BTreeMap<(bool, Sym, Sym), Selector>,
}

impl Owners {
    /// Whether objects of this kind belong here.
    pub fn concerns(kind: &str) -> bool {
        matches!(kind, "Service" | "ReplicationController" | "ReplicaSet" | "StatefulSet")
    }

    /// Lowers an object anew, or drops it if it is gone. Returns whether it differs from what was known of it.
    pub fn refresh(&mut self, cluster: &Cluster, id: ObjId) -> bool {
        let object = cluster.object(id);
        let (namespace, name, gone) = (object.meta.namespace, object.meta.name, object.meta.removed);
        let selector = &object.raw["spec"]["selector"];
        match object.info.kind {
            "Service" => {
                let new = (!gone && !selector.is_null()).then(|| labels(selector));
                replace(&mut self.services, (namespace, id), new)
            }
            "ReplicationController" => {
                replace(&mut self.controllers, (namespace, name), (!gone).then(|| labels(selector)))
            }
            kind @ ("ReplicaSet" | "StatefulSet") => {
                let new = if gone { None } else { Selector::from_json(selector).ok() };
                replace(&mut self.sets, (kind == "StatefulSet", namespace, name), new)
            }
            _ => false,
        }
    }

    /// The selector of the services that select the pod and of the controller that owns it; it selects everything if there are
    /// none.
    pub fn default_selector(&self, cluster: &Cluster, pod: PodId) -> Selector {
        let meta = &cluster.pod(pod).meta;
        let mut merged: BTreeMap<&str, &str> = BTreeMap::new();
        let range = (meta.namespace, ObjId(0))..=(meta.namespace, ObjId(u32::MAX));
        for (_, selector) in self.services.range(range) {
            if selector.iter().all(|(key, value)| cluster.label(meta.labels, key) == Some(value)) {
                merged.extend(selector.iter().map(|(key, value)| (key.as_str(), value.as_str())));
            }
        }
        let Some(owner) = meta.controller() else { return Selector::from_labels(merged) };
        let text = |sym| cluster.interner.text(sym);
        match (text(owner.api_version), text(owner.kind)) {
            ("v1", "ReplicationController") => {
                if let Some(selector) = self.controllers.get(&(meta.namespace, owner.name)) {
                    merged.extend(selector.iter().map(|(key, value)| (key.as_str(), value.as_str())));
                }
                Selector::from_labels(merged)
            }
            ("apps/v1", kind @ ("ReplicaSet" | "StatefulSet")) => {
                let key = (kind == "StatefulSet", meta.namespace, owner.name);
                let selector = Selector::from_labels(merged);
                match self.sets.get(&key).filter(|set| !set.is_nothing()) {
                    Some(set) => selector.with(set.requirements().iter().cloned()),
                    None => selector,
                }
            }
            _ => Selector::from_labels(merged),
        }
    }

    /// Whether there is nothing by which any pod could be spread.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty() && self.controllers.is_empty() && self.sets.is_empty()
    }
}

/// More remembered selectors than this are dropped, all at once.
const MAX_REMEMBERED: usize = 1 << 16;

/// What of a pod decides its default selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Selected {
    namespace: Sym,
    labels: LabelsId,
    /// API version, kind and name of its controller.
    owner: Option<(Sym, Sym, Sym)>,
}

impl Selected {
    fn of(cluster: &Cluster, pod: PodId) -> Selected {
        let meta = &cluster.pod(pod).meta;
        let owner = meta.controller().map(|owner| (owner.api_version, owner.kind, owner.name));
        Selected { namespace: meta.namespace, labels: meta.labels, owner }
    }
}

/// Default selectors made before, interned.
#[derive(Clone, Debug, Default)]
pub struct DefaultSelectors {
    known: FxHashMap<Selected, SelectorId>,
}

impl DefaultSelectors {
    /// Forgets everything: an owner has changed.
    pub fn clear(&mut self) {
        self.known.clear();
    }

    /// Makes the selector of a pod known.
    pub fn prepare(&mut self, cluster: &Cluster, pod: PodId, owners: &Owners, selectors: &mut Selectors) {
        let selected = Selected::of(cluster, pod);
        if self.known.len() >= MAX_REMEMBERED {
            self.known.clear();
        }
        self.known.entry(selected).or_insert_with(|| selectors.intern(owners.default_selector(cluster, pod)));
    }

    /// The selector of a pod, if it was made known.
    pub fn get(&self, cluster: &Cluster, pod: PodId) -> Option<SelectorId> {
        self.known.get(&Selected::of(cluster, pod)).copied()
    }
}

/// Sets or removes an entry. Returns whether that changes anything.
fn replace<K: Ord, V: PartialEq>(map: &mut BTreeMap<K, V>, key: K, new: Option<V>) -> bool {
    let changed = map.get(&key) != new.as_ref();
    match new {
        Some(new) if changed => _ = map.insert(key, new),
        None if changed => _ = map.remove(&key),
        _ => {}
    }
    changed
}

/// The labels of a plain selector.
fn labels(selector: &Value) -> Vec<(String, String)> {
    let entries = selector.as_object().into_iter().flatten();
    entries.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}
