//! The ReplicaSets of a Deployment: which are its own, which one is the newest.
//!
//! Source: kubectl `pkg/util/deployment` (`GetAllReplicaSets`, `findNewReplicaSet`, `findOldReplicaSets`).

use serde_json::Value;

use super::labels::selects;
use super::look::{at, controller, list, namespace, text};
use super::view::View;

/// The label that a Deployment's controller adds to the template of each ReplicaSet.
pub(crate) const TEMPLATE_HASH: &str = "pod-template-hash";

/// The ReplicaSets that a Deployment selects and controls, the oldest first.
pub(crate) fn owned_replica_sets<'a>(deployment: &Value, view: &View<'a>) -> Vec<&'a Value> {
    let uid = text(deployment, "metadata.uid");
    let mut sets = view.in_namespace("ReplicaSet", "apps", namespace(deployment));
    sets.retain(|set| {
        selects(at(deployment, "spec.selector"), set) && controller(set).is_some_and(|owner| text(owner, "uid") == uid)
    });
    sets.sort_by_key(|set| (text(set, "metadata.creationTimestamp"), super::look::name(set)));
    sets
}

/// The first of the ReplicaSets whose template is the Deployment's, the hash label apart.
pub(crate) fn new_replica_set<'a>(deployment: &Value, sets: &[&'a Value]) -> Option<&'a Value> {
    let wanted = at(deployment, "spec.template");
    sets.iter().copied().find(|set| same_template(at(set, "spec.template"), wanted))
}

/// All but the newest.
pub(crate) fn old_replica_sets<'a>(sets: &[&'a Value], newest: Option<&'a Value>) -> Vec<&'a Value> {
    let uid = |set: &Value| text(set, "metadata.uid").to_owned();
    let newest = newest.map(uid);
    sets.iter().copied().filter(|set| newest.as_deref() != Some(uid(set).as_str())).collect()
}

/// Whether two pod templates are equal but for the hash label.
pub(crate) fn same_template(a: &Value, b: &Value) -> bool {
    let bare = |template: &Value| {
        let mut template = template.clone();
        if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
            labels.remove(TEMPLATE_HASH);
        }
        if let Some(metadata) = template.pointer_mut("/metadata").and_then(Value::as_object_mut) {
            metadata.retain(|_, value| !value.is_null() && !value.as_object().is_some_and(serde_json::Map::is_empty));
        }
        template
    };
    list(a, "spec.containers").len() == list(b, "spec.containers").len() && bare(a) == bare(b)
}
