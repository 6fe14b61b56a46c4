//! The kinds of the API, each with its defaults, its preparation by the registry and its checks.

mod affinity;
mod autoscaling;
mod cluster;
mod config;
mod container;
mod cron_job;
mod definition;
mod definition_schema;
mod definition_structural;
mod endpoint_hints;
mod internal;
mod job;
mod job_policies;
pub mod metadata;
mod network;
mod pod;
pub mod pod_resize;
mod pod_resources;
mod pod_update;
mod probe;
mod quota;
mod rbac;
mod resources;
mod schedule;
mod security;
pub mod service;
mod service_update;
mod storage;
mod update;
mod volume;
mod warnings;
mod warnings_pod;
mod warnings_text;
mod windows;
mod workload;

pub use container::tag_is_latest;
pub use definition::manifest_path;
pub use pod_resources::qos_class;
pub use warnings::warnings;

use super::causes::Causes;
use metadata::{NameRule, label_name, path_segment_name, subdomain_name};
use serde_json::Value;

/// What the registry knows when it makes an object.
#[derive(Clone, Copy, Debug)]
pub struct Birth<'a> {
    /// The uid of the new object.
    pub uid: &'a str,
    /// Now, as RFC 3339 in whole seconds.
    pub now: &'a str,
}

/// The rules of one kind.
#[derive(Debug)]
pub struct Rules {
    /// What a name must look like.
    pub name: NameRule,
    /// Fills in what was left out.
    pub default: fn(&mut Value),
    /// What the registry gives a new object.
    pub prepare: fn(&mut Value, Birth<'_>),
    /// What the registry gives a new version of an object: new, old.
    pub prepare_update: fn(&mut Value, &Value),
    /// Checks what a new object would be given by allocators, before anything else.
    pub allocate: fn(&Value, &mut Causes),
    /// Checks all but `metadata`; the second is the stored object in an update.
    pub validate: fn(&Value, Option<&Value>, &mut Causes),
    /// Checks what an update may change: new, old.
    pub validate_update: fn(&Value, &Value, &mut Causes),
    /// Whether objects count the changes of their spec.
    pub has_generation: bool,
    /// Whether the count goes up.
    pub counts_changes: bool,
    /// What happens to a status that is written with a new object.
    pub status: StatusAtBirth,
    /// Whether an update needs a resourceVersion.
    pub needs_resource_version: bool,
}

/// What happens to a status that is written with a new object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusAtBirth {
    /// It is emptied.
    Reset,
    /// It stays.
    Kept,
}

const PLAIN: Rules = Rules {
    name: subdomain_name,
    default: |_| (),
    prepare: |_, _| (),
    prepare_update: |_, _| (),
    allocate: |_, _| (),
    validate: |_, _, _| (),
    validate_update: |_, _, _| (),
    has_generation: false,
    counts_changes: true,
    status: StatusAtBirth::Reset,
    needs_resource_version: false,
};

const COUNTED: Rules = Rules { has_generation: true, ..PLAIN };

/// The rules of a kind; kinds without rules of their own are only checked for their metadata.
pub fn rules(kind: &str) -> &'static Rules {
    match kind {
        "Pod" => &POD,
        "PodTemplate" => &POD_TEMPLATE,
        "Deployment" => &DEPLOYMENT,
        "ReplicaSet" => &REPLICA_SET,
        "ReplicationController" => &REPLICATION_CONTROLLER,
        "StatefulSet" => &STATEFUL_SET,
        "DaemonSet" => &DAEMON_SET,
        "Job" => &JOB,
        "CronJob" => &CRON_JOB,
        "Service" => &SERVICE,
        "Ingress" => &INGRESS,
        "IngressClass" => &INGRESS_CLASS,
        "NetworkPolicy" => &NETWORK_POLICY,
        "EndpointSlice" => &ENDPOINT_SLICE,
        "HorizontalPodAutoscaler" => &AUTOSCALER,
        "PodDisruptionBudget" => &BUDGET,
        "ConfigMap" => &CONFIG_MAP,
        "Secret" => &SECRET,
        "PersistentVolumeClaim" => &CLAIM,
        "PersistentVolume" => &VOLUME,
        "StorageClass" => &STORAGE_CLASS,
        "ResourceQuota" => &QUOTA,
        "LimitRange" => &LIMIT_RANGE,
        "Role" | "ClusterRole" => &ROLE,
        "RoleBinding" | "ClusterRoleBinding" => &BINDING,
        "Namespace" => &NAMESPACE,
        "Node" => &NODE,
        "PriorityClass" => &PRIORITY_CLASS,
        "Lease" => &LEASE,
        "RuntimeClass" => &RUNTIME_CLASS,
        "CSIDriver" => &CSI_DRIVER,
        "CSIStorageCapacity" => &STORAGE_CAPACITY,
        "VolumeAttributesClass" => &VOLUME_ATTRIBUTES_CLASS,
        "VolumeAttachment" => &VOLUME_ATTACHMENT,
        "Endpoints" => &ENDPOINTS,
        "ControllerRevision" => &CONTROLLER_REVISION,
        "CertificateSigningRequest" => &SIGNING_REQUEST,
        "CustomResourceDefinition" => &CUSTOM_RESOURCE_DEFINITION,
        "ValidatingAdmissionPolicy" => &ADMISSION_POLICY,
        _ => &PLAIN,
    }
}

