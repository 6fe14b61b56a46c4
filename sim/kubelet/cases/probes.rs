//! Probes: thresholds, ticks, and what handlers answer.

use serde_json::{Map, Value};

use super::{answer, seconds};
use crate::engine::{Span, Time};
use crate::kubelet::probe::{Answers, Counter, Ticks, first_tick};
use crate::kubelet::shape::{ProbeHandler, ProbeShape};

pub(super) fn probe(row: &Value) -> Option<Value> {
    if let Some(handler) = row["handler"].as_str() {
        return handler_result(handler, row);
    }
    let known =
        |key: &str, words: &[&str]| row[key].is_null() || row[key].as_str().is_some_and(|word| words.contains(&word));
    if !known("type", &["liveness", "readiness", "startup"])
        || !known("results", &["all ok", "all fail", "all time out"])
    {
        return None;
    }
    let probe = shape(row)?;
    if row["expect_stored"].is_array() {
        return stored(row, &probe);
    }
    let expect = row["expect"].as_object();
    let started = Time::ZERO + span(&row["container_start"])?.unwrap_or(Span::ZERO);
    if expect.is_some_and(|expect| expect.contains_key("first_probe")) {
        let first = first_tick(&probe, Time::ZERO, started, started);
        return one("first_probe", first);
    }
    let answers = match row["results"].as_str()? {
        "all fail" => Answers { passes_from: Time::NEVER, ..Answers::default() },
        "all time out" => Answers { latency: Span::MAX, ..Answers::default() },
        _ => return None,
    };
    let ticks = Ticks { probe: &probe, answers: &answers, anchor: Time::ZERO, started };
    let found = ticks.next_observation(&mut Counter::new(true), started)?;
    one("kill_at", found.at)
}

fn one(name: &str, at: Time) -> Option<Value> {
    answer("expect", Value::Object(Map::from_iter([(name.to_owned(), seconds(at.since(Time::ZERO)))])))
}

/// A sequence of results, `ERR` for one that is discarded, and the stored result after each.
fn stored(row: &Value, probe: &ProbeShape) -> Option<Value> {
    let mut counter = Counter::new(match row["stored0"].as_str()? {
        "Success" => true,
        "Failure" => false,
        _ => return None,
    });
    let mut out = Vec::new();
    for result in row["sequence"].as_array()? {
        match result.as_str()? {
            "S" => _ = counter.count(true, 1, probe),
            "F" => _ = counter.count(false, 1, probe),
            "ERR" => {}
            _ => return None,
        }
        out.push(if counter.stored == Some(true) { "Success" } else { "Failure" });
    }
    answer("expect_stored", out)
}

fn shape(row: &Value) -> Option<ProbeShape> {
    let default = ProbeShape::DEFAULT;
    let threshold = |key: &str, default: u32| match &row[key] {
        Value::Null => Some(default),
        said => u32::try_from(said.as_u64()?).ok(),
    };
    Some(ProbeShape {
        initial_delay: span(&row["initialDelay"])?.unwrap_or(default.initial_delay),
        period: span(&row["period"])?.unwrap_or(default.period),
        timeout: span(&row["timeout"])?.unwrap_or(default.timeout),
        success_threshold: threshold("successThreshold", default.success_threshold)?,
        failure_threshold: threshold("failureThreshold", default.failure_threshold)?,
        grace_seconds: None,
        handler: ProbeHandler::Exec,
        target: default.target,
    })
}

/// Seconds, or nothing if nothing is said; `None` if what is said is no number.
fn span(value: &Value) -> Option<Option<Span>> {
    super::said_number(value).map(|seconds| seconds.map(Span::from_secs_f64))
}

/// What one answer of a handler counts as (kubelet, `pkg/probe`).
fn handler_result(handler: &str, row: &Value) -> Option<Value> {
    let passes = match (handler, &row["code"], &row["exit"], &row["status"], row["result"].as_str()) {
        ("http", Value::Number(code), ..) => (200..400).contains(&code.as_i64()?),
        ("http", Value::String(text), ..) => {
            // `302 to same host /ok returning 200`: followed, so that the last code counts; no code at all is a failure.
            let last = text.split_whitespace().rev().find_map(|word| word.parse::<i64>().ok());
            last.is_some_and(|code| (200..400).contains(&code))
        }
        ("exec", _, Value::Number(code), ..) => code.as_i64() == Some(0),
        ("grpc", _, _, Value::String(status), _) => status == "SERVING",
        (_, _, _, _, Some("timeout")) => false,
        (_, _, _, _, Some(text)) if text.starts_with("runtime error") => {
            return answer("expect", "error -> discarded after 3 tries");
        }
        ("tcp", _, _, _, Some(text)) => text == "connect ok",
        _ => return None,
    };
    answer("expect", if passes { "success" } else { "failure" })
}
