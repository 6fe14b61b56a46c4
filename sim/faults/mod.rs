//! Scripted and drawn failures of nodes: the world's part in a run.
//!
//! A failure is a fact of the world (see [`Cluster::set_kubelet_health`]); what follows from it the kubelets, the node controller and
//! all others find out in their own time.

mod plan;

use std::collections::BTreeMap;

use rand_chacha::rand_core::Rng;

pub use plan::{Failure, Fault, Lasting, Target, When};

use crate::cluster::{Agenda, Change, Cluster, Component, Event, FaultEvent, KubeletHealth, NodeId};
use crate::engine::{Purpose, Span, Time, open_unit};

/// The failures of a run.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    plan: Vec<Fault>,
    /// One for every cause of failure: a step of the plan, or one node of a step that strikes each node by itself.
    causes: Vec<Cause>,
    /// How many failures hold each node down now.
    down: BTreeMap<NodeId, u32>,
}

#[derive(Clone, Debug)]
struct Cause {
    /// The step of the plan.
    fault: usize,
    /// The node, for a step that strikes each node by itself.
    node: Option<NodeId>,
    /// Number of failures so far: the turn of its random stream.
    turn: u32,
    /// The nodes it holds down.
    struck: Vec<NodeId>,
}

impl Faults {
    /// The failures of a plan.
    pub fn new(plan: Vec<Fault>) -> Faults {
        Faults { plan, ..Faults::default() }
    }

    /// The plan.
    pub fn plan(&self) -> &[Fault] {
        &self.plan
    }

    fn cause(&mut self, fault: usize, node: Option<NodeId>, agenda: &mut Agenda) {
        let index = self.causes.len() as u32;
        self.causes.push(Cause { fault, node, turn: 0, struck: Vec::new() });
        match &self.plan[fault].when {
            When::Once { at, .. } => agenda.at(*at, Event::Fault(FaultEvent::Begin(index))),
            When::Drawn { .. } => self.schedule_next(index, agenda),
        }
    }

    /// Draws the next failure of a cause: one stream per cause and turn, whatever else happens in the run.
    fn schedule_next(&self, index: u32, agenda: &mut Agenda) {
        let cause = &self.causes[index as usize];
        let When::Drawn { up, every, .. } = &self.plan[cause.fault].when else { return };
        let at = agenda.now() + draw(up, cause, 0, agenda);
        let at = every.map_or(at, |every| at.next_tick(Time::ZERO, every));
        agenda.at(at, Event::Fault(FaultEvent::Begin(index)));
    }

    fn begin(&mut self, index: u32, cluster: &mut Cluster, agenda: &mut Agenda) {
        let Some(cause) = self.causes.get(index as usize) else { return };
        let fault = &self.plan[cause.fault];
        let since = cluster.now();
        let health = match fault.failure {
            Failure::Crash => KubeletHealth::Down { since },
            Failure::Partition => KubeletHealth::Partitioned { since },
        };
        let lasts = match &fault.when {
            When::Once { lasts, .. } => *lasts,
            When::Drawn { down, .. } => Some(draw(down, cause, 1, agenda)),
        };
        let nodes = match cause.node {
            Some(node) => vec![node],
            None => targets(&fault.target, cluster),
        };
        for &node in &nodes {
            if cluster.node(node).meta.removed {
                continue;
            }
            let n_failures = self.down.entry(node).or_insert(0);
            *n_failures += 1;
            if *n_failures == 1 {
                cluster.set_kubelet_health(node, health);
            }
        }
        self.causes[index as usize].struck = nodes;
        if let Some(lasts) = lasts {
            agenda.after(lasts, Event::Fault(FaultEvent::End(index)));
        }
    }

    fn end(&mut self, index: u32, cluster: &mut Cluster, agenda: &mut Agenda) {
        let Some(cause) = self.causes.get_mut(index as usize) else { return };
        cause.turn += 1;
        for node in std::mem::take(&mut cause.struck) {
            let Some(n_failures) = self.down.get_mut(&node) else { continue };
            *n_failures -= 1;
            if *n_failures == 0 {
                self.down.remove(&node);
                if !cluster.node(node).meta.removed {
                    cluster.set_kubelet_health(node, KubeletHealth::Running);
                }
            }
        }
        self.schedule_next(index, agenda);
    }
}

