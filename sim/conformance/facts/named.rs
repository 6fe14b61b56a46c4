//! Facts that are told in words and answered by tests of their own: each asserts what its row says through the code that runs use.

use serde_json::{Value, json};

use super::lab::{Lab, template};
use super::topology::Bench;
use crate::api::accept::{AcceptContext, accept};
use crate::api::admission::limit_ranger;
use crate::client::{Action, Client, Step};
use crate::cluster::objects::ResourceQuota;
use crate::cluster::{Agenda, Cluster, ControlPlane, ObjectRef, PodId, PodPhase, Sym};
use crate::conformance::scheduler;
use crate::controllers::Controllers;
use crate::controllers::resource_quota::ResourceQuotaController;
use crate::engine::{Draws, Time};
use crate::faults::{Failure, Fault, Faults, When};
use crate::kubectl::command::parse;
use crate::kubelet::{KubeletOptions, Kubelets};
use crate::scheduler::{Scheduler, SchedulerConfig};
use crate::simulation::{Parts, Simulation};

type Outcome = Result<(), String>;

/// The test of a row; `None` if it has none here.
pub(super) fn check(id: &str) -> Option<Outcome> {
    FACTS.iter().find(|(known, _)| *known == id).map(|(_, test)| test())
}

/// A row and what answers it.
type Fact = (&'static str, fn() -> Outcome);

const FACTS: &[Fact] = &[
    ("limitrange.defaulting-01", || {
        let pod = defaulted(
            json!({}),
            json!({ "default": { "cpu": "1", "memory": "1Gi" }, "defaultRequest": { "cpu": "1", "memory": "1Gi" } }),
        )?;
        let text =
            "LimitRanger plugin set: cpu, memory request for container foo-0; cpu, memory limit for container foo-0";
        let said = &pod["metadata"]["annotations"][limit_ranger::ANNOTATION];
        hold(*said == text, said)
    }),
    ("limitrange.defaulting-02", || {
        let own = json!({ "requests": { "memory": "512Mi" } });
        let both = json!({ "cpu": "50m", "memory": "10Gi" });
        let pod = defaulted(own, json!({ "defaultRequest": both, "default": both }))?;
        let want = json!({ "requests": { "cpu": "50m", "memory": "512Mi" }, "limits": both });
        hold(resources(&pod) == &want, resources(&pod))
    }),
    ("limitrange.defaulting-04", || {
        let pod = defaulted(json!({}), json!({ "max": { "cpu": "2" } }))?;
        hold(resources(&pod) == &json!({ "requests": { "cpu": "2" }, "limits": { "cpu": "2" } }), resources(&pod))
    }),
    ("limitrange.defaulting-05", || {
        let own = json!({ "limits": { "cpu": "300m" } });
        let pod = defaulted(own, json!({ "defaultRequest": { "cpu": "100m" } }))?;
        hold(resources(&pod)["requests"]["cpu"] == "300m", resources(&pod))
    }),
    ("quota.admission-04", || {
        let (mut lab, quota, pods) = quota(json!({ "pods": "5" }), 5, "1")?;
        let full = charge(&mut lab, "1").is_err() && used(&lab, quota, "pods") == "5";
        lab.phase(pods[0], PodPhase::Succeeded);
        lab.after(60);
        let after = used(&lab, quota, "pods");
        hold(full && after == "4" && charge(&mut lab, "1").is_ok(), (full, after))
    }),
    ("quota.admission-08", || {
        let (mut lab, quota, pods) = quota(json!({ "cpu": "10" }), 9, "1")?;
        lab.patch(quota, &json!({ "spec": { "hard": { "cpu": "5" } } })).ok_or("the quota cannot be changed")?;
        lab.after(60);
        let kept = pods.iter().filter(|&&pod| lab.cluster.pod(pod).is_active()).count();
        let refused = charge(&mut lab, "1m");
        hold(kept == 9 && used(&lab, quota, "cpu") == "9" && refused.is_err(), (kept, refused))
    }),
    ("kubectl.drain-17", drain_without_answer),
    ("TP05", || {
        let seen = |cores: [&str; 3]| shared_out(&cores, 4);
        let (uneven, even) = (seen(["6", "6", "4"])?, seen(["8", "4", "4"])?);
        hold(uneven.is_empty() && even.len() == 4, (uneven, even))
    }),
    ("TP06", || {
        let mut bench = Bench::new(json!({})).ok_or("no Service")?;
        ["a", "b", ""].iter().for_each(|zone| bench.node(zone, "4"));
        bench.pods(["a", "b", "a", "b"].into_iter()).ok_or("no pods")?;
        let hinted = bench.endpoints().iter().filter(|endpoint| endpoint.for_zone != Sym::EMPTY).count();
        hold(hinted == 0 && bench.lab.reasons() == ["TopologyAwareHintsDisabled"], (hinted, bench.lab.reasons()))
    }),
    ("TP07", || {
        let mut bench = Bench::new(json!({ "trafficDistribution": "PreferSameZone" })).ok_or("no Service")?;
        ["a", "b"].iter().for_each(|zone| bench.node(zone, "4"));
        bench.pods(std::iter::once("a").chain(std::iter::repeat_n("b", 9))).ok_or("no pods")?;
        let endpoints = bench.endpoints();
        let own = endpoints.iter().filter(|endpoint| endpoint.for_zone == endpoint.zone).count();
        let of_a = endpoints.iter().filter(|one| bench.lab.cluster.interner.text(one.for_zone) == "a").count();
        hold((own, of_a) == (10, 1), (own, of_a))
    }),
    ("AD07", || {
        let fits = |limit: u64| with_volumes(limit, 25);
        // With room for one more there is no error to compare.
        hold(fits(25) == [true, true] && !fits(26)[0], (fits(25), fits(26)))
    }),
];

/// Fails with what was seen unless it holds.
fn hold(holds: bool, seen: impl std::fmt::Debug) -> Outcome {
    if holds { Ok(()) } else { Err(format!("saw {seen:?}")) }
}

/// The zones that the endpoints of a Service are hinted to, which has so many of them in zones with this CPU.
fn shared_out(cores: &[&str], n_endpoints: usize) -> Result<Vec<String>, String> {
    let mut bench = Bench::new(json!({})).ok_or("no Service")?;
    let zones = ["a", "b", "c"];
    zones.iter().zip(cores).for_each(|(zone, cores)| bench.node(zone, cores));
    bench.pods((0..n_endpoints).map(|nth| zones[nth % cores.len()])).ok_or("no pods")?;
    let text = |sym| bench.lab.cluster.interner.text(sym).to_owned();
    Ok(bench.endpoints().iter().map(|one| text(one.for_zone)).filter(|zone| !zone.is_empty()).collect())
}

/// A pod with one container `foo-0` after the API server's defaulting and a LimitRange for containers, itself defaulted.
fn defaulted(own: Value, item: Value) -> Result<Value, String> {
    let mut range = json!({ "apiVersion": "v1", "kind": "LimitRange", "metadata": { "name": "r", "namespace": "default" },
        "spec": { "limits": [item] } });
    range["spec"]["limits"][0]["type"] = "Container".into();
    let container = json!({ "name": "foo-0", "image": "i", "resources": own });
    let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p", "namespace": "default" },
        "spec": { "containers": [container] } });
    let stored = |object: &Value| accept(object, &AcceptContext::default()).map(|accepted| accepted.value);
    let range = stored(&range).map_err(|refusal| format!("{refusal:?}"))?;
    let mut pod = stored(&pod).map_err(|refusal| format!("{refusal:?}"))?;
    limit_ranger::default_pod(&mut pod, &[range]);
    Ok(pod)
}

