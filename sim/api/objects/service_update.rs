//! What an update of a Service may change, and what it keeps of the old one (core `validation.go`, `ValidateServiceUpdate`; registry
//! `patchAllocatedValues`, `normalizeClusterIPs`, `dropTypeDependentFields`).

use std::collections::BTreeSet;

use crate::api::causes::{Causes, Path};
use crate::api::view::{get, has, int, items_mut, list, put, remove, text};
use serde_json::{Value, json};

use super::metadata::IMMUTABLE;

/// Checks what an update of a Service may change.
pub(super) fn validate(new: &Value, old: &Value, causes: &mut Causes) {
    let path = Path::ROOT.child("spec");
    let (new, old) = (get(new, "spec"), get(old, "spec"));
    let (kind, was) = (text(new, "type"), text(old, "type"));
    if kind != "ExternalName" && was != "ExternalName" {
        addresses(new, old, &path, causes);
        families(new, old, &path, causes);
    }
    if was == "LoadBalancer" && kind == "LoadBalancer" && get(new, "loadBalancerClass") != get(old, "loadBalancerClass")
    {
        let class = get(new, "loadBalancerClass");
        causes.invalid(&path.child("loadBalancerClass"), class, ONCE);
    }
    if checks_health(new) && checks_health(old) && int(new, "healthCheckNodePort") != int(old, "healthCheckNodePort") {
        causes.forbidden(&path.child("healthCheckNodePort"), IMMUTABLE);
    }
}

const ONCE: &str = "may not change once set";

/// A second address may come and go; the first stays.
fn addresses(new: &Value, old: &Value, path: &Path<'_>, causes: &mut Causes) {
    if is_headless(new) && is_headless(old) {
        return;
    }
    let (now, had) = (list(new, "clusterIPs"), list(old, "clusterIPs"));
    let (path, shown) = (path.child("clusterIPs"), get(new, "clusterIPs"));
    if now.len() == had.len() {
        for (index, _) in now.iter().zip(had).enumerate().filter(|(_, (now, had))| now != had) {
            causes.invalid(&path.index(index), shown, ONCE);
        }
        return;
    }
    if now.is_empty() {
        causes.invalid(&path.index(0), shown, "primary clusterIP can not be unset");
    } else if had.first().is_some_and(|had| *had != now[0]) {
        causes.invalid(&path.index(0), shown, ONCE);
    }
    if had.len() > now.len() && now.len() == 1 && text(new, "ipFamilyPolicy") != "SingleStack" {
        let what = "`ipFamilyPolicy` must be set to 'SingleStack' when releasing the secondary clusterIP";
        causes.invalid(&path.index(0), shown, what);
    }
}

/// The first family stays, but for headless services and when a service becomes or stops being one.
fn families(new: &Value, old: &Value, path: &Path<'_>, causes: &mut Causes) {
    if is_headless(new) || is_headless(old) {
        return;
    }
    let (now, had) = (list(new, "ipFamilies"), list(old, "ipFamilies"));
    let (path, shown) = (path.child("ipFamilies"), get(new, "ipFamilies"));
    if now.len() == had.len() {
        if now != had {
            causes.invalid(&path.index(0), shown, ONCE);
        }
    } else if now.is_empty() {
        causes.invalid(&path.index(0), shown, "primary ipFamily can not be unset");
    } else if had.first().is_some_and(|had| *had != now[0]) {
        causes.invalid(&path.index(0), shown, ONCE);
    }
}

/// Keeps the addresses and ports of the old Service where the new one leaves them open, and drops what goes with the old type only.
pub(super) fn prepare(new: &mut Value, old: &Value) {
    let old_spec = get(old, "spec");
    let status = get(old, "status").clone();
    put(new, "status", status);
    let Some(spec) = new.get_mut("spec") else { return };
    keep_allocated(spec, old_spec);
    normalize_addresses(spec, old_spec);
    drop_dependent(spec, old_spec);
}

fn is_headless(spec: &Value) -> bool {
    list(spec, "clusterIPs").first().is_some_and(|first| first == "None")
}

fn needs_address(spec: &Value) -> bool {
    matches!(text(spec, "type"), "ClusterIP" | "NodePort" | "LoadBalancer")
}

fn needs_ports(spec: &Value) -> bool {
    match text(spec, "type") {
        "NodePort" => true,
        "LoadBalancer" => get(spec, "allocateLoadBalancerNodePorts") != false,
        _ => false,
    }
}

fn checks_health(spec: &Value) -> bool {
    text(spec, "type") == "LoadBalancer" && text(spec, "externalTrafficPolicy") == "Local"
}

fn is_external(spec: &Value) -> bool {
    let kind = text(spec, "type");
    matches!(kind, "NodePort" | "LoadBalancer") || (kind == "ClusterIP" && !list(spec, "externalIPs").is_empty())
}

fn node_ports(spec: &Value) -> BTreeSet<i64> {
    list(spec, "ports").iter().map(|port| int(port, "nodePort")).filter(|&port| port != 0).collect()
}

