//! `kubectl events`.
//!
//! Source: kubectl `pkg/cmd/events`.

use serde_json::{Value, json};

use super::age;
use super::command::Events;
use super::describe::interval;
use super::gosort;
use super::look::{at, has, namespace, text};
use super::resources;
use super::tabs::{TABLE, align, escape};
use super::view::{Output, View};
use super::{json as go_json, yaml};

/// The text of `kubectl events`.
pub(crate) fn events(command: &Events, view: &View<'_>) -> Output {
    let scope = &command.scope;
    let place = scope.namespace.as_deref().unwrap_or(view.namespace);
    for kind in &command.types {
        if !kind.eq_ignore_ascii_case("Normal") && !kind.eq_ignore_ascii_case("Warning") {
            return Output::failure("error: valid --types are Normal or Warning");
        }
    }
    let about = match command.about.as_deref().map(|about| target(about, view)).transpose() {
        Ok(about) => about,
        Err(output) => return output,
    };
    let mut found = view.of("Event", "");
    found.retain(|event| {
        let involved = at(event, "involvedObject");
        (scope.all_namespaces || namespace(event) == place)
            && (command.types.is_empty()
                || command.types.iter().any(|kind| kind.eq_ignore_ascii_case(text(event, "type"))))
            && about.as_ref().is_none_or(|(kind, group, name)| {
                text(involved, "kind") == kind
                    && text(involved, "name") == name
                    && super::view::group_of(text(involved, "apiVersion")) == group
            })
    });
    if found.is_empty() {
        let stderr = match scope.all_namespaces {
            true => "No events found.\n".to_owned(),
            false => format!("No events found in {place} namespace.\n"),
        };
        return Output { stderr, ..Output::default() };
    }
    gosort::sort(&mut found, |a, b| time(a) < time(b));
    match command.output.as_deref() {
        None | Some("") => Output::success(table(command, &found, view.now)),
        Some(format @ ("json" | "yaml")) => {
            let list = json!({"apiVersion": "v1", "kind": "EventList", "metadata": {}, "items": found});
            Output::success(if format == "json" { go_json::pretty(&list) } else { yaml::document(&list) })
        }
        Some(other) => Output::failure(format!(
            "error: unable to match a printer suitable for the output format \"{other}\", allowed formats are: json,yaml"
        )),
    }
}

/// Kind, group and name of `--for kind/name`.
fn target(about: &str, view: &View<'_>) -> Result<(String, String, String), Output> {
    let Some((word, name)) = about.split_once('/').filter(|(_, name)| !name.is_empty()) else {
        return Err(Output::failure("error: --for must be in resource/name form"));
    };
    match resources::find(word, view) {
        Some(resource) => Ok((resource.kind, resource.group, name.to_owned())),
        None => Err(Output::failure(format!("error: the server doesn't have a resource type \"{word}\""))),
    }
}

fn table(command: &Events, events: &[&Value], now: i64) -> String {
    let mut lines = Vec::new();
    let all = command.scope.all_namespaces;
    if !command.no_headers {
        let first = if all { "NAMESPACE\t" } else { "" };
        lines.push(format!("{first}LAST SEEN\tTYPE\tREASON\tOBJECT\tMESSAGE"));
    }
    for event in events {
        let involved = at(event, "involvedObject");
        let first = if all { format!("{}\t", namespace(event)) } else { String::new() };
        let (kind, reason) = (text(event, "type"), text(event, "reason"));
        let object = format!("{}/{}", text(involved, "kind"), text(involved, "name"));
        let message = escape(text(event, "message").trim());
        lines.push(format!("{first}{}\t{kind}\t{reason}\t{object}\t{message}", interval(event, now)));
    }
    lines.push(String::new());
    align(&lines.join("\n"), TABLE)
}

/// The time that events are sorted by: of the series, else the last timestamp, else the event time.
fn time(event: &Value) -> i64 {
    let path = if has(event, "series") {
        "series.lastObservedTime"
    } else if has(event, "lastTimestamp") {
        "lastTimestamp"
    } else {
        "eventTime"
    };
    age::instant(at(event, path)).unwrap_or(i64::MIN)
}
