//! What a pod takes from its node, in the units of [`ResourceId`].

use k8s_openapi::api::core::v1 as core;

use super::columns::PodResources;
use super::ids::ResourceId;
use super::intern::Interner;
use crate::api::quantity::{Format, Quantity};
use crate::api::resources::{is_huge_page, node_share, to_list};

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

/// What a pod takes while a resize is in progress: per container the most of what is wanted, granted and in effect; what is wanted
/// does not count if it is infeasible.
pub fn during_resize(
    [wanted, allocated, actual]: [&core::PodSpec; 3],
    infeasible: bool,
    interner: &mut Interner,
) -> PodResources {
    let requests = |resources: &Option<core::ResourceRequirements>| resources.as_ref().and_then(|r| r.requests.clone());
    let statuses = |granted: &[core::Container], in_effect: &[core::Container]| {
        let both = granted.iter().zip(in_effect);
        let both = both.map(|(granted, in_effect)| core::ContainerStatus {
            name: granted.name.clone(),
            allocated_resources: requests(&granted.resources),
            resources: Some(in_effect.resources.clone().unwrap_or_default()),
            ..core::ContainerStatus::default()
        });
        Some(both.collect())
    };
    // What the kubelet reports of the pod as a whole includes the overhead.
    let overhead = to_list(wanted.overhead.as_ref());
    let whole = |resources: &Option<core::ResourceRequirements>| {
        let mut requests = requests(resources)?;
        for (name, amount) in &mut requests {
            if let Some(overhead) = overhead.get(name) {
                let mut gross: Quantity = amount.0.trim().parse().unwrap_or_default();
                gross.add(overhead);
                amount.0 = gross.to_string();
            }
        }
        Some(requests)
    };
    let init = |spec: &core::PodSpec| spec.init_containers.clone().unwrap_or_default();
    let refused = core::PodCondition {
        type_: "PodResizePending".to_owned(),
        status: "True".to_owned(),
        reason: Some("Infeasible".to_owned()),
        ..core::PodCondition::default()
    };
    let status = core::PodStatus {
        container_statuses: statuses(&allocated.containers, &actual.containers),
        init_container_statuses: statuses(&init(allocated), &init(actual)),
        allocated_resources: whole(&allocated.resources),
        resources: Some(core::ResourceRequirements {
            requests: whole(&actual.resources),
            ..core::ResourceRequirements::default()
        }),
        conditions: infeasible.then(|| vec![refused]),
        ..core::PodStatus::default()
    };
    of_pod(&core::Pod { spec: Some(wanted.clone()), status: Some(status), ..core::Pod::default() }, interner)
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
