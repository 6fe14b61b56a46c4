//! The descriptions of config maps, secrets, service accounts, quotas, limits and namespaces.

use std::collections::BTreeSet;

use serde_json::Value;

use super::common::{labels_and_annotations, name_and_namespace};
use super::events::events;
use super::writer::Writer;
use crate::api::quantity::Quantity;
use crate::kubectl::age;
use crate::kubectl::look::{at, entries, list, name, scalar, text, texts};
use crate::kubectl::view::View;

pub(super) fn config_map(w: &mut Writer, object: &Value, view: &View<'_>) {
    name_and_namespace(w, object);
    labels_and_annotations(w, object);
    w.line(0, "\nData\n====");
    for (key, value) in entries(object, "data") {
        w.line(0, &format!("{key}:\n----"));
        w.line(0, &value);
        w.line(0, "");
    }
    w.line(0, "\nBinaryData\n====");
    for (key, value) in entries(object, "binaryData") {
        w.line(0, &format!("{key}: {} bytes", decoded_length(&value)));
    }
    w.line(0, "");
    events(w, object, view);
}

/// How many bytes a base64 text stands for.
fn decoded_length(base64: &str) -> usize {
    base64.bytes().filter(|byte| !matches!(byte, b'=' | b'\n' | b'\r')).count() * 3 / 4
}

pub(super) fn secret(w: &mut Writer, object: &Value) {
    name_and_namespace(w, object);
    labels_and_annotations(w, object);
    let kind = text(object, "type");
    w.line(0, &format!("\nType:\t{kind}"));
    w.line(0, "\nData\n====");
    for (key, value) in entries(object, "data") {
        if key == "token" && kind == "kubernetes.io/service-account-token" {
            w.field(0, key, String::from_utf8_lossy(&decode(&value)));
        } else {
            w.field(0, key, format!("{} bytes", decoded_length(&value)));
        }
    }
}

/// The bytes that a base64 text stands for; what is no digit is skipped.
pub(super) fn decode(base64: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Vec<u8> = base64.bytes().filter_map(digit).collect();
    let mut out = Vec::with_capacity(digits.len());
    for group in digits.chunks(4) {
        let bits = group.iter().enumerate().fold(0u32, |bits, (i, &digit)| bits | u32::from(digit) << (18 - 6 * i));
        out.extend(bits.to_be_bytes()[1..].iter().take(group.len() - 1));
    }
    out
}

pub(super) fn service_account(w: &mut Writer, account: &Value, view: &View<'_>) {
    name_and_namespace(w, account);
    labels_and_annotations(w, account);
    let names: Vec<String> =
        list(account, "imagePullSecrets").iter().map(|secret| text(secret, "name").to_owned()).collect();
    let header = "Image pull secrets:";
    if names.is_empty() {
        w.line(0, &format!("{header}\t<none>"));
    }
    for (index, name) in names.iter().enumerate() {
        let header = if index == 0 { header } else { "                   " };
        w.line(0, &format!("{header}\t{name}"));
    }
    events(w, account, view);
}

pub(super) fn limit_range(w: &mut Writer, object: &Value) {
    name_and_namespace(w, object);
    w.line(0, "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio");
    w.line(0, "----\t--------\t---\t---\t---------------\t-------------\t-----------------------");
    limits(w, object, "");
}

/// One line per type and resource. Go walks a map here, so the real order is random: ours is by name.
fn limits(w: &mut Writer, object: &Value, prefix: &str) {
    let columns = ["min", "max", "defaultRequest", "default", "maxLimitRequestRatio"];
    for item in list(object, "spec.limits") {
        let resources: BTreeSet<&str> =
            columns.iter().flat_map(|column| entries(item, column)).map(|(name, _)| name).collect();
        for resource in resources {
            let cells = columns.map(|column| match at(item, column).get(resource) {
                Some(quantity) => scalar(quantity),
                None => "-".to_owned(),
            });
            w.line(0, &format!("{prefix}{}\t{resource}\t{}", text(item, "type"), cells.join("\t")));
        }
    }
}

