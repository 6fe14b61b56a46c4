//! Changing the resources of a running pod (KEP 1287): what is wanted, what the kubelet has granted, what the containers have.
//!
//! The API server changes the spec ([`Cluster::resize_pod`]); the kubelet grants it ([`Cluster::set_pod_allocated`]) or refuses it for
//! good ([`Cluster::set_resize_infeasible`]), and then gives it to the containers ([`Cluster::set_pod_actual`]). Meanwhile the pod
//! takes from its node the most of the three, container by container, as the scheduler counts it.

use serde_json::{Value, json};

use crate::api::quantity::Quantity;
use crate::cluster::change::What;
use crate::cluster::columns::PodResources;
use crate::cluster::ids::{PodId, SpecId};
use crate::cluster::pod_resources;
use crate::cluster::store::Cluster;

/// A pod whose containers do not yet have the resources that its spec wants.
#[derive(Clone, Debug, PartialEq)]
pub struct PodResize {
    /// The spec whose resources the kubelet has granted (`status.containerStatuses[].allocatedResources`).
    pub allocated: SpecId,
    /// The spec whose resources the containers have (`status.containerStatuses[].resources`).
    pub actual: SpecId,
    /// Whether the kubelet has refused the wish for good (condition `PodResizePending`, reason `Infeasible`): it then does not count.
    pub infeasible: bool,
    /// What the pod takes from its node.
    pub resources: PodResources,
}

impl Cluster {
    /// Replaces the spec of a pod by one with other resources: the `resize` subresource. A pod that its kubelet has taken on keeps
    /// what it had as granted and actual until the kubelet writes otherwise.
    pub fn resize_pod(&mut self, pod: PodId, spec: SpecId) {
        let row = &self.pods[pod];
        if row.spec == spec {
            return;
        }
        let before = row.spec;
        let resize = match &row.resized {
            None if row.start_time.is_none() => None,
            None => Some(PodResize {
                allocated: before,
                actual: before,
                infeasible: false,
                resources: PodResources::default(),
            }),
            Some(resize) => Some((**resize).clone()),
        };
        self.vacate(pod);
        self.pods[pod].spec = spec;
        self.pods[pod].meta.generation += 1;
        self.keep_resize(pod, resize);
        self.occupy(pod);
        self.wrote(pod.into(), What::Spec);
    }

    /// The kubelet grants the resources of `spec`.
    pub fn set_pod_allocated(&mut self, pod: PodId, spec: SpecId) {
        self.change_resize(pod, |resize| resize.allocated = spec);
    }

    /// The containers have the resources of `spec`.
    pub fn set_pod_actual(&mut self, pod: PodId, spec: SpecId) {
        self.change_resize(pod, |resize| resize.actual = spec);
    }

    /// The kubelet refuses the wish for good, or thinks again.
    pub fn set_resize_infeasible(&mut self, pod: PodId, infeasible: bool) {
        self.change_resize(pod, |resize| resize.infeasible = infeasible);
    }

    /// The spec whose resources the kubelet has granted: that of the pod, unless a resize is in progress.
    pub fn allocated_spec(&self, pod: PodId) -> SpecId {
        let row = &self.pods[pod];
        row.resized.as_ref().map_or(row.spec, |resize| resize.allocated)
    }

    /// The spec whose resources the containers have: that of the pod, unless a resize is in progress.
    pub fn actual_spec(&self, pod: PodId) -> SpecId {
        let row = &self.pods[pod];
        row.resized.as_ref().map_or(row.spec, |resize| resize.actual)
    }

    /// What a pod takes from its node.
    pub fn resources_of(&self, pod: PodId) -> &PodResources {
        self.pods[pod].resized.as_deref().map_or_else(|| &self.spec_of(pod).resources, |resize| &resize.resources)
    }

    fn change_resize(&mut self, pod: PodId, change: impl FnOnce(&mut PodResize)) {
        let Some(before) = self.pods[pod].resized.as_deref() else { return };
        let mut after = before.clone();
        change(&mut after);
        if after == *before {
            return;
        }
        self.vacate(pod);
        self.keep_resize(pod, Some(after));
        self.occupy(pod);
        self.wrote(pod.into(), What::Status);
    }

