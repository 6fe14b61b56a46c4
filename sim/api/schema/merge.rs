//! How lists and maps of the API are merged: the markers `listType`, `listMapKey`, `mapType`, `structType` (server-side apply) and
//! `patchStrategy`, `patchMergeKey` (strategic merge patches) of the Go types of Kubernetes 1.36.
//!
//! A list that is not named here is atomic and replaced; a map or struct that is not named here is merged field by field.

use serde_json::Value;

use super::{Schema, StructId, Type};
use crate::api::custom::Props;

/// How a list is merged by server-side apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListType {
    /// As a whole.
    Atomic,
    /// Its values are a set.
    Set,
    /// Its items are told apart by these fields.
    Map(&'static [&'static str]),
}

/// How a list is merged by a strategic merge patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchStrategy {
    /// It is replaced.
    Replace,
    /// Its values are merged as a set.
    MergeSet,
    /// Its items are merged by this field.
    MergeBy(&'static str),
}

/// A row: struct, field, server-side apply, strategic merge.
type Row = (&'static str, &'static str, ListType, PatchStrategy);

use ListType::{Atomic, Map, Set};
use PatchStrategy::{MergeBy, MergeSet, Replace};

static LISTS: &[Row] = &[
    ("ObjectMeta", "finalizers", Set, MergeSet),
    ("ObjectMeta", "ownerReferences", Map(&["uid"]), MergeBy("uid")),
    ("PodSpec", "containers", Map(&["name"]), MergeBy("name")),
    ("PodSpec", "initContainers", Map(&["name"]), MergeBy("name")),
    ("PodSpec", "ephemeralContainers", Map(&["name"]), MergeBy("name")),
    ("PodSpec", "volumes", Map(&["name"]), MergeBy("name")),
    ("PodSpec", "imagePullSecrets", Map(&["name"]), MergeBy("name")),
    ("PodSpec", "hostAliases", Map(&["ip"]), MergeBy("ip")),
    ("PodSpec", "topologySpreadConstraints", Map(&["topologyKey", "whenUnsatisfiable"]), MergeBy("topologyKey")),
    ("PodSpec", "schedulingGates", Map(&["name"]), MergeBy("name")),
    ("PodSpec", "resourceClaims", Map(&["name"]), MergeBy("name")),
    ("Container", "ports", Map(&["containerPort", "protocol"]), MergeBy("containerPort")),
    ("Container", "env", Map(&["name"]), MergeBy("name")),
    ("Container", "volumeMounts", Map(&["mountPath"]), MergeBy("mountPath")),
    ("Container", "volumeDevices", Map(&["devicePath"]), MergeBy("devicePath")),
    ("EphemeralContainer", "ports", Map(&["containerPort", "protocol"]), MergeBy("containerPort")),
    ("EphemeralContainer", "env", Map(&["name"]), MergeBy("name")),
    ("EphemeralContainer", "volumeMounts", Map(&["mountPath"]), MergeBy("mountPath")),
    ("EphemeralContainer", "volumeDevices", Map(&["devicePath"]), MergeBy("devicePath")),
    ("ResourceRequirements", "claims", Map(&["name"]), Replace),
    ("ServiceSpec", "ports", Map(&["port", "protocol"]), MergeBy("port")),
    ("ServiceAccount", "secrets", Map(&["name"]), MergeBy("name")),
    ("Endpoint", "addresses", Set, Replace),
    ("NodeSpec", "podCIDRs", Set, MergeSet),
    ("NodeStatus", "addresses", Map(&["type"]), MergeBy("type")),
    ("NodeStatus", "conditions", Map(&["type"]), MergeBy("type")),
    ("PodStatus", "conditions", Map(&["type"]), MergeBy("type")),
    ("PodStatus", "podIPs", Map(&["ip"]), MergeBy("ip")),
    ("PodStatus", "hostIPs", Atomic, MergeBy("ip")),
    ("PodStatus", "resourceClaimStatuses", Map(&["name"]), MergeBy("name")),
    ("DeploymentStatus", "conditions", Map(&["type"]), MergeBy("type")),
    ("ReplicaSetStatus", "conditions", Map(&["type"]), MergeBy("type")),
    ("StatefulSetStatus", "conditions", Map(&["type"]), MergeBy("type")),
    ("DaemonSetStatus", "conditions", Map(&["type"]), MergeBy("type")),
    ("ReplicationControllerStatus", "conditions", Map(&["type"]), MergeBy("type")),
    ("JobStatus", "conditions", Atomic, MergeBy("type")),
    ("NamespaceStatus", "conditions", Map(&["type"]), MergeBy("type")),
    ("PersistentVolumeClaimStatus", "conditions", Map(&["type"]), MergeBy("type")),
    ("PodDisruptionBudgetStatus", "conditions", Map(&["type"]), MergeBy("type")),
    ("HorizontalPodAutoscalerStatus", "conditions", Map(&["type"]), MergeBy("type")),
    ("ServiceStatus", "conditions", Map(&["type"]), MergeBy("type")),
    ("APIServiceStatus", "conditions", Map(&["type"]), MergeBy("type")),
    ("CertificateSigningRequestStatus", "conditions", Map(&["type"]), Replace),
    ("FlowSchemaStatus", "conditions", Map(&["type"]), MergeBy("type")),
    ("PriorityLevelConfigurationStatus", "conditions", Map(&["type"]), MergeBy("type")),
    ("CSINodeSpec", "drivers", Map(&["name"]), MergeBy("name")),
    ("ValidatingWebhookConfiguration", "webhooks", Map(&["name"]), MergeBy("name")),
    ("MutatingWebhookConfiguration", "webhooks", Map(&["name"]), MergeBy("name")),
    ("ValidatingWebhook", "matchConditions", Map(&["name"]), MergeBy("name")),
    ("MutatingWebhook", "matchConditions", Map(&["name"]), MergeBy("name")),
    ("ValidatingAdmissionPolicySpec", "matchConditions", Map(&["name"]), MergeBy("name")),
    ("ValidatingAdmissionPolicySpec", "variables", Map(&["name"]), MergeBy("name")),
];

