//! `daemonset.*`: where daemon pods run, which changes of a node matter, and one step of an update by the real controller.

use serde_json::{Value, json};

use super::lab::{Lab, template};
use super::{Answer, amount, count, first_number, flag, numbers, only, stated};
use crate::api::toleration::{Taint, TaintEffect};
use crate::cluster::objects::DaemonSet;
use crate::cluster::{NodeTaint, ObjId, PodId, What};
use crate::controllers::daemon_placement::DaemonPlacement;
use crate::controllers::daemon_set::DaemonSetController;

pub(super) fn case(rule: &str, case: &Value) -> Answer {
    let (input, out) = (&case["in"], &case["out"]);
    match rule {
        "should_run" => should_run(input.as_str()?, out),
        "node_update_enqueues" => node_update(input.as_str()?, out),
        "rolling" => rolling(input, out),
        _ => None,
    }
}

/// The words of which descriptions of pods and nodes are made.
const WORDS: &str = "fits needs m mi g gi k cpu memory disk used already in use host port ports conflict conflicts pods pod node nodes \
    nodeselector nodename name selector match matches does not mismatch mismatched other another different required preferred \
    affinity notin exists type production test unschedulable cordoned untolerated tolerated toleration taint tainted noexecute \
    noschedule prefernoschedule ready unreachable pressure network unavailable kubernetes io dedicated hostnetwork is has too many insufficient \
    out of space resource resources specified specifies itself own daemon daemonset same label labels with a the on to by";

/// The node is called `n1`, has the label `type=production`, and what the words say. Amounts and ports do not matter: the scheduler
/// sees to them.
fn should_run(text: &str, out: &Value) -> Answer {
    only(text, WORDS)?;
    let lower = text.to_lowercase();
    let denied = lower.contains("not match") || lower.contains("mismatch") || lower.contains("other node");
    let mut spec = json!({ "containers": [{ "name": "c" }] });
    let mut taints = Vec::new();
    if lower.contains("nodeselector") {
        spec["nodeSelector"] = json!({ "type": if denied { "test" } else { "production" } });
    } else if lower.contains("affinity") {
        let operator = if text.contains("NotIn") { "NotIn" } else { "In" };
        let listed = text.split_once('[').and_then(|(_, list)| list.split_once(']')).map(|(list, _)| list);
        let listed = listed.unwrap_or(if denied { "test" } else { "production" });
        let values: Vec<&str> = listed.split(',').map(str::trim).collect();
        let terms = json!([{ "matchExpressions": [{ "key": "type", "operator": operator, "values": values }] }]);
        spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"] = terms;
    } else if lower.contains("nodename") || lower.contains("node name") || lower.contains("other node") {
        spec["nodeName"] = (if denied { "n2" } else { "n1" }).into();
    } else if lower.contains("taint") {
        let effect = [TaintEffect::PreferNoSchedule, TaintEffect::NoSchedule, TaintEffect::NoExecute]
            .into_iter()
            .find(|effect| text.contains(effect.as_str()))?;
        let named = text.split_whitespace().find_map(|word| word.split_once(':')).map(|(key, _)| key);
        let key = named.map_or("dedicated".to_owned(), |key| match key.contains('/') {
            true => key.to_owned(),
            false => format!("node.kubernetes.io/{key}"),
        });
        if lower.contains("tolerated") && !lower.contains("untolerated") && !lower.contains("not tolerated") {
            spec["tolerations"] = json!([{ "key": key, "operator": "Exists" }]);
        }
        taints.push(Taint { key, value: String::new(), effect });
    } else if lower.contains("unschedulable") || lower.contains("cordon") {
        let key = "node.kubernetes.io/unschedulable".to_owned();
        taints.push(Taint { key, value: String::new(), effect: TaintEffect::NoSchedule });
    } else if !["fits", "needs", "used", "port", "pods", "disk", "memory", "cpu"]
        .iter()
        .any(|word| lower.contains(word))
    {
        return None;
    }
    if lower.contains("host network") || lower.contains("hostnetwork") {
        spec["hostNetwork"] = true.into();
    }
    let placement = DaemonPlacement::of_template(&serde_json::from_value(spec).ok()?);
    let verdict = placement.on_node("n1", |key| (key == "type").then_some("production"), &taints);
    super::same(out, json!([verdict.should_run, verdict.should_continue_running]))
}

fn daemon_set(lab: &mut Lab, strategy: &Value) -> Option<ObjId> {
    lab.object(&json!({
        "kind": "DaemonSet", "metadata": { "name": "agent" },
        "spec": { "selector": { "matchLabels": { "app": "agent" } }, "template": template("agent", "v1"),
            "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": strategy } },
    }))
}

