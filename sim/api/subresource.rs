//! Updates of a part of an object that has an address of its own: `status`, `scale`, `resize`.

use serde_json::Value;

use super::accept::{
    AcceptContext, Accepted, Custom, Refusal, accept_update, admitted, conflict, custom_kind, decoded, invalid,
    kind_of, rejected, tidy,
};
use super::admission::{self, Operation};
use super::causes::{Causes, Path};
use super::custom;
use super::objects::{metadata, pod_resize, rules};
use super::view::{ensure, get, int, put, remove, text};

/// A part of an object with an address of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subresource {
    /// What a controller reports.
    Status,
    /// The number of replicas, the same for all kinds that have one.
    Scale,
    /// The resources of a Pod.
    Resize,
}

impl Subresource {
    /// Reads the name that the API uses.
    pub fn parse(text: &str) -> Option<Subresource> {
        match text {
            "status" => Some(Subresource::Status),
            "scale" => Some(Subresource::Scale),
            "resize" => Some(Subresource::Resize),
            _ => None,
        }
    }

    /// The name that the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Subresource::Status => "status",
            Subresource::Scale => "scale",
            Subresource::Resize => "resize",
        }
    }

    /// Whether objects of that kind have it.
    pub fn is_of(self, kind: &str) -> bool {
        match self {
            Subresource::Scale => {
                matches!(kind, "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet")
            }
            Subresource::Resize => kind == "Pod",
            Subresource::Status => !matches!(
                kind,
                "ConfigMap"
                    | "Secret"
                    | "ServiceAccount"
                    | "Endpoints"
                    | "EndpointSlice"
                    | "LimitRange"
                    | "PodTemplate"
                    | "ControllerRevision"
                    | "Lease"
                    | "IngressClass"
                    | "NetworkPolicy"
                    | "RuntimeClass"
                    | "Role"
                    | "ClusterRole"
                    | "RoleBinding"
                    | "ClusterRoleBinding"
                    | "PriorityClass"
                    | "StorageClass"
                    | "CSIDriver"
                    | "CSINode"
                    | "CSIStorageCapacity"
                    | "VolumeAttributesClass"
                    | "Event"
            ),
        }
    }
}

/// Takes a new version of a part of a stored object: everything else stays as it is.
pub fn accept_subresource(
    old: &Value,
    new: &Value,
    part: Subresource,
    context: &AcceptContext<'_>,
) -> Result<Accepted, Refusal> {
    if part == Subresource::Status
        && let Some(Custom::Served(definition, version)) = custom_kind(new, context)
    {
        return custom::update_custom_status(old, new, definition, version, context);
    }
    match part {
        Subresource::Status => {
            let mut whole = old.clone();
            put(&mut whole, "status", get(new, "status").clone());
            let (info, version) = kind_of(&whole, context)?;
            let mut object = decoded(&whole, info, &version)?;
            check_version(new, old, &object, info)?;
            tidy(&mut object, info, &version);
            let context = AcceptContext { subresource: "status", ..*context };
            let admission_warnings = admitted(&object, Some(old), info, &context)?;
            Ok(Accepted { value: object, info, warnings: Vec::new(), admission_warnings })
        }
        Subresource::Scale => {
            let mut whole = old.clone();
            put(ensure(&mut whole, "spec"), "replicas", get(get(new, "spec"), "replicas").clone());
            accept_update(old, &whole, &AcceptContext { subresource: "scale", ..*context })
        }
        Subresource::Resize => {
            let (info, version) = kind_of(new, context)?;
            let mut object = decoded(new, info, &version)?;
            check_version(new, old, &object, info)?;
            let mut before = old.clone();
            let rules = rules(info.kind);
            (rules.default)(&mut before);
            (rules.default)(&mut object);
            tidy(&mut object, info, &version);
            pod_resize::prepare(&mut object, &before);
            let mut causes = Causes::default();
            let path = Path::ROOT.child("metadata");
            metadata::validate(get(&object, "metadata"), info.namespaced, rules.name, &path, &mut causes);
            (rules.validate)(&object, Some(&before), &mut causes);
            pod_resize::validate(&object, &before, &mut causes);
            if !causes.is_empty() {
                return Err(invalid(&object, info, causes));
            }
            let meta = get(&object, "metadata");
            let (namespace, name) = (text(meta, "namespace").to_owned(), text(meta, "name").to_owned());
            let context = AcceptContext { subresource: "resize", ..*context };
            let at = context.attributes(Operation::Update, info, &namespace, &name);
            let admission_warnings = match context.lookup {
                Some(lookup) => admission::namespace_lifecycle(&at, lookup)
                    .and_then(|()| admission::validate(&object, Some(&before), &at, lookup)),
                None => Ok(Vec::new()),
            };
            let admission_warnings = admission_warnings.map_err(|rejection| rejected(&rejection, info, &name))?;
            if get(&object, "spec") != get(&before, "spec") {
                let generation = int(get(&before, "metadata"), "generation").max(1) + 1;
                put(ensure(&mut object, "metadata"), "generation", generation);
            }
            remove(ensure(&mut object, "metadata"), "managedFields");
            Ok(Accepted { value: object, info, warnings: Vec::new(), admission_warnings })
        }
    }
}

fn check_version(new: &Value, old: &Value, object: &Value, info: &super::kinds::KindInfo) -> Result<(), Refusal> {
    let version = |object: &Value| text(get(object, "metadata"), "resourceVersion").to_owned();
    match version(new) {
        sent if sent.is_empty() || sent == version(old) => Ok(()),
        _ => Err(conflict(object, info)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::accept::accept;
    use serde_json::json;

    fn stored(object: Value) -> Value {
        let mut stored = accept(&object, &AcceptContext::default()).expect("a valid object").value;
        stored["metadata"]["resourceVersion"] = json!("7");
        stored
    }

    #[test]
    fn a_resize_counts_and_keeps_the_rest() {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [
            {"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}}]}});
        let old = stored(pod);
        let mut new = old.clone();
        new["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!("2");
        new["spec"]["containers"][0]["image"] = json!("other");
        let context = AcceptContext::default();
        let accepted = accept_subresource(&old, &new, Subresource::Resize, &context).expect("a valid resize").value;
        assert_eq!(accepted["spec"]["containers"][0]["image"], "i");
        assert_eq!(accepted["spec"]["containers"][0]["resources"]["requests"]["cpu"], "2");
        assert_eq!(accepted["metadata"]["generation"], 2);
        new["metadata"]["resourceVersion"] = json!("6");
        let refusal = accept_subresource(&old, &new, Subresource::Resize, &context).expect_err("a stale version");
        assert_eq!(
            refusal.message,
            "Operation cannot be fulfilled on pods \"p\": the object has been modified; please apply your changes to the latest version and try again"
        );
    }

    #[test]
    fn a_status_is_all_that_its_subresource_changes() {
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "status": {"capacity": {"cpu": "4"}}});
        let old = stored(node);
        let mut new = old.clone();
        new["status"]["capacity"]["example.com/dongle"] = json!("4");
        new["spec"]["unschedulable"] = json!(true);
        let accepted =
            accept_subresource(&old, &new, Subresource::Status, &AcceptContext::default()).expect("a status").value;
        assert_eq!(accepted["status"]["capacity"]["example.com/dongle"], "4");
        assert_eq!(accepted["spec"]["unschedulable"], Value::Null);
    }
}
