//! Google cluster data 2019: instance events as JSON lines.

use serde_json::Value;

use super::lifecycle::{AGAIN, Lifecycles, OTHER_EVENT, Step};
use super::*;
use crate::workload::number;

pub(in crate::workload) static INFO: FormatInfo = FormatInfo {
    name: "google-2019",
    title: "Google cluster data 2019: instance_events of one of 8 cells, one JSON object a line",
    columns: "time (us), type (0 SUBMIT ... 10 UPDATE_RUNNING), collection_id, collection_type (alloc sets are left out), instance_index, \
              scheduling_class, priority, resource_request.{cpus, memory} (0-1 of the largest machine, taken as 64 cores and 256 GiB); \
              integers may be texts, as BigQuery exports them. An instance arrives at its first SUBMIT and lasts as long as its last run",
    source: "https://github.com/google/cluster-data, ClusterData2019 (CC-BY)",
    layout: Layout::JsonLines,
    detect: |probe| {
        let Some(first) = probe.lines.first() else { return false };
        first.starts_with('{')
            && ["\"collection_id\"", "\"instance_index\"", "\"type\""].iter().all(|key| first.contains(key))
    },
    make: || Box::new(InstanceEvents::default()),
};

#[derive(Default)]
struct InstanceEvents {
    instances: Lifecycles,
}

struct Event {
    at_us: i64,
    instance: (u64, u64),
    step: Step,
}

impl Format for InstanceEvents {
    fn surveys(&self) -> bool {
        true
    }

    fn survey(&mut self, record: &Record) -> Read<()> {
        let event = event(record.json()?)?;
        self.instances.note(record.number, event.instance, event.at_us, event.step);
        Ok(())
    }

    fn arrival(&self, record: &Record) -> Read<Parsed> {
        let value = record.json()?;
        let event = event(value)?;
        if integer(value, "collection_type")?.unwrap_or(0) == 1 {
            return Ok(Err(NotAnArrival("it is an alloc set")));
        }
        if event.step != Step::Submit {
            return Ok(Err(OTHER_EVENT));
        }
        let Some((duration, outcome)) = self.instances.of_submission(record.number, event.instance) else {
            return Ok(Err(AGAIN));
        };
        let (collection, index) = event.instance;
        let mut arrival = Arrival::new(record.number, format!("{collection}/{index}"));
        arrival.group = Some(collection.to_string());
        (arrival.duration, arrival.outcome) = (duration, Some(outcome));
        arrival.priority = integer(value, "priority")?.and_then(|priority| i32::try_from(priority).ok());
        arrival.qos = integer(value, "scheduling_class")?.map(|class| format!("scheduling-class-{class}"));
        arrival.cpu_milli = request(value, "cpus", NORMALISED_CPU_MILLI)?;
        arrival.memory_bytes = request(value, "memory", NORMALISED_MEMORY)?;
        timed(event.at_us, arrival)
    }
}

fn event(value: &Value) -> Read<Event> {
    let needed = |key: &str| {
        let number = integer(value, key)?.ok_or_else(|| Bad::new(format!("field `{key}` is missing")))?;
        u64::try_from(number).map_err(|_| Bad::new(format!("field `{key}` is negative")))
    };
    let at_us = i64::try_from(needed("time")?).map_err(|_| Bad::new("field `time` is too large"))?;
    let instance = (needed("collection_id")?, needed("instance_index")?);
    let step = match needed("type")? {
        0 => Step::Submit,
        3 => Step::Start,
        4 => Step::Evict,
        5 => Step::End(Outcome::Failed),
        6 => Step::End(Outcome::Succeeded),
        7 | 8 => Step::End(Outcome::Killed),
        1 | 2 | 9 | 10 => Step::Other,
        n => return Err(Bad::new(format!("field `type` is {n}")).help("0 SUBMIT to 10 UPDATE_RUNNING")),
    };
    Ok(Event { at_us, instance, step })
}

/// An integer, or a text that holds one.
fn integer(value: &Value, key: &str) -> Read<Option<i64>> {
    let bad = || Bad::new(format!("field `{key}` is not an integer")).help("a number, or a text that holds one");
    match value.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => number.as_i64().map(Some).ok_or_else(bad),
        Some(Value::String(text)) => text.parse().map(Some).map_err(|_| bad()),
        Some(_) => Err(bad()),
    }
}

fn request(value: &Value, resource: &str, scale: i64) -> Read<i64> {
    let amount = match value.get("resource_request").and_then(|request| request.get(resource)) {
        None | Some(Value::Null) => return Ok(0),
        Some(Value::String(text)) => text.parse().unwrap_or(f64::NAN),
        Some(other) => other.as_f64().unwrap_or(f64::NAN),
    };
    match number::from_float(amount, scale) {
        Ok(amount) if amount >= 0 => Ok(amount),
        _ => Err(Bad::new(format!("field `resource_request.{resource}` is not an amount")).help("0 to 1 of a machine")),
    }
}
