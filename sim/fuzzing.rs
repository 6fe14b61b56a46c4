//! What the fuzz targets feed and assert: any input is read or refused without a panic, and what can be printed reads as itself.
//!
//! `fuzz/` calls one of [`TARGETS`] per program; the test `fuzz` calls the same functions on the kept corpora.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::api::accept::{AcceptContext, accept, to_error};
use crate::api::document::read_str;
use crate::api::quantity::Quantity;
use crate::api::selector::Selector;
use crate::controllers::cron_job::schedule::Schedule;
use crate::kubectl::gotemplate::GoTemplate;
use crate::kubectl::jsonpath::JsonPath;
use crate::kubectl::{View, command, show};
use crate::workload::{FORMATS, fuzz_rows};

/// A fuzz target: its name, which is that of its corpus, and what it does with any bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("commands", |bytes| text(bytes, commands)),
    ("cron", |bytes| text(bytes, cron)),
    ("documents", |bytes| text(bytes, documents)),
    ("jsonpath", |bytes| text(bytes, jsonpath)),
    ("quantities", |bytes| text(bytes, quantities)),
    ("rows", rows),
    ("selectors", |bytes| text(bytes, selectors)),
    ("templates", |bytes| text(bytes, templates)),
];

/// Runs the target of that name.
///
/// # Panics
///
/// When what it asserts does not hold, or there is no such target.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    target(bytes);
}

fn text(bytes: &[u8], target: fn(&str)) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        target(text);
    }
}

/// What is accepted stays what it is when it is defaulted again.
fn documents(text: &str) {
    let (documents, _) = read_str("fuzz.yaml", text);
    for document in documents {
        match accept(&document.value, &AcceptContext::default()) {
            Ok(accepted) => {
                let mut again = accepted.value.clone();
                (crate::api::objects::rules(accepted.info.kind).default)(&mut again);
                assert_eq!(again, accepted.value);
            }
            Err(refusal) => drop(to_error(&refusal, &document)),
        }
    }
}

/// A printed quantity is the same amount, and what that prints is printed for ever. (It may be written otherwise: `62.5Ki` is printed
/// `64000`, and that `64k`. From `1000E` on Kubernetes itself prints a number without its suffix.)
fn quantities(text: &str) {
    let read = |text: &str| text.parse::<Quantity>();
    let Ok(quantity) = read(text) else { return };
    let printed = quantity.to_string();
    let again = read(&printed).expect("a printed quantity is one");
    let limits = ["1000E", "-1000E"].map(|limit| read(limit).expect("a quantity"));
    if quantity < limits[0] && quantity > limits[1] {
        assert_eq!(again, quantity, "{printed}");
    }
    let second = again.to_string();
    let third = read(&second).expect("a printed quantity is one");
    assert_eq!((&third, third.to_string()), (&again, second));
}

fn selectors(text: &str) {
    if let Ok(selector) = text.parse::<Selector>() {
        let printed = selector.to_string();
        let again: Selector = printed.parse().expect("a printed selector is one");
        assert_eq!(again.to_string(), printed);
    }
}

/// The first byte chooses the format.
fn rows(bytes: &[u8]) {
    if let Some((first, rows)) = bytes.split_first() {
        fuzz_rows(FORMATS[*first as usize % FORMATS.len()].name, rows);
    }
}

/// What the API server accepts as the schedule of a CronJob its controller reads; a printed schedule reads as itself; the next time is
/// after the last.
fn cron(text: &str) {
    let container = json!({ "name": "c", "image": "i" });
    let pod = json!({ "spec": { "restartPolicy": "Never", "containers": [container] } });
    let spec = json!({ "schedule": text, "jobTemplate": { "spec": { "template": pod } } });
    let object = json!({ "apiVersion": "batch/v1", "kind": "CronJob", "metadata": { "name": "c" }, "spec": spec });
    let is_accepted = accept(&object, &AcceptContext::default()).is_ok();
    let parsed = Schedule::parse(text);
    assert!(parsed.is_ok() || !is_accepted, "the API server accepts {text:?}, the controller says {parsed:?}");
    let Ok(schedule) = parsed else { return };
    assert_eq!(Schedule::parse(&schedule.to_string()).as_ref(), Ok(&schedule), "{schedule}");
    let zone = TimeZone::get("Europe/Berlin").expect("a zone");
    let after = Timestamp::from_second(1_774_659_600).expect("an instant");
    if let Some(next) = schedule.next(after, &zone) {
        assert!(next > after, "{text:?}: {next} is not after {after}");
    }
}

/// A template, filled in for a small object; as a path to sort by and as a column. What can be printed reads as itself.
fn jsonpath(text: &str) {
    if let Ok(parsed) = JsonPath::parse(text)
        && let Some(printed) = parsed.text()
    {
        assert_eq!(JsonPath::parse(&printed).as_ref(), Ok(&parsed), "{printed}");
    }
    let world = world();
    let list = json!({ "kind": "List", "items": world });
    for path in [JsonPath::parse(text), JsonPath::parse_relaxed(text)].into_iter().flatten() {
        let _ = path.execute(&list);
    }
}

/// A Go template, filled in for a small object, with and without missing keys.
fn templates(text: &str) {
    let list = json!({ "kind": "List", "items": world() });
    if let Ok(template) = GoTemplate::parse(text) {
        let _ = template.execute(&list, true);
        let _ = template.execute(&list, false);
    }
}

/// A command line; the lines after the first are documents to look at, else there is a small world.
fn commands(text: &str) {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(command) = command::parse(line) else { return };
    let objects: Vec<Value> = match rest {
        "" => world(),
        rest => read_str("fuzz.yaml", rest).0.into_iter().map(|document| document.value).collect(),
    };
    let view = View { objects: &objects, now: 1_700_000_000_000_000, namespace: "default" };
    let _ = show(&command, &view, None);
}

/// A few objects of kinds that are shown with care.
fn world() -> Vec<Value> {
    let made = "2023-11-14T22:00:00Z";
    let labels = json!({ "app": "web", "a.b/c": "x" });
    let meta = |name: &str| json!({ "name": name, "namespace": "default", "uid": name, "creationTimestamp": made, "labels": labels });
    let container = json!({ "name": "c", "image": "nginx", "resources": { "requests": { "cpu": "100m" } } });
    let running =
        json!({ "name": "c", "ready": true, "restartCount": 2, "state": { "running": { "startedAt": made } } });
    let template = json!({ "metadata": { "labels": labels }, "spec": { "containers": [container] } });
    let selector = json!({ "matchLabels": labels });
    vec![
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": meta("web-0"), "spec": { "nodeName": "n1", "containers": [container] },
            "status": { "phase": "Running", "containerStatuses": [running] } }),
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("web"),
            "spec": { "replicas": 2, "selector": selector, "template": template }, "status": { "replicas": 1 } }),
        json!({ "apiVersion": "v1", "kind": "Service", "metadata": meta("web"),
            "spec": { "type": "ClusterIP", "clusterIP": "10.0.0.1", "selector": labels, "ports": [{ "port": 80 }] } }),
        json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n1", "creationTimestamp": made },
            "status": { "capacity": { "cpu": "4", "memory": "8Gi" }, "allocatable": { "cpu": "4", "memory": "8Gi" } } }),
        json!({ "apiVersion": "v1", "kind": "Event", "metadata": meta("web.1"), "type": "Normal", "reason": "Scheduled", "message": "m",
            "involvedObject": { "kind": "Pod", "name": "web-0", "namespace": "default", "uid": "web-0" }, "lastTimestamp": made }),
    ]
}
