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

/// The rules broken down to one resource, name or path and one verb each; those for resources that differ in their verbs alone
/// are one again. They are sorted as the texts of their structs: by verbs, groups, resources, names, paths.
fn compact(rules: &[Value]) -> Vec<Rule> {
    let mut compacted: Vec<Rule> = Vec::new();
    for rule in rules.iter().flat_map(break_down) {
        let same = compacted.iter_mut().find(|known| {
            rule.path.is_empty()
                && (&known.group, &known.resource, &known.name, &known.path)
                    == (&rule.group, &rule.resource, &rule.name, &rule.path)
        });
        match same {
            Some(known) => known.verbs.extend(rule.verbs),
            None => compacted.push(rule),
        }
    }
    compacted.sort_by_cached_key(|rule| {
        let (verbs, group, resource) = (rule.verbs.join(" "), &rule.group, &rule.resource);
        let (name, path) = (&rule.name, &rule.path);
        format!(
            "Verbs:[{verbs}],APIGroups:[{group}],Resources:[{resource}],ResourceNames:[{name}],NonResourceURLs:[{path}]"
        )
    });
    compacted
}

fn break_down(rule: &Value) -> Vec<Rule> {
    let owned = |path: &str| texts(rule, path).into_iter().map(str::to_owned).collect::<Vec<String>>();
    let (verbs, mut names) = (owned("verbs"), owned("resourceNames"));
    if names.is_empty() {
        names.push(String::new());
    }
    let mut broken = Vec::new();
    let mut add = |group: &str, resource: &str, verb: &str, name: &str, path: &str| {
        let [group, resource, name, path] = [group, resource, name, path].map(str::to_owned);
        broken.push(Rule { group, resource, name, path, verbs: vec![verb.to_owned()] });
    };
    for group in owned("apiGroups") {
        for resource in owned("resources") {
            for verb in &verbs {
                for name in &names {
                    add(&group, &resource, verb, name, "");
                }
            }
        }
    }
    for path in owned("nonResourceURLs") {
        for verb in &verbs {
            add("", "", verb, "", &path);
        }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The order is that of `kubectl describe clusterrole admin`: by verbs.
    #[test]
    fn rules_are_merged_by_resource_and_sorted_by_verbs() {
        let object = json!({"metadata": {"name": "r"}, "rules": [
            {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]},
            {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["create"]},
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["watch"]},
            {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["a", "b"], "verbs": ["get"]},
            {"nonResourceURLs": ["/healthz"], "verbs": ["get", "post"]},
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        ]});
        let mut writer = Writer::default();
        role(&mut writer, &object);
        let expected = "\
Name:         r
Labels:       <none>
Annotations:  <none>
PolicyRule:
  Resources               Non-Resource URLs  Resource Names  Verbs
  ---------               -----------------  --------------  -----
  *.*                     []                 []              [*]
  deployments.apps/scale  []                 []              [create]
  pods                    []                 []              [get list watch]
  pods/log                []                 []              [get list]
                          [/healthz]         []              [get]
  configmaps              []                 [a]             [get]
  configmaps              []                 [b]             [get]
                          [/healthz]         []              [post]
";
        // A blank sorts before a bracket: `[get list watch]` before `[get list]` before `[get]`.
        assert_eq!(writer.finish(), expected);
    }
}
