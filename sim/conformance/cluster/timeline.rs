//! What our control plane did in a scenario of the recordings' format, as text: to read beside a recorded timeline.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::record::{Op, Recording};
use super::world::{self, Phases, World};
use super::{answers, view};
use crate::conformance::difference::compare_members;
use crate::engine::Span;

/// Runs a scenario and tells change by change what happened: its own objects, events and answers first, then the settled sequences.
///
/// # Errors
///
/// If the scenario is not one, or does not come to its end.
pub fn timeline(scenario: &Value) -> Result<String, String> {
    let mut world = world::build(scenario, Phases::USUAL)?;
    let mut recording = Recording::new(&world.namespace, world.zero);
    let duration = scenario["duration"].as_f64().unwrap_or(60.0);
    let until = world.zero + Span::from_secs_f64(duration);
    world.simulation.run(until, false, &mut [&mut recording]).map_err(|stuck| stuck.to_string())?;
    let mut out = String::new();
    changes(&mut out, &recording, &world);
    steps(&mut out, &recording, &world);
    summary(&mut out, &recording, &world, duration);
    Ok(out)
}

fn changes(out: &mut String, recording: &Recording, world: &World) {
    let mut last: BTreeMap<(&str, &str), &Value> = BTreeMap::new();
    let mut events = recording.events.iter().peekable();
    for idx in 0..=recording.entries.len() {
        while let Some((_, t, id)) = events.next_if(|(before, ..)| *before <= idx) {
            let cluster = &world.simulation.cluster;
            let record = cluster.events.stored_at(*id, cluster.now());
            let (kind, name) = (cluster.kind(record.object), recording.names.translate(cluster.name(record.object)));
            let (reason, text) = (cluster.interner.text(record.reason), cluster.event_message(&record));
            _ = writeln!(out, "{t:8.3} Event {kind}/{name} {reason}: {}", recording.names.translate(&text));
        }
        let Some(entry) = recording.entries.get(idx) else { break };
        let key = (entry.kind, entry.name.as_str());
        let shown = match entry.op {
            Op::Create => format!("created {}", entry.value),
            Op::Delete => "removed".to_owned(),
            Op::Update => {
                let before = last.get(&key).copied().unwrap_or(&Value::Null);
                let changed = compare_members(before, &entry.value);
                changed.iter().map(|change| format!("{}={}", change.subject, change.got)).collect::<Vec<_>>().join(" ")
            }
        };
        last.insert(key, &entry.value);
        _ = writeln!(out, "{:8.3} {}/{} {shown}", entry.t, entry.kind, entry.name);
    }
}

fn steps(out: &mut String, recording: &Recording, world: &World) {
    for (step, answer) in world.simulation.client.answers().skip(world.n_nodes) {
        let at = step.at.as_secs_f64() - world.zero.as_secs_f64();
        _ = writeln!(out, "step {at}: {}", answers::shown(&step.action, answer, recording));
    }
}

fn summary(out: &mut String, recording: &Recording, world: &World, duration: f64) {
    let mut view = view::view(recording, duration);
    view::add_events(&mut view, recording, &world.simulation.cluster, &world.namespace);
    for (name, sequence) in &view.sequences {
        let told = ["phase/", "calm/", "condition/Pod", "condition/Node", "taints/", "endpoints/"];
        if !told.iter().any(|prefix| name.starts_with(prefix)) {
            _ = writeln!(out, "{name} {}", Value::Array(sequence.clone()));
        }
    }
    for (words, count) in &view.events {
        _ = writeln!(out, "event x{count} {}", words.join(" | "));
    }
}
