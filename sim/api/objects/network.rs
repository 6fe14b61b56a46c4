//! Ingress, IngressClass, NetworkPolicy, EndpointSlice.

use crate::api::causes::{Causes, Path};
use crate::api::names;
use crate::api::view::{ensure, fill, get, get_mut, has, int, items_mut, list, maybe_int, put, text};
use serde_json::{Value, json};

use super::job::domain_prefixed;
use super::metadata::label_selector;
use super::probe::port as port_or_name;

/// What the registry gives a new Ingress.
pub(super) fn prepare_ingress(object: &mut Value) {
    put(object, "status", json!({"loadBalancer": {}}));
}

/// Checks an Ingress.
pub(super) fn validate_ingress(object: &Value, causes: &mut Causes) {
    let spec = get(object, "spec");
    let path = Path::ROOT.child("spec");
    if list(spec, "rules").is_empty() && !has(spec, "defaultBackend") {
        let shown = get(spec, "rules");
        causes.invalid(&path, shown, "either `defaultBackend` or `rules` must be specified");
    }
    if has(spec, "defaultBackend") {
        backend(get(spec, "defaultBackend"), &path.child("defaultBackend"), causes);
    }
    let rules = path.child("rules");
    for (index, rule) in list(spec, "rules").iter().enumerate() {
        let path = rules.index(index);
        let host = text(rule, "host");
        if !host.is_empty() {
            host_name(host, &path.child("host"), causes);
        }
        if has(rule, "http") {
            let path = path.child("http.paths");
            let paths = list(get(rule, "http"), "paths");
            if paths.is_empty() {
                causes.required(&path, "");
            }
            for (at, item) in paths.iter().enumerate() {
                http_path(item, &path.index(at), causes);
            }
        }
    }
    let tls = path.child("tls");
    for (index, entry) in list(spec, "tls").iter().enumerate() {
        let path = tls.index(index);
        for (at, host) in list(entry, "hosts").iter().enumerate() {
            let host = host.as_str().unwrap_or("");
            let errors = match host.contains('*') {
                true => names::wildcard_dns1123_subdomain(host),
                false => names::dns1123_subdomain(host),
            };
            causes.invalid_for(&path.child("hosts").index(at), host, errors);
        }
        let secret = text(entry, "secretName");
        if !secret.is_empty() {
            causes.invalid_for(&path.child("secretName"), secret, names::dns1123_subdomain(secret));
        }
    }
    if has(spec, "ingressClassName") {
        let class = text(spec, "ingressClassName");
        causes.invalid_for(&path.child("ingressClassName"), class, names::dns1123_subdomain(class));
    }
}

fn host_name(host: &str, path: &Path<'_>, causes: &mut Causes) {
    if names::parse_ip(host).is_some() {
        causes.invalid(path, host, "must be a DNS name, not an IP address");
    } else if host.contains('*') {
        causes.invalid_for(path, host, names::wildcard_dns1123_subdomain(host));
    } else {
        causes.invalid_for(path, host, names::dns1123_subdomain(host));
    }
}

fn http_path(item: &Value, path: &Path<'_>, causes: &mut Causes) {
    const TYPES: &[&str] = &["Exact", "ImplementationSpecific", "Prefix"];
    let (target, kind) = (text(item, "path"), text(item, "pathType"));
    let path_of = path.child("path");
    if kind.is_empty() {
        causes.required(&path.child("pathType"), "pathType must be specified");
    } else if kind == "ImplementationSpecific" {
        if !target.is_empty() && !target.starts_with('/') {
            causes.invalid(&path_of, target, "must be an absolute path");
        }
    } else if !TYPES.contains(&kind) {
        causes.not_supported(&path.child("pathType"), kind, TYPES);
    } else {
        if !target.starts_with('/') {
            causes.invalid(&path_of, target, "must be an absolute path");
        }
        if !target.is_empty() {
            for bad in ["//", "/./", "/../", "%2f", "%2F"] {
                if target.contains(bad) {
                    causes.invalid(&path_of, target, format!("must not contain '{bad}'"));
                }
            }
            for bad in ["/..", "/."] {
                if target.ends_with(bad) {
                    causes.invalid(&path_of, target, format!("cannot end with '{bad}'"));
                }
            }
        }
    }
    backend(get(item, "backend"), &path.child("backend"), causes);
}

