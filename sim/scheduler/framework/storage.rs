//! Storage objects as the scheduler reads them, lowered when they change.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::node_selector::NodeSelector;
use crate::api::quantity::Quantity;
use crate::api::selector::Selector;
use crate::cluster::{Cluster, LabelsId, ObjId, ObjectRef};

/// A PersistentVolumeClaim.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The object.
    pub object: ObjId,
    /// `spec.volumeName`, may be empty.
    pub volume_name: String,
    /// Whether the binding is complete (annotation `pv.kubernetes.io/bind-completed`).
    pub bind_completed: bool,
    /// The class: the old annotation, else `spec.storageClassName`, may be empty.
    pub class: String,
    /// `spec.accessModes`.
    pub access_modes: Vec<String>,
    /// `status.phase` is `Lost`.
    pub lost: bool,
    /// Whether deletion was asked for.
    pub deleting: bool,
    /// `spec.resources.requests.storage`.
    pub request: Option<Quantity>,
    /// `spec.selector`.
    pub selector: Option<Selector>,
    /// `spec.volumeMode`.
    pub volume_mode: String,
    /// `spec.volumeAttributesClassName`.
    pub attributes_class: String,
    /// Annotation `volume.kubernetes.io/selected-node`.
    pub selected_node: Option<String>,
}

/// A PersistentVolume.
#[derive(Clone, Debug)]
pub struct Volume {
    /// The object.
    pub object: ObjId,
    /// Its labels.
    pub labels: LabelsId,
    /// The class, may be empty.
    pub class: String,
    /// `spec.capacity.storage`.
    pub capacity: Quantity,
    /// `spec.claimRef`: namespace and name.
    pub claim: Option<(String, String)>,
    /// `spec.accessModes`.
    pub access_modes: Vec<String>,
    /// `spec.volumeMode`.
    pub volume_mode: String,
    /// `spec.volumeAttributesClassName`.
    pub attributes_class: String,
    /// `status.phase` is `Available`.
    pub available: bool,
    /// Whether deletion was asked for.
    pub deleting: bool,
    /// `spec.nodeAffinity.required`.
    pub nodes: Option<NodeSelector>,
    /// Driver and handle of a CSI volume.
    pub csi: Option<(String, String)>,
    /// The zones and regions of its labels.
    pub zones: Vec<(&'static str, Vec<String>)>,
}

/// A StorageClass.
#[derive(Clone, Debug)]
pub struct StorageClass {
    /// `provisioner`.
    pub provisioner: String,
    /// `volumeBindingMode`.
    pub binding_mode: Option<String>,
    /// `allowedTopologies`: terms of labels with their values.
    pub topologies: Vec<Vec<(String, Vec<String>)>>,
}

/// A CSIStorageCapacity.
#[derive(Clone, Debug)]
pub struct Capacity {
    /// `storageClassName`.
    pub class: String,
    /// The largest volume, in bytes.
    pub limit: Option<i64>,
    /// `nodeTopology`.
    pub nodes: Option<Selector>,
}

/// A VolumeAttachment of a persistent volume.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// `spec.nodeName`.
    pub node: String,
    /// `spec.source.persistentVolumeName`.
    pub volume: String,
}

/// All of them by name.
#[derive(Clone, Debug, Default)]
pub struct Storage {
    /// By namespace and name.
    pub claims: BTreeMap<(String, String), Claim>,
    /// By name.
    pub volumes: BTreeMap<String, Volume>,
    /// By name.
    pub classes: BTreeMap<String, StorageClass>,
    /// Limits of CSINodes by node and driver; drivers without limit are absent.
    pub limits: BTreeMap<String, BTreeMap<String, i64>>,
    /// CSIDrivers with `storageCapacity: true`.
    pub capacity_drivers: BTreeMap<String, bool>,
    /// By object.
    pub capacities: BTreeMap<ObjId, Capacity>,
    /// By object.
    pub attachments: BTreeMap<ObjId, Attachment>,
}

