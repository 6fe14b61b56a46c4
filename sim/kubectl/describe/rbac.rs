//! The descriptions of roles and role bindings.
//!
//! Source: kubectl `pkg/util/rbac` (`BreakdownRule`, `CompactRules`).

use serde_json::Value;

use super::common::labels_and_annotations;
use super::writer::Writer;
use crate::kubectl::look::{at, list, name, text, texts};

/// A rule for one resource or one path.
#[derive(Clone, Debug, PartialEq)]
struct Rule {
    group: String,
    resource: String,
    name: String,
    path: String,
    verbs: Vec<String>,
}

pub(super) fn role(w: &mut Writer, role: &Value) {
    w.field(0, "Name", name(role));
    labels_and_annotations(w, role);
    w.line(0, "PolicyRule:");
    w.line(1, "Resources\tNon-Resource URLs\tResource Names\tVerbs");
    w.line(1, "---------\t-----------------\t--------------\t-----");
    for rule in compact(list(role, "rules")) {
        let bracket = |text: &str| format!("[{text}]");
        let resource = combine(&rule.resource, &rule.group);
        let verbs = rule.verbs.join(" ");
        w.line(1, &format!("{resource}\t{}\t{}\t[{verbs}]", bracket(&rule.path), bracket(&rule.name)));
    }
}

/// `deployments.apps/scale` of resource `deployments/scale` in group `apps`.
fn combine(resource: &str, group: &str) -> String {
    let (plural, subresource) = resource.split_once('/').map_or((resource, None), |(a, b)| (a, Some(b)));
    let mut text = plural.to_owned();
    if !group.is_empty() {
        text += &format!(".{group}");
    }
    if let Some(subresource) = subresource {
        text += &format!("/{subresource}");
    }
    text
}

/// The rules broken down to one resource, name or path each; those that differ in their verbs alone are one.
fn compact(rules: &[Value]) -> Vec<Rule> {
    let mut compacted: Vec<Rule> = Vec::new();
    for rule in rules.iter().flat_map(break_down) {
        let same = compacted.iter_mut().find(|known| {
            (&known.group, &known.resource, &known.name, &known.path)
                == (&rule.group, &rule.resource, &rule.name, &rule.path)
        });
        match same {
            Some(known) => {
                for verb in rule.verbs {
                    if !known.verbs.contains(&verb) {
                        known.verbs.push(verb);
                    }
                }
            }
            None => compacted.push(rule),
        }
    }
    compacted.sort_by_key(|rule| {
        // APIGroups, Resources, ResourceNames, NonResourceURLs, as `SortableRuleSlice` compares their debug strings.
        (rule.group.clone(), rule.resource.clone(), rule.name.clone(), rule.path.clone())
    });
    compacted
}

fn break_down(rule: &Value) -> Vec<Rule> {
    let verbs: Vec<String> = texts(rule, "verbs").into_iter().map(str::to_owned).collect();
    let mut broken = Vec::new();
    let names = match texts(rule, "resourceNames") {
        names if names.is_empty() => vec![""],
        names => names,
    };
    for group in texts(rule, "apiGroups") {
        for resource in texts(rule, "resources") {
            for name in &names {
                broken.push(Rule {
                    group: group.to_owned(),
                    resource: resource.to_owned(),
                    name: (*name).to_owned(),
                    path: String::new(),
                    verbs: verbs.clone(),
                });
            }
        }
    }
    for path in texts(rule, "nonResourceURLs") {
        broken.push(Rule {
            group: String::new(),
            resource: String::new(),
            name: String::new(),
            path: path.to_owned(),
            verbs: verbs.clone(),
        });
    }
    broken
}

pub(super) fn binding(w: &mut Writer, binding: &Value) {
    w.field(0, "Name", name(binding));
    labels_and_annotations(w, binding);
    w.line(0, "Role:");
    let role = at(binding, "roleRef");
    w.field(1, "Kind", text(role, "kind"));
    w.field(1, "Name", text(role, "name"));
    w.line(0, "Subjects:");
    w.line(1, "Kind\tName\tNamespace");
    w.line(1, "----\t----\t---------");
    for subject in list(binding, "subjects") {
        let cells = ["kind", "name", "namespace"].map(|field| text(subject, field));
        w.line(1, &cells.join("\t"));
    }
}
