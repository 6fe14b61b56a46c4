//! The kinds of the Kubernetes API that Wavetank knows: group, versions, resource names and short names, as `kubectl api-resources`
//! prints them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// One kind of the Kubernetes API.
#[derive(Debug, PartialEq, Eq)]
pub struct KindInfo {
    /// `Deployment`.
    pub kind: &'static str,
    /// What tells it from all other kinds: the kind itself, with the group for custom resources (`Service.serving.knative.dev`).
    pub key: &'static str,
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The served versions, the preferred one first.
    pub versions: &'static [&'static str],
    /// `deployments`.
    pub plural: &'static str,
    /// `deployment`.
    pub singular: &'static str,
    /// `deploy`.
    pub short_names: &'static [&'static str],
    /// Whether objects of this kind live in a namespace.
    pub namespaced: bool,
    /// Whether `kubectl get all` lists it.
    pub in_all: bool,
}

impl KindInfo {
    /// `apps/v1`, or `v1` for the core group.
    pub fn api_version(&self) -> String {
        match self.group {
            "" => self.versions[0].to_owned(),
            group => format!("{group}/{}", self.versions[0]),
        }
    }

    /// `deployments.apps`, or `pods` for the core group: how the API server and kubectl name the resource.
    pub fn resource(&self) -> String {
        match self.group {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }

    /// `deployment.apps`, or `pod` for the core group: what kubectl prints before a slash and a name.
    pub fn singular_resource(&self) -> String {
        match self.group {
            "" => self.singular.to_owned(),
            group => format!("{}.{group}", self.singular),
        }
    }
}

const fn kind(
    kind: &'static str,
    group: &'static str,
    versions: &'static [&'static str],
    plural: &'static str,
    singular: &'static str,
    short_names: &'static [&'static str],
    namespaced: bool,
) -> KindInfo {
    KindInfo { kind, key: kind, group, versions, plural, singular, short_names, namespaced, in_all: false }
}

const fn in_all(info: KindInfo) -> KindInfo {
    KindInfo { in_all: true, ..info }
}

const NAMESPACED: bool = true;
const CLUSTER: bool = false;

