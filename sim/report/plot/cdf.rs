//! Cumulative distributions of spans: scheduling latency, startup.

use plotters::style::RGBColor;

use super::axis::{Tick, draw_bottom, draw_left, short_span, time_ticks};
use super::canvas::{Anchor, Canvas, Frame, GRID, MUTED, PALETTE, svg};
use crate::engine::{Span, Time};

/// The values of one curve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cdf {
    /// Name in the legend.
    pub name: String,
    /// The values, in any order.
    pub values: Vec<Span>,
}

/// A plot of which share of values lies at or below a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CdfChart {
    /// What is shown.
    pub title: String,
    /// What the spans are.
    pub x_label: String,
    /// The curves; the first eight are drawn.
    pub curves: Vec<Cdf>,
}

const SIZE: (i32, i32) = (960, 400);

/// The axis of spans: logarithmic when they differ by more than a factor of 100.
#[derive(Clone, Copy, Debug)]
enum Scale {
    Linear {
        to: f64,
    },
    /// Decades of microseconds; spans below the first stand at the left edge.
    Log {
        from: f64,
        to: f64,
    },
}

/// Draws the plot.
pub fn cdf_chart(chart: &CdfChart) -> String {
    let curves: Vec<(&str, Vec<u64>)> = chart
        .curves
        .iter()
        .take(PALETTE.len())
        .map(|curve| {
            let mut values: Vec<u64> = curve.values.iter().map(|span| span.as_micros()).collect();
            values.sort_unstable();
            (curve.name.as_str(), values)
        })
        .collect();
    svg(SIZE, |canvas| {
        canvas.title(&chart.title, (16, 22));
        let legend: Vec<(String, RGBColor)> =
            curves.iter().map(|(name, values)| legend_text(name, values)).zip(PALETTE).collect();
        let top = 50 + canvas.legend(&legend, (16, 46), SIZE.0 - 16);
        let frame = Frame { left: 72, top, right: SIZE.0 - 24, bottom: SIZE.1 - 50 };
        let share = |p: f64| Tick { at: p, label: format!("{:.0}%", p * 100.0) };
        draw_left(canvas, frame, &[0.0, 0.25, 0.5, 0.75, 0.9, 1.0].map(share));
        let all = curves.iter().flat_map(|(_, values)| values);
        let scale = scale(all.clone().min().copied(), all.max().copied());
        if curves.iter().all(|(_, values)| values.is_empty()) {
            canvas.nothing(frame);
        }
        let ticks = ticks(scale);
        for tick in &ticks {
            let x = frame.left + (tick.at * f64::from(frame.width())).round() as i32;
            canvas.line((x, frame.top), (x, frame.bottom), GRID);
        }
        for ((_, values), colour) in curves.iter().zip(PALETTE).rev() {
            draw_curve(canvas, frame, scale, values, colour);
        }
        draw_bottom(canvas, frame, &ticks);
        canvas.upright("share of all", (20, frame.top + frame.height() / 2));
        let label = match scale {
            Scale::Linear { .. } => chart.x_label.clone(),
            Scale::Log { .. } => format!("{} (logarithmic)", chart.x_label),
        };
        canvas.text(&label, (frame.left + frame.width() / 2, SIZE.1 - 12), Anchor::Centre, MUTED);
    })
}

fn legend_text(name: &str, values: &[u64]) -> String {
    let Some(last) = values.len().checked_sub(1) else { return format!("{name}: none") };
    let quantile =
        |p: usize| short_span(Span::from_micros(values[(values.len() * p).div_ceil(100).saturating_sub(1).min(last)]));
    format!("{name}: median {}, p99 {}, {} values", quantile(50), quantile(99), values.len())
}

fn scale(lowest: Option<u64>, highest: Option<u64>) -> Scale {
    let (lowest, highest) = (lowest.unwrap_or(0), highest.unwrap_or(0).max(1));
    // A zero has no logarithm: it stands at the left edge of an axis that begins at a millisecond.
    let from = if lowest == 0 { 1_000 } else { lowest };
    if highest / from.max(1) < 100 {
        return Scale::Linear { to: highest as f64 };
    }
    let decade = |us: u64| f64::from(us.ilog10());
    Scale::Log {
        from: decade(from),
        to: if 10u64.pow(highest.ilog10()) == highest { decade(highest) } else { decade(highest) + 1.0 },
    }
}

fn ticks(scale: Scale) -> Vec<Tick> {
    match scale {
        Scale::Linear { to } => time_ticks(Time::ZERO, Time::from_micros(to as u64), 10),
        Scale::Log { from, to } => (from as i32..=to as i32)
            .map(|decade| Tick {
                at: (f64::from(decade) - from) / (to - from),
                label: decade_label(decade.unsigned_abs()),
            })
            .collect(),
    }
}

fn decade_label(decade: u32) -> String {
    match decade {
        0..3 => format!("{}µs", 10u64.pow(decade)),
        3..6 => format!("{}ms", 10u64.pow(decade - 3)),
        _ => format!("{}s", 10u64.saturating_pow(decade - 6)),
    }
}

fn draw_curve(canvas: &mut Canvas, frame: Frame, scale: Scale, values: &[u64], colour: RGBColor) {
    let x = |us: u64| {
        let at = match scale {
            Scale::Linear { to } => us as f64 / to,
            Scale::Log { from, to } => (libm::log10(us.max(1) as f64) - from) / (to - from),
        };
        frame.left + (at.clamp(0.0, 1.0) * f64::from(frame.width())).round() as i32
    };
    let y = |n: usize| frame.bottom - (n as f64 / values.len() as f64 * f64::from(frame.height())).round() as i32;
    let mut path: Vec<(i32, i32)> = Vec::new();
    for (i, &value) in values.iter().enumerate() {
        for point in [(x(value), y(i)), (x(value), y(i + 1))] {
            match path[..] {
                // A vertical run needs its ends only.
                [.., a, b] if a.0 == b.0 && b.0 == point.0 => *path.last_mut().unwrap_or(&mut (0, 0)) = point,
                [.., last] if last == point => {}
                _ => path.push(point),
            }
        }
    }
    if let Some(&(_, top)) = path.last() {
        path.push((frame.right, top));
    }
    canvas.path(path, colour, 2);
}
