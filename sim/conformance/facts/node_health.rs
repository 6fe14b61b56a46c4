//! Facts about silent nodes, evicted and collected pods, and leaders that are told in words: each in a small cluster.

use serde_json::{Value, json};

use super::lab::{EPOCH, Lab};
use crate::client::{Action, Client, Step};
use crate::cluster::{
    Agenda, Cluster, ConditionStatus, ControlPlane, Elected, KubeletHealth, LEASE_RENEW_INTERVAL, NodeId, ObjectRef,
    PodId, PodPhase, Sym,
};
use crate::controllers::node_lifecycle::{NodeLifecycleController, found_silent};
use crate::controllers::pod_gc::{PodGcController, TERMINATED_THRESHOLD};
use crate::controllers::taint_eviction::TaintEvictionController;
use crate::engine::{Draws, Span, Time};
use crate::faults::election::{RETRY_PERIOD, may_acquire};
use crate::faults::{Failure, Fault, Faults, NodeFailure, Target, When};
use crate::kubelet::{KubeletOptions, Kubelets};
use crate::scheduler::{Scheduler, SchedulerConfig};
use crate::simulation::{Parts, Simulation};

/// What a fact came to: nothing to say, or what is otherwise.
type Outcome = Result<(), String>;

/// A row and what answers it.
type Fact = (&'static str, fn() -> Outcome);

/// The facts by the identifiers of their rows.
const FACTS: &[Fact] = &[
    ("NH01", || found(50, 155)),
    ("NH02", no_execute_comes_with_unknown),
    ("NH05", || found(40, 145)),
    ("NH06", a_kubelet_says_not_ready),
    ("NH07", one_taint_for_the_other),
    ("NH09", a_kubelet_that_never_reports),
    ("NH10", heartbeats),
    ("NH12", clocks_of_nodes_do_not_count),
    ("NH14", no_network),
    ("TA10", || tolerations_change(100, None, 5)),
    ("TA11", || tolerations_change(1, Some(100), 1)),
    ("TA18", timers_begin_anew),
    ("TA19", mirrors_stay),
    ("GC03", || too_many(12_510, &["evicted", "old0", "old1", "old2", "old3", "old4", "old5", "old6", "old7", "old8"])),
    ("GC04", || too_many(12_500, &[])),
    ("GC08", unscheduled_and_deleted),
    ("leader_election.failover-01", a_standby_takes_over),
    ("leader_election.failover-02", a_leader_gives_up),
    ("leader_election.failover-03", clocks_of_replicas_do_not_count),
];

/// The test of a fact, by the identifier of its row; `None` if no test bears it.
pub(super) fn check(id: &str) -> Option<Outcome> {
    FACTS.iter().find(|(known, _)| *known == id).map(|(_, test)| test())
}

/// Fails with what was seen unless it holds.
fn hold(holds: bool, what: &str, seen: impl std::fmt::Debug) -> Outcome {
    if holds { Ok(()) } else { Err(format!("{what}: {seen:?}")) }
}

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

fn lab() -> Lab {
    Lab::new(vec![
        Box::new(NodeLifecycleController::default()),
        Box::new(TaintEvictionController::default()),
        Box::new(PodGcController::default()),
    ])
}

/// A node that is ready, whose kubelet renews its lease.
fn ready_node(lab: &mut Lab, name: &str) -> NodeId {
    let node = lab.node(name);
    report(lab, node, ConditionStatus::True);
    node
}

/// A kubelet reports its node ready, or not.
fn report(lab: &mut Lab, node: NodeId, status: ConditionStatus) {
    lab.write(|cluster| cluster.set_node_condition(node, cluster.words.ready, status, Sym::EMPTY, Sym::EMPTY));
}

fn silence(lab: &mut Lab, node: NodeId) {
    let since = lab.now();
    lab.write(|cluster| cluster.set_kubelet_health(node, KubeletHealth::Down { since }));
}

/// A pod on a node that runs and is ready.
fn pod(lab: &mut Lab, name: &str, node: &str, more: &Value) -> Result<PodId, String> {
    let mut spec = json!({ "nodeName": node, "containers": [{ "name": "c", "image": "app:v1" }] });
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    let manifest = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": "default" }, "spec": spec,
    });
    match lab.create(&manifest) {
        Some(ObjectRef::Pod(pod)) => {
            lab.run(pod, true);
            Ok(pod)
        }
        _ => Err(format!("pod {name} is not made")),
    }
}

