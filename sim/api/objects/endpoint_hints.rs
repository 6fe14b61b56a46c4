//! Hints and old topology labels of endpoints (`discovery/validation`).

use serde_json::Value;

use crate::api::causes::{Causes, Path};
use crate::api::names;
use crate::api::view::{entries, get, list, text};

/// The most zones, or nodes, that an endpoint is hinted for.
const MAX_HINTS: usize = 8;
/// The most labels of `deprecatedTopology`.
const MAX_TOPOLOGY: usize = 16;

/// Checks `hints` and `deprecatedTopology` of an endpoint.
pub(super) fn validate(endpoint: &Value, path: &Path<'_>, causes: &mut Causes) {
    let n_labels = entries(endpoint, "deprecatedTopology").count();
    let topology = path.child("deprecatedTopology");
    if n_labels > MAX_TOPOLOGY {
        causes.too_many(&topology, n_labels, MAX_TOPOLOGY);
    }
    super::metadata::labels(get(endpoint, "deprecatedTopology"), &topology, causes);
    let path = path.child("hints");
    for (field, rule) in
        [("forZones", names::label_value_errors as fn(&str) -> Vec<String>), ("forNodes", names::dns1123_subdomain)]
    {
        let path = path.child(field);
        let hints = list(get(endpoint, "hints"), field);
        if hints.len() > MAX_HINTS {
            causes.too_many(&path, hints.len(), MAX_HINTS);
            continue;
        }
        for (index, hint) in hints.iter().enumerate() {
            let name = text(hint, "name");
            let path = path.index(index);
            if hints[..index].iter().any(|other| text(other, "name") == name) {
                causes.duplicate(&path.child("name"), name);
            }
            causes.invalid_for(&path.child("name"), name, rule(name));
        }
    }
}
