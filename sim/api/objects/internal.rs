//! Objects as the API server's internal types are printed: error texts show those where a whole struct is wrong.
//!
//! Internal types have no JSON tags, so that every field is there under its Go name, in the order of `pkg/apis/core/types.go` and
//! `pkg/apis/batch/types.go`. Structs that are not listed here are shown as in the versioned API.

use serde_json::Value;

use crate::api::causes::html_safe;
use crate::api::view::get;

/// What a field holds.
#[derive(Clone, Copy, Debug)]
enum Is {
    /// A text, empty if it is not there.
    Text,
    /// `false` if it is not there.
    Flag,
    /// 0 if it is not there.
    Number,
    /// Null if it is not there; else as it is.
    Pointer,
    /// A struct that is always there.
    Struct(Fields),
    /// A struct, or null.
    Maybe(Fields),
    /// A list of structs, or null.
    List(Fields),
    /// A struct whose values are fields of the struct around it.
    Around(Fields),
}

/// Fields by their Go names, with the names that they have in the API.
type Fields = &'static [(&'static str, &'static str, Is)];

use Is::{Around, Flag, List, Maybe, Number, Pointer, Struct, Text};

const POD_SPEC: Fields = &[
    ("Volumes", "volumes", Pointer),
    ("InitContainers", "initContainers", List(CONTAINER)),
    ("Containers", "containers", List(CONTAINER)),
    ("EphemeralContainers", "ephemeralContainers", Pointer),
    ("RestartPolicy", "restartPolicy", Text),
    ("TerminationGracePeriodSeconds", "terminationGracePeriodSeconds", Pointer),
    ("ActiveDeadlineSeconds", "activeDeadlineSeconds", Pointer),
    ("DNSPolicy", "dnsPolicy", Text),
    ("NodeSelector", "nodeSelector", Pointer),
    ("ServiceAccountName", "serviceAccountName", Text),
    ("AutomountServiceAccountToken", "automountServiceAccountToken", Pointer),
    ("NodeName", "nodeName", Text),
    ("SecurityContext", "securityContext", Around(POD_SECURITY)),
    ("ImagePullSecrets", "imagePullSecrets", List(&[("Name", "name", Text)])),
    ("Hostname", "hostname", Text),
    ("Subdomain", "subdomain", Text),
    ("SetHostnameAsFQDN", "setHostnameAsFQDN", Pointer),
    ("Affinity", "affinity", Pointer),
    ("SchedulerName", "schedulerName", Text),
    ("Tolerations", "tolerations", List(TOLERATION)),
    ("HostAliases", "hostAliases", List(&[("IP", "ip", Text), ("Hostnames", "hostnames", Pointer)])),
    ("PriorityClassName", "priorityClassName", Text),
    ("Priority", "priority", Pointer),
    ("PreemptionPolicy", "preemptionPolicy", Pointer),
    ("DNSConfig", "dnsConfig", Maybe(DNS_CONFIG)),
    ("ReadinessGates", "readinessGates", List(&[("ConditionType", "conditionType", Text)])),
    ("RuntimeClassName", "runtimeClassName", Pointer),
    ("Overhead", "overhead", Pointer),
    ("EnableServiceLinks", "enableServiceLinks", Pointer),
    ("TopologySpreadConstraints", "topologySpreadConstraints", List(SPREAD)),
    ("OS", "os", Maybe(&[("Name", "name", Text)])),
    ("SchedulingGates", "schedulingGates", List(&[("Name", "name", Text)])),
    ("ResourceClaims", "resourceClaims", Pointer),
    ("Resources", "resources", Maybe(RESOURCES)),
    ("HostnameOverride", "hostnameOverride", Pointer),
    ("SchedulingGroup", "schedulingGroup", Pointer),
];

/// The first five are fields of the pod's spec in the API.
const POD_SECURITY: Fields = &[
    ("HostNetwork", "hostNetwork", Flag),
    ("HostPID", "hostPID", Flag),
    ("HostIPC", "hostIPC", Flag),
    ("ShareProcessNamespace", "shareProcessNamespace", Pointer),
    ("HostUsers", "hostUsers", Pointer),
    ("SELinuxOptions", "seLinuxOptions", Pointer),
    ("WindowsOptions", "windowsOptions", Pointer),
    ("RunAsUser", "runAsUser", Pointer),
    ("RunAsGroup", "runAsGroup", Pointer),
    ("RunAsNonRoot", "runAsNonRoot", Pointer),
    ("SupplementalGroups", "supplementalGroups", Pointer),
    ("SupplementalGroupsPolicy", "supplementalGroupsPolicy", Pointer),
    ("FSGroup", "fsGroup", Pointer),
    ("FSGroupChangePolicy", "fsGroupChangePolicy", Pointer),
    ("Sysctls", "sysctls", List(&[("Name", "name", Text), ("Value", "value", Text)])),
    ("SeccompProfile", "seccompProfile", Maybe(PROFILE)),
    ("AppArmorProfile", "appArmorProfile", Maybe(PROFILE)),
    ("SELinuxChangePolicy", "seLinuxChangePolicy", Pointer),
];