    /// Stores a resize with what the pod now takes, or none if granted and actual are what is wanted. The pod is off its node.
    pub(in crate::cluster) fn keep_resize(&mut self, pod: PodId, resize: Option<PodResize>) {
        let spec = self.pods[pod].spec;
        let resize = resize.filter(|resize| (resize.allocated, resize.actual) != (spec, spec)).map(|mut resize| {
            let [wanted, allocated, actual] = [spec, resize.allocated, resize.actual].map(|id| self.specs.shared(id));
            let specs = [&wanted.typed, &allocated.typed, &actual.typed];
            resize.resources = pod_resources::during_resize(specs, resize.infeasible, &mut self.interner);
            Box::new(resize)
        });
        self.pods[pod].resized = resize;
    }

    /// The resize that the status of a dumped pod tells of; a status that cannot be read tells of none.
    pub(in crate::cluster) fn lower_resize(&mut self, pod: PodId, manifest: &Value) {
        let (spec, status) = (&manifest["spec"], &manifest["status"]);
        let reports = ["containerStatuses", "initContainerStatuses", "resources", "allocatedResources"];
        if !reports.iter().any(|key| status.get(key).is_some()) {
            return;
        }
        let allocated = with_reported(spec, status, Reported::Allocated);
        let actual = with_reported(spec, status, Reported::Actual);
        if allocated == *spec && actual == *spec {
            return;
        }
        let (Ok(allocated), Ok(actual)) = (self.intern_spec(&allocated), self.intern_spec(&actual)) else { return };
        let conditions = status["conditions"].as_array().into_iter().flatten();
        let pending = conditions.into_iter().find(|condition| condition["type"] == "PodResizePending");
        let infeasible = pending.is_some_and(|condition| condition["reason"] == "Infeasible");
        self.vacate(pod);
        self.keep_resize(pod, Some(PodResize { allocated, actual, infeasible, resources: PodResources::default() }));
        // Most dumps report what the spec says, in other words.
        if self.resources_of(pod) == &self.spec_of(pod).resources {
            self.pods[pod].resized = None;
        }
        self.occupy(pod);
    }
}

/// Which of the two that a status reports.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reported {
    Allocated,
    Actual,
}

/// The spec with the resources that the status reports in place of those wanted.
fn with_reported(spec: &Value, status: &Value, which: Reported) -> Value {
    let mut spec = spec.clone();
    for (containers, statuses) in [("containers", "containerStatuses"), ("initContainers", "initContainerStatuses")] {
        for container in spec.get_mut(containers).and_then(Value::as_array_mut).into_iter().flatten() {
            let status = status[statuses].as_array().into_iter().flatten().find(|one| one["name"] == container["name"]);
            // Without resources in effect nothing counts (component-helpers, `determineContainerReqs`).
            let Some(status) = status.filter(|status| status["resources"].is_object()) else { continue };
            replace(container, status, which);
        }
    }
    if spec["resources"].is_object() && replace(&mut spec, status, which) {
        // What is reported of a pod as a whole includes the overhead.
        let overhead = spec["overhead"].clone();
        let requests = spec.pointer_mut("/resources/requests").and_then(Value::as_object_mut);
        for (name, amount) in requests.into_iter().flatten() {
            let parsed = |value: &Value| value.as_str().and_then(|text| text.parse::<Quantity>().ok());
            if let (Some(mut net), Some(overhead)) = (parsed(amount), parsed(&overhead[name.as_str()])) {
                net.sub(&overhead);
                let net = if net.sign() < 0 { Quantity::from_value(0, net.format()) } else { net };
                *amount = json!(net.to_string());
            }
        }
    }
    spec
}

