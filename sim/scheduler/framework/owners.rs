//! Services and controllers by namespace: the pods they select are spread by default (`helper.DefaultSelector`).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::selector::Selector;
use crate::cluster::{Cluster, ObjId, PodId, Sym};

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

    /// Lowers an object anew, or drops it if it is gone.
    pub fn refresh(&mut self, cluster: &Cluster, id: ObjId) {
        let object = cluster.object(id);
        let (namespace, name, gone) = (object.meta.namespace, object.meta.name, object.meta.removed);
        let selector = &object.raw["spec"]["selector"];
        match object.info.kind {
            "Service" => {
                self.services.remove(&(namespace, id));
                if !gone && !selector.is_null() {
                    self.services.insert((namespace, id), labels(selector));
                }
            }
            "ReplicationController" => {
                self.controllers.remove(&(namespace, name));
                if !gone {
                    self.controllers.insert((namespace, name), labels(selector));
                }
            }
            kind @ ("ReplicaSet" | "StatefulSet") => {
                let key = (kind == "StatefulSet", namespace, name);
                self.sets.remove(&key);
                if !gone && let Ok(selector) = Selector::from_json(selector) {
                    self.sets.insert(key, selector);
                }
            }
            _ => {}
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

/// The labels of a plain selector.
fn labels(selector: &Value) -> Vec<(String, String)> {
    let entries = selector.as_object().into_iter().flatten();
    entries.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}
