//! Ticks that people can read: virtual time in seconds, minutes, hours and days; values in steps of 1, 2 and 5.

use super::canvas::{AXIS, Anchor, Canvas, Frame, GRID, MUTED};
use crate::engine::{Span, Time};

/// A labelled place on an axis, 0 at its beginning and 1 at its end.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    pub(super) at: f64,
    pub(super) label: String,
}

const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Steps between ticks of time, microseconds.
const TIME_STEPS: [u64; 41] = [
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    MS,
    2 * MS,
    5 * MS,
    10 * MS,
    20 * MS,
    50 * MS,
    100 * MS,
    200 * MS,
    500 * MS,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    5 * DAY,
    10 * DAY,
    30 * DAY,
    100 * DAY,
];

/// Ticks of virtual time from `from` to `to`, about `n` of them.
pub(super) fn time_ticks(from: Time, to: Time, n: u64) -> Vec<Tick> {
    let (from, to) = (from.as_micros(), to.as_micros());
    let length = to.saturating_sub(from).max(1);
    let mut step = TIME_STEPS.into_iter().find(|step| length / step <= n).unwrap_or(100 * DAY);
    while length / step > n {
        step = step.saturating_mul(2);
    }
    let first = from.div_ceil(step);
    (first..=to / step)
        .map(|i| Tick { at: (i * step - from) as f64 / length as f64, label: time_label(i * step, step) })
        .collect()
}

/// An instant as precisely as the step between ticks asks for: `0`, `250ms`, `45s`, `2m30s`, `1h30m`, `3d12h`.
fn time_label(us: u64, step: u64) -> String {
    if us == 0 {
        return "0".to_owned();
    }
    if us < SECOND {
        return Span::from_micros(us).to_string();
    }
    let parts = [(us / DAY, "d"), (us / HOUR % 24, "h"), (us / MINUTE % 60, "m")];
    let mut label: String = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    let rest = us % MINUTE;
    if rest > 0 || label.is_empty() {
        let digits = if step < SECOND { (6 - step.ilog10().min(6)) as usize } else { 0 };
        label.push_str(&format!("{:.digits$}s", rest as f64 / 1e6));
    }
    label
}

/// A span to two digits or so, for legends: `340µs`, `12ms`, `1.2s`, `4m5s`, `3h20m`, `2d4h`.
pub(super) fn short_span(span: Span) -> String {
    let us = span.as_micros();
    match us {
        0 => "0".to_owned(),
        1..MS => format!("{us}µs"),
        MS..SECOND if us < 10 * MS => format!("{:.1}ms", us as f64 / 1e3),
        MS..SECOND => format!("{:.0}ms", us as f64 / 1e3),
        SECOND..MINUTE => format!("{:.1}s", us as f64 / 1e6),
        MINUTE..HOUR => format!("{}m{}s", us / MINUTE, us / SECOND % 60),
        HOUR..DAY => format!("{}h{}m", us / HOUR, us / MINUTE % 60),
        _ => format!("{}d{}h", us / DAY, us / HOUR % 24),
    }
}

/// Ticks from 0 to a round number at or above `highest`, which is returned.
pub(super) fn value_ticks(highest: f64, n: usize, show: impl Fn(f64) -> String) -> (f64, Vec<Tick>) {
    let highest = if highest.is_finite() && highest > 0.0 { highest } else { 1.0 };
    let rough = highest / n as f64;
    let magnitude = libm::pow(10.0, libm::log10(rough).floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|m| m * magnitude).find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(10.0 * magnitude);
    let n_steps = (highest / step - 1e-9).ceil().max(1.0);
    let top = n_steps * step;
    let ticks = (0..=n_steps as usize).map(|i| Tick { at: i as f64 / n_steps, label: show(i as f64 * step) });
    (top, ticks.collect())
}

/// A number without needless digits, thousands as `k` and millions as `M`.
pub(super) fn plain_number(x: f64) -> String {
    let trimmed = |x: f64, unit: &str| {
        let text = format!("{x:.3}");
        format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
    };
    match x.abs() {
        a if a >= 1e6 => trimmed(x / 1e6, "M"),
        a if a >= 1e4 => trimmed(x / 1e3, "k"),
        _ => trimmed(x, ""),
    }
}

/// Grid lines and labels on the left edge.
pub(super) fn draw_left(canvas: &mut Canvas, frame: Frame, ticks: &[Tick]) {
    for tick in ticks {
        let y = frame.bottom - (tick.at * f64::from(frame.height())).round() as i32;
        canvas.line((frame.left, y), (frame.right, y), GRID);
        canvas.text(&tick.label, (frame.left - 8, y), Anchor::Right, MUTED);
    }
}

/// The bottom edge with tick marks and labels.
pub(super) fn draw_bottom(canvas: &mut Canvas, frame: Frame, ticks: &[Tick]) {
    canvas.line((frame.left, frame.bottom), (frame.right, frame.bottom), AXIS);
    for tick in ticks {
        let x = frame.left + (tick.at * f64::from(frame.width())).round() as i32;
        canvas.line((x, frame.bottom), (x, frame.bottom + 4), AXIS);
        canvas.text(&tick.label, (x, frame.bottom + 15), Anchor::Centre, MUTED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(from: u64, to: u64) -> String {
        let ticks = time_ticks(Time::from_micros(from), Time::from_micros(to), 8);
        ticks.into_iter().map(|tick| tick.label).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_of_time_are_round() {
        assert_eq!(labels(0, 10 * MINUTE), "0 2m 4m 6m 8m 10m");
        assert_eq!(labels(0, 90 * SECOND), "0 15s 30s 45s 1m 1m15s 1m30s");
        assert_eq!(labels(0, 36 * HOUR), "0 6h 12h 18h 1d 1d6h 1d12h");
        assert_eq!(labels(0, SECOND), "0 200ms 400ms 600ms 800ms 1.0s");
        assert_eq!(labels(3 * MINUTE, 4 * MINUTE), "3m 3m10s 3m20s 3m30s 3m40s 3m50s 4m");
        assert_eq!(labels(0, 0), "0");
        assert_eq!(labels(0, 150 * DAY), "0 30d 60d 90d 120d 150d");
        assert!(time_ticks(Time::ZERO, Time::NEVER, 8).len() <= 9);
    }

    #[test]
    fn ticks_of_values_are_round() {
        let shown = |highest: f64| {
            let (top, ticks) = value_ticks(highest, 5, plain_number);
            format!("{top}: {}", ticks.into_iter().map(|tick| tick.label).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(shown(1.0), "1: 0 0.2 0.4 0.6 0.8 1");
        assert_eq!(shown(87.0), "100: 0 20 40 60 80 100");
        assert_eq!(shown(43_210.0), "50000: 0 10k 20k 30k 40k 50k");
        assert_eq!(shown(0.0), "1: 0 0.2 0.4 0.6 0.8 1");
        assert_eq!(shown(f64::NAN), "1: 0 0.2 0.4 0.6 0.8 1");
    }
}