pub(super) fn resource_quota(w: &mut Writer, quota: &Value) {
    name_and_namespace(w, quota);
    scopes(w, quota, 0, " * ");
    w.line(0, "Resource\tUsed\tHard");
    w.line(0, "--------\t----\t----");
    for (resource, hard) in entries(quota, "status.hard") {
        w.line(0, &format!("{resource}\t{}\t{hard}", used_like(quota, resource, &hard)));
    }
}

/// The used amount in the notation of the hard one.
fn used_like(quota: &Value, resource: &str, hard: &str) -> String {
    let used = used(quota, resource);
    match (used.parse::<Quantity>(), hard.parse::<Quantity>()) {
        (Ok(amount), Ok(hard)) if amount.format() != hard.format() => {
            Quantity::from_value(amount.value(), hard.format()).to_string()
        }
        _ => used,
    }
}

fn used(quota: &Value, resource: &str) -> String {
    at(quota, "status.used").get(resource).map_or_else(|| "0".to_owned(), scalar)
}

fn scopes(w: &mut Writer, quota: &Value, level: usize, bullet: &str) {
    let mut scopes = texts(quota, "spec.scopes");
    if scopes.is_empty() {
        return;
    }
    scopes.sort_unstable();
    w.field(level, "Scopes", scopes.join(", "));
    for scope in scopes {
        let help = match scope {
            "Terminating" => {
                "Matches all pods that have an active deadline. These pods have a limited lifespan on a node before being actively terminated by the system."
            }
            "NotTerminating" => {
                "Matches all pods that do not have an active deadline. These pods usually include long running pods whose container command is not expected to terminate."
            }
            "BestEffort" => {
                "Matches all pods that do not have resource requirements set. These pods have a best effort quality of service."
            }
            "NotBestEffort" => {
                "Matches all pods that have at least one resource requirement set. These pods have a burstable or guaranteed quality of service."
            }
            _ => continue,
        };
        w.line(level, &format!("{bullet}{help}"));
    }
}

pub(super) fn namespace_object(w: &mut Writer, object: &Value, view: &View<'_>) {
    w.field(0, "Name", name(object));
    labels_and_annotations(w, object);
    w.field(0, "Status", text(object, "status.phase"));
    if !list(object, "status.conditions").is_empty() {
        dated_conditions(w, object);
    }
    w.line(0, "");
    let quotas = view.in_namespace("ResourceQuota", "", name(object));
    w.line(0, if quotas.is_empty() { "No resource quota." } else { "Resource Quotas" });
    for quota in quotas {
        w.field(1, "Name", name(quota));
        scopes(w, quota, 1, "* ");
        w.line(1, "Resource\tUsed\tHard");
        w.line(1, "--------\t---\t---");
        for (resource, hard) in entries(quota, "status.hard") {
            w.line(1, &format!("{resource}\t{}\t{hard}", used(quota, resource)));
        }
    }
    w.line(0, "");
    let ranges = view.in_namespace("LimitRange", "", name(object));
    if ranges.is_empty() {
        return w.line(0, "No LimitRange resource.");
    }
    w.line(0, "Resource Limits");
    w.line(0, " Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio");
    w.line(0, " ----\t--------\t---\t---\t---------------\t-------------\t-----------------------");
    for range in ranges {
        limits(w, range, " ");
    }
}

/// Conditions with the time of their last transition and a message.
pub(super) fn dated_conditions(w: &mut Writer, object: &Value) {
    w.line(0, "Conditions:");
    w.line(1, "Type\tStatus\tLastTransitionTime\tReason\tMessage");
    w.line(1, "----\t------\t------------------\t------\t-------");
    for condition in list(object, "status.conditions") {
        let cell = |field| text(condition, field);
        let time = age::date(at(condition, "lastTransitionTime"));
        let (kind, status) = (cell("type"), cell("status"));
        w.line(1, &format!("{kind}\t{status}\t{time}\t{}\t{}", cell("reason"), cell("message")));
    }
}