/// Every known kind, in the order in which kubectl lists their resources.
pub static KINDS: &[KindInfo] = &[
    kind("ConfigMap", "", &["v1"], "configmaps", "configmap", &["cm"], NAMESPACED),
    kind("Endpoints", "", &["v1"], "endpoints", "endpoints", &["ep"], NAMESPACED),
    kind("Event", "", &["v1"], "events", "event", &["ev"], NAMESPACED),
    kind("LimitRange", "", &["v1"], "limitranges", "limitrange", &["limits"], NAMESPACED),
    kind("Namespace", "", &["v1"], "namespaces", "namespace", &["ns"], CLUSTER),
    kind("Node", "", &["v1"], "nodes", "node", &["no"], CLUSTER),
    kind("PersistentVolumeClaim", "", &["v1"], "persistentvolumeclaims", "persistentvolumeclaim", &["pvc"], NAMESPACED),
    kind("PersistentVolume", "", &["v1"], "persistentvolumes", "persistentvolume", &["pv"], CLUSTER),
    in_all(kind("Pod", "", &["v1"], "pods", "pod", &["po"], NAMESPACED)),
    kind("PodTemplate", "", &["v1"], "podtemplates", "podtemplate", &[], NAMESPACED),
    in_all(kind(
        "ReplicationController",
        "",
        &["v1"],
        "replicationcontrollers",
        "replicationcontroller",
        &["rc"],
        NAMESPACED,
    )),
    kind("ResourceQuota", "", &["v1"], "resourcequotas", "resourcequota", &["quota"], NAMESPACED),
    kind("Secret", "", &["v1"], "secrets", "secret", &[], NAMESPACED),
    kind("ServiceAccount", "", &["v1"], "serviceaccounts", "serviceaccount", &["sa"], NAMESPACED),
    in_all(kind("Service", "", &["v1"], "services", "service", &["svc"], NAMESPACED)),
    kind(
        "MutatingWebhookConfiguration",
        "admissionregistration.k8s.io",
        &["v1"],
        "mutatingwebhookconfigurations",
        "mutatingwebhookconfiguration",
        &[],
        CLUSTER,
    ),
    kind(
        "ValidatingAdmissionPolicy",
        "admissionregistration.k8s.io",
        &["v1"],
        "validatingadmissionpolicies",
        "validatingadmissionpolicy",
        &[],
        CLUSTER,
    ),
    kind(
        "ValidatingAdmissionPolicyBinding",
        "admissionregistration.k8s.io",
        &["v1"],
        "validatingadmissionpolicybindings",
        "validatingadmissionpolicybinding",
        &[],
        CLUSTER,
    ),
    kind(
        "ValidatingWebhookConfiguration",
        "admissionregistration.k8s.io",
        &["v1"],
        "validatingwebhookconfigurations",
        "validatingwebhookconfiguration",
        &[],
        CLUSTER,
    ),
    kind(
        "CustomResourceDefinition",
        "apiextensions.k8s.io",
        &["v1"],
        "customresourcedefinitions",
        "customresourcedefinition",
        &["crd", "crds"],
        CLUSTER,
    ),
    kind("APIService", "apiregistration.k8s.io", &["v1"], "apiservices", "apiservice", &[], CLUSTER),
    kind("ControllerRevision", "apps", &["v1"], "controllerrevisions", "controllerrevision", &[], NAMESPACED),
    in_all(kind("DaemonSet", "apps", &["v1"], "daemonsets", "daemonset", &["ds"], NAMESPACED)),
    in_all(kind("Deployment", "apps", &["v1"], "deployments", "deployment", &["deploy"], NAMESPACED)),
    in_all(kind("ReplicaSet", "apps", &["v1"], "replicasets", "replicaset", &["rs"], NAMESPACED)),
    in_all(kind("StatefulSet", "apps", &["v1"], "statefulsets", "statefulset", &["sts"], NAMESPACED)),
    in_all(kind(
        "HorizontalPodAutoscaler",
        "autoscaling",
        &["v2", "v1"],
        "horizontalpodautoscalers",
        "horizontalpodautoscaler",
        &["hpa"],
        NAMESPACED,
    )),
    in_all(kind("CronJob", "batch", &["v1"], "cronjobs", "cronjob", &["cj"], NAMESPACED)),
    in_all(kind("Job", "batch", &["v1"], "jobs", "job", &[], NAMESPACED)),
    kind(
        "CertificateSigningRequest",
        "certificates.k8s.io",
        &["v1"],
        "certificatesigningrequests",
        "certificatesigningrequest",
        &["csr"],
        CLUSTER,
    ),
    kind("Lease", "coordination.k8s.io", &["v1"], "leases", "lease", &[], NAMESPACED),
    kind("EndpointSlice", "discovery.k8s.io", &["v1"], "endpointslices", "endpointslice", &[], NAMESPACED),
    kind("FlowSchema", "flowcontrol.apiserver.k8s.io", &["v1"], "flowschemas", "flowschema", &[], CLUSTER),
    kind(
        "PriorityLevelConfiguration",
        "flowcontrol.apiserver.k8s.io",
        &["v1"],
        "prioritylevelconfigurations",
        "prioritylevelconfiguration",
        &[],
        CLUSTER,
    ),
    kind("IngressClass", "networking.k8s.io", &["v1"], "ingressclasses", "ingressclass", &[], CLUSTER),
    kind("Ingress", "networking.k8s.io", &["v1"], "ingresses", "ingress", &["ing"], NAMESPACED),
    kind("NetworkPolicy", "networking.k8s.io", &["v1"], "networkpolicies", "networkpolicy", &["netpol"], NAMESPACED),
    kind("RuntimeClass", "node.k8s.io", &["v1"], "runtimeclasses", "runtimeclass", &[], CLUSTER),
    kind("PodDisruptionBudget", "policy", &["v1"], "poddisruptionbudgets", "poddisruptionbudget", &["pdb"], NAMESPACED),
    kind(
        "ClusterRoleBinding",
        "rbac.authorization.k8s.io",
        &["v1"],
        "clusterrolebindings",
        "clusterrolebinding",
        &[],
        CLUSTER,
    ),
    kind("ClusterRole", "rbac.authorization.k8s.io", &["v1"], "clusterroles", "clusterrole", &[], CLUSTER),
    kind("RoleBinding", "rbac.authorization.k8s.io", &["v1"], "rolebindings", "rolebinding", &[], NAMESPACED),
    kind("Role", "rbac.authorization.k8s.io", &["v1"], "roles", "role", &[], NAMESPACED),
    kind("PriorityClass", "scheduling.k8s.io", &["v1"], "priorityclasses", "priorityclass", &["pc"], CLUSTER),
    kind("CSIDriver", "storage.k8s.io", &["v1"], "csidrivers", "csidriver", &[], CLUSTER),
    kind("CSINode", "storage.k8s.io", &["v1"], "csinodes", "csinode", &[], CLUSTER),
    kind(
        "CSIStorageCapacity",
        "storage.k8s.io",
        &["v1"],
        "csistoragecapacities",
        "csistoragecapacity",
        &[],
        NAMESPACED,
    ),
    kind("StorageClass", "storage.k8s.io", &["v1"], "storageclasses", "storageclass", &["sc"], CLUSTER),
    kind("VolumeAttachment", "storage.k8s.io", &["v1"], "volumeattachments", "volumeattachment", &[], CLUSTER),
    kind(
        "VolumeAttributesClass",
        "storage.k8s.io",
        &["v1"],
        "volumeattributesclasses",
        "volumeattributesclass",
        &["vac"],
        CLUSTER,
    ),
];