const PROFILE: Fields = &[("Type", "type", Text), ("LocalhostProfile", "localhostProfile", Pointer)];

const CONTAINER: Fields = &[
    ("Name", "name", Text),
    ("Image", "image", Text),
    ("Command", "command", Pointer),
    ("Args", "args", Pointer),
    ("WorkingDir", "workingDir", Text),
    ("Ports", "ports", List(PORT)),
    ("EnvFrom", "envFrom", Pointer),
    (
        "Env",
        "env",
        List(&[("Name", "name", Text), ("Value", "value", Text), ("ValueFrom", "valueFrom", Maybe(ENV_SOURCE))]),
    ),
    ("Resources", "resources", Struct(RESOURCES)),
    (
        "ResizePolicy",
        "resizePolicy",
        List(&[("ResourceName", "resourceName", Text), ("RestartPolicy", "restartPolicy", Text)]),
    ),
    ("RestartPolicy", "restartPolicy", Pointer),
    ("RestartPolicyRules", "restartPolicyRules", Pointer),
    ("VolumeMounts", "volumeMounts", List(MOUNT)),
    ("VolumeDevices", "volumeDevices", List(&[("Name", "name", Text), ("DevicePath", "devicePath", Text)])),
    ("LivenessProbe", "livenessProbe", Pointer),
    ("ReadinessProbe", "readinessProbe", Pointer),
    ("StartupProbe", "startupProbe", Pointer),
    ("Lifecycle", "lifecycle", Pointer),
    ("TerminationMessagePath", "terminationMessagePath", Text),
    ("TerminationMessagePolicy", "terminationMessagePolicy", Text),
    ("ImagePullPolicy", "imagePullPolicy", Text),
    ("SecurityContext", "securityContext", Maybe(SECURITY)),
    ("Stdin", "stdin", Flag),
    ("StdinOnce", "stdinOnce", Flag),
    ("TTY", "tty", Flag),
];

const RESOURCES: Fields =
    &[("Limits", "limits", Pointer), ("Requests", "requests", Pointer), ("Claims", "claims", Pointer)];

const PORT: Fields = &[
    ("Name", "name", Text),
    ("HostPort", "hostPort", Number),
    ("ContainerPort", "containerPort", Number),
    ("Protocol", "protocol", Text),
    ("HostIP", "hostIP", Text),
];

const ENV_SOURCE: Fields = &[
    ("FieldRef", "fieldRef", Maybe(&[("APIVersion", "apiVersion", Text), ("FieldPath", "fieldPath", Text)])),
    ("ResourceFieldRef", "resourceFieldRef", Pointer),
    ("ConfigMapKeyRef", "configMapKeyRef", Maybe(KEY_REF)),
    ("SecretKeyRef", "secretKeyRef", Maybe(KEY_REF)),
    ("FileKeyRef", "fileKeyRef", Pointer),
];

const KEY_REF: Fields = &[("Name", "name", Text), ("Key", "key", Text), ("Optional", "optional", Pointer)];

const MOUNT: Fields = &[
    ("Name", "name", Text),
    ("ReadOnly", "readOnly", Flag),
    ("RecursiveReadOnly", "recursiveReadOnly", Pointer),
    ("MountPath", "mountPath", Text),
    ("SubPath", "subPath", Text),
    ("MountPropagation", "mountPropagation", Pointer),
    ("SubPathExpr", "subPathExpr", Text),
];

const SECURITY: Fields = &[
    ("Capabilities", "capabilities", Maybe(&[("Add", "add", Pointer), ("Drop", "drop", Pointer)])),
    ("Privileged", "privileged", Pointer),
    ("SELinuxOptions", "seLinuxOptions", Pointer),
    ("WindowsOptions", "windowsOptions", Pointer),
    ("RunAsUser", "runAsUser", Pointer),
    ("RunAsGroup", "runAsGroup", Pointer),
    ("RunAsNonRoot", "runAsNonRoot", Pointer),
    ("ReadOnlyRootFilesystem", "readOnlyRootFilesystem", Pointer),
    ("AllowPrivilegeEscalation", "allowPrivilegeEscalation", Pointer),
    ("ProcMount", "procMount", Pointer),
    ("SeccompProfile", "seccompProfile", Maybe(PROFILE)),
    ("AppArmorProfile", "appArmorProfile", Maybe(PROFILE)),
];

const TOLERATION: Fields = &[
    ("Key", "key", Text),
    ("Operator", "operator", Text),
    ("Value", "value", Text),
    ("Effect", "effect", Text),
    ("TolerationSeconds", "tolerationSeconds", Pointer),
];

