//! Rows of `attach_detach_and_statefulset` about pods of a lost node: whole runs, with a StatefulSet `web` or a Deployment of one pod.

use serde_json::{Value, json};

use super::lab::template;
use super::{Answer, numbers, stated};
use crate::client::{Action, Client, Step};
use crate::cluster::{Agenda, Change, Cluster, ControlPlane, ObjectRef, Observer, PodId, What};
use crate::controllers::Controllers;
use crate::engine::{Draws, Span, Time};
use crate::faults::{Failure, Fault, Faults, NodeFailure, Target, When};
use crate::kubelet::{KubeletOptions, Kubelets};
use crate::scheduler::{Scheduler, SchedulerConfig};
use crate::simulation::{Parts, Simulation};

/// When the node is lost: just after a renewal of its lease.
const LOST: Time = Time::from_micros(100_100_000);
/// How far `about` reaches.
const ABOUT: i64 = 10;

/// What happened to pods: the name, and how long after the loss.
#[derive(Default)]
struct Seen {
    deleted: Vec<(PodId, i64)>,
    removed: Vec<(PodId, i64)>,
    created: Vec<(PodId, i64)>,
}

impl Observer for Seen {
    fn change(&mut self, at: Time, _: u32, _: u32, change: Change, _: &Cluster) {
        let ObjectRef::Pod(pod) = change.object else { return };
        let list = match change.what {
            What::Deleting => &mut self.deleted,
            What::Removed => &mut self.removed,
            What::Created => &mut self.created,
            _ => return,
        };
        list.push((pod, at.as_secs() as i64 - LOST.as_secs() as i64));
    }
}

/// `AD08` and its sequels, by what is given: `node returns at N`, `Node object deleted at N`, nothing.
pub(super) fn case(row: &Value) -> Answer {
    let given = row["given"].as_str()?;
    let is_deployment = given.contains("Deployment");
    let about_nodes = ["lost node", "node returns", "AD08"].iter().any(|words| given.contains(words));
    if !about_nodes || given.contains("taint") || given.contains("volume") {
        return None;
    }
    let at = |words: &str| given.split_once(words).and_then(|(_, rest)| numbers(rest).first().copied());
    let (returns, deleted) = (at("returns at"), at("deleted at"));
    let (simulation, seen) = run(is_deployment, returns, deleted)?;
    verdict(row, &simulation, &seen, returns)
}

fn run(is_deployment: bool, returns: Option<i64>, deleted: Option<i64>) -> Option<(Simulation, Seen)> {
    let mut cluster = Cluster::new(super::lab::EPOCH);
    for name in ["default", "kube-system", "kube-node-lease"] {
        cluster.create_from(&json!({ "kind": "Namespace", "metadata": { "name": name } })).ok()?;
    }
    let control_plane = ControlPlane::ideal();
    let amounts = json!({ "cpu": "4", "memory": "8Gi", "pods": "10" });
    let step = |at: Time, action| Step { at, action, text: String::new() };
    let node = |name: &str| {
        Action::AddNode(json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name },
            "status": { "capacity": amounts, "allocatable": amounts } }))
    };
    let kind = if is_deployment { "Deployment" } else { "StatefulSet" };
    let workload = json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": { "name": "web", "namespace": "default" },
        "spec": { "replicas": 1, "serviceName": (!is_deployment).then_some("web"),
            "selector": { "matchLabels": { "app": "web" } }, "template": template("web", "v1") },
    });
    // The second node comes when the pod has its place.
    let mut steps = vec![
        step(Time::ZERO, node("n1")),
        step(Time::from_secs(5), Action::Apply(vec![workload])),
        step(Time::from_secs(50), node("n2")),
    ];
    let after = |seconds: i64| LOST + Span::from_secs(seconds.unsigned_abs());
    steps.extend(deleted.map(|at| step(after(at), Action::DeleteNode("n1".to_owned()))));
    // What is lost is the way to the node: its containers run on, as long as nobody tells them otherwise.
    let lost = Fault {
        when: When::Once { at: LOST, lasts: returns.map(|at| Span::from_secs(at.unsigned_abs())) },
        failure: Failure::Nodes(Target::Node("n1".to_owned()), NodeFailure::Partition),
    };
    let scheduler = SchedulerConfig::default().build().ok()?;
    let parts = Parts {
        controllers: Controllers::new(&control_plane),
        kubelets: Kubelets::new(KubeletOptions::of(&control_plane), Default::default()),
        client: Client::new(steps, Vec::new()),
        agenda: Agenda::new(Draws::new(1), control_plane),
        scheduler: Scheduler::new(scheduler),
        faults: Faults::new(vec![lost]),
        cluster,
    };
    let (mut simulation, mut seen) = (Simulation::new(parts), Seen::default());
    simulation.run(after(2_000), false, &mut [&mut seen]).ok()?;
    Some((simulation, seen))
}

fn verdict(row: &Value, simulation: &Simulation, seen: &Seen, returns: Option<i64>) -> Answer {
    let expect = row["expect"].as_str()?;
    let &(first, _) = seen.created.first()?;
    let time_of = |list: &[(PodId, i64)]| list.iter().find(|(pod, _)| *pod == first).map(|&(_, at)| at);
    let (deleted, removed) = (time_of(&seen.deleted), time_of(&seen.removed));
    let replaced = seen.created.iter().find(|(pod, at)| *pod != first && *at > 0).map(|&(_, at)| at);
    // The first two numbers of the fact that stand for times: `355-365`.
    let ranges = expect.split([' ', ',', ';']).filter_map(|word| word.split_once('-'));
    let range = ranges.filter_map(|(from, to)| Some((from.parse::<i64>().ok()?, to.parse::<i64>().ok()?))).next();
    let within =
        |at: Option<i64>| at.zip(range).is_some_and(|(at, (from, to))| (from - ABOUT..=to + ABOUT).contains(&at));
    let cluster = &simulation.cluster;
    let agrees = if expect.contains("no deletions") {
        let row = cluster.pod(first);
        let restarts: u32 = row.containers.iter().map(|container| container.restarts).sum();
        deleted.is_none() && row.conditions.is_true(cluster.words.ready) && restarts == 0
    } else if expect.contains("SIGTERM") {
        let grace = i64::from(cluster.spec_of(first).grace_seconds);
        let back = returns?;
        removed.is_some_and(|at| (back..=back + grace + ABOUT).contains(&at)) && replaced.is_some_and(|at| at < back)
    } else if expect.contains("forever") {
        within(deleted) && removed.is_none() && replaced.is_none()
    } else if expect.contains("podGC") {
        within(removed) && replaced.is_some_and(|at| removed.is_some_and(|gone| (gone..=gone + 1).contains(&at)))
    } else if expect.contains("replacement created") {
        within(replaced)
    } else {
        return None;
    };
    stated(&row["expect"], agrees, (deleted, removed, replaced))
}
