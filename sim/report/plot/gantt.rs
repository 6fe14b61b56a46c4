//! Pods on their nodes over time: one lane per node, one bar per pod, coloured by what the pod is doing.

use std::collections::BTreeMap;

use plotters::style::RGBColor;

use super::axis::{draw_bottom, time_ticks};
use super::canvas::{
    Anchor, BAND, Canvas, Frame, GRID, INK, MUTED, PALETTE, PAPER, TEXT, fit, fit_end, svg, text_width,
};
use crate::engine::Time;

/// What a pod is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GanttPhase {
    /// Waiting for a node.
    Pending,
    /// Bound, pulling images or starting its containers.
    Starting,
    /// Running.
    Running,
    /// Told to stop.
    Terminating,
}

/// One pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GanttPod {
    /// Its name.
    pub name: String,
    /// Its node, if it ever had one.
    pub node: Option<String>,
    /// What it does from when to when, in order of time.
    pub phases: Vec<(Time, Time, GanttPhase)>,
}

/// A plot of pods on nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GanttChart {
    /// What is shown.
    pub title: String,
    /// Where the axis begins.
    pub from: Time,
    /// Where the axis ends.
    pub to: Time,
    /// Nodes in the order of their lanes; nodes without pods are shown too. Nodes of pods that are missing here follow by name.
    pub nodes: Vec<String>,
    /// Pods, in any order.
    pub pods: Vec<GanttPod>,
    /// Nodes that the caller has left out of `nodes`, because they would not fit anyhow.
    pub n_more_nodes: usize,
    /// Pods that the caller has left out of `pods`.
    pub n_more_pods: usize,
}

const WIDTH: i32 = 1100;
const ROW: i32 = 15;
/// Rows of bars in one plot at most; what is beyond is left out and said.
pub const MAX_ROWS: usize = 80;
/// Rows of one lane at most.
const MAX_LANE_ROWS: usize = 16;
const NO_NODE: &str = "no node";

const PHASES: [(GanttPhase, &str, RGBColor); 4] = [
    (GanttPhase::Pending, "pending", RGBColor(200, 203, 208)),
    (GanttPhase::Starting, "starting", PALETTE[1]),
    (GanttPhase::Running, "running", PALETTE[0]),
    (GanttPhase::Terminating, "terminating", PALETTE[3]),
];

/// Draws the plot.
pub fn gantt_chart(chart: &GanttChart) -> String {
    let (lanes, note) = lanes(chart);
    let n_rows: usize = lanes.iter().map(|lane| lane.rows.len().max(1)).sum();
    let top = 78 + if note.is_some() { 16 } else { 0 };
    let gap = 4;
    let body = (n_rows as i32 * ROW + lanes.len() as i32 * gap).max(60);
    let label_width = lanes.iter().map(|lane| text_width(&lane.name, TEXT)).max().unwrap_or(0).clamp(60, 200);
    let frame = Frame { left: 24 + label_width, top, right: WIDTH - 24, bottom: top + body };
    svg((WIDTH, frame.bottom + 50), |canvas| {
        canvas.title(&chart.title, (16, 22));
        let legend: Vec<(String, RGBColor)> =
            PHASES.iter().map(|(_, name, colour)| ((*name).to_owned(), *colour)).collect();
        canvas.legend(&legend, (16, 48), WIDTH - 16);
        if let Some(note) = &note {
            canvas.small_text(note, (16, 70), Anchor::Left, MUTED);
        }
        if lanes.is_empty() {
            canvas.nothing(frame);
        }
        let ticks = time_ticks(chart.from, chart.to, 10);
        let mut y = frame.top;
        for (i, lane) in lanes.iter().enumerate() {
            let height = lane.rows.len().max(1) as i32 * ROW + gap;
            if i % 2 == 0 {
                canvas.fill(Frame { top: y, bottom: y + height, ..frame }, BAND);
            }
            let name = fit(&lane.name, label_width, TEXT);
            canvas.text(&name, (frame.left - 10, y + height / 2), Anchor::Right, INK);
            y += height;
        }
        for tick in &ticks {
            let x = frame.left + (tick.at * f64::from(frame.width())).round() as i32;
            canvas.line((x, frame.top), (x, frame.bottom), GRID);
        }
        y = frame.top;
        for lane in &lanes {
            for (row, pods) in lane.rows.iter().enumerate() {
                for pod in pods {
                    draw_pod(canvas, chart, frame, pod, y + gap / 2 + row as i32 * ROW);
                }
            }
            y += lane.rows.len().max(1) as i32 * ROW + gap;
        }
        draw_bottom(canvas, frame, &ticks);
        canvas.text("virtual time", (frame.left + frame.width() / 2, frame.bottom + 36), Anchor::Centre, MUTED);
    })
}

/// A node with its pods in rows that do not overlap.
struct Lane<'a> {
    name: String,
    rows: Vec<Vec<&'a GanttPod>>,
}

