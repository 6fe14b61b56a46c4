//! Service.

use crate::api::causes::{Causes, Path, Raw};
use crate::api::names;
use crate::api::view::{
    ensure, entries, fill, fill_text, get, has, int, items_mut, list, maybe_int, put, remove, text,
};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};

use super::probe::port as port_or_name;

/// Fills in a Service.
pub fn default(object: &mut Value) {
    let spec = ensure(object, "spec");
    fill_text(spec, "sessionAffinity", "None");
    match text(spec, "sessionAffinity") {
        "ClientIP" => {
            let config = ensure(ensure(spec, "sessionAffinityConfig"), "clientIP");
            fill(config, "timeoutSeconds", 10_800);
        }
        "None" => remove(spec, "sessionAffinityConfig"),
        _ => {}
    }
    fill_text(spec, "type", "ClusterIP");
    for port in items_mut(spec, "ports") {
        fill_text(port, "protocol", "TCP");
        let target = get(port, "targetPort");
        if target.is_null() || target == 0 || target == "" {
            let number = int(port, "port");
            put(port, "targetPort", number);
        }
    }
    let kind = text(spec, "type").to_owned();
    let is_external = matches!(kind.as_str(), "NodePort" | "LoadBalancer")
        || (kind == "ClusterIP" && !list(spec, "externalIPs").is_empty());
    if is_external {
        fill_text(spec, "externalTrafficPolicy", "Cluster");
    }
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer" | "ClusterIP") {
        fill(spec, "internalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        fill(spec, "allocateLoadBalancerNodePorts", true);
    }
}

/// What the registry gives a new Service: addresses, families, a status. Ports on nodes are given by the allocator of a cluster.
pub fn prepare(object: &mut Value) {
    put(object, "status", json!({"loadBalancer": {}}));
    let spec = ensure(object, "spec");
    // One of `clusterIP` and `clusterIPs` may stand for both.
    if !text(spec, "clusterIP").is_empty() && list(spec, "clusterIPs").is_empty() {
        let address = text(spec, "clusterIP").to_owned();
        put(spec, "clusterIPs", json!([address]));
    }
    if text(spec, "type") == "ExternalName" {
        for field in ["ipFamilies", "ipFamilyPolicy"] {
            remove(spec, field);
        }
    }
}

/// Gives a valid Service what it left open: `address` is the next free cluster address, ports on nodes count from `node_port`.
pub fn allocate(object: &mut Value, address: &str, node_port: i64) {
    let spec = ensure(object, "spec");
    if text(spec, "type") == "ExternalName" {
        return;
    }
    if text(spec, "clusterIP").is_empty() {
        put(spec, "clusterIP", address);
        put(spec, "clusterIPs", json!([address]));
    }
    if list(spec, "ipFamilies").is_empty() {
        put(spec, "ipFamilies", json!(["IPv4"]));
    }
    fill(spec, "ipFamilyPolicy", "SingleStack");
    let needs_ports = match text(spec, "type") {
        "NodePort" => true,
        "LoadBalancer" => get(spec, "allocateLoadBalancerNodePorts") != false,
        _ => false,
    };
    // The next port is the one after the highest that this Service has so far.
    let mut next = node_port;
    if needs_ports {
        let mut highest = 0;
        for port in items_mut(spec, "ports") {
            if int(port, "nodePort") == 0 {
                put(port, "nodePort", next);
            }
            highest = highest.max(int(port, "nodePort"));
            next = highest + 1;
        }
    }
    let local = text(spec, "type") == "LoadBalancer" && text(spec, "externalTrafficPolicy") == "Local";
    if local && int(spec, "healthCheckNodePort") == 0 {
        put(spec, "healthCheckNodePort", next);
    }
}

const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

