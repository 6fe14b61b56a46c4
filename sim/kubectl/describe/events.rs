//! The events at the end of a description.

use serde_json::Value;

use super::writer::Writer;
use crate::kubectl::age;
use crate::kubectl::gosort;
use crate::kubectl::look::{at, entry, has, int, name, namespace, text};
use crate::kubectl::view::View;

/// The events about an object, as lines; `Events: <none>` without any.
pub(super) fn events(w: &mut Writer, object: &Value, view: &View<'_>) {
    let mut found = about(object, view);
    if found.is_empty() {
        return w.line(0, "Events:\t<none>");
    }
    w.flush();
    gosort::sort(&mut found, |a, b| last_seen(a) < last_seen(b));
    w.line(0, "Events:\n  Type\tReason\tAge\tFrom\tMessage");
    w.line(1, "----\t------\t----\t----\t-------");
    for event in found {
        let source = match text(event, "source.component") {
            "" => text(event, "reportingComponent"),
            component => component,
        };
        let (kind, reason) = (text(event, "type"), text(event, "reason"));
        let mut message = text(event, "message").trim().to_owned();
        let field = text(event, "involvedObject.fieldPath");
        if !field.is_empty() {
            message = format!("{field}: {message}");
        }
        w.line(1, &format!("{kind}\t{reason}\t{}\t{source}\t{message}", interval(event, view.now)));
    }
}

/// The time that the order of events in a description goes by: the last timestamp, zero when it is not set.
fn last_seen(event: &Value) -> i64 {
    age::instant(at(event, "lastTimestamp")).unwrap_or(i64::MIN)
}

/// How long ago an event was seen: `5s`, or `2m (x7 over 10m)` for one that was seen again.
pub(crate) fn interval(event: &Value, now: i64) -> String {
    let seen = |path: &str| age::since(at(event, path), now);
    let first = if has(event, "eventTime") { seen("eventTime") } else { seen("firstTimestamp") };
    if has(event, "series") {
        return format!("{} (x{} over {first})", seen("series.lastObservedTime"), int(event, "series.count"));
    }
    match int(event, "count") {
        count if count > 1 => format!("{} (x{count} over {first})", seen("lastTimestamp")),
        _ => first,
    }
}

fn about<'a>(object: &Value, view: &View<'a>) -> Vec<&'a Value> {
    let kind = text(object, "kind");
    let mirror = entry(object, "metadata.annotations", "kubernetes.io/config.mirror");
    let uid = mirror.unwrap_or_else(|| text(object, "metadata.uid"));
    let is_about = |event: &&Value, uid: &str| {
        let involved = at(event, "involvedObject");
        text(involved, "name") == name(object)
            && text(involved, "namespace") == namespace(object)
            && (kind == "Pod" || text(involved, "kind") == kind)
            && (uid.is_empty() || text(involved, "uid") == uid)
    };
    let events = view.of("Event", "");
    let mut found: Vec<&Value> = events.iter().copied().filter(|event| is_about(event, uid)).collect();
    if kind == "Node" {
        found.extend(events.into_iter().filter(|event| uid != name(object) && is_about(event, name(object))));
    }
    found
}
