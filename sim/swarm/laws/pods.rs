//! Laws about single pods: what has ended stays ended, what is bound stays bound, and nodes are not overbooked.

use std::collections::BTreeMap;

use super::called;
use crate::cluster::{Cluster, NodeId, PodId, PodPhase, RestartPolicy, What};

#[derive(Default)]
pub(super) struct Pods(BTreeMap<PodId, Seen>);

/// What was last seen of a pod.
#[derive(Clone, Copy, Default)]
struct Seen {
    phase: PodPhase,
    node: Option<NodeId>,
    restarts: u32,
}

impl Pods {
    pub(super) fn change(
        &mut self,
        pod: PodId,
        what: What,
        cluster: &Cluster,
        found: &mut Vec<(&'static str, String)>,
    ) {
        let row = cluster.pod(pod);
        let restarts = row.containers.iter().map(|container| container.restarts).sum();
        let now = Seen { phase: row.phase, node: row.node, restarts };
        let before = self.0.insert(pod, now).unwrap_or_default();
        let mut broken = |law, seen: String| found.push((law, format!("{}: {seen}", called(cluster, pod))));
        if before.phase.is_terminal() && now.phase != before.phase {
            broken("an ended pod stays ended", format!("{} after {}", now.phase.as_str(), before.phase.as_str()));
        }
        if before.node.is_some() && now.node != before.node {
            broken("a bound pod stays on its node", format!("{:?} after {:?}", now.node, before.node));
        }
        if now.restarts < before.restarts {
            broken("restarts are counted up", format!("{} after {}", now.restarts, before.restarts));
        }
        if cluster.spec_of(pod).restart_policy == RestartPolicy::Never && now.restarts > 0 {
            broken("restartPolicy Never restarts nothing", format!("{} restarts", now.restarts));
        }
        if let What::Bound(node) = what {
            let columns = cluster.columns();
            for &(resource, asked) in &cluster.spec_of(pod).resources.requests {
                let (taken, there) = (columns.requested(node, resource), columns.allocatable(node, resource));
                if asked > 0 && taken > there {
                    let name = cluster.interner.resource_name(resource);
                    broken("nodes are not overbooked", format!("{taken} of {there} {name} on {}", cluster.name(node)));
                }
            }
        }
    }
}
