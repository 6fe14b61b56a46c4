//! What a pod takes from its node, in the units of [`ResourceId`].

use k8s_openapi::api::core::v1 as core;

use super::columns::PodResources;
use super::ids::ResourceId;
use super::intern::Interner;
use crate::api::quantity::{Format, Quantity};
use crate::api::resources::{is_huge_page, node_share};

/// What a pod adds to its node in the scheduler's cache (kube-scheduler, `PodInfo.CalculateResource`).
pub fn of_pod(pod: &core::Pod, interner: &mut Interner) -> PodResources {
    let share = node_share(pod);
    let mut requests = vec![
        (ResourceId::CPU, share.milli_cpu),
        (ResourceId::MEMORY, share.memory_bytes),
        (ResourceId::EPHEMERAL_STORAGE, share.ephemeral_storage_bytes),
    ];
    requests.extend(share.scalar.iter().map(|(name, &amount)| (interner.resource(name), amount)));
    requests.retain(|&(_, amount)| amount != 0);
    requests.sort_unstable();
    PodResources { requests, non_zero_cpu: share.non_zero_milli_cpu, non_zero_memory: share.non_zero_memory_bytes }
}

/// What a pod takes while a resize is in progress, where its status makes that differ from `spec`.
pub fn resized(
    manifest: &serde_json::Value,
    spec: &PodResources,
    interner: &mut Interner,
) -> Option<Box<PodResources>> {
    let statuses = ["containerStatuses", "initContainerStatuses", "resources", "allocatedResources"];
    if !statuses.iter().any(|key| manifest["status"].get(key).is_some()) {
        return None;
    }
    let pod: core::Pod = serde_json::from_value(manifest.clone()).ok()?;
    Some(of_pod(&pod, interner)).filter(|resources| resources != spec).map(Box::new)
}

/// An amount of a resource as a canonical quantity.
pub fn quantity_text(name: &str, resource: ResourceId, amount: i64) -> String {
    match resource {
        ResourceId::CPU => Quantity::from_milli(amount).to_string(),
        ResourceId::MEMORY | ResourceId::EPHEMERAL_STORAGE => {
            Quantity::from_value(amount, Format::BinarySI).to_string()
        }
        _ if is_huge_page(name) => Quantity::from_value(amount, Format::BinarySI).to_string(),
        _ => Quantity::from_value(amount, Format::DecimalSI).to_string(),
    }
}
