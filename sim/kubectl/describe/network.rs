//! The descriptions of services, endpoints and ingresses.

use serde_json::Value;

use super::common::{annotations, labels, labels_and_annotations, name_and_namespace};
use super::events::events;
use super::writer::Writer;
use crate::kubectl::labels::format_labels;
use crate::kubectl::look::{at, entry, has, int, list, name, namespace, or_none, scalar, scalar_or, text, texts};
use crate::kubectl::printers::{join_host_port, load_balancer};
use crate::kubectl::view::View;

pub(super) fn service(w: &mut Writer, service: &Value, view: &View<'_>) {
    name_and_namespace(w, service);
    labels_and_annotations(w, service);
    w.field(0, "Selector", format_labels(service, "spec.selector"));
    w.field(0, "Type", text(service, "spec.type"));
    let spec = at(service, "spec");
    let optional = |w: &mut Writer, title: &str, value: &str| {
        if !value.is_empty() {
            w.field(0, title, value);
        }
    };
    optional(w, "IP Family Policy", text(spec, "ipFamilyPolicy"));
    w.field(0, "IP Families", or_none(&texts(spec, "ipFamilies").join(",")));
    w.field(0, "IP", text(spec, "clusterIP"));
    w.field(0, "IPs", or_none(&texts(spec, "clusterIPs").join(",")));
    optional(w, "External IPs", &texts(spec, "externalIPs").join(","));
    optional(w, "Desired LoadBalancer IP", text(spec, "loadBalancerIP"));
    optional(w, "External Name", text(spec, "externalName"));
    optional(w, "LoadBalancer Ingress", &ingress_points(service));
    let slices = slices_of(name(service), namespace(service), view);
    for port in list(spec, "ports") {
        service_port(w, port, &slices);
    }
    w.field(0, "Session Affinity", text(spec, "sessionAffinity"));
    optional(w, "External Traffic Policy", text(spec, "externalTrafficPolicy"));
    optional(w, "Internal Traffic Policy", text(spec, "internalTrafficPolicy"));
    if int(spec, "healthCheckNodePort") != 0 {
        w.field(0, "HealthCheck NodePort", int(spec, "healthCheckNodePort"));
    }
    optional(w, "LoadBalancer Source Ranges", &texts(spec, "loadBalancerSourceRanges").join(","));
    optional(w, "Traffic Distribution", text(spec, "trafficDistribution"));
    events(w, service, view);
}

fn ingress_points(service: &Value) -> String {
    let points = list(service, "status.loadBalancer.ingress").iter().map(|point| {
        match (text(point, "ip"), text(point, "ipMode")) {
            ("", _) => text(point, "hostname").to_owned(),
            (ip, "") => ip.to_owned(),
            (ip, mode) => format!("{ip} ({mode})"),
        }
    });
    points.collect::<Vec<_>>().join(", ")
}

fn service_port(w: &mut Writer, port: &Value, slices: &[&Value]) {
    let name = match text(port, "name") {
        "" => "<unset>",
        name => name,
    };
    let protocol = text(port, "protocol");
    w.line(0, &format!("Port:\t{name}\t{}/{protocol}", int(port, "port")));
    w.field(0, "TargetPort", format!("{}/{protocol}", scalar_or(port, "targetPort", "0")));
    if int(port, "nodePort") != 0 {
        w.line(0, &format!("NodePort:\t{name}\t{}/{protocol}", int(port, "nodePort")));
    }
    w.field(0, "Endpoints", ready_endpoints(slices, text(port, "name")));
}

/// The slices of a service.
fn slices_of<'a>(service: &str, namespace: &str, view: &View<'a>) -> Vec<&'a Value> {
    let mut slices = view.in_namespace("EndpointSlice", "discovery.k8s.io", namespace);
    slices.retain(|slice| entry(slice, "metadata.labels", "kubernetes.io/service-name") == Some(service));
    slices
}