fn backend(backend: &Value, path: &Path<'_>, causes: &mut Causes) {
    let (service, resource) = (get(backend, "service"), get(backend, "resource"));
    match (service.is_null(), resource.is_null()) {
        (false, false) => {
            causes.invalid(path, "", "cannot set both resource and service backends");
            return;
        }
        (true, true) => {
            causes.invalid(path, "", "resource or service backend is required");
            return;
        }
        (true, false) => {
            resource_backend(resource, &path.child("resource"), causes);
            return;
        }
        (false, true) => {}
    }
    let path_of = path.child("service");
    let name = text(service, "name");
    match name {
        "" => causes.required(&path_of.child("name"), ""),
        _ => causes.invalid_for(&path_of.child("name"), name, names::dns1035_label(name)),
    }
    let port = get(service, "port");
    let (port_name, number) = (text(port, "name"), int(port, "number"));
    if port_name.is_empty() && number == 0 {
        causes.required(path, "port name or number is required");
    } else if !port_name.is_empty() && number != 0 {
        causes.invalid(path, "", "cannot set both port name & port number");
    } else if !port_name.is_empty() {
        causes.invalid_for(&path_of.child("port.name"), port_name, names::port_name(port_name));
    } else {
        causes.invalid_for(&path_of.child("port.number"), number, names::port_number(number));
    }
}

fn resource_backend(resource: &Value, path: &Path<'_>, causes: &mut Causes) {
    if has(resource, "apiGroup") {
        let group = text(resource, "apiGroup");
        causes.invalid_for(&path.child("apiGroup"), group, names::dns1123_subdomain(group));
    }
    for field in ["kind", "name"] {
        match text(resource, field) {
            "" => causes.required(&path.child(field), &format!("{field} is required")),
            value => causes.invalid_for(&path.child(field), value, names::path_segment_name(value)),
        }
    }
}

/// Fills in an IngressClass.
pub(super) fn default_ingress_class(object: &mut Value) {
    if let Some(parameters) = object.get_mut("spec").and_then(|spec| get_mut(spec, "parameters")) {
        fill(parameters, "scope", "Cluster");
    }
}

/// Checks an IngressClass.
pub(super) fn validate_ingress_class(object: &Value, causes: &mut Causes) {
    let spec = get(object, "spec");
    let path = Path::ROOT.child("spec");
    let controller = text(spec, "controller");
    if controller.len() > 250 {
        causes.too_long(&path.child("controller"), 250);
    }
    domain_prefixed(controller, &path.child("controller"), causes);
    let parameters = get(spec, "parameters");
    if parameters.is_null() {
        return;
    }
    let path = path.child("parameters");
    let group = text(parameters, "apiGroup");
    if !group.is_empty() {
        causes.invalid_for(&path.child("apiGroup"), group, names::dns1123_subdomain(group));
    }
    for field in ["kind", "name"] {
        match text(parameters, field) {
            "" => causes.required(&path.child(field), ""),
            value => causes.invalid_for(&path.child(field), value, names::path_segment_name(value)),
        }
    }
    let namespace = text(parameters, "namespace");
    match text(parameters, "scope") {
        "Namespace" => {
            if !has(parameters, "namespace") {
                let what = "`parameters.scope` is set to 'Namespace'";
                causes.required(&path.child("namespace"), what);
            } else {
                causes.invalid_for(&path.child("namespace"), namespace, names::dns1123_label(namespace));
            }
        }
        "Cluster" => {
            if has(parameters, "namespace") {
                let what = "`parameters.scope` is set to 'Cluster'";
                causes.forbidden(&path.child("namespace"), what);
            }
        }
        other => causes.not_supported(&path.child("scope"), other, &["Cluster", "Namespace"]),
    }
}

