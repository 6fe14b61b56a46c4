//! Tables of facts about the scheduler: groups of cases `{id, in, out}`, each wired to the code that it describes.

use serde_json::{Value, json};

use super::difference::Difference;
use crate::cluster::{Cluster, NodeId, ObjectRef, PodId};
use crate::engine::Id;
use crate::scheduler::framework::Diagnosis;
use crate::scheduler::framework::reason::Reason;
use crate::scheduler::framework::status::{Code, Status};
use crate::scheduler::message::fit_error;
use crate::scheduler::node_tree::{NodeTree, ZoneKey};
use crate::scheduler::nodes_to_find::{nodes_to_find, place};
use crate::scheduler::preemption::{Candidate, best_candidates, may_help, more_important};

/// Checks one case of a group. `None` if the group is not wired here, or the case is not of a form that is understood.
pub fn check_case(group: &str, case: &Value) -> Option<Vec<Difference>> {
    let input = &case["in"];
    let got = match group {
        "scheduler.num_feasible_nodes" => num_feasible_nodes(input),
        "scheduler.node_order" => node_order(input),
        "scheduler.preemption_pick" => preemption_pick(input),
        "scheduler.preemption_candidates" => preemption_candidates(input),
        "scheduler.failed_message" => failed_message(input),
        _ => None,
    }?;
    let subject = case["id"].as_str().unwrap_or(group);
    let same = case["out"] == got;
    Some(if same { Vec::new() } else { vec![Difference::new(subject, case["out"].to_string(), got.to_string())] })
}

fn num_feasible_nodes(input: &Value) -> Option<Value> {
    let nodes = usize::try_from(input["nodes"].as_u64()?).ok()?;
    let percentage = u32::try_from(input["percentageOfNodesToScore"].as_u64()?).ok()?;
    Some(nodes_to_find(nodes, percentage).into())
}

/// `{zones}`: the order of the node tree; `{nodes, nextStart, evaluated}`: the nodes looked at; `"N nodes all feasible, ..."`.
fn node_order(input: &Value) -> Option<Value> {
    if let Some(text) = input.as_str() {
        let n_nodes: usize = text.strip_suffix(" nodes all feasible, adaptive")?.parse().ok()?;
        let count = nodes_to_find(n_nodes, 0);
        return Some(format!("{count} evaluated and scored; next start index advances by {count}").into());
    }
    if let Some(zones) = input["zones"].as_object() {
        let mut tree = NodeTree::new();
        for (zone, nodes) in zones {
            for node in nodes.as_array()? {
                let key = ZoneKey { region: String::new(), zone: zone.clone() };
                tree.add(key, node.as_str()?.to_owned());
            }
        }
        return Some(tree.order().into());
    }
    let number = |key: &str| usize::try_from(input[key].as_u64()?).ok().filter(|&number| number <= 100_000);
    let (n_nodes, start, evaluated) = (number("nodes")?, number("nextStart")?, number("evaluated")?);
    let first: Vec<usize> = (0..evaluated).map(|nth| place(start, nth, n_nodes)).collect();
    Some(json!({ "order_first": first, "nextStart": place(start, evaluated, n_nodes) }))
}

/// Priorities by the words of the table.
fn priority(word: &str) -> Option<i32> {
    Some(match word {
        "neg" => -100,
        "low" => 0,
        "mid" => 100,
        "high" => 1_000,
        "veryHigh" => 10_000,
        _ => return None,
    })
}

/// What pods ask for. It decides who is a victim, which the table has decided.
const SIZES: &[&str] = &["small", "medium", "large", "veryLarge"];
/// Words around victims.
const WORDS: &[&str] = &["victim", "victims", "prio", "priority", "started", "start", "with"];

/// Victims by node: a list, or words separated by commas; `2x` repeats, `01-03` is a start.
fn preemption_pick(input: &Value) -> Option<Value> {
    let mut cluster = Cluster::new(0);
    let mut names = Vec::new();
    let mut candidates = Vec::new();
    let preemptor = &input["preemptor"];
    if !preemptor.is_null() {
        let (size, rank) = preemptor.as_str()?.split_once(' ')?;
        SIZES.contains(&size).then_some(())?;
        priority(rank)?;
    }
    for (name, victims) in input.as_object()?.iter().filter(|(name, _)| *name != "preemptor") {
        let entries: Vec<&str> = match victims {
            Value::String(text) => text.split(", ").collect(),
            Value::Array(list) => list.iter().map(Value::as_str).collect::<Option<_>>()?,
            _ => return None,
        };
        let mut candidate = Candidate { node: NodeId::from_index(names.len()), victims: Vec::new(), n_violations: 0 };
        for entry in entries {
            add_victims(&mut cluster, &mut candidate, entry)?;
        }
        candidate.victims.sort_by(|&a, &b| more_important(&cluster, a, b));
        names.push(name.as_str());
        candidates.push(candidate);
    }
    Some(best_candidates(&cluster, &candidates).into_iter().map(|idx| names[idx]).collect())
}

