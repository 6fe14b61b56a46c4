//! EndpointSlices.

use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

use super::{Exporting, Kind, Lowering, body_variant};
use crate::cluster::ids::{PodId, Sym};
use crate::cluster::meta::uid_text;

/// An EndpointSlice: some of the endpoints of a Service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointSlice {
    /// `endpoints`.
    pub endpoints: Vec<Endpoint>,
    /// `ports`.
    pub ports: Vec<EndpointPort>,
    /// The slice as written, if it came with the input: then nobody keeps it.
    pub written: Option<Box<Value>>,
}

/// One endpoint: a pod that a Service selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The pod.
    pub pod: PodId,
    /// Its name.
    pub pod_name: Sym,
    /// Its namespace.
    pub namespace: Sym,
    /// Its uid.
    pub pod_uid: u64,
    /// Its address as a number.
    pub ip: u32,
    /// `conditions.ready`: takes new connections.
    pub ready: bool,
    /// `conditions.serving`: the pod is ready, whether it leaves or not.
    pub serving: bool,
    /// `conditions.terminating`.
    pub terminating: bool,
    /// `nodeName`.
    pub node: Sym,
    /// `zone`, may be empty.
    pub zone: Sym,
    /// `hostname`, may be empty.
    pub hostname: Sym,
    /// The zone that `hints.forZones` names, may be empty.
    pub for_zone: Sym,
    /// Whether `hints.forNodes` names its node.
    pub for_node: bool,
}

/// One port of all endpoints of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndpointPort {
    /// `name`.
    pub name: Sym,
    /// `port`.
    pub port: u16,
    /// `protocol`.
    pub protocol: Sym,
    /// `appProtocol`, may be empty.
    pub app_protocol: Sym,
}

impl Kind for EndpointSlice {
    const KIND: &'static str = "EndpointSlice";

    fn lower(object: &Value, _: &mut Lowering<'_>) -> Result<EndpointSlice, String> {
        let fields = ["addressType", "endpoints", "ports"].map(|key| (key.to_owned(), object[key].clone()));
        let written = fields.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>();
        Ok(EndpointSlice { written: Some(Box::new(written.into())), ..EndpointSlice::default() })
    }

    fn export(&self, cx: Exporting<'_>, object: &mut Map<String, Value>) {
        if let Some(Value::Object(written)) = self.written.as_deref() {
            object.extend(written.clone());
            return;
        }
        object.insert("addressType".into(), "IPv4".into());
        let endpoints: Vec<Value> = self.endpoints.iter().map(|endpoint| endpoint.export(cx)).collect();
        object.insert("endpoints".into(), if endpoints.is_empty() { Value::Null } else { endpoints.into() });
        let ports = self.ports.iter().map(|port| {
            let mut out = json!({
                "name": cx.interner.text(port.name),
                "port": port.port,
                "protocol": cx.interner.text(port.protocol),
            });
            if port.app_protocol != Sym::EMPTY {
                out["appProtocol"] = cx.interner.text(port.app_protocol).into();
            }
            out
        });
        object.insert("ports".into(), if self.ports.is_empty() { Value::Null } else { ports.collect() });
    }

    body_variant!(EndpointSlice);
}

impl Endpoint {
    fn export(&self, cx: Exporting<'_>) -> Value {
        let text = |sym: Sym| Value::from(cx.interner.text(sym));
        let mut out = json!({
            "addresses": [Ipv4Addr::from(self.ip).to_string()],
            "conditions": { "ready": self.ready, "serving": self.serving, "terminating": self.terminating },
            "targetRef": {
                "kind": "Pod",
                "name": text(self.pod_name),
                "namespace": text(self.namespace),
                "uid": uid_text(self.pod_uid),
            },
        });
        for (key, sym) in [("nodeName", self.node), ("zone", self.zone), ("hostname", self.hostname)] {
            if sym != Sym::EMPTY {
                out[key] = text(sym);
            }
        }
        if self.for_zone != Sym::EMPTY {
            out["hints"] = json!({ "forZones": [{ "name": text(self.for_zone) }] });
        }
        if self.for_node {
            out["hints"]["forNodes"] = json!([{ "name": text(self.node) }]);
        }
        out
    }
}