/// Whether a change of a node wakes the controller.
fn node_update(text: &str, out: &Value) -> Answer {
    let mut lab = Lab::new(vec![Box::new(DaemonSetController::default())]);
    let node = lab.node("n1");
    daemon_set(&mut lab, &json!({}))?;
    lab.drain();
    let before = lab.agenda.n_pending();
    only(text, "nothing changed labels label taints taint allocatable annotations unschedulable conditions condition")?;
    let what = text.split(' ').next()?;
    lab.write(|cluster| match what {
        "nothing" => cluster.heartbeat(node),
        "labels" => cluster.set_label(node, "type", Some("test")),
        "taints" => {
            let taint = Taint { key: "k".to_owned(), value: String::new(), effect: TaintEffect::NoSchedule };
            cluster.set_taints(node, vec![NodeTaint { taint, added: None }]);
        }
        "allocatable" => cluster.set_allocatable(node, vec![(crate::cluster::ResourceId::CPU, 1)]),
        "annotations" => cluster.set_annotation(node, "a", Some("b")),
        "unschedulable" => cluster.set_unschedulable(node, true),
        "conditions" | "condition" => {
            let (kind, status) = (cluster.words.ready, crate::cluster::ConditionStatus::False);
            cluster.set_node_condition(node, kind, status, crate::cluster::Sym::EMPTY, crate::cluster::Sym::EMPTY);
        }
        _ => {}
    });
    let known =
        ["nothing", "labels", "taints", "allocatable", "annotations", "unschedulable", "conditions", "condition"];
    let enqueued = before < lab.agenda.n_pending();
    known.contains(&what).then(|| super::same(out, enqueued)).flatten()
}

/// The first step of an update of a DaemonSet whose pods are all there.
fn rolling(input: &Value, out: &Value) -> Answer {
    let n_nodes = input["nodes"].as_u64().filter(|&count| count <= 1_000)?;
    flag(input, "all_old_available")?;
    amount(&input["maxSurge"]).and(amount(&input["maxUnavailable"]))?;
    let mut lab = Lab::new(vec![Box::new(DaemonSetController::default())]);
    for nth in 0..n_nodes {
        lab.node(&format!("n{nth:03}"));
    }
    let mut strategy = json!({});
    if !input["maxSurge"].is_null() {
        strategy["maxSurge"] = input["maxSurge"].clone();
        strategy["maxUnavailable"] = 0.into();
    }
    if !input["maxUnavailable"].is_null() {
        strategy["maxUnavailable"] = input["maxUnavailable"].clone();
    }
    let id = daemon_set(&mut lab, &strategy)?;
    lab.drain();
    let n_broken = usize::try_from(count(input, "old_unavailable", n_nodes)?).ok()?;
    let old: Vec<PodId> = lab.pods();
    for (nth, &pod) in old.iter().enumerate() {
        // The broken ones are not those that would go first.
        bind(&mut lab, pod)?;
        lab.run(pod, nth + n_broken < old.len());
    }
    lab.drain();
    let begin = lab.log.len();
    lab.write(|cluster| {
        let new = cluster.lower_template(&template("agent", "v2")).ok()?;
        cluster.update_spec::<DaemonSet>(id, |set| set.template = new).then_some(())
    })?;
    lab.drain();
    let (created, deleted) = (lab.pods_with(What::Created, begin).len(), lab.pods_with(What::Deleting, begin));
    let broken = old.iter().rev().take(n_broken).map(|&pod| lab.cluster.name(pod).to_owned());
    let all_broken_go = broken.into_iter().all(|name| deleted.contains(&name));
    let text = out.as_str()?;
    only(text, "old new pod pods deleted created beside the unavailable available one is are only")?;
    let wanted = first_number(text).map_or(Some(0), |number| usize::try_from(number).ok())?;
    let agrees = match text {
        text if text.contains("created") => created == wanted && deleted.is_empty(),
        text if text.contains("the unavailable one") => {
            all_broken_go && n_broken == 1 && deleted.len() == n_broken + wanted && created == 0
        }
        text if numbers(text).len() == 1 => deleted.len() == wanted && created == 0,
        _ => return None,
    };
    stated(out, agrees, (created, deleted.len()))
}

/// Binds a daemon pod to the node that its affinity names.
fn bind(lab: &mut Lab, pod: PodId) -> Option<()> {
    let spec = serde_json::to_value(&lab.cluster.spec_of(pod).typed).ok()?;
    let required = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let node = lab.cluster.find_node(required["nodeSelectorTerms"][0]["matchFields"][0]["values"][0].as_str()?)?;
    lab.write(|cluster| cluster.bind(pod, node));
    Some(())
}