fn add_victims(cluster: &mut Cluster, candidate: &mut Candidate, entry: &str) -> Option<()> {
    let (mut times, mut start, mut rank) = (1, None, None);
    let words: Vec<&str> = entry.split_whitespace().collect();
    for (idx, word) in words.iter().enumerate() {
        if let Some(count) = word.strip_suffix('x').and_then(|count| count.parse::<usize>().ok()) {
            times = count;
        } else if word.starts_with("violation") {
            candidate.n_violations = words.get(idx.checked_sub(1)?)?.parse().ok()?;
        } else if let Some((month, day)) = word.split_once('-') {
            start = Some(format!("1970-{month}-{day}T00:00:00Z"));
        } else if let Some(known) = priority(word) {
            rank = Some(known);
        } else if !SIZES.contains(word) && !WORDS.contains(word) && word.parse::<i64>().is_err() {
            return None;
        }
    }
    let Some(rank) = rank else { return Some(()) };
    for _ in 0..times.min(1_000) {
        candidate.victims.push(make_pod(cluster, rank, start.as_deref())?);
    }
    Some(())
}

fn make_pod(cluster: &mut Cluster, priority: i32, start: Option<&str>) -> Option<PodId> {
    let name = format!("p{}", cluster.pods_ever().len());
    let manifest = json!({
        "kind": "Pod",
        "metadata": { "name": name },
        "spec": { "priority": priority, "containers": [{ "name": "c" }] },
        "status": { "startTime": start },
    });
    match cluster.create_from(&manifest).ok()? {
        ObjectRef::Pod(pod) => Some(pod),
        _ => None,
    }
}

/// Nodes 1 to 4 with `U ...` (Unschedulable) or `X ...` (UnschedulableAndUnresolvable); one that is not listed may help.
fn preemption_candidates(input: &Value) -> Option<Value> {
    let statuses = input.as_object()?;
    let known = |status: &Value| status.as_str().is_some_and(|text| matches!(text.split(' ').next(), Some("U" | "X")));
    if !statuses.values().all(known) {
        return None;
    }
    let helps = |node: &u64| {
        let code = match statuses.get(&node.to_string()).and_then(Value::as_str) {
            Some(text) if text.starts_with('X') => Code::UnschedulableAndUnresolvable,
            _ => Code::Unschedulable,
        };
        may_help(&Status { code, ..Status::success() })
    };
    Some((1..=4_u64).filter(helps).collect::<Vec<_>>().into())
}

fn failed_message(input: &Value) -> Option<Value> {
    let n_nodes = usize::try_from(input["nodes"].as_u64()?).ok()?;
    if n_nodes == 0 {
        return Some("no nodes available to schedule pods".into());
    }
    let text = |key: &str| if input[key].is_null() { Some(None) } else { input[key].as_str().map(Some) };
    let listed = if input["reasons"].is_null() { &[][..] } else { input["reasons"].as_array()? };
    let reasons = listed.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?.into_iter();
    let status = Status {
        code: Code::Unschedulable,
        plugin: None,
        reasons: reasons.map(|reason| Reason::Text(reason.into())).collect(),
    };
    // The table counts reasons, not nodes: all of them stand with one.
    let nodes = (0..n_nodes).map(|idx| (NodeId::from_index(idx), Status::success()));
    let mut diagnosis = Diagnosis { n_nodes, nodes: nodes.collect(), ..Diagnosis::default() };
    diagnosis.nodes[0].1 = status;
    let post_filter = match (text("preemptionPolicy")?, text("preemption")?) {
        (Some("Never"), None) => format!("preemption: {}", crate::scheduler::preemption::NEVER),
        (None | Some("PreemptLowerPriority"), Some(text)) => format!("preemption: {text}"),
        (None | Some("PreemptLowerPriority"), None) => String::new(),
        _ => return None,
    };
    if let Some(text) = text("preFilter")? {
        diagnosis.pre_filter = true;
        let reasons = std::iter::once(Reason::Text(text.into())).collect();
        diagnosis.others = Some(Status { code: Code::UnschedulableAndUnresolvable, plugin: None, reasons });
    }
    Some(fit_error(&diagnosis, &Cluster::new(0), &post_filter).into())
}