/// Checks a Service.
pub fn validate(object: &Value, causes: &mut Causes) {
    let spec = get(object, "spec");
    let path = Path::ROOT.child("spec");
    let kind = text(spec, "type");
    let is_headless = text(spec, "clusterIP") == "None";
    topology_mode(object, causes);
    if list(spec, "ports").is_empty() && !is_headless && kind != "ExternalName" {
        causes.required(&path.child("ports"), "");
    }
    type_rules(spec, kind, &path, causes);
    ports(spec, &path.child("ports"), causes);
    for (key, value) in entries(spec, "selector") {
        causes.invalid_for(&path.child("selector"), key, names::label_key_errors(key));
        let value = value.as_str().unwrap_or("");
        causes.invalid_for(&path.child("selector"), value, names::label_value_errors(value));
    }
    affinity(spec, &path, causes);
    cluster_ips(spec, kind, &path, causes);
    for (index, address) in list(spec, "externalIPs").iter().enumerate() {
        let address = address.as_str().unwrap_or("");
        external_address(address, &path.child("externalIPs").index(index), causes);
    }
    if !TYPES.contains(&kind) {
        causes.not_supported(&path.child("type"), kind, TYPES);
    }
    if kind == "ClusterIP" {
        for (index, _) in list(spec, "ports").iter().enumerate().filter(|(_, port)| int(port, "nodePort") != 0) {
            let ports = path.child("ports");
            causes.forbidden(&ports.index(index).child("nodePort"), "may not be used when `type` is 'ClusterIP'");
        }
    }
    duplicate_ports(spec, &path.child("ports"), causes);
    annotated_ranges(object, kind, causes);
    source_ranges(spec, kind, &path, causes);
    load_balancer(spec, kind, &path, causes);
    traffic(spec, kind, &path, causes);
}

/// The annotation has an older name; both say the same if both are there.
fn topology_mode(object: &Value, causes: &mut Causes) {
    const MODE: &str = "service.kubernetes.io/topology-mode";
    const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
    let annotations = get(get(object, "metadata"), "annotations");
    if has(annotations, MODE) && has(annotations, HINTS) && text(annotations, MODE) != text(annotations, HINTS) {
        let path = Path::ROOT.child("metadata");
        let path = path.child("annotations");
        let what = format!("must match annotations[{HINTS}] when both are specified");
        causes.invalid(&path.key(MODE), text(annotations, MODE), what);
    }
}

/// The ranges that an annotation gives where the field gives none.
fn annotated_ranges(object: &Value, kind: &str, causes: &mut Causes) {
    const RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
    let annotations = get(get(object, "metadata"), "annotations");
    if !list(get(object, "spec"), "loadBalancerSourceRanges").is_empty() || !has(annotations, RANGES) {
        return;
    }
    let path = Path::ROOT.child("metadata");
    let path = path.child("annotations");
    let path = path.key(RANGES);
    if kind != "LoadBalancer" {
        causes.forbidden(&path, "may only be used when `type` is 'LoadBalancer'");
    }
    let given = text(annotations, RANGES).trim();
    for range in given.split(',').filter(|_| !given.is_empty()) {
        causes.invalid_for(&path, range.trim(), names::cidr(range.trim()));
    }
}

fn type_rules(spec: &Value, kind: &str, path: &Path<'_>, causes: &mut Causes) {
    let first = list(spec, "clusterIPs").first().and_then(Value::as_str).unwrap_or("");
    match kind {
        "LoadBalancer" if first == "None" => {
            let path = path.child("clusterIPs");
            causes.invalid(&path.index(0), "None", "may not be set to 'None' for LoadBalancer services");
        }
        "NodePort" if first == "None" => {
            let path = path.child("clusterIPs");
            causes.invalid(&path.index(0), "None", "may not be set to 'None' for NodePort services");
        }
        "ExternalName" => {
            if !list(spec, "clusterIPs").is_empty() {
                causes.forbidden(&path.child("clusterIPs"), "may not be set for ExternalName services");
            }
            if !list(spec, "ipFamilies").is_empty() {
                causes.forbidden(&path.child("ipFamilies"), "may not be set for ExternalName services");
            }
            if has(spec, "ipFamilyPolicy") {
                causes.forbidden(&path.child("ipFamilyPolicy"), "may not be set for ExternalName services");
            }
            let name = text(spec, "externalName");
            let host = name.strip_suffix('.').unwrap_or(name);
            match host {
                "" => causes.required(&path.child("externalName"), ""),
                _ => causes.invalid_for(&path.child("externalName"), host, names::dns1123_subdomain(host)),
            }
        }
        _ => {}
    }
}

