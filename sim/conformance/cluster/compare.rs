//! A compact view against a recorded one: every entry that was the same in all recorded runs, and apart from them what the real runs
//! did not agree on, where all that can be asked is whether ours is like one of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::view::CompactView;
use crate::conformance::difference::{Difference, compare_members};

/// Seconds by which an instant may lie outside the recorded range.
const TOLERANCE: f64 = 1.5;

/// Entries of one scenario: those that were the same in all recorded runs, and those that were not.
#[derive(Clone, Debug, Default)]
pub(super) struct Comparison {
    pub(super) stable: Entries,
    pub(super) varying: Entries,
}

/// Entries by family, and those that differ.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    /// Agreeing and all entries by family.
    pub families: BTreeMap<String, (usize, usize)>,
    /// What differs.
    pub differences: Vec<Difference>,
}

impl Entries {
    fn count(&mut self, family: &str, difference: Option<Difference>) {
        let (agree, total) = self.families.entry(family.to_owned()).or_default();
        *total += 1;
        match difference {
            None => *agree += 1,
            Some(difference) => self.differences.push(difference),
        }
    }
}

impl Comparison {
    /// Counts an entry that was the same in all recorded runs.
    pub(super) fn count(&mut self, family: &str, difference: Option<Difference>) {
        self.stable.count(family, difference);
    }

    /// How far it is from the recording: differences in what was the same in all runs count first.
    pub(super) fn distance(&self) -> (usize, usize) {
        (self.stable.differences.len(), self.varying.differences.len())
    }

    fn equal(&mut self, family: &str, subject: &str, expected: &Value, got: &Value) {
        let differs = expected != got;
        self.count(family, differs.then(|| Difference::new(subject, expected.to_string(), got.to_string())));
    }
}

/// Compares.
pub(super) fn compare(expect: &Value, view: &CompactView) -> Comparison {
    let mut out = Comparison::default();
    for (name, entry) in expect["sequences"].as_object().into_iter().flatten() {
        sequence(&mut out, name, entry, view);
    }
    last_states(&mut out, &expect["final"], view);
    events(&mut out, &expect["events"], view, true);
    events(&mut out, &expect["eventKinds"], view, false);
    times(&mut out, expect, view);
    out
}

/// Instants. Which of several equal pods is meant is chance where their order was not the same in all runs: then the instants of an
/// owner's pods are compared in order of time, each with the ranges in order, as an entry that varied.
fn times(out: &mut Comparison, expect: &Value, view: &CompactView) {
    let mut by_owner: BTreeMap<String, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for (name, range) in expect["times"].as_object().into_iter().flatten() {
        let (least, most) = (range[0].as_f64().unwrap_or(0.0), range[1].as_f64().unwrap_or(0.0));
        let what = name.split(' ').next().unwrap_or_default();
        let sequence = |kind: &str| &expect["sequences"][format!("{kind}/{what}")]["stable"];
        if *sequence("pods") == false {
            if *sequence("podSet") == true {
                let (owner, _) = name.rsplit_once('~').unwrap_or((name.as_str(), ""));
                let (from, to) = by_owner.entry(owner.to_owned()).or_default();
                from.push(least);
                to.push(most);
            }
            continue;
        }
        let got = view.times.get(name).copied();
        let agrees = got.is_some_and(|t| least - TOLERANCE <= t && t <= most + TOLERANCE);
        let wanted = || {
            let got = got.map_or("never".to_owned(), |t| format!("{t:.2}"));
            Difference::new(format!("times {name}"), range.to_string(), got)
        };
        out.count("times", (!agrees).then(wanted));
    }
    for (owner, (mut from, mut to)) in by_owner {
        let of_owner = |name: &str| name == owner || name.rsplit_once('~').is_some_and(|(front, _)| front == owner);
        let mut got: Vec<f64> =
            view.times.iter().filter(|(name, _)| of_owner(name.as_str())).map(|(_, &t)| t).collect();
        [&mut from, &mut to, &mut got].into_iter().for_each(|times| times.sort_by(f64::total_cmp));
        let inside = |(t, (from, to)): (&f64, (&f64, &f64))| from - TOLERANCE <= *t && *t <= to + TOLERANCE;
        let agrees = got.len() == from.len() && got.iter().zip(from.iter().zip(&to)).all(inside);
        let wanted =
            || Difference::new(format!("times {owner}, all"), format!("{from:?} to {to:?}"), format!("{got:.2?}"));
        out.varying.count("times of equal pods", (!agrees).then(wanted));
    }
}

