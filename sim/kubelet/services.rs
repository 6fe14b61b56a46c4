//! Services that probes depend on: whether somebody answers there (`models[].probes.*.dependsOn`).
//!
//! Components meet in the store: what a probe sees of another service is whether its EndpointSlices have an endpoint that is ready.

use std::collections::{BTreeMap, BTreeSet};

use super::kubelets::Kubelets;
use super::model::{ContainerModel, ServiceName};
use super::probing::Which;
use super::worker::Worker;
use crate::cluster::objects::{EndpointSlice, Kind, Service};
use crate::cluster::{Agenda, Cluster, Event, KubeletEvent, ObjId, PodId, PodStep};
use crate::engine::Span;

/// The label of a slice that names its service.
const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// The services that probes depend on, by namespace and name.
#[derive(Clone, Debug, Default)]
pub(super) struct Services {
    watched: BTreeMap<String, BTreeMap<String, Watched>>,
}

/// A service that probes depend on.
#[derive(Clone, Debug, Default)]
struct Watched {
    /// Whether it has an endpoint that is ready.
    answers: bool,
    /// The pods whose probes depend on it.
    pods: BTreeSet<PodId>,
}

impl Services {
    /// A pod's worker is gone.
    pub(super) fn forget(&mut self, pod: PodId) {
        for service in self.watched.values_mut().flat_map(BTreeMap::values_mut) {
            service.pods.remove(&pod);
        }
    }
}

impl Kubelets {
    /// Watches the services that the probes of a pod depend on.
    pub(super) fn watch_services(&mut self, w: &Worker, cluster: &Cluster) {
        for model in &w.behaviour.containers {
            for which in Which::ALL {
                for name in depends_on(model, which) {
                    let namespace = name.namespace.as_deref().unwrap_or(cluster.namespace(w.pod));
                    let services = self.services.watched.entry(namespace.to_owned()).or_default();
                    let watched = services.entry(name.name.clone()).or_insert_with(|| {
                        let answers = does_answer(namespace, &name.name, cluster);
                        Watched { answers, pods: BTreeSet::new() }
                    });
                    watched.pods.insert(w.pod);
                }
            }
        }
    }

    /// Whether a service that a probe depends on does not answer.
    pub(super) fn lacks_service(&self, w: &Worker, idx: usize, which: Which, cluster: &Cluster) -> bool {
        let answers = |name: &ServiceName| {
            let namespace = name.namespace.as_deref().unwrap_or(cluster.namespace(w.pod));
            let watched = self.services.watched.get(namespace).and_then(|services| services.get(&name.name));
            watched.map_or_else(|| does_answer(namespace, &name.name, cluster), |watched| watched.answers)
        };
        !depends_on(w.model(idx), which).iter().all(answers)
    }

    /// An object has changed: if it is a service, or endpoints of one, the pods whose probes depend on it may see it.
    pub(super) fn endpoints_changed(&mut self, id: ObjId, cluster: &Cluster, agenda: &mut Agenda) {
        if cluster.try_get::<EndpointSlice>(id).is_none() && cluster.try_get::<Service>(id).is_none() {
            return;
        }
        let Some(services) = self.services.watched.get_mut(cluster.namespace(id)) else { return };
        for (name, service) in services {
            let answers = does_answer(cluster.namespace(id), name, cluster);
            if std::mem::replace(&mut service.answers, answers) != answers {
                for &pod in &service.pods {
                    let event = KubeletEvent::Pod { pod, epoch: 0, step: PodStep::ServicesChanged, container: 0 };
                    agenda.after(Span::ZERO, Event::Kubelet(event));
                }
            }
        }
    }
}

/// What the probe of a container depends on.
fn depends_on(model: &ContainerModel, which: Which) -> &[ServiceName] {
    match which {
        Which::Startup => &model.startup_probe.depends_on,
        Which::Readiness => &model.readiness.depends_on,
        Which::Liveness => &model.liveness.depends_on,
    }
}

/// Whether a service has an endpoint that is ready. One that names something outside of the cluster answers as long as it exists.
fn does_answer(namespace: &str, name: &str, cluster: &Cluster) -> bool {
    let Some(service) = cluster.find(Service::KIND, namespace, name) else { return false };
    if cluster.get::<Service>(service).external_name {
        return true;
    }
    let mut slices = cluster.of_kind_in(EndpointSlice::KIND, cluster.object(service).meta.namespace);
    slices.any(|slice| {
        let of_service = cluster.label(cluster.object(slice).meta.labels, SERVICE_LABEL) == Some(name);
        of_service && has_ready_endpoint(cluster.get::<EndpointSlice>(slice))
    })
}

fn has_ready_endpoint(slice: &EndpointSlice) -> bool {
    let Some(written) = slice.written.as_deref() else {
        return slice.endpoints.iter().any(|endpoint| endpoint.ready);
    };
    // Of endpoints that somebody wrote, those that do not say are ready.
    let endpoints = written["endpoints"].as_array().map(Vec::as_slice).unwrap_or_default();
    endpoints.iter().any(|endpoint| endpoint["conditions"]["ready"].as_bool().unwrap_or(true))
}