/// Puts what `status` reports into `resources` of a container or pod, if it reports anything. Where it has one of the two alone,
/// the other does not count: it is taken to be the same.
fn replace(holder: &mut Value, status: &Value, which: Reported) -> bool {
    let (granted, actual) = (&status["allocatedResources"], &status["resources"]);
    if granted.is_object() && (which == Reported::Allocated || !actual.is_object()) {
        if !holder["resources"].is_object() {
            holder["resources"] = json!({});
        }
        holder["resources"]["requests"] = granted.clone();
    } else if actual.is_object() {
        holder["resources"] = actual.clone();
    } else {
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ids::ResourceId;
    use crate::engine::Time;

    fn pod(a: &str, b: &str) -> Value {
        let container =
            |name: &str, cpu: &str| json!({ "name": name, "image": "i", "resources": { "requests": { "cpu": cpu } } });
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p" },
            "spec": { "nodeName": "n", "containers": [container("a", a), container("b", b)] },
        })
    }

    #[test]
    fn a_resize_counts_the_most_of_wanted_granted_and_actual() {
        let mut cluster = Cluster::new(0);
        let node = json!({ "kind": "Node", "metadata": { "name": "n" }, "status": { "allocatable": { "cpu": "8" } } });
        cluster.create_from(&node).expect("a node");
        let node = cluster.find_node("n").expect("the node");
        cluster.create_from(&pod("1", "2")).expect("a pod");
        let pod_id = cluster.find_pod("default", "p").expect("the pod");
        let requested = |cluster: &Cluster| {
            cluster.check().expect("a sound store");
            cluster.columns().requested(node, ResourceId::CPU)
        };
        let spec = |cluster: &mut Cluster, a: &str, b: &str| cluster.intern_spec(&pod(a, b)["spec"]).expect("a spec");
        let first = spec(&mut cluster, "1", "1");
        cluster.resize_pod(pod_id, first);
        assert_eq!(requested(&cluster), 2000, "the kubelet has not taken it on: only the spec counts");
        cluster.set_start_time(pod_id, Time::ZERO);
        let second = spec(&mut cluster, "3", "500m");
        cluster.resize_pod(pod_id, second);
        assert_eq!(requested(&cluster), 4000, "a wants more, b still has more");
        assert_eq!((cluster.allocated_spec(pod_id), cluster.pod(pod_id).meta.generation), (first, 3));
        cluster.set_resize_infeasible(pod_id, true);
        assert_eq!(requested(&cluster), 2000, "what is refused for good does not count");
        cluster.set_resize_infeasible(pod_id, false);
        cluster.set_pod_allocated(pod_id, second);
        assert_eq!(requested(&cluster), 4000, "granted, not yet in effect");
        cluster.set_pod_actual(pod_id, second);
        assert_eq!(requested(&cluster), 3500, "in effect");
        assert!(cluster.pod(pod_id).resized.is_none(), "nothing is in progress any more");
    }

    #[test]
    fn a_dumped_resize_counts_what_its_status_reports() {
        let container = |cpu: &str| json!({ "name": "a", "image": "i", "resources": { "requests": { "cpu": cpu } } });
        let refused = json!([{ "type": "PodResizePending", "status": "True", "reason": "Infeasible" }]);
        let status = |granted: Value| {
            let mut status = container("1");
            status["allocatedResources"] = granted;
            json!({ "phase": "Running", "conditions": refused, "containerStatuses": [status] })
        };
        let whole = json!({ "phase": "Running", "conditions": refused, "allocatedResources": { "cpu": "1500m" } });
        let plain = json!({ "containers": [container("3")] });
        let of_pod = |reports: Value| {
            let spec = json!({
                "containers": [container("500m")],
                "overhead": { "cpu": "250m" }, "resources": { "requests": { "cpu": "3" } },
            });
            (spec, reports)
        };
        let all_is_well =
            json!({ "phase": "Running", "conditions": refused, "containerStatuses": [container("400m")] });
        for ((mut spec, status), milli_cpu, why) in [
            ((plain.clone(), status(json!({ "cpu": "2" }))), 2000, "granted 2, 1 in effect"),
            ((plain, status(Value::Null)), 1000, "what is not reported as granted does not count"),
            (of_pod(whole), 1500, "the overhead is part of what is reported of the pod"),
            (of_pod(all_is_well), 3250, "nothing is reported of the pod: it has what it wants, and the overhead"),
        ] {
            let mut cluster = Cluster::new(0);
            let node =
                json!({ "kind": "Node", "metadata": { "name": "n" }, "status": { "allocatable": { "cpu": "8" } } });
            cluster.create_from(&node).expect("a node");
            spec["nodeName"] = json!("n");
            let pod = json!({ "kind": "Pod", "metadata": { "name": "p" }, "spec": spec, "status": status });
            cluster.create_from(&pod).expect("a pod");
            let node = cluster.find_node("n").expect("the node");
            cluster.check().expect("a sound store");
            assert_eq!(cluster.columns().requested(node, ResourceId::CPU), milli_cpu, "{why}");
        }
    }
}
