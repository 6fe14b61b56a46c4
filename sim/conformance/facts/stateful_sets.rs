//! `statefulset.*` and the claims of `attach_detach_and_statefulset`: the real controller, pod by pod.

use serde_json::{Value, json};

use super::lab::{Lab, template};
use super::{Answer, first_number, int, numbers, one_of, only, same, stated};
use crate::cluster::objects::StatefulSet;
use crate::cluster::{NodeId, ObjId, ObjectRef, PodId, PodPhase, Propagation, What};
use crate::controllers::garbage_collector::GarbageCollector;
use crate::controllers::stateful_set::{StatefulSetController, max_unavailable};

pub(super) fn case(rule: &str, case: &Value) -> Answer {
    let (input, out) = (&case["in"], &case["out"]);
    match (rule, input.as_str()) {
        ("partition", _) => partition(input, out),
        ("max_unavailable", None) => {
            let limit = serde_json::from_value(input["maxUnavailable"].clone()).ok()?;
            same(out, max_unavailable(limit, int(input, "replicas")?))
        }
        ("max_unavailable", Some(text)) => several_at_once(text, out),
        ("ordering", None) => ordinals(input, out),
        ("ordering", Some(text)) => ordering(text, out),
        _ => None,
    }
}

/// A StatefulSet alone with its controller. Pods are on a node, so that they take their time to go.
struct Bench {
    lab: Lab,
    id: ObjId,
    node: NodeId,
    name: String,
}

impl Bench {
    fn new(spec: &Value) -> Option<Bench> {
        Bench::called("web", spec)
    }

    fn called(name: &str, spec: &Value) -> Option<Bench> {
        let mut lab = Lab::new(vec![Box::new(StatefulSetController::default()), Box::new(GarbageCollector::default())]);
        let node = lab.node("n1");
        let mut whole = json!({
            "serviceName": "web", "selector": { "matchLabels": { "app": "web" } }, "template": template("web", "v1"),
        });
        for (key, value) in spec.as_object()? {
            whole[key] = value.clone();
        }
        let id = lab.object(&json!({ "kind": "StatefulSet", "metadata": { "name": name }, "spec": whole }))?;
        lab.drain();
        Some(Bench { lab, id, node, name: name.to_owned() })
    }

    /// Of a set with so many pods, all ready.
    fn ready(spec: &Value) -> Option<Bench> {
        let mut bench = Bench::new(spec)?;
        bench.settle();
        Some(bench)
    }

    fn policy(text: &str) -> &'static str {
        if text.contains("Parallel") { "Parallel" } else { "OrderedReady" }
    }

    fn bind(&mut self) {
        for pod in self.lab.pods() {
            if self.lab.cluster.pod(pod).node.is_none() {
                let node = self.node;
                self.lab.write(|cluster| cluster.bind(pod, node));
            }
        }
    }

    /// Pods that go are gone. Returns whether there were any.
    fn stop_all(&mut self) -> bool {
        let going: Vec<PodId> = self.lab.pods().into_iter().filter(|&pod| self.is_going(pod)).collect();
        for &pod in &going {
            self.lab.write(|cluster| cluster.confirm_pod_stopped(pod));
        }
        self.lab.drain();
        !going.is_empty()
    }

    fn is_going(&self, pod: PodId) -> bool {
        self.lab.cluster.pod(pod).meta.is_deleting()
    }

    /// Until nothing is left to do: pods stop and become ready as soon as nothing else happens.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            self.bind();
            self.lab.drain();
            if !self.stop_all() && !self.lab.run_all() {
                break;
            }
        }
        self.lab.drain();
    }

    fn pod(&self, ordinal: i64) -> Option<PodId> {
        self.lab.cluster.find_pod("default", &format!("{}-{ordinal}", self.name))
    }

    fn roll_to(&mut self, image: &str) -> Option<()> {
        let new = template("web", image);
        self.lab.write(|cluster| {
            let new = cluster.lower_template(&new).ok()?;
            cluster.update_spec::<StatefulSet>(self.id, |set| set.template = new).then_some(())
        })
    }

    /// Ordinals of pods in the order in which this happened to them, from a place of the log on.
    fn ordinals(&self, what: What, from: usize) -> Vec<i64> {
        let names = self.lab.pods_with(what, from);
        names.iter().filter_map(|name| name.rsplit('-').next()?.parse().ok()).collect()
    }

    fn place(&self) -> usize {
        self.lab.log.len()
    }

    /// Ordinals of the pods with this image, lowest first.
    fn with_image(&self, image: &str) -> Vec<i64> {
        let has = |pod: &PodId| self.lab.cluster.spec_of(*pod).typed.containers[0].image.as_deref() == Some(image);
        let names = self.lab.pods().into_iter().filter(has).map(|pod| self.lab.cluster.name(pod).to_owned());
        let mut ordinals: Vec<i64> = names.filter_map(|name| name.rsplit('-').next()?.parse().ok()).collect();
        ordinals.sort_unstable();
        ordinals
    }
}

