//! Fields that Kubernetes accepts and the simulation does not act on: each is told to the user once, where it is set.

use serde_json::Value;

/// One field without effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldRow {
    /// The kind it belongs to; `pod spec` and `container` stand for those of every kind that has a template.
    pub of: &'static str,
    /// Its path below that, dots between names.
    pub path: &'static str,
    /// What the user should know or do instead.
    pub why: &'static str,
}

const fn field(of: &'static str, path: &'static str, why: &'static str) -> FieldRow {
    FieldRow { of, path, why }
}

const NO_CODE: &str = "no code runs: `models` and annotations say how containers behave";
const NO_ISOLATION: &str = "no isolation is modelled";
const NO_DNS: &str = "no names are resolved yet";

/// All such fields.
pub const FIELDS: &[FieldRow] = &[
    field("container", "command", NO_CODE),
    field("container", "args", NO_CODE),
    field("container", "env", NO_CODE),
    field("container", "envFrom", NO_CODE),
    field("container", "workingDir", NO_CODE),
    field("container", "stdin", NO_CODE),
    field("container", "tty", NO_CODE),
    field("container", "terminationMessagePath", NO_CODE),
    field("container", "terminationMessagePolicy", NO_CODE),
    field("container", "volumeMounts", "nothing is mounted"),
    field("container", "volumeDevices", "nothing is mounted"),
    field("container", "securityContext", NO_ISOLATION),
    field("pod spec", "securityContext", NO_ISOLATION),
    field("pod spec", "hostPID", NO_ISOLATION),
    field("pod spec", "hostIPC", NO_ISOLATION),
    field("pod spec", "hostUsers", NO_ISOLATION),
    field("pod spec", "shareProcessNamespace", NO_ISOLATION),
    field("pod spec", "dnsPolicy", NO_DNS),
    field("pod spec", "dnsConfig", NO_DNS),
    field("pod spec", "hostAliases", NO_DNS),
    field("pod spec", "setHostnameAsFQDN", NO_DNS),
    field("pod spec", "enableServiceLinks", NO_CODE),
    field("pod spec", "automountServiceAccountToken", "no tokens are made"),
    field(
        "pod spec",
        "runtimeClassName",
        "every pod runs in the same runtime; the class gives its overhead and scheduling",
    ),
    field("pod spec", "os", "every node runs Linux"),
    field("pod spec", "ephemeralContainers", "they are kept and not run"),
    field("Service", "spec.sessionAffinity", "no request is routed yet"),
    field("Service", "spec.sessionAffinityConfig", "no request is routed yet"),
    field("Service", "spec.externalTrafficPolicy", "no request is routed yet"),
    field("Service", "spec.internalTrafficPolicy", "no request is routed yet"),
    field("Service", "spec.trafficDistribution", "no request is routed yet"),
    field("Service", "spec.loadBalancerIP", "no load balancer exists"),
    field("Service", "spec.loadBalancerSourceRanges", "no load balancer exists"),
    field("Node", "spec.podCIDR", "addresses are given in one range for all nodes"),
    field("Node", "spec.podCIDRs", "addresses are given in one range for all nodes"),
];

/// The fields without effect that an object sets, as (path in the object, row), in the order of the table. The object is read as the user
/// wrote it: what defaulting would add says nothing.
pub fn unmodelled_fields(object: &Value) -> Vec<(String, &'static FieldRow)> {
    let kind = object["kind"].as_str().unwrap_or_default();
    let mut found = below(kind, object, "");
    if let Some(path) = pod_spec_path(kind) {
        let spec = path.split('.').fold(object, |value, key| &value[key]);
        found.extend(below("pod spec", spec, path));
        for list in ["containers", "initContainers"] {
            for (idx, container) in spec[list].as_array().into_iter().flatten().enumerate() {
                found.extend(below("container", container, &format!("{path}.{list}[{idx}]")));
            }
        }
    }
    found
}

fn below(of: &str, value: &Value, base: &str) -> Vec<(String, &'static FieldRow)> {
    let rows = FIELDS.iter().filter(|row| row.of == of);
    let set = rows.filter(|row| says_something(row.path, row.path.split('.').fold(value, |value, key| &value[key])));
    set.map(|row| (if base.is_empty() { row.path.to_owned() } else { format!("{base}.{}", row.path) }, row)).collect()
}

/// Whether a value is more than nothing and more than the API server's default, with which every dump is full.
fn says_something(path: &str, value: &Value) -> bool {
    let default = match path.rsplit('.').next().unwrap_or_default() {
        "terminationMessagePath" => "/dev/termination-log",
        "terminationMessagePolicy" => "File",
        "dnsPolicy" => "ClusterFirst",
        "sessionAffinity" => "None",
        "internalTrafficPolicy" | "externalTrafficPolicy" => "Cluster",
        _ => "",
    };
    match value {
        Value::Null => false,
        Value::Bool(value) => *value == (path != "enableServiceLinks"),
        Value::Number(_) => true,
        Value::String(text) => text != default,
        Value::Array(entries) => !entries.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

/// Where the pod spec of a kind stands.
fn pod_spec_path(kind: &str) -> Option<&'static str> {
    match kind {
        "Pod" => Some("spec"),
        "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet" | "DaemonSet" | "Job" => {
            Some("spec.template.spec")
        }
        "CronJob" => Some("spec.jobTemplate.spec.template.spec"),
        "PodTemplate" => Some("template.spec"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_found_where_they_stand() {
        let job = json!({"kind": "Job", "spec": {"template": {"spec": {
            "hostPID": true, "containers": [{"name": "a"}, {"name": "b", "command": ["sh"]}]}}}});
        let found: Vec<String> = unmodelled_fields(&job).into_iter().map(|(path, _)| path).collect();
        assert_eq!(found, ["spec.template.spec.hostPID", "spec.template.spec.containers[1].command"]);
    }

    #[test]
    fn what_is_not_set_is_not_told() {
        let pod = json!({"kind": "Pod", "spec": {"containers": [{"name": "a", "image": "i", "command": null}]}});
        assert_eq!(unmodelled_fields(&pod), []);
        let dumped = json!({"kind": "Pod", "spec": {"dnsPolicy": "ClusterFirst", "enableServiceLinks": true, "securityContext": {},
            "containers": [{"name": "a", "terminationMessagePolicy": "File"}]}});
        assert_eq!(unmodelled_fields(&dumped), []);
        assert_eq!(unmodelled_fields(&json!({"kind": "ConfigMap", "data": {"command": "x"}})), []);
        assert_eq!(unmodelled_fields(&json!("no object")), []);
    }
}
