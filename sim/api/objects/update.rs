//! Fields of smaller kinds that no update may change (`ValidateImmutableField` in the validation of each API group).

use crate::api::causes::{Causes, Path};
use crate::api::names;
use crate::api::view::{entries, get, list, put, remove, text};
use serde_json::Value;

use super::metadata::{self, IMMUTABLE};
use super::{affinity, resources};

/// Checks that a field, given as a dotted path, stays; `shown` is the path that the API server names.
fn immutable(new: &Value, old: &Value, field: &str, shown: &str, causes: &mut Causes) {
    let at = |object: &Value| field.split('.').fold(object.clone(), |value, step| get(&value, step).clone());
    let (is, was) = (at(new), at(old));
    if is != was {
        causes.invalid(&Path::ROOT.child(shown), &is, IMMUTABLE);
    }
}

/// networking, `ValidateIngressClassUpdate`.
pub(super) fn ingress_class(new: &Value, old: &Value, causes: &mut Causes) {
    immutable(new, old, "spec.controller", "spec.controller", causes);
}

/// discovery, `ValidateEndpointSliceUpdate`.
pub(super) fn endpoint_slice(new: &Value, old: &Value, causes: &mut Causes) {
    immutable(new, old, "addressType", "addressType", causes);
}

/// node, `ValidateRuntimeClass`.
pub(super) fn validate_runtime_class(object: &Value, causes: &mut Causes) {
    let handler = text(object, "handler");
    causes.invalid_for(&Path::ROOT.child("handler"), handler, names::dns1123_label(handler));
    let path = Path::ROOT.child("overhead");
    let path = path.child("podFixed");
    for (resource, amount) in entries(get(object, "overhead"), "podFixed") {
        resources::amount(resource, amount, &path.key(resource), causes);
    }
    let (scheduling, path) = (get(object, "scheduling"), Path::ROOT.child("scheduling"));
    metadata::labels(get(scheduling, "nodeSelector"), &path.child("nodeSelector"), causes);
    affinity::tolerations(list(scheduling, "tolerations"), &path.child("tolerations"), causes);
}

/// node, `ValidateRuntimeClassUpdate`.
pub(super) fn runtime_class(new: &Value, old: &Value, causes: &mut Causes) {
    immutable(new, old, "handler", "handler", causes);
}

/// storage, `ValidateCSIDriverUpdate`; the first path is misspelt there.
pub(super) fn csi_driver(new: &Value, old: &Value, causes: &mut Causes) {
    immutable(new, old, "spec.attachRequired", "spec.attachedRequired", causes);
    immutable(new, old, "spec.volumeLifecycleModes", "spec.volumeLifecycleModes", causes);
}

/// storage, `ValidateCSIStorageCapacityUpdate`.
pub(super) fn storage_capacity(new: &Value, old: &Value, causes: &mut Causes) {
    immutable(new, old, "nodeTopology", "nodeTopology", causes);
    immutable(new, old, "storageClassName", "storageClassName", causes);
}

/// storage, `ValidateVolumeAttributesClassUpdate`.
pub(super) fn volume_attributes_class(new: &Value, old: &Value, causes: &mut Causes) {
    for field in ["driverName", "parameters"] {
        if get(new, field) != get(old, field) {
            causes.forbidden(&Path::ROOT.child(field), &format!("updates to {field} are forbidden."));
        }
    }
}

/// storage, `ValidateVolumeAttachmentUpdate`.
pub(super) fn volume_attachment(new: &Value, old: &Value, causes: &mut Causes) {
    immutable(new, old, "spec", "spec", causes);
}

/// apps, `ValidateControllerRevisionUpdate`.
pub(super) fn controller_revision(new: &Value, old: &Value, causes: &mut Causes) {
    immutable(new, old, "data", "data", causes);
}

/// A Namespace keeps its finalizers: they have a subresource of their own (`namespaceStrategy.PrepareForUpdate`).
pub(super) fn prepare_namespace(new: &mut Value, old: &Value) {
    keep(new, old, "spec");
}

/// A request for a certificate keeps what it asks for (`csrStrategy.PrepareForUpdate`).
pub(super) fn prepare_signing_request(new: &mut Value, old: &Value) {
    keep(new, old, "spec");
}

