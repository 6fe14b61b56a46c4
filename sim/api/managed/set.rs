//! Sets of fields, as `metadata.managedFields[].fieldsV1` writes them (structured-merge-diff, `fieldpath.Set`).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A set of fields of an object. Steps are written as in `fieldsV1`: `f:spec`, `k:{"name":"a"}`, `v:"x"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    /// Whether the field itself belongs to the set.
    pub is_member: bool,
    /// What is below it.
    pub children: BTreeMap<String, FieldSet>,
}

impl FieldSet {
    /// The set of one field.
    pub fn of_path(path: &[&str]) -> FieldSet {
        let mut set = FieldSet::default();
        set.insert(path);
        set
    }

    /// Adds a field.
    pub fn insert(&mut self, path: &[&str]) {
        match path.split_first() {
            None => self.is_member = true,
            Some((step, rest)) => self.children.entry((*step).to_owned()).or_default().insert(rest),
        }
    }

    /// Whether nothing belongs to it.
    pub fn is_empty(&self) -> bool {
        !self.is_member && self.children.values().all(FieldSet::is_empty)
    }

    /// Adds all fields of `other`.
    pub fn add(&mut self, other: &FieldSet) {
        self.is_member |= other.is_member;
        for (step, below) in &other.children {
            self.children.entry(step.clone()).or_default().add(below);
        }
    }

    /// Takes all fields of `other` away.
    pub fn subtract(&mut self, other: &FieldSet) {
        self.is_member &= !other.is_member;
        for (step, below) in &other.children {
            if let Some(own) = self.children.get_mut(step) {
                own.subtract(below);
                if own.is_empty() {
                    self.children.remove(step);
                }
            }
        }
    }

    /// Takes everything at or below the fields of `other` away.
    pub fn subtract_below(&mut self, other: &FieldSet) {
        if other.is_member {
            *self = FieldSet::default();
            return;
        }
        for (step, below) in &other.children {
            if let Some(own) = self.children.get_mut(step) {
                own.subtract_below(below);
                if own.is_empty() {
                    self.children.remove(step);
                }
            }
        }
    }

    /// What belongs to both.
    pub fn intersection(&self, other: &FieldSet) -> FieldSet {
        let mut both = FieldSet { is_member: self.is_member && other.is_member, children: BTreeMap::new() };
        for (step, below) in &self.children {
            if let Some(theirs) = other.children.get(step) {
                let common = below.intersection(theirs);
                if !common.is_empty() {
                    both.children.insert(step.clone(), common);
                }
            }
        }
        both
    }

    /// The paths as people read them: `.spec.containers[name="a"].image`.
    pub fn paths(&self) -> Vec<String> {
        let mut out = Vec::new();
        self.collect("", &mut out);
        out
    }

    fn collect(&self, at: &str, out: &mut Vec<String>) {
        if self.is_member {
            out.push(at.to_owned());
        }
        for (step, below) in &self.children {
            below.collect(&format!("{at}{}", shown(step)), out);
        }
    }

    /// As `fieldsV1`.
    pub fn to_json(&self) -> Value {
        let mut out = Map::new();
        for (step, below) in &self.children {
            let mut inner = below.to_json();
            if below.is_member
                && !below.children.is_empty()
                && let Value::Object(fields) = &mut inner
            {
                fields.insert(".".to_owned(), Value::Object(Map::new()));
            }
            out.insert(step.clone(), inner);
        }
        Value::Object(out)
    }
}

/// A step as people read it.
pub(super) fn shown(step: &str) -> String {
    match step.split_once(':') {
        Some(("f", name)) => format!(".{name}"),
        Some(("k", keys)) => {
            let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
            let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", keys.join(","))
        }
        Some(("v", value)) => format!("[={value}]"),
        _ => format!("[{step}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sets_are_written_as_fields_v1() {
        let mut set = FieldSet::of_path(&["f:spec", "f:replicas"]);
        set.insert(&["f:spec", "k:{\"name\":\"a\"}"]);
        set.insert(&["f:spec", "k:{\"name\":\"a\"}", "f:image"]);
        assert_eq!(
            set.to_json(),
            json!({"f:spec": {"f:replicas": {}, "k:{\"name\":\"a\"}": {".": {}, "f:image": {}}}})
        );
        assert_eq!(set.paths(), [".spec.replicas", ".spec[name=\"a\"]", ".spec[name=\"a\"].image"]);
        let other = FieldSet::of_path(&["f:spec", "f:replicas"]);
        assert_eq!(set.intersection(&other), other);
        set.subtract(&other);
        assert_eq!(set.paths(), [".spec[name=\"a\"]", ".spec[name=\"a\"].image"]);
        set.subtract_below(&FieldSet::of_path(&["f:spec", "k:{\"name\":\"a\"}"]));
        assert!(set.is_empty());
    }
}