/// A drawn length of time. `which` tells the time up from the time down of one turn.
fn draw(lasting: &Lasting, cause: &Cause, which: u64, agenda: &Agenda) -> Span {
    let node = cause.node.map_or(0, |node| u64::from(node.0) + 1);
    let entity = (cause.fault as u64) << 40 | node << 1 | which;
    let mut stream = agenda.stream(Purpose::NodeFailure, entity, cause.turn);
    match lasting {
        Lasting::Exponential(mean) => {
            Span::from_secs_f64(-libm::log(open_unit(stream.next_u64())) * mean.as_secs_f64())
        }
        Lasting::Given(distribution) => distribution.sample_span(&mut stream),
    }
}

fn targets(target: &Target, cluster: &Cluster) -> Vec<NodeId> {
    match target {
        Target::Node(name) => cluster.find_node(name).into_iter().collect(),
        Target::EachNode => Vec::new(),
        Target::Label(key, value) => {
            let has = |labels| cluster.label(labels, key) == Some(value.as_str());
            cluster.nodes().filter(|(_, node)| has(node.meta.labels)).map(|(id, _)| id).collect()
        }
    }
}

impl Component for Faults {
    type Event = FaultEvent;

    fn start(&mut self, cluster: &mut Cluster, agenda: &mut Agenda) {
        let nodes: Vec<NodeId> = cluster.nodes().map(|(id, _)| id).collect();
        for fault in 0..self.plan.len() {
            if self.plan[fault].target == Target::EachNode {
                nodes.iter().for_each(|&node| self.cause(fault, Some(node), agenda));
            } else {
                self.cause(fault, None, agenda);
            }
        }
    }

    fn observe(&mut self, _: Change, _: &Cluster, _: &mut Agenda) {}

    fn handle(&mut self, event: FaultEvent, cluster: &mut Cluster, agenda: &mut Agenda) {
        match event {
            FaultEvent::Begin(index) => self.begin(index, cluster, agenda),
            FaultEvent::End(index) => self.end(index, cluster, agenda),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::ControlPlane;
    use crate::engine::Draws;

    /// Instants in seconds at which nodes fall silent or come back.
    fn run(steps: &[serde_json::Value], seed: u64, until: u64) -> Vec<(u64, String, bool)> {
        let mut cluster = Cluster::new(0);
        for (name, zone) in [("n1", "a"), ("n2", "a"), ("n3", "b")] {
            let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name, "labels": { "topology.kubernetes.io/zone": zone } } });
            cluster.create_from(&node).expect("a fresh name");
        }
        let plan = steps.iter().map(|step| Fault::from_json(step).expect("a good step")).collect();
        let (mut faults, mut agenda) = (Faults::new(plan), Agenda::new(Draws::new(seed), ControlPlane::ideal()));
        let (mut changes, mut out) = (Vec::new(), Vec::new());
        cluster.take_changes(&mut changes);
        faults.start(&mut cluster, &mut agenda);
        while let Some(queued) = agenda.next(Time::from_secs(until)) {
            cluster.set_now(agenda.now());
            if let Event::Fault(event) = queued.event {
                faults.handle(event, &mut cluster, &mut agenda);
            }
            changes.clear();
            cluster.take_changes(&mut changes);
            for node in changes.iter().filter_map(|change| change.node()) {
                let silent = cluster.node(node).kubelet.silent_since().is_some();
                out.push((agenda.now().as_secs(), cluster.name(node).to_owned(), silent));
            }
        }
        out
    }

    #[test]
    fn zones_fail_together_and_failures_overlap() {
        let steps = [
            json!({ "at": "10s", "fail": "zone/a", "for": "20s" }),
            json!({ "at": "20s", "fail": "node/n2", "for": "1m" }),
        ];
        let at = |second, node: &str, silent| (second, node.to_owned(), silent);
        assert_eq!(
            run(&steps, 1, 200),
            [at(10, "n1", true), at(10, "n2", true), at(30, "n1", false), at(80, "n2", false)]
        );
    }

    #[test]
    fn drawn_failures_depend_on_the_seed_alone() {
        let steps = [json!({ "drawn": { "mtbf": "1h", "mttr": "5m" }, "fail": "node" })];
        let first = run(&steps, 7, 864_000);
        assert_eq!(first, run(&steps, 7, 864_000));
        assert_ne!(first, run(&steps, 8, 864_000));
        // Three nodes, ten days, one failure in 65 minutes each.
        let n_failures = first.iter().filter(|(_, _, silent)| *silent).count();
        assert!((550..780).contains(&n_failures), "{n_failures}");
    }
}
