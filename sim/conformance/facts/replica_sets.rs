//! `replicaset.*`: which pods go first, and what one sync of the real controller creates, deletes, adopts and releases.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::lab::{Lab, template};
use super::{Answer, count, first_number, flag, members, only, same, stated};
use crate::cluster::{Change, ObjectRef, PodId, What};
use crate::controllers::deletion_rank::{
    DeletionFacts, DeletionPhase, active_pods_deletion_order, compare_replica_set_pods,
};
use crate::controllers::replica_set::ReplicaSetController;

const HOUR: i64 = 3_600_000_000;
/// A year after the clock began.
const NOW: i64 = 8_766 * HOUR;

pub(super) fn case(rule: &str, case: &Value) -> Answer {
    let (input, out) = (&case["in"], &case["out"]);
    match rule {
        "deletion_order_total" => total_order(input.as_str()?, out),
        "deletion_rank_pairs" => pair(input, out),
        "slow_start" if input["all_ok"] == true => {
            let batches = manage(&json!({ "replicas": input["count"] }))?.1;
            same(&out["batches"], batches)
        }
        "manage" => members(out, &manage(input)?.0),
        _ => None,
    }
}

/// The words of which descriptions of pods are made.
const WORDS: &str = "unscheduled scheduled but pending unknown phase running not ready no transition time since now rank deletion cost restart \
    restarts created creation ago month months d day days h hour hours m min minutes s second seconds sidecar container pod with for";

/// `ready now 9001 restarts rank1`, `unscheduled created 5h ago`, `deletion-cost 10 rank2`, ... Where the text says nothing of it, a
/// pod is ready since long.
fn described<'a>(text: &str, uid: &'a str) -> Option<DeletionFacts<&'a str>> {
    only(text, WORDS)?;
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let after = |word: &str| words.iter().position(|other| *other == word).and_then(|idx| words.get(idx + 1)).copied();
    let is_ready = words.contains(&"ready") && !lower.contains("not ready");
    let (phase, ready) = match () {
        () if words.contains(&"unscheduled") || words.contains(&"pending") => (DeletionPhase::Pending, false),
        () if words.contains(&"unknown") => (DeletionPhase::Unknown, false),
        () if lower.contains("not ready") => (DeletionPhase::Running, false),
        () if is_ready || lower.contains("cost") || lower.contains("restarts") || lower.contains("running") => {
            (DeletionPhase::Running, true)
        }
        () => return None,
    };
    let created = match after("created") {
        Some("now") => NOW,
        Some(_) => NOW - age(&words[words.iter().position(|word| *word == "created")? + 1..])?,
        None => 0,
    };
    let since = words.iter().position(|word| *word == "ready").map(|idx| &words[idx + 1..]).unwrap_or_default();
    let since = since.strip_prefix(&["since"]).unwrap_or(since);
    let ready_since_us = match since.first() {
        _ if lower.contains("no transition time") => None,
        Some(&"now") => Some(NOW),
        _ => Some(age(since).map_or(NOW, |age| NOW - age)),
    };
    let before = |noun: &str| {
        let idx = words.iter().position(|word| word.starts_with(noun))?;
        words.get(idx.checked_sub(1)?)?.parse().ok()
    };
    let cost = after("cost").or(after("deletion-cost")).and_then(|text| text.parse().ok());
    Some(DeletionFacts {
        scheduled: !words.contains(&"unscheduled"),
        phase,
        ready,
        ready_since_us: ready_since_us.filter(|_| ready),
        deletion_cost: cost.unwrap_or(0),
        rank: words.iter().find_map(|word| word.strip_prefix("rank")?.parse().ok()).unwrap_or(0),
        restarts: before("restart").filter(|_| !lower.contains("sidecar")).unwrap_or(0),
        sidecar_restarts: before("restart").or(before("sidecar")).filter(|_| lower.contains("sidecar")).unwrap_or(0),
        created_us: Some(created),
        uid,
    })
}

/// `5h`, `1 month`, `3 days`: in microseconds.
fn age(words: &[&str]) -> Option<i64> {
    let first = *words.first()?;
    let number: i64 = first.trim_end_matches(char::is_alphabetic).parse().ok()?;
    let unit = first.trim_start_matches(|c: char| c.is_ascii_digit());
    let unit = if unit.is_empty() { *words.get(1)? } else { unit };
    let hours = match unit {
        "month" | "months" => 720,
        "d" | "day" | "days" => 24,
        "h" | "hour" | "hours" => 1,
        "m" | "min" | "minutes" => return number.checked_mul(HOUR / 60),
        "s" | "seconds" => return number.checked_mul(HOUR / 3600),
        _ => return None,
    };
    number.checked_mul(hours * HOUR)
}

fn pair(input: &Value, out: &Value) -> Answer {
    let text = out.as_str()?;
    let uids = if flag(input, "same_uid")? { ("u", "u") } else { ("a", "b") };
    let (a, b) = (described(input["a"].as_str()?, uids.0)?, described(input["b"].as_str()?, uids.1)?);
    let got = compare_replica_set_pods(&a, &b, NOW);
    let back = compare_replica_set_pods(&b, &a, NOW);
    only(text, "a b deleted first equal")?;
    let wanted = match () {
        () if text.starts_with("a ") => Ordering::Less,
        () if text.starts_with("b ") => Ordering::Greater,
        () if text.starts_with("equal") => Ordering::Equal,
        () => return None,
    };
    stated(out, got == wanted && back == wanted.reverse(), got)
}

