//! `topology_allocation`: how the EndpointSlice controller shares out the endpoints of a Service among zones.

use serde_json::{Map, Value, json};

use super::lab::{Lab, template};
use super::{Answer, members, only, stated};
use crate::cluster::objects::{Endpoint, EndpointSlice};
use crate::cluster::{ConditionStatus, ObjectRef, Sym};
use crate::controllers::endpoint_slice::EndpointSliceController;
use crate::controllers::endpoint_slice::topology::{NoHints, allocations, cpu_by_zone};

const ZONE: &str = "topology.kubernetes.io/zone";

/// `cpu` by zone, one ready node each, and so many `endpoints`, spread over the zones.
pub(super) fn case(row: &Value) -> Answer {
    let cpu = row["cpu"].as_object()?;
    let n_endpoints = usize::try_from(row["endpoints"].as_u64().filter(|&count| count <= 1_000)?).ok()?;
    let mut bench = Bench::new(json!({}))?;
    for (zone, cores) in cpu {
        bench.node(zone, &cores.as_u64()?.to_string());
    }
    let zones: Vec<&str> = cpu.keys().map(String::as_str).collect();
    bench.pods((0..n_endpoints).map(|nth| zones[nth % zones.len()]))?;
    let cluster = &bench.lab.cluster;
    let by_zone = cpu_by_zone(cluster).ok()?;
    let allocated = allocations(&by_zone, n_endpoints);
    let hints = bench.endpoints().iter().all(|endpoint| endpoint.for_zone != Sym::EMPTY);
    let hinted = bench.endpoints().iter().any(|endpoint| endpoint.for_zone != Sym::EMPTY);
    if let Some(text) = row["expect"].as_str() {
        only(text, "no hints")?;
        let reason = text.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        let why = match allocated {
            Err(NoHints::FewEndpoints) => "fewer endpoints than zones",
            Err(NoHints::OneZone) => "one zone",
            _ => "another reason",
        };
        return stated(&row["expect"], !hinted && reason.is_none_or(|reason| reason == why), why);
    }
    let allocated = allocated.ok()?;
    let minimum: Map<String, Value> =
        allocated.iter().map(|zone| (cluster.interner.text(zone.zone).to_owned(), zone.minimum.into())).collect();
    let each =
        allocated.first().map(|zone| zone.minimum).filter(|each| allocated.iter().all(|zone| zone.minimum == *each));
    members(&row["expect"], &json!({ "hints": hints, "minimum": minimum, "minimum_each": each }))
}

/// A Service with pods on nodes of zones.
pub(super) struct Bench {
    pub(super) lab: Lab,
    zones: Vec<(String, crate::cluster::NodeId)>,
    n_pods: usize,
}

impl Bench {
    /// Of a Service that asks for hints by topology, or as `spec` says.
    pub(super) fn new(spec: Value) -> Option<Bench> {
        let mut lab = Lab::new(vec![Box::new(EndpointSliceController::default())]);
        let by_annotation = spec["trafficDistribution"].is_null();
        let mut manifest = json!({ "kind": "Service", "metadata": { "name": "web" }, "spec": spec });
        manifest["spec"]["selector"] = json!({ "app": "web" });
        manifest["spec"]["ports"] = json!([{ "port": 80, "protocol": "TCP" }]);
        if by_annotation {
            manifest["metadata"]["annotations"] = json!({ "service.kubernetes.io/topology-mode": "Auto" });
        }
        lab.object(&manifest)?;
        Some(Bench { lab, zones: Vec::new(), n_pods: 0 })
    }

    /// A ready node; without a zone if that is empty.
    pub(super) fn node(&mut self, zone: &str, cpu: &str) {
        let name = format!("n{}", self.zones.len());
        let labels = if zone.is_empty() { json!({}) } else { json!({ ZONE: zone }) };
        let amounts = json!({ "cpu": cpu, "memory": "64Gi", "pods": "2000" });
        self.lab.create(&json!({ "kind": "Node", "metadata": { "name": name, "labels": labels },
            "status": { "allocatable": amounts } }));
        let Some(node) = self.lab.cluster.find_node(&name) else { return };
        self.lab.write(|cluster| {
            let ready = cluster.words.ready;
            cluster.set_node_condition(node, ready, ConditionStatus::True, Sym::EMPTY, Sym::EMPTY);
        });
        self.zones.push((zone.to_owned(), node));
    }

    /// Ready pods on nodes of these zones.
    pub(super) fn pods<'a>(&mut self, zones: impl Iterator<Item = &'a str>) -> Option<()> {
        for zone in zones {
            let mut pod = template("web", "v1");
            pod["kind"] = "Pod".into();
            pod["metadata"]["name"] = format!("p{}", self.n_pods).into();
            let node = self.zones.iter().find(|(known, _)| known == zone)?.1;
            let ObjectRef::Pod(pod) = self.lab.create(&pod)? else { return None };
            let ip = 0x0a00_0001 + pod.0;
            self.lab.write(|cluster| {
                cluster.bind(pod, node);
                cluster.set_pod_ip(pod, ip);
            });
            self.lab.run(pod, true);
            self.n_pods += 1;
        }
        self.lab.after(60);
        Some(())
    }

    /// All endpoints, as the slices have them.
    pub(super) fn endpoints(&self) -> Vec<Endpoint> {
        let cluster = &self.lab.cluster;
        cluster
            .of_kind("EndpointSlice")
            .flat_map(|slice| cluster.get::<EndpointSlice>(slice).endpoints.clone())
            .collect()
    }
}
