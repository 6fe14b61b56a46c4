//! `kubectl drain` (kubectl, `pkg/drain`): cordon, choose the pods, evict them, retry what budgets refuse, wait until all are gone.

use serde_json::Value;

use super::edit::find;
use super::verbs::{cordon, node_name};
use crate::cluster::{Cluster, NodeId, ObjectRef, PodId};
use crate::engine::{Span, Time};
use crate::kubectl::{View, command, messages};

/// How long kubectl waits after a budget's refusal.
const RETRY: Span = Span::from_secs(5);

/// After a conflict about a budget the API server tries an eviction again (apiserver, `EvictionsRetry`).
const CONFLICT: Span = Span::from_millis(500);
/// Its jitter is up to a tenth: here the retries of one instant are spread evenly over that, so that they do not conflict again.
const CONFLICT_JITTER: Span = Span::from_millis(50);

/// The next attempt to evict a pod.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    due: Time,
    pod: PodId,
    /// Whether the API server tries again by itself.
    is_conflict: bool,
}

/// How often kubectl looks whether an evicted pod is gone.
const POLL: Span = Span::from_secs(1);

/// A drain that goes on.
#[derive(Clone, Debug)]
pub(super) struct Drain {
    node: String,
    options: command::Drain,
    deadline: Time,
    /// Pods whose eviction has not been accepted.
    refused: Vec<Attempt>,
    /// Pods that have been evicted and are not yet gone.
    leaving: Vec<PodId>,
}

/// What a step of a drain printed, and when it wants to go on.
pub(super) struct Progress {
    /// Lines of standard output.
    pub(super) stdout: Vec<String>,
    /// Lines of standard error.
    pub(super) stderr: Vec<String>,
    /// When to look again; `None` when the drain is over.
    pub(super) again: Option<Time>,
    /// Whether it ended with an error.
    pub(super) failed: bool,
}

impl Drain {
    /// Cordons the node and chooses its pods: they are listed with one `request` more, and evicted after it.
    ///
    /// # Errors
    ///
    /// What kubectl refuses before it evicts anything; the node stays cordoned.
    pub(super) fn begin(
        cluster: &mut Cluster,
        node: &str,
        options: &command::Drain,
        request: Span,
    ) -> Result<(Drain, Vec<String>, Vec<String>), String> {
        let ObjectRef::Node(id) = find(cluster, &node_name(node))? else { return Err("error: not a node".to_owned()) };
        let stdout = vec![cordon(cluster, node, true)?];
        let (pods, stderr) = choose(cluster, id, options)?;
        let limited = options.timeout_seconds > 0.0;
        let due = cluster.now() + request;
        let refused = pods.into_iter().map(|pod| Attempt { due, pod, is_conflict: false }).collect();
        let deadline = if limited { cluster.now() + Span::from_secs_f64(options.timeout_seconds) } else { Time::NEVER };
        Ok((
            Drain { node: node.to_owned(), options: options.clone(), deadline, refused, leaving: Vec::new() },
            stdout,
            stderr,
        ))
    }