/// The first three ready addresses behind a named port, and how many more there are.
fn ready_endpoints(slices: &[&Value], port_name: &str) -> String {
    if slices.is_empty() {
        return "<none>".to_owned();
    }
    let (mut shown, mut count, mut is_cut) = (Vec::new(), 0, false);
    for slice in slices {
        let ports = list(slice, "ports");
        let wanted: Vec<Option<&Value>> = match ports {
            [] => vec![None],
            ports => ports.iter().filter(|port| text(port, "name") == port_name).map(Some).collect(),
        };
        for port in wanted {
            for endpoint in list(slice, "endpoints") {
                is_cut |= shown.len() == 3;
                if at(endpoint, "conditions.ready").as_bool() == Some(false) {
                    continue;
                }
                let address = texts(endpoint, "addresses").first().copied().unwrap_or_default();
                if !is_cut {
                    shown.push(match port {
                        Some(port) => join_host_port(address, &int(port, "port").to_string()),
                        None => address.to_owned(),
                    });
                }
                count += 1;
            }
        }
    }
    if is_cut { format!("{} + {} more...", shown.join(","), count - 3) } else { shown.join(",") }
}

pub(super) fn endpoints(w: &mut Writer, object: &Value, view: &View<'_>) {
    name_and_namespace(w, object);
    labels_and_annotations(w, object);
    w.line(0, "Subsets:");
    for subset in list(object, "subsets") {
        for (title, field) in [("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")] {
            let addresses: Vec<_> = list(subset, field).iter().map(|address| text(address, "ip")).collect();
            w.field(1, title, or_none(&addresses.join(",")));
        }
        let ports = list(subset, "ports");
        if !ports.is_empty() {
            w.line(1, "Ports:");
            w.line(2, "Name\tPort\tProtocol");
            w.line(2, "----\t----\t--------");
            for port in ports {
                w.line(2, &port_line(port));
            }
        }
        w.line(0, "");
    }
    events(w, object, view);
}

fn port_line(port: &Value) -> String {
    let name = match text(port, "name") {
        "" => "<unset>",
        name => name,
    };
    format!("{name}\t{}\t{}", scalar_or(port, "port", "<unset>"), text(port, "protocol"))
}

pub(super) fn endpoint_slice(w: &mut Writer, slice: &Value, view: &View<'_>) {
    name_and_namespace(w, slice);
    labels_and_annotations(w, slice);
    w.field(0, "AddressType", text(slice, "addressType"));
    let ports = list(slice, "ports");
    if ports.is_empty() {
        w.line(0, "Ports: <unset>");
    } else {
        w.line(0, "Ports:");
        w.line(1, "Name\tPort\tProtocol");
        w.line(1, "----\t----\t--------");
        for port in ports {
            w.line(1, &port_line(port));
        }
    }
    let endpoints = list(slice, "endpoints");
    w.line(0, if endpoints.is_empty() { "Endpoints: <none>" } else { "Endpoints:" });
    for endpoint in endpoints {
        w.field(1, "- Addresses", or_none(&texts(endpoint, "addresses").join(", ")));
        w.line(2, "Conditions:");
        w.field(3, "Ready", scalar_or(endpoint, "conditions.ready", "<unset>"));
        w.field(2, "Hostname", scalar_or(endpoint, "hostname", "<unset>"));
        let target = at(endpoint, "targetRef");
        if !target.is_null() {
            w.field(2, "TargetRef", format!("{}/{}", text(target, "kind"), text(target, "name")));
        }
        w.field(2, "NodeName", scalar_or(endpoint, "nodeName", "<unset>"));
        w.field(2, "Zone", scalar_or(endpoint, "zone", "<unset>"));
    }
    events(w, slice, view);
}

