//! The objects that a kubectl command is about.

use serde_json::Value;

use super::ObjectName;
use super::edit::find;
use crate::api::field_selector::{FieldComparison, FieldSelector};
use crate::api::kinds::{self, KindInfo};
use crate::api::selector::Selector;
use crate::cluster::{Cluster, ObjectRef};
use crate::kubectl::command::Selection;

/// The objects that `selection` names, in the order of the arguments; those of selectors by name.
///
/// # Errors
///
/// Unknown kinds, objects that are not there, bad selectors, as kubectl prints them.
pub(super) fn select(cluster: &Cluster, selection: &Selection, namespace: &str) -> Result<Vec<ObjectName>, String> {
    let namespace = selection.scope.namespace.as_deref().unwrap_or(namespace);
    let named = match selection.args.split_first() {
        None => Vec::new(),
        Some((first, _)) if first.contains('/') => {
            selection.args.iter().map(|arg| by_path(cluster, arg, namespace)).collect::<Result<Vec<_>, _>>()?
        }
        Some((first, names)) if !names.is_empty() => {
            let info = kind(cluster, first)?;
            names.iter().map(|name| object_name(info, namespace, name)).collect()
        }
        Some((first, _)) => return by_selector(cluster, first, selection, namespace),
    };
    for name in &named {
        find(cluster, name)?;
    }
    Ok(named)
}

fn by_path(cluster: &Cluster, arg: &str, namespace: &str) -> Result<ObjectName, String> {
    let (kind, name) = arg.split_once('/').unwrap_or((arg, ""));
    Ok(object_name(self::kind(cluster, kind)?, namespace, name))
}

fn object_name(info: &'static KindInfo, namespace: &str, name: &str) -> ObjectName {
    let namespace = if info.namespaced { namespace } else { "" };
    ObjectName { info, namespace: namespace.to_owned(), name: name.to_owned() }
}

fn by_selector(
    cluster: &Cluster,
    words: &str,
    selection: &Selection,
    namespace: &str,
) -> Result<Vec<ObjectName>, String> {
    if selection.selector.is_none() && selection.field_selector.is_none() && !selection.all {
        return Err("error: resource(s) were provided, but no name was specified".to_owned());
    }
    let selector: Selector = match &selection.selector {
        Some(text) => text.parse().map_err(|error| format!("error: {error}"))?,
        None => Selector::everything(),
    };
    let fields: FieldSelector =
        selection.field_selector.as_deref().unwrap_or_default().parse().map_err(|error| format!("error: {error}"))?;
    let mut found = Vec::new();
    for word in words.split(',') {
        let info = kind(cluster, word)?;
        let mut names: Vec<ObjectName> = all_of(cluster, info)
            .into_iter()
            .filter(|&object| {
                selection.scope.all_namespaces || !info.namespaced || cluster.namespace(object) == namespace
            })
            .filter(|&object| {
                let labels = cluster.meta(object).labels;
                selector.matches(|key| cluster.interner.value_text(labels, key))
            })
            .filter(|&object| fields.terms().is_empty() || has_fields(&cluster.export(object), &fields))
            .map(|object| object_name(info, cluster.namespace(object), cluster.name(object)))
            .collect();
        names.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        found.extend(names);
    }
    if found.is_empty() {
        return Err(format!("No resources found in {namespace} namespace."));
    }
    Ok(found)
}

/// Whether an object has the fields; one that is missing counts as empty.
fn has_fields(object: &Value, fields: &FieldSelector) -> bool {
    fields.terms().iter().all(|term| {
        let value = object.pointer(&format!("/{}", term.field.replace('.', "/")));
        let is_equal = value.and_then(Value::as_str).unwrap_or_default() == term.value;
        is_equal == (term.comparison == FieldComparison::Equal)
    })
}

/// All objects of a kind, in order of creation.
pub(super) fn all_of(cluster: &Cluster, info: &KindInfo) -> Vec<ObjectRef> {
    match info.key {
        "Pod" => cluster.pods().map(|(id, _)| id.into()).collect(),
        "Node" => cluster.nodes().map(|(id, _)| id.into()).collect(),
        key => {
            let ids = cluster.objects().filter(|(_, object)| object.info.key == key).map(|(id, _)| id);
            ids.map(ObjectRef::Object).collect()
        }
    }
}

/// The kind that a word means: a built-in one, or one that a definition in the store serves.
pub(super) fn kind(cluster: &Cluster, word: &str) -> Result<&'static KindInfo, String> {
    let custom = || cluster.custom_kinds().into_iter().find(|info| kinds::is_called(info, word));
    let found = kinds::by_resource(word).or_else(custom);
    found.ok_or_else(|| format!("error: the server doesn't have a resource type \"{word}\""))
}
