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

/// What a quota asks every container to say if it counts it (`validationSet`: no later resource is treated like this).
const COMPUTE: [&str; 6] = ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

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
            let given =
                spec["ports"].as_array().into_iter().flatten().filter(|port| port["nodePort"].as_i64() > Some(0));
            let ports = match kind {
                "LoadBalancer" if spec["allocateLoadBalancerNodePorts"] == false => {
                    Quantity::from_value(given.count() as i64, Format::DecimalSI)
                }
                "NodePort" | "LoadBalancer" => ports,
                _ => Quantity::ZERO,
            };
            usage.insert("services.nodeports".to_owned(), ports);
        }
        "PersistentVolumeClaim" => {
            usage.insert("persistentvolumeclaims".to_owned(), one());
            let storage = serde_json::from_value::<Quantity>(spec["resources"]["requests"]["storage"].clone()).ok();
            // Whole bytes are counted.
            let storage = storage.map(|amount| match amount.milli_value() % 1000 {
                0 => amount,
                _ => Quantity::from_value(amount.value(), Format::BinarySI),
            });
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

/// Whether a claim fits all scopes of a quota: only those about its VolumeAttributesClass are about claims.
pub fn claim_fits(scopes: &[QuotaScope], claim: &Value) -> bool {
    let classes: BTreeSet<&str> = [
        &claim["spec"]["volumeAttributesClassName"],
        &claim["status"]["currentVolumeAttributesClassName"],
        &claim["status"]["modifyVolumeStatus"]["targetVolumeAttributesClassName"],
    ]
    .into_iter()
    .filter_map(Value::as_str)
    .filter(|class| !class.is_empty())
    .collect();
    scopes.iter().all(|scope| {
        let listed = |class: &&str| scope.values.iter().any(|value| value == class);
        scope.name == "VolumeAttributesClass"
            && match scope.operator.as_str() {
                "In" => classes.iter().any(listed),
                "NotIn" => classes.is_empty() || !classes.iter().all(listed),
                "Exists" => !classes.is_empty(),
                _ => classes.is_empty(),
            }
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
    // Resources of the pod as a whole stand for those of its containers.
    let of_pod = spec.typed.resources.as_ref();
    let set = |list: Option<&BTreeMap<_, _>>| list.is_some_and(|list| !list.is_empty());
    if of_pod.is_some_and(|own| set(own.requests.as_ref()) || set(own.limits.as_ref())) {
        return None;
    }
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

/// What `new` is more than `old`; nothing is negative.
fn growth(mut new: ResourceList, old: &ResourceList) -> ResourceList {
    for (name, amount) in &mut new {
        if let Some(before) = old.get(name) {
            amount.sub(before);
        }
    }
    new.retain(|_, amount| amount.sign() > 0);
    new
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
        if let Some(text) = self.missing(&quotas, row) {
            return Err(text);
        }
        let usage = pod_usage(row);
        self.charge(&quotas, &usage)
    }

    /// The same for an object of another kind.
    ///
    /// # Errors
    ///
    /// The text after `configmaps "x" is forbidden: `.
    pub fn charge_object(&mut self, namespace: Sym, info: &KindInfo, manifest: &Value) -> Result<(), String> {
        let quotas = self.quotas_for_object(namespace, info, manifest);
        self.charge(&quotas, &object_usage(info, manifest))
    }

    /// The same for any accepted object that a user creates.
    ///
    /// # Errors
    ///
    /// The text after `pods "x" is forbidden: `.
    pub fn charge_created(&mut self, info: &KindInfo, namespace: &str, manifest: &Value) -> Result<(), String> {
        if !info.namespaced {
            return Ok(());
        }
        let namespace = self.interner.sym(namespace);
        if info.kind == "Pod" {
            let spec = self.intern_spec(&manifest["spec"])?;
            return self.charge_pod(namespace, spec);
        }
        self.charge_object(namespace, info, manifest)
    }

    /// The same for an update: what the new version uses more than the old one. Only pods that are resized, services and claims
    /// are asked about.
    ///
    /// # Errors
    ///
    /// The text after `services "x" is forbidden: `.
    pub fn charge_updated(&mut self, info: &KindInfo, old: &Value, new: &Value) -> Result<(), String> {
        if !matches!(info.kind, "Pod" | "Service" | "PersistentVolumeClaim")
            || self.of_kind(ResourceQuota::KIND).next().is_none()
        {
            return Ok(());
        }
        let namespace = self.interner.sym(new["metadata"]["namespace"].as_str().unwrap_or_default());
        if info.kind != "Pod" {
            let quotas = self.quotas_for_object(namespace, info, new);
            return self.charge(&quotas, &growth(object_usage(info, new), &object_usage(info, old)));
        }
        let (before, after) = (self.intern_spec(&old["spec"])?, self.intern_spec(&new["spec"])?);
        let row = self.specs.get(after);
        let usage = growth(pod_usage(row), &pod_usage(self.specs.get(before)));
        let quotas = self.quotas_of(namespace, |quota| pod_fits(&quota.scopes, row));
        if let Some(text) = self.missing(&quotas, row) {
            return Err(text);
        }
        self.charge(&quotas, &usage)
    }

    fn quotas_for_object(&self, namespace: Sym, info: &KindInfo, manifest: &Value) -> Vec<ObjId> {
        self.quotas_of(namespace, |quota| match info.kind {
            "PersistentVolumeClaim" => claim_fits(&quota.scopes, manifest),
            _ => quota.scopes.is_empty(),
        })
    }

    /// What a quota misses in a pod's containers.
    fn missing(&self, quotas: &[ObjId], spec: &PodSpec) -> Option<String> {
        quotas.iter().find_map(|&id| {
            let text = missing_constraints(self.get::<ResourceQuota>(id).enforced.as_ref()?, spec)?;
            Some(format!("failed quota: {}: {text}", self.name(id)))
        })
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
                let counted = usage.iter().filter(|(name, amount)| hard.contains_key(*name) && !amount.is_zero());
                for (name, amount) in counted {
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
        for (_, object) in self.objects().filter(|(_, object)| object.meta.namespace == namespace) {
            let fits = match object.info.kind {
                "PersistentVolumeClaim" => claim_fits(&quota.scopes, &object.raw),
                _ => quota.scopes.is_empty(),
            };
            if fits {
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