fn ports(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let ports = list(spec, "ports");
    let mut seen: Vec<&str> = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        let name = text(port, "name");
        if name.is_empty() && ports.len() > 1 {
            causes.required(&path.child("name"), "");
        } else if !name.is_empty() {
            causes.invalid_for(&path.child("name"), name, names::dns1123_label(name));
            if seen.contains(&name) {
                causes.duplicate(&path.child("name"), name);
            }
            seen.push(name);
        }
        let number = int(port, "port");
        causes.invalid_for(&path.child("port"), number, names::port_number(number));
        match text(port, "protocol") {
            "" => causes.required(&path.child("protocol"), ""),
            "TCP" | "UDP" | "SCTP" => {}
            other => causes.not_supported(&path.child("protocol"), other, &["SCTP", "TCP", "UDP"]),
        }
        if get(port, "targetPort") != 0 || has_given_target(port) {
            port_or_name(get(port, "targetPort"), &path.child("targetPort"), causes);
        }
        if has(port, "appProtocol") {
            let protocol = text(port, "appProtocol");
            causes.invalid_for(&path.child("appProtocol"), protocol, names::label_key_errors(protocol));
        }
    }
}

/// A port of 0 and a target port of 0 are the same thing: the error is that of the port, unless the port itself was written.
fn has_given_target(port: &Value) -> bool {
    has(port, "targetPort")
}

fn duplicate_ports(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let ports = list(spec, "ports");
    let key = |port: &Value| (text(port, "protocol").to_owned(), int(port, "port"));
    for (index, port) in ports.iter().enumerate() {
        let node_port = int(port, "nodePort");
        let same =
            |other: &Value| int(other, "nodePort") == node_port && text(other, "protocol") == text(port, "protocol");
        if node_port != 0 && ports[..index].iter().any(same) {
            let item = path.index(index);
            causes.duplicate(&item.child("nodePort"), node_port);
        }
    }
    for (index, port) in ports.iter().enumerate() {
        if ports[..index].iter().any(|other| key(other) == key(port)) {
            let (protocol, number) = key(port);
            let shown = format!(
                "{{\"Name\":\"\",\"Protocol\":{protocol:?},\"AppProtocol\":null,\"Port\":{number},\"TargetPort\":0,\"NodePort\":0}}"
            );
            causes.duplicate(&path.index(index), Raw(&shown));
        }
    }
}

fn affinity(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let affinity = text(spec, "sessionAffinity");
    match affinity {
        "" => causes.required(&path.child("sessionAffinity"), ""),
        "ClientIP" => {
            let timeout = maybe_int(get(get(spec, "sessionAffinityConfig"), "clientIP"), "timeoutSeconds");
            let path = path.child("sessionAffinityConfig.clientIP.timeoutSeconds");
            match timeout {
                None => causes.required(&path, "when session affinity type is ClientIP"),
                Some(seconds) if seconds <= 0 || seconds > 86_400 => {
                    causes.invalid(&path, seconds, "must be greater than 0 and less than 86400");
                }
                Some(_) => {}
            }
        }
        "None" => {
            if has(spec, "sessionAffinityConfig") {
                let what = "must not be set when session affinity is None";
                causes.forbidden(&path.child("sessionAffinityConfig"), what);
            }
        }
        other => causes.not_supported(&path.child("sessionAffinity"), other, &["ClientIP", "None"]),
    }
}

fn cluster_ips(spec: &Value, kind: &str, path: &Path<'_>, causes: &mut Causes) {
    let addresses: Vec<&str> = list(spec, "clusterIPs").iter().filter_map(Value::as_str).collect();
    let shown = get(spec, "clusterIPs");
    let path_of = path.child("clusterIPs");
    if kind == "ExternalName" {
        return;
    }
    if has(spec, "ipFamilyPolicy") {
        let policy = text(spec, "ipFamilyPolicy");
        let known = &["PreferDualStack", "RequireDualStack", "SingleStack"];
        if !known.contains(&policy) {
            causes.not_supported(&path.child("ipFamilyPolicy"), policy, known);
        } else if policy == "RequireDualStack" {
            let what = "this cluster is not configured for dual-stack services";
            causes.invalid(&path.child("ipFamilyPolicy"), policy, what);
        }
    }
    let families: Vec<&str> = list(spec, "ipFamilies").iter().filter_map(Value::as_str).collect();
    for (index, family) in families.iter().enumerate() {
        let path = path.child("ipFamilies");
        if !["IPv4", "IPv6"].contains(family) {
            causes.not_supported(&path.index(index), *family, &["IPv4", "IPv6"]);
        } else if families[..index].contains(family) {
            causes.duplicate(&path.index(index), *family);
        } else if *family == "IPv6" && index == 0 {
            causes.invalid(&path.index(index), *family, "not configured on this cluster");
        }
    }
    if let Some(first) = addresses.first()
        && *first != text(spec, "clusterIP")
    {
        causes.invalid(&path_of, shown, "first value must match `clusterIP`");
    }
    if addresses.len() > 2 {
        causes.invalid(&path_of, shown, "may only hold up to 2 values");
    }
    for (index, address) in addresses.iter().enumerate() {
        if *address == "None" {
            if addresses.len() > 1 {
                causes.invalid(&path_of.index(index), *address, "'None' must be the first and only value");
            }
            continue;
        }
        causes.invalid_for(&path_of.index(index), *address, names::ip(address));
    }
}

