//! `kubectl drain` (kubectl, `pkg/drain`): cordon, choose the pods, evict them, retry what budgets refuse, wait until all are gone.

use std::collections::VecDeque;

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

/// How often kubectl looks whether an evicted pod is gone.
const POLL: Span = Span::from_secs(1);

/// The next attempt to evict a pod.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    due: Time,
    pod: PodId,
    /// Whether the API server tries again by itself.
    is_conflict: bool,
}

/// A pod that has been evicted and is not yet gone, and when kubectl looks again.
#[derive(Clone, Copy, Debug)]
struct Leaving {
    due: Time,
    pod: PodId,
}

/// A drain of nodes that goes on: all have been cordoned, and are emptied one after another (kubectl, `RunDrain`).
#[derive(Clone, Debug)]
pub(super) struct Drain {
    options: command::Drain,
    /// How long a request takes.
    request: Span,
    /// Nodes still to be emptied.
    nodes: VecDeque<String>,
    /// The one that is being emptied.
    running: Option<Running>,
    /// Nodes that could not be emptied, each with its errors.
    failed: Vec<(String, Vec<String>)>,
}

/// The evictions of one node: every pod has its own rhythm, as kubectl has a goroutine for each.
#[derive(Clone, Debug)]
struct Running {
    node: String,
    deadline: Time,
    /// Pods whose eviction has not been accepted.
    waiting: Vec<Attempt>,
    leaving: Vec<Leaving>,
    /// Errors of pods that were given up.
    errors: Vec<String>,
}

/// What a step of a drain printed, and when it wants to go on.
#[derive(Default)]
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
    /// Cordons the nodes. The pods of the first are listed at once, and evicted one `request` later. Returns what is printed.
    ///
    /// # Errors
    ///
    /// What kubectl refuses before it cordons anything.
    pub(super) fn begin(
        cluster: &mut Cluster,
        nodes: Vec<String>,
        options: &command::Drain,
        request: Span,
    ) -> Result<(Drain, Vec<String>), String> {
        for node in &nodes {
            find(cluster, &node_name(node))?;
        }
        let stdout = nodes.iter().map(|node| cordon(cluster, node, true)).collect::<Result<_, _>>()?;
        let (options, nodes) = (options.clone(), VecDeque::from(nodes));
        Ok((Drain { options, request, nodes, running: None, failed: Vec::new() }, stdout))
    }

    /// Evicts what is due and looks what is gone.
    pub(super) fn go_on(&mut self, cluster: &mut Cluster) -> Progress {
        let mut progress = Progress::default();
        loop {
            let Some(mut running) = self.running.take() else {
                let Some(node) = self.nodes.pop_front() else { break };
                self.start(node, cluster, &mut progress);
                continue;
            };
            progress.again = running.go_on(&self.options, cluster, &mut progress);
            if progress.again.is_some() {
                self.running = Some(running);
                return progress;
            }
            self.finish(running, cluster, &mut progress);
        }
        self.report(&mut progress);
        progress
    }

    /// Chooses the pods of a node.
    fn start(&mut self, node: String, cluster: &Cluster, progress: &mut Progress) {
        let ObjectRef::Node(id) = (match find(cluster, &node_name(&node)) {
            Ok(object) => object,
            Err(error) => return self.give_up(node, vec![error], progress),
        }) else {
            return;
        };
        match choose(cluster, id, &self.options) {
            Err(refusals) => self.give_up(node, refusals, progress),
            Ok((pods, warning)) => {
                progress.stderr.extend(warning);
                let due = cluster.now() + self.request;
                let limit = self.options.timeout_seconds;
                let deadline = if limit > 0.0 { due + Span::from_secs_f64(limit) } else { Time::NEVER };
                let waiting = pods.into_iter().map(|pod| Attempt { due, pod, is_conflict: false }).collect();
                self.running = Some(Running { node, deadline, waiting, leaving: Vec::new(), errors: Vec::new() });
            }
        }
    }

    fn finish(&mut self, running: Running, cluster: &Cluster, progress: &mut Progress) {
        let node = running.node;
        let found = find(cluster, &node_name(&node));
        if running.errors.is_empty() {
            let gone = || serde_json::json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}});
            let shown = found.map_or_else(|_| gone(), |object| cluster.export(object));
            let answer = messages::drained(&shown, command::DryRun::None);
            progress.stdout.push(answer.trim_end().to_owned());
            return;
        }
        if let Ok(ObjectRef::Node(id)) = found
            && let Ok((pods, _)) = choose(cluster, id, &self.options)
            && !pods.is_empty()
        {
            let error = aggregate(&running.errors);
            progress.stderr.push(format!("There are pending pods in node \"{node}\" when an error occurred: {error}"));
            progress.stderr.extend(pods.into_iter().map(|pod| format!("pod/{}", cluster.name(pod))));
        }
        self.give_up(node, running.errors, progress);
    }

    fn give_up(&mut self, node: String, errors: Vec<String>, progress: &mut Progress) {
        let error = aggregate(&errors);
        progress
            .stderr
            .push(format!("error: unable to drain node \"{node}\" due to error: {error}, continuing command..."));
        self.failed.push((node, errors));
    }

    /// What is printed at the very end if some nodes could not be emptied. The errors of a single one are told one by one.
    fn report(&self, progress: &mut Progress) {
        if self.failed.is_empty() {
            return;
        }
        progress.failed = true;
        progress.stderr.push("There are pending nodes to be drained:".to_owned());
        progress.stderr.extend(self.failed.iter().map(|(node, _)| format!(" {node}")));
        match self.failed.as_slice() {
            [(_, errors)] => progress.stderr.extend(errors.iter().cloned()),
            several => progress.stderr.extend(several.iter().map(|(_, errors)| aggregate(errors))),
        }
    }
}

