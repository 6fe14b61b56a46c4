//! Reading and writing the fields that several kinds share.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Exporting, Lowering};
use crate::api::int_or_percent::IntOrPercent;
use crate::api::selector::Selector;
use crate::cluster::condition::{Condition, ConditionStatus, Conditions};
use crate::cluster::ids::Sym;
use crate::engine::Time;

/// An integer field, if it is there.
pub(super) fn int(object: &Value, key: &str) -> Option<i32> {
    object[key].as_i64().map(|number| i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX }))
}

/// An integer or percentage field.
pub(super) fn int_or_percent(value: &Value) -> Option<IntOrPercent> {
    match value {
        Value::Number(_) => value.as_i64().and_then(|count| i32::try_from(count).ok()).map(IntOrPercent::Int),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// `spec.selector` of a workload; a `ReplicationController` has a plain map there.
pub(super) fn selector(value: &Value) -> Result<Arc<Selector>, String> {
    let plain = value.as_object().filter(|fields| fields.values().all(Value::is_string));
    if let Some(labels) = plain.filter(|labels| !labels.is_empty()) {
        let labels = labels.iter().map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()));
        return Ok(Arc::new(Selector::from_labels(labels)));
    }
    Selector::from_json(value).map(Arc::new).map_err(|error| error.to_string())
}

/// Puts a counter that the API omits when it is zero.
pub(super) fn put_count(out: &mut Map<String, Value>, key: &str, count: i32) {
    if count != 0 {
        out.insert(key.into(), count.into());
    }
}

/// Puts a number that the API omits when it has never been set.
pub(super) fn put_option<T: Into<Value>>(out: &mut Map<String, Value>, key: &str, value: Option<T>) {
    if let Some(value) = value {
        out.insert(key.into(), value.into());
    }
}

/// Sets fields inside `spec` of an exported object.
pub(super) fn set_spec(object: &mut Map<String, Value>, fields: impl IntoIterator<Item = (&'static str, Value)>) {
    let spec = object.entry("spec").or_insert_with(|| json!({}));
    if let Some(spec) = spec.as_object_mut() {
        spec.extend(fields.into_iter().map(|(key, value)| (key.to_owned(), value)));
    }
}

/// Reads `status.conditions`.
pub(super) fn conditions(status: &Value, cx: &mut Lowering<'_>) -> Conditions {
    let list = status["conditions"].as_array().into_iter().flatten();
    list.map(|condition| {
        let transition = cx.time(&condition["lastTransitionTime"]).unwrap_or(Time::ZERO);
        let updated = ["lastUpdateTime", "lastProbeTime"].iter().find_map(|key| cx.time(&condition[*key]));
        let mut sym = |key: &str| cx.interner.sym(condition[key].as_str().unwrap_or_default());
        Condition {
            kind: sym("type"),
            status: match condition["status"].as_str() {
                Some("True") => ConditionStatus::True,
                Some("False") => ConditionStatus::False,
                _ => ConditionStatus::Unknown,
            },
            reason: sym("reason"),
            message: sym("message"),
            transition,
            update: updated.unwrap_or(transition),
        }
    })
    .collect()
}

/// Writes `status.conditions`, with the name of the field of the last update if the kind has one.
pub(super) fn put_conditions(
    out: &mut Map<String, Value>,
    conditions: &Conditions,
    cx: Exporting<'_>,
    update_key: Option<&str>,
) {
    if conditions.is_empty() {
        return;
    }
    let list = conditions.iter().map(|condition| {
        let mut fields = Map::new();
        fields.insert("type".into(), cx.interner.text(condition.kind).into());
        fields.insert("status".into(), condition.status.as_str().into());
        if let Some(key) = update_key {
            fields.insert(key.into(), cx.time(condition.update));
        }
        fields.insert("lastTransitionTime".into(), cx.time(condition.transition));
        for (key, text) in [("reason", condition.reason), ("message", condition.message)] {
            if text != Sym::EMPTY {
                fields.insert(key.into(), cx.interner.text(text).into());
            }
        }
        Value::Object(fields)
    });
    out.insert("conditions".into(), list.collect());
}
