//! Whether a cluster has come to rest where its specs say: the last law of a case, once all troubles are over.

use std::collections::BTreeSet;

use super::Case;
use crate::cluster::objects::{
    DaemonSet, Deployment, EndpointSlice, Job, PodDisruptionBudget, ReplicaSet, ResourceQuota, Service, StatefulSet,
};
use crate::cluster::{Cluster, ObjId, PodId};

/// Everything that is not as it should be in the end.
pub(super) fn unrest(case: &Case, cluster: &Cluster) -> Vec<String> {
    let mut unrest = Vec::new();
    nodes(cluster, &mut unrest);
    pods(case, cluster, &mut unrest);
    for (id, object) in cluster.objects() {
        let name = cluster.name(id);
        if object.meta.is_deleting() {
            unrest.push(format!("{} {name} is still being deleted", object.info.kind));
        }
        let flaky = case.flaky.iter().any(|flaky| flaky == name);
        let seen = match object.info.kind {
            "Deployment" => deployment(id, cluster, flaky),
            "StatefulSet" => stateful_set(id, cluster, flaky),
            "DaemonSet" => daemon_set(id, cluster),
            "Job" => job(id, cluster),
            "Service" => endpoints(id, cluster),
            "PodDisruptionBudget" => budget(id, cluster),
            "ResourceQuota" => quota(id, cluster),
            _ => None,
        };
        unrest.extend(seen.map(|seen| format!("{} {name}: {seen}", object.info.kind)));
    }
    unrest
}

fn nodes(cluster: &Cluster, unrest: &mut Vec<String>) {
    for (id, node) in cluster.nodes() {
        let name = cluster.name(id);
        if !node.conditions.is_true(cluster.words.ready) {
            unrest.push(format!("Node {name} is not ready"));
        }
        if let Some(taint) = node.taints.first() {
            unrest.push(format!("Node {name} has the taint {}", taint.taint.key));
        }
    }
}

fn pods(case: &Case, cluster: &Cluster, unrest: &mut Vec<String>) {
    for (id, pod) in cluster.pods() {
        let name = cluster.name(id);
        if pod.meta.is_deleting() {
            unrest.push(format!("Pod {name} is still terminating"));
        } else if pod.node.is_none() && !pod.phase.is_terminal() {
            unrest.push(format!("Pod {name} has no node"));
        } else if !pod.phase.is_terminal() && !pod.conditions.is_true(cluster.words.ready) {
            let flaky = case.flaky.iter().any(|flaky| cluster.label(pod.meta.labels, "app") == Some(flaky));
            if !flaky && !is_of_running_job(id, cluster) {
                unrest.push(format!("Pod {name} is not ready"));
            }
        }
    }
}

fn is_of_running_job(pod: PodId, cluster: &Cluster) -> bool {
    cluster.controller_of(pod).is_some_and(|owner| cluster.kind(owner) == "Job")
}

fn deployment(id: ObjId, cluster: &Cluster, flaky: bool) -> Option<String> {
    let deployment = cluster.get::<Deployment>(id);
    let (status, wanted) = (&deployment.status, deployment.replicas);
    let sets = cluster.dependents(id).filter_map(|dependent| match dependent {
        crate::cluster::ObjectRef::Object(set) => cluster.try_get::<ReplicaSet>(set),
        _ => None,
    });
    let sizes: Vec<i32> = sets.map(|set| set.replicas).filter(|&size| size > 0).collect();
    let observed = status.observed_generation == cluster.object(id).meta.generation;
    let counts = [status.replicas, status.updated, status.ready, status.available];
    let complete =
        if flaky { counts[..2].iter().all(|&n| n == wanted) || sizes.len() > 1 } else { counts == [wanted; 4] };
    let one_set = flaky || sizes.iter().sum::<i32>() == wanted && sizes.len() <= 1;
    let terms = (observed, complete, one_set);
    (terms != (true, true, true)).then(|| format!("{wanted} wanted, status {status:?}, ReplicaSets of {sizes:?}"))
}