/// `patchAllocatedValues`
fn keep_allocated(spec: &mut Value, old: &Value) {
    if needs_address(spec) && needs_address(old) {
        if text(spec, "clusterIP").is_empty() {
            copy(old, spec, &["clusterIP"]);
        }
        if list(spec, "clusterIPs").is_empty() && text(spec, "clusterIP") == text(old, "clusterIP") {
            copy(old, spec, &["clusterIPs"]);
        }
        for field in ["ipFamilies", "ipFamilyPolicy"] {
            if !has(spec, field) {
                copy(old, spec, &[field]);
            }
        }
    }
    if needs_ports(spec) && needs_ports(old) {
        // A port keeps its number by its name, unless another port of the new Service has it.
        let mut used: BTreeSet<i64> = node_ports(old).intersection(&node_ports(spec)).copied().collect();
        for port in items_mut(spec, "ports").filter(|port| int(port, "nodePort") == 0) {
            let same = |other: &&Value| text(other, "name") == text(port, "name");
            let had = list(old, "ports").iter().rfind(same).map_or(0, |other| int(other, "nodePort"));
            if had != 0 && used.insert(had) {
                put(port, "nodePort", had);
            }
        }
    }
    if checks_health(spec) && checks_health(old) && int(spec, "healthCheckNodePort") == 0 {
        copy(old, spec, &["healthCheckNodePort"]);
    }
}

/// `normalizeClusterIPs`: a client that knows one of `clusterIP` and `clusterIPs` may change it alone.
fn normalize_addresses(spec: &mut Value, old: &Value) {
    if !needs_address(spec) {
        return;
    }
    let (now, had) = (text(spec, "clusterIP").to_owned(), text(old, "clusterIP"));
    let same_list = list(spec, "clusterIPs") == list(old, "clusterIPs");
    if now == had || now.is_empty() {
        return;
    }
    if same_list || list(spec, "clusterIPs").is_empty() {
        put(spec, "clusterIPs", json!([now]));
    }
}

/// `dropTypeDependentFields`: what a change of the type makes meaningless goes if the client did not change it.
fn drop_dependent(spec: &mut Value, old: &Value) {
    let drop_same = |spec: &mut Value, fields: &[&str]| {
        for field in fields {
            if get(spec, field) == get(old, field) {
                remove(spec, field);
            }
        }
    };
    if needs_address(old) && !needs_address(spec) {
        drop_same(spec, &["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"]);
    }
    if needs_ports(old) && !needs_ports(spec) && node_ports(spec) == node_ports(old) {
        for port in items_mut(spec, "ports") {
            remove(port, "nodePort");
        }
    }
    if checks_health(old) && !checks_health(spec) {
        drop_same(spec, &["healthCheckNodePort"]);
    }
    if text(old, "type") == "LoadBalancer" && text(spec, "type") != "LoadBalancer" {
        drop_same(spec, &["allocateLoadBalancerNodePorts", "loadBalancerClass"]);
    }
    if is_external(old) && !is_external(spec) {
        drop_same(spec, &["externalTrafficPolicy"]);
    }
}

fn copy(from: &Value, to: &mut Value, fields: &[&str]) {
    for field in fields {
        if has(from, field) {
            put(to, field, get(from, field).clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(spec: Value) -> Value {
        json!({"metadata": {"name": "s"}, "spec": spec})
    }

    fn refused(new: Value, old: Value) -> Vec<String> {
        let (mut new, old) = (service(new), service(old));
        prepare(&mut new, &old);
        let mut causes = Causes::default();
        validate(&new, &old, &mut causes);
        causes.list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_changed_type_leaves_nothing_behind() {
        let old = json!({
            "type": "LoadBalancer", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"],
            "ports": [{"name": "a", "port": 80, "nodePort": 30080}], "allocateLoadBalancerNodePorts": true,
            "externalTrafficPolicy": "Cluster", "internalTrafficPolicy": "Cluster",
        });
        let mut new = service(old.clone());
        new["spec"]["type"] = json!("ClusterIP");
        prepare(&mut new, &service(old.clone()));
        assert_eq!(new["spec"]["ports"], json!([{"name": "a", "port": 80}]));
        assert!(
            new["spec"].get("externalTrafficPolicy").is_none()
                && new["spec"].get("allocateLoadBalancerNodePorts").is_none()
        );
        new["spec"]["type"] = json!("ExternalName");
        prepare(&mut new, &service(old));
        assert!(new["spec"].get("clusterIP").is_none() && new["spec"].get("ipFamilies").is_none());
    }

    #[test]
    fn addresses_and_health_ports_stay() {
        let base =
            json!({"type": "ClusterIP", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"]});
        let with = |field: &str, value: Value| {
            let mut spec = base.clone();
            spec[field] = value;
            spec
        };
        let checked =
            |port: i64| json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": port});
        let rows = [
            ("nothing", base.clone(), base.clone(), vec![]),
            (
                "headless",
                with("clusterIP", json!("None")),
                base.clone(),
                vec!["spec.clusterIPs[0]: Invalid value: [\"None\"]: may not change once set"],
            ),
            (
                "another family",
                with("ipFamilies", json!(["IPv6"])),
                base.clone(),
                vec!["spec.ipFamilies[0]: Invalid value: [\"IPv6\"]: may not change once set"],
            ),
            (
                "another port of the health check",
                checked(30_001),
                checked(30_000),
                vec!["spec.healthCheckNodePort: Forbidden: field is immutable"],
            ),
        ];
        for (why, new, old, expected) in rows {
            assert_eq!(refused(new, old), expected, "{why}");
        }
    }

    #[test]
    fn ports_on_nodes_stay_with_their_names() {
        let old = json!({"type": "NodePort", "ports": [{"name": "a", "port": 1, "nodePort": 30001}, {"name": "b", "port": 2, "nodePort": 30002}]});
        let mut new =
            service(json!({"type": "NodePort", "ports": [{"name": "b", "port": 3}, {"name": "c", "port": 2}]}));
        prepare(&mut new, &service(old));
        assert_eq!(
            new["spec"]["ports"],
            json!([{"name": "b", "port": 3, "nodePort": 30002}, {"name": "c", "port": 2}])
        );
    }
}
