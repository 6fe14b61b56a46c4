//! Static pods: run from a file of their node, shown in the API by a mirror that cannot be used to stop them
//! (kubelet, `config/common.go`, `pod/mirror_client.go`).

use serde_json::{Value, json};

use super::kubelets::{Cx, Kubelets};
use super::worker::Stage;
use crate::cluster::{Cluster, NodeId, ObjectRef, PodId, PodStep};

/// Marks the mirror of a static pod.
pub const MIRROR_ANNOTATION: &str = "kubernetes.io/config.mirror";

/// Whether a pod of the API is the mirror of a static pod.
pub fn is_static(pod: PodId, cluster: &Cluster) -> bool {
    cluster.label(cluster.pod(pod).meta.annotations, MIRROR_ANNOTATION).is_some()
}

/// The mirror of a static pod: its name ends with that of the node, its owner is the node, no taint drives it away.
pub fn mirror(manifest: &Value, node: &str, node_uid: &str, seen: &str) -> Value {
    let mut mirror = manifest.clone();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let name = text(&manifest["metadata"]["name"]).unwrap_or_default();
    let namespace = text(&manifest["metadata"]["namespace"]).unwrap_or_else(|| "default".to_owned());
    let hash = hash_of(&manifest.to_string());
    let mut annotations = manifest["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
    for (key, value) in [("hash", hash.as_str()), ("mirror", &hash), ("seen", seen), ("source", "file")] {
        annotations.insert(format!("kubernetes.io/config.{key}"), value.into());
    }
    mirror["apiVersion"] = "v1".into();
    mirror["kind"] = "Pod".into();
    mirror["metadata"] = json!({
        "name": format!("{name}-{node}"),
        "namespace": namespace,
        "labels": manifest["metadata"]["labels"],
        "annotations": annotations,
        "ownerReferences": [{ "apiVersion": "v1", "kind": "Node", "name": node, "uid": node_uid, "controller": true }],
    });
    mirror["spec"]["nodeName"] = node.into();
    let everything = json!({ "operator": "Exists", "effect": "NoExecute" });
    match mirror["spec"]["tolerations"].as_array_mut() {
        Some(tolerations) if !tolerations.contains(&everything) => tolerations.push(everything),
        Some(_) => {}
        None => mirror["spec"]["tolerations"] = json!([everything]),
    }
    mirror
}

/// 32 hexadecimal digits that change with the manifest.
fn hash_of(text: &str) -> String {
    let half =
        |seed: u64| text.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{:016x}{:016x}", half(0xcbf2_9ce4_8422_2325), half(0x8422_2325_cbf2_9ce4))
}

impl Kubelets {
    /// The kubelet of a node has started: its static pods run, each with a mirror.
    pub(super) fn start_static_pods(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        let name = cx.cluster.name(node).to_owned();
        let ours = self.options.static_pods.iter().filter(|pod| pod.node == name);
        let manifests: Vec<Value> = ours.map(|pod| pod.manifest.clone()).collect();
        if manifests.is_empty() {
            return;
        }
        let node_uid =
            cx.cluster.export(ObjectRef::Node(node))["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        let seen = crate::cluster::export::rfc3339(cx.cluster.epoch_seconds, cx.now());
        for manifest in manifests {
            let mirror = mirror(&manifest, &name, &node_uid, &seen);
            let [namespace, name] =
                ["namespace", "name"].map(|key| mirror["metadata"][key].as_str().unwrap_or_default());
            if let Some(old) = cx.cluster.find_pod(namespace, name) {
                // It runs already, unless its machine has been shut down.
                if self.worker(old).is_some_and(|w| w.stage != Stage::Ended) || !cx.cluster.pod(old).phase.is_terminal()
                {
                    continue;
                }
                cx.cluster.confirm_pod_stopped(old);
            }
            // The manifest has been checked when the scenario was loaded; a name that is taken by another pod hides the mirror.
            let _ = cx.cluster.create_from(&mirror);
        }
    }

    /// The mirror of a static pod is gone or going: the pod runs on, and gets a new mirror.
    pub(super) fn renew_mirror(&mut self, old: PodId, cx: &mut Cx<'_>) {
        if !cx.cluster.pod(old).meta.removed {
            cx.cluster.confirm_pod_stopped(old);
        }
        let Some(mut w) = self.take_worker(old) else { return };
        self.node(w.node).pods.remove(&old);
        let mut manifest = cx.cluster.export(ObjectRef::Pod(old));
        if let Some(metadata) = manifest["metadata"].as_object_mut() {
            let kept = ["name", "namespace", "labels", "annotations", "ownerReferences"];
            metadata.retain(|key, _| kept.contains(&key.as_str()));
        }
        if let Some(fields) = manifest.as_object_mut() {
            fields.remove("status");
        }
        let Ok(ObjectRef::Pod(new)) = cx.cluster.create_from(&manifest) else { return };
        for target in self.moved.values_mut().filter(|target| **target == old) {
            *target = new;
        }
        self.moved.insert(old, new);
        w.pod = new;
        self.report(&mut w, cx);
        if w.stage == Stage::Active {
            self.sync(&mut w, cx);
        }
        self.put_worker(w);
    }

    /// The pod that events of `pod` are about now: that of its newest mirror.
    pub(super) fn present_pod(&self, pod: PodId) -> PodId {
        self.moved.get(&pod).copied().unwrap_or(pod)
    }

    /// The step that a change of a mirror means to its kubelet.
    pub(super) fn mirror_change(&self, pod: PodId) -> Option<PodStep> {
        self.worker(pod).filter(|w| w.is_static).map(|_| PodStep::MirrorGone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_names_its_node_and_tolerates_everything() {
        let manifest = json!({"metadata": {"name": "etcd", "namespace": "kube-system"}, "spec": {"containers": []}});
        let mirror = mirror(&manifest, "cp-0", "u", "2026-01-01T00:00:00Z");
        assert_eq!(mirror["metadata"]["name"], "etcd-cp-0");
        assert_eq!(mirror["metadata"]["ownerReferences"][0]["kind"], "Node");
        let annotations = &mirror["metadata"]["annotations"];
        assert_eq!(annotations["kubernetes.io/config.source"], "file");
        assert_eq!(annotations["kubernetes.io/config.hash"], annotations["kubernetes.io/config.mirror"]);
        assert_eq!(mirror["spec"]["tolerations"], json!([{"operator": "Exists", "effect": "NoExecute"}]));
        assert_eq!(mirror["spec"]["nodeName"], "cp-0");
    }
}