fn stateful_set(id: ObjId, cluster: &Cluster, flaky: bool) -> Option<String> {
    let set = cluster.get::<StatefulSet>(id);
    let (status, wanted) = (&set.status, set.replicas);
    let counts = [status.replicas, status.updated, status.ready, status.available];
    let complete = counts == [wanted; 4] && status.current_revision == status.update_revision;
    (!flaky && !complete).then(|| format!("{wanted} wanted, status {status:?}"))
}

fn daemon_set(id: ObjId, cluster: &Cluster) -> Option<String> {
    let status = &cluster.get::<DaemonSet>(id).status;
    let wanted = cluster.n_nodes() as i32;
    let counts = [status.desired, status.current, status.updated, status.ready, status.available];
    (counts != [wanted; 5] || status.misscheduled != 0).then(|| format!("{wanted} nodes, status {status:?}"))
}

fn job(id: ObjId, cluster: &Cluster) -> Option<String> {
    let job = cluster.get::<Job>(id);
    let status = &job.status;
    let is_true = |kind: &str| cluster.interner.find(kind).is_some_and(|kind| status.conditions.is_true(kind));
    let ended = is_true("Complete") || is_true("Failed");
    if ended && (status.active, status.terminating.unwrap_or(0)) != (0, 0) {
        return Some(format!("it has ended and has pods: {status:?}"));
    }
    if is_true("Complete") && status.completion_time.is_none() {
        return Some("it is complete without completionTime".to_owned());
    }
    (!ended && !job.suspend).then(|| format!("it has not ended: {status:?}"))
}

fn endpoints(id: ObjId, cluster: &Cluster) -> Option<String> {
    let service = cluster.get::<Service>(id);
    let selector = service.selector.as_ref()?;
    let namespace = cluster.object(id).meta.namespace;
    let matches = |pod: &PodId| {
        let row = cluster.pod(*pod);
        row.is_active()
            && row.conditions.is_true(cluster.words.ready)
            && selector.matches(|key| cluster.interner.value_text(row.meta.labels, key))
    };
    let wanted: BTreeSet<PodId> = cluster.pods_in(namespace).filter(matches).collect();
    let mut listed = BTreeSet::new();
    for slice in cluster.of_kind_in("EndpointSlice", namespace) {
        if cluster.label(cluster.object(slice).meta.labels, "kubernetes.io/service-name") == Some(cluster.name(id)) {
            let endpoints = &cluster.get::<EndpointSlice>(slice).endpoints;
            listed.extend(endpoints.iter().filter(|endpoint| endpoint.ready).map(|endpoint| endpoint.pod));
        }
    }
    let names = |pods: &BTreeSet<PodId>| pods.iter().map(|&pod| cluster.name(pod).to_owned()).collect::<Vec<_>>();
    (wanted != listed).then(|| format!("ready are {:?}, listed {:?}", names(&wanted), names(&listed)))
}

fn budget(id: ObjId, cluster: &Cluster) -> Option<String> {
    let budget = cluster.get::<PodDisruptionBudget>(id);
    let namespace = cluster.object(id).meta.namespace;
    let healthy = cluster.pods_in(namespace).filter(|&pod| {
        let row = cluster.pod(pod);
        let matches = budget.selector.matches(|key| cluster.interner.value_text(row.meta.labels, key));
        matches && row.is_active() && row.conditions.is_true(cluster.words.ready)
    });
    let healthy = healthy.count() as i32;
    let allowed = (healthy - budget.desired_healthy).max(0).min(if budget.expected_pods > 0 { i32::MAX } else { 0 });
    let right = (budget.current_healthy, budget.disruptions_allowed) == (healthy, allowed);
    (!right).then(|| format!("{healthy} serve: {budget:?}"))
}

fn quota(id: ObjId, cluster: &Cluster) -> Option<String> {
    let quota = cluster.get::<ResourceQuota>(id);
    let usage = cluster.quota_usage(id);
    let wrong = quota.used.iter().find(|(resource, used)| usage.get(*resource).is_some_and(|usage| usage != *used));
    wrong.map(|(resource, used)| format!("{used} {resource} used, its pods take {}", usage[resource]))
}
