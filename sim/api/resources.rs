//! What a pod asks for: requests and limits (`component-helpers/resource`, v1.36) and what it adds to its node in the
//! scheduler's cache.
//!
//! The sum of the containers and sidecars, or what the init containers need one after another if that is more; then
//! pod-level resources in place of the sums; then the overhead of the runtime class.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as k8s;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;

use super::quantity::{Format, Quantity};

/// Amounts by resource name.
pub type ResourceList = BTreeMap<String, Quantity>;

/// kube-scheduler `DefaultMilliCPURequest`: what scoring takes a container to use that names no CPU.
pub const DEFAULT_MILLI_CPU_REQUEST: i64 = 100;
/// kube-scheduler `DefaultMemoryRequest`: what scoring takes a container to use that names no memory, in bytes.
pub const DEFAULT_MEMORY_REQUEST: i64 = 200 * 1024 * 1024;

/// What counts towards the requests or limits of a pod.
#[derive(Clone, Debug, Default)]
pub struct PodResourcesOptions {
    /// Whether resources that the kubelet reports (in-place resize) count besides those of the spec.
    pub source: ResourceSource,
    /// Whether pod-level resources replace the sums.
    pub pod_level: PodLevel,
    /// Whether the overhead of the runtime class is added.
    pub overhead: Overhead,
    /// What a container is taken to request of resources that it does not name.
    pub missing_requests: ResourceList,
}

/// Where resources are read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResourceSource {
    /// The spec alone.
    #[default]
    Spec,
    /// The most of what is wanted, granted and in effect.
    SpecAndStatus,
}

/// Whether pod-level resources count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PodLevel {
    /// They replace the sums of the containers.
    #[default]
    Included,
    /// They do not count.
    Skipped,
}

/// Whether the overhead of the runtime class counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overhead {
    /// It is added.
    #[default]
    Included,
    /// It does not count.
    Excluded,
}

/// What one pod adds to its node in the scheduler's cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeShare {
    /// CPU in thousandths of a core.
    pub milli_cpu: i64,
    /// Memory in bytes.
    pub memory_bytes: i64,
    /// Local storage in bytes.
    pub ephemeral_storage_bytes: i64,
    /// Extended resources, huge pages and attachable volumes, in units.
    pub scalar: BTreeMap<String, i64>,
    /// CPU for scoring, with [`DEFAULT_MILLI_CPU_REQUEST`] where none is named.
    pub non_zero_milli_cpu: i64,
    /// Memory for scoring, with [`DEFAULT_MEMORY_REQUEST`] where none is named.
    pub non_zero_memory_bytes: i64,
}

/// The requests of a pod (`PodRequests`).
pub fn pod_requests(pod: &k8s::Pod, options: &PodResourcesOptions) -> ResourceList {
    let mut requests = aggregate_container_requests(pod, options);
    if options.pod_level == PodLevel::Included && pod_level_requests_set(pod) {
        let spec = pod_level_resources(pod).and_then(|resources| resources.requests.as_ref());
        let status = pod.status.as_ref();
        let reported = [
            status.and_then(|status| status.resources.as_ref()?.requests.as_ref()),
            status.and_then(|status| status.allocated_resources.as_ref()),
        ];
        requests.extend(effective_pod_level(pod, options, spec, &reported));
    }
    if options.overhead == Overhead::Included {
        add_list(&mut requests, &overhead(pod));
    }
    requests
}

/// The limits of a pod (`PodLimits`). The overhead is added to limits that are there.
pub fn pod_limits(pod: &k8s::Pod, options: &PodResourcesOptions) -> ResourceList {
    let mut limits = aggregate_container_limits(pod, options);
    if options.pod_level == PodLevel::Included && pod_level_set(pod) {
        let spec = pod_level_resources(pod).and_then(|resources| resources.limits.as_ref());
        let status = pod.status.as_ref();
        let reported = [status.and_then(|status| status.resources.as_ref()?.limits.as_ref())];
        limits.extend(effective_pod_level(pod, options, spec, &reported));
    }
    if options.overhead == Overhead::Included {
        for (name, quantity) in overhead(pod) {
            if let Some(limit) = limits.get_mut(&name).filter(|limit| !limit.is_zero()) {
                limit.add(&quantity);
            }
        }
    }
    limits
}

