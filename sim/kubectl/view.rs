//! What kubectl looks at: the objects of a cluster at one instant.

use serde_json::Value;

use super::look::{name, namespace, text};

/// The objects of a cluster at one instant, as the API shows them.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// All objects, of all kinds, in any order.
    pub objects: &'a [Value],
    /// Now, in microseconds since 1970; ages are relative to it.
    pub now: i64,
    /// The namespace that commands without `-n` mean.
    pub namespace: &'a str,
}

/// What a command printed and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The text on standard output.
    pub stdout: String,
    /// The text on standard error.
    pub stderr: String,
    /// The exit code.
    pub exit: i32,
}

impl Output {
    /// A success that printed `stdout`.
    pub fn success(stdout: impl Into<String>) -> Output {
        Output { stdout: stdout.into(), ..Output::default() }
    }

    /// A failure with a line on standard error.
    pub fn failure(stderr: impl Into<String>) -> Output {
        let mut stderr = stderr.into();
        if !stderr.ends_with('\n') {
            stderr.push('\n');
        }
        Output { stderr, exit: 1, ..Output::default() }
    }
}

impl<'a> View<'a> {
    /// The objects of a kind of a group in the order of the store: by namespace and name.
    pub(crate) fn of(&self, kind: &str, group: &str) -> Vec<&'a Value> {
        let mut found: Vec<&Value> = self
            .objects
            .iter()
            .filter(|object| text(object, "kind") == kind && group_of(text(object, "apiVersion")) == group)
            .collect();
        found.sort_by_cached_key(|object| format!("{}/{}", namespace(object), name(object)));
        found
    }

    /// The objects of a kind in a namespace.
    pub(crate) fn in_namespace(&self, kind: &str, group: &str, wanted: &str) -> Vec<&'a Value> {
        let mut found = self.of(kind, group);
        found.retain(|object| namespace(object) == wanted);
        found
    }

    /// One object by kind, namespace and name.
    pub(crate) fn find(&self, kind: &str, group: &str, wanted: &str, called: &str) -> Option<&'a Value> {
        self.objects.iter().find(|object| {
            name(object) == called
                && text(object, "kind") == kind
                && namespace(object) == wanted
                && group_of(text(object, "apiVersion")) == group
        })
    }
}

/// The group of an `apiVersion`: empty for the core group.
pub(crate) fn group_of(api_version: &str) -> &str {
    api_version.rsplit_once('/').map_or("", |(group, _)| group)
}
