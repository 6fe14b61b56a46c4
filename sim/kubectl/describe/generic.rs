//! The description of an object of any kind: its fields as they are, with names made of their words.

use serde_json::{Map, Value};

use super::common::{labels_and_annotations, name_and_namespace};
use super::events::events;
use super::writer::Writer;
use crate::kubectl::look::go_value;
use crate::kubectl::view::View;

/// Fields that have lines of their own, or are not shown.
const SKIPPED: [&str; 5] =
    [".metadata.managedFields", ".metadata.name", ".metadata.namespace", ".metadata.labels", ".metadata.annotations"];

/// How deep fields are followed.
const MAX_DEPTH: usize = 64;

pub(super) fn generic(w: &mut Writer, object: &Value, view: &View<'_>) {
    name_and_namespace(w, object);
    labels_and_annotations(w, object);
    if let Some(fields) = object.as_object() {
        content(w, 0, fields, "");
    }
    events(w, object, view);
}

fn content(w: &mut Writer, level: usize, fields: &Map<String, Value>, prefix: &str) {
    if level > MAX_DEPTH {
        return;
    }
    for (field, value) in fields {
        let path = format!("{prefix}.{field}");
        if SKIPPED.contains(&path.as_str()) {
            continue;
        }
        let label = label(field);
        match value {
            Value::Object(map) => {
                w.line(level, &format!("{label}:"));
                content(w, level + 1, map, &path);
            }
            Value::Array(items) => {
                w.line(level, &format!("{label}:"));
                for item in items {
                    match item {
                        Value::Object(map) => content(w, level + 1, map, &path),
                        other => w.line(level + 1, &go_value(other)),
                    }
                }
            }
            other => w.field(level, &label, go_value(other)),
        }
    }
}

/// `lastUpdateTime` as `Last Update Time`, `podUID` as `Pod UID`; a name with other characters than letters stays.
fn label(field: &str) -> String {
    if field.chars().any(|c| !c.is_alphabetic() && c != '-') {
        return field.to_owned();
    }
    let words = words(field);
    let titled = words.iter().map(|word| {
        let upper = word.to_uppercase();
        if ["API", "URL", "UID", "OSB", "GUID"].contains(&upper.as_str()) {
            return upper;
        }
        let mut rest = word.chars();
        rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
    });
    titled.collect::<Vec<String>>().join(" ")
}

/// The words of a camel-case name: a run of capitals is a word, whose last capital begins the next one.
fn words(field: &str) -> Vec<String> {
    let class = |c: char| match c {
        c if c.is_lowercase() => 1,
        c if c.is_uppercase() => 2,
        _ => 4,
    };
    let mut runs: Vec<String> = Vec::new();
    let mut last = 0;
    for c in field.chars() {
        match runs.last_mut() {
            Some(run) if class(c) == last => run.push(c),
            _ => runs.push(c.to_string()),
        }
        last = class(c);
    }
    for i in 0..runs.len().saturating_sub(1) {
        let is_upper = runs[i].chars().next().is_some_and(char::is_uppercase);
        let next_is_lower = runs[i + 1].chars().next().is_some_and(char::is_lowercase);
        if is_upper
            && next_is_lower
            && let Some(capital) = runs[i].pop()
        {
            runs[i + 1].insert(0, capital);
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn field_names_become_words() {
        assert_eq!(label("lastUpdateTime"), "Last Update Time");
        assert_eq!(label("apiVersion"), "API Version");
        assert_eq!(label("podUID"), "Pod UID");
        assert_eq!(label("a.b"), "a.b");
    }
}
