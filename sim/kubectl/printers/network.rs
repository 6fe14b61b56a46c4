//! The tables of services, endpoints, ingresses and network policies.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Table, name, table};
use crate::kubectl::labels::{format_labels, format_selector};
use crate::kubectl::look::{at, has, int, list, or_none, scalar, scalar_or, text, texts};

pub(super) const SERVICE: Table =
    table(&["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE", "+SELECTOR"], |service, scene| {
        let cluster_ip = texts(service, "spec.clusterIPs").first().copied().unwrap_or("<none>");
        vec![
            name(service),
            text(service, "spec.type").to_owned(),
            cluster_ip.to_owned(),
            external_ip(service),
            or_none(&ports(service)).to_owned(),
            scene.age(service),
            format_labels(service, "spec.selector"),
        ]
    });

fn external_ip(service: &Value) -> String {
    let external_ips = texts(service, "spec.externalIPs");
    match text(service, "spec.type") {
        "ClusterIP" | "NodePort" => or_none(&external_ips.join(",")).to_owned(),
        "LoadBalancer" => {
            let ingress = load_balancer(service);
            let mut all: Vec<&str> = if ingress.is_empty() { Vec::new() } else { ingress.split(',').collect() };
            all.extend(external_ips);
            if all.is_empty() { "<pending>".to_owned() } else { all.join(",") }
        }
        "ExternalName" => text(service, "spec.externalName").to_owned(),
        _ => "<unknown>".to_owned(),
    }
}

/// The addresses of a load balancer's status, sorted.
pub(crate) fn load_balancer(object: &Value) -> String {
    let ingress = list(object, "status.loadBalancer.ingress").iter();
    let addresses: BTreeSet<&str> = ingress
        .map(|point| if text(point, "ip").is_empty() { text(point, "hostname") } else { text(point, "ip") })
        .filter(|address| !address.is_empty())
        .collect();
    addresses.into_iter().collect::<Vec<_>>().join(",")
}

fn ports(service: &Value) -> String {
    let ports = list(service, "spec.ports").iter().map(|port| {
        let (number, protocol) = (int(port, "port"), text(port, "protocol"));
        match int(port, "nodePort") {
            node_port if node_port > 0 => format!("{number}:{node_port}/{protocol}"),
            _ => format!("{number}/{protocol}"),
        }
    });
    ports.collect::<Vec<_>>().join(",")
}

pub(super) const ENDPOINTS: Table = table(&["NAME", "ENDPOINTS", "AGE"], |object, scene| {
    vec![name(object), endpoint_addresses(object), scene.age(object)]
});

/// The first three addresses of an Endpoints object, and how many more there are.
fn endpoint_addresses(object: &Value) -> String {
    let subsets = list(object, "subsets");
    if subsets.is_empty() {
        return "<none>".to_owned();
    }
    let mut all = Vec::new();
    for subset in subsets {
        let addresses = list(subset, "addresses").iter().map(|address| text(address, "ip"));
        let ports = list(subset, "ports");
        if ports.is_empty() {
            all.extend(addresses.map(str::to_owned));
        } else {
            for port in ports {
                all.extend(addresses.clone().map(|ip| join_host_port(ip, &int(port, "port").to_string())));
            }
        }
    }
    first_of(&all, 3)
}

/// Go's `net.JoinHostPort`: brackets around an address with colons.
pub(crate) fn join_host_port(host: &str, port: &str) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

pub(super) fn first_of(items: &[String], max: usize) -> String {
    let shown = &items[..items.len().min(max)];
    match items.len() - shown.len() {
        0 => shown.join(","),
        more => format!("{} + {more} more...", shown.join(",")),
    }
}

pub(super) const ENDPOINT_SLICE: Table =
    table(&["NAME", "ADDRESSTYPE", "PORTS", "ENDPOINTS", "AGE"], |slice, scene| {
        let ports: Vec<_> = list(slice, "ports")
            .iter()
            .map(|port| match (at(port, "port"), at(port, "name")) {
                (Value::Null, Value::Null) => "*".to_owned(),
                (Value::Null, name) => scalar(name),
                (port, _) => scalar(port),
            })
            .collect();
        let endpoints = list(slice, "endpoints").iter();
        let addresses: Vec<_> =
            endpoints.flat_map(|endpoint| texts(endpoint, "addresses")).map(str::to_owned).collect();
        let or_unset = |text: String| if text.is_empty() { "<unset>".to_owned() } else { text };
        vec![
            name(slice),
            text(slice, "addressType").to_owned(),
            or_unset(first_of(&ports, 3)),
            or_unset(first_of(&addresses, 3)),
            scene.age(slice),
        ]
    });

pub(super) const INGRESS: Table = table(&["NAME", "CLASS", "HOSTS", "ADDRESS", "PORTS", "AGE"], |ingress, scene| {
    let ports = if list(ingress, "spec.tls").is_empty() { "80" } else { "80, 443" };
    vec![
        name(ingress),
        scalar_or(ingress, "spec.ingressClassName", "<none>"),
        hosts(ingress),
        load_balancer(ingress),
        ports.to_owned(),
        scene.age(ingress),
    ]
});

fn hosts(ingress: &Value) -> String {
    let rules = list(ingress, "spec.rules");
    let mut hosts: Vec<&str> = Vec::new();
    let mut is_cut = false;
    for rule in rules {
        is_cut |= hosts.len() == 3;
        let host = text(rule, "host");
        if !is_cut && !host.is_empty() {
            hosts.push(host);
        }
    }
    match (hosts.is_empty(), is_cut) {
        (true, _) => "*".to_owned(),
        (_, true) => format!("{} + {} more...", hosts.join(","), rules.len() - 3),
        _ => hosts.join(","),
    }
}

pub(super) const INGRESS_CLASS: Table = table(&["NAME", "CONTROLLER", "PARAMETERS", "AGE"], |class, scene| {
    let parameters = at(class, "spec.parameters");
    let parameters = match (parameters.is_null(), at(parameters, "apiGroup")) {
        (true, _) => "<none>".to_owned(),
        (_, Value::Null) => format!("{}/{}", text(parameters, "kind"), text(parameters, "name")),
        (_, group) => format!("{}.{}/{}", text(parameters, "kind"), scalar(group), text(parameters, "name")),
    };
    vec![name(class), text(class, "spec.controller").to_owned(), parameters, scene.age(class)]
});

pub(super) const NETWORK_POLICY: Table = table(&["NAME", "POD-SELECTOR", "AGE"], |policy, scene| {
    vec![name(policy), format_selector(at(policy, "spec.podSelector")), scene.age(policy)]
});

pub(super) const SERVICE_CIDR: Table = table(&["NAME", "CIDRS", "AGE"], |object, scene| {
    vec![name(object), texts(object, "spec.cidrs").join(","), scene.age(object)]
});

pub(super) const IP_ADDRESS: Table = table(&["NAME", "PARENTREF"], |object, _| {
    let parent = at(object, "spec.parentRef");
    let mut text_of = "<none>".to_owned();
    if has(object, "spec.parentRef") {
        text_of = text(parent, "resource").to_lowercase();
        for part in [text(parent, "group").to_lowercase()] {
            if !part.is_empty() {
                text_of = format!("{text_of}.{part}");
            }
        }
        if !text(parent, "namespace").is_empty() {
            text_of = format!("{text_of}/{}", text(parent, "namespace"));
        }
        text_of = format!("{text_of}/{}", text(parent, "name"));
    }
    vec![name(object), text_of]
});
