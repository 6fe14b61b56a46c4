//! Pod specs: lowered once, interned, shared by all equal pods.
//!
//! A spec keeps the typed Kubernetes object, from which each component lowers what only it needs (the scheduler its compiled
//! affinity terms, the kubelet its container models) into tables of its own by `SpecId`. What several components read stands here.

use k8s_openapi::api::core::v1 as core;
use serde_json::Value;

use super::columns::PodResources;
use super::ids::{LabelsId, SpecId, Sym};
use super::intern::Interner;
use crate::api::qos::QosClass;

/// `restartPolicy` of a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Restart after every exit.
    #[default]
    Always,
    /// Restart after a failure.
    OnFailure,
    /// Never restart.
    Never,
}

/// The spec of a pod without `nodeName`.
#[derive(Clone, Debug)]
pub struct PodSpec {
    /// The typed spec as accepted, without `nodeName`.
    pub typed: core::PodSpec,
    /// What a pod with this spec takes from its node.
    pub resources: PodResources,
    /// `priority`; 0 if admission set none.
    pub priority: i32,
    /// `schedulerName`.
    pub scheduler_name: Sym,
    /// `restartPolicy`.
    pub restart_policy: RestartPolicy,
    /// `terminationGracePeriodSeconds`.
    pub grace_seconds: u32,
    /// The class that its requests and limits put it into.
    pub qos: QosClass,
    /// Whether `schedulingGates` is not empty.
    pub gated: bool,
    /// Number of `initContainers`.
    pub n_init_containers: usize,
    /// Names of all containers: init containers, then regular ones.
    pub container_names: Vec<Sym>,
}

/// A pod template, lowered once per owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    /// The spec of its pods.
    pub spec: SpecId,
    /// The labels of its pods.
    pub labels: LabelsId,
    /// The annotations of its pods.
    pub annotations: LabelsId,
}

impl PodSpec {
    /// Lowers a defaulted spec (JSON of `spec` without `nodeName`).
    ///
    /// # Errors
    ///
    /// The text of the first field that is not of its type.
    pub fn lower(json: &Value, interner: &mut Interner) -> Result<PodSpec, String> {
        let typed: core::PodSpec = serde_json::from_value(json.clone()).map_err(|error| error.to_string())?;
        Ok(PodSpec::from_typed(typed, interner))
    }

    /// Lowers a typed spec.
    pub fn from_typed(typed: core::PodSpec, interner: &mut Interner) -> PodSpec {
        let pod = core::Pod { spec: Some(typed), ..core::Pod::default() };
        let resources = super::pod_resources::of_pod(&pod, interner);
        let qos = crate::api::qos::qos_class(&pod);
        let typed = pod.spec.unwrap_or_default();
        let init = typed.init_containers.iter().flatten();
        let container_names =
            init.map(|c| &c.name).chain(typed.containers.iter().map(|c| &c.name)).map(|n| interner.sym(n)).collect();
        if let (Some(hostname), Some(_)) = (&typed.hostname, &typed.subdomain) {
            // EndpointSlices name the pod by it.
            interner.sym(hostname);
        }
        PodSpec {
            resources,
            priority: typed.priority.unwrap_or(0),
            scheduler_name: interner.sym(typed.scheduler_name.as_deref().unwrap_or("default-scheduler")),
            restart_policy: match typed.restart_policy.as_deref() {
                Some("OnFailure") => RestartPolicy::OnFailure,
                Some("Never") => RestartPolicy::Never,
                _ => RestartPolicy::Always,
            },
            grace_seconds: u32::try_from(typed.termination_grace_period_seconds.unwrap_or(30).max(0))
                .unwrap_or(u32::MAX),
            qos,
            gated: typed.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()),
            n_init_containers: typed.init_containers.as_ref().map_or(0, Vec::len),
            container_names,
            typed,
        }
    }
}