pub(super) fn ingress(w: &mut Writer, ingress: &Value, view: &View<'_>) {
    w.field(0, "Name", name(ingress));
    labels(w, "Labels", at(ingress, "metadata.labels"));
    w.field(0, "Namespace", namespace(ingress));
    w.field(0, "Address", load_balancer(ingress));
    w.field(0, "Ingress Class", scalar_or(ingress, "spec.ingressClassName", "<none>"));
    let backend_of = |backend: &Value| backend_text(backend, namespace(ingress), view);
    let default = match at(ingress, "spec.defaultBackend") {
        Value::Null => "<default>".to_owned(),
        backend => backend_of(backend),
    };
    w.field(0, "Default backend", &default);
    let tls = list(ingress, "spec.tls");
    if !tls.is_empty() {
        w.line(0, "TLS:");
        for entry in tls {
            let hosts = texts(entry, "hosts").join(",");
            match text(entry, "secretName") {
                "" => w.line(1, &format!("SNI routes {hosts}")),
                secret => w.line(1, &format!("{secret} terminates {hosts}")),
            }
        }
    }
    w.line(0, "Rules:\n  Host\tPath\tBackends");
    w.line(1, "----\t----\t--------");
    let with_paths: Vec<&Value> = list(ingress, "spec.rules").iter().filter(|rule| has(rule, "http")).collect();
    for rule in &with_paths {
        let host = match text(rule, "host") {
            "" => "*",
            host => host,
        };
        w.line(1, &format!("{host}\t"));
        for path in list(rule, "http.paths") {
            w.line(2, &format!("\t{} \t{}", text(path, "path"), backend_of(at(path, "backend"))));
        }
    }
    if with_paths.is_empty() {
        w.line(1, &format!("*\t*\t{default}"));
    }
    annotations(w, "Annotations", at(ingress, "metadata.annotations"));
    events(w, ingress, view);
}

fn backend_text(backend: &Value, namespace: &str, view: &View<'_>) -> String {
    let service = at(backend, "service");
    if !service.is_null() {
        let name = text(service, "name");
        let (number, port_name) = (int(service, "port.number"), text(service, "port.name"));
        let port = if number != 0 { number.to_string() } else { port_name.to_owned() };
        let Some(found) = view.find("Service", "", namespace, name) else {
            return format!("{name}:{port} (<error: services \"{name}\" not found>)");
        };
        let mut service_port = "";
        for port in list(found, "spec.ports") {
            let is_number = number != 0 && number == int(port, "port");
            if is_number || (!port_name.is_empty() && port_name == text(port, "name")) {
                service_port = text(port, "name");
            }
        }
        let endpoints = ready_endpoints(&slices_of(name, namespace, view), service_port);
        return format!("{name}:{port} ({endpoints})");
    }
    let resource = at(backend, "resource");
    if resource.is_null() {
        return String::new();
    }
    let group = scalar_or(resource, "apiGroup", "<none>");
    format!("APIGroup: {group}, Kind: {}, Name: {}", text(resource, "kind"), text(resource, "name"))
}

pub(super) fn ingress_class(w: &mut Writer, class: &Value, view: &View<'_>) {
    w.field(0, "Name", name(class));
    labels_and_annotations(w, class);
    w.field(0, "Controller", text(class, "spec.controller"));
    let parameters = at(class, "spec.parameters");
    if !parameters.is_null() {
        w.line(0, "Parameters:");
        if has(parameters, "apiGroup") {
            w.field(1, "APIGroup", scalar(at(parameters, "apiGroup")));
        }
        w.field(1, "Kind", text(parameters, "kind"));
        w.field(1, "Name", text(parameters, "name"));
    }
    events(w, class, view);
}

pub(super) fn service_cidr(w: &mut Writer, object: &Value, view: &View<'_>) {
    w.field(0, "Name", name(object));
    labels_and_annotations(w, object);
    w.field(0, "CIDRs", texts(object, "spec.cidrs").join(", "));
    if !list(object, "status.conditions").is_empty() {
        w.line(0, "Status:");
        super::config::dated_conditions(w, object);
    }
    events(w, object, view);
}

pub(super) fn ip_address(w: &mut Writer, object: &Value, view: &View<'_>) {
    w.field(0, "Name", name(object));
    labels_and_annotations(w, object);
    let parent = at(object, "spec.parentRef");
    if !parent.is_null() {
        w.line(0, "Parent Reference:");
        for (title, field) in
            [("Group", "group"), ("Resource", "resource"), ("Namespace", "namespace"), ("Name", "name")]
        {
            w.field(1, title, text(parent, field));
        }
    }
    events(w, object, view);
}
