//! What the two plugins that score resources share: the resources with their weights, and which of them count for a pod.

use serde_json::Value;

use crate::scheduler::framework::prelude::*;

/// A resource that is scored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoredResource {
    /// Its name.
    pub name: String,
    /// Its weight.
    pub weight: i64,
}

impl ScoredResource {
    /// What the pod requests of it.
    pub fn request(&self, requests: &[(String, i64)]) -> i64 {
        requests.iter().find(|(name, _)| *name == self.name).map_or(0, |&(_, amount)| amount)
    }

    /// The resource, if it counts: nodes have it, and the pod requests it or it is not an extended one.
    pub fn resource(&self, cx: Cx<'_>, request: i64) -> Option<ResourceId> {
        let resource = cx.cluster.interner.find_resource(&self.name)?;
        (resource != ResourceId::PODS && (request != 0 || !is_scalar(resource))).then_some(resource)
    }
}

/// `resources` of the arguments; cpu and memory with weight 1 if there are none.
pub fn scored_resources(resources: &Value) -> Vec<ScoredResource> {
    let listed: Vec<ScoredResource> = (resources.as_array().into_iter().flatten())
        .map(|resource| ScoredResource {
            name: resource["name"].as_str().unwrap_or_default().to_owned(),
            weight: resource["weight"].as_i64().filter(|&weight| weight != 0).unwrap_or(1),
        })
        .collect();
    if !listed.is_empty() {
        return listed;
    }
    ["cpu", "memory"].map(|name| ScoredResource { name: name.to_owned(), weight: 1 }).to_vec()
}

/// Whether a resource is neither cpu, memory, ephemeral storage nor pods.
pub fn is_scalar(resource: ResourceId) -> bool {
    resource > ResourceId::PODS
}