/// Checks what the allocators of addresses and node ports would refuse; they come before all other checks.
pub(super) fn validate_allocation(object: &Value, causes: &mut Causes) {
    let spec = get(object, "spec");
    let kind = text(spec, "type");
    let path = Path::ROOT.child("spec");
    if kind == "ExternalName" || !TYPES.contains(&kind) {
        return;
    }
    cluster_ips(spec, kind, &path, causes);
    if !causes.is_empty() {
        return;
    }
    let addresses: Vec<&str> = list(spec, "clusterIPs").iter().filter_map(Value::as_str).collect();
    allocation(&addresses, get(spec, "clusterIPs"), &path.child("clusterIPs"), causes);
    if causes.is_empty() && ["NodePort", "LoadBalancer"].contains(&kind) {
        node_ports(list(spec, "ports"), &path.child("ports"), causes);
    }
}

/// Checks that ports on nodes are those of the cluster, which its allocator does when something is stored.
pub fn validate_node_port_range(object: &Value, causes: &mut Causes) {
    let spec = get(object, "spec");
    let path = Path::ROOT.child("spec");
    let path = path.child("ports");
    if !["NodePort", "LoadBalancer"].contains(&text(spec, "type")) {
        return;
    }
    let ports = list(spec, "ports").iter().map(|port| int(port, "nodePort"));
    if let Some((index, number)) = ports.enumerate().find(|(_, port)| *port != 0 && !NODE_PORTS.contains(port)) {
        let (low, high) = (NODE_PORTS.start(), NODE_PORTS.end());
        let what = format!("provided port is not in the valid range. The range of valid ports is {low}-{high}");
        let item = path.index(index);
        causes.invalid(&item.child("nodePort"), number, what);
    }
}

/// kube-apiserver, `--service-node-port-range`.
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30_000..=32_767;

fn node_ports(ports: &[Value], path: &Path<'_>, causes: &mut Causes) {
    for (index, port) in ports.iter().enumerate() {
        let number = int(port, "nodePort");
        let same =
            |other: &Value| int(other, "nodePort") == number && text(other, "protocol") == text(port, "protocol");
        if number != 0 && ports[..index].iter().any(same) {
            let item = path.index(index);
            causes.invalid(&item.child("nodePort"), number, "provided port is already allocated");
            return;
        }
    }
}

/// The range of the cluster's services.
fn allocation(addresses: &[&str], shown: &Value, path: &Path<'_>, causes: &mut Causes) {
    let Some(address) = addresses.first().filter(|address| **address != "None") else { return };
    let in_range = matches!(names::parse_ip(address), Some(IpAddr::V4(ip)) if is_service_address(ip));
    if !in_range {
        let what = format!(
            "failed to allocate IP {address}: the provided IP ({address}) is not in the valid range. The range of valid IPs is 10.0.0.0/16"
        );
        causes.invalid(path, shown, what);
    }
}

fn is_service_address(ip: Ipv4Addr) -> bool {
    ip.octets()[..2] == [10, 0]
}

fn external_address(address: &str, path: &Path<'_>, causes: &mut Causes) {
    let errors = names::ip(address);
    if !errors.is_empty() {
        causes.invalid_for(path, address, errors);
        return;
    }
    non_special_ip(address, path, causes);
}

