//! The selectors of lists: labels and the fields that each kind lets be selected.
//!
//! Source: kubernetes `pkg/apis/core/v1/conversion.go` and the other field label conversions.

use serde_json::Value;

use super::labels::matches;
use super::look::{at, flag, scalar, text};
use super::resources::Resource;
use super::view::Output;
use crate::api::field_selector::FieldSelector;
use crate::api::selector::Selector;

/// Keeps the objects that both selectors select; the error is the API server's as kubectl shows it.
pub(crate) fn select(
    objects: &mut Vec<&Value>,
    resource: &Resource<'_>,
    labels: Option<&str>,
    fields: Option<&str>,
) -> Result<(), Output> {
    let (labels, fields) = (labels.unwrap_or_default().trim(), fields.unwrap_or_default().trim());
    let bad = |why: String| {
        Output::failure(format!(
            "Error from server (BadRequest): Unable to find \"{}\" that match label selector \"{labels}\", field \
             selector \"{fields}\": {why}",
            resource.qualified()
        ))
    };
    let by_labels: Selector = labels.parse().map_err(|error| bad(format!("{error}")))?;
    let by_fields: FieldSelector = fields.parse().map_err(|error| bad(format!("{error}")))?;
    let known = selectable(resource);
    for term in by_fields.terms() {
        if !known.contains(&term.field.as_str())
            && !matches!(term.field.as_str(), "metadata.name" | "metadata.namespace")
        {
            return Err(bad(match known {
                [] => format!(
                    "\"{}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
                    term.field
                ),
                _ => format!("field label not supported: {}", term.field),
            }));
        }
    }
    objects.retain(|object| {
        matches(&by_labels, object)
            && by_fields.terms().iter().all(|term| {
                let is_equal = field(object, resource, &term.field) == term.value;
                is_equal == (term.comparison == crate::api::field_selector::FieldComparison::Equal)
            })
    });
    Ok(())
}

/// The fields of a kind besides name and namespace.
fn selectable(resource: &Resource<'_>) -> &'static [&'static str] {
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Pod") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        ("", "Event") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("", "Node") => &["spec.unschedulable"],
        ("", "Namespace") => &["status.phase"],
        ("", "Secret") => &["type"],
        ("", "Service") => &["spec.clusterIP", "spec.type"],
        ("", "ReplicationController") | ("apps", "ReplicaSet") => &["status.replicas"],
        ("batch", "Job") => &["status.successful"],
        _ => &[],
    }
}

fn field(object: &Value, resource: &Resource<'_>, path: &str) -> String {
    match (resource.kind.as_str(), path) {
        ("Pod", "spec.hostNetwork") | ("Node", "spec.unschedulable") => flag(object, path).to_string(),
        ("Event", "source") => match text(object, "source.component") {
            "" => text(object, "reportingComponent").to_owned(),
            component => component.to_owned(),
        },
        ("Job", "status.successful") => number(object, "status.succeeded"),
        (_, "status.replicas") => number(object, path),
        _ => scalar(at(object, path)),
    }
}

fn number(object: &Value, path: &str) -> String {
    at(object, path).as_i64().unwrap_or_default().to_string()
}