fn family_of(name: &str) -> String {
    let mut parts = name.split('/');
    let first = parts.next().unwrap_or_default();
    match (first, parts.next()) {
        ("settled" | "calm", Some(second)) => format!("{first}/{second}"),
        _ => first.to_owned(),
    }
}

fn sequence(out: &mut Comparison, name: &str, entry: &Value, view: &CompactView) {
    let family = family_of(name);
    let transient = family == "status";
    let got = view.sequences.get(name).cloned().unwrap_or_default();
    if transient {
        if entry["stable"] == true || entry["stableLast"] == true {
            let expected = entry["seq"].as_array().and_then(|seq| seq.last()).cloned().unwrap_or_default();
            out.equal(&family, &format!("{name} (last)"), &expected, got.last().unwrap_or(&Value::Null));
        }
    } else if entry["stable"] == true && !entry["seq"].is_null() {
        out.equal(&family, name, &entry["seq"], &Value::Array(got));
    } else if entry["stable"] == false && !pods_by_name(name) {
        let difference = unstable(entry, &got).map(|expected| {
            let got = Value::Array(got).to_string();
            Difference::new(format!("{name} (not the same in all runs)"), expected, got)
        });
        out.varying.count(&family, difference);
    }
}

/// Sequences that name each of several equal pods: which is which is chance.
fn pods_by_name(name: &str) -> bool {
    ["pods/", "phase/", "endpoints/", "condition/Pod/"].iter().any(|prefix| name.starts_with(prefix))
}

/// A sequence that differed between runs: ours is one of theirs, or has all values in order that every run had, and ends as all did.
/// Returns what was expected.
fn unstable(entry: &Value, got: &[Value]) -> Option<String> {
    let list = |key: &str| entry[key].as_array().map(Vec::as_slice).unwrap_or_default();
    // A run without the sequence has null in its place.
    let is_ours = |run: &Value| run.as_array().map_or(run.is_null() && got.is_empty(), |run| run == got);
    let is_recorded = list("runs").iter().chain(entry.get("seq")).any(is_ours);
    let mut rest = got.iter();
    let has_common = list("inAllRuns").iter().all(|value| rest.any(|other| other == value));
    let ends = entry["stableLast"] != true || list("seq").last() == got.last();
    let agrees = is_recorded || !list("inAllRuns").is_empty() && has_common && ends;
    (!agrees).then(|| {
        let common = if list("inAllRuns").is_empty() { &entry["runs"] } else { &entry["inAllRuns"] };
        common.to_string()
    })
}

