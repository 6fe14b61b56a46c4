//! Data into SVG plots: pure functions, the same bytes for the same data.
//!
//! Plotters' SVG backend draws the shapes; axes, ticks and legends are ours, because virtual time wants its own ticks and a plot of
//! many nodes its own layout. Colours are those of Okabe and Ito, which most colour-blind readers can tell apart.

mod axis;
mod canvas;
mod cdf;
mod gantt;
mod line;

pub use cdf::{Cdf, CdfChart, cdf_chart};
pub use gantt::{GanttChart, GanttPhase, GanttPod, MAX_ROWS, gantt_chart};
pub use line::{Layering, LineChart, Series, ValueUnit, line_chart};
