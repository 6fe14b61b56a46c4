//! Facts about pods: eviction by taints, drains and budgets, pod garbage collection.

use serde_json::{Value, json};

use super::{Outcome, Run, at, hold, kubectl, node, pod, run, tolerates};

/// The facts by the identifiers of their rows.
pub(super) const FACTS: &[super::Fact] = &[
    ("TA01", || {
        let mut waiting = pod("p", "", json!({ "nodeSelector": { "none": "such" } }));
        waiting["spec"].as_object_mut().map(|spec| spec.remove("nodeName"));
        let run = tainted(vec![waiting], vec![], 60)?;
        hold(run.marked("p").is_none(), "a pod without a node is left alone", run.marked("p"))
    }),
    ("TA09", || {
        let tolerant = pod("p", "n1", json!({ "tolerations": [tolerates("t1", 10)] }));
        let run = tainted(vec![tolerant], vec![kubectl(25, "taint node n1 t1-")], 90)?;
        hold(run.has_event("p", "TaintManagerEviction", "Cancelling deletion"), "cancelled", &run.events)?;
        hold(run.marked("p").is_none(), "not deleted", run.marked("p"))
    }),
    ("TA14", || {
        let run = run(vec![node("n1", "a")], vec![deployment("web", 1, json!({}))], vec![], 20)?;
        let seen =
            run.names("Pod").first().and_then(|name| run.last("Pod", name)).map(|pod| pod["tolerations"].clone());
        let keys = ["not-ready", "unreachable"].map(|key| format!("node.kubernetes.io/{key}:NoExecute:300"));
        hold(seen == Some(json!(keys)), "two tolerations of 300 s", seen)
    }),
    ("TA15", || {
        let set = json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": { "name": "agent" },
            "spec": { "selector": { "matchLabels": { "app": "agent" } }, "template": template("agent", json!({})) },
        });
        let run =
            run(vec![node("n1", "a"), node("n2", "a")], vec![set], vec![json!({ "at": 10, "failNode": "n1" })], 900)?;
        let marked: Vec<&str> = run.names("Pod").into_iter().filter(|name| run.marked(name).is_some()).collect();
        hold(run.tainted("n1", "node.kubernetes.io/unreachable:NoExecute").is_some(), "the node is tainted", ())?;
        hold(marked.is_empty(), "no pod is deleted", marked)
    }),
    ("TA16", || {
        let pods = (0..10).map(|idx| pod(&format!("p{idx}"), "n1", json!({ "tolerations": [tolerates("t1", 300)] })));
        let budget = budget("all", json!({ "matchExpressions": [] }), json!({ "maxUnavailable": 0 }));
        let run = tainted(pods.chain([budget]).collect(), vec![], 400)?;
        (0..10).try_for_each(|idx| at(run.marked(&format!("p{idx}")), 320.0, "deleted"))
    }),
    ("TA17", || {
        let taint = kubectl(20, "taint node n1 t1=x:NoSchedule");
        let run = run(vec![node("n1", "a")], vec![pod("p", "n1", json!({}))], vec![taint], 90)?;
        hold(run.marked("p").is_none(), "nothing is evicted", run.marked("p"))
    }),
    ("GC01", || deleted_node(19, 60.0)),
    ("GC02", || deleted_node(1, 60.0)),
    ("GC05", || {
        let run = terminating(vec![json!({ "at": 100, "kubectl": OUT_OF_SERVICE })])?;
        let gone = run.gone("Pod", "p");
        hold(gone.is_some_and(|t| t <= 120.3), "gone within a period", gone)
    }),
    ("GC06", || {
        let run = terminating(vec![])?;
        hold(run.gone("Pod", "p").is_none(), "it stays", run.gone("Pod", "p"))
    }),
    ("GC07", || {
        let mut slow = pod("p", "n1", json!({}));
        slow["metadata"]["annotations"] = json!({ "wavetank.dev/stop": "25" });
        let steps = vec![kubectl(10, "delete pod p --wait=false"), kubectl(11, OUT_OF_SERVICE)];
        let tolerant = json!([{ "key": "node.kubernetes.io/out-of-service", "operator": "Exists" }]);
        slow["spec"]["tolerations"] = tolerant;
        let run = run(vec![node("n1", "a")], vec![slow], steps, 90)?;
        at(run.gone("Pod", "p"), 35.0, "the kubelet ends it")
    }),
    ("DR01", || {
        let mut mirror = pod("p", "n1", json!({}));
        mirror["metadata"]["annotations"] = json!({ "kubernetes.io/config.mirror": "x" });
        let run = drain(vec![mirror], "")?;
        hold(!failed(&run) && run.marked("p").is_none(), "skipped", &run.answers)
    }),
    ("DR02", || {
        let set = json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": { "name": "agent" },
            "spec": { "selector": { "matchLabels": { "app": "agent" } }, "template": template("agent", json!({})) },
        });
        refuses(&drain(vec![set, deployment("web", 2, json!({}))], "")?)
    }),
    ("DR04", || {
        let volumes = json!({ "volumes": [{ "name": "v", "emptyDir": {} }] });
        refuses(&drain(vec![deployment("web", 2, volumes)], "")?)
    }),
    ("DR05", || refuses(&drain(vec![pod("p", "n1", json!({}))], "")?)),
    ("DR07", || {
        let mut finished = pod("p", "n1", json!({ "restartPolicy": "Never" }));
        finished["metadata"]["annotations"] = json!({ "wavetank.dev/run": "2" });
        let run = drain(vec![finished], "")?;
        hold(!failed(&run) && run.gone("Pod", "p").is_some(), "allowed", &run.answers)
    }),
    ("DR08", || {
        let budget = budget("b", json!({ "matchLabels": { "app": "web" } }), json!({ "maxUnavailable": 0 }));
        let run = drain(vec![deployment("web", 1, json!({})), budget], "--timeout=17s")?;
        let refusals = run
            .answers
            .last()
            .map(|answer| answer.stderr.iter().filter(|line| line.contains("(will retry after 5s)")).count());
        hold(failed(&run) && refusals == Some(4), "refused at 0, 5, 10 and 15 s, then the timeout", &run.answers)
    }),
    ("DR14", || {
        let two =
            ["a", "b"].map(|name| budget(name, json!({ "matchLabels": { "app": "p" } }), json!({ "minAvailable": 0 })));
        let objects = [pod("p", "n1", json!({}))].into_iter().chain(two).collect();
        let run = run(vec![node("n1", "a")], objects, vec![json!({ "at": 10, "evict": "p" })], 20)?;
        hold(code(&run) == Some(500), "500", code(&run))
    }),
    ("DR16", || {
        let mut slow = pod("p", "n1", json!({}));
        slow["metadata"]["annotations"] = json!({ "wavetank.dev/stop": "25" });
        let budget = budget("b", json!({ "matchLabels": { "app": "p" } }), json!({ "minAvailable": 1 }));
        let steps = vec![kubectl(10, "delete pod p --wait=false"), json!({ "at": 12, "evict": "p" })];
        let run = run(vec![node("n1", "a")], vec![slow, budget], steps, 20)?;
        hold(code(&run) == Some(201), "granted", code(&run))
    }),
];