const DNS_CONFIG: Fields = &[
    ("Nameservers", "nameservers", Pointer),
    ("Searches", "searches", Pointer),
    ("Options", "options", List(&[("Name", "name", Text), ("Value", "value", Pointer)])),
];

const SPREAD: Fields = &[
    ("MaxSkew", "maxSkew", Number),
    ("TopologyKey", "topologyKey", Text),
    ("WhenUnsatisfiable", "whenUnsatisfiable", Text),
    ("LabelSelector", "labelSelector", Pointer),
    ("MinDomains", "minDomains", Pointer),
    ("NodeAffinityPolicy", "nodeAffinityPolicy", Pointer),
    ("NodeTaintsPolicy", "nodeTaintsPolicy", Pointer),
    ("MatchLabelKeys", "matchLabelKeys", Pointer),
];

const FAILURE_POLICY: Fields = &[(
    "Rules",
    "rules",
    List(&[
        ("Action", "action", Text),
        (
            "OnExitCodes",
            "onExitCodes",
            Maybe(&[
                ("ContainerName", "containerName", Pointer),
                ("Operator", "operator", Text),
                ("Values", "values", Pointer),
            ]),
        ),
        ("OnPodConditions", "onPodConditions", List(&[("Type", "type", Text), ("Status", "status", Text)])),
    ]),
)];

/// A pod's spec.
pub(super) fn pod_spec(spec: &Value) -> String {
    html_safe(&show(spec, POD_SPEC))
}

/// A pod template: its metadata is the API's own type.
pub(super) fn pod_template(template: &Value) -> String {
    let metadata = get(template, "metadata");
    let mut parts = Vec::new();
    for field in ["name", "generateName", "namespace", "uid", "labels", "annotations", "ownerReferences", "finalizers"]
    {
        let value = get(metadata, field);
        if !value.is_null() {
            parts.push(format!("\"{field}\":{value}"));
        }
    }
    parts.push(format!("\"Spec\":{}", show(get(template, "spec"), POD_SPEC)));
    html_safe(&format!("{{{}}}", parts.join(",")))
}

/// `podFailurePolicy` of a Job.
pub(super) fn failure_policy(policy: &Value) -> String {
    html_safe(&show_maybe(policy, FAILURE_POLICY))
}

/// A security context of a container.
pub(super) fn security_context(context: &Value) -> String {
    html_safe(&show(context, SECURITY))
}

fn show_maybe(value: &Value, fields: Fields) -> String {
    if value.is_null() { "null".to_owned() } else { show(value, fields) }
}

fn show(value: &Value, fields: Fields) -> String {
    let shown = fields.iter().map(|(name, field, is)| {
        let own = get(value, field);
        let shown = match is {
            Text if own.is_null() => "\"\"".to_owned(),
            Flag if own.is_null() => "false".to_owned(),
            Number if own.is_null() => "0".to_owned(),
            Text | Flag | Number | Pointer => own.to_string(),
            Struct(fields) => show(own, fields),
            Maybe(fields) => show_maybe(own, fields),
            Around(fields) => show_around(value, own, fields),
            List(fields) => match own.as_array() {
                None => "null".to_owned(),
                Some(items) => {
                    format!("[{}]", items.iter().map(|item| show(item, fields)).collect::<Vec<_>>().join(","))
                }
            },
        };
        format!("\"{name}\":{shown}")
    });
    format!("{{{}}}", shown.collect::<Vec<_>>().join(","))
}

/// A struct that holds fields of the struct around it, too.
fn show_around(around: &Value, own: &Value, fields: Fields) -> String {
    if own.is_null() {
        return "null".to_owned();
    }
    let mut whole = own.clone();
    for (_, field, _) in &fields[..5] {
        if let (Some(map), value) = (whole.as_object_mut(), get(around, field))
            && !value.is_null()
        {
            map.insert((*field).to_owned(), value.clone());
        }
    }
    show(&whole, fields)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn structs_are_shown_with_all_their_fields() {
        let policy = json!({"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1]}}]});
        assert_eq!(
            failure_policy(&policy),
            "{\"Rules\":[{\"Action\":\"FailJob\",\"OnExitCodes\":{\"ContainerName\":null,\"Operator\":\"In\",\"Values\":[1]},\"OnPodConditions\":null}]}"
        );
        assert_eq!(failure_policy(&Value::Null), "null");
        let spec = json!({"hostNetwork": true, "securityContext": {}, "containers": [{"name": "c", "image": "<i>"}]});
        let shown = pod_spec(&spec);
        assert!(shown.contains("\"SecurityContext\":{\"HostNetwork\":true,\"HostPID\":false,"), "{shown}");
        assert!(shown.contains("\"Image\":\"\\u003ci\\u003e\""), "{shown}");
        let template = pod_template(&json!({"metadata": {"labels": {"a": "b"}}, "spec": spec}));
        assert!(template.starts_with("{\"labels\":{\"a\":\"b\"},\"Spec\":{\"Volumes\":null,"), "{template}");
    }
}
