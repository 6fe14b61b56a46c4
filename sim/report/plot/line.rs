//! Values over virtual time: utilisation, pending pods.

use plotters::style::RGBColor;

use super::axis::{draw_bottom, draw_left, plain_number, time_ticks, value_ticks};
use super::canvas::{Canvas, Frame, PALETTE, svg};
use crate::engine::Time;

/// Values over time; each value holds until the next.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// (instant, value) in order of time.
    pub points: Vec<(Time, f64)>,
}

/// How several series stand in one plot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layering {
    /// Each from zero, as a line.
    Lines,
    /// One on top of the other, as areas.
    Stacked,
}

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueUnit {
    /// Shares from 0 to 1, written as per cent; the axis goes to 100 % at least.
    Percent,
    /// Numbers of things.
    Count,
}

/// A plot of values over time.
#[derive(Clone, Debug, PartialEq)]
pub struct LineChart {
    /// What is shown.
    pub title: String,
    /// What the values are, with their unit.
    pub y_label: String,
    /// How they are written.
    pub unit: ValueUnit,
    /// How the series stand.
    pub layering: Layering,
    /// Where the axis begins.
    pub from: Time,
    /// Where the axis ends.
    pub to: Time,
    /// The series, first at the bottom of a stack.
    pub series: Vec<Series>,
}

const SIZE: (i32, i32) = (960, 400);

/// Draws the plot.
///
/// More than eight series: of a stack the smallest are summed up, of lines the lowest are left out; the legend says so.
pub fn line_chart(chart: &LineChart) -> String {
    svg(SIZE, |canvas| {
        canvas.title(&chart.title, (16, 22));
        let (series, note) = chosen(chart);
        let mut legend: Vec<(String, RGBColor)> = series.iter().map(|s| s.name.clone()).zip(PALETTE).collect();
        if legend.len() == 1 && note.is_none() && legend[0].0 == chart.y_label {
            legend.clear();
        }
        let mut top = 44 + canvas.legend(&legend, (16, 46), SIZE.0 - 16);
        if let Some(note) = note {
            canvas.small_text(&note, (16, top), super::canvas::Anchor::Left, super::canvas::MUTED);
            top += 14;
        }
        let frame = Frame { left: 72, top: top + 6, right: SIZE.0 - 24, bottom: SIZE.1 - 50 };
        let columns: Vec<Vec<Column>> = series.iter().map(|s| columns(s, chart, frame.width())).collect();
        let highest = highest(&columns, chart.layering);
        let (top_value, ticks) = match chart.unit {
            ValueUnit::Percent => value_ticks(highest.max(1.0), 5, |x| format!("{}%", plain_number(x * 100.0))),
            ValueUnit::Count => value_ticks(highest.max(1.0), 5, plain_number),
        };
        draw_left(canvas, frame, &ticks);
        let y = |value: f64| {
            frame.bottom - (value.clamp(0.0, top_value) / top_value * f64::from(frame.height())).round() as i32
        };
        if columns.iter().all(|columns| columns.iter().all(|column| column.is_none())) {
            canvas.nothing(frame);
        } else if chart.layering == Layering::Stacked {
            draw_stack(canvas, frame, &columns, y);
        } else {
            draw_lines(canvas, frame, &columns, y);
        }
        draw_bottom(canvas, frame, &time_ticks(chart.from, chart.to, 10));
        canvas.upright(&chart.y_label, (20, frame.top + frame.height() / 2));
        let middle = (frame.left + frame.width() / 2, SIZE.1 - 12);
        canvas.text("virtual time", middle, super::canvas::Anchor::Centre, super::canvas::MUTED);
    })
}

/// What a series does within one column of pixels: first, lowest, highest, last and time-weighted mean value.
type Column = Option<[f64; 5]>;

/// At most eight series, and what was done to the others.
fn chosen(chart: &LineChart) -> (Vec<Series>, Option<String>) {
    let n = PALETTE.len();
    if chart.series.len() <= n {
        return (chart.series.clone(), None);
    }
    let peak = |series: &Series| series.points.iter().map(|&(_, value)| value).fold(0.0, f64::max);
    let mut order: Vec<usize> = (0..chart.series.len()).collect();
    order.sort_by(|&a, &b| peak(&chart.series[b]).total_cmp(&peak(&chart.series[a])).then(a.cmp(&b)));
    let n_kept = if chart.layering == Layering::Stacked { n - 1 } else { n };
    let (kept, rest) = order.split_at(n_kept);
    let mut kept = kept.to_vec();
    kept.sort_unstable();
    let mut series: Vec<Series> = kept.into_iter().map(|i| chart.series[i].clone()).collect();
    if chart.layering == Layering::Lines {
        return (series, Some(format!("the {} highest of {} series", n, chart.series.len())));
    }
    series.push(Series { name: format!("{} others", rest.len()), points: sum(rest, &chart.series) });
    (series, None)
}