fn keep(new: &mut Value, old: &Value, field: &str) {
    match get(old, field) {
        Value::Null => remove(new, field),
        value => put(new, field, value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use crate::api::accept::{AcceptContext, accept, accept_update};
    use serde_json::{Value, json};

    /// An object, what is merged into it, and what the server says of that: nothing if it takes it.
    type Row = (&'static str, Value, Value, &'static str);

    fn answer(old: &Value, change: &Value, status: Option<&Value>) -> (String, i64) {
        let context = AcceptContext { uid: "u", ..AcceptContext::default() };
        let mut stored = accept(old, &context).unwrap_or_else(|refusal| panic!("{}", refusal.message)).value;
        stored["metadata"]["resourceVersion"] = json!("1");
        if let Some(status) = status {
            stored["status"] = status.clone();
        }
        let mut new = stored.clone();
        crate::api::patch::json_merge(&mut new, change);
        match accept_update(&stored, &new, &context) {
            Ok(accepted) => (String::new(), accepted.value["metadata"]["generation"].as_i64().unwrap_or(0)),
            Err(refusal) => (refusal.message.split("<diff>").next().unwrap_or_default().to_owned(), 0),
        }
    }

    fn template() -> Value {
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}})
    }

    #[test]
    fn fields_that_stay() {
        let named = |kind: &str, version: &str, mut rest: Value| {
            rest["apiVersion"] = json!(version);
            rest["kind"] = json!(kind);
            rest["metadata"] = json!({"name": "x"});
            rest
        };
        let class = || named("IngressClass", "networking.k8s.io/v1", json!({"spec": {"controller": "example.com/a"}}));
        let runtime = || named("RuntimeClass", "node.k8s.io/v1", json!({"handler": "gvisor"}));
        let driver = || {
            named("CSIDriver", "storage.k8s.io/v1", json!({"spec": {"attachRequired": true, "podInfoOnMount": false}}))
        };
        let attributes = || {
            named(
                "VolumeAttributesClass",
                "storage.k8s.io/v1",
                json!({"driverName": "d.example.com", "parameters": {"a": "1"}}),
            )
        };
        let rows: Vec<Row> = vec![
            ("class", class(), json!({"metadata": {"labels": {"a": "b"}}}), ""),
            (
                "controller of a class",
                class(),
                json!({"spec": {"controller": "example.com/b"}}),
                r#"IngressClass.networking.k8s.io "x" is invalid: spec.controller: Invalid value: "example.com/b": field is immutable"#,
            ),
            (
                "handler",
                runtime(),
                json!({"handler": "kata"}),
                r#"RuntimeClass.node.k8s.io "x" is invalid: handler: Invalid value: "kata": field is immutable"#,
            ),
            ("how often a driver hears of pods", driver(), json!({"spec": {"podInfoOnMount": true}}), ""),
            (
                "whether a driver attaches",
                driver(),
                json!({"spec": {"attachRequired": false}}),
                r#"CSIDriver.storage.k8s.io "x" is invalid: spec.attachedRequired: Invalid value: false: field is immutable"#,
            ),
            (
                "address type",
                named(
                    "EndpointSlice",
                    "discovery.k8s.io/v1",
                    json!({"addressType": "IPv4", "endpoints": [], "ports": []}),
                ),
                json!({"addressType": "IPv6"}),
                r#"EndpointSlice.discovery.k8s.io "x" is invalid: addressType: Invalid value: "IPv6": field is immutable"#,
            ),
            (
                "parameters of volumes",
                attributes(),
                json!({"parameters": {"a": "2"}}),
                r#"VolumeAttributesClass.storage.k8s.io "x" is invalid: parameters: Forbidden: updates to parameters are forbidden."#,
            ),
            (
                "mirror pods are the kubelet's",
                named("Pod", "v1", json!({"spec": template()["spec"]})),
                json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}}),
                r#"Pod "x" is invalid: metadata.annotations[kubernetes.io/config.mirror]: Forbidden: may not add mirror pod annotation"#,
            ),
            (
                "finalizers of a namespace are not its spec's business",
                named("Namespace", "v1", json!({})),
                json!({"spec": null}),
                "",
            ),
        ];
        for (why, old, change, expected) in rows {
            assert_eq!(answer(&old, &change, None).0, expected, "{why}");
        }
    }

    #[test]
    fn jobs_without_pods_are_open() {
        let job = |suspend: bool| json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"suspend": suspend, "template": template()}});
        let moved = json!({"spec": {"template": {"spec": {"nodeSelector": {"zone": "a"}}}}});
        let started = json!({"startTime": "2024-01-01T00:00:00Z", "active": 1});
        let suspended =
            json!({"startTime": "2024-01-01T00:00:00Z", "conditions": [{"type": "Suspended", "status": "True"}]});
        for (why, suspend, status, taken) in [
            ("never started", true, None, true),
            ("running", false, Some(&started), false),
            ("suspended, and its pod still ends", true, Some(&started), false),
            ("suspended again", true, Some(&suspended), true),
        ] {
            let (said, _) = answer(&job(suspend), &moved, status);
            assert_eq!(said.is_empty(), taken, "{why}: {said}");
        }
    }

    #[test]
    fn claims_grow_and_shrink_to_what_they_have() {
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}});
        let size = |size: &str| json!({"spec": {"resources": {"requests": {"storage": size}}}});
        let bound = |capacity: &str| json!({"phase": "Bound", "capacity": {"storage": capacity}});
        for (why, change, status, expected) in [
            ("a bound claim grows", size("20Gi"), Some(bound("10Gi")), ""),
            ("an expansion that failed is taken back", size("8Gi"), Some(bound("5Gi")), ""),
            (
                "below what it has",
                size("5Gi"),
                Some(bound("10Gi")),
                r#"PersistentVolumeClaim "c" is invalid: spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"#,
            ),
            (
                "a claim that waits",
                size("20Gi"),
                None,
                r#"PersistentVolumeClaim "c" is invalid: spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"#,
            ),
        ] {
            assert_eq!(answer(&claim, &change, status.as_ref()).0, expected, "{why}");
        }
    }

    #[test]
    fn only_the_wish_counts() {
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
        for (why, change, generation) in [
            ("a label", json!({"metadata": {"labels": {"x": "y"}}}), 1),
            ("a status", json!({"status": {"replicas": 7}}), 1),
            ("a number", json!({"spec": {"replicas": 7}}), 2),
            ("the default, written out", json!({"spec": {"replicas": 1}}), 1),
        ] {
            assert_eq!(answer(&deployment, &change, None), (String::new(), generation), "{why}");
        }
        let stale = json!({"metadata": {"resourceVersion": "0"}});
        let expected = "Operation cannot be fulfilled on deployments.apps \"d\": the object has been modified; please apply your \
                        changes to the latest version and try again";
        assert_eq!(answer(&deployment, &stale, None).0, expected);
    }
}