fn tolerates(keys: &[&str], seconds: i64) -> Value {
    let one =
        |key: &&str| json!({ "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds });
    json!({ "tolerations": keys.iter().map(one).collect::<Vec<_>>() })
}

/// The taints of a node as `key:effect`, in order of time.
fn taints(lab: &Lab, node: NodeId) -> Vec<String> {
    let taints = lab.cluster.node(node).taints.iter();
    taints.map(|taint| format!("{}:{}", taint.taint.key, taint.taint.effect.as_str())).collect()
}

/// The first second at which it holds, if it does within `seconds`.
fn first(lab: &mut Lab, seconds: u64, holds: impl Fn(&Lab) -> bool) -> Option<u64> {
    (0..=seconds).find(|_| {
        lab.drain();
        let found = holds(lab);
        if !found {
            lab.after(1);
        }
        found
    })
}

/// Last heard of at 100: Unknown at the first turn of the monitor later than the grace.
fn found(grace: u64, wanted: u64) -> Outcome {
    let found = found_silent(Time::from_secs(100), Span::from_secs(grace), &ControlPlane::ideal());
    hold(found == Time::from_secs(wanted), "found silent", found)
}

/// Last heard of at 100, grace 50: Unknown at 155, and both taints with it.
fn no_execute_comes_with_unknown() -> Outcome {
    let mut lab = lab();
    let node = ready_node(&mut lab, "n1");
    ready_node(&mut lab, "n2");
    lab.after(101);
    silence(&mut lab, node);
    let none = first(&mut lab, 100, |lab| !taints(lab, node).is_empty()).map(|seconds| seconds + 101);
    hold(none == Some(155), "the first taint at 155", none)?;
    lab.run_to(lab.now() + Span::from_millis(200));
    let seen = taints(&lab, node);
    hold(
        seen == [UNREACHABLE, UNREACHABLE]
            .map(String::from)
            .iter()
            .zip(["NoSchedule", "NoExecute"])
            .map(|(key, effect)| format!("{key}:{effect}"))
            .collect::<Vec<_>>(),
        "both taints",
        seen,
    )
}

/// The kubelet reports Ready=False at 200: both taints follow, but the pods keep their own readiness.
fn a_kubelet_says_not_ready() -> Outcome {
    let mut lab = lab();
    let node = ready_node(&mut lab, "n1");
    ready_node(&mut lab, "n2");
    let pod = pod(&mut lab, "p", "n1", &tolerates(&[NOT_READY], 300))?;
    lab.after(201);
    report(&mut lab, node, ConditionStatus::False);
    lab.drain();
    let seen = taints(&lab, node);
    hold(seen == [format!("{NOT_READY}:NoSchedule")], "at once", seen)?;
    let after = first(&mut lab, 10, |lab| taints(lab, node).len() == 2);
    hold(after.is_some_and(|seconds| seconds <= 5), "NoExecute at the next turn of the monitor", after)?;
    let ready = lab.cluster.pod(pod).conditions.is_true(lab.cluster.words.ready);
    hold(ready, "the controller leaves the pods' Ready alone", ready)
}

/// A node that is not ready falls silent: one taint for the other, out of turn; the timer of its pod runs on.
fn one_taint_for_the_other() -> Outcome {
    let mut lab = lab();
    let nodes = ["n1", "n2", "n3", "n4", "n5"].map(|name| ready_node(&mut lab, name));
    let pod = pod(&mut lab, "p", "n1", &tolerates(&[NOT_READY, UNREACHABLE], 300))?;
    lab.after(101);
    report(&mut lab, nodes[0], ConditionStatus::False);
    silence(&mut lab, nodes[0]);
    let tainted = first(&mut lab, 20, |lab| taints(lab, nodes[0]).contains(&format!("{NOT_READY}:NoExecute")));
    let tainted = tainted.ok_or("not tainted")? + 101;
    // Another node takes the token of the zone at the turn at which the first is found silent.
    silence(&mut lab, nodes[1]);
    let unknown = |lab: &Lab| taints(lab, nodes[0]).contains(&format!("{UNREACHABLE}:NoSchedule"));
    first(&mut lab, 100, unknown).ok_or("never Unknown")?;
    let seen = taints(&lab, nodes[0]);
    let swapped =
        seen.contains(&format!("{UNREACHABLE}:NoExecute")) && !seen.contains(&format!("{NOT_READY}:NoExecute"));
    hold(swapped, "swapped at once", seen)?;
    let deleted = first(&mut lab, 400, |lab| lab.cluster.pod(pod).meta.is_deleting()).map(|_| lab.now().as_secs());
    hold(deleted.is_some_and(|at| at.abs_diff(tainted + 300) <= 1), "300 s after the first taint", (tainted, deleted))
}

/// A Node that no kubelet ever reports for: Unknown after 60 s.
fn a_kubelet_that_never_reports() -> Outcome {
    let mut lab = lab();
    let node = lab.node("n1");
    silence(&mut lab, node);
    let ready = lab.cluster.words.ready;
    let after = first(&mut lab, 120, |lab| lab.cluster.node(node).conditions.get(ready).is_some());
    // The first turn later than the grace.
    hold(after == Some(65), "at the first turn after 60 s", after)?;
    let conditions = &lab.cluster.node(node).conditions;
    let seen: Vec<(ConditionStatus, &str)> =
        conditions.iter().map(|condition| (condition.status, lab.cluster.interner.text(condition.reason))).collect();
    hold(seen == [(ConditionStatus::Unknown, "NodeStatusNeverUpdated"); 4], "four conditions", seen)
}

/// A lease every 10 s, the status every 5 min.
fn heartbeats() -> Outcome {
    let mut lab = lab();
    let node = ready_node(&mut lab, "n1");
    lab.after(659);
    let lease = lab.cluster.last_heartbeat(node, lab.now()).as_secs();
    let status = lab.cluster.export(ObjectRef::Node(node))["status"]["conditions"][0]["lastHeartbeatTime"].clone();
    hold(LEASE_RENEW_INTERVAL == Span::from_secs(10) && lease == 650, "the lease", lease)?;
    hold(status == "2016-05-19T00:10:00Z", "the status", status)
}

/// What a node says of the time does not matter: only that it has said something new.
fn clocks_of_nodes_do_not_count() -> Outcome {
    let found = |time: &str| {
        let mut lab = lab();
        ready_node(&mut lab, "other");
        let manifest = json!({
            "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n1" },
            "status": { "conditions": [{
                "type": "Ready", "status": "True", "lastHeartbeatTime": time, "lastTransitionTime": time,
            }] },
        });
        let Some(ObjectRef::Node(node)) = lab.create(&manifest) else { return None };
        lab.after(101);
        silence(&mut lab, node);
        first(&mut lab, 100, |lab| !taints(lab, node).is_empty())
    };
    let (right, ahead) = (found("2016-05-19T00:00:00Z"), found("2016-05-19T01:00:00Z"));
    hold(right == Some(54) && right == ahead, "an hour ahead makes no difference", (right, ahead))
}

/// Without network: no new pods, those that are there stay.
fn no_network() -> Outcome {
    let mut lab = lab();
    let node = ready_node(&mut lab, "n1");
    let pod = pod(&mut lab, "p", "n1", &json!({}))?;
    lab.after(10);
    lab.write(|cluster| {
        let kind = cluster.words.network_unavailable;
        cluster.set_node_condition(node, kind, ConditionStatus::True, Sym::EMPTY, Sym::EMPTY)
    });
    lab.after(600);
    let seen = taints(&lab, node);
    hold(seen == ["node.kubernetes.io/network-unavailable:NoSchedule"], "one taint", seen)?;
    hold(!lab.cluster.pod(pod).meta.is_deleting(), "the pod stays", ())
}

/// A pod that tolerates a taint for `seconds`; 5 s later for `then`, or not at all. It goes `goes` s after the taint.
fn tolerations_change(seconds: i64, then: Option<i64>, goes: u64) -> Outcome {
    let mut lab = lab();
    let node = ready_node(&mut lab, "n1");
    let before = Span::from_millis(if then.is_some() { 500 } else { 5_000 });
    let pod = pod(&mut lab, "p", "n1", &tolerates(&["t1"], seconds))?;
    lab.after(10);
    let now = lab.now();
    lab.write(|cluster| {
        let mut whole = cluster.export(ObjectRef::Node(node));
        whole["spec"]["taints"] = json!([{ "key": "t1", "effect": "NoExecute" }]);
        cluster.update_from(ObjectRef::Node(node), &whole)
    })?;
    lab.run_to(now + before);
    hold(!lab.cluster.pod(pod).meta.is_deleting(), "not before the change", lab.now())?;
    lab.write(|cluster| {
        let mut whole = cluster.export(ObjectRef::Pod(pod));
        whole["spec"]["tolerations"] = then.map_or(json!([]), |then| tolerates(&["t1"], then)["tolerations"].clone());
        cluster.update_from(ObjectRef::Pod(pod), &whole)
    })?;
    lab.run_to(lab.now().max(now + Span::from_micros(goes * 1_000_000 - 1)));
    if then.is_some() {
        hold(!lab.cluster.pod(pod).meta.is_deleting(), "not earlier", lab.now())?;
    }
    lab.run_to(now + Span::from_secs(goes));
    hold(lab.cluster.pod(pod).meta.is_deleting(), "deleted", lab.now())
}

/// A run with one step of the plan, of everything there is.
fn simulation(objects: Vec<Value>, steps: Vec<Step>, plan: Vec<Fault>, replicas: u8) -> Result<Simulation, String> {
    let mut cluster = Cluster::new(EPOCH);
    for name in ["default", "kube-system", "kube-node-lease"] {
        cluster.create_from(&json!({ "kind": "Namespace", "metadata": { "name": name } }))?;
    }
    let control_plane = ControlPlane { replicas, ..ControlPlane::ideal() };
    let node = |name: &str| json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name } });
    let step = |at, action| Step { at, action, text: String::new() };
    let mut all: Vec<Step> =
        ["n1", "n2"].map(|name| step(Time::ZERO, Action::AddNode(node(name)))).into_iter().collect();
    all.push(step(Time::from_secs(5), Action::Apply(objects)));
    all.extend(steps);
    let parts = Parts {
        controllers: crate::controllers::Controllers::new(&control_plane),
        kubelets: Kubelets::new(KubeletOptions::of(&control_plane), Default::default()),
        client: Client::new(all, Vec::new()),
        agenda: Agenda::new(Draws::new(1), control_plane),
        scheduler: Scheduler::new(SchedulerConfig::default().build().map_err(|error| format!("{error:?}"))?),
        faults: Faults::new(plan),
        cluster,
    };
    Ok(Simulation::new(parts))
}

