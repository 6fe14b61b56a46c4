//! The table of events.

use serde_json::Value;

use super::{Scene, Table, name, table};
use crate::kubectl::age;
use crate::kubectl::look::{at, has, int, text};

pub(super) const EVENT: Table = table(
    &["LAST SEEN", "TYPE", "REASON", "OBJECT", "+SUBOBJECT", "+SOURCE", "MESSAGE", "+FIRST SEEN", "+COUNT", "+NAME"],
    row,
);

fn row(event: &Value, scene: Scene) -> Vec<String> {
    let seen = |path: &str| age::since(at(event, path), scene.now);
    let first = if has(event, "firstTimestamp") { seen("firstTimestamp") } else { seen("eventTime") };
    let (last, count) = if has(event, "series") {
        (seen("series.lastObservedTime"), int(event, "series.count"))
    } else {
        let last = if has(event, "lastTimestamp") { seen("lastTimestamp") } else { first.clone() };
        (last, int(event, "count").max(1))
    };
    let kind = text(event, "involvedObject.kind").to_lowercase();
    let target = match text(event, "involvedObject.name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let or = |path: &str, other: &str| match text(event, path) {
        "" => text(event, other).to_owned(),
        text => text.to_owned(),
    };
    let (component, host) = (or("source.component", "reportingComponent"), or("source.host", "reportingInstance"));
    vec![
        last,
        text(event, "type").to_owned(),
        text(event, "reason").to_owned(),
        target,
        text(event, "involvedObject.fieldPath").to_owned(),
        if host.is_empty() { component } else { format!("{component}, {host}") },
        text(event, "message").trim().to_owned(),
        first,
        count.to_string(),
        name(event),
    ]
}
