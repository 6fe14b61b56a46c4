//! One thing on which a golden case and our answer disagree.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// A golden expectation that our answer does not meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What the two disagree about: a node, a pod, a field of the result.
    pub subject: String,
    /// The scheduler plugin that is at fault, if it is one.
    pub plugin: Option<String>,
    /// What Kubernetes answered.
    pub expected: String,
    /// What we answered.
    pub got: String,
}

impl Difference {
    /// A difference that no plugin is to blame for.
    pub fn new(subject: impl Into<String>, expected: impl Into<String>, got: impl Into<String>) -> Difference {
        Difference { subject: subject.into(), plugin: None, expected: expected.into(), got: got.into() }
    }

    /// The same difference, with the plugin at fault.
    pub fn in_plugin(mut self, plugin: impl Into<String>) -> Difference {
        self.plugin = Some(plugin.into());
        self
    }
}

/// One line: `subject (plugin): expected .., got ..`.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subject)?;
        if let Some(plugin) = &self.plugin {
            write!(f, " ({plugin})")?;
        }
        write!(f, ": expected {}, got {}", self.expected, self.got)
    }
}

/// The members of `expected` that `got` has not, or has otherwise, and those that only `got` has. Absent and null are the same.
pub fn compare_members(expected: &Value, got: &Value) -> Vec<Difference> {
    let (Value::Object(expected), Value::Object(got)) = (expected, got) else {
        return if expected == got {
            Vec::new()
        } else {
            vec![Difference::new("", expected.to_string(), got.to_string())]
        };
    };
    let keys = expected.keys().chain(got.keys().filter(|key| !expected.contains_key(*key)));
    let mut differences = Vec::new();
    for key in keys {
        let (want, have) = (expected.get(key).unwrap_or(&Value::Null), got.get(key).unwrap_or(&Value::Null));
        match (want, have) {
            _ if want == have => {}
            (Value::Object(_), Value::Object(_)) => {
                differences.extend(compare_members(want, have).into_iter().map(|mut difference| {
                    difference.subject = format!("{key}.{}", difference.subject);
                    difference
                }));
            }
            _ => differences.push(Difference::new(key, want.to_string(), have.to_string())),
        }
    }
    differences
}