/// Several errors as Go prints them together.
fn aggregate(errors: &[String]) -> String {
    match errors {
        [only] => only.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

impl Running {
    /// Evicts what is due and looks what is gone. Returns when to look again, unless all pods are gone or given up.
    fn go_on(&mut self, options: &command::Drain, cluster: &mut Cluster, progress: &mut Progress) -> Option<Time> {
        let now = cluster.now();
        let mut n_granted = 0;
        for attempt in std::mem::take(&mut self.waiting) {
            if attempt.due > now {
                self.waiting.push(attempt);
            } else if !cluster.pod(attempt.pod).meta.removed {
                self.evict(attempt, &mut n_granted, options, cluster, progress);
            }
        }
        for leaving in std::mem::take(&mut self.leaving) {
            if leaving.due > now {
                self.leaving.push(leaving);
            } else if cluster.pod(leaving.pod).meta.removed {
                let shown = cluster.export(leaving.pod);
                progress.stdout.push(messages::evicted(&shown, options.disable_eviction).trim_end().to_owned());
            } else if now >= self.deadline {
                let reached = reached(options);
                self.errors.push(if options.disable_eviction {
                    reached
                } else {
                    let (namespace, name) = (cluster.namespace(leaving.pod), cluster.name(leaving.pod));
                    format!("error when waiting for pod {name:?} in namespace {namespace:?} to terminate: {reached}")
                });
            } else {
                self.leaving.push(Leaving { due: now + POLL, ..leaving });
            }
        }
        let attempts = self.waiting.iter().map(|attempt| attempt.due);
        attempts.chain(self.leaving.iter().map(|leaving| leaving.due)).min()
    }

    /// Evictions of one instant are requests at the same time: once one has been granted, the others have read a budget that is no
    /// longer current, and the API server tries them again later. kubectl looks at the clock before it sends, never while it waits.
    fn evict(
        &mut self,
        attempt: Attempt,
        n_granted: &mut u32,
        options: &command::Drain,
        cluster: &mut Cluster,
        progress: &mut Progress,
    ) {
        let (pod, now) = (attempt.pod, cluster.now());
        let shown = cluster.export(pod);
        let grace = options.grace_period_seconds.and_then(|seconds| u32::try_from(seconds).ok());
        if !attempt.is_conflict {
            progress.stdout.push(messages::evicting(&shown).trim_end().to_owned());
        }
        if options.disable_eviction {
            cluster.delete_pod(pod, grace);
            return self.leaving.push(Leaving { due: now, pod });
        }
        let error = |cluster: &Cluster, text: &str| {
            format!("error when evicting pods/{:?} -n {:?}: {text}", cluster.name(pod), cluster.namespace(pod))
        };
        if now >= self.deadline && !attempt.is_conflict {
            return self.errors.push(error(cluster, &reached(options)));
        }
        match cluster.evict(pod, grace) {
            Ok(()) => {
                *n_granted += 1;
                self.leaving.push(Leaving { due: now, pod });
            }
            Err(refused) if refused.code != 429 => self.errors.push(error(cluster, &refused.text)),
            Err(_) if *n_granted > 0 && !attempt.is_conflict => {
                let n_conflicts = self.waiting.iter().filter(|other| other.is_conflict).count();
                let due = now + CONFLICT + conflict_jitter(n_conflicts);
                self.waiting.push(Attempt { due, pod, is_conflict: true });
            }
            Err(_) => {
                progress.stderr.push(messages::eviction_refused(&shown).trim_end().to_owned());
                self.waiting.push(Attempt { due: now + RETRY, pod, is_conflict: false });
            }
        }
    }
}

/// What kubectl says when `--timeout` is over.
fn reached(options: &command::Drain) -> String {
    format!("global timeout reached: {}", go_duration(options.timeout_seconds))
}

/// Seconds as Go prints a duration: `1m30s`, `0.5s` as `500ms`.
fn go_duration(seconds: f64) -> String {
    if seconds < 1.0 {
        return format!("{}ms", (seconds * 1_000_000.0).round() / 1_000.0);
    }
    let whole = seconds as u64;
    let rest = (((seconds - whole as f64) * 1e9).round() / 1e9) + (whole % 60) as f64;
    match (whole / 3600, whole / 60 % 60) {
        (0, 0) => format!("{rest}s"),
        (0, minutes) => format!("{minutes}m{rest}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// The jitter of a retry after as many others of the same instant: none, a half, a quarter, three quarters, ... of the longest.
fn conflict_jitter(n_others: usize) -> Span {
    let place = u64::from((n_others as u8).reverse_bits());
    Span::from_micros(CONFLICT_JITTER.as_micros() * place / 256)
}

/// The pods to evict, with a warning; or why they must not be.
fn choose(
    cluster: &Cluster,
    node: NodeId,
    options: &command::Drain,
) -> Result<(Vec<PodId>, Option<String>), Vec<String>> {
    let pods: Vec<PodId> = cluster.pods().filter(|(_, row)| row.node == Some(node)).map(|(pod, _)| pod).collect();
    let shown: Vec<Value> = pods.iter().map(|&pod| cluster.export(pod)).collect();
    let owners = pods.iter().filter_map(|&pod| cluster.controller_of(pod));
    let daemons = owners.filter(|&owner| cluster.kind(owner) == "DaemonSet" && !cluster.meta(owner).removed);
    let objects: Vec<Value> = daemons.map(|owner| cluster.export(owner)).collect();
    let view = View { objects: &objects, now: 0, namespace: "" };
    let references: Vec<&Value> = shown.iter().collect();
    let plan = messages::drain_plan(&references, options, &view);
    if !plan.refusals.is_empty() {
        return Err(plan.refusals);
    }
    let evicted = |pod: &Value| plan.evict.iter().any(|chosen| std::ptr::eq(*chosen, pod));
    let chosen = pods.iter().zip(&shown).filter(|(_, pod)| evicted(pod)).map(|(&pod, _)| pod).collect();
    Ok((chosen, plan.warning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_printed_as_by_go() {
        for (seconds, text) in [(12.0, "12s"), (90.0, "1m30s"), (0.5, "500ms"), (3600.0, "1h0m0s"), (1.5, "1.5s")] {
            assert_eq!(go_duration(seconds), text);
        }
    }
}