fn resources(pod: &Value) -> &Value {
    &pod["spec"]["containers"][0]["resources"]
}

/// A quota `q` and so many pods of one container with this request of CPU.
fn quota(hard: Value, n_pods: usize, cpu: &str) -> Result<(Lab, crate::cluster::ObjId, Vec<PodId>), String> {
    let mut lab = Lab::new(vec![Box::new(ResourceQuotaController)]);
    lab.node("n1");
    let mut pods = Vec::new();
    for nth in 0..n_pods {
        let mut pod = pod(cpu);
        pod["metadata"]["name"] = format!("p{nth}").into();
        let Some(ObjectRef::Pod(pod)) = lab.create(&pod) else { return Err("no pod".to_owned()) };
        lab.run(pod, true);
        pods.push(pod);
    }
    let manifest = json!({ "kind": "ResourceQuota", "metadata": { "name": "q" }, "spec": { "hard": hard } });
    let quota = lab.object(&manifest).ok_or("no quota")?;
    lab.after(60);
    Ok((lab, quota, pods))
}

fn pod(cpu: &str) -> Value {
    let mut pod = template("web", "v1");
    pod["kind"] = "Pod".into();
    pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = cpu.into();
    pod
}

/// Asks the quotas about one more pod, as its creation does.
fn charge(lab: &mut Lab, cpu: &str) -> Result<(), String> {
    let spec = lab.cluster.intern_spec(&pod(cpu)["spec"])?;
    let namespace = lab.cluster.interner.sym("default");
    lab.write(|cluster| cluster.charge_pod(namespace, spec))
}

