//! What admission sees of the cluster.

use serde_json::{Value, json};

/// Whether objects may be created in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamespaceState {
    /// In use.
    Active,
    /// Being deleted.
    Terminating,
    /// There is none of that name.
    Missing,
}

/// What admission looks up in the cluster. What is not answered is not there.
pub trait Lookup {
    /// Whether objects may be created in a namespace.
    fn namespace(&self, _: &str) -> NamespaceState {
        NamespaceState::Active
    }
    /// A Namespace.
    fn namespace_object(&self, _: &str) -> Option<Value> {
        None
    }
    /// A ServiceAccount.
    fn service_account(&self, namespace: &str, name: &str) -> Option<Value>;
    /// A PriorityClass.
    fn priority_class(&self, name: &str) -> Option<Value>;
    /// The PriorityClass with `globalDefault`, the lowest if there are several.
    fn default_priority_class(&self) -> Option<Value>;
    /// A RuntimeClass.
    fn runtime_class(&self, name: &str) -> Option<Value>;
    /// The LimitRanges of a namespace in order of name, defaulted.
    fn limit_ranges(&self, _: &str) -> Vec<Value> {
        Vec::new()
    }
    /// All objects of a cluster-scoped kind in order of name: StorageClasses, IngressClasses, admission policies and their bindings.
    fn all_of(&self, _kind: &'static str) -> Vec<Value> {
        Vec::new()
    }
    /// Whether claims of a StorageClass may grow: what does not exist does not allow it.
    fn allows_expansion(&self, class: &str) -> bool {
        let mut classes = self.all_of("StorageClass").into_iter();
        classes.any(|own| own["metadata"]["name"] == class && own["allowVolumeExpansion"] == true)
    }
    /// The pods of a namespace, in any order.
    fn pods(&self, _namespace: &str) -> Vec<Value> {
        Vec::new()
    }
    /// The labels of a node.
    fn node_labels(&self, _: &str) -> Option<Value> {
        None
    }
    /// Objects of any kind: the parameters of a policy. The namespace is empty for cluster-scoped kinds.
    fn objects(&self, _api_version: &str, _kind: &str, _namespace: &str) -> Vec<Value> {
        Vec::new()
    }
}

/// An empty cluster: every namespace has its `default` ServiceAccount, and there are the two system priority classes.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl Lookup for Nothing {
    fn service_account(&self, _: &str, name: &str) -> Option<Value> {
        (name == "default").then(|| json!({}))
    }

    fn priority_class(&self, name: &str) -> Option<Value> {
        system_priority_class(name)
    }

    fn default_priority_class(&self) -> Option<Value> {
        None
    }

    fn runtime_class(&self, _: &str) -> Option<Value> {
        None
    }

    /// Nothing is known of classes, so nothing speaks against it.
    fn allows_expansion(&self, _: &str) -> bool {
        true
    }
}

/// The classes that every API server has (scheduling, `SystemPriorityClasses`).
pub fn system_priority_class(name: &str) -> Option<Value> {
    let value = match name {
        "system-cluster-critical" => 2_000_000_000,
        "system-node-critical" => 2_000_001_000,
        _ => return None,
    };
    Some(json!({ "metadata": { "name": name }, "value": value, "preemptionPolicy": "PreemptLowerPriority" }))
}