    /// Evicts what is due and looks what is gone. Every pod has its own rhythm, as kubectl has a goroutine for each.
    pub(super) fn go_on(&mut self, cluster: &mut Cluster) -> Progress {
        let mut progress = Progress { stdout: Vec::new(), stderr: Vec::new(), again: None, failed: false };
        let now = cluster.now();
        let mut n_granted = 0;
        for attempt in std::mem::take(&mut self.refused) {
            if attempt.due > now {
                self.refused.push(attempt);
            } else if !cluster.pod(attempt.pod).meta.removed {
                self.evict(attempt, &mut n_granted, cluster, &mut progress);
            }
        }
        let disable_eviction = self.options.disable_eviction;
        self.leaving.retain(|&pod| {
            let gone = cluster.pod(pod).meta.removed;
            if gone {
                let shown = cluster.export(pod);
                progress.stdout.push(messages::evicted(&shown, disable_eviction).trim_end().to_owned());
            }
            !gone
        });
        let next = self.refused.iter().map(|attempt| attempt.due).min();
        let poll = (!self.leaving.is_empty()).then_some(now + POLL);
        let again = [next, poll].into_iter().flatten().min();
        match again {
            None => {
                let name = node_name(&self.node);
                let shown = find(cluster, &name).map(|node| cluster.export(node));
                let gone = || serde_json::json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.node}});
                let answer = messages::drained(&shown.unwrap_or_else(|_| gone()), command::DryRun::None);
                progress.stdout.push(answer.trim_end().to_owned());
            }
            Some(_) if now >= self.deadline => {
                progress.failed = true;
                progress.stderr.push(format!("error: unable to drain node \"{}\": global timeout reached", self.node));
            }
            Some(again) => progress.again = Some(again.min(self.deadline)),
        }
        progress
    }

    /// Evictions of one instant are requests at the same time: once one has been granted, the others have read a budget that is no
    /// longer current, and the API server tries them again later.
    fn evict(&mut self, attempt: Attempt, n_granted: &mut u32, cluster: &mut Cluster, progress: &mut Progress) {
        let pod = attempt.pod;
        let shown = cluster.export(pod);
        if !attempt.is_conflict {
            progress.stdout.push(messages::evicting(&shown).trim_end().to_owned());
        }
        if self.options.disable_eviction {
            cluster.delete_pod(pod, self.grace_seconds());
            self.leaving.push(pod);
            return;
        }
        match cluster.evict(pod, self.grace_seconds()) {
            Ok(()) => {
                *n_granted += 1;
                self.leaving.push(pod);
            }
            Err(_) if *n_granted > 0 && !attempt.is_conflict => {
                let n_conflicts = self.refused.iter().filter(|other| other.is_conflict).count();
                let due = cluster.now() + CONFLICT + conflict_jitter(n_conflicts);
                self.refused.push(Attempt { due, pod, is_conflict: true });
            }
            Err(_) => {
                progress.stderr.push(messages::eviction_refused(&shown).trim_end().to_owned());
                self.refused.push(Attempt { due: cluster.now() + RETRY, pod, is_conflict: false });
            }
        }
    }

    fn grace_seconds(&self) -> Option<u32> {
        self.options.grace_period_seconds.and_then(|seconds| u32::try_from(seconds).ok())
    }
}

/// The jitter of a retry after as many others of the same instant: none, a half, a quarter, three quarters, ... of the longest.
fn conflict_jitter(n_others: usize) -> Span {
    let place = u64::from((n_others as u8).reverse_bits());
    Span::from_micros(CONFLICT_JITTER.as_micros() * place / 256)
}

/// The pods to evict, with warnings; or what a refused drain prints.
fn choose(cluster: &Cluster, node: NodeId, options: &command::Drain) -> Result<(Vec<PodId>, Vec<String>), String> {
    let pods: Vec<PodId> = cluster.pods().filter(|(_, row)| row.node == Some(node)).map(|(pod, _)| pod).collect();
    let shown: Vec<Value> = pods.iter().map(|&pod| cluster.export(pod)).collect();
    let owners = pods.iter().filter_map(|&pod| cluster.controller_of(pod));
    let daemons = owners.filter(|&owner| cluster.kind(owner) == "DaemonSet" && !cluster.meta(owner).removed);
    let objects: Vec<Value> = daemons.map(|owner| cluster.export(owner)).collect();
    let view = View { objects: &objects, now: 0, namespace: "" };
    let references: Vec<&Value> = shown.iter().collect();
    let plan = messages::drain_plan(&references, options, &view);
    if !plan.refusals.is_empty() {
        let answer = messages::drain_refused(cluster.name(node), &plan.refusals);
        return Err(answer.trim_end().to_owned());
    }
    let evicted = |pod: &Value| plan.evict.iter().any(|chosen| std::ptr::eq(*chosen, pod));
    let chosen = pods.iter().zip(&shown).filter(|(_, pod)| evicted(pod)).map(|(&pod, _)| pod).collect();
    Ok((chosen, plan.warning.into_iter().collect()))
}
