//! `daemonNode` and `scaleDown`: where daemon pods run, and which pods a ReplicaSet deletes first.

use k8s_openapi::api::core::v1 as k8s;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::{text, typed};
use crate::api::resources::is_restartable_init_container;
use crate::api::toleration::Taint;
use crate::controllers::daemon_placement::DaemonPlacement;
use crate::controllers::deletion_rank::{
    DeletionFacts, DeletionPhase, POD_DELETION_COST, deletion_cost, replica_set_deletion_order,
};

/// A node and the template of a DaemonSet.
pub(super) fn daemon_node(case: &Value) -> Value {
    let node: k8s::Node = typed(&case["node"]);
    let template: k8s::PodTemplateSpec = typed(&case["template"]);
    let placement = DaemonPlacement::of_template(&template.spec.unwrap_or_default());
    let labels = node.metadata.labels.unwrap_or_default();
    let api_taints = node.spec.and_then(|spec| spec.taints).unwrap_or_default();
    let taints: Vec<Taint> = api_taints.iter().filter_map(Taint::from_api).collect();
    let name = node.metadata.name.unwrap_or_default();
    let verdict = placement.on_node(&name, |key| labels.get(key).map(String::as_str), &taints);
    let mut tolerations: Vec<String> = placement
        .tolerations()
        .iter()
        .map(|toleration| {
            let effect = toleration.effect.map_or("", |effect| effect.as_str());
            [&toleration.key, toleration.operator.as_str(), &toleration.value, effect].join("|")
        })
        .collect();
    tolerations.sort();
    json!({
        "shouldRun": verdict.should_run,
        "shouldContinueRunning": verdict.should_continue_running,
        "tolerations": tolerations,
    })
}

/// The pods of a ReplicaSet with their ranks.
pub(super) fn scale_down(case: &Value) -> Value {
    let pods: Vec<k8s::Pod> = typed(&case["pods"]);
    let ranks: Vec<i64> = typed(&case["ranks"]);
    let now = text(case, "now").parse::<Timestamp>().unwrap_or_default().as_microsecond();
    let facts: Vec<DeletionFacts<&str>> =
        pods.iter().enumerate().map(|(idx, pod)| facts(pod, ranks.get(idx).copied().unwrap_or(0))).collect();
    let order = replica_set_deletion_order(&facts, now);
    let names: Vec<&str> = order.iter().map(|&idx| pods[idx].metadata.name.as_deref().unwrap_or_default()).collect();
    json!({ "deleteOrder": names.join(",") })
}

fn facts(pod: &k8s::Pod, rank: i64) -> DeletionFacts<&str> {
    let spec = pod.spec.as_ref();
    let status = pod.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let ready = conditions.iter().find(|condition| condition.type_ == "Ready").filter(|ready| ready.status == "True");
    let sidecars = spec.and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
    let is_sidecar = |name: &str| sidecars.iter().any(|c| c.name == name && is_restartable_init_container(c));
    let containers = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let init_containers = status.and_then(|status| status.init_container_statuses.as_deref()).unwrap_or_default();
    DeletionFacts {
        scheduled: spec.and_then(|spec| spec.node_name.as_deref()).is_some_and(|name| !name.is_empty()),
        phase: DeletionPhase::parse(status.and_then(|status| status.phase.as_deref()).unwrap_or_default()),
        ready: ready.is_some(),
        ready_since_us: ready.and_then(|ready| Some(ready.last_transition_time.as_ref()?.0.as_microsecond())),
        deletion_cost: deletion_cost(
            pod.metadata.annotations.as_ref().and_then(|annotations| annotations.get(POD_DELETION_COST)).map(|s| &**s),
        ),
        rank,
        restarts: containers.iter().map(|status| status.restart_count).max().unwrap_or(0),
        sidecar_restarts: init_containers
            .iter()
            .filter(|status| is_sidecar(&status.name))
            .map(|status| status.restart_count)
            .max()
            .unwrap_or(0),
        created_us: pod.metadata.creation_timestamp.as_ref().map(|time| time.0.as_microsecond()),
        uid: pod.metadata.uid.as_deref().unwrap_or_default(),
    }
}