/// Checks that an address is of one machine somewhere else.
pub fn non_special_ip(address: &str, path: &Path<'_>, causes: &mut Causes) {
    let Some(ip) = names::parse_ip(address) else { return };
    let (link_local, link_multicast) = match ip {
        IpAddr::V4(ip) => (ip.is_link_local(), ip.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(ip) => (ip.segments()[0] & 0xffc0 == 0xfe80, ip.segments()[0] & 0xff0f == 0xff02),
    };
    if ip.is_unspecified() {
        causes.invalid(path, address, format!("may not be unspecified ({address})"));
    }
    if ip.is_loopback() {
        causes.invalid(path, address, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
    }
    if link_local {
        causes.invalid(path, address, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    }
    if link_multicast {
        causes.invalid(path, address, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
    }
}

fn source_ranges(spec: &Value, kind: &str, path: &Path<'_>, causes: &mut Causes) {
    let ranges = list(spec, "loadBalancerSourceRanges");
    if ranges.is_empty() {
        return;
    }
    let path = path.child("LoadBalancerSourceRanges");
    if kind != "LoadBalancer" {
        causes.forbidden(&path, "may only be used when `type` is 'LoadBalancer'");
    }
    for (index, range) in ranges.iter().enumerate() {
        let range = range.as_str().unwrap_or("");
        causes.invalid_for(&path.index(index), range.trim(), names::cidr(range.trim()));
    }
}

fn load_balancer(spec: &Value, kind: &str, path: &Path<'_>, causes: &mut Causes) {
    let is_load_balancer = kind == "LoadBalancer";
    if is_load_balancer && !has(spec, "allocateLoadBalancerNodePorts") {
        causes.required(&Path::ROOT.child("allocateLoadBalancerNodePorts"), "");
    }
    for field in ["allocateLoadBalancerNodePorts", "loadBalancerClass"] {
        if !is_load_balancer && has(spec, field) {
            causes.forbidden(&path.child(field), "may only be used when `type` is 'LoadBalancer'");
        }
    }
    if is_load_balancer && has(spec, "loadBalancerClass") {
        let class = text(spec, "loadBalancerClass");
        causes.invalid_for(&path.child("loadBalancerClass"), class, names::label_key_errors(class));
    }
}

fn traffic(spec: &Value, kind: &str, path: &Path<'_>, causes: &mut Causes) {
    let external = text(spec, "externalTrafficPolicy");
    let is_external =
        matches!(kind, "NodePort" | "LoadBalancer") || (kind == "ClusterIP" && !list(spec, "externalIPs").is_empty());
    let path_of = path.child("externalTrafficPolicy");
    if !is_external && !external.is_empty() {
        causes.invalid(&path_of, external, "may only be set for externally-accessible services");
    } else if is_external && external.is_empty() {
        causes.required(&path_of, "");
    } else if is_external && !["Cluster", "Local"].contains(&external) {
        causes.not_supported(&path_of, external, &["Cluster", "Local"]);
    }
    health_check(spec, kind, external, path, causes);
    let internal = text(spec, "internalTrafficPolicy");
    if ["NodePort", "LoadBalancer", "ClusterIP"].contains(&kind) && !has(spec, "internalTrafficPolicy") {
        causes.required(&path.child("internalTrafficPolicy"), "");
    }
    if has(spec, "internalTrafficPolicy") && !["Cluster", "Local"].contains(&internal) {
        causes.not_supported(&path.child("internalTrafficPolicy"), internal, &["Cluster", "Local"]);
    }
    if has(spec, "trafficDistribution") {
        let known = &["PreferClose", "PreferSameZone", "PreferSameNode"];
        let distribution = text(spec, "trafficDistribution");
        if !known.contains(&distribution) {
            causes.not_supported(&path.child("trafficDistribution"), distribution, known);
        }
    }
}

fn health_check(spec: &Value, kind: &str, external: &str, path: &Path<'_>, causes: &mut Causes) {
    let port = int(spec, "healthCheckNodePort");
    let path = path.child("healthCheckNodePort");
    if port != 0 && (kind != "LoadBalancer" || external != "Local") {
        let what = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        causes.invalid(&path, port, what);
    } else if port != 0 {
        causes.invalid_for(&path, port, names::port_number(port));
    }
}