fn used(lab: &Lab, quota: crate::cluster::ObjId, resource: &str) -> String {
    let used = &lab.cluster.get::<ResourceQuota>(quota).used;
    used.get(resource).map_or_else(String::new, ToString::to_string)
}

/// `kubectl drain` while the API server does not answer: it fails, and the node is as it was.
fn drain_without_answer() -> Outcome {
    let mut cluster = Cluster::new(super::lab::EPOCH);
    let namespace = json!({ "kind": "Namespace", "metadata": { "name": "default" } });
    cluster.create_from(&namespace)?;
    let amounts = json!({ "cpu": "4", "memory": "8Gi", "pods": "10" });
    let node = json!({ "kind": "Node", "metadata": { "name": "node" }, "status": { "capacity": amounts, "allocatable": amounts } });
    cluster.create_from(&node)?;
    let command = parse("drain node").map_err(|error| error.to_string())?;
    let drain = Step { at: Time::from_secs(10), action: Action::Kubectl(Box::new(command)), text: String::new() };
    let when = When::Once { at: Time::from_secs(5), lasts: None };
    let control_plane = ControlPlane::ideal();
    let scheduler = SchedulerConfig::default().build().map_err(|error| format!("{error:?}"))?;
    let parts = Parts {
        controllers: Controllers::new(&control_plane),
        kubelets: Kubelets::new(KubeletOptions::of(&control_plane), Default::default()),
        client: Client::new(vec![drain], Vec::new()),
        agenda: Agenda::new(Draws::new(1), control_plane),
        scheduler: Scheduler::new(scheduler),
        faults: Faults::new(vec![Fault { when, failure: Failure::ApiServer }]),
        cluster,
    };
    let mut simulation = Simulation::new(parts);
    simulation.run(Time::from_secs(100), false, &mut []).map_err(|stuck| stuck.to_string())?;
    let failed =
        simulation.client.answers().last().is_some_and(|(_, answer)| answer.failed && !answer.stderr.is_empty());
    let cordoned = simulation.cluster.nodes().any(|(_, node)| node.unschedulable);
    hold(failed && !cordoned, (failed, cordoned))
}

/// Whether a pod with one more volume finds no node, and is told so, where so many volumes of a driver are attached to the only node.
fn with_volumes(limit: u64, n_attached: usize) -> [bool; 2] {
    let names: Vec<String> = (0..=n_attached).map(|nth| format!("v{nth}")).collect();
    let volume = |name: &String| {
        json!({ "metadata": { "name": name }, "spec": { "capacity": { "storage": "1Gi" }, "accessModes": ["ReadWriteOnce"],
            "csi": { "driver": "csi.example.org", "volumeHandle": name }, "claimRef": { "namespace": "default", "name": name } } })
    };
    let claim = |name: &String| {
        json!({ "metadata": { "name": name, "namespace": "default", "annotations": { "pv.kubernetes.io/bind-completed": "yes" } },
            "spec": { "volumeName": name, "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } },
            "status": { "phase": "Bound" } })
    };
    let pod = |name: &String, node: Option<&str>| {
        let volumes = json!([{ "name": "v", "persistentVolumeClaim": { "claimName": name } }]);
        json!({ "metadata": { "name": name, "namespace": "default" },
            "spec": { "nodeName": node, "containers": [{ "name": "c", "image": "i" }], "volumes": volumes } })
    };
    let (last, before) = (&names[n_attached], &names[..n_attached]);
    let amounts = json!({ "cpu": "64", "memory": "64Gi", "pods": "110" });
    let case = json!({
        "nodes": [{ "metadata": { "name": "n" }, "status": { "capacity": amounts, "allocatable": amounts } }],
        "csinodes": [{ "metadata": { "name": "n" },
            "spec": { "drivers": [{ "name": "csi.example.org", "nodeID": "n", "allocatable": { "count": limit } }] } }],
        "pvs": names.iter().map(volume).collect::<Vec<_>>(), "pvcs": names.iter().map(claim).collect::<Vec<_>>(),
        "pods": before.iter().map(|name| pod(name, Some("n"))).collect::<Vec<_>>(), "pod": pod(last, None),
        "expect": { "feasible": [], "fitError": "0/1 nodes are available: 1 node(s) exceed max volume count." },
    });
    let differences = scheduler::check_case(&case);
    ["feasible", "fitError"].map(|subject| differences.iter().all(|difference| difference.subject != subject))
}
