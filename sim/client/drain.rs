//! `kubectl drain` (kubectl, `pkg/drain`): cordon, choose the pods, evict them, retry what budgets refuse, wait until all are gone.

use super::edit::find;
use super::verbs::{cordon, node_name};
use crate::cluster::{Cluster, NodeId, ObjectRef, PodId};
use crate::engine::{Span, Time};
use crate::kubectl::command;

/// How long kubectl waits after a budget's refusal.
const RETRY: Span = Span::from_secs(5);

/// A drain that goes on.
#[derive(Clone, Debug)]
pub(super) struct Drain {
    node: String,
    options: command::Drain,
    deadline: Time,
    /// Pods whose eviction has not been accepted.
    refused: Vec<PodId>,
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
    /// Cordons the node and chooses its pods.
    ///
    /// # Errors
    ///
    /// What kubectl refuses before it evicts anything; the node stays cordoned.
    pub(super) fn begin(
        cluster: &mut Cluster,
        node: &str,
        options: &command::Drain,
    ) -> Result<(Drain, Vec<String>, Vec<String>), String> {
        let ObjectRef::Node(id) = find(cluster, &node_name(node))? else { return Err("error: not a node".to_owned()) };
        let stdout = vec![cordon(cluster, node, true)?];
        let (pods, stderr) = choose(cluster, id, options).map_err(|why| {
            format!("error: unable to drain node \"{node}\" due to error: {why}, continuing command...\nThere are pending nodes to be drained:\n {node}\n{why}")
        })?;
        let limited = options.timeout_seconds > 0.0;
        let deadline = if limited { cluster.now() + Span::from_secs_f64(options.timeout_seconds) } else { Time::NEVER };
        Ok((
            Drain { node: node.to_owned(), options: options.clone(), deadline, refused: pods, leaving: Vec::new() },
            stdout,
            stderr,
        ))
    }

    /// Evicts what it can and looks what is gone.
    pub(super) fn go_on(&mut self, cluster: &mut Cluster) -> Progress {
        let mut progress = Progress { stdout: Vec::new(), stderr: Vec::new(), again: None, failed: false };
        for pod in std::mem::take(&mut self.refused) {
            if cluster.pod(pod).meta.removed {
                continue;
            }
            let (namespace, name) = (cluster.namespace(pod).to_owned(), cluster.name(pod).to_owned());
            progress.stderr.push(format!("evicting pod {namespace}/{name}"));
            if self.options.disable_eviction {
                cluster.delete_pod(pod, self.grace_seconds());
                self.leaving.push(pod);
                continue;
            }
            match cluster.evict(pod, self.grace_seconds()) {
                Ok(()) => self.leaving.push(pod),
                Err(refused) => {
                    progress.stderr.push(format!(
                        "error when evicting pods/\"{name}\" -n \"{namespace}\" (will retry after 5s): {}",
                        refused.text
                    ));
                    self.refused.push(pod);
                }
            }
        }
        self.leaving.retain(|&pod| {
            let gone = cluster.pod(pod).meta.removed;
            if gone {
                progress.stdout.push(format!("pod/{} evicted", cluster.name(pod)));
            }
            !gone
        });
        let now = cluster.now();
        if self.refused.is_empty() && self.leaving.is_empty() {
            progress.stdout.push(format!("node/{} drained", self.node));
        } else if now >= self.deadline {
            progress.failed = true;
            progress.stderr.push(format!("error: unable to drain node \"{}\": global timeout reached", self.node));
        } else {
            let wait = if self.leaving.is_empty() { RETRY } else { Span::from_secs(1) };
            progress.again = Some((now + wait).min(self.deadline));
        }
        progress
    }

    fn grace_seconds(&self) -> Option<u32> {
        self.options.grace_period_seconds.and_then(|seconds| u32::try_from(seconds).ok())
    }
}

/// The pods to evict, with warnings; or the joined errors.
fn choose(cluster: &Cluster, node: NodeId, options: &command::Drain) -> Result<(Vec<PodId>, Vec<String>), String> {
    let (mut pods, mut warnings) = (Vec::new(), Vec::new());
    let (mut unmanaged, mut daemons, mut local) = (Vec::new(), Vec::new(), Vec::new());
    for (pod, row) in cluster.pods().filter(|(_, row)| row.node == Some(node)) {
        let name = format!("{}/{}", cluster.namespace(pod), cluster.name(pod));
        if cluster.interner.value_text(row.meta.annotations, "kubernetes.io/config.mirror").is_some() {
            continue;
        }
        let owner = cluster.controller_of(pod).filter(|&owner| !cluster.meta(owner).removed);
        let daemon = owner.is_some_and(|owner| cluster.kind(owner) == "DaemonSet");
        let terminal = row.phase.is_terminal();
        if daemon && !terminal {
            match options.ignore_daemonsets {
                true => warnings.push(name),
                false => daemons.push(name),
            }
            continue;
        }
        let volumes = cluster.spec_of(pod).typed.volumes.as_deref().unwrap_or_default();
        if !terminal && volumes.iter().any(|volume| volume.empty_dir.is_some()) && !options.delete_emptydir_data {
            local.push(name);
        } else if !terminal && row.meta.controller().is_none() && !options.force {
            unmanaged.push(name);
        } else {
            pods.push(pod);
        }
    }
    let mut errors = Vec::new();
    let mut refuse = |what: &str, names: Vec<String>| {
        if !names.is_empty() {
            errors.push(format!("cannot delete {what}: {}", names.join(", ")));
        }
    };
    refuse("DaemonSet-managed Pods (use --ignore-daemonsets to ignore)", daemons);
    refuse("Pods with local storage (use --delete-emptydir-data to override)", local);
    refuse("Pods that declare no controller (use --force to override)", unmanaged);
    if !errors.is_empty() {
        return Err(match errors.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        });
    }
    let warnings = match warnings.is_empty() {
        true => Vec::new(),
        false => vec![format!("Warning: ignoring DaemonSet-managed Pods: {}", warnings.join(", "))],
    };
    Ok((pods, warnings))
}