static ADMISSION_POLICY: Rules =
    Rules { validate: |object, _, causes| super::admission::policy::validate_expressions(object, causes), ..COUNTED };
static POD: Rules = Rules {
    default: pod::default,
    prepare: |object, birth| pod::prepare(object, birth.now),
    validate: |object, old, causes| pod::validate(object, old.is_some(), causes),
    validate_update: pod_update::validate,
    ..COUNTED
};
static POD_TEMPLATE: Rules = Rules {
    default: |object| pod::default_template(crate::api::view::ensure(object, "template")),
    validate: |object, _, causes| {
        let path = super::causes::Path::ROOT.child("template");
        pod::validate_template(crate::api::view::get(object, "template"), &path, causes);
    },
    ..COUNTED
};
static DEPLOYMENT: Rules = Rules {
    default: workload::default_deployment,
    validate: |object, _, causes| workload::validate_deployment(object, causes),
    validate_update: workload::validate_selector_update,
    ..COUNTED
};
static REPLICA_SET: Rules = Rules {
    default: workload::default_replica_set,
    validate: |object, _, causes| workload::validate_replica_set(object, causes),
    validate_update: workload::validate_selector_update,
    ..COUNTED
};
static REPLICATION_CONTROLLER: Rules = Rules {
    default: workload::default_replication_controller,
    validate: |object, _, causes| workload::validate_replication_controller(object, causes),
    ..COUNTED
};
static STATEFUL_SET: Rules = Rules {
    name: label_name,
    default: workload::default_stateful_set,
    validate: |object, _, causes| workload::validate_stateful_set(object, causes),
    validate_update: workload::validate_stateful_set_update,
    ..COUNTED
};
static DAEMON_SET: Rules = Rules {
    default: workload::default_daemon_set,
    prepare: |object, _| workload::prepare_daemon_set(object),
    prepare_update: workload::prepare_daemon_set_update,
    validate: |object, _, causes| workload::validate_daemon_set(object, causes),
    validate_update: workload::validate_selector_update,
    ..COUNTED
};
static JOB: Rules = Rules {
    default: job::default_job,
    prepare: |object, birth| job::prepare_job(object, birth.uid),
    validate: |object, _, causes| job::validate_job(object, causes),
    validate_update: job::validate_job_update,
    ..COUNTED
};
static CRON_JOB: Rules = Rules { default: cron_job::default, validate: cron_job::validate, ..COUNTED };
static SERVICE: Rules = Rules {
    name: label_name,
    default: service::default,
    prepare_update: service_update::prepare,
    prepare: |object, _| service::prepare(object),
    allocate: service::validate_allocation,
    validate: |object, _, causes| service::validate(object, causes),
    validate_update: service_update::validate,
    ..PLAIN
};
static INGRESS: Rules = Rules {
    prepare: |object, _| network::prepare_ingress(object),
    validate: |object, _, causes| network::validate_ingress(object, causes),
    ..COUNTED
};
static INGRESS_CLASS: Rules = Rules {
    default: network::default_ingress_class,
    validate: |object, _, causes| network::validate_ingress_class(object, causes),
    validate_update: update::ingress_class,
    ..COUNTED
};
static NETWORK_POLICY: Rules = Rules {
    default: network::default_network_policy,
    validate: |object, _, causes| network::validate_network_policy(object, causes),
    ..COUNTED
};
static ENDPOINT_SLICE: Rules = Rules {
    default: network::default_endpoint_slice,
    validate: |object, _, causes| network::validate_endpoint_slice(object, causes),
    validate_update: update::endpoint_slice,
    ..COUNTED
};
static AUTOSCALER: Rules = Rules {
    default: autoscaling::default_autoscaler,
    prepare: |object, _| autoscaling::prepare_autoscaler(object),
    validate: |object, _, causes| autoscaling::validate_autoscaler(object, causes),
    ..PLAIN
};
static BUDGET: Rules = Rules {
    prepare: |object, _| autoscaling::prepare_budget(object),
    validate: |object, _, causes| autoscaling::validate_budget(object, causes),
    needs_resource_version: true,
    ..COUNTED
};
static CONFIG_MAP: Rules = Rules {
    validate: |object, _, causes| config::validate_config_map(object, causes),
    validate_update: config::validate_update,
    ..PLAIN
};
static SECRET: Rules = Rules {
    default: config::default_secret,
    validate: |object, _, causes| config::validate_secret(object, causes),
    validate_update: config::validate_update,
    ..PLAIN
};
static CLAIM: Rules = Rules {
    default: storage::default_claim,
    prepare: |object, _| storage::prepare_claim(object),
    validate: |object, _, causes| storage::validate_claim(object, causes),
    validate_update: storage::validate_claim_update,
    ..PLAIN
};
static VOLUME: Rules = Rules {
    default: storage::default_volume,
    prepare: |object, birth| storage::prepare_volume(object, birth.now),
    validate: |object, _, causes| storage::validate_volume(object, causes),
    validate_update: storage::validate_volume_update,
    ..PLAIN
};
static STORAGE_CLASS: Rules = Rules {
    default: storage::default_class,
    validate: |object, _, causes| storage::validate_class(object, causes),
    validate_update: storage::validate_class_update,
    ..PLAIN
};
static QUOTA: Rules = Rules {
    default: quota::default_quota,
    validate: |object, _, causes| quota::validate_quota(object, causes),
    validate_update: quota::validate_quota_update,
    ..PLAIN
};
static LIMIT_RANGE: Rules = Rules {
    default: quota::default_limit_range,
    validate: |object, _, causes| quota::validate_limit_range(object, causes),
    ..PLAIN
};
static ROLE: Rules =
    Rules { name: path_segment_name, validate: |object, _, causes| rbac::validate_role(object, causes), ..PLAIN };
