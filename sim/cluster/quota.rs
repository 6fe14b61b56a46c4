//! What objects use of ResourceQuotas, and whether a new one still fits (apiserver, `resourcequota` and the quota evaluators).

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1 as core;
use serde_json::Value;

use super::ids::{ObjId, PodId, SpecId, Sym};
use super::objects::{Kind, QuotaScope, ResourceQuota};
use super::pod_spec::PodSpec;
use super::store::Cluster;
use crate::api::kinds::KindInfo;
use crate::api::qos::QosClass;
use crate::api::quantity::{Format, Quantity};
use crate::api::resources::{
    PodResourcesOptions, ResourceList, add_list, is_extended_resource, pod_limits, pod_requests, to_list,
};
use crate::engine::Span;

/// What a quota may ask every container to say.
const COMPUTE: [&str; 8] = [
    "cpu",
    "memory",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
];

fn one() -> Quantity {
    Quantity::from_value(1, Format::DecimalSI)
}

/// What requests and limits count as (`podComputeUsageHelper`).
fn compute_usage(requests: &ResourceList, limits: &ResourceList) -> ResourceList {
    let mut out = ResourceList::new();
    for (name, amount) in requests {
        let plain = matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
        if plain {
            out.insert(name.clone(), amount.clone());
        }
        if plain || is_extended_resource(name) {
            out.insert(format!("requests.{name}"), amount.clone());
        }
    }
    for (name, amount) in limits {
        if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
            out.insert(format!("limits.{name}"), amount.clone());
        }
    }
    out
}

/// What a pod with this spec uses while it has not ended.
pub fn pod_usage(spec: &PodSpec) -> ResourceList {
    let pod = core::Pod { spec: Some(spec.typed.clone()), ..core::Pod::default() };
    let options = PodResourcesOptions::default();
    let mut usage = compute_usage(&pod_requests(&pod, &options), &pod_limits(&pod, &options));
    usage.insert("pods".to_owned(), one());
    usage.insert("count/pods".to_owned(), one());
    usage
}

/// What an object of another kind uses.
pub fn object_usage(info: &KindInfo, manifest: &Value) -> ResourceList {
    let mut usage = ResourceList::new();
    usage.insert(format!("count/{}", info.resource()), one());
    let spec = &manifest["spec"];
    match info.kind {
        "ConfigMap" | "Secret" | "ReplicationController" | "ResourceQuota" => {
            usage.insert(info.plural.to_owned(), one());
        }
        "Service" => {
            usage.insert("services".to_owned(), one());
            let n_ports = spec["ports"].as_array().map_or(0, Vec::len);
            let ports = Quantity::from_value(n_ports as i64, Format::DecimalSI);
            let kind = spec["type"].as_str().unwrap_or_default();
            if kind == "LoadBalancer" {
                usage.insert("services.loadbalancers".to_owned(), one());
            }
            if kind == "NodePort" || kind == "LoadBalancer" && spec["allocateLoadBalancerNodePorts"] != false {
                usage.insert("services.nodeports".to_owned(), ports);
            }
        }
        "PersistentVolumeClaim" => {
            usage.insert("persistentvolumeclaims".to_owned(), one());
            let storage = serde_json::from_value::<Quantity>(spec["resources"]["requests"]["storage"].clone()).ok();
            if let Some(class) = spec["storageClassName"].as_str() {
                let prefix = format!("{class}.storageclass.storage.k8s.io");
                usage.insert(format!("{prefix}/persistentvolumeclaims"), one());
                usage.extend(storage.clone().map(|amount| (format!("{prefix}/requests.storage"), amount)));
            }
            usage.extend(storage.map(|amount| ("requests.storage".to_owned(), amount)));
        }
        _ => {}
    }
    usage
}

/// Whether a pod fits all scopes of a quota.
pub fn pod_fits(scopes: &[QuotaScope], spec: &PodSpec) -> bool {
    let ends = spec.typed.active_deadline_seconds.is_some_and(|seconds| seconds >= 0);
    let best_effort = spec.qos == QosClass::BestEffort;
    scopes.iter().all(|scope| match scope.name.as_str() {
        "Terminating" => ends,
        "NotTerminating" => !ends,
        "BestEffort" => best_effort,
        "NotBestEffort" => !best_effort,
        "PriorityClass" => {
            let class = spec.typed.priority_class_name.as_deref().unwrap_or_default();
            let listed = scope.values.iter().any(|value| value == class);
            match scope.operator.as_str() {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => !class.is_empty(),
                _ => class.is_empty(),
            }
        }
        "CrossNamespacePodAffinity" => crosses_namespaces(&spec.typed),
        _ => false,
    })
}

