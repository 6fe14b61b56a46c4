//! The machines of traces: one small table each, read whole.

use rustc_hash::FxHashSet;
use serde_json::Value;

use super::arrival::NodeRow;
use super::format::{Header, Layout, Probe};
use super::number;
use super::row::{Bad, Column, Delimiter, Fields, Read, Record, may, need};
use super::rows::Rows;
use super::source::Input;
use crate::error::{Error, Result};

/// A table of machines.
pub struct NodeFormatInfo {
    /// Name of the trace it belongs to.
    pub name: &'static str,
    /// The columns that are read.
    pub columns: &'static str,
    layout: Layout,
    detect: fn(&Probe) -> bool,
    read: fn(&Record, &mut Vec<NodeRow>) -> Read<()>,
}

/// Machines of one file at most.
const MAX_NODES: usize = 10_000_000;
const MIB: i64 = 1 << 20;
const GIB: i64 = 1 << 30;
/// CPU of 1.0 where a trace normalises by its largest machine: 64 cores (our assumption, the same as for its tasks).
const NORMALISED_CPU_MILLI: i64 = 64_000;
/// Memory of 1.0 where a trace normalises by its largest machine: 256 GiB (our assumption, the same as for its tasks).
const NORMALISED_MEMORY: i64 = 256 * GIB;

/// Reads a table of machines; its format is recognised if it is not named. Of a machine named twice the first row counts.
pub fn read_nodes(input: &Input, format_name: Option<&str>) -> Result<Vec<NodeRow>> {
    let info = match format_name {
        Some(name) => NODE_FORMATS.iter().find(|info| info.name == name),
        None => {
            let probe = Probe::of(input)?;
            NODE_FORMATS.iter().find(|info| (info.detect)(&probe))
        }
    };
    let info = info.ok_or_else(|| {
        let list = NODE_FORMATS.iter().map(|info| info.name).collect::<Vec<_>>().join(", ");
        let what = match format_name {
            Some(name) => format!("unknown format of nodes `{name}`"),
            None => format!("{}: the format of these nodes is not recognised", input.name()),
        };
        Error::new(what).help(format!("known formats: {list}"))
    })?;
    let mut rows = Rows::open(input, info.layout, false)?;
    let mut nodes = Vec::new();
    while rows.advance()?.is_some() {
        rows.read(|record| (info.read)(record, &mut nodes))?;
    }
    let mut seen = FxHashSet::default();
    nodes.retain(|node: &NodeRow| seen.insert(node.name.clone()));
    Ok(nodes)
}

