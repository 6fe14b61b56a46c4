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
    /// Its id, if it is one that every store knows.
    known: Option<ResourceId>,
}

/// Amounts by resource: those of every store by id, all by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    known: [i64; N_KNOWN],
    by_name: Vec<(String, i64)>,
}

/// cpu, memory and ephemeral storage: the names of [`ResourceId::CPU`] and the two that follow.
const KNOWN: [&str; N_KNOWN] = ["cpu", "memory", "ephemeral-storage"];
const N_KNOWN: usize = 3;

impl Amounts {
    /// Amounts by name.
    pub fn new(by_name: Vec<(String, i64)>) -> Amounts {
        let amount = |name| by_name.iter().find(|(other, _)| other == name).map_or(0, |&(_, amount)| amount);
        Amounts { known: KNOWN.map(amount), by_name }
    }
}

impl ScoredResource {
    /// A resource with its weight.
    pub fn new(name: &str, weight: i64) -> ScoredResource {
        let known = KNOWN.iter().position(|other| *other == name).map(|idx| ResourceId(idx as u16));
        ScoredResource { name: name.to_owned(), weight, known }
    }

    /// What the pod requests of it.
    pub fn request(&self, requests: &Amounts) -> i64 {
        match self.known {
            Some(resource) => requests.known[usize::from(resource.0)],
            None => requests.by_name.iter().find(|(name, _)| *name == self.name).map_or(0, |&(_, amount)| amount),
        }
    }

    /// The resource, if it counts: nodes have it, and the pod requests it or it is not an extended one.
    pub fn resource(&self, cx: Cx<'_>, request: i64) -> Option<ResourceId> {
        if self.known.is_some() {
            return self.known;
        }
        let resource = cx.cluster.interner.find_resource(&self.name)?;
        (resource != ResourceId::PODS && (request != 0 || !is_scalar(resource))).then_some(resource)
    }
}

/// `resources` of the arguments; cpu and memory with weight 1 if there are none.
pub fn scored_resources(resources: &Value) -> Vec<ScoredResource> {
    let listed: Vec<ScoredResource> = (resources.as_array().into_iter().flatten())
        .map(|resource| {
            let weight = resource["weight"].as_i64().filter(|&weight| weight != 0).unwrap_or(1);
            ScoredResource::new(resource["name"].as_str().unwrap_or_default(), weight)
        })
        .collect();
    if !listed.is_empty() {
        return listed;
    }
    ["cpu", "memory"].map(|name| ScoredResource::new(name, 1)).to_vec()
}

/// Whether a resource is neither cpu, memory, ephemeral storage nor pods.
pub fn is_scalar(resource: ResourceId) -> bool {
    resource > ResourceId::PODS
}
