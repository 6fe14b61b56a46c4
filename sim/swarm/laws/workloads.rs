//! Laws about what controllers do: surge and availability of Deployments, the order of StatefulSets, one daemon a node, parallelism of Jobs.

use std::collections::BTreeMap;

use super::{Recent, called, serves};
use crate::api::int_or_percent::Round;
use crate::cluster::objects::{
    ConcurrencyPolicy, CronJob, DaemonSet, Deployment, DeploymentStrategy, Job, ReplicaSet, StatefulSet,
};
use crate::cluster::{Change, Cluster, NodeId, ObjId, ObjectRef, PodId, What};
use crate::engine::Time;

#[derive(Default)]
pub(super) struct Workloads {
    /// What users wanted lately: `replicas`, or `parallelism`.
    wanted: BTreeMap<ObjId, Recent>,
    /// The last size of each ReplicaSet.
    sizes: BTreeMap<ObjId, i32>,
    /// When pods stopped serving.
    stopped: super::Instants,
    /// Deployments that had all their pods at some time since their last change of size, and how many those were.
    was_complete: BTreeMap<ObjId, i32>,
}

type Found = Vec<(&'static str, String)>;

impl Workloads {
    pub(super) fn change(&mut self, at: Time, change: Change, cluster: &Cluster, calm: bool, found: &mut Found) {
        match change.object {
            ObjectRef::Object(id) if matches!(change.what, What::Created | What::Spec) => {
                self.wants(at, id, cluster);
                if cluster.try_get::<ReplicaSet>(id).is_some() {
                    self.resized(at, id, cluster, found);
                }
                if change.what == What::Created && cluster.try_get::<Job>(id).is_some() {
                    one_job_at_a_time(id, cluster, found);
                }
            }
            ObjectRef::Pod(pod) => self.pod(at, pod, change.what, cluster, calm, found),
            _ => {}
        }
    }

    fn wants(&mut self, at: Time, id: ObjId, cluster: &Cluster) {
        let wanted = (cluster.try_get::<Deployment>(id).map(|deployment| deployment.replicas))
            .or_else(|| cluster.try_get::<Job>(id).map(|job| if job.suspend { 0 } else { job.parallelism }));
        if let Some(wanted) = wanted {
            self.wanted.entry(id).or_default().set(at, wanted);
        }
    }

    /// A ReplicaSet was scaled: not above what its Deployment allows.
    fn resized(&mut self, at: Time, id: ObjId, cluster: &Cluster, found: &mut Found) {
        let size = cluster.get::<ReplicaSet>(id).replicas;
        let before = self.sizes.insert(id, size).unwrap_or(0);
        let Some(ObjectRef::Object(owner)) = cluster.controller_of(id) else { return };
        let Some(deployment) = cluster.try_get::<Deployment>(owner) else { return };
        if size <= before || cluster.object(owner).meta.removed {
            return;
        }
        let siblings = || {
            cluster.dependents(owner).filter_map(|dependent| match dependent {
                ObjectRef::Object(set) if cluster.try_get::<ReplicaSet>(set).is_some() => Some(set),
                _ => None,
            })
        };
        let total: i32 = siblings().map(|set| cluster.get::<ReplicaSet>(set).replicas).sum();
        let wanted = self.wanted.entry(owner).or_default().most(at);
        match deployment.strategy {
            DeploymentStrategy::RollingUpdate { max_surge, .. } => {
                let most = wanted + max_surge.scaled(wanted, Round::Up);
                if total > most {
                    let seen = format!(
                        "{}: {total} replicas wanted of all ReplicaSets, at most {most}",
                        called(cluster, owner)
                    );
                    found.push(("maxSurge bounds a rollout", seen));
                }
            }
            DeploymentStrategy::Recreate => {
                let old = siblings().filter(|&set| set != id && size > 0).flat_map(|set| cluster.pods_of(set));
                if let Some(pod) = old.into_iter().find(|&pod| !cluster.pod(pod).phase.is_terminal()) {
                    let seen =
                        format!("{} was scaled to {size} while {} is there", called(cluster, id), called(cluster, pod));
                    found.push(("Recreate waits for the old pods", seen));
                }
            }
        }
    }

    fn pod(&mut self, at: Time, pod: PodId, what: What, cluster: &Cluster, calm: bool, found: &mut Found) {
        if serves(cluster, pod) {
            self.stopped.remove(&pod);
        } else {
            self.stopped.entry(pod).or_insert(at);
        }
        let Some(ObjectRef::Object(owner)) = cluster.controller_of(pod) else { return };
        if calm && let Some(ObjectRef::Object(deployment)) = cluster.controller_of(owner) {
            self.stays_available(deployment, cluster, found);
        }
        match what {
            What::Created if cluster.try_get::<StatefulSet>(owner).is_some() => {
                self.in_order(at, pod, owner, cluster, found)
            }
            What::Deleting if cluster.try_get::<StatefulSet>(owner).is_some() => {
                out_of_order(pod, owner, cluster, found)
            }
            What::Bound(node) if cluster.try_get::<DaemonSet>(owner).is_some() => {
                one_daemon(owner, node, cluster, found)
            }
            What::Created if cluster.try_get::<Job>(owner).is_some() => self.parallelism(at, owner, cluster, found),
            _ => {}
        }
    }

    /// In a calm run a Deployment that once had all its pods never has fewer than `replicas - maxUnavailable` that serve.
    fn stays_available(&mut self, id: ObjId, cluster: &Cluster, found: &mut Found) {
        let Some(deployment) = cluster.try_get::<Deployment>(id) else { return };
        let DeploymentStrategy::RollingUpdate { max_surge, max_unavailable } = deployment.strategy else { return };
        let sets = cluster.dependents(id).filter(|&set| cluster.kind(set) == "ReplicaSet");
        let serving = sets.flat_map(|set| cluster.pods_of(set)).filter(|&pod| serves(cluster, pod)).count() as i32;
        if serving >= deployment.replicas {
            self.was_complete.insert(id, deployment.replicas);
        }
        if self.was_complete.get(&id) != Some(&deployment.replicas) {
            return;
        }
        let surge = max_surge.scaled(deployment.replicas, Round::Up);
        let missing = max_unavailable.scaled(deployment.replicas, Round::Down);
        let least = deployment.replicas - if surge == 0 && missing == 0 { 1 } else { missing };
        if serving < least {
            let seen = format!("{}: {serving} pods serve, at least {least} must", called(cluster, id));
            found.push(("maxUnavailable bounds a rollout", seen));
        }
    }

    /// A pod of an ordered StatefulSet was created: all before it must be ready.
    fn in_order(&self, at: Time, pod: PodId, owner: ObjId, cluster: &Cluster, found: &mut Found) {
        let set = cluster.get::<StatefulSet>(owner);
        let Some(ordinal) = ordinal(cluster, pod).filter(|_| !set.parallel) else { return };
        let name = cluster.name(owner);
        for before in set.start..ordinal {
            let other = cluster.find_pod(cluster.namespace(owner), &format!("{name}-{before}"));
            let lately = |other: PodId| self.stopped.get(&other).is_none_or(|&since| at.since(since) <= super::LAG);
            if !other.is_some_and(lately) {
                let seen = format!("{} was created before {name}-{before} was ready", called(cluster, pod));
                found.push(("ordered StatefulSets start in order", seen));
            }
        }
    }

    /// A pod of a Job was created: not more than its parallelism are active.
    fn parallelism(&mut self, at: Time, owner: ObjId, cluster: &Cluster, found: &mut Found) {
        let active = cluster.pods_of(owner).filter(|&pod| cluster.pod(pod).is_active()).count() as i32;
        let most = self.wanted.entry(owner).or_default().most(at);
        if active > most {
            let seen = format!("{}: {active} active pods, at most {most}", called(cluster, owner));
            found.push(("parallelism bounds a Job", seen));
        }
    }
}

fn ordinal(cluster: &Cluster, pod: PodId) -> Option<i32> {
    cluster.name(pod).rsplit_once('-')?.1.parse().ok()
}

/// A pod of an ordered StatefulSet is deleted to make it smaller: none above it is left, but for those that are being deleted.
fn out_of_order(pod: PodId, owner: ObjId, cluster: &Cluster, found: &mut Found) {
    let set = cluster.get::<StatefulSet>(owner);
    let Some(own) = ordinal(cluster, pod) else { return };
    let disrupted = cluster.pod(pod).conditions.get(cluster.words.disruption_target).is_some();
    let smaller = own >= set.start + set.replicas;
    if set.parallel || disrupted || !smaller || cluster.object(owner).meta.is_deleting() {
        return;
    }
    let above = cluster
        .pods_of(owner)
        .find(|&other| cluster.pod(other).is_active() && ordinal(cluster, other).is_some_and(|other| other > own));
    if let Some(above) = above {
        let seen = format!("{} is deleted while {} is there", called(cluster, pod), called(cluster, above));
        found.push(("ordered StatefulSets shrink from above", seen));
    }
}

/// A daemon pod was bound: it is the only one there, or one of two while one surges.
fn one_daemon(owner: ObjId, node: NodeId, cluster: &Cluster, found: &mut Found) {
    let surges = cluster.get::<DaemonSet>(owner).max_surge.scaled(1, Round::Up) > 0;
    let there =
        cluster.pods_of(owner).filter(|&pod| cluster.pod(pod).node == Some(node) && cluster.pod(pod).is_active());
    let count = there.count();
    if count > 1 + usize::from(surges) {
        let seen = format!("{}: {count} pods on {}", called(cluster, owner), cluster.name(node));
        found.push(("a DaemonSet has one pod a node", seen));
    }
}

/// A Job of a CronJob was created: with `Forbid` it is the only one that has not ended.
fn one_job_at_a_time(id: ObjId, cluster: &Cluster, found: &mut Found) {
    let Some(ObjectRef::Object(owner)) = cluster.controller_of(id) else { return };
    let Some(cron) = cluster.try_get::<CronJob>(owner) else { return };
    if cron.concurrency != ConcurrencyPolicy::Forbid {
        return;
    }
    let runs = |job: ObjId| {
        let conditions = &cluster.get::<Job>(job).status.conditions;
        !conditions.iter().any(|condition| {
            let kind = cluster.interner.text(condition.kind);
            matches!(kind, "Complete" | "Failed") && conditions.is_true(condition.kind)
        })
    };
    let jobs = cluster.dependents(owner).filter_map(|dependent| match dependent {
        ObjectRef::Object(job) if cluster.try_get::<Job>(job).is_some() && !cluster.object(job).meta.is_deleting() => {
            Some(job)
        }
        _ => None,
    });
    let running = jobs.filter(|&job| runs(job)).count();
    if running > 1 {
        found.push(("concurrencyPolicy Forbid", format!("{}: {running} jobs run", called(cluster, owner))));
    }
}
