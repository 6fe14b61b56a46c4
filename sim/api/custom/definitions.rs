//! The CustomResourceDefinitions of an input: which kinds they serve in which versions, with their schemas compiled once.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::props::Props;
use crate::api::kinds::{self, KindInfo};
use crate::api::schema::{DecodeError, Schema, decode};
use crate::api::view::{entries, flag, get, has, list, text};

/// The definitions of an input by group and kind.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    kinds: BTreeMap<(String, String), Arc<Definition>>,
}

/// A definition.
#[derive(Debug)]
pub struct Definition {
    /// The kind that it serves.
    pub info: &'static KindInfo,
    /// Its versions, in their order.
    pub versions: Vec<Version>,
}

/// A version of a kind.
#[derive(Debug)]
pub struct Version {
    /// `v1`
    pub name: String,
    /// Whether it is served.
    pub is_served: bool,
    /// The warning about its use, if it is deprecated.
    pub deprecation: Option<String>,
    /// Its schema.
    pub schema: Props,
    /// Whether it has a status subresource.
    pub has_status: bool,
    /// Its scale subresource, or null.
    pub scale: Value,
}

impl Definitions {
    /// Adds the definition in `object`, if it is one that can be read. The first of several for a kind stays.
    pub fn add(&mut self, object: &Value) {
        if text(object, "kind") != "CustomResourceDefinition" || text(object, "apiVersion") != "apiextensions.k8s.io/v1"
        {
            return;
        }
        let Some(definition) = Definition::read(object) else { return };
        let key = (definition.info.group.to_owned(), definition.info.kind.to_owned());
        self.kinds.entry(key).or_insert_with(|| Arc::new(definition));
    }

    /// The definition of a kind of a group.
    pub fn find(&self, group: &str, kind: &str) -> Option<&Definition> {
        self.kinds.get(&(group.to_owned(), kind.to_owned())).map(Arc::as_ref)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// All definitions, by group and kind.
    pub fn iter(&self) -> impl Iterator<Item = &Definition> {
        self.kinds.values().map(Arc::as_ref)
    }
}

impl Definition {
    /// Reads a definition, if it decodes and names a group, a kind and a plural.
    pub fn read(object: &Value) -> Option<Definition> {
        let schema = Schema::builtin();
        let root = schema.kind("apiextensions.k8s.io/v1", "CustomResourceDefinition")?;
        let decoded = match decode(schema, root, object) {
            Ok(decoded) => decoded,
            // Its unknown fields are its own affair; what is known still says what its resources are.
            Err(DecodeError::Unknown(_)) => object.clone(),
            Err(DecodeError::Type(..)) => return None,
        };
        let spec = get(&decoded, "spec");
        let names = get(spec, "names");
        let versions: Vec<Version> =
            list(spec, "versions").iter().map(|version| Version::read(spec, version)).collect();
        let info = kind_of_spec(spec)?;
        (!text(names, "plural").is_empty()).then_some(Definition { info, versions })
    }

    /// The version of that name, if it is served.
    pub fn served(&self, name: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.is_served && version.name == name)
    }
}

impl Version {
    fn read(spec: &Value, version: &Value) -> Version {
        let name = text(version, "name").to_owned();
        let (group, kind) = (text(spec, "group"), text(get(spec, "names"), "kind"));
        let deprecation = flag(version, "deprecated").then(|| match text(version, "deprecationWarning") {
            "" => format!("{group}/{name} {kind} is deprecated"),
            warning => warning.to_owned(),
        });
        let subresources = get(version, "subresources");
        Version {
            is_served: flag(version, "served"),
            deprecation,
            schema: Props::read(get(get(version, "schema"), "openAPIV3Schema")),
            has_status: has(subresources, "status"),
            scale: get(subresources, "scale").clone(),
            name,
        }
    }
}

/// The kind that a definition's spec serves.
pub fn kind_of_spec(spec: &Value) -> Option<&'static KindInfo> {
    let names = get(spec, "names");
    let (group, kind) = (text(spec, "group"), text(names, "kind"));
    if group.is_empty() || kind.is_empty() {
        return None;
    }
    let versions = list(spec, "versions").iter();
    let (storage, others): (Vec<&Value>, Vec<&Value>) = versions.partition(|version| flag(version, "storage"));
    let versions: Vec<&str> = storage.into_iter().chain(others).map(|version| text(version, "name")).collect();
    let short_names: Vec<&str> = list(names, "shortNames").iter().filter_map(Value::as_str).collect();
    let lower = kind.to_lowercase();
    let or_lower = |name: &'static str| match text(names, name) {
        "" => lower.as_str(),
        given => given,
    };
    Some(kinds::custom(&kinds::CustomKind {
        kind,
        group,
        versions: &versions,
        plural: or_lower("plural"),
        singular: or_lower("singular"),
        short_names: &short_names,
        namespaced: text(spec, "scope") != "Cluster",
    }))
}

/// The kind of an object of which there is no definition: what it is called is guessed as client-go does it
/// (`meta.UnsafeGuessKindToResource`), and it is namespaced if it names a namespace.
pub fn undefined_kind(object: &Value) -> Option<&'static KindInfo> {
    let (group, version) = text(object, "apiVersion").split_once('/')?;
    let kind = text(object, "kind");
    if !is_custom_group(group) || kind.is_empty() || version.is_empty() || version.contains('/') {
        return None;
    }
    let singular = kind.to_lowercase();
    let plural = match singular.as_bytes().last() {
        Some(b's') => format!("{singular}es"),
        Some(b'y') => format!("{}ies", &singular[..singular.len() - 1]),
        _ => format!("{singular}s"),
    };
    let namespaced = entries(object, "metadata").any(|(name, value)| name == "namespace" && value != "");
    Some(kinds::custom(&kinds::CustomKind {
        kind,
        group,
        versions: &[version],
        plural: &plural,
        singular: &singular,
        short_names: &[],
        namespaced,
    }))
}

/// Whether a group can be one of CustomResourceDefinitions: it is a domain, and Kubernetes itself does not serve it.
pub fn is_custom_group(group: &str) -> bool {
    const OF_KUBERNETES: [&str; 19] = [
        "admission.k8s.io",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "imagepolicy.k8s.io",
        "internal.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    ];
    let is_storage_migration = group == "storagemigration.k8s.io";
    group.contains('.') && !OF_KUBERNETES.contains(&group) && !is_storage_migration
}
