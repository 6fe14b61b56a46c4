//! `scheduler.backoff*` and `scheduler.requeue`: the scheduling queue itself.

use serde_json::{Value, json};

use super::{Answer, numbers, only, same, stated};
use crate::cluster::{Cluster, NO_CAUSE, NodeId, ObjectRef, PodId};
use crate::engine::{Span, Time};
use crate::scheduler::framework::names::{PluginName, PluginSet};
use crate::scheduler::queue::{
    Actions, Backoff, ClusterEvent, EventResource, Old, Place, QueueContext, QueueSettings, SchedulingQueue, SeenNode,
};

/// Now: a whole second.
const NOW: Time = Time::from_secs(1_000);
/// The pods of `TestBackoffQueueOrdering`, for rows that do not repeat them: name, priority, seconds from now.
const ORDERED: [(&str, i64, f64); 6] =
    [("pod0", 1, 0.0), ("pod1", 1, -1.0), ("pod2", 2, -1.999), ("pod3", 1, -2.0), ("pod4", 2, -2.0), ("pod5", 1, -3.0)];

pub(super) fn case(rule: &str, case: &Value) -> Answer {
    let (input, out) = (&case["in"], &case["out"]);
    match rule {
        "backoff" => backoff(input, out),
        "backoff_expired" => {
            let pods = input.as_array()?.iter().map(|row| Some((row[0].as_str()?, 0, row[1].as_f64()?)));
            let mut got = expired(&pods.collect::<Option<Vec<_>>>()?, true)?;
            got.sort();
            same(out, got)
        }
        "backoff_order" => {
            let listed = if input["pods"].is_null() { None } else { Some(input["pods"].as_array()?) };
            let pods =
                listed.map(|pods| pods.iter().map(|row| Some((row[0].as_str()?, row[1].as_i64()?, row[2].as_f64()?))));
            let pods = pods.map_or(Some(ORDERED.to_vec()), |pods| pods.collect())?;
            let gate = &input["SchedulerPopFromBackoffQ"];
            let pop_early = if gate.is_null() { true } else { gate.as_bool()? };
            same(out, expired(&pods, pop_early)?)
        }
        "requeue" => requeue(input.as_str()?, out),
        _ => None,
    }
}

/// `32ns`, `1s`, `MaxInt64 ns`: nanoseconds count as microseconds, the unit of our clock.
fn span(text: &str) -> Option<(Span, bool)> {
    let unit_at = text.find(|c: char| c.is_alphabetic() && !text.starts_with("Max")).unwrap_or(text.len());
    match text {
        "0" => Some((Span::ZERO, false)),
        "MaxInt64 ns" => Some((Span::from_micros(i64::MAX as u64), true)),
        _ => {
            let number: u64 = text[..unit_at].parse().ok()?;
            match &text[unit_at..] {
                "ns" => Some((Span::from_micros(number), true)),
                "ms" => Some((Span::from_millis(number), false)),
                "s" => Some((Span::from_secs(number), false)),
                "m" => Some((Span::from_secs(number.checked_mul(60)?), false)),
                _ => None,
            }
        }
    }
}

fn backoff(input: &Value, out: &Value) -> Answer {
    let ((initial, tiny), (max, _)) = (span(input["initial"].as_str()?)?, span(input["max"].as_str()?)?);
    let wanted = out.as_str().and_then(span);
    let got = Backoff { initial, max, pop_early: true }.duration(u32::try_from(input["count"].as_u64()?).ok()?);
    let agrees = wanted.is_some_and(|(wanted, is_tiny)| got == wanted && (tiny == is_tiny || got.is_zero()));
    stated(out, agrees, got)
}

/// A queue with pods of its own cluster.
struct Bench {
    cluster: Cluster,
    queue: SchedulingQueue,
}

impl Bench {
    fn new(pop_early: bool) -> Bench {
        let backoff = Backoff { pop_early, ..Backoff::default() };
        let settings = QueueSettings { backoff, ..QueueSettings::default() };
        Bench { cluster: Cluster::new(0), queue: SchedulingQueue::new(settings) }
    }

    fn pod(&mut self, name: &str, priority: i64) -> Option<PodId> {
        let requests = json!({ "requests": { "cpu": "1" } });
        let manifest = json!({ "kind": "Pod", "metadata": { "name": name },
            "spec": { "priority": priority, "containers": [{ "name": "c", "resources": requests }] } });
        match self.cluster.create_from(&manifest).ok()? {
            ObjectRef::Pod(pod) => Some(pod),
            _ => None,
        }
    }

