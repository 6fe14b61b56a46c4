//! `deployment.*`: the arithmetic of rollouts, and whole rollouts by the real controllers.

use serde_json::{Value, json};

use super::lab::{Lab, template};
use super::{Answer, amount, flag, int, int0, members, one_of, only, same, stated};
use crate::api::int_or_percent::IntOrPercent;
use crate::cluster::objects::{Deployment, DeploymentStatus, DeploymentStrategy, ReplicaSet};
use crate::controllers::deployment::math::{self, OldSet, Revision, Scaled, ScaledSet};
use crate::controllers::deployment::{self, DeploymentController};
use crate::controllers::replica_set::ReplicaSetController;
use crate::controllers::rollout_math;
use crate::engine::{Span, Time};

pub(super) fn case(rule: &str, case: &Value) -> Answer {
    let (input, out) = (&case["in"], &case["out"]);
    match rule {
        "reconcile_new_replicaset" => {
            let (new, total) = (int(input, "new")?, int(input, "old")?.saturating_add(int(input, "new")?));
            let size = math::next_new_size(int(input, "replicas")?, amount(&input["maxSurge"])?, new, total);
            members(out, &json!({ "scaled": size != new, "new": size }))
        }
        "new_rs_new_replicas" => {
            let (replicas, new) = (int(input, "replicas")?, int(input, "new")?);
            let total = new.saturating_add(int0(input, "old")?);
            same(out, rollout_math::new_replicas(strategy(input)?, replicas, new, total))
        }
        "reconcile_old_replicasets" => reconcile_olds(input, out),
        "proportional_scaling" => scaling(input, case["note"].as_str().unwrap_or_default(), out),
        "cleanup_history" => history(input, out),
        "complete" => {
            let status = status(int(input, "replicas")?, int(input, "updated")?, 0, int(input, "available")?);
            same(out, deployment::is_complete(int(input, "spec")?, &status))
        }
        "progressing" => {
            let of = |key: &str| {
                let at = |idx: usize| input[key][idx].as_i64().map(|number| number as i32);
                Some(status(at(0)?, at(1)?, at(2)?, at(3)?))
            };
            same(out, deployment::is_progressing(&of("old")?, &of("new")?))
        }
        "rolling_trace" => same(&out["old_new_after_each_action"], rolling_trace(input)?),
        "conditions" => condition(input, out),
        _ => None,
    }
}

fn strategy(input: &Value) -> Option<DeploymentStrategy> {
    Some(match input["strategy"].as_str() {
        Some("Recreate") if amount(&input["maxSurge"]).is_some() => DeploymentStrategy::Recreate,
        Some("RollingUpdate") => DeploymentStrategy::RollingUpdate {
            max_surge: amount(&input["maxSurge"])?,
            max_unavailable: amount(&input["maxUnavailable"])?,
        },
        _ => return None,
    })
}

fn status(replicas: i32, updated: i32, ready: i32, available: i32) -> DeploymentStatus {
    DeploymentStatus { replicas, updated, ready, available, ..DeploymentStatus::default() }
}

/// `old` pods of which `availOld` are available, or `old_is: crashlooping 5`.
fn reconcile_olds(input: &Value, out: &Value) -> Answer {
    let replicas = int(input, "replicas")?;
    let max_unavailable =
        math::resolved_max_unavailable(amount(&input["maxSurge"])?, amount(&input["maxUnavailable"])?, replicas);
    let replicas_before = match &input["old_is"] {
        Value::Null => int(input, "old")?,
        words => i32::from(words.as_str()?.strip_prefix("crashlooping ")?.parse::<u16>().ok()?),
    };
    let old = OldSet { replicas: replicas_before, available: int0(input, "availOld")? };
    let new = OldSet { replicas: int(input, "new")?, available: int0(input, "availNew")? };
    let olds: Vec<OldSet> = Some(old).filter(|old| old.replicas > 0).into_iter().collect();
    let sizes = math::reconcile_olds(&olds, new, replicas, max_unavailable);
    let left = sizes.as_ref().map_or(old.replicas, |sizes| sizes.scaled.iter().sum());
    let n_gone = sizes.map_or(0, |sizes| sizes.n_gone);
    let max_scaled_down =
        math::max_scaled_down(old.replicas.saturating_add(new.replicas), replicas, max_unavailable, new);
    let total = left.saturating_add(new.replicas);
    let next_new = math::next_new_size(replicas, amount(&input["maxSurge"])?, new.replicas, total);
    members(out, &json!({ "scaled": n_gone > 0, "old": left, "maxScaledDown": max_scaled_down, "next_new": next_new }))
}

/// The annotations are those of the Deployment before, unless the note says that one set `carries` another number.
fn scaling(input: &Value, note: &str, out: &Value) -> Answer {
    let (replicas, before) = (int(input, "replicas")?, int(input, "previous_replicas")?);
    let surge = |key: &str, replicas| {
        let surge = amount(&input[key])?;
        let unavailable = amount(&input[if key == "maxSurge" { "maxUnavailable" } else { "previous_maxUnavailable" }])?;
        Some(rollout_math::max_surge(surge, unavailable, replicas))
    };
    let (max_surge, surge_before) = (surge("maxSurge", replicas)?, surge("previous_maxSurge", before)?);
    let newest_first = input["replicaSets_newest_first"].as_array()?;
    let sets: Option<Vec<ScaledSet>> = newest_first
        .iter()
        .rev()
        .map(|set| {
            let carried = note.strip_prefix(set["name"].as_str()?).filter(|text| text.starts_with(" carries"));
            let carried = carried.and_then(super::first_number).and_then(|number| i32::try_from(number).ok());
            let desired = carried.or(int(set, "desired")).unwrap_or(before);
            Some(ScaledSet {
                size: int(set, "size")?,
                available: int0(set, "available")?,
                is_new: flag(set, "is_new")?,
                desired: Some(desired),
                max_replicas: Some(desired.saturating_add(surge_before)),
            })
        })
        .collect();
    let sets = sets?;
    let mut sizes: Vec<i32> = sets.iter().map(|set| set.size).collect();
    let (Scaled::Some(changes) | Scaled::Proportional(changes)) = math::scale(&sets, replicas, max_surge, before, true);
    changes.into_iter().for_each(|(idx, size)| sizes[idx] = size);
    let named =
        newest_first.iter().rev().zip(sizes).map(|(set, size)| Some((set["name"].as_str()?.to_owned(), size.into())));
    same(out, Value::Object(named.collect::<Option<_>>()?))
}

