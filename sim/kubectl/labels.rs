//! Labels and label selectors as text.
//!
//! Source: apimachinery `pkg/labels` (`FormatLabels`), `apis/meta/v1` (`FormatLabelSelector`).

use serde_json::Value;

use super::look::{at, entries};
use crate::api::selector::Selector;

/// `a=1,b=2` of the map at `path`, or `<none>`.
pub(crate) fn format_labels(object: &Value, path: &str) -> String {
    let labels: Vec<_> = entries(object, path).iter().map(|(key, value)| format!("{key}={value}")).collect();
    if labels.is_empty() { "<none>".to_owned() } else { labels.join(",") }
}

/// A `LabelSelector` as `a=1,b in (x,y),!c`, or `<none>` when it has no requirement.
pub(crate) fn format_selector(selector: &Value) -> String {
    match selector_text(selector) {
        None => "<error>".to_owned(),
        Some(text) if text.is_empty() => "<none>".to_owned(),
        Some(text) => text,
    }
}

/// A `LabelSelector` as the string of the selector it means: empty for one without requirements; `None` for an invalid one.
pub(crate) fn selector_text(selector: &Value) -> Option<String> {
    Selector::from_json(selector).ok().map(|selector| selector.to_string())
}

/// Whether a selector selects an object.
pub(crate) fn matches(selector: &Selector, object: &Value) -> bool {
    let labels = at(object, "metadata.labels");
    selector.matches(|key| labels.get(key).and_then(Value::as_str))
}

/// Whether a `LabelSelector` selects an object: a missing or invalid one selects nothing.
pub(crate) fn selects(selector: &Value, object: &Value) -> bool {
    Selector::from_json(selector).is_ok_and(|selector| matches(&selector, object))
}

/// Whether a plain map of labels (the selector of a Service or ReplicationController) selects an object; an empty one selects nothing.
pub(crate) fn map_selects(selector: &Value, object: &Value) -> bool {
    let labels = at(object, "metadata.labels");
    selector
        .as_object()
        .is_some_and(|map| !map.is_empty() && map.iter().all(|(key, value)| labels.get(key) == Some(value)))
}