/// The requests of the containers alone (`AggregateContainerRequests`).
pub fn aggregate_container_requests(pod: &k8s::Pod, options: &PodResourcesOptions) -> ResourceList {
    aggregate(pod, &options.missing_requests, |container| {
        let wanted = to_list(container.resources.as_ref().and_then(|resources| resources.requests.as_ref()));
        let Some((status, in_effect)) = reported(pod, container, options) else { return wanted };
        let mut most = if is_resize_infeasible(pod) { ResourceList::new() } else { wanted };
        max_list(&mut most, &to_list(in_effect.requests.as_ref()));
        max_list(&mut most, &to_list(status.allocated_resources.as_ref()));
        most
    })
}

/// The limits of the containers alone (`AggregateContainerLimits`).
pub fn aggregate_container_limits(pod: &k8s::Pod, options: &PodResourcesOptions) -> ResourceList {
    aggregate(pod, &ResourceList::new(), |container| {
        let wanted = to_list(container.resources.as_ref().and_then(|resources| resources.limits.as_ref()));
        let Some((_, in_effect)) = reported(pod, container, options) else { return wanted };
        let mut most = if is_resize_infeasible(pod) { ResourceList::new() } else { wanted };
        max_list(&mut most, &to_list(in_effect.limits.as_ref()));
        most
    })
}

/// What the pod adds to its node in the scheduler's cache (`PodInfo.CalculateResource`).
pub fn node_share(pod: &k8s::Pod) -> NodeShare {
    let mut options = PodResourcesOptions { source: ResourceSource::SpecAndStatus, ..PodResourcesOptions::default() };
    let requests = pod_requests(pod, &options);
    // With pod-level requests the fallback counts only for what neither level names.
    let fallback = |name: &str| !pod_level_requests_set(pod) || !requests.contains_key(name);
    if fallback("cpu") {
        options.missing_requests.insert("cpu".to_owned(), Quantity::from_milli(DEFAULT_MILLI_CPU_REQUEST));
    }
    if fallback("memory") {
        let memory = Quantity::from_value(DEFAULT_MEMORY_REQUEST, Format::DecimalSI);
        options.missing_requests.insert("memory".to_owned(), memory);
    }
    let scoring = if options.missing_requests.is_empty() { requests.clone() } else { pod_requests(pod, &options) };
    let mut share = NodeShare {
        non_zero_milli_cpu: scoring.get("cpu").map_or(0, Quantity::milli_value),
        non_zero_memory_bytes: scoring.get("memory").map_or(0, Quantity::value),
        ..NodeShare::default()
    };
    for (name, quantity) in &requests {
        match name.as_str() {
            "cpu" => share.milli_cpu = quantity.milli_value(),
            "memory" => share.memory_bytes = quantity.value(),
            "ephemeral-storage" => share.ephemeral_storage_bytes = quantity.value(),
            _ if is_scalar_resource(name) => {
                share.scalar.insert(name.clone(), quantity.value());
            }
            _ => {}
        }
    }
    share
}

/// The amounts of a list in the scheduler's units: CPU in thousandths, all else in units, rounded up.
pub fn scheduler_units(list: &ResourceList) -> BTreeMap<String, i64> {
    let amount =
        |name: &str, quantity: &Quantity| if name == "cpu" { quantity.milli_value() } else { quantity.value() };
    list.iter().map(|(name, quantity)| (name.clone(), amount(name, quantity))).collect()
}

/// The list of an API object. A text that is not a quantity, which the API refuses, counts nothing.
pub fn to_list(list: Option<&BTreeMap<String, ApiQuantity>>) -> ResourceList {
    let parse = |quantity: &ApiQuantity| quantity.0.trim().parse().unwrap_or_default();
    list.into_iter().flatten().map(|(name, quantity)| (name.clone(), parse(quantity))).collect()
}

/// Adds each amount of `more` to that of `list`.
pub fn add_list(list: &mut ResourceList, more: &ResourceList) {
    for (name, quantity) in more {
        match list.get_mut(name) {
            Some(sum) => sum.add(quantity),
            None => {
                list.insert(name.clone(), quantity.clone());
            }
        }
    }
}

/// Raises each amount of `list` to that of `other`.
pub fn max_list(list: &mut ResourceList, other: &ResourceList) {
    for (name, quantity) in other {
        if list.get(name).is_none_or(|own| quantity > own) {
            list.insert(name.clone(), quantity.clone());
        }
    }
}

/// Whether a resource can be set for a whole pod.
pub fn is_pod_level_resource(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || is_huge_page(name)
}

