//! Documents into accepted manifests: old API versions are converted, defaults filled in, everything checked.

use rayon::prelude::*;
use serde_json::Value;

use crate::api::accept::{AcceptContext, accept, to_error};
use crate::api::convert::modernize;
use crate::api::custom::{Definitions, is_custom_group};
use crate::api::document::{Document, Part};
use crate::error::Error;

/// Accepted manifests in the order of the documents.
#[derive(Clone, Debug, Default)]
pub struct AcceptedObjects {
    /// The manifests, defaulted.
    pub values: Vec<Value>,
    /// The manifests as they were written, but for old versions: what a client sends. Those of a dump are the same as `values`.
    pub written: Vec<Value>,
    /// What the user should know: old versions, what the API server warns about.
    pub warnings: Vec<Error>,
}

/// Accepts all documents, in parallel.
///
/// # Errors
///
/// Every refusal, in the order of the documents.
pub fn accept_all(documents: &[Document]) -> Result<AcceptedObjects, Vec<Error>> {
    let mut definitions = Definitions::default();
    documents.iter().for_each(|document| definitions.add(&document.value));
    let results: Vec<_> = documents.par_iter().map(|document| accept_one(document, &definitions)).collect();
    let (mut accepted, mut errors) = (AcceptedObjects::default(), Vec::new());
    accepted.warnings.extend(of_custom_kinds(documents, &definitions));
    for result in results {
        match result {
            Ok((value, written, warnings)) => {
                accepted.values.push(value);
                accepted.written.push(written);
                accepted.warnings.extend(warnings);
            }
            Err(wrong) => errors.extend(wrong),
        }
    }
    if errors.is_empty() { Ok(accepted) } else { Err(errors) }
}

/// One warning per custom kind: nothing acts on its objects, and without a definition their fields are not even checked.
fn of_custom_kinds(documents: &[Document], definitions: &Definitions) -> Vec<Error> {
    let mut told = Vec::new();
    let mut warnings = Vec::new();
    for document in documents {
        let group = document.api_version().split_once('/').map_or("", |(group, _)| group);
        let kind = (group, document.kind());
        if !is_custom_group(group) || told.contains(&kind) {
            continue;
        }
        told.push(kind);
        let what = match definitions.find(group, kind.1) {
            Some(_) => "kept; no controller acts on custom resources",
            None => {
                "no CustomResourceDefinition for it among the inputs; its fields are not checked, and no controller acts on it"
            }
        };
        warnings.push(Error::new(format!("{}.{group}: {what}", kind.1)).at(document.place("kind", Part::Value)));
    }
    warnings
}

fn accept_one(document: &Document, definitions: &Definitions) -> Result<(Value, Value, Vec<Error>), Vec<Error>> {
    let mut warnings = Vec::new();
    let mut value = document.value.clone();
    if let Some(what) = modernize(&mut value) {
        warnings.push(Error::new(what).at(document.place("apiVersion", Part::Value)));
    }
    let mut written = value.clone();
    let dumped = strip_dump(&mut value);
    let context = AcceptContext {
        lookup: None,
        definitions: Some(definitions),
        keep_undefined: true,
        ..AcceptContext::default()
    };
    let accepted = accept(&value, &context).map_err(|refusal| to_error(&refusal, document))?;
    warnings.extend(accepted.warnings.into_iter().map(|what| Error::new(what).at(document.place("kind", Part::Value))));
    let mut value = accepted.value;
    for (pointer, kept) in dumped {
        let parent = if pointer == "status" { &mut value } else { &mut value["metadata"] };
        parent[pointer] = kept;
    }
    if value["metadata"]["uid"].is_string() {
        written.clone_from(&value);
    }
    Ok((value, written, warnings))
}

/// What a dump has and a manifest must not: kept aside while the manifest is checked.
fn strip_dump(value: &mut Value) -> Vec<(&'static str, Value)> {
    let mut kept = Vec::new();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        metadata.remove("selfLink");
        metadata.remove("resourceVersion");
        metadata.remove("generation");
        for field in ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
            kept.extend(metadata.remove(field).filter(|value| !value.is_null()).map(|value| (field, value)));
        }
    }
    if let Some(fields) = value.as_object_mut() {
        kept.extend(fields.remove("status").filter(|status| !status.is_null()).map(|status| ("status", status)));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::document::read_str;

    #[test]
    fn old_deployments_get_a_selector() {
        let text = "apiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {name: nginx}\nspec:\n  replicas: 3\n  template:\n    \
                    metadata: {labels: {app: nginx}}\n    spec: {containers: [{name: nginx, image: 'nginx:1.7.9'}]}\n";
        let (documents, errors) = read_str("nginx.yaml", text);
        assert!(errors.is_empty());
        let accepted = accept_all(&documents).expect("old manifests run");
        assert_eq!(accepted.values[0]["apiVersion"], "apps/v1");
        assert_eq!(accepted.values[0]["spec"]["selector"]["matchLabels"]["app"], "nginx");
        assert_eq!(accepted.warnings.len(), 1);
    }

    #[test]
    fn dumps_keep_their_status() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, uid: abc, resourceVersion: '7'}\nspec: {nodeName: n1, containers: \
                    [{name: c, image: i}]}\nstatus: {phase: Running}\n";
        let (documents, _) = read_str("dump.yaml", text);
        let accepted = accept_all(&documents).expect("a dump is accepted");
        assert_eq!(accepted.values[0]["status"]["phase"], "Running");
        assert_eq!(accepted.values[0]["metadata"]["uid"], "abc");
    }
}