/// ReplicaSets as `[spec.replicas, status.replicas]`, or as text that begins so and says `already deleting`.
fn history(input: &Value, out: &Value) -> Answer {
    let olds: Option<Vec<Revision>> = input["oldRS"]
        .as_array()?
        .iter()
        .map(|set| {
            let words = set.as_str().unwrap_or_default();
            only(words, "already deleting being deleted")?;
            let numbers = match set.as_array() {
                Some(pair) => pair.iter().map(Value::as_i64).collect::<Option<Vec<i64>>>()?,
                None => super::numbers(words),
            };
            Some(Revision {
                number: 0,
                replicas: i32::try_from(*numbers.first()?).ok()?,
                status_replicas: i32::try_from(*numbers.get(1)?).ok()?,
                observed: true,
                deleting: words.contains("deleting"),
            })
        })
        .collect();
    same(out, math::history_to_delete(&olds?, int(input, "limit")?).len())
}

/// Reasons of the condition `Progressing`.
const REASONS: &[&str] = &[
    "ReplicaSetUpdated",
    "NewReplicaSetCreated",
    "FoundNewReplicaSet",
    "NewReplicaSetAvailable",
    "DeploymentPaused",
    "DeploymentResumed",
    TIMED_OUT,
];
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
/// What the traces of whole rollouts assume of pods, and what this table does.
const ASSUMED: &str = "all pending new pods become available together whenever the controller can do nothing else";

/// The condition `Available`, or whether the rollout has timed out: the fact says `not`, or `never`, if it has not.
fn condition(input: &Value, out: &Value) -> Answer {
    if let Some(available) = int(input, "available") {
        let replicas = int(input, "replicas")?;
        let (surge, unavailable) = (amount(&input["maxSurge"])?, amount(&input["maxUnavailable"])?);
        let enough =
            math::is_available(available, replicas, math::resolved_max_unavailable(surge, unavailable, replicas));
        let status = if enough { "True" } else { "False" };
        return members(out, &json!({ "Available": status, "reason": deployment::availability_texts(enough).0 }));
    }
    let (deadline, ago) = (int(input, "progressDeadlineSeconds")?, input["lastUpdate_ago"].as_f64()?);
    let reason = one_of(&input["reason"], REASONS)?;
    let now = Time::from_secs(1_000_000);
    let update = now - Span::from_secs_f64(ago);
    let timed_out = deployment::has_timed_out(reason, update, deadline, now);
    if out.is_object() {
        let (status, reason) = if timed_out { ("False", TIMED_OUT) } else { ("True", reason) };
        return members(out, &json!({ "Progressing": status, "reason": reason }));
    }
    let text = out.as_str()?;
    only(text, "not timed out never times once complete progressing false progressdeadlineexceeded condition reason")?;
    let denied = text.starts_with("not") || text.starts_with("never");
    stated(out, denied != timed_out, timed_out)
}

/// The sizes of old and new ReplicaSet after every write of the real controller. New pods become ready, all at once, when nothing
/// else is left to do.
fn rolling_trace(input: &Value) -> Option<Value> {
    let replicas = int(input, "replicas").filter(|count| (0..=500).contains(count))?;
    let (surge, unavailable) = (amount(&input["maxSurge"])?, amount(&input["maxUnavailable"])?);
    if !input["assume"].is_null() {
        one_of(&input["assume"], &[ASSUMED])?;
    }
    let mut lab =
        Lab::new(vec![Box::new(DeploymentController::default()), Box::new(ReplicaSetController::replica_sets())]);
    let id = lab.object(&json!({
        "kind": "Deployment", "metadata": { "name": "web" },
        "spec": {
            "replicas": replicas, "selector": { "matchLabels": { "app": "web" } }, "template": template("web", "v1"),
            "strategy": { "type": "RollingUpdate", "rollingUpdate": {
                "maxSurge": json(surge), "maxUnavailable": json(unavailable) } },
        },
    }))?;
    lab.settle();
    let old = lab.cluster.of_kind("ReplicaSet").next()?;
    let sizes = |lab: &Lab| {
        let size = |id| lab.cluster.get::<ReplicaSet>(id).replicas;
        let new = lab.cluster.of_kind("ReplicaSet").find(|&id| id != old);
        json!([size(old), new.map_or(0, size)])
    };
    let mut trace = vec![sizes(&lab)];
    lab.write(|cluster| {
        let new = cluster.lower_template(&template("web", "v2")).ok()?;
        cluster.update_spec::<Deployment>(id, |deployment| deployment.template = new).then_some(())
    })?;
    loop {
        while lab.step(lab.now()) {
            let now = sizes(&lab);
            if trace.last() != Some(&now) {
                trace.push(now);
            }
        }
        if !lab.run_all() {
            return Some(trace.into());
        }
    }
}

fn json(amount: IntOrPercent) -> Value {
    serde_json::to_value(amount).unwrap_or(Value::Null)
}