/// Whether the name is that of huge pages of some size.
pub fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// Whether the scheduler counts a resource by its name: extended resources, huge pages, attachable volumes, and those of
/// Kubernetes' own domain (`IsScalarResourceName`).
pub fn is_scalar_resource(name: &str) -> bool {
    let native_prefix = name.contains("kubernetes.io/");
    is_extended_resource(name) || is_huge_page(name) || native_prefix || name.starts_with("attachable-volumes-")
}

/// Whether the name is a vendor's: `example.com/gpu` (`IsExtendedResourceName`).
pub fn is_extended_resource(name: &str) -> bool {
    let native = !name.contains('/') || name.contains("kubernetes.io/");
    // Quota for it must be possible under a name that is a label key.
    let quota_name = format!("requests.{name}");
    !native && !name.starts_with("requests.") && super::label_syntax::label_key_errors(&quota_name).is_empty()
}

/// Whether a pod-level request or limit is set.
pub fn pod_level_set(pod: &k8s::Pod) -> bool {
    let resources = pod_level_resources(pod);
    let lists = [resources.and_then(|r| r.requests.as_ref()), resources.and_then(|r| r.limits.as_ref())];
    lists.into_iter().flatten().flat_map(BTreeMap::keys).any(|name| is_pod_level_resource(name))
}

/// Whether a pod-level request is set.
pub fn pod_level_requests_set(pod: &k8s::Pod) -> bool {
    let requests = pod_level_resources(pod).and_then(|resources| resources.requests.as_ref());
    requests.into_iter().flat_map(BTreeMap::keys).any(|name| is_pod_level_resource(name))
}

/// Whether the node has refused a resize for good: then only what is granted and in effect counts.
pub fn is_resize_infeasible(pod: &k8s::Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let pending = conditions.into_iter().find(|condition| condition.type_ == "PodResizePending");
    pending.is_some_and(|condition| condition.reason.as_deref() == Some("Infeasible"))
}