/// A failure that begins at `at` and lasts so long.
fn once(at: Time, lasts: Option<Span>, failure: Failure) -> Fault {
    Fault { when: When::Once { at, lasts }, failure }
}

/// The first tenth of a second from `from` on at which it holds, if it does before `until`.
fn moment(
    run: &mut Simulation,
    from: Time,
    until: Time,
    holds: impl Fn(&Cluster) -> bool,
) -> Result<Option<Time>, String> {
    let mut at = from;
    while at <= until {
        run.run(at, false, &mut []).map_err(|stuck| stuck.to_string())?;
        if holds(&run.cluster) {
            return Ok(Some(at));
        }
        at += Span::from_millis(100);
    }
    Ok(None)
}

/// The controller manager restarts 200 s into a toleration of 300 s: the timer begins anew.
fn timers_begin_anew() -> Outcome {
    let spec = json!({ "nodeName": "n1", "containers": [{ "name": "c", "image": "app:v1" }] });
    let mut manifest =
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p", "namespace": "default" }, "spec": spec });
    manifest["spec"]["tolerations"] = tolerates(&["t1"], 300)["tolerations"].clone();
    let line = crate::kubectl::command::parse("taint node n1 t1=x:NoExecute").map_err(|error| error.to_string())?;
    let taint = Step { at: Time::from_secs(20), action: Action::Kubectl(Box::new(line)), text: String::new() };
    let crash = once(Time::from_secs(220), Some(Span::from_secs(1)), Failure::ControllerManager);
    let mut run = simulation(vec![manifest], vec![taint], vec![crash], 1)?;
    let leads = |cluster: &Cluster| cluster.has_leader(Elected::ControllerManager);
    let back = moment(&mut run, Time::from_secs(221), Time::from_secs(260), leads)?.ok_or("no leader")?;
    let gone =
        |cluster: &Cluster| cluster.find_pod("default", "p").is_none_or(|pod| cluster.pod(pod).meta.is_deleting());
    let deleted = moment(&mut run, back, Time::from_secs(700), gone)?.ok_or("never deleted")?;
    hold(deleted.since(back).as_secs().abs_diff(300) <= 1, "300 s after the new leader came", (back, deleted))
}

