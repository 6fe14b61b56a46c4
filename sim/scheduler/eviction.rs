//! The victims of a preemption: evicted after the cycle that chose them, the last one last (kube-scheduler v1.36,
//! `framework/preemption`, feature gate `SchedulerAsyncPreemption`, on).
//!
//! Each victim gets the condition `DisruptionTarget`, then is deleted with its own grace. Until only the last one remains the
//! preempting pod is kept out of the queue (PreEnqueue of DefaultPreemption): the end of the last victim then brings it back.

use std::collections::BTreeMap;

use super::client::Client;
use crate::cluster::{
    Agenda, Cluster, ConditionStatus, Event, EventMessage, EventType, NodeId, PodId, SchedulerEvent, Sym, uid_text,
};

/// Preemptions under way, by preempting pod.
#[derive(Clone, Debug, Default)]
pub struct Evictions {
    running: BTreeMap<PodId, Eviction>,
}

#[derive(Clone, Debug)]
struct Eviction {
    node: NodeId,
    /// Those whose turn has not come, in order.
    victims: Vec<PodId>,
    step: Step,
    /// The name of the scheduler, which records the events.
    source: Sym,
}

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// All victims but the last get their condition.
    MarkOthers,
    /// They are deleted.
    DeleteOthers,
    /// The last one gets its condition.
    MarkLast,
    /// It is deleted.
    DeleteLast,
}

/// How far a preemption is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is another step.
    Goes,
    /// The last victim has been deleted.
    Ended,
    /// The last victim was gone already.
    EndedWithoutVictim,
}

impl Evictions {
    /// Whether a pod may not be queued because its victims are still being evicted.
    pub fn gates(&self, pod: PodId) -> bool {
        self.running.get(&pod).is_some_and(|eviction| matches!(eviction.step, Step::MarkOthers | Step::DeleteOthers))
    }

    /// Begins to evict `victims` from `node` for `pod`.
    pub fn begin(&mut self, pod: PodId, node: NodeId, victims: Vec<PodId>, source: Sym) {
        let step = if victims.len() > 1 { Step::MarkOthers } else { Step::MarkLast };
        self.running.insert(pod, Eviction { node, victims, step, source });
    }

    /// Schedules the next step of a preemption.
    pub fn schedule(&self, pod: PodId, client: &mut Client, agenda: &mut Agenda) {
        let at = client.take(agenda.now()) + agenda.control_plane.write_latency;
        agenda.at(at, Event::Scheduler(SchedulerEvent::EvictVictims { pod }));
    }

    /// Does the next step.
    pub fn step(&mut self, pod: PodId, preempted: Sym, cluster: &mut Cluster) -> Progress {
        let Some(eviction) = self.running.get_mut(&pod) else { return Progress::Ended };
        let n_others = eviction.victims.len().saturating_sub(1);
        match eviction.step {
            Step::MarkOthers => {
                eviction.victims[..n_others].iter().for_each(|&victim| mark(victim, eviction.source, cluster));
                eviction.step = Step::DeleteOthers;
            }
            Step::DeleteOthers => {
                for victim in eviction.victims.drain(..n_others) {
                    delete(victim, pod, eviction.node, (eviction.source, preempted), cluster);
                }
                eviction.step = Step::MarkLast;
            }
            Step::MarkLast => {
                eviction.victims.iter().for_each(|&victim| mark(victim, eviction.source, cluster));
                eviction.step = Step::DeleteLast;
            }
            Step::DeleteLast => {
                let mut progress = Progress::EndedWithoutVictim;
                for victim in eviction.victims.drain(..) {
                    if delete(victim, pod, eviction.node, (eviction.source, preempted), cluster) {
                        progress = Progress::Ended;
                    }
                }
                self.running.remove(&pod);
                return progress;
            }
        }
        Progress::Goes
    }
}

/// Says on the victim that the scheduler takes it away. A victim that is going anyway is left alone.
fn mark(victim: PodId, scheduler: Sym, cluster: &mut Cluster) {
    let meta = &cluster.pod(victim).meta;
    if meta.removed || meta.is_deleting() {
        return;
    }
    let scheduler = cluster.interner.text(scheduler);
    let message = format!("{scheduler}: preempting to accommodate a higher priority pod");
    let message = cluster.interner.sym(&message);
    let (kind, reason) = (cluster.words.disruption_target, cluster.words.preemption_by_scheduler);
    cluster.set_pod_condition(victim, kind, ConditionStatus::True, reason, message);
}

/// Deletes a victim. Returns whether it was there; one that is going anyway counts.
fn delete(victim: PodId, pod: PodId, node: NodeId, (source, preempted): (Sym, Sym), cluster: &mut Cluster) -> bool {
    let meta = &cluster.pod(victim).meta;
    if meta.removed || meta.is_deleting() {
        return !meta.removed;
    }
    cluster.delete_pod(victim, None);
    let preemptor = uid_text(cluster.pod(pod).meta.uid);
    let message = format!("Preempted by pod {preemptor} on node {}", cluster.name(node));
    let message = EventMessage::Text(cluster.interner.sym(&message));
    cluster.record_series(victim.into(), EventType::Normal, preempted, message, source);
    true
}
