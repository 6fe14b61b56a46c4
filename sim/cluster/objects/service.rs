//! Services.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Exporting, Kind, Lowering, body_variant};
use crate::api::selector::Selector;
use crate::cluster::ids::Sym;

/// A Service.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// `spec.selector`; none if somebody else keeps the endpoints.
    pub selector: Option<Arc<Selector>>,
    /// `spec.ports`.
    pub ports: Arc<[ServicePort]>,
    /// Whether `spec.type` is `ExternalName`: a name only, without endpoints.
    pub external_name: bool,
    /// Whether `spec.clusterIP` is `None`.
    pub headless: bool,
    /// `spec.publishNotReadyAddresses`.
    pub publish_not_ready: bool,
    /// Whether `spec.trafficDistribution` asks for the client's zone (`PreferSameZone`, `PreferClose`, `PreferSameNode`).
    pub prefer_zone: bool,
    /// Whether it asks for the client's node (`PreferSameNode`).
    pub prefer_node: bool,
    /// `status` as written.
    pub status: Option<Value>,
}

/// One port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// `name`, empty if it has none.
    pub name: Sym,
    /// `protocol`.
    pub protocol: Sym,
    /// `appProtocol`, empty if it has none.
    pub app_protocol: Sym,
    /// `port`.
    pub port: u16,
    /// `targetPort`.
    pub target: TargetPort,
}

/// `targetPort`: a number, or the name of a port of the pod's containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetPort {
    /// A number.
    Number(u16),
    /// A name.
    Name(Sym),
}

impl Kind for Service {
    const KIND: &'static str = "Service";

    fn lower(object: &Value, cx: &mut Lowering<'_>) -> Result<Service, String> {
        let spec = &object["spec"];
        let number = |value: &Value| value.as_u64().and_then(|port| u16::try_from(port).ok());
        let mut ports = Vec::new();
        for port in spec["ports"].as_array().into_iter().flatten() {
            let mut sym = |key: &str| cx.interner.sym(port[key].as_str().unwrap_or_default());
            let (name, protocol, app_protocol) = (sym("name"), sym("protocol"), sym("appProtocol"));
            let own = number(&port["port"]).unwrap_or(0);
            let target = match &port["targetPort"] {
                Value::String(name) => TargetPort::Name(cx.interner.sym(name)),
                given => TargetPort::Number(number(given).filter(|&port| port != 0).unwrap_or(own)),
            };
            let protocol = if protocol == Sym::EMPTY { cx.interner.sym("TCP") } else { protocol };
            ports.push(ServicePort { name, protocol, app_protocol, port: own, target });
        }
        let labels = spec["selector"].as_object().filter(|labels| !labels.is_empty());
        let selector = labels.map(|labels| {
            let labels = labels.iter().map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()));
            Arc::new(Selector::from_labels(labels))
        });
        let distribution = spec["trafficDistribution"].as_str().unwrap_or_default();
        Ok(Service {
            selector,
            ports: ports.into(),
            external_name: spec["type"] == "ExternalName",
            headless: spec["clusterIP"] == "None",
            publish_not_ready: spec["publishNotReadyAddresses"].as_bool().unwrap_or(false),
            prefer_zone: matches!(distribution, "PreferClose" | "PreferSameZone" | "PreferSameNode"),
            prefer_node: distribution == "PreferSameNode",
            status: object.get("status").cloned(),
        })
    }

    fn export(&self, _: Exporting<'_>, object: &mut Map<String, Value>) {
        let status = self.status.clone().unwrap_or_else(|| json!({ "loadBalancer": {} }));
        object.insert("status".into(), status);
    }

    fn keep_status(&mut self, old: &Service) {
        self.status.clone_from(&old.status);
    }

    body_variant!(Service);
}