/// A static pod's mirror tolerates everything.
fn mirrors_stay() -> Outcome {
    let manifest =
        json!({ "metadata": { "name": "p" }, "spec": { "containers": [{ "name": "c", "image": "app:v1" }] } });
    let mut mirror = crate::kubelet::statics::mirror(&manifest, "n1", "u", "2016-05-19T00:00:00Z");
    // Its node has another uid here: without an owner nobody collects it.
    mirror["metadata"].as_object_mut().and_then(|metadata| metadata.remove("ownerReferences"));
    let lost = once(Time::from_secs(100), None, Failure::Nodes(Target::Node("n1".to_owned()), NodeFailure::Crash));
    let mut run = simulation(vec![mirror], vec![], vec![lost], 1)?;
    run.run(Time::from_secs(2_000), false, &mut []).map_err(|stuck| stuck.to_string())?;
    let cluster = &run.cluster;
    let tainted = cluster.find_node("n1").is_some_and(|node| cluster.node(node).taints.len() == 2);
    hold(tainted, "the node is tainted", tainted)?;
    let stays = cluster.find_pod("default", "p-n1").is_some_and(|pod| !cluster.pod(pod).meta.is_deleting());
    hold(stays, "the mirror stays", stays)
}

/// So many pods have ended, one of them evicted lately; these are collected.
fn too_many(n_pods: usize, collected: &[&str]) -> Outcome {
    let mut lab = lab();
    lab.node("n1");
    hold(TERMINATED_THRESHOLD == 12_500, "the threshold", TERMINATED_THRESHOLD)?;
    let mut names: Vec<String> = (0..9).map(|idx| format!("old{idx}")).collect();
    names.extend((0..n_pods - 10).map(|idx| format!("young{idx}")));
    for (idx, name) in names.iter().enumerate() {
        if idx == 9 {
            lab.after(5);
        }
        let pod = pod(&mut lab, name, "n1", &json!({}))?;
        lab.phase(pod, PodPhase::Succeeded);
    }
    lab.after(1);
    let evicted = pod(&mut lab, "evicted", "n1", &json!({}))?;
    lab.write(|cluster| {
        let reason = cluster.interner.sym("Evicted");
        cluster.set_pod_phase(evicted, PodPhase::Failed, reason, Sym::EMPTY);
    });
    lab.after(60);
    let left = |name: &String| lab.cluster.find_pod("default", name).is_none();
    let mut gone: Vec<String> =
        names.iter().chain([&"evicted".to_owned()]).filter(|name| left(name)).cloned().collect();
    gone.sort();
    hold(gone == collected, "collected", gone)
}