/// The labels of volumes that name zones, in the order of the VolumeZone plugin.
pub const TOPOLOGY_LABELS: [&str; 4] = [
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
];

impl Storage {
    /// Whether objects of this kind belong here.
    pub fn concerns(kind: &str) -> bool {
        matches!(
            kind,
            "PersistentVolumeClaim"
                | "PersistentVolume"
                | "StorageClass"
                | "CSINode"
                | "CSIDriver"
                | "CSIStorageCapacity"
                | "VolumeAttachment"
        )
    }

    /// Lowers an object anew, or drops it if it is gone.
    pub fn refresh(&mut self, cluster: &Cluster, id: ObjId) {
        let object = cluster.object(id);
        let name = cluster.name(id).to_owned();
        let gone = object.meta.removed;
        let json = if gone { Value::Null } else { cluster.export(ObjectRef::Object(id)) };
        match object.info.kind {
            "PersistentVolumeClaim" => {
                put(&mut self.claims, (cluster.namespace(id).to_owned(), name), gone, || {
                    Claim::lower(cluster, id, &json)
                });
            }
            "PersistentVolume" => put(&mut self.volumes, name, gone, || Volume::lower(cluster, id, &json)),
            "StorageClass" => put(&mut self.classes, name, gone, || StorageClass::lower(&json)),
            "CSINode" => put(&mut self.limits, name, gone, || limits(&json)),
            "CSIDriver" => {
                put(&mut self.capacity_drivers, name, gone, || json["spec"]["storageCapacity"] == true);
            }
            "CSIStorageCapacity" => put(&mut self.capacities, id, gone, || Capacity::lower(&json)),
            "VolumeAttachment" => put(&mut self.attachments, id, gone, || Attachment {
                node: text(&json["spec"]["nodeName"]),
                volume: text(&json["spec"]["source"]["persistentVolumeName"]),
            }),
            _ => {}
        }
    }

    /// The claim of that name.
    pub fn claim(&self, namespace: &str, name: &str) -> Option<&Claim> {
        self.claims.get(&(namespace.to_owned(), name.to_owned()))
    }
}

fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, gone: bool, lower: impl FnOnce() -> V) {
    if gone {
        map.remove(&key);
    } else {
        map.insert(key, lower());
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

fn quantity(value: &Value) -> Option<Quantity> {
    // An absent amount is not an amount of 0.
    if value.is_null() { None } else { serde_json::from_value(value.clone()).ok() }
}

fn mode(value: &Value) -> String {
    value.as_str().unwrap_or("Filesystem").to_owned()
}

fn node_selector(value: &Value) -> Option<NodeSelector> {
    serde_json::from_value(value.clone()).ok().map(|selector| NodeSelector::from_api(&selector))
}

fn limits(json: &Value) -> BTreeMap<String, i64> {
    let drivers = json["spec"]["drivers"].as_array().into_iter().flatten();
    drivers.filter_map(|driver| Some((text(&driver["name"]), driver["allocatable"]["count"].as_i64()?))).collect()
}

impl Claim {
    fn lower(cluster: &Cluster, id: ObjId, json: &Value) -> Claim {
        let (spec, annotations) = (&json["spec"], &json["metadata"]["annotations"]);
        Claim {
            object: id,
            volume_name: text(&spec["volumeName"]),
            bind_completed: !annotations["pv.kubernetes.io/bind-completed"].is_null(),
            class: class(json),
            access_modes: texts(&spec["accessModes"]),
            lost: json["status"]["phase"] == "Lost",
            deleting: cluster.object(id).meta.is_deleting(),
            request: quantity(&spec["resources"]["requests"]["storage"]),
            selector: match &spec["selector"] {
                Value::Null => None,
                selector => Some(Selector::from_json(selector).unwrap_or_else(|_| Selector::nothing())),
            },
            volume_mode: mode(&spec["volumeMode"]),
            attributes_class: text(&spec["volumeAttributesClassName"]),
            selected_node: annotations["volume.kubernetes.io/selected-node"].as_str().map(str::to_owned),
        }
    }
}

/// The class of a claim or volume: the annotation of old wins.
fn class(json: &Value) -> String {
    let annotation = json["metadata"]["annotations"]["volume.beta.kubernetes.io/storage-class"].as_str();
    annotation.map_or_else(|| text(&json["spec"]["storageClassName"]), str::to_owned)
}

impl Volume {
    fn lower(cluster: &Cluster, id: ObjId, json: &Value) -> Volume {
        let spec = &json["spec"];
        let csi = &spec["csi"];
        let labels = &json["metadata"]["labels"];
        Volume {
            object: id,
            labels: cluster.object(id).meta.labels,
            class: class(json),
            capacity: quantity(&spec["capacity"]["storage"]).unwrap_or_default(),
            claim: (!spec["claimRef"].is_null())
                .then(|| (text(&spec["claimRef"]["namespace"]), text(&spec["claimRef"]["name"]))),
            access_modes: texts(&spec["accessModes"]),
            volume_mode: mode(&spec["volumeMode"]),
            attributes_class: text(&spec["volumeAttributesClassName"]),
            available: json["status"]["phase"] == "Available",
            deleting: cluster.object(id).meta.is_deleting(),
            nodes: match &spec["nodeAffinity"]["required"] {
                Value::Null => None,
                required => node_selector(required),
            },
            csi: csi.is_object().then(|| (text(&csi["driver"]), text(&csi["volumeHandle"]))),
            zones: TOPOLOGY_LABELS.iter().filter_map(|&key| Some((key, zones(labels[key].as_str()?)?))).collect(),
        }
    }

    /// Whether the volume is meant for the claim (`IsVolumeBoundToClaim`).
    pub fn is_for(&self, namespace: &str, name: &str) -> bool {
        self.claim.as_ref().is_some_and(|(ns, claim)| ns == namespace && claim == name)
    }
}

/// The zones of a label, separated by `__`; none if one is empty (`LabelZonesToSet`).
fn zones(label: &str) -> Option<Vec<String>> {
    let zones: Vec<String> = label.split("__").map(|zone| zone.trim().to_owned()).collect();
    (!zones.iter().any(String::is_empty)).then_some(zones)
}

impl StorageClass {
    fn lower(json: &Value) -> StorageClass {
        let terms = json["allowedTopologies"].as_array().into_iter().flatten();
        let term = |term: &Value| {
            let expressions = term["matchLabelExpressions"].as_array().into_iter().flatten();
            expressions.map(|expression| (text(&expression["key"]), texts(&expression["values"]))).collect()
        };
        StorageClass {
            provisioner: text(&json["provisioner"]),
            binding_mode: json["volumeBindingMode"].as_str().map(str::to_owned),
            topologies: terms.map(term).collect(),
        }
    }

    /// Whether volumes are bound when their first pod is scheduled.
    pub fn waits(&self) -> bool {
        self.binding_mode.as_deref() == Some("WaitForFirstConsumer")
    }

    /// Whether volumes can be made for a node with these labels (`MatchTopologySelectorTerms`).
    pub fn allows<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        let meets = |(key, values): &(String, Vec<String>)| {
            label(key).is_some_and(|value| values.iter().any(|other| other == value))
        };
        self.topologies.is_empty() || self.topologies.iter().any(|term| !term.is_empty() && term.iter().all(meets))
    }
}

impl Capacity {
    fn lower(json: &Value) -> Capacity {
        let limit = quantity(&json["maximumVolumeSize"]).or_else(|| quantity(&json["capacity"]));
        Capacity {
            class: text(&json["storageClassName"]),
            limit: limit.map(|limit| limit.value()),
            nodes: match &json["nodeTopology"] {
                Value::Null => None,
                selector => Selector::from_json(selector).ok(),
            },
        }
    }
}
