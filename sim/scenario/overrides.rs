//! `--set spec.path=value`: changes of the scenario document from the command line.

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Sets one value in a document: `spec.cluster.nodePools[0].count=5`. The value is read as YAML would read it: number, boolean or
/// text.
///
/// # Errors
///
/// If the text is not `path=value`, or the path goes through something that is neither a map nor a list.
pub fn set(document: &mut Value, assignment: &str) -> Result<()> {
    let (path, text) = assignment.split_once('=').filter(|(path, _)| !path.trim().is_empty()).ok_or_else(|| {
        Error::new(format!("`--set {assignment}` is not of the form path=value"))
            .help("for example `--set spec.horizon=20m` or `--set spec.cluster.nodePools[0].count=5`")
    })?;
    let mut target = document;
    for step in steps(path) {
        target = match step {
            Step::Key(key) => {
                if target.is_null() {
                    *target = Value::Object(Map::new());
                }
                let fields = target.as_object_mut().ok_or_else(|| wrong(assignment, &key, "is not inside a map"))?;
                fields.entry(key).or_insert(Value::Null)
            }
            Step::Index(index) => {
                let name = format!("[{index}]");
                let list = target.as_array_mut().ok_or_else(|| wrong(assignment, &name, "is not inside a list"))?;
                list.get_mut(index).ok_or_else(|| wrong(assignment, &name, "is beyond the end of the list"))?
            }
        };
    }
    *target = scalar(text);
    Ok(())
}

enum Step {
    Key(String),
    Index(usize),
}

fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in path.trim().split('.') {
        let (key, indexes) = part.split_once('[').map_or((part, ""), |(key, rest)| (key, rest));
        if !key.is_empty() {
            steps.push(Step::Key(key.to_owned()));
        }
        for index in indexes.split('[').filter(|index| !index.is_empty()) {
            match index.trim_end_matches(']').parse() {
                Ok(index) => steps.push(Step::Index(index)),
                Err(_) => steps.push(Step::Key(index.trim_end_matches(']').to_owned())),
            }
        }
    }
    steps
}

fn scalar(text: &str) -> Value {
    match text {
        "" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => serde_json::from_str::<Value>(text).unwrap_or_else(|_| Value::String(text.to_owned())),
    }
}

fn wrong(assignment: &str, part: &str, why: &str) -> Error {
    Error::new(format!("`--set {assignment}`: `{part}` {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_reach_into_maps_and_lists() {
        let mut document = json!({"spec": {"cluster": {"nodePools": [{"count": 1}]}}});
        set(&mut document, "spec.cluster.nodePools[0].count=5").expect("the path exists");
        set(&mut document, "spec.horizon=20m").expect("a new key is made");
        assert_eq!(document, json!({"spec": {"cluster": {"nodePools": [{"count": 5}]}, "horizon": "20m"}}));
        assert!(set(&mut document, "spec.horizon").is_err());
        assert!(set(&mut document, "spec.cluster.nodePools[7].count=5").is_err());
        assert!(set(&mut document, "spec.horizon.x=1").is_err());
    }
}
