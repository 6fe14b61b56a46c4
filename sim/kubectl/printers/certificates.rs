//! The tables of certificates.

use serde_json::Value;

use super::{Table, name, table};
use crate::kubectl::age::human_duration;
use crate::kubectl::look::{at, has, int, list, or_none, text};

pub(super) const SIGNING_REQUEST: Table =
    table(&["NAME", "AGE", "SIGNERNAME", "REQUESTOR", "REQUESTEDDURATION", "CONDITION"], |object, scene| {
        let duration = match at(object, "spec.expirationSeconds") {
            Value::Null => "<none>".to_owned(),
            _ => human_duration(int(object, "spec.expirationSeconds").saturating_mul(1_000_000)),
        };
        vec![
            name(object),
            scene.age(object),
            or_none(text(object, "spec.signerName")).to_owned(),
            text(object, "spec.username").to_owned(),
            duration,
            request_status(object),
        ]
    });

/// `Approved,Issued`: what was decided, what failed, and whether there is a certificate.
pub(crate) fn request_status(object: &Value) -> String {
    let is = |kind: &str| list(object, "status.conditions").iter().any(|condition| text(condition, "type") == kind);
    let mut status = match (is("Denied"), is("Approved")) {
        (true, _) => "Denied",
        (_, true) => "Approved",
        _ => "Pending",
    }
    .to_owned();
    if is("Failed") {
        status += ",Failed";
    }
    if has(object, "status.certificate") && !text(object, "status.certificate").is_empty() {
        status += ",Issued";
    }
    status
}

pub(super) const TRUST_BUNDLE: Table =
    table(&["NAME", "SIGNERNAME"], |object, _| vec![name(object), or_none(text(object, "spec.signerName")).to_owned()]);

pub(super) const POD_CERTIFICATE_REQUEST: Table =
    table(&["NAME", "PODNAME", "SERVICEACCOUNTNAME", "NODENAME", "SIGNERNAME", "STATE"], |object, _| {
        let mut conditions = list(object, "status.conditions").iter().map(|condition| text(condition, "type"));
        let state = conditions.rfind(|kind| matches!(*kind, "Issued" | "Denied" | "Failed")).unwrap_or("Pending");
        let spec = ["podName", "serviceAccountName", "nodeName", "signerName"];
        let mut row = vec![name(object)];
        row.extend(spec.iter().map(|field| text(at(object, "spec"), field).to_owned()));
        row.push(state.to_owned());
        row
    });
