//! YAML that lies beside manifests and is none: values and charts of Helm, kustomizations, configuration files of components.

use crate::api::document::Document;

/// Groups of files that look like objects and that no API server serves.
const CONFIGURATION: [&str; 12] = [
    "kustomize.config.k8s.io",
    "config.kubernetes.io",
    "kubescheduler.config.k8s.io",
    "kubelet.config.k8s.io",
    "kubeproxy.config.k8s.io",
    "kubecontrollermanager.config.k8s.io",
    "apiserver.config.k8s.io",
    "apiserver.k8s.io",
    "kubeadm.k8s.io",
    "audit.k8s.io",
    "client.authentication.k8s.io",
    "kind.x-k8s.io",
];

/// Why a document is no manifest, and what to do to check what it stands for.
pub(super) struct Skip {
    pub what: String,
    pub help: Option<&'static str>,
}

/// Whether a document is something else than a manifest.
pub(super) fn skip(document: &Document) -> Option<Skip> {
    const KUSTOMIZE: &str = "build it first: kubectl kustomize FOLDER | wavetank check -";
    const HELM: &str = "render it first: helm template CHART | wavetank check -";
    let file = document.file.rsplit(['/', '\\']).next().unwrap_or("");
    let (version, kind) = (document.api_version(), document.kind());
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let has = |field: &str| document.value.get(field).is_some_and(|value| !value.is_null());
    let says = |what: &str, help| Some(Skip { what: format!("{what}: skipped"), help });
    if ["kustomization.yaml", "kustomization.yml"].contains(&file) || group == "kustomize.config.k8s.io" {
        return says("a kustomization is not a manifest", Some(KUSTOMIZE));
    }
    if CONFIGURATION.contains(&group) || (version, kind) == ("v1", "Config") {
        let name = if kind.is_empty() { "this" } else { kind };
        return says(&format!("{name} is a configuration file, not an object of the API"), None);
    }
    if file == "Chart.yaml" && !has("kind") {
        return says("the description of a Helm chart is not a manifest", Some(HELM));
    }
    if has("kind") || has("apiVersion") || !document.value.is_object() {
        return None;
    }
    if file.starts_with("values") {
        return says("values of a Helm chart are not a manifest", Some(HELM));
    }
    let first = document.value.as_object().and_then(|fields| fields.keys().next());
    match first {
        None => says("an empty document is not a manifest", None),
        Some(_) => says("a document without apiVersion and kind is not a manifest", None),
    }
}