/// `3`, or `3->5`: before and after.
fn sizes(value: &Value) -> Option<(i64, i64)> {
    match value.as_str() {
        None => value.as_i64().map(|size| (size, size)),
        Some(text) => {
            let (before, after) = text.split_once("->")?;
            Some((before.trim().parse().ok()?, after.trim().parse().ok()?))
        }
    }
}

const POLICIES: &[&str] = &["OrderedReady", "Parallel"];

fn partition(input: &Value, out: &Value) -> Answer {
    let (before, after) = sizes(&input["replicas"]).filter(|&(a, b)| a.max(b) <= 100)?;
    let policy = one_of(&input["policy"], POLICIES)?;
    let image = if input["update"].is_null() { "foo" } else { input["update"].as_str()?.strip_prefix("image ")? };
    let max_unavailable = super::amount(&input["maxUnavailable"]).map(|_| &input["maxUnavailable"])?;
    let rolling = json!({ "partition": int(input, "partition")?, "maxUnavailable": max_unavailable });
    let mut bench = Bench::ready(&json!({
        "replicas": before, "podManagementPolicy": policy,
        "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": rolling },
    }))?;
    bench.roll_to(image)?;
    bench.lab.write(|cluster| cluster.update_spec::<StatefulSet>(bench.id, |set| set.replicas = after as i32));
    bench.settle();
    same(out, json!({ "old": bench.with_image("v1"), "new": bench.with_image(image) }))
}

/// Steps of one story: 6 pods in parallel, partition 3, two may be missing. `all ready, new image`, `next sync`, `4,5 ready`,
/// `3,4,5 ready`, `pod 0 terminating before update`.
fn several_at_once(text: &str, out: &Value) -> Answer {
    let mut bench = Bench::ready(&json!({
        "replicas": 6, "podManagementPolicy": "Parallel",
        "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "partition": 3, "maxUnavailable": 2 } },
    }))?;
    let want = out.as_str()?;
    only(text, "all ready not unready new image next sync pod pods terminating before update")?;
    only(want, "sync deletes creates deleted created untouched partition only is are and")?;
    if text.contains("terminating before") {
        for ordinal in numbers(text) {
            let pod = bench.pod(ordinal)?;
            bench.lab.write(|cluster| cluster.delete_pod(pod, Some(30)));
        }
    }
    let mut begin = bench.place();
    bench.roll_to("v2")?;
    bench.lab.drain();
    if text.contains("next sync") {
        begin = bench.place();
        bench.stop_all();
    } else if !text.starts_with("all ready") && !text.contains("terminating") {
        // So far as the words say: these are new and ready.
        let ready = numbers(text);
        while !ready.iter().all(|ordinal| bench.with_image("v2").contains(ordinal)) {
            if !bench.stop_all() {
                return None;
            }
            bench.bind();
            begin = bench.place();
            bench.lab.run_all();
            bench.lab.drain();
        }
    }
    let (deleted, mut created) = (bench.ordinals(What::Deleting, begin), bench.ordinals(What::Created, begin));
    created.sort_unstable();
    let text = want.rsplit_once("deletes ").map_or(want, |(_, rest)| rest);
    let agrees = if want.contains("untouched") {
        bench.settle();
        let (first, last) = want.split_once("..")?;
        let (first, last) = (first_number(first)?, first_number(last)?);
        deleted.is_empty() && bench.with_image("v1").into_iter().eq(first..=last)
    } else if want.contains("creates") {
        created == numbers(want)
    } else if want.contains("delete") {
        let sync = want.strip_prefix("sync ").and_then(first_number);
        deleted == numbers(text) && sync.is_none_or(|sync| sync == 1)
    } else {
        return None;
    };
    stated(out, agrees, (deleted, created))
}

