//! The quality of service class of a pod: how soon it is evicted when its node runs short (`ComputePodQOS`, v1.36).

use std::fmt;

use k8s_openapi::api::core::v1 as k8s;

use super::resources::{ResourceList, add_list, to_list};

/// The quality of service class, the first evicted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QosClass {
    /// Nothing is requested or limited.
    BestEffort,
    /// Something is.
    Burstable,
    /// Every container has limits of CPU and memory, and they are its requests.
    Guaranteed,
}

impl QosClass {
    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            QosClass::BestEffort => "BestEffort",
            QosClass::Burstable => "Burstable",
            QosClass::Guaranteed => "Guaranteed",
        }
    }
}

impl fmt::Display for QosClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The class of a pod: by its pod-level resources if it has any, else by those of all its containers.
pub fn qos_class(pod: &k8s::Pod) -> QosClass {
    let Some(spec) = &pod.spec else { return QosClass::BestEffort };
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let (mut requests, mut limits) = (ResourceList::new(), ResourceList::new());
    let mut all_limited = true;
    let mut count = |resources: Option<&k8s::ResourceRequirements>| {
        let own_limits =
            counted(resources.and_then(|resources| resources.limits.as_ref()).map(|list| to_list(Some(list))));
        all_limited &= own_limits.len() == 2;
        add_list(&mut limits, &own_limits);
        add_list(&mut requests, &counted(resources.and_then(|r| r.requests.as_ref()).map(|list| to_list(Some(list)))));
    };
    match &spec.resources {
        Some(resources) => count(Some(resources)),
        None => containers.for_each(|container| count(container.resources.as_ref())),
    }
    if requests.is_empty() && limits.is_empty() {
        QosClass::BestEffort
    } else if all_limited && requests == limits {
        QosClass::Guaranteed
    } else {
        QosClass::Burstable
    }
}

/// Only CPU and memory count, and only above zero.
fn counted(list: Option<ResourceList>) -> ResourceList {
    let mut list = list.unwrap_or_default();
    list.retain(|name, quantity| matches!(name.as_str(), "cpu" | "memory") && quantity.sign() > 0);
    list
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn classes() {
        let full = json!({ "cpu": "1", "memory": "1Gi" });
        for (spec, class, why) in [
            (json!({ "containers": [{ "name": "c" }] }), QosClass::BestEffort, "nothing asked for"),
            (
                json!({ "containers": [{ "name": "c", "resources": { "requests": { "cpu": "0" } } }] }),
                QosClass::BestEffort,
                "nothing is zero",
            ),
            (
                json!({ "containers": [{ "name": "c", "resources": { "requests": { "example.com/gpu": "1" } } }] }),
                QosClass::BestEffort,
                "other resources do not count",
            ),
            (
                json!({ "containers": [{ "name": "c", "resources": { "requests": full, "limits": full } }] }),
                QosClass::Guaranteed,
                "limits are requests",
            ),
            (
                json!({ "containers": [
                    { "name": "c", "resources": { "requests": full, "limits": full } },
                    { "name": "d" },
                ] }),
                QosClass::Burstable,
                "a container without limits",
            ),
            (
                json!({ "containers": [{ "name": "c" }], "resources": { "requests": full, "limits": full } }),
                QosClass::Guaranteed,
                "pod-level resources alone decide",
            ),
        ] {
            let pod: k8s::Pod = serde_json::from_value(json!({ "spec": spec })).expect(why);
            assert_eq!(qos_class(&pod), class, "{why}");
        }
    }
}