/// The sum of several series.
fn sum(which: &[usize], series: &[Series]) -> Vec<(Time, f64)> {
    let mut steps: Vec<(Time, f64)> = Vec::new();
    for &i in which {
        let mut last = 0.0;
        for &(at, value) in &series[i].points {
            steps.push((at, value - last));
            last = value;
        }
    }
    steps.sort_by_key(|&(at, _)| at);
    let mut total = 0.0;
    for (_, value) in &mut steps {
        total += *value;
        *value = total;
    }
    steps
}

/// A series by columns of pixels; `None` before its first value.
fn columns(series: &Series, chart: &LineChart, width: i32) -> Vec<Column> {
    let n = width.max(1) as usize + 1;
    let (from, to) = (chart.from.as_micros(), chart.to.as_micros().max(chart.from.as_micros() + 1));
    let edge = |i: usize| from + ((to - from) as u128 * i as u128 / n as u128) as u64;
    let mut points = series.points.iter().filter(|(_, value)| value.is_finite()).peekable();
    let mut value: Option<f64> = None;
    let mut columns = Vec::with_capacity(n);
    for i in 0..n {
        let (begin, end) = (edge(i), edge(i + 1));
        let mut column = value.map(|value| [value; 5]);
        let (mut weighted, mut since) = (0.0, begin);
        while let Some(&(at, next)) =
            points.next_if(|(at, _)| at.as_micros() < end || i + 1 == n && at.as_micros() == end)
        {
            let at = at.as_micros().clamp(begin, end);
            weighted += value.unwrap_or(next) * (at - since) as f64;
            since = at;
            value = Some(next);
            let [first, low, high, ..] = column.unwrap_or([next; 5]);
            column = Some([first, low.min(next), high.max(next), next, next]);
        }
        if let (Some([.., mean]), Some(value)) = (column.as_mut(), value)
            && begin < end
        {
            *mean = (weighted + value * (end - since) as f64) / (end - begin) as f64;
        }
        columns.push(column);
    }
    columns
}

fn highest(columns: &[Vec<Column>], layering: Layering) -> f64 {
    let of = |column: &Column, which: usize| column.map_or(0.0, |column| column[which]);
    if layering == Layering::Lines {
        return columns.iter().flatten().map(|column| of(column, 2)).fold(0.0, f64::max);
    }
    let n = columns.first().map_or(0, Vec::len);
    (0..n).map(|i| columns.iter().map(|series| of(&series[i], 4)).sum()).fold(0.0, f64::max)
}

fn draw_lines(canvas: &mut Canvas, frame: Frame, columns: &[Vec<Column>], y: impl Fn(f64) -> i32) {
    // The first series is drawn last: it is the most important one.
    for (series, colour) in columns.iter().zip(PALETTE).rev() {
        let mut path: Vec<(i32, i32)> = Vec::new();
        let mut area: Vec<(i32, i32)> = Vec::new();
        for (x, column) in (frame.left..).zip(series) {
            let Some([first, low, high, last, _]) = *column else { continue };
            for value in [first, high, low, last] {
                let point = (x, y(value));
                if path.last() != Some(&point) {
                    path.push(point);
                }
            }
            area.push((x, y(last)));
        }
        if columns.len() == 1 && !area.is_empty() {
            let ends = [(area[area.len() - 1].0, frame.bottom), (area[0].0, frame.bottom)];
            canvas.area(area.into_iter().chain(ends).collect(), colour, 0.12);
        }
        canvas.path(simplified(path), colour, 2);
    }
}

fn draw_stack(canvas: &mut Canvas, frame: Frame, columns: &[Vec<Column>], y: impl Fn(f64) -> i32) {
    let n = columns.first().map_or(0, Vec::len);
    let mut base = vec![0.0; n];
    for (series, colour) in columns.iter().zip(PALETTE) {
        let lower: Vec<(i32, i32)> = (frame.left..).zip(&base).map(|(x, value)| (x, y(*value))).collect();
        for (sum, column) in base.iter_mut().zip(series) {
            *sum += column.map_or(0.0, |column| column[4].max(0.0));
        }
        let upper: Vec<(i32, i32)> = (frame.left..).zip(&base).map(|(x, value)| (x, y(*value))).collect();
        let outline = simplified(upper.clone());
        canvas.area(outline.iter().copied().chain(simplified(lower).into_iter().rev()).collect(), colour, 0.75);
        canvas.path(outline, colour, 1);
    }
}

/// Without the inner points of level runs.
fn simplified(points: Vec<(i32, i32)>) -> Vec<(i32, i32)> {
    let mut kept: Vec<(i32, i32)> = Vec::with_capacity(points.len());
    for point in points {
        if let [.., a, b] = kept[..]
            && a.1 == b.1
            && b.1 == point.1
        {
            kept.pop();
        }
        kept.push(point);
    }
    kept
}
