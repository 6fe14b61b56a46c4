//! `summary.json`, `pods.csv`, `nodes.csv`, `series.csv`.

use serde::Serialize;

use super::Run;
use crate::cluster::{NodeId, ResourceId};
use crate::engine::{Id, Time};
use crate::error::{Error, Result};
use crate::metrics::{Sample, SeriesKey};

/// `summary.json`: the summary alone, without wall-clock figures, so that equal runs give equal bytes.
///
/// # Errors
///
/// None in practice; the signature is that of all exporters.
pub fn summary_json(run: &Run<'_>) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(run.summary).map_err(|error| Error::new(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[derive(Serialize)]
struct PodRow<'a> {
    namespace: &'a str,
    pod: &'a str,
    node: &'a str,
    outcome: &'static str,
    created_s: f64,
    bound_s: Option<f64>,
    running_s: Option<f64>,
    ready_s: Option<f64>,
    deletion_requested_s: Option<f64>,
    ended_s: Option<f64>,
    scheduling_latency_s: Option<f64>,
    startup_latency_s: Option<f64>,
    failed_attempts: u32,
    restarts: u32,
    priority: i32,
    cpu_request_m: i64,
    memory_request_bytes: i64,
}

/// `pods.csv`: one row per pod that has ever been, in order of creation. Times are seconds of virtual time.
///
/// # Errors
///
/// None in practice; the signature is that of all exporters.
pub fn pods_csv(run: &Run<'_>) -> Result<Vec<u8>> {
    let cluster = run.cluster;
    let seconds = |at: Option<Time>| at.map(Time::as_secs_f64);
    let rows = run.recorder.pods.iter().map(|(id, record)| {
        let pod = cluster.pod(id);
        let spec = cluster.spec_of(id);
        PodRow {
            namespace: cluster.namespace(id),
            pod: cluster.name(id),
            node: record.node.map_or("", |node| cluster.name(node)),
            outcome: run.recorder.pods.outcome(id, cluster).as_str(),
            created_s: record.created.as_secs_f64(),
            bound_s: seconds(record.bound),
            running_s: seconds(record.running),
            ready_s: seconds(record.ready),
            deletion_requested_s: seconds(record.deleting),
            ended_s: seconds(record.ended),
            scheduling_latency_s: record.scheduling_latency().map(|span| span.as_secs_f64()),
            startup_latency_s: record.startup_latency().map(|span| span.as_secs_f64()),
            failed_attempts: record.n_failed_attempts,
            restarts: pod.containers.iter().map(|container| container.restarts).sum(),
            priority: spec.priority,
            cpu_request_m: spec.resources.request(ResourceId::CPU),
            memory_request_bytes: spec.resources.request(ResourceId::MEMORY),
        }
    });
    csv_bytes(rows)
}

#[derive(Serialize)]
struct NodeCsvRow<'a> {
    node: &'a str,
    zone: &'a str,
    present: bool,
    pods: i64,
    pods_ever: usize,
    resource: &'a str,
    allocatable: i64,
    requested: i64,
}

/// `nodes.csv`: one row per node and resource, as at the end of the run. CPU is in thousandths of a core.
///
/// # Errors
///
/// None in practice; the signature is that of all exporters.
pub fn nodes_csv(run: &Run<'_>) -> Result<Vec<u8>> {
    let cluster = run.cluster;
    let mut pods_ever = vec![0usize; cluster.nodes_ever().len()];
    for node in run.recorder.pods.iter().filter_map(|(_, record)| record.node) {
        pods_ever[node.index()] += 1;
    }
    let rows = cluster.nodes_ever().iter().flat_map(|(id, node)| {
        let row = move |resource: ResourceId, allocatable: i64, pods_ever: usize| NodeCsvRow {
            node: cluster.name(id),
            zone: cluster.label(node.meta.labels, "topology.kubernetes.io/zone").unwrap_or(""),
            present: !node.meta.removed,
            pods: cluster.columns().n_pods[id.index()],
            pods_ever,
            resource: cluster.interner.resource_name(resource),
            allocatable,
            requested: requested(run, id, resource),
        };
        let ever = pods_ever[id.index()];
        node.allocatable
            .iter()
            .map(move |&(resource, allocatable)| row(resource, allocatable, ever))
            .collect::<Vec<_>>()
    });
    csv_bytes(rows)
}

fn requested(run: &Run<'_>, node: NodeId, resource: ResourceId) -> i64 {
    match resource {
        ResourceId::PODS => run.cluster.columns().n_pods[node.index()],
        _ => run.cluster.columns().requested(node, resource),
    }
}

#[derive(Serialize)]
struct SeriesRow<'a> {
    time_s: f64,
    metric: &'static str,
    pool: &'a str,
    namespace: &'a str,
    resource: &'a str,
    value: i64,
}

/// `series.csv`: one row per sample and series that is not zero. CPU is in thousandths of a core.
///
/// # Errors
///
/// None in practice; the signature is that of all exporters.
pub fn series_csv(run: &Run<'_>) -> Result<Vec<u8>> {
    csv_bytes(run.recorder.series.samples().iter().flat_map(|sample| series_rows(run, sample)))
}

fn series_rows<'a>(run: &Run<'a>, sample: &'a Sample) -> impl Iterator<Item = SeriesRow<'a>> + use<'a> {
    let interner = &run.cluster.interner;
    let time_s = sample.at.as_secs_f64();
    sample.values.iter().map(move |(&key, &value)| {
        let (metric, pool, namespace, resource) = match key {
            SeriesKey::Allocatable(pool, resource) => {
                ("allocatable", interner.text(pool), "", interner.resource_name(resource))
            }
            SeriesKey::Requested(pool, resource) => {
                ("requested", interner.text(pool), "", interner.resource_name(resource))
            }
            SeriesKey::Pending(namespace) => ("pods_pending", "", interner.text(namespace), ""),
            SeriesKey::Starting(namespace) => ("pods_starting", "", interner.text(namespace), ""),
            SeriesKey::Running(namespace) => ("pods_running", "", interner.text(namespace), ""),
        };
        SeriesRow { time_s, metric, pool, namespace, resource, value }
    })
}

fn csv_bytes<R: Serialize>(rows: impl Iterator<Item = R>) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).map_err(|error| Error::new(error.to_string()))?;
    }
    writer.into_inner().map_err(|error| Error::new(error.to_string()))
}
