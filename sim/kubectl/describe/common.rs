//! Parts that many descriptions share: labels, annotations, selectors, taints, tolerations.

use serde_json::Value;

use super::writer::Writer;
use crate::kubectl::labels::format_selector;
use crate::kubectl::look::{at, controller, entries, has, int, list, name, namespace, scalar, text, texts};

/// The longest annotation that is shown on one line (kubectl, `maxAnnotationLen`).
const MAX_ANNOTATION: usize = 140;

/// Name and namespace.
pub(super) fn name_and_namespace(w: &mut Writer, object: &Value) {
    w.field(0, "Name", name(object));
    w.field(0, "Namespace", namespace(object));
}

/// Labels and annotations.
pub(super) fn labels_and_annotations(w: &mut Writer, object: &Value) {
    labels(w, "Labels", at(object, "metadata.labels"));
    annotations(w, "Annotations", at(object, "metadata.annotations"));
}

/// A map as `title:` and one `key=value` per line.
pub(super) fn labels(w: &mut Writer, title: &str, labels: &Value) {
    indented_labels(w, "", title, labels);
}

/// The same with an indentation of its own.
pub(super) fn indented_labels(w: &mut Writer, indent: &str, title: &str, labels: &Value) {
    w.put(0, &format!("{indent}{title}:\t"));
    let lines: Vec<String> = match labels {
        Value::Object(map) => map.iter().map(|(key, value)| format!("{key}={}", scalar(value))).collect(),
        _ => Vec::new(),
    };
    rest_of_list(w, indent, &lines);
}

/// The lines of a list of which the title and a tab are already there; `<none>` when there is none.
pub(super) fn rest_of_list(w: &mut Writer, indent: &str, lines: &[String]) {
    if lines.is_empty() {
        return w.line(0, "<none>");
    }
    for (index, line) in lines.iter().enumerate() {
        if index != 0 {
            w.put(0, indent);
            w.put(0, "\t");
        }
        w.line(0, line);
    }
}

/// Annotations, without the last applied configuration; long values are cut.
pub(super) fn annotations(w: &mut Writer, title: &str, annotations: &Value) {
    w.put(0, &format!("{title}:\t"));
    let mut is_first = true;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        if key == "kubectl.kubernetes.io/last-applied-configuration" {
            continue;
        }
        if !std::mem::take(&mut is_first) {
            w.put(0, "\t");
        }
        let value = scalar(value);
        let value = value.strip_suffix('\n').unwrap_or(&value);
        if value.len() + key.len() + 2 > MAX_ANNOTATION || value.contains('\n') {
            w.line(0, &format!("{key}:"));
            for line in value.split('\n') {
                w.line(0, &format!("\t  {}", shorten(line, MAX_ANNOTATION - 2)));
            }
        } else {
            w.line(0, &format!("{key}: {value}"));
        }
    }
    if is_first {
        w.line(0, "<none>");
    }
}

/// The first `max` bytes, with dots when something is cut off; never within a character.
pub(super) fn shorten(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let end = (0..=max).rev().find(|&end| text.is_char_boundary(end)).unwrap_or_default();
    format!("{}...", &text[..end])
}

/// `Kind/name` of the controller of an object, as a line; nothing without one.
pub(super) fn controlled_by(w: &mut Writer, object: &Value) {
    if let Some(owner) = controller(object) {
        w.field(0, "Controlled By", format!("{}/{}", text(owner, "kind"), text(owner, "name")));
    }
}

/// The conditions of a workload: type, status, reason.
pub(super) fn conditions(w: &mut Writer, object: &Value) {
    let conditions = list(object, "status.conditions");
    if conditions.is_empty() {
        return;
    }
    w.line(0, "Conditions:\n  Type\tStatus\tReason");
    w.line(1, "----\t------\t------");
    for condition in conditions {
        let cell = |field| text(condition, field);
        w.line(1, &format!("{} \t{}\t{}", cell("type"), cell("status"), cell("reason")));
    }
}

/// Tolerations, sorted by key.
pub(super) fn tolerations(w: &mut Writer, indent: &str, tolerations: &[Value]) {
    w.put(0, &format!("{indent}Tolerations:\t"));
    let mut sorted: Vec<&Value> = tolerations.iter().collect();
    crate::kubectl::gosort::sort(&mut sorted, |a, b| text(a, "key") < text(b, "key"));
    let lines: Vec<String> = sorted.into_iter().map(toleration).collect();
    rest_of_list(w, indent, &lines);
}

fn toleration(toleration: &Value) -> String {
    let [key, value, effect] = ["key", "value", "effect"].map(|field| text(toleration, field));
    let mut line = key.to_owned();
    if !value.is_empty() {
        line += &format!("={value}");
    }
    if !effect.is_empty() {
        line += &format!(":{effect}");
    }
    if text(toleration, "operator") == "Exists" && value.is_empty() {
        line += if key.is_empty() && effect.is_empty() { "op=Exists" } else { " op=Exists" };
    }
    if has(toleration, "tolerationSeconds") {
        line += &format!(" for {}s", int(toleration, "tolerationSeconds"));
    }
    line
}

/// Topology spread constraints, sorted by key; nothing without one.
pub(super) fn topology_spread(w: &mut Writer, indent: &str, constraints: &[Value]) {
    if constraints.is_empty() {
        return;
    }
    let mut sorted: Vec<&Value> = constraints.iter().collect();
    crate::kubectl::gosort::sort(&mut sorted, |a, b| text(a, "topologyKey") < text(b, "topologyKey"));
    w.put(0, &format!("{indent}Topology Spread Constraints:\t"));
    let lines: Vec<String> = sorted
        .into_iter()
        .map(|constraint| {
            let mut line = format!(
                "{}:{} when max skew {} is exceeded",
                text(constraint, "topologyKey"),
                text(constraint, "whenUnsatisfiable"),
                int(constraint, "maxSkew")
            );
            if has(constraint, "labelSelector") {
                line += &format!(" for selector {}", format_selector(at(constraint, "labelSelector")));
            }
            line
        })
        .collect();
    rest_of_list(w, indent, &lines);
}

/// Requirements on labels as `key in [a, b]`, one per line after `title:`.
pub(super) fn requirements(w: &mut Writer, level: usize, title: &str, requirements: &[Value]) {
    w.put(level, &format!("{title}:\t"));
    if requirements.is_empty() {
        return w.line(0, "<none>");
    }
    for (index, requirement) in requirements.iter().enumerate() {
        if index != 0 {
            w.put(level, "\t");
        }
        let operator = match text(requirement, "operator") {
            "" => "in".to_owned(),
            operator => operator.to_lowercase(),
        };
        let mut line = format!("{} {operator}", text(requirement, "key"));
        let values = texts(requirement, "values");
        if !values.is_empty() {
            line += &format!(" [{}]", values.join(", "));
        }
        w.line(0, &line);
    }
}

/// The entries of a map of quantities, sorted by name, as `name: quantity` lines.
pub(super) fn quantities(w: &mut Writer, level: usize, object: &Value, path: &str) {
    for (name, quantity) in entries(object, path) {
        w.field(level, name, quantity);
    }
}
