//! The ports of an endpoint, in the order in which the real controller writes them.

use crate::cluster::objects::{EndpointPort, Service, TargetPort};
use crate::cluster::{Cluster, PodSpec, Sym};

/// The ports of a pod's endpoint; a name that no container has is left out.
pub(super) fn ports(service: &Service, spec: &PodSpec, cluster: &Cluster) -> Vec<EndpointPort> {
    let resolved = service.ports.iter().filter_map(|port| {
        let number = match port.target {
            TargetPort::Number(number) => number,
            TargetPort::Name(name) => {
                find_port(spec, cluster.interner.text(name), cluster.interner.text(port.protocol))?
            }
        };
        Some(EndpointPort { name: port.name, port: number, protocol: port.protocol, app_protocol: port.app_protocol })
    });
    let mut ports: Vec<EndpointPort> = resolved.collect();
    if ports.len() > 1 {
        ports.sort_by_key(|port| order_key(port, cluster));
    }
    ports
}

/// The container port of that name and protocol: regular containers first, then sidecars (`FindPort`).
fn find_port(spec: &PodSpec, name: &str, protocol: &str) -> Option<u16> {
    let sidecars =
        spec.typed.init_containers.iter().flatten().filter(|c| c.restart_policy.as_deref() == Some("Always"));
    let ports = spec.typed.containers.iter().chain(sidecars).flat_map(|container| container.ports.iter().flatten());
    let mut found = ports
        .filter(|port| port.name.as_deref() == Some(name) && port.protocol.as_deref().unwrap_or("TCP") == protocol);
    found.next().and_then(|port| u16::try_from(port.container_port).ok())
}

/// What ports are ordered by: the FNV-1a hash, 128 bits wide, of the port as Go prints it (k8s.io/endpointslice/util,
/// `portsInOrder`).
fn order_key(port: &EndpointPort, cluster: &Cluster) -> u128 {
    let app_protocol = match port.app_protocol {
        Sym::EMPTY => "<nil>",
        name => cluster.interner.text(name),
    };
    let (name, protocol) = (cluster.interner.text(port.name), cluster.interner.text(port.protocol));
    hash_of(name, protocol, port.port, app_protocol)
}

fn hash_of(name: &str, protocol: &str, port: u16, app_protocol: &str) -> u128 {
    let text = format!(
        "(v1.EndpointPort){{Name:(*string){name} Protocol:(*v1.Protocol){protocol} Port:(*int32){port} \
         AppProtocol:(*string){app_protocol}}}"
    );
    text.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash: u128, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_stand_in_the_order_of_their_hashes() {
        // As recorded: `http` 8080 before `metrics` 9091, which comes before `http` 8888.
        let hash = |name, port| hash_of(name, "TCP", port, "<nil>");
        assert!(hash("http", 8080) < hash("metrics", 9091));
        assert!(hash("metrics", 9091) < hash("http", 8888));
    }
}