/// Each pod is a little better than the one before it. All rotations, forwards and backwards, are sorted alike.
fn total_order(text: &str, out: &Value) -> Answer {
    const COUNTS: [&str; 10] = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    let n_said = COUNTS.iter().position(|count| text == format!("{count} pods each better than the previous one"))? + 1;
    let mut pods: Vec<DeletionFacts<&str>> = Vec::new();
    for text in out.as_array()? {
        let text = text.as_str()?;
        let last = pods.last().cloned();
        pods.push(match (text, last) {
            (text, Some(last)) if text.starts_with("ready for longer") => {
                only(text, "ready for longer")?;
                let restarts = i32::try_from(first_number(text)?).ok()?;
                DeletionFacts { ready_since_us: Some(NOW - HOUR), restarts, created_us: Some(NOW), ..last }
            }
            ("fewer restarts", Some(last)) => DeletionFacts { restarts: 0, ..last },
            ("oldest creation", Some(last)) => DeletionFacts { created_us: Some(NOW - HOUR), ..last },
            (text, _) => DeletionFacts { created_us: Some(NOW), ..described(text, "u")? },
        });
    }
    let n = pods.len();
    let sorts = |order: Vec<usize>| {
        let shuffled: Vec<DeletionFacts<&str>> = order.iter().map(|&idx| pods[idx].clone()).collect();
        let sorted = active_pods_deletion_order(&shuffled);
        sorted.into_iter().map(|place| order[place]).eq(0..n)
    };
    let rotated = |by: usize| (0..n).map(move |idx| (idx + by) % n);
    let all = (0..n).all(|by| sorts(rotated(by).collect()) && sorts(rotated(by).rev().collect()));
    stated(out, all && n == n_said, "another order")
}

/// What the first sync of a ReplicaSet does, and in which batches it creates.
fn manage(input: &Value) -> Option<(Value, Vec<usize>)> {
    input["replicas"].as_u64()?;
    let mut lab = Lab::new(vec![Box::new(ReplicaSetController::replica_sets())]);
    let node = lab.node("n1");
    let of = |key: &str| count(input, key, 5_000);
    let (n_active, n_relabelled) = (of("active")?, of("owned_pod_relabelled")?);
    let (orphans, n_terminating) = (of("orphan_matching")?, of("terminating")?);
    let mut pods = Vec::new();
    for nth in 0..n_active + n_terminating + orphans {
        let app = if nth < n_relabelled { "other" } else { "web" };
        let mut pod = template(app, "v1");
        pod["kind"] = "Pod".into();
        pod["metadata"]["name"] = format!("p{nth}").into();
        if let ObjectRef::Pod(id) = lab.create(&pod)? {
            lab.write(|cluster| cluster.bind(id, node));
            lab.run(id, true);
            pods.push(id);
        }
    }
    let manifest = json!({
        "kind": "ReplicaSet", "metadata": { "name": "web" },
        "spec": { "replicas": input["replicas"], "selector": { "matchLabels": { "app": "web" } }, "template": template("web", "v1") },
    });
    let owned = pods.len() - usize::try_from(orphans).ok()?;
    lab.write(|cluster| {
        let Ok(ObjectRef::Object(set)) = cluster.create_from(&manifest) else { return };
        let reference = cluster.owner_reference(set);
        pods.iter().take(owned).for_each(|&pod| cluster.set_owners(pod, [reference]));
        let n_active = usize::try_from(n_active).unwrap_or(0);
        pods.iter().take(owned).skip(n_active).for_each(|&pod| cluster.delete_pod(pod, Some(30)));
    });
    let set = lab.cluster.of_kind("ReplicaSet").next()?;
    let (begin, mut batches) = (lab.log.len(), Vec::new());
    let created = |log: &[Change]| log.iter().filter(|change| is_pod(change, What::Created)).count();
    loop {
        let from = lab.log.len();
        if !lab.step(lab.now()) {
            break;
        }
        let batch = created(&lab.log[from..]);
        batches.extend((batch > 0).then_some(batch));
        if lab.log[from..].iter().any(|change| change.object == set.into() && change.what == What::Status) {
            break;
        }
    }
    let is_owned = |pod: &PodId| lab.cluster.controller_of(*pod) == Some(set.into());
    let deleted = lab.log[begin..].iter().filter(|change| is_pod(change, What::Deleting)).count();
    let got = json!({
        "create": created(&lab.log[begin..]),
        "delete": deleted,
        "adopt": pods.iter().skip(owned).filter(|pod| is_owned(pod)).count(),
        "release": pods.iter().take(owned).filter(|pod| !is_owned(pod)).count(),
    });
    Some((got, batches))
}

fn is_pod(change: &Change, what: What) -> bool {
    matches!(change.object, ObjectRef::Pod(_)) && change.what == what
}