/// Structs that are written as a whole (`structType=atomic`).
static ATOMIC_STRUCTS: &[&str] = &[
    "LabelSelector",
    "NodeSelector",
    "NodeSelectorTerm",
    "LocalObjectReference",
    "ObjectReference",
    "TypedLocalObjectReference",
    "SecretKeySelector",
    "ConfigMapKeySelector",
    "FileKeySelector",
    "ObjectFieldSelector",
    "ResourceFieldSelector",
    "SecretReference",
    "ScopeSelector",
    "TopologySelectorTerm",
    "RoleRef",
    "Subject",
    "EndpointAddress",
    "EndpointPort",
    "IngressServiceBackend",
];

/// Maps that are written as a whole (`mapType=atomic`).
static ATOMIC_MAPS: &[(&str, &str)] =
    &[("PodSpec", "nodeSelector"), ("ServiceSpec", "selector"), ("ReplicationControllerSpec", "selector")];

/// Structs whose fields that a patch does not name go when it changes others (`patchStrategy=retainKeys`).
static RETAIN_KEYS: &[&str] = &["DeploymentStrategy", "Volume", "PodResourceClaim", "PodResourceClaimStatus"];

/// How a value is merged.
#[derive(Clone, Copy, Debug)]
pub enum Shape<'s> {
    /// Field by field.
    Struct(StructId),
    /// Key by key.
    Map(&'s Type),
    /// Item by item.
    List(&'s Type, ListType, PatchStrategy),
    /// As the schema of a custom resource says; the second is whether it is a resource of its own.
    Custom(&'s Props, bool),
    /// As a whole.
    Leaf,
    /// No schema is known: objects field by field, lists as a whole.
    Unknown,
}

/// How the items of a list are told apart by server-side apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Items<'s> {
    /// They are not: the list is written as a whole.
    Atomic,
    /// By their values.
    Set,
    /// By these fields, each with what it is if it is not there.
    Keys(Vec<(&'s str, Option<Value>)>),
}

impl<'s> Shape<'s> {
    /// How the items of a list of this shape are told apart.
    pub fn items(self) -> Items<'s> {
        match self {
            Shape::List(_, Set, _) => Items::Set,
            Shape::List(_, Map(keys), _) => Items::Keys(keys.iter().map(|&key| (key, self.key_default(key))).collect()),
            Shape::Custom(props, _) => match props.list_type.as_str() {
                "set" => Items::Set,
                "map" => {
                    let default = |key: &str| props.items.as_ref()?.properties.get(key)?.default.clone();
                    Items::Keys(props.list_map_keys.iter().map(|key| (key.as_str(), default(key))).collect())
                }
                _ => Items::Atomic,
            },
            _ => Items::Atomic,
        }
    }

    /// What a key is that an item of a built-in list does not have (`+default` of the Go types).
    fn key_default(self, key: &str) -> Option<Value> {
        match (key, self) {
            ("protocol", _) => Some(Value::from("TCP")),
            // The only list that is merged by the name of a reference to a Secret.
            ("name", Shape::List(Type::Struct(id), ..))
                if Schema::builtin().get(*id).name == "LocalObjectReference" =>
            {
                Some(Value::from(""))
            }
            _ => None,
        }
    }
}

impl Schema {
    /// How the object of that apiVersion and kind is merged.
    pub fn shape(&self, api_version: &str, kind: &str) -> Shape<'_> {
        self.kind(api_version, kind).map_or(Shape::Unknown, Shape::Struct)
    }

    /// How a member of a value of this shape is merged: a field, an entry, or (with any name) an item.
    pub fn member<'s>(&'s self, shape: Shape<'s>, name: &str) -> Shape<'s> {
        match shape {
            Shape::Struct(id) => {
                let owner = self.get(id);
                match owner.field(name) {
                    Some(field) => self.shape_of(&owner.name, name, &field.ty),
                    None => Shape::Unknown,
                }
            }
            Shape::Map(item) | Shape::List(item, ..) => self.shape_of("", "", item),
            Shape::Custom(props, is_resource) => self.custom_member(props, is_resource, name),
            Shape::Leaf => Shape::Leaf,
            Shape::Unknown => Shape::Unknown,
        }
    }

    /// A member of a custom resource. Unknown fields that are preserved are merged as their values suggest.
    fn custom_member<'s>(&'s self, props: &'s Props, is_resource: bool, name: &str) -> Shape<'s> {
        if is_resource && name == "metadata" {
            return self.struct_called("ObjectMeta").map_or(Shape::Unknown, Shape::Struct);
        }
        let below = if props.kind == "array" { props.items.as_deref() } else { props.field(name) };
        match below {
            Some(below) if below.kind == "object" && below.map_type == "atomic" => Shape::Leaf,
            Some(below) => Shape::Custom(below, below.is_embedded),
            None => Shape::Unknown,
        }
    }

    fn shape_of<'s>(&'s self, owner: &str, field: &str, ty: &'s Type) -> Shape<'s> {
        match ty {
            Type::Struct(id) if ATOMIC_STRUCTS.contains(&self.get(*id).name.as_str()) => Shape::Leaf,
            Type::Struct(id) => Shape::Struct(*id),
            Type::Map(_) if ATOMIC_MAPS.contains(&(owner, field)) => Shape::Leaf,
            Type::Map(item) => Shape::Map(item),
            Type::List(item) => {
                let row = LISTS.iter().find(|row| (row.0, row.1) == (owner, field));
                row.map_or(Shape::List(item, Atomic, Replace), |row| Shape::List(item, row.2, row.3))
            }
            Type::Raw => Shape::Unknown,
            _ => Shape::Leaf,
        }
    }

    /// The shape without the markers of server-side apply: strategic merge patches know only structs, maps and lists.
    pub fn patch_member<'s>(&'s self, shape: Shape<'s>, name: &str) -> Shape<'s> {
        let ty = match shape {
            Shape::Struct(id) => match self.get(id).field(name) {
                Some(field) => &field.ty,
                None => return Shape::Unknown,
            },
            Shape::Map(item) | Shape::List(item, ..) => item,
            other => return other,
        };
        match (ty, shape) {
            (Type::Struct(id), _) => Shape::Struct(*id),
            (Type::Map(item), _) => Shape::Map(item),
            (Type::List(_), Shape::Struct(id)) => self.shape_of(&self.get(id).name, name, ty),
            (Type::List(item), _) => Shape::List(item, Atomic, Replace),
            _ => Shape::Leaf,
        }
    }

    /// Whether a patch that changes a value of this shape takes away what it does not name.
    pub fn retains_keys(&self, shape: Shape<'_>) -> bool {
        matches!(shape, Shape::Struct(id) if RETAIN_KEYS.contains(&self.get(id).name.as_str()))
    }

    /// Whether Go writes the field even if nothing was set: such a field was there before anyone wrote it.
    pub fn is_always_there(&self, shape: Shape<'_>, name: &str) -> bool {
        matches!(shape, Shape::Struct(id) if self.get(id).field(name).is_some_and(|field| field.is_always_written))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_names_a_list_of_the_schema() {
        let schema = Schema::builtin();
        for (owner, field, ..) in LISTS {
            let mut structs = schema.structs.iter().filter(|item| item.name == *owner).peekable();
            assert!(structs.peek().is_some(), "{owner}");
            let is_list =
                |item: &super::super::Struct| item.field(field).is_some_and(|field| matches!(field.ty, Type::List(_)));
            assert!(structs.any(is_list), "{owner}.{field}");
        }
        for (owner, field) in ATOMIC_MAPS {
            let item = schema.structs.iter().find(|item| item.name == *owner).expect(owner);
            assert!(matches!(item.field(field).map(|field| &field.ty), Some(Type::Map(_))), "{owner}.{field}");
        }
        for name in ATOMIC_STRUCTS.iter().chain(RETAIN_KEYS) {
            assert!(schema.structs.iter().any(|item| item.name == *name), "{name}");
        }
    }

    #[test]
    fn containers_are_found_by_name() {
        let schema = Schema::builtin();
        let mut shape = schema.shape("apps/v1", "Deployment");
        for step in ["spec", "template", "spec"] {
            shape = schema.member(shape, step);
        }
        assert!(matches!(schema.member(shape, "containers"), Shape::List(_, ListType::Map(["name"]), _)));
        assert!(matches!(
            schema.member(shape, "tolerations"),
            Shape::List(_, ListType::Atomic, PatchStrategy::Replace)
        ));
        assert!(matches!(schema.member(shape, "nodeSelector"), Shape::Leaf));
    }
}