/// `start` and `replicas`: the ordinals there are, or how they move when `start` changes.
fn ordinals(input: &Value, out: &Value) -> Answer {
    let (before, after) = sizes(&input["start"])?;
    let replicas = int(input, "replicas").filter(|count| (0..=100).contains(count))?;
    let policy = if input["policy"].is_null() { "OrderedReady" } else { one_of(&input["policy"], POLICIES)? };
    let mut bench = Bench::ready(&json!({
        "replicas": replicas, "ordinals": { "start": before }, "podManagementPolicy": policy,
    }))?;
    let want = out.as_str()?;
    only(want, "ordinals creates then deletes ascending descending in order")?;
    if before == after {
        return stated(out, bench.with_image("v1") == numbers(want), bench.with_image("v1"));
    }
    let begin = bench.place();
    bench.lab.write(|cluster| cluster.update_spec::<StatefulSet>(bench.id, |set| set.start = after as i32));
    bench.settle();
    let (created, deleted) = (bench.ordinals(What::Created, begin), bench.ordinals(What::Deleting, begin));
    let (first, second) = want.split_once("then")?;
    let all_created_first = {
        let at = |what| bench.lab.log[begin..].iter().position(|change| change.what == what);
        let last_created =
            bench.lab.log[begin..].iter().rposition(|change| change.what == What::Created && change.pod().is_some());
        at(What::Deleting) > last_created
    };
    stated(out, created == numbers(first) && deleted == numbers(second) && all_created_first, (created, deleted))
}

/// The words of which the stories are made.
const WORDS: &str = "orderedready parallel pod pods not ready condemned itself is are the first unhealthy scale to down up phase failed \
    succeeded terminating all";

/// `OrderedReady 0->3`, `Parallel 3->0`, `OrderedReady 3->1, pod 0 not Ready`, and stories.
fn ordering(text: &str, out: &Value) -> Answer {
    if text.contains("image") {
        return broken_image(text, out);
    }
    only(text, WORDS)?;
    if text.contains("phase") {
        return ended(text, out);
    }
    let policy = Bench::policy(text);
    let (before, after) = match text.split_whitespace().find_map(|word| sizes(&word.trim_end_matches(',').into())) {
        Some(sizes) => sizes,
        None => (3, first_number(text.split_once("scale to ")?.1)?),
    };
    let unready: Vec<i64> = text.split_once("pod ").map(|(_, rest)| first_number(rest)).into_iter().flatten().collect();
    let mut bench = Bench::ready(&json!({ "replicas": before, "podManagementPolicy": policy }))?;
    for &ordinal in &unready {
        let pod = bench.pod(ordinal)?;
        bench.lab.run(pod, false);
    }
    bench.lab.drain();
    let begin = bench.place();
    bench.lab.write(|cluster| cluster.update_spec::<StatefulSet>(bench.id, |set| set.replicas = after as i32));
    bench.lab.drain();
    let now = (bench.ordinals(What::Created, begin), bench.ordinals(What::Deleting, begin));
    if let Some(trace) = out.as_array() {
        let got = trace_of(&mut bench, begin, before < after);
        return stated(out, trace.iter().filter_map(Value::as_str).eq(got.iter().map(String::as_str)), got);
    }
    let want = out.as_str()?;
    only(
        want,
        "blocked until is are ready create creates delete deletes deleted created in one sync and then first pod only",
    )?;
    let agrees = if want.starts_with("blocked") {
        let was_blocked = now.0.is_empty() && now.1.is_empty();
        bench.settle();
        was_blocked && !bench.ordinals(What::Deleting, begin).is_empty() && numbers(want) == unready
    } else if want.contains("in one sync") {
        let listed = numbers(want.split(" in one sync").next()?);
        if want.starts_with("create") { now.0 == listed } else { now.1 == listed }
    } else if want.contains("deleted") || want.contains("deletes") {
        now.1 == numbers(want).into_iter().take(1).collect::<Vec<_>>()
    } else {
        return None;
    };
    stated(out, agrees, now)
}

