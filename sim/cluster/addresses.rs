//! Addresses and node ports of Services, given out as the API server's allocators do (`--service-cluster-ip-range`,
//! `--service-node-port-range`). They draw at random from the upper part of their range; here it is the next one that is free.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use serde_json::Value;

use super::objects::{Kind, Service};
use super::store::Cluster;
use crate::api::objects::service;

/// The first address that is given out of 10.96.0.0/12, kubeadm's default range: the 256 before are for addresses chosen by hand.
const FIRST_ADDRESS: u32 = u32::from_be_bytes([10, 96, 1, 1]);
/// The first port that is given out of 30000-32767: the 86 before are for ports chosen by hand.
const FIRST_NODE_PORT: i64 = 30_086;
/// The last port of the range.
const LAST_NODE_PORT: i64 = 32_767;

impl Cluster {
    /// An accepted Service with what the API server gives it: an address and node ports. Other objects stay as they are.
    pub(super) fn with_addresses<'a>(&mut self, kind: &str, manifest: &'a Value) -> Cow<'a, Value> {
        if kind != Service::KIND || manifest["spec"]["type"] == "ExternalName" {
            return Cow::Borrowed(manifest);
        }
        let taken = |address: &str| self.services().any(|service| service["spec"]["clusterIP"] == address);
        let mut next = FIRST_ADDRESS + self.n_service_addresses;
        while taken(&Ipv4Addr::from(next).to_string()) {
            next += 1;
        }
        let mut given = manifest.clone();
        service::allocate(&mut given, &Ipv4Addr::from(next).to_string(), self.free_node_ports(manifest));
        if manifest["spec"]["clusterIP"].as_str().is_none_or(str::is_empty) {
            self.n_service_addresses = next + 1 - FIRST_ADDRESS;
        }
        Cow::Owned(given)
    }

    /// The first of as many free ports in a row as the Service may need.
    fn free_node_ports(&self, manifest: &Value) -> i64 {
        let n_wanted = manifest["spec"]["ports"].as_array().map_or(0, Vec::len) as i64 + 1;
        let mut used: Vec<i64> = self.services().flat_map(node_ports).collect();
        used.sort_unstable();
        let mut first = FIRST_NODE_PORT;
        for port in used {
            if port >= first && port < first + n_wanted {
                first = port + 1;
            }
        }
        if first + n_wanted > LAST_NODE_PORT { FIRST_NODE_PORT } else { first }
    }

    fn services(&self) -> impl Iterator<Item = &Value> {
        self.of_kind(Service::KIND).map(|id| &*self.object(id).raw)
    }
}

fn node_ports(service: &Value) -> impl Iterator<Item = i64> + '_ {
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    ports.map(|port| &port["nodePort"]).chain([&service["spec"]["healthCheckNodePort"]]).filter_map(Value::as_i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn services_get_what_is_free() {
        let mut cluster = Cluster::new(0);
        let service = |name: &str, spec: Value| json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": name, "namespace": "default" }, "spec": spec });
        let ports = json!([{ "port": 80 }]);
        for (name, spec, address, port) in [
            ("a", json!({ "type": "ClusterIP", "ports": ports }), json!("10.96.1.1"), Value::Null),
            (
                "given",
                json!({ "type": "ClusterIP", "clusterIP": "10.96.1.2", "ports": ports }),
                json!("10.96.1.2"),
                Value::Null,
            ),
            ("b", json!({ "type": "NodePort", "ports": ports }), json!("10.96.1.3"), json!(30_086)),
            (
                "headless",
                json!({ "type": "ClusterIP", "clusterIP": "None", "ports": ports }),
                json!("None"),
                Value::Null,
            ),
            ("name", json!({ "type": "ExternalName", "externalName": "example.com" }), Value::Null, Value::Null),
            ("c", json!({ "type": "LoadBalancer", "ports": ports }), json!("10.96.1.4"), json!(30_087)),
        ] {
            let id = cluster.create_from(&service(name, spec)).expect("a Service");
            let shown = cluster.export(id);
            assert_eq!(shown["spec"]["clusterIP"], address, "{name}");
            assert_eq!(shown["spec"]["ports"][0]["nodePort"], port, "{name}");
        }
    }
}
