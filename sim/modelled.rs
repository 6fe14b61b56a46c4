//! What is modelled and what is not: one table, from which warnings and `docs/modelled.md` are made.

mod fields;

use std::fmt::Write as _;

pub use fields::{FIELDS, FieldRow, unmodelled_fields};

/// How much of a kind the simulation acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Everything listed in `docs/modelled.md` for it.
    Modelled,
    /// Read, checked and kept; nothing acts on it.
    Kept,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct KindRow {
    /// The kind.
    pub kind: &'static str,
    /// How much of it is modelled.
    pub extent: Extent,
    /// What is modelled, or what a user misses.
    pub what: &'static str,
}

const fn row(kind: &'static str, extent: Extent, what: &'static str) -> KindRow {
    KindRow { kind, extent, what }
}

/// All kinds, with what the simulation makes of them.
pub const KINDS: &[KindRow] = &[
    row(
        "Pod",
        Extent::Modelled,
        "life from scheduling to removal: image pulls, init containers and sidecars, probes, hooks, restarts with back-off, termination, deadlines, readiness gates",
    ),
    row(
        "Node",
        Extent::Modelled,
        "capacity, taints, conditions, heartbeats, failure and recovery, taint eviction by zone",
    ),
    row("Namespace", Extent::Modelled, "admission and ordered deletion"),
    row(
        "Deployment",
        Extent::Modelled,
        "rolling update, recreate, proportional scaling, pause, revisions and rollback, progress deadline",
    ),
    row("ReplicaSet", Extent::Modelled, "creation, adoption, release, deletion ranking, minReadySeconds"),
    row("ReplicationController", Extent::Modelled, "as ReplicaSet"),
    row(
        "Job",
        Extent::Modelled,
        "completions, parallelism, back-off, deadline, suspension, pod failure policy, indexed jobs, success policy, removal after ttlSecondsAfterFinished",
    ),
    row("Service", Extent::Modelled, "endpoints follow the readiness of pods; no request is routed"),
    row("EndpointSlice", Extent::Modelled, "written by the controller of Services"),
    row("PriorityClass", Extent::Modelled, "priority admission and preemption"),
    row("PodDisruptionBudget", Extent::Modelled, "status; evictions, drains and preemption respect it"),
    row("LimitRange", Extent::Modelled, "defaults and bounds of pods at admission"),
    row(
        "ResourceQuota",
        Extent::Modelled,
        "usage, scopes, and refusal of what users and controllers create, resize or change above it",
    ),
    row("ServiceAccount", Extent::Modelled, "`default` in every namespace, pull secrets; requests are not authorised"),
    row(
        "ValidatingAdmissionPolicy",
        Extent::Modelled,
        "evaluated for what users and controllers create, and what users change or delete; no `authorizer`, no audit log, types are checked when an expression is evaluated",
    ),
    row(
        "ValidatingAdmissionPolicyBinding",
        Extent::Modelled,
        "with its policy; parameters of any kind, custom ones excepted",
    ),
    row("MutatingWebhookConfiguration", Extent::Kept, "kept; webhooks are not called"),
    row("ValidatingWebhookConfiguration", Extent::Kept, "kept; webhooks are not called"),
    row(
        "RuntimeClass",
        Extent::Modelled,
        "its overhead and its scheduling at admission; every pod runs in the same runtime",
    ),
    row("Event", Extent::Modelled, "recorded, counted and aggregated as client-go does"),
    row(
        "StatefulSet",
        Extent::Modelled,
        "ordered and parallel pods, rolling update with partition, revisions; its volumes are not bound",
    ),
    row(
        "DaemonSet",
        Extent::Modelled,
        "one pod per eligible node, rolling update with surge or unavailability, OnDelete",
    ),
    row("CronJob", Extent::Modelled, "schedules with time zones, concurrency policies, history, missed starts"),
    row("HorizontalPodAutoscaler", Extent::Modelled, "metrics from modelled usage, behaviours, stabilisation"),
    row("ControllerRevision", Extent::Modelled, "written by StatefulSets and DaemonSets"),
    row("ConfigMap", Extent::Kept, "kept; containers do not read it"),
    row("Secret", Extent::Kept, "kept; containers do not read it"),
    row("Ingress", Extent::Kept, "kept; no traffic is routed yet"),
    row("NetworkPolicy", Extent::Kept, "kept; no traffic is filtered yet"),
    row("Role", Extent::Kept, "kept; requests are not authorised"),
    row("RoleBinding", Extent::Kept, "kept; requests are not authorised"),
    row("ClusterRole", Extent::Kept, "kept; requests are not authorised"),
    row("ClusterRoleBinding", Extent::Kept, "kept; requests are not authorised"),
    row("PersistentVolume", Extent::Kept, "scheduling respects it; nothing binds or attaches it yet"),
    row("PersistentVolumeClaim", Extent::Kept, "scheduling respects it; nothing binds or provisions it yet"),
    row("StorageClass", Extent::Kept, "scheduling respects it; nothing is provisioned yet"),
    row("CSINode", Extent::Kept, "scheduling respects its limits"),
    row("CSIDriver", Extent::Kept, "scheduling respects it; no driver runs"),
    row(
        "CustomResourceDefinition",
        Extent::Kept,
        "kept; its resources are validated, ratcheted and merged by its schemas, `x-kubernetes-validations` included (costs are counted in steps of our evaluator, types are those of values, not of declarations); they have no behaviour",
    ),
];