/// A kind that a CustomResourceDefinition serves.
#[derive(Clone, Copy, Debug)]
pub struct CustomKind<'a> {
    /// `Widget`
    pub kind: &'a str,
    /// `example.com`
    pub group: &'a str,
    /// Its versions, the preferred one first.
    pub versions: &'a [&'a str],
    /// `widgets`
    pub plural: &'a str,
    /// `widget`
    pub singular: &'a str,
    /// `wg`
    pub short_names: &'a [&'a str],
    /// Whether objects of this kind live in a namespace.
    pub namespaced: bool,
}

/// The one description of a custom kind. Equal descriptions are the same; they are kept as long as the program runs, because
/// objects refer to their kinds as if all were built in. There are as many as definitions in the input.
pub fn custom(wanted: &CustomKind<'_>) -> &'static KindInfo {
    static KNOWN: Mutex<BTreeMap<String, &'static KindInfo>> = Mutex::new(BTreeMap::new());
    let text = format!("{wanted:?}");
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(info) = known.get(&text) {
        return info;
    }
    let keep = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    let keep_all =
        |texts: &[&str]| -> &'static [&'static str] { texts.iter().map(|text| keep(text)).collect::<Vec<_>>().leak() };
    let info: &'static KindInfo = Box::leak(Box::new(KindInfo {
        kind: keep(wanted.kind),
        key: keep(&format!("{}.{}", wanted.kind, wanted.group)),
        group: keep(wanted.group),
        versions: keep_all(if wanted.versions.is_empty() { &["v1"] } else { wanted.versions }),
        plural: keep(wanted.plural),
        singular: keep(wanted.singular),
        short_names: keep_all(wanted.short_names),
        namespaced: wanted.namespaced,
        in_all: false,
    }));
    known.insert(text, info);
    info
}

/// The kind written in a manifest as `kind`, whatever its group.
pub fn by_kind(kind: &str) -> Option<&'static KindInfo> {
    KINDS.iter().find(|info| info.kind == kind)
}

/// The kind a user of kubectl means by `word`: plural, singular, short name or kind, in any case, with or without the group
/// (`deploy`, `Deployment`, `deployments.apps`, `deployments.v1.apps`).
pub fn by_resource(word: &str) -> Option<&'static KindInfo> {
    let word = word.to_lowercase();
    KINDS.iter().find(|info| is_named(info, &word))
}

/// Whether a user of kubectl means this kind by `word`.
pub fn is_called(info: &KindInfo, word: &str) -> bool {
    is_named(info, &word.to_lowercase())
}

fn is_named(info: &KindInfo, word: &str) -> bool {
    let (name, group) = word.split_once('.').map_or((word, None), |(name, group)| (name, Some(group)));
    let named = info.plural == name
        || info.singular == name
        || info.short_names.contains(&name)
        || info.kind.eq_ignore_ascii_case(name);
    named && group.is_none_or(|group| group == info.group || is_version_and_group(info, group))
}

fn is_version_and_group(info: &KindInfo, text: &str) -> bool {
    text.split_once('.').is_some_and(|(version, group)| group == info.group && info.versions.contains(&version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubectl_words_find_their_kind() {
        for word in ["deploy", "deployment", "Deployment", "deployments.apps", "deployments.v1.apps"] {
            assert_eq!(by_resource(word).map(|info| info.kind), Some("Deployment"), "{word}");
        }
        assert_eq!(by_resource("po").map(|info| info.kind), Some("Pod"));
        assert_eq!(by_resource("deployments.batch"), None);
    }

    #[test]
    fn no_word_means_two_kinds() {
        let mut words: Vec<_> = KINDS.iter().flat_map(|info| info.short_names.iter().chain([&info.plural])).collect();
        words.sort();
        assert!(words.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
