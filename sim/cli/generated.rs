//! Texts that are generated from the code.

use crate::scenario::ScenarioFile;

/// The JSON Schema of scenario files.
pub(super) fn schema() -> String {
    let schema = schemars::schema_for!(ScenarioFile);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
