//! Whether a container that has exited starts again (pkg/api/v1/pod/util.go, `ContainerShouldRestart`).

use super::shape::{ContainerKind, PodShape};
use crate::cluster::RestartPolicy;

/// What follows an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The container starts again, after its back-off.
    Restart,
    /// All containers of the pod start again in place, init containers first.
    RestartAll,
    /// It stays as it is.
    Stop,
}

/// What follows when container `idx` exits with `exit_code`: the first rule of the container that matches, else the policy of the
/// container, else the policy of the pod. A regular init container that has succeeded is done under every policy.
pub fn decide(shape: &PodShape, idx: usize, exit_code: i32) -> Decision {
    let container = &shape.containers[idx];
    if container.restart_policy.is_some() {
        let matched = container.restart_rules.iter().find(|rule| rule.values.contains(&exit_code) != rule.not_in);
        if let Some(rule) = matched {
            return if rule.all_containers { Decision::RestartAll } else { Decision::Restart };
        }
    }
    if container.kind == ContainerKind::Init && exit_code == 0 {
        return Decision::Stop;
    }
    let restarts = match container.restart_policy.unwrap_or(shape.restart_policy) {
        RestartPolicy::Always => true,
        RestartPolicy::OnFailure => exit_code != 0,
        RestartPolicy::Never => false,
    };
    if restarts { Decision::Restart } else { Decision::Stop }
}
