//! Node pools into Node manifests.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::file::{NodePool, ScenarioSpec};
use crate::api::document::{Document, ReadOptions, read_files};
use crate::api::quantity::Quantity;
use crate::api::toleration::TaintEffect;
use crate::error::{Error, Result};
use crate::metrics::POOL_LABEL;
use crate::workload::{Input, NodeRow, pods, read_nodes};

/// Most nodes that a scenario may have.
const MAX_NODES: usize = 1_000_000;

/// The Node manifests of a scenario, in order.
///
/// # Errors
///
/// Every pool that is wrong, with its place.
pub(super) fn nodes(document: Option<&Document>, spec: &ScenarioSpec, folder: &Path) -> Result<Vec<Value>, Vec<Error>> {
    let default = [default_pool()];
    let pools = spec.cluster.node_pools.as_deref().unwrap_or(&default);
    let (mut nodes, mut errors) = (Vec::new(), Vec::new());
    for (idx, pool) in pools.iter().enumerate() {
        let path = format!("spec.cluster.nodePools[{idx}]");
        let fail = |field: &str, error: Error| match document {
            Some(document) if error.place.is_none() => {
                let place = document.place(&format!("{path}{field}"), crate::api::document::Part::Value);
                error.at(place)
            }
            _ => error,
        };
        match expand(pool, idx, folder, &fail) {
            Ok(more) if nodes.len() + more.len() > MAX_NODES => {
                errors.push(fail(".count", Error::new(format!("more than {MAX_NODES} nodes"))));
                break;
            }
            Ok(more) => nodes.extend(more),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(nodes) } else { Err(errors) }
}

/// Three `m` nodes in zones a, b, c.
fn default_pool() -> NodePool {
    NodePool {
        name: Some("m".to_owned()),
        count: Some(3),
        zones: ["a", "b", "c"].map(str::to_owned).to_vec(),
        ..NodePool::default()
    }
}

fn expand(pool: &NodePool, idx: usize, folder: &Path, fail: &dyn Fn(&str, Error) -> Error) -> Result<Vec<Value>> {
    if let Some(file) = &pool.nodes_from {
        return nodes_from(&folder.join(file), pool).map_err(|error| fail(".nodesFrom", error));
    }
    let name = pool.name.clone().unwrap_or_else(|| format!("pool{idx}"));
    let count = pool.count.unwrap_or(1);
    if count as usize > MAX_NODES {
        return Err(fail(".count", Error::new(format!("{count} nodes are more than {MAX_NODES}"))));
    }
    let capacity = capacity(pool).map_err(|error| fail(".capacity", error))?;
    let allocatable = allocatable(&capacity, &pool.reserved).map_err(|error| fail(".reserved", error))?;
    let images = images(pool).map_err(|error| fail(".images", error))?;
    let mut taints = Vec::new();
    for (idx, taint) in pool.taints.iter().enumerate() {
        if TaintEffect::parse(&taint.effect).is_none() {
            let error = Error::new(format!("`{}` is not an effect of a taint", taint.effect))
                .help("use NoSchedule, PreferNoSchedule or NoExecute");
            return Err(fail(&format!(".taints[{idx}].effect"), error));
        }
        taints.push(json!({ "key": taint.key, "value": taint.value, "effect": taint.effect }));
    }
    let nodes = (0..count).map(|ordinal| {
        let node = format!("{name}-{ordinal}");
        let mut labels = standard_labels(&node);
        if !pool.zones.is_empty() {
            let zone = &pool.zones[ordinal as usize % pool.zones.len()];
            labels.insert("topology.kubernetes.io/zone".into(), json!(zone));
        }
        if let Some(region) = &pool.region {
            labels.insert("topology.kubernetes.io/region".into(), json!(region));
        }
        labels.insert(POOL_LABEL.into(), json!(name));
        labels.extend(pool.labels.iter().map(|(key, value)| (key.clone(), json!(value))));
        json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": { "name": node, "labels": labels },
            "spec": { "taints": taints },
            "status": { "capacity": capacity, "allocatable": allocatable, "images": images },
        })
    });
    Ok(nodes.collect())
}