/// `create 0`, `wait 0 Ready`, `create 1`, ... or `delete 2`, `wait 2 gone`, ...
fn trace_of(bench: &mut Bench, begin: usize, up: bool) -> Vec<String> {
    let what = if up { What::Created } else { What::Deleting };
    let (mut trace, mut seen) = (Vec::new(), 0);
    loop {
        let all = bench.ordinals(what, begin);
        for ordinal in &all[seen..] {
            trace.push(format!("{} {ordinal}", if up { "create" } else { "delete" }));
        }
        seen = all.len();
        bench.bind();
        let moved = if up { bench.lab.run_all() } else { bench.stop_all() };
        bench.lab.drain();
        if !moved || bench.ordinals(what, begin).len() == seen {
            return trace;
        }
        if let Some(last) = all.last() {
            trace.push(format!("wait {last} {}", if up { "Ready" } else { "gone" }));
        }
    }
}

/// The known issue: a broken pod is waited for even when the template is good again.
fn broken_image(text: &str, out: &Value) -> Answer {
    only(text, "broken image then template reverted orderedready")?;
    only(out.as_str()?, "pod stays broken rollout stuck until deleted manually")?;
    let mut bench = Bench::ready(&json!({ "replicas": 3 }))?;
    bench.roll_to("broken")?;
    bench.lab.drain();
    bench.stop_all();
    bench.bind();
    let broken = bench.pod(2)?;
    bench.lab.run(broken, false);
    bench.lab.drain();
    bench.roll_to("v1")?;
    bench.lab.drain();
    bench.lab.after(3_600);
    let stuck = !bench.is_going(broken) && bench.with_image("broken") == [2];
    bench.lab.write(|cluster| cluster.delete_pod(broken, Some(30)));
    bench.settle();
    let about = numbers(out.as_str()?).into_iter().all(|ordinal| ordinal == 2);
    let agrees = stuck && bench.with_image("v1") == [0, 1, 2] && out.as_str()?.contains("stuck") && about;
    stated(out, agrees, (stuck, bench.with_image("v1")))
}

/// A pod that has ended makes way for one of its name.
fn ended(text: &str, out: &Value) -> Answer {
    only(out.as_str()?, "deleted and recreated with the same name")?;
    let mut bench = Bench::ready(&json!({ "replicas": 3, "podManagementPolicy": Bench::policy(text) }))?;
    let ordinal = first_number(text)?;
    let (pod, begin) = (bench.pod(ordinal)?, bench.place());
    let phase = if text.contains("Succeeded") { PodPhase::Succeeded } else { PodPhase::Failed };
    bench.lab.phase(pod, phase);
    bench.lab.drain();
    let deleted = bench.ordinals(What::Removed, begin);
    bench.settle();
    let created = bench.ordinals(What::Created, begin);
    stated(out, deleted == [ordinal] && created == [ordinal] && bench.pod(ordinal) != Some(pod), (deleted, created))
}

