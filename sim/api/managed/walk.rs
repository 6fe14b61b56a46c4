//! Walking values with their schema: which fields a value has, what differs between two, merging one into the other, and taking
//! fields away (structured-merge-diff, `typed`).

use serde_json::{Map, Value};

use super::set::FieldSet;
use crate::api::schema::{Items, Schema, Shape};

/// The step of an item of a list that is not replaced as a whole.
fn item_step(kind: &Items<'_>, item: &Value) -> Option<String> {
    match kind {
        Items::Atomic => None,
        Items::Set => Some(format!("v:{item}")),
        Items::Keys(keys) => {
            let value = |(key, default): &(&str, Option<Value>)| {
                Some(((*key).to_owned(), item.get(*key).or(default.as_ref())?.clone()))
            };
            let key: Map<String, Value> = keys.iter().filter_map(value).collect();
            Some(format!("k:{}", Value::Object(key)))
        }
    }
}

/// What keeps a configuration from being applied: items that are there twice, or that lack a key (`typed`, `validate.go`).
pub(super) fn faults(schema: &Schema, shape: Shape<'_>, value: &Value, path: &str, out: &mut Vec<String>) {
    match value {
        _ if is_leaf(shape, value) => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                faults(schema, schema.member(shape, name), value, &format!("{path}.{name}"), out);
            }
        }
        Value::Array(items) => {
            let (kind, inner) = (shape.items(), schema.member(shape, ""));
            let mut seen: Vec<String> = Vec::new();
            for (index, item) in items.iter().enumerate() {
                if let Some(key) = missing_key(&kind, item) {
                    let what = "associative list with keys has an element that omits key field";
                    out.push(format!("{path}: element {index}: {what} {key:?} (and doesn't have default value)"));
                    return;
                }
                let Some(step) = item_step(&kind, item) else { return };
                let shown = super::set::shown(&step);
                if seen.contains(&step) {
                    out.push(format!("{path}: duplicate entries for key {shown}"));
                }
                seen.push(step);
                faults(schema, inner, item, &format!("{path}{shown}"), out);
            }
        }
        _ => {}
    }
}

fn missing_key<'k>(kind: &Items<'k>, item: &Value) -> Option<&'k str> {
    let Items::Keys(keys) = kind else { return None };
    keys.iter().find(|(key, default)| item.get(*key).is_none() && default.is_none()).map(|(key, _)| *key)
}

/// Whether a value of this shape is owned as a whole.
fn is_leaf(shape: Shape<'_>, value: &Value) -> bool {
    match value {
        Value::Object(fields) => matches!(shape, Shape::Leaf) || fields.is_empty(),
        Value::Array(items) => is_atomic(shape) || items.is_empty(),
        _ => true,
    }
}

/// The members of a value with their steps; none for a leaf.
fn members<'v>(shape: Shape<'_>, value: &'v Value) -> Vec<(String, &'v str, &'v Value)> {
    match value {
        _ if is_leaf(shape, value) => Vec::new(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (format!("f:{name}"), name.as_str(), value)).collect()
        }
        Value::Array(items) => {
            let kind = shape.items();
            items.iter().filter_map(|item| Some((item_step(&kind, item)?, "", item))).collect()
        }
        _ => Vec::new(),
    }
}

/// The fields that a configuration names.
pub(super) fn fields_of(schema: &Schema, shape: Shape<'_>, value: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    for (step, name, member) in members(shape, value) {
        let inner_shape = schema.member(shape, name);
        let mut inner = fields_of(schema, inner_shape, member);
        // Items belong to whoever names them, besides their fields.
        inner.is_member |= is_leaf(inner_shape, member) || name.is_empty();
        set.children.insert(step, inner);
    }
    set
}

/// What a change of a value did.
#[derive(Clone, Debug, Default)]
pub(super) struct Changed {
    /// The fields that are new or have another value.
    pub(super) written: FieldSet,
    /// The fields that are gone.
    pub(super) removed: FieldSet,
}

