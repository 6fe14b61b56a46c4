//! The description of a network policy.

use serde_json::Value;

use super::common::{labels_and_annotations, name_and_namespace};
use super::writer::Writer;
use crate::kubectl::age;
use crate::kubectl::labels::format_selector;
use crate::kubectl::look::{at, has, list, or_none, scalar_or, text, texts};

pub(super) fn network_policy(w: &mut Writer, policy: &Value) {
    name_and_namespace(w, policy);
    w.field(0, "Created on", age::plain_date(at(policy, "metadata.creationTimestamp")));
    labels_and_annotations(w, policy);
    w.line(0, "Spec:");
    let selector = at(policy, "spec.podSelector");
    w.put(1, "PodSelector: ");
    match format_selector(selector).as_str() {
        "<none>" => w.line(2, "<none> (Allowing the specific traffic to all pods in this namespace)"),
        selector => w.line(2, selector),
    }
    let types = texts(policy, "spec.policyTypes");
    for direction in [&INGRESS, &EGRESS] {
        if types.contains(&direction.policy_type) {
            w.line(1, &format!("Allowing {} traffic:", direction.name));
            rules(w, list(policy, &format!("spec.{}", direction.name)), direction);
        } else {
            w.line(1, &format!("Not affecting {} traffic", direction.name));
        }
    }
    w.line(1, &format!("Policy Types: {}", or_none(&types.join(", "))));
}

struct Direction {
    policy_type: &'static str,
    name: &'static str,
    peers: &'static str,
    title: &'static str,
    any: &'static str,
}

static INGRESS: Direction = Direction {
    policy_type: "Ingress",
    name: "ingress",
    peers: "from",
    title: "From:",
    any: "From: <any> (traffic not restricted by source)",
};

static EGRESS: Direction = Direction {
    policy_type: "Egress",
    name: "egress",
    peers: "to",
    title: "To:",
    any: "To: <any> (traffic not restricted by destination)",
};

fn rules(w: &mut Writer, rules: &[Value], direction: &Direction) {
    if rules.is_empty() {
        return w.line(2, &format!("<none> (Selected pods are isolated for {} connectivity)", direction.name));
    }
    for (index, rule) in rules.iter().enumerate() {
        let ports = list(rule, "ports");
        if ports.is_empty() {
            w.line(2, "To Port: <any> (traffic allowed to all ports)");
        }
        for port in ports {
            let protocol = scalar_or(port, "protocol", "TCP");
            let number = scalar_or(port, "port", "<nil>");
            match at(port, "endPort") {
                Value::Null => w.line(2, &format!("To Port: {number}/{protocol}")),
                end => w.line(2, &format!("To Port Range: {number}-{end}/{protocol}")),
            }
        }
        let peers = list(rule, direction.peers);
        if peers.is_empty() {
            w.line(2, direction.any);
        }
        for peer in peers {
            w.line(2, direction.title);
            self::peer(w, peer);
        }
        if index + 1 != rules.len() {
            w.line(2, "----------");
        }
    }
}

fn peer(w: &mut Writer, peer: &Value) {
    let mut has_selector = false;
    for (title, field) in [("NamespaceSelector", "namespaceSelector"), ("PodSelector", "podSelector")] {
        if has(peer, field) {
            has_selector = true;
            w.line(3, &format!("{title}: {}", format_selector(at(peer, field))));
        }
    }
    let block = at(peer, "ipBlock");
    if !has_selector && !block.is_null() {
        w.line(3, "IPBlock:");
        w.line(4, &format!("CIDR: {}", text(block, "cidr")));
        w.line(4, &format!("Except: {}", texts(block, "except").join(", ")));
    }
}