/// Whether an init container is a sidecar: it keeps running beside the containers.
pub fn is_restartable_init_container(container: &k8s::Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// What a pod needs at most at one time, given what each container needs.
fn aggregate(pod: &k8s::Pod, missing: &ResourceList, needs: impl Fn(&k8s::Container) -> ResourceList) -> ResourceList {
    let needs = |container: &k8s::Container| {
        let mut list = needs(container);
        for (name, quantity) in missing {
            list.entry(name.clone()).or_insert_with(|| quantity.clone());
        }
        list
    };
    let mut result = ResourceList::new();
    let Some(spec) = &pod.spec else { return result };
    for container in &spec.containers {
        add_list(&mut result, &needs(container));
    }
    let mut sidecars = ResourceList::new();
    let mut start_up = ResourceList::new();
    for container in spec.init_containers.iter().flatten() {
        let own = needs(container);
        if is_restartable_init_container(container) {
            add_list(&mut result, &own);
            add_list(&mut sidecars, &own);
            max_list(&mut start_up, &sidecars);
        } else {
            // An init container runs beside the sidecars that were started before it.
            let mut together = own;
            add_list(&mut together, &sidecars);
            max_list(&mut start_up, &together);
        }
    }
    max_list(&mut result, &start_up);
    result
}

/// The pod-level amounts that count: those of the spec, raised to what the kubelet reports.
fn effective_pod_level(
    pod: &k8s::Pod,
    options: &PodResourcesOptions,
    spec: Option<&BTreeMap<String, ApiQuantity>>,
    reported: &[Option<&BTreeMap<String, ApiQuantity>>],
) -> ResourceList {
    let mut effective = to_list(spec);
    if options.source == ResourceSource::SpecAndStatus && reported.iter().any(Option::is_some) {
        if is_resize_infeasible(pod) {
            effective.clear();
        }
        for list in reported {
            // The kubelet reports the overhead too.
            let mut list = to_list(*list);
            for (name, quantity) in overhead(pod) {
                if let Some(amount) = list.get_mut(&name) {
                    amount.sub(&quantity);
                    if amount.sign() < 0 {
                        *amount = Quantity::from_value(0, amount.format());
                    }
                }
            }
            max_list(&mut effective, &list);
        }
    }
    effective.retain(|name, _| is_pod_level_resource(name));
    effective
}

fn pod_level_resources(pod: &k8s::Pod) -> Option<&k8s::ResourceRequirements> {
    pod.spec.as_ref()?.resources.as_ref()
}

fn overhead(pod: &k8s::Pod) -> ResourceList {
    to_list(pod.spec.as_ref().and_then(|spec| spec.overhead.as_ref()))
}

/// The status of a container and the resources in effect, if they count and the kubelet has reported them.
fn reported<'a>(
    pod: &'a k8s::Pod,
    container: &k8s::Container,
    options: &PodResourcesOptions,
) -> Option<(&'a k8s::ContainerStatus, &'a k8s::ResourceRequirements)> {
    if options.source == ResourceSource::Spec {
        return None;
    }
    let status = pod.status.as_ref()?;
    let statuses = status.container_statuses.iter().flatten().chain(status.init_container_statuses.iter().flatten());
    let status = statuses.into_iter().find(|status| status.name == container.name)?;
    Some((status, status.resources.as_ref()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(spec: serde_json::Value, status: serde_json::Value) -> k8s::Pod {
        serde_json::from_value(json!({ "spec": spec, "status": status })).expect("a pod")
    }

    fn cpu(name: &str, cpu: &str) -> serde_json::Value {
        json!({ "name": name, "image": "i", "resources": { "requests": { "cpu": cpu } } })
    }

    #[test]
    fn requests_of_a_pod() {
        let sidecar = json!({ "name": "s", "restartPolicy": "Always", "resources": { "requests": { "cpu": "1" } } });
        for (spec, milli_cpu, why) in [
            (json!({ "containers": [cpu("a", "1"), cpu("b", "500m")] }), 1_500, "containers run together"),
            (
                json!({ "containers": [cpu("a", "1")], "initContainers": [cpu("i", "3"), cpu("j", "2")] }),
                3_000,
                "init containers run one after another, before the others",
            ),
            (
                json!({ "containers": [cpu("a", "1")], "initContainers": [sidecar, cpu("i", "3")] }),
                4_000,
                "an init container runs beside the sidecars before it",
            ),
            (
                json!({ "containers": [cpu("a", "5")], "initContainers": [cpu("i", "3"), sidecar] }),
                6_000,
                "sidecars keep running",
            ),
            (
                json!({ "containers": [cpu("a", "5")], "resources": { "requests": { "cpu": "2" } } }),
                2_000,
                "pod-level requests replace the sum",
            ),
            (json!({ "containers": [cpu("a", "1")], "overhead": { "cpu": "250m" } }), 1_250, "overhead is added"),
        ] {
            let requests = pod_requests(&pod(spec, json!({})), &PodResourcesOptions::default());
            assert_eq!(scheduler_units(&requests)["cpu"], milli_cpu, "{why}");
        }
    }

    #[test]
    fn a_resize_counts_at_its_most() {
        let status = |condition: serde_json::Value| {
            json!({ "conditions": [condition], "containerStatuses": [{
                "name": "a", "image": "", "imageID": "", "ready": true, "restartCount": 0,
                "allocatedResources": { "cpu": "2" }, "resources": { "requests": { "cpu": "1" } },
            }] })
        };
        for (condition, milli_cpu, why) in [
            (json!({ "type": "Ready", "status": "True" }), 5_000, "what is wanted is more than what is granted"),
            (json!({ "type": "PodResizePending", "status": "True", "reason": "Deferred" }), 5_000, "still wanted"),
            (json!({ "type": "PodResizePending", "status": "True", "reason": "Infeasible" }), 2_000, "refused"),
        ] {
            let pod = pod(json!({ "containers": [cpu("a", "5")] }), status(condition));
            assert_eq!(node_share(&pod).milli_cpu, milli_cpu, "{why}");
        }
    }

    #[test]
    fn scoring_fills_in_what_is_missing() {
        let pod = pod(json!({ "containers": [cpu("a", "0"), { "name": "b" }] }), json!({}));
        let share = node_share(&pod);
        assert_eq!(share.milli_cpu, 0);
        assert_eq!(share.non_zero_milli_cpu, 100, "an explicit zero stays zero");
        assert_eq!(share.non_zero_memory_bytes, 2 * DEFAULT_MEMORY_REQUEST);
    }

    #[test]
    fn resource_names() {
        for (name, scalar, why) in [
            ("example.com/gpu", true, "extended"),
            ("hugepages-2Mi", true, "huge pages"),
            ("attachable-volumes-csi-x", true, "volumes"),
            ("kubernetes.io/x", true, "Kubernetes' own domain"),
            ("storage", false, "native without prefix"),
            ("requests.example.com/gpu", false, "a quota, not a resource"),
        ] {
            assert_eq!(is_scalar_resource(name), scalar, "{name}: {why}");
        }
    }
}