/// Whether an affinity term of the pod names other namespaces.
fn crosses_namespaces(spec: &core::PodSpec) -> bool {
    let Some(affinity) = &spec.affinity else { return false };
    let crosses = |term: &core::PodAffinityTerm| {
        term.namespace_selector.is_some() || term.namespaces.as_ref().is_some_and(|n| !n.is_empty())
    };
    let required = affinity
        .pod_affinity
        .iter()
        .flat_map(|a| a.required_during_scheduling_ignored_during_execution.iter().flatten());
    let anti = affinity
        .pod_anti_affinity
        .iter()
        .flat_map(|a| a.required_during_scheduling_ignored_during_execution.iter().flatten());
    let preferred = affinity
        .pod_affinity
        .iter()
        .flat_map(|a| a.preferred_during_scheduling_ignored_during_execution.iter().flatten());
    let preferred_anti = affinity
        .pod_anti_affinity
        .iter()
        .flat_map(|a| a.preferred_during_scheduling_ignored_during_execution.iter().flatten());
    let preferred = preferred.chain(preferred_anti).map(|weighted| &weighted.pod_affinity_term);
    required.chain(anti).chain(preferred).any(crosses)
}

/// What containers must say because a quota counts it, and do not (`must specify limits.cpu for: c`).
pub fn missing_constraints(hard: &ResourceList, spec: &PodSpec) -> Option<String> {
    let required: Vec<&str> = COMPUTE.into_iter().filter(|name| hard.contains_key(*name)).collect();
    let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for container in spec.typed.containers.iter().chain(spec.typed.init_containers.iter().flatten()) {
        let given = container.resources.as_ref();
        let usage = compute_usage(
            &to_list(given.and_then(|given| given.requests.as_ref())),
            &to_list(given.and_then(|given| given.limits.as_ref())),
        );
        for name in required.iter().filter(|name| !usage.contains_key(**name)) {
            missing.entry(name).or_default().insert(&container.name);
        }
    }
    let texts: Vec<String> = missing
        .into_iter()
        .map(|(name, containers)| format!("{name} for: {}", containers.into_iter().collect::<Vec<_>>().join(",")))
        .collect();
    (!texts.is_empty()).then(|| format!("must specify {}", texts.join("; ")))
}

/// The resources of which `used` and `requested` together exceed `hard`, with the message; `None` if all fits.
pub fn exceeds(quota: &str, hard: &ResourceList, used: &ResourceList, requested: &ResourceList) -> Option<String> {
    let mut parts: [Vec<String>; 3] = Default::default();
    for (name, amount) in requested.iter().filter(|(_, amount)| amount.sign() > 0) {
        let Some(limit) = hard.get(name) else { continue };
        let present = used.get(name).cloned().unwrap_or(Quantity::ZERO);
        let mut total = present.clone();
        total.add(amount);
        if total > *limit {
            for (part, amount) in parts.iter_mut().zip([amount, &present, limit]) {
                part.push(format!("{name}={amount}"));
            }
        }
    }
    let [requested, used, limited] = parts.map(|part| part.join(","));
    (!requested.is_empty())
        .then(|| format!("exceeded quota: {quota}, requested: {requested}, used: {used}, limited: {limited}"))
}

impl Cluster {
    /// Asks all quotas of a namespace whether a pod of this spec may be created, and charges them if all agree.
    ///
    /// # Errors
    ///
    /// The text after `pods "x" is forbidden: `.
    pub fn charge_pod(&mut self, namespace: Sym, spec: SpecId) -> Result<(), String> {
        let row = self.specs.get(spec);
        let quotas = self.quotas_of(namespace, |quota| pod_fits(&quota.scopes, row));
        if quotas.is_empty() {
            return Ok(());
        }
        for &id in &quotas {
            let hard = self.get::<ResourceQuota>(id).enforced.as_ref();
            if let Some(text) = hard.and_then(|hard| missing_constraints(hard, row)) {
                return Err(format!("failed quota: {}: {text}", self.name(id)));
            }
        }
        let usage = pod_usage(row);
        self.charge(&quotas, &usage)
    }

    /// The same for an object of another kind; scoped quotas count pods only.
    ///
    /// # Errors
    ///
    /// The text after `configmaps "x" is forbidden: `.
    pub fn charge_object(&mut self, namespace: Sym, info: &KindInfo, manifest: &Value) -> Result<(), String> {
        let quotas = self.quotas_of(namespace, |quota| quota.scopes.is_empty());
        self.charge(&quotas, &object_usage(info, manifest))
    }

