//! The tables of `kubectl get`: the columns of each kind and how its cells are computed.
//!
//! Source: kubernetes `pkg/printers/internalversion/printers.go`; a kind without a printer of its own has name and creation
//! time (apiserver, `rest.NewDefaultTableConvertor`), a custom resource what its definition says.

mod batch;
mod certificates;
mod cluster;
mod config;
mod custom;
mod devices;
mod events;
mod network;
mod pods;
mod policy;
mod scaling;
mod storage;
mod workloads;

use serde_json::Value;

use super::age;
use super::look::{at, text};

pub(crate) use certificates::request_status;
pub(crate) use custom::custom_table;
pub(crate) use network::{join_host_port, load_balancer};
pub(crate) use storage::{access_modes, is_default_class, storage_class};

/// What a cell depends on besides the object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    /// Now, in microseconds since 1970. (The API server fills in the cells of wide tables always; kubectl leaves columns out.)
    pub(crate) now: i64,
}

impl Scene {
    /// The age of an object.
    fn age(self, object: &Value) -> String {
        age::since(at(object, "metadata.creationTimestamp"), self.now)
    }
}

/// The table of a kind.
pub(crate) struct Table {
    /// The headers; one that starts with `+` is printed with `-o wide` only.
    pub(crate) columns: &'static [&'static str],
    /// One cell per column.
    pub(crate) row: fn(&Value, Scene) -> Vec<String>,
}

const fn table(columns: &'static [&'static str], row: fn(&Value, Scene) -> Vec<String>) -> Table {
    Table { columns, row }
}

/// The table of a kind of a group.
pub(crate) fn table_of(kind: &str, group: &str) -> Table {
    match (group, kind) {
        ("", "Pod") => pods::POD,
        ("", "PodTemplate") => workloads::POD_TEMPLATE,
        ("", "ReplicationController") => workloads::REPLICATION_CONTROLLER,
        ("apps", "ReplicaSet") => workloads::REPLICA_SET,
        ("apps", "Deployment") => workloads::DEPLOYMENT,
        ("apps", "StatefulSet") => workloads::STATEFUL_SET,
        ("apps", "DaemonSet") => workloads::DAEMON_SET,
        ("apps", "ControllerRevision") => workloads::CONTROLLER_REVISION,
        ("batch", "Job") => batch::JOB,
        ("batch", "CronJob") => batch::CRON_JOB,
        ("", "Service") => network::SERVICE,
        ("", "Endpoints") => network::ENDPOINTS,
        ("discovery.k8s.io", "EndpointSlice") => network::ENDPOINT_SLICE,
        ("networking.k8s.io", "Ingress") => network::INGRESS,
        ("networking.k8s.io", "IngressClass") => network::INGRESS_CLASS,
        ("networking.k8s.io", "NetworkPolicy") => network::NETWORK_POLICY,
        ("networking.k8s.io", "ServiceCIDR") => network::SERVICE_CIDR,
        ("networking.k8s.io", "IPAddress") => network::IP_ADDRESS,
        ("", "Node") => cluster::NODE,
        ("", "Namespace") => cluster::NAMESPACE,
        ("coordination.k8s.io", "Lease") => cluster::LEASE,
        ("scheduling.k8s.io", "PriorityClass") => cluster::PRIORITY_CLASS,
        ("node.k8s.io", "RuntimeClass") => cluster::RUNTIME_CLASS,
        ("", "ConfigMap") => config::CONFIG_MAP,
        ("", "Secret") => config::SECRET,
        ("", "ServiceAccount") => config::SERVICE_ACCOUNT,
        ("", "ResourceQuota") => config::RESOURCE_QUOTA,
        ("", "Event") | ("events.k8s.io", "Event") => events::EVENT,
        ("autoscaling", "HorizontalPodAutoscaler") => scaling::HORIZONTAL_POD_AUTOSCALER,
        ("policy", "PodDisruptionBudget") => policy::POD_DISRUPTION_BUDGET,
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => policy::ROLE_BINDING,
        ("", "ComponentStatus") => cluster::COMPONENT_STATUS,
        ("apiregistration.k8s.io", "APIService") => cluster::API_SERVICE,
        ("coordination.k8s.io", "LeaseCandidate") => cluster::LEASE_CANDIDATE,
        ("flowcontrol.apiserver.k8s.io", "FlowSchema") => cluster::FLOW_SCHEMA,
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration") => cluster::PRIORITY_LEVEL,
        ("certificates.k8s.io", "CertificateSigningRequest") => certificates::SIGNING_REQUEST,
        ("certificates.k8s.io", "ClusterTrustBundle") => certificates::TRUST_BUNDLE,
        ("certificates.k8s.io", "PodCertificateRequest") => certificates::POD_CERTIFICATE_REQUEST,
        ("resource.k8s.io", "DeviceClass" | "ResourceClaimTemplate") => devices::NAMED,
        ("resource.k8s.io", "ResourceClaim") => devices::RESOURCE_CLAIM,
        ("resource.k8s.io", "ResourceSlice") => devices::RESOURCE_SLICE,
        ("resource.k8s.io", "DeviceTaintRule") => devices::DEVICE_TAINT_RULE,
        ("internal.apiserver.k8s.io", "StorageVersion") => storage::STORAGE_VERSION,
        ("storagemigration.k8s.io", "StorageVersionMigration") => storage::STORAGE_VERSION_MIGRATION,
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration") => {
            policy::WEBHOOKS
        }
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy") => policy::VALIDATING_POLICY,
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicy") => policy::MUTATING_POLICY,
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding" | "MutatingAdmissionPolicyBinding") => {
            policy::POLICY_BINDING
        }
        ("", "PersistentVolume") => storage::PERSISTENT_VOLUME,
        ("", "PersistentVolumeClaim") => storage::PERSISTENT_VOLUME_CLAIM,
        ("storage.k8s.io", "StorageClass") => storage::STORAGE_CLASS,
        ("storage.k8s.io", "VolumeAttributesClass") => storage::VOLUME_ATTRIBUTES_CLASS,
        ("storage.k8s.io", "VolumeAttachment") => storage::VOLUME_ATTACHMENT,
        ("storage.k8s.io", "CSIDriver") => storage::CSI_DRIVER,
        ("storage.k8s.io", "CSINode") => storage::CSI_NODE,
        ("storage.k8s.io", "CSIStorageCapacity") => storage::CSI_STORAGE_CAPACITY,
        _ => table(&["NAME", "CREATED AT"], |object, _| {
            vec![name(object), text(object, "metadata.creationTimestamp").to_owned()]
        }),
    }
}

fn name(object: &Value) -> String {
    super::look::name(object).to_owned()
}

/// The names and the images of containers, each joined by commas.
fn containers(template_spec: &Value) -> (String, String) {
    let containers = super::look::list(template_spec, "containers");
    let join = |field: &str| containers.iter().map(|item| text(item, field)).collect::<Vec<_>>().join(",");
    (join("name"), join("image"))
}
