//! The tables of custom resources: name, the columns that their definition adds, or the age.
//!
//! Source: apiextensions-apiserver `registry/customresource/tableconvertor`.

use serde_json::Value;

use super::Scene;
use crate::kubectl::age;
use crate::kubectl::jsonpath::JsonPath;
use crate::kubectl::look::{go_value, int, list, name, scalar, text};

/// A custom resource's table: headers (`+` for wide ones) and a row of cells per object.
pub(crate) fn custom_table(version: &Value, objects: &[&Value], scene: Scene) -> (Vec<String>, Vec<Vec<String>>) {
    let mut columns = vec!["NAME".to_owned()];
    let mut paths = Vec::new();
    for column in list(version, "additionalPrinterColumns") {
        let Ok(path) = JsonPath::parse(&format!("{{{}}}", text(column, "jsonPath"))) else { continue };
        let wide = if int(column, "priority") > 0 { "+" } else { "" };
        columns.push(format!("{wide}{}", text(column, "name").to_uppercase()));
        paths.push((path, text(column, "type") == "date"));
    }
    if paths.is_empty() {
        columns.push("AGE".to_owned());
        let rows = objects.iter().map(|object| vec![name(object).to_owned(), scene.age(object)]).collect();
        return (columns, rows);
    }
    let row = |object: &&Value| {
        let mut cells = vec![name(object).to_owned()];
        cells.extend(paths.iter().map(|(path, is_date)| cell(path, *is_date, object, scene)));
        cells
    };
    (columns, objects.iter().map(row).collect())
}

fn cell(path: &JsonPath, is_date: bool, object: &Value, scene: Scene) -> String {
    let found = path.find(object).unwrap_or_default();
    match found.first().and_then(|values| values.first()) {
        None => String::new(),
        Some(value) if is_date => match age::instant(value) {
            Some(_) => age::since(value, scene.now),
            None => "<invalid>".to_owned(),
        },
        Some(value) if value.is_array() || value.is_object() => go_value(value),
        Some(value) => scalar(value),
    }
}