    /// The quotas of a namespace that fit, in order of name.
    fn quotas_of(&self, namespace: Sym, fits: impl Fn(&ResourceQuota) -> bool) -> Vec<ObjId> {
        let quotas = self.of_kind_in(ResourceQuota::KIND, namespace);
        let mut quotas: Vec<ObjId> = quotas.filter(|&id| fits(self.get::<ResourceQuota>(id))).collect();
        quotas.sort_by(|&a, &b| self.name(a).cmp(self.name(b)));
        quotas
    }

    fn charge(&mut self, quotas: &[ObjId], usage: &ResourceList) -> Result<(), String> {
        for &id in quotas {
            let quota = self.get::<ResourceQuota>(id);
            // A quota that the controller has not seen yet is not in force.
            let Some(hard) = &quota.enforced else { continue };
            if let Some(text) = exceeds(self.name(id), hard, &quota.used, usage) {
                return Err(text);
            }
        }
        for &id in quotas {
            self.update_status::<ResourceQuota>(id, |quota| {
                let Some(hard) = &quota.enforced else { return };
                for (name, amount) in usage.iter().filter(|(name, _)| hard.contains_key(*name)) {
                    quota.used.entry(name.clone()).or_insert(Quantity::ZERO).add(amount);
                }
            });
        }
        Ok(())
    }

    /// Whether a pod counts for more than its existence: it has not ended, and is not stuck on its way out.
    pub fn counts_for_quota(&self, pod: PodId) -> bool {
        let row = self.pod(pod);
        let stuck = row.meta.deletion.is_some_and(|deletion| {
            let grace = Span::from_secs(u64::from(deletion.grace_seconds));
            self.now() > deletion.requested + grace + grace
        });
        !row.phase.is_terminal() && !stuck
    }

    /// What the objects of a namespace use of a quota, counted anew.
    pub fn quota_usage(&self, id: ObjId) -> ResourceList {
        let (quota, namespace) = (self.get::<ResourceQuota>(id), self.object(id).meta.namespace);
        let mut used = ResourceList::new();
        let mut by_spec: BTreeMap<SpecId, Option<ResourceList>> = BTreeMap::new();
        for pod in self.pods_in(namespace) {
            let spec = self.spec_of(pod);
            let usage = by_spec
                .entry(self.pod(pod).spec)
                .or_insert_with(|| pod_fits(&quota.scopes, spec).then(|| pod_usage(spec)));
            match usage {
                Some(usage) if self.counts_for_quota(pod) => add_list(&mut used, usage),
                Some(_) => used.entry("count/pods".to_owned()).or_insert(Quantity::ZERO).add(&one()),
                None => {}
            }
        }
        if quota.scopes.is_empty() {
            for (_, object) in self.objects().filter(|(_, object)| object.meta.namespace == namespace) {
                add_list(&mut used, &object_usage(object.info, &object.raw));
            }
        }
        quota.hard.keys().map(|name| (name.clone(), used.remove(name).unwrap_or(Quantity::ZERO))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[(&str, &str)]) -> ResourceList {
        entries.iter().map(|&(name, amount)| (name.to_owned(), amount.parse().expect("a quantity"))).collect()
    }

    #[test]
    fn what_exceeds_is_named() {
        let (hard, used) = (list(&[("cpu", "10"), ("pods", "5")]), list(&[("cpu", "9"), ("pods", "2")]));
        assert_eq!(
            exceeds("q", &hard, &used, &list(&[("cpu", "2"), ("pods", "1"), ("memory", "1Gi")])).as_deref(),
            Some("exceeded quota: q, requested: cpu=2, used: cpu=9, limited: cpu=10")
        );
        assert_eq!(exceeds("q", &hard, &used, &list(&[("cpu", "1"), ("pods", "3")])), None);
        assert_eq!(
            exceeds("q", &list(&[("cpu", "5")]), &used, &list(&[("pods", "1")])),
            None,
            "nothing more is asked for"
        );
    }

    #[test]
    fn counted_resources_must_be_given() {
        let spec: core::PodSpec = serde_json::from_value(serde_json::json!({ "containers": [
            { "name": "b", "resources": { "requests": { "cpu": "1" } } },
            { "name": "a", "resources": { "limits": { "cpu": "1" } } },
        ] }))
        .expect("a pod spec");
        let spec = PodSpec::from_typed(spec, &mut crate::cluster::Interner::default());
        assert_eq!(
            missing_constraints(&list(&[("limits.cpu", "1"), ("requests.memory", "1"), ("pods", "1")]), &spec)
                .as_deref(),
            Some("must specify limits.cpu for: b; requests.memory for: a,b")
        );
        assert_eq!(missing_constraints(&list(&[("pods", "1")]), &spec), None);
    }
}
