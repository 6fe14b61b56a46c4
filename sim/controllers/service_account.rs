//! What every namespace gets: the ServiceAccount `default` and the ConfigMap `kube-root-ca.crt` (kube-controller-manager,
//! `serviceaccount` and `rootcacertpublisher`).

use serde_json::json;

use super::{Action, Context, Controller, Keys};
use crate::cluster::objects::{Namespace, NamespacePhase};
use crate::cluster::{Change, Cluster, ControllerKind, ObjectRef, What};

/// The kinds and names of what every namespace gets.
const GIVEN: [(&str, &str); 2] = [("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")];

/// Keeps the ServiceAccount `default` and the root certificate in every namespace.
#[derive(Default)]
pub struct ServiceAccountController;

impl Controller for ServiceAccountController {
    fn kind(&self) -> ControllerKind {
        ControllerKind::ServiceAccount
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, keys: &mut Keys<'_>) {
        let ObjectRef::Object(id) = change.object else { return };
        match change.what {
            What::Created if cluster.try_get::<Namespace>(id).is_some() => keys.add(id),
            What::Removed if GIVEN.contains(&(cluster.object(id).info.kind, cluster.name(id))) => {
                if let Some(namespace) = cluster.find("Namespace", "", cluster.namespace(id)) {
                    keys.add(namespace);
                }
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let ObjectRef::Object(id) = key else { return Action::Done };
        let active = cluster.try_get::<Namespace>(id).is_some_and(|row| row.phase == NamespacePhase::Active);
        if cluster.meta(key).removed || !active {
            return Action::Done;
        }
        let namespace = cluster.name(id).to_owned();
        for (kind, name) in GIVEN {
            if cluster.find(kind, &namespace, name).is_some() {
                continue;
            }
            let mut object = json!({
                "apiVersion": "v1",
                "kind": kind,
                "metadata": { "name": name, "namespace": namespace },
            });
            if kind == "ConfigMap" {
                object["metadata"]["annotations"] = json!({ "kubernetes.io/description": ROOT_CA_DESCRIPTION });
                object["data"] = json!({ "ca.crt": "" });
            }
            if let Err(error) = cluster.create_from(&object) {
                return Action::Failed(error);
            }
            cx.wrote();
        }
        Action::Done
    }
}

/// The annotation `kubernetes.io/description` of `kube-root-ca.crt`.
const ROOT_CA_DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as \
     the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";
