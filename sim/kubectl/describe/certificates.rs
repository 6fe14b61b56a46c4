//! The description of a certificate signing request, with what its PKCS #10 request asks for.

use serde_json::Value;

use super::der::{Request, parse_request};
use super::events::events;
use super::writer::Writer;
use crate::kubectl::age::{self, human_duration};
use crate::kubectl::labels::format_labels;
use crate::kubectl::look::{at, has, int, name, text};
use crate::kubectl::printers::request_status;
use crate::kubectl::view::View;

pub(super) fn signing_request(w: &mut Writer, object: &Value, view: &View<'_>) {
    let pem = super::config::decode(text(object, "spec.request"));
    let Some(request) = parse_request(&pem) else {
        return w.line(0, "Error parsing CSR: PEM block type must be CERTIFICATE REQUEST");
    };
    w.field(0, "Name", name(object));
    w.field(0, "Labels", format_labels(object, "metadata.labels"));
    w.field(0, "Annotations", format_labels(object, "metadata.annotations"));
    w.field(0, "CreationTimestamp", age::date(at(object, "metadata.creationTimestamp")));
    w.field(0, "Requesting User", text(object, "spec.username"));
    if !text(object, "spec.signerName").is_empty() {
        w.field(0, "Signer", text(object, "spec.signerName"));
    }
    if has(object, "spec.expirationSeconds") {
        let seconds = int(object, "spec.expirationSeconds");
        w.field(0, "Requested Duration", human_duration(seconds.saturating_mul(1_000_000)));
    }
    w.field(0, "Status", request_status(object));
    subject(w, &request);
    events(w, object, view);
}

fn subject(w: &mut Writer, request: &Request) {
    w.line(0, "Subject:");
    w.line(0, &format!("\tCommon Name:\t{}", request.one("2.5.4.3")));
    w.line(0, &format!("\tSerial Number:\t{}", request.one("2.5.4.5")));
    for (title, id) in [
        ("Organization", "2.5.4.10"),
        ("Organizational Unit", "2.5.4.11"),
        ("Country", "2.5.4.6"),
        ("Locality", "2.5.4.7"),
        ("Province", "2.5.4.8"),
        ("StreetAddress", "2.5.4.9"),
        ("PostalCode", "2.5.4.17"),
    ] {
        values(w, title, &request.all(id));
    }
    let lists = [
        ("DNS Names", &request.dns_names),
        ("Email Addresses", &request.emails),
        ("URIs", &request.uris),
        ("IP Addresses", &request.addresses),
    ];
    if lists.iter().any(|(_, list)| !list.is_empty()) {
        w.line(0, "Subject Alternative Names:");
        for (title, list) in lists {
            values(w, title, list);
        }
    }
}

fn values(w: &mut Writer, title: &str, values: &[String]) {
    if !values.is_empty() {
        w.line(0, &format!("\t{title}:\t{}", values.join("\n\t\t")));
    }
}