/// All tables of machines, the most telling first.
pub static NODE_FORMATS: &[NodeFormatInfo] = &[
    NodeFormatInfo {
        name: "wavetank",
        columns: "name, cpu_milli, memory_bytes, gpus, gpu_model",
        layout: table(Header::Named, WAVETANK),
        detect: |probe| probe.has_columns(&["name", "cpu_milli", "memory_bytes"]),
        read: |record, nodes| {
            let fields = record.fields()?;
            push(
                nodes,
                fields,
                [fields.amount(1, 1)?, fields.amount(2, 1)?],
                fields.count_or_zero(3)?,
                fields.optional(4),
            )
        },
    },
    NodeFormatInfo {
        name: "alibaba-gpu-2023",
        columns: "sn, cpu_milli, memory_mib, gpu, model",
        layout: table(Header::Named, OPENB),
        detect: |probe| probe.has_columns(&["sn", "cpu_milli", "memory_mib", "gpu", "model"]),
        read: |record, nodes| {
            let fields = record.fields()?;
            push(
                nodes,
                fields,
                [fields.amount(1, 1)?, fields.amount(2, MIB)?],
                fields.count_or_zero(3)?,
                fields.optional(4),
            )
        },
    },
    NodeFormatInfo {
        name: "alibaba-gpu-2020",
        columns: "machine, gpu_type, cap_cpu (cores), cap_mem (GB), cap_gpu",
        layout: table(Header::Either, PAI),
        detect: |probe| probe.has_columns(&["machine", "gpu_type", "cap_cpu"]) || probe.is_table(5, &[2, 3, 4]),
        read: |record, nodes| {
            let fields = record.fields()?;
            let model = fields.optional(1).filter(|model| model != "CPU");
            push(nodes, fields, [fields.amount(2, 1000)?, fields.amount(3, GIB)?], fields.count_or_zero(4)?, model)
        },
    },
    NodeFormatInfo {
        name: "alibaba-spot-2026",
        columns: "gpu_model, gpu_capacity_num, cpu_num, node_name; memory is not in the table",
        layout: table(Header::Named, SPOT),
        detect: |probe| probe.has_columns(&["node_name", "gpu_capacity_num", "cpu_num"]),
        read: |record, nodes| {
            let fields = record.fields()?;
            push(nodes, fields, [fields.amount(1, 1000)?, 0], fields.count_or_zero(2)?, fields.optional(3))
        },
    },
    NodeFormatInfo {
        name: "tiresias",
        columns: "num_switch, num_node_p_switch, num_gpu_p_node, num_cpu_p_node, mem_p_node (GB)",
        layout: table(Header::Named, TIRESIAS),
        detect: |probe| probe.has_columns(&["num_switch", "num_node_p_switch", "num_gpu_p_node"]),
        read: read_tiresias,
    },
    NodeFormatInfo {
        name: "alibaba-2017",
        columns: "server_event: timestamp, machine id, event type (add), detail, CPUs, memory (0-1, taken as 256 GiB), disk; no header",
        layout: table(Header::Positional, SERVER_EVENT),
        detect: |probe| probe.is_table(7, &[0, 1, 4, 5, 6]) && probe.fields()[2].chars().any(char::is_alphabetic),
        read: |record, nodes| {
            let fields = record.fields()?;
            if fields.text(2) != "add" {
                return Ok(());
            }
            push_as(nodes, fields.some_text(1)?, [fields.amount(4, 1000)?, fields.amount(5, NORMALISED_MEMORY)?])
        },
    },
    NodeFormatInfo {
        name: "alibaba-2018",
        columns: "machine_meta: machine_id, time_stamp, failure domains, cpu_num, mem_size (0-100, taken as 256 GiB), status; no header",
        layout: table(Header::Positional, MACHINE_META),
        detect: |probe| probe.is_table(7, &[1, 2, 4, 5]) && probe.fields()[6].chars().any(char::is_alphabetic),
        read: |record, nodes| {
            let fields = record.fields()?;
            push_as(nodes, fields.some_text(0)?, [fields.amount(4, 1000)?, fields.amount(5, NORMALISED_MEMORY / 100)?])
        },
    },
    NodeFormatInfo {
        name: "google-2011",
        columns: "machine_events: time, machine ID, event type (0 ADD), platform ID, CPUs, memory (0-1, taken as 64 cores, 256 GiB); no header",
        layout: table(Header::Positional, MACHINE_EVENTS),
        detect: |probe| probe.is_table(6, &[0, 1, 2, 4, 5]),
        read: |record, nodes| {
            let fields = record.fields()?;
            if fields.text(2) != "0" {
                return Ok(());
            }
            let capacity =
                [fields.amount_or_zero(4, NORMALISED_CPU_MILLI)?, fields.amount_or_zero(5, NORMALISED_MEMORY)?];
            push_as(nodes, fields.some_text(1)?, capacity)
        },
    },
    NodeFormatInfo {
        name: "google-2019",
        columns: "machine_events as JSON lines: machine_id, type (1 ADD), capacity.{cpus, memory} (0-1, taken as 64 cores, 256 GiB)",
        layout: Layout::JsonLines,
        detect: |probe| {
            probe.lines.first().is_some_and(|line| {
                line.starts_with('{') && line.contains("\"machine_id\"") && line.contains("\"capacity\"")
            })
        },
        read: read_google_2019,
    },
];

