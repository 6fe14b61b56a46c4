//! Room for critical pods: which pods a kubelet stops when a critical one does not fit (kubelet, `preemption/preemption.go`).

use std::cmp::Ordering;

use super::kubelets::{Cx, Kubelets};
use super::worker::{End, Stage};
use crate::api::qos::QosClass;
use crate::cluster::{EventType, NodeId, PodId, PodPhase, ResourceId};
use crate::engine::{Id, Span};

/// How much of a resource is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Of what.
    pub resource: ResourceId,
    /// How much.
    pub amount: i64,
}

/// A pod that may be stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<T> {
    /// Which.
    pub pod: T,
    /// Its class: the first are stopped first.
    pub qos: QosClass,
    /// What it requests. Each pod counts as one of [`ResourceId::PODS`].
    pub requests: Vec<(ResourceId, i64)>,
}

impl<T> Candidate<T> {
    fn request(&self, resource: ResourceId) -> i64 {
        if resource == ResourceId::PODS {
            return 1;
        }
        self.requests.iter().find(|(id, _)| *id == resource).map_or(0, |&(_, amount)| amount)
    }
}

/// The pods to stop so that nothing is missing any more: as few of the better classes as possible, of each class those nearest to
/// what is missing. `Err` holds what would be missing even without any of them.
///
/// # Errors
///
/// What all candidates together do not free.
pub fn choose<T: Clone>(candidates: &[Candidate<T>], missing: &[Missing]) -> Result<Vec<T>, Vec<Missing>> {
    let of = |qos: QosClass| candidates.iter().filter(|pod| pod.qos == qos).collect::<Vec<_>>();
    let [best_effort, burstable, guaranteed] =
        [QosClass::BestEffort, QosClass::Burstable, QosClass::Guaranteed].map(of);
    let rest = without(missing, candidates.iter());
    if !rest.is_empty() {
        return Err(rest);
    }
    let lower = best_effort.iter().chain(&burstable).copied();
    let guaranteed = nearest(guaranteed, without(missing, lower));
    let burstable = nearest(burstable, without(missing, best_effort.iter().chain(&guaranteed).copied()));
    let best_effort = nearest(best_effort, without(missing, burstable.iter().chain(&guaranteed).copied()));
    Ok(best_effort.into_iter().chain(burstable).chain(guaranteed).map(|pod| pod.pod.clone()).collect())
}

/// What is missing without these pods.
fn without<'a, T: 'a>(missing: &[Missing], pods: impl Iterator<Item = &'a Candidate<T>>) -> Vec<Missing> {
    let mut rest = missing.to_vec();
    for pod in pods {
        for missing in &mut rest {
            missing.amount = missing.amount.saturating_sub(pod.request(missing.resource));
        }
    }
    rest.retain(|missing| missing.amount > 0);
    rest
}

/// Pods by their distance from what is missing, until nothing is.
fn nearest<T>(mut pods: Vec<&Candidate<T>>, mut missing: Vec<Missing>) -> Vec<&Candidate<T>> {
    let mut out = Vec::new();
    while !missing.is_empty() && !pods.is_empty() {
        let mut best = 0;
        for idx in 1..pods.len() {
            let order = distance(pods[idx], &missing).total_cmp(&distance(pods[best], &missing));
            if order == Ordering::Less || order == Ordering::Equal && is_smaller(pods[idx], pods[best]) {
                best = idx;
            }
        }
        let pod = pods.swap_remove(best);
        missing = without(&missing, [pod].into_iter());
        out.push(pod);
    }
    out
}

/// The sum of the squared shares that stay missing.
fn distance<T>(pod: &Candidate<T>, missing: &[Missing]) -> f64 {
    let shares = missing.iter().map(|missing| {
        let left = missing.amount.saturating_sub(pod.request(missing.resource)).max(0);
        let share = left as f64 / missing.amount as f64;
        share * share
    });
    shares.sum()
}

fn is_smaller<T>(one: &Candidate<T>, other: &Candidate<T>) -> bool {
    let by = |resource| one.request(resource).cmp(&other.request(resource));
    by(ResourceId::MEMORY).then(by(ResourceId::CPU)) != Ordering::Greater
}