/// Fills in a NetworkPolicy: ports are TCP, and the types follow from the rules.
pub(super) fn default_network_policy(object: &mut Value) {
    let spec = ensure(object, "spec");
    for direction in ["ingress", "egress"] {
        for rule in items_mut(spec, direction) {
            for port in items_mut(rule, "ports") {
                fill(port, "protocol", "TCP");
            }
        }
    }
    if list(spec, "policyTypes").is_empty() {
        let mut types = vec!["Ingress"];
        if !list(spec, "egress").is_empty() {
            types.push("Egress");
        }
        put(spec, "policyTypes", json!(types));
    }
}

/// Checks a NetworkPolicy.
pub(super) fn validate_network_policy(object: &Value, causes: &mut Causes) {
    let spec = get(object, "spec");
    let path = Path::ROOT.child("spec");
    label_selector(get(spec, "podSelector"), &path.child("podSelector"), causes);
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        let rules = path.child(direction);
        for (index, rule) in list(spec, direction).iter().enumerate() {
            let path = rules.index(index);
            let ports = path.child("ports");
            for (at, port) in list(rule, "ports").iter().enumerate() {
                policy_port(port, &ports.index(at), causes);
            }
            let peers_path = path.child(peers);
            for (at, peer) in list(rule, peers).iter().enumerate() {
                policy_peer(peer, &peers_path.index(at), causes);
            }
        }
    }
    let types = list(spec, "policyTypes");
    let path = path.child("policyTypes");
    if types.len() > 2 {
        causes.invalid(&path, get(spec, "policyTypes"), "may not specify more than two policyTypes");
        return;
    }
    for (index, kind) in types.iter().enumerate() {
        let kind = kind.as_str().unwrap_or("");
        if !["Ingress", "Egress"].contains(&kind) {
            causes.not_supported(&path.index(index), kind, &["Ingress", "Egress"]);
        }
    }
}

fn policy_port(port: &Value, path: &Path<'_>, causes: &mut Causes) {
    let protocol = text(port, "protocol");
    if has(port, "protocol") && !["TCP", "UDP", "SCTP"].contains(&protocol) {
        causes.not_supported(&path.child("protocol"), protocol, &["SCTP", "TCP", "UDP"]);
    }
    let end = maybe_int(port, "endPort");
    match get(port, "port") {
        Value::Null => {
            if end.is_some() {
                causes.required(&path.child("port"), "may not be empty when `endPort` is specified");
            }
        }
        number @ Value::Number(_) => {
            port_or_name(number, &path.child("port"), causes);
            let number = number.as_i64().unwrap_or(0);
            if let Some(end) = end {
                if end < number {
                    causes.invalid(&path.child("endPort"), end, "must be greater than or equal to `port`");
                }
                causes.invalid_for(&path.child("endPort"), end, names::port_number(end));
            }
        }
        name => {
            if let Some(end) = end {
                causes.invalid(&path.child("endPort"), end, "may not be specified when `port` is non-numeric");
            }
            port_or_name(name, &path.child("port"), causes);
        }
    }
}

fn policy_peer(peer: &Value, path: &Path<'_>, causes: &mut Causes) {
    let mut n = 0;
    for field in ["podSelector", "namespaceSelector"] {
        if has(peer, field) {
            n += 1;
            label_selector(get(peer, field), &path.child(field), causes);
        }
    }
    let block = get(peer, "ipBlock");
    if !block.is_null() {
        n += 1;
        ip_block(block, &path.child("ipBlock"), causes);
    }
    if n == 0 {
        causes.required(path, "must specify a peer");
    } else if n > 1 && !block.is_null() {
        causes.forbidden(path, "may not specify both ipBlock and another peer");
    }
}