const OUT_OF_SERVICE: &str = "taint node n1 node.kubernetes.io/out-of-service=nodeshutdown:NoExecute";

/// A node that gets the taint `t1:NoExecute` at 20 s.
fn tainted(objects: Vec<Value>, more: Vec<Value>, seconds: u64) -> Result<Run, String> {
    let steps = [kubectl(20, "taint node n1 t1=x:NoExecute")].into_iter().chain(more).collect();
    run(vec![node("n1", "a")], objects, steps, seconds)
}

/// A pod whose node is deleted: collected at the turn at which the quarantine of 40 s is over.
fn deleted_node(when: u64, collected: f64) -> Outcome {
    let steps = vec![json!({ "at": when, "deleteNode": "n1" })];
    let run = run(vec![node("n1", "a"), node("n2", "a")], vec![pod("p", "n1", json!({}))], steps, 150)?;
    let failed = run.when("Pod", "p", 1.0, |value| {
        value["phase"] == "Failed" && value["conditions"]["DisruptionTarget"]["reason"] == "DeletionByPodGC"
    });
    let near = |t: f64| [collected, collected + 20.0].iter().any(|wanted| (t - wanted).abs() < 0.3);
    hold(failed.is_some_and(near), "Failed at that turn or the next", failed)?;
    hold(run.gone("Pod", "p").is_some_and(near), "and gone", run.gone("Pod", "p"))
}

/// A pod that is being deleted on a node that has failed.
fn terminating(more: Vec<Value>) -> Result<Run, String> {
    let steps = [json!({ "at": 10, "failNode": "n1" }), kubectl(80, "delete pod p --wait=false")];
    let steps = steps.into_iter().chain(more).collect();
    run(vec![node("n1", "a"), node("n2", "a")], vec![pod("p", "n1", json!({}))], steps, 300)
}

/// Drains a node of its pods at 20 s; the other node comes later, so that all pods are on the first.
fn drain(objects: Vec<Value>, flags: &str) -> Result<Run, String> {
    let steps = vec![json!({ "at": 10, "addNode": node("n2", "a") }), kubectl(20, &format!("drain n1 {flags}"))];
    run(vec![node("n1", "a")], objects, steps, 90)
}

fn failed(run: &Run) -> bool {
    run.answers.last().is_some_and(|answer| answer.failed)
}

fn refuses(run: &Run) -> Outcome {
    let marked: Vec<&str> = run.names("Pod").into_iter().filter(|name| run.marked(name).is_some()).collect();
    hold(failed(run), "the drain refuses", &run.answers)?;
    hold(marked.is_empty(), "and evicts nothing", marked)
}

/// The code of the last eviction.
fn code(run: &Run) -> Option<u16> {
    let (_, refused) = run.answers.last()?.evictions.last()?;
    Some(refused.as_ref().map_or(201, |refused| refused.code))
}

fn template(app: &str, more: Value) -> Value {
    let mut spec = json!({ "containers": [{ "name": "c", "image": "app:v1" }] });
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    json!({ "metadata": { "labels": { "app": app } }, "spec": spec })
}

pub(super) fn deployment(name: &str, replicas: u32, more: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
        "spec": {
            "replicas": replicas, "selector": { "matchLabels": { "app": name } }, "template": template(name, more),
        },
    })
}

fn budget(name: &str, selector: Value, bound: Value) -> Value {
    let mut spec = bound;
    spec["selector"] = selector;
    json!({ "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": name }, "spec": spec })
}