    /// Does something with the queue at an instant; no pod is gated but those given.
    fn at<T>(
        &mut self,
        now: Time,
        gated: &[PodId],
        act: impl FnOnce(&mut SchedulingQueue, &QueueContext<'_>) -> T,
    ) -> T {
        let gate = |pod: PodId| gated.contains(&pod).then_some(PluginName::SchedulingGates);
        act(&mut self.queue, &QueueContext { cluster: &self.cluster, now, cause: NO_CAUSE, gate: &gate })
    }

    /// One failed attempt at an instant: by plugins, or by an error.
    fn fail(&mut self, pod: PodId, now: Time, rejected_by: PluginSet) -> Place {
        self.at(now, &[], |queue, cx| {
            queue.add(pod, cx);
            queue.pop();
            queue.add_unschedulable(pod, rejected_by, PluginSet::EMPTY, cx)
        })
    }

    fn place(&self, pod: PodId) -> Option<Place> {
        self.queue.get(pod).map(|row| row.place)
    }
}

fn fit() -> PluginSet {
    [PluginName::NodeResourcesFit].into_iter().collect()
}

/// The pods whose back-off is over, in order. Each has failed once, at its time; `error` in its name says that it was an error.
fn expired(pods: &[(&str, i64, f64)], pop_early: bool) -> Option<Vec<String>> {
    let mut bench = Bench::new(pop_early);
    let mut in_time: Vec<(Time, PodId, &str)> = Vec::new();
    for &(name, priority, offset) in pods {
        if name.split_once(' ').is_some_and(|(_, what)| what != "error") {
            return None;
        }
        let at = Time::from_micros((NOW.as_micros() as f64 + offset * 1e6).max(0.0) as u64);
        in_time.push((at, bench.pod(&name.replace(' ', "-"), priority)?, name));
    }
    in_time.sort();
    for &(at, pod, name) in &in_time {
        let is_error = name.contains("error");
        bench.at(at, &[], |queue, cx| {
            queue.add(pod, cx);
            queue.pop();
            // Something of interest happens meanwhile, so that a rejected pod waits for its back-off only.
            if !is_error {
                queue.activate(pod, cx);
            }
            queue.add_unschedulable(pod, if is_error { PluginSet::EMPTY } else { fit() }, PluginSet::EMPTY, cx)
        });
    }
    let popped = bench.queue.pop_expired(NOW);
    let name = |pod: PodId| {
        in_time.iter().find(|row| row.1 == pod).map(|row| row.2.split(' ').next().unwrap_or_default().to_owned())
    };
    popped.into_iter().map(name).collect()
}

/// The words of which the stories are made; names of plugins are read as such.
const WORDS: &str = "pod failed fit noderesourcesfit taintttoleration tainttoleration nodeaffinity interpodaffinity podtopologyspread \
    nodeunschedulable nodename nodeports volumebinding unrelated service configmap deployment added assigned deleted node nodes new small \
    too not enough label labels changed only allocatable increased raised gated gate removed relevant event arrived during the failing cycle \
    activeq empty in backoffq unschedulable kind error expired popfrombackoffq on off was a an is after min minutes passed another big \
    cpu memory taint taints";

/// The stories of the table.
fn requeue(text: &str, out: &Value) -> Answer {
    let want = out.as_str()?;
    only(
        want,
        "stays unschedulable moved flushed to or waits until its expires expired after back off goes straight to backoffq activeq no popped immediately t first priority not",
    )?;
    if text.starts_with("priorities") {
        only(text, "priorities t and")?;
        return first_of_two(text, want);
    }
    only(text, WORDS)?;
    let mut bench = Bench::new(true);
    let pod = bench.pod("waiter", 0)?;
    if text.contains("gated") {
        bench.at(NOW, &[pod], |queue, cx| queue.add(pod, cx));
        let before = bench.place(pod);
        let event = ClusterEvent::new(EventResource::UnscheduledPod, Actions::UPDATE_POD_GATES_ELIMINATED, pod);
        if text.contains("removed") {
            bench.at(NOW, &[], |queue, cx| queue.update(pod, &[event], cx));
        }
        let stays = before == Some(Place::Unschedulable);
        return stated(&want.into(), stays && place_is(want, bench.place(pod))?, bench.place(pod));
    }
    if text.contains("popped") || text.contains("activeQ empty") {
        let pop_early = !text.contains("PopFromBackoffQ off");
        bench = Bench::new(pop_early);
        let pod = bench.pod("waiter", 0)?;
        bench.at(NOW, &[], |queue, cx| {
            queue.add(pod, cx);
            queue.pop();
            let rejected_by = if text.contains("error") { PluginSet::EMPTY } else { fit() };
            if !rejected_by.is_empty() {
                queue.activate(pod, cx);
            }
            queue.add_unschedulable(pod, rejected_by, PluginSet::EMPTY, cx)
        });
        let popped = bench.queue.pop() == Some(pod);
        return stated(&want.into(), popped == want.starts_with("popped"), popped);
    }
    let event = event(text, &mut bench)?;
    let plugin = text.split_once("failed ").map(|(_, rest)| rest.split([';', ' ', ',']).next().unwrap_or_default());
    let plugin = match plugin {
        None | Some("Fit") => PluginName::NodeResourcesFit,
        Some(name) => PluginName::ALL.iter().copied().find(|plugin| plugin.as_str() == name)?,
    };
    let rejected_by: PluginSet = [plugin].into_iter().collect();
    if text.contains("during the failing cycle") {
        bench.at(NOW, &[], |queue, cx| {
            queue.add(pod, cx);
            queue.pop();
            event.iter().for_each(|event| queue.move_all(event, None, cx));
            queue.add_unschedulable(pod, rejected_by, PluginSet::EMPTY, cx)
        });
        return stated(&want.into(), place_is(want, bench.place(pod))?, bench.place(pod));
    }
    bench.fail(pod, NOW, rejected_by);
    let before = bench.place(pod);
    bench.at(NOW, &[], |queue, cx| event.iter().for_each(|event| queue.move_all(event, None, cx)));
    let after = bench.place(pod);
    bench.at(NOW + Span::from_secs(3), &[], |queue, cx| queue.flush_backoff(cx));
    let later = bench.place(pod);
    let agrees = match want {
        want if want.starts_with("stays") => later == Some(Place::Unschedulable),
        want if want.contains("after back-off") => {
            (before, after, later) == (Some(Place::Unschedulable), Some(Place::Backoff), Some(Place::Active))
        }
        want => place_is(want, after)?,
    };
    stated(&want.into(), agrees, (before, after, later))
}

/// `activeQ, no back-off`, `goes straight to backoffQ`, `stays unschedulable`.
fn place_is(want: &str, place: Option<Place>) -> Option<bool> {
    Some(match want {
        want if want.contains("activeQ") => place == Some(Place::Active),
        want if want.contains("backoffQ") => place == Some(Place::Backoff),
        want if want.contains("stays") || want.contains("unschedulable") => place == Some(Place::Unschedulable),
        _ => return None,
    })
}

/// What happened, as the queue hears of it; nothing if no plugin ever hears of such a thing.
fn event(text: &str, bench: &mut Bench) -> Option<Option<ClusterEvent>> {
    let what = text.split_once(';').map_or(text, |(_, what)| what);
    let node = |bench: &mut Bench, cpu: &str| {
        let amounts = json!({ "cpu": cpu, "memory": "8Gi", "pods": "110" });
        let manifest = json!({ "kind": "Node", "metadata": { "name": "n1" }, "status": { "allocatable": amounts } });
        match bench.cluster.create_from(&manifest).ok()? {
            ObjectRef::Node(node) => Some(node),
            _ => None,
        }
    };
    let seen = |bench: &Bench, node: NodeId| {
        let row = bench.cluster.node(node);
        Old::Node(std::sync::Arc::new(SeenNode {
            labels: row.meta.labels,
            taints: row.taints.clone(),
            unschedulable: row.unschedulable,
            allocatable: vec![(crate::cluster::ResourceId::CPU, 0)],
        }))
    };
    Some(if what.contains("Service") || what.contains("ConfigMap") || what.contains("Deployment") {
        EventResource::of_kind(if what.contains("Service") { "Service" } else { "ConfigMap" })
            .map(|resource| ClusterEvent { resource, action: Actions::ADD, object: None, old: None })
    } else if what.contains("pod deleted") || what.contains("relevant event") {
        let gone = bench.pod("gone", 0)?;
        let node = node(bench, "2")?;
        bench.cluster.bind(gone, node);
        bench.cluster.delete_pod(gone, Some(0));
        bench.cluster.confirm_pod_stopped(gone);
        Some(ClusterEvent::new(EventResource::AssignedPod, Actions::DELETE, gone))
    } else if what.contains("node added") || what.contains("node was added") || what.contains("new node") {
        let too_small = what.contains("small") || what.contains("not enough");
        let node = node(bench, if too_small { "100m" } else { "4" })?;
        Some(ClusterEvent::new(EventResource::Node, Actions::ADD, node))
    } else if what.contains("label") {
        let node = node(bench, "4")?;
        let old = seen(bench, node);
        bench.cluster.set_label(node, "disk", Some("ssd"));
        Some(ClusterEvent::new(EventResource::Node, Actions::UPDATE_NODE_LABEL, node).with_old(old))
    } else if what.contains("allocatable") {
        let node = node(bench, "4")?;
        let old = seen(bench, node);
        Some(ClusterEvent::new(EventResource::Node, Actions::UPDATE_NODE_ALLOCATABLE, node).with_old(old))
    } else if what.contains("minutes") || what.contains("5 min") {
        Some(ClusterEvent::UNSCHEDULABLE_TIMEOUT)
    } else {
        return None;
    })
}

/// `priorities 5 (t=1) and 10 (t=9)`.
fn first_of_two(text: &str, want: &str) -> Answer {
    let listed = numbers(text);
    let [first, at, second, later] = listed.as_slice() else { return None };
    let mut bench = Bench::new(true);
    let mut rows = [(*at, *first), (*later, *second)];
    rows.sort_unstable();
    let mut pods = Vec::new();
    for (at, priority) in rows {
        let pod = bench.pod(&format!("p{at}"), priority)?;
        bench.at(Time::from_secs(u64::try_from(at).ok()?), &[], |queue, cx| queue.add(pod, cx));
        pods.push((pod, at, priority));
    }
    let popped = bench.queue.pop()?;
    let &(_, at, priority) = pods.iter().find(|row| row.0 == popped)?;
    let wanted = *numbers(want).first()?;
    let agrees = if want.contains("t=") { wanted == at } else { wanted == priority };
    stated(&want.into(), agrees, (priority, at))
}