fn ip_block(block: &Value, path: &Path<'_>, causes: &mut Causes) {
    let range = text(block, "cidr");
    if range.is_empty() {
        causes.required(&path.child("cidr"), "");
        return;
    }
    let errors = names::cidr(range);
    if !errors.is_empty() {
        causes.invalid_for(&path.child("cidr"), range, errors);
        return;
    }
    let Some((network, length)) = names::parse_cidr(range) else { return };
    let excepts = path.child("except");
    for (index, except) in list(block, "except").iter().enumerate() {
        let except = except.as_str().unwrap_or("");
        let path = excepts.index(index);
        let errors = names::cidr(except);
        if !errors.is_empty() {
            causes.invalid_for(&path, except, errors);
            continue;
        }
        let Some((inner, inner_length)) = names::parse_cidr(except) else { continue };
        let is_inside = names::parse_cidr(&format!("{inner}/{length}")).is_some_and(|(outer, _)| outer == network);
        if !is_inside || inner_length <= length {
            causes.invalid(&path, except, "must be a strict subset of `cidr`");
        }
    }
}

/// Fills in an EndpointSlice.
pub(super) fn default_endpoint_slice(object: &mut Value) {
    for port in items_mut(object, "ports") {
        fill(port, "name", "");
        fill(port, "protocol", "TCP");
    }
}

const ADDRESS_TYPES: &[&str] = &["FQDN", "IPv4", "IPv6"];

/// Checks an EndpointSlice.
pub(super) fn validate_endpoint_slice(object: &Value, causes: &mut Causes) {
    let kind = text(object, "addressType");
    let path = Path::ROOT.child("addressType");
    match kind {
        "" => causes.required(&path, ""),
        _ if !ADDRESS_TYPES.contains(&kind) => causes.not_supported(&path, kind, ADDRESS_TYPES),
        _ => {}
    }
    endpoints(object, kind, causes);
    let path = Path::ROOT.child("ports");
    let ports = list(object, "ports");
    if ports.len() > 20_000 {
        causes.too_many(&path, ports.len(), 20_000);
        return;
    }
    let mut seen: Vec<&str> = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        let name = text(port, "name");
        if !name.is_empty() {
            causes.invalid_for(&path.child("name"), name, names::dns1123_label(name));
        }
        if seen.contains(&name) {
            causes.duplicate(&path.child("name"), name);
        }
        seen.push(name);
        let protocol = text(port, "protocol");
        if protocol.is_empty() {
            causes.required(&path.child("protocol"), "");
        } else if !["TCP", "UDP", "SCTP"].contains(&protocol) {
            causes.not_supported(&path.child("protocol"), protocol, &["SCTP", "TCP", "UDP"]);
        }
        if let Some(number) = maybe_int(port, "port") {
            causes.invalid_for(&path.child("port"), number, names::port_number(number));
        }
        if has(port, "appProtocol") {
            let protocol = text(port, "appProtocol");
            causes.invalid_for(&path.child("appProtocol"), protocol, names::label_key_errors(protocol));
        }
    }
}

fn endpoints(object: &Value, kind: &str, causes: &mut Causes) {
    let path = Path::ROOT.child("endpoints");
    let endpoints = list(object, "endpoints");
    if endpoints.len() > 1000 {
        causes.too_many(&path, endpoints.len(), 1000);
        return;
    }
    for (index, endpoint) in endpoints.iter().enumerate() {
        let path = path.index(index);
        let addresses = list(endpoint, "addresses");
        let addresses_path = path.child("addresses");
        if addresses.is_empty() {
            causes.required(&addresses_path, "must contain at least 1 address");
        } else if addresses.len() > 100 {
            causes.too_many(&addresses_path, addresses.len(), 100);
        }
        for (at, address) in addresses.iter().enumerate() {
            address_of(kind, address.as_str().unwrap_or(""), &addresses_path.index(at), causes);
        }
        super::endpoint_hints::validate(endpoint, &path, causes);
        for field in ["hostname", "nodeName"] {
            if has(endpoint, field) {
                let name = text(endpoint, field);
                let errors = match field {
                    "hostname" => names::dns1123_label(name),
                    _ => names::dns1123_subdomain(name),
                };
                causes.invalid_for(&path.child(field), name, errors);
            }
        }
    }
}