/// Compares a value with what it was.
pub(super) fn compare(schema: &Schema, shape: Shape<'_>, before: &Value, after: &Value) -> Changed {
    let mut changed = Changed::default();
    if before == after {
        return changed;
    }
    let (was, is) = (members(shape, before), members(shape, after));
    for (step, name, member) in &is {
        let inner_shape = schema.member(shape, name);
        let old = was.iter().find(|(other, ..)| other == step).map(|(.., value)| *value);
        let mut inner = match old {
            Some(old) if old == *member => continue,
            Some(old) => compare(schema, inner_shape, old, member),
            None => {
                let mut written = fields_of(schema, inner_shape, member);
                // What was not there at all belongs to its maker, but for structs that Go always writes.
                written.is_member = !schema.is_always_there(shape, name) || is_leaf(inner_shape, member);
                Changed { written, removed: FieldSet::default() }
            }
        };
        if let Some(old) = old
            && (is_leaf(inner_shape, member) || is_leaf(inner_shape, old))
        {
            inner.written.is_member |= is_leaf(inner_shape, member);
        }
        if !inner.written.is_empty() {
            changed.written.children.insert(step.clone(), inner.written);
        }
        if !inner.removed.is_empty() {
            changed.removed.children.insert(step.clone(), inner.removed);
        }
    }
    for (step, name, member) in &was {
        if is.iter().any(|(other, ..)| other == step) {
            continue;
        }
        let mut gone = fields_of(schema, schema.member(shape, name), member);
        gone.is_member = true;
        changed.removed.children.insert(step.clone(), gone);
    }
    changed
}

/// Merges a configuration into a value: what it names is set.
pub(super) fn merge(schema: &Schema, shape: Shape<'_>, live: &mut Value, config: &Value) {
    if is_leaf(shape, config) && !config.as_object().is_some_and(|_| live.is_object()) {
        if !(config.as_array().is_some_and(Vec::is_empty) && live.is_array() && !is_atomic(shape)) {
            live.clone_from(config);
        }
        return;
    }
    match (&mut *live, config) {
        (_, Value::Object(_)) if matches!(shape, Shape::Leaf) => live.clone_from(config),
        (Value::Object(fields), Value::Object(wanted)) => {
            for (name, value) in wanted {
                merge(schema, schema.member(shape, name), fields.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(items), Value::Array(wanted)) => {
            let kind = shape.items();
            let inner = schema.member(shape, "");
            for item in wanted {
                let step = item_step(&kind, item);
                let same: Vec<usize> = (0..items.len()).filter(|&at| item_step(&kind, &items[at]) == step).collect();
                match same.as_slice() {
                    [] => items.push(item.clone()),
                    [one] => merge(schema, inner, &mut items[*one], item),
                    // Of items that could not be told apart the configuration leaves its own.
                    [first, others @ ..] => {
                        items[*first] = item.clone();
                        others.iter().rev().for_each(|&at| drop(items.remove(at)));
                    }
                }
            }
        }
        (live, config) => live.clone_from(config),
    }
}

fn is_atomic(shape: Shape<'_>) -> bool {
    shape.items() == Items::Atomic
}

/// Takes the fields of `gone` out of a value, unless they are in `kept`: what others own. Says whether anything is left.
pub(super) fn prune(schema: &Schema, shape: Shape<'_>, value: &mut Value, gone: &FieldSet, kept: &FieldSet) {
    let nobody = FieldSet::default();
    let is_free = |step: &str, gone: &FieldSet, kept: &FieldSet| {
        let theirs = kept.children.get(step);
        gone.is_member && theirs.is_none_or(FieldSet::is_empty)
    };
    match value {
        Value::Object(fields) => {
            for (step, below) in &gone.children {
                let Some(name) = step.strip_prefix("f:") else { continue };
                if is_free(step, below, kept) {
                    fields.remove(name);
                } else if let Some(member) = fields.get_mut(name) {
                    let theirs = kept.children.get(step).unwrap_or(&nobody);
                    prune(schema, schema.member(shape, name), member, below, theirs);
                    let is_empty = match &*member {
                        Value::Object(map) => map.is_empty(),
                        Value::Array(list) => list.is_empty(),
                        _ => false,
                    };
                    if is_empty && theirs.is_empty() {
                        fields.remove(name);
                    }
                }
            }
        }
        Value::Array(items) => {
            let kind = shape.items();
            let inner = schema.member(shape, "");
            items.retain_mut(|item| {
                let Some(step) = item_step(&kind, item) else { return true };
                let Some(below) = gone.children.get(&step) else { return true };
                if is_free(&step, below, kept) {
                    return false;
                }
                prune(schema, inner, item, below, kept.children.get(&step).unwrap_or(&nobody));
                true
            });
        }
        _ => {}
    }
}
