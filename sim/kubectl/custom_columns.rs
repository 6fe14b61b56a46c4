//! `-o custom-columns=HEADER:PATH,...`
//!
//! Source: kubectl `pkg/cmd/get/customcolumn.go`.

use serde_json::Value;

use super::jsonpath::JsonPath;
use super::look::go_value;
use super::tabs::{TABLE, align, escape};

/// Headers and the paths of their cells.
pub(crate) struct CustomColumns {
    columns: Vec<(String, JsonPath)>,
}

impl CustomColumns {
    /// Parses a specification; the error is kubectl's text.
    pub(crate) fn parse(spec: &str) -> Result<CustomColumns, String> {
        if spec.is_empty() {
            return Err("custom-columns format specified but no custom columns given".to_owned());
        }
        let mut columns = Vec::new();
        for part in spec.split(',') {
            let Some((header, path)) = part.split_once(':') else {
                return Err(format!("unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>"));
            };
            columns.push((header.to_owned(), JsonPath::parse_relaxed(path)?));
        }
        Ok(CustomColumns { columns })
    }

    /// The table of some objects.
    pub(crate) fn print(&self, objects: &[&Value], no_headers: bool) -> Result<String, String> {
        let mut text = String::new();
        if !no_headers {
            let headers: Vec<&str> = self.columns.iter().map(|(header, _)| header.as_str()).collect();
            text += &headers.join("\t");
            text.push('\n');
        }
        for object in objects {
            let cells: Result<Vec<String>, String> = self.columns.iter().map(|(_, path)| cell(path, object)).collect();
            text += &cells?.join("\t");
            text.push('\n');
        }
        Ok(align(&text, TABLE))
    }
}

fn cell(path: &JsonPath, object: &Value) -> Result<String, String> {
    let found = path.find(object)?;
    if found.first().is_none_or(Vec::is_empty) {
        return Ok("<none>".to_owned());
    }
    let values: Vec<String> = found.iter().flatten().map(|value| escape(&go_value(value))).collect();
    Ok(values.join(","))
}