impl Kubelets {
    /// Makes room for a critical pod, which waits until there is. `Err` is the reason and message of its refusal.
    pub(super) fn make_room(
        &mut self,
        pod: PodId,
        node: NodeId,
        missing: &[Missing],
        cx: &mut Cx<'_>,
    ) -> Result<(), (String, String)> {
        let pods = self.nodes[node.index()].pods.iter().filter_map(|&other| self.worker(other));
        let pods = pods.filter(|w| w.pod != pod && w.stage == Stage::Active && !self.is_critical(w, cx));
        let candidates: Vec<Candidate<PodId>> = pods
            .map(|w| {
                let requests = cx.cluster.resources_of(w.pod).requests.to_vec();
                Candidate { pod: w.pod, qos: cx.cluster.spec_of(w.pod).qos, requests }
            })
            .collect();
        let victims = choose(&candidates, missing).map_err(|rest| {
            let list = rest.iter().map(|one| {
                format!("(res: {}, q: {}), ", cx.cluster.interner.resource_name(one.resource), one.amount)
            });
            let text = format!(
                "Unexpected error while attempting to recover from admission failure: preemption: error finding a set of \
                 pods to preempt: no set of running pods found to reclaim resources: [{}]",
                list.collect::<String>()
            );
            ("UnexpectedAdmissionError".to_owned(), text)
        })?;
        self.node(node).waiting_for_room.push(pod);
        for victim in victims {
            let text = "Preempted in order to admit critical pod";
            self.note_pod(victim, EventType::Warning, "Preempting", text, cx);
            let Some(mut w) = self.take_worker(victim) else { continue };
            let [reason, message] = ["Preempting", text].map(|text| cx.cluster.interner.sym(text));
            let end = End { phase: Some(PodPhase::Failed), reason, message, disruption: true };
            let grace = Span::from_secs(u64::from(w.shape.grace_seconds));
            self.terminate(&mut w, end, grace, cx);
            self.put_worker(w);
        }
        self.room_made(node, cx);
        Ok(())
    }

    /// A pod has ended: critical pods that waited for it are looked at again once all victims have.
    pub(super) fn room_made(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        if self.nodes[node.index()].waiting_for_room.is_empty() {
            return;
        }
        let reason = cx.cluster.interner.sym("Preempting");
        let pods = self.nodes[node.index()].pods.iter().filter_map(|&pod| self.worker(pod));
        let mut ending =
            pods.filter(|w| w.stage == Stage::Terminating && w.end.is_some_and(|end| end.reason == reason));
        if ending.next().is_none() {
            for pod in std::mem::take(&mut self.node(node).waiting_for_room) {
                cx.step(cx.now(), pod, crate::cluster::PodStep::Observed, 0, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &'static str, qos: QosClass, cpu: i64, memory: i64) -> Candidate<&'static str> {
        Candidate { pod: name, qos, requests: vec![(ResourceId::CPU, cpu), (ResourceId::MEMORY, memory)] }
    }

    #[test]
    fn better_classes_are_spared_and_the_nearest_pod_goes() {
        let pods = [
            pod("best-effort", QosClass::BestEffort, 0, 0),
            pod("burstable", QosClass::Burstable, 100, 100),
            pod("big", QosClass::Burstable, 300, 300),
            pod("guaranteed", QosClass::Guaranteed, 500, 500),
        ];
        let cpu = |amount| vec![Missing { resource: ResourceId::CPU, amount }];
        assert_eq!(choose(&pods, &cpu(100)), Ok(vec!["burstable"]));
        assert_eq!(choose(&pods, &cpu(250)), Ok(vec!["big"]));
        assert_eq!(choose(&pods, &cpu(400)), Ok(vec!["big", "burstable"]));
        assert_eq!(choose(&pods, &cpu(500)), Ok(vec!["guaranteed"]));
        assert_eq!(choose(&pods, &cpu(901)), Err(vec![Missing { resource: ResourceId::CPU, amount: 1 }]));
        let slot = vec![Missing { resource: ResourceId::PODS, amount: 1 }];
        assert_eq!(choose(&pods, &slot), Ok(vec!["best-effort"]));
    }
}