/// What a user misses of a kind that is only kept; `None` for kinds with behaviour.
pub fn without_behaviour(kind: &str) -> Option<&'static str> {
    match KINDS.iter().find(|row| row.kind == kind) {
        Some(row) => (row.extent == Extent::Kept).then_some(row.what),
        None => Some("kept; it has no behaviour yet"),
    }
}

/// `docs/modelled.md`.
pub fn markdown() -> String {
    let mut out = String::from(INTRODUCTION);
    out.push_str("## Kinds\n\nKinds that are not listed are read, checked and kept.\n\n| kind | extent | what |\n|---|---|---|\n");
    for KindRow { kind, extent, what } in KINDS {
        let extent = match extent {
            Extent::Modelled => "modelled",
            Extent::Kept => "kept",
        };
        let _ = writeln!(out, "| {kind} | {extent} | {what} |");
    }
    out.push_str("\n## Fields that are accepted but not modelled\n\nEach is a warning, once, where it is set.\n\n| of | field | instead |\n|---|---|---|\n");
    for FieldRow { of, path, why } in FIELDS {
        let _ = writeln!(out, "| {of} | `{path}` | {why} |");
    }
    out.push_str("\n## The rest of the cluster\n\n| part | what |\n|---|---|\n");
    for (part, what) in PARTS {
        let _ = writeln!(out, "| {part} | {what} |");
    }
    out
}

const INTRODUCTION: &str = "# What is modelled

Generated by `wavetank modelled`. Behaviour follows Kubernetes 1.36. A field that Kubernetes does not know is an error; a kind or field that is
valid and not modelled is a warning; a part of the scenario format that is not built yet is refused.

";

/// Parts of a cluster that are no objects.
pub const PARTS: &[(&str, &str)] = &[
    (
        "admission",
        "NamespaceLifecycle, LimitRanger, ServiceAccount (without token volumes), TaintNodesByCondition, PodSecurity (without exemptions and audit), Priority, DefaultTolerationSeconds, DefaultStorageClass, StorageObjectInUseProtection, PersistentVolumeClaimResize, RuntimeClass, DefaultIngressClass, PodTopologyLabels, ValidatingAdmissionPolicy, ResourceQuota, for users and controllers alike; not: webhooks, MutatingAdmissionPolicy, NodeRestriction, CertificateApproval, CertificateSigning, CertificateSubjectRestriction, ClusterTrustBundleAttest, PodGroup, and what is off by default",
    ),
    (
        "API server",
        "defaulting, validation, immutable fields, warnings, admission of pods, resource versions, generations, finalizers; no webhooks, no authorisation, no API latency under load",
    ),
    (
        "kubectl in steps",
        "apply, create (of files and of flags), replace, run, expose, autoscale, patch, label, annotate, taint, set, scale, rollout, cordon, drain, delete and looks; not: edit, wait, exec and the like, `-o` of commands that change something, `create secret tls`, `create token`, `--prune`",
    ),
    (
        "latency of the control plane",
        "watch delay, writes, client rate limits, work-queue back-off: profile `realistic` (an assumption, every number can be set) or `ideal` (all zero)",
    ),
    (
        "kube-scheduler",
        "queue with back-off and hints, all plugins of the default profile, preemption, KubeSchedulerConfiguration; no extenders",
    ),
    (
        "kubelet",
        "image pulls with a cache per node and collection of unused images, probes that may depend on other services, restarts, termination, static pods, admission with room for critical pods, eviction for memory, disk, inodes and processes, in-place resize, graceful shutdown, restarts of the kubelet; work that wants more CPU than its limit takes longer; inodes of images and swap are not modelled",
    ),
    (
        "containers",
        "run, exit, start and stop as the scenario's `models` or the pod's `wavetank.dev/` annotations say; no code runs",
    ),
    (
        "network",
        "EndpointSlices of Services; no requests are made, so there is no kube-proxy (choice of endpoints, load balancing, session affinity), DNS, service environment variables, Ingress, Gateway API, NetworkPolicy or cloud load balancer, and no Endpoints objects are written",
    ),
    (
        "storage",
        "the scheduler's volume plugins; the claims of StatefulSets are made and removed; claims are not bound, volumes not provisioned, attached, detached, mounted or expanded",
    ),
    (
        "failures",
        "scripted or drawn, alone or by zone, rack or label: nodes crash, are cut off or slow, kubelets and containers die, image registry, API server, etcd, scheduler and controller-manager fail, with leader election; clocks agree, admission webhooks and DNS do not fail; events of a kubelet that is cut off are lost",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_names_a_kind_once() {
        let mut names: Vec<&str> = KINDS.iter().map(|row| row.kind).collect();
        names.sort_unstable();
        let n_rows = names.len();
        names.dedup();
        assert_eq!(names.len(), n_rows, "a kind has two rows");
    }
}
