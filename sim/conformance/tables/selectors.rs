//! `labelSelector` and `selectorText`: selectors of the API and of the command line.

use serde_json::{Value, json};

use super::text;
use crate::api::selector::Selector;

/// A `LabelSelector`, matched with labels.
pub(super) fn label_selector(case: &Value) -> Value {
    let Ok(selector) = Selector::from_json(&case["selector"]) else { return json!({ "ok": false }) };
    json!({
        "ok": true,
        "matches": selector.matches(|key| case["labels"][key].as_str()),
        "empty": selector.is_empty(),
        "string": selector.to_string(),
    })
}

/// The text of a selector, matched with labels.
pub(super) fn selector_text(case: &Value) -> Value {
    match text(case, "text").parse::<Selector>() {
        Err(error) => json!({ "ok": false, "error": error.to_string() }),
        Ok(selector) => json!({
            "ok": true,
            "matches": selector.matches(|key| case["labels"][key].as_str()),
            "string": selector.to_string(),
        }),
    }
}
