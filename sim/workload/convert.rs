//! Arrivals and machines into files: the canonical table, or Kubernetes objects as a stream of YAML documents.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::arrival::{Arrival, NodeRow};
use super::formats::wavetank::COLUMNS;
use super::pods;
use crate::error::{Error, Result};

/// Writes the canonical table, which is also a format that can be read; returns the number of rows.
pub fn write_table(arrivals: impl Iterator<Item = Result<Arrival>>, out: impl Write) -> Result<u64> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(COLUMNS.iter().map(|column| column.name)).map_err(unwritable)?;
    let mut n = 0;
    for arrival in arrivals {
        table.write_record(cells(arrival?)).map_err(unwritable)?;
        n += 1;
    }
    table.flush().map_err(|error| unwritable(error.into()))?;
    Ok(n)
}

/// Writes one Pod per replica, each PriorityClass before its first use; returns the number of pods.
///
/// The instant of arrival stands in an annotation: applied as they are, all pods arrive at once.
pub fn write_pods(arrivals: impl Iterator<Item = Result<Arrival>>, mut out: impl Write) -> Result<u64> {
    let mut known = BTreeSet::new();
    let mut n = 0;
    for arrival in arrivals {
        let arrival = arrival?;
        if let Some(priority) = arrival.priority
            && known.insert(priority)
        {
            document(&mut out, &pods::priority_class(priority))?;
        }
        for ordinal in 0..arrival.n {
            document(&mut out, &pods::pod(&arrival, ordinal))?;
            n += 1;
        }
    }
    out.flush().map_err(|error| unwritable(error.into()))?;
    Ok(n)
}

/// Writes machines as the canonical table of nodes.
pub fn write_node_table(nodes: &[NodeRow], out: impl Write) -> Result<()> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(["name", "cpu_milli", "memory_bytes", "gpus", "gpu_model"]).map_err(unwritable)?;
    for node in nodes {
        let [cpu, memory, gpus] =
            [node.cpu_milli.to_string(), node.memory_bytes.to_string(), node.gpu_count.to_string()];
        let model = node.gpu_model.as_deref().unwrap_or_default();
        table.write_record([&node.name, &cpu, &memory, &gpus, model]).map_err(unwritable)?;
    }
    table.flush().map_err(|error| unwritable(error.into()))
}

/// Writes machines as Node objects.
pub fn write_nodes(nodes: &[NodeRow], mut out: impl Write) -> Result<()> {
    nodes.iter().try_for_each(|node| document(&mut out, &pods::node(node)))?;
    out.flush().map_err(|error| unwritable(error.into()))
}

fn document(out: &mut impl Write, object: &serde_json::Value) -> Result<()> {
    let text = serde_yaml::to_string(object).map_err(|error| Error::new(format!("cannot write YAML: {error}")))?;
    write!(out, "---\n{text}").map_err(|error| unwritable(error.into()))
}

/// In the order of [`COLUMNS`].
fn cells(arrival: Arrival) -> [String; 16] {
    fn number(x: Option<impl ToString>) -> String {
        x.map(|x| x.to_string()).unwrap_or_default()
    }
    let some_gpu = arrival.gpu.count > 0;
    [
        arrival.name,
        arrival.group.unwrap_or_default(),
        arrival.user.unwrap_or_default(),
        arrival.at.as_micros().to_string(),
        number(arrival.duration.map(|span| span.as_micros())),
        number(arrival.time_limit.map(|span| span.as_micros())),
        arrival.n.to_string(),
        arrival.cpu_milli.to_string(),
        arrival.memory_bytes.to_string(),
        number(some_gpu.then_some(arrival.gpu.count)),
        number(some_gpu.then_some(arrival.gpu.milli_per_gpu)),
        arrival.gpu.models.join("|"),
        number(arrival.priority),
        arrival.qos.unwrap_or_default(),
        arrival.outcome.map(|outcome| outcome.name().to_owned()).unwrap_or_default(),
        arrival.deps.join("|"),
    ]
}

fn unwritable(error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::BrokenPipe => Error::new("broken pipe"),
        csv::ErrorKind::Io(error) => Error::new(format!("cannot write: {error}")),
        other => Error::new(format!("cannot write: {other:?}")),
    }
}
