//! `rollout`: the arithmetic of rolling updates.

use serde_json::{Value, json};

use super::typed;
use crate::api::int_or_percent::IntOrPercent;
use crate::controllers::rollout_math::{max_surge, max_unavailable, new_rs_new_replicas, resolve_fenceposts};

/// Fenceposts, limits, and the next size of the new ReplicaSet.
pub(super) fn rollout(case: &Value) -> Value {
    let limit = |member: &str| match &case[member] {
        Value::Null => Ok(IntOrPercent::Int(0)),
        value => serde_json::from_value(value.clone()),
    };
    let (Ok(surge), Ok(unavailable)) = (limit("maxSurge"), limit("maxUnavailable")) else { return json!({}) };
    let replicas: i32 = typed(&case["replicas"]);
    let new_replicas: i32 = typed(&case["newReplicas"]);
    let total_replicas = typed::<Vec<i32>>(&case["oldReplicas"]).into_iter().fold(new_replicas, i32::saturating_add);
    let fenceposts = resolve_fenceposts(surge, unavailable, replicas);
    json!({
        "surge": fenceposts.surge,
        "unavailable": fenceposts.unavailable,
        "maxSurge": max_surge(surge, unavailable, replicas),
        "maxUnavailable": max_unavailable(surge, unavailable, replicas),
        "newRSReplicas": new_rs_new_replicas(replicas, surge, new_replicas, total_replicas),
    })
}