/// Fills in Endpoints: ports are TCP.
pub(super) fn default_endpoints(object: &mut Value) {
    for subset in items_mut(object, "subsets") {
        for port in items_mut(subset, "ports") {
            fill(port, "protocol", "TCP");
        }
    }
}

/// Checks Endpoints.
pub(super) fn validate_endpoints(object: &Value, causes: &mut Causes) {
    let all = Path::ROOT.child("subsets");
    for (index, subset) in list(object, "subsets").iter().enumerate() {
        let path = all.index(index);
        if list(subset, "addresses").is_empty() && list(subset, "notReadyAddresses").is_empty() {
            causes.required(&path, "must specify `addresses` or `notReadyAddresses`");
        }
        for field in ["addresses", "notReadyAddresses"] {
            let path = path.child(field);
            for (index, address) in list(subset, field).iter().enumerate() {
                subset_address(address, &path.index(index), causes);
            }
        }
        let ports = list(subset, "ports");
        let path = path.child("ports");
        for (index, port) in ports.iter().enumerate() {
            subset_port(port, ports.len() > 1, &path.index(index), causes);
        }
    }
}

fn subset_address(address: &Value, path: &Path<'_>, causes: &mut Causes) {
    let ip = text(address, "ip");
    causes.invalid_for(&path.child("ip"), ip, names::ip(ip));
    let (host, node) = (text(address, "hostname"), text(address, "nodeName"));
    if !host.is_empty() {
        causes.invalid_for(&path.child("hostname"), host, names::dns1123_label(host));
    }
    if has(address, "nodeName") {
        causes.invalid_for(&path.child("nodeName"), node, names::dns1123_subdomain(node));
    }
    match names::parse_ip(ip) {
        None => causes.invalid(&path.child("ip"), ip, "must be a valid IP address"),
        Some(_) => super::service::non_special_ip(ip, &path.child("ip"), causes),
    }
}

fn subset_port(port: &Value, needs_name: bool, path: &Path<'_>, causes: &mut Causes) {
    match text(port, "name") {
        "" if needs_name => causes.required(&path.child("name"), ""),
        "" => {}
        name => causes.invalid_for(&path.child("name"), name, names::dns1123_label(name)),
    }
    let number = int(port, "port");
    causes.invalid_for(&path.child("port"), number, names::port_number(number));
    match text(port, "protocol") {
        "" => causes.required(&path.child("protocol"), ""),
        "TCP" | "UDP" | "SCTP" => {}
        other => causes.not_supported(&path.child("protocol"), other, &["SCTP", "TCP", "UDP"]),
    }
    if has(port, "appProtocol") {
        let protocol = text(port, "appProtocol");
        causes.invalid_for(&path.child("appProtocol"), protocol, names::label_key_errors(protocol));
    }
}

fn address_of(kind: &str, address: &str, path: &Path<'_>, causes: &mut Causes) {
    match kind {
        "IPv4" | "IPv6" => {
            let errors = names::ip(address);
            if !errors.is_empty() {
                causes.invalid_for(path, address, errors);
                return;
            }
            let is_v6 = names::parse_ip(address).is_some_and(|ip| ip.is_ipv6());
            if is_v6 != (kind == "IPv6") {
                causes.invalid(path, address, format!("must be an {kind} address"));
            }
            super::service::non_special_ip(address, path, causes);
        }
        "FQDN" => {
            causes.invalid_for(path, address, names::dns1123_subdomain(address.strip_suffix('.').unwrap_or(address)))
        }
        _ => {}
    }
}
