//! Who manages which fields of the objects that clients have written.
//!
//! Only these are remembered: what controllers make has no owners here, and costs nothing. Of what controllers write into objects of
//! clients, the number of replicas is the one field of the desired state; a change of it is found when someone asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::api::managed::{Manager, Managers};
use crate::cluster::{Cluster, ObjectRef};

/// The manager of what controllers write.
const CONTROLLERS: &str = "kube-controller-manager";

/// The managers of one object.
#[derive(Clone, Debug, Default)]
struct Record {
    managers: Managers,
    /// `spec.replicas` after the last write of a client.
    replicas: Option<i64>,
}

/// The managers of all objects that clients have written.
#[derive(Clone, Debug, Default)]
pub(super) struct Ownership {
    records: BTreeMap<ObjectRef, Record>,
}

fn now(cluster: &Cluster) -> String {
    crate::cluster::export::rfc3339(cluster.epoch_seconds, cluster.now())
}

/// `spec.replicas` of a kind that can be scaled by a controller.
fn replicas(cluster: &Cluster, object: ObjectRef) -> Option<i64> {
    match cluster.kind(object) {
        "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController" => {
            cluster.export(object)["spec"]["replicas"].as_i64()
        }
        _ => None,
    }
}

impl Ownership {
    /// The managers of an object as they are now.
    pub(super) fn of(&self, cluster: &Cluster, object: ObjectRef) -> Managers {
        let Some(record) = self.records.get(&object) else { return Managers::default() };
        let mut managers = record.managers.clone();
        if record.replicas.is_some() && record.replicas != replicas(cluster, object) {
            let version = cluster.export(object)["apiVersion"].as_str().unwrap_or_default().to_owned();
            let manager = Manager::updater(CONTROLLERS, &version, "scale");
            managers.claim(&["f:spec", "f:replicas"], manager, &now(cluster));
        }
        managers
    }

    /// Keeps the managers of an object after a write.
    pub(super) fn keep(&mut self, cluster: &Cluster, object: ObjectRef, managers: Managers) {
        self.records.insert(object, Record { managers, replicas: replicas(cluster, object) });
    }

    /// Notes that an object was made by applying a manifest.
    pub(super) fn applied(&mut self, cluster: &Cluster, object: ObjectRef, manifest: Arc<Value>, manager: &str) {
        let version = manifest["apiVersion"].as_str().unwrap_or_default().to_owned();
        let known = cluster.definitions_for(&manifest);
        let managers = Managers::applied(&manifest, Manager::applier(manager, &version), &now(cluster), &known);
        self.keep(cluster, object, managers);
    }

    /// Notes a write that was no apply; `before` is null for a new object.
    pub(super) fn updated(
        &mut self,
        cluster: &Cluster,
        object: ObjectRef,
        before: &Value,
        manager: &str,
        subresource: &str,
    ) {
        let mut after = cluster.export(object);
        let mut before = before.clone();
        if subresource != "status" {
            for side in [&mut before, &mut after] {
                side.as_object_mut().and_then(|fields| fields.remove("status"));
            }
        }
        let version = after["apiVersion"].as_str().unwrap_or_default().to_owned();
        let mut managers = self.of(cluster, object);
        let known = cluster.definitions_for(&after);
        managers.updated(&before, &after, Manager::updater(manager, &version, subresource), &now(cluster), &known);
        if !managers.is_empty() {
            self.keep(cluster, object, managers);
        }
    }

    /// An object is gone.
    pub(super) fn forget(&mut self, object: ObjectRef) {
        self.records.remove(&object);
    }

    /// Writes `metadata.managedFields` into exported objects.
    pub(super) fn show(&self, cluster: &Cluster, objects: &mut [Value]) {
        for object in objects {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let metadata = &object["metadata"];
            let Some(info) = cluster.info_of(object) else { continue };
            let found = cluster.find_any(info.key, &text(&metadata["namespace"]), &text(&metadata["name"]));
            if let Some(found) = found {
                let managers = self.of(cluster, found);
                if !managers.is_empty() {
                    object["metadata"]["managedFields"] = managers.to_json();
                }
            }
        }
    }
}
