//! Stop signals and kills within the grace.

use serde_json::{Map, Value};

use super::{answer, numbers, said_number, seconds};
use crate::engine::{Span, Time};
use crate::kubelet::shape::ContainerKind;
use crate::kubelet::termination::{EXIT_SIGKILL, EXIT_SIGTERM, Stopping, stop as plan};

pub(super) fn stop(row: &Value) -> Option<Value> {
    let asked = row["expect"].as_object()?;
    if row["event"] == "liveness kill" {
        (row["app"] == "ignores TERM").then_some(())?;
        let (of_probe, of_pod) = (said_number(&row["probeGrace"])?, said_number(&row["podGrace"])?);
        let grace = of_probe.or(of_pod)?;
        let stopped = plan(&stopping(Span::ZERO, None), Time::ZERO, Span::from_secs_f64(grace));
        let mut out = Map::new();
        out.insert("SIGKILL_after_kill_start".to_owned(), seconds(stopped.exit.since(Time::ZERO)));
        return answer("expect", Value::Object(out));
    }
    let grace = Span::from_secs_f64(row["grace"].as_f64()?);
    let pre_stop = match &row["preStop"] {
        Value::Number(takes) => Span::from_secs_f64(takes.as_f64()?),
        Value::String(text) if text == "none" => Span::ZERO,
        // `40 (exec)`
        Value::String(text) => Span::from_secs_f64(text.split_whitespace().next()?.parse().ok()?),
        _ => return None,
    };
    let reaction = match row["app_exits_after_TERM"].as_f64() {
        Some(takes) => Some(Span::from_secs_f64(takes)),
        None if row["app"] == "ignores TERM" => None,
        None => return None,
    };
    let stopped = plan(&stopping(pre_stop, reaction), Time::ZERO, grace);
    let mut out = Map::new();
    out.insert("SIGTERM".to_owned(), seconds(stopped.signal.since(Time::ZERO)));
    let end = if stopped.exit_code == EXIT_SIGKILL { "SIGKILL" } else { "exit" };
    out.insert(end.to_owned(), seconds(stopped.exit.since(Time::ZERO)));
    // A row in words (`143 or 0`) leaves the code open: the program's own, or that of the signal.
    let open = asked.get("code").and_then(Value::as_str);
    let open = open.filter(|text| numbers(text).contains(&f64::from(stopped.exit_code)));
    out.insert("code".to_owned(), open.map_or_else(|| stopped.exit_code.into(), Value::from));
    out.retain(|key, _| asked.contains_key(key));
    answer("expect", Value::Object(out))
}

fn stopping(pre_stop: Span, reaction: Option<Span>) -> Stopping {
    let reaction = reaction.unwrap_or(Span::MAX);
    Stopping { kind: ContainerKind::Regular, pre_stop, reaction, exit_code: EXIT_SIGTERM, natural: None }
}