static BINDING: Rules = Rules {
    name: path_segment_name,
    default: rbac::default_binding,
    validate: |object, _, causes| rbac::validate_binding(object, causes),
    validate_update: rbac::validate_binding_update,
    ..PLAIN
};
static NAMESPACE: Rules = Rules {
    name: label_name,
    default: cluster::default_namespace,
    prepare: |object, _| cluster::prepare_namespace(object),
    validate: |object, _, causes| cluster::validate_namespace(object, causes),
    prepare_update: update::prepare_namespace,
    ..PLAIN
};
static NODE: Rules = Rules {
    default: cluster::default_node,
    prepare: |object, _| cluster::prepare_node(object),
    validate: |object, _, causes| cluster::validate_node(object, causes),
    validate_update: cluster::validate_node_update,
    status: StatusAtBirth::Kept,
    ..PLAIN
};
static PRIORITY_CLASS: Rules = Rules {
    default: cluster::default_priority_class,
    validate: |object, _, causes| cluster::validate_priority_class(object, causes),
    validate_update: cluster::validate_priority_class_update,
    counts_changes: false,
    ..COUNTED
};
static LEASE: Rules = Rules {
    validate: |object, _, causes| cluster::validate_lease(object, causes),
    needs_resource_version: true,
    ..PLAIN
};
static RUNTIME_CLASS: Rules = Rules {
    validate: |object, _, causes| update::validate_runtime_class(object, causes),
    validate_update: update::runtime_class,
    ..PLAIN
};
static CSI_DRIVER: Rules = Rules { validate_update: update::csi_driver, ..PLAIN };
static STORAGE_CAPACITY: Rules = Rules { validate_update: update::storage_capacity, ..PLAIN };
static VOLUME_ATTRIBUTES_CLASS: Rules = Rules { validate_update: update::volume_attributes_class, ..PLAIN };
static VOLUME_ATTACHMENT: Rules = Rules { validate_update: update::volume_attachment, ..PLAIN };
static CONTROLLER_REVISION: Rules = Rules {
    validate: |object, _, causes| config::validate_revision(object, causes),
    validate_update: update::controller_revision,
    ..PLAIN
};
static ENDPOINTS: Rules = Rules {
    default: network::default_endpoints,
    validate: |object, _, causes| network::validate_endpoints(object, causes),
    ..PLAIN
};
static SIGNING_REQUEST: Rules = Rules { prepare_update: update::prepare_signing_request, ..PLAIN };
static CUSTOM_RESOURCE_DEFINITION: Rules = Rules {
    default: definition::default,
    prepare: |object, _| definition::prepare(object),
    prepare_update: definition::prepare_update,
    validate: |object, _, causes| definition::validate(object, causes),
    validate_update: definition::validate_update,
    ..COUNTED
};

#[cfg(test)]
mod tests;