fn last_states(out: &mut Comparison, expect: &Value, view: &CompactView) {
    for (name, entry) in expect.as_object().into_iter().flatten() {
        let paths: Vec<&str> =
            entry["unstableFields"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let nothing_stable =
            entry["object"].as_object().is_none_or(|fields| fields.keys().all(|field| paths.contains(&field.as_str())));
        if nothing_stable || (entry["stable"] != true && paths.is_empty()) {
            continue;
        }
        let Some(got) = view.last.get(name) else {
            out.count("final", Some(Difference::new(format!("final {name}"), "it exists", "it does not")));
            continue;
        };
        let (mut expected, mut got) = (entry["object"].clone(), got.clone());
        for path in paths {
            forget(&mut expected, path);
            forget(&mut got, path);
        }
        let differences = compare_members(&expected, &got);
        let first = differences.into_iter().next().map(|mut difference| {
            difference.subject = format!("final {name} {}", difference.subject);
            difference
        });
        out.count("final", first);
    }
}

/// Removes a field; a part of a path may hold dots itself.
fn forget(object: &mut Value, path: &str) {
    let Some(fields) = object.as_object_mut() else { return };
    if fields.remove(path).is_some() {
        return;
    }
    if let Some((first, rest)) = path.split_once('.')
        && let Some(inner) = fields.get_mut(first)
    {
        forget(inner, rest);
    }
}

/// The words of each entry of a list of events, without its count.
fn read_keys(list: &Value) -> impl Iterator<Item = Vec<String>> {
    // Some lists hold their entries as texts of JSON.
    let entries = list.as_array().into_iter().flatten().map(|entry| match entry.as_str() {
        Some(text) => serde_json::from_str(text).unwrap_or(Value::Null),
        None => entry.clone(),
    });
    entries.map(|entry| {
        let words = entry.as_array().into_iter().flatten().filter_map(Value::as_str);
        words.map(str::to_owned).collect()
    })
}

fn events(out: &mut Comparison, expect: &Value, view: &CompactView, messages: bool) {
    let family = if messages { "events" } else { "eventKinds" };
    let mut got: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    for (key, count) in &view.events {
        let key = if messages { key.clone() } else { key[..4].to_vec() };
        *got.entry(key).or_default() += count;
    }
    let read = |list: &Value| -> BTreeMap<Vec<String>, u64> {
        let entries = list.as_array().into_iter().flatten().filter_map(Value::as_array);
        let entries = entries.map(|entry| {
            let (words, count) = entry.split_at(entry.len().saturating_sub(1));
            let words = words.iter().map(|word| word.as_str().unwrap_or_default().to_owned());
            (words.collect(), count.first().and_then(Value::as_u64).unwrap_or(0))
        });
        entries.collect()
    };
    let stable = expect["stable"] == true;
    let wanted = read(&expect[if stable { "list" } else { "stableEntries" }]);
    let show = |key: &Vec<String>, count: u64| json!([key, count]).to_string();
    let missing = wanted.iter().filter(|(key, count)| got.get(*key) != Some(*count));
    let missing =
        missing.map(|(key, count)| (show(key, *count), got.get(key).map_or("none".to_owned(), u64::to_string)));
    let mut wrong: Vec<(String, String)> = missing.collect();
    // What some runs had more is not missed; anything else is too much.
    let same_except_count: Vec<Vec<String>> = read_keys(&expect["sameExceptCount"]).collect();
    let in_some = same_except_count.iter().cloned().chain(read_keys(&expect["onlyInSomeRuns"]));
    let in_some: BTreeSet<Vec<String>> =
        in_some.map(|key| key.into_iter().take(if messages { 5 } else { 4 }).collect()).collect();
    let more = got.iter().filter(|(key, _)| !wanted.contains_key(*key) && !in_some.contains(*key));
    let more = more.map(|(key, count)| ("none".to_owned(), show(key, *count)));
    if stable {
        wrong.extend(more);
    } else {
        let mut unlike: Vec<(String, String)> = more.collect();
        let missing = same_except_count.iter().filter(|key| !got.contains_key(key.as_slice()));
        unlike.extend(missing.map(|key| (show(key, 1), "none".to_owned())));
        let subject = format!("{family} (not the same in all runs)");
        out.varying.count(family, difference_of(&subject, unlike));
    }
    out.count(family, difference_of(family, wrong));
}

/// One difference of all that was expected and found in its place.
fn difference_of(subject: &str, wrong: Vec<(String, String)>) -> Option<Difference> {
    let (expected, got): (Vec<String>, Vec<String>) = wrong.into_iter().unzip();
    (!expected.is_empty()).then(|| Difference::new(subject, expected.join("; "), got.join("; ")))
}
