//! Scripted and drawn failures: the world's part in a run.
//!
//! A failure is a fact of the world; what follows from it the kubelets, the controllers and all others find out in their own time.
//! Failures of one thing may overlap: it is well again when the last of them has ended, and while several last, the worst counts.

pub mod election;
mod leases;
mod plan;
mod read;
mod strike;

use rand_chacha::rand_core::Rng;

pub use plan::{Containers, Failure, Fault, Lasting, NodeFailure, Pods, Target, When};

use crate::cluster::{
    Agenda, Change, Cluster, Component, ControlPlane, Elected, Event, FaultEvent, KubeletHealth, NodeId, Outage, What,
};
use crate::engine::{Purpose, Span, Time, open_unit};
use election::Election;
use strike::Active;

/// The failures of a run.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    plan: Vec<Fault>,
    /// One for every cause of failure: a step of the plan, or one node or group of a step that strikes each by itself.
    causes: Vec<Cause>,
    /// What is failing now.
    active: Active,
    elections: Vec<Election>,
    /// The control plane when its API server is not slow.
    as_given: Option<Box<ControlPlane>>,
}

#[derive(Clone, Debug)]
struct Cause {
    /// The step of the plan.
    fault: usize,
    group: Group,
    /// Number of failures so far: the turn of its random stream.
    turn: u32,
    /// The nodes it holds down.
    struck: Vec<NodeId>,
    /// The replica it holds down.
    replica: Option<usize>,
}

/// What a cause strikes of a step's targets.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Group {
    /// All of them.
    All,
    /// One node.
    Node(NodeId),
    /// The nodes with this value of the step's label.
    Value(String),
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

    fn cause(&mut self, fault: usize, group: Group, agenda: &mut Agenda) {
        let index = self.causes.len() as u32;
        self.causes.push(Cause { fault, group, turn: 0, struck: Vec::new(), replica: None });
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
        // Whatever is drawn, time goes on.
        agenda.at(at.max(agenda.now() + Span::from_micros(1)), Event::Fault(FaultEvent::Begin(index)));
    }

    fn begin(&mut self, index: u32, cluster: &mut Cluster, agenda: &mut Agenda) {
        let Some(cause) = self.causes.get(index as usize) else { return };
        let fault = &self.plan[cause.fault];
        let lasts = match &fault.when {
            When::Once { lasts, .. } => *lasts,
            When::Drawn { down, .. } => Some(draw(down, cause, 1, agenda)),
        };
        let (step, text, instant) = (cause.fault as u32, self.text(index, cluster), fault.is_instant());
        let number = cluster.note_fault(step, &text, true);
        agenda.because(number, cluster);
        if self.strike(index, cluster, agenda) == 0 {
            cluster.fault_struck_nothing(number);
        }
        match lasts {
            _ if instant => self.is_over(index, agenda),
            Some(lasts) => agenda.after(lasts, Event::Fault(FaultEvent::End(index))),
            None => {}
        }
    }

    fn end(&mut self, index: u32, cluster: &mut Cluster, agenda: &mut Agenda) {
        let Some(fault) = self.causes.get(index as usize).map(|cause| cause.fault) else { return };
        let text = self.text(index, cluster);
        let number = cluster.note_fault(fault as u32, &text, false);
        agenda.because(number, cluster);
        self.mend(index, cluster, agenda);
        self.is_over(index, agenda);
    }

    fn is_over(&mut self, index: u32, agenda: &mut Agenda) {
        self.causes[index as usize].turn += 1;
        self.schedule_next(index, agenda);
    }

    /// What a cause strikes, in a few words.
    fn text(&self, index: u32, cluster: &Cluster) -> String {
        let cause = &self.causes[index as usize];
        let mut fault = self.plan[cause.fault].clone();
        if let Failure::Nodes(target, _) = &mut fault.failure {
            match (&cause.group, &*target) {
                (Group::Node(node), _) => *target = Target::Node(cluster.name(*node).to_owned()),
                (Group::Value(value), Target::EachValue(key)) => *target = Target::Label(key.clone(), value.clone()),
                _ => {}
            }
        }
        fault.text()
    }

    fn election(&mut self, process: Elected) -> Option<&mut Election> {
        self.elections.get_mut(process as usize)
    }
}

/// A drawn length of time. `which` tells the time up from the time down of one turn.
fn draw(lasting: &Lasting, cause: &Cause, which: u64, agenda: &Agenda) -> Span {
    let group = match &cause.group {
        Group::All => 0,
        Group::Node(node) => u64::from(node.0) + 1,
        Group::Value(value) => {
            let hash = value.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
            hash & ((1 << 38) - 1) | 1 << 38
        }
    };
    let entity = (cause.fault as u64) << 40 | group << 1 | which;
    let mut stream = agenda.stream(Purpose::NodeFailure, entity, cause.turn);
    match lasting {
        Lasting::Exponential(mean) => {
            Span::from_secs_f64(-libm::log(open_unit(stream.next_u64())) * mean.as_secs_f64())
        }
        Lasting::Given(distribution) => distribution.sample_span(&mut stream),
    }
}

impl Component for Faults {
    type Event = FaultEvent;

    fn start(&mut self, cluster: &mut Cluster, agenda: &mut Agenda) {
        let replicas = agenda.control_plane.replicas;
        self.elections = [Elected::ControllerManager, Elected::Scheduler].map(|p| Election::new(p, replicas)).into();
        self.as_given = Some(Box::new(agenda.control_plane.clone()));
        if self.plan.iter().any(|fault| fault.failure.concerns_leaders()) {
            leases::begin(cluster);
        }
        let nodes: Vec<NodeId> = cluster.nodes().map(|(id, _)| id).collect();
        for fault in 0..self.plan.len() {
            match &self.plan[fault].failure {
                Failure::Nodes(Target::EachNode, _) => {
                    nodes.iter().for_each(|&node| self.cause(fault, Group::Node(node), agenda));
                }
                Failure::Nodes(Target::EachValue(key), _) => {
                    for value in strike::values(key, cluster) {
                        self.cause(fault, Group::Value(value), agenda);
                    }
                }
                _ => self.cause(fault, Group::All, agenda),
            }
        }
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, _: &mut Agenda) {
        // A machine that someone else has brought back is well.
        if let (What::Kubelet, Some(node)) = (change.what, change.node())
            && cluster.node(node).kubelet == KubeletHealth::Running
        {
            self.active.forget_silence(node);
        }
    }

    fn handle(&mut self, event: FaultEvent, cluster: &mut Cluster, agenda: &mut Agenda) {
        match event {
            FaultEvent::Begin(index) => self.begin(index, cluster, agenda),
            FaultEvent::End(index) => self.end(index, cluster, agenda),
            FaultEvent::Candidate { process, replica, turn } => {
                if let Some(election) = self.election(process) {
                    election.candidate(usize::from(replica), turn, cluster, agenda);
                }
            }
            FaultEvent::GivesUp { process, turn } => {
                if let Some(election) = self.election(process) {
                    election.give_up(turn, cluster, agenda);
                }
            }
        }
    }

    fn outage(&mut self, outage: Outage, _: &mut Cluster, agenda: &mut Agenda) {
        if let Outage::Writable(writable) = outage {
            self.elections.iter_mut().for_each(|election| election.writable(writable, agenda));
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
