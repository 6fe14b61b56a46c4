//! Services and Ingresses.

use std::sync::OnceLock;

use regex::Regex;
use serde_json::{Value, json};

use super::Generated;
use super::flags::{Flags, int_or_text};
use crate::api::names;

/// `kubectl create service clusterip|nodeport|loadbalancer|externalname NAME --tcp=PORT:TARGET...`
pub(super) fn service(flags: &Flags<'_>, kind: &str) -> Result<Generated, String> {
    let kind = match kind {
        "clusterip" => "ClusterIP",
        "nodeport" => "NodePort",
        "loadbalancer" => "LoadBalancer",
        "externalname" => "ExternalName",
        other => {
            let known = "clusterip, externalname, loadbalancer or nodeport";
            return Err(format!("unknown command {other:?} for \"kubectl create service\": write {known}"));
        }
    };
    if kind == "ExternalName" {
        flags.needs(&["external-name"])?;
    }
    let (address, tcp) = (flags.text("clusterip"), flags.list("tcp"));
    if address == "None" && kind != "ClusterIP" {
        return Err("ClusterIP=None can only be used with ClusterIP service type".to_owned());
    }
    if address != "None" && kind != "ExternalName" && tcp.is_empty() {
        return Err("at least one tcp port specifier must be provided".to_owned());
    }
    let mut ports = tcp.iter().map(|given| port(given)).collect::<Result<Vec<_>, _>>()?;
    if let Some(node_port) = flags.number("node-port")?.filter(|&port| kind == "NodePort" && port > 0) {
        ports.iter_mut().for_each(|port| port["nodePort"] = json!(node_port));
    }
    let own = json!({ "app": flags.name() });
    let mut spec = json!({ "type": kind, "selector": own });
    if !ports.is_empty() {
        spec["ports"] = json!(ports);
    }
    if kind == "ExternalName" {
        spec["externalName"] = json!(flags.text("external-name"));
    }
    if !address.is_empty() {
        spec["clusterIP"] = json!(address);
    }
    let mut object = flags.object("v1", "Service", json!({ "spec": spec }));
    object["metadata"]["labels"] = own;
    Ok(Generated::new(object, &format!("failed to create {kind} service: ")))
}

/// `PORT`, or `PORT:TARGET`, as a port that is named after it.
fn port(given: &str) -> Result<Value, String> {
    let (number, target) = given.split_once(':').map_or((given, None), |(number, target)| (number, Some(target)));
    let parsed: u16 = number
        .parse()
        .map_err(|_| format!("unable to parse port: strconv.ParseUint: parsing {number:?}: invalid syntax"))?;
    let target = match target {
        None => json!(parsed),
        Some(target) => {
            let target = int_or_text(target);
            let errors = match (&target, target.as_i64()) {
                (_, Some(number)) => names::port_number(number),
                (name, None) => names::port_name(name.as_str().unwrap_or_default()),
            };
            if !errors.is_empty() {
                return Err(errors.join(","));
            }
            target
        }
    };
    Ok(json!({ "name": given.replace(':', "-"), "port": parsed, "protocol": "TCP", "targetPort": target }))
}

/// `kubectl create ingress NAME --rule=HOST/PATH=SERVICE:PORT[,tls[=SECRET]]... [--class] [--default-backend] [--annotation]`
pub(super) fn ingress(flags: &Flags<'_>) -> Result<Generated, String> {
    let rules: Vec<&str> = flags.each("rule").collect();
    let default = flags.text("default-backend");
    if default.is_empty() && rules.is_empty() {
        return Err(
            "not enough information provided: every ingress has to either specify a default-backend (which catches all traffic) or a list of \
             rules (which catch specific paths)"
                .to_owned(),
        );
    }
    let mut spec = json!({});
    if flags.has("class") {
        spec["ingressClassName"] = json!(flags.text("class"));
    }
    if !default.is_empty() {
        let (service, port) =
            default.split_once(':').ok_or("default-backend should be in format servicename:serviceport")?;
        spec["defaultBackend"] = backend(service, port);
    }
    let mut read = Vec::new();
    for rule in rules {
        let Some(parts) = rule_pattern().captures(rule) else {
            return Err(format!(
                "rule {rule} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]"
            ));
        };
        let part = |name: &str| parts.name(name).map_or("", |part| part.as_str()).to_owned();
        read.push((
            part("host"),
            part("path"),
            backend(&part("svc"), &part("port")),
            parts.name("tls").is_some(),
            part("secret"),
        ));
    }
    let mut hosts: Vec<(String, Vec<Value>)> = Vec::new();
    let mut tls: Vec<Value> = Vec::new();
    for (host, path, backend, has_tls, secret) in read {
        let (path, kind) = match path.strip_suffix('*') {
            Some(prefix) => (prefix.to_owned(), "Prefix"),
            None => (path, "Exact"),
        };
        let entry = json!({ "path": path, "pathType": kind, "backend": backend });
        match hosts.iter_mut().find(|(known, _)| *known == host) {
            Some((_, paths)) => paths.push(entry),
            None => hosts.push((host.clone(), vec![entry])),
        }
        if has_tls {
            let mut entry = json!({});
            if !host.is_empty() {
                entry["hosts"] = json!([host]);
            }
            if !secret.is_empty() {
                entry["secretName"] = json!(secret);
            }
            tls.push(entry);
        }
    }
    if !tls.is_empty() {
        spec["tls"] = json!(tls);
    }
    let rules = hosts.into_iter().map(|(host, paths)| match host.as_str() {
        "" => json!({ "http": { "paths": paths } }),
        host => json!({ "host": host, "http": { "paths": paths } }),
    });
    let rules: Vec<Value> = rules.collect();
    if !rules.is_empty() {
        spec["rules"] = json!(rules);
    }
    let mut object = flags.object("networking.k8s.io/v1", "Ingress", json!({ "spec": spec }));
    for annotation in flags.each("annotation") {
        let (key, value) = annotation
            .split_once('=')
            .ok_or_else(|| format!("annotation {annotation} is invalid and should be in format key=value"))?;
        object["metadata"]["annotations"][key] = json!(value);
    }
    Ok(Generated::new(object, "failed to create ingress: "))
}

fn rule_pattern() -> &'static Regex {
    static PATTERN: OnceLock<Regex> = OnceLock::new();
    let pattern = r"^(?P<host>[\w\*\-\.]*)(?P<path>/.*)=(?P<svc>[\w\-]+):(?P<port>[\w\-]+)(,(?P<tls>tls)(=(?P<secret>[\w\-]+))?)?$";
    PATTERN.get_or_init(|| Regex::new(pattern).expect("a constant pattern"))
}

fn backend(service: &str, port: &str) -> Value {
    let port = match port.parse::<i64>() {
        Ok(number) => json!({ "number": number }),
        Err(_) => json!({ "name": port }),
    };
    json!({ "service": { "name": service, "port": port } })
}
