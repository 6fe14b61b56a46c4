//! `kubectl top`: what nodes and pods use.
//!
//! Source: kubectl `pkg/metricsutil/metrics_printer.go`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::command::Top;
use super::filter::select;
use super::gosort;
use super::look::{at, name, namespace, scalar};
use super::resources;
use super::tabs::{TABLE, align};
use super::view::{Output, View};
use crate::api::quantity::Quantity;

/// What something uses at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Thousandths of a core.
    pub cpu_milli: i64,
    /// Bytes of memory.
    pub memory_bytes: i64,
}

/// What nodes and containers use, as the metrics server tells it.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// By name of the node.
    pub nodes: BTreeMap<String, Amount>,
    /// By namespace and name of the pod, then by name of the container.
    pub pods: BTreeMap<(String, String), BTreeMap<String, Amount>>,
}

struct Row {
    cells: Vec<String>,
    amount: Option<Amount>,
    capacity: Option<Amount>,
}

/// The text of `kubectl top`; without usage there is no metrics server.
pub(crate) fn top(command: &Top, usage: Option<&Usage>, view: &View<'_>) -> Output {
    let Some(usage) = usage else { return Output::failure("error: Metrics API not available") };
    match if command.nodes { nodes(command, usage, view) } else { pods(command, usage, view) } {
        Ok(output) | Err(output) => output,
    }
}

fn picked<'a>(word: &str, command: &Top, view: &View<'a>) -> Result<Vec<&'a Value>, Output> {
    let Some(resource) = resources::find(word, view) else { return Ok(Vec::new()) };
    let scope = &command.selection.scope;
    let place = (!scope.all_namespaces).then(|| scope.namespace.as_deref().unwrap_or(view.namespace));
    if let Some(called) = command.selection.args.first() {
        return match resources::object(&resource, place.unwrap_or_default(), called, view) {
            Some(object) => Ok(vec![object]),
            None => Err(Output::failure(resource.not_found(called))),
        };
    }
    let mut found = resources::objects(&resource, place, view);
    let (labels, fields) = (command.selection.selector.as_deref(), command.selection.field_selector.as_deref());
    select(&mut found, &resource, labels, fields)?;
    Ok(found)
}

fn nodes(command: &Top, usage: &Usage, view: &View<'_>) -> Result<Output, Output> {
    let list = if command.show_capacity { "status.capacity" } else { "status.allocatable" };
    let mut rows: Vec<Row> = picked("nodes", command, view)?
        .into_iter()
        .map(|node| {
            let quantity =
                |resource: &str| scalar(at(at(node, list), resource)).parse::<Quantity>().unwrap_or_default();
            let capacity =
                Amount { cpu_milli: quantity("cpu").milli_value(), memory_bytes: quantity("memory").value() };
            let amount = usage.nodes.get(name(node)).copied();
            Row { cells: vec![name(node).to_owned()], amount, capacity: Some(capacity) }
        })
        .collect();
    sort(&mut rows, command);
    let header = ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"];
    Ok(Output::success(print(command, &header, &rows, "")))
}

fn pods(command: &Top, usage: &Usage, view: &View<'_>) -> Result<Output, Output> {
    let all = command.selection.scope.all_namespaces;
    let mut rows = Vec::new();
    for pod in picked("pods", command, view)? {
        let key = (namespace(pod).to_owned(), name(pod).to_owned());
        let Some(containers) = usage.pods.get(&key) else { continue };
        let mut cells: Vec<String> = all.then(|| key.0.clone()).into_iter().collect();
        cells.push(key.1.clone());
        if command.containers {
            for (container, amount) in containers {
                let cells = cells.iter().cloned().chain([container.clone()]).collect();
                rows.push(Row { cells, amount: Some(*amount), capacity: None });
            }
        } else {
            rows.push(Row { cells, amount: Some(total(containers.values())), capacity: None });
        }
    }
    if rows.is_empty() {
        let stderr = match (all, command.selection.scope.namespace.as_deref().unwrap_or(view.namespace)) {
            (true, _) => "No resources found\n".to_owned(),
            (false, namespace) => format!("No resources found in {namespace} namespace.\n"),
        };
        return Ok(Output { stderr, ..Output::default() });
    }
    sort(&mut rows, command);
    let mut header: Vec<&str> = Vec::new();
    header.extend(all.then_some("NAMESPACE"));
    header.extend(command.containers.then_some("POD"));
    header.extend(["NAME", "CPU(cores)", "MEMORY(bytes)"]);
    let mut sum = String::new();
    if command.sum {
        let amounts: Vec<Amount> = rows.iter().filter_map(|row| row.amount).collect();
        let total = total(amounts.iter());
        sum = format!("{}________\t________\t\n", "\t".repeat(header.len() - 2));
        sum += &format!("{}{}", "\t".repeat(header.len() - 2), amount_cells(Some(total), None));
    }
    Ok(Output::success(print(command, &header, &rows, &sum)))
}

fn total<'a>(amounts: impl Iterator<Item = &'a Amount>) -> Amount {
    amounts.fold(Amount::default(), |sum, amount| Amount {
        cpu_milli: sum.cpu_milli.saturating_add(amount.cpu_milli),
        memory_bytes: sum.memory_bytes.saturating_add(amount.memory_bytes),
    })
}

fn sort(rows: &mut [Row], command: &Top) {
    let by = |row: &Row| match (command.sort_by.as_deref(), row.amount) {
        (Some("cpu"), Some(amount)) => amount.cpu_milli,
        (Some("memory"), Some(amount)) => amount.memory_bytes,
        _ => i64::MIN,
    };
    if matches!(command.sort_by.as_deref(), Some("cpu" | "memory")) {
        gosort::sort(rows, |a, b| by(a) > by(b));
    }
}

/// The table; each cell, also the last of a line, ends a column.
fn print(command: &Top, header: &[&str], rows: &[Row], sum: &str) -> String {
    let mut text = String::new();
    if !command.no_headers {
        text += &header.iter().map(|name| format!("{name}\t")).collect::<String>();
        text.push('\n');
    }
    for row in rows {
        text += &row.cells.iter().map(|cell| format!("{cell}\t")).collect::<String>();
        text += &amount_cells(row.amount, row.capacity);
    }
    align(&(text + sum), TABLE)
}

fn amount_cells(amount: Option<Amount>, capacity: Option<Amount>) -> String {
    let percent = |used: i64, whole: i64| {
        let percent = used as f64 / whole as f64 * 100.0;
        format!("{}%\t", if percent.is_finite() { percent as i64 } else { 0 })
    };
    let Some(amount) = amount else { return "<unknown>\t".repeat(if capacity.is_some() { 4 } else { 2 }) + "\n" };
    let mut text = format!("{}m\t", amount.cpu_milli);
    if let Some(capacity) = capacity {
        text += &percent(amount.cpu_milli, capacity.cpu_milli);
    }
    text += &format!("{}Mi\t", amount.memory_bytes / (1 << 20));
    if let Some(capacity) = capacity {
        text += &percent(amount.memory_bytes, capacity.memory_bytes);
    }
    text + "\n"
}