/// The lanes that fit into the plot, and what was left out.
fn lanes(chart: &GanttChart) -> (Vec<Lane<'_>>, Option<String>) {
    let mut by_node: BTreeMap<Option<&str>, Vec<&GanttPod>> = BTreeMap::new();
    for pod in &chart.pods {
        let (Some(begin), Some(end)) = (begin(pod), end(pod)) else { continue };
        if chart.from <= end && begin <= chart.to {
            by_node.entry(pod.node.as_deref()).or_default().push(pod);
        }
    }
    let mut names: Vec<Option<&str>> = Vec::new();
    if by_node.contains_key(&None) {
        names.push(None);
    }
    names.extend(chart.nodes.iter().map(|node| Some(node.as_str())));
    let known: std::collections::BTreeSet<Option<&str>> = names.iter().copied().collect();
    names.extend(by_node.keys().copied().filter(|name| !known.contains(name)));
    let n_nodes = names.iter().flatten().count() + chart.n_more_nodes;
    let (mut shown, mut n_rows, mut n_hidden_pods, mut n_shown_nodes) = (Vec::new(), 0, chart.n_more_pods, 0);
    for name in names {
        let pods = by_node.remove(&name).unwrap_or_default();
        let n_pods = pods.len();
        let (rows, n_without_row) = packed(pods);
        if n_rows + rows.len().max(1) > MAX_ROWS {
            n_hidden_pods += n_pods;
            continue;
        }
        n_hidden_pods += n_without_row;
        n_rows += rows.len().max(1);
        n_shown_nodes += usize::from(name.is_some());
        shown.push(Lane { name: name.unwrap_or(NO_NODE).to_owned(), rows });
    }
    let cut = n_shown_nodes < n_nodes || n_hidden_pods > 0;
    let note =
        cut.then(|| format!("{n_shown_nodes} of {n_nodes} nodes shown; {n_hidden_pods} pods do not fit into the plot"));
    (shown, note)
}

/// Pods into as few rows as possible, each in the first row that is free; and how many found none.
fn packed(mut pods: Vec<&GanttPod>) -> (Vec<Vec<&GanttPod>>, usize) {
    pods.sort_by(|a, b| (begin(a), end(a), &a.name).cmp(&(begin(b), end(b), &b.name)));
    let mut rows: Vec<(Time, Vec<&GanttPod>)> = Vec::new();
    let mut n_without_row = 0;
    for pod in pods {
        let (begin, end) = (begin(pod).unwrap_or_default(), end(pod).unwrap_or_default());
        let n_rows = rows.len();
        match rows.iter_mut().find(|(free, _)| *free <= begin) {
            Some((free, row)) => {
                *free = end;
                row.push(pod);
            }
            None if n_rows == MAX_LANE_ROWS => n_without_row += 1,
            None => rows.push((end, vec![pod])),
        }
    }
    (rows.into_iter().map(|(_, row)| row).collect(), n_without_row)
}

fn begin(pod: &GanttPod) -> Option<Time> {
    pod.phases.first().map(|&(from, ..)| from)
}

fn end(pod: &GanttPod) -> Option<Time> {
    pod.phases.last().map(|&(_, to, _)| to)
}

fn draw_pod(canvas: &mut Canvas, chart: &GanttChart, frame: Frame, pod: &GanttPod, y: i32) {
    let length = chart.to.since(chart.from).as_micros().max(1) as f64;
    let x = |at: Time| {
        let at = at.clamp(chart.from, chart.to.max(chart.from)).since(chart.from).as_micros() as f64;
        frame.left + (at / length * f64::from(frame.width())).round() as i32
    };
    let mut widest: Option<(i32, i32, GanttPhase)> = None;
    for &(from, to, phase) in &pod.phases {
        if to < chart.from || chart.to < from {
            continue;
        }
        // A phase that is shorter than a pixel is still seen.
        let (left, right) = (x(from), x(to).max(x(from) + 1));
        canvas.fill(Frame { left, top: y + 1, right, bottom: y + ROW - 2 }, colour(phase));
        if widest.is_none_or(|(l, r, _)| r - l < right - left) {
            widest = Some((left, right, phase));
        }
    }
    if let Some((left, right, phase)) = widest {
        let name = fit_end(&pod.name, right - left - 8, TEXT - 2);
        if name.chars().count() > 3 {
            let dark = phase == GanttPhase::Running;
            canvas.small_text(&name, (left + 4, y + ROW / 2), Anchor::Left, if dark { PAPER } else { INK });
        }
    }
}

fn colour(phase: GanttPhase) -> RGBColor {
    PHASES[phase as usize].2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, node: Option<&str>, from: u64, to: u64) -> GanttPod {
        let phases = vec![(Time::from_secs(from), Time::from_secs(to), GanttPhase::Running)];
        GanttPod { name: name.into(), node: node.map(str::to_owned), phases }
    }

    #[test]
    fn pods_that_do_not_overlap_share_a_row() {
        let pods = [pod("a", None, 0, 10), pod("b", None, 5, 15), pod("c", None, 10, 20), pod("d", None, 15, 16)];
        let (rows, _) = packed(pods.iter().collect());
        let names: Vec<String> = rows.iter().map(|row| row.iter().map(|pod| pod.name.as_str()).collect()).collect();
        assert_eq!(names, ["ac", "bd"]);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let nodes: Vec<String> = (0..200).map(|i| format!("node-{i}")).collect();
        let pods = (0..300).map(|i| pod(&format!("p{i}"), Some(nodes[i % 200].as_str()), 0, 10)).collect();
        let chart = GanttChart {
            title: "t".into(),
            from: Time::ZERO,
            to: Time::from_secs(10),
            nodes: nodes.clone(),
            pods,
            n_more_nodes: 3,
            n_more_pods: 5,
        };
        let (lanes, note) = lanes(&chart);
        assert_eq!(lanes.len(), 40);
        assert_eq!(note.as_deref(), Some("40 of 203 nodes shown; 225 pods do not fit into the plot"));
    }
}