const WAVETANK: &[Column] = &[need("name"), need("cpu_milli"), need("memory_bytes"), may("gpus"), may("gpu_model")];
const OPENB: &[Column] = &[need("sn"), need("cpu_milli"), need("memory_mib"), need("gpu"), may("model")];
const PAI: &[Column] = &[need("machine"), need("gpu_type"), need("cap_cpu"), need("cap_mem"), need("cap_gpu")];
const SPOT: &[Column] = &[need("node_name"), need("cpu_num"), need("gpu_capacity_num"), may("gpu_model")];
const TIRESIAS: &[Column] = &[
    need("num_switch"),
    need("num_node_p_switch"),
    need("num_gpu_p_node"),
    need("num_cpu_p_node"),
    need("mem_p_node"),
];
const SERVER_EVENT: &[Column] = &[
    need("timestamp"),
    need("machine id"),
    need("event type"),
    may("event detail"),
    may("number of cpus"),
    may("normalized memory"),
    may("normalized disk space"),
];
const MACHINE_META: &[Column] = &[
    need("machine_id"),
    need("time_stamp"),
    need("failure_domain_1"),
    need("failure_domain_2"),
    need("cpu_num"),
    need("mem_size"),
    may("status"),
];
const MACHINE_EVENTS: &[Column] =
    &[need("time"), need("machine ID"), need("event type"), need("platform ID"), may("CPUs"), may("Memory")];

const fn table(header: Header, columns: &'static [Column]) -> Layout {
    Layout::Table { delimiter: Delimiter::Comma, header, comment: None, columns }
}

/// A machine named by the first column.
fn push(
    nodes: &mut Vec<NodeRow>,
    fields: &Fields,
    capacity: [i64; 2],
    gpu_count: u32,
    gpu_model: Option<String>,
) -> Read<()> {
    push_as(nodes, fields.some_text(0)?, capacity)?;
    if let Some(node) = nodes.last_mut() {
        node.gpu_count = gpu_count;
        node.gpu_model = gpu_model.filter(|_| gpu_count > 0);
    }
    Ok(())
}

fn push_as(nodes: &mut Vec<NodeRow>, name: &str, [cpu_milli, memory_bytes]: [i64; 2]) -> Read<()> {
    if nodes.len() == MAX_NODES {
        return Err(Bad::new(format!("there are more than {MAX_NODES} machines")));
    }
    nodes.push(NodeRow { name: name.to_owned(), cpu_milli, memory_bytes, gpu_count: 0, gpu_model: None });
    Ok(())
}

/// One row describes a whole cluster of equal machines.
fn read_tiresias(record: &Record, nodes: &mut Vec<NodeRow>) -> Read<()> {
    let fields = record.fields()?;
    let (switches, per_switch) = (fields.count(0)?, fields.count(1)?);
    if u64::from(switches) * u64::from(per_switch) > 1_000_000 {
        return Err(fields.bad(1, "makes more than a million machines", "num_switch times num_node_p_switch"));
    }
    let (gpus, capacity) = (fields.count(2)?, [fields.amount(3, 1000)?, fields.amount(4, GIB)?]);
    for switch in 0..switches {
        for node in 0..per_switch {
            push_as(nodes, &format!("switch-{switch}-node-{node}"), capacity)?;
            nodes.last_mut().into_iter().for_each(|node| node.gpu_count = gpus);
        }
    }
    Ok(())
}

fn read_google_2019(record: &Record, nodes: &mut Vec<NodeRow>) -> Read<()> {
    let event = record.json()?;
    let text = |key: &str| match event.get(key) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => Err(Bad::new(format!("field `{key}` is missing"))),
    };
    if text("type")? != "1" {
        return Ok(());
    }
    let capacity = |resource: &str, scale: i64| {
        let amount = event.get("capacity").and_then(|capacity| capacity.get(resource)).and_then(Value::as_f64);
        let scaled = amount.map_or(Ok(0), |amount| number::from_float(amount, scale));
        scaled.ok().filter(|&x| x >= 0).ok_or_else(|| Bad::new(format!("field `capacity.{resource}` is not an amount")))
    };
    push_as(
        nodes,
        &text("machine_id")?,
        [capacity("cpus", NORMALISED_CPU_MILLI)?, capacity("memory", NORMALISED_MEMORY)?],
    )
}
