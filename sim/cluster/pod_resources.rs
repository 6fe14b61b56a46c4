//! What a pod takes from its node, in the units of [`ResourceId`].

use k8s_openapi::api::core::v1 as core;

use super::columns::PodResources;
use super::ids::ResourceId;
use super::intern::Interner;

/// The resources of a pod with this spec.
pub fn of_spec(spec: &core::PodSpec, interner: &mut Interner) -> PodResources {
    let _ = (spec, interner);
    PodResources::default()
}

/// What a pod takes while a resize is in progress, if its status says so.
pub fn resized(pod: &serde_json::Value, interner: &mut Interner) -> Option<Box<PodResources>> {
    let _ = (pod, interner);
    None
}

/// An amount of a resource as a canonical quantity.
pub fn quantity_text(resource: ResourceId, amount: i64) -> String {
    match resource {
        ResourceId::CPU => crate::api::quantity::Quantity::from_milli(amount).to_string(),
        _ => amount.to_string(),
    }
}
