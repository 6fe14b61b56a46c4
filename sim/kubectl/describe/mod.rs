//! `kubectl describe`: an object, what belongs to it and its events, in words.
//!
//! Source: kubectl `pkg/describe/describe.go`.

mod batch;
mod certificates;
mod common;
mod config;
mod containers;
mod der;
mod events;
mod fields;
mod generic;
mod network;
mod network_policy;
mod node;
mod pod;
mod pod_resources;
mod policy;
mod rbac;
mod scaling;
mod storage;
mod template;
mod volumes;
mod workloads;
mod writer;

use serde_json::Value;

use super::look::text;
use super::view::{View, group_of};

pub(crate) use events::interval;
pub(crate) use fields::quote;
pub(crate) use node::node_roles;
pub(crate) use template::template;
pub(crate) use writer::Writer;

/// The description of one object.
pub(crate) fn describe_object(object: &Value, view: &View<'_>) -> String {
    let mut writer = Writer::default();
    let w = &mut writer;
    match (group_of(text(object, "apiVersion")), text(object, "kind")) {
        ("", "Pod") => pod::pod(w, object, view),
        ("", "ReplicationController") => workloads::replication_controller(w, object, view),
        ("apps", "ReplicaSet") => workloads::replica_set(w, object, view),
        ("apps", "Deployment") => workloads::deployment(w, object, view),
        ("apps", "StatefulSet") => workloads::stateful_set(w, object, view),
        ("apps", "DaemonSet") => workloads::daemon_set(w, object, view),
        ("batch", "Job") => batch::job(w, object, view),
        ("batch", "CronJob") => batch::cron_job(w, object, view),
        ("", "Service") => network::service(w, object, view),
        ("", "Endpoints") => network::endpoints(w, object, view),
        ("discovery.k8s.io", "EndpointSlice") => network::endpoint_slice(w, object, view),
        ("networking.k8s.io", "Ingress") => network::ingress(w, object, view),
        ("networking.k8s.io", "IngressClass") => network::ingress_class(w, object, view),
        ("networking.k8s.io", "NetworkPolicy") => network_policy::network_policy(w, object),
        ("networking.k8s.io", "ServiceCIDR") => network::service_cidr(w, object, view),
        ("networking.k8s.io", "IPAddress") => network::ip_address(w, object, view),
        ("", "Node") => node::node(w, object, view),
        ("", "Namespace") => config::namespace_object(w, object, view),
        ("", "ConfigMap") => config::config_map(w, object, view),
        ("", "Secret") => config::secret(w, object),
        ("", "ServiceAccount") => config::service_account(w, object, view),
        ("", "LimitRange") => config::limit_range(w, object),
        ("", "ResourceQuota") => config::resource_quota(w, object),
        ("", "PersistentVolume") => storage::persistent_volume(w, object, view),
        ("", "PersistentVolumeClaim") => storage::claim(w, object, view),
        ("storage.k8s.io", "StorageClass") => storage::storage_class_object(w, object, view),
        ("storage.k8s.io", "VolumeAttributesClass") => storage::volume_attributes_class(w, object, view),
        ("storage.k8s.io", "CSINode") => storage::csi_node(w, object, view),
        ("policy", "PodDisruptionBudget") => policy::disruption_budget(w, object, view),
        ("scheduling.k8s.io", "PriorityClass") => policy::priority_class(w, object, view),
        ("autoscaling", "HorizontalPodAutoscaler") => scaling::autoscaler(w, object, view),
        ("certificates.k8s.io", "CertificateSigningRequest") => certificates::signing_request(w, object, view),
        ("rbac.authorization.k8s.io", "Role" | "ClusterRole") => rbac::role(w, object),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => rbac::binding(w, object),
        _ => generic::generic(w, object, view),
    }
    writer.finish()
}