/// Claims of a StatefulSet, by `sts`.
pub(super) fn claims_of(row: &Value) -> Answer {
    let sts = &row["sts"];
    let known = ["template", "name", "replicas", "scale", "whenScaled", "whenDeleted", "deleted"];
    let is_understood = match sts {
        Value::Object(members) => members.keys().all(|key| known.contains(&key.as_str())),
        _ => sts.is_string(),
    };
    if !is_understood {
        return None;
    }
    let text = |value: &'static str, key: &str| match &sts[key] {
        Value::Null => Some(value.to_owned()),
        said => said.as_str().map(str::to_owned),
    };
    let name = sts.as_str().map_or_else(|| text("web", "name"), |name| Some(name.to_owned()))?;
    let template = text("data", "template")?;
    let claim = json!([{ "metadata": { "name": template },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } } }]);
    let (before, after) = match (&sts["scale"], &sts["replicas"]) {
        (Value::Null, Value::Null) => (3, 0),
        (Value::Null, replicas) => (replicas.as_i64()?, 0),
        (scale, _) => sizes(scale)?,
    };
    let retention = |key: &str| {
        let said = if sts[key].is_null() { Some("Retain") } else { one_of(&sts[key], &["Retain", "Delete"]) };
        said.map(str::to_owned)
    };
    let retention = json!({ "whenScaled": retention("whenScaled")?, "whenDeleted": retention("whenDeleted")? });
    let mut bench = Bench::called(
        &name,
        &json!({
            "replicas": before, "volumeClaimTemplates": claim, "persistentVolumeClaimRetentionPolicy": retention,
        }),
    )?;
    bench.settle();
    let named = |ordinal: i64| format!("{template}-{name}-{ordinal}");
    if row["expect_pvcs"].is_array() {
        return same(&row["expect_pvcs"], claims(&bench).into_iter().map(Value::from).collect::<Vec<_>>());
    }
    let want = row["expect"].as_str()?;
    // The ordinals that the fact speaks of; a hyphen before one is that of a name.
    let mut said: Vec<i64> = numbers(want).into_iter().map(i64::abs).collect();
    said.sort_unstable();
    if let Some(event) = row["event"].as_str() {
        let ordinal = event.strip_prefix(&format!("pod {name}-"))?.strip_suffix(" recreated on another node")?;
        let ordinal: i64 = ordinal.parse().ok()?;
        let (pod, uid) = (bench.pod(ordinal)?, claim_uid(&bench, &named(ordinal)));
        bench.node = bench.lab.node("n2");
        bench.lab.write(|cluster| cluster.delete_pod(pod, Some(0)));
        bench.stop_all();
        bench.settle();
        let moved = bench.lab.cluster.pod(bench.pod(ordinal)?).node == Some(bench.node);
        let same = claim_uid(&bench, &named(ordinal)) == uid && uid.is_some();
        let about = want == format!("same PVC {} reused", named(ordinal));
        return stated(&want.into(), moved && same && about, claims(&bench));
    }
    let is_early = |bench: &Bench| claims(bench).len() < before as usize;
    only(want, "pvcs data web and kept of ordinals deleted after their pods are gone all its")?;
    let early = if super::flag(sts, "deleted")? {
        let id = bench.id;
        bench.lab.write(|cluster| cluster.delete(id, Propagation::Background));
        bench.lab.after(1);
        // The pods, orphans of the set now, are on their way.
        false
    } else {
        bench.lab.write(|cluster| cluster.update_spec::<StatefulSet>(bench.id, |set| set.replicas = after as i32));
        bench.lab.drain();
        is_early(&bench)
    };
    for _ in 0..10 {
        bench.lab.after(5);
        bench.stop_all();
    }
    let left = claims(&bench);
    let gone: Vec<i64> = (after..before).collect();
    let agrees = if want.contains("kept") {
        left.len() == before as usize && said == gone
    } else if want.contains("all") {
        left.is_empty()
    } else {
        !early
            && said == gone
            && gone.iter().all(|&ordinal| !left.contains(&named(ordinal)))
            && left.len() == after as usize
    };
    stated(&want.into(), agrees, left)
}

fn claims(bench: &Bench) -> Vec<String> {
    let cluster = &bench.lab.cluster;
    let mut names: Vec<String> =
        cluster.of_kind("PersistentVolumeClaim").map(|claim| cluster.name(claim).to_owned()).collect();
    names.sort();
    names
}

fn claim_uid(bench: &Bench, name: &str) -> Option<u64> {
    let claim = bench.lab.cluster.find("PersistentVolumeClaim", "default", name)?;
    Some(bench.lab.cluster.meta(ObjectRef::Object(claim)).uid)
}