fn standard_labels(node: &str) -> Map<String, Value> {
    let labels = [
        ("beta.kubernetes.io/arch", "amd64"),
        ("beta.kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", "amd64"),
        ("kubernetes.io/hostname", node),
        ("kubernetes.io/os", "linux"),
    ];
    labels.into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect()
}

fn capacity(pool: &NodePool) -> Result<BTreeMap<String, Value>> {
    let defaults = [("cpu", "4"), ("memory", "16Gi"), ("ephemeral-storage", "100Gi"), ("pods", "110")];
    let mut capacity: BTreeMap<String, Value> =
        defaults.into_iter().map(|(name, amount)| (name.to_owned(), json!(amount))).collect();
    for (name, amount) in &pool.capacity {
        let amount = quantity(name, amount)?;
        capacity.insert(name.clone(), json!(amount.to_string()));
    }
    Ok(capacity)
}

fn allocatable(
    capacity: &BTreeMap<String, Value>,
    reserved: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>> {
    let mut allocatable = capacity.clone();
    for (name, amount) in reserved {
        let Some(whole) = allocatable.get_mut(name) else {
            return Err(Error::new(format!("`{name}` is reserved but not part of the capacity")));
        };
        let mut rest = quantity(name, whole)?;
        rest.sub(&quantity(name, amount)?);
        if rest.sign() < 0 {
            return Err(Error::new(format!("more `{name}` is reserved than there is")));
        }
        *whole = json!(rest.to_string());
    }
    Ok(allocatable)
}

fn quantity(name: &str, amount: &Value) -> Result<Quantity> {
    let text = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
    let quantity: Quantity = text.parse().map_err(|error| {
        Error::new(format!("{name}: `{text}` is not a quantity: {error}")).help("for example 500m, 4, 16Gi")
    })?;
    if quantity.sign() < 0 {
        return Err(Error::new(format!("{name}: `{text}` is negative")));
    }
    Ok(quantity)
}

fn images(pool: &NodePool) -> Result<Vec<Value>> {
    let images = pool.images.iter().map(|(name, size)| {
        let size = quantity(name, size)?;
        Ok(json!({ "names": [name], "sizeBytes": size.value() }))
    });
    images.collect()
}

/// Nodes of a dump, or of a public trace's node list.
fn nodes_from(path: &Path, pool: &NodePool) -> Result<Vec<Value>> {
    let is_dump =
        path.extension().is_some_and(|extension| ["json", "yaml", "yml"].iter().any(|known| extension == *known));
    if is_dump && pool.format.is_none() {
        let (documents, errors) = read_files(&[path.to_owned()], &ReadOptions::default());
        if let Some(error) = errors.into_iter().next() {
            return Err(error);
        }
        let nodes: Vec<Value> =
            documents.into_iter().filter(|document| document.kind() == "Node").map(|document| document.value).collect();
        if nodes.is_empty() {
            return Err(Error::new(format!("there is no Node in {}", path.display()))
                .help("write it with `kubectl get nodes -o json`"));
        }
        return Ok(nodes);
    }
    let rows = read_nodes(&Input::file(path), pool.format.as_deref())?;
    let label = pool.name.clone().unwrap_or_else(|| "trace".to_owned());
    rows.iter().map(|row| trace_node(row, &label, pool)).collect()
}

/// A node of a trace as a manifest; the pool's capacity, labels and taints are laid over it.
fn trace_node(row: &NodeRow, pool_name: &str, pool: &NodePool) -> Result<Value> {
    let mut node = pods::node(row);
    let mut capacity: BTreeMap<String, Value> =
        node["status"]["capacity"].as_object().cloned().unwrap_or_default().into_iter().collect();
    capacity.entry("ephemeral-storage".to_owned()).or_insert_with(|| json!("1Ti"));
    for (name, amount) in &pool.capacity {
        capacity.insert(name.clone(), json!(quantity(name, amount)?.to_string()));
    }
    let allocatable = allocatable(&capacity, &pool.reserved)?;
    node["status"] = json!({ "capacity": capacity, "allocatable": allocatable });
    let labels = &mut node["metadata"]["labels"];
    labels[POOL_LABEL] = json!(pool_name);
    for (key, value) in &pool.labels {
        labels[key] = json!(value);
    }
    Ok(node)
}