/// A pod that was never bound, held by a finalizer until after its deletion.
fn unscheduled_and_deleted() -> Outcome {
    let mut lab = lab();
    let manifest = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "p", "namespace": "default", "finalizers": ["example.com/held"] },
        "spec": { "containers": [{ "name": "c", "image": "app:v1" }] },
    });
    let Some(ObjectRef::Pod(pod)) = lab.create(&manifest) else { return Err("no pod".to_owned()) };
    lab.write(|cluster| cluster.delete_pod(pod, None));
    lab.after(30);
    let failed = lab.cluster.pod(pod).phase == PodPhase::Failed && !lab.cluster.pod(pod).meta.removed;
    hold(failed, "it has failed, and the finalizer holds it", lab.cluster.pod(pod).phase)?;
    lab.write(|cluster| {
        let finalizer = cluster.interner.sym("example.com/held");
        cluster.remove_finalizer(pod, finalizer);
    });
    hold(lab.cluster.pod(pod).meta.removed, "it is gone", ())
}

/// The leader crashes right after a renewal: the other replica leads from 15 s later, or at its next try.
fn a_standby_takes_over() -> Outcome {
    let crash = once(Time::from_micros(60_000_001), None, Failure::ControllerManager);
    let mut run = simulation(vec![], vec![], vec![crash], 2)?;
    let leads = |cluster: &Cluster| cluster.has_leader(Elected::ControllerManager);
    let at = moment(&mut run, Time::from_secs(61), Time::from_secs(120), leads)?.ok_or("no leader")?;
    let earliest = may_acquire(Time::from_secs(60));
    let latest = earliest + Span::from_secs_f64(RETRY_PERIOD.as_secs_f64() * 2.2) + Span::from_millis(100);
    hold(earliest == Time::from_secs(75) && (earliest..=latest).contains(&at), "from 15 s on, at a try", at)
}

/// A leader that cannot renew gives up 10 s after the last renewal that was answered.
fn a_leader_gives_up() -> Outcome {
    let outage = once(Time::from_secs(61), None, Failure::ApiServer);
    let mut run = simulation(vec![], vec![], vec![outage], 1)?;
    let follows = |cluster: &Cluster| !cluster.has_leader(Elected::Scheduler);
    let at = moment(&mut run, Time::from_secs(61), Time::from_secs(120), follows)?;
    hold(at == Some(Time::from_secs(70)), "the last renewal was at 60", at)
}

/// A candidate waits from when it saw the record itself: what its clock says, and what the record says, does not matter.
fn clocks_of_replicas_do_not_count() -> Outcome {
    let waits: Vec<Span> =
        [0, 60, 3600].map(|clock| may_acquire(Time::from_secs(clock)).since(Time::from_secs(clock))).into();
    hold(waits.iter().all(|&wait| wait == Span::from_secs(15)), "15 s by any clock", waits)
}
